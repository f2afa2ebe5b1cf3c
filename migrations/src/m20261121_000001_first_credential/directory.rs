//! Organisations, and the keys that open and that sign.

use super::Plan;
use crate::column::{Columns, bytes, index, number, number_or_null, primary_key, text, unique};
use sea_orm_migration::prelude::Table;

pub(super) fn plans(columns: Columns) -> Vec<Plan> {
    vec![organisation(columns), api_key(columns), signing_key(columns)]
}

/// The directory: the one table that belongs to no organisation.
fn organisation(columns: Columns) -> Plan {
    let table = Table::create()
        .table("organisation")
        .col(columns.uuid("id"))
        .col(text("slug"))
        .col(text("name"))
        .col(text("issuer"))
        .col(text("issuer_host"))
        .col(text("issuer_path"))
        .col(text("status"))
        .col(text("policy"))
        .col(number("created_at"))
        .col(number("updated_at"))
        .primary_key(&mut primary_key(&["id"]))
        .take();
    let indexes = vec![
        unique("organisation", &["slug"]),
        unique("organisation", &["issuer"]),
        index("organisation", &["issuer_path"]),
    ];
    Plan(table, indexes)
}

fn api_key(columns: Columns) -> Plan {
    let table = columns
        .owned_table("api_key")
        .col(columns.uuid("id"))
        .col(text("name"))
        .col(text("role"))
        .col(bytes("hash"))
        .col(number("created_at"))
        .col(number("expires_at"))
        .col(number_or_null("revoked_at"))
        .col(number_or_null("last_used_at"))
        .primary_key(&mut primary_key(&["organisation_id", "id"]))
        .take();
    Plan(table, vec![unique("api_key", &["organisation_id", "hash"])])
}

fn signing_key(columns: Columns) -> Plan {
    let table = columns
        .owned_table("signing_key")
        .col(columns.uuid("id"))
        .col(text("kid"))
        .col(text("algorithm"))
        .col(text("state"))
        .col(text("public_jwk"))
        .col(bytes("sealed_private"))
        .col(text("certificate_chain"))
        .col(number("created_at"))
        .col(number("updated_at"))
        .primary_key(&mut primary_key(&["organisation_id", "id"]))
        .take();
    Plan(table, vec![unique("signing_key", &["organisation_id", "kid"])])
}
