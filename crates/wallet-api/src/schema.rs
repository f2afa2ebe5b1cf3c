//! Shapes of messages for the description. The messages themselves are written by `chancery_protocol`: a member that is
//! added there is added here too.

#![expect(dead_code, reason = "these types exist for their derived schemas")]

use serde_json::Value;
use utoipa::{IntoResponses, ToSchema};

/// Error of OAuth 2.0 and OpenID4VCI (RFC 6749 §5.2, OpenID4VCI §8.3.1.2).
#[derive(ToSchema)]
pub(crate) struct Error {
    /// Error code.
    #[schema(example = "invalid_grant")]
    error: String,
    /// A sentence for the wallet's developer, mostly ending in a support code. With that code the organisation
    /// finds the exact reason, in the transcript of the exchange or among the refused requests of none.
    #[schema(example = "the code is unknown, used or expired (support code K7QF-2M9X)")]
    error_description: Option<String>,
}

/// Credential offer (OpenID4VCI §4.1.1).
#[derive(ToSchema)]
pub(crate) struct CredentialOffer {
    /// Credential Issuer Identifier.
    credential_issuer: String,
    /// Keys of `credential_configurations_supported`.
    credential_configuration_ids: Vec<String>,
    /// Grants by their identifiers.
    grants: Value,
}

/// Form of a pushed authorization request (RFC 9126 §2.1, OpenID4VCI §5.1).
#[derive(ToSchema)]
pub(crate) struct PushedAuthorizationRequest {
    /// The client.
    client_id: String,
    /// `code`.
    response_type: Option<String>,
    /// Where the answer goes.
    redirect_uri: Option<String>,
    /// What the client wants back, unchanged.
    state: Option<String>,
    /// Scopes of credential configurations.
    scope: Option<String>,
    /// JSON array of `openid_credential` objects.
    authorization_details: Option<String>,
    /// From the offer.
    issuer_state: Option<String>,
    /// Credential Issuer Identifier (RFC 8707).
    resource: Option<String>,
    /// base64url of the SHA-256 of the code verifier.
    code_challenge: Option<String>,
    /// `S256`.
    code_challenge_method: Option<String>,
    /// Thumbprint of the DPoP key that the code is to be bound to.
    dpop_jkt: Option<String>,
    /// All of these as the claims of a signed JWT instead (RFC 9101), beside `client_id`.
    request: Option<String>,
    /// `urn:ietf:params:oauth:client-assertion-type:jwt-bearer`.
    client_assertion_type: Option<String>,
    /// JWT of a client that is registered with keys (RFC 7523).
    client_assertion: Option<String>,
}

/// Answer to a pushed authorization request (RFC 9126 §2.2).
#[derive(ToSchema)]
pub(crate) struct PushedAuthorizationResponse {
    /// For the authorization endpoint, once.
    request_uri: String,
    /// Lifetime in seconds.
    expires_in: u32,
}

/// Answer of the challenge endpoint.
#[derive(ToSchema)]
pub(crate) struct Challenge {
    /// For the `challenge` of proofs of possession.
    attestation_challenge: String,
}

/// Form of a token request (OpenID4VCI §6.1).
#[derive(ToSchema)]
pub(crate) struct TokenRequest {
    /// `urn:ietf:params:oauth:grant-type:pre-authorized_code`, `authorization_code` or `refresh_token`.
    grant_type: String,
    /// The code of the offer.
    #[schema(rename = "pre-authorized_code")]
    pre_authorized_code: Option<String>,
    /// The authorization code.
    code: Option<String>,
    /// As in the authorization request.
    redirect_uri: Option<String>,
    /// What the code challenge was made of.
    code_verifier: Option<String>,
    /// The refresh token.
    refresh_token: Option<String>,
    /// With a refresh token: less than was granted.
    scope: Option<String>,
    /// `urn:ietf:params:oauth:client-assertion-type:jwt-bearer`.
    client_assertion_type: Option<String>,
    /// JWT of a client that is registered with keys (RFC 7523).
    client_assertion: Option<String>,
    /// The transaction code, exactly when the offer has `tx_code`.
    tx_code: Option<String>,
    /// Client identifier; optional when the metadata say `pre-authorized_grant_anonymous_access_supported`.
    client_id: Option<String>,
    /// JSON array of `openid_credential` objects; narrows the token to some of the offered configurations.
    authorization_details: Option<String>,
    /// Credential Issuer Identifier (RFC 8707).
    resource: Option<String>,
}

/// Token response (OpenID4VCI §6.2).
#[derive(ToSchema)]
pub(crate) struct TokenResponse {
    /// Access token for the credential endpoint.
    access_token: String,
    /// `DPoP` when the request carried a proof, else `Bearer`.
    token_type: String,
    /// Lifetime in seconds.
    expires_in: u32,
    /// Where the organisation hands them out, to wallets that prove a key.
    refresh_token: Option<String>,
    /// What was granted, after a request by scope.
    scope: Option<String>,
    /// Present exactly when a request carried it: the granted objects with their `credential_identifiers`.
    authorization_details: Option<Vec<Value>>,
}

/// Nonce response (OpenID4VCI §7.2).
#[derive(ToSchema)]
pub(crate) struct Nonce {
    /// For the `nonce` of key proofs; valid for one credential request.
    c_nonce: String,
}

