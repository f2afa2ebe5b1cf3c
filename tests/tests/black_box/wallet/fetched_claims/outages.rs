//! What happens when the server does not answer, or not as it should.

use chancery_tests::Impostor;

use super::*;

/// Opens the breaker of a server that answers nothing that can be used.
async fn trip(desk: &Desk) {
    desk.receiver.always(Some("500 Oops"));
    for _ in 0..5 {
        desk.ask_anew().await;
    }
    assert_eq!(desk.receiver.take().len(), 5);
}

on_every_backend! {
    /// `refuse`: the wallet may try again with the same token.
    async fn an_outage_can_be_refused(world: &World) {
        let desk = Desk::under(world, "refuse").await;
        desk.receiver.always(Some("500 Oops"));
        let (Redeemed { offer, token }, answer) = desk.ask_anew().await;
        assert_eq!(answer.expect(503)["error"], "temporarily_unavailable");
        assert_eq!(answer.header("retry-after"), Some("2"));
        let told = cause(&desk.operator, &offer.id).await;
        assert_eq!(told.message, "credential.claims_unavailable");
        assert!(told.reason.contains("answered 500"), "{}", told.reason);
        assert_eq!(desk.operator.status(&offer.id).await, "token_issued");
        desk.receiver.always(None);
        disclosed(&desk.ask(&token).await);
    }

    /// `defer`: the wallet polls, and each poll that comes in time asks again.
    async fn an_outage_can_be_deferred(world: &World) {
        let desk = Desk::under(world, "defer").await;
        desk.receiver.always(Some("500 Oops"));
        let (Redeemed { offer, token }, answer) = desk.ask_anew().await;
        let deferred = answer.expect(202);
        assert_eq!(deferred["interval"], 5);
        world.advance(seconds(5));
        desk.poll(&token, &deferred).await.expect(202);
        assert_eq!(desk.receiver.take().len(), 2);
        desk.receiver.always(None);
        world.advance(seconds(5));
        assert_eq!(disclosed(&desk.poll(&token, &deferred).await)["given_name"], "Ilse");
        let messages = desk.messages(&offer).await;
        for message in ["claims.unavailable", "credential.deferred", "claims.fetched", "credential.issued"] {
            assert!(messages.iter().any(|it| it == message), "{message} in {messages:?}");
        }
    }

    /// `lastKnown`: what was fetched for the same person stands in, as long as it is not too old, not erased and not
    /// another person's.
    async fn an_outage_can_be_bridged_with_what_was_known_last(world: &World) {
        let desk = Desk::open(world, json!({"whenUnavailable": "lastKnown", "lastKnownForInSeconds": 3600}), json!({})).await;
        let person = json!({"individualId": desk.person().await});
        desk.receiver.always(Some("500 Oops"));
        let first = desk.redeem(person.clone()).await;
        assert_eq!(desk.ask(&first.token).await.status, 503, "nothing is known");
        desk.receiver.always(None);
        disclosed(&desk.ask(&first.token).await);
        desk.receiver.always(Some("500 Oops"));

        world.advance(seconds(3000));
        let second = desk.redeem(person.clone()).await;
        assert_eq!(disclosed(&desk.ask(&second.token).await)["given_name"], "Ilse");
        assert!(desk.messages(&second.offer).await.iter().any(|message| message == "claims.last_known"));
        assert_eq!(desk.operator.history(&second.offer.id).await["credential"]["claims"], samples::staff_claims());
        let (stranger, answer) = desk.ask_anew().await;
        assert_eq!(answer.status, 503, "nobody knows whose this is: {}", stranger.offer.id);

        world.advance(seconds(601));
        let third = desk.redeem(person).await;
        assert_eq!(desk.ask(&third.token).await.status, 503, "what stood in does not get younger");
    }

    /// Retention and erasure of records take what was fetched with them.
    async fn what_is_erased_stands_in_for_nothing(world: &World) {
        let desk = Desk::under(world, "lastKnown").await;
        let person = json!({"individualId": desk.person().await});
        let first = desk.redeem(person.clone()).await;
        disclosed(&desk.ask(&first.token).await);
        let kept = "SELECT count(*) FROM exchange WHERE sealed_submissions IS NOT NULL";
        assert_eq!(world.database.number(kept).await, 1);
        let retention = json!({"claimsDays": 1});
        desk.operator.put("/v2/config/digital-wallet/openid/retention", retention).await.ok();
        world.advance(seconds(86_401));
        world.work().await;
        assert_eq!(world.database.number(kept).await, 0);
        desk.receiver.always(Some("500 Oops"));
        let second = desk.redeem(person.clone()).await;
        assert_eq!(desk.ask(&second.token).await.status, 503);

        desk.receiver.always(None);
        disclosed(&desk.ask(&second.token).await);
        desk.operator.delete(&history_path(&second.offer.id)).await.ok();
        desk.receiver.always(Some("500 Oops"));
        let third = desk.redeem(person).await;
        assert_eq!(desk.ask(&third.token).await.status, 503);
    }

    /// A fresh copy during an outage has the claims of the former one where the definition says so.
    async fn a_fresh_copy_can_be_bridged_too(world: &World) {
        let endpoint = json!({"whenUnavailable": "lastKnown"});
        let desk = Desk::open(world, endpoint, json!({"supportCredentialReissuance": true})).await;
        let Redeemed { token, .. } = desk.redeem(json!({})).await;
        disclosed(&desk.ask(&token).await);
        desk.receiver.always(Some("500 Oops"));
        world.advance(seconds(86_400));
        let token = desk.refreshed(&token).await;
        assert_eq!(disclosed(&desk.ask(&token).await)["given_name"], "Ilse");
        assert_eq!(desk.receiver.take().len(), 2);
    }

    /// Whatever is not of the documented form is an outage: statuses, redirects, bodies, sizes.
    async fn an_answer_of_another_form_is_an_outage(world: &World) {
        let desk = Desk::under(world, "refuse").await;
        let good = json!({"claims": samples::staff_claims()}).to_string();
        for status in ["204 No Content", "201 Created", "302 Found\r\nlocation: /elsewhere", "404 Not Found", "503 Busy"] {
            desk.receiver.always(Some(status));
            let (redeemed, answer) = desk.ask_anew().await;
            assert_eq!(answer.status, 503, "{status}");
            let cause = cause(&desk.operator, &redeemed.offer.id).await;
            assert!(cause.reason.contains(&format!("answered {}", &status[..3])), "{}", cause.reason);
            assert_eq!(desk.receiver.take().len(), 1, "redirects are not followed");
            world.advance(seconds(31));
        }
        desk.receiver.always(None);
        let large = json!({"claims": {"given_name": "x".repeat(1_100_000)}}).to_string();
        for said in ["", "Vanderstraete", "[]", "{}", r#"{"claims":{},"deny":{"reason":"no"}}"#, r#"{"claims":{},"x":1}"#,
            r#"{"claims":"Vanderstraete"}"#, r#"{"deny":{}}"#, r#"{"claims":{"a":1,"a":2}}"#, &large]
        {
            desk.receiver.say(said);
            let (redeemed, answer) = desk.ask_anew().await;
            assert_eq!(answer.status, 503, "{said:.60}");
            assert_eq!(cause(&desk.operator, &redeemed.offer.id).await.message, "credential.claims_unavailable");
            world.advance(seconds(31));
        }
        assert!(!world.gives_away("Vanderstraete").await);
        desk.receiver.say(good);
        disclosed(&desk.ask_anew().await.1);
    }

    /// An answer after the deadline is none.
    async fn an_answer_is_awaited_until_the_deadline(world: &World) {
        let desk = Desk::open(world, json!({"deadlineInSeconds": 1}), json!({})).await;
        desk.receiver.fall_silent(true);
        let (redeemed, answer) = desk.ask_anew().await;
        assert_eq!(answer.status, 503);
        assert_eq!(cause(&desk.operator, &redeemed.offer.id).await.reason, "no answer in time");
        desk.receiver.fall_silent(false);
        disclosed(&desk.ask(&redeemed.token).await);
    }

    /// After five outages in a row the server is left alone, until one request finds it well again.
    async fn a_server_that_fails_again_and_again_is_left_alone_for_a_while(world: &World) {
        let desk = Desk::under(world, "refuse").await;
        trip(&desk).await;
        let (redeemed, answer) = desk.ask_anew().await;
        assert_eq!(answer.status, 503);
        assert!(desk.receiver.take().is_empty());
        assert!(cause(&desk.operator, &redeemed.offer.id).await.reason.contains("left alone"));
        world.advance(seconds(30));
        assert_eq!(desk.ask_anew().await.1.status, 503);
        assert_eq!(desk.ask_anew().await.1.status, 503);
        assert_eq!(desk.receiver.take().len(), 1, "one trial");
        desk.receiver.always(None);
        world.advance(seconds(30));
        disclosed(&desk.ask_anew().await.1);
        disclosed(&desk.ask_anew().await.1);
        assert_eq!(desk.receiver.take().len(), 2);
    }

    /// The breaker of one definition is not that of another, and one that moves begins anew.
    async fn another_definition_and_another_address_are_asked_all_the_same(world: &World) {
        let desk = Desk::under(world, "refuse").await;
        trip(&desk).await;
        let other = Desk::under(world, "refuse").await;
        disclosed(&other.ask_anew().await.1);

        let waiting = desk.redeem(json!({})).await;
        let path = definition_path(desk.definition["credentialDefinitionId"].as_str().unwrap());
        let mut moved = desk.operator.get(&path).await.ok()["credentialDefinition"].clone();
        moved["claimsEndpoint"]["url"] = format!("{}/moved", desk.receiver.url()).into();
        desk.operator.put(&path, moved).await.ok();
        desk.receiver.always(None);
        disclosed(&desk.ask(&waiting.token).await);
        let calls = desk.receiver.take();
        assert_eq!(calls.iter().map(|call| call.target.as_str()).collect::<Vec<_>>(), ["/hook/moved"]);
        assert!(calls[0].is_signed_with(desk.secret()));
    }

    /// SEC-11: who has taken the server's place learns of nobody, and the transcript says why.
    async fn a_claims_endpoint_whose_certificate_nobody_vouches_for_is_asked_nothing(world: &World) {
        let impostor = Impostor::listen().await;
        let desk = Desk::open(world, json!({"url": impostor.url(), "whenUnavailable": "refuse"}), json!({})).await;
        let (Redeemed { offer, .. }, answer) = desk.ask_anew().await;
        assert_eq!(answer.expect(503)["error"], "temporarily_unavailable");
        let told = cause(&desk.operator, &offer.id).await;
        assert_eq!(told.message, "credential.claims_unavailable");
        assert!(told.reason.contains("certificate of the server is not accepted"), "{}", told.reason);
        assert!(impostor.was_seen_through());
    }
}
