//! What a wallet does with an access token: deferred transactions and notifications.

use sea_orm_migration::prelude::{ColumnDef, DeriveMigrationName, Table};
use sea_orm_migration::sea_orm::DbErr;
use sea_orm_migration::{MigrationTrait, SchemaManager, async_trait};

use crate::column::{Columns, bytes, bytes_or_null, number, number_or_null, primary_key, text, unique};
use crate::row_security;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let columns = Columns(manager.get_database_backend());
        // One at a time, because SQLite adds no more at once. The notification stands on the first credential of an
        // answer.
        for mut column in [
            ColumnDef::new("dataset").big_integer().not_null().default(0).take(),
            bytes_or_null("notification_hash"),
            number_or_null("accepted_at"),
            number_or_null("failed_at"),
            number_or_null("deleted_at"),
        ] {
            manager.alter_table(Table::alter().table("credential").add_column(&mut column).take()).await?;
        }
        exchange_transaction(manager, columns).await?;
        row_security::enable(manager, &["exchange_transaction"]).await
    }
}

/// Not called `transaction`, which is a keyword of SQL. Times of polling are those of the wallet's requests.
async fn exchange_transaction(manager: &SchemaManager<'_>, columns: Columns) -> Result<(), DbErr> {
    let table = columns
        .exchange_table("exchange_transaction")
        .col(columns.uuid("id"))
        .col(bytes("id_hash"))
        .col(columns.uuid("grant_id"))
        .col(columns.uuid("entry_id"))
        .col(number("dataset"))
        .col(text("keys"))
        .col(number("poll_interval"))
        .col(number("polls"))
        .col(number("polled_at"))
        .col(number_or_null("issued_at"))
        .col(bytes_or_null("sealed_answer"))
        .col(number("expires_at"))
        .col(number("created_at"))
        .primary_key(&mut primary_key(&["organisation_id", "exchange_id", "id"]))
        .take();
    manager.create_table(table).await?;
    manager.create_index(unique("exchange_transaction", &["organisation_id", "id_hash"])).await
}
