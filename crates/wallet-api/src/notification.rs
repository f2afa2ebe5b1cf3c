//! The notification endpoint (OpenID4VCI §11).

use std::sync::Arc;

use axum::extract::{Extension, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use chancery_issuance::wallet::notification::{self, ErrorCode, Rejection};
use chancery_issuance::{Context, wallet};
use chancery_model::Organisation;

use crate::access::{self, challenged};
use crate::envelope::Envelope;
use crate::request::{self, Content};
use crate::schema;

/// Say what became of a credential
///
/// With an access token of the authorization that the credential came from. Saying the same again changes nothing.
///
/// ```sh
/// curl -X POST "$ISSUER/notification" -H "Authorization: DPoP $TOKEN" -H "DPoP: $DPOP_PROOF" \
///   -H 'Content-Type: application/json' \
///   -d '{"notification_id":"'"$NOTIFICATION_ID"'","event":"credential_accepted"}'
/// ```
#[utoipa::path(
    post,
    path = "/notification",
    operation_id = "notify",
    tag = "Issuance",
    security(("dpop" = []), ("bearer" = [])),
    params(("DPoP" = Option<String>, Header, description = "DPoP proof (RFC 9449 §4.2) with `ath`; required with a DPoP-bound token")),
    request_body(content = schema::Notification, description = "What happened",
        example = json!({"notification_id": "DGt6FVFGtNa34-ZzrO1nTA", "event": "credential_accepted"})),
    responses(
        (status = 204, description = "Taken",
            headers(("DPoP-Nonce" = String, description = "Nonce for the next DPoP proof"), ("Cache-Control" = String, description = "`no-store`"))),
        (status = 400, description = "Refused (OpenID4VCI §11.3)", body = schema::Error,
            examples(
                ("invalid_notification_id" = (summary = "No credential of this authorization has it",
                    value = json!({"error": "invalid_notification_id", "error_description": "the notification_id is none of this access token (support code K7QF-2M9X)"}))),
                ("invalid_notification_request" = (summary = "Malformed, or an unknown event",
                    value = json!({"error": "invalid_notification_request", "error_description": "event must be credential_accepted, credential_failure or credential_deleted (support code K7QF-2M9X)"}))),
                ("invalid_request" = (summary = "The access token was sent in the URL, or twice (RFC 6750 §2)",
                    value = json!({"error": "invalid_request", "error_description": "send the access token once, in the Authorization header"})))
            )),
        (status = 401, description = "No valid access token or DPoP proof (RFC 6750 §3, RFC 9449 §7.1); without any token the body is empty", body = schema::Error,
            headers(("WWW-Authenticate" = String, description = "For example `DPoP error=\"invalid_token\", algs=\"ES256 EdDSA\"`")),
            examples(
                ("invalid_token" = (summary = "Unknown or expired token, or sent with the wrong scheme",
                    value = json!({"error": "invalid_token", "error_description": "the access token is not valid"}))),
                ("invalid_dpop_proof" = (summary = "Bad, replayed or missing proof",
                    value = json!({"error": "invalid_dpop_proof", "error_description": "the DPoP proof is not valid (support code K7QF-2M9X)"}))),
                ("use_dpop_nonce" = (summary = "The proof must carry the nonce of the `DPoP-Nonce` header",
                    value = json!({"error": "use_dpop_nonce", "error_description": "repeat the request with the nonce of the DPoP-Nonce header (support code K7QF-2M9X)"})))
            )),
        schema::NotFound, schema::MethodNotAllowed, schema::TooLarge, schema::Failed,
    )
)]
pub(crate) async fn post(
    State(context): State<Context>,
    Extension(organisation): Extension<Arc<Organisation>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    content: Content,
) -> Response {
    let body = match content.bytes("invalid_notification_request") {
        Ok(body) => body,
        Err(envelope) => return envelope.into_response(),
    };
    let request = notification::Request {
        access: access::presented(&headers, query.as_deref()),
        body: &body,
        notes: request::notes(&headers),
    };
    match wallet::notification::receive(&context, &organisation, request).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(failure) => {
            Envelope::of(failure, |refusal| refused(&organisation, &refusal.rejection).support(refusal.support_code))
                .into_response()
        }
    }
}

fn refused(organisation: &Organisation, rejection: &Rejection) -> Envelope {
    let code = rejection.error();
    match code {
        ErrorCode::Access(error) => challenged(organisation, error, rejection.description()),
        ErrorCode::InvalidNotificationId | ErrorCode::InvalidNotificationRequest => {
            Envelope::new(StatusCode::BAD_REQUEST, code.name(), rejection.description())
        }
    }
}
