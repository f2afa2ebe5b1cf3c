//! Files of rows to be issued.

use sea_orm_migration::prelude::{DeriveMigrationName, ForeignKeyAction, Table};
use sea_orm_migration::sea_orm::DbErr;
use sea_orm_migration::{MigrationTrait, SchemaManager, async_trait};

use crate::column::{
    Columns, bytes_or_null, flag, number, number_or_null, primary_key, reference, text, text_or_null, unique,
};
use crate::plan::Plan;
use crate::row_security;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let columns = Columns(manager.get_database_backend());
        bulk(columns).carry_out(manager).await?;
        part(columns).carry_out(manager).await?;
        row_security::enable(manager, &["bulk", "bulk_part"]).await
    }
}

/// The definition is not referenced: it may be deleted before the rows are issued, and they fail then.
fn bulk(columns: Columns) -> Plan {
    let table = columns
        .owned_table("bulk")
        .col(columns.uuid("id"))
        .col(columns.uuid("definition_id"))
        .col(number("definition_revision"))
        .col(columns.uuid("entry_id"))
        .col(flag("generate_pins"))
        .col(text_or_null("url_scheme"))
        .col(text("state"))
        .col(number("rows"))
        .col(number("invalid"))
        .col(number("created_at"))
        .col(number_or_null("started_at"))
        .col(number_or_null("ended_at"))
        .col(number_or_null("fetched_at"))
        .col(number_or_null("erased_at"))
        .primary_key(&mut primary_key(&["organisation_id", "id"]))
        .take();
    Plan(table, Vec::new())
}

/// Some hundred rows of the file: they are sealed, claimed and issued together. Counting them here and not in `bulk` lets
/// several processes issue parts of one file without meeting in one row.
fn part(columns: Columns) -> Plan {
    let table = Table::create()
        .table("bulk_part")
        .col(columns.uuid("organisation_id"))
        .col(columns.uuid("bulk_id"))
        .foreign_key(&mut reference("bulk_part", &["bulk_id"], "bulk", &["id"], ForeignKeyAction::Cascade))
        .col(columns.uuid("id"))
        .col(number("ordinal"))
        .col(number("rows"))
        .col(flag("settled"))
        .col(number("issued"))
        .col(number("failed"))
        .col(bytes_or_null("sealed_rows"))
        .col(bytes_or_null("sealed_result"))
        .col(bytes_or_null("sealed_pins"))
        .col(text("faults"))
        .primary_key(&mut primary_key(&["organisation_id", "id"]))
        .take();
    Plan(table, vec![unique("bulk_part", &["organisation_id", "bulk_id", "ordinal"])])
}
