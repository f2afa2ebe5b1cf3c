//! The history of the database schema, one for SQLite and PostgreSQL.
//!
//! Columns are portable: UUID (16 bytes on SQLite), TEXT, BIGINT (instants are Unix milliseconds), BLOB, and JSON that
//! is never searched as TEXT. Every table that belongs to an organisation has `organisation_id` in its primary key and
//! its foreign keys, and on PostgreSQL a row-level security policy that the table's owner does not escape either.

mod column;
mod m20261121_000001_first_credential;
mod m20261121_000002_authorization;
mod m20261121_000003_identity_provider;
mod m20261121_000004_collection;
mod m20261121_000005_encryption_key;
mod m20261121_000006_status_lists;
mod m20261121_000007_events;
mod m20261121_000008_supply;
mod m20261121_000009_history;
mod m20261121_000010_bulk;
mod m20261121_000011_reissuance;
mod m20261121_000013_configuration;
mod m20261121_000014_audit;
mod m20261121_000015_individuals;
mod m20261130_000016_claims_endpoint;
mod m20261130_000017_access;
mod m20261130_000018_watches_and_quotas;
mod m20261130_000019_sign_in;
mod m20261201_000020_refused_requests;
mod m20261201_000021_consent;
mod plan;
mod row_security;

use sea_orm_migration::sea_orm::DbErr;
use sea_orm_migration::{IntoSchemaManagerConnection, MigrationTrait, MigratorTrait, async_trait};

use plan::Plan;

struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261121_000001_first_credential::Migration),
            Box::new(m20261121_000002_authorization::Migration),
            Box::new(m20261121_000003_identity_provider::Migration),
            Box::new(m20261121_000004_collection::Migration),
            Box::new(m20261121_000005_encryption_key::Migration),
            Box::new(m20261121_000006_status_lists::Migration),
            Box::new(m20261121_000007_events::Migration),
            Box::new(m20261121_000008_supply::Migration),
            Box::new(m20261121_000009_history::Migration),
            Box::new(m20261121_000010_bulk::Migration),
            Box::new(m20261121_000011_reissuance::Migration),
            Box::new(m20261121_000013_configuration::Migration),
            Box::new(m20261121_000014_audit::Migration),
            Box::new(m20261121_000015_individuals::Migration),
            Box::new(m20261130_000016_claims_endpoint::Migration),
            Box::new(m20261130_000017_access::Migration),
            Box::new(m20261130_000018_watches_and_quotas::Migration),
            Box::new(m20261130_000019_sign_in::Migration),
            Box::new(m20261201_000020_refused_requests::Migration),
            Box::new(m20261201_000021_consent::Migration),
        ]
    }
}

/// Tables whose rows belong to one organisation each.
pub const ORGANISATION_OWNED: &[&str] = &[
    "api_key",
    "signing_key",
    "definition",
    "definition_revision",
    "configuration",
    "exchange",
    "exchange_grant",
    "credential",
    "transcript_part",
    "idempotency",
    "authorization_request",
    "refresh_token",
    "identity_provider",
    "encryption_key",
    "status_list",
    "status_change",
    "exchange_event",
    "webhook",
    "webhook_delivery",
    "audit_entry",
    "audit_head",
    "history_segment",
    "retention",
    "exchange_transaction",
    "bulk",
    "bulk_part",
    "global_configuration",
    "image",
    "individual",
    "offer_delivery",
    "claims_endpoint",
    "event_watch",
    "access_provider",
    "organisation_image",
    "refused_request",
];

/// Applies what is missing.
///
/// # Errors
/// A refused statement. On PostgreSQL each step of the history is a transaction; hand in a transaction on SQLite.
pub async fn up<'c>(connection: impl IntoSchemaManagerConnection<'c>) -> Result<(), DbErr> {
    Migrator::up(connection, None).await
}

/// Names of the steps, oldest first, as the table `seaql_migrations` lists those that were applied.
pub fn names() -> Vec<String> {
    Migrator::migrations().iter().map(|step| step.name().to_owned()).collect()
}
