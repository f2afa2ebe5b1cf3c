//! Wallet attestations and client assertions (OpenID4VCI Appendix E, RFC 7523).

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chancery_tests::certificates::Authority;
use chancery_tests::key::random;
use chancery_tests::{Call, Damage, Jwt, Key, Provider, on_every_backend};
use reqwest::Method;

use super::*;

const ATTESTATION: &str = "oauth-client-attestation";
const POLICY: &str = "/v2/config/digital-wallet/openid/policy";
const PROOF: &str = "oauth-client-attestation-pop";

/// A scene whose organisation treats attestations so, and whose wallet has one.
async fn attested(world: &World, rule: &str, further: Value) -> (Scene, Provider) {
    let provider = Provider::new("https://wallet.example");
    let mut policy = json!({"walletAttestation": rule, "trustAnchors": provider.trust_anchors()});
    policy.as_object_mut().unwrap().extend(further.as_object().unwrap().clone());
    let mut scene = Scene::under(world, policy).await;
    scene.wallet.provider = Some(provider.clone());
    scene.wallet.client_id = Some(provider.client_id.clone());
    (scene, provider)
}

/// The token request with these two headers in place of its own.
fn with(scene: &Scene, attestation: Option<&Jwt>, proof: Option<&Jwt>) -> Call {
    let mut call = scene.wallet.token_call(&scene.opened).without_header(ATTESTATION).without_header(PROOF);
    for (name, jwt) in [(ATTESTATION, attestation), (PROOF, proof)] {
        if let Some(jwt) = jwt {
            call = call.with_header(name, &jwt.compact());
        }
    }
    call
}

