//! Holder keys in every form that key proofs may name them (OpenID4VCI Appendix F.1).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chancery_tests::certificates::Authority;
use chancery_tests::key::{base64url, did_url};
use chancery_tests::sd_jwt::parts;
use chancery_tests::{Jwt, Key, Timestamp, on_every_backend};

use super::*;

/// A scene whose configuration takes every binding method.
async fn every_method(world: &World, policy: Value) -> Scene {
    let operator = world.platform().organisation(json!({ "policy": policy })).await;
    let mut badge = samples::staff_badge();
    badge["credentialDefinitions"][0]["credentialBindingMethods"] = json!(["jwk", "did:key", "did:jwk"]);
    let definition = operator.define(&badge).await;
    Scene::of(world, operator, definition).await
}

/// The proof with its key named by `kid`.
fn named(proof: Jwt, kid: &str) -> Jwt {
    proof.with_header("jwk", Value::Null).with_header("kid", kid)
}

/// The proof with its key in a certificate chain.
fn certified(proof: Jwt, chain: &[Vec<u8>]) -> Jwt {
    let chain: Vec<String> = chain.iter().map(|certificate| STANDARD.encode(certificate)).collect();
    proof.with_header("jwk", Value::Null).with_header("x5c", chain)
}

/// Collects with a changed proof and answers the key that the credential is bound to.
async fn bound(scene: &Scene, token: &Token, change: impl FnOnce(Jwt) -> Jwt) -> Value {
    let nonce = scene.wallet.nonce(&scene.opened).await;
    let call = scene.wallet.credential_call(token, &nonce).with_proof(change);
    let response = scene.wallet.send(call).await.ok();
    parts(response["credentials"][0]["credential"].as_str().unwrap()).signed["cnf"]["jwk"].clone()
}

async fn refused(scene: &Scene, token: &Token, what: &str, change: impl FnOnce(Jwt) -> Jwt) -> Cause {
    let nonce = scene.wallet.nonce(&scene.opened).await;
    let call = scene.wallet.credential_call(token, &nonce).with_proof(change);
    let answer = scene.wallet.send(call).await;
    assert_eq!(answer.status, 400, "{what}: {answer}");
    answer.refused(400, "invalid_proof");
    scene.cause().await
}

