//! The second lock, on PostgreSQL: what a query without our filters sees.

use std::sync::Arc;

use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, TransactionTrait};

use crate::database::{TestDatabase, all, with};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_table_of_organisations_has_forced_row_security() {
    with(TestDatabase::postgres().await, async |database: Arc<TestDatabase>| {
        let raw = database.raw().await;
        let unprotected = "SELECT relname::text AS name FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid \
                           WHERE a.attname = 'organisation_id' AND c.relkind = 'r' \
                           AND NOT (relrowsecurity AND relforcerowsecurity)";
        let names: Vec<String> = column(&raw, unprotected).await;
        // The queue, which workers scan across organisations, holds ids only.
        assert_eq!(names, ["work"]);
        let without: Vec<String> = column(
            &raw,
            "SELECT relname::text AS name FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace \
             AND NOT relrowsecurity ORDER BY 1",
        )
        .await;
        assert_eq!(without, ["organisation", "seaql_migrations", "work"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_setting_sees_nothing_and_writes_nothing() {
    with(TestDatabase::postgres().await, async |database: Arc<TestDatabase>| {
        let (acme, other) = (database.tenant("acme").await, database.organisation("other").await.0);
        database.issue(&acme).await;
        let raw = database.raw().await;
        let count = async |setting: &str, table: &str| {
            let transaction = raw.begin().await.unwrap();
            transaction.execute_unprepared(setting).await.unwrap();
            let sql = format!("SELECT count(*) AS n FROM {table}");
            let statement = sea_orm::Statement::from_string(DbBackend::Postgres, sql);
            let row = transaction.query_one_raw(statement).await.unwrap().unwrap();
            row.try_get::<i64>("", "n").unwrap()
        };
        let set = |id: &dyn std::fmt::Display| format!("SELECT set_config('app.organisation', '{id}', true)");
        let tables: Vec<String> =
            column(&raw, "SELECT relname::text AS name FROM pg_class WHERE relkind = 'r' AND relrowsecurity").await;
        assert_eq!(tables.len(), chancery_migrations::ORGANISATION_OWNED.len());
        for table in &tables {
            assert_eq!(count("SELECT 1", table).await, 0, "{table} without a setting");
            assert_eq!(count(&set(&""), table).await, 0, "{table} with an empty setting");
            if table != "api_key" {
                assert_eq!(count(&set(&other.id), table).await, 0, "{table} with a wrong setting");
            }
        }
        assert_eq!(count(&set(&acme.organisation.id), "exchange").await, 1);

        let transaction = raw.begin().await.unwrap();
        transaction.execute_unprepared(&set(&other.id)).await.unwrap();
        let steal = "UPDATE exchange SET status = 'issuance_denied'";
        assert_eq!(transaction.execute_unprepared(steal).await.unwrap().rows_affected(), 0);
        let forge = format!(
            "INSERT INTO idempotency (organisation_id, id, key, request_hash, sealed_response, expires_at) \
             VALUES ('{0}', '{0}', 'forged', '', '', 0)",
            acme.organisation.id
        );
        let refusal = transaction.execute_unprepared(&forge).await.unwrap_err().to_string();
        assert!(refusal.contains("row-level security"), "{refusal}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_setting_does_not_outlive_its_unit_of_work() {
    with(TestDatabase::postgres().await, async |database: Arc<TestDatabase>| {
        let acme = database.tenant("acme").await;
        let raw = database.raw().await;
        let transaction = raw.begin().await.unwrap();
        let set = format!("SELECT set_config('app.organisation', '{}', true)", acme.organisation.id);
        transaction.execute_unprepared(&set).await.unwrap();
        transaction.commit().await.unwrap();
        let rows = all(&raw, DbBackend::Postgres, "SELECT id FROM definition").await;
        assert!(rows.is_empty());
    })
    .await;
}

async fn column(raw: &DatabaseConnection, sql: &str) -> Vec<String> {
    all(raw, DbBackend::Postgres, sql).await.iter().map(|row| row.try_get_by_index(0).unwrap()).collect()
}
