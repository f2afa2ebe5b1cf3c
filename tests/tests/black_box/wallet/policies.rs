//! Policies: each switch alone, and whether the metadata say what is enforced.

use chancery_tests::certificates::Authority;
use chancery_tests::jwe::{Jwe, ResponseKey};
use chancery_tests::jwt::decode;
use chancery_tests::key::did_url;
use chancery_tests::platform::ORGANISATIONS;
use chancery_tests::wallet::well_known;
use chancery_tests::{Answer, Key, on_every_backend};

use super::*;

const PROVIDER: &str = "/v2/config/digital-wallet/openid/identity-provider";

fn configuration(opened: &Opened) -> &Value {
    opened.issuer["credential_configurations_supported"].as_object().unwrap().values().next().unwrap()
}

async fn metadata(world: &World, issuer: &str, headers: &[(&str, &str)]) -> Answer {
    let url = well_known(issuer, "openid-credential-issuer");
    let mut request = world.http().request(reqwest::Method::GET, &url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    world.http().send(request).await
}

fn key_set(key: &Key) -> Value {
    json!({"jwks": {"keys": [key.jwk()]}})
}

on_every_backend! {
    /// Flow 11: a switch that is set alone changes what is published and what is done, and nothing else is needed.
    async fn the_metadata_say_what_each_switch_enforces(world: &World) {
        // A binding method that is not named is not taken.
        let scene = Scene::under(world, json!({"bindingMethods": ["jwk"]})).await;
        let mut badge = samples::staff_badge();
        badge["label"] = "Other badge".into();
        badge["credentialDefinitions"][0].as_object_mut().unwrap().shift_remove("credentialBindingMethods");
        let definition = scene.operator.define(&badge).await;
        let scene = Scene::of(world, scene.operator, definition).await;
        let published = scene.opened.issuer["credential_configurations_supported"]["other-badge"].clone();
        assert_eq!(published["cryptographic_binding_methods_supported"], json!(["jwk"]));
        let token = scene.redeem().await;
        let nonce = scene.wallet.nonce(&scene.opened).await;
        let kid = did_url(&scene.wallet.holder_key.did_key());
        let call = scene.wallet.credential_call(&token, &nonce);
        let call = call.with_proof(|proof| proof.with_header("jwk", Value::Null).with_header("kid", kid));
        scene.wallet.send(call).await.refused(400, "invalid_proof");
        scene.collect(&token).await;

        // An algorithm that is not named is not taken, in key proofs and DPoP proofs.
        let mut scene = Scene::under(world, json!({"proofAlgorithms": ["ES256"]})).await;
        let jwt = &configuration(&scene.opened)["proof_types_supported"]["jwt"];
        assert_eq!(jwt["proof_signing_alg_values_supported"], json!(["ES256"]));
        assert_eq!(scene.opened.authorization_server["dpop_signing_alg_values_supported"], json!(["ES256"]));
        let token = scene.redeem().await;
        let good = scene.wallet.holder_key.clone();
        scene.wallet.holder_key = Key::ed25519();
        let nonce = scene.wallet.nonce(&scene.opened).await;
        scene.wallet.send(scene.wallet.credential_call(&token, &nonce)).await.refused(400, "invalid_proof");
        scene.wallet.holder_key = good;
        scene.collect(&token).await;

        // An algorithm of an entry stands in the place of the organisation's.
        let operator = world.organisation().await;
        let mut badge = samples::staff_badge();
        badge["credentialDefinitions"][0]["proofAlgorithms"] = json!(["ES384"]);
        let definition = operator.define(&badge).await;
        assert_eq!(definition["credentialDefinitions"][0]["proofAlgorithms"], json!(["ES384"]));
        let mut scene = Scene::of(world, operator, definition).await;
        let jwt = &configuration(&scene.opened)["proof_types_supported"]["jwt"];
        assert_eq!(jwt["proof_signing_alg_values_supported"], json!(["ES384"]));
        let token = scene.redeem().await;
        let nonce = scene.wallet.nonce(&scene.opened).await;
        scene.wallet.send(scene.wallet.credential_call(&token, &nonce)).await.refused(400, "invalid_proof");
        scene.wallet.holder_key = Key::p384();
        scene.collect(&token).await;

        // Encryption, all three ways.
        for rule in ["off", "allowed", "required"] {
            let scene = Scene::under(world, json!({"encryption": rule})).await;
            let request = &scene.opened.issuer["credential_request_encryption"];
            let response = &scene.opened.issuer["credential_response_encryption"];
            assert_eq!(request.is_object(), rule != "off", "{rule}");
            assert_eq!(response.is_object(), request.is_object(), "both or none: {rule}");
            let token = scene.redeem().await;
            let nonce = scene.wallet.nonce(&scene.opened).await;
            let answer = scene.wallet.send(scene.wallet.credential_call(&token, &nonce)).await;
            assert_eq!(answer.status == 200, rule != "required", "{rule}: {answer}");
            assert_eq!(request["encryption_required"] == true, rule == "required");
        }

        // Pushed requests: where nothing else is taken, and only there, the metadata say so (RFC 9126 §5).
        for rule in ["accept", "require"] {
            let policy = json!({"pushedAuthorization": rule});
            let operator = world.platform().organisation(json!({ "policy": policy })).await;
            let provider = json!({"issuer": "https://id.example", "clientId": "chancery", "clientSecret": "s3cret"});
            operator.put(PROVIDER, provider).await.ok();
            let scene = Scene::at(world, operator).await;
            let server = &scene.opened.authorization_server;
            let required = server["require_pushed_authorization_requests"].as_bool();
            assert_eq!(required, Some(rule == "require"), "{rule}");
        }

        // Key attestation of one entry.
        let attester = Key::p256();
        let policy = json!({"trustAnchors": {"keyAttesters": key_set(&attester)}});
        let operator = world.platform().organisation(json!({ "policy": policy })).await;
        let mut badge = samples::staff_badge();
        badge["credentialDefinitions"][0]["requireKeyAttestation"] = true.into();
        badge["credentialDefinitions"][0]["keyStorage"] = json!(["iso_18045_high"]);
        let definition = operator.define(&badge).await;
        let scene = Scene::of(world, operator, definition).await;
        let jwt = &configuration(&scene.opened)["proof_types_supported"]["jwt"];
        assert_eq!(jwt["key_attestations_required"], json!({"key_storage": ["iso_18045_high"]}));
        let token = scene.redeem().await;
        let nonce = scene.wallet.nonce(&scene.opened).await;
        scene.wallet.send(scene.wallet.credential_call(&token, &nonce)).await.refused(400, "invalid_proof");

        // DPoP nonces: handed out on every answer, refusals included, unless they are off.
        for rule in ["off", "accept", "require"] {
            let scene = Scene::under(world, json!({"dpopNonce": rule})).await;
            let refused = scene.wallet.send(scene.wallet.token_call(&scene.opened).with_field("grant_type", "x")).await;
            assert_eq!(refused.header("dpop-nonce").is_some(), rule != "off", "{rule}: {refused}");
            let answer = scene.wallet.send(scene.wallet.token_call(&scene.opened)).await;
            assert_eq!(answer.status == 200, rule != "require", "{rule}: {answer}");
            assert_eq!(answer.header("dpop-nonce").is_some(), rule != "off");
        }
    }

    /// ASM-2: what the authorization server takes is in its metadata: scopes, and algorithms and methods of what proves a client.
    async fn the_metadata_name_scopes_and_what_proves_a_client(world: &World) {
        let provider = Key::p256();
        let policy = json!({"walletAttestation": "observe", "proofAlgorithms": ["ES256"],
            "trustAnchors": {"walletProviders": key_set(&provider)}});
        let operator = world.platform().organisation(json!({ "policy": policy })).await;
        let connection = json!({"issuer": "https://id.example", "clientId": "chancery", "clientSecret": "s3cret"});
        operator.put(PROVIDER, connection).await.ok();
        let mut badge = samples::staff_badge();
        badge["credentialDefinitions"][0]["authorizationRequestType"] = "scope_based".into();
        badge["credentialDefinitions"][0]["scope"] = "staff".into();
        let definition = operator.define(&badge).await;
        let scene = Scene::of(world, operator, definition).await;
        let server = &scene.opened.authorization_server;
        for (member, expected) in [
            ("scopes_supported", json!(["staff"])),
            ("client_attestation_signing_alg_values_supported", json!(["ES256"])),
            ("client_attestation_pop_signing_alg_values_supported", json!(["ES256"])),
            ("client_attestation_pop_methods_supported", json!(["attestation_pop_jwt", "dpop_combined"])),
            ("request_object_signing_alg_values_supported", json!(["ES256"])),
        ] {
            assert_eq!(server[member], expected, "{member}");
        }
        // Without anybody to sign people in, and without attestations, there is nothing to name.
        let scene = Scene::new(world).await;
        let server = &scene.opened.authorization_server;
        for member in ["scopes_supported", "client_attestation_signing_alg_values_supported", "request_object_signing_alg_values_supported"] {
            assert!(server.get(member).is_none_or(|value| value.as_array().is_some_and(Vec::is_empty)), "{member}");
        }
    }

    /// HAI-3, MET-14: under `haip` the offer has the scheme of HAIP and every configuration a scope; single switches win.
    async fn the_haip_preset_sets_every_switch(world: &World) {
        let provider = Key::p256();
        let policy = json!({"profile": "haip", "anonymousAccess": true, "walletAttestation": "observe",
            "trustAnchors": {"walletProviders": key_set(&provider)}});
        let operator = world.platform().organisation(json!({ "policy": policy })).await;
        operator.certify(&Authority::new(world.env.now())).await;
        let scene = Scene::at(world, operator).await;
        assert!(scene.offer.link.starts_with("haip-vci://?"), "{}", scene.offer.link);
        let effective = &scene.operator.organisation["policy"];
        assert_eq!(effective["profile"], "haip");
        assert_eq!((&effective["accessTokenBinding"], &effective["pushedAuthorization"]), (&json!("dpopRequired"), &json!("require")));
        assert_eq!((&effective["walletAttestation"], &effective["anonymousAccess"]), (&json!("observe"), &json!(true)));
        assert_eq!(configuration(&scene.opened)["scope"], "staff-badge");
        assert_eq!(configuration(&scene.opened)["proof_types_supported"]["jwt"]["proof_signing_alg_values_supported"], json!(["ES256"]));
        let token = scene.redeem().await;
        scene.collect(&token).await;
        // What was read can be sent back.
        let path = format!("{ORGANISATIONS}/{}", scene.operator.organisation_id());
        let again = world.platform().put(&path, json!({ "policy": effective })).await.ok();
        assert_eq!(&again["organisation"]["policy"], effective);
        let nobody = world.platform().put(&path, json!({"policy": {"profile": "haip"}})).await;
        nobody.problem_at(400, "/policy/walletAttestation");
    }

    /// MET-4, MET-6: signed metadata for those who ask, with the same content, and plain ones for everybody else.
    async fn metadata_are_signed_on_request(world: &World) {
        let scene = Scene::under(world, json!({"signedMetadata": true})).await;
        let issuer = scene.operator.issuer();
        let plain = metadata(world, issuer, &[]).await;
        assert_eq!(plain.header("vary"), Some("Accept, Accept-Language"));
        let signed = metadata(world, issuer, &[("accept", "application/jwt")]).await;
        assert_eq!(signed.status, 200);
        signed.assert_media_type("application/jwt");
        let (header, claims) = decode(&signed.text());
        assert_eq!((&header["typ"], &header["alg"]), (&json!("openidvci-issuer-metadata+jwt"), &json!("ES256")));
        let jwks = world.http().get(&format!("{issuer}/jwks")).await.ok();
        assert_eq!(header["kid"], jwks["keys"][0]["kid"]);
        assert_eq!((&claims["sub"], &claims["iss"]), (&json!(issuer), &json!(issuer)));
        let now = world.env.now().seconds();
        assert!(claims["iat"].as_i64().unwrap() <= now && claims["exp"].as_i64().unwrap() > now);
        for (name, member) in plain.json().as_object().unwrap() {
            assert_eq!(claims.get(name), Some(member), "{name}");
        }
        for accept in ["*/*", "application/json", "application/jwt;q=0", "text/html"] {
            metadata(world, issuer, &[("accept", accept)]).await.assert_media_type("application/json");
        }
        for (accept, answer) in [("application/json", &plain), ("application/jwt", &signed)] {
            let tag = answer.header("etag").unwrap();
            let known = metadata(world, issuer, &[("accept", accept), ("if-none-match", tag)]).await;
            assert_eq!((known.status, known.text().as_str()), (304, ""));
        }
        assert_ne!(plain.header("etag"), signed.header("etag"));

        let unsigned = Scene::new(world).await;
        let answer = metadata(world, unsigned.operator.issuer(), &[("accept", "application/jwt")]).await;
        answer.assert_media_type("application/json");
    }

    /// MET-5: displays in the language that is asked for, where there is one.
    async fn displays_come_in_the_language_that_is_asked_for(world: &World) {
        let operator = world.organisation().await;
        let mut badge = samples::staff_badge();
        badge["credentialDefinitions"][0]["claims"]["claims"][0]["display"] =
            json!([{"name": "First name", "locale": "en"}, {"name": "Voornaam", "locale": "nl-BE"}]);
        operator.define(&badge).await;
        let shown = |answer: &Answer| {
            answer.json()["credential_configurations_supported"]["staff-badge"]["credential_metadata"]["claims"][0]
                ["display"]
                .clone()
        };
        let all = metadata(world, operator.issuer(), &[]).await;
        assert_eq!((shown(&all).as_array().unwrap().len(), all.header("content-language")), (2, None));
        let dutch = metadata(world, operator.issuer(), &[("accept-language", "fr, nl-be;q=0.9, en;q=0.1")]).await;
        assert_eq!(shown(&dutch), json!([{"name": "Voornaam", "locale": "nl-BE"}]));
        assert_eq!(dutch.header("content-language"), Some("nl-BE"));
        let english = metadata(world, operator.issuer(), &[("accept-language", "en-GB")]).await;
        assert_eq!(shown(&english), json!([{"name": "First name", "locale": "en"}]));
        let other = metadata(world, operator.issuer(), &[("accept-language", "xx, *")]).await;
        assert_eq!((shown(&other), other.header("content-language")), (shown(&all), None));
    }

    /// A switch counts from the moment it is set, for metadata and behaviour alike.
    async fn encryption_can_be_switched_on_later(world: &World) {
        let scene = Scene::new(world).await;
        let path = format!("{ORGANISATIONS}/{}", scene.operator.organisation_id());
        world.platform().put(&path, json!({"policy": {"encryption": "required"}})).await.ok();
        let (_, opened) = scene.another_offer().await;
        let token = scene.wallet.redeem(&opened).await;
        let nonce = scene.wallet.nonce(&opened).await;
        scene.wallet.send(scene.wallet.credential_call(&token, &nonce)).await.refused(400, "invalid_encryption_parameters");
        let key = opened.issuer["credential_request_encryption"]["jwks"]["keys"][0].clone();
        let mut call = scene.wallet.credential_call(&token, &nonce);
        let recipient = ResponseKey::new();
        let mut body = json!({
            "credential_configuration_id": "staff-badge",
            "proofs": {"jwt": [call.proofs.remove(0).compact()]},
        });
        if let Some(identifier) = token.response["authorization_details"][0]["credential_identifiers"][0].as_str() {
            body = json!({"credential_identifier": identifier, "proofs": body["proofs"]});
        }
        body["credential_response_encryption"] = json!({"jwk": recipient.jwk(), "enc": "A128GCM"});
        let jwe = Jwe::new(&key, body.to_string().as_bytes());
        let call = call.with_bytes(jwe.compact()).with_content_type("application/jwt");
        let answer = scene.wallet.send(call).await;
        assert_eq!(answer.status, 200, "{answer}");
        recipient.decrypt(&answer.text());
    }
}
