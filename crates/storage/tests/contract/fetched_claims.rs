//! Claims that are fetched, and what requests for them are signed with.

use std::sync::Arc;

use chancery_model::{CredentialStatus, WorkKind};
use chancery_storage::{DefinitionDeletion, StoreError, Supplied};
use futures::future::join_all;

use crate::database::{TestDatabase, on_every_database};
use crate::samples::{LATER, NOW, add_exchange, exchange_now};

on_every_database!(
    one_of_many_parallel_fetches_is_kept,
    nothing_is_kept_for_a_denied_exchange,
    missing_claims_are_awaited_until_the_first_end_that_was_set,
    secrets_belong_to_one_definition_of_one_organisation,
);

async fn one_of_many_parallel_fetches_is_kept(database: Arc<TestDatabase>) {
    let tenant = database.tenant("acme").await;
    let mut exchange = database.exchange(&tenant.definition, NOW);
    exchange.sealed_submissions = None;
    exchange.credential_status = CredentialStatus::Pending;
    add_exchange(&database.store, &tenant.organisation, &exchange).await;
    let fetches = (0..20_u8).map(|number| {
        let (database, organisation) = (Arc::clone(&database), Arc::clone(&tenant.organisation));
        let id = exchange.id;
        tokio::spawn(async move {
            let sealed = [number];
            let supplied = Supplied { before: None, sealed: &sealed, complete: true };
            let write = async |tx: &chancery_storage::Transaction| tx.keep_fetched_claims(id, supplied, NOW).await;
            (number, database.store.write(&organisation, write).await.unwrap())
        })
    });
    let outcomes: Vec<(u8, bool)> = join_all(fetches).await.into_iter().map(Result::unwrap).collect();
    let winners: Vec<u8> = outcomes.iter().filter(|(_, won)| *won).map(|(number, _)| *number).collect();
    assert_eq!(winners.len(), 1);
    let stored = exchange_now(&database.store, &tenant.organisation, &exchange).await;
    assert_eq!((stored.sealed_submissions, stored.credential_status), (Some(winners), CredentialStatus::Ready));
}

async fn nothing_is_kept_for_a_denied_exchange(database: Arc<TestDatabase>) {
    let tenant = database.tenant("acme").await;
    let exchange = database.offer(&tenant).await;
    let write = database.store.write(&tenant.organisation, async |tx| -> Result<bool, StoreError> {
        assert!(tx.deny_exchange(exchange.id, "not eligible", NOW).await?);
        let before = exchange.sealed_submissions.as_deref();
        tx.keep_fetched_claims(exchange.id, Supplied { before, sealed: &[1], complete: true }, NOW).await
    });
    assert!(!write.await.unwrap());
}

async fn missing_claims_are_awaited_until_the_first_end_that_was_set(database: Arc<TestDatabase>) {
    let tenant = database.tenant("acme").await;
    let mut exchange = database.exchange(&tenant.definition, NOW);
    exchange.credential_status = CredentialStatus::Pending;
    add_exchange(&database.store, &tenant.organisation, &exchange).await;
    let ready = database.offer(&tenant).await;
    for until in [LATER, LATER.plus_seconds(60)] {
        let wait = database.store.write(&tenant.organisation, async |tx| -> Result<(), StoreError> {
            tx.await_claims(exchange.id, until).await?;
            tx.await_claims(ready.id, until).await
        });
        wait.await.unwrap();
    }
    let due_at = async |exchange| exchange_now(&database.store, &tenant.organisation, exchange).await.claims_due_at;
    assert_eq!((due_at(&exchange).await, due_at(&ready).await), (Some(LATER), None));
    let lease = database.env.uuid(NOW);
    let due = database.store.work().take(WorkKind::Claims, 10, lease, LATER, LATER.plus_seconds(9)).await.unwrap();
    assert_eq!(due.iter().map(|item| item.subject_id).collect::<Vec<_>>(), [exchange.id.as_uuid()]);
}

async fn secrets_belong_to_one_definition_of_one_organisation(database: Arc<TestDatabase>) {
    let (acme, other) = (database.tenant("acme").await, database.tenant("other").await);
    let id = acme.definition.id;
    for sealed in [[1], [2]] {
        let put = async |tx: &chancery_storage::Transaction| tx.put_claims_endpoint_secrets(id, &sealed, NOW).await;
        database.store.write(&acme.organisation, put).await.unwrap();
    }
    let secrets = async |tenant: &crate::samples::Tenant| {
        let read = database.store.read(&tenant.organisation).await.unwrap();
        read.claims_endpoint_secrets(id).await.unwrap()
    };
    assert_eq!((secrets(&acme).await, secrets(&other).await), (Some(vec![2]), None));
    let put = async |tx: &chancery_storage::Transaction| tx.put_claims_endpoint_secrets(id, &[3], NOW).await;
    assert!(database.store.write(&other.organisation, put).await.is_err(), "it is none of theirs");
    let remove = async |tx: &chancery_storage::Transaction| tx.remove_claims_endpoint_secrets(id).await;
    database.store.write(&other.organisation, remove).await.unwrap();
    assert_eq!(secrets(&acme).await, Some(vec![2]));
    let delete = async |tx: &chancery_storage::Transaction| tx.delete_definition(id, None, NOW).await;
    assert_eq!(database.store.write(&acme.organisation, delete).await.unwrap(), DefinitionDeletion::Deleted);
    assert_eq!(secrets(&acme).await, None);
}
