//! What requests for claims are signed with.

use sea_orm_migration::prelude::{DeriveMigrationName, ForeignKeyAction, TableCreateStatement};
use sea_orm_migration::sea_orm::DbErr;
use sea_orm_migration::{MigrationTrait, SchemaManager, async_trait};

use crate::column::{Columns, bytes, number, primary_key, reference};
use crate::row_security;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let columns = Columns(manager.get_database_backend());
        manager.create_table(claims_endpoint(columns)).await?;
        row_security::enable(manager, &["claims_endpoint"]).await
    }
}

/// Beside the versions of the definition, which say what is called: a secret belongs to all of them, and can be replaced.
fn claims_endpoint(columns: Columns) -> TableCreateStatement {
    columns
        .owned_table("claims_endpoint")
        .col(columns.uuid("definition_id"))
        .col(bytes("sealed_secrets"))
        .col(number("updated_at"))
        .primary_key(&mut primary_key(&["organisation_id", "definition_id"]))
        .foreign_key(&mut reference(
            "claims_endpoint",
            &["definition_id"],
            "definition",
            &["id"],
            ForeignKeyAction::Cascade,
        ))
        .take()
}