on_every_backend! {
    /// PRF-1, PRF-4: a JWK in the header, of either algorithm.
    async fn a_credential_is_bound_to_the_jwk_of_the_proof(world: &World) {
        let mut scene = every_method(world, json!({})).await;
        let token = scene.redeem().await;
        for key in [Key::p256(), Key::ed25519()] {
            scene.wallet.holder_key = key.clone();
            // A kid inside the JWK is a member of the JWK and no second reference to a key.
            let jwk = bound(&scene, &token, |proof| {
                let mut jwk = key.jwk();
                jwk["kid"] = "7d288c43".into();
                proof.with_header("jwk", jwk)
            })
            .await;
            for member in ["kty", "crv", "x", "y"] {
                assert_eq!(jwk.get(member), key.jwk().get(member));
            }
        }
    }

    /// PRF-4: DIDs that resolve offline: did:key as a compressed point, as Ed25519 and as `jwk_jcs-pub`, and did:jwk.
    async fn a_credential_is_bound_to_the_key_of_a_did(world: &World) {
        let mut scene = every_method(world, json!({})).await;
        let token = scene.redeem().await;
        for key in [Key::p256(), Key::ed25519()] {
            scene.wallet.holder_key = key.clone();
            for did in [key.did_key(), key.did_key_jwk(), key.did_jwk()] {
                let jwk = bound(&scene, &token, |proof| named(proof, &did_url(&did))).await;
                for member in ["kty", "crv", "x", "y"] {
                    assert_eq!(jwk.get(member), key.jwk().get(member), "{did}");
                }
            }
        }
    }

    /// PRF-1, PRF-4: a chain that ends at an anchor of the policy; the key is that of the first certificate.
    async fn a_credential_is_bound_to_the_key_of_a_trusted_certificate(world: &World) {
        let authority = Authority::new(world.env.now());
        let policy = json!({"proofTrustAnchors": [STANDARD.encode(authority.certificate())]});
        let mut scene = every_method(world, policy).await;
        let (key, certificate) = authority.issue("wallet.example");
        scene.wallet.holder_key = key.clone();
        let token = scene.redeem().await;
        let jwk = bound(&scene, &token, |proof| certified(proof, std::slice::from_ref(&certificate))).await;
        assert_eq!(jwk, key.jwk());
        let (intermediate, between) = authority.delegate("intermediate.example");
        let (key, certificate) = intermediate.issue("wallet.example");
        scene.wallet.holder_key = key.clone();
        let jwk = bound(&scene, &token, |proof| certified(proof, &[certificate, between])).await;
        assert_eq!(jwk, key.jwk());
    }

    /// PRF-4: chains of strangers, broken chains, expired ones, and keys that are not in the certificate.
    async fn an_untrusted_or_broken_chain_is_refused(world: &World) {
        let now = world.env.now();
        let authority = Authority::new(now);
        let policy = json!({"proofTrustAnchors": [STANDARD.encode(authority.certificate())]});
        let mut scene = every_method(world, policy).await;
        let token = scene.redeem().await;
        let (key, trusted) = authority.issue("wallet.example");
        let stranger = Authority::new(now);
        let (strange_key, untrusted) = stranger.issue("wallet.example");
        let (_, between) = authority.delegate("intermediate.example");
        let (expired_key, expired) =
            authority.issue_until("wallet.example", Timestamp::from_seconds(now.seconds() - 1));
        scene.wallet.holder_key = key.clone();
        let chain = |certificates: &[&[u8]]| certificates.iter().map(|one| one.to_vec()).collect::<Vec<_>>();
        for (what, signer, certificates) in [
            ("a chain to a stranger", &strange_key, chain(&[&untrusted])),
            ("a stranger and the anchor", &strange_key, chain(&[&untrusted, authority.certificate()])),
            ("the key of another certificate", &strange_key, chain(&[&trusted])),
            ("an unrelated certificate in between", &strange_key, chain(&[&untrusted, &between])),
            ("an expired certificate", &expired_key, chain(&[&expired])),
            ("an empty chain", &key, Vec::new()),
            ("no certificate", &key, chain(&[b"certificate"])),
        ] {
            refused(&scene, &token, what, |mut proof| {
                proof.key = signer.clone();
                certified(proof, &certificates)
            })
            .await;
        }
        refused(&scene, &token, "base64url instead of base64", |proof| {
            proof.with_header("jwk", Value::Null).with_header("x5c", json!([base64url(&trusted)]))
        })
        .await;
        assert_eq!(bound(&scene, &token, |proof| certified(proof, &[trusted])).await, key.jwk());
    }

    /// PRF-4: without anchors in the policy no chain is trusted, not even a proper one.
    async fn a_chain_is_refused_when_the_policy_has_no_anchors(world: &World) {
        let authority = Authority::new(world.env.now());
        let mut scene = every_method(world, json!({})).await;
        let token = scene.redeem().await;
        let (key, certificate) = authority.issue("wallet.example");
        scene.wallet.holder_key = key;
        refused(&scene, &token, "no anchors", |proof| certified(proof, &[certificate])).await;
    }

    /// MET-9: a method that is not published is refused, and the transcript says which ones are.
    async fn a_binding_method_that_is_not_published_is_refused(world: &World) {
        let operator = world.organisation().await;
        let mut badge = samples::staff_badge();
        badge["credentialDefinitions"][0]["credentialBindingMethods"] = json!(["jwk"]);
        let definition = operator.define(&badge).await;
        let scene = Scene::of(world, operator, definition).await;
        let token = scene.redeem().await;
        let key = scene.wallet.holder_key.clone();
        for did in [key.did_key(), key.did_key_jwk(), key.did_jwk()] {
            let cause = refused(&scene, &token, &did, |proof| named(proof, &did_url(&did))).await;
            assert_eq!(cause.message, "credential.proof_invalid");
        }
        scene.collect(&token).await;
    }

    /// PRF-3: an algorithm that is not published is refused, although the key and the signature are good.
    async fn an_algorithm_that_is_not_published_is_refused(world: &World) {
        let mut scene = every_method(world, json!({"proofAlgorithms": ["ES256"]})).await;
        scene.wallet.dpop_key = None;
        let token = scene.redeem().await;
        for key in [Key::ed25519(), Key::p384()] {
            scene.wallet.holder_key = key.clone();
            refused(&scene, &token, key.algorithm(), |proof| proof).await;
            refused(&scene, &token, key.algorithm(), |proof| named(proof, &did_url(&key.did_key()))).await;
        }
    }

    /// An organisation that admits ES384 gets it.
    async fn p_384_is_accepted_where_the_policy_has_it(world: &World) {
        let mut scene = every_method(world, json!({"proofAlgorithms": ["ES256", "ES384", "EdDSA"]})).await;
        scene.wallet.holder_key = Key::p384();
        scene.wallet.dpop_key = Some(Key::p384());
        let token = scene.redeem().await;
        assert_eq!(bound(&scene, &token, |proof| proof).await["crv"], "P-384");
    }

    /// PRF-4, captured-traffic rule 18: a DID URL names exactly the key that signed, in the one canonical spelling.
    async fn a_did_that_does_not_name_the_signing_key_is_refused(world: &World) {
        let scene = every_method(world, json!({})).await;
        let token = scene.redeem().await;
        let key = scene.wallet.holder_key.clone();
        let (did, other) = (key.did_key(), Key::p256().did_key());
        let identifier = did.strip_prefix("did:key:").unwrap();
        let jwk_did = key.did_key_jwk();
        // The same JWK with its members in another order is not canonical (RFC 8785).
        let jwk = key.jwk();
        let reordered = format!("{{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":{},\"y\":{}}}", jwk["x"], jwk["y"]);
        let uncanonical = [&[0xd1, 0xd6, 0x03], reordered.as_bytes()].concat();
        let uncanonical = format!("did:key:z{}", bs58::encode(uncanonical).into_string());
        let mut private = jwk.clone();
        private["d"] = "AAAA".into();
        let kids = [
            ("another fragment", format!("{did}#{}", &other["did:key:".len()..])),
            ("an empty fragment", format!("{did}#")),
            ("another DID", did_url(&other)),
            ("another base", did_url(&did.replacen(":z", ":m", 1))),
            ("a cut identifier", did_url(&did[..did.len() - 1])),
            ("a changed identifier", did_url(&change_middle(&did))),
            ("a changed JWK", did_url(&change_middle(&jwk_did))),
            ("members out of order", did_url(&uncanonical)),
            ("a private did:jwk", did_url(&format!("did:jwk:{}", base64url(private.to_string().as_bytes())))),
            ("a did:jwk that is no JWK", "did:jwk:e30#0".to_owned()),
            ("another fragment of did:jwk", format!("{}#1", key.did_jwk())),
            ("another method", format!("did:web:issuer.example#{identifier}")),
            ("no DID", key.thumbprint()),
            ("nothing", String::new()),
        ];
        for (what, kid) in kids {
            refused(&scene, &token, what, |proof| named(proof, &kid)).await;
        }
        assert_eq!(bound(&scene, &token, |proof| named(proof, &did_url(&did))).await, key.jwk());
    }
}

/// The text with one base58 character in its middle changed.
fn change_middle(did: &str) -> String {
    let at = did.len() / 2;
    let other = if &did[at..=at] == "x" { "y" } else { "x" };
    format!("{}{other}{}", &did[..at], &did[at + 1..])
}
