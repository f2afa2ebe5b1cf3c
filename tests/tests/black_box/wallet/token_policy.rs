//! What an organisation's policy and `authorization_details` make of token requests (OpenID4VCI §6.1, RFC 9396).

use chancery_tests::on_every_backend;
use serde_json::Map;

use super::*;

/// The staff badge with a second entry, a visitor badge.
fn two_badges() -> Value {
    let mut definition = samples::staff_badge();
    let mut visitor = definition["credentialDefinitions"][0].clone();
    visitor["vct"] = "https://types.example/visitor/1".into();
    definition["credentialDefinitions"].as_array_mut().unwrap().push(visitor);
    definition
}

/// A scene whose offer has both badges.
async fn two_on_offer(world: &World) -> Scene {
    let operator = world.organisation().await;
    let definition = operator.define(&two_badges()).await;
    let credentials: Vec<Value> = definition["credentialDefinitions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| json!({"id": entry["id"], "vct": entry["vct"], "claims": samples::staff_claims()}))
        .collect();
    let body = json!({
        "issuanceMode": "InTime",
        "userPin": "",
        "credentialDefinitionId": definition["credentialDefinitionId"],
        "credentials": credentials,
    });
    let offer = operator.offer_of(body).await;
    let wallet = world.wallet();
    let opened = wallet.open(&offer.link).await;
    Scene { operator, definition, offer, wallet, opened }
}

fn offered(opened: &Opened) -> Vec<String> {
    let ids = opened.offer["credential_configuration_ids"].as_array().unwrap();
    ids.iter().map(|id| id.as_str().unwrap().to_owned()).collect()
}

fn detail(configuration: &str) -> Value {
    json!({"type": "openid_credential", "credential_configuration_id": configuration})
}

on_every_backend! {
    /// TOK-5: `pre-authorized_grant_anonymous_access_supported` says what is enforced.
    async fn anonymous_access_is_refused_when_it_is_off(world: &World) {
        let mut scene = Scene::under(world, json!({"anonymousAccess": false})).await;
        let published = &scene.opened.authorization_server["pre-authorized_grant_anonymous_access_supported"];
        assert!(published.is_null() || published == false, "{published}");
        scene.wallet.send(scene.wallet.token_call(&scene.opened)).await.refused(400, "invalid_client");
        assert_eq!(scene.cause().await.message, "token.client_auth_failed");
        scene.wallet.client_id = Some("wallet-dev".to_owned());
        let token = scene.redeem().await;
        scene.collect(&token).await;
        assert_eq!(scene.operator.history(&scene.offer.id).await["clientId"], "wallet-dev");
    }

    /// RFC 6749 §5.2: a list of clients admits nobody else.
    async fn only_registered_clients_are_admitted_when_the_policy_names_them(world: &World) {
        let policy = json!({"clients": {"registered": ["wallet-dev", "wallet-prod"]}, "anonymousAccess": false});
        let mut scene = Scene::under(world, policy).await;
        for stranger in ["wallet", "wallet-dev2", "WALLET-DEV", "wallet-dev "] {
            scene.wallet.client_id = Some(stranger.to_owned());
            scene.wallet.send(scene.wallet.token_call(&scene.opened)).await.refused(400, "invalid_client");
            assert!(scene.cause().await.reason.contains(stranger));
        }
        scene.wallet.client_id = Some("wallet-prod".to_owned());
        scene.redeem().await;
    }

    /// HAI-2: a policy may demand sender-constrained tokens.
    async fn a_token_request_without_dpop_is_refused_when_dpop_is_required(world: &World) {
        let scene = Scene::under(world, json!({"accessTokenBinding": "dpopRequired"})).await;
        let call = scene.wallet.token_call(&scene.opened).without_dpop();
        scene.wallet.send(call).await.refused(400, "invalid_dpop_proof");
        assert_eq!(scene.cause().await.message, "token.dpop_invalid");
        scene.redeem().await;
    }

    /// TOK-7, AUT-3, AUT-4: each detail is echoed with identifiers, and unknown members of it are ignored.
    async fn authorization_details_are_answered_with_credential_identifiers(world: &World) {
        let scene = two_on_offer(world).await;
        let offered = offered(&scene.opened);
        let mut first = detail(&offered[0]);
        first["x"] = json!({"y": 1});
        first["locations"] = json!([scene.opened.issuer_identifier()]);
        let details = json!([first, detail(&offered[1])]);
        let call = scene.wallet.token_call(&scene.opened).with_field("authorization_details", &details.to_string());
        let answer = scene.wallet.send(call).await.ok();
        let granted = answer["authorization_details"].as_array().unwrap();
        assert_eq!(granted.len(), 2);
        let mut identifiers = Vec::new();
        for (granted, configuration) in granted.iter().zip(&offered) {
            assert_eq!(granted["type"], "openid_credential");
            assert_eq!(granted["credential_configuration_id"], *configuration);
            identifiers.extend(granted["credential_identifiers"].as_array().unwrap().clone());
        }
        assert_eq!(identifiers.len(), 2, "one dataset each");
        assert_ne!(identifiers[0], identifiers[1]);
        assert_eq!(identifiers[0].as_str().map(str::len), Some(22));
    }

    /// TOK-6, TOK-8: two are on offer, one is asked for, and the token is good for that one only.
    async fn authorization_details_narrow_the_token(world: &World) {
        let scene = two_on_offer(world).await;
        let offered = offered(&scene.opened);
        let details = json!([detail(&offered[1])]).to_string();
        let call = scene.wallet.token_call(&scene.opened).with_field("authorization_details", &details);
        let token = Token { response: scene.wallet.send(call).await.ok(), opened: scene.opened.clone() };
        let granted = token.response["authorization_details"].as_array().unwrap();
        assert_eq!(granted.len(), 1);
        let received = scene.collect(&token).await;
        let parts = chancery_tests::sd_jwt::parts(&received.credential);
        assert_eq!(parts.signed["vct"], "https://types.example/visitor/1");
    }

    /// AUT-5, AUT-6, TOK-6: what is malformed, foreign or not on offer is `invalid_authorization_details` (RFC 9396
    /// §5).
    async fn authorization_details_beyond_the_offer_are_refused(world: &World) {
        let scene = Scene::new(world).await;
        let other = Scene::new(world).await;
        // Published by the organisation, and not on offer.
        let mut badge = samples::staff_badge();
        badge["label"] = "Another badge".into();
        badge["credentialDefinitions"][0]["credentialConfigurationId"] = "another".into();
        scene.operator.define(&badge).await;
        let id = configuration_id(&scene.opened);
        let with = |members: Value| {
            let mut detail = detail(id);
            for (name, value) in members.as_object().unwrap_or(&Map::new()) {
                detail[name.as_str()] = value.clone();
            }
            json!([detail])
        };
        let foreign = other.opened.issuer_identifier();
        for details in [
            json!([detail("another")]),
            json!([detail("unknown")]),
            json!([detail(id), detail("another")]),
            json!([]),
            json!({}),
            json!(detail(id)),
            json!(["openid_credential"]),
            with(json!({"type": "payment_initiation"})),
            with(json!({"type": 7})),
            with(json!({"credential_configuration_id": 7})),
            json!([{"type": "openid_credential"}]),
            json!([{"type": "openid_credential", "format": "dc+sd-jwt", "vct": "https://types.example/staff/1"}]),
            with(json!({"locations": [foreign]})),
            with(json!({"locations": foreign})),
            with(json!({"claims": []})),
            with(json!({"claims": [{"path": []}]})),
        ] {
            let call = scene.wallet.token_call(&scene.opened).with_field("authorization_details", &details.to_string());
            let answer = scene.wallet.send(call).await;
            assert_eq!(answer.json()["error"], "invalid_authorization_details", "{details}: {answer}");
            answer.refused(400, "invalid_authorization_details");
        }
        let call = scene.wallet.token_call(&scene.opened).with_field("authorization_details", "[{");
        scene.wallet.send(call).await.refused(400, "invalid_authorization_details");
        scene.redeem().await;
    }

    /// Policies are of one organisation: another one on the same server keeps its own.
    async fn a_policy_binds_its_own_organisation_only(world: &World) {
        let strict = Scene::under(world, json!({"accessTokenBinding": "dpopRequired", "anonymousAccess": false})).await;
        let mut open = Scene::new(world).await;
        open.wallet.dpop_key = None;
        let token = open.redeem().await;
        open.collect(&token).await;
        strict.wallet.send(strict.wallet.token_call(&strict.opened)).await.refused(400, "invalid_client");
    }
}
