//! Administrators who sign in at a provider of their organisation.

use sea_orm_migration::prelude::{DeriveMigrationName, Table, TableCreateStatement};
use sea_orm_migration::sea_orm::DbErr;
use sea_orm_migration::{MigrationTrait, SchemaManager, async_trait};

use crate::column::{Columns, number, primary_key, text, text_or_null};
use crate::row_security;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let columns = Columns(manager.get_database_backend());
        manager.create_table(access_provider(columns)).await?;
        row_security::enable(manager, &["access_provider"]).await?;
        // Not indexed, like `issued_by`: a step of an exchange stays in its page.
        let issued_by = Table::alter().table("exchange").add_column(text_or_null("issued_by_person")).take();
        manager.alter_table(issued_by).await
    }
}

/// An organisation has at most one. It is found by its organisation alone: who may name which issuer is nobody else's
/// business.
fn access_provider(columns: Columns) -> TableCreateStatement {
    columns
        .owned_table("access_provider")
        .col(number("revision"))
        .col(text("terms"))
        .col(number("created_at"))
        .col(number("updated_at"))
        .primary_key(&mut primary_key(&["organisation_id"]))
        .take()
}
