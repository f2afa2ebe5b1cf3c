//! How claims come to an exchange, and how offers come to people.

use sea_orm_migration::prelude::{DeriveMigrationName, Table};
use sea_orm_migration::sea_orm::{ConnectionTrait, DbErr};
use sea_orm_migration::{MigrationTrait, SchemaManager, async_trait};

use crate::column::number_or_null;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let alter = Table::alter().table("exchange").add_column(number_or_null("claims_due_at")).take();
        manager.alter_table(alter).await?;
        // Most exchanges await nothing and are not in this index: updates of them do not touch it.
        manager
            .get_connection()
            .execute_unprepared(
                "CREATE INDEX exchange_by_claims_due_at ON exchange (organisation_id, claims_due_at) \
                 WHERE claims_due_at IS NOT NULL",
            )
            .await
            .map(drop)
    }
}
