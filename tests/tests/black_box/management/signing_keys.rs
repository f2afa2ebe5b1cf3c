//! Signing keys: algorithms, the states of their life, rotation.

use std::time::Duration;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, UnparsedPublicKey};
use chancery_tests::jwt;
use chancery_tests::key::from_base64url;
use chancery_tests::on_every_backend;
use chancery_tests::platform::issue_body;
use chancery_tests::wallet::well_known;

use super::*;

fn path(key: &Value) -> String {
    format!("{KEYS}/{}", key["id"].as_str().expect("an id"))
}

async fn create(operator: &Operator, body: Value) -> Value {
    operator.post(KEYS, body).await.expect(201)["key"].clone()
}

async fn set_state(operator: &Operator, key: &Value, state: &str) -> Answer {
    operator.put(&format!("{}/state", path(key)), json!({"state": state})).await
}

async fn listed(operator: &Operator) -> Vec<Value> {
    operator.get(&format!("{KEYS}?limit=100")).await.ok()["keys"].as_array().expect("keys").clone()
}

/// The keys that verifiers find (SD-JWT VC §4 by way of the issuer's JWKS).
async fn published(world: &World, operator: &Operator) -> Vec<Value> {
    let metadata = world.http().get(&well_known(operator.issuer(), "jwt-vc-issuer")).await.ok();
    let keys = match metadata["jwks_uri"].as_str() {
        Some(uri) => world.http().get(uri).await.ok()["keys"].clone(),
        None => metadata["jwks"]["keys"].clone(),
    };
    keys.as_array().unwrap_or_else(|| panic!("no keys: {metadata}")).clone()
}

fn kids(keys: &[Value]) -> Vec<&str> {
    keys.iter().map(|key| key["kid"].as_str().expect("a kid")).collect()
}

/// Asserts that a key of the set, found by `kid`, verifies the issuer's signature.
#[track_caller]
fn assert_verified(credential: &str, keys: &[Value]) {
    let compact = credential.split('~').next().expect("an issuer-signed JWT");
    let (header, _) = jwt::decode(compact);
    let key = keys.iter().find(|key| key["kid"] == header["kid"]);
    let key = key.unwrap_or_else(|| panic!("{} is not among {keys:?}", header["kid"]));
    let (signed, signature) = compact.rsplit_once('.').expect("a signature");
    let coordinate = |name: &str| from_base64url(key[name].as_str().unwrap_or_default());
    let point = [vec![4], coordinate("x"), coordinate("y")].concat();
    let signature = from_base64url(signature);
    let outcome = match header["alg"].as_str() {
        Some("ES256") => UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(signed.as_bytes(), &signature),
        Some("ES384") => UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, point).verify(signed.as_bytes(), &signature),
        Some("EdDSA") => UnparsedPublicKey::new(&ED25519, coordinate("x")).verify(signed.as_bytes(), &signature),
        other => panic!("alg {other:?}"),
    };
    assert!(outcome.is_ok(), "the signature does not verify: {header}");
}

async fn issued(world: &World, operator: &Operator, definition: &Value) -> String {
    let offer = operator.offer(definition, &samples::staff_claims()).await;
    world.wallet().accept(&offer.link).await.credential
}

fn kid_of(credential: &str) -> String {
    let (header, _) = jwt::decode(credential.split('~').next().expect("an issuer-signed JWT"));
    header["kid"].as_str().expect("a kid").to_owned()
}

