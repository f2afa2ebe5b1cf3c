//! The database goes away at whichever COMMIT of an operation: nothing happens twice, and nothing is lost.

use std::collections::BTreeSet;
use std::time::Duration;

use super::*;

/// Longer than the lease of a piece of work, and than the pause after a failure.
const LATER: Duration = Duration::from_secs(600);

/// Rows of each file.
const ROWS: usize = 3;

fn networked(behaviour: impl AsyncFnOnce(&World)) {
    block_on(World::run(Backend::Networked, behaviour));
}

async fn settled(world: &World) -> Scene {
    let scene = Scene::new(world).await;
    scene.operator.settled().await;
    scene
}

/// Brings a bulk to where `verb` can be done.
async fn before(scene: &Scene, verb: &str) -> Value {
    let bulk = scene.upload(staff(ROWS)).await;
    if verb != "confirm" {
        scene.act(&bulk, "confirm").await.ok();
    }
    if verb == "resume" {
        scene.act(&bulk, "pause").await.ok();
    }
    bulk
}

/// Whatever was answered, doing it once more leads there, and each row is issued once or, when cancelled, not at all.
async fn cut_at_every_commit(world: &World, verb: &str, place: Place) {
    let (from, to) = match verb {
        "confirm" => ("ready", "running"),
        "pause" => ("running", "paused"),
        "resume" => ("paused", "running"),
        _ => ("running", "cancelled"),
    };
    let mut outcomes = BTreeSet::new();
    for nth in 1.. {
        let scene = settled(world).await;
        let bulk = before(&scene, verb).await;
        world.postgres().cut_at_nth(b"COMMIT", nth, place);
        let answer = scene.act(&bulk, verb).await;
        let was_cut = world.postgres().is_cut();
        world.postgres().restore();
        let state = scene.read(&bulk).await["state"].as_str().expect("a state").to_owned();
        if answer.status == 200 {
            assert_eq!(state, to, "{verb}, COMMIT {nth}, {place:?}");
        } else {
            answer.problem(503);
            assert!([from, to].contains(&state.as_str()), "{verb}, COMMIT {nth}, {place:?}: {state}");
        }
        outcomes.insert((answer.status, state == to));
        scene.act(&bulk, verb).await.ok();
        if verb == "pause" {
            world.work().await;
            assert_eq!(scene.exchanges().await, 0, "{place:?}, COMMIT {nth}: issued while it was paused");
            scene.act(&bulk, "resume").await.ok();
        }
        world.work().await;
        if verb == "cancel" {
            assert_eq!((scene.read(&bulk).await["state"].clone(), scene.exchanges().await), (json!("cancelled"), 0));
        } else {
            scene.assert_issued_once(&bulk, ROWS).await;
        }
        if !was_cut {
            break;
        }
    }
    let cut_at_the_change = match place {
        Place::Before => (503, false),
        Place::After => (503, true),
    };
    assert!(outcomes.contains(&cut_at_the_change) && outcomes.contains(&(200, true)), "{verb} {place:?}: {outcomes:?}");
}

#[test]
fn a_confirmation_cut_at_any_commit_issues_each_row_once() {
    networked(async |world| {
        cut_at_every_commit(world, "confirm", Place::Before).await;
        cut_at_every_commit(world, "confirm", Place::After).await;
    });
}

#[test]
fn a_pause_cut_at_any_commit_holds_and_loses_no_row() {
    networked(async |world| {
        cut_at_every_commit(world, "pause", Place::Before).await;
        cut_at_every_commit(world, "pause", Place::After).await;
    });
}

#[test]
fn going_on_cut_at_any_commit_issues_each_row_once() {
    networked(async |world| {
        cut_at_every_commit(world, "resume", Place::Before).await;
        cut_at_every_commit(world, "resume", Place::After).await;
    });
}

#[test]
fn a_cancellation_cut_at_any_commit_issues_nothing() {
    networked(async |world| {
        cut_at_every_commit(world, "cancel", Place::Before).await;
        cut_at_every_commit(world, "cancel", Place::After).await;
    });
}

