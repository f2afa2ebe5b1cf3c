//! The audit log: what is in it, what is not, and that nobody can change it unnoticed.

use std::collections::BTreeSet;
use std::time::Duration;

use chancery_tests::on_every_backend;
use chancery_tests::platform::{API_KEYS, ISSUE, ORGANISATIONS, history_path, issue_body};
use reqwest::Method;

use super::*;

const AUDIT: &str = "/v2/config/audit";
const RETENTION: &str = "/v2/config/digital-wallet/openid/retention";
const WEBHOOK: &str = "/v2/config/webhook";

async fn entries(operator: &Operator, query: &str) -> Vec<Value> {
    let answer = operator.get(&format!("{AUDIT}?limit=100&{query}")).await.ok();
    answer["auditEntries"].as_array().expect("entries").clone()
}

async fn newest(operator: &Operator) -> Value {
    entries(operator, "").await.first().expect("an entry").clone()
}

async fn length(operator: &Operator) -> i64 {
    operator.get(AUDIT).await.ok()["pagination"]["totalItems"].as_i64().expect("a number")
}

async fn keep_claims(operator: &Operator, days: u32) {
    operator.put(RETENTION, json!({ "claimsDays": days })).await.ok();
}

async fn holds(world: &World, operator: &Operator, more: &[&str]) -> bool {
    let slug = operator.organisation["slug"].as_str().expect("a slug");
    world.command(&[&["audit", "verify", "--organisation", slug], more].concat()).await
}

/// Of a place in the log of an organisation, which has no other test's entries.
fn at(operator: &Operator, sequence: i64) -> String {
    format!("{} AND sequence = {sequence}", of(operator))
}

fn of(operator: &Operator) -> String {
    // SQLite keeps ids as bytes, PostgreSQL as such: both compare with what the directory holds.
    format!(
        "organisation_id = (SELECT id FROM organisation WHERE slug = '{}')",
        operator.organisation["slug"].as_str().expect("a slug")
    )
}

