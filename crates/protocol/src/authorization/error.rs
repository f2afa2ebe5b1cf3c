use thiserror::Error;

use super::{AuthorizationErrorCode, PkceError, RedirectUriError};
use crate::Explanation;
use crate::authorization_details::AuthorizationDetailsError;
use crate::form::FormError;

/// Why an authorization request is refused before any client or offer is looked up.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AuthorizationError {
    /// A required parameter is absent or empty.
    #[error("parameter `{name}` is missing")]
    Missing {
        /// The parameter.
        name: &'static str,
    },
    /// A parameter is too long.
    #[error("parameter `{name}` has {got} bytes, at most {limit} are read")]
    TooLong {
        /// The parameter.
        name: &'static str,
        /// Bytes allowed.
        limit: usize,
        /// Bytes received.
        got: usize,
    },
    /// `redirect_uri` is none.
    #[error("`redirect_uri`: {0}")]
    RedirectUri(RedirectUriError),
    /// Another response type than `code`.
    #[error("`response_type` is `{got}`, expected `code`")]
    ResponseType {
        /// What came.
        got: String,
    },
    /// Another response mode than `query`.
    #[error("`response_mode` is `{got}`, expected `query`, or none")]
    ResponseMode {
        /// What came.
        got: String,
    },
    /// `scope` has characters that no scope has, or too many values.
    #[error("`scope` is `{got}`, expected up to 64 values between single spaces")]
    Scope {
        /// What came.
        got: String,
    },
    /// `authorization_details` are refused.
    #[error(transparent)]
    AuthorizationDetails(#[from] AuthorizationDetailsError),
    /// `code_challenge` or its method is refused.
    #[error(transparent)]
    CodeChallenge(PkceError),
    /// `dpop_jkt` is no thumbprint.
    #[error("`dpop_jkt` is `{got}`, expected the SHA-256 thumbprint of a JWK: 43 characters of base64url")]
    DpopKeyMalformed {
        /// What came.
        got: String,
    },
    /// `dpop_jkt` names another key than the one that signed the DPoP proof.
    #[error("`dpop_jkt` is `{got}`, but the DPoP proof is signed with the key `{expected}`")]
    DpopKeyMismatch {
        /// Thumbprint of the proof's key.
        expected: String,
        /// What came.
        got: String,
    },
    /// A pushed request refers to another one.
    #[error("the pushed request has `request_uri`")]
    RequestUriPushed,
    /// A request object comes by value and by reference.
    #[error("the request has both `request` and `request_uri`")]
    RequestAndRequestUri,
    /// A request object holds or refers to another one.
    #[error("the request object has `request` or `request_uri` inside")]
    NestedRequestObject,
    /// A request object is about another client.
    #[error("`client_id` of the request object is `{got}`, expected `{expected}`")]
    RequestObjectClient {
        /// The parameter outside.
        expected: String,
        /// What came; empty when absent.
        got: String,
    },
    /// Nothing proves that the client made the request object, for this server and for now.
    #[error("the request object: {reason}")]
    RequestObjectUnproven {
        /// What is wrong with it.
        reason: String,
    },
    /// The claims of a request object make no acceptable parameters.
    #[error("the request object: {0}")]
    RequestObjectForm(FormError),
}

impl AuthorizationError {
    /// The OAuth error code (RFC 6749 §4.1.2.1, RFC 9396 §5, RFC 9101 §7).
    pub fn code(&self) -> AuthorizationErrorCode {
        match self {
            Self::Missing { .. }
            | Self::TooLong { .. }
            | Self::RedirectUri(_)
            | Self::ResponseMode { .. }
            | Self::CodeChallenge(_)
            | Self::DpopKeyMalformed { .. }
            | Self::DpopKeyMismatch { .. }
            | Self::RequestUriPushed
            | Self::RequestAndRequestUri => AuthorizationErrorCode::InvalidRequest,
            Self::ResponseType { .. } => AuthorizationErrorCode::UnsupportedResponseType,
            Self::Scope { .. } => AuthorizationErrorCode::InvalidScope,
            Self::AuthorizationDetails(_) => AuthorizationErrorCode::InvalidAuthorizationDetails,
            Self::NestedRequestObject
            | Self::RequestObjectClient { .. }
            | Self::RequestObjectUnproven { .. }
            | Self::RequestObjectForm(_) => AuthorizationErrorCode::InvalidRequestObject,
        }
    }

    /// The same for the wallet's developer.
    pub fn explain(&self) -> Explanation {
        const REQUEST: &str = "RFC 6749 §4.1.1";
        let (help, spec_ref) = match self {
            Self::Missing { name: "code_challenge" } => (
                "send `code_challenge`, base64url of the SHA-256 of the code verifier, and `code_challenge_method=S256`",
                "RFC 7636 §4.3",
            ),
            Self::Missing { .. } => ("send `response_type=code` and `client_id`", REQUEST),
            Self::TooLong { .. } => ("send a shorter value", REQUEST),
            Self::RedirectUri(error) => (error.help(), "RFC 6749 §3.1.2"),
            Self::ResponseType { .. } => ("send `response_type=code`", "RFC 6749 §3.1.1"),
            Self::ResponseMode { .. } => ("leave `response_mode` out", REQUEST),
            Self::Scope { .. } => (
                "send `scope` as the configurations in the issuer metadata have it, separated by spaces",
                "RFC 6749 §3.3",
            ),
            Self::AuthorizationDetails(error) => return error.explain(),
            Self::CodeChallenge(error) => (error.help(), "RFC 7636 §4.3"),
            Self::DpopKeyMalformed { .. } => ("send the RFC 7638 thumbprint of the DPoP key", "RFC 9449 §10"),
            Self::DpopKeyMismatch { .. } => {
                ("use one DPoP key, or leave `dpop_jkt` out of a pushed request with a `DPoP` header", "RFC 9449 §10.1")
            }
            Self::RequestUriPushed => ("push the parameters themselves", "RFC 9126 §2.1"),
            Self::RequestAndRequestUri => ("send one of `request` and `request_uri`", "RFC 9101 §5"),
            Self::NestedRequestObject => ("leave `request` and `request_uri` out of the request object", "RFC 9101 §4"),
            Self::RequestObjectClient { .. } => {
                ("put the same `client_id` into the request object as beside it", "RFC 9101 §5")
            }
            Self::RequestObjectUnproven { .. } => (
                "sign the request object with a key registered for the client, or with the key that its attestation names, \
                 and set `aud` to `issuer` of the authorization server metadata",
                "RFC 9101 §6",
            ),
            Self::RequestObjectForm(error) => return Explanation { reason: self.to_string(), ..error.explain() },
        };
        Explanation::new(self, help, spec_ref)
    }
}
