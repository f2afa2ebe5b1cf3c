//! Several credentials of one configuration in one offer: `credential_identifiers` tell them apart (OpenID4VCI §6.2, §8.2).

use chancery_tests::platform::history_path;
use chancery_tests::sd_jwt::parts;
use chancery_tests::{Answer, on_every_backend};

use super::*;

/// Staff claims of somebody else.
fn claims(given_name: &str) -> Value {
    let mut claims = samples::staff_claims();
    claims["given_name"] = given_name.into();
    claims
}

/// The issue call for two badges of one entry.
fn two(definition: &Value) -> Value {
    let entry = &definition["credentialDefinitions"][0]["id"];
    json!({
        "issuanceMode": "InTime", "userPin": "", "credentialDefinitionId": definition["credentialDefinitionId"],
        "credentials": [{"id": entry, "claims": claims("Ilse")}, {"id": entry, "claims": claims("Bram")}],
    })
}

async fn scene(world: &World, policy: Value) -> Scene {
    let mut scene = Scene::under(world, policy).await;
    scene.offer = scene.operator.offer_of(two(&scene.definition)).await;
    scene.opened = scene.wallet.open(&scene.offer.link).await;
    scene
}

fn identifiers(token: &Token) -> Vec<String> {
    let details = token.response["authorization_details"].as_array().expect("authorization_details");
    let identifiers = details.iter().flat_map(|detail| detail["credential_identifiers"].as_array().unwrap().clone());
    identifiers.map(|identifier| identifier.as_str().unwrap().to_owned()).collect()
}

async fn ask(scene: &Scene, token: &Token, selector: (&str, &str)) -> Answer {
    let nonce = scene.wallet.nonce(&scene.opened).await;
    let call = scene.wallet.credential_call(token, &nonce).with_member("credential_identifier", Value::Null);
    scene.wallet.send(call.with_member(selector.0, selector.1)).await
}

async fn given_name(scene: &Scene, token: &Token, identifier: &str) -> Value {
    let response = ask(scene, token, ("credential_identifier", identifier)).await.ok();
    parts(response["credentials"][0]["credential"].as_str().unwrap()).disclosed["given_name"].clone()
}

