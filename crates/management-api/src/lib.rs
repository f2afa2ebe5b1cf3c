//! The organisation-facing HTTP face: routes, request reading, the RFC 9457 envelope, and
//! `openapi/management.json`.
//!
//! `routes.rs` shows every path and who may use it. Each handler calls one function in
//! [`chancery_issuance::management`].

mod access;
mod access_provider;
mod api_keys;
mod audit;
mod bulk;
mod decisions;
mod definitions;
mod document;
mod entry;
mod file;
mod global_configurations;
mod history;
mod identity_provider;
mod images;
mod individuals;
mod list;
mod moment;
mod offers;
mod organisations;
mod policy;
mod precondition;
mod presence;
mod problem;
mod quotas;
mod recording;
mod refused_requests;
mod repetition;
mod request;
mod retention;
mod revocation;
mod routes;
mod sandboxes;
mod signing_keys;
mod templates;
mod text;
mod transcript;
mod webhooks;

use axum::Router;
use chancery_issuance::Context;

/// The management face. It answers every path below `/v2`, and 404 in its envelope for everything else.
///
/// `trusted_proxies` stand in front and append to `X-Forwarded-For`; the audit log looks at nothing before them.
pub fn router(context: Context, trusted_proxies: usize) -> Router {
    entry::router(context, trusted_proxies)
}

/// Description of the face in OpenAPI 3.1.
pub fn openapi() -> utoipa::openapi::OpenApi {
    document::describe()
}
