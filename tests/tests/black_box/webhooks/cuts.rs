//! The database goes away at whichever COMMIT of an operation: every event arrives at least once, and no change is lost.

use std::collections::BTreeSet;

use chancery_tests::{Answer, Place, block_on};

use super::*;

/// Longer than the lease of a piece of work, and than the pause after a failure.
const LATER: Duration = Duration::from_secs(600);

const OTHER_SECRET: &str = "another-secret-of-some-length-for-the-hook";

fn networked(behaviour: impl AsyncFnOnce(&World)) {
    block_on(World::run(Backend::Networked, behaviour));
}

/// An organisation with a webhook for offers and a badge.
async fn scene(world: &World, receiver: &Receiver) -> (Operator, Value, Value) {
    let (operator, webhook) = subscribed(world, receiver, &["offer_sent"]).await;
    let definition = operator.define(&samples::staff_badge()).await;
    operator.settled().await;
    (operator, webhook, definition)
}

/// Does `act` with the wire cut at COMMIT `nth`; its answer, and whether it came so far.
async fn cut(world: &World, nth: usize, place: Place, act: impl Future<Output = Answer>) -> (Answer, bool) {
    world.postgres().cut_at_nth(b"COMMIT", nth, place);
    let answer = act.await;
    let was_cut = world.postgres().is_cut();
    world.postgres().restore();
    if answer.status != 200 {
        answer.problem(503);
    }
    (answer, was_cut)
}

async fn catch_up(world: &World) {
    world.restart().await;
    world.advance(LATER);
    world.work().await;
}

fn ids(calls: &[chancery_tests::receiver::Received]) -> BTreeSet<String> {
    calls.iter().map(|call| call.header("webhook-id").to_owned()).collect()
}

fn issued(operator: &Operator, definition: &Value) -> impl Future<Output = Answer> + use<> {
    let body = chancery_tests::platform::issue_body(definition, &samples::staff_claims());
    let operator = operator.clone();
    async move { operator.issue(body).await }
}

/// As many events as there are exchanges, whatever the callers were told.
#[test]
fn an_issuance_cut_at_any_commit_is_heard_of_when_it_happened() {
    networked(async |world| {
        for place in [Place::Before, Place::After] {
            for nth in 1.. {
                let receiver = Receiver::listen().await;
                let (operator, _, definition) = scene(world, &receiver).await;
                let (_, was_cut) = cut(world, nth, place, issued(&operator, &definition)).await;
                catch_up(world).await;
                let list = operator.get("/v2/config/digital-wallet/openid/sdjwt/credential/history").await.ok();
                let happened = list["pagination"]["totalItems"].as_u64().expect("a number");
                let calls = receiver.take();
                assert_eq!(ids(&calls).len() as u64, happened, "COMMIT {nth}, {place:?}");
                if !was_cut {
                    assert!(nth > 1 && happened == 1, "{place:?}: no COMMIT at all");
                    break;
                }
            }
        }
    });
}

#[test]
fn background_work_cut_at_any_commit_delivers_at_least_once() {
    networked(async |world| {
        for place in [Place::Before, Place::After] {
            for nth in 1.. {
                let receiver = Receiver::listen().await;
                let (operator, webhook, definition) = scene(world, &receiver).await;
                issued(&operator, &definition).await.ok();
                world.postgres().cut_at_nth(b"COMMIT", nth, place);
                drop(world.try_work().await);
                let was_cut = world.postgres().is_cut();
                world.postgres().restore();
                catch_up(world).await;
                let calls = receiver.take();
                assert_eq!(ids(&calls).len(), 1, "COMMIT {nth}, {place:?}: {calls:?}");
                let log = deliveries(&operator, &webhook, "").await;
                assert_eq!((log.len(), &log[0]["status"]), (1, &json!("completed")), "COMMIT {nth}, {place:?}");
                if !was_cut {
                    assert!(nth > 1, "{place:?}: no COMMIT at all");
                    break;
                }
            }
        }
    });
}

