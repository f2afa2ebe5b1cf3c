//! The same at the endpoints where exchanges begin and end in other ways.

use super::super::authorization_code::{Desk, with_private_addresses};
use super::*;

const AT_THE_PAR_ENDPOINT: &[Fault] = &[
    ("no code challenge", |it| it.without_field("code_challenge"), &["code_challenge"]),
    (
        "a plain code challenge",
        |it| it.with_field("code_challenge_method", "plain"),
        &["`code_challenge_method` is `plain`, expected `S256`"],
    ),
    (
        "another response type",
        |it| it.with_field("response_type", "token"),
        &["`response_type` is `token`, expected `code`"],
    ),
    (
        "an unsafe redirect URI",
        |it| it.with_field("redirect_uri", "http://wallet.example/cb"),
        &["`redirect_uri`: the scheme is `http`"],
    ),
    (
        "a thumbprint of another key",
        |it| it.with_field("dpop_jkt", &Key::p256().thumbprint()),
        &["but the DPoP proof is signed with the key"],
    ),
    (
        "a draft's authorization_details",
        |it| it.with_field("authorization_details", r#"[{"type":"openid_credential","format":"vc+sd-jwt"}]"#),
        &["selects by `format`", "draft"],
    ),
    ("DPoP for another endpoint", |it| dpop(it, |it| suffixed(it, "htu", "s")), &["`htu` is `http", "expected `http"]),
    ("DPoP by a clock that is ahead", |it| dpop(it, |it| move_iat(it, 94)), &["wallet clock is 94 s ahead"]),
];

const AT_THE_TOKEN_ENDPOINT: &[Fault] = &[
    (
        "another code verifier",
        |it| it.with_field("code_verifier", "vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv"),
        &["`code_verifier` does not hash to the `code_challenge` of the authorization request"],
    ),
    ("a short code verifier", |it| it.with_field("code_verifier", "v"), &["`code_verifier` is ", "expected 43 to 128"]),
    (
        "another redirect URI",
        |it| it.with_field("redirect_uri", "https://elsewhere.example/cb"),
        &["redirect_uri is `https://elsewhere.example/cb`, expected that of the authorization request"],
    ),
    ("another client", |it| it.with_field("client_id", "another"), &["is bound to another client"]),
    ("another DPoP key", |it| dpop(it, |it| signed_by(it, Key::p256())), &["is bound to another DPoP key"]),
];

const AT_THE_DEFERRED_ENDPOINT: &[Fault] = &[
    (
        "an unknown transaction",
        |it| it.with_member("transaction_id", "made-up"),
        &["the exchange of the access token has no such transaction"],
    ),
    (
        "a transaction that is a number",
        |it| it.with_member("transaction_id", 7),
        &["`transaction_id` is", "expected a non-empty string"],
    ),
    ("a form", |it| it.with_content_type("application/x-www-form-urlencoded"), &["content type is neither"]),
    (
        "DPoP for another endpoint",
        |it| dpop(it, |it| suffixed(it, "htu", "/x")),
        &["`htu` is `http", "/deferred-credential`"],
    ),
];

const AT_THE_NOTIFICATION_ENDPOINT: &[Fault] = &[
    (
        "an unknown notification",
        |it| it.with_member("notification_id", "made-up"),
        &["`notification_id` names no issuance of this access token"],
    ),
    ("no notification", |it| it.with_member("notification_id", Value::Null), &["`notification_id` is"]),
    (
        "an unknown event",
        |it| it.with_member("event", "credential_lost"),
        &["`event` is", "credential_lost", "expected one of"],
    ),
    (
        "a form",
        |it| it.with_content_type("application/x-www-form-urlencoded"),
        &["the content type is not application/json"],
    ),
    ("DPoP by a clock that is ahead", |it| dpop(it, |it| move_iat(it, 94)), &["wallet clock is 94 s ahead"]),
];

on_every_backend! {
    /// A person who signs in: the pushed request, and the code that comes of it.
    async fn the_causes_are_named_on_the_way_over_a_sign_in(backend: Backend) {
        with_private_addresses(backend, async |world| {
            let desk = Desk::open(world, json!({})).await;
            let (offer, opened, state) = desk.offer().await;
            let scene = Scene {
                operator: desk.operator.clone(),
                definition: desk.definition.clone(),
                offer,
                wallet: desk.wallet.clone(),
                opened,
            };
            let push = || desk.par().with_field("issuer_state", &state);
            for (fault, change, needles) in AT_THE_PAR_ENDPOINT {
                assert_explained(&scene, change(push()), fault, needles).await;
            }
            let code = desk.authorize(world, push()).await;
            for (fault, change, needles) in AT_THE_TOKEN_ENDPOINT {
                assert_explained(&scene, change(desk.redeem(&code)), fault, needles).await;
            }
            let token = Token { response: scene.wallet.send(desk.redeem(&code)).await.ok(), opened: scene.opened.clone() };
            world.advance(Duration::from_secs(10));
            // What the first use got is worth nothing from here on.
            assert_explained(&scene, desk.redeem(&code), "a used code", &["the code was redeemed before"]).await;
            let nonce = scene.wallet.nonce(&scene.opened).await;
            scene.wallet.send(scene.wallet.credential_call(&token, &nonce)).await.refused(401, "invalid_token");
        })
        .await;
    }

    /// After the credential request.
    async fn the_causes_are_named_at_the_last_endpoints(world: &World) {
        let scene = Scene::new(world).await;
        let token = scene.redeem().await;
        let received = scene.collect(&token).await;
        let id = received.response["notification_id"].as_str().unwrap();
        for (fault, change, needles) in AT_THE_DEFERRED_ENDPOINT {
            assert_explained(&scene, change(scene.wallet.deferred_call(&token, "x")), fault, needles).await;
        }
        for (fault, change, needles) in AT_THE_NOTIFICATION_ENDPOINT {
            let call = scene.wallet.notification_call(&token, id, "credential_accepted");
            assert_explained(&scene, change(call), fault, needles).await;
        }
    }
}
