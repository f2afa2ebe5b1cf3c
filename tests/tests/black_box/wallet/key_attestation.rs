//! Key attestations (OpenID4VCI Appendix D, F.1, F.3).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chancery_tests::certificates::Authority;
use chancery_tests::sd_jwt::parts;
use chancery_tests::{Call, Damage, Jwt, Key, Timestamp, on_every_backend};

use super::*;

/// Somebody who attests keys, by a key of a JWK set.
fn attester() -> Key {
    Key::p256()
}

fn trusting(attester: &Key) -> Value {
    let mut jwk = attester.jwk();
    jwk["kid"] = "attester-1".into();
    json!({"keyAttesters": {"jwks": {"keys": [jwk]}}})
}

fn enforced(attester: &Key) -> Value {
    json!({"keyAttestation": "enforce", "trustAnchors": trusting(attester)})
}

/// A good attestation for these keys.
fn attestation(world: &World, attester: &Key, nonce: &str, keys: &[&Key]) -> Jwt {
    let now = world.env.now().seconds();
    let keys: Vec<Value> = keys.iter().map(|key| key.jwk()).collect();
    let header = json!({"typ": "key-attestation+jwt", "kid": "attester-1"});
    let claims = json!({
        "iat": now, "exp": now + 3600, "nonce": nonce, "attested_keys": keys,
        "key_storage": ["iso_18045_high"], "user_authentication": ["iso_18045_moderate"],
    });
    Jwt::new(attester, header, claims)
}

/// A credential request with one proof that carries this attestation.
fn carrying(call: Call, attestation: &Jwt) -> Call {
    call.with_proof(|proof| proof.with_header("key_attestation", attestation.compact()))
}

fn confirmations(response: &Value) -> Vec<Value> {
    let credentials = response["credentials"].as_array().unwrap();
    let key = |issued: &Value| parts(issued["credential"].as_str().unwrap()).signed["cnf"]["jwk"]["x"].clone();
    credentials.iter().map(key).collect()
}

