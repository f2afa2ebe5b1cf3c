//! What becomes of events when the database goes away, and with several processes.

use chancery_tests::platform::issue_body;
use chancery_tests::{Place, block_on};

use super::*;

fn networked(behaviour: impl AsyncFnOnce(&World)) {
    block_on(World::run(Backend::Networked, behaviour));
}

/// Whatever COMMIT the wire breaks at: what was recorded arrives at least once, what was not does not.
#[test]
fn an_event_is_recorded_with_its_step_or_not_at_all() {
    // A world each: after a restart the first use of the operator's key is written down, with a COMMIT of its own.
    for (place, arrives) in [(Place::Before, 0), (Place::After, 1)] {
        networked(async |world| {
            let receiver = Receiver::listen().await;
            let (operator, _) = subscribed(world, &receiver, &["offer_sent"]).await;
            let definition = operator.define(&samples::staff_badge()).await;
            let body = issue_body(&definition, &samples::staff_claims());
            world.postgres().cut_at(b"COMMIT", place);
            operator.issue(body).await.problem(503);
            world.postgres().sprung().await;
            world.postgres().restore();
            world.restart().await;
            world.work().await;
            assert_eq!(receiver.take().len(), arrives, "{place:?}");
        });
    }
}

/// The receiver has taken it, and the server could not write that down: it comes again, under the same id.
#[test]
fn a_delivery_that_was_not_written_down_comes_again() {
    networked(async |world| {
        let receiver = Receiver::listen().await;
        let (operator, webhook) = subscribed(world, &receiver, &["offer_sent"]).await;
        offer(&operator).await;
        // The first unit of work makes the delivery; the second, after the call, writes down what came of it.
        receiver.answer(&["500 Oops"]);
        world.work().await;
        let first = receiver.take().remove(0);
        world.advance(Duration::from_secs(10));
        world.postgres().cut_at(b"COMMIT", Place::Before);
        drop(world.try_work().await);
        world.postgres().sprung().await;
        world.postgres().restore();
        assert_eq!(receiver.take().len(), 1);
        // The lease of whoever was cut off ends.
        world.advance(Duration::from_secs(600));
        world.restart().await;
        world.work().await;
        let again = receiver.take();
        assert_eq!(again.len(), 1);
        assert_eq!(again[0].header("webhook-id"), first.header("webhook-id"));
        assert_eq!(deliveries(&operator, &webhook, "status=completed").await.len(), 1);
    });
}

/// Leases: of two processes that work at the same time, one sends each event.
#[test]
fn two_processes_do_not_both_send() {
    networked(async |world| {
        let receiver = Receiver::listen().await;
        let (operator, _) = subscribed(world, &receiver, &["offer_sent"]).await;
        let definition = operator.define(&samples::staff_badge()).await;
        for _ in 0..30 {
            operator.offer(&definition, &samples::staff_claims()).await;
        }
        let (first, second) = (world.another_server().await, world.another_server().await);
        let (one, two) = tokio::join!(first.work(), second.work());
        one.expect("work");
        two.expect("work");
        let calls = receiver.take();
        let ids: std::collections::BTreeSet<&str> = calls.iter().map(|call| call.header("webhook-id")).collect();
        assert_eq!((calls.len(), ids.len()), (30, 30));
        first.stop().await;
        second.stop().await;
    });
}