#[test]
fn a_replay_cut_at_any_commit_sends_the_same_delivery_again() {
    networked(async |world| {
        for place in [Place::Before, Place::After] {
            for nth in 1.. {
                let receiver = Receiver::listen().await;
                let (operator, webhook, definition) = scene(world, &receiver).await;
                issued(&operator, &definition).await.ok();
                world.work().await;
                let first = ids(&receiver.take());
                let delivery = deliveries(&operator, &webhook, "").await[0].clone();
                let path = format!("{WEBHOOKS}/{}/delivery/{}/replay", id(&webhook), id(&delivery));
                let (answer, was_cut) = cut(world, nth, place, operator.post(&path, json!({}))).await;
                if answer.status == 503 {
                    operator.post(&path, json!({})).await.ok();
                }
                catch_up(world).await;
                let again = receiver.take();
                assert!(!again.is_empty() && ids(&again) == first, "COMMIT {nth}, {place:?}: {again:?}");
                assert_eq!(deliveries(&operator, &webhook, "status=completed").await.len(), 1);
                if !was_cut {
                    assert!(nth > 1, "{place:?}: no COMMIT at all");
                    break;
                }
            }
        }
    });
}

#[test]
fn a_ping_cut_at_any_commit_leaves_no_delivery() {
    networked(async |world| {
        for place in [Place::Before, Place::After] {
            for nth in 1.. {
                let receiver = Receiver::listen().await;
                let (operator, webhook, _) = scene(world, &receiver).await;
                let path = format!("{WEBHOOK}/{}/ping", id(&webhook));
                let (_, was_cut) = cut(world, nth, place, operator.post(&path, json!({}))).await;
                receiver.take();
                assert_eq!(operator.post(&path, json!({})).await.ok()["status"], "completed");
                assert_eq!(receiver.take().len(), 1, "COMMIT {nth}, {place:?}");
                catch_up(world).await;
                assert!(receiver.take().is_empty(), "COMMIT {nth}, {place:?}: a ping comes once");
                assert!(deliveries(&operator, &webhook, "").await.is_empty());
                if !was_cut {
                    assert!(nth > 1, "{place:?}: no COMMIT at all");
                    break;
                }
            }
        }
    });
}

/// Changes a webhook at each COMMIT, once more when it was refused, and lets `judge` see what arrives of the next event.
async fn changed_at_every_commit(
    world: &World,
    change: impl Fn(&mut Value),
    judge: impl Fn(&str, &Value, &[chancery_tests::receiver::Received]),
) {
    for place in [Place::Before, Place::After] {
        for nth in 1.. {
            let receiver = Receiver::listen().await;
            let (operator, webhook, definition) = scene(world, &receiver).await;
            let path = format!("{WEBHOOK}/{}", id(&webhook));
            let mut wanted = body(&receiver.url(), &["offer_sent"]);
            change(&mut wanted["webhook"]);
            let (answer, was_cut) = cut(world, nth, place, operator.put(&path, wanted.clone())).await;
            if answer.status == 503 {
                operator.put(&path, wanted).await.ok();
            }
            issued(&operator, &definition).await.ok();
            catch_up(world).await;
            let shown = operator.get(&path).await.ok()["webhook"].clone();
            let secret = webhook["secretKey"].as_str().expect("a secret");
            judge(secret, &shown, &receiver.take());
            if !was_cut {
                assert!(nth > 1, "{place:?}: no COMMIT at all");
                break;
            }
        }
    }
}

#[test]
fn a_webhook_disabled_at_any_commit_hears_nothing_more() {
    networked(async |world| {
        let disable = |webhook: &mut Value| webhook["disabled"] = true.into();
        changed_at_every_commit(world, disable, |_, shown, calls| {
            assert_eq!(shown["disabled"], true);
            assert!(calls.is_empty(), "{calls:?}");
        })
        .await;
    });
}

/// Both secrets sign, although the change may have been asked for twice.
#[test]
fn a_secret_changed_at_any_commit_signs_beside_the_former_one() {
    networked(async |world| {
        let renew = |webhook: &mut Value| webhook["secretKey"] = OTHER_SECRET.into();
        changed_at_every_commit(world, renew, |former, shown, calls| {
            assert_eq!(shown["disabled"], false);
            assert!(!calls.is_empty() && ids(calls).len() == 1, "{calls:?}");
            assert!(calls.iter().all(|call| call.is_signed_with(OTHER_SECRET) && call.is_signed_with(former)));
        })
        .await;
    });
}
