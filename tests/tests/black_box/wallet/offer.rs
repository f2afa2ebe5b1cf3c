//! The credential offer by reference (OpenID4VCI §4.1).

use std::time::Duration;

use chancery_tests::on_every_backend;
use chancery_tests::platform::issue_body;
use chancery_tests::wallet::{PRE_AUTHORIZED_CODE, offer_uri};

use super::*;

fn events(transcript: &[Value], kind: &str) -> usize {
    transcript.iter().filter(|event| event["type"] == kind).count()
}

on_every_backend! {
    /// OFR-1, OFR-2, OFR-3, OFR-6, OFR-8, OFR-9, OFR-10: link, answer and contents.
    async fn an_offer_is_fetched_by_reference(world: &World) {
        let scene = Scene::new(world).await;
        assert!(scene.offer.link.starts_with("openid-credential-offer://?credential_offer_uri="));
        let uri = offer_uri(&scene.offer.link);
        assert!(uri.starts_with(&format!("{}/", scene.operator.issuer())), "{uri}");
        assert!(!uri.contains(&scene.offer.id), "a wallet must not learn the id of the exchange: {uri}");
        let answer = world.http().get(&uri).await;
        let offer = answer.ok();
        answer.assert_media_type("application/json");
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(offer["credential_issuer"], scene.operator.issuer());
        let configurations = &scene.opened.issuer["credential_configurations_supported"];
        assert!(configurations.get(configuration_id(&scene.opened)).is_some(), "{configurations}");
        let grants = offer["grants"].as_object().unwrap();
        assert_eq!(grants.keys().collect::<Vec<_>>(), [PRE_AUTHORIZED_CODE]);
        let grant = grants[PRE_AUTHORIZED_CODE].as_object().unwrap();
        assert_eq!(grant.keys().collect::<Vec<_>>(), ["pre-authorized_code"]);
        assert_eq!(grant["pre-authorized_code"].as_str().map(str::len), Some(43));
    }

    /// OFR-10: each offer has a URI and a code of its own.
    async fn every_offer_has_a_uri_of_its_own(world: &World) {
        let scene = Scene::new(world).await;
        let (second, opened) = scene.another_offer().await;
        assert_ne!(offer_uri(&scene.offer.link), offer_uri(&second.link));
        assert_ne!(scene.opened.offer["grants"], opened.offer["grants"]);
    }

    /// OFR-7, OFR-11: `tx_code` says what to type, and not the code itself.
    async fn a_transaction_code_is_described_and_not_given(world: &World) {
        for (pin, mode) in [("493027", "numeric"), ("4930AB", "text")] {
            let scene = Scene::with_pin(world, pin).await;
            let described = &scene.opened.offer["grants"][PRE_AUTHORIZED_CODE]["tx_code"];
            assert_eq!(described["length"], 6);
            assert_eq!(described["input_mode"].as_str().unwrap_or("numeric"), mode);
            assert!(!scene.opened.offer.to_string().contains(pin));
            assert!(!scene.offer.link.contains(pin));
        }
    }

    /// OFR-2: HAIP wallets are called by their own scheme.
    async fn an_offer_may_use_another_scheme(world: &World) {
        let scene = Scene::new(world).await;
        let mut body = issue_body(&scene.definition, &samples::staff_claims());
        body["urlScheme"] = "haip-vci://".into();
        let offer = scene.operator.offer_of(body).await;
        assert!(offer.link.starts_with("haip-vci://?credential_offer_uri="), "{}", offer.link);
        scene.wallet.accept(&offer.link).await;
    }

    /// Fetching again is allowed, uses nothing up, and never moves the status back, not even after the token or the
    /// credential.
    async fn an_offer_may_be_fetched_again_at_any_time(world: &World) {
        let scene = Scene::new(world).await;
        let uri = offer_uri(&scene.offer.link);
        let fetched = async |status: &str| {
            assert_eq!(world.http().get(&uri).await.ok(), scene.opened.offer);
            assert_eq!(scene.operator.status(&scene.offer.id).await, status);
        };
        fetched("offer_received").await;
        let token = scene.redeem().await;
        fetched("token_issued").await;
        scene.collect(&token).await;
        let status = scene.operator.status(&scene.offer.id).await;
        fetched(&status).await;
        let events_seen = scene.operator.events(&scene.offer.id).await;
        assert_eq!(events(&events_seen, "offer_retrieved"), 4);
        assert_eq!(events(&events_seen, "token_exchanged"), 1);
    }

    /// The status of an offer that nobody fetched says so.
    async fn fetching_an_offer_is_noticed(world: &World) {
        let operator = world.organisation().await;
        let definition = operator.define(&samples::staff_badge()).await;
        let offer = operator.offer(&definition, &samples::staff_claims()).await;
        assert_eq!(operator.status(&offer.id).await, "offer_sent");
        world.http().get(&offer_uri(&offer.link)).await.ok();
        assert_eq!(operator.status(&offer.id).await, "offer_received");
    }

    /// SEC-14: an offer is found at its own organisation only.
    async fn an_unknown_or_foreign_offer_is_not_found(world: &World) {
        let scene = Scene::new(world).await;
        let other = Scene::new(world).await;
        let uri = offer_uri(&scene.offer.link);
        let foreign = uri.replace(scene.operator.issuer(), other.operator.issuer());
        assert_ne!(uri, foreign);
        let base = uri.rsplit_once('/').unwrap().0;
        let (exchange, code) =
            (&scene.offer.id, &scene.opened.offer["grants"][PRE_AUTHORIZED_CODE]["pre-authorized_code"]);
        for wrong in [
            foreign,
            format!("{base}/17Z9-DMR3M51EXX5lBUT3w"),
            format!("{base}/{exchange}"),
            format!("{base}/{}", code.as_str().unwrap()),
            format!("{base}/%00"),
            format!("{base}/{}", "x".repeat(2000)),
            format!("{base}/"),
        ] {
            world.http().get(&wrong).await.refused(404, "not_found");
        }
        world.http().get(&uri).await.ok();
    }

    /// An expired offer is gone, and says so to the wallet and in the transcript.
    async fn an_expired_offer_is_gone(world: &World) {
        let scene = Scene::under(world, json!({"offerLifetime": 600})).await;
        world.advance(Duration::from_secs(600));
        world.http().get(&offer_uri(&scene.offer.link)).await.refused(410, "invalid_request");
        assert_eq!(scene.operator.status(&scene.offer.id).await, "offer_received");
    }
}
