//! Identity providers, at which the people of an organisation sign in.

use sea_orm_migration::prelude::{DeriveMigrationName, TableCreateStatement};
use sea_orm_migration::sea_orm::DbErr;
use sea_orm_migration::{MigrationTrait, SchemaManager, async_trait};

use crate::column::{Columns, bytes_or_null, number, primary_key, text};
use crate::row_security;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let columns = Columns(manager.get_database_backend());
        manager.create_table(identity_provider(columns)).await?;
        row_security::enable(manager, &["identity_provider"]).await
    }
}

/// An organisation has at most one.
fn identity_provider(columns: Columns) -> TableCreateStatement {
    columns
        .owned_table("identity_provider")
        .col(text("issuer"))
        .col(text("client_id"))
        .col(text("authentication"))
        .col(bytes_or_null("sealed_secret"))
        .col(text("scopes"))
        .col(number("created_at"))
        .col(number("updated_at"))
        .primary_key(&mut primary_key(&["organisation_id"]))
        .take()
}
