//! Key proofs that break a rule (OpenID4VCI Appendix F.1 and F.4).

use chancery_tests::key::did_url;
use chancery_tests::{Damage, Jwt, Key, on_every_backend};

use super::dpop::{der_signed, keyed_hash, move_iat, signed_by, with_jwk_member};
use super::*;

/// One change of a good proof, and the rule it breaks. Each is `invalid_proof`.
type Mutation = (&'static str, fn(Jwt) -> Jwt);

const MUTATIONS: &[Mutation] = &[
    ("typ is missing", |proof| proof.with_header("typ", Value::Null)),
    ("typ is JWT", |proof| proof.with_header("typ", "JWT")),
    ("typ is that of a DPoP proof", |proof| proof.with_header("typ", "dpop+jwt")),
    ("alg is none", |proof| proof.with_header("alg", "none").with_damage(Damage::Unsigned)),
    ("alg is HS256 with the public key as the secret", |proof| keyed_hash(&proof)),
    ("alg is ES256 over a P-384 key", |proof| signed_by(proof, Key::p384()).with_header("alg", "ES256")),
    ("alg is EdDSA over a P-256 key", |proof| proof.with_header("alg", "EdDSA")),
    ("there is no key", |proof| proof.with_header("jwk", Value::Null)),
    ("there is a jwk and a kid", |proof| {
        let kid = did_url(&proof.key.did_key());
        proof.with_header("kid", kid)
    }),
    ("there is a jwk and an x5c", |proof| proof.with_header("x5c", json!(["MIIB"]))),
    ("there is a kid and an x5c", |proof| {
        let kid = did_url(&proof.key.did_key());
        proof.with_header("jwk", Value::Null).with_header("kid", kid).with_header("x5c", json!(["MIIB"]))
    }),
    ("jwk is a text", |proof| proof.with_header("jwk", "key")),
    ("jwk holds a private key", |proof| with_jwk_member(proof, "d", json!("AAAA"))),
    ("jwk is symmetric", |proof| proof.with_header("jwk", json!({"kty": "oct", "k": "AAAA"}))),
    ("jwk is on no known curve", |proof| with_jwk_member(proof, "crv", json!("secp256k1"))),
    ("jwk has half a point", |proof| with_jwk_member(proof, "y", Value::Null)),
    ("jwk is another key", |proof| proof.with_header("jwk", Key::p256().jwk())),
    ("the signature has a flipped bit", |proof| proof.with_damage(Damage::Signature)),
    ("the signature is missing", |proof| proof.with_damage(Damage::Unsigned)),
    ("the third segment is missing", |proof| proof.with_damage(Damage::TwoSegments)),
    ("the signature is in DER", |proof| der_signed(&proof)),
    ("a segment is padded", |proof| proof.with_damage(Damage::Padding)),
    ("it is no JWT", |proof| proof.with_damage(Damage::Replaced("proof".to_owned()))),
    ("it is empty", |proof| proof.with_damage(Damage::Replaced(String::new()))),
    ("it is enormous", |proof| proof.with_claim("x", "y".repeat(100_000))),
    ("crit names an extension", |proof| proof.with_header("crit", json!(["x"])).with_header("x", 1)),
    ("aud is missing", |proof| proof.with_claim("aud", Value::Null)),
    ("aud is another issuer", |proof| proof.with_claim("aud", "https://elsewhere.example")),
    ("aud has a trailing slash", |proof| change_aud(proof, |aud| json!(format!("{aud}/")))),
    ("aud is the credential endpoint", |proof| change_aud(proof, |aud| json!(format!("{aud}/credential")))),
    ("aud is the token endpoint", |proof| change_aud(proof, |aud| json!(format!("{aud}/token")))),
    ("aud has another case", |proof| change_aud(proof, |aud| json!(aud.to_uppercase()))),
    ("aud is a list of two", |proof| change_aud(proof, |aud| json!([aud, "https://elsewhere.example"]))),
    ("aud is a list of none", |proof| proof.with_claim("aud", json!([]))),
    ("aud is a number", |proof| proof.with_claim("aud", 7)),
    ("iat is missing", |proof| proof.with_claim("iat", Value::Null)),
    ("iat is a text", |proof| {
        let iat = proof.claims["iat"].to_string();
        proof.with_claim("iat", iat)
    }),
    ("iat is an hour old", |proof| move_iat(proof, -3600)),
    ("iat is 301 seconds old", |proof| move_iat(proof, -301)),
    ("iat is 61 seconds ahead", |proof| move_iat(proof, 61)),
    ("iat is an hour ahead", |proof| move_iat(proof, 3600)),
    ("nonce is missing", |proof| proof.with_claim("nonce", Value::Null)),
    ("nonce is a number", |proof| proof.with_claim("nonce", 7)),
];

fn change_aud(proof: Jwt, change: impl FnOnce(&str) -> Value) -> Jwt {
    let aud = change(proof.claims["aud"].as_str().expect("aud"));
    proof.with_claim("aud", aud)
}

on_every_backend! {
    /// PRF-1 to PRF-6, SEC-13: one negative test per rule. Neither the token nor the nonce is burnt by any of them.
    async fn a_wrong_key_proof_is_refused(world: &World) {
        let scene = Scene::new(world).await;
        let token = scene.redeem().await;
        let nonce = scene.wallet.nonce(&scene.opened).await;
        for (rule, mutation) in MUTATIONS {
            let call = scene.wallet.credential_call(&token, &nonce).with_proof(mutation);
            let answer = scene.wallet.send(call).await;
            assert_eq!(answer.json()["error"], "invalid_proof", "{rule}: {answer}");
            answer.refused(400, "invalid_proof");
            let message = scene.cause().await.message;
            assert!(
                ["credential.proof_invalid", "credential.nonce_invalid"].contains(&message.as_str()),
                "{rule}: {message}"
            );
        }
        assert_eq!(scene.operator.status(&scene.offer.id).await, "token_issued");
        scene.wallet.send(scene.wallet.credential_call(&token, &nonce)).await.ok();
    }

    /// PRF-5: what is still fresh: five minutes of age, one of haste.
    async fn a_key_proof_is_good_for_five_minutes(world: &World) {
        let scene = Scene::new(world).await;
        let token = scene.redeem().await;
        for seconds in [-300, -60, 60] {
            let nonce = scene.wallet.nonce(&scene.opened).await;
            let call = scene.wallet.credential_call(&token, &nonce).with_proof(|proof| move_iat(proof, seconds));
            let answer = scene.wallet.send(call).await;
            assert_eq!(answer.status, 200, "{seconds}: {answer}");
        }
    }

    /// PRF-2: a list with this issuer alone says the same as the text (RFC 7519 §4.1.3), and some wallets send it.
    async fn an_aud_that_is_a_list_of_one_is_accepted(world: &World) {
        let scene = Scene::new(world).await;
        let token = scene.redeem().await;
        let nonce = scene.wallet.nonce(&scene.opened).await;
        let call = scene.wallet.credential_call(&token, &nonce);
        let call = call.with_proof(|proof| change_aud(proof, |aud| json!([aud])));
        scene.wallet.send(call).await.ok();
    }

    /// PRF-2: `aud` is this organisation, not its neighbour on the same server (SEC-14).
    async fn a_key_proof_for_another_organisation_is_refused(world: &World) {
        let scene = Scene::new(world).await;
        let other = Scene::new(world).await;
        let token = scene.redeem().await;
        let nonce = scene.wallet.nonce(&scene.opened).await;
        let neighbour = other.operator.issuer().to_owned();
        let call =
            scene.wallet.credential_call(&token, &nonce).with_proof(|proof| proof.with_claim("aud", neighbour.clone()));
        scene.wallet.send(call).await.refused(400, "invalid_proof");
        let cause = scene.cause().await;
        assert!(cause.reason.contains(&neighbour) && cause.reason.contains(scene.operator.issuer()), "{cause:?}");
    }

    /// PRF-2: `iss` is the `client_id`, and absent when the token request was anonymous.
    async fn iss_is_the_client_of_the_token_request(world: &World) {
        let mut scene = Scene::new(world).await;
        let token = scene.redeem().await;
        let nonce = scene.wallet.nonce(&scene.opened).await;
        let did = scene.wallet.holder_key.did_key();
        for iss in ["wallet-dev", did.as_str()] {
            let call = scene.wallet.credential_call(&token, &nonce).with_proof(|proof| proof.with_claim("iss", iss));
            scene.wallet.send(call).await.refused(400, "invalid_proof");
        }
        scene.wallet.send(scene.wallet.credential_call(&token, &nonce)).await.ok();

        let (_, opened) = scene.another_offer().await;
        scene.wallet.client_id = Some("wallet-dev".to_owned());
        let token = scene.wallet.redeem(&opened).await;
        let nonce = scene.wallet.nonce(&scene.opened).await;
        for iss in ["wallet", "", did.as_str()] {
            let call = scene.wallet.credential_call(&token, &nonce).with_proof(|proof| proof.with_claim("iss", iss));
            scene.wallet.send(call).await.refused(400, "invalid_proof");
        }
        let without =
            scene.wallet.credential_call(&token, &nonce).with_proof(|proof| proof.with_claim("iss", Value::Null));
        scene.wallet.send(without).await.ok();
        scene.collect(&token).await;
    }

    /// CRE-5, CRE-6, CRE-7, PRF-8: `proofs` is an object with one member, a proof type that is published, and one
    /// proof, since no batches are published.
    async fn proofs_that_are_missing_or_of_the_wrong_shape_are_refused(world: &World) {
        let scene = Scene::new(world).await;
        let token = scene.redeem().await;
        let nonce = scene.wallet.nonce(&scene.opened).await;
        let proof = || scene.wallet.proof(&scene.opened, &nonce).compact();
        let bare = || {
            let mut call = scene.wallet.credential_call(&token, &nonce);
            call.proofs.clear();
            call
        };
        scene.wallet.send(bare()).await.refused(400, "invalid_proof");
        for proofs in [
            json!({}),
            json!([proof()]),
            json!(proof()),
            json!({"jwt": []}),
            json!({"jwt": proof()}),
            json!({"jwt": [7]}),
            json!({"jwt": [Value::Null]}),
            json!({"jwt": [proof(), proof()]}),
            json!({"jwt": vec![proof(); 101]}),
            json!({"jwt": [proof()], "attestation": ["x"]}),
            json!({"attestation": ["x"]}),
            json!({"attestation": ["x", "y"]}),
            json!({"di_vp": [{"type": ["VerifiablePresentation"]}]}),
            json!({"cwt": ["x"]}),
            json!({"x": [proof()]}),
        ] {
            let answer = scene.wallet.send(bare().with_member("proofs", proofs.clone())).await;
            assert_eq!(answer.json()["error"], "invalid_proof", "{proofs}: {answer}");
            answer.refused(400, "invalid_proof");
        }
        scene.wallet.send(scene.wallet.credential_call(&token, &nonce)).await.ok();
    }

    /// PRF-7, KAT-4: an offer that demands a key attestation names it in the metadata or the transcript, and refuses a
    /// proof without one.
    async fn a_key_attestation_that_is_demanded_and_missing_is_refused(world: &World) {
        let attester = json!({"jwks": {"keys": [Key::p256().jwk()]}});
        let policy = json!({"trustAnchors": {"keyAttesters": attester}});
        let operator = world.platform().organisation(json!({ "policy": policy })).await;
        let mut badge = samples::staff_badge();
        badge["credentialDefinitions"][0]["requireKeyAttestation"] = true.into();
        let definition = operator.define(&badge).await;
        let scene = Scene::of(world, operator, definition).await;
        let id = configuration_id(&scene.opened);
        let published = &scene.opened.issuer["credential_configurations_supported"][id]["proof_types_supported"]["jwt"];
        assert!(published["key_attestations_required"].is_object(), "{published}");
        let token = scene.redeem().await;
        let nonce = scene.wallet.nonce(&scene.opened).await;
        scene.wallet.send(scene.wallet.credential_call(&token, &nonce)).await.refused(400, "invalid_proof");
        let cause = scene.cause().await;
        assert_eq!(cause.message, "credential.key_attestation_missing");
        assert_eq!(cause.data["config_id"], id);
        // An attestation that nobody can verify is none.
        let nonce = scene.wallet.nonce(&scene.opened).await;
        let attestation =
            Jwt::new(&Key::p256(), json!({"typ": "key-attestation+jwt"}), json!({"attested_keys": []})).compact();
        let call = scene
            .wallet
            .credential_call(&token, &nonce)
            .with_proof(|proof| proof.with_header("key_attestation", attestation));
        scene.wallet.send(call).await.refused(400, "invalid_proof");
    }
}
