//! The queue of background work.

use std::sync::Arc;
use std::time::Duration;

use chancery_model::{Organisation, Timestamp, WorkKind};
use chancery_storage::{StoreError, WorkItem};
use futures::future::join_all;
use uuid::Uuid;

use crate::database::{TestDatabase, on_every_database};
use crate::samples::NOW;

on_every_database!(
    each_piece_of_work_is_taken_by_one_of_eight,
    work_is_due_when_it_was_asked_for_and_not_before,
    work_whose_holder_is_gone_is_due_again,
    work_that_is_asked_for_meanwhile_is_done_once_more,
    work_of_a_unit_that_fails_is_not_there,
);

const KIND: WorkKind = WorkKind::Webhooks;

fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

async fn add(database: &TestDatabase, organisation: &Organisation, subject: Uuid, due: Timestamp) {
    let work = async |tx: &chancery_storage::Transaction| tx.enqueue(KIND, subject, due).await;
    database.store.write(organisation, work).await.unwrap();
}

async fn take(database: &TestDatabase, lease: u128, now: Timestamp) -> Vec<WorkItem> {
    let until = now.plus(Duration::from_secs(60));
    database.store.work().take(KIND, 100, id(lease), now, until).await.unwrap()
}

async fn each_piece_of_work_is_taken_by_one_of_eight(database: Arc<TestDatabase>) {
    let tenant = database.tenant("acme").await;
    let subjects: Vec<Uuid> = (1..=40).map(id).collect();
    let work = async |tx: &chancery_storage::Transaction| tx.enqueue_all(KIND, &subjects, NOW).await;
    database.store.write(&tenant.organisation, work).await.unwrap();
    let takers = (0..8).map(|number| {
        let database = Arc::clone(&database);
        tokio::spawn(async move { take(&database, 100 + number, NOW).await })
    });
    let taken = join_all(takers).await.into_iter().flat_map(Result::unwrap);
    let mut taken: Vec<Uuid> = taken.map(|item| item.subject_id).collect();
    taken.sort_unstable();
    // On PostgreSQL a taker passes over what another one is taking; nothing is left for later but what is leased.
    assert_eq!(taken, subjects);
}

async fn work_is_due_when_it_was_asked_for_and_not_before(database: Arc<TestDatabase>) {
    let tenant = database.tenant("acme").await;
    let later = NOW.plus_seconds(60);
    add(&database, &tenant.organisation, id(1), later).await;
    assert_eq!(take(&database, 1, NOW).await, []);
    // Asked for again, and sooner.
    add(&database, &tenant.organisation, id(1), NOW).await;
    add(&database, &tenant.organisation, id(1), later).await;
    let [item] = take(&database, 1, NOW).await[..] else { panic!("one piece") };
    assert_eq!((item.organisation_id, item.subject_id, item.attempts), (tenant.organisation.id, id(1), 1));
    database.store.work().finish(&item).await.unwrap();
    assert_eq!(take(&database, 2, later).await, []);
}

async fn work_whose_holder_is_gone_is_due_again(database: Arc<TestDatabase>) {
    let tenant = database.tenant("acme").await;
    add(&database, &tenant.organisation, id(1), NOW).await;
    let [first] = take(&database, 1, NOW).await[..] else { panic!("one piece") };
    assert_eq!(take(&database, 2, NOW.plus_seconds(59)).await, []);
    let [second] = take(&database, 3, NOW.plus_seconds(60)).await[..] else { panic!("one piece") };
    assert_eq!(second.attempts, 2);
    // The first holder was only slow: it cannot end what is no longer its own.
    database.store.work().finish(&first).await.unwrap();
    database.store.work().postpone(&first, NOW, 0).await.unwrap();
    assert_eq!(take(&database, 4, NOW.plus_seconds(61)).await, []);
    database.store.work().postpone(&second, NOW.plus_seconds(90), second.attempts).await.unwrap();
    let [third] = take(&database, 5, NOW.plus_seconds(90)).await[..] else { panic!("one piece") };
    assert_eq!(third.attempts, 3);
}

async fn work_that_is_asked_for_meanwhile_is_done_once_more(database: Arc<TestDatabase>) {
    let tenant = database.tenant("acme").await;
    add(&database, &tenant.organisation, id(1), NOW).await;
    let [item] = take(&database, 1, NOW).await[..] else { panic!("one piece") };
    add(&database, &tenant.organisation, id(1), NOW).await;
    assert_eq!(take(&database, 2, NOW).await, [], "never twice at the same time");
    database.store.work().finish(&item).await.unwrap();
    let [again] = take(&database, 3, NOW).await[..] else { panic!("one piece") };
    assert_eq!(again.attempts, 1);
    add(&database, &tenant.organisation, id(1), NOW.plus_seconds(5)).await;
    database.store.work().postpone(&again, NOW.plus_seconds(3600), 0).await.unwrap();
    let [last] = take(&database, 4, NOW.plus_seconds(5)).await[..] else { panic!("one piece") };
    database.store.work().finish(&last).await.unwrap();
    assert_eq!(take(&database, 5, NOW.plus_seconds(7200)).await, []);
}

async fn work_of_a_unit_that_fails_is_not_there(database: Arc<TestDatabase>) {
    let tenant = database.tenant("acme").await;
    let failing = async |tx: &chancery_storage::Transaction| -> Result<(), StoreError> {
        tx.enqueue(KIND, id(1), NOW).await?;
        Err(StoreError::Corrupt { table: "none", row: "none".to_owned() })
    };
    assert!(database.store.write(&tenant.organisation, failing).await.is_err());
    assert_eq!(take(&database, 1, NOW).await, []);
}
