//! All of a unit of work happens, or nothing of it.

use std::sync::Arc;

use chancery_model::{Grant, RevocationStatus};
use chancery_storage::{StatusMove, StoreError, Tokens, Transaction};
use sea_orm::{ConnectionTrait, DbBackend};

use crate::database::{TestDatabase, on_every_database};
use crate::samples::{NOW, Refused, exchange_now};

on_every_database!(
    an_error_of_the_use_case_rolls_everything_back,
    a_cancelled_unit_of_work_leaves_nothing,
    a_unit_of_work_sees_its_own_changes_and_others_do_not,
    several_parts_are_written_at_once,
    nothing_is_committed_after_a_failed_statement,
    a_step_whose_rows_cannot_be_written_does_not_happen,
);

async fn an_error_of_the_use_case_rolls_everything_back(database: Arc<TestDatabase>) {
    let tenant = database.tenant("acme").await;
    let exchange = database.offer(&tenant).await;
    let (grant, part) = (database.grant(&exchange), database.part(&exchange));
    let outcome: Result<(), Refused> = database
        .store
        .write(&tenant.organisation, async |tx| {
            let tokens = Tokens { grant: &grant, refresh_token: None, passage: &database.passage() };
            assert!(tx.spend_code(&exchange, None, 5, Some(tokens), NOW).await?);
            tx.add_transcript_part(&part).await?;
            Err(Refused::ByUseCase)
        })
        .await;
    assert!(matches!(outcome, Err(Refused::ByUseCase)));
    let stored = exchange_now(&database.store, &tenant.organisation, &exchange).await;
    assert_eq!(format!("{stored:?}"), format!("{exchange:?}"));
    let read = database.store.read(&tenant.organisation).await.unwrap();
    assert!(read.grant_by_access_token(&grant.access_token_hash).await.unwrap().is_none());
    assert!(read.transcript_of(exchange.id).await.unwrap().is_empty());
}

async fn a_cancelled_unit_of_work_leaves_nothing(database: Arc<TestDatabase>) {
    let tenant = database.tenant("acme").await;
    let exchange = database.offer(&tenant).await;
    let (is_spent, was_spent) = tokio::sync::oneshot::channel();
    let (store, organisation) = (database.store.clone(), Arc::clone(&tenant.organisation));
    let asked_for = exchange.clone();
    let request = tokio::spawn(async move {
        let write = store.write(&organisation, async |tx| {
            is_spent.send(tx.spend_code(&asked_for, None, 5, None, NOW).await?).unwrap();
            std::future::pending::<Result<(), StoreError>>().await
        });
        write.await
    });
    assert!(was_spent.await.unwrap());
    request.abort();
    assert!(request.await.unwrap_err().is_cancelled());
    let spend =
        database.store.write(&tenant.organisation, async |tx| tx.spend_code(&exchange, None, 5, None, NOW).await);
    assert!(spend.await.unwrap());
}

async fn a_unit_of_work_sees_its_own_changes_and_others_do_not(database: Arc<TestDatabase>) {
    let tenant = database.tenant("acme").await;
    let exchange = database.exchange(&tenant.definition, NOW);
    let write = database.store.write(&tenant.organisation, async |tx| {
        assert!(tx.add_exchange(&exchange).await?);
        assert!(tx.exchange(exchange.id).await?.is_some());
        let other = database.store.read(&tenant.organisation).await?;
        assert!(other.exchange(exchange.id).await?.is_none());
        Ok::<_, StoreError>(())
    });
    write.await.unwrap();
}

async fn several_parts_are_written_at_once(database: Arc<TestDatabase>) {
    let tenant = database.tenant("acme").await;
    let exchange = database.offer(&tenant).await;
    let parts: Vec<_> = (0..1500).map(|_| database.part(&exchange)).collect();
    let write = database.store.write(&tenant.organisation, async |tx| {
        let (to, records) = (RevocationStatus::Revoked, [(RevocationStatus::Revoked, vec![exchange.id])].into());
        tx.move_statuses(&StatusMove { credentials: &[], to, records: &records, parts: &parts, at: NOW }).await
    });
    write.await.unwrap();
    let read = database.store.read(&tenant.organisation).await.unwrap();
    assert_eq!(read.transcript_of(exchange.id).await.unwrap().len(), 1500);
}

async fn nothing_is_committed_after_a_failed_statement(database: Arc<TestDatabase>) {
    let tenant = database.tenant("acme").await;
    let exchange = database.offer(&tenant).await;
    let part = database.part(&exchange);
    let write = database.store.write(&tenant.organisation, async |tx| {
        tx.add_transcript_part(&part).await?;
        // The same id again: a caller who overlooks the error must not believe that all is well.
        assert!(tx.add_transcript_part(&part).await.is_err());
        Ok::<_, StoreError>(())
    });
    assert!(matches!(write.await, Err(StoreError::Internal(_))));
    let read = database.store.read(&tenant.organisation).await.unwrap();
    assert!(read.transcript_of(exchange.id).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_row_that_cannot_be_meant_is_named() {
    let database = TestDatabase::sqlite().await;
    crate::database::with(database, async |database: Arc<TestDatabase>| {
        let tenant = database.tenant("acme").await;
        let exchange = database.offer(&tenant).await;
        let raw = database.raw().await;
        assert_eq!(raw.get_database_backend(), DbBackend::Sqlite);
        raw.execute_unprepared("UPDATE exchange SET status = 'lost'").await.unwrap();
        let read = database.store.read(&tenant.organisation).await.unwrap();
        let error = read.exchange(exchange.id).await.unwrap_err();
        assert_eq!(error.to_string(), format!("row {} of table exchange cannot be read", exchange.id));
    })
    .await;
}

/// The rows hang on the step, and the step on the rows.
async fn a_step_whose_rows_cannot_be_written_does_not_happen(database: Arc<TestDatabase>) {
    let tenant = database.tenant("acme").await;
    let (exchange, issued) = (database.offer(&tenant).await, database.issue(&tenant).await);
    let (grant, passage) = (database.grant(&exchange), database.passage());
    let taken = Grant { access_token_hash: issued.grant.access_token_hash, ..grant.clone() };
    let spend = async |grant: &Grant| {
        let tokens = Tokens { grant, refresh_token: None, passage: &passage };
        let step = async |tx: &Transaction| tx.spend_code(&exchange, None, 5, Some(tokens), NOW).await;
        database.store.write_step(&tenant.organisation, step).await
    };
    assert!(matches!(spend(&taken).await, Err(StoreError::Internal(_))));
    assert!(spend(&grant).await.unwrap());
}
