//! People whom organisations know, and offers on their way to them.

use sea_orm_migration::prelude::{ConditionalStatement, DeriveMigrationName, Expr, ExprTrait};
use sea_orm_migration::sea_orm::DbErr;
use sea_orm_migration::{MigrationTrait, SchemaManager, async_trait};

use crate::column::{
    Columns, bytes, bytes_or_null, index, number, number_or_null, primary_key, text, text_or_null, unique,
};
use crate::plan::Plan;
use crate::row_security;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let columns = Columns(manager.get_database_backend());
        individual(columns).carry_out(manager).await?;
        offer_delivery(columns).carry_out(manager).await?;
        row_security::enable(manager, &["individual", "offer_delivery"]).await
    }
}

/// What is known of a person is sealed; the keyed hash of the external id finds it, and keeps it unique.
fn individual(columns: Columns) -> Plan {
    let table = columns
        .owned_table("individual")
        .col(columns.uuid("id"))
        .col(number("revision"))
        .col(bytes_or_null("external_id_hash"))
        .col(bytes("sealed_contact"))
        .col(number("created_at"))
        .col(number("updated_at"))
        .primary_key(&mut primary_key(&["organisation_id", "id"]))
        .take();
    Plan(table, vec![unique("individual", &["organisation_id", "external_id_hash"])])
}

/// Beside the exchange and not in it: an issuance that is addressed to nobody writes nothing more. The individual is not
/// referenced: its id stays on the record when the person is erased.
fn offer_delivery(columns: Columns) -> Plan {
    let table = columns
        .exchange_table("offer_delivery")
        .col(text("part"))
        .col(columns.uuid_or_null("individual_id"))
        .col(text("channel"))
        .col(bytes_or_null("sealed_endpoint"))
        .col(text("state"))
        .col(number("round"))
        .col(number("attempts"))
        .col(number("next_attempt_at"))
        .col(number_or_null("attempted_at"))
        .col(text_or_null("failure"))
        .col(number("created_at"))
        .primary_key(&mut primary_key(&["organisation_id", "exchange_id", "part"]))
        .take();
    let of_individual = index("offer_delivery", &["organisation_id", "individual_id", "exchange_id"])
        .name("offer_delivery_by_individual_id")
        .and_where(Expr::col("individual_id").is_not_null())
        .take();
    Plan(table, vec![of_individual])
}
