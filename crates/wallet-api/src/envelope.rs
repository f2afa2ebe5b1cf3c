//! How refusals and failures look to wallets (RFC 6749 §5.2, OpenID4VCI §8.3.1).

use std::convert::Infallible;

use axum::Json;
use axum::http::header::{HeaderName, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use chancery_issuance::Failure;
use chancery_protocol::ErrorBody;

/// Seconds after which a wallet may try again when something we depend on is away.
const RETRY_SECONDS: u32 = 2;

/// An error answer.
#[derive(Debug)]
pub(crate) struct Envelope {
    status: StatusCode,
    /// `None`: no body.
    error: Option<&'static str>,
    description: String,
    headers: Vec<(HeaderName, String)>,
}

impl Envelope {
    /// An answer with this status and OAuth error code. `description` is for the wallet's developer and names no secret.
    pub(crate) fn new(status: StatusCode, error: &'static str, description: impl Into<String>) -> Self {
        Self { status, error: Some(error), description: description.into(), headers: Vec::new() }
    }

    /// An answer without a body.
    pub(crate) fn empty(status: StatusCode) -> Self {
        Self { status, error: None, description: String::new(), headers: Vec::new() }
    }

    /// Adds a `WWW-Authenticate` challenge.
    pub(crate) fn challenge(mut self, challenge: String) -> Self {
        self.headers.push((WWW_AUTHENTICATE, challenge));
        self
    }

    /// Tells when to try again, in seconds.
    pub(crate) fn retry_after(mut self, seconds: u32) -> Self {
        self.headers.push((RETRY_AFTER, seconds.to_string()));
        self
    }

    /// Nothing is there.
    pub(crate) fn not_found(description: &'static str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", description)
    }

    /// Something we depend on is away.
    pub(crate) fn unavailable() -> Self {
        Self::temporarily_unavailable("try again in a moment")
    }

    /// The same request may succeed later.
    pub(crate) fn temporarily_unavailable(description: &'static str) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable", description).retry_after(RETRY_SECONDS)
    }

    /// Our fault.
    pub(crate) fn internal() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "server_error", "the server failed to answer")
    }

    /// The body is larger than the endpoint reads.
    pub(crate) fn too_large(error: &'static str) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, error, "the body is larger than this endpoint reads")
    }

    /// Names the transcript entry that tells more.
    pub(crate) fn support(mut self, code: Option<String>) -> Self {
        if let Some(code) = code {
            self.description.push_str(&format!(" (support code {code})"));
        }
        self
    }

    /// The answer to a failed use case: a refusal by `refuse`, everything else without its cause, which is logged here.
    pub(crate) fn of<R>(failure: Failure<R>, refuse: impl FnOnce(R) -> Self) -> Self {
        match failure {
            Failure::Rejected(rejection) => refuse(rejection),
            Failure::Unavailable(cause) => {
                tracing::warn!(cause = format!("{cause:#}"), "a dependency is away");
                Self::unavailable()
            }
            Failure::Internal(cause) => {
                tracing::error!(cause = format!("{cause:#}"), "the request failed");
                Self::internal()
            }
        }
    }
}

impl From<Failure<Infallible>> for Envelope {
    fn from(failure: Failure<Infallible>) -> Self {
        Self::of(failure, |never| match never {})
    }
}

impl IntoResponse for Envelope {
    fn into_response(self) -> Response {
        let mut response = match self.error {
            Some(error) => (self.status, Json(ErrorBody::new(error, Some(&self.description)))).into_response(),
            None => self.status.into_response(),
        };
        for (name, value) in self.headers {
            // Values are made of our own ASCII text, so this does not fail; if it did, the header would be left out.
            if let Ok(value) = HeaderValue::from_str(&value) {
                response.headers_mut().append(name, value);
            }
        }
        response
    }
}

/// 405; the router adds `Allow`.
pub(crate) async fn method_not_allowed() -> Envelope {
    Envelope::new(StatusCode::METHOD_NOT_ALLOWED, "invalid_request", "this endpoint does not answer that method")
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;
    use chancery_issuance::Failure;
    use serde_json::{Value, json};

    use super::*;

    async fn read(envelope: Envelope) -> (StatusCode, Value) {
        let response = envelope.into_response();
        let status = response.status();
        let body = to_bytes(response.into_body(), 4096).await.unwrap();
        (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
    }

    #[tokio::test]
    async fn a_refusal_ends_in_its_support_code_and_keeps_the_character_set_of_cre_12() {
        let envelope = Envelope::new(StatusCode::BAD_REQUEST, "invalid_proof", "the \"key\" proof is not valid");
        let (status, body) = read(envelope.support(Some("K7QF-2M9X".to_owned()))).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
        let description = "the 'key' proof is not valid (support code K7QF-2M9X)";
        assert_eq!(body, json!({ "error": "invalid_proof", "error_description": description }));
    }

    #[tokio::test]
    async fn a_cause_never_reaches_a_body() {
        for (failure, expected) in [
            (Failure::<Infallible>::Unavailable(anyhow::anyhow!("10.0.0.7 refused")), StatusCode::SERVICE_UNAVAILABLE),
            (Failure::Internal(anyhow::anyhow!("secret")), StatusCode::INTERNAL_SERVER_ERROR),
        ] {
            let (status, body) = read(failure.into()).await;
            assert_eq!(status, expected);
            assert!(!body.to_string().contains("10.0.0.7") && !body.to_string().contains("secret"));
        }
    }

    #[test]
    fn a_passing_failure_says_when_to_try_again() {
        assert_eq!(Envelope::unavailable().into_response().headers()[RETRY_AFTER], "2");
    }

    #[test]
    fn without_a_token_the_answer_has_challenges_and_no_body_by_cre_4() {
        let envelope = Envelope::empty(StatusCode::UNAUTHORIZED);
        let response =
            envelope.challenge("DPoP algs=\"ES256\"".to_owned()).challenge("Bearer".to_owned()).into_response();
        let challenges: Vec<_> = response.headers().get_all(WWW_AUTHENTICATE).iter().collect();
        assert_eq!(challenges, ["DPoP algs=\"ES256\"", "Bearer"]);
    }
}
