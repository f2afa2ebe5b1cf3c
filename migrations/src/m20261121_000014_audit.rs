//! Who called for an issuance, and why an attempt was refused.

use sea_orm_migration::prelude::{DeriveMigrationName, Table};
use sea_orm_migration::sea_orm::DbErr;
use sea_orm_migration::{MigrationTrait, SchemaManager, async_trait};

use crate::column::{Columns, text_or_null};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    /// One column at a time: SQLite adds no more with one statement. None of them is indexed: a step of an exchange stays
    /// in its page.
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let columns = Columns(manager.get_database_backend());
        let problem = Table::alter().table("audit_entry").add_column(text_or_null("problem")).take();
        let issued_by = Table::alter().table("exchange").add_column(columns.uuid_or_null("issued_by")).take();
        let issued_from = Table::alter().table("exchange").add_column(text_or_null("issued_from")).take();
        for alter in [problem, issued_by, issued_from] {
            manager.alter_table(alter).await?;
        }
        Ok(())
    }
}
