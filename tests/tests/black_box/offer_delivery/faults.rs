//! What becomes of deliveries when the database goes away, and with several processes.

use chancery_tests::{Place, block_on};

use super::*;

fn networked(behaviour: impl AsyncFnOnce(&World, &MailServer)) {
    block_on(MailServer::run(Backend::Networked, behaviour));
}

fn by_mail() -> Value {
    json!({"email": "ada@example.org", "deliveryChannel": "email"})
}

/// Whatever COMMIT the wire breaks at: what was recorded is delivered, what was not is not.
#[test]
fn an_offer_is_delivered_when_it_was_recorded_or_not_at_all() {
    for (place, arrive) in [(Place::Before, 0), (Place::After, 1)] {
        networked(async |world, mails| {
            let (operator, definition, id) = person(world, by_mail()).await;
            world.postgres().cut_at(b"COMMIT", place);
            operator.issue(body(&definition, json!({"individualId": id}))).await.problem(503);
            world.postgres().sprung().await;
            world.postgres().restore();
            world.restart().await;
            world.work().await;
            assert_eq!(mails.take().len(), arrive, "{place:?}");
        });
    }
}

/// The mail server took it. When that could not be written down it comes again under the same id, so that mail programs
/// show it once; when it was written down although nobody heard so, it does not come again.
#[test]
fn a_mail_whose_delivery_was_not_written_down_comes_again_under_the_same_id() {
    for (place, again) in [(Place::Before, 1), (Place::After, 0)] {
        networked(async |world, mails| {
            let (operator, definition, id) = person(world, by_mail()).await;
            let offer = offer_to(&operator, &definition, &id, "").await;
            world.postgres().cut_at(b"COMMIT", place);
            drop(world.try_work().await);
            world.postgres().sprung().await;
            world.postgres().restore();
            let first = mails.take();
            assert_eq!(first.len(), 1, "{place:?}");
            // The lease of whoever was cut off ends.
            world.advance(Duration::from_secs(600));
            world.restart().await;
            world.work().await;
            let second = mails.take();
            assert_eq!(second.len(), again, "{place:?}");
            assert!(second.iter().all(|mail| mail.header("Message-ID") == first[0].header("Message-ID")));
            assert_eq!(state(&operator, &offer).await, "delivered");
        });
    }
}

/// The messenger hears of an offer whenever the record says so.
#[test]
fn what_the_record_calls_delivered_reaches_the_messenger() {
    for place in [Place::Before, Place::After] {
        networked(async |world, _| {
            let receiver = Receiver::listen().await;
            let (operator, definition, id) = person(world, json!({"deliveryChannel": "webhook"})).await;
            hook(&operator, &receiver, &["openid.individual.offer"]).await;
            let offer = offer_to(&operator, &definition, &id, "").await;
            world.postgres().cut_at(b"COMMIT", place);
            drop(world.try_work().await);
            world.postgres().sprung().await;
            world.postgres().restore();
            world.advance(Duration::from_secs(600));
            world.restart().await;
            world.work().await;
            let ids: std::collections::BTreeSet<String> =
                receiver.take().iter().map(|call| call.header("webhook-id").to_owned()).collect();
            assert_eq!(ids.len(), 1, "{place:?}");
            assert_eq!(state(&operator, &offer).await, "delivered");
        });
    }
}

/// Leases: of two processes that work at the same time, one sends each mail.
#[test]
fn two_processes_do_not_both_send() {
    networked(async |world, mails| {
        let (operator, definition, id) = person(world, by_mail()).await;
        for _ in 0..20 {
            offer_to(&operator, &definition, &id, "").await;
        }
        let (first, second) = (world.another_server().await, world.another_server().await);
        let (one, two) = tokio::join!(first.work(), second.work());
        one.expect("work");
        two.expect("work");
        let sent = mails.take();
        let ids: std::collections::BTreeSet<&str> = sent.iter().map(|mail| mail.header("Message-ID")).collect();
        assert_eq!((sent.len(), ids.len()), (20, 20));
        first.stop().await;
        second.stop().await;
    });
}
