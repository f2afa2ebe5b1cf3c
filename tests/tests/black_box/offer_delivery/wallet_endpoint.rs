//! Offers pushed to the endpoint of a wallet (OpenID4VCI §4.1).

use super::*;

/// The offer URI that a wallet was called with.
fn pushed(call: &chancery_tests::receiver::Received) -> String {
    let url = url_of(&call.target);
    let mut pairs = url.query_pairs();
    let found = pairs.find(|(name, _)| name == "credential_offer_uri");
    found.expect("an offer by reference").1.into_owned()
}

fn url_of(target: &str) -> reqwest::Url {
    reqwest::Url::parse(&format!("http://wallet.example{target}")).expect("a target")
}

on_every_backend! {
    async fn an_offer_is_pushed_to_the_endpoint_that_the_issue_call_names(world: &World) {
        let receiver = Receiver::listen().await;
        let operator = world.organisation().await;
        let definition = operator.define(&samples::staff_badge()).await;
        let endpoint = format!("{}?user=7", receiver.url());
        let offer = operator.offer_of(body(&definition, json!({"credentialOfferEndpoint": endpoint}))).await;
        assert_eq!((&offer.history["credentialOfferEndpoint"], &offer.history["individualId"]), (&json!(endpoint), &json!("")));
        assert_eq!(offer.history["offerDelivery"]["state"], "pending");
        assert!(receiver.take().is_empty(), "the issue call waits for no wallet");
        world.work().await;
        let calls = receiver.take();
        assert_eq!(calls.len(), 1);
        assert_eq!(pushed(&calls[0]), offer_uri(&offer.link));
        assert!(url_of(&calls[0].target).query_pairs().any(|(name, value)| name == "user" && value == "7"));
        world.work().await;
        assert!(receiver.take().is_empty(), "once");
        let delivery = operator.history(&offer.id).await["offerDelivery"].clone();
        assert_eq!((&delivery["state"], &delivery["attempts"]), (&json!("delivered"), &json!(1)));
        assert!(operator.events(&offer.id).await.iter().any(|event| event["type"] == "offer_delivered"));
        assert!(!world.gives_away(&endpoint).await, "the endpoint is sealed");
        let auditor = operator.with_role("auditor").await;
        assert_eq!(auditor.history(&offer.id).await["credentialOfferEndpoint"], "");
        world.wallet().accept(&offer.link).await;
    }

    async fn an_offer_is_pushed_to_the_wallet_of_an_individual(world: &World) {
        let receiver = Receiver::listen().await;
        let known = json!({"deliveryChannel": "walletEndpoint", "walletEndpoint": receiver.url()});
        let (operator, definition, id) = person(world, known).await;
        let offer = offer_to(&operator, &definition, &id, PIN).await;
        world.work().await;
        let calls = receiver.take();
        assert_eq!(calls.len(), 1);
        assert!(!calls[0].target.contains(PIN) && calls[0].body.is_empty());
        let record = operator.history(&offer.id).await;
        assert_eq!((&record["offerDelivery"]["state"], &record["pinDelivery"]["state"]), (&json!("delivered"), &json!("unsent")));
        assert_eq!(record["credentialOfferEndpoint"], "");
        // The endpoint of a call goes before that of the person.
        let other = Receiver::listen().await;
        let members = json!({"individualId": id, "credentialOfferEndpoint": other.url()});
        let offer = operator.offer_of(body(&definition, members)).await;
        world.work().await;
        assert_eq!((receiver.take().len(), other.take().len()), (0, 1));
        assert_eq!(operator.history(&offer.id).await["individualId"], id);
    }

    /// Ever later, until it is taken; a person who moved is reached where they are.
    async fn what_a_wallet_does_not_take_is_pushed_again(world: &World) {
        let receiver = Receiver::listen().await;
        let known = json!({"deliveryChannel": "walletEndpoint", "walletEndpoint": receiver.url()});
        let (operator, definition, id) = person(world, known).await;
        receiver.answer(&["500 Oops", "302 Found"]);
        let offer = offer_to(&operator, &definition, &id, "").await;
        world.work().await;
        world.work().await;
        assert_eq!(receiver.take().len(), 1, "not before its time");
        let delivery = operator.history(&offer.id).await["offerDelivery"].clone();
        assert_eq!((&delivery["state"], &delivery["failure"]), (&json!("pending"), &json!("the wallet's endpoint answered 500")));
        assert!(delivery["nextAttemptAt"].as_i64() > delivery["attemptedAt"].as_i64());
        world.advance(Duration::from_secs(10));
        world.work().await;
        assert_eq!(receiver.take().len(), 1);
        let moved = Receiver::listen().await;
        let known = json!({"individual": {"deliveryChannel": "walletEndpoint", "walletEndpoint": moved.url()}});
        operator.put(&format!("{INDIVIDUAL}/{id}"), known).await.ok();
        world.restart().await;
        world.advance(Duration::from_secs(60));
        world.work().await;
        assert_eq!((receiver.take().len(), moved.take().len()), (0, 1));
        let delivery = operator.history(&offer.id).await["offerDelivery"].clone();
        assert_eq!((&delivery["state"], &delivery["attempts"], &delivery["failure"]), (&json!("delivered"), &json!(3), &json!("")));
    }

    /// When the offer would be over by the next attempt, or nobody takes it, it is given up; asked for again, it begins
    /// again under the same link.
    async fn what_nobody_takes_is_given_up_until_it_is_asked_for_again(world: &World) {
        let receiver = Receiver::listen().await;
        let operator = world.organisation().await;
        let definition = operator.define(&samples::staff_badge()).await;
        receiver.always(Some("503 Busy"));
        let offer = operator.offer_of(body(&definition, json!({"credentialOfferEndpoint": receiver.url()}))).await;
        for pause in [10, 60, 200, 900, 4500] {
            world.work().await;
            world.advance(Duration::from_secs(pause));
        }
        world.work().await;
        // 5 s, 25 s, 125 s, 625 s: the sixth attempt would come behind the hour of the offer.
        assert_eq!(receiver.take().len(), 5);
        assert_eq!(state(&operator, &offer).await, "failed");
        assert!(operator.events(&offer.id).await.iter().any(|event| event["type"] == "offer_delivery_failed"));
        receiver.always(None);
        let again = ask(&operator, &offer, "resend").await["credentialHistory"].clone();
        assert_eq!((&again["offerDelivery"]["state"], &again["credentialOffer"]), (&json!("pending"), &json!(offer.link)));
        world.work().await;
        assert_eq!(receiver.take().len(), 1);
        assert_eq!(state(&operator, &offer).await, "delivered");
        receiver.answer(&["410 Gone"]);
        ask(&operator, &offer, "resend").await;
        world.work().await;
        assert_eq!(state(&operator, &offer).await, "failed");
        world.wallet().accept(&offer.link).await;
    }

    async fn what_is_cancelled_denied_or_redeemed_is_not_pushed(world: &World) {
        let receiver = Receiver::listen().await;
        let operator = world.organisation().await;
        let definition = operator.define(&samples::staff_badge()).await;
        let push = async || operator.offer_of(body(&definition, json!({"credentialOfferEndpoint": receiver.url()}))).await;
        let (cancelled, denied, redeemed, expired) = (push().await, push().await, push().await, push().await);
        let gone = push().await;
        let answer = ask(&operator, &cancelled, "cancel").await["credentialHistory"].clone();
        assert_eq!(answer["offerDelivery"]["state"], "cancelled");
        operator.post(&format!("{}/deny", history_path(&denied.id)), json!({"reason": "No."})).await.ok();
        world.wallet().accept(&redeemed.link).await;
        operator.delete(&history_path(&gone.id)).await.ok();
        operator.post(&format!("{}/resend", history_path(&cancelled.id)), json!({})).await.problem(409);
        world.advance(Duration::from_secs(3600));
        world.work().await;
        assert!(receiver.take().is_empty());
        for offer in [&cancelled, &denied, &redeemed, &expired] {
            assert_eq!(state(&operator, offer).await, "cancelled");
        }
        let why = operator.history(&redeemed.id).await["offerDelivery"]["failure"].clone();
        assert_eq!(why, "the offer was redeemed");
        // A new lifetime is a new chance.
        ask(&operator, &expired, "resend").await;
        world.work().await;
        assert_eq!(receiver.take().len(), 1);
    }

    /// The new link, not the old one, goes where the old one waited to go.
    async fn a_new_offer_is_pushed_in_the_place_of_the_earlier_one(world: &World) {
        let receiver = Receiver::listen().await;
        let operator = world.organisation().await;
        let definition = operator.define(&samples::staff_badge()).await;
        let offer = operator.offer_of(body(&definition, json!({"credentialOfferEndpoint": receiver.url()}))).await;
        let link = ask(&operator, &offer, "reoffer").await["credentialHistory"]["credentialOffer"].clone();
        world.work().await;
        assert_eq!(pushed(&receiver.take()[0]), offer_uri(link.as_str().expect("a link")));
    }
}
