//! Encrypted requests and responses (OpenID4VCI §8.2, §10, §12.2.4).

use std::collections::BTreeSet;
use std::time::Duration;

use chancery_tests::jwe::{Jwe, ResponseKey, bomb, stored};
use chancery_tests::{Body, Call, Jwt, Key, on_every_backend};

use super::*;

/// The key to encrypt requests for.
pub(super) fn published(opened: &Opened) -> Value {
    opened.issuer["credential_request_encryption"]["jwks"]["keys"][0].clone()
}

/// The JSON of a credential request, with more members.
pub(super) fn payload(call: &Call, more: &Value) -> Vec<u8> {
    let Body::Json(mut members) = call.body.clone() else { panic!("the body is not JSON") };
    let proofs: Vec<String> = call.proofs.iter().map(Jwt::compact).collect();
    members.insert("proofs".to_owned(), json!({ "jwt": proofs }));
    members.extend(more.as_object().unwrap().clone());
    Value::Object(members).to_string().into_bytes()
}

pub(super) fn encrypted(mut call: Call, jwe: &Jwe) -> Call {
    call.proofs.clear();
    call.with_bytes(jwe.compact()).with_content_type("application/jwt")
}

/// An encrypted credential request that asks for an encrypted answer.
fn request(scene: &Scene, token: &Token, nonce: &str, key: &ResponseKey) -> (Call, Jwe) {
    let call = scene.wallet.credential_call(token, nonce);
    let wanted = json!({"credential_response_encryption": {"jwk": key.jwk(), "enc": "A256GCM"}});
    let jwe = Jwe::new(&published(&scene.opened), &payload(&call, &wanted));
    (call, jwe)
}

