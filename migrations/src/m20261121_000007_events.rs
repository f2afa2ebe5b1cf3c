//! Work for background workers, events of exchanges with the webhooks that hear of them, and the audit log.

use sea_orm_migration::prelude::{ConditionalStatement, DeriveMigrationName, Expr, ExprTrait, Table};
use sea_orm_migration::sea_orm::DbErr;
use sea_orm_migration::{MigrationTrait, SchemaManager, async_trait};

use crate::column::{
    Columns, bytes, bytes_or_null, flag, index, number, number_or_null, primary_key, text, text_or_null, unique,
};
use crate::{Plan, row_security};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// Tables of this step whose rows belong to one organisation each.
const OWNED: [&str; 5] = ["exchange_event", "webhook", "webhook_delivery", "audit_entry", "audit_head"];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let columns = Columns(manager.get_database_backend());
        let plans = [
            work(columns),
            exchange_event(columns),
            webhook(columns),
            webhook_delivery(columns),
            audit_entry(columns),
            audit_head(columns),
        ];
        for plan in plans {
            plan.carry_out(manager).await?;
        }
        row_security::enable(manager, &OWNED).await
    }
}

/// What background workers have to do. They scan it across organisations, so it holds ids only and has no row security;
/// it refers to nothing, because whoever finds the work looks for its organisation and subject anyway.
fn work(columns: Columns) -> Plan {
    let table = Table::create()
        .table("work")
        .col(columns.uuid("organisation_id"))
        .col(text("kind"))
        .col(columns.uuid("subject_id"))
        .col(number("due_at"))
        .col(number("attempts"))
        .col(columns.uuid_or_null("lease"))
        .col(number_or_null("again_at"))
        .primary_key(&mut primary_key(&["organisation_id", "kind", "subject_id"]))
        .take();
    Plan(table, vec![index("work", &["kind", "due_at"])])
}

/// Steps of exchanges that somebody wants to hear of: each step of an exchange once.
fn exchange_event(columns: Columns) -> Plan {
    let table = columns
        .exchange_table("exchange_event")
        .col(columns.uuid("id"))
        .col(text("status"))
        .col(number("at"))
        .primary_key(&mut primary_key(&["organisation_id", "id"]))
        .take();
    Plan(table, vec![unique("exchange_event", &["organisation_id", "exchange_id", "status"])])
}

fn webhook(columns: Columns) -> Plan {
    let table = columns
        .owned_table("webhook")
        .col(columns.uuid("id"))
        .col(text("url"))
        .col(text("content_type"))
        .col(text("events"))
        .col(flag("disabled"))
        .col(text_or_null("disabled_reason"))
        .col(number_or_null("disabled_at"))
        .col(number_or_null("failing_since"))
        .col(bytes("sealed_secrets"))
        .col(number("created_at"))
        .col(number("updated_at"))
        .primary_key(&mut primary_key(&["organisation_id", "id"]))
        .take();
    Plan(table, vec![unique("webhook", &["organisation_id", "url"])])
}

/// One event for one webhook. The webhook is not referenced: its row would be locked by everything that is delivered.
fn webhook_delivery(columns: Columns) -> Plan {
    let table = columns
        .exchange_table("webhook_delivery")
        .col(columns.uuid("id"))
        .col(columns.uuid("webhook_id"))
        .col(text("event"))
        .col(number("event_at"))
        .col(text("state"))
        .col(number("attempts"))
        .col(number("next_attempt_at"))
        .col(number_or_null("attempted_at"))
        .col(number_or_null("duration"))
        .col(number_or_null("response_status"))
        .col(text_or_null("response_excerpt"))
        .col(text_or_null("failure"))
        .col(number("created_at"))
        .primary_key(&mut primary_key(&["organisation_id", "id"]))
        .take();
    let indexes = vec![
        unique("webhook_delivery", &["organisation_id", "exchange_id", "webhook_id", "event"]),
        index("webhook_delivery", &["organisation_id", "webhook_id", "id"]),
    ];
    Plan(table, indexes)
}

/// Written once. `sequence` and `mac` are added by the worker that chains the entries.
fn audit_entry(columns: Columns) -> Plan {
    let table = columns
        .owned_table("audit_entry")
        .col(columns.uuid("id"))
        .col(number("at"))
        .col(text("actor_kind"))
        .col(columns.uuid_or_null("actor_id"))
        .col(text("actor_name"))
        .col(text("actor_role"))
        .col(text("address"))
        .col(text("action"))
        .col(text("target"))
        .col(text("outcome"))
        .col(number("status"))
        .col(text("request_id"))
        .col(text_or_null("before"))
        .col(text_or_null("after"))
        .col(number_or_null("sequence"))
        .col(bytes_or_null("mac"))
        .primary_key(&mut primary_key(&["organisation_id", "id"]))
        .take();
    let indexes = vec![
        unique("audit_entry", &["organisation_id", "sequence"]),
        index("audit_entry", &["organisation_id", "id"]).and_where(Expr::col("sequence").is_null()).take(),
    ];
    Plan(table, indexes)
}

/// Where the chain of an organisation ends.
fn audit_head(columns: Columns) -> Plan {
    let table = columns
        .owned_table("audit_head")
        .col(number("sequence"))
        .col(bytes("mac"))
        .primary_key(&mut primary_key(&["organisation_id"]))
        .take();
    Plan(table, Vec::new())
}
