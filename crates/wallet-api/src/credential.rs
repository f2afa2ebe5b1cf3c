//! The credential endpoint (OpenID4VCI §8).

use std::sync::Arc;

use axum::extract::{Extension, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use chancery_issuance::wallet::credential::{ErrorCode, Refused, Rejection};
use chancery_issuance::{Context, wallet};
use chancery_model::Organisation;

use crate::access::{self, challenged};
use crate::answer;
use crate::envelope::Envelope;
use crate::request::Content;
use crate::schema;

/// Collect a credential
///
/// The access token goes in the `Authorization` header, nowhere else. The same token may be used again, with a fresh nonce
/// in the key proof. Where the metadata publish `batch_credential_issuance`, `proofs.jwt` may hold a proof for each of
/// several keys, all over one nonce; each key gets a credential.
///
/// Where the metadata have `credential_request_encryption`, the body may be a JWE of the same JSON (`application/jwt`), and
/// such a request may ask for an encrypted answer with `credential_response_encryption`. Errors are never encrypted.
///
/// ```sh
/// curl -X POST "$ISSUER/credential" -H "Authorization: DPoP $TOKEN" -H "DPoP: $DPOP_PROOF" \
///   -H 'Content-Type: application/json' \
///   -d '{"credential_configuration_id":"StaffBadge","proofs":{"jwt":["'"$KEY_PROOF"'"]}}'
/// ```
#[utoipa::path(
    post,
    path = "/credential",
    operation_id = "collect_credential",
    tag = "Issuance",
    security(("dpop" = []), ("bearer" = [])),
    params(("DPoP" = Option<String>, Header, description = "DPoP proof (RFC 9449 §4.2) with `ath`; required with a DPoP-bound token")),
    request_body(content = schema::CredentialRequest, description = "Which credential, and a proof of the key it shall be bound to",
        example = json!({"credential_configuration_id": "StaffBadge", "proofs": {"jwt": ["eyJ0eXAiOiJvcGVuaWQ0dmNpLXByb29mK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7fX0.e30.c2ln"]}})),
    responses(
        (status = 200, description = "The credential", body = schema::CredentialResponse,
            headers(("DPoP-Nonce" = String, description = "Nonce for the next DPoP proof"), ("Cache-Control" = String, description = "`no-store`")),
            example = json!({"credentials": [{"credential": "eyJhbGciOiJFUzI1NiJ9.eyJ2Y3QiOiIifQ.c2ln~WyJzIiwibiIsInYiXQ~"}], "notification_id": "DGt6FVFGtNa34-ZzrO1nTA"})),
        (status = 202, description = "Not ready: ask the deferred credential endpoint after `interval` seconds (OpenID4VCI §8.3)", body = schema::Deferred,
            headers(("DPoP-Nonce" = String, description = "Nonce for the next DPoP proof"), ("Cache-Control" = String, description = "`no-store`")),
            example = json!({"transaction_id": "sv4TVkBG1sdXi-PDfIxwlg", "interval": 5})),
        (status = 400, description = "Refused (OpenID4VCI §8.3.1.2)", body = schema::Error,
            examples(
                ("invalid_credential_request" = (summary = "Malformed, or in the shape of an older draft",
                    value = json!({"error": "invalid_credential_request", "error_description": "name exactly one of credential_identifier and credential_configuration_id (support code K7QF-2M9X)"}))),
                ("unknown_credential_configuration" = (summary = "No such configuration",
                    value = json!({"error": "unknown_credential_configuration", "error_description": "there is no such credential configuration (support code K7QF-2M9X)"}))),
                ("unknown_credential_identifier" = (summary = "Not an identifier of the token response",
                    value = json!({"error": "unknown_credential_identifier", "error_description": "the credential_identifier is none of the token response (support code K7QF-2M9X)"}))),
                ("invalid_proof" = (summary = "A key proof is missing or wrong, or lacks a nonce or a key attestation",
                    value = json!({"error": "invalid_proof", "error_description": "the key proof is not valid (support code K7QF-2M9X)"}))),
                ("invalid_nonce" = (summary = "Fetch a fresh nonce and repeat",
                    value = json!({"error": "invalid_nonce", "error_description": "fetch a fresh nonce and repeat the request (support code K7QF-2M9X)"}))),
                ("invalid_encryption_parameters" = (summary = "Encryption is demanded, not offered, or wrong",
                    value = json!({"error": "invalid_encryption_parameters", "error_description": "encryption is not supported (support code K7QF-2M9X)"}))),
                ("credential_request_denied" = (summary = "Final: the organisation withdrew the credential",
                    value = json!({"error": "credential_request_denied", "error_description": "the organisation denied the credential (support code K7QF-2M9X)"}))),
                ("invalid_request" = (summary = "The access token was sent in the URL, or twice (RFC 6750 §2)",
                    value = json!({"error": "invalid_request", "error_description": "send the access token once, in the Authorization header"})))
            )),
        (status = 403, description = "The token does not cover this configuration", body = schema::Error,
            headers(("WWW-Authenticate" = String, description = "`DPoP error=\"insufficient_scope\"`")),
            example = json!({"error": "insufficient_scope", "error_description": "the access token does not cover this credential configuration (support code K7QF-2M9X)"})),
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
    match wallet::credential::issue(&context, &organisation, request).await {
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
        | ErrorCode::UnknownCredentialConfiguration
        | ErrorCode::UnknownCredentialIdentifier
        | ErrorCode::InvalidProof
        | ErrorCode::InvalidNonce
        | ErrorCode::InvalidEncryptionParameters
        | ErrorCode::CredentialRequestDenied => answer(StatusCode::BAD_REQUEST),
    }
}
