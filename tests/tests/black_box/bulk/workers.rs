//! Rows are issued once, whatever happens to those who issue them.

use std::time::Duration;

use super::*;

fn networked(behaviour: impl AsyncFnOnce(&World)) {
    block_on(World::run(Backend::Networked, behaviour));
}

/// Longer than the lease of a piece of work, and than the pause after a failure.
const LATER: Duration = Duration::from_secs(600);

on_every_backend! {
    /// A worker that stops in the middle: the next one goes on, and no row is issued twice or lost.
    async fn a_restart_in_the_middle_neither_repeats_nor_loses_a_row(world: &World) {
        let scene = Scene::new(world).await;
        let bulk = scene.upload(staff(2000)).await;
        scene.act(&bulk, "confirm").await.ok();
        let second = world.another_server().await;
        let some = async {
            while scene.read(&bulk).await["done"] == 0 {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            done = second.work() => done.expect("background work"),
            () = some => {}
        }
        second.stop().await;
        world.restart().await;
        world.advance(LATER);
        world.work().await;
        scene.assert_issued_once(&bulk, 2000).await;
    }

    async fn rows_that_no_longer_fit_when_their_turn_comes_fail(world: &World) {
        let scene = Scene::new(world).await;
        let bulk = scene.upload(staff(2)).await;
        let mut stricter = samples::staff_badge();
        stricter["credentialDefinitions"][0]["id"] = scene.definition["credentialDefinitions"][0]["id"].clone();
        stricter["credentialDefinitions"][0]["claims"]["claims"][3]["mandatory"] = true.into();
        let place = chancery_tests::platform::definition_path(scene.definition_id());
        scene.operator.put(&place, stricter).await.ok();
        scene.act(&bulk, "confirm").await.ok();
        world.work().await;
        let shown = scene.read(&bulk).await;
        assert_eq!((&shown["state"], &shown["done"], &shown["failed"]), (&json!("done"), &json!(0), &json!(2)));
        let result = scene.result(&bulk).await;
        assert_eq!(result[0]["status"], "failed");
        assert!(result[0]["error"].as_str().expect("a text").contains("/claims/department"), "{}", result[0]);
    }

    async fn rows_of_a_deleted_definition_fail(world: &World) {
        let scene = Scene::new(world).await;
        let bulk = scene.upload(staff(2)).await;
        let place = chancery_tests::platform::definition_path(scene.definition_id());
        scene.operator.delete(&place).await;
        scene.act(&bulk, "confirm").await.ok();
        world.work().await;
        assert_eq!(scene.read(&bulk).await["failed"], 2);
        assert_eq!(scene.exchanges().await, 0);
    }
}

/// Whatever side of a COMMIT the wire breaks on.
#[test]
fn a_part_that_is_cut_at_commit_is_issued_once() {
    networked(async |world| {
        for place in [Place::Before, Place::After] {
            let scene = Scene::new(world).await;
            let bulk = scene.upload(staff(700)).await;
            scene.act(&bulk, "confirm").await.ok();
            world.postgres().cut_at(b"COMMIT", place);
            drop(world.try_work().await);
            world.postgres().sprung().await;
            world.postgres().restore();
            world.restart().await;
            world.advance(LATER);
            world.work().await;
            scene.assert_issued_once(&bulk, 700).await;
        }
    });
}

#[test]
fn two_processes_share_the_work() {
    networked(async |world| {
        let scene = Scene::new(world).await;
        let second = world.another_server().await;
        let bulk = scene.upload(staff(3000)).await;
        scene.act(&bulk, "confirm").await.ok();
        let (_, there) = tokio::join!(world.work(), second.work());
        there.expect("background work");
        second.stop().await;
        world.work().await;
        scene.assert_issued_once(&bulk, 3000).await;
    });
}
