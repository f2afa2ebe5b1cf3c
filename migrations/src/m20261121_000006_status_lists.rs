//! Status lists, the changes published in them, and the place of a credential in them.

use sea_orm_migration::prelude::{ConditionalStatement, DeriveMigrationName, Expr, ExprTrait, Table};
use sea_orm_migration::sea_orm::DbErr;
use sea_orm_migration::{MigrationTrait, SchemaManager, async_trait};

use crate::column::{Columns, bytes, index, number, number_or_null, primary_key, text, text_or_null, unique};
use crate::row_security;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let columns = Columns(manager.get_database_backend());
        create_lists(manager, columns).await?;
        create_changes(manager, columns).await?;
        place_credentials(manager, columns).await?;
        row_security::enable(manager, &["status_list", "status_change"]).await
    }
}

/// `leased` counts the indexes that were handed to processes, `version` the changes that were made. `ordinal` lets two
/// processes that find every list full open one new list, not two.
async fn create_lists(manager: &SchemaManager<'_>, columns: Columns) -> Result<(), DbErr> {
    let table = columns
        .owned_table("status_list")
        .col(columns.uuid("id"))
        .col(number("bits"))
        .col(number("ordinal"))
        .col(number("capacity"))
        .col(bytes("sealed_seed"))
        .col(number("leased"))
        .col(number("version"))
        .col(number("created_at"))
        .col(number("changed_at"))
        .primary_key(&mut primary_key(&["organisation_id", "id"]))
        .take();
    manager.create_table(table).await?;
    manager.create_index(unique("status_list", &["organisation_id", "bits", "ordinal"])).await
}

/// Exchange and credential are not foreign keys: what a list says of a credential outlives the record of its issuance.
async fn create_changes(manager: &SchemaManager<'_>, columns: Columns) -> Result<(), DbErr> {
    let table = columns
        .owned_table("status_change")
        .col(columns.uuid("list_id"))
        .col(number("version"))
        .col(number("list_index"))
        .col(columns.uuid("exchange_id"))
        .col(columns.uuid("credential_id"))
        .col(text("from_status"))
        .col(text("to_status"))
        .col(text("actor"))
        .col(text("reason"))
        .col(number("at"))
        .primary_key(&mut primary_key(&["organisation_id", "list_id", "version", "list_index"]))
        .take();
    manager.create_table(table).await?;
    manager.create_index(index("status_change", &["organisation_id", "exchange_id"])).await
}

/// The unique index is the last guard against an index that is given twice.
async fn place_credentials(manager: &SchemaManager<'_>, columns: Columns) -> Result<(), DbErr> {
    // SQLite adds one column at a time.
    for column in [columns.uuid_or_null("status_list_id"), number_or_null("status_index"), text_or_null("status")] {
        manager.alter_table(Table::alter().table("credential").add_column(column).take()).await?;
    }
    let place = unique("credential", &["organisation_id", "status_list_id", "status_index"])
        .and_where(Expr::col("status_list_id").is_not_null())
        .take();
    manager.create_index(place).await
}
