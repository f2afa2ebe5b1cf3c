//! The token endpoint (OpenID4VCI §6).

use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, State};
use axum::http::header::PRAGMA;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use chancery_issuance::wallet::token::{ErrorCode, Rejection};
use chancery_issuance::{Context, wallet};
use chancery_model::Organisation;

use crate::envelope::Envelope;
use crate::request::{self, Content};
use crate::{rate_limit, schema};

/// Exchange a code or a refresh token for an access token
///
/// Takes the pre-authorized code of an offer, an authorization code, or a refresh token, as the `grant_types_supported` of
/// the metadata say. Clients identify themselves by `client_id`, by `client_assertion` (`private_key_jwt`), or by a wallet
/// attestation. The same request of the same DPoP key is answered the same for ten seconds.
///
/// With a `DPoP` header the token is bound to its key and answered as `token_type` `DPoP`; without one it is a `Bearer`
/// token, where the organisation allows that.
///
/// ```sh
/// curl -X POST "$ISSUER/token" \
///   -d grant_type=urn:ietf:params:oauth:grant-type:pre-authorized_code \
///   -d pre-authorized_code=eThcKnxLGJIRXUS4VJ-tIxp9UiYdUOQiCvfgtTmp9Cg \
///   -d tx_code=493027
/// ```
#[utoipa::path(
    post,
    path = "/token",
    operation_id = "redeem_code",
    tag = "Issuance",
    params(
        ("DPoP" = Option<String>, Header, description = "DPoP proof (RFC 9449 §4.2) with `htm` `POST` and `htu` this endpoint"),
        ("OAuth-Client-Attestation" = Option<String>, Header, description = "Wallet attestation (OpenID4VCI Appendix E)"),
        ("OAuth-Client-Attestation-PoP" = Option<String>, Header, description = "Proof of possession of the attested key; without it the DPoP proof takes its place"),
    ),
    request_body(content = schema::TokenRequest, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "The token", body = schema::TokenResponse,
            headers(("DPoP-Nonce" = String, description = "Nonce for the next DPoP proof"), ("Cache-Control" = String, description = "`no-store`")),
            example = json!({
                "access_token": "y8ndE8e6XAlc4KzHJOn0hF095ef-ix4bPOHEJQOImjM", "token_type": "DPoP", "expires_in": 600,
                "authorization_details": [{"type": "openid_credential", "credential_configuration_id": "StaffBadge",
                    "credential_identifiers": ["sv4TVkBG1sdXi-PDfIxwlg"]}]
            })),
        (status = 400, description = "Refused (RFC 6749 §5.2, RFC 9449 §5 and §8, RFC 8707 §2, RFC 9396 §5)", body = schema::Error,
            examples(
                ("invalid_request" = (summary = "A parameter is missing, repeated or misplaced, `tx_code` among them",
                    value = json!({"error": "invalid_request", "error_description": "the offer demands a transaction code (support code K7QF-2M9X)"}))),
                ("invalid_grant" = (summary = "Unknown, used, expired or locked code, or wrong `tx_code`",
                    value = json!({"error": "invalid_grant", "error_description": "the code or the transaction code is not valid (support code K7QF-2M9X)"}))),
                ("unsupported_grant_type" = (summary = "Another grant",
                    value = json!({"error": "unsupported_grant_type", "error_description": "this grant_type is not supported"}))),
                ("invalid_scope" = (summary = "A refresh asks for more than was granted",
                    value = json!({"error": "invalid_scope", "error_description": "scope is wider than what was granted (support code K7QF-2M9X)"}))),
                ("invalid_client_attestation" = (summary = "Bad wallet attestation, or nobody trusted made it",
                    value = json!({"error": "invalid_client_attestation", "error_description": "the wallet attestation is not valid (support code K7QF-2M9X)"}))),
                ("use_attestation_challenge" = (summary = "The proof of possession must carry the challenge of the `OAuth-Client-Attestation-Challenge` header",
                    value = json!({"error": "use_attestation_challenge", "error_description": "repeat the request with a challenge of this server (support code K7QF-2M9X)"}))),
                ("use_fresh_attestation" = (summary = "The wallet attestation has expired",
                    value = json!({"error": "use_fresh_attestation", "error_description": "the wallet attestation has expired (support code K7QF-2M9X)"}))),
                ("invalid_client" = (summary = "This client may not redeem offers here",
                    value = json!({"error": "invalid_client", "error_description": "a client_id is required (support code K7QF-2M9X)"}))),
                ("invalid_target" = (summary = "`resource` is another issuer",
                    value = json!({"error": "invalid_target", "error_description": "resource is not this credential issuer (support code K7QF-2M9X)"}))),
                ("invalid_authorization_details" = (summary = "Malformed, or not offered",
                    value = json!({"error": "invalid_authorization_details", "error_description": "authorization_details ask for something else than the offer (support code K7QF-2M9X)"}))),
                ("invalid_dpop_proof" = (summary = "Bad, replayed or missing DPoP proof",
                    value = json!({"error": "invalid_dpop_proof", "error_description": "the DPoP proof is not valid (support code K7QF-2M9X)"}))),
                ("use_dpop_nonce" = (summary = "The proof must carry the nonce of the `DPoP-Nonce` header",
                    value = json!({"error": "use_dpop_nonce", "error_description": "repeat the request with the nonce of the DPoP-Nonce header (support code K7QF-2M9X)"})))
            )),
        (status = 401, description = "The client tried to authenticate in the `Authorization` header, which no client does here", body = schema::Error,
            headers(("WWW-Authenticate" = String, description = "`Basic`")),
            example = json!({"error": "invalid_client", "error_description": "authenticate with an attestation or an assertion, not in the Authorization header"})),
        (status = 429, description = "The next transaction code came too soon after wrong ones", body = schema::Error,
            headers(("Retry-After" = String, description = "Seconds to wait")),
            example = json!({"error": "temporarily_unavailable", "error_description": "wait before the next transaction code (support code K7QF-2M9X)"})),
        schema::NotFound, schema::MethodNotAllowed, schema::TooLarge, schema::Failed,
    )
)]
pub(crate) async fn post(
    State(context): State<Context>,
    Extension(organisation): Extension<Arc<Organisation>>,
    headers: HeaderMap,
    content: Content,
) -> Response {
    let body = match content.bytes("invalid_request") {
        Ok(body) => body,
        Err(envelope) => return envelope.into_response(),
    };
    if let Some(refusal) = rate_limit::refusal_of_form(&context, &organisation, &body).await {
        return refusal;
    }
    let request = request::of_client(&headers, &body);
    match wallet::token::exchange(&context, &organisation, request).await {
        Ok(answer) => ([(PRAGMA, "no-cache")], Json(answer)).into_response(),
        Err(failure) => {
            Envelope::of(failure, |refusal| refused(&refusal.rejection).support(refusal.support_code)).into_response()
        }
    }
}

