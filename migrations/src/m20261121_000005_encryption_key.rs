//! Keys that wallets encrypt credential requests for.

use sea_orm_migration::prelude::DeriveMigrationName;
use sea_orm_migration::sea_orm::DbErr;
use sea_orm_migration::{MigrationTrait, SchemaManager, async_trait};

use crate::column::{Columns, bytes, number, number_or_null, primary_key, text};
use crate::row_security;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let columns = Columns(manager.get_database_backend());
        // The generation is in the key: of two processes that replace the same key, one does.
        let table = columns
            .owned_table("encryption_key")
            .col(number("generation"))
            .col(columns.uuid("id"))
            .col(text("kid"))
            .col(bytes("sealed_private"))
            .col(number("created_at"))
            .col(number_or_null("retired_at"))
            .primary_key(&mut primary_key(&["organisation_id", "generation"]))
            .take();
        manager.create_table(table).await?;
        row_security::enable(manager, &["encryption_key"]).await
    }
}
