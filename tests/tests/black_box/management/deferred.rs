//! Deferred issuance from the organisation's side: claims that come later, denial, withdrawal, and offers made again.

use std::time::Duration;

use chancery_tests::on_every_backend;
use chancery_tests::platform::history_path;

use super::*;

const YEAR: u64 = 365 * 86_400;

/// An exchange of a staff badge that awaits its claims.
async fn pending(operator: &Operator, definition: &Value) -> chancery_tests::Offer {
    let definition = &definition["credentialDefinitionId"];
    let body = json!({"issuanceMode": "Deferred", "userPin": "", "credentialDefinitionId": definition});
    operator.offer_of(body).await
}

fn claims_for(entry: &Value) -> Value {
    json!({"credential": {"id": entry, "claims": samples::staff_claims()}})
}

fn entry_id(definition: &Value, position: usize) -> Value {
    definition["credentialDefinitions"][position]["id"].clone()
}

/// A badge with a second entry of another type.
fn two_badges() -> Value {
    let mut body = samples::staff_badge();
    let mut second = body["credentialDefinitions"][0].clone();
    second["vct"] = "https://types.example/staff/2".into();
    body["credentialDefinitions"].as_array_mut().expect("entries").push(second);
    body
}

on_every_backend! {
    async fn claims_that_come_later_complete_the_record(world: &World) {
        let (operator, definition) = badge(world).await;
        let offer = pending(&operator, &definition).await;
        assert_eq!(offer.history["claimsDueAt"], START + 30 * 86_400);
        let wallet = world.wallet();
        let token = wallet.redeem(&wallet.open(&offer.link).await).await;
        let body = claims_for(&entry_id(&definition, 0));
        let answer = operator.put(&history_path(&offer.id), body).await.ok();
        assert_eq!(answer["success"], true);
        let record = &answer["credentialHistory"];
        assert_eq!((&record["credentialStatus"], &record["status"]), (&json!("ready"), &json!("token_issued")));
        assert_eq!(record["credential"]["claims"], samples::staff_claims());
        let received = wallet.collect(&token).await;
        assert_eq!(operator.history(&offer.id).await["credentialToken"], received.credential);
        assert!(!world.gives_away("Vanderstraete").await);
    }

    /// Management API contract: the second update of a deferred record is refused, and so is any of an `InTime` record.
    async fn claims_are_supplied_once_and_only_when_they_are_awaited(world: &World) {
        let (operator, definition) = badge(world).await;
        let offer = pending(&operator, &definition).await;
        let body = claims_for(&entry_id(&definition, 0));
        operator.put(&history_path(&offer.id), body.clone()).await.ok();
        assert_problem(&operator.put(&history_path(&offer.id), body.clone()).await, 409, "exchange-state");
        let in_time = operator.offer(&definition, &samples::staff_claims()).await;
        assert_problem(&operator.put(&history_path(&in_time.id), body.clone()).await, 400, "invalid-request");
        assert_problem(&operator.put(&history_path(UNKNOWN), body).await, 404, "not-found");
    }

    async fn supplied_claims_are_checked_like_those_of_the_issue_call(world: &World) {
        let (operator, definition) = badge(world).await;
        let offer = pending(&operator, &definition).await;
        let supply = async |body: Value| operator.put(&history_path(&offer.id), body).await;
        let entry = entry_id(&definition, 0);
        supply(json!({})).await.problem_at(400, "/credential");
        supply(json!({"credential": {"claims": samples::staff_claims()}})).await.problem_at(400, "/credential/id");
        supply(json!({"credential": {"id": UNKNOWN, "claims": {}}})).await.problem_at(400, "/credential/id");
        supply(json!({"credential": {"id": entry}})).await.problem_at(400, "/credential/claims");
        let typo = json!({"credential": {"id": entry, "claims": {"givenname": "Ilse"}}});
        supply(typo.clone()).await.problem_at(400, "/credential/claims/givenname");
        supply(typo).await.problem_at(400, "/credential/claims/employee_id");
        supply(json!({"credentials": [], "claims": {}})).await.problem_at(400, "/claims");
        assert_eq!(operator.history(&offer.id).await["credentialStatus"], "pending");
    }

    /// Each entry takes its claims once; the record is ready with the last of them, whoever comes first.
    async fn claims_may_come_entry_by_entry_and_at_the_same_moment(world: &World) {
        let operator = world.organisation().await;
        let definition = operator.define(&two_badges()).await;
        let offer = pending(&operator, &definition).await;
        let supply = |position: usize| {
            let (operator, path) = (operator.clone(), history_path(&offer.id));
            let body = claims_for(&entry_id(&definition, position));
            tokio::spawn(async move { operator.put(&path, body).await })
        };
        let calls: Vec<_> = [0, 1, 0, 1, 0, 1].into_iter().map(supply).collect();
        let mut taken = 0;
        for call in calls {
            let answer = call.await.expect("an answer");
            match answer.status {
                200 => taken += 1,
                _ => assert_problem(&answer, 409, "exchange-state"),
            }
        }
        assert_eq!(taken, 2);
        let record = operator.history(&offer.id).await;
        assert_eq!(record["credentialStatus"], "ready");
        for credential in record["credentials"].as_array().expect("credentials") {
            assert_eq!(credential["claims"], samples::staff_claims());
        }
    }

    async fn claims_that_come_too_late_are_refused(world: &World) {
        let (operator, definition) = badge(world).await;
        let body = json!({
            "issuanceMode": "Deferred", "userPin": "", "claimsDueInSeconds": 600,
            "credentialDefinitionId": definition["credentialDefinitionId"],
        });
        let mut wrong = body.clone();
        wrong["claimsDueInSeconds"] = json!(YEAR + 1);
        operator.issue(wrong).await.problem_at(400, "/claimsDueInSeconds");
        let offer = operator.offer_of(body).await;
        assert_eq!(offer.history["claimsDueAt"], START + 600);
        let wallet = world.wallet();
        wallet.redeem(&wallet.open(&offer.link).await).await;
        world.advance(Duration::from_secs(600));
        let late = operator.put(&history_path(&offer.id), claims_for(&entry_id(&definition, 0))).await;
        assert_problem(&late, 409, "exchange-state");
    }

    /// Claims that never come: the issuance is denied at the instant until which they were awaited, and the wallet that
    /// waits for them is told.
    async fn an_issuance_whose_claims_never_came_is_denied(world: &World) {
        let (operator, definition) = badge(world).await;
        let body = json!({
            "issuanceMode": "Deferred", "userPin": "", "claimsDueInSeconds": 600,
            "credentialDefinitionId": definition["credentialDefinitionId"],
        });
        let overdue = operator.offer_of(body.clone()).await;
        let supplied = operator.offer_of(body).await;
        let untouched = pending(&operator, &definition).await;
        let wallet = world.wallet();
        let token = wallet.redeem(&wallet.open(&overdue.link).await).await;
        let nonce = wallet.nonce(&token.opened).await;
        let deferred = wallet.send_with_nonce(wallet.credential_call(&token, &nonce)).await.expect(202);
        operator.put(&history_path(&supplied.id), claims_for(&entry_id(&definition, 0))).await.ok();
        world.advance(Duration::from_secs(599));
        world.work().await;
        assert_eq!(operator.status(&overdue.id).await, "token_issued");
        world.advance(Duration::from_secs(1));
        world.work().await;
        let record = operator.history(&overdue.id).await;
        assert_eq!(record["status"], "issuance_denied");
        assert_eq!(record["issuanceDeniedReason"], "the claims were not supplied in time");
        let events = operator.events(&overdue.id).await;
        let denied = events.iter().find(|event| event["type"] == "issuance_denied").expect("an event");
        assert_eq!(denied["details"], json!({"cause": "claims_overdue"}));
        let transaction = deferred["transaction_id"].as_str().expect("a transaction");
        let poll = wallet.send_with_nonce(wallet.deferred_call(&token, transaction)).await;
        poll.refused(400, "credential_request_denied");
        assert_eq!(operator.status(&supplied.id).await, "offer_sent");
        assert_eq!(operator.status(&untouched.id).await, "offer_sent");
        world.advance(Duration::from_secs(30 * 86_400));
        world.work().await;
        assert_eq!(operator.status(&untouched.id).await, "issuance_denied");
    }

    async fn an_offer_that_expired_takes_no_claims_until_it_is_made_again(world: &World) {
        let (operator, definition) = badge(world).await;
        let offer = pending(&operator, &definition).await;
        world.advance(Duration::from_secs(3600));
        let body = claims_for(&entry_id(&definition, 0));
        assert_problem(&operator.put(&history_path(&offer.id), body.clone()).await, 409, "exchange-state");
        let renewed = operator.post(&format!("{}/resend", history_path(&offer.id)), json!({})).await.ok();
        assert_eq!(renewed["credentialHistory"]["credentialOffer"], offer.link);
        operator.put(&history_path(&offer.id), body).await.ok();
        world.wallet().accept(&offer.link).await;
        let again = operator.post(&format!("{}/resend", history_path(&offer.id)), json!({})).await;
        assert_problem(&again, 409, "exchange-state");
    }

    async fn a_denied_issuance_says_why_and_goes_nowhere(world: &World) {
        let (operator, definition) = badge(world).await;
        let offer = pending(&operator, &definition).await;
        let wallet = world.wallet();
        let token = wallet.redeem(&wallet.open(&offer.link).await).await;
        let deny = format!("{}/deny", history_path(&offer.id));
        for wrong in [json!({}), json!({"reason": " "}), json!({"reason": "a\nb"}), json!({"reason": "x".repeat(256)})] {
            operator.post(&deny, wrong).await.problem_at(400, "/reason");
        }
        let answer = operator.post(&deny, json!({"reason": "No such member."})).await.ok();
        assert_eq!(answer["success"], true);
        assert_eq!(answer["credentialHistory"]["status"], "issuance_denied");
        assert_eq!(answer["credentialHistory"]["issuanceDeniedReason"], "No such member.");
        assert_problem(&operator.post(&deny, json!({"reason": "Again."})).await, 409, "exchange-state");
        let late = operator.put(&history_path(&offer.id), claims_for(&entry_id(&definition, 0))).await;
        assert_problem(&late, 409, "exchange-state");
        let nonce = wallet.nonce(&token.opened).await;
        wallet.send(wallet.credential_call(&token, &nonce)).await.refused(400, "credential_request_denied");
        let events = operator.events(&offer.id).await;
        assert!(events.iter().any(|event| event["type"] == "issuance_denied"), "{events:?}");
        let finished = operator.offer(&definition, &samples::staff_claims()).await;
        world.wallet().accept(&finished.link).await;
        let deny = format!("{}/deny", history_path(&finished.id));
        assert_problem(&operator.post(&deny, json!({"reason": "Too late."})).await, 409, "exchange-state");
    }

    async fn a_cancelled_offer_cannot_be_fetched_or_redeemed(world: &World) {
        let (operator, definition) = badge(world).await;
        let offer = operator.offer(&definition, &samples::staff_claims()).await;
        let wallet = world.wallet();
        let opened = wallet.open(&offer.link).await;
        let cancel = format!("{}/cancel", history_path(&offer.id));
        let answer = operator.post(&cancel, json!({})).await.ok();
        assert_eq!(answer["credentialHistory"]["status"], "issuance_denied");
        assert_eq!(answer["credentialHistory"]["issuanceDeniedReason"], "the offer was withdrawn");
        wallet.send(wallet.token_call(&opened)).await.refused(400, "invalid_grant");
        assert_eq!(world.http().get(&chancery_tests::wallet::offer_uri(&offer.link)).await.status, 410);
        assert_problem(&operator.post(&cancel, json!({})).await, 409, "exchange-state");
        let resend = operator.post(&format!("{}/resend", history_path(&offer.id)), json!({})).await;
        assert_problem(&resend, 409, "exchange-state");
    }

    /// Of a wallet that redeems and an organisation that withdraws at the same moment one comes first.
    async fn an_offer_is_either_redeemed_or_cancelled(world: &World) {
        let (operator, definition) = badge(world).await;
        for _ in 0..5 {
            let offer = operator.offer(&definition, &samples::staff_claims()).await;
            let wallet = world.wallet();
            let opened = wallet.open(&offer.link).await;
            let cancel = format!("{}/cancel", history_path(&offer.id));
            let (token, cancelled) = tokio::join!(
                wallet.send_with_nonce(wallet.token_call(&opened)),
                operator.post(&cancel, json!({})),
            );
            assert_eq!((token.status == 200, cancelled.status == 200), (token.status == 200, token.status != 200));
        }
    }

    async fn auditors_decide_nothing(world: &World) {
        let (operator, definition) = badge(world).await;
        let offer = pending(&operator, &definition).await;
        let auditor = operator.with_role("auditor").await;
        let record = history_path(&offer.id);
        let entry = claims_for(&entry_id(&definition, 0));
        assert_problem(&auditor.put(&record, entry).await, 403, "forbidden");
        for (verb, body) in [("deny", json!({"reason": "No."})), ("cancel", json!({})), ("resend", json!({}))] {
            assert_problem(&auditor.post(&format!("{record}/{verb}"), body).await, 403, "forbidden");
        }
        let issuer = operator.with_role("issuer").await;
        issuer.post(&format!("{record}/deny"), json!({"reason": "No."})).await.ok();
    }
}
