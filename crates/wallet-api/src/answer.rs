//! Answers of the credential endpoints, in the clear or encrypted (OpenID4VCI §10).

use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use chancery_issuance::wallet::encryption::{Answer, Content};

use crate::envelope::Envelope;

/// The response with its status and media type.
pub(crate) fn respond(answer: Answer) -> Response {
    let Ok(status) = StatusCode::from_u16(answer.status) else { return Envelope::internal().into_response() };
    let typed = |media_type| [(CONTENT_TYPE, HeaderValue::from_static(media_type))];
    match answer.content {
        Content::Json(body) => (status, typed("application/json"), body).into_response(),
        Content::Jwt(body) => (status, typed("application/jwt"), body).into_response(),
    }
}
