//! Credential definitions: creation in both shapes, deletion, configuration ids (management API contract).

use std::time::Duration;

use chancery_tests::on_every_backend;
use chancery_tests::platform::{definition_path, issue_body};
use chancery_tests::wallet::well_known;

use super::*;

fn id(definition: &Value) -> &str {
    definition["credentialDefinitionId"].as_str().expect("an id")
}

fn path(definition: &Value) -> String {
    definition_path(id(definition))
}

on_every_backend! {
    /// Every member of the contract is in the answer; what was left out has its documented default.
    async fn a_definition_is_answered_with_every_member(world: &World) {
        let operator = world.organisation().await;
        let body = json!({
            "label": "Pass",
            "credentialDefinitions": [{
                "credentialFormat": "dc+sd-jwt",
                "vct": "https://types.example/pass",
                "claims": {"claims": [{"path": ["name"]}, {"path": ["degrees", null, "title"], "mandatory": false}]},
            }],
        });
        let created = operator.post(DEFINITION, body).await.ok()["credentialDefinition"].clone();
        for (member, expected) in [
            ("label", json!("Pass")),
            ("version", json!("version_01")),
            ("trustAnchor", json!("did:key")),
            ("kid", json!("")),
            ("enforceWUA", json!(false)),
            ("supportInteractiveAuthorisationEndpoint", json!(false)),
            ("revision", json!(1)),
            ("createdAt", json!(START)),
            ("updatedAt", json!(START)),
        ] {
            assert_eq!(created[member], expected, "{member}");
        }
        assert_eq!(kind(&created["display"]), "object");
        let entry = &created["credentialDefinitions"][0];
        assert_eq!(uuid::Uuid::parse_str(entry["id"].as_str().expect("an id")).map(|id| id.get_version_num()), Ok(7));
        for (member, expected) in [
            ("credentialFormat", json!("dc+sd-jwt")),
            ("type", json!([])),
            ("vct", json!("https://types.example/pass")),
            ("doctype", json!("")),
            ("validationPath", json!("$")),
            ("expirationInDays", json!(30)),
            ("supportRevocation", json!(false)),
            ("revocationMethod", json!("status_list")),
            ("enforceCredentialUniqueness", json!(false)),
            ("supportCredentialReissuance", json!(false)),
            ("authorizationRequestType", json!("authorization_details")),
            ("scope", json!("")),
            ("requireKeyAttestation", json!(false)),
        ] {
            assert_eq!(entry[member], expected, "{member}");
        }
        assert_eq!(kind(&entry["credentialBindingMethods"]), "array");
        assert_eq!(kind(&entry["credentialResponseInterval"]), "integer");
        let claims = &entry["claims"]["claims"];
        assert_eq!(claims[0]["path"], json!(["name"]));
        assert_eq!((&claims[0]["mandatory"], &claims[0]["limitDisclosure"]), (&json!(true), &json!(false)));
        assert_eq!(claims[1]["path"], json!(["degrees", null, "title"]));
        assert_eq!(claims[1]["mandatory"], false);
        assert_eq!(operator.get(&path(&created)).await.ok()["credentialDefinition"], created);
    }

    /// M7: a JSON Schema and path pointers that say the same become the same description, and both issue.
    async fn both_claim_shapes_describe_the_same_claims(world: &World) {
        let operator = world.organisation().await;
        let flat = json!({
            "label": "Resident",
            "credentialFormat": "dc+sd-jwt",
            "vct": "https://types.example/resident",
            "expirationInDays": 90,
            "claims": {
                "type": "object",
                "required": ["given_name", "address"],
                "properties": {
                    "given_name": {"type": "string", "limitDisclosure": true},
                    "nick": {"type": "string"},
                    "address": {
                        "type": "object",
                        "required": ["locality"],
                        "properties": {"locality": {"type": "string", "limitDisclosure": true}},
                    },
                    "roles": {"type": "array", "items": {"type": "string", "limitDisclosure": true}},
                },
            },
        });
        let pointers = json!({
            "label": "Resident too",
            "credentialDefinitions": [{
                "credentialFormat": "dc+sd-jwt",
                "vct": "https://types.example/resident-too",
                "expirationInDays": 90,
                "claims": {"claims": [
                    {"path": ["given_name"], "mandatory": true, "limitDisclosure": true},
                    {"path": ["nick"], "mandatory": false, "limitDisclosure": false},
                    {"path": ["address"], "mandatory": true, "limitDisclosure": false},
                    {"path": ["address", "locality"], "mandatory": true, "limitDisclosure": true},
                    {"path": ["roles"], "mandatory": false, "limitDisclosure": false},
                    {"path": ["roles", null], "mandatory": false, "limitDisclosure": true},
                ]},
            }],
        });
        let claims = json!({
            "given_name": "Ilse", "address": {"locality": "Namur"}, "roles": ["clerk", "archivist"], "nick": "Il",
        });
        let mut described = Vec::new();
        for body in [flat, pointers] {
            let definition = operator.define(&body).await;
            let entries = definition["credentialDefinitions"].as_array().expect("entries");
            assert_eq!(entries.len(), 1);
            described.push(entries[0]["claims"].clone());
            let offer = operator.offer(&definition, &claims).await;
            let credential = world.wallet().accept(&offer.link).await.credential;
            let parts = chancery_tests::sd_jwt::parts(&credential);
            for (name, value) in claims.as_object().expect("claims") {
                assert_eq!(parts.disclosed[name], *value, "{name}");
            }
            // given_name, locality, and each of the two roles.
            assert_eq!(parts.disclosures.len(), 4);
        }
        assert_eq!(described[0], described[1]);
    }

    /// What an entry published stays its own: configuration ids are unique in the organisation, and others may have the
    /// same.
    async fn configuration_ids_are_unique_in_an_organisation(world: &World) {
        let operator = world.organisation().await;
        let named = |id: &str| {
            let mut body = samples::staff_badge();
            body["credentialDefinitions"][0]["credentialConfigurationId"] = id.into();
            body
        };
        operator.define(&named("badge")).await;
        let taken = operator.post(DEFINITION, named("badge")).await;
        assert_problem(&taken, 409, "configuration-id-taken");
        taken.problem_at(409, "/credentialDefinitions/0/credentialConfigurationId");
        world.organisation().await.define(&named("badge")).await;
        // An id that nobody asked for steps aside.
        for _ in 0..2 {
            operator.define(&samples::staff_badge()).await;
        }
        let url = well_known(operator.issuer(), "openid-credential-issuer");
        let metadata = world.http().get(&url).await.ok();
        let ids = metadata["credential_configurations_supported"].as_object().expect("configurations").keys();
        let ids: std::collections::BTreeSet<_> = ids.collect();
        assert_eq!(ids.len(), 3, "{ids:?}");
    }

    /// AUT-8: a request by scope begins one exchange, so that a scope stands for credentials of one definition; entries of that
    /// one may share it, and other organisations may have the same.
    async fn scopes_are_those_of_one_definition(world: &World) {
        let operator = world.organisation().await;
        let scoped = |label: &str, scope: &str| {
            let mut body = samples::staff_badge();
            body["label"] = label.into();
            let mut entry = body["credentialDefinitions"][0].clone();
            entry["authorizationRequestType"] = "scope_based".into();
            entry["scope"] = scope.into();
            let mut sibling = entry.clone();
            sibling["vct"] = "https://types.example/staff/2".into();
            body["credentialDefinitions"] = json!([entry, sibling]);
            body
        };
        let first = operator.define(&scoped("Badge", "staff")).await;
        let taken = operator.post(DEFINITION, scoped("Other", "staff")).await;
        assert_problem(&taken, 409, "scope-taken");
        taken.problem_at(409, "/credentialDefinitions/0/scope");
        let other = operator.define(&scoped("Other", "visitors")).await;
        let path = |definition: &Value| format!("{DEFINITION}/{}", definition["credentialDefinitionId"].as_str().unwrap());
        let taken = operator.put(&path(&other), scoped("Other", "staff")).await;
        assert_problem(&taken, 409, "scope-taken");
        operator.put(&path(&first), scoped("Badge", "staff")).await.ok();
        world.organisation().await.define(&scoped("Badge", "staff")).await;

        // Under HAIP an entry without a scope takes its configuration id.
        let key = chancery_tests::Key::p256();
        let anchors = json!({"walletProviders": {"jwks": {"keys": [key.jwk()]}}});
        let policy = json!({"profile": "haip", "trustAnchors": anchors});
        let operator = world.platform().organisation(json!({ "policy": policy })).await;
        operator.define(&samples::staff_badge()).await;
        assert_problem(&operator.post(DEFINITION, scoped("Other", "staff-badge")).await, 409, "scope-taken");
    }

    /// A definition that somebody may still redeem stays.
    async fn a_definition_is_not_deleted_while_exchanges_are_open(world: &World) {
        let (operator, definition) = badge(world).await;
        let offer = operator.offer(&definition, &samples::staff_claims()).await;
        assert_problem(&operator.delete(&path(&definition)).await, 409, "definition-in-use");
        let wallet = world.wallet();
        let opened = wallet.open(&offer.link).await;
        assert_problem(&operator.delete(&path(&definition)).await, 409, "definition-in-use");
        let token = wallet.redeem(&opened).await;
        assert_problem(&operator.delete(&path(&definition)).await, 409, "definition-in-use");
        operator.get(&path(&definition)).await.ok();
        wallet.collect(&token).await;

        operator.delete(&path(&definition)).await.ok();
        for answer in [
            operator.get(&path(&definition)).await,
            operator.delete(&path(&definition)).await,
            operator.put(&path(&definition), samples::staff_badge()).await,
        ] {
            assert_problem(&answer, 404, "not-found");
        }
        assert_eq!(operator.get(DEFINITIONS).await.ok()["pagination"]["totalItems"], 0);
        let body = issue_body(&definition, &samples::staff_claims());
        operator.issue(body).await.problem_at(400, "/credentialDefinitionId");
        // What was issued can still be looked at.
        assert_eq!(operator.history(&offer.id).await["credentialLabel"], "Staff badge");
    }

    /// An exchange is no longer open when its record is deleted, or its offer has expired.
    async fn an_offer_that_cannot_be_redeemed_does_not_keep_its_definition(world: &World) {
        let (operator, definition) = badge(world).await;
        let offer = operator.offer(&definition, &samples::staff_claims()).await;
        operator.delete(&chancery_tests::platform::history_path(&offer.id)).await.ok();
        operator.delete(&path(&definition)).await.ok();

        let definition = operator.define(&samples::staff_badge()).await;
        operator.offer(&definition, &samples::staff_claims()).await;
        world.advance(Duration::from_secs(3600));
        operator.delete(&path(&definition)).await.ok();
    }

    /// An id of nothing and what is no id at all are equally absent.
    async fn an_unknown_definition_is_not_found(world: &World) {
        let operator = world.organisation().await;
        for id in [UNKNOWN, "1", "%00", "..%2F..", &"x".repeat(300)] {
            assert_problem(&operator.get(&definition_path(id)).await, 404, "not-found");
            assert_problem(&operator.delete(&definition_path(id)).await, 404, "not-found");
            assert_problem(&operator.put(&definition_path(id), samples::staff_badge()).await, 404, "not-found");
        }
    }
}
