//! `Idempotency-Key` on the issue call: the same request twice begins one exchange.

use std::time::Duration;

use chancery_tests::on_every_backend;
use chancery_tests::platform::{ISSUE, issue_body};
use reqwest::Method;

use super::*;

async fn issue(operator: &Operator, key: &str, body: &Value) -> Answer {
    let request = operator.request(Method::POST, ISSUE).header("idempotency-key", key);
    operator.send(request.json(body)).await
}

async fn records(operator: &Operator) -> u64 {
    operator.get(HISTORY).await.ok()["pagination"]["totalItems"].as_u64().expect("a number")
}

on_every_backend! {
    async fn the_same_request_is_answered_again(world: &World) {
        let (operator, definition) = badge(world).await;
        let body = issue_body(&definition, &samples::staff_claims());
        let first = issue(&operator, "order 42/a", &body).await;
        first.ok();
        world.advance(Duration::from_secs(60));
        world.restart().await;
        let again = issue(&operator, "order 42/a", &body).await;
        assert_eq!((again.status, again.text()), (200, first.text()));
        again.assert_media_type("application/json");
        assert_eq!(records(&operator).await, 1);
        let other = issue(&operator, "order 42/b", &body).await.ok();
        assert_ne!(other["credentialHistory"]["id"], first.json()["credentialHistory"]["id"]);
        operator.issue(body.clone()).await.ok();
        operator.issue(body).await.ok();
        assert_eq!(records(&operator).await, 4);
    }

    /// A key that was used for something else is a mistake of the client, and tells nothing of the first answer.
    async fn another_request_under_the_same_key_is_refused(world: &World) {
        let (operator, definition) = badge(world).await;
        let body = issue_body(&definition, &samples::staff_claims());
        let first = issue(&operator, "k", &body).await.ok();
        let mut other = body.clone();
        other["userPin"] = "1234".into();
        let refused = issue(&operator, "k", &other).await;
        assert_problem(&refused, 422, "idempotency-key-reused");
        assert!(!refused.mentions(first["credentialHistory"]["id"].as_str().expect("an id")));
        assert_eq!(records(&operator).await, 1);
        assert_eq!(issue(&operator, "k", &body).await.ok(), first);
    }

    /// Of twenty identical requests at the same moment one begins an exchange, and all get its answer.
    async fn parallel_identical_requests_begin_one_exchange(world: &World) {
        let (operator, definition) = badge(world).await;
        let body = issue_body(&definition, &samples::staff_claims());
        let requests: Vec<_> = (0..20)
            .map(|_| {
                let (operator, body) = (operator.clone(), body.clone());
                tokio::spawn(async move { issue(&operator, "together", &body).await })
            })
            .collect();
        let mut answers = Vec::new();
        for request in requests {
            let answer = request.await.expect("no panic");
            assert_eq!(answer.status, 200, "{answer}");
            answers.push(answer.text());
        }
        answers.dedup();
        assert_eq!(answers.len(), 1, "one answer for all");
        assert_eq!(records(&operator).await, 1);
        let link = serde_json::from_str::<Value>(&answers[0]).expect("JSON")["credentialHistory"]["credentialOffer"].clone();
        world.wallet().accept(link.as_str().expect("a link")).await;
    }

    /// Keys belong to the organisation that chose them.
    async fn another_organisation_may_use_the_same_key(world: &World) {
        let (first, definition) = badge(world).await;
        let answer = issue(&first, "shared", &issue_body(&definition, &samples::staff_claims())).await.ok();
        let (second, definition) = badge(world).await;
        let other = issue(&second, "shared", &issue_body(&definition, &samples::staff_claims())).await.ok();
        assert_ne!(answer["credentialHistory"]["id"], other["credentialHistory"]["id"]);
        assert_eq!((records(&first).await, records(&second).await), (1, 1));
    }

    /// A request that was refused is not kept: put right, it may go out under the same key.
    async fn a_refused_request_does_not_use_its_key_up(world: &World) {
        let (operator, definition) = badge(world).await;
        let body = issue_body(&definition, &samples::staff_claims());
        let mut wrong = body.clone();
        wrong["issuanceMode"] = Value::Null;
        issue(&operator, "k", &wrong).await.problem_at(400, "/issuanceMode");
        issue(&operator, "k", &body).await.ok();
        assert_eq!(records(&operator).await, 1);
    }

    /// After 24 hours a key is new again.
    async fn an_answer_is_kept_for_a_day(world: &World) {
        let (operator, definition) = badge(world).await;
        let body = issue_body(&definition, &samples::staff_claims());
        let first = issue(&operator, "k", &body).await.ok();
        world.advance(Duration::from_secs(24 * 3600 - 1));
        assert_eq!(issue(&operator, "k", &body).await.ok(), first);
        world.advance(Duration::from_secs(1));
        let second = issue(&operator, "k", &body).await.ok();
        assert_ne!(second["credentialHistory"]["id"], first["credentialHistory"]["id"]);
        assert_eq!(issue(&operator, "k", &body).await.ok(), second);
        assert_eq!(records(&operator).await, 2);
    }

    async fn a_malformed_key_is_refused(world: &World) {
        let (operator, definition) = badge(world).await;
        let body = issue_body(&definition, &samples::staff_claims());
        for key in ["", "   ", &"k".repeat(256), "schl\u{fc}ssel"] {
            assert_problem(&issue(&operator, key, &body).await, 400, "invalid-idempotency-key");
        }
        let twice = operator.request(Method::POST, ISSUE).header("idempotency-key", "a").header("idempotency-key", "b");
        assert_problem(&operator.send(twice.json(&body)).await, 400, "invalid-idempotency-key");
        assert_eq!(records(&operator).await, 0);
    }

    /// The kept answer holds claims: it is sealed like them.
    async fn a_kept_answer_is_sealed(world: &World) {
        let (operator, definition) = badge(world).await;
        let body = issue_body(&definition, &json!({"given_name": "Xenokrates", "family_name": "Y", "employee_id": "Z"}));
        issue(&operator, "k", &body).await.ok();
        assert!(!world.gives_away("Xenokrates").await);
    }
}
