//! Fresh copies of what was issued before.

use sea_orm_migration::prelude::{DeriveMigrationName, Table};
use sea_orm_migration::sea_orm::DbErr;
use sea_orm_migration::{MigrationTrait, SchemaManager, async_trait};

use crate::column::{flag, number};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // In no index: every issuance counts here, and must stay in its page.
        let answers = number("answers").default(0).take();
        manager.alter_table(Table::alter().table("exchange").add_column(answers).take()).await?;
        let refreshed = flag("refreshed").default(false).take();
        manager.alter_table(Table::alter().table("exchange_grant").add_column(refreshed).take()).await
    }
}