on_every_backend! {
    async fn a_change_is_written_down_with_actor_address_before_and_after(world: &World) {
        let operator = world.organisation().await;
        keep_claims(&operator, 7).await;
        let request = operator.request(Method::PUT, RETENTION).header("x-request-id", "r-42");
        operator.send(request.json(&json!({"claimsDays": 30}))).await.ok();
        let entry = newest(&operator).await;
        assert_eq!(entry["action"], "setRetention");
        assert_eq!(entry["target"], RETENTION);
        assert_eq!(entry["requestId"], "r-42");
        assert_eq!((&entry["outcome"], &entry["status"], &entry["problem"]), (&json!("done"), &json!(200), &json!("")));
        assert_eq!(entry["address"], "127.0.0.1");
        assert_eq!((&entry["actor"]["kind"], &entry["actor"]["role"]), (&json!("apiKey"), &json!("admin")));
        let keys = operator.get(API_KEY_LIST).await.ok();
        assert_eq!((&entry["actor"]["id"], &entry["actor"]["name"]), (&keys["apiKeys"][0]["id"], &keys["apiKeys"][0]["name"]));
        assert_eq!(entry["before"]["retention"]["claimsDays"], 7);
        assert_eq!(entry["after"]["retention"]["claimsDays"], 30);
        assert_eq!(entry["timestamp"], "2026-01-15T12:00:00Z");
    }

    /// The log begins with the creation of the organisation, and tells what the platform does to it.
    async fn what_the_platform_does_to_an_organisation_is_in_its_log(world: &World) {
        let operator = world.organisation().await;
        world.platform().suspend(&operator).await;
        operator.get(DEFINITIONS).await.problem(403);
        world.platform().resume(&operator).await;
        let all = entries(&operator, "sortOrder=asc").await;
        let told: Vec<_> = all.iter().map(|it| (it["actor"]["kind"].as_str(), it["action"].as_str())).collect();
        let platform = Some("platformKey");
        let own = Some("apiKey");
        assert_eq!(told[0], (platform, Some("createOrganisation")));
        assert!(told.contains(&(platform, Some("suspendOrganisation"))) && told.contains(&(platform, Some("resumeOrganisation"))));
        assert_eq!(told[told.len() - 2], (own, Some("listCredentialDefinitions")), "{told:?}");
        assert_eq!(all[0]["after"]["apiKey"]["apiKey"], "");
        assert_eq!(all[told.len() - 2]["problem"], "organisation-suspended");
    }

    async fn secrets_do_not_get_into_the_log(world: &World) {
        let operator = world.organisation().await;
        let key = operator.post(API_KEYS, json!({"name": "ci", "role": "issuer"})).await.ok();
        let hook = json!({"webhook": {
            "payloadUrl": "http://127.0.0.1:9/hook",
            "contentType": "application/json",
            "secretKey": "a-secret-of-some-length-for-the-hook",
            "subscribedEvents": {"digitalWalletWebhook": ["openid.credential.offer_sent"]},
        }});
        operator.post(WEBHOOK, hook).await.ok();
        let log = operator.get(&format!("{AUDIT}?limit=100")).await;
        log.ok();
        assert!(log.mentions("createApiKey") && log.mentions("http://127.0.0.1:9/hook"), "{log}");
        let secret = key["apiKey"]["apiKey"].as_str().expect("a secret");
        for secret in [secret, "a-secret-of-some-length-for-the-hook"] {
            assert!(!log.mentions(secret), "{log}");
            assert!(!world.database.holds(secret).await);
        }
    }

    async fn refused_attempts_are_written_down_with_their_reason(world: &World) {
        let operator = world.organisation().await;
        let auditor = operator.with_role("auditor").await;
        let revoked = operator.with_role("admin").await;
        let id = operator.get(API_KEY_LIST).await.ok()["apiKeys"][0]["id"].as_str().expect("an id").to_owned();
        assert_eq!(operator.delete(&format!("{API_KEYS}/{id}")).await.status, 204);
        let before = length(&operator).await;
        assert_problem(&auditor.put(RETENTION, json!({})).await, 403, "forbidden");
        assert_problem(&revoked.get(DEFINITIONS).await, 401, "unauthorized");
        assert_problem(&operator.put(RETENTION, json!({"claimsDays": -1})).await, 400, "invalid-request");
        assert_problem(&operator.delete(&format!("{DEFINITION}/{UNKNOWN}")).await, 404, "not-found");
        assert_problem(&operator.delete(&format!("{DEFINITION}/what-people-type")).await, 404, "not-found");
        assert_problem(&operator.get(ORGANISATIONS).await, 401, "unauthorized");
        assert_eq!(length(&operator).await, before + 6);
        let told: Vec<_> = entries(&operator, "outcome=refused&sortOrder=asc").await;
        let told: Vec<_> = told.iter().map(|it| (it["status"].clone(), it["problem"].clone(), it["actor"]["role"].clone())).collect();
        let expected = [
            (403, "forbidden", "auditor"), (401, "unauthorized", "admin"), (400, "invalid-request", "admin"),
            (404, "not-found", "admin"), (404, "not-found", "admin"), (401, "unauthorized", "admin"),
        ];
        assert_eq!(told, expected.map(|(status, problem, role)| (json!(status), json!(problem), json!(role))));
        let log = operator.get(&format!("{AUDIT}?limit=100")).await;
        assert!(!log.mentions("what-people-type"), "{log}");
    }

    /// Nobody fills a log with guesses.
    async fn strangers_and_reads_leave_nothing(world: &World) {
        let operator = world.organisation().await;
        let before = length(&operator).await;
        operator.with_key("chy_nonsense").put(RETENTION, json!({})).await.problem(401);
        operator.get(DEFINITIONS).await.ok();
        operator.get(&format!("{DEFINITION}/{UNKNOWN}")).await.problem(404);
        assert_eq!(length(&operator).await, before);
    }

    async fn an_issuance_names_its_caller_in_its_record_and_a_refused_one_in_the_log(world: &World) {
        let (operator, definition) = badge(world).await;
        let issuer = operator.with_role("issuer").await;
        let before = length(&operator).await;
        let history = issuer.issue(issue_body(&definition, &samples::staff_claims())).await.ok()["credentialHistory"].clone();
        let keys = operator.get(API_KEY_LIST).await.ok();
        let of_issuer = keys["apiKeys"].as_array().expect("keys").iter().find(|key| key["role"] == "issuer").expect("one");
        assert_eq!((&history["issuedBy"], &history["issuedFrom"]), (&of_issuer["id"], &json!("127.0.0.1")));
        assert_eq!(operator.history(history["id"].as_str().expect("an id")).await["issuedBy"], of_issuer["id"]);
        assert_eq!(length(&operator).await, before);
        issuer.issue(json!({"issuanceMode": "InTime"})).await.problem(400);
        let entry = newest(&operator).await;
        assert_eq!((&entry["action"], &entry["target"], &entry["outcome"]), (&json!("issueCredential"), &json!(ISSUE), &json!("refused")));
        assert_eq!((&entry["before"], &entry["after"]), (&Value::Null, &Value::Null));
    }

    async fn the_log_is_filtered_and_paged(world: &World) {
        let operator = world.organisation().await;
        let issuer = operator.with_role("issuer").await;
        for days in 1..=5 {
            world.advance(Duration::from_secs(10));
            keep_claims(&operator, days).await;
        }
        issuer.put(RETENTION, json!({})).await.problem(403);
        assert_eq!(entries(&operator, "action=setRetention").await.len(), 6);
        assert_eq!(entries(&operator, "action=setRetention&outcome=done").await.len(), 5);
        assert_eq!(entries(&operator, &format!("target={RETENTION}&from={}&to={}", START + 20, START + 40)).await.len(), 2);
        let refused = newest(&operator).await;
        let by = refused["actor"]["id"].as_str().expect("an id");
        assert_eq!(entries(&operator, &format!("actorId={by}")).await, std::slice::from_ref(&refused));
        check_pages(async |query| operator.get(&format!("{AUDIT}?action=setRetention&{query}")).await, "auditEntries", "id", 6, 4).await;
        let wrong = operator.get(&format!("{AUDIT}?outcome=good&actorId=me&from=now")).await;
        assert_problem(&wrong, 400, "invalid-query");
    }

    async fn other_organisations_have_other_logs(world: &World) {
        let (one, other) = (world.organisation().await, world.organisation().await);
        keep_claims(&one, 7).await;
        assert!(entries(&other, "action=setRetention").await.is_empty());
        assert_eq!(newest(&one).await["sequence"], length(&one).await);
    }

    async fn changes_at_the_same_time_make_one_chain(world: &World) {
        let operator = world.organisation().await;
        let before = length(&operator).await;
        let changes = (1..=20).map(|days| {
            let operator = operator.clone();
            tokio::spawn(async move { keep_claims(&operator, days).await })
        });
        for change in changes.collect::<Vec<_>>() {
            change.await.expect("a change");
        }
        let all = entries(&operator, "").await;
        let places: BTreeSet<i64> = all.iter().map(|it| it["sequence"].as_i64().expect("a place")).collect();
        assert_eq!(places, (1..=before + 20).collect());
        assert!(holds(world, &operator, &[]).await);
    }

    async fn whoever_changes_the_log_is_noticed(world: &World) {
        let tampers: [fn(&Operator) -> String; 5] = [
            |it| format!("UPDATE audit_entry SET after = '{{}}' WHERE {}", at(it, 4)),
            |it| format!("UPDATE audit_entry SET outcome = 'refused' WHERE {}", at(it, 3)),
            |it| format!("UPDATE audit_entry SET outcome = 'never heard of' WHERE {}", at(it, 3)),
            |it| format!("DELETE FROM audit_entry WHERE {}", at(it, 4)),
            |it| format!("DELETE FROM audit_entry WHERE {}", at(it, 6)),
        ];
        for tamper in tampers {
            let operator = world.organisation().await;
            for days in 1..=4 {
                keep_claims(&operator, days).await;
            }
            assert_eq!(length(&operator).await, 6);
            assert!(holds(world, &operator, &[]).await);
            let sql = tamper(&operator);
            world.database.tamper(&sql).await;
            assert!(!holds(world, &operator, &[]).await, "{sql}");
        }
    }

    /// Whoever can also change where the chain ends is caught by a link that was noted elsewhere.
    async fn a_chain_that_was_cut_off_cleanly_misses_its_anchor(world: &World) {
        let operator = world.organisation().await;
        keep_claims(&operator, 1).await;
        keep_claims(&operator, 2).await;
        let head = operator.get(AUDIT).await.ok()["head"].clone();
        let anchor = format!("{}:{}", head["sequence"], head["mac"].as_str().expect("a MAC"));
        keep_claims(&operator, 3).await;
        assert!(holds(world, &operator, &["--anchor", &anchor]).await);
        let of = of(&operator);
        world.database.tamper(&format!("DELETE FROM audit_entry WHERE {of} AND sequence > 3")).await;
        let last = format!("SELECT mac FROM audit_entry WHERE {}", at(&operator, 3));
        world.database.tamper(&format!("UPDATE audit_head SET sequence = 3, mac = ({last}) WHERE {of}")).await;
        assert!(holds(world, &operator, &[]).await);
        assert!(!holds(world, &operator, &["--anchor", &anchor]).await);
        // As it goes on, another entry takes the place of the noted one.
        keep_claims(&operator, 4).await;
        assert!(!holds(world, &operator, &["--anchor", &anchor]).await);
    }

    /// The state in which a process leaves the log that stops between a change and its end.
    async fn a_change_that_broke_off_stays_in_the_log(world: &World) {
        let operator = world.organisation().await;
        keep_claims(&operator, 1).await;
        keep_claims(&operator, 2).await;
        let place = length(&operator).await;
        let undo = format!(
            "UPDATE audit_entry SET sequence = NULL, mac = NULL, outcome = 'unfinished', status = 0, after = NULL WHERE {}",
            at(&operator, place)
        );
        world.database.tamper(&undo).await;
        let last = format!("SELECT mac FROM audit_entry WHERE {}", at(&operator, place - 1));
        let head = format!("UPDATE audit_head SET sequence = {}, mac = ({last}) WHERE {}", place - 1, of(&operator));
        world.database.tamper(&head).await;
        let unfinished = newest(&operator).await;
        assert_eq!((&unfinished["outcome"], &unfinished["sequence"]), (&json!("unfinished"), &json!(0)));
        keep_claims(&operator, 3).await;
        assert_eq!(entries(&operator, "outcome=unfinished").await[0]["sequence"], 0, "it may still be going on");
        world.advance(Duration::from_secs(7200));
        keep_claims(&operator, 4).await;
        assert_eq!(entries(&operator, "outcome=unfinished").await[0]["sequence"], place + 1);
        assert!(holds(world, &operator, &[]).await);
    }

    /// From where to where a status went, and why; of an exchange where it stands, and no claim.
    async fn changes_of_exchanges_show_where_they_stood_and_stand(world: &World) {
        let operator = world.organisation().await;
        let mut revocable = samples::staff_badge();
        revocable["credentialDefinitions"][0]["supportRevocation"] = true.into();
        let definition = operator.define(&revocable).await;
        let claims = json!({"given_name": "Xanthippe", "family_name": "Quirinius", "employee_id": "Z-99417"});
        let offer = operator.offer(&definition, &claims).await;
        world.wallet().accept(&offer.link).await;
        let status = format!("{}/revocation-status", history_path(&offer.id));
        operator.put(&status, json!({"revocationStatus": "Suspended", "reason": "phone lost"})).await.ok();
        let entry = newest(&operator).await;
        assert_eq!((&entry["target"], &entry["before"]["revocationStatusChanges"]), (&json!(status), &json!([])));
        let change = entry["after"]["revocationStatusChanges"][0].clone();
        assert_eq!((&change["from"], &change["to"], &change["reason"]), (&json!("Operational"), &json!("Suspended"), &json!("phone lost")));
        let refused = json!({"revocationStatus": "Revoked", "credentialId": "no id"});
        assert_eq!(operator.put(&status, refused).await.status, 404);
        let entry = newest(&operator).await;
        assert_eq!((&entry["outcome"], &entry["status"], &entry["after"]), (&json!("refused"), &json!(404), &Value::Null));
        assert_eq!(entry["before"]["revocationStatusChanges"], json!([change]), "what was refused, too");

        let other = operator.offer(&definition, &claims).await;
        operator.post(&format!("{}/deny", history_path(&other.id)), json!({"reason": "withdrawn"})).await.ok();
        let entry = newest(&operator).await;
        let (before, after) = (&entry["before"]["credentialHistory"], &entry["after"]["credentialHistory"]);
        assert_eq!((&before["status"], &after["status"]), (&json!("offer_sent"), &json!("issuance_denied")));
        assert_eq!((&before["issuanceDeniedReason"], &after["issuanceDeniedReason"]), (&json!(""), &json!("withdrawn")));
        operator.delete(&history_path(&other.id)).await.ok();
        let entry = newest(&operator).await;
        assert_eq!(entry["before"]["credentialHistory"]["status"], "issuance_denied");
        assert_eq!(entry["after"], Value::Null);
        let log = operator.get(&format!("{AUDIT}?limit=100")).await;
        for claim in ["Xanthippe", "Quirinius", "Z-99417", "openid-credential-offer"] {
            assert!(!log.mentions(claim), "{claim}: {log}");
        }
    }

    /// How offers reach a person, and nothing else of them.
    async fn changes_of_individuals_show_their_channels(world: &World) {
        let operator = world.organisation().await;
        let ada = |channel: &str| json!({"individual": {
            "name": "Ada Quirinius", "email": "ada@people.example", "externalId": "P-99417", "deliveryChannel": channel,
        }});
        let made = operator.post("/v2/config/individual", ada("webhook")).await.ok();
        let entry = newest(&operator).await;
        assert_eq!(entry["after"]["individual"]["deliveryChannel"], "webhook");
        let path = format!("/v2/config/individual/{}", made["individual"]["id"].as_str().expect("an id"));
        operator.put(&path, ada("none")).await.ok();
        let entry = newest(&operator).await;
        let channel = |side: &str| entry[side]["individual"]["deliveryChannel"].clone();
        assert_eq!((channel("before"), channel("after")), (json!("webhook"), json!("none")));
        operator.delete(&path).await.ok();
        assert_eq!(newest(&operator).await["before"]["individual"]["revision"], 2);
        let log = operator.get(&format!("{AUDIT}?limit=100")).await;
        for known in ["Quirinius", "ada@people.example", "P-99417"] {
            assert!(!log.mentions(known), "{known}: {log}");
        }
    }

    /// Whoever has the configuration of the server does not get past the log with it.
    async fn changes_on_the_command_line_are_in_the_chain(world: &World) {
        let operator = world.organisation().await;
        let slug = operator.organisation["slug"].as_str().expect("a slug").to_owned();
        let before = length(&operator).await;
        assert!(world.command(&["key", "generate", "--organisation", &slug, "--next"]).await);
        assert!(world.command(&["key", "rotate", "--organisation", &slug]).await);
        let keys = operator.get(KEYS).await.ok()["keys"].clone();
        let former = keys.as_array().expect("keys").iter().find(|key| key["state"] == "verify-only").expect("one");
        let id = former["id"].as_str().expect("an id");
        assert!(world.command(&["key", "state", "--organisation", &slug, id, "retired"]).await);
        assert!(!world.command(&["key", "state", "--organisation", &slug, id, "active"]).await);
        assert!(world.command(&["key", "list", "--organisation", &slug]).await);
        let all = entries(&operator, "sortOrder=asc").await;
        let told: Vec<_> = all[usize::try_from(before).expect("a length")..]
            .iter()
            .map(|it| (it["actor"]["kind"].as_str(), it["action"].as_str(), it["outcome"].as_str()))
            .collect();
        let by_hand = Some("commandLine");
        assert_eq!(told, [
            (by_hand, Some("createSigningKey"), Some("done")),
            (by_hand, Some("rotateSigningKey"), Some("done")),
            (by_hand, Some("setSigningKeyState"), Some("done")),
            (by_hand, Some("setSigningKeyState"), Some("refused")),
        ]);
        let retired = &all[all.len() - 2];
        let state_of = |side: &str| {
            let keys = retired[side]["keys"].as_array().expect("keys").clone();
            keys.iter().find(|key| key["id"] == id).expect("the key")["state"].clone()
        };
        assert_eq!((state_of("before"), state_of("after")), (json!("verify-only"), json!("retired")));
        assert!(holds(world, &operator, &[]).await);

        let made = format!("{slug}-b");
        assert!(world.command(&["organisation", "create", &made, "--name", "Made by hand"]).await);
        let first = "SELECT action FROM audit_entry WHERE actor_kind = 'commandLine' AND action = 'createOrganisation'";
        assert_eq!(world.database.texts(first).await.len(), 1);
        assert!(world.command(&["audit", "verify", "--organisation", &made]).await);
    }
}
