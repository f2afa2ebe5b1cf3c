//! Steps of exchanges get their numbers after they are committed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chancery_model::{
    EventWatch, Exchange, ExchangeEvent, ExchangeStatus, NumberedEvent, Organisation, Retained, Timestamp, WebhookEvent,
};
use chancery_storage::{Store, StoreError, Transaction};
use futures::future::join_all;
use tokio::sync::oneshot;

use crate::database::{TestDatabase, on_every_database, with};
use crate::samples::NOW;

on_every_database!(
    steps_of_many_writers_are_read_once_and_in_one_order_everywhere,
    a_watch_that_has_ended_begins_anew_behind_a_gap,
    steps_that_nobody_watches_get_no_number,
    steps_of_a_deleted_exchange_are_gone_and_their_numbers_stay_given,
    nobody_reads_steps_of_another_organisation,
);

const DAY: Duration = Duration::from_secs(86_400);

fn step(database: &TestDatabase, exchange: &Exchange, status: ExchangeStatus) -> ExchangeEvent {
    let event = WebhookEvent::Status(status);
    ExchangeEvent { id: database.env.uuid(NOW).into(), exchange_id: exchange.id, event, at: NOW }
}

async fn add(store: &Store, organisation: &Organisation, event: &ExchangeEvent, is_watched: bool) {
    let add = async |tx: &Transaction| tx.add_events(std::slice::from_ref(event), is_watched).await;
    store.write(organisation, add).await.unwrap();
}

async fn watch(store: &Store, organisation: &Organisation, now: Timestamp) -> EventWatch {
    let begin = async |tx: &Transaction| tx.watch_events(now.plus(DAY), now).await;
    store.write(organisation, begin).await.unwrap()
}

async fn number(store: &Store, organisation: &Organisation) -> usize {
    store.write(organisation, async |tx: &Transaction| tx.number_events(7).await).await.unwrap()
}

async fn behind(store: &Store, organisation: &Organisation, number: u64) -> Vec<NumberedEvent> {
    store.read(organisation).await.unwrap().numbered_events(number, 5).await.unwrap().events
}

/// Everything that a reader sees which looks again and again until it has seen so many steps, behind the last one each time.
async fn follow(store: Store, organisation: Arc<Organisation>, from: u64, most: usize) -> Vec<NumberedEvent> {
    let mut seen: Vec<NumberedEvent> = Vec::new();
    while seen.len() < most {
        let last = seen.last().map_or(from, |event| event.number);
        seen.extend(behind(&store, &organisation, last).await);
        tokio::task::yield_now().await;
    }
    seen
}