/// What an upload leaves that broke off is either whole or cannot be confirmed, and nothing is issued of its own accord.
#[test]
fn an_upload_cut_at_any_commit_is_whole_or_useless() {
    networked(async |world| {
        for place in [Place::Before, Place::After] {
            let mut outcomes = BTreeSet::new();
            for nth in 1.. {
                let scene = settled(world).await;
                world.postgres().cut_at_nth(b"COMMIT", nth, place);
                let answer = scene.send("", "text/csv", staff(ROWS)).await;
                let was_cut = world.postgres().is_cut();
                world.postgres().restore();
                if answer.status != 201 {
                    answer.problem(503);
                }
                outcomes.insert(answer.status);
                world.work().await;
                assert_eq!(scene.exchanges().await, 0, "COMMIT {nth}, {place:?}");
                let left = scene.operator.get(BULKS).await.ok()["bulks"].clone();
                let left = left.as_array().expect("bulks");
                assert!(
                    left.len() <= 1 && (answer.status != 201 || left.len() == 1),
                    "COMMIT {nth}, {place:?}: {left:?}"
                );
                for bulk in left {
                    if bulk["state"] == "ready" {
                        assert_eq!(
                            (&bulk["rows"], &bulk["invalid"]),
                            (&json!(ROWS), &json!(0)),
                            "COMMIT {nth}, {place:?}"
                        );
                        scene.act(bulk, "confirm").await.ok();
                        world.work().await;
                        scene.assert_issued_once(bulk, ROWS).await;
                    } else {
                        scene.act(bulk, "confirm").await.problem(409);
                    }
                }
                if !was_cut {
                    break;
                }
            }
            assert_eq!(outcomes, BTreeSet::from([201, 503]), "{place:?}");
        }
    });
}

/// At each COMMIT of whoever issues the rows.
#[test]
fn background_work_cut_at_any_commit_issues_each_row_once() {
    networked(async |world| {
        for place in [Place::Before, Place::After] {
            for nth in 1.. {
                let scene = settled(world).await;
                let bulk = scene.upload(staff(ROWS)).await;
                scene.act(&bulk, "confirm").await.ok();
                world.postgres().cut_at_nth(b"COMMIT", nth, place);
                drop(world.try_work().await);
                let was_cut = world.postgres().is_cut();
                world.postgres().restore();
                world.restart().await;
                world.advance(LATER);
                world.work().await;
                scene.assert_issued_once(&bulk, ROWS).await;
                if !was_cut {
                    assert!(nth > 1, "{place:?}: no COMMIT at all");
                    break;
                }
            }
        }
    });
}

/// At each COMMIT of whoever erases what a bulk has left after its week.
#[test]
fn an_erasure_cut_at_any_commit_is_done_in_the_end() {
    networked(async |world| {
        for place in [Place::Before, Place::After] {
            for nth in 1.. {
                let scene = settled(world).await;
                let bulk = scene.upload(staff(ROWS)).await;
                scene.act(&bulk, "confirm").await.ok();
                world.work().await;
                scene.assert_issued_once(&bulk, ROWS).await;
                world.advance(Duration::from_secs(8 * 86_400));
                world.postgres().cut_at_nth(b"COMMIT", nth, place);
                drop(world.try_work().await);
                let was_cut = world.postgres().is_cut();
                world.postgres().restore();
                world.restart().await;
                world.advance(LATER);
                world.work().await;
                let left =
                    "SELECT count(*) FROM bulk_part WHERE sealed_result IS NOT NULL AND length(sealed_result) > 0";
                assert_eq!(world.database.number(left).await, 0, "COMMIT {nth}, {place:?}");
                assert_eq!(scene.exchanges().await, ROWS as u64, "what was issued stays");
                if !was_cut {
                    assert!(nth > 1, "{place:?}: no COMMIT at all");
                    break;
                }
            }
        }
    });
}