/// Credential request (OpenID4VCI §8.2).
#[derive(ToSchema)]
pub(crate) struct CredentialRequest {
    /// From the token response; required when that had `authorization_details`, else forbidden.
    credential_identifier: Option<String>,
    /// Key of `credential_configurations_supported`; required when there is no `credential_identifier`.
    credential_configuration_id: Option<String>,
    /// One member named after the proof type, with an array of proofs.
    proofs: Proofs,
}

/// Key proofs (OpenID4VCI Appendix F).
#[derive(ToSchema)]
pub(crate) struct Proofs {
    /// JWTs with `typ` `openid4vci-proof+jwt`: as many as `batch_credential_issuance.batch_size`, each of a key of its
    /// own, all with the same `nonce`.
    jwt: Vec<String>,
}

/// Credential response (OpenID4VCI §8.3).
#[derive(ToSchema)]
pub(crate) struct CredentialResponse {
    /// One element for each key.
    credentials: Vec<IssuedCredential>,
    /// Names this answer in notifications.
    notification_id: String,
}

/// A credential that is not ready (OpenID4VCI §8.3, §9.2).
#[derive(ToSchema)]
pub(crate) struct Deferred {
    /// For the deferred credential endpoint.
    transaction_id: String,
    /// Seconds to wait before asking.
    interval: u32,
}

/// Deferred credential request (OpenID4VCI §9.1).
#[derive(ToSchema)]
pub(crate) struct DeferredRequest {
    /// From the credential response.
    transaction_id: String,
}

/// Notification request (OpenID4VCI §11.1).
#[derive(ToSchema)]
pub(crate) struct Notification {
    /// From the credential response.
    notification_id: String,
    /// `credential_accepted`, `credential_failure` or `credential_deleted`.
    event: String,
    /// Words for a developer, ASCII.
    event_description: Option<String>,
}

/// One credential of a response.
#[derive(ToSchema)]
pub(crate) struct IssuedCredential {
    /// The credential in its format: for `dc+sd-jwt` an SD-JWT ending in `~`.
    credential: String,
}

/// No access token, or one that is not good for this request.
#[derive(IntoResponses)]
#[response(
    status = 401,
    description = "No valid access token or DPoP proof (RFC 6750 §3, RFC 9449 §7.1); without any token the body is empty",
    headers(("WWW-Authenticate" = String, description = "For example `DPoP error=\"invalid_token\", algs=\"ES256 EdDSA\"`")),
    examples(
        ("invalid_token" = (summary = "Unknown or expired token, or sent with the wrong scheme",
            value = json!({"error": "invalid_token", "error_description": "the access token is not valid"}))),
        ("invalid_dpop_proof" = (summary = "Bad, replayed or missing proof",
            value = json!({"error": "invalid_dpop_proof", "error_description": "the DPoP proof is not valid (support code K7QF-2M9X)"}))),
        ("use_dpop_nonce" = (summary = "The proof must carry the nonce of the `DPoP-Nonce` header",
            value = json!({"error": "use_dpop_nonce", "error_description": "repeat the request with the nonce of the DPoP-Nonce header (support code K7QF-2M9X)"})))
    )
)]
pub(crate) struct Unauthorized(Error);

/// No organisation of that name, or nothing there.
#[derive(IntoResponses)]
#[response(
    status = 404,
    description = "No such organisation, or it is suspended, or nothing of that name",
    example = json!({"error": "not_found", "error_description": "nothing is here"})
)]
pub(crate) struct NotFound(Error);

/// Another method than the endpoint answers.
#[derive(IntoResponses)]
#[response(
    status = 405,
    description = "Method not allowed; `Allow` names the right ones",
    example = json!({"error": "invalid_request", "error_description": "this endpoint does not answer that method"})
)]
pub(crate) struct MethodNotAllowed(Error);

/// Too many bytes.
#[derive(IntoResponses)]
#[response(
    status = 413,
    description = "The body is larger than the endpoint reads",
    example = json!({"error": "invalid_request", "error_description": "the body is larger than this endpoint reads"})
)]
pub(crate) struct TooLarge(Error);

/// Not the wallet's doing.
#[derive(IntoResponses)]
pub(crate) enum Failed {
    /// Ours.
    #[response(
        status = 500,
        description = "The server failed; its log has the cause under `X-Request-Id`",
        example = json!({"error": "server_error", "error_description": "the server failed to answer"})
    )]
    Internal(Error),
    /// Passing.
    #[response(
        status = 503,
        description = "Something the server depends on is away, or the claims are not there yet; `Retry-After` says when to try again. Nothing was used up",
        example = json!({"error": "temporarily_unavailable", "error_description": "try again in a moment"})
    )]
    Unavailable(Error),
}

/// Patience.
#[derive(IntoResponses)]
#[response(
    status = 429,
    description = "Too many requests for this issuer or offer, of this client, or from this address; `Retry-After` says when to try again. Nothing was used up",
    example = json!({"error": "temporarily_unavailable", "error_description": "too many requests of this client, try again later"})
)]
pub(crate) struct TooMany(Error);

/// Patience of a person.
#[derive(IntoResponses)]
#[response(
    status = 429,
    description = "A page: too many requests for this issuer, or from this address; `Retry-After` says when to try again",
    content_type = "text/html",
    example = json!("<!doctype html>…<h1>There is a queue</h1>…")
)]
#[expect(dead_code, reason = "only describes an answer")]
pub(crate) struct TooManyPeople(String);
