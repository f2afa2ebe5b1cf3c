//! Administrators who sign in at a provider of their organisation, and sandbox organisations.

use sea_orm_migration::prelude::{DeriveMigrationName, Table, TableCreateStatement};
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend, DbErr};
use sea_orm_migration::{MigrationTrait, SchemaManager, async_trait};

use crate::column::{Columns, bytes, index, number, primary_key, text, text_or_null};
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
        manager.alter_table(issued_by).await?;
        sandboxes(manager, columns).await
    }
}

/// A sandbox organisation leaves with its parent. A key that is bound to one refers to it by nothing but its id: when that
/// is gone, the key opens nothing.
async fn sandboxes(manager: &SchemaManager<'_>, columns: Columns) -> Result<(), DbErr> {
    let uuid = if manager.get_database_backend() == DbBackend::Postgres { "uuid" } else { "blob" };
    // The query builder refuses foreign keys of added columns on SQLite, which takes them where NULL is the default.
    let parent =
        format!("ALTER TABLE organisation ADD COLUMN parent_id {uuid} REFERENCES organisation (id) ON DELETE CASCADE");
    manager.get_connection().execute_unprepared(&parent).await?;
    manager.create_index(index("organisation", &["parent_id"])).await?;
    for picture in ["logo", "cover"] {
        manager.alter_table(Table::alter().table("organisation").add_column(text_or_null(picture)).take()).await?;
    }
    let bound = Table::alter().table("api_key").add_column(columns.uuid_or_null("sandbox_id")).take();
    manager.alter_table(bound).await?;
    manager.create_table(organisation_image(columns)).await?;
    manager.create_index(index("organisation_image", &["organisation_id", "name"])).await?;
    row_security::enable(manager, &["organisation_image"]).await
}

/// Pictures of organisations themselves. `name` is made of the content.
fn organisation_image(columns: Columns) -> TableCreateStatement {
    columns
        .owned_table("organisation_image")
        .col(text("purpose"))
        .col(text("media_type"))
        .col(text("name"))
        .col(bytes("bytes"))
        .col(number("created_at"))
        .primary_key(&mut primary_key(&["organisation_id", "purpose"]))
        .take()
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
