//! Watching exchanges: server-sent events, and going on where a stream has ended.

use std::collections::HashSet;
use std::time::Duration;

use chancery_tests::platform::{API_KEYS, history_path};
use chancery_tests::{Block, Offer, Stream, on_every_backend};
use reqwest::Method;

use super::*;

const EVENTS: &str = "/v2/config/digital-wallet/openid/sdjwt/credential/history/events";
const STEPS: [&str; 6] =
    ["offer_sent", "offer_received", "token_issued", "credential_issued", "credential_acked", "credential_accepted"];

/// Until a watch that has just begun is known to every process.
const SETTLED: Duration = Duration::from_secs(30);

async fn open(operator: &Operator, query: &str, last: Option<&str>) -> Result<Stream, Answer> {
    let mut request = operator.request(Method::GET, &format!("{EVENTS}?{query}"));
    if let Some(last) = last {
        request = request.header("last-event-id", last);
    }
    Stream::open(request).await
}

/// A stream that is told everything from now on.
async fn watch(world: &World, operator: &Operator) -> Stream {
    watch_some(world, operator, "").await
}

async fn watch_some(world: &World, operator: &Operator, query: &str) -> Stream {
    let mut stream = open(operator, query, None).await.expect("a stream");
    world.advance(SETTLED);
    stream.event("ready").await;
    stream
}

async fn go_on(operator: &Operator, last: &str) -> Stream {
    open(operator, "", Some(last)).await.expect("a stream")
}

/// Takes an exchange all the way: six steps.
async fn issue(world: &World, operator: &Operator, definition: &Value) -> Offer {
    let offer = operator.offer(definition, &samples::staff_claims()).await;
    world.wallet().keep(&offer.link).await;
    offer
}

async fn steps(stream: &mut Stream, count: usize) -> Vec<Block> {
    let mut steps = Vec::new();
    while steps.len() < count {
        let block = stream.block().await.expect("a stream that goes on");
        match block.name.as_deref() {
            Some("exchange") => steps.push(block),
            Some("ready") | None => {}
            Some(other) => panic!("unexpected {other}: {block:?}"),
        }
    }
    steps
}

fn statuses(steps: &[Block]) -> Vec<&str> {
    steps.iter().map(|step| step.text("status")).collect()
}

