//! Organisations, their keys and definitions, and the way of an exchange from offer to credential.

mod directory;
mod exchanges;
mod offering;

use sea_orm_migration::prelude::DeriveMigrationName;
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend, DbErr};
use sea_orm_migration::{MigrationTrait, SchemaManager, async_trait};

use crate::column::Columns;
use crate::{Plan, row_security};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// The tables of this step that belong to organisations.
const OWNED: [&str; 10] = [
    "api_key",
    "signing_key",
    "definition",
    "definition_revision",
    "configuration",
    "exchange",
    "exchange_grant",
    "credential",
    "transcript_part",
    "idempotency",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let columns = Columns(manager.get_database_backend());
        let plans =
            directory::plans(columns).into_iter().chain(offering::plans(columns)).chain(exchanges::plans(columns));
        for plan in plans {
            plan.carry_out(manager).await?;
        }
        arrange_pages(manager).await?;
        row_security::enable(manager, &OWNED).await
    }
}

/// How PostgreSQL lays the busy tables out. An exchange is updated three times within seconds: free space on its page
/// spares the indexes. What is sealed does not compress, and transcripts are rarely read: both stay in their row, instead
/// of being compressed and moved elsewhere once it is longer than 2 kB.
async fn arrange_pages(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    if manager.get_database_backend() != DbBackend::Postgres {
        return Ok(());
    }
    let connection = manager.get_connection();
    connection.execute_unprepared("ALTER TABLE exchange SET (fillfactor = 50)").await?;
    connection.execute_unprepared("ALTER TABLE exchange_grant SET (toast_tuple_target = 8160)").await?;
    connection.execute_unprepared("ALTER TABLE credential SET (toast_tuple_target = 8160)").await?;
    connection.execute_unprepared("ALTER TABLE transcript_part SET (toast_tuple_target = 8160)").await?;
    Ok(())
}
