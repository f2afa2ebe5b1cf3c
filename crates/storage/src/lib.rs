//! The only code that knows SQL or Redis.
//!
//! - [`Store`]: the database. [`Store::directory`] finds organisations, [`Store::read`] looks things up inside one
//!   organisation, [`Store::write`] is a unit of work inside one organisation: all of it or nothing.
//! - [`Replay`]: claims of use, "this nonce was seen".
//! - [`SharedBudgets`]: budgets of rate limits that several processes draw on.
//!
//! Nobody reaches the rows of an organisation without holding its [`chancery_model::Organisation`]: one private type
//! builds every query and adds the filter, primary and foreign keys carry the organisation, and on PostgreSQL
//! row-level security repeats the filter.
//!
//! Whatever happens once is one conditional UPDATE whose row count is the answer. Never read a row, decide, and write.

mod access_providers;
mod api_keys;
mod audit;
mod authorizations;
mod bulks;
mod claims_endpoints;
mod connect;
mod connection;
mod credentials;
mod definitions;
mod directory;
mod encryption_keys;
mod entity;
mod error;
mod event_watches;
mod events;
mod exchanges;
mod global_configurations;
mod grants;
mod idempotency;
mod identity_providers;
mod images;
mod individuals;
mod offer_deliveries;
mod page;
mod refresh_tokens;
mod refused_requests;
mod replay;
mod retention;
mod row;
mod scope;
mod shared_budgets;
mod signing_keys;
mod status_changes;
mod status_lists;
mod store;
mod transactions;
mod transcript;
mod usage;
mod webhooks;
mod work;

pub use audit::AuditFilter;
pub use bulks::SettledPart;
pub use connect::ConnectError;
pub use definitions::{DefinitionChange, DefinitionDeletion, DefinitionFilter};
pub use directory::{Directory, OrganisationConflict, SandboxConflict};
pub use error::StoreError;
pub use event_watches::NumberedEvents;
pub use exchanges::{ExchangeFilter, NewOffer, NewSecrets, Position, Supplied};
pub use grants::Tokens;
pub use idempotency::IdempotentResponse;
pub use individuals::IndividualChange;
pub use page::{Listed, Order, Page};
pub use replay::{Claim, Replay, ReplayUnavailable, SharedValues};
pub use retention::{Due, RetentionProgress};
pub use shared_budgets::{BudgetsUnavailable, Draw, Drawn, SharedBudgets};
pub use status_changes::{HolderFilter, Holders, StatusMove};
pub use status_lists::{EntryChange, ListVersion};
pub use store::{Read, Store, Transaction};
pub use work::{Work, WorkItem};
