//! Defaults of an organisation, templates, scopes, previews, and `If-Match`.

use chancery_tests::platform::{definition_path, history_path};
use chancery_tests::wallet::well_known;
use chancery_tests::{Options, on_every_backend};
use reqwest::Method;

use super::*;

const GLOBAL: &str = "/v2/config/digital-wallet/openid/global-configuration";
const GLOBALS: &str = "/v2/config/digital-wallet/openid/global-configurations";

fn defaults() -> Value {
    json!({
        "credentialExpirationInDays": 90,
        "credentialBranding": {"name": "Ministry of Examples", "backgroundColor": "#12355b"},
        "authorizationRequestExpiry": 7200,
        "credentialBindingMethods": ["jwk"],
        "credentialResponseInterval": 60,
    })
}

async fn put_if(operator: &Operator, path: &str, tag: &str, body: &Value) -> Answer {
    operator.send(operator.request(Method::PUT, path).header("if-match", tag).json(body)).await
}

on_every_backend! {
    async fn defaults_are_created_read_replaced_and_deleted(world: &World) {
        let operator = world.organisation().await;
        assert_eq!(operator.get(GLOBALS).await.ok()["pagination"]["totalItems"], 0);
        let created = operator.post(GLOBAL, defaults()).await.ok()["globalConfiguration"].clone();
        assert_eq!((&created["credentialExpirationInDays"], &created["revision"]), (&json!(90), &json!(1)));
        assert_problem(&operator.post(GLOBAL, defaults()).await, 400, "invalid-request");
        let path = format!("{GLOBAL}/{}", created["globalConfigurationId"].as_str().expect("an id"));
        assert_eq!(operator.get(&path).await.ok()["globalConfiguration"], created);
        assert_eq!(operator.get(GLOBALS).await.ok()["globalConfigurations"], json!([created]));
        let replaced = operator.put(&path, json!({"credentialBranding": {"name": "Other"}})).await.ok();
        let replaced = &replaced["globalConfiguration"];
        assert_eq!((&replaced["credentialExpirationInDays"], &replaced["revision"]), (&json!(30), &json!(2)));
        // What an answer shows can be sent back, also for what follows the policy.
        assert_eq!(replaced["authorizationRequestExpiry"], 0);
        let again = operator.put(&path, replaced.clone()).await.ok();
        assert_eq!(again["globalConfiguration"]["authorizationRequestExpiry"], 0);
        operator.put(&path, json!({"credentialBranding": {"name": "x"}, "authorizationRequestExpiry": 59})).await
            .problem_at(400, "/authorizationRequestExpiry");
        operator.put(&path, json!({})).await.problem_at(400, "/credentialBranding");
        operator.put(&path, json!({"credentialBranding": {"name": "x"}, "typo": 1})).await.problem_at(400, "/typo");
        let encrypted = json!({"credentialBranding": {"name": "x"}, "credentialRequestEncryptionRequired": true});
        operator.put(&path, encrypted).await.problem_at(400, "/credentialRequestEncryptionRequired");
        assert_eq!(operator.delete(&path).await.ok()["success"], true);
        assert_problem(&operator.get(&path).await, 404, "not-found");
        operator.post(GLOBAL, defaults()).await.ok();
    }

    /// Entry, definition, global configuration, built-in default: the first that says something.
    async fn definitions_and_offers_take_what_they_do_not_say_from_the_defaults(world: &World) {
        let operator = world.organisation().await;
        operator.post(GLOBAL, defaults()).await.ok();
        let mut body = samples::pid();
        let bare = &mut body["credentialDefinitions"][0];
        for member in ["expirationInDays", "credentialBindingMethods", "display"] {
            bare.as_object_mut().expect("members").shift_remove(member);
        }
        let definition = operator.define(&body).await;
        let entry = &definition["credentialDefinitions"][0];
        assert_eq!((&entry["expirationInDays"], &entry["credentialResponseInterval"]), (&json!(90), &json!(60)));
        assert_eq!(entry["credentialBindingMethods"], json!(["jwk"]));
        let own = operator.define(&samples::staff_badge()).await;
        assert_eq!(own["credentialDefinitions"][0]["expirationInDays"], 30);
        let metadata = world.http().get(&well_known(operator.issuer(), "openid-credential-issuer")).await.ok();
        let shown = |id: &Value| {
            let id = id["credentialDefinitions"][0]["credentialConfigurationId"].as_str().expect("an id");
            metadata["credential_configurations_supported"][id]["credential_metadata"]["display"][0]["name"].clone()
        };
        assert_eq!((shown(&definition), shown(&own)), (json!("Ministry of Examples"), json!("Staff badge")));
        let offer = operator.offer(&own, &samples::staff_claims()).await;
        assert_eq!(offer.history["expiresAt"], START + 7200);
    }

    /// An offer that is made again lives as long as a new one.
    async fn offers_that_are_made_again_take_their_lifetime_from_the_defaults(world: &World) {
        let operator = world.organisation().await;
        operator.post(GLOBAL, defaults()).await.ok();
        let definition = operator.define(&samples::staff_badge()).await;
        let offer = operator.offer(&definition, &samples::staff_claims()).await;
        for again in ["resend", "reoffer"] {
            let answer = operator.post(&format!("{}/{again}", history_path(&offer.id)), json!({})).await.ok();
            assert_eq!(answer["credentialHistory"]["expiresAt"], START + 7200, "{again}");
        }
    }

    /// Two people who read the same version: the second is told.
    async fn a_change_for_another_version_is_refused(world: &World) {
        let (operator, definition) = badge(world).await;
        let path = definition_path(definition["credentialDefinitionId"].as_str().expect("an id"));
        let read = operator.get(&path).await;
        let tag = read.header("etag").expect("a tag").to_owned();
        let changed = put_if(&operator, &path, &tag, &samples::staff_badge()).await;
        changed.ok();
        assert_ne!(changed.header("etag").expect("a tag"), tag);
        for stale in [tag.as_str(), "\"x\"", "W/\"2\"", "\"1\", \"2\""] {
            let refused = put_if(&operator, &path, stale, &samples::staff_badge()).await;
            assert_problem(&refused, 412, "precondition-failed");
        }
        put_if(&operator, &path, "*", &samples::staff_badge()).await.ok();
        operator.put(&path, samples::staff_badge()).await.ok();

        let created = operator.post(GLOBAL, defaults()).await;
        let id = created.ok()["globalConfiguration"]["globalConfigurationId"].clone();
        let path = format!("{GLOBAL}/{}", id.as_str().expect("an id"));
        assert_eq!(created.header("etag"), Some("\"1\""));
        put_if(&operator, &path, "\"1\"", &defaults()).await.ok();
        assert_problem(&put_if(&operator, &path, "\"1\"", &defaults()).await, 412, "precondition-failed");
        let delete = operator.request(Method::DELETE, &path).header("if-match", "\"1\"");
        assert_problem(&operator.send(delete).await, 412, "precondition-failed");
    }

    /// Of parallel changes for the same version one happens.
    async fn parallel_changes_of_one_version_do_not_overwrite_each_other(world: &World) {
        let operator = world.organisation().await;
        let id = operator.post(GLOBAL, defaults()).await.ok()["globalConfiguration"]["globalConfigurationId"].clone();
        let path = format!("{GLOBAL}/{}", id.as_str().expect("an id"));
        let changes: Vec<_> = (0..8)
            .map(|_| {
                let (operator, path) = (operator.clone(), path.clone());
                tokio::spawn(async move { put_if(&operator, &path, "\"1\"", &defaults()).await })
            })
            .collect();
        let mut done = 0;
        for change in changes {
            let answer = change.await.expect("an answer");
            match answer.status {
                200 => done += 1,
                _ => assert_problem(&answer, 412, "precondition-failed"),
            }
        }
        assert_eq!(done, 1);
    }

    async fn every_template_can_be_created_as_it_is(world: &World) {
        let operator = world.organisation().await;
        let list = operator.get(&format!("{DEFINITION}/templates")).await.ok();
        let templates = list["templates"].as_array().expect("templates").clone();
        let ids: Vec<&str> = templates.iter().filter_map(|template| template["id"].as_str()).collect();
        assert_eq!(ids, ["pid", "mdl", "age-verification", "diploma", "staff-badge", "pda1", "ehic"]);
        for template in &templates {
            operator.define(&template["credentialDefinition"]).await;
        }
    }

    async fn scopes_of_definitions_are_listed(world: &World) {
        let operator = world.organisation().await;
        let scopes = "/v2/config/digital-wallet/openid/sdjwt/scopes";
        assert_eq!(operator.get(scopes).await.ok(), json!({"scopes": []}));
        let mut body = samples::staff_badge();
        body["credentialDefinitions"][0]["authorizationRequestType"] = "scope_based".into();
        body["credentialDefinitions"][0]["scope"] = "staff".into();
        operator.define(&body).await;
        assert_eq!(operator.get(scopes).await.ok(), json!({"scopes": ["staff"]}));
        // In HAIP every configuration has a scope, and the metadata name it.
        let strict = world.platform().organisation(json!({ "policy": {"profile": "haip", "walletAttestation": "observe"} })).await;
        let mut other = samples::pid();
        other["credentialDefinitions"][0]["authorizationRequestType"] = "scope_based".into();
        other["credentialDefinitions"][0]["scope"] = "pid".into();
        strict.define(&other).await;
        let named = strict.define(&samples::staff_badge()).await["credentialDefinitions"][0].clone();
        let expected = ["pid", named["credentialConfigurationId"].as_str().expect("an id")];
        assert_eq!(strict.get(scopes).await.ok(), json!({ "scopes": expected }));
    }

    /// The address of a schema must not lead inside.
    async fn a_preview_asks_public_addresses_only(world: &World) {
        let operator = world.organisation().await;
        let preview = format!("{DEFINITION}/preview");
        for inside in ["http://schemas.example/a", "https://127.0.0.1/", "https://[::1]/", "https://169.254.169.254/", "x"] {
            let refused = operator.post(&preview, json!({"credentialDefinitionUri": inside})).await;
            refused.problem_at(400, "/credentialDefinitionUri");
        }
        operator.post(&preview, json!({})).await.problem_at(400, "/credentialDefinitionUri");
    }

    async fn a_preview_shows_the_claims_of_hosted_type_metadata(backend: Backend) {
        let environment = [("CHANCERY_OUTBOUND_ADDRESSES".to_owned(), "any".to_owned())].into_iter().collect();
        World::run_with(backend, Options { environment, ..Options::default() }, async |world: &World| {
            let operator = world.organisation().await;
            let mut body = samples::staff_badge();
            let vct = format!("{}/types/staff", operator.issuer());
            body["credentialDefinitions"][0]["vct"] = vct.clone().into();
            operator.define(&body).await;
            let preview = format!("{DEFINITION}/preview");
            let answer = operator.post(&preview, json!({"credentialDefinitionUri": vct})).await.ok();
            assert_eq!(answer["claims"]["claims"][0]["path"], json!(["given_name"]));
            assert_eq!(answer["claims"]["claims"][0]["limitDisclosure"], true);
            assert_eq!(answer["document"]["vct"], vct);
            let nothing = format!("{}/types/nothing", operator.issuer());
            let refused = operator.post(&preview, json!({"credentialDefinitionUri": nothing})).await;
            refused.problem_at(400, "/credentialDefinitionUri");
        })
        .await;
    }
}
