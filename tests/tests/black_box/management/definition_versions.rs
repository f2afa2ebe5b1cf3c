//! Updates make versions, and running exchanges keep theirs.

use chancery_tests::on_every_backend;
use chancery_tests::platform::{definition_path, issue_body};
use chancery_tests::sd_jwt::parts;
use chancery_tests::wallet::well_known;

use super::*;

fn path(definition: &Value) -> String {
    definition_path(definition["credentialDefinitionId"].as_str().expect("an id"))
}

/// The badge with another type and other claims, under the entry id that it has.
fn second_version(definition: &Value) -> Value {
    json!({
        "label": "Staff badge 2",
        "credentialDefinitions": [{
            "id": definition["credentialDefinitions"][0]["id"],
            "credentialFormat": "dc+sd-jwt",
            "vct": "https://types.example/staff/2",
            "expirationInDays": 10,
            "claims": {"claims": [{"path": ["full_name"], "mandatory": true, "limitDisclosure": true}]},
        }],
    })
}

on_every_backend! {
    /// The wallet that was offered the first version receives the first version.
    async fn a_running_exchange_keeps_the_version_it_started_with(world: &World) {
        let (operator, definition) = badge(world).await;
        let offer = operator.offer(&definition, &samples::staff_claims()).await;
        let late = operator.offer(&definition, &samples::staff_claims()).await;
        let (wallet, slow) = (world.wallet(), world.wallet());
        let token = slow.redeem(&slow.open(&late.link).await).await;

        let updated = operator.put(&path(&definition), second_version(&definition)).await.ok();
        let updated = &updated["credentialDefinition"];
        assert_eq!((&updated["revision"], &updated["label"]), (&json!(2), &json!("Staff badge 2")));
        assert_eq!(updated["credentialDefinitionId"], definition["credentialDefinitionId"]);
        assert_eq!(updated["credentialDefinitions"][0]["id"], definition["credentialDefinitions"][0]["id"]);
        assert_eq!(operator.get(&path(&definition)).await.ok()["credentialDefinition"], *updated);

        for credential in [wallet.accept(&offer.link).await.credential, slow.collect(&token).await.credential] {
            let claims = parts(&credential).disclosed;
            assert_eq!(claims["vct"], "https://types.example/staff/1");
            assert_eq!(claims["family_name"], "Vanderstraete");
        }
        for offer in [&offer, &late] {
            let record = operator.history(&offer.id).await;
            assert_eq!(record["credentialLabel"], "Staff badge");
            assert_eq!(record["credentialDefinitionRevision"], 1);
        }

        let answer = operator.issue(issue_body(&definition, &samples::staff_claims())).await;
        answer.problem_at(400, "/credential/vct");
        let new = operator.offer(updated, &json!({"full_name": "Ilse Vanderstraete"})).await;
        let claims = parts(&wallet.accept(&new.link).await.credential).disclosed;
        assert_eq!(claims["vct"], "https://types.example/staff/2");
        assert_eq!(claims["full_name"], "Ilse Vanderstraete");
        assert_eq!(operator.history(&new.id).await["credentialDefinitionRevision"], 2);
    }

    /// The issuer metadata always shows the newest version under the same configuration id.
    async fn metadata_follows_the_newest_version(world: &World) {
        let (operator, definition) = badge(world).await;
        let url = well_known(operator.issuer(), "openid-credential-issuer");
        let published = async || world.http().get(&url).await.ok()["credential_configurations_supported"].clone();
        let id = definition["credentialDefinitions"][0]["credentialConfigurationId"].as_str().expect("an id").to_owned();
        assert_eq!(published().await[&id]["vct"], "https://types.example/staff/1");
        operator.put(&path(&definition), second_version(&definition)).await.ok();
        assert_eq!(published().await[&id]["vct"], "https://types.example/staff/2");
        let without = json!({
            "label": "Staff badge 3",
            "credentialDefinitions": [{
                "credentialFormat": "dc+sd-jwt",
                "vct": "https://types.example/other",
                "credentialConfigurationId": "other",
                "claims": {"claims": [{"path": ["full_name"]}]},
            }],
        });
        operator.put(&path(&definition), without).await.ok();
        let configurations = published().await;
        assert_eq!(configurations.as_object().map(serde_json::Map::len), Some(1), "{configurations}");
        assert_eq!(configurations["other"]["vct"], "https://types.example/other");
    }

    /// `version`, `trustAnchor` and `kid` are immutable (management API contract); sending them unchanged is no change.
    async fn immutable_members_stay(world: &World) {
        let (operator, definition) = badge(world).await;
        for (member, value) in [("trustAnchor", "x509"), ("kid", "another")] {
            let mut body = second_version(&definition);
            body[member] = value.into();
            operator.put(&path(&definition), body).await.problem_at(400, &format!("/{member}"));
        }
        let mut body = second_version(&definition);
        body["version"] = "draft_13".into();
        operator.put(&path(&definition), body).await.problem_at(400, "/version");
        let mut stranger = second_version(&definition);
        stranger["credentialDefinitions"][0]["id"] = UNKNOWN.into();
        operator.put(&path(&definition), stranger).await.problem_at(400, "/credentialDefinitions/0/id");
        assert_eq!(operator.get(&path(&definition)).await.ok()["credentialDefinition"], definition);

        // A client that sends back what it read changes nothing but the version.
        let again = operator.put(&path(&definition), definition.clone()).await.ok()["credentialDefinition"].clone();
        let mut expected = definition.clone();
        expected["revision"] = 2.into();
        assert_eq!(again, expected);
    }

    /// Of updates at the same moment each that is answered 200 made a version of its own; nothing is lost silently.
    async fn updates_at_the_same_moment_make_versions_or_are_refused(world: &World) {
        let (operator, definition) = badge(world).await;
        let updates: Vec<_> = (0..8)
            .map(|number| {
                let (operator, path) = (operator.clone(), path(&definition));
                let mut body = second_version(&definition);
                body["label"] = format!("Version by writer {number}").into();
                tokio::spawn(async move { operator.put(&path, body).await })
            })
            .collect();
        let mut revisions = Vec::new();
        for update in updates {
            let answer = update.await.expect("no panic");
            match answer.status {
                200 => revisions.push(answer.ok()["credentialDefinition"]["revision"].as_u64().expect("a number")),
                _ => assert_problem(&answer, 409, "concurrent-update"),
            }
        }
        revisions.sort_unstable();
        let expected: Vec<u64> = (2..2 + u64::try_from(revisions.len()).expect("a number")).collect();
        assert!(!revisions.is_empty());
        assert_eq!(revisions, expected);
        let newest = operator.get(&path(&definition)).await.ok();
        assert_eq!(newest["credentialDefinition"]["revision"].as_u64(), revisions.last().copied());
    }
}