on_every_backend! {
    /// WAT-4, WAT-10: where attestations are enforced, a wallet with one is served and one without is not; metadata say so.
    async fn an_attested_wallet_is_served_where_attestations_are_enforced(world: &World) {
        let (scene, provider) = attested(world, "enforce", json!({})).await;
        let server = &scene.opened.authorization_server;
        assert_eq!(server["token_endpoint_auth_methods_supported"], json!(["attest_jwt_client_auth", "attest_jwt_client_auth_dpop"]));
        assert_eq!(server["challenge_endpoint"], format!("{}/challenge", scene.operator.issuer()));
        scene.wallet.send(with(&scene, None, None)).await.refused(400, "invalid_client");
        assert_eq!(scene.cause().await.message, "token.wallet_attestation_missing");
        scene.redeem().await;
        let records = scene.operator.records(&scene.offer.id).await;
        let attested = records.iter().find(|record| record["message"] == "client.attested").unwrap();
        assert_eq!(attested["data"]["instance_jkt"], provider.instance_key.thumbprint());
        assert_eq!(attested["data"]["wallet_name"], "Test wallet");
    }

    /// A definition may enforce attestations alone: a wallet without one gets what other definitions have, and nothing of
    /// this one, and the metadata say that attestations are taken.
    async fn a_definition_may_enforce_attestations_by_itself(world: &World) {
        let provider = Provider::new("https://wallet.example");
        let policy = json!({"trustAnchors": provider.trust_anchors()});
        let operator = world.platform().organisation(json!({ "policy": policy })).await;
        let open = operator.define(&samples::staff_badge()).await;
        let mut body = samples::staff_badge();
        body["label"] = "Guarded badge".into();
        body["enforceWUA"] = true.into();
        body["credentialDefinitions"][0]["vct"] = "https://types.example/guarded/1".into();
        let guarded = operator.define(&body).await;
        assert_eq!(guarded["enforceWUA"], true);
        let mut scene = Scene::of(world, operator.clone(), guarded).await;
        let methods = &scene.opened.authorization_server["token_endpoint_auth_methods_supported"];
        assert!(methods.as_array().unwrap().contains(&json!("attest_jwt_client_auth")), "{methods}");
        scene.wallet.send(scene.wallet.token_call(&scene.opened)).await.refused(400, "invalid_client");
        assert_eq!(scene.cause().await.message, "token.wallet_attestation_missing");
        let other = operator.offer(&open, &samples::staff_claims()).await;
        world.wallet().accept(&other.link).await;
        scene.wallet.provider = Some(Provider { key: Key::p256(), ..provider.clone() });
        scene.wallet.client_id = Some(provider.client_id.clone());
        scene.wallet.send(scene.wallet.token_call(&scene.opened)).await.refused(400, "invalid_client_attestation");
        scene.wallet.provider = Some(provider);
        scene.collect(&scene.redeem().await).await;
    }

    /// WAT-1 to WAT-5, WAT-7: every way in which an attestation can be wrong, and that the transcript names the cause.
    async fn a_wrong_attestation_is_refused_where_attestations_are_enforced(world: &World) {
        let (scene, provider) = attested(world, "enforce", json!({})).await;
        let issuer = scene.operator.issuer().to_owned();
        let env = scene.wallet.env();
        let now = env.now().seconds();
        let attestation = || provider.attestation(env);
        let proof = || provider.proof(env, &issuer, None);
        let invalid = "invalid_client_attestation";
        let stranger = Provider { key: Key::p256(), ..provider.clone() };
        let thief = Provider { instance_key: Key::p256(), ..provider.clone() };
        for (what, call, error, reason) in [
            ("an unknown provider", with(&scene, Some(&stranger.attestation(env)), Some(&proof())), invalid, "not in the list `wallet providers`"),
            ("another's key", with(&scene, Some(&attestation()), Some(&thief.proof(env, &issuer, None))), invalid, "PoP"),
            ("a damaged attestation", with(&scene, Some(&attestation().with_damage(Damage::Signature)), Some(&proof())), invalid, "client attestation"),
            ("expired", with(&scene, Some(&attestation().with_claim("exp", now - 1)), Some(&proof())), "use_fresh_attestation", "expired 1 s ago"),
            ("another client", with(&scene, Some(&attestation().with_claim("sub", "https://other.example")), Some(&proof())), invalid, "`sub`"),
            ("the URL of an endpoint", with(&scene, Some(&attestation()), Some(&proof().with_claim("aud", format!("{issuer}/token")))), invalid, "`aud`"),
            ("an old proof", with(&scene, Some(&attestation()), Some(&proof().with_claim("iat", now - 600))), invalid, "600 s old"),
            ("a made-up challenge", with(&scene, Some(&attestation()), Some(&proof().with_claim("challenge", random(48)))), "use_attestation_challenge", "not issued by this issuer"),
            ("only a proof", with(&scene, None, Some(&proof())), invalid, "is missing"),
            ("no proof of the key at all", with(&scene, Some(&attestation()), None), invalid, "DPoP proof is by the key"),
            ("two attestations", with(&scene, Some(&attestation()), Some(&proof())).with_header(ATTESTATION, &attestation().compact()), invalid, "2 values"),
            ("another typ", with(&scene, Some(&attestation().with_header("typ", "JWT")), Some(&proof())), invalid, "`typ`"),
        ] {
            let answer = scene.wallet.send(call).await;
            assert_eq!((answer.status, answer.json()["error"].as_str()), (400, Some(error)), "{what}: {answer}");
            let cause = scene.cause().await;
            assert!(cause.reason.contains(reason), "{what}: {}", cause.reason);
        }
        scene.redeem().await;
    }

    /// PAR-7: `client_id` of a pushed request is the `sub` of the attestation and the `iss` of its proof.
    async fn a_pushed_request_is_of_the_client_that_is_attested(world: &World) {
        let (scene, provider) = attested(world, "enforce", json!({})).await;
        let issuer = scene.operator.issuer();
        let (env, id) = (scene.wallet.env(), configuration_id(&scene.opened));
        let push = async |client_id: &str, attestation: Jwt, proof: Jwt| {
            let call = scene.wallet.par_call(issuer, id).without_header(ATTESTATION).without_header(PROOF);
            let call = call.with_field("client_id", client_id);
            let call = call.with_header(ATTESTATION, &attestation.compact()).with_header(PROOF, &proof.compact());
            scene.wallet.send(call).await
        };
        let (attestation, proof) = (|| provider.attestation(env), || provider.proof(env, issuer, None));
        let (own, other) = (provider.client_id.as_str(), "https://other.example");
        for (client_id, attestation, proof) in [
            (other, attestation(), proof()),
            (own, attestation().with_claim("sub", other), proof()),
            (own, attestation(), proof().with_claim("iss", other)),
        ] {
            push(client_id, attestation, proof).await.refused(400, "invalid_client_attestation");
        }
        assert_eq!(push(own, attestation(), proof()).await.status, 201);
    }

    /// WAT-8: an attestation with a long chain fills a header of 8 kB, and is good for one request after another.
    async fn a_large_attestation_is_good_for_many_requests(world: &World) {
        let (scene, provider) = attested(world, "enforce", json!({})).await;
        let issuer = scene.operator.issuer();
        let filling = |length: usize| provider.attestation(scene.wallet.env()).with_claim("wallet_link", "x".repeat(length));
        let missing = 8192 - filling(0).compact().len();
        // Four characters of base64url say three bytes.
        let attestation = filling(missing / 4 * 3).compact();
        assert!((8150..=8192).contains(&attestation.len()), "{}", attestation.len());
        let present = |call: Call| {
            let call = call.without_header(ATTESTATION).without_header(PROOF).with_header(ATTESTATION, &attestation);
            call.with_header(PROOF, &provider.proof(scene.wallet.env(), issuer, None).compact())
        };
        let par = scene.wallet.par_call(issuer, configuration_id(&scene.opened));
        assert_eq!(scene.wallet.send(present(par)).await.status, 201);
        scene.wallet.send(present(scene.wallet.token_call(&scene.opened))).await.ok();
        let (_, opened) = scene.another_offer().await;
        scene.wallet.send(present(scene.wallet.token_call(&opened))).await.ok();
    }

    /// WAT-10: under `haip` a client authenticates at the PAR and the token endpoint, by an attestation whose chain leads to
    /// an anchor, does not hold it, and does not begin with a certificate that signs itself.
    async fn under_haip_an_attestation_has_a_chain_without_its_anchor(world: &World) {
        let authority = Authority::new(world.env.now());
        let (key, leaf) = authority.issue("Wallet provider");
        let anchor = authority.certificate();
        let provider = Provider { key, ..Provider::new("https://wallet.example") };
        let mut keys = provider.trust_anchors()["walletProviders"].clone();
        keys["certificates"] = json!([STANDARD.encode(anchor)]);
        let policy = json!({"profile": "haip", "trustAnchors": {"walletProviders": keys}});
        let operator = world.platform().organisation(json!({ "policy": policy })).await;
        operator.certify(&authority).await;
        let mut scene = Scene::at(world, operator).await;
        scene.wallet.client_id = Some(provider.client_id.clone());
        let issuer = scene.operator.issuer().to_owned();
        let par = || scene.wallet.par_call(&issuer, configuration_id(&scene.opened));
        let token = || scene.wallet.token_call(&scene.opened);
        let vouched = |call: Call, chain: &[&[u8]]| {
            let x5c: Vec<String> = chain.iter().map(|der| STANDARD.encode(der)).collect();
            let attestation = provider.attestation(scene.wallet.env()).with_header("kid", Value::Null);
            let attestation = if x5c.is_empty() { attestation } else { attestation.with_header("x5c", x5c) };
            let proof = provider.proof(scene.wallet.env(), &issuer, None);
            call.with_header(ATTESTATION, &attestation.compact()).with_header(PROOF, &proof.compact())
        };
        for call in [par(), token()] {
            scene.wallet.send(call).await.refused(400, "invalid_client");
        }
        let wrong: [(&str, &[&[u8]]); 3] =
            [("no chain", &[]), ("with its anchor", &[&leaf, anchor]), ("an anchor alone", &[anchor])];
        for (what, chain) in wrong {
            for call in [par(), token()] {
                let answer = scene.wallet.send(vouched(call, chain)).await;
                let error = answer.json()["error"].as_str().map(str::to_owned);
                assert_eq!((answer.status, error.as_deref()), (400, Some("invalid_client_attestation")), "{what}: {answer}");
            }
        }
        assert_eq!(scene.wallet.send(vouched(par(), &[&leaf])).await.status, 201);
        scene.wallet.send(vouched(token(), &[&leaf])).await.ok();
    }

    /// WAT-5: an attestation that was accepted a moment ago is worth nothing once its provider is no longer trusted, and a
    /// change of its text is noticed.
    async fn an_accepted_attestation_is_checked_anew_when_the_trusted_providers_change(world: &World) {
        let (first, provider) = attested(world, "enforce", json!({})).await;
        let (operator, definition) = (first.operator.clone(), first.definition.clone());
        let attestation = provider.attestation(first.wallet.env());
        let ask = async |attestation: &Jwt| {
            let mut scene = Scene::of(world, operator.clone(), definition.clone()).await;
            scene.wallet.client_id = Some(provider.client_id.clone());
            let proof = provider.proof(scene.wallet.env(), operator.issuer(), None);
            scene.wallet.send(with(&scene, Some(attestation), Some(&proof))).await
        };
        ask(&attestation).await.ok();
        ask(&attestation.clone().with_damage(Damage::Signature)).await.refused(400, "invalid_client_attestation");
        let other = Provider::new("https://wallet.example");
        let policy = json!({"walletAttestation": "enforce", "trustAnchors": other.trust_anchors()});
        operator.put(POLICY, policy).await.ok();
        ask(&attestation).await.refused(400, "invalid_client_attestation");
    }

    /// WAT-7: the `jti` of a proof of possession works once.
    async fn a_proof_of_possession_works_once(world: &World) {
        let (scene, provider) = attested(world, "enforce", json!({})).await;
        let (attestation, proof) = (provider.attestation(scene.wallet.env()), provider.proof(scene.wallet.env(), scene.operator.issuer(), None));
        scene.wallet.send(with(&scene, Some(&attestation), Some(&proof))).await.ok();
        let (_, opened) = scene.another_offer().await;
        let call = scene.wallet.token_call(&opened).without_header(ATTESTATION).without_header(PROOF);
        let call = call.with_header(ATTESTATION, &attestation.compact()).with_header(PROOF, &proof.compact());
        scene.wallet.send(call).await.refused(400, "invalid_client");
    }

    /// WAT-9: without a proof of possession, a DPoP proof of the attested key takes its place.
    async fn a_dpop_proof_of_the_attested_key_is_enough(world: &World) {
        let (mut scene, provider) = attested(world, "enforce", json!({})).await;
        scene.wallet.dpop_key = Some(provider.instance_key.clone());
        let attestation = provider.attestation(scene.wallet.env());
        scene.wallet.send(with(&scene, Some(&attestation), None)).await.ok();
    }

    /// Where attestations are observed, nobody is refused for one, and the transcript says what was wrong.
    async fn a_wrong_attestation_is_only_noted_where_attestations_are_observed(world: &World) {
        let (mut scene, provider) = attested(world, "observe", json!({})).await;
        scene.wallet.provider = Some(Provider { key: Key::p256(), ..provider });
        scene.redeem().await;
        let records = scene.operator.records(&scene.offer.id).await;
        let noted = records.iter().find(|record| record["message"] == "client.attestation_observed").unwrap();
        assert_eq!(noted["level"], "warning");
        assert!(noted["data"]["reason"].as_str().unwrap().contains("not in the list `wallet providers`"), "{noted}");
    }

    /// Where attestations are observed, a repeated proof refuses nobody either, and an attestation binds nothing: who comes
    /// back without one is served.
    async fn an_observed_attestation_refuses_nobody_whatever_becomes_of_it(world: &World) {
        let (mut scene, provider) = attested(world, "observe", json!({"refreshTokens": true})).await;
        let proof = provider.proof(scene.wallet.env(), scene.operator.issuer(), None).compact();
        let attestation = provider.attestation(scene.wallet.env()).compact();
        let again = |call: Call| {
            let call = call.without_header(ATTESTATION).without_header(PROOF);
            call.with_header(ATTESTATION, &attestation).with_header(PROOF, &proof)
        };
        scene.wallet.send(again(scene.wallet.token_call(&scene.opened))).await.ok();
        let (offer, opened) = scene.another_offer().await;
        let response = scene.wallet.send(again(scene.wallet.token_call(&opened))).await.ok();
        let records = scene.operator.records(&offer.id).await;
        let noted = records.iter().find(|record| record["message"] == "client.attestation_observed").unwrap();
        assert!(noted["data"]["reason"].as_str().unwrap().contains("used"), "{noted}");
        let refresh = scene.wallet.refresh_call(scene.operator.issuer(), response["refresh_token"].as_str().unwrap());
        scene.wallet.send(again(refresh)).await.ok();
        let par = scene.wallet.par_call(scene.operator.issuer(), configuration_id(&scene.opened));
        for _ in 0..2 {
            let par = scene.wallet.par_call(scene.operator.issuer(), configuration_id(&scene.opened));
            assert_eq!(scene.wallet.send(again(par)).await.status, 201);
        }
        assert_eq!(scene.wallet.send(par).await.status, 201);

        scene.wallet.provider = None;
        let refresh = scene.wallet.refresh_call(scene.operator.issuer(), response["refresh_token"].as_str().unwrap());
        scene.wallet.send(refresh).await.ok();
        let thief = scene.wallet.with_fresh_dpop_key();
        let refresh = thief.refresh_call(scene.operator.issuer(), response["refresh_token"].as_str().unwrap());
        thief.send(refresh).await.refused(400, "invalid_grant");
    }

    /// WAT-5: where only a definition enforces attestations, a demanded challenge is handed out with the refusal all the same.
    async fn a_definition_that_enforces_attestations_hands_out_challenges(world: &World) {
        let provider = Provider::new("https://wallet.example");
        let policy = json!({"trustAnchors": provider.trust_anchors(), "dpopNonce": "require"});
        let operator = world.platform().organisation(json!({ "policy": policy })).await;
        let mut body = samples::staff_badge();
        body["enforceWUA"] = true.into();
        let guarded = operator.define(&body).await;
        let mut scene = Scene::of(world, operator.clone(), guarded).await;
        scene.wallet.provider = Some(provider.clone());
        scene.wallet.client_id = Some(provider.client_id.clone());
        let refused = scene.wallet.send_with_nonce(scene.wallet.token_call(&scene.opened)).await;
        refused.refused(400, "use_attestation_challenge");
        let challenge = refused.header("oauth-client-attestation-challenge").expect("a challenge");
        let proof = provider.proof(scene.wallet.env(), operator.issuer(), Some(challenge));
        let attestation = provider.attestation(scene.wallet.env());
        scene.wallet.send_with_nonce(with(&scene, Some(&attestation), Some(&proof))).await.ok();

        // Where nobody looks at attestations there are no challenges either.
        let open = Scene::new(world).await;
        let answer = open.wallet.send(open.wallet.token_call(&open.opened)).await;
        assert_eq!((answer.status, answer.header("oauth-client-attestation-challenge")), (200, None));
    }

    /// WAT-6: challenges of the endpoint and of the header are accepted; where nonces are demanded, so are challenges.
    async fn challenges_are_handed_out_and_demanded_like_nonces(world: &World) {
        let (scene, provider) = attested(world, "enforce", json!({"dpopNonce": "require"})).await;
        let issuer = scene.operator.issuer().to_owned();
        let answer = scene.wallet.send(Call::new(Method::POST, &format!("{issuer}/challenge"))).await;
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let challenge = answer.ok()["attestation_challenge"].as_str().unwrap().to_owned();
        let refused = scene.wallet.send_with_nonce(scene.wallet.token_call(&scene.opened)).await;
        refused.refused(400, "use_attestation_challenge");
        let in_header = refused.header("oauth-client-attestation-challenge").unwrap().to_owned();
        let attestation = provider.attestation(scene.wallet.env());
        for challenge in [challenge, in_header] {
            let (_, opened) = scene.another_offer().await;
            let proof = provider.proof(scene.wallet.env(), &issuer, Some(&challenge));
            let call = scene.wallet.token_call(&opened).without_header(ATTESTATION).without_header(PROOF);
            let call = call.with_header(ATTESTATION, &attestation.compact()).with_header(PROOF, &proof.compact());
            scene.wallet.send_with_nonce(call).await.ok();
        }
        world.advance(Duration::from_secs(400));
        let (_, opened) = scene.another_offer().await;
        let proof = provider.proof(scene.wallet.env(), &issuer, refused.header("oauth-client-attestation-challenge"));
        let call = scene.wallet.token_call(&opened).without_header(ATTESTATION).without_header(PROOF);
        let call = call.with_header(ATTESTATION, &provider.attestation(scene.wallet.env()).compact());
        let call = call.with_header(PROOF, &proof.compact());
        scene.wallet.send_with_nonce(call).await.refused(400, "use_attestation_challenge");
    }

    /// RFC 7523: a client with registered keys must use them, each assertion once, and only for this server.
    async fn a_client_with_registered_keys_must_use_them(world: &World) {
        let key = Key::p256();
        let client = json!({"clientId": "wallet-dev", "jwks": {"keys": [key.jwk()]}});
        let mut scene = Scene::under(world, json!({"clients": {"registered": [client]}})).await;
        scene.wallet.client_id = Some("wallet-dev".to_owned());
        assert!(scene.opened.authorization_server["token_endpoint_auth_methods_supported"].to_string().contains("private_key_jwt"));
        let now = scene.wallet.env().now().seconds();
        let assertion = |key: &Key| {
            let claims = json!({"iss": "wallet-dev", "sub": "wallet-dev", "aud": scene.operator.issuer(), "jti": random(16), "exp": now + 60});
            Jwt::new(key, json!({}), claims)
        };
        let with = |assertion: &Jwt| {
            let call = scene.wallet.token_call(&scene.opened);
            call.with_field("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
                .with_field("client_assertion", &assertion.compact())
        };
        scene.wallet.send(scene.wallet.token_call(&scene.opened)).await.refused(400, "invalid_client");
        let endpoint = format!("{}/token", scene.operator.issuer());
        for wrong in [
            assertion(&Key::p256()),
            assertion(&key).with_claim("aud", endpoint),
            assertion(&key).with_claim("sub", "other"),
            assertion(&key).with_claim("exp", now - 1),
            assertion(&key).with_damage(Damage::Signature),
        ] {
            scene.wallet.send(with(&wrong)).await.refused(400, "invalid_client");
        }
        let good = assertion(&key);
        scene.wallet.send(with(&good)).await.ok();
        let (_, opened) = scene.another_offer().await;
        let again = scene.wallet.token_call(&opened)
            .with_field("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
            .with_field("client_assertion", &good.compact());
        scene.wallet.send(again).await.refused(400, "invalid_client");
    }
}
