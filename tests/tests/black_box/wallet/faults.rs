//! The database or Redis goes away in the middle of an issuance.
//!
//! Always the same: 503 `temporarily_unavailable`, nothing half-written, and afterwards whatever the specification lets
//! a wallet do again works again.

use chancery_tests::{Answer, Backend, Place, block_on};

use super::*;

/// Runs a behaviour on PostgreSQL and Redis, whose wires can be cut.
fn with_wires(behaviour: impl AsyncFnOnce(&World)) {
    block_on(World::run(Backend::Networked, behaviour));
}

#[track_caller]
fn assert_unavailable(answer: &Answer) {
    let body = answer.refused(503, "temporarily_unavailable");
    assert!(answer.header("retry-after").is_some_and(|seconds| seconds.parse::<u32>().is_ok()), "{answer}");
    let description = body["error_description"].as_str().unwrap_or_default().to_lowercase();
    for internal in ["sql", "postgres", "redis", "connection", "127.0.0.1"] {
        assert!(!description.contains(internal), "{answer}");
    }
}

async fn rows(world: &World, table: &str) -> i64 {
    world.database.number(&format!("SELECT count(*) FROM \"{table}\"")).await
}

/// The database is gone before the token request: the code is as good as before.
#[test]
fn a_token_request_without_a_database_can_be_repeated() {
    with_wires(async |world| {
        let scene = Scene::new(world).await;
        let before = world.database.census().await;
        world.postgres().cut();
        assert_unavailable(&scene.wallet.send(scene.wallet.token_call(&scene.opened)).await);
        world.postgres().restore();
        assert_eq!(world.database.census().await, before);
        let token = scene.redeem().await;
        scene.collect(&token).await;
    });
}

/// The wire breaks before the one statement that says so, which also commits: nothing is written, and the code still
/// works.
#[test]
fn a_token_request_cut_before_it_is_recorded_leaves_nothing_and_can_be_repeated() {
    with_wires(async |world| {
        let scene = Scene::new(world).await;
        let before = world.database.census().await;
        world.postgres().cut_at(b"token_issued", Place::Before);
        assert_unavailable(&scene.wallet.send(scene.wallet.token_call(&scene.opened)).await);
        world.postgres().sprung().await;
        world.postgres().restore();
        assert_eq!(world.database.census().await, before);
        assert_eq!(scene.operator.status(&scene.offer.id).await, "offer_received");
        let token = scene.redeem().await;
        scene.collect(&token).await;
    });
}

/// The wire breaks after that statement: the token was recorded as a whole and its answer is lost. The wallet gets it when
/// it asks again in time; nobody else does (OFR-6).
#[test]
fn a_token_request_cut_after_it_is_recorded_is_there_as_a_whole() {
    with_wires(async |world| {
        let scene = Scene::new(world).await;
        world.postgres().cut_at(b"token_issued", Place::After);
        assert_unavailable(&scene.wallet.send(scene.wallet.token_call(&scene.opened)).await);
        world.postgres().sprung().await;
        world.postgres().restore();
        assert_eq!(scene.operator.status(&scene.offer.id).await, "token_issued");
        assert_eq!(rows(world, "exchange_grant").await, 1);
        let events = scene.operator.events(&scene.offer.id).await;
        assert_eq!(events.iter().filter(|event| event["type"] == "token_exchanged").count(), 1);
        let other = scene.wallet.with_fresh_dpop_key();
        other.send(other.token_call(&scene.opened)).await.refused(400, "invalid_grant");
        scene.collect(&scene.redeem().await).await;
        assert_eq!(rows(world, "exchange_grant").await, 1);
    });
}

/// The database is gone before the credential request: the token is as good as before.
#[test]
fn a_credential_request_without_a_database_can_be_repeated() {
    with_wires(async |world| {
        let scene = Scene::new(world).await;
        let token = scene.redeem().await;
        let nonce = scene.wallet.nonce(&scene.opened).await;
        let before = world.database.census().await;
        world.postgres().cut();
        assert_unavailable(&scene.wallet.send(scene.wallet.credential_call(&token, &nonce)).await);
        world.postgres().restore();
        assert_eq!(world.database.census().await, before);
        scene.collect(&token).await;
    });
}

/// The wire breaks before the statement that says so: no credential left the building, none is recorded, and the token
/// gives one with a fresh nonce.
#[test]
fn a_credential_request_cut_before_it_is_recorded_leaves_nothing_and_can_be_repeated() {
    with_wires(async |world| {
        let scene = Scene::new(world).await;
        let token = scene.redeem().await;
        let nonce = scene.wallet.nonce(&scene.opened).await;
        let before = world.database.census().await;
        world.postgres().cut_at(b"credential_issued", Place::Before);
        assert_unavailable(&scene.wallet.send(scene.wallet.credential_call(&token, &nonce)).await);
        world.postgres().sprung().await;
        world.postgres().restore();
        assert_eq!(world.database.census().await, before);
        assert_eq!(scene.operator.status(&scene.offer.id).await, "token_issued");
        scene.collect(&token).await;
        assert_eq!(rows(world, "credential").await, 1);
    });
}

