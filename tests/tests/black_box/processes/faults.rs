//! The database goes away under the management face: 503, nothing half-written, and afterwards everything works again.

use chancery_tests::platform::{ISSUE, issue_body};
use chancery_tests::{Operator, Place};
use reqwest::Method;

use super::*;

const HISTORY: &str = "/v2/config/digital-wallet/openid/sdjwt/credential/history";

/// An organisation with a badge, whose key was used: what is noted in the background is written.
async fn settled(world: &World) -> (Operator, Value) {
    let operator = world.organisation().await;
    let definition = operator.define(&samples::staff_badge()).await;
    operator.settled().await;
    (operator, definition)
}

#[track_caller]
fn assert_unavailable(answer: &Answer) {
    let problem = answer.problem(503);
    assert_eq!(problem["type"], "/docs/problems/unavailable", "{answer}");
    assert!(answer.header("retry-after").is_some_and(|seconds| seconds.parse::<u32>().is_ok()), "{answer}");
    let text = answer.text().to_lowercase();
    for internal in ["sql", "postgres", "redis", "connection", "127.0.0.1"] {
        assert!(!text.contains(internal), "{internal} in {answer}");
    }
}

async fn issue(operator: &Operator, body: &Value) -> Answer {
    let request = operator.request(Method::POST, ISSUE).header("idempotency-key", "k");
    operator.send(request.json(body)).await
}

async fn records(operator: &Operator) -> Value {
    operator.get(HISTORY).await.ok()["pagination"]["totalItems"].clone()
}

/// Away before the request.
#[test]
fn without_a_database_every_operation_says_so_and_recovers() {
    networked(async |world| {
        let (operator, definition) = settled(world).await;
        let before = world.database.census().await;
        let body = issue_body(&definition, &samples::staff_claims());
        world.postgres().cut();
        assert_unavailable(&issue(&operator, &body).await);
        for path in [HISTORY, "/v2/config/admin/apikeys", "/v2/config/digital-wallet/openid/key-management"] {
            assert_unavailable(&operator.get(path).await);
        }
        let definition_path = "/v2/config/digital-wallet/openid/sdjwt/credential-definition";
        assert_unavailable(&operator.post(definition_path, samples::pid()).await);
        let rotate = "/v2/config/digital-wallet/openid/key-management/rotate";
        assert_unavailable(&operator.post(rotate, json!({})).await);
        // A request that cannot be right needs no database to be refused.
        operator.get(&format!("{HISTORY}?limit=0")).await.problem(400);
        world.postgres().restore();
        assert_eq!(world.database.census().await, before);
        issue(&operator, &body).await.ok();
        operator.post(definition_path, samples::pid()).await.ok();
    });
}

/// Broken before COMMIT: no exchange, no offer, no kept answer.
#[test]
fn an_issue_call_cut_before_commit_leaves_nothing() {
    networked(async |world| {
        let (operator, definition) = settled(world).await;
        let body = issue_body(&definition, &samples::staff_claims());
        let before = world.database.census().await;
        world.postgres().cut_at(b"COMMIT", Place::Before);
        assert_unavailable(&issue(&operator, &body).await);
        world.postgres().sprung().await;
        world.postgres().restore();
        assert_eq!(world.database.census().await, before);
        let again = issue(&operator, &body).await.ok();
        assert_eq!(records(&operator).await, 1);
        let link = again["credentialHistory"]["credentialOffer"].as_str().expect("a link");
        world.wallet().accept(link).await;
    });
}

/// Broken after COMMIT: the exchange is there as a whole, and the idempotency key leads back to it.
#[test]
fn an_issue_call_cut_after_commit_is_answered_when_it_is_repeated() {
    networked(async |world| {
        let (operator, definition) = settled(world).await;
        let body = issue_body(&definition, &samples::staff_claims());
        world.postgres().cut_at(b"COMMIT", Place::After);
        assert_unavailable(&issue(&operator, &body).await);
        world.postgres().sprung().await;
        world.postgres().restore();
        let again = issue(&operator, &body).await.ok();
        assert_eq!(records(&operator).await, 1);
        let record = &again["credentialHistory"];
        assert_eq!(operator.history(record["id"].as_str().expect("an id")).await, *record);
        let events = operator.events(record["id"].as_str().expect("an id")).await;
        assert_eq!(events.len(), 1);
        world.wallet().accept(record["credentialOffer"].as_str().expect("a link")).await;
    });
}

/// Creating an organisation is all or nothing too: with its first key, or not at all.
#[test]
fn an_organisation_is_created_whole_or_not_at_all() {
    networked(async |world| {
        let path = chancery_tests::platform::ORGANISATIONS;
        let body = json!({"slug": "tenant", "name": "Tenant"});
        let before = world.database.census().await;
        world.postgres().cut_at(b"COMMIT", Place::Before);
        assert_unavailable(&world.platform().post(path, body.clone()).await);
        world.postgres().sprung().await;
        world.postgres().restore();
        assert_eq!(world.database.census().await, before);
        world.platform().post(path, body).await.expect(201);
    });
}

/// Redis is for wallets: organisations work on without it.
#[test]
fn organisations_work_on_without_redis() {
    networked(async |world| {
        let (operator, definition) = settled(world).await;
        world.redis().cut();
        let offer = operator.offer(&definition, &samples::staff_claims()).await;
        operator.history(&offer.id).await;
        world.redis().restore();
        world.wallet().accept(&offer.link).await;
    });
}