on_every_backend! {
    /// A definition that names its key is signed with it, in each of the algorithms.
    async fn keys_of_every_algorithm_sign_credentials(world: &World) {
        let operator = world.organisation().await;
        for (algorithm, curve) in [("ES256", "P-256"), ("ES384", "P-384"), ("EdDSA", "Ed25519")] {
            let key = create(&operator, json!({"algorithm": algorithm})).await;
            assert_eq!((&key["algorithm"], &key["state"]), (&json!(algorithm), &json!("active")));
            assert_eq!(key["publicJwk"]["crv"], curve);
            assert_eq!(key["createdAt"], START);
            let mut definition = samples::staff_badge();
            definition["label"] = format!("Badge in {algorithm}").into();
            definition["kid"] = key["kid"].clone();
            let definition = operator.define(&definition).await;
            assert_eq!(definition["kid"], key["kid"]);
            let credential = issued(world, &operator, &definition).await;
            assert_eq!(kid_of(&credential), key["kid"].as_str().expect("a kid"));
            assert_verified(&credential, &published(world, &operator).await);
        }
    }

    /// Credentials of before the rotation verify afterwards, and new ones are signed with the new key.
    async fn a_rotation_leaves_earlier_credentials_verifiable(world: &World) {
        let (operator, definition) = badge(world).await;
        let first = issued(world, &operator, &definition).await;
        world.advance(Duration::from_secs(60));
        let rotated = operator.post(&format!("{KEYS}/rotate"), json!({})).await.ok()["key"].clone();
        assert_eq!((&rotated["state"], &rotated["algorithm"]), (&json!("active"), &json!("ES256")));
        let second = issued(world, &operator, &definition).await;
        assert_eq!(kid_of(&second), rotated["kid"].as_str().expect("a kid"));
        assert_ne!(kid_of(&first), kid_of(&second));

        let keys = published(world, &operator).await;
        assert_verified(&first, &keys);
        assert_verified(&second, &keys);
        let all = listed(&operator).await;
        let old = all.iter().find(|key| key["kid"] == kid_of(&first)).expect("the old key");
        assert_eq!(old["state"], "verify-only");
        world.restart().await;
        assert_verified(&first, &published(world, &operator).await);

        set_state(&operator, old, "retired").await.ok();
        assert_eq!(kids(&published(world, &operator).await), [kid_of(&second)]);
    }

    /// A prepared key is published before it signs, so that caches of verifiers know it when it does.
    async fn a_rotation_takes_the_prepared_key(world: &World) {
        let (operator, definition) = badge(world).await;
        let next = create(&operator, json!({"state": "next"})).await;
        let credential = issued(world, &operator, &definition).await;
        assert_ne!(kid_of(&credential), next["kid"].as_str().expect("a kid"));
        let keys = published(world, &operator).await;
        assert!(kids(&keys).contains(&next["kid"].as_str().expect("a kid")), "{keys:?}");

        let rotated = operator.post(&format!("{KEYS}/rotate"), json!({})).await.ok()["key"].clone();
        assert_eq!((&rotated["id"], &rotated["state"]), (&next["id"], &json!("active")));
        assert_eq!(kid_of(&issued(world, &operator, &definition).await), next["kid"].as_str().expect("a kid"));
        assert_eq!(listed(&operator).await.len(), 2);
    }

    /// `next` → `active` → `verify-only` → `retired`, back only from `verify-only` to `active`.
    async fn a_key_changes_state_along_its_life_only(world: &World) {
        let operator = world.organisation().await;
        let key = create(&operator, json!({"state": "next"})).await;
        let refused = async |state: &str| assert_problem(&set_state(&operator, &key, state).await, 409, "key-state");
        let moved = async |state: &str| {
            assert_eq!(set_state(&operator, &key, state).await.ok()["key"]["state"], state);
            assert_eq!(operator.get(&path(&key)).await.ok()["key"]["state"], state);
        };
        refused("verify-only").await;
        moved("active").await;
        refused("next").await;
        refused("retired").await;
        moved("verify-only").await;
        refused("next").await;
        moved("active").await;
        moved("verify-only").await;
        moved("retired").await;
        for state in ["next", "active", "verify-only"] {
            refused(state).await;
        }
        set_state(&operator, &key, "revoked").await.problem_at(400, "/state");
        operator.put(&format!("{}/state", path(&key)), json!({})).await.problem_at(400, "/state");
        let unknown = json!({"id": UNKNOWN});
        assert_problem(&set_state(&operator, &unknown, "active").await, 404, "not-found");
        assert_problem(&operator.get(&path(&unknown)).await, 404, "not-found");
    }

    /// Without a key that signs nothing is promised.
    async fn without_an_active_key_nothing_is_offered(world: &World) {
        let (operator, definition) = badge(world).await;
        let only = listed(&operator).await.remove(0);
        set_state(&operator, &only, "verify-only").await.ok();
        let before = world.database.census().await;
        let answer = operator.issue(issue_body(&definition, &samples::staff_claims())).await;
        assert_problem(&answer, 409, "no-signing-key");
        assert_eq!(world.database.census().await, before);
        set_state(&operator, &only, "active").await.ok();
        issued(world, &operator, &definition).await;
    }

    async fn a_definition_names_only_keys_that_sign(world: &World) {
        let operator = world.organisation().await;
        let retired = create(&operator, json!({"state": "next"})).await;
        set_state(&operator, &retired, "retired").await.ok();
        let stranger = create(&world.organisation().await, json!({})).await;
        for kid in [&json!("no-such-key"), &retired["kid"], &stranger["kid"]] {
            let mut definition = samples::staff_badge();
            definition["kid"] = kid.clone();
            operator.post(DEFINITION, definition).await.problem_at(400, "/kid");
        }
    }

    /// No answer of either face and no row holds a private part in clear.
    async fn private_parts_never_leave(world: &World) {
        let operator = world.organisation().await;
        let mut answers = Vec::new();
        for algorithm in ["ES256", "ES384", "EdDSA"] {
            answers.push(operator.post(KEYS, json!({"algorithm": algorithm})).await.text());
        }
        for key in listed(&operator).await {
            answers.push(operator.get(&path(&key)).await.text());
            answers.push(operator.post(&format!("{}/csr", path(&key)), json!({})).await.text());
        }
        answers.push(json!(published(world, &operator).await).to_string());
        for answer in answers {
            for member in ["\"d\":", "PRIVATE KEY", "pkcs8", "sealed"] {
                assert!(!answer.contains(member), "{member} in {answer}");
            }
        }
        // How PKCS#8 documents of Ed25519, P-256 and P-384 introduce the private part (RFC 8410 §7, RFC 5915 §3).
        for beginning in ["\u{6}\u{3}+ep\u{4}\"\u{4} ", "\u{2}\u{1}\u{1}\u{4} ", "\u{2}\u{1}\u{1}\u{4}0"] {
            assert!(!world.database.holds(beginning).await, "{beginning:?}");
        }
    }

    async fn a_wrong_description_of_a_signing_key_is_refused_by_its_place(world: &World) {
        let operator = world.organisation().await;
        for (pointer, body) in [
            ("/algorithm", json!({"algorithm": "RS256"})),
            ("/algorithm", json!({"algorithm": "none"})),
            ("/algorithm", json!({"algorithm": 7})),
            ("/state", json!({"state": "retired"})),
            ("/privateJwk", json!({"privateJwk": {}})),
        ] {
            operator.post(KEYS, body).await.problem_at(400, pointer);
        }
        operator.post(&format!("{KEYS}/rotate"), json!({"algorithm": "HS256"})).await.problem_at(400, "/algorithm");
        assert_eq!(listed(&operator).await.len(), 1);
    }

    async fn signing_keys_are_listed_in_pages(world: &World) {
        let operator = world.organisation().await;
        let list = async |query: &str| operator.get(&format!("{KEYS}?{query}")).await;
        check_pages(list, "keys", "id", 1, 2).await;
        for total in 2..=3 {
            world.advance(Duration::from_secs(1));
            create(&operator, json!({})).await;
            check_pages(list, "keys", "id", total, 2).await;
        }
    }
}
