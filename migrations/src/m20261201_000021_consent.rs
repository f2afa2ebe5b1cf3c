//! That a person has consented is in the authorization code: the request waits, signed in, until one is redeemed.
//!
//! Requests whose code is out and not redeemed have to begin again: that code says nothing of itself.

use sea_orm_migration::prelude::{DeriveMigrationName, Table};
use sea_orm_migration::sea_orm::{ConnectionTrait as _, DbBackend, DbErr};
use sea_orm_migration::{MigrationTrait, SchemaManager, async_trait};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const TABLE: &str = "authorization_request";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let status = "CASE status WHEN 'code_issued' THEN 'failed' ELSE status END";
        let end = match manager.get_database_backend() {
            // Row-level security hides every row from an UPDATE that is of no organisation.
            DbBackend::Postgres => format!("ALTER TABLE {TABLE} ALTER COLUMN status TYPE text USING {status}"),
            _ => format!("UPDATE {TABLE} SET status = {status}"),
        };
        manager.get_connection().execute_unprepared(&end).await?;
        manager.alter_table(Table::alter().table(TABLE).drop_column("code_expires_at").take()).await
    }
}
