//! Offers and transaction codes by the organisation's own messenger, which hears of them through webhooks.

use super::*;

const OFFER: &str = "openid.individual.offer";
const PIN_EVENT: &str = "openid.individual.pin";

on_every_backend! {
    async fn the_messenger_hears_of_an_offer_by_a_signed_thin_event(world: &World) {
        let receiver = Receiver::listen().await;
        let (operator, definition, id) = person(world, json!({"phone": "+32 2 123", "deliveryChannel": "webhook"})).await;
        let webhook = hook(&operator, &receiver, &[OFFER]).await;
        let offer = offer_to(&operator, &definition, &id, PIN).await;
        operator.offer(&definition, &samples::staff_claims()).await;
        world.work().await;
        let calls = receiver.take();
        assert_eq!(calls.len(), 1, "for this offer only");
        let event = calls[0].event();
        assert_eq!((&event["type"], &event["data"]["individual"]), (&json!(OFFER), &json!({"id": id})));
        assert_eq!(event["data"]["credential"], json!({"CredentialExchangeId": offer.id}));
        assert!(calls[0].is_signed_with(webhook["secretKey"].as_str().expect("a secret")));
        for secret in [PIN, "+32", "openid-credential-offer", "credential-offers/"] {
            assert!(!calls[0].payload().contains(secret), "{secret}");
        }
        let record = operator.history(&offer.id).await;
        assert_eq!((&record["offerDelivery"]["state"], &record["pinDelivery"]["state"]), (&json!("delivered"), &json!("unsent")));
        let path = format!("/v2/config/webhooks/{}/deliveries", webhook["id"].as_str().expect("an id"));
        assert_eq!(operator.get(&path).await.ok()["webhookDeliveries"][0]["eventType"], OFFER);

        // Once more, also to a webhook that is newer than the first time.
        let second = Receiver::listen().await;
        world.advance(Duration::from_secs(10));
        hook(&operator, &second, &[OFFER, "openid.credential.offer_sent"]).await;
        ask(&operator, &offer, "resend").await;
        world.work().await;
        let (again, new) = (receiver.take(), second.take());
        assert_eq!((again.len(), new.len()), (1, 1));
        assert_ne!(again[0].header("webhook-id"), calls[0].header("webhook-id"));
        world.work().await;
        assert!(receiver.take().is_empty() && second.take().is_empty());
    }

    /// The link goes by mail, the code by the messenger: the two channels of one person.
    async fn the_messenger_is_told_the_code_when_the_link_goes_by_mail(backend: Backend) {
        MailServer::run(backend, async |world, mails| {
            let receiver = Receiver::listen().await;
            let known = json!({"email": "ada@example.org", "deliveryChannel": "email", "pinChannel": "webhook"});
            let (operator, definition, id) = person(world, known).await;
            hook(&operator, &receiver, &[PIN_EVENT]).await;
            let offer = offer_to(&operator, &definition, &id, PIN).await;
            world.work().await;
            let (calls, sent) = (receiver.take(), mails.take());
            assert_eq!((calls.len(), sent.len()), (1, 1));
            assert_eq!(calls[0].event()["type"], PIN_EVENT);
            assert_eq!(calls[0].event()["data"]["individual"], json!({"id": id, "userPin": PIN}));
            assert!(!sent[0].text.contains(PIN) && !calls[0].payload().contains("credential-offer"));
            assert!(!world.gives_away(PIN).await);
            let mut wallet = world.wallet();
            wallet.transaction_code = Some(PIN.to_owned());
            wallet.accept(&offer.link).await;
            // A replay of the event after that tells nothing any more.
            let hooks = operator.get("/v2/config/webhooks").await.ok();
            let hook = hooks["webhooks"][0]["id"].as_str().expect("an id").to_owned();
            let replay = format!("/v2/config/webhooks/{hook}/replay");
            operator.post(&replay, json!({"since": "2026-01-01T00:00:00Z"})).await.ok();
            world.work().await;
            let calls = receiver.take();
            assert_eq!(calls[0].event()["data"]["individual"]["userPin"], "");
        })
        .await;
    }

    async fn without_a_messenger_that_listens_the_delivery_fails_and_says_why(world: &World) {
        let receiver = Receiver::listen().await;
        let (operator, definition, id) = person(world, json!({"deliveryChannel": "webhook"})).await;
        hook(&operator, &receiver, &["openid.credential.credential_acked"]).await;
        let offer = offer_to(&operator, &definition, &id, "").await;
        world.work().await;
        let delivery = operator.history(&offer.id).await["offerDelivery"].clone();
        assert_eq!(delivery["state"], "failed");
        assert_eq!(delivery["failure"], format!("no active webhook subscribes to {OFFER}"));
        let listening = Receiver::listen().await;
        hook(&operator, &listening, &[OFFER]).await;
        ask(&operator, &offer, "resend").await;
        world.work().await;
        assert_eq!(listening.take().len(), 1);
    }
}
