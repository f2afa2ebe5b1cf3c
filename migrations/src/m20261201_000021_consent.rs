//! That a person has consented is in the authorization code: the request waits, signed in, until one is redeemed.
//!
//! Requests whose code is out and not redeemed have to begin again: that code says nothing of itself.
//!
//! A row is written once and changed once, and both in one page: nothing that changes is in an index, and a page keeps room
//! for what its rows are when their codes are redeemed. Old rows are found by their ids.

use sea_orm_migration::prelude::{DeriveMigrationName, Index, Table};
use sea_orm_migration::sea_orm::{ConnectionTrait as _, DbBackend, DbErr};
use sea_orm_migration::{MigrationTrait, SchemaManager, async_trait};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const TABLE: &str = "authorization_request";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let status = "CASE status WHEN 'code_issued' THEN 'failed' ELSE status END";
        let end = if manager.get_database_backend() == DbBackend::Postgres {
            // Row-level security hides every row from an UPDATE that is of no organisation.
            let end = format!("ALTER TABLE {TABLE} ALTER COLUMN status TYPE text USING {status}");
            format!("{end}; ALTER TABLE {TABLE} SET (fillfactor = 70)")
        } else {
            format!("UPDATE {TABLE} SET status = {status}")
        };
        manager.get_connection().execute_unprepared(&end).await?;
        manager.drop_index(Index::drop().name(format!("{TABLE}_by_created_at")).table(TABLE).to_owned()).await?;
        manager.alter_table(Table::alter().table(TABLE).drop_column("code_expires_at").take()).await
    }
}
