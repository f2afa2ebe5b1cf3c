//! The challenge endpoint of attestation-based client authentication (ABCA draft-07 §8).

use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, State};
use axum::response::{IntoResponse, Response};
use chancery_issuance::{Context, wallet};
use chancery_model::Organisation;

use crate::request::Content;
use crate::schema;

/// Hand out a challenge for wallet attestations
///
/// It goes into the `challenge` of the proof of possession. Nothing is stored. Answers of the token and PAR endpoints carry
/// a fresh one in `OAuth-Client-Attestation-Challenge`, where the organisation looks at attestations.
///
/// ```sh
/// curl -X POST "$ISSUER/challenge"
/// ```
#[utoipa::path(
    post,
    path = "/challenge",
    operation_id = "mint_attestation_challenge",
    tag = "Issuance",
    responses(
        (status = 200, description = "A fresh challenge", body = schema::Challenge,
            headers(("Cache-Control" = String, description = "`no-store`")),
            example = json!({"attestation_challenge": "AWkgZ2uAf3nVv2JmX0mXxZkqT1yLw8p5r0cV9jQ4oB7sK2dE"})),
        schema::NotFound, schema::MethodNotAllowed, schema::TooLarge, schema::Failed,
    )
)]
pub(crate) async fn post(
    State(context): State<Context>,
    Extension(organisation): Extension<Arc<Organisation>>,
    content: Content,
) -> Response {
    match content.bytes("invalid_request") {
        Ok(_) => Json(wallet::nonce::mint_challenge(&context, &organisation)).into_response(),
        Err(envelope) => envelope.into_response(),
    }
}
