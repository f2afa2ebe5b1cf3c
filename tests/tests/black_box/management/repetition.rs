//! `Idempotency-Key` on every `POST` of an organisation.

use std::time::Duration;

use chancery_tests::on_every_backend;
use chancery_tests::platform::API_KEYS;
use reqwest::Method;

use super::*;

async fn post(operator: &Operator, path: &str, key: &str, body: &Value) -> Answer {
    operator.send(operator.request(Method::POST, path).header("idempotency-key", key).json(body)).await
}

fn new_key(name: &str) -> Value {
    json!({"name": name, "role": "issuer"})
}

async fn keys(operator: &Operator) -> u64 {
    operator.get(API_KEY_LIST).await.ok()["pagination"]["totalItems"].as_u64().expect("a number")
}

on_every_backend! {
    async fn the_same_request_is_done_once_and_answered_again(world: &World) {
        let operator = world.organisation().await;
        let before = keys(&operator).await;
        let first = post(&operator, API_KEYS, "k1", &new_key("ci")).await;
        first.ok();
        world.restart().await;
        world.advance(Duration::from_secs(3600));
        let again = post(&operator, API_KEYS, "k1", &new_key("ci")).await;
        assert_eq!((again.status, again.text()), (first.status, first.text()));
        again.assert_media_type("application/json");
        assert_eq!(keys(&operator).await, before + 1);
        let log = operator.get("/v2/config/audit?action=createApiKey").await.ok();
        assert_eq!(log["pagination"]["totalItems"], 1);
        // A day later the key is free.
        world.advance(Duration::from_secs(24 * 3600));
        post(&operator, API_KEYS, "k1", &new_key("ci")).await.ok();
        assert_eq!(keys(&operator).await, before + 2);
    }

    async fn status_and_entity_tag_come_back_too(world: &World) {
        let operator = world.organisation().await;
        let key = post(&operator, KEYS, "k1", &json!({"algorithm": "ES256", "state": "next"})).await;
        let again = post(&operator, KEYS, "k1", &json!({"algorithm": "ES256", "state": "next"})).await;
        assert_eq!((key.status, key.expect(201)), (again.status, again.expect(201)));
        let definition = post(&operator, DEFINITION, "k2", &samples::staff_badge()).await;
        let again = post(&operator, DEFINITION, "k2", &samples::staff_badge()).await;
        assert_eq!((definition.ok(), definition.header("etag")), (again.ok(), again.header("etag")));
    }

    async fn another_request_under_the_same_key_is_refused(world: &World) {
        let operator = world.organisation().await;
        post(&operator, API_KEYS, "k1", &new_key("one")).await.ok();
        let before = keys(&operator).await;
        assert_problem(&post(&operator, API_KEYS, "k1", &new_key("two")).await, 422, "idempotency-key-reused");
        assert_problem(&post(&operator, DEFINITION, "k1", &samples::pid()).await, 422, "idempotency-key-reused");
        assert_eq!(keys(&operator).await, before);
        let other = world.organisation().await;
        post(&other, API_KEYS, "k1", &new_key("two")).await.ok();
    }

    async fn a_refused_request_frees_its_key(world: &World) {
        let operator = world.organisation().await;
        let wrong = post(&operator, API_KEYS, "k1", &json!({"name": "ci", "role": "owner"})).await;
        assert_problem(&wrong, 400, "invalid-request");
        post(&operator, API_KEYS, "k1", &new_key("ci")).await.ok();
    }

    async fn who_may_not_do_it_learns_nothing_of_the_answer(world: &World) {
        let operator = world.organisation().await;
        post(&operator, API_KEYS, "k1", &new_key("ci")).await.ok();
        let auditor = operator.with_role("auditor").await;
        assert_problem(&post(&auditor, API_KEYS, "k1", &new_key("ci")).await, 403, "forbidden");
        assert_problem(&post(&operator.with_key("chy_x"), API_KEYS, "k1", &new_key("ci")).await, 401, "unauthorized");
    }

    async fn of_identical_requests_at_the_same_moment_one_is_done(world: &World) {
        let operator = world.organisation().await;
        let before = keys(&operator).await;
        let requests: Vec<_> = (0..10)
            .map(|_| {
                let operator = operator.clone();
                tokio::spawn(async move { post(&operator, API_KEYS, "together", &new_key("ci")).await })
            })
            .collect();
        let mut done = std::collections::BTreeSet::new();
        for request in requests {
            let answer = request.await.expect("an answer");
            if answer.status == 200 {
                done.insert(answer.text());
            } else {
                assert_problem(&answer, 409, "request-unfinished");
            }
        }
        assert_eq!((done.len(), keys(&operator).await), (1, before + 1));
    }

    /// The state in which a process leaves the claim that stops between a change and its answer.
    async fn a_request_that_broke_off_is_not_done_again(world: &World) {
        let operator = world.organisation().await;
        post(&operator, API_KEYS, "k1", &new_key("ci")).await.ok();
        let before = keys(&operator).await;
        let nothing = if world.database.url().starts_with("sqlite") { "x''" } else { "''::bytea" };
        world.database.tamper(&format!("UPDATE idempotency SET sealed_response = {nothing}")).await;
        assert_problem(&post(&operator, API_KEYS, "k1", &new_key("ci")).await, 409, "request-unfinished");
        assert_eq!(keys(&operator).await, before);
    }

    async fn a_key_is_short_printable_text(world: &World) {
        let operator = world.organisation().await;
        let answer = post(&operator, API_KEYS, &"k".repeat(256), &new_key("ci")).await;
        assert_problem(&answer, 400, "invalid-idempotency-key");
    }

    async fn every_post_of_an_organisation_is_described_with_the_header(world: &World) {
        let document = world.http().get(&format!("{}/openapi/management.json", world.management_url())).await.ok();
        for (path, item) in document["paths"].as_object().expect("paths") {
            let Some(operation) = item.get("post").filter(|_| !path.starts_with("/v2/platform/")) else { continue };
            let named = operation["parameters"].as_array().into_iter().flatten();
            assert!(named.into_iter().any(|it| it["name"] == "Idempotency-Key"), "{path}");
        }
    }
}
