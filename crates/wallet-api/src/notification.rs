//! The notification endpoint (OpenID4VCI §11).

use std::sync::Arc;

use axum::extract::{Extension, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use chancery_issuance::wallet::notification::{ErrorCode, Rejection};
use chancery_issuance::{Context, wallet};
use chancery_model::Organisation;

use crate::access::{self, challenged};
use crate::envelope::Envelope;
use crate::request::Content;
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
        schema::Unauthorized, schema::NotFound, schema::MethodNotAllowed, schema::TooLarge, schema::Failed,
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
    let request = access::request(&headers, query.as_deref(), &body);
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
