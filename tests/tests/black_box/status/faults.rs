//! Several processes, and a database that goes away.

use std::collections::BTreeSet;

use chancery_tests::Place as Cut;

use super::*;

fn networked(behaviour: impl AsyncFnOnce(&World)) {
    block_on(World::run(Backend::Networked, behaviour));
}

/// The same list, asked of another process.
fn at(address: std::net::SocketAddr, uri: &str) -> String {
    let path = uri.splitn(4, '/').nth(3).expect("a path");
    format!("http://{address}/{path}")
}

/// A change at one process shows at another that has the list in memory.
#[test]
fn a_second_process_sees_a_change() {
    networked(async |world| {
        let second = world.another_server().await;
        let scene = Scene::new(world).await;
        let place = scene.place();
        let there = Place { uri: at(second.wallet_address().expect("a wallet face"), &place.uri), index: place.index };
        assert_eq!((place.value(world).await, there.value(world).await), (0, 0));
        let etag = world.http().get(&place.uri).await.header("etag").map(str::to_owned);
        assert_eq!(world.http().get(&there.uri).await.header("etag").map(str::to_owned), etag, "one state has one tag");
        scene.change("Revoked").await.ok();
        place.shows(world, 1).await;
        there.shows(world, 1).await;
        second.stop().await;
    });
}

/// Cut before it is recorded: an index is wasted and nothing else happened.
#[test]
fn an_issuance_cut_before_it_is_recorded_wastes_an_index_and_nothing_else() {
    networked(async |world| {
        let scene = Scene::new(world).await;
        let offer = scene.operator.offer(&scene.definition, &samples::staff_claims()).await;
        let wallet = world.wallet();
        let token = wallet.redeem(&wallet.open(&offer.link).await).await;
        let nonce = wallet.nonce(&token.opened).await;
        let before = world.database.census().await;
        world.postgres().cut_at(b"credential_issued", Cut::Before);
        wallet.send(wallet.credential_call(&token, &nonce)).await.refused(503, "temporarily_unavailable");
        world.postgres().sprung().await;
        world.postgres().restore();
        assert_eq!(world.database.census().await, before);
        let place = Place::of(&wallet.collect(&token).await);
        assert_ne!(place, scene.place());
        assert_eq!(place.value(world).await, 0);
    });
}

/// At whichever COMMIT the wire is cut, those of the audit log among them: a change that was answered has happened, and
/// asked again, it has happened once. The log says that it was done if and only if it was.
#[test]
fn a_change_cut_at_any_commit_happens_once_or_not_at_all() {
    networked(async |world| {
        for cut in [Cut::Before, Cut::After] {
            let mut outcomes = BTreeSet::new();
            for nth in 1.. {
                let scene = Scene::new(world).await;
                scene.operator.settled().await;
                world.postgres().cut_at_nth(b"COMMIT", nth, cut);
                let answer = scene.change("Revoked").await;
                let was_cut = world.postgres().is_cut();
                world.postgres().restore();
                let count = format!("SELECT count(*) FROM status_change WHERE exchange_id = '{}'", scene.offer.id);
                let happened = world.database.number(&count).await;
                let target = format!("{}/revocation-status", history_path(&scene.offer.id));
                let done = format!("SELECT count(*) FROM audit_entry WHERE outcome = 'done' AND target = '{target}'");
                assert_eq!(world.database.number(&done).await, happened, "COMMIT {nth}, {cut:?}");
                if answer.status == 200 {
                    assert_eq!(happened, 1, "COMMIT {nth}, {cut:?}");
                } else {
                    assert_problem(&answer, 503, "unavailable");
                }
                scene.change("Revoked").await.ok();
                assert_eq!(world.database.number(&count).await, 1, "COMMIT {nth}, {cut:?}");
                scene.place().shows(world, 1).await;
                outcomes.insert((answer.status, happened));
                if !was_cut {
                    break;
                }
            }
            let cut_at_the_change = match cut {
                Cut::Before => (503, 0),
                Cut::After => (503, 1),
            };
            assert!(outcomes.contains(&cut_at_the_change) && outcomes.contains(&(200, 1)), "{cut:?}: {outcomes:?}");
        }
    });
}

/// Without a database, verifiers get what is in memory.
#[test]
fn a_list_in_memory_is_served_without_a_database() {
    networked(async |world| {
        let scene = Scene::new(world).await;
        let place = scene.place();
        scene.change("Suspended").await.ok();
        place.shows(world, 2).await;
        world.postgres().cut();
        let begun = Instant::now();
        // Past the second for which nobody looks.
        while begun.elapsed() < Duration::from_millis(1500) {
            assert_eq!(place.value(world).await, 2);
        }
        world.postgres().restore();
        scene.change("Operational").await.ok();
        place.shows(world, 0).await;
    });
}
