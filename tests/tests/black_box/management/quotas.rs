//! Quotas: set by the platform, seen by the organisation, and what happens at the limit.

use std::time::Duration;

use chancery_tests::on_every_backend;
use chancery_tests::platform::issue_body;
use reqwest::Method;

use super::*;

const QUOTAS: &str = "/v2/config/quotas";
const BULKS: &str = "/v2/config/digital-wallet/openid/sdjwt/credential/issue/bulk";

/// What is left of the first day of a world, which begins at noon.
const UNTIL_MIDNIGHT: Duration = Duration::from_secs(12 * 3600);

async fn limit(world: &World, operator: &Operator, quotas: Value) -> Value {
    world.platform().put(&path(operator), quotas).await.ok()["quotas"].clone()
}

fn path(operator: &Operator) -> String {
    format!("/v2/platform/organisations/{}/quotas", operator.organisation_id())
}

async fn usage(operator: &Operator) -> Value {
    operator.get(QUOTAS).await.ok()["quotas"].clone()
}

async fn issue(operator: &Operator, definition: &Value) -> Answer {
    operator.issue(issue_body(definition, &samples::staff_claims())).await
}

on_every_backend! {
    async fn quotas_are_set_as_a_whole_by_the_platform_and_seen_by_both(world: &World) {
        let (operator, definition) = badge(world).await;
        let none = json!({"exchangesPerDay": null, "liveCredentials": null, "requestsPerMinute": null});
        assert_eq!(usage(&operator).await, none);
        assert_eq!(world.platform().get(&path(&operator)).await.ok()["quotas"], none);
        let offer = operator.offer(&definition, &samples::staff_claims()).await;
        world.wallet().accept(&offer.link).await;
        let some = json!({"exchangesPerDay": 10, "liveCredentials": 20, "requestsPerMinute": 6000});
        assert_eq!(limit(world, &operator, some.clone()).await, some);
        assert_eq!(world.platform().get(&path(&operator)).await.ok()["quotas"], some);
        let auditor = operator.with_role("auditor").await;
        assert_eq!(usage(&auditor).await, json!({
            "exchangesPerDay": {"limit": 10, "used": 1, "resetsAt": "2026-01-16T00:00:00Z"},
            "liveCredentials": {"limit": 20, "used": 1},
            "requestsPerMinute": {"limit": 6000},
        }));
        let few = json!({"exchangesPerDay": 10});
        assert_eq!(limit(world, &operator, few).await["liveCredentials"], Value::Null);
        for (wrong, pointer) in [
            (json!({"exchangesPerDay": -1}), "/exchangesPerDay"),
            (json!({"liveCredentials": "7"}), "/liveCredentials"),
            (json!({"liveCredentials": 1_000_000_001}), "/liveCredentials"),
            (json!({"requestsPerMinute": 0}), "/requestsPerMinute"),
            (json!({"exchanges": 1}), "/exchanges"),
        ] {
            world.platform().put(&path(&operator), wrong).await.problem_at(400, pointer);
        }
        // An organisation cannot set its own.
        operator.put(&path(&operator), json!({})).await.problem(401);
        let unknown = format!("/v2/platform/organisations/{UNKNOWN}/quotas");
        world.platform().put(&unknown, json!({})).await.problem(404);
        world.platform().get(&unknown).await.problem(404);
        let log = operator.get("/v2/config/audit?action=setQuotas&outcome=done").await.ok();
        let entry = log["auditEntries"].as_array().and_then(|all| all.first()).cloned().unwrap_or_default();
        assert_eq!((&entry["actor"]["kind"], &entry["before"]["quotas"]), (&json!("platformKey"), &some), "{log}");
    }

    async fn a_day_has_as_many_exchanges_as_the_quota_says(world: &World) {
        let (operator, definition) = badge(world).await;
        let (bystander, other) = badge(world).await;
        issue(&operator, &definition).await.ok();
        limit(world, &operator, json!({"exchangesPerDay": 4})).await;
        let (a, b, c, d, e) = tokio::join!(
            issue(&operator, &definition),
            issue(&operator, &definition),
            issue(&operator, &definition),
            issue(&operator, &definition),
            issue(&operator, &definition),
        );
        let mut answers = [a, b, c, d, e].map(|answer| answer.status);
        answers.sort_unstable();
        assert_eq!(answers, [200, 200, 200, 429, 429], "one began before there was a quota");
        let refused = issue(&operator, &definition).await;
        assert_problem(&refused, 429, "quota-used-up");
        assert_eq!(refused.header("retry-after"), Some("43200"));
        assert_eq!(usage(&operator).await["exchangesPerDay"]["used"], 4);
        issue(&bystander, &other).await.ok();
        // What is wrong anyway is told first, and what was answered once is answered again.
        operator.issue(json!({})).await.problem(400);
        // A higher quota helps at once, and so does midnight.
        limit(world, &operator, json!({"exchangesPerDay": 5})).await;
        issue(&operator, &definition).await.ok();
        issue(&operator, &definition).await.problem(429);
        world.advance(UNTIL_MIDNIGHT);
        for _ in 0..5 {
            issue(&operator, &definition).await.ok();
        }
        issue(&operator, &definition).await.problem(429);
        limit(world, &operator, json!({})).await;
        issue(&operator, &definition).await.ok();
    }

    async fn a_bulk_waits_for_midnight_and_goes_on_by_itself(world: &World) {
        let (operator, definition) = badge(world).await;
        let id = definition["credentialDefinitionId"].as_str().expect("an id");
        let mut csv = "given_name,family_name,employee_id\n".to_owned();
        (0..500).for_each(|row| csv.push_str(&format!("A,B,E-{row}\n")));
        let upload = async |operator: &Operator| {
            let request = operator.request(Method::POST, &format!("{BULKS}?credentialDefinitionId={id}"));
            let bulk = operator.send(request.header("content-type", "text/csv").body(csv.clone())).await.expect(201);
            let path = format!("{BULKS}/{}", bulk["bulk"]["id"].as_str().expect("an id"));
            operator.post(&format!("{path}/confirm"), json!({})).await.ok();
            path
        };
        limit(world, &operator, json!({"exchangesPerDay": 300})).await;
        let path = upload(&operator).await;
        world.work().await;
        let shown = operator.get(&path).await.ok()["bulk"].clone();
        assert_eq!((&shown["state"], &shown["done"], &shown["failed"]), (&json!("running"), &json!(250), &json!(0)), "{shown}");
        assert_eq!(usage(&operator).await["exchangesPerDay"]["used"], 250);
        world.advance(UNTIL_MIDNIGHT);
        world.work().await;
        let shown = operator.get(&path).await.ok()["bulk"].clone();
        assert_eq!((&shown["state"], &shown["done"], &shown["failed"]), (&json!("done"), &json!(500), &json!(0)), "{shown}");

        // No day would ever be long enough: the rows fail and say why.
        limit(world, &operator, json!({"exchangesPerDay": 249})).await;
        world.advance(2 * UNTIL_MIDNIGHT);
        let path = upload(&operator).await;
        world.work().await;
        let shown = operator.get(&path).await.ok()["bulk"].clone();
        assert_eq!((&shown["state"], &shown["failed"]), (&json!("done"), &json!(500)), "{shown}");
        let result = operator.get(&format!("{path}/result?format=jsonl")).await.text();
        assert!(result.contains("fewer exchanges a day"), "{result}");
    }

    async fn no_more_credentials_live_than_the_quota_says(world: &World) {
        let (operator, _) = badge(world).await;
        let mut revocable = samples::pid();
        revocable["credentialDefinitions"][0]["supportRevocation"] = true.into();
        let definition = operator.define(&revocable).await;
        limit(world, &operator, json!({"liveCredentials": 1})).await;
        let first = operator.offer(&definition, &samples::pid_claims()).await;
        world.wallet().accept(&first.link).await;
        let second = operator.offer(&definition, &samples::pid_claims()).await;
        let wallet = world.wallet();
        let token = wallet.redeem(&wallet.open(&second.link).await).await;
        let nonce = wallet.nonce(&token.opened).await;
        let refused = wallet.send(wallet.credential_call(&token, &nonce)).await;
        let body = refused.refused(503, "temporarily_unavailable");
        assert_eq!(refused.header("retry-after"), Some("600"));
        assert!(body["error_description"].as_str().is_some_and(|text| text.contains("support code")), "{refused}");
        assert!(!refused.mentions("quota"), "what an organisation has paid for is no business of a wallet: {refused}");
        let causes = operator.transcript(&second.id).await;
        assert!(causes.to_string().contains("quota_used_up"), "{causes}");
        assert_eq!(usage(&operator).await["liveCredentials"], json!({"limit": 1, "used": 1}));
        assert_eq!(operator.status(&second.id).await, "token_issued");
        // A revoked credential makes room; the same access token is still good.
        let revoke = format!("{}/revocation-status", chancery_tests::platform::history_path(&first.id));
        operator.put(&revoke, json!({"revocationStatus": "Revoked"})).await.ok();
        world.advance(Duration::from_secs(6));
        let nonce = wallet.nonce(&token.opened).await;
        wallet.send(wallet.credential_call(&token, &nonce)).await.ok();
        assert_eq!(usage(&operator).await["liveCredentials"]["used"], 1);
    }

    async fn programs_that_ask_too_often_are_told_to_wait(world: &World) {
        let operator = world.organisation().await;
        let bystander = world.organisation().await;
        limit(world, &operator, json!({"requestsPerMinute": 60})).await;
        for _ in 0..10 {
            operator.get(QUOTAS).await.ok();
        }
        let refused = operator.get(QUOTAS).await;
        assert_problem(&refused, 429, "too-many-requests");
        // What processes share refills a sixteenth slower than the whole.
        assert!(matches!(refused.header("retry-after"), Some("1" | "2")), "{refused}");
        operator.with_key("nothing").get(QUOTAS).await.problem(401);
        bystander.get(QUOTAS).await.ok();
        world.advance(Duration::from_secs(2));
        operator.get(QUOTAS).await.ok();
    }
}
