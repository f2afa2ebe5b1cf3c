//! The deferred credential endpoint (OpenID4VCI §9).

use std::sync::Arc;

use axum::extract::{Extension, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use chancery_issuance::wallet::credential::Refused;
use chancery_issuance::wallet::deferred_credential::{ErrorCode, Rejection};
use chancery_issuance::{Context, wallet};
use chancery_model::Organisation;

use crate::access::{self, challenged};
use crate::answer;
use crate::envelope::Envelope;
use crate::request::Content;
use crate::schema;

/// Ask again for a credential that was not ready
///
/// With an access token of the same authorization as the credential request. The same credentials are answered again
/// until the wallet notifies that it has them, for a day at most.
///
/// ```sh
/// curl -X POST "$ISSUER/deferred-credential" -H "Authorization: DPoP $TOKEN" -H "DPoP: $DPOP_PROOF" \
///   -H 'Content-Type: application/json' -d '{"transaction_id":"'"$TRANSACTION_ID"'"}'
/// ```
#[utoipa::path(
    post,
    path = "/deferred-credential",
    operation_id = "collect_deferred_credential",
    tag = "Issuance",
    security(("dpop" = []), ("bearer" = [])),
    params(("DPoP" = Option<String>, Header, description = "DPoP proof (RFC 9449 §4.2) with `ath`; required with a DPoP-bound token")),
    request_body(content = schema::DeferredRequest, description = "Which transaction",
        example = json!({"transaction_id": "sv4TVkBG1sdXi-PDfIxwlg"})),
    responses(
        (status = 200, description = "The credentials, one for each key of the credential request", body = schema::CredentialResponse,
            headers(("DPoP-Nonce" = String, description = "Nonce for the next DPoP proof"), ("Cache-Control" = String, description = "`no-store`")),
            example = json!({"credentials": [{"credential": "eyJhbGciOiJFUzI1NiJ9.eyJ2Y3QiOiIifQ.c2ln~WyJzIiwibiIsInYiXQ~"}], "notification_id": "DGt6FVFGtNa34-ZzrO1nTA"})),
        (status = 202, description = "Still not ready: the same transaction, and how long to wait", body = schema::Deferred,
            headers(("DPoP-Nonce" = String, description = "Nonce for the next DPoP proof"), ("Cache-Control" = String, description = "`no-store`")),
            example = json!({"transaction_id": "sv4TVkBG1sdXi-PDfIxwlg", "interval": 5})),
        (status = 400, description = "Refused (OpenID4VCI §9.3)", body = schema::Error,
            examples(
                ("invalid_transaction_id" = (summary = "Unknown, of another authorization, or collected",
                    value = json!({"error": "invalid_transaction_id", "error_description": "the transaction_id is not valid (support code K7QF-2M9X)"}))),
                ("credential_request_denied" = (summary = "Final: denied, or it waited for too long",
                    value = json!({"error": "credential_request_denied", "error_description": "the credential will not be issued (support code K7QF-2M9X)"}))),
                ("invalid_credential_request" = (summary = "Malformed",
                    value = json!({"error": "invalid_credential_request", "error_description": "transaction_id is not an acceptable string (support code K7QF-2M9X)"}))),
                ("invalid_encryption_parameters" = (summary = "Encryption is not offered, or not as the metadata say",
                    value = json!({"error": "invalid_encryption_parameters", "error_description": "encryption is not supported (support code K7QF-2M9X)"}))),
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
    let body = match content.bytes("invalid_credential_request") {
        Ok(body) => body,
        Err(envelope) => return envelope.into_response(),
    };
    let request = access::request(&headers, query.as_deref(), &body);
    match wallet::deferred_credential::poll(&context, &organisation, request).await {
        Ok(answer) => answer::respond(answer),
        Err(failure) => {
            Envelope::of(failure, |refusal| refused(&organisation, &refusal.rejection).support(refusal.support_code))
                .into_response()
        }
    }
}

fn refused(organisation: &Organisation, rejection: &Rejection) -> Envelope {
    let code = rejection.error();
    let answer = |status| Envelope::new(status, code.name(), rejection.description());
    if let Rejection::Again(Refused::QuotaUsedUp(used_up)) = rejection {
        return answer(StatusCode::SERVICE_UNAVAILABLE).retry_after(used_up.retry_after);
    }
    match code {
        ErrorCode::Access(error) => challenged(organisation, error, rejection.description()),
        ErrorCode::TemporarilyUnavailable => Envelope::temporarily_unavailable(rejection.description()),
        ErrorCode::InvalidCredentialRequest
        | ErrorCode::InvalidEncryptionParameters
        | ErrorCode::InvalidTransactionId
        | ErrorCode::CredentialRequestDenied => answer(StatusCode::BAD_REQUEST),
    }
}
