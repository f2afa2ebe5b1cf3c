//! The issue call (management API contract).

use chancery_tests::on_every_backend;
use chancery_tests::platform::issue_body;
use chancery_tests::sd_jwt::parts;

use super::*;

/// Two entries with types of their own.
fn two_entries() -> Value {
    let entry = |vct: &str, claim: &str| {
        json!({
            "credentialFormat": "dc+sd-jwt",
            "vct": vct,
            "claims": {"claims": [{"path": [claim], "mandatory": true}]},
        })
    };
    json!({"label": "Pair", "credentialDefinitions": [entry("urn:pair:one", "one"), entry("urn:pair:two", "two")]})
}

fn entry(definition: &Value, index: usize) -> &Value {
    &definition["credentialDefinitions"][index]
}

on_every_backend! {
    /// M9: three schemes, of which the first is the default; the link is the scheme and one parameter.
    async fn the_offer_link_begins_with_the_scheme_asked_for(world: &World) {
        let (operator, definition) = badge(world).await;
        for (given, expected) in [
            (None, "openid-credential-offer://"),
            (Some("openid-credential-offer://"), "openid-credential-offer://"),
            (Some("haip://"), "haip://"),
            (Some("haip-vci://"), "haip-vci://"),
        ] {
            let mut body = issue_body(&definition, &samples::staff_claims());
            if let Some(given) = given {
                body["urlScheme"] = given.into();
            }
            let offer = operator.offer_of(body).await;
            assert!(offer.link.starts_with(&format!("{expected}?credential_offer_uri=http")), "{}", offer.link);
            world.wallet().accept(&offer.link).await;
        }
    }

    /// `Deferred` may come without claims, `InTime` may not (management API contract).
    async fn a_deferred_issuance_may_begin_without_claims(world: &World) {
        let (operator, definition) = badge(world).await;
        let bare = json!({
            "issuanceMode": "Deferred",
            "userPin": "",
            "credentialDefinitionId": definition["credentialDefinitionId"],
        });
        let record = operator.issue(bare.clone()).await.ok()["credentialHistory"].clone();
        assert_eq!((&record["issuanceMode"], &record["credentialStatus"]), (&json!("Deferred"), &json!("pending")));
        // The id that the deferred update must repeat.
        assert_eq!(record["credential"]["id"], entry(&definition, 0)["id"]);
        let mut complete = issue_body(&definition, &samples::staff_claims());
        complete["issuanceMode"] = "Deferred".into();
        let record = operator.issue(complete).await.ok()["credentialHistory"].clone();
        assert_eq!(record["credentialStatus"], "ready");

        let mut in_time = bare;
        in_time["issuanceMode"] = "InTime".into();
        operator.issue(in_time).await.problem_at(400, "/credential");
    }

    /// Without a definition id a credential describes itself by its type, as long as that is clear (M3).
    async fn a_credential_may_name_its_definition_by_its_type(world: &World) {
        let (operator, definition) = badge(world).await;
        let mut body = issue_body(&definition, &samples::staff_claims());
        body.as_object_mut().expect("members").shift_remove("credentialDefinitionId");
        body["credential"].as_object_mut().expect("members").shift_remove("id");
        let offer = operator.offer_of(body.clone()).await;
        assert_eq!(offer.history["credentialDefinitionId"], definition["credentialDefinitionId"]);
        operator.define(&samples::staff_badge()).await;
        operator.issue(body.clone()).await.problem_at(400, "/credential/vct");
        body["credential"]["vct"] = "https://types.example/nobody".into();
        operator.issue(body.clone()).await.problem_at(400, "/credential/vct");
        body["credential"].as_object_mut().expect("members").shift_remove("vct");
        operator.issue(body).await.problem_at(400, "/credentialDefinitionId");
    }

    /// M4: `credentials` with one element per entry makes one record with both configurations on offer.
    async fn several_entries_are_offered_together(world: &World) {
        let operator = world.organisation().await;
        let definition = operator.define(&two_entries()).await;
        let element = |index: usize, claim: &str| {
            json!({"id": entry(&definition, index)["id"], "claims": {claim: "value"}, "credentialMetadata": {"n": index}})
        };
        let body = |credentials: Value| {
            json!({
                "issuanceMode": "InTime",
                "userPin": "",
                "credentialDefinitionId": definition["credentialDefinitionId"],
                "credentials": credentials,
            })
        };
        let offer = operator.offer_of(body(json!([element(1, "two"), element(0, "one")]))).await;
        let opened = world.wallet().open(&offer.link).await;
        let ids = [1, 0].map(|index| &entry(&definition, index)["credentialConfigurationId"]);
        assert_eq!(opened.offer["credential_configuration_ids"], json!(ids));
        let asked = offer.history["credentials"].as_array().expect("credentials");
        assert_eq!(asked.len(), 2);
        assert_eq!(asked[0]["credentialMetadata"], json!({"n": 1}));

        // Either entry alone.
        let offer = operator.offer_of(body(json!([element(1, "two")]))).await;
        let credential = world.wallet().accept(&offer.link).await.credential;
        assert_eq!(parts(&credential).disclosed["vct"], "urn:pair:two");

        for (pointer, credentials) in [
            ("/credentials/1/id", json!([element(0, "one"), {"id": UNKNOWN, "claims": {"one": 1}}])),
            ("/credentials/0/id", json!([{"id": "no id", "claims": {"one": 1}}])),
            ("/credentials", json!([element(0, "one"), element(0, "one"), {"id": entry(&definition, 0)["id"]}])),
            ("/credentials/0/id", json!([{"claims": {"one": 1}}])),
            ("/credentials/0/vct", json!([{"id": entry(&definition, 0)["id"], "vct": "urn:pair:two", "claims": {"one": 1}}])),
            ("/credentials/0/claims", json!([{"id": entry(&definition, 0)["id"]}])),
            ("/credentials/0/claims/two", json!([{"id": entry(&definition, 0)["id"], "claims": {"one": 1, "two": 2}}])),
            ("/credentials", json!({})),
            ("/credentials/0", json!(["urn:pair:one"])),
        ] {
            operator.issue(body(credentials)).await.problem_at(400, pointer);
        }
        let mut both = body(json!([element(0, "one")]));
        both["credential"] = element(1, "two");
        operator.issue(both).await.problem_at(400, "/credentials");
    }

    /// What the organisation attaches is echoed and not interpreted; unknown members of a credential pass by.
    async fn credential_metadata_is_stored_and_echoed(world: &World) {
        let (operator, definition) = badge(world).await;
        let mut body = issue_body(&definition, &samples::staff_claims());
        let metadata = json!({"case": "A-17", "nested": {"list": [1, null, "x"]}});
        body["credential"]["credentialMetadata"] = metadata.clone();
        body["credential"]["vendorExtension"] = json!({"ignored": true});
        let offer = operator.offer_of(body).await;
        assert_eq!(operator.history(&offer.id).await["credential"]["credentialMetadata"], metadata);
        let credential = world.wallet().accept(&offer.link).await.credential;
        assert!(!parts(&credential).disclosed.to_string().contains("A-17"));
    }

    /// Claims arrive in the credential as they were given, whatever they hold.
    async fn claims_of_every_kind_reach_the_credential(world: &World) {
        let operator = world.organisation().await;
        let definition = json!({
            "label": "Everything",
            "credentialDefinitions": [{
                "credentialFormat": "dc+sd-jwt",
                "vct": "urn:everything",
                "claims": {"claims": [
                    {"path": ["open"], "limitDisclosure": true},
                    {"path": ["plain"]},
                    {"path": ["list", null], "limitDisclosure": true},
                ]},
            }],
        });
        let claims = json!({
            "open": {"a": [1, {"b": null}], "z": "é\u{1F600}\"\\\u{2028}"},
            "plain": -12.5,
            "list": [true, {"deep": [[]]}, ""],
        });
        let definition = operator.define(&definition).await;
        let offer = operator.offer(&definition, &claims).await;
        let disclosed = parts(&world.wallet().accept(&offer.link).await.credential).disclosed;
        for (name, value) in claims.as_object().expect("claims") {
            assert_eq!(disclosed[name], *value, "{name}");
        }
    }
}
