//! Opening and migrating a database.

use std::sync::Arc;

use chancery_storage::{ConnectError, Store, StoreError};

use crate::database::{TestDatabase, backend, database_on, on_every_database};

on_every_database!(several_processes_may_migrate_at_once, a_schema_is_current_only_after_its_migrations);

async fn several_processes_may_migrate_at_once(database: Arc<TestDatabase>) {
    let url = database.without_tables().await;
    let (one, two) = (Store::connect(&url, 2).await.unwrap(), Store::connect(&url, 2).await.unwrap());
    assert!(!one.schema_is_current().await.unwrap());
    let (first, second) = tokio::join!(one.migrate(), two.migrate());
    first.unwrap();
    second.unwrap();
    assert!(one.schema_is_current().await.unwrap() && two.schema_is_current().await.unwrap());
    one.ping().await.unwrap();
}

async fn a_schema_is_current_only_after_its_migrations(database: Arc<TestDatabase>) {
    assert!(database.store.schema_is_current().await.unwrap());
    let raw = database.raw().await;
    sea_orm::ConnectionTrait::execute_unprepared(&raw, "DELETE FROM seaql_migrations").await.unwrap();
    assert!(!database.store.schema_is_current().await.unwrap());
    sea_orm::ConnectionTrait::execute_unprepared(&raw, "DROP TABLE seaql_migrations").await.unwrap();
    assert!(!database.store.schema_is_current().await.unwrap());
}

#[tokio::test]
async fn a_database_in_memory_works_like_one_in_a_file() {
    let store = Store::connect("sqlite::memory:", 1).await.unwrap();
    assert!(!store.schema_is_current().await.unwrap());
    store.migrate().await.unwrap();
    assert!(store.schema_is_current().await.unwrap());
    assert!(store.directory().organisations("", &chancery_storage::Page::default()).await.unwrap().items.is_empty());
}

#[tokio::test]
async fn a_role_that_escapes_row_level_security_is_refused() {
    let admin = backend("CHANCERY_TEST_POSTGRES_ADMIN_URL");
    let refusal = Store::connect(&admin, 1).await.unwrap_err();
    assert!(matches!(&refusal, ConnectError::Privileged { role } if role == "postgres"), "{refusal:?}");
}

#[tokio::test]
async fn a_url_of_another_database_is_refused() {
    for url in ["mysql://localhost/chancery", "", "postgres:chancery"] {
        assert!(matches!(Store::connect(url, 1).await, Err(ConnectError::Url)), "{url}");
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unavailable() {
    // Port 9 (discard) is not listened on.
    let refusal = Store::connect("postgres://chancery:secret@127.0.0.1:9/chancery", 1).await.unwrap_err();
    assert!(matches!(refusal, ConnectError::Store(StoreError::Unavailable(_))), "{refusal:?}");
    assert!(!format!("{refusal:?} {refusal:#}").contains("secret"));
}

#[tokio::test]
async fn a_database_that_is_not_there_is_not_a_moment_of_weakness() {
    let url = database_on(&backend("CHANCERY_TEST_POSTGRES_URL"), "no_such_database");
    let refusal = Store::connect(&url, 1).await.unwrap_err();
    assert!(matches!(refusal, ConnectError::Store(StoreError::Internal(_))), "{refusal:?}");
}