on_every_backend! {
    async fn every_step_is_told_once_in_order_and_thin(world: &World) {
        let (operator, definition) = badge(world).await;
        let auditor = operator.with_role("auditor").await;
        let mut stream = watch(world, &auditor).await;
        let offer = issue(world, &operator, &definition).await;
        let told = steps(&mut stream, 6).await;
        assert_eq!(statuses(&told), STEPS);
        for step in &told {
            let data = step.data.as_ref().expect("data").as_object().expect("an object");
            let members: Vec<&str> = data.keys().map(String::as_str).collect();
            assert_eq!(members, ["type", "credentialExchangeId", "credentialDefinitionId", "status", "timestamp"]);
            assert_eq!(step.text("credentialExchangeId"), offer.id);
            assert_eq!(data["credentialDefinitionId"], definition["credentialDefinitionId"]);
            assert_eq!(step.text("type"), format!("openid.credential.{}", step.text("status")));
            assert_eq!(step.text("timestamp"), "2026-01-15T12:00:30Z");
        }
        let ids: HashSet<&str> = told.iter().map(Block::id).collect();
        assert_eq!(ids.len(), 6);
    }

    /// Also after a restart of the server, and when an id is shown twice.
    async fn a_stream_goes_on_behind_the_last_id_without_loss_or_repetition(world: &World) {
        let (operator, definition) = badge(world).await;
        let mut stream = watch(world, &operator).await;
        let first = operator.offer(&definition, &samples::staff_claims()).await;
        let seen = steps(&mut stream, 1).await;
        drop(stream);
        world.wallet().keep(&first.link).await;
        let second = operator.offer(&definition, &samples::staff_claims()).await;
        world.restart().await;
        for _ in 0..2 {
            let mut stream = go_on(&operator, seen[0].id()).await;
            let rest = steps(&mut stream, 6).await;
            assert_eq!(statuses(&rest)[..5], STEPS[1..]);
            assert_eq!((rest[5].text("credentialExchangeId"), rest[5].text("status")), (second.id.as_str(), "offer_sent"));
            // Clients that cannot send headers; the header of those that can wins.
            let mut stream = open(&operator, &format!("lastEventId={}", rest[4].id()), None).await.expect("a stream");
            assert_eq!(steps(&mut stream, 1).await, rest[5..]);
            let query = format!("lastEventId={}", seen[0].id());
            let mut stream = open(&operator, &query, Some(rest[4].id())).await.expect("a stream");
            assert_eq!(steps(&mut stream, 1).await, rest[5..]);
        }
        // What was told before it begins is not told to a new stream.
        let mut fresh = open(&operator, "", None).await.expect("a stream");
        fresh.event("ready").await;
        world.wallet().keep(&second.link).await;
        assert_eq!(statuses(&steps(&mut fresh, 5).await), STEPS[1..]);
    }

    async fn a_stream_tells_what_was_asked_for(world: &World) {
        let (operator, definition) = badge(world).await;
        let other = operator.define(&samples::pid()).await;
        let id = |definition: &Value| definition["credentialDefinitionId"].as_str().expect("an id").to_owned();
        let types = "openid.credential.token_issued,openid.credential.credential_acked";
        let mut some = watch_some(world, &operator, &format!("eventTypes={types}")).await;
        let mut of_other = watch_some(world, &operator, &format!("credentialDefinitionId={}", id(&other))).await;
        issue(world, &operator, &definition).await;
        let pid = operator.offer(&other, &samples::pid_claims()).await;
        let told = steps(&mut some, 2).await;
        assert_eq!(statuses(&told), ["token_issued", "credential_acked"]);
        let told = steps(&mut of_other, 1).await;
        assert_eq!((told[0].text("credentialExchangeId"), told[0].text("status")), (pid.id.as_str(), "offer_sent"));
        // A quiet stream goes on behind what it was not told.
        world.advance(Duration::from_secs(16));
        let quiet = some.block().await.expect("a comment");
        assert_eq!((quiet.data.as_ref(), quiet.comment.is_some()), (None, true), "{quiet:?}");
        assert!(quiet.id().split('-').next() >= told[0].id().split('-').next(), "{quiet:?}");
    }

    async fn what_cannot_be_understood_is_refused_with_its_place(world: &World) {
        let operator = world.organisation().await;
        for (query, pointer) in [
            ("lastEventId=none", "/lastEventId"),
            ("lastEventId=1-1&lastEventId=1-1", "/lastEventId"),
            ("eventTypes=openid.credential.none", "/eventTypes"),
            ("eventTypes=openid.individual.pin", "/eventTypes"),
            ("eventTypes=,", "/eventTypes"),
            ("credentialDefinitionId=none", "/credentialDefinitionId"),
        ] {
            open(&operator, query, None).await.expect_err(query).problem_at(400, pointer);
        }
        let long = "1".repeat(100);
        for last in ["none", "1", "1-", "-1-1", long.as_str()] {
            open(&operator, "", Some(last)).await.expect_err(last).problem_at(400, "/lastEventId");
        }
        let twice = operator.request(Method::GET, EVENTS).header("last-event-id", "1-1").header("last-event-id", "1-1");
        Stream::open(twice).await.expect_err("two headers").problem_at(400, "/lastEventId");
        open(&operator.with_key("nothing"), "", None).await.expect_err("no key").problem(401);
    }

    async fn an_id_that_is_too_old_or_unknown_begins_anew_and_says_so(world: &World) {
        let (operator, definition) = badge(world).await;
        let mut stream = watch(world, &operator).await;
        operator.offer(&definition, &samples::staff_claims()).await;
        let seen = steps(&mut stream, 1).await.remove(0);
        let (number, second) = seen.id().split_once('-').expect("an id of two parts");
        let future = format!("{}-{second}", number.parse::<u64>().expect("a number") + 1);
        let before = format!("0-{second}");
        for (last, reason) in [(future.as_str(), "unknown"), (before.as_str(), "expired")] {
            let mut stream = go_on(&operator, last).await;
            assert_eq!(stream.event("reset").await.text("reason"), reason);
            stream.event("ready").await;
        }
        drop(stream);
        // Resumable for three days; nobody watched for five.
        world.advance(Duration::from_secs(3 * 86_400 - 60));
        steps(&mut go_on(&operator, before_of(&seen).as_str()).await, 1).await;
        world.advance(Duration::from_secs(120));
        let mut stream = go_on(&operator, seen.id()).await;
        assert_eq!(stream.event("reset").await.text("reason"), "expired");
        drop(stream);
        world.advance(Duration::from_secs(5 * 86_400));
        world.restart().await;
        operator.offer(&definition, &samples::staff_claims()).await;
        let fresh = format!("{number}-{}", world.env.now().seconds());
        let mut stream = go_on(&operator, &fresh).await;
        assert_eq!(stream.event("reset").await.text("reason"), "expired", "steps that nobody watched are missing");
        world.advance(SETTLED);
        stream.event("ready").await;
        let offer = operator.offer(&definition, &samples::staff_claims()).await;
        assert_eq!(steps(&mut stream, 1).await[0].text("credentialExchangeId"), offer.id);
    }

    async fn a_stream_ends_with_its_key_and_with_its_organisation(world: &World) {
        let operator = world.organisation().await;
        let key = operator.post(API_KEYS, json!({"name": "dashboard", "role": "auditor"})).await.ok()["apiKey"].clone();
        let secret = key["apiKey"].as_str().or(key["key"].as_str()).expect("a key");
        let mut of_key = open(&operator.with_key(secret), "", None).await.expect("a stream");
        let mut of_operator = open(&operator, "", None).await.expect("a stream");
        let path = format!("{API_KEYS}/{}", key["id"].as_str().expect("an id"));
        assert_eq!(operator.delete(&path).await.status, 204);
        assert_eq!(of_key.event("end").await.text("reason"), "refused");
        assert_eq!(of_key.block().await, None);
        world.platform().suspend(&operator).await;
        assert_eq!(of_operator.event("end").await.text("reason"), "refused");
        assert_eq!(of_operator.block().await, None);
    }

    async fn there_are_fifty_streams_at_most_and_a_closed_one_makes_room(world: &World) {
        let operator = world.organisation().await;
        let mut streams = Vec::new();
        for _ in 0..50 {
            streams.push(open(&operator, "", None).await.expect("a stream"));
        }
        let refused = open(&operator, "", None).await.expect_err("one too many");
        assert_problem(&refused, 429, "stream-limit");
        assert_eq!(refused.header("retry-after"), Some("10"));
        let other = world.organisation().await;
        open(&other, "", None).await.expect("another organisation has streams of its own");
        drop(streams.pop());
        let room = async { while open(&operator, "", None).await.is_err() { tokio::task::yield_now().await } };
        tokio::time::timeout(Duration::from_secs(30), room).await.expect("room again");
    }

    async fn nobody_hears_of_another_organisation(world: &World) {
        let ((operator, definition), (stranger, strange)) = (badge(world).await, badge(world).await);
        let mut stream = watch(world, &operator).await;
        let id = strange["credentialDefinitionId"].as_str().expect("an id");
        let mut filtered = watch_some(world, &operator, &format!("credentialDefinitionId={id}")).await;
        let mut of_stranger = watch(world, &stranger).await;
        issue(world, &stranger, &strange).await;
        let last = steps(&mut of_stranger, 6).await.remove(5);
        let own = operator.offer(&definition, &samples::staff_claims()).await;
        assert_eq!(steps(&mut stream, 1).await[0].text("credentialExchangeId"), own.id);
        world.advance(Duration::from_secs(16));
        assert_eq!(filtered.block().await.expect("a comment").data, None);
        let mut foreign = go_on(&operator, last.id()).await;
        assert_eq!(foreign.event("reset").await.text("reason"), "unknown");
    }

    /// What was deleted is told to nobody; what happened around it is.
    async fn steps_of_deleted_records_are_not_told_again(world: &World) {
        let (operator, definition) = badge(world).await;
        let mut stream = watch(world, &operator).await;
        let gone = issue(world, &operator, &definition).await;
        let seen = steps(&mut stream, 6).await;
        let kept = operator.offer(&definition, &samples::staff_claims()).await;
        operator.delete(&history_path(&gone.id)).await.ok();
        let mut again = go_on(&operator, seen[0].id()).await;
        assert_eq!(steps(&mut again, 1).await[0].text("credentialExchangeId"), kept.id);
    }
}

/// An id one step before this one, told at the same time.
fn before_of(step: &Block) -> String {
    let (number, second) = step.id().split_once('-').expect("an id of two parts");
    format!("{}-{second}", number.parse::<u64>().expect("a number") - 1)
}