/// Two stores stand for two processes; each numbers and reads while eight writers commit as they come.
async fn steps_of_many_writers_are_read_once_and_in_one_order_everywhere(database: Arc<TestDatabase>) {
    const WRITERS: usize = 8;
    let tenant = database.tenant("acme").await;
    let other = Store::connect(&database.url, 8).await.unwrap();
    let begun = watch(&database.store, &tenant.organisation, NOW).await;
    let mut exchanges = Vec::new();
    for _ in 0..WRITERS * 3 {
        exchanges.push(database.offer(&tenant).await);
    }
    let all = exchanges.len() * ExchangeStatus::ALL.len();
    let is_over = Arc::new(AtomicBool::new(false));
    let stores = [database.store.clone(), other];
    let numberers = stores.clone().map(|store| {
        let (organisation, is_over) = (Arc::clone(&tenant.organisation), Arc::clone(&is_over));
        tokio::spawn(async move {
            while !is_over.load(Ordering::SeqCst) {
                number(&store, &organisation).await;
                tokio::task::yield_now().await;
            }
        })
    });
    let readers =
        stores.clone().map(|store| tokio::spawn(follow(store, Arc::clone(&tenant.organisation), begun.last, all)));
    let writers = exchanges.chunks(3).enumerate().map(|(writer, exchanges)| {
        let (database, organisation) = (Arc::clone(&database), Arc::clone(&tenant.organisation));
        let (store, exchanges) = (stores[writer % 2].clone(), exchanges.to_vec());
        tokio::spawn(async move {
            for exchange in &exchanges {
                for status in ExchangeStatus::ALL {
                    let event = step(&database, exchange, status);
                    let add = async |tx: &Transaction| {
                        tx.add_events(std::slice::from_ref(&event), true).await?;
                        // Others overtake.
                        for _ in 0..writer {
                            tokio::task::yield_now().await;
                        }
                        Ok::<_, StoreError>(())
                    };
                    store.write(&organisation, add).await.unwrap();
                }
            }
        })
    });
    join_all(writers).await.into_iter().for_each(Result::unwrap);
    let [first, second] = readers;
    let (first, second) = (first.await.unwrap(), second.await.unwrap());
    is_over.store(true, Ordering::SeqCst);
    for numberer in numberers {
        numberer.await.unwrap();
    }
    assert_eq!(first, second);
    let numbers: Vec<u64> = first.iter().map(|event| event.number).collect();
    let expected: Vec<u64> = (begun.last + 1..).take(all).collect();
    assert_eq!(numbers, expected, "no number is missing and none is there twice");
    for exchange in &exchanges {
        let steps = first.iter().filter(|step| step.event.exchange_id == exchange.id);
        let steps: Vec<WebhookEvent> = steps.map(|step| step.event.event).collect();
        assert_eq!(steps, ExchangeStatus::ALL.map(WebhookEvent::Status), "each step once, in the order of commits");
    }
    assert!(first.iter().all(|step| step.definition_id == tenant.definition.id));
}

/// The case that ids would get wrong: the earlier id is committed later.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_step_that_is_committed_late_is_read_late_and_not_missed() {
    with(TestDatabase::postgres().await, async |database: Arc<TestDatabase>| {
        let tenant = database.tenant("acme").await;
        let (slow, fast) = (database.offer(&tenant).await, database.offer(&tenant).await);
        let begun = watch(&database.store, &tenant.organisation, NOW).await;
        let early = step(&database, &slow, ExchangeStatus::OfferSent);
        let late = step(&database, &fast, ExchangeStatus::OfferSent);
        assert!(early.id < late.id);
        let (written, is_written) = oneshot::channel();
        let (go_on, may_go_on) = oneshot::channel::<()>();
        let slow = {
            let (store, organisation, early) =
                (database.store.clone(), Arc::clone(&tenant.organisation), early.clone());
            tokio::spawn(async move {
                let add = async |tx: &Transaction| {
                    tx.add_events(std::slice::from_ref(&early), true).await?;
                    written.send(()).unwrap();
                    may_go_on.await.unwrap();
                    Ok::<_, StoreError>(())
                };
                store.write(&organisation, add).await.unwrap();
            })
        };
        is_written.await.unwrap();
        add(&database.store, &tenant.organisation, &late, true).await;
        assert_eq!(number(&database.store, &tenant.organisation).await, 1);
        let seen = behind(&database.store, &tenant.organisation, begun.last).await;
        assert_eq!(seen.iter().map(|step| step.event.id).collect::<Vec<_>>(), [late.id]);
        go_on.send(()).unwrap();
        slow.await.unwrap();
        assert_eq!(number(&database.store, &tenant.organisation).await, 1);
        let seen = behind(&database.store, &tenant.organisation, seen[0].number).await;
        assert_eq!(seen.iter().map(|step| step.event.id).collect::<Vec<_>>(), [early.id]);
    })
    .await;
}

