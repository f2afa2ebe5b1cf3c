//! Segments of long histories, the exchanges of a wallet, and what an organisation wants to be erased when.

use sea_orm_migration::prelude::{ConditionalStatement, DeriveMigrationName, Expr, ExprTrait};
use sea_orm_migration::sea_orm::DbErr;
use sea_orm_migration::{MigrationTrait, SchemaManager, async_trait};

use crate::column::{Columns, index, number, number_or_null, primary_key, text_or_null};
use crate::row_security;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let columns = Columns(manager.get_database_backend());
        create_segments(manager, columns).await?;
        create_retention(manager, columns).await?;
        let of_wallet = index("exchange_grant", &["organisation_id", "client_id", "exchange_id"])
            .name("exchange_grant_by_client_id")
            .and_where(Expr::col("client_id").is_not_null())
            .take();
        manager.create_index(of_wallet).await?;
        row_security::enable(manager, &["history_segment", "retention"]).await
    }
}

/// A segment ends with the exchange at (`last_created_at`, `last_id`) and begins after the one before it. `counts` says
/// how many exchanges of which kind it holds; without it they are counted when somebody asks. `marks` goes up whenever
/// `counts` is taken back, so that an older count does not come in its place.
async fn create_segments(manager: &SchemaManager<'_>, columns: Columns) -> Result<(), DbErr> {
    let table = columns
        .owned_table("history_segment")
        .col(number("last_created_at"))
        .col(columns.uuid("last_id"))
        .col(text_or_null("counts"))
        .col(number("counted_at"))
        .col(number("marks"))
        .primary_key(&mut primary_key(&["organisation_id", "last_created_at", "last_id"]))
        .take();
    manager.create_table(table).await
}

/// Days; without a number nothing is erased. Each `…_until` is the instant up to which that has been done.
async fn create_retention(manager: &SchemaManager<'_>, columns: Columns) -> Result<(), DbErr> {
    let mut table = columns.owned_table("retention");
    for kind in ["claims", "tokens", "transcripts", "exchanges"] {
        table.col(number_or_null(kind));
    }
    for done in ["claims_until", "tokens_until", "transcripts_until", "exchanges_until"] {
        table.col(number(done));
    }
    table.col(number("updated_at")).primary_key(&mut primary_key(&["organisation_id"]));
    manager.create_table(table).await
}
