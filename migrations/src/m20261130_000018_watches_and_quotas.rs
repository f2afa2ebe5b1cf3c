//! Numbers for the steps of exchanges, given while somebody watches them, and quotas of organisations.

use sea_orm_migration::prelude::{ConditionalStatement, DeriveMigrationName, Expr, ExprTrait, Table};
use sea_orm_migration::sea_orm::DbErr;
use sea_orm_migration::{MigrationTrait, SchemaManager, async_trait};

use crate::column::{Columns, index, number, number_or_null, primary_key, text, unique};
use crate::plan::Plan;
use crate::row_security;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    /// A step is recorded without a number when nobody watches, with 0 when it is to get one. Both indexes leave out the
    /// first kind, so organisations that nobody watches pay nothing.
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let columns = Columns(manager.get_database_backend());
        let add = Table::alter().table("exchange_event").add_column(number_or_null("number")).take();
        manager.alter_table(add).await?;
        let numbered = unique("exchange_event", &["organisation_id", "number"]);
        manager.create_index(numbered.clone().and_where(Expr::col("number").gt(0)).take()).await?;
        let unnumbered = index("exchange_event", &["organisation_id", "id"]).name("exchange_event_unnumbered").take();
        manager.create_index(unnumbered.clone().and_where(Expr::col("number").eq(0)).take()).await?;
        event_watch(columns).carry_out(manager).await?;
        let quotas = Table::alter().table("organisation").add_column(text("quotas").default("{}")).take();
        manager.alter_table(quotas).await?;
        row_security::enable(manager, &["event_watch"]).await
    }
}

/// Changed by those who watch, never by an issuance.
fn event_watch(columns: Columns) -> Plan {
    let table = columns
        .owned_table("event_watch")
        .col(number("since"))
        .col(number("until"))
        .col(number("first"))
        .col(number("last"))
        .primary_key(&mut primary_key(&["organisation_id"]))
        .take();
    Plan(table, Vec::new())
}
