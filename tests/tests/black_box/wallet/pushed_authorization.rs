//! Pushed authorization requests (RFC 9126, OpenID4VCI §5).

use chancery_tests::{Call, Damage, Jwt, Key, Provider, on_every_backend};

use reqwest::Method;

use super::*;

fn configuration(opened: &Opened) -> String {
    opened.offer["credential_configuration_ids"][0].as_str().unwrap().to_owned()
}

fn par(scene: &Scene) -> Call {
    scene.wallet.par_call(scene.operator.issuer(), &configuration(&scene.opened))
}

on_every_backend! {
    /// PAR-3: 201, an unguessable reference of the usual form, 90 seconds, uncacheable.
    async fn a_pushed_request_is_answered_with_a_reference(world: &World) {
        let scene = Scene::new(world).await;
        let answer = scene.wallet.send(par(&scene)).await;
        assert_eq!(answer.status, 201, "{answer}");
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let body = answer.json();
        let reference = body["request_uri"].as_str().unwrap().strip_prefix("urn:ietf:params:oauth:request_uri:").unwrap();
        assert_eq!((reference.len(), &body["expires_in"]), (64, &json!(90)));
        assert!(!world.gives_away(reference).await);
        let again = scene.wallet.send(par(&scene)).await;
        assert_ne!(again.json()["request_uri"], body["request_uri"]);
    }

    /// PAR-2, PAR-6, AUT-1 to AUT-12: what is wrong with a request is said at once.
    async fn a_wrong_request_is_refused(world: &World) {
        let scene = Scene::new(world).await;
        let good = || par(&scene);
        let detail = |members: Value| {
            let mut detail = json!({"type": "openid_credential", "credential_configuration_id": configuration(&scene.opened)});
            detail.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
            good().with_field("authorization_details", &json!([detail]).to_string())
        };
        for (what, call, error) in [
            ("no client_id", good().without_field("client_id"), "invalid_request"),
            ("no redirect_uri", good().without_field("redirect_uri"), "invalid_request"),
            ("a script", good().with_field("redirect_uri", "javascript:alert(1)"), "invalid_request"),
            ("plain http", good().with_field("redirect_uri", "http://wallet.example/cb"), "invalid_request"),
            ("no response_type", good().without_field("response_type"), "invalid_request"),
            ("implicit", good().with_field("response_type", "token"), "unsupported_response_type"),
            ("a request_uri", good().with_field("request_uri", "urn:ietf:params:oauth:request_uri:x"), "invalid_request"),
            ("no challenge", good().without_field("code_challenge").without_field("code_challenge_method"), "invalid_request"),
            ("plain", good().with_field("code_challenge_method", "plain"), "invalid_request"),
            ("twice", good().with_another_field("state", "x2"), "invalid_request"),
            ("another type", detail(json!({"type": "payment"})), "invalid_authorization_details"),
            ("another configuration", detail(json!({"credential_configuration_id": "x"})), "invalid_authorization_details"),
            ("elsewhere", detail(json!({"locations": ["https://other.example"]})), "invalid_authorization_details"),
            ("contradiction", detail(json!({"claims": [{"path": ["a", null]}, {"path": ["a", 0]}]})), "invalid_authorization_details"),
            ("unknown scope", good().without_field("authorization_details").with_field("scope", "nothing"), "invalid_scope"),
            ("foreign resource", good().with_field("resource", "https://other.example"), "invalid_target"),
            ("unknown issuer_state", good().with_field("issuer_state", "nothing"), "invalid_request"),
            ("another DPoP key", good().with_field("dpop_jkt", &Key::p256().thumbprint()), "invalid_request"),
            ("a bad DPoP proof", good().with_dpop(|proof| proof.with_damage(Damage::Signature)), "invalid_dpop_proof"),
            ("an unsigned request object", good().with_field("request", "eyJhbGciOiJub25lIn0.e30."), "invalid_request_object"),
        ] {
            let answer = scene.wallet.send(call).await;
            assert_eq!((answer.status, answer.json()["error"].as_str()), (400, Some(error)), "{what}: {answer}");
        }
        scene.wallet.send(good().with_header("authorization", "Basic YTpi")).await.refused(401, "invalid_client");
        // AUT-4: unknown members and parameters harm nothing.
        let harmless = detail(json!({"x": 1, "locations": [scene.operator.issuer()]})).with_field("y", "1");
        assert_eq!(scene.wallet.send(harmless).await.status, 201);
        assert_eq!(world.database.number("SELECT count(*) FROM authorization_request").await, 1);
    }

    /// AUT-8: unknown scopes beside known ones are ignored, and what `authorization_details` and a scope both name is asked for
    /// once, first.
    async fn scopes_and_details_are_taken_together(world: &World) {
        let operator = world.organisation().await;
        let mut badge = samples::staff_badge();
        let entry = &mut badge["credentialDefinitions"][0];
        entry["authorizationRequestType"] = "scope_based".into();
        entry["scope"] = "staff".into();
        let mut pass = entry.clone();
        pass["vct"] = "https://types.example/pass/1".into();
        badge["credentialDefinitions"].as_array_mut().unwrap().push(pass);
        let definition = operator.define(&badge).await;
        let ids: Vec<String> = definition["credentialDefinitions"].as_array().unwrap().iter()
            .map(|entry| entry["credentialConfigurationId"].as_str().unwrap().to_owned()).collect();
        let wallet = world.wallet();
        let details = |id: &str| json!([{"type": "openid_credential", "credential_configuration_id": id}]).to_string();
        let asked = async |scope: Option<&str>, id: Option<&str>| {
            let entry = json!({"id": definition["credentialDefinitions"][0]["id"], "vct": "https://types.example/staff/1"});
            let pass = json!({"id": definition["credentialDefinitions"][1]["id"], "vct": "https://types.example/pass/1"});
            let offer = operator.offer_of(json!({
                "issuanceMode": "Deferred", "credentials": [entry, pass],
                "credentialDefinitionId": definition["credentialDefinitionId"],
            })).await;
            let opened = wallet.open(&offer.link).await;
            let state = opened.offer["grants"]["authorization_code"]["issuer_state"].as_str().unwrap();
            let mut call = wallet.par_call(operator.issuer(), &ids[0]).without_field("authorization_details");
            call = call.with_field("issuer_state", state);
            if let Some(scope) = scope {
                call = call.with_field("scope", scope);
            }
            if let Some(id) = id {
                call = call.with_field("authorization_details", &details(id));
            }
            let answer = wallet.send(call).await;
            assert_eq!(answer.status, 201, "{answer}");
            let records = operator.records(&offer.id).await;
            let accepted = records.iter().find(|record| record["message"] == "par.accepted").unwrap();
            accepted["data"]["credential_configuration_ids"].clone()
        };
        assert_eq!(asked(Some("nothing staff openid"), None).await, json!(ids));
        assert_eq!(asked(Some("staff"), Some(&ids[1])).await, json!([ids[1], ids[0]]));
        assert_eq!(asked(Some("nothing"), Some(&ids[1])).await, json!([ids[1]]));
        assert_eq!(asked(None, Some(&ids[1])).await, json!([ids[1]]));
    }

    /// PAR-5: a request that is too large is refused as such (RFC 9126 §2.3), and other methods are not taken.
    async fn a_large_request_and_another_method_are_refused(world: &World) {
        let scene = Scene::new(world).await;
        for length in [70_000, 1_100_000] {
            let call = par(&scene).with_field("x", &"y".repeat(length));
            scene.wallet.send(call).await.refused(413, "invalid_request");
        }
        for method in [Method::GET, Method::PUT] {
            let answer = scene.wallet.send(Call::new(method, &format!("{}/par", scene.operator.issuer()))).await;
            assert_eq!((answer.status, answer.header("allow")), (405, Some("POST")), "{answer}");
        }
        assert_eq!(scene.wallet.send(par(&scene)).await.status, 201);
    }

    /// DPP-7: the DPoP proof of a pushed request is used up.
    async fn a_dpop_proof_pushes_once(world: &World) {
        let scene = Scene::new(world).await;
        let call = par(&scene);
        assert_eq!(scene.wallet.send(call.clone()).await.status, 201);
        scene.wallet.send(call).await.refused(400, "invalid_dpop_proof");
    }

    /// AUT-14: a registered client uses its redirect URIs, byte for byte, and others are not admitted.
    async fn a_registered_client_uses_its_own_redirect_uris(world: &World) {
        let client = json!({"clientId": "wallet-dev", "redirectUris": ["https://wallet.example/cb?a=1"]});
        let scene = Scene::under(world, json!({"clients": {"registered": [client]}})).await;
        let with = |uri: &str| par(&scene).with_field("redirect_uri", uri);
        assert_eq!(scene.wallet.send(with("https://wallet.example/cb?a=1")).await.status, 201);
        assert_eq!(scene.wallet.send(par(&scene).without_field("redirect_uri")).await.status, 201);
        for uri in ["https://wallet.example/cb", "https://wallet.example/cb?a=1&b=2", "https://evil.example/cb?a=1"] {
            scene.wallet.send(with(uri)).await.refused(400, "invalid_request");
        }
        let other = with("https://wallet.example/cb?a=1").with_field("client_id", "other");
        scene.wallet.send(other).await.refused(400, "invalid_client");
    }

    /// RFC 9101: a request object signed by the attested key stands for the parameters; one of another key does not.
    async fn a_request_object_is_taken_from_the_key_that_was_attested(world: &World) {
        let provider = Provider::new("https://wallet.example");
        let policy = json!({"walletAttestation": "enforce", "trustAnchors": provider.trust_anchors()});
        let scene = Scene::under(world, policy).await;
        let (operator, configuration) = (&scene.operator, configuration(&scene.opened));
        let mut wallet = world.wallet();
        wallet.client_id = Some(provider.client_id.clone());
        wallet.provider = Some(provider.clone());
        let call = wallet.par_call(operator.issuer(), &configuration);
        let claims = json!({
            "iss": provider.client_id, "aud": operator.issuer(), "client_id": provider.client_id,
            "response_type": "code", "redirect_uri": Wallet::REDIRECT_URI,
            "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", "code_challenge_method": "S256",
            "authorization_details": [{"type": "openid_credential", "credential_configuration_id": configuration}],
        });
        let signed = |key: &Key| Jwt::new(key, json!({"typ": "oauth-authz-req+jwt"}), claims.clone()).compact();
        let with = |key: &Key| {
            let call = wallet.par_call(operator.issuer(), &configuration);
            ["response_type", "redirect_uri", "state", "code_challenge", "code_challenge_method", "authorization_details"]
                .into_iter()
                .fold(call, |call, name| call.without_field(name))
                .with_field("request", &signed(key))
        };
        assert_eq!(wallet.send(call).await.status, 201);
        let answer = wallet.send(with(&provider.instance_key)).await;
        assert_eq!(answer.status, 201, "{answer}");
        wallet.send(with(&Key::p256())).await.refused(400, "invalid_request_object");
    }
}