/// The wire breaks after that statement: the credential is recorded although its answer is lost, and the token gives another
/// (CRE-14).
#[test]
fn a_credential_request_cut_after_it_is_recorded_is_there_as_a_whole() {
    with_wires(async |world| {
        let scene = Scene::new(world).await;
        let token = scene.redeem().await;
        let nonce = scene.wallet.nonce(&scene.opened).await;
        world.postgres().cut_at(b"credential_issued", Place::After);
        assert_unavailable(&scene.wallet.send(scene.wallet.credential_call(&token, &nonce)).await);
        world.postgres().sprung().await;
        world.postgres().restore();
        assert_eq!(rows(world, "credential").await, 1);
        assert_eq!(scene.operator.status(&scene.offer.id).await, "credential_issued");
        scene.collect(&token).await;
        assert_eq!(rows(world, "credential").await, 2);
    });
}

/// The database is gone while an offer is fetched: it can be fetched afterwards.
#[test]
fn an_offer_without_a_database_can_be_fetched_later() {
    with_wires(async |world| {
        let scene = Scene::new(world).await;
        let uri = chancery_tests::wallet::offer_uri(&scene.offer.link);
        world.postgres().cut();
        assert_unavailable(&world.http().get(&uri).await);
        world.postgres().restore();
        assert_eq!(world.http().get(&uri).await.ok(), scene.opened.offer);
    });
}

/// Redis is gone: what would need to be remembered is refused (fail closed), what needs no memory still works, and the
/// code survives.
#[test]
fn a_token_request_without_redis_can_be_repeated() {
    with_wires(async |world| {
        let mut scene = Scene::new(world).await;
        let before = world.database.census().await;
        world.redis().cut();
        assert_unavailable(&scene.wallet.send(scene.wallet.token_call(&scene.opened)).await);
        assert_eq!(world.database.census().await, before);
        // Nothing to remember here.
        scene.wallet.nonce(&scene.opened).await;
        let key = scene.wallet.dpop_key.take();
        let (_, second) = scene.another_offer().await;
        assert_eq!(scene.wallet.redeem(&second).await.response["token_type"], "Bearer");
        scene.wallet.dpop_key = key;
        world.redis().restore();
        let token = scene.redeem().await;
        scene.collect(&token).await;
    });
}

/// Redis is gone at the credential request: without memory of nonces no credential is issued, and none is recorded.
#[test]
fn a_credential_request_without_redis_can_be_repeated() {
    with_wires(async |world| {
        let mut scene = Scene::new(world).await;
        scene.wallet.dpop_key = None;
        let token = scene.redeem().await;
        let nonce = scene.wallet.nonce(&scene.opened).await;
        let call = scene.wallet.credential_call(&token, &nonce);
        let before = world.database.census().await;
        world.redis().cut();
        assert_unavailable(&scene.wallet.send(call.clone()).await);
        assert_eq!(world.database.census().await, before);
        assert_eq!(scene.operator.status(&scene.offer.id).await, "token_issued");
        world.redis().restore();
        // Nobody used the nonce, so the very same request will do.
        scene.wallet.send(call).await.ok();
        assert_eq!(rows(world, "credential").await, 1);
    });
}

/// The wire breaks once, before or after the statement that records the token, and again at that of the credential: both
/// are recorded once, and no wallet notices.
#[test]
fn a_step_whose_connection_breaks_is_done_once_and_answered() {
    with_wires(async |world| {
        for place in [Place::Before, Place::After] {
            let scene = Scene::new(world).await;
            let before = (rows(world, "exchange_grant").await, rows(world, "credential").await);
            world.postgres().cut_once_at(b"token_issued", place);
            let token = scene.redeem().await;
            world.postgres().sprung().await;
            world.postgres().cut_once_at(b"credential_issued", place);
            scene.collect(&token).await;
            world.postgres().sprung().await;
            assert_eq!(rows(world, "exchange_grant").await, before.0 + 1);
            assert_eq!(rows(world, "credential").await, before.1 + 1);
            assert_eq!(scene.operator.status(&scene.offer.id).await, "credential_issued");
        }
    });
}

/// Connections that died while nobody looked are replaced before anybody notices.
#[test]
fn connections_that_died_in_between_are_replaced() {
    with_wires(async |world| {
        let scene = Scene::new(world).await;
        world.postgres().cut_once();
        world.redis().cut_once();
        let token = scene.redeem().await;
        world.postgres().cut_once();
        world.redis().cut_once();
        scene.collect(&token).await;
    });
}
