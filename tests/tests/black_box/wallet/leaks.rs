//! What must not be readable anywhere: codes, tokens, transaction codes, claims (SEC-16).

use chancery_tests::wallet::{PRE_AUTHORIZED_CODE, offer_uri};
use chancery_tests::{Damage, log, on_every_backend};

use super::*;

/// Long enough not to occur by chance.
const PIN: &str = "pin-Xq7Zk2Vw";

/// Not in the database, not in the log, not in the transcript.
async fn assert_kept(world: &World, scene: &Scene, secrets: &[String]) {
    let transcript =
        json!([scene.operator.records(&scene.offer.id).await, scene.operator.events(&scene.offer.id).await])
            .to_string();
    for secret in secrets {
        assert!(!world.gives_away(secret).await, "{secret} is in the database or in the log");
        assert!(!transcript.contains(secret.as_str()), "{secret} is in the transcript");
    }
}

/// The claims of the sample, the code of the offer and the transaction code.
fn secrets_of(scene: &Scene) -> Vec<String> {
    let code = &scene.opened.offer["grants"][PRE_AUTHORIZED_CODE]["pre-authorized_code"];
    let mut secrets = vec![PIN.to_owned(), code.as_str().expect("a code").to_owned()];
    let claims = samples::staff_claims();
    let values = claims.as_object().expect("claims").values();
    // "Ilse" is short enough to occur by chance.
    secrets.extend(values.filter_map(Value::as_str).filter(|value| value.len() > 6).map(str::to_owned));
    secrets
}

on_every_backend! {
    /// After a complete issuance under a transaction code.
    async fn a_complete_issuance_gives_no_secret_away(world: &World) {
        let mut scene = Scene::with_pin(world, PIN).await;
        scene.wallet.transaction_code = Some(PIN.to_owned());
        let token = scene.redeem().await;
        let received = scene.collect(&token).await;
        let mut secrets = secrets_of(&scene);
        secrets.push(token.value().to_owned());
        // The credential is not kept in clear either, neither its JWT nor any disclosure.
        secrets.extend(received.credential.split('~').filter(|part| !part.is_empty()).map(str::to_owned));
        assert_kept(world, &scene, &secrets).await;
        let uri = offer_uri(&scene.offer.link);
        assert!(!log::mentions(uri.rsplit_once('/').unwrap().1), "the log has the offer URI, which is a secret");
    }

    /// After refusals, which say more than successes do.
    async fn refusals_give_no_secret_away(world: &World) {
        let mut scene = Scene::with_pin(world, PIN).await;
        let mut secrets = secrets_of(&scene);
        let guess = "pin-guessed1";
        secrets.push(guess.to_owned());
        scene.wallet.transaction_code = Some(guess.to_owned());
        scene.wallet.send(scene.wallet.token_call(&scene.opened)).await.refused(400, "invalid_grant");
        scene.wallet.transaction_code = Some(PIN.to_owned());
        let call = scene.wallet.token_call(&scene.opened);
        let broken = call.clone().with_dpop(|proof| proof.with_damage(Damage::Signature));
        scene.wallet.send(broken).await.refused(400, "invalid_dpop_proof");
        // A secret in the wrong place is still one.
        let misplaced = "secret-in-an-unknown-parameter";
        secrets.push(misplaced.to_owned());
        let call = call.with_field("password", misplaced).with_field("resource", "https://elsewhere.example");
        scene.wallet.send(call).await.refused(400, "invalid_target");
        let token = scene.redeem().await;
        secrets.push(token.value().to_owned());
        let stranger = scene.wallet.with_fresh_dpop_key();
        stranger.send(stranger.token_call(&scene.opened)).await.refused(400, "invalid_grant");

        let nonce = scene.wallet.nonce(&scene.opened).await;
        let good = || scene.wallet.credential_call(&token, &nonce);
        let damaged = good().with_proof(|proof| proof.with_damage(Damage::Signature));
        secrets.push(good().with_proof(|proof| proof).proofs[0].compact().rsplit_once('.').unwrap().1.to_owned());
        scene.wallet.send(damaged).await.refused(400, "invalid_proof");
        let bearer =
            good().without_header("authorization").with_header("authorization", &format!("Bearer {}", token.value()));
        scene.wallet.send(bearer).await.refused(401, "invalid_token");
        let mut in_url = good();
        in_url.url = format!("{}?access_token={}", in_url.url, token.value());
        scene.wallet.send(in_url).await.refused(400, "invalid_request");
        let extra = "claim-in-an-unknown-member";
        secrets.push(extra.to_owned());
        let call = good().with_member("given_name", extra).with_proof(|proof| proof.with_header("typ", "JWT"));
        scene.wallet.send(call).await.refused(400, "invalid_proof");
        assert_kept(world, &scene, &secrets).await;
    }

    /// Error answers to the wallet quote none of it, whatever was sent.
    async fn error_answers_quote_no_secret(world: &World) {
        let mut scene = Scene::with_pin(world, PIN).await;
        scene.wallet.transaction_code = Some("pin-guessed2".to_owned());
        let answer = scene.wallet.send(scene.wallet.token_call(&scene.opened)).await;
        let code = scene.opened.offer["grants"][PRE_AUTHORIZED_CODE]["pre-authorized_code"].as_str().unwrap();
        for secret in ["pin-guessed2", PIN, code] {
            assert!(!answer.mentions(secret), "{answer}");
        }
        scene.wallet.transaction_code = Some(PIN.to_owned());
        let token = scene.redeem().await;
        let nonce = scene.wallet.nonce(&scene.opened).await;
        let call = scene.wallet.credential_call(&token, &nonce).with_proof(|proof| proof.with_claim("aud", "x"));
        let answer = scene.wallet.send(call).await;
        answer.refused(400, "invalid_proof");
        for secret in [token.value(), nonce.as_str(), code, PIN] {
            assert!(!answer.mentions(secret), "{answer}");
        }
    }

    /// A refusal carries a support code that finds its records in the transcript, and nowhere else.
    async fn a_support_code_finds_the_refusal_in_the_transcript(world: &World) {
        let scene = Scene::new(world).await;
        let call = scene.wallet.token_call(&scene.opened).with_field("resource", "https://elsewhere.example");
        let refusal = scene.wallet.send(call).await.refused(400, "invalid_target");
        let code = chancery_tests::split_support_code(&refusal).1.expect("a support code");
        let records = scene.operator.records(&scene.offer.id).await;
        let found: Vec<&Value> = records.iter().filter(|record| record["supportCode"] == code).collect();
        assert!(found.iter().any(|record| record["message"] == "token.resource_invalid"), "{records:#?}");
    }
}