async fn a_watch_that_has_ended_begins_anew_behind_a_gap(database: Arc<TestDatabase>) {
    let tenant = database.tenant("acme").await;
    let (store, organisation) = (&database.store, &tenant.organisation);
    assert_eq!(store.read(organisation).await.unwrap().event_watch().await.unwrap(), None);
    assert_eq!(number(store, organisation).await, 0);
    let begun = watch(store, organisation, NOW).await;
    assert_eq!((begun.since, begun.until, begun.first), (NOW, NOW.plus(DAY), begun.last));
    let hour = NOW.plus(Duration::from_secs(3600));
    let prolonged = watch(store, organisation, hour).await;
    assert_eq!(prolonged, EventWatch { until: hour.plus(DAY), ..begun });
    assert_eq!(store.read(organisation).await.unwrap().event_watch().await.unwrap(), Some(prolonged));
    let anew = watch(store, organisation, prolonged.until).await;
    assert_eq!(anew.since, prolonged.until);
    assert!(anew.first > begun.last && anew.first == anew.last, "who has seen everything until the gap is behind it");
    // Many begin at once.
    let other = database.tenant("other").await;
    let begin = (0..8).map(|_| {
        let (database, organisation) = (Arc::clone(&database), Arc::clone(&other.organisation));
        tokio::spawn(async move { watch(&database.store, &organisation, NOW).await })
    });
    let begun: Vec<EventWatch> = join_all(begin).await.into_iter().map(Result::unwrap).collect();
    assert!(begun.iter().all(|watch| *watch == begun[0]), "{begun:?}");
}

async fn steps_that_nobody_watches_get_no_number(database: Arc<TestDatabase>) {
    let tenant = database.tenant("acme").await;
    let exchange = database.offer(&tenant).await;
    let (store, organisation) = (&database.store, &tenant.organisation);
    add(store, organisation, &step(&database, &exchange, ExchangeStatus::OfferSent), false).await;
    let begun = watch(store, organisation, NOW).await;
    assert!(!store.read(organisation).await.unwrap().has_unnumbered_events().await.unwrap());
    assert_eq!(number(store, organisation).await, 0);
    add(store, organisation, &step(&database, &exchange, ExchangeStatus::OfferReceived), true).await;
    assert!(store.read(organisation).await.unwrap().has_unnumbered_events().await.unwrap());
    assert_eq!(number(store, organisation).await, 1);
    assert_eq!(behind(store, organisation, 0).await.len(), 1);
    assert_eq!(behind(store, organisation, begun.last).await.len(), 1);
}

async fn steps_of_a_deleted_exchange_are_gone_and_their_numbers_stay_given(database: Arc<TestDatabase>) {
    let tenant = database.tenant("acme").await;
    let (gone, kept) = (database.offer(&tenant).await, database.offer(&tenant).await);
    let (store, organisation) = (&database.store, &tenant.organisation);
    let begun = watch(store, organisation, NOW).await;
    add(store, organisation, &step(&database, &gone, ExchangeStatus::OfferSent), true).await;
    number(store, organisation).await;
    let erase = async |tx: &Transaction| tx.erase(Retained::Exchanges, &[gone.id]).await;
    store.write(organisation, erase).await.unwrap();
    add(store, organisation, &step(&database, &kept, ExchangeStatus::OfferSent), true).await;
    number(store, organisation).await;
    let seen = behind(store, organisation, begun.last).await;
    let seen: Vec<_> = seen.iter().map(|step| (step.number, step.event.exchange_id)).collect();
    assert_eq!(seen, [(begun.last + 2, kept.id)]);
}

async fn nobody_reads_steps_of_another_organisation(database: Arc<TestDatabase>) {
    let (acme, other) = (database.tenant("acme").await, database.tenant("other").await);
    let exchange = database.offer(&acme).await;
    for tenant in [&acme, &other] {
        watch(&database.store, &tenant.organisation, NOW).await;
    }
    add(&database.store, &acme.organisation, &step(&database, &exchange, ExchangeStatus::OfferSent), true).await;
    assert_eq!(number(&database.store, &other.organisation).await, 0);
    assert_eq!(number(&database.store, &acme.organisation).await, 1);
    assert!(behind(&database.store, &other.organisation, 0).await.is_empty());
}
