//! The nonce endpoint (OpenID4VCI §7).

use std::collections::HashSet;
use std::time::Duration;

use chancery_tests::{Backend, Call, block_on, on_every_backend};
use reqwest::Method;

use super::*;

fn endpoint(opened: &Opened) -> Call {
    Call::new(Method::POST, opened.issuer["nonce_endpoint"].as_str().expect("nonce_endpoint"))
}

on_every_backend! {
    /// NON-1, NON-2, NON-3: POST with an empty body and without any token.
    async fn a_nonce_is_handed_out_to_anyone(world: &World) {
        let scene = Scene::new(world).await;
        let answer = scene.wallet.send(endpoint(&scene.opened)).await;
        let body = answer.ok();
        assert_eq!(body.as_object().unwrap().keys().collect::<Vec<_>>(), ["c_nonce"]);
        assert!(body["c_nonce"].as_str().is_some_and(|nonce| nonce.len() >= 22));
        answer.assert_media_type("application/json");
        assert!(answer.header("cache-control").unwrap().contains("no-store"));
        let with_body = endpoint(&scene.opened).with_content_type("application/json").with_bytes(b"{}");
        scene.wallet.send(with_body).await.ok();
        let with_token = endpoint(&scene.opened).with_header("authorization", "Bearer expired");
        scene.wallet.send(with_token).await.ok();
    }

    /// NON-2: nothing but POST, nothing large.
    async fn a_nonce_is_not_handed_out_for_get_or_a_large_body(world: &World) {
        let scene = Scene::new(world).await;
        let mut get = endpoint(&scene.opened);
        get.method = Method::GET;
        let answer = scene.wallet.send(get).await;
        answer.refused(405, "invalid_request");
        assert_eq!(answer.header("allow"), Some("POST"));
        let large = endpoint(&scene.opened).with_bytes(vec![b'x'; 1_100_000]);
        scene.wallet.send(large).await.refused(413, "invalid_request");
    }

    /// NON-4: values are unpredictable, and asking for one stores nothing.
    async fn nonces_differ_and_leave_no_trace_in_the_database(world: &World) {
        let scene = Scene::new(world).await;
        let before = world.database.census().await;
        let mut nonces = HashSet::new();
        for _ in 0..50 {
            nonces.insert(scene.wallet.nonce(&scene.opened).await);
        }
        assert_eq!(nonces.len(), 50);
        assert_eq!(world.database.census().await, before);
    }

    /// NON-6, PRF-6, SEC-6: unknown, foreign, expired, of another purpose or used: each is `invalid_nonce`, and burns
    /// neither the token nor the offer.
    async fn a_nonce_that_is_not_a_fresh_one_of_ours_is_refused(world: &World) {
        let scene = Scene::under(world, json!({"nonceLifetime": 120})).await;
        let other = Scene::new(world).await;
        let token = scene.redeem().await;
        let used = scene.wallet.nonce(&scene.opened).await;
        scene.wallet.send(scene.wallet.credential_call(&token, &used)).await.ok();
        let expired = scene.wallet.nonce(&scene.opened).await;
        world.advance(Duration::from_secs(121));
        let dpop = scene.wallet.send(endpoint(&scene.opened)).await.header("dpop-nonce").unwrap().to_owned();
        let fresh = scene.wallet.nonce(&scene.opened).await;
        let mut forged = fresh.clone();
        let last = if forged.pop() == Some('A') { 'B' } else { 'A' };
        forged.push(last);
        // The last character of base64url may hold unused bits, so the first is changed as well.
        forged.replace_range(0..1, if forged.starts_with('x') { "y" } else { "x" });
        for (what, nonce) in [
            ("unknown", "mKCslKCWqecIeqJYC6kLRWOEaF_V0A".to_owned()),
            ("of another organisation", other.wallet.nonce(&other.opened).await),
            ("expired", expired),
            ("meant for DPoP", dpop),
            ("used", used),
            ("forged", forged),
            ("with something behind it", format!("{fresh}A")),
            ("long", "n".repeat(200)),
        ] {
            let answer = scene.wallet.send(scene.wallet.credential_call(&token, &nonce)).await;
            assert_eq!(answer.json()["error"], "invalid_nonce", "{what}: {answer}");
            answer.refused(400, "invalid_nonce");
            assert_eq!(scene.cause().await.message, "credential.nonce_invalid", "{what}");
        }
        scene.wallet.send(scene.wallet.credential_call(&token, &fresh)).await.ok();
    }

    /// NON-6: the organisation whose nonce was tried elsewhere still takes it.
    async fn a_nonce_refused_elsewhere_is_still_good_at_home(world: &World) {
        let scene = Scene::new(world).await;
        let other = Scene::new(world).await;
        let (token, foreign_token) = (scene.redeem().await, other.redeem().await);
        let nonce = scene.wallet.nonce(&scene.opened).await;
        let call = other.wallet.credential_call(&foreign_token, &nonce);
        other.wallet.send(call).await.refused(400, "invalid_nonce");
        scene.wallet.send(scene.wallet.credential_call(&token, &nonce)).await.ok();
    }

    /// A nonce outlives a restart and works at a server beside the one that made it: it carries its own proof.
    async fn a_nonce_is_recognised_after_a_restart(world: &World) {
        let scene = Scene::new(world).await;
        let token = scene.redeem().await;
        let nonce = scene.wallet.nonce(&scene.opened).await;
        world.restart().await;
        scene.wallet.send(scene.wallet.credential_call(&token, &nonce)).await.ok();
    }
}

/// SEC-6, DPP-7: what was used stays used when the server starts again, because Redis remembers.
#[test]
fn a_used_nonce_and_a_used_dpop_proof_stay_used_after_a_restart() {
    block_on(World::run(Backend::Networked, async |world| {
        let scene = Scene::new(world).await;
        let token = scene.redeem().await;
        let nonce = scene.wallet.nonce(&scene.opened).await;
        let call = scene.wallet.credential_call(&token, &nonce);
        scene.wallet.send(call.clone()).await.ok();
        world.restart().await;
        scene.wallet.send(call).await.refused(401, "invalid_dpop_proof");
        scene.wallet.send(scene.wallet.credential_call(&token, &nonce)).await.refused(400, "invalid_nonce");
        scene.collect(&token).await;
    }));
}
