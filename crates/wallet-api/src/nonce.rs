//! The nonce endpoint (OpenID4VCI §7).

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Extension, State};
use axum::response::{IntoResponse, Response};
use chancery_issuance::{Context, wallet};
use chancery_model::Organisation;

use crate::{request, schema};

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
    tag = "Issuance",
    responses(
        (status = 200, description = "A fresh nonce", body = schema::Nonce,
            example = json!({"c_nonce": "AWkgZ2uAf3nVv2JmX0mXxZkqT1yLw8p5r0cV9jQ4oB7sK2dE"}),
            headers(("DPoP-Nonce" = String, description = "Nonce for the next DPoP proof"), ("Cache-Control" = String, description = "`no-store`"))),
        schema::NotFound, schema::MethodNotAllowed, schema::TooLarge, schema::Failed,
    )
)]
pub(crate) async fn post(
    State(context): State<Context>,
    Extension(organisation): Extension<Arc<Organisation>>,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    // The request has no content; whatever came is dropped once it proved to be small.
    match request::body(body, "invalid_request") {
        Ok(_) => Json(wallet::nonce::mint(&context, &organisation)).into_response(),
        Err(envelope) => envelope.into_response(),
    }
}