fn refused(rejection: &Rejection) -> Envelope {
    let code = rejection.error();
    let answer = |status| Envelope::new(status, code.name(), rejection.description());
    if let Rejection::TransactionCodeTooSoon { seconds } = rejection {
        return answer(StatusCode::TOO_MANY_REQUESTS).retry_after(*seconds);
    }
    if let Rejection::CannotSign(_) = rejection {
        return Envelope::temporarily_unavailable(rejection.description());
    }
    if let Rejection::QuotaUsedUp(used_up) = rejection {
        return answer(StatusCode::SERVICE_UNAVAILABLE).retry_after(used_up.retry_after);
    }
    match code {
        // A client that used the Authorization header is told a scheme (RFC 6749 §5.2).
        ErrorCode::InvalidClientAuthentication => {
            answer(StatusCode::UNAUTHORIZED).challenge("Basic realm=\"token\"".to_owned())
        }
        ErrorCode::InvalidRequest
        | ErrorCode::InvalidScope
        | ErrorCode::TemporarilyUnavailable
        | ErrorCode::Client(_)
        | ErrorCode::InvalidGrant
        | ErrorCode::UnsupportedGrantType
        | ErrorCode::InvalidTarget
        | ErrorCode::InvalidAuthorizationDetails
        | ErrorCode::InvalidDpopProof
        | ErrorCode::UseDpopNonce => answer(StatusCode::BAD_REQUEST),
    }
}
