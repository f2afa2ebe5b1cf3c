//! The nonce endpoint (OpenID4VCI §7).

use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, State};
use axum::response::{IntoResponse, Response};
use chancery_issuance::{Context, wallet};
use chancery_model::Organisation;

use crate::request::Content;
use crate::schema;

/// Hand out a nonce for key proofs
///
/// No access token is needed (OpenID4VCI §7.1). Nothing is stored: a nonce is recognised by its own contents and
/// remembered only once it was used.
///
/// ```sh
/// curl -X POST "$ISSUER/nonce"
/// ```
#[utoipa::path(
    post,
    path = "/nonce",
    operation_id = "mint_nonce",
    tag = "Issuance",
    responses(
        (status = 200, description = "A fresh nonce", body = schema::Nonce,
            headers(("DPoP-Nonce" = String, description = "Nonce for the next DPoP proof"), ("Cache-Control" = String, description = "`no-store`")),
            example = json!({"c_nonce": "AWkgZ2uAf3nVv2JmX0mXxZkqT1yLw8p5r0cV9jQ4oB7sK2dE"})),
        schema::NotFound, schema::MethodNotAllowed, schema::TooLarge, schema::Failed,
    )
)]
pub(crate) async fn post(
    State(context): State<Context>,
    Extension(organisation): Extension<Arc<Organisation>>,
    content: Content,
) -> Response {
    // The request has no content; whatever came is dropped once it proved to be small.
    match content.bytes("invalid_request") {
        Ok(_) => Json(wallet::nonce::mint(&context, &organisation)).into_response(),
        Err(envelope) => envelope.into_response(),
    }
}
