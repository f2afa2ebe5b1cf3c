use chancery_protocol::{Explanation, excerpt};
use openidconnect::core::CoreErrorResponseType;
use openidconnect::{
    ClaimsVerificationError, DiscoveryError, RequestTokenError, SignatureVerificationError, StandardErrorResponse,
    UserInfoError,
};

use crate::outbound::OutboundError;

/// Why a person could not be signed in. No variant holds a secret or a claim.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ProviderError {
    /// It does not answer.
    #[error("the identity provider does not answer: {0}")]
    Unreachable(String),
    /// One of its URLs may not be asked, or its answer is too large.
    #[error("the identity provider may not be asked: {0}")]
    NotAsked(String),
    /// It answers with an unexpected status; a redirect is one.
    #[error("the {document} of the identity provider was answered with status {status}")]
    Status {
        /// What was asked for.
        document: &'static str,
        /// The status.
        status: u16,
    },
    /// An answer cannot be read, or says something about another issuer.
    #[error("the {document} of the identity provider cannot be used: {reason}")]
    Document {
        /// What was asked for.
        document: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// The token endpoint refused the code or us.
    #[error("the token endpoint of the identity provider refused the code: {0}")]
    Refused(String),
    /// The answer of the token endpoint has no ID token.
    #[error("the identity provider answered without an ID token")]
    NoIdToken,
    /// The ID token is not to be believed.
    #[error("the ID token is refused: {0}")]
    IdToken(&'static str),
    /// The userinfo response is not to be believed.
    #[error("the userinfo response is refused: {0}")]
    UserInfo(&'static str),
    /// `iss` beside the code is absent although promised, or another (RFC 9207 §2.4).
    #[error("iss of the answer is not the identity provider that the person was sent to")]
    ResponseIssuer,
    /// Another provider was connected while the person was away.
    #[error("the identity provider was replaced meanwhile")]
    Replaced,
    /// The metadata name no token endpoint.
    #[error("the identity provider has no token endpoint")]
    NoTokenEndpoint,
    /// Something that was a URL is none.
    #[error("a URL cannot be read")]
    NotAUrl,
    /// The client secret does not open.
    #[error("the client secret cannot be opened")]
    Secret,
    /// `private_key_jwt` without an active key.
    #[error("the organisation has no active signing key for private_key_jwt")]
    NoSigningKey,
}

impl ProviderError {
    /// Whether trying again may help.
    pub(crate) fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::Replaced => true,
            Self::Status { status, .. } => *status >= 500,
            Self::NotAsked(_)
            | Self::Document { .. }
            | Self::Refused(_)
            | Self::NoIdToken
            | Self::IdToken(_)
            | Self::UserInfo(_)
            | Self::ResponseIssuer
            | Self::NoTokenEndpoint
            | Self::NotAUrl
            | Self::Secret
            | Self::NoSigningKey => false,
        }
    }

    /// The same for the organisation.
    pub(crate) fn explain(&self) -> Explanation {
        let (help, spec_ref) = match self {
            Self::Unreachable(_) => ("see whether the provider is up and reachable from here", DISCOVERY),
            Self::NotAsked(_) => (
                "use an https URL with a public address, or let the deployment allow others (outbound.addresses)",
                DISCOVERY,
            ),
            Self::Status { .. } | Self::Document { .. } | Self::NoTokenEndpoint | Self::NotAUrl => (
                "compare the issuer URL with the one in the provider's discovery document; redirects are not followed",
                DISCOVERY,
            ),
            Self::Refused(_) => (
                "compare client id, secret, authentication method and redirect URI with what the provider has registered",
                "OpenID Connect Core 1.0 §3.1.3.4",
            ),
            Self::NoIdToken => ("let the provider grant the scope openid", "OpenID Connect Core 1.0 §3.1.3.3"),
            Self::IdToken(_) => ("compare issuer, client id, keys and clock of the provider", ID_TOKEN),
            Self::UserInfo(_) => {
                ("let the provider answer JSON about the same sub as in the ID token", "OpenID Connect Core 1.0 §5.3.2")
            }
            Self::ResponseIssuer => ("let the provider send its own issuer identifier as iss", "RFC 9207 §2.4"),
            Self::Replaced => ("let the person begin again", DISCOVERY),
            Self::Secret => ("connect the provider again with its client secret", DISCOVERY),
            Self::NoSigningKey => ("activate a signing key, or use a client secret", "RFC 7523 §2.2"),
        };
        Explanation { reason: self.to_string(), help: help.into(), spec_ref }
    }
}

