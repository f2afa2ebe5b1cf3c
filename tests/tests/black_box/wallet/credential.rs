//! The credential endpoint (OpenID4VCI §8): what is asked for, what comes back, and what is refused.

use std::time::Duration;

use chancery_tests::sd_jwt::parts;
use chancery_tests::{Call, on_every_backend};
use reqwest::Method;

use super::*;

on_every_backend! {
    /// CRE-2, CRE-9, CRE-15: an SD-JWT VC bound to the holder key, with what can be withheld in disclosures.
    async fn a_credential_holds_the_claims_and_the_holder_key(world: &World) {
        let scene = Scene::new(world).await;
        let token = scene.redeem().await;
        let nonce = scene.wallet.nonce(&scene.opened).await;
        let answer = scene.wallet.send(scene.wallet.credential_call(&token, &nonce)).await;
        let body = answer.ok();
        answer.assert_media_type("application/json");
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(body["credentials"].as_array().unwrap().len(), 1);
        for absent in ["transaction_id", "interval", "c_nonce", "credential"] {
            assert_eq!(body.get(absent), None, "{absent}");
        }
        let parts = parts(body["credentials"][0]["credential"].as_str().unwrap());
        assert_eq!(parts.header["typ"], "dc+sd-jwt");
        assert_eq!(parts.header["alg"], "ES256");
        assert_eq!(parts.signed["vct"], "https://types.example/staff/1");
        assert_eq!(parts.signed["iss"], scene.operator.issuer());
        assert_eq!(parts.signed["cnf"], json!({"jwk": scene.wallet.holder_key.jwk()}));
        assert_eq!(parts.signed["_sd_alg"], "sha-256");
        assert_eq!(parts.signed["employee_id"], "E-40417");
        assert_eq!(parts.disclosures.len(), 2);
        for (name, value) in samples::staff_claims().as_object().unwrap() {
            assert_eq!(parts.disclosed[name], *value);
        }
        for withheld in ["given_name", "family_name"] {
            assert_eq!(parts.signed.get(withheld), None);
        }
        let now = world.env.now().seconds();
        let (issued, expires) = (parts.signed["iat"].as_i64().unwrap(), parts.signed["exp"].as_i64().unwrap());
        assert!(issued <= now && issued > now - 3600 && issued % 3600 == 0, "SEC-17: {issued}");
        assert!((expires - now - 30 * 86_400).abs() <= 3600, "{expires}");
    }

    /// SVC-3: what a verifier needs to judge a credential is in the signed part, and no definition can withhold it.
    async fn what_a_verifier_needs_cannot_be_withheld(world: &World) {
        const DEFINITION: &str = "/v2/config/digital-wallet/openid/sdjwt/credential-definition";
        const NEEDED: [&str; 8] = ["iss", "nbf", "exp", "cnf", "vct", "vct#integrity", "status", "aka_vcts"];
        let operator = world.organisation().await;
        let mut badge = samples::staff_badge();
        badge["credentialDefinitions"][0]["supportRevocation"] = true.into();
        for name in NEEDED {
            for path in [json!([name]), json!([name, "jwk"])] {
                let mut withholding = badge.clone();
                let claims = withholding["credentialDefinitions"][0]["claims"]["claims"].as_array_mut().unwrap();
                claims.push(json!({"path": path, "mandatory": false, "limitDisclosure": true}));
                let answer = operator.post(DEFINITION, withholding).await;
                assert_eq!(answer.status, 400, "{path}: {answer}");
            }
        }
        let definition = operator.define(&badge).await;
        let scene = Scene::of(world, operator, definition).await;
        let received = scene.collect(&scene.redeem().await).await;
        let parts = parts(&received.credential);
        for name in ["iss", "exp", "cnf", "vct", "status"] {
            assert!(!parts.signed[name].is_null(), "{name} in {}", parts.signed);
        }
        let withheld = |name: &&str| parts.disclosures.iter().any(|disclosure| disclosure[1] == *name);
        assert!(!NEEDED.iter().any(withheld), "{:?}", parts.disclosures);
        assert_eq!(parts.disclosures.len(), 2);
    }

    /// Nested members and array elements can be withheld one by one (RFC 9901 §4.2.6, OpenID4VCI Appendix C).
    async fn nested_members_and_array_elements_are_withheld_one_by_one(world: &World) {
        let operator = world.organisation().await;
        let definition = operator.define(&samples::pid()).await;
        let offer = operator.offer(&definition, &samples::pid_claims()).await;
        let received = world.wallet().accept(&offer.link).await;
        let parts = parts(&received.credential);
        for (name, value) in samples::pid_claims().as_object().unwrap() {
            assert_eq!(parts.disclosed[name], *value);
        }
        // Three flat claims, the address and two members of it, two nationalities.
        assert_eq!(parts.disclosures.len(), 8);
        let nationalities = parts.signed["nationalities"].as_array().unwrap();
        assert!(nationalities.iter().all(|element| element["..."].is_string()), "{nationalities:?}");
        let address = parts.disclosures.iter().find(|disclosure| disclosure[1] == "address").unwrap();
        assert_eq!(address[2]["_sd"].as_array().unwrap().len(), 2);
        assert_eq!(address[2].get("locality"), None);
    }

    /// CRE-14, CRE-11: a token may be used again; nothing of the copies correlates but the claims.
    async fn a_second_copy_has_salts_and_digests_of_its_own(world: &World) {
        let mut scene = Scene::new(world).await;
        let token = scene.redeem().await;
        let first = parts(&scene.collect(&token).await.credential);
        scene.wallet.holder_key = chancery_tests::Key::p256();
        let second = parts(&scene.collect(&token).await.credential);
        assert_eq!(first.disclosed["given_name"], second.disclosed["given_name"]);
        for disclosure in &first.disclosures {
            assert!(second.disclosures.iter().all(|other| other[0] != disclosure[0]), "a salt twice");
        }
        let digests = |signed: &Value| signed["_sd"].as_array().unwrap().clone();
        assert!(digests(&first.signed).iter().all(|digest| !digests(&second.signed).contains(digest)));
        assert_eq!(second.signed["cnf"]["jwk"], scene.wallet.holder_key.jwk());
    }

    /// RFC 9901 §4.2.5: decoys are digests without a disclosure.
    async fn decoys_hide_how_many_claims_there_are(world: &World) {
        let scene = Scene::under(world, json!({"decoys": 3})).await;
        let parts = parts(&scene.wallet.accept(&scene.offer.link).await.credential);
        assert_eq!(parts.disclosures.len(), 2);
        assert_eq!(parts.signed["_sd"].as_array().unwrap().len(), 5);
    }

    /// CRE-8: members that nobody defined are ignored, also those of other drafts next to a proper request.
    async fn unknown_members_are_ignored(world: &World) {
        let scene = Scene::new(world).await;
        let token = scene.redeem().await;
        let nonce = scene.wallet.nonce(&scene.opened).await;
        let call = scene
            .wallet
            .credential_call(&token, &nonce)
            .with_member("x", json!({"y": [1]}))
            .with_member("format", "dc+sd-jwt")
            .with_content_type("application/json; charset=utf-8")
            .with_proof(|proof| proof.with_claim("x", 1).with_header("x", 1));
        scene.wallet.send(call).await.ok();
    }

    /// CRE-2, CRE-3: with `credential_identifiers` in the token response the identifier is the selector, without it the
    /// configuration id is; never both, never none.
    async fn the_selector_is_the_one_that_the_token_response_calls_for(world: &World) {
        let scene = Scene::new(world).await;
        let (_, second) = scene.another_offer().await;
        let id = configuration_id(&scene.opened).to_owned();
        let details = json!([{"type": "openid_credential", "credential_configuration_id": id}]).to_string();
        let call = scene.wallet.token_call(&second).with_field("authorization_details", &details);
        let by_identifier = Token { response: scene.wallet.send(call).await.ok(), opened: second };
        let by_configuration = scene.redeem().await;
        let identifier = &by_identifier.response["authorization_details"][0]["credential_identifiers"][0];
        let nonce = scene.wallet.nonce(&scene.opened).await;
        let cases = [
            (&by_configuration, json!({}), "invalid_credential_request"),
            (
                &by_configuration,
                json!({"credential_configuration_id": id, "credential_identifier": identifier}),
                "invalid_credential_request",
            ),
            (&by_configuration, json!({"credential_identifier": identifier}), "invalid_credential_request"),
            (&by_configuration, json!({"credential_configuration_id": 7}), "invalid_credential_request"),
            (&by_configuration, json!({"credential_configuration_id": ""}), "invalid_credential_request"),
            (&by_configuration, json!({"credential_configuration_id": "unknown"}), "unknown_credential_configuration"),
            (&by_identifier, json!({}), "invalid_credential_request"),
            (&by_identifier, json!({"credential_configuration_id": id}), "invalid_credential_request"),
            (
                &by_identifier,
                json!({"credential_configuration_id": id, "credential_identifier": identifier}),
                "invalid_credential_request",
            ),
            (
                &by_identifier,
                json!({"credential_identifier": "sv4TVkBG1sdXi-PDfIxwlg"}),
                "unknown_credential_identifier",
            ),
            (&by_identifier, json!({"credential_identifier": id}), "unknown_credential_identifier"),
        ];
        for (token, selector, error) in cases {
            let mut call = scene
                .wallet
                .credential_call(token, &nonce)
                .with_member("credential_configuration_id", Value::Null)
                .with_member("credential_identifier", Value::Null);
            for (name, value) in selector.as_object().unwrap() {
                call = call.with_member(name, value.clone());
            }
            let answer = scene.wallet.send(call).await;
            assert_eq!(answer.json()["error"], error, "{selector}: {answer}");
            answer.refused(400, error);
        }
        scene.collect(&by_configuration).await;
        scene.collect(&by_identifier).await;
    }

    /// TOK-8, CRE-4: a configuration that exists and was not offered is beyond the token (RFC 6750 §3.1).
    async fn a_configuration_that_was_not_offered_is_beyond_the_token(world: &World) {
        let scene = Scene::new(world).await;
        let mut badge = samples::staff_badge();
        badge["label"] = "Another badge".into();
        badge["credentialDefinitions"][0]["credentialConfigurationId"] = "another".into();
        scene.operator.define(&badge).await;
        let token = scene.redeem().await;
        let nonce = scene.wallet.nonce(&scene.opened).await;
        let call = scene.wallet.credential_call(&token, &nonce).with_member("credential_configuration_id", "another");
        let answer = scene.wallet.send(call).await;
        answer.refused(403, "insufficient_scope");
        let challenge = answer.header("www-authenticate").unwrap();
        assert!(challenge.starts_with("DPoP ") && challenge.contains("insufficient_scope"), "{answer}");
        scene.collect(&token).await;
    }

    /// CRE-4: no token, an unknown one, one of another organisation, an expired one, one of another kind (RFC 6750 §3).
    async fn a_request_without_a_good_token_is_refused_with_a_challenge(world: &World) {
        let scene = Scene::under(world, json!({"accessTokenLifetime": 120})).await;
        let other = Scene::new(world).await;
        let (token, foreign) = (scene.redeem().await, other.redeem().await);
        let nonce = scene.wallet.nonce(&scene.opened).await;
        let with = |authorization: &str| {
            scene
                .wallet
                .credential_call(&token, &nonce)
                .without_header("authorization")
                .with_header("authorization", authorization)
        };
        for call in [with("Basic d2FsbGV0OnNlY3JldA==").without_dpop(), with("x").without_header("authorization")] {
            let answer = scene.wallet.send(call).await;
            assert_eq!(answer.status, 401, "{answer}");
            let challenges: Vec<_> =
                answer.headers.get_all("www-authenticate").iter().map(|value| value.to_str().unwrap()).collect();
            assert!(challenges.iter().any(|challenge| challenge.starts_with("DPoP")), "{challenges:?}");
            assert!(challenges.iter().all(|challenge| !challenge.contains("error=")), "{challenges:?}");
        }
        for (scheme, value) in [
            ("DPoP", "y8ndE8e6XAlc4KzHJOn0hF095ef-ix4bPOHEJQOImjM"),
            ("Bearer", "y8ndE8e6XAlc4KzHJOn0hF095ef-ix4bPOHEJQOImjM"),
            ("DPoP", foreign.value()),
            ("DPoP", ""),
        ] {
            let answer = scene.wallet.send(with(&format!("{scheme} {value}"))).await;
            answer.refused(401, "invalid_token");
            let challenge = answer.header("www-authenticate").unwrap();
            assert!(challenge.starts_with(scheme) && challenge.contains("error=\"invalid_token\""), "{answer}");
        }
        // The code is no token.
        let code = &scene.opened.offer["grants"][chancery_tests::wallet::PRE_AUTHORIZED_CODE]["pre-authorized_code"];
        scene.wallet.send(with(&format!("DPoP {}", code.as_str().unwrap()))).await.refused(401, "invalid_token");
        scene.collect(&token).await;
        world.advance(Duration::from_secs(120));
        let nonce = scene.wallet.nonce(&scene.opened).await;
        scene.wallet.send(scene.wallet.credential_call(&token, &nonce)).await.refused(401, "invalid_token");
        assert_eq!(scene.cause().await.message, "access.token_expired");
    }

    /// RFC 6750 §2: the token comes in one header and nowhere else; in a URL it would end in logs.
    async fn a_token_in_the_url_or_the_body_or_twice_is_refused(world: &World) {
        let mut scene = Scene::new(world).await;
        scene.wallet.dpop_key = None;
        let token = scene.redeem().await;
        let nonce = scene.wallet.nonce(&scene.opened).await;
        let good = || scene.wallet.credential_call(&token, &nonce);
        for call in [good(), good().without_header("authorization")] {
            let mut call = call;
            call.url = format!("{}?access_token={}", call.url, token.value());
            scene.wallet.send(call).await.refused(400, "invalid_request");
        }
        let twice = good().with_header("authorization", &format!("Bearer {}", token.value()));
        scene.wallet.send(twice).await.refused(400, "invalid_request");
        let in_body = good().without_header("authorization").with_member("access_token", token.value());
        assert_eq!(scene.wallet.send(in_body).await.status, 401);
        scene.wallet.send(good()).await.ok();
    }

    /// CRE-1, CRE-12: the body is one JSON object without repeated members, declared as JSON and of a bearable size.
    async fn a_malformed_body_is_refused_and_burns_nothing(world: &World) {
        let scene = Scene::new(world).await;
        let token = scene.redeem().await;
        let nonce = scene.wallet.nonce(&scene.opened).await;
        let proof = scene.wallet.proof(&scene.opened, &nonce).compact();
        let id = configuration_id(&scene.opened);
        let good = || scene.wallet.credential_call(&token, &nonce);
        let text = |body: String| good().with_bytes(body.into_bytes());
        let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
        let calls: Vec<(&str, Call)> = vec![
            ("nothing", text(String::new())),
            ("no JSON", text("{\"credential_configuration_id\":".to_owned())),
            ("an array", text("[]".to_owned())),
            ("a null", text("null".to_owned())),
            ("two objects", text(format!("{{\"credential_configuration_id\":\"{id}\"}}{{}}"))),
            ("no UTF-8", good().with_bytes(b"{\"x\":\"\xff\xfe\"}".to_vec())),
            (
                "a repeated selector",
                text(format!(
                    r#"{{"credential_configuration_id":"x","credential_configuration_id":"{id}","proofs":{{"jwt":["{proof}"]}}}}"#
                )),
            ),
            (
                "repeated proofs",
                text(format!(
                    r#"{{"credential_configuration_id":"{id}","proofs":{{"jwt":["x"]}},"proofs":{{"jwt":["{proof}"]}}}}"#
                )),
            ),
            (
                "a member repeated deep inside",
                text(format!(
                    r#"{{"credential_configuration_id":"{id}","x":{{"a":1,"a":2}},"proofs":{{"jwt":["{proof}"]}}}}"#
                )),
            ),
            (
                "a member repeated in another spelling",
                text(format!(
                    r#"{{"credential_configuration_id":"{id}","x":1,"\u0078":2,"proofs":{{"jwt":["{proof}"]}}}}"#
                )),
            ),
            ("an abyss", text(format!("{{\"credential_configuration_id\":\"{id}\",\"x\":{deep}}}"))),
            ("a form", good().with_content_type("application/x-www-form-urlencoded")),
            ("a text", good().with_content_type("text/plain")),
            ("no content type", good().with_content_type("")),
        ];
        for (what, call) in calls {
            let call = call.with_dpop(|dpop| dpop.with_claim("jti", chancery_tests::key::random(16)));
            let answer = scene.wallet.send(call).await;
            assert_eq!(answer.status, 400, "{what}: {answer}");
            answer.refused(400, "invalid_credential_request");
        }
        scene.wallet.send(good()).await.ok();
    }

    /// A body of more than 1 MiB is not read to its end; one below is read and ignored where nobody defined it.
    async fn a_body_of_more_than_a_mebibyte_is_refused(world: &World) {
        let scene = Scene::new(world).await;
        let token = scene.redeem().await;
        let nonce = scene.wallet.nonce(&scene.opened).await;
        for length in [1_048_577, 5_000_000] {
            let call = scene.wallet.credential_call(&token, &nonce).with_member("x", "y".repeat(length));
            scene.wallet.send(call).await.refused(413, "invalid_credential_request");
        }
        let call = scene.wallet.credential_call(&token, &nonce).with_member("x", "y".repeat(1_000_000));
        scene.wallet.send(call).await.ok();
    }

    /// CRE-1: only POST.
    async fn the_credential_endpoint_answers_post_only(world: &World) {
        let scene = Scene::new(world).await;
        let token = scene.redeem().await;
        for method in [Method::GET, Method::PUT] {
            let mut call = scene.wallet.credential_call(&token, "n");
            call.method = method;
            let answer = scene.wallet.send(call).await;
            answer.refused(405, "invalid_request");
            assert_eq!(answer.header("allow"), Some("POST"));
        }
    }

    /// CRE-5: the shapes of older drafts are refused, and the transcript says which draft it is and what to change.
    async fn a_request_in_the_shape_of_an_older_draft_is_explained(world: &World) {
        let scene = Scene::new(world).await;
        let token = scene.redeem().await;
        let nonce = scene.wallet.nonce(&scene.opened).await;
        let proof = json!({"proof_type": "jwt", "jwt": scene.wallet.proof(&scene.opened, &nonce).compact()});
        let bare = || {
            let mut call = scene.wallet.credential_call(&token, &nonce);
            call.proofs.clear();
            call
        };
        let unselected = || bare().with_member("credential_configuration_id", Value::Null);
        for (call, needle) in [
            (bare().with_member("proof", proof.clone()), "draft 13"),
            (unselected().with_member("format", "vc+sd-jwt").with_member("proof", proof.clone()), "draft 13"),
            (
                unselected().with_member("format", "vc+sd-jwt").with_member("vct", "https://types.example/staff/1"),
                "draft 13",
            ),
        ] {
            scene.wallet.send(call).await.refused(400, "invalid_credential_request");
            let cause = scene.cause().await;
            assert!(cause.reason.contains(needle), "{cause:?}");
            let help = cause.data["help"].as_str().unwrap();
            assert!(help.contains("proofs") || help.contains("credential_configuration_id"), "{help}");
        }
        scene.collect(&token).await;
    }

    /// ENC-7, ENC-8, CRE-13: encryption is not published, so asking for it is refused in plain JSON.
    async fn encryption_that_is_not_offered_is_refused(world: &World) {
        let scene = Scene::new(world).await;
        let token = scene.redeem().await;
        let nonce = scene.wallet.nonce(&scene.opened).await;
        let encryption = json!({"jwk": scene.wallet.holder_key.jwk(), "enc": "A256GCM"});
        let call =
            scene.wallet.credential_call(&token, &nonce).with_member("credential_response_encryption", encryption);
        scene.wallet.send(call).await.refused(400, "invalid_encryption_parameters");
        let call = scene.wallet.credential_call(&token, &nonce).with_content_type("application/jwt");
        scene.wallet.send(call).await.refused(400, "invalid_encryption_parameters");
        scene.collect(&token).await;
    }

    /// The organisation's record follows, and its transcript names the steps without any claim.
    async fn an_issuance_leaves_a_record_and_a_transcript(world: &World) {
        let scene = Scene::new(world).await;
        let token = scene.redeem().await;
        scene.collect(&token).await;
        let history = scene.operator.history(&scene.offer.id).await;
        let issued = ["credential_issued", "credential_acked"];
        assert!(issued.contains(&history["status"].as_str().unwrap()), "{}", history["status"]);
        assert_eq!(
            history["cnf"]["jwk"].as_object().or(history["cnf"].as_object()).unwrap()["x"],
            scene.wallet.holder_key.jwk()["x"]
        );
        let kinds: Vec<String> = scene
            .operator
            .events(&scene.offer.id)
            .await
            .iter()
            .map(|event| event["type"].as_str().unwrap().to_owned())
            .collect();
        for kind in ["offer_created", "offer_retrieved", "token_exchanged", "credential_issued"] {
            assert_eq!(kinds.iter().filter(|known| *known == kind).count(), 1, "{kind} in {kinds:?}");
        }
        let records = scene.operator.records(&scene.offer.id).await;
        for message in
            ["token.issued", "credential.request_received", "credential.proof_validated", "credential.issued"]
        {
            assert!(records.iter().any(|record| record["message"] == message), "{message}");
        }
        assert!(records.iter().all(|record| record["level"] != "error"), "{records:#?}");
    }
}
