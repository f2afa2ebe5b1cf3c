//! Definitions in their revisions, the configurations they publish, and remembered answers of the management face.

use sea_orm_migration::prelude::ForeignKeyAction;

use super::Plan;
use crate::column::{Columns, bytes, index, number, primary_key, reference, text, unique};

pub(super) fn plans(columns: Columns) -> Vec<Plan> {
    vec![definition_revision(columns), definition(columns), configuration(columns), idempotency(columns)]
}

/// What can be offered now. A deleted definition has no row here; its revisions stay for the history.
fn definition(columns: Columns) -> Plan {
    let table = columns
        .owned_table("definition")
        .col(columns.uuid("id"))
        .col(number("revision"))
        .col(number("created_at"))
        .primary_key(&mut primary_key(&["organisation_id", "id"]))
        .foreign_key(&mut reference(
            "definition",
            &["id", "revision"],
            "definition_revision",
            &["definition_id", "revision"],
            ForeignKeyAction::NoAction,
        ))
        .take();
    let indexes = vec![index("definition", &["organisation_id", "created_at", "id"])];
    Plan(table, indexes)
}

/// One version of a definition; never changed. `search_label` is the label in lower case.
fn definition_revision(columns: Columns) -> Plan {
    let table = columns
        .owned_table("definition_revision")
        .col(columns.uuid("definition_id"))
        .col(number("revision"))
        .col(text("content"))
        .col(text("search_label"))
        .col(number("definition_created_at"))
        .col(number("created_at"))
        .primary_key(&mut primary_key(&["organisation_id", "definition_id", "revision"]))
        .take();
    Plan(table, Vec::new())
}

/// Configuration ids that are taken: two definitions never publish the same one.
fn configuration(columns: Columns) -> Plan {
    let table = columns
        .owned_table("configuration")
        .col(text("configuration_id"))
        .col(columns.uuid("definition_id"))
        .col(text("vct"))
        .primary_key(&mut primary_key(&["organisation_id", "configuration_id"]))
        .foreign_key(&mut reference(
            "configuration",
            &["definition_id"],
            "definition",
            &["id"],
            ForeignKeyAction::Cascade,
        ))
        .take();
    let indexes = vec![index("configuration", &["organisation_id", "definition_id"])];
    Plan(table, indexes)
}

fn idempotency(columns: Columns) -> Plan {
    let table = columns
        .owned_table("idempotency")
        .col(columns.uuid("id"))
        .col(text("key"))
        .col(bytes("request_hash"))
        .col(bytes("sealed_response"))
        .col(number("expires_at"))
        .primary_key(&mut primary_key(&["organisation_id", "id"]))
        .take();
    let indexes = vec![
        unique("idempotency", &["organisation_id", "key"]),
        index("idempotency", &["organisation_id", "expires_at"]),
    ];
    Plan(table, indexes)
}
