//! What organisations and the platform ask.
//!
//! Bodies arrive as JSON objects and are read here, because reading and refusing them are one thing: a
//! refusal names every fault of the body by its JSON Pointer.

pub mod access;
pub mod access_provider;
pub mod api_keys;
pub mod audit;
pub(crate) mod body;
pub mod bulk;
pub mod decisions;
pub mod definitions;
mod endpoint;
pub mod global_configurations;
pub mod history;
pub mod idempotency;
pub mod identity_provider;
pub mod images;
pub mod individuals;
mod levels;
pub(crate) mod offer_delivery;
pub mod offers;
pub mod organisations;
mod page;
pub mod quotas;
pub mod retention;
pub mod revocation;
pub mod sandboxes;
pub mod signing_keys;
pub mod templates;
pub mod transcript;
pub mod watch;
pub mod webhooks;

pub use body::{Fault, LARGEST as LARGEST_BODY, parse as parse_body, parse_within};
pub use page::{MOST_PER_PAGE, Order, Page, Pagination, Window};