on_every_backend! {
    /// TOK-7, TOK-8, CRE-3: the offer names the configuration once, the token response both credentials, and each of them
    /// can be fetched, in any order and more than once.
    async fn two_credentials_of_one_configuration_are_told_apart_by_identifiers(world: &World) {
        let scene = scene(world, json!({})).await;
        assert_eq!(scene.opened.offer["credential_configuration_ids"], json!(["staff-badge"]));
        let token = scene.redeem().await;
        let details = &token.response["authorization_details"];
        assert_eq!(details.as_array().unwrap().len(), 1);
        assert_eq!(details[0]["type"], "openid_credential");
        assert_eq!(details[0]["credential_configuration_id"], "staff-badge");
        let found = identifiers(&token);
        assert_eq!(found.len(), 2);
        assert_ne!(found[0], found[1]);
        for (identifier, name) in [(&found[1], "Bram"), (&found[0], "Ilse"), (&found[1], "Bram")] {
            assert_eq!(given_name(&scene, &token, identifier).await, name);
        }
        let record = scene.operator.history(&scene.offer.id).await;
        assert_eq!(record["credentialConfigurationIds"], json!(["staff-badge"]));
        let names: Vec<&Value> = record["credentials"].as_array().unwrap().iter().map(|it| &it["claims"]["given_name"]).collect();
        assert_eq!(names, ["Ilse", "Bram"]);
        assert_eq!(record["issuedCredentials"].as_array().unwrap().len(), 3);
    }

    /// CRE-3: neither the configuration, nor a made-up identifier, nor one of another exchange names a credential.
    async fn wrong_identifiers_name_nothing(world: &World) {
        let (scene, other) = (scene(world, json!({})).await, scene(world, json!({})).await);
        let (token, foreign) = (scene.redeem().await, other.redeem().await);
        ask(&scene, &token, ("credential_configuration_id", "staff-badge")).await.refused(400, "invalid_credential_request");
        let offer = scene.operator.offer_of(two(&scene.definition)).await;
        let opened = scene.wallet.open(&offer.link).await;
        let sibling = scene.wallet.redeem(&opened).await;
        for identifier in ["staff-badge", "x", &identifiers(&foreign)[0], &identifiers(&sibling)[1]] {
            let answer = ask(&scene, &token, ("credential_identifier", identifier)).await;
            answer.refused(400, "unknown_credential_identifier");
        }
        assert_eq!(world.database.number("SELECT count(*) FROM credential").await, 0);
    }

    /// TOK-6: a wallet that asks by `authorization_details` gets the same; a refresh token keeps the identifiers.
    async fn identifiers_stay_when_a_token_is_refreshed(world: &World) {
        let scene = scene(world, json!({"refreshTokens": true})).await;
        let details = json!([{"type": "openid_credential", "credential_configuration_id": "staff-badge"}]).to_string();
        let call = scene.wallet.token_call(&scene.opened).with_field("authorization_details", &details);
        let token = Token { response: scene.wallet.send(call).await.ok(), opened: scene.opened.clone() };
        let refresh = token.response["refresh_token"].as_str().unwrap();
        let call = scene.wallet.refresh_call(scene.operator.issuer(), refresh);
        let fresh = Token { response: scene.wallet.send(call).await.ok(), opened: scene.opened.clone() };
        assert_eq!(identifiers(&fresh), identifiers(&token));
        assert_eq!(given_name(&scene, &fresh, &identifiers(&token)[1]).await, "Bram");
    }

    /// With one dataset of each of two configurations nothing changes: they are named by configuration.
    async fn one_dataset_each_needs_no_identifiers(world: &World) {
        let operator = world.organisation().await;
        let mut badge = samples::staff_badge();
        let mut second = badge["credentialDefinitions"][0].clone();
        second["vct"] = "https://types.example/staff/2".into();
        badge["credentialDefinitions"].as_array_mut().unwrap().push(second);
        let definition = operator.define(&badge).await;
        let mut body = two(&definition);
        body["credentials"][1]["id"] = definition["credentialDefinitions"][1]["id"].clone();
        let offer = operator.offer_of(body.clone()).await;
        let wallet = world.wallet();
        let token = wallet.redeem(&wallet.open(&offer.link).await).await;
        assert!(token.response.get("authorization_details").is_none(), "{}", token.response);
        // Two of the first and one of the second: then all of them have identifiers.
        let first = body["credentials"][0].clone();
        body["credentials"].as_array_mut().unwrap().push(first);
        let offer = operator.offer_of(body).await;
        let token = wallet.redeem(&wallet.open(&offer.link).await).await;
        let details = token.response["authorization_details"].as_array().unwrap();
        let counts: Vec<usize> = details.iter().map(|it| it["credential_identifiers"].as_array().unwrap().len()).collect();
        assert_eq!(counts, [2, 1]);
    }

    /// Claims that come later come for all credentials of an entry at once, in their order.
    async fn claims_of_several_credentials_come_together(world: &World) {
        let mut scene = Scene::new(world).await;
        let mut body = two(&scene.definition);
        body["issuanceMode"] = "Deferred".into();
        for credential in body["credentials"].as_array_mut().unwrap() {
            credential.as_object_mut().unwrap().shift_remove("claims");
        }
        scene.offer = scene.operator.offer_of(body).await;
        scene.opened = scene.wallet.open(&scene.offer.link).await;
        let token = scene.redeem().await;
        let found = identifiers(&token);
        let deferred = ask(&scene, &token, ("credential_identifier", &found[1])).await.expect(202);
        let entry = &scene.definition["credentialDefinitions"][0]["id"];
        let path = history_path(&scene.offer.id);
        let one = json!({"credential": {"id": entry, "claims": claims("Ilse")}});
        scene.operator.put(&path, one).await.problem_at(400, "/credential");
        let both = json!({"credentials": [{"id": entry, "claims": claims("Ilse")}, {"id": entry, "claims": claims("Bram")}]});
        assert_eq!(scene.operator.put(&path, both).await.ok()["credentialHistory"]["credentialStatus"], "ready");
        let transaction = deferred["transaction_id"].as_str().unwrap();
        let response = scene.wallet.send(scene.wallet.deferred_call(&token, transaction)).await.ok();
        let credential = parts(response["credentials"][0]["credential"].as_str().unwrap());
        assert_eq!(credential.disclosed["given_name"], "Bram");
        assert_eq!(given_name(&scene, &token, &found[0]).await, "Ilse");
    }

    /// `enforceCredentialUniqueness` counts each of them by itself.
    async fn each_of_several_credentials_is_unique_by_itself(world: &World) {
        let operator = world.organisation().await;
        let mut badge = samples::staff_badge();
        badge["credentialDefinitions"][0]["enforceCredentialUniqueness"] = true.into();
        let definition = operator.define(&badge).await;
        let offer = operator.offer_of(two(&definition)).await;
        let wallet = world.wallet();
        let opened = wallet.open(&offer.link).await;
        let scene = Scene { operator, definition, offer, wallet, opened };
        let token = scene.redeem().await;
        for identifier in identifiers(&token) {
            given_name(&scene, &token, &identifier).await;
            let again = ask(&scene, &token, ("credential_identifier", &identifier)).await;
            again.refused(400, "credential_request_denied");
        }
    }
}
