//! Defaults of organisations, and pictures of their definitions.

use sea_orm_migration::prelude::{DeriveMigrationName, ForeignKeyAction, TableCreateStatement};
use sea_orm_migration::sea_orm::DbErr;
use sea_orm_migration::{MigrationTrait, SchemaManager, async_trait};

use crate::column::{Columns, bytes, index, number, primary_key, reference, text};
use crate::row_security;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let columns = Columns(manager.get_database_backend());
        manager.create_table(global_configuration(columns)).await?;
        manager.create_table(image(columns)).await?;
        manager.create_index(index("image", &["organisation_id", "name"])).await?;
        row_security::enable(manager, &["global_configuration", "image"]).await
    }
}

/// Defaults of organisations: one row each, or none.
fn global_configuration(columns: Columns) -> TableCreateStatement {
    columns
        .owned_table("global_configuration")
        .col(columns.uuid("id"))
        .col(number("revision"))
        .col(text("content"))
        .col(number("created_at"))
        .col(number("updated_at"))
        .primary_key(&mut primary_key(&["organisation_id"]))
        .take()
}

/// Pictures of definitions, which they leave with. `name` is made of the content.
fn image(columns: Columns) -> TableCreateStatement {
    columns
        .owned_table("image")
        .col(columns.uuid("definition_id"))
        .col(text("purpose"))
        .col(text("media_type"))
        .col(text("name"))
        .col(bytes("bytes"))
        .col(number("created_at"))
        .primary_key(&mut primary_key(&["organisation_id", "definition_id", "purpose"]))
        .foreign_key(&mut reference("image", &["definition_id"], "definition", &["id"], ForeignKeyAction::Cascade))
        .take()
}
