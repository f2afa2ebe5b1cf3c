//! The wallet-facing HTTP face: routes, request reading, the OAuth error envelope, and `openapi/wallet.json`.
//!
//! `routes.rs` shows every path. Each handler calls one function of the same name in [`chancery_issuance::wallet`].

mod access;
mod answer;
mod challenge;
mod client_address;
mod cookies;
mod credential;
mod deferred_credential;
mod document;
mod entry;
mod envelope;
mod front_channel;
mod image;
mod metadata;
mod nonce;
mod notification;
mod offer;
mod page;
mod path;
mod pushed_authorization;
mod rate_limit;
mod request;
mod routes;
mod schema;
mod status_list;
mod token;

use axum::Router;
use chancery_issuance::Context;

/// The wallet face. It answers every path: mount it on a listener of its own.
///
/// An organisation is found at `/o/{slug}` and at its issuer identifier, whether a proxy keeps the identifier's path or
/// strips it. Public URLs in answers always come from the issuer identifier, never from `Host` or `X-Forwarded-*`.
///
/// `trusted_proxies` stand in front and append to `X-Forwarded-For`; rate limits look at nothing before them.
pub fn router(context: Context, trusted_proxies: usize) -> Router {
    entry::router(context, trusted_proxies)
}

/// Description of the face in OpenAPI 3.1.
pub fn openapi() -> utoipa::openapi::OpenApi {
    document::describe()
}