on_every_backend! {
    /// KAT-4, PRF-7: the metadata demand it, a request with one succeeds, one without is refused.
    async fn an_enforced_key_attestation_is_demanded_and_taken(world: &World) {
        let attester = attester();
        let mut policy = enforced(&attester);
        policy["keyStorage"] = json!(["iso_18045_moderate"]);
        let scene = Scene::under(world, policy).await;
        let configurations = scene.opened.issuer["credential_configurations_supported"].as_object().unwrap();
        for configuration in configurations.values() {
            for proof_type in ["jwt", "attestation"] {
                let published = &configuration["proof_types_supported"][proof_type];
                assert_eq!(published["key_attestations_required"], json!({"key_storage": ["iso_18045_moderate"]}));
            }
        }
        let token = scene.redeem().await;
        let nonce = scene.wallet.nonce(&scene.opened).await;
        scene.wallet.send(scene.wallet.credential_call(&token, &nonce)).await.refused(400, "invalid_proof");
        assert_eq!(scene.cause().await.message, "credential.key_attestation_missing");
        let nonce = scene.wallet.nonce(&scene.opened).await;
        let good = attestation(world, &attester, &nonce, &[&scene.wallet.holder_key]);
        let answer = scene.wallet.send(carrying(scene.wallet.credential_call(&token, &nonce), &good)).await.ok();
        assert_eq!(confirmations(&answer), [scene.wallet.holder_key.jwk()["x"].clone()]);
        let records = scene.operator.records(&scene.offer.id).await;
        let record = records.iter().find(|it| it["message"] == "credential.key_attestation_validated").unwrap();
        assert_eq!(record["data"]["key_storage"], json!(["iso_18045_high"]));
    }

    /// PRF-7, KAT-1 to KAT-5: each thing that can be wrong with an attestation is refused by its name.
    async fn a_wrong_key_attestation_is_refused(world: &World) {
        let attester = attester();
        let mut policy = enforced(&attester);
        policy["userAuthentication"] = json!(["iso_18045_basic"]);
        let scene = Scene::under(world, policy).await;
        let token = scene.redeem().await;
        let stranger = Key::p256();
        let authority = Authority::new(world.env.now());
        let (leaf_key, leaf) = authority.issue("attester.example");
        let now = world.env.now().seconds();
        let mut private = scene.wallet.holder_key.jwk();
        private["d"] = "870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE".into();
        type Change<'c> = Box<dyn Fn(Jwt) -> Jwt + 'c>;
        let cases: Vec<(&str, &str, &str, Change<'_>)> = vec![
            ("for another key", "invalid_proof", "not among the 1 attested keys", Box::new(|it| it.with_claim("attested_keys", json!([Key::p256().jwk()])))),
            ("for no key", "invalid_proof", "attested_keys", Box::new(|it| it.with_claim("attested_keys", json!([])))),
            ("with a private key", "invalid_proof", "key 1 of `attested_keys` is not usable", Box::new(|it| it.with_claim("attested_keys", json!([private])))),
            ("expired", "invalid_proof", "the key attestation expired 1 s ago", Box::new(|it| it.with_claim("exp", now - 1))),
            ("without end", "invalid_proof", "has no `exp`", Box::new(|it| it.with_claim("exp", Value::Null))),
            ("too old", "invalid_proof", "`iat` is 90000 s old", Box::new(|it| it.with_claim("iat", now - 90_000))),
            ("from the future", "invalid_proof", "clock is 600 s ahead", Box::new(|it| it.with_claim("iat", now + 600))),
            ("with another nonce", "invalid_nonce", "`nonce` of the key attestation is `another`", Box::new(|it| it.with_claim("nonce", "another"))),
            ("without nonce", "invalid_proof", "has no `nonce`", Box::new(|it| it.with_claim("nonce", Value::Null))),
            ("too weak", "invalid_proof", "`user_authentication` of the key attestation is", Box::new(|it| it.with_claim("user_authentication", json!(["vendor_level"])))),
            ("of a draft", "invalid_proof", "`typ` of the key attestation is `keyattestation+jwt`", Box::new(|it| it.with_header("typ", "keyattestation+jwt"))),
            ("unsigned", "invalid_proof", "alg is \"none\"", Box::new(|it| it.with_header("alg", "none").with_damage(Damage::Unsigned))),
            ("with a MAC", "invalid_proof", "alg is \"HS256\"", Box::new(|it| it.with_header("alg", "HS256"))),
            ("damaged", "invalid_proof", "the signature does not verify", Box::new(|it| it.with_damage(Damage::Signature))),
            ("of a stranger", "invalid_proof", "the signature does not verify", Box::new(|mut it| {
                it.key = stranger.clone();
                it
            })),
            ("of an unrelated certificate", "invalid_proof", "the chain ends at `", Box::new(|mut it| {
                it.key = leaf_key.clone();
                it.with_header("kid", Value::Null).with_header("x5c", json!([STANDARD.encode(&leaf)]))
            })),
            ("with a key to be fetched", "invalid_proof", "the key attestation", Box::new(|mut it| {
                it.key = stranger.clone();
                it.with_header("kid", Value::Null).with_header("jku", "https://127.0.0.1/keys")
            })),
        ];
        for (what, error, reason, change) in cases {
            let nonce = scene.wallet.nonce(&scene.opened).await;
            let changed = change(attestation(world, &attester, &nonce, &[&scene.wallet.holder_key]));
            let call = carrying(scene.wallet.credential_call(&token, &nonce), &changed);
            let answer = scene.wallet.send(call).await;
            assert_eq!(answer.json()["error"], error, "{what}: {answer}");
            answer.refused(400, error);
            let cause = scene.cause().await;
            assert_eq!(cause.message, "credential.key_attestation_invalid", "{what}");
            assert!(cause.reason.contains(reason), "{what}: {}", cause.reason);
        }
    }

    /// NON-6, SEC-14: a nonce of another organisation does not make an attestation fresh here.
    async fn a_nonce_of_another_organisation_is_refused(world: &World) {
        let attester = attester();
        let scene = Scene::under(world, enforced(&attester)).await;
        let other = Scene::under(world, enforced(&attester)).await;
        let token = scene.redeem().await;
        let foreign = other.wallet.nonce(&other.opened).await;
        let good = attestation(world, &attester, &foreign, &[&scene.wallet.holder_key]);
        let call = carrying(scene.wallet.credential_call(&token, &foreign), &good);
        scene.wallet.send(call).await.refused(400, "invalid_nonce");
        let mut call = scene.wallet.credential_call(&token, &foreign);
        call.proofs.clear();
        let call = call.with_member("proofs", json!({"attestation": [good.compact()]}));
        scene.wallet.send(call).await.refused(400, "invalid_nonce");
    }

    /// KAT-5: a chain leads to an anchor; where it does not, the transcript says where it ends and who is trusted.
    async fn a_certificate_chain_leads_to_an_anchor_or_the_transcript_says_where_it_ends(world: &World) {
        let trusted = Authority::new(world.env.now());
        let (intermediate, between) = trusted.delegate("Key attesters");
        let (key, leaf) = intermediate.issue("attester.example");
        let policy = json!({"keyAttestation": "enforce", "trustAnchors": {
            "keyAttesters": {"certificates": [STANDARD.encode(trusted.certificate())]}}});
        let scene = Scene::under(world, policy).await;
        let token = scene.redeem().await;
        let send = async |key: &Key, chain: &[&[u8]]| {
            let nonce = scene.wallet.nonce(&scene.opened).await;
            let x5c: Vec<String> = chain.iter().map(|der| STANDARD.encode(der)).collect();
            let signed = attestation(world, key, &nonce, &[&scene.wallet.holder_key])
                .with_header("kid", Value::Null)
                .with_header("x5c", x5c);
            scene.wallet.send(carrying(scene.wallet.credential_call(&token, &nonce), &signed)).await
        };
        send(&key, &[&leaf, &between]).await.ok();
        let stranger = Authority::new(world.env.now()).delegate("Stranger").0;
        let (strange_key, strange_leaf) = stranger.issue("attester.example");
        send(&strange_key, &[&strange_leaf]).await.refused(400, "invalid_proof");
        let reason = scene.cause().await.reason;
        assert!(reason.contains("Stranger") && reason.contains("key attesters"), "{reason}");
        let end = Timestamp::from_seconds(world.env.now().seconds() - 60);
        let (old_key, old_leaf) = intermediate.issue_until("attester.example", end);
        send(&old_key, &[&old_leaf, &between]).await.refused(400, "invalid_proof");
        // The key of a trusted certificate, and the signature of somebody else.
        send(&strange_key, &[&leaf, &between]).await.refused(400, "invalid_proof");
    }

    /// PRF-8: an attestation alone proves its keys, and there is one credential for each, as far as a batch goes.
    async fn an_attestation_alone_is_a_proof_of_all_its_keys(world: &World) {
        let attester = attester();
        let mut policy = enforced(&attester);
        policy["batchSize"] = 3.into();
        let scene = Scene::under(world, policy).await;
        let token = scene.redeem().await;
        let keys: Vec<Key> = (0..4).map(|_| Key::p256()).collect();
        let all: Vec<&Key> = keys.iter().collect();
        let send = async |change: &dyn Fn(Jwt) -> Jwt| {
            let nonce = scene.wallet.nonce(&scene.opened).await;
            let signed = change(attestation(world, &attester, &nonce, &all));
            let mut call = scene.wallet.credential_call(&token, &nonce);
            call.proofs.clear();
            scene.wallet.send(call.with_member("proofs", json!({"attestation": [signed.compact()]}))).await
        };
        let response = send(&|it| it).await.ok();
        let expected: Vec<Value> = keys.iter().take(3).map(|key| key.jwk()["x"].clone()).collect();
        assert_eq!(confirmations(&response), expected);
        // Alone it may have no end, but needs a nonce of ours.
        send(&|it| it.with_claim("exp", Value::Null)).await.ok();
        send(&|it| it.with_claim("nonce", Value::Null)).await.refused(400, "invalid_proof");
        send(&|it| it.with_claim("nonce", "made-up")).await.refused(400, "invalid_nonce");
        send(&|it| it.with_damage(Damage::Signature)).await.refused(400, "invalid_proof");
        // PRF-7: in the header of a proof it speaks for more keys than that of the proof.
        let nonce = scene.wallet.nonce(&scene.opened).await;
        let mut with_own = vec![&scene.wallet.holder_key];
        with_own.extend(&all);
        let signed = attestation(world, &attester, &nonce, &with_own);
        let response = scene.wallet.send(carrying(scene.wallet.credential_call(&token, &nonce), &signed)).await.ok();
        let found = confirmations(&response);
        assert_eq!((found.len(), &found[0]), (3, &scene.wallet.holder_key.jwk()["x"]));
    }

    /// Observe: written down, and nobody is refused.
    async fn an_observed_key_attestation_refuses_nobody(world: &World) {
        let attester = attester();
        let policy = json!({"keyAttestation": "observe", "trustAnchors": trusting(&attester)});
        let scene = Scene::under(world, policy).await;
        let configurations = scene.opened.issuer["credential_configurations_supported"].as_object().unwrap();
        for configuration in configurations.values() {
            assert_eq!(configuration["proof_types_supported"]["jwt"].get("key_attestations_required"), None);
        }
        let token = scene.redeem().await;
        scene.collect(&token).await;
        let nonce = scene.wallet.nonce(&scene.opened).await;
        let foreign = attestation(world, &Key::p256(), &nonce, &[&scene.wallet.holder_key]);
        scene.wallet.send(carrying(scene.wallet.credential_call(&token, &nonce), &foreign)).await.ok();
        let records = scene.operator.records(&scene.offer.id).await;
        let record = records.iter().find(|it| it["message"] == "credential.key_attestation_observed").unwrap();
        assert!(!record["data"]["reason"].as_str().unwrap().is_empty() && record["level"] == "info", "{record}");
    }

    /// Where attestations are off, the proof type is not there and one in a header is not looked at.
    async fn the_proof_type_attestation_is_refused_where_it_is_not_published(world: &World) {
        let scene = Scene::new(world).await;
        let token = scene.redeem().await;
        let nonce = scene.wallet.nonce(&scene.opened).await;
        let signed = attestation(world, &attester(), &nonce, &[&scene.wallet.holder_key]);
        let mut call = scene.wallet.credential_call(&token, &nonce);
        call.proofs.clear();
        let call = call.with_member("proofs", json!({"attestation": [signed.compact()]}));
        scene.wallet.send(call).await.refused(400, "invalid_proof");
        scene.wallet.send(carrying(scene.wallet.credential_call(&token, &nonce), &signed)).await.ok();
    }

    /// Trust ends with the certificate: the platform is told in time, in the answer and in the log.
    async fn a_trust_anchor_that_ends_soon_is_warned_of(world: &World) {
        let authority = Authority::new(world.env.now());
        let end = Timestamp::from_seconds(world.env.now().seconds() + 20 * 86_400);
        let (_, ending) = authority.issue_until("ending.example", end);
        let certificates = [STANDARD.encode(&ending), STANDARD.encode(authority.certificate())];
        let policy = json!({"trustAnchors": {"keyAttesters": {"certificates": certificates}}});
        let scene = Scene::under(world, policy).await;
        let path = format!("{}/{}", chancery_tests::platform::ORGANISATIONS, scene.operator.organisation_id());
        let warnings = world.platform().get(&path).await.ok()["warnings"].clone();
        let warnings = warnings.as_array().unwrap();
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        let warning = warnings[0].as_str().unwrap();
        assert!(warning.contains("ending.example") && warning.contains("key attesters"), "{warning}");
        assert!(world.gives_away(warning).await, "the log has it too");
    }
}
