//! Metadata, keys and types (OpenID4VCI §12.2, RFC 8414, SD-JWT VC §4 and §5).

use std::time::Duration;

use chancery_tests::wallet::{offer_uri, well_known};
use chancery_tests::{Answer, Call, on_every_backend};
use reqwest::Method;

use super::*;

const DOCUMENTS: [&str; 4] =
    ["openid-credential-issuer", "oauth-authorization-server", "openid-configuration", "jwt-vc-issuer"];

/// The older form: appended to the identifier.
fn appended(issuer: &str, name: &str) -> String {
    format!("{issuer}/.well-known/{name}")
}

/// Lists in metadata are never empty (OpenID4VCI §12.2.4), except that an organisation may have no key yet.
fn assert_no_empty_list(document: &Value) {
    match document {
        Value::Array(elements) => {
            assert!(!elements.is_empty(), "an empty list");
            elements.iter().for_each(assert_no_empty_list);
        }
        Value::Object(members) => members.values().for_each(assert_no_empty_list),
        // A claims path has nulls for "every element".
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

async fn get_with(world: &World, url: &str, name: &str, value: &str) -> Answer {
    world.http().send(world.http().request(Method::GET, url).header(name, value)).await
}

on_every_backend! {
    /// MET-2, MET-4, MET-8, ASM-1: both forms of each document, for default identifiers and for one with a path.
    async fn well_known_documents_are_found_inserted_and_appended(world: &World) {
        let default = world.organisation().await;
        let described = json!({"issuer": "https://api.example/igrantio/issuer-backend"});
        let with_path = world.platform().organisation(described).await;
        let bare = world.platform().organisation(json!({"issuer": "https://issuer.example"})).await;
        for operator in [default, with_path, bare] {
            operator.define(&samples::staff_badge()).await;
            let issuer = operator.issuer();
            for name in DOCUMENTS {
                let inserted = world.http().get(&well_known(issuer, name)).await;
                inserted.assert_media_type("application/json");
                let document = inserted.ok();
                assert_eq!(world.http().get(&appended(issuer, name)).await.ok(), document);
                assert_eq!(world.http().get(&format!("{}/", well_known(issuer, name))).await.ok(), document);
                let member = if name == "openid-credential-issuer" { "credential_issuer" } else { "issuer" };
                assert_eq!(document[member], issuer, "MET-3: byte for byte");
            }
        }
    }

    /// MET-1 to MET-13, OFR-4: what is published is complete, consistent, and no more than what is there.
    async fn issuer_metadata_say_what_the_server_does(world: &World) {
        let operator = world.organisation().await;
        operator.define(&samples::pid()).await;
        operator.define(&samples::staff_badge()).await;
        let issuer = operator.issuer();
        let metadata = world.http().get(&well_known(issuer, "openid-credential-issuer")).await.ok();
        assert_no_empty_list(&metadata);
        assert_eq!(metadata["credential_endpoint"], format!("{issuer}/credential"));
        assert_eq!(metadata["nonce_endpoint"], format!("{issuer}/nonce"));
        assert_eq!(metadata["deferred_credential_endpoint"], format!("{issuer}/deferred-credential"));
        assert_eq!(metadata["notification_endpoint"], format!("{issuer}/notification"));
        for absent in [
            "authorization_servers",
            "credential_request_encryption",
            "credential_response_encryption",
            "batch_credential_issuance",
            "signed_metadata",
        ] {
            assert_eq!(metadata.get(absent), None, "{absent}");
        }
        let configurations = metadata["credential_configurations_supported"].as_object().unwrap();
        assert_eq!(configurations.len(), 2);
        for configuration in configurations.values() {
            assert_eq!(configuration["format"], "dc+sd-jwt");
            assert_eq!(configuration["credential_signing_alg_values_supported"], json!(["ES256"]));
            assert_eq!(configuration["cryptographic_binding_methods_supported"], json!(["jwk", "did:key"]));
            let proofs = configuration["proof_types_supported"].as_object().unwrap();
            assert_eq!(proofs.keys().collect::<Vec<_>>(), ["jwt"]);
            assert_eq!(proofs["jwt"]["proof_signing_alg_values_supported"], json!(["ES256", "EdDSA"]));
            assert_eq!(proofs["jwt"].get("key_attestations_required"), None);
        }
        let pid = configurations.values().find(|configuration| configuration["vct"] == "urn:eudi:pid:1").unwrap();
        let described = pid["credential_metadata"]["claims"].as_array().unwrap();
        let paths: Vec<&Value> = described.iter().map(|claim| &claim["path"]).collect();
        let sample = samples::pid();
        let defined: Vec<&Value> = sample["credentialDefinitions"][0]["claims"]["claims"]
            .as_array()
            .unwrap()
            .iter()
            .map(|claim| &claim["path"])
            .collect();
        assert_eq!(paths, defined, "MET-13: in the order of the definition");
        assert_eq!(described[0]["mandatory"], true);
        assert_eq!(pid["credential_metadata"]["display"][0]["name"], "PID");
        assert_eq!(pid["credential_metadata"]["display"][0]["background_color"], "#101820");
    }

    /// ASM-1, ASM-2: the authorization server of an organisation is the organisation itself.
    async fn authorization_server_metadata_say_what_the_server_does(world: &World) {
        let operator = world.organisation().await;
        let issuer = operator.issuer();
        let metadata = world.http().get(&well_known(issuer, "oauth-authorization-server")).await.ok();
        assert_eq!(metadata["token_endpoint"], format!("{issuer}/token"));
        assert_eq!(metadata["grant_types_supported"], json!(["urn:ietf:params:oauth:grant-type:pre-authorized_code"]));
        assert_eq!(metadata["pre-authorized_grant_anonymous_access_supported"], true);
        assert_eq!(metadata["token_endpoint_auth_methods_supported"], json!(["none"]));
        assert_eq!(metadata["dpop_signing_alg_values_supported"], json!(["ES256", "EdDSA"]));
        assert_eq!(metadata["authorization_details_types_supported"], json!(["openid_credential"]));
        for absent in ["authorization_endpoint", "pushed_authorization_request_endpoint", "registration_endpoint"] {
            assert_eq!(metadata.get(absent), None, "{absent}");
        }
    }

    /// MET-9, MET-11: the binding methods and algorithms of the policy are those that are published.
    async fn metadata_follow_the_policy(world: &World) {
        let policy = json!({"bindingMethods": ["jwk"], "proofAlgorithms": ["ES256", "ES384"]});
        let operator = world.platform().organisation(json!({"policy": policy})).await;
        let mut badge = samples::staff_badge();
        badge["credentialDefinitions"][0].as_object_mut().unwrap().remove("credentialBindingMethods");
        operator.define(&badge).await;
        let issuer = world.http().get(&well_known(operator.issuer(), "openid-credential-issuer")).await.ok();
        let configurations = issuer["credential_configurations_supported"].as_object().unwrap();
        let configuration = configurations.values().next().unwrap();
        assert_eq!(configuration["cryptographic_binding_methods_supported"], json!(["jwk"]));
        let jwt = &configuration["proof_types_supported"]["jwt"];
        assert_eq!(jwt["proof_signing_alg_values_supported"], json!(["ES256", "ES384"]));
        let server = world.http().get(&well_known(operator.issuer(), "oauth-authorization-server")).await.ok();
        assert_eq!(server["dpop_signing_alg_values_supported"], json!(["ES256", "ES384"]));
    }

    /// SD-JWT VC §4: the keys of `/.well-known/jwt-vc-issuer` are those that sign, without their private parts.
    async fn the_published_keys_are_those_that_sign(world: &World) {
        let scene = Scene::new(world).await;
        let issuer = scene.operator.issuer();
        let document = world.http().get(&well_known(issuer, "jwt-vc-issuer")).await.ok();
        let jwks = world.http().get(&format!("{issuer}/jwks")).await.ok();
        assert_eq!(document["jwks"], jwks);
        let keys = jwks["keys"].as_array().unwrap();
        assert_eq!(keys.len(), 1);
        assert_eq!(keys[0]["alg"], "ES256");
        for private in ["d", "k", "p", "q"] {
            assert_eq!(keys[0].get(private), None);
        }
        let received = scene.wallet.accept(&scene.offer.link).await;
        let parts = chancery_tests::sd_jwt::parts(&received.credential);
        assert_eq!(parts.header["kid"], keys[0]["kid"]);
        assert_eq!(parts.signed["iss"], issuer);
    }

    /// SD-JWT VC §5: a `vct` below the issuer identifier is described at that very URL; any other is not ours to
    /// describe.
    async fn a_hosted_type_is_described_at_its_url(world: &World) {
        let operator = world.organisation().await;
        let vct = format!("{}/types/staff", operator.issuer());
        let mut badge = samples::staff_badge();
        badge["credentialDefinitions"][0]["vct"] = vct.clone().into();
        operator.define(&badge).await;
        let answer = world.http().get(&vct).await;
        let described = answer.ok();
        answer.assert_media_type("application/json");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(described["vct"], vct);
        let claims = described["claims"].as_array().unwrap();
        let of = |name: &str| claims.iter().find(|claim| claim["path"] == json!([name])).unwrap();
        assert_eq!(of("given_name")["sd"], "always");
        assert_eq!(of("employee_id")["sd"], "never");

        let other = world.organisation().await;
        for wrong in [
            format!("{vct}2"),
            format!("{}/types", operator.issuer()),
            format!("{}/types/staff", other.issuer()),
            format!("{}/types/staff", world.public_url()),
        ] {
            world.http().get(&wrong).await.refused(404, "not_found");
        }
    }

    /// The whole flow behind a proxy that hands the path of the identifier on, and behind one that takes it off. The
    /// public URL comes from configuration, never from `Host` or `X-Forwarded-*`.
    async fn an_organisation_with_a_path_works_behind_proxies_that_keep_or_strip_it(world: &World) {
        let issuer = "https://api.example/igrantio/issuer-backend";
        let scene = Scene::under_issuer(world, issuer).await;
        assert_eq!(scene.opened.offer["credential_issuer"], issuer);
        let token = scene.redeem().await;
        scene.collect(&token).await;

        let stripped = |mut call: Call| {
            call.url = call.url.replacen(issuer, "https://api.example", 1);
            call.with_header("x-forwarded-host", "elsewhere.example").with_header("x-forwarded-proto", "https")
        };
        let (_, opened) = scene.another_offer().await;
        let metadata = world.http().get("https://api.example/.well-known/openid-credential-issuer").await.ok();
        assert_eq!(metadata, opened.issuer);
        let response = scene.wallet.send(stripped(scene.wallet.token_call(&opened))).await.ok();
        let token = Token { response, opened };
        let nonce = Call::new(Method::POST, &format!("{issuer}/nonce"));
        let nonce = scene.wallet.send(stripped(nonce)).await.ok()["c_nonce"].as_str().unwrap().to_owned();
        scene.wallet.send(stripped(scene.wallet.credential_call(&token, &nonce))).await.ok();
    }

    /// An organisation with an identifier of its own also stands at its place below the public URL, under that identifier.
    async fn an_organisation_with_its_own_identifier_also_stands_at_its_slug(world: &World) {
        let scene = Scene::under_issuer(world, "https://issuer.example").await;
        let slug = scene.operator.organisation["slug"].as_str().unwrap();
        let here = format!("{}/o/{slug}", world.public_url());
        let metadata = world.http().get(&well_known(&here, "openid-credential-issuer")).await.ok();
        assert_eq!(metadata, scene.opened.issuer);
        assert_eq!(metadata["credential_issuer"], "https://issuer.example");
        let mut call = scene.wallet.token_call(&scene.opened);
        call.url = format!("{here}/token");
        scene.wallet.send(call).await.ok();
    }

    /// Two organisations on one host are told apart by their paths.
    async fn organisations_on_one_host_are_told_apart_by_path(world: &World) {
        let first = Scene::under_issuer(world, "https://api.example/a").await;
        let second = Scene::under_issuer(world, "https://api.example/a/b").await;
        for scene in [&first, &second] {
            let issuer = scene.operator.issuer();
            assert_eq!(scene.opened.issuer["credential_issuer"], issuer);
            assert_eq!(scene.opened.authorization_server["issuer"], issuer);
            scene.wallet.accept(&scene.offer.link).await;
        }
        world.http().get("https://api.example/.well-known/openid-credential-issuer").await.refused(404, "not_found");
    }

    /// SEC-14: what is not there, is not there, whatever is asked of it.
    async fn an_unknown_organisation_is_not_found(world: &World) {
        let known = world.organisation().await;
        let slug = known.organisation["slug"].as_str().unwrap();
        let unknown = known.issuer().replace(slug, "nobody");
        let mut urls = vec![format!("{unknown}/jwks"), format!("{unknown}/credential-offers/17Z9-DMR3M51EXX5lBUT3w")];
        for name in DOCUMENTS {
            urls.extend([well_known(&unknown, name), appended(&unknown, name)]);
            urls.push(well_known(&known.issuer().replace(slug, &slug.to_uppercase()), name));
            urls.push(well_known("https://unknown.example", name));
        }
        for url in urls {
            world.http().get(&url).await.refused(404, "not_found");
        }
        for endpoint in ["token", "nonce", "credential"] {
            let call = Call::new(Method::POST, &format!("{unknown}/{endpoint}"));
            world.wallet().send(call).await.refused(404, "not_found");
        }
    }

    /// A suspended organisation answers no wallet, and takes up again where it was.
    async fn a_suspended_organisation_is_not_found_until_it_resumes(world: &World) {
        let scene = Scene::new(world).await;
        let token = scene.redeem().await;
        let (_, second) = scene.another_offer().await;
        let nonce = scene.wallet.nonce(&scene.opened).await;
        world.platform().suspend(&scene.operator).await;
        for name in DOCUMENTS {
            world.http().get(&well_known(scene.operator.issuer(), name)).await.refused(404, "not_found");
        }
        scene.wallet.send(scene.wallet.token_call(&second)).await.refused(404, "not_found");
        let call = scene.wallet.credential_call(&token, &nonce);
        scene.wallet.send(call.clone()).await.refused(404, "not_found");
        world.platform().resume(&scene.operator).await;
        scene.wallet.redeem(&second).await;
        scene.wallet.send(call).await.ok();
    }

    /// MET-4: documents may be kept for a moment and are asked for by fingerprint afterwards (RFC 9110 §13.1.2).
    async fn a_document_that_did_not_change_is_not_sent_again(world: &World) {
        let operator = world.organisation().await;
        operator.define(&samples::staff_badge()).await;
        let mut urls: Vec<String> = DOCUMENTS.iter().map(|name| well_known(operator.issuer(), name)).collect();
        urls.push(format!("{}/jwks", operator.issuer()));
        for url in &urls {
            let answer = world.http().get(url).await;
            let etag = answer.header("etag").expect("ETag").to_owned();
            assert!(answer.header("cache-control").unwrap().contains("max-age="), "{answer}");
            for known in [etag.clone(), format!("\"x\", {etag}"), "*".to_owned()] {
                let again = get_with(world, url, "if-none-match", &known).await;
                assert_eq!(again.status, 304, "{known}: {again}");
                assert!(again.body.is_empty());
                assert_eq!(again.header("etag"), Some(etag.as_str()));
            }
            get_with(world, url, "if-none-match", "\"x\"").await.ok();
        }
        let before = world.http().get(&urls[0]).await;
        operator.define(&samples::pid()).await;
        world.advance(Duration::from_secs(60));
        let after = get_with(world, &urls[0], "if-none-match", before.header("etag").unwrap()).await;
        assert_eq!(after.ok()["credential_configurations_supported"].as_object().unwrap().len(), 2);
        assert_ne!(after.header("etag"), before.header("etag"));
    }

    /// Documents are for reading.
    async fn documents_answer_get_only(world: &World) {
        let operator = world.organisation().await;
        for name in DOCUMENTS {
            let call = Call::new(Method::POST, &well_known(operator.issuer(), name));
            world.wallet().send(call).await.refused(405, "invalid_request");
        }
    }

    /// SEC-15, DPP-8: browser wallets may call every endpoint and read what they need, without any cookie.
    async fn browser_wallets_may_call_the_wallet_face(world: &World) {
        let scene = Scene::new(world).await;
        let issuer = scene.operator.issuer();
        let endpoints = ["/par", "/challenge", "/token", "/nonce", "/credential", "/deferred-credential", "/notification"];
        for path in endpoints {
            let request = world
                .http()
                .request(Method::OPTIONS, &format!("{issuer}{path}"))
                .header("origin", "https://wallet.example")
                .header("access-control-request-method", "POST")
                .header("access-control-request-headers", "authorization,content-type,dpop");
            let answer = world.http().send(request).await;
            assert!((200..300).contains(&answer.status), "{answer}");
            assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
            assert!(answer.header("access-control-allow-methods").unwrap().contains("POST"));
            let allowed = answer.header("access-control-allow-headers").unwrap().to_lowercase();
            for name in ["authorization", "content-type", "dpop"] {
                assert!(allowed.contains(name), "{name} in {allowed}");
            }
            assert_eq!(answer.header("access-control-allow-credentials"), None);
        }
        let call = scene.wallet.token_call(&scene.opened).with_header("origin", "https://wallet.example");
        let answer = scene.wallet.send(call).await;
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
        let exposed = answer.header("access-control-expose-headers").unwrap().to_lowercase();
        assert!(exposed.contains("dpop-nonce") && exposed.contains("www-authenticate"), "{exposed}");
        for url in [well_known(issuer, "openid-credential-issuer"), offer_uri(&scene.offer.link)] {
            let answer = get_with(world, &url, "origin", "https://wallet.example").await;
            assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "{url}");
        }
    }
}
