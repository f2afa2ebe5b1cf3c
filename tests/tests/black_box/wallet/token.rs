//! The token endpoint (OpenID4VCI §6, RFC 6749 §3.2 and §5).

use std::time::Duration;

use chancery_tests::wallet::PRE_AUTHORIZED_CODE;
use chancery_tests::{Call, on_every_backend};
use reqwest::Method;

use super::*;

on_every_backend! {
    /// TOK-2, TOK-9, TOK-10: the answer to a good request with a DPoP proof.
    async fn a_token_with_a_dpop_proof_is_bound_to_its_key(world: &World) {
        let scene = Scene::new(world).await;
        let answer = scene.wallet.send(scene.wallet.token_call(&scene.opened)).await;
        let body = answer.ok();
        assert_eq!(body["token_type"], "DPoP");
        assert_eq!(body["expires_in"], 600);
        assert_eq!(body["access_token"].as_str().map(str::len), Some(43));
        assert_eq!(body.get("authorization_details"), None);
        assert_eq!(body.get("refresh_token"), None);
        answer.assert_media_type("application/json");
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(answer.header("pragma"), Some("no-cache"));
        assert_eq!(scene.operator.status(&scene.offer.id).await, "token_issued");
    }

    /// TOK-10, TOK-12: a Bearer token lives five minutes at most, whatever the policy says (OpenID4VCI §13.10).
    async fn a_token_without_a_dpop_proof_is_a_bearer_token_of_five_minutes_at_most(world: &World) {
        let mut scene = Scene::under(world, json!({"accessTokenLifetime": 86_400})).await;
        let (_, opened) = scene.another_offer().await;
        let bound = scene.wallet.redeem(&opened).await;
        assert_eq!(bound.response["expires_in"], 86_400);

        scene.wallet.dpop_key = None;
        let token = scene.redeem().await;
        assert_eq!(token.response["token_type"], "Bearer");
        assert_eq!(token.response["expires_in"], 300);
        scene.collect(&token).await;
    }

    /// OFR-6, TOK-4: a code works once (OpenID4VCI §4.1.1); the first token stays usable.
    async fn a_used_code_is_refused_and_its_token_still_works(world: &World) {
        let scene = Scene::new(world).await;
        let token = scene.redeem().await;
        let stranger = scene.wallet.with_fresh_dpop_key();
        stranger.send(stranger.token_call(&scene.opened)).await.refused(400, "invalid_grant");
        assert_eq!(scene.cause().await.message, "token.code_invalid");
        scene.collect(&token).await;
    }

    /// OFR-6, TOK-4: a code ends with its offer.
    async fn an_expired_code_is_refused(world: &World) {
        let scene = Scene::under(world, json!({"offerLifetime": 900})).await;
        world.advance(Duration::from_secs(899));
        let (_, opened) = scene.another_offer().await;
        world.advance(Duration::from_secs(1));
        scene.wallet.send(scene.wallet.token_call(&scene.opened)).await.refused(400, "invalid_grant");
        assert_eq!(scene.cause().await.message, "token.code_expired");
        scene.wallet.redeem(&opened).await;
    }

    /// TOK-4, SEC-14: a code means nothing at another organisation, and looks like one that never was (SEC-19).
    async fn an_unknown_code_and_one_of_another_organisation_are_refused_alike(world: &World) {
        let scene = Scene::new(world).await;
        let other = Scene::new(world).await;
        let call = other.wallet.token_call(&other.opened);
        let unknown = call.clone().with_field("pre-authorized_code", "eThcKnxLGJIRXUS4VJ-tIxp9UiYdUOQiCvfgtTmp9Cg");
        let unknown = other.wallet.send(unknown).await.refused(400, "invalid_grant");
        let code = scene.opened.offer["grants"][PRE_AUTHORIZED_CODE]["pre-authorized_code"].as_str().unwrap();
        let foreign = other.wallet.send(call.with_field("pre-authorized_code", code)).await;
        let foreign = foreign.refused(400, "invalid_grant");
        // Each refusal has a support code of its own.
        let (said, of_unknown) = (chancery_tests::split_support_code(&foreign), chancery_tests::split_support_code(&unknown));
        assert_eq!((said.0, said.1.is_some()), (of_unknown.0, of_unknown.1.is_some()));
        // Neither code was used up.
        scene.redeem().await;
        other.redeem().await;
    }

    /// TOK-3: expected but absent, sent but not expected, and wrong (OpenID4VCI §6.3).
    async fn a_transaction_code_is_sent_exactly_when_the_offer_has_one(world: &World) {
        let plain = Scene::new(world).await;
        let call = plain.wallet.token_call(&plain.opened);
        plain.wallet.send(call.clone().with_field("tx_code", "4711")).await.refused(400, "invalid_request");
        assert_eq!(plain.cause().await.message, "token.tx_code_invalid");
        // Empty counts as absent (RFC 6749 §3.2).
        let call = call.with_dpop(|dpop| dpop.with_claim("jti", "another")).with_field("tx_code", "");
        plain.wallet.send(call).await.ok();

        let mut scene = Scene::with_pin(world, "4711").await;
        let call = scene.wallet.token_call(&scene.opened);
        scene.wallet.send(call).await.refused(400, "invalid_request");
        assert_eq!(scene.cause().await.message, "token.tx_code_invalid");
        scene.wallet.transaction_code = Some("4712".to_owned());
        scene.wallet.send(scene.wallet.token_call(&scene.opened)).await.refused(400, "invalid_grant");
        assert_eq!(scene.cause().await.message, "token.tx_code_invalid");
        scene.wallet.transaction_code = Some("4711".to_owned());
        scene.redeem().await;
    }

    /// SEC-2: the fifth wrong transaction code locks the offer; from then on the right one does not help either
    /// (OpenID4VCI §13.6.1).
    async fn an_offer_is_locked_after_five_wrong_transaction_codes(world: &World) {
        let mut scene = Scene::with_pin(world, "493027").await;
        for wrong in 0..5 {
            scene.wallet.transaction_code = Some(format!("49302{}", 8 + wrong % 2));
            scene.wallet.send(scene.wallet.token_call(&scene.opened)).await.refused(400, "invalid_grant");
            let cause = scene.cause().await;
            assert_eq!(cause.message, "token.tx_code_invalid", "{wrong}");
            assert_eq!(cause.data["attempts_left"], 4 - wrong);
            world.advance(Duration::from_secs(10));
        }
        for code in ["493028", "493027"] {
            scene.wallet.transaction_code = Some(code.to_owned());
            scene.wallet.send(scene.wallet.token_call(&scene.opened)).await.refused(400, "invalid_grant");
            let cause = scene.cause().await;
            assert!(cause.reason.contains("locked after 5"), "{}", cause.reason);
        }
        assert_eq!(scene.operator.status(&scene.offer.id).await, "offer_received");
    }

    /// SEC-2: after three wrong transaction codes the next is read only after a pause, which `Retry-After` tells.
    async fn wrong_transaction_codes_slow_the_next_ones_down(world: &World) {
        let mut scene = Scene::with_pin(world, "493027").await;
        scene.wallet.transaction_code = Some("493028".to_owned());
        for _ in 0..3 {
            scene.wallet.send(scene.wallet.token_call(&scene.opened)).await.refused(400, "invalid_grant");
        }
        scene.wallet.transaction_code = Some("493027".to_owned());
        let answer = scene.wallet.send(scene.wallet.token_call(&scene.opened)).await;
        answer.refused(429, "temporarily_unavailable");
        assert_eq!(answer.header("retry-after"), Some("2"));
        assert_eq!(scene.cause().await.message, "token.tx_code_invalid");
        world.advance(Duration::from_secs(2));
        scene.redeem().await;
    }

    /// SEC-2: four mistakes are forgiven, and the offer survives them.
    async fn the_right_transaction_code_works_after_four_wrong_ones(world: &World) {
        let mut scene = Scene::with_pin(world, "Zürich 9").await;
        for _ in 0..4 {
            scene.wallet.transaction_code = Some("Zurich 9".to_owned());
            scene.wallet.send(scene.wallet.token_call(&scene.opened)).await.refused(400, "invalid_grant");
            world.advance(Duration::from_secs(10));
        }
        scene.wallet.transaction_code = Some("Zürich 9".to_owned());
        scene.wallet.accept(&scene.offer.link).await;
    }

    /// TOK-1, TOK-2: a parameter is there once, and those that a grant needs are there (RFC 6749 §3.2, OpenID4VCI
    /// §6.1). None of it uses the code up.
    async fn a_malformed_form_is_refused_and_the_code_survives(world: &World) {
        let scene = Scene::new(world).await;
        let good = || scene.wallet.token_call(&scene.opened);
        let bytes = |body: &[u8]| good().with_bytes(body);
        let grant_type = "grant_type=urn:ietf:params:oauth:grant-type:pre-authorized_code";
        let calls: Vec<(&str, Call)> = vec![
            (
                "two codes",
                good().with_another_field("pre-authorized_code", "eThcKnxLGJIRXUS4VJ-tIxp9UiYdUOQiCvfgtTmp9Cg"),
            ),
            ("two grant types", good().with_another_field("grant_type", PRE_AUTHORIZED_CODE)),
            ("two client ids", good().with_another_field("client_id", "a").with_another_field("client_id", "b")),
            (
                "two transaction codes",
                good().with_another_field("tx_code", "1234").with_another_field("tx_code", "1234"),
            ),
            ("no code", good().without_field("pre-authorized_code")),
            ("an empty code", good().with_field("pre-authorized_code", "")),
            ("no grant type", good().without_field("grant_type")),
            ("an empty body", bytes(b"")),
            ("a broken escape", bytes(format!("{grant_type}&pre-authorized_code=%Z1").as_bytes())),
            ("bytes that are no UTF-8", bytes(format!("{grant_type}&pre-authorized_code=%ff%fe").as_bytes())),
            ("JSON", bytes(b"{\"grant_type\":\"x\"}")),
            ("JSON by its content type", good().with_content_type("application/json")),
            ("no content type", good().with_content_type("")),
            ("a multipart form", good().with_content_type("multipart/form-data; boundary=x")),
            ("parameters in the URL", {
                let mut call = good().without_field("pre-authorized_code");
                let code = scene.opened.offer["grants"][PRE_AUTHORIZED_CODE]["pre-authorized_code"].as_str().unwrap();
                call.url = format!("{}?pre-authorized_code={code}", call.url);
                call
            }),
        ];
        for (what, call) in calls {
            let answer = scene.wallet.send(call).await;
            assert_eq!(answer.status, 400, "{what}: {answer}");
            answer.refused(400, "invalid_request");
        }
        scene.redeem().await;
    }

    /// TOK-1: parameters that nobody defined are ignored, and a content type may have parameters of its own.
    async fn unknown_parameters_are_ignored(world: &World) {
        let scene = Scene::new(world).await;
        let call = scene
            .wallet
            .token_call(&scene.opened)
            .with_field("x", "1")
            .with_field("scope", "openid")
            .with_field("client_id", "")
            .with_content_type("application/x-www-form-urlencoded; charset=UTF-8");
        scene.wallet.send(call).await.ok();
    }

    /// RFC 6749 §5.2: grants that are not offered are named as such.
    async fn another_grant_type_is_unsupported(world: &World) {
        let scene = Scene::new(world).await;
        for grant in ["refresh_token", "client_credentials", "password", "x"] {
            let call = scene.wallet.token_call(&scene.opened).with_field("grant_type", grant).with_field("code", "c");
            scene.wallet.send(call).await.refused(400, "unsupported_grant_type");
        }
        scene.redeem().await;
    }

    /// TOK-1: only POST (RFC 6749 §3.2).
    async fn the_token_endpoint_answers_post_only(world: &World) {
        let scene = Scene::new(world).await;
        for method in [Method::GET, Method::PUT, Method::DELETE] {
            let mut call = scene.wallet.token_call(&scene.opened);
            call.method = method;
            let answer = scene.wallet.send(call).await;
            answer.refused(405, "invalid_request");
            assert_eq!(answer.header("allow"), Some("POST"));
        }
        scene.redeem().await;
    }

    /// A body of more than 64 KiB is not read to its end.
    async fn a_large_form_is_refused(world: &World) {
        let scene = Scene::new(world).await;
        for length in [70_000, 1_100_000] {
            let call = scene.wallet.token_call(&scene.opened).with_field("x", &"y".repeat(length));
            scene.wallet.send(call).await.refused(413, "invalid_request");
        }
        scene.redeem().await;
    }

    /// TOK-11: a client that used the `Authorization` header gets a 401 with a challenge (RFC 6749 §5.2).
    async fn a_client_that_authenticates_by_header_is_refused_with_a_challenge(world: &World) {
        let scene = Scene::new(world).await;
        let call = scene.wallet.token_call(&scene.opened).with_header("authorization", "Basic d2FsbGV0OnNlY3JldA==");
        let answer = scene.wallet.send(call).await;
        answer.refused(401, "invalid_client");
        assert!(answer.header("www-authenticate").is_some(), "{answer}");
        scene.redeem().await;
    }

    /// RFC 8707 §2: `resource` is this issuer, byte for byte, once or more.
    async fn a_resource_is_this_issuer_or_refused(world: &World) {
        let scene = Scene::new(world).await;
        let other = Scene::new(world).await;
        let issuer = scene.opened.issuer_identifier();
        let endpoint = scene.opened.authorization_server["token_endpoint"].as_str().unwrap();
        for foreign in [other.opened.issuer_identifier(), "https://elsewhere.example", "x", endpoint] {
            let call = scene.wallet.token_call(&scene.opened).with_field("resource", issuer);
            let call = call.with_another_field("resource", foreign);
            scene.wallet.send(call).await.refused(400, "invalid_target");
            let cause = scene.cause().await;
            assert!(cause.reason.contains(foreign) && cause.reason.contains(issuer), "{}", cause.reason);
        }
        let call = scene.wallet.token_call(&scene.opened).with_field("resource", issuer);
        scene.wallet.send(call).await.ok();
    }
}
