//! Exchanges with their grants, credentials and transcripts. All of them leave with their exchange.

use sea_orm_migration::prelude::{ConditionalStatement, Expr, ExprTrait};

use super::Plan;
use crate::column::{
    Columns, bytes, bytes_or_null, flag, index, number, number_or_null, primary_key, text, text_or_null, unique,
};

pub(super) fn plans(columns: Columns) -> Vec<Plan> {
    vec![exchange(columns), exchange_grant(columns), credential(columns), transcript_part(columns)]
}

/// No step of an exchange changes an indexed column, so that PostgreSQL updates the row in its page and no index. The
/// definition is not a foreign key: it may be deleted once its exchanges are closed, and its revisions never are.
fn exchange(columns: Columns) -> Plan {
    let table = columns
        .owned_table("exchange")
        .col(columns.uuid("id"))
        .col(columns.uuid("definition_id"))
        .col(number("definition_revision"))
        .col(text("entries"))
        .col(text("issuance_mode"))
        .col(flag("claims_at_start"))
        .col(text("grant_kind"))
        .col(text("status"))
        .col(text("credential_status"))
        .col(text("revocation_status"))
        .col(text("offer_id"))
        .col(text("url_scheme"))
        .col(bytes("code_hash"))
        .col(number("fetches"))
        .col(text_or_null("fetch_part"))
        .col(number_or_null("code_spent_at"))
        .col(text_or_null("transaction_code"))
        .col(number("failed_attempts"))
        .col(flag("require_key_attestation"))
        .col(text_or_null("client_id"))
        .col(text_or_null("denied_reason"))
        .col(bytes("sealed_secrets"))
        .col(bytes_or_null("sealed_submissions"))
        .col(number("expires_at"))
        .col(number("created_at"))
        .col(number("updated_at"))
        .primary_key(&mut primary_key(&["organisation_id", "id"]))
        .take();
    let indexes = vec![
        unique("exchange", &["organisation_id", "offer_id"]),
        unique("exchange", &["organisation_id", "code_hash"]),
        index("exchange", &["organisation_id", "created_at", "id"]),
        index("exchange", &["organisation_id", "definition_id"]),
    ];
    Plan(table, indexes)
}

/// Not called `grant`, which is a keyword of SQL.
fn exchange_grant(columns: Columns) -> Plan {
    let table = columns
        .exchange_table("exchange_grant")
        .col(columns.uuid("id"))
        .col(text_or_null("client_id"))
        .col(text_or_null("dpop_thumbprint"))
        .col(text("credentials"))
        .col(flag("by_identifier"))
        .col(bytes("access_token_hash"))
        .col(number("access_token_expires_at"))
        .col(number("created_at"))
        .col(text_or_null("transcript_part"))
        .primary_key(&mut primary_key(&["organisation_id", "exchange_id", "id"]))
        .take();
    let indexes = vec![unique("exchange_grant", &["organisation_id", "access_token_hash"])];
    Plan(table, indexes)
}

/// Grant and signing key are not foreign keys: the grant leaves with the exchange as the credential does, signing keys are
/// never deleted, and a reference would make all issuances lock the one row of the key that signs.
fn credential(columns: Columns) -> Plan {
    let table = columns
        .exchange_table("credential")
        .col(columns.uuid("id"))
        .col(columns.uuid("grant_id"))
        .col(columns.uuid("entry_id"))
        .col(text("format"))
        .col(text("holder_key"))
        .col(columns.uuid("signing_key_id"))
        .col(text("proof"))
        .col(bytes("sealed_token"))
        .col(number("issued_at"))
        .col(number("expires_at"))
        .col(text_or_null("transcript_part"))
        .primary_key(&mut primary_key(&["organisation_id", "exchange_id", "id"]))
        .take();
    Plan(table, Vec::new())
}

/// One row per request that neither fetched an offer first nor added a grant or credentials: those carry what their request
/// wrote, which spares three inserts per issuance.
fn transcript_part(columns: Columns) -> Plan {
    let table = columns
        .exchange_table("transcript_part")
        .col(columns.uuid("id"))
        .col(number("at"))
        .col(text_or_null("support_code"))
        .col(text("records"))
        .col(text("events"))
        .primary_key(&mut primary_key(&["organisation_id", "exchange_id", "id"]))
        .take();
    let indexes = vec![
        index("transcript_part", &["organisation_id", "support_code"])
            .and_where(Expr::col("support_code").is_not_null())
            .take(),
    ];
    Plan(table, indexes)
}
