//! Refused requests of wallets that belong to no exchange.

use sea_orm_migration::prelude::DeriveMigrationName;
use sea_orm_migration::sea_orm::DbErr;
use sea_orm_migration::{MigrationTrait, SchemaManager, async_trait};

use crate::column::{Columns, index, number, primary_key, text};
use crate::plan::Plan;
use crate::row_security;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const TABLE: &str = "refused_request";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let columns = Columns(manager.get_database_backend());
        let table = columns
            .owned_table(TABLE)
            .col(columns.uuid("id"))
            .col(number("at"))
            .col(text("support_code"))
            .col(text("records"))
            .primary_key(&mut primary_key(&["organisation_id", "id"]))
            .take();
        let by_code = index(TABLE, &["organisation_id", "support_code"]);
        Plan(table, vec![by_code]).carry_out(manager).await?;
        row_security::enable(manager, &[TABLE]).await
    }
}
