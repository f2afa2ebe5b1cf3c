//! People, and offers on their way to them.

use std::sync::Arc;

use chancery_model::{
    Exchange, Individual, IndividualId, OfferChannel, OfferDelivery, OfferDeliveryState, OfferPart, Timestamp,
};
use chancery_storage::{ExchangeFilter, IndividualChange, Page, StoreError};
use futures::future::join_all;

use crate::database::{TestDatabase, on_every_database};
use crate::samples::{NOW, Tenant};

on_every_database!(
    one_of_twenty_parallel_registrations_of_an_external_id_wins,
    an_attempt_of_an_earlier_round_changes_nothing,
    what_was_cancelled_is_not_delivered_afterwards,
    exchanges_are_found_by_the_individual_also_after_the_person_is_erased,
);

fn individual(id: IndividualId) -> Individual {
    Individual {
        id,
        revision: 1,
        external_id_hash: Some([7; 32]),
        sealed_contact: vec![1, 2, 3],
        created_at: NOW,
        updated_at: NOW,
    }
}

fn delivery(exchange: &Exchange, individual: IndividualId) -> OfferDelivery {
    OfferDelivery {
        exchange_id: exchange.id,
        part: OfferPart::Link,
        individual_id: Some(individual),
        channel: OfferChannel::Email,
        sealed_endpoint: Some(vec![4, 5, 6]),
        state: OfferDeliveryState::Pending,
        round: 1,
        attempts: 0,
        next_attempt_at: NOW,
        attempted_at: None,
        failure: None,
        created_at: NOW,
    }
}

/// A person, an exchange for that person, and its delivery.
async fn addressed(database: &TestDatabase, tenant: &Tenant) -> OfferDelivery {
    let person = individual(database.env.uuid(NOW).into());
    let exchange = database.offer(tenant).await;
    let delivery = delivery(&exchange, person.id);
    let write = database.store.write(&tenant.organisation, async |tx| {
        assert_eq!(tx.add_individual(&person).await?, IndividualChange::Done);
        tx.add_offer_deliveries(std::slice::from_ref(&delivery)).await
    });
    write.await.unwrap();
    delivery
}

async fn now(database: &TestDatabase, tenant: &Tenant, delivery: &OfferDelivery) -> OfferDelivery {
    let read = database.store.read(&tenant.organisation).await.unwrap();
    read.offer_deliveries_of(&[delivery.exchange_id]).await.unwrap().remove(0)
}

async fn record(database: &TestDatabase, tenant: &Tenant, delivery: &OfferDelivery) -> bool {
    let delivered = OfferDelivery { state: OfferDeliveryState::Delivered, attempts: 1, ..delivery.clone() };
    let write = database.store.write(&tenant.organisation, async |tx| tx.record_offer_attempt(&delivered).await);
    write.await.unwrap()
}

async fn one_of_twenty_parallel_registrations_of_an_external_id_wins(database: Arc<TestDatabase>) {
    let tenant = database.tenant("acme").await;
    let registrations = (0..20).map(|_| {
        let (database, organisation) = (Arc::clone(&database), Arc::clone(&tenant.organisation));
        let person = individual(database.env.uuid(NOW).into());
        tokio::spawn(async move {
            let add = database.store.write(&organisation, async |tx| match tx.add_individual(&person).await? {
                IndividualChange::Done => Ok(()),
                IndividualChange::Stale | IndividualChange::ExternalIdTaken => Err(Lost::Taken),
            });
            add.await.is_ok()
        })
    });
    let won = join_all(registrations).await.into_iter().filter(|won| *won.as_ref().unwrap()).count();
    assert_eq!(won, 1);
    let read = database.store.read(&tenant.organisation).await.unwrap();
    assert_eq!(read.individuals(&Page::default()).await.unwrap().total, 1);
    assert!(read.individual_by_external_id(&[[1; 32], [7; 32]]).await.unwrap().is_some());
    let other = database.tenant("other").await;
    let read = database.store.read(&other.organisation).await.unwrap();
    assert!(read.individual_by_external_id(&[[7; 32]]).await.unwrap().is_none());
}

enum Lost {
    Taken,
    Store,
}

impl From<StoreError> for Lost {
    fn from(_: StoreError) -> Self {
        Self::Store
    }
}

async fn an_attempt_of_an_earlier_round_changes_nothing(database: Arc<TestDatabase>) {
    let tenant = database.tenant("acme").await;
    let first = addressed(&database, &tenant).await;
    assert_eq!(now(&database, &tenant, &first).await, first);
    let later = Timestamp::from_millis(NOW.millis() + 1);
    let again = async |tx: &chancery_storage::Transaction| tx.deliver_again(first.exchange_id, first.part, later).await;
    assert!(database.store.write(&tenant.organisation, again).await.unwrap());
    assert!(!record(&database, &tenant, &first).await, "somebody asked for it again meanwhile");
    let second = now(&database, &tenant, &first).await;
    assert_eq!((second.state, second.round, second.next_attempt_at), (OfferDeliveryState::Pending, 2, later));
    assert!(record(&database, &tenant, &second).await);
    assert!(!record(&database, &tenant, &second).await, "once");
}

async fn what_was_cancelled_is_not_delivered_afterwards(database: Arc<TestDatabase>) {
    let tenant = database.tenant("acme").await;
    let delivery = addressed(&database, &tenant).await;
    let stop = async |tx: &chancery_storage::Transaction| tx.stop_deliveries_of(delivery.exchange_id, "no").await;
    database.store.write(&tenant.organisation, stop).await.unwrap();
    assert!(!record(&database, &tenant, &delivery).await);
    let stopped = now(&database, &tenant, &delivery).await;
    assert_eq!((stopped.state, stopped.failure.as_deref()), (OfferDeliveryState::Cancelled, Some("no")));
}

async fn exchanges_are_found_by_the_individual_also_after_the_person_is_erased(database: Arc<TestDatabase>) {
    let tenant = database.tenant("acme").await;
    let delivery = addressed(&database, &tenant).await;
    database.offer(&tenant).await;
    let person = delivery.individual_id.unwrap();
    let filter = ExchangeFilter { individual_id: Some(person), ..ExchangeFilter::default() };
    for revision in [Some(2), Some(1)] {
        let read = database.store.read(&tenant.organisation).await.unwrap();
        let listed = read.exchanges(&filter, &Page::default()).await.unwrap();
        assert_eq!((listed.total, listed.items[0].id), (1, delivery.exchange_id));
        drop(read);
        let erase = async |tx: &chancery_storage::Transaction| tx.erase_individual(person, revision).await;
        let erased = database.store.write(&tenant.organisation, erase).await.unwrap();
        assert_eq!(erased, revision == Some(1));
    }
    let left = now(&database, &tenant, &delivery).await;
    assert_eq!((left.state, left.sealed_endpoint), (OfferDeliveryState::Cancelled, None));
    let read = database.store.read(&tenant.organisation).await.unwrap();
    assert!(read.individual(person).await.unwrap().is_none());
    assert_eq!(read.exchanges(&filter, &Page::default()).await.unwrap().total, 1);
}
