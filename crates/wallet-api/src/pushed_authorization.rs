//! The pushed authorization request endpoint (RFC 9126).

use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use chancery_issuance::wallet::pushed_authorization::Rejection;
use chancery_issuance::{Context, wallet};
use chancery_model::Organisation;

use crate::envelope::Envelope;
use crate::request::{self, Content};
use crate::{rate_limit, schema};

/// Push an authorization request
///
/// All parameters of the authorization request, in the form or in a signed `request` object, with the client
/// authentication of the token endpoint. The `request_uri` works once, for this client, for 90 seconds. With a `DPoP` header
/// the authorization code is bound to its key; with a wallet attestation, to the attested key.
///
/// ```sh
/// curl -X POST "$ISSUER/par" -d response_type=code -d client_id=my-wallet -d scope=staff_badge \
///   -d redirect_uri=https://wallet.example/cb -d code_challenge_method=S256 \
///   -d code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM
/// ```
#[utoipa::path(
    post,
    path = "/par",
    operation_id = "push_authorization_request",
    tag = "Issuance",
    params(
        ("DPoP" = Option<String>, Header, description = "DPoP proof (RFC 9449 §10.1) with `htm` `POST` and `htu` this endpoint"),
        ("OAuth-Client-Attestation" = Option<String>, Header, description = "Wallet attestation (OpenID4VCI Appendix E)"),
        ("OAuth-Client-Attestation-PoP" = Option<String>, Header, description = "Proof of possession of the attested key; without it the DPoP proof takes its place"),
    ),
    request_body(content = schema::PushedAuthorizationRequest, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 201, description = "The request is kept", body = schema::PushedAuthorizationResponse,
            headers(("DPoP-Nonce" = String, description = "Nonce for the next DPoP proof"), ("Cache-Control" = String, description = "`no-store`")),
            example = json!({"request_uri": "urn:ietf:params:oauth:request_uri:6esc_11ACC5bwc014ltc14eY22cVw1S8_h8v9wHcBXA", "expires_in": 90})),
        (status = 400, description = "Refused (RFC 9126 §2.3)", body = schema::Error,
            examples(
                ("invalid_request" = (summary = "A parameter is missing, malformed or repeated",
                    value = json!({"error": "invalid_request", "error_description": "a code_challenge with method S256 is required"}))),
                ("invalid_client" = (summary = "The client is not admitted, or did not authenticate",
                    value = json!({"error": "invalid_client", "error_description": "this client_id is not admitted"}))),
                ("invalid_client_attestation" = (summary = "Bad wallet attestation, or nobody trusted made it",
                    value = json!({"error": "invalid_client_attestation", "error_description": "the wallet attestation is not valid"}))),
                ("use_attestation_challenge" = (summary = "The proof of possession must carry the challenge of the `OAuth-Client-Attestation-Challenge` header",
                    value = json!({"error": "use_attestation_challenge", "error_description": "repeat the request with a challenge of this server"}))),
                ("use_fresh_attestation" = (summary = "The wallet attestation has expired",
                    value = json!({"error": "use_fresh_attestation", "error_description": "the wallet attestation has expired"}))),
                ("unsupported_response_type" = (summary = "Another response type than `code`",
                    value = json!({"error": "unsupported_response_type", "error_description": "only response_type code is supported"}))),
                ("invalid_scope" = (summary = "No scope names a configuration",
                    value = json!({"error": "invalid_scope", "error_description": "scope names no credential configuration"}))),
                ("invalid_authorization_details" = (summary = "Malformed, or not published, or not on offer",
                    value = json!({"error": "invalid_authorization_details", "error_description": "authorization_details name a configuration that is not offered"}))),
                ("invalid_target" = (summary = "`resource` is another issuer",
                    value = json!({"error": "invalid_target", "error_description": "resource is not this credential issuer"}))),
                ("invalid_request_object" = (summary = "The request object is not the client's, or not for this server",
                    value = json!({"error": "invalid_request_object", "error_description": "the request object is not valid"}))),
                ("invalid_dpop_proof" = (summary = "Bad or replayed DPoP proof",
                    value = json!({"error": "invalid_dpop_proof", "error_description": "the DPoP proof is not valid"}))),
                ("use_dpop_nonce" = (summary = "The proof must carry the nonce of the `DPoP-Nonce` header",
                    value = json!({"error": "use_dpop_nonce", "error_description": "repeat the request with the nonce of the DPoP-Nonce header"})))
            )),
        (status = 401, description = "The client tried to authenticate in the `Authorization` header, which no client does here", body = schema::Error,
            headers(("WWW-Authenticate" = String, description = "`Basic`")),
            example = json!({"error": "invalid_client", "error_description": "authenticate with an attestation or an assertion, not in the Authorization header"})),
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
    match wallet::pushed_authorization::push(&context, &organisation, request).await {
        Ok(answer) => (StatusCode::CREATED, Json(answer)).into_response(),
        Err(failure) => {
            Envelope::of(failure, |refusal| refused(&refusal.rejection).support(refusal.support_code)).into_response()
        }
    }
}

fn refused(rejection: &Rejection) -> Envelope {
    let answer = |status| Envelope::new(status, rejection.error(), rejection.description());
    if rejection.is_passing() {
        return Envelope::temporarily_unavailable(rejection.description());
    }
    match rejection.is_authorization() {
        true => answer(StatusCode::UNAUTHORIZED).challenge("Basic realm=\"token\"".to_owned()),
        false => answer(StatusCode::BAD_REQUEST),
    }
}