on_every_backend! {
    /// ENC-1 to ENC-6: what the metadata offer works, with both algorithms and compressed.
    async fn a_request_and_its_answer_are_encrypted(world: &World) {
        let scene = Scene::under(world, json!({"encryption": "allowed"})).await;
        let offered = &scene.opened.issuer["credential_request_encryption"];
        assert_eq!(offered["enc_values_supported"], json!(["A128GCM", "A256GCM"]));
        assert_eq!((&offered["zip_values_supported"], &offered["encryption_required"]), (&json!(["DEF"]), &json!(false)));
        let key = published(&scene.opened);
        assert_eq!((&key["alg"], &key["use"], &key["crv"]), (&json!("ECDH-ES"), &json!("enc"), &json!("P-256")));
        assert!(key["kid"].is_string() && key.get("d").is_none(), "{key}");
        let answers = &scene.opened.issuer["credential_response_encryption"];
        assert_eq!(answers["alg_values_supported"], json!(["ECDH-ES"]));
        assert_eq!(answers["encryption_required"], false);

        let token = scene.redeem().await;
        let recipient = ResponseKey::new();
        for (encryption, compressed) in [("A128GCM", false), ("A256GCM", false), ("A256GCM", true)] {
            let nonce = scene.wallet.nonce(&scene.opened).await;
            let call = scene.wallet.credential_call(&token, &nonce);
            let mut wanted = json!({"jwk": recipient.jwk(), "enc": encryption});
            if compressed {
                wanted["zip"] = "DEF".into();
            }
            let plain = payload(&call, &json!({"credential_response_encryption": wanted}));
            let mut jwe = Jwe::new(&key, &plain).with_header("enc", encryption);
            if compressed {
                jwe = jwe.with_header("zip", "DEF");
                jwe.payload = stored(&plain);
            }
            let answer = scene.wallet.send(encrypted(call, &jwe)).await;
            assert_eq!(answer.status, 200, "{answer}");
            answer.assert_media_type("application/jwt");
            assert_eq!(answer.header("cache-control"), Some("no-store"));
            let (header, text) = recipient.decrypt(&answer.text());
            assert_eq!((&header["alg"], &header["enc"]), (&json!("ECDH-ES"), &json!(encryption)));
            assert_eq!((&header["kid"], header.get("zip").is_some()), (&json!("response-key"), compressed));
            if !compressed {
                let response: Value = serde_json::from_slice(&text).unwrap();
                assert!(response["credentials"][0]["credential"].is_string());
            }
        }
        // An encrypted request may ask for a plain answer, and plain requests still work.
        let nonce = scene.wallet.nonce(&scene.opened).await;
        let call = scene.wallet.credential_call(&token, &nonce);
        let jwe = Jwe::new(&key, &payload(&call, &json!({})));
        assert!(scene.wallet.send(encrypted(call, &jwe)).await.ok()["credentials"].is_array());
        scene.collect(&token).await;
    }

    /// ENC-2: keys by `kid` and `alg`, of this organisation alone and for nothing else; and no such member where nothing is
    /// encrypted.
    async fn the_metadata_say_how_requests_are_encrypted(world: &World) {
        let mut kids = BTreeSet::new();
        for (rule, required) in [("allowed", false), ("required", true)] {
            let scene = Scene::under(world, json!({"encryption": rule})).await;
            let offered = scene.opened.issuer["credential_request_encryption"].as_object().unwrap();
            let members: BTreeSet<&str> = offered.keys().map(String::as_str).collect();
            assert_eq!(members, ["enc_values_supported", "encryption_required", "jwks", "zip_values_supported"].into());
            assert_eq!((&offered["encryption_required"], offered["jwks"].as_object().unwrap().len()), (&json!(required), 1));
            let signing = world.http().get(&format!("{}/jwks", scene.operator.issuer())).await.ok();
            let signing: Vec<Value> = signing["keys"].as_array().unwrap().iter().map(|key| key["kid"].clone()).collect();
            for key in offered["jwks"]["keys"].as_array().unwrap() {
                let members: BTreeSet<&str> = key.as_object().unwrap().keys().map(String::as_str).collect();
                assert_eq!(members, ["alg", "crv", "kid", "kty", "use", "x", "y"].into());
                assert_eq!((&key["alg"], &key["use"]), (&json!("ECDH-ES"), &json!("enc")));
                assert!(!signing.contains(&key["kid"]), "a key that signs: {key}");
                assert!(kids.insert(key["kid"].as_str().unwrap().to_owned()), "twice: {key}");
            }
        }
        let off = Scene::under(world, json!({"encryption": "off"})).await;
        assert_eq!(off.opened.issuer.get("credential_request_encryption"), None);
    }

    /// ENC-7, ENC-8: what is required is required both ways, and the metadata say so.
    async fn plain_messages_are_refused_where_encryption_is_required(world: &World) {
        let scene = Scene::under(world, json!({"encryption": "required"})).await;
        for member in ["credential_request_encryption", "credential_response_encryption"] {
            assert_eq!(scene.opened.issuer[member]["encryption_required"], true);
        }
        let token = scene.redeem().await;
        let nonce = scene.wallet.nonce(&scene.opened).await;
        let call = scene.wallet.credential_call(&token, &nonce);
        scene.wallet.send(call).await.refused(400, "invalid_encryption_parameters");
        let call = scene.wallet.credential_call(&token, &nonce);
        let silent = Jwe::new(&published(&scene.opened), &payload(&call, &json!({})));
        scene.wallet.send(encrypted(call, &silent)).await.refused(400, "invalid_encryption_parameters");
        assert_eq!(scene.cause().await.message, "credential.encryption_invalid");
        let recipient = ResponseKey::new();
        let (call, jwe) = request(&scene, &token, &nonce, &recipient);
        let answer = scene.wallet.send(encrypted(call, &jwe)).await;
        assert_eq!(answer.status, 200, "{answer}");
        recipient.decrypt(&answer.text());
    }

    /// ENC-7, ENC-8: each direction has a rule of its own, and the metadata say which.
    async fn requests_and_responses_have_rules_of_their_own(world: &World) {
        for (response, offered, required) in [("allowed", true, false), ("off", false, false)] {
            let scene = Scene::under(world, json!({"encryption": "required", "responseEncryption": response})).await;
            assert_eq!(scene.opened.issuer["credential_request_encryption"]["encryption_required"], true);
            let metadata = scene.opened.issuer.get("credential_response_encryption");
            assert_eq!(metadata.map(|it| it["encryption_required"] == json!(true)), offered.then_some(required), "{response}");
            let token = scene.redeem().await;
            let nonce = scene.wallet.nonce(&scene.opened).await;
            let call = scene.wallet.credential_call(&token, &nonce);
            scene.wallet.send(call).await.refused(400, "invalid_encryption_parameters");
            let (call, jwe) = request(&scene, &token, &nonce, &ResponseKey::new());
            let answer = scene.wallet.send(encrypted(call, &jwe)).await;
            if offered {
                assert_eq!(answer.status, 200, "{response}: {answer}");
            } else {
                answer.refused(400, "invalid_encryption_parameters");
            }
            let nonce = scene.wallet.nonce(&scene.opened).await;
            let call = scene.wallet.credential_call(&token, &nonce);
            let plain = Jwe::new(&published(&scene.opened), &payload(&call, &json!({})));
            assert!(scene.wallet.send(encrypted(call, &plain)).await.ok()["credentials"].is_array(), "{response}");
        }
        let operator = world.organisation().await;
        for impossible in [json!({"responseEncryption": "required"}), json!({"responseEncryption": "sometimes"})] {
            let policy = "/v2/config/digital-wallet/openid/policy";
            operator.put(policy, impossible).await.problem_at(400, "/responseEncryption");
        }
    }

    /// SEC-10, SEC-13: nonsense is refused in the clear, explains itself, and uses nothing up.
    async fn requests_that_are_encrypted_wrongly_are_refused(world: &World) {
        let scene = Scene::under(world, json!({"encryption": "allowed"})).await;
        let stranger = Scene::under(world, json!({"encryption": "allowed"})).await;
        let token = scene.redeem().await;
        let nonce = scene.wallet.nonce(&scene.opened).await;
        let recipient = ResponseKey::new();
        let good = || request(&scene, &token, &nonce, &recipient).1;
        let mut bombed = good().with_header("zip", "DEF");
        bombed.payload = bomb(8200);
        let mut foreign = good();
        foreign.recipient = published(&stranger.opened);
        foreign.header.insert("kid".to_owned(), foreign.recipient["kid"].clone());
        let mut misnamed = good();
        misnamed.recipient = published(&stranger.opened);
        let off_curve = json!({"kty": "EC", "crv": "P-256", "x": Key::p256().jwk()["x"], "y": Key::p256().jwk()["y"]});
        for (what, reason, jwe) in [
            ("a bomb", "inflates to more than", bombed),
            ("zip of another kind", "zip of the JWE is \"GZIP\"", good().with_header("zip", "GZIP")),
            ("RSA", "alg of the JWE is \"RSA-OAEP-256\"", good().with_header("alg", "RSA-OAEP-256")),
            ("direct", "alg of the JWE is \"dir\"", good().with_header("alg", "dir")),
            ("no alg", "alg of the JWE is", good().with_header("alg", Value::Null)),
            ("key wrapping", "alg of the JWE is \"ECDH-ES+A256KW\"", good().with_header("alg", "ECDH-ES+A256KW")),
            ("CBC", "enc of the JWE is \"A128CBC-HS256\"", good().with_header("enc", "A128CBC-HS256")),
            ("A192GCM", "enc of the JWE is \"A192GCM\"", good().with_header("enc", "A192GCM")),
            ("an unknown key", "kid of the JWE is \"unknown\"", good().with_header("kid", "unknown")),
            ("no key", "has no kid", good().with_header("kid", Value::Null)),
            ("the key of another organisation", "kid of the JWE is", foreign),
            ("another key than it names", "cannot be decrypted", misnamed),
            ("critical extensions", "has crit", good().with_header("crit", json!(["exp"]))),
            ("a point beside the curve", "epk of the JWE is not usable", good().with_header("epk", off_curve)),
        ] {
            let call = scene.wallet.credential_call(&token, &nonce);
            let answer = scene.wallet.send(encrypted(call, &jwe)).await;
            assert_eq!(answer.status, 400, "{what}: {answer}");
            answer.refused(400, "invalid_encryption_parameters");
            let cause = scene.cause().await;
            assert_eq!(cause.message, "credential.encryption_invalid", "{what}");
            assert!(cause.reason.contains(reason), "{what}: {}", cause.reason);
        }
        let compact = good().compact();
        let signed_not_encrypted = scene.wallet.proof(&scene.opened, &nonce).compact();
        for garbage in [String::new(), "a.b.c.d.e".to_owned(), signed_not_encrypted, compact[..compact.len() - 4].to_owned()] {
            let mut call = scene.wallet.credential_call(&token, &nonce);
            call.proofs.clear();
            let call = call.with_bytes(garbage).with_content_type("application/jwt");
            scene.wallet.send(call).await.refused(400, "invalid_encryption_parameters");
        }
        let call = scene.wallet.credential_call(&token, &nonce);
        let answer = scene.wallet.send(encrypted(call, &good())).await;
        assert_eq!(answer.status, 200, "{answer}");
    }

    /// ENC-4, ENC-5: a key for the answer that cannot or must not be used is refused in the clear.
    async fn keys_for_the_answer_are_checked(world: &World) {
        let scene = Scene::under(world, json!({"encryption": "allowed"})).await;
        let token = scene.redeem().await;
        let nonce = scene.wallet.nonce(&scene.opened).await;
        let recipient = ResponseKey::new();
        let with = |name: &str, value: Value| {
            let mut jwk = recipient.jwk();
            if value.is_null() { jwk.as_object_mut().unwrap().shift_remove(name); } else { jwk[name] = value; }
            jwk
        };
        let private = with("d", json!("870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE"));
        let mut p384 = Key::p384().jwk();
        p384["alg"] = "ECDH-ES".into();
        for (what, wanted) in [
            ("private members", json!({"jwk": private, "enc": "A256GCM"})),
            ("no alg", json!({"jwk": with("alg", Value::Null), "enc": "A256GCM"})),
            ("alg in the place of drafts", json!({"jwk": with("alg", Value::Null), "alg": "ECDH-ES", "enc": "A256GCM"})),
            ("another alg", json!({"jwk": with("alg", json!("RSA-OAEP-256")), "enc": "A256GCM"})),
            ("a signature key", json!({"jwk": with("use", json!("sig")), "enc": "A256GCM"})),
            ("another curve", json!({"jwk": p384, "enc": "A256GCM"})),
            ("no enc", json!({"jwk": recipient.jwk()})),
            ("CBC", json!({"jwk": recipient.jwk(), "enc": "A256CBC-HS512"})),
            ("another zip", json!({"jwk": recipient.jwk(), "enc": "A256GCM", "zip": "LZ4"})),
            ("no key", json!({"enc": "A256GCM"})),
            ("no object", json!("A256GCM")),
        ] {
            let call = scene.wallet.credential_call(&token, &nonce);
            let jwe = Jwe::new(&published(&scene.opened), &payload(&call, &json!({"credential_response_encryption": wanted})));
            let answer = scene.wallet.send(encrypted(call, &jwe)).await;
            assert_eq!(answer.status, 400, "{what}: {answer}");
            answer.refused(400, "invalid_encryption_parameters");
            let cause = scene.cause().await;
            assert!(!cause.reason.contains("870MB6gfuTJ4"), "{cause:?}");
        }
        // ENC-7: who could read the request could have put in a key of theirs.
        let wanted = json!({"jwk": recipient.jwk(), "enc": "A256GCM"});
        let call = scene.wallet.credential_call(&token, &nonce).with_member("credential_response_encryption", wanted);
        scene.wallet.send(call).await.refused(400, "invalid_encryption_parameters");
        assert!(scene.cause().await.reason.contains("not itself encrypted"));
        // CRE-13: also when the refusal has another cause.
        let (call, jwe) = request(&scene, &token, "not-a-nonce", &recipient);
        scene.wallet.send(encrypted(call, &jwe)).await.refused(400, "invalid_nonce");
        scene.collect(&token).await;
    }

    /// A key is replaced after 30 days; what is under way with the old one is read for ten minutes more.
    async fn a_retired_key_decrypts_until_the_overlap_has_passed(world: &World) {
        let policy = json!({"encryption": "allowed", "accessTokenLifetime": 86_400});
        let mut scene = Scene::under(world, policy).await;
        let old = published(&scene.opened);
        world.advance(Duration::from_secs(30 * 86_400));
        // Metadata are kept for seconds of the machine's clock; a new process has none.
        world.restart().await;
        (scene.offer, scene.opened) = scene.another_offer().await;
        let new = published(&scene.opened);
        assert_ne!(old["kid"], new["kid"]);
        let keys = scene.opened.issuer["credential_request_encryption"]["jwks"]["keys"].as_array().unwrap();
        assert_eq!(keys.len(), 1, "a retired key is not published");
        let token = scene.redeem().await;
        let send = async |key: &Value| {
            let nonce = scene.wallet.nonce(&scene.opened).await;
            let call = scene.wallet.credential_call(&token, &nonce);
            let jwe = Jwe::new(key, &payload(&call, &json!({})));
            scene.wallet.send(encrypted(call, &jwe)).await
        };
        send(&old).await.ok();
        world.advance(Duration::from_secs(599));
        send(&old).await.ok();
        world.advance(Duration::from_secs(1));
        send(&old).await.refused(400, "invalid_encryption_parameters");
        assert!(scene.cause().await.reason.contains(new["kid"].as_str().unwrap()));
        send(&new).await.ok();
    }

    /// Nothing of an encrypted request or answer is readable in the database or the logs.
    async fn encrypted_messages_leave_no_trace_of_their_content(world: &World) {
        let scene = Scene::under(world, json!({"encryption": "required"})).await;
        let token = scene.redeem().await;
        let nonce = scene.wallet.nonce(&scene.opened).await;
        let recipient = ResponseKey::new();
        let (call, jwe) = request(&scene, &token, &nonce, &recipient);
        let answer = scene.wallet.send(encrypted(call, &jwe)).await;
        let (_, text) = recipient.decrypt(&answer.text());
        let response: Value = serde_json::from_slice(&text).unwrap();
        assert!(!world.gives_away(response["credentials"][0]["credential"].as_str().unwrap()).await);
        assert!(!world.gives_away("Vanderstraete").await);
        let records = scene.operator.records(&scene.offer.id).await;
        let record = records.iter().find(|record| record["message"] == "credential.request_decrypted").unwrap();
        assert_eq!(record["data"]["kid"], published(&scene.opened)["kid"]);
    }
}