const DISCOVERY: &str = "OpenID Connect Discovery 1.0 §4";
const ID_TOKEN: &str = "OpenID Connect Core 1.0 §3.1.3.7";

impl From<DiscoveryError<OutboundError>> for ProviderError {
    fn from(error: DiscoveryError<OutboundError>) -> Self {
        let document = "discovery document or key set";
        #[expect(clippy::wildcard_enum_match_arm, reason = "the library may add causes")]
        match error {
            DiscoveryError::Request(error) => error.into(),
            DiscoveryError::Response(status, ..) if !status.is_success() => {
                Self::Status { document, status: status.as_u16() }
            }
            DiscoveryError::Response(..) => {
                Self::Document { document, reason: "it is not JSON by its content type".to_owned() }
            }
            DiscoveryError::Parse(error) => Self::Document {
                document,
                reason: format!("it cannot be read at {}", excerpt(&error.path().to_string())),
            },
            DiscoveryError::Validation(reason) => Self::Document { document, reason: excerpt(&reason) },
            DiscoveryError::UrlParse(_) => Self::NotAUrl,
            // The enumeration is open.
            _ => Self::Document { document, reason: "it cannot be used".to_owned() },
        }
    }
}

type TokenError = RequestTokenError<OutboundError, StandardErrorResponse<CoreErrorResponseType>>;

impl From<TokenError> for ProviderError {
    fn from(error: TokenError) -> Self {
        let document = "token response";
        match error {
            RequestTokenError::ServerResponse(answer) => Self::Refused(excerpt(answer.error().as_ref())),
            RequestTokenError::Request(error) => error.into(),
            RequestTokenError::Parse(error, _) => Self::Document {
                document,
                reason: format!("it cannot be read at {}", excerpt(&error.path().to_string())),
            },
            RequestTokenError::Other(_) => {
                Self::Document { document, reason: "it is empty, or its status is no success".to_owned() }
            }
        }
    }
}

impl From<UserInfoError<OutboundError>> for ProviderError {
    fn from(error: UserInfoError<OutboundError>) -> Self {
        #[expect(clippy::wildcard_enum_match_arm, reason = "the library may add causes")]
        match error {
            UserInfoError::Request(error) => error.into(),
            UserInfoError::Response(status, ..) => {
                Self::Status { document: "userinfo response", status: status.as_u16() }
            }
            UserInfoError::ClaimsVerification(ClaimsVerificationError::InvalidSubject(_)) => {
                Self::UserInfo("sub is another than in the ID token")
            }
            // The enumeration is open, and the texts may quote claims.
            _ => Self::UserInfo("it cannot be read"),
        }
    }
}

impl From<ClaimsVerificationError> for ProviderError {
    /// The library's texts may quote claims; these do not.
    fn from(error: ClaimsVerificationError) -> Self {
        use ClaimsVerificationError as Error;
        use SignatureVerificationError as Signature;

        #[expect(clippy::wildcard_enum_match_arm, reason = "the library may add causes")]
        let reason = match error {
            Error::Expired(reason) if reason.starts_with("iat") => "iat is in the future or long ago",
            Error::Expired(_) => "it has expired",
            Error::InvalidAudience(_) => "aud is not our client id alone",
            Error::InvalidIssuer(_) => "iss is another issuer",
            Error::InvalidNonce(_) => "nonce is not the one that was sent",
            Error::SignatureVerification(Signature::NoMatchingKey) => "no key of the provider fits its kid and alg",
            Error::SignatureVerification(Signature::NoSignature) => "it is not signed",
            Error::SignatureVerification(Signature::DisallowedAlg(_) | Signature::UnsupportedAlg(_)) => {
                "alg is none of RS256, PS256, ES256, ES384, EdDSA"
            }
            Error::SignatureVerification(_) => "the signature does not verify",
            Error::Unsupported(_) => "it is encrypted, or of an unknown type",
            _ => "a claim has the wrong form",
        };
        Self::IdToken(reason)
    }
}
