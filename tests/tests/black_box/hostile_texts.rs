//! Texts that no database column holds, at the wallet face: a NUL character, or far too much of something.

use chancery_tests::{Answer, on_every_backend, samples};
use serde_json::json;

/// A refusal of the request, not a failure of the server.
#[track_caller]
fn assert_refused(what: &str, answer: &Answer) {
    assert!((400..500).contains(&answer.status), "{what}: {answer}");
    assert!(answer.json()["error"].is_string(), "{what}: {answer}");
}

on_every_backend! {
    async fn a_nul_character_in_a_token_request_is_refused_or_harmless(world: &World) {
        let operator = world.organisation().await;
        let definition = operator.define(&samples::staff_badge()).await;
        let offer = operator.offer_with_pin(&definition, &samples::staff_claims(), "4711").await;
        let mut wallet = world.wallet();
        wallet.transaction_code = Some("4711".to_owned());
        let opened = wallet.open(&offer.link).await;
        for name in ["grant_type", "pre-authorized_code", "tx_code", "client_id", "authorization_details", "resource", "client_assertion"] {
            for value in ["a\u{0}b", "\u{0}", &"x".repeat(50_000)] {
                let answer = wallet.send(wallet.token_call(&opened).with_field(name, value)).await;
                assert!(answer.status < 500, "{name}: {answer}");
                // Nobody asked for a client assertion, so nobody reads it.
                assert!(answer.status >= 400 || name == "client_assertion", "{name}: {answer}");
            }
        }
        let text = operator.transcript(&offer.id).await.to_string();
        assert!(text.len() < 1_000_000, "{}", text.len());
    }

    async fn a_nul_character_in_a_credential_request_is_refused(world: &World) {
        let operator = world.organisation().await;
        let definition = operator.define(&samples::staff_badge()).await;
        let offer = operator.offer(&definition, &samples::staff_claims()).await;
        let wallet = world.wallet();
        let token = wallet.redeem(&wallet.open(&offer.link).await).await;
        for (name, value) in [
            ("credential_configuration_id", json!("a\u{0}b")),
            ("credential_configuration_id", json!("x".repeat(50_000))),
            ("credential_identifier", json!("a\u{0}b")),
            ("proofs", json!({"jwt": ["a\u{0}b"]})),
            ("proofs", json!({"a\u{0}b": ["x"]})),
        ] {
            let nonce = wallet.nonce(&token.opened).await;
            let call = wallet.credential_call(&token, &nonce).with_member(name, value);
            assert_refused(name, &wallet.send(call).await);
        }
        // Inside JWTs that verify: the key proof and the DPoP proof.
        for name in ["iss", "nonce", "aud", "jti", "x"] {
            let nonce = wallet.nonce(&token.opened).await;
            let call = wallet.credential_call(&token, &nonce);
            let answer = wallet.send(call.with_proof(|proof| proof.with_claim(name, "a\u{0}b"))).await;
            assert!(answer.status < 500, "{name}: {answer}");
        }
        for name in ["jti", "htu", "nonce", "ath"] {
            let nonce = wallet.nonce(&token.opened).await;
            let call = wallet.credential_call(&token, &nonce);
            let answer = wallet.send(call.with_dpop(|proof| proof.with_claim(name, "a\u{0}b"))).await;
            assert!(answer.status < 500, "{name}: {answer}");
        }
        operator.transcript(&offer.id).await;
    }
}
