//! What an authorization request can do wrong.

use chancery_model::ExchangeId;
use chancery_protocol::Explanation;
use chancery_protocol::authorization::{AuthorizationError, AuthorizationErrorCode};

use crate::SigningObstacle;

/// Why an authorization request is refused.
#[derive(Debug)]
pub enum Rejection {
    /// Its parameters.
    Request(AuthorizationError),
    /// The client is not admitted. Show this, and send it nowhere.
    ClientUnknown {
        /// What came, cut.
        got: String,
    },
    /// `resource` is not this issuer.
    Target {
        /// The issuer.
        expected: String,
        /// What came, cut.
        got: String,
    },
    /// `locations` do not name this issuer.
    Location {
        /// The issuer.
        expected: String,
    },
    /// No offer has this `issuer_state`.
    IssuerStateUnknown,
    /// The offer that `issuer_state` names has expired, was accepted, or was withdrawn.
    OfferOver {
        /// Whose transcript the refusal belongs to.
        exchange: ExchangeId,
    },
    /// `authorization_details` name a configuration that is not published, or not on offer.
    ConfigurationUnknown {
        /// What came, cut.
        got: String,
    },
    /// No `scope` value names a configuration, and there are no `authorization_details`.
    ScopeUnknown {
        /// What came, cut.
        got: String,
    },
    /// More configurations than one request may ask for.
    TooMany {
        /// The most.
        limit: usize,
        /// What came.
        got: usize,
    },
    /// Configurations of several definitions.
    SeveralDefinitions {
        /// Whether `authorization_details` asked for any of them.
        by_details: bool,
    },
    /// No key of the organisation can sign what is asked for.
    CannotSign {
        /// Whose transcript the refusal belongs to, if there was an offer.
        exchange: Option<ExchangeId>,
        /// Why.
        obstacle: SigningObstacle,
    },
}

impl From<AuthorizationError> for Rejection {
    fn from(error: AuthorizationError) -> Self {
        Self::Request(error)
    }
}

impl Rejection {
    /// The error code for the wallet.
    pub fn error(&self) -> AuthorizationErrorCode {
        match self {
            Self::Request(error) => error.code(),
            Self::ClientUnknown { .. } => AuthorizationErrorCode::UnauthorizedClient,
            Self::Target { .. } => AuthorizationErrorCode::InvalidTarget,
            Self::Location { .. } | Self::ConfigurationUnknown { .. } => {
                AuthorizationErrorCode::InvalidAuthorizationDetails
            }
            Self::IssuerStateUnknown | Self::OfferOver { .. } => AuthorizationErrorCode::InvalidRequest,
            Self::ScopeUnknown { .. } => AuthorizationErrorCode::InvalidScope,
            Self::TooMany { .. } => AuthorizationErrorCode::InvalidRequest,
            Self::SeveralDefinitions { by_details: true } => AuthorizationErrorCode::InvalidAuthorizationDetails,
            Self::SeveralDefinitions { by_details: false } => AuthorizationErrorCode::InvalidScope,
            Self::CannotSign { .. } => AuthorizationErrorCode::TemporarilyUnavailable,
        }
    }

    /// Whether the same request may succeed later.
    pub fn is_passing(&self) -> bool {
        self.error() == AuthorizationErrorCode::TemporarilyUnavailable
    }

    /// Whose transcript the refusal belongs to, as far as the refusal itself shows it.
    pub(crate) fn exchange(&self) -> Option<ExchangeId> {
        match self {
            Self::OfferOver { exchange } => Some(*exchange),
            Self::CannotSign { exchange, .. } => *exchange,
            Self::Request(_)
            | Self::ClientUnknown { .. }
            | Self::Target { .. }
            | Self::Location { .. }
            | Self::IssuerStateUnknown
            | Self::ConfigurationUnknown { .. }
            | Self::ScopeUnknown { .. }
            | Self::TooMany { .. }
            | Self::SeveralDefinitions { .. } => None,
        }
    }

    /// For the wallet's developer.
    pub fn description(&self) -> &'static str {
        match self {
            Self::Request(error) => match error {
                AuthorizationError::Missing { name: "client_id" } => "client_id is required",
                AuthorizationError::Missing { name: "redirect_uri" } => "redirect_uri is required",
                AuthorizationError::Missing { name: "code_challenge" } => {
                    "a code_challenge with method S256 is required"
                }
                AuthorizationError::Missing { .. } => "response_type code and client_id are required",
                AuthorizationError::TooLong { .. } => "a parameter is too long",
                AuthorizationError::RedirectUri(_) => "the redirect_uri is not valid for this client",
                AuthorizationError::ResponseType { .. } => "only response_type code is supported",
                AuthorizationError::ResponseMode { .. } => "only response_mode query is supported",
                AuthorizationError::Scope { .. } => "scope is malformed",
                AuthorizationError::AuthorizationDetails(_) => "authorization_details are malformed",
                AuthorizationError::CodeChallenge(_) => "a code_challenge with method S256 is required",
                AuthorizationError::DpopKeyMalformed { .. } => "dpop_jkt is not a thumbprint",
                AuthorizationError::DpopKeyMismatch { .. } => "dpop_jkt is not the key of the DPoP proof",
                AuthorizationError::RequestUriPushed => "request_uri cannot be pushed",
                AuthorizationError::RequestAndRequestUri => "send request or request_uri, not both",
                AuthorizationError::NestedRequestObject
                | AuthorizationError::RequestObjectClient { .. }
                | AuthorizationError::RequestObjectUnproven { .. }
                | AuthorizationError::RequestObjectForm(_) => "the request object is not valid",
            },
            Self::ClientUnknown { .. } => "this client_id is not admitted",
            Self::Target { .. } => "resource is not this credential issuer",
            Self::Location { .. } => "locations do not name this credential issuer",
            Self::IssuerStateUnknown | Self::OfferOver { .. } => "issuer_state names no open offer",
            Self::ConfigurationUnknown { .. } => "authorization_details name a configuration that is not offered",
            Self::ScopeUnknown { .. } => "scope names no credential configuration",
            Self::TooMany { .. } => "too many configurations are asked for",
            Self::SeveralDefinitions { .. } => "ask for these configurations one after the other",
            Self::CannotSign { .. } => "the issuer cannot issue now, try again later",
        }
    }

    /// For the transcript.
    pub(crate) fn explain(&self) -> Explanation {
        let (reason, help, spec_ref) = match self {
            Self::Request(error) => return error.explain(),
            Self::ClientUnknown { got } => (
                format!("the client_id `{got}` is not among those the organisation admits"),
                "have the client_id registered with the organisation",
                "RFC 6749 §4.1.2.1",
            ),
            Self::Target { expected, got } => (
                format!("resource is `{got}`, expected `{expected}`"),
                "send the Credential Issuer Identifier, byte for byte, or leave resource out",
                "RFC 8707 §2",
            ),
            Self::Location { expected } => (
                format!("locations do not contain `{expected}`"),
                "put the Credential Issuer Identifier into locations, or leave locations out",
                "OpenID4VCI 1.0 §5.1.1",
            ),
            Self::IssuerStateUnknown => (
                "no offer of this organisation has this issuer_state".to_owned(),
                "send issuer_state exactly as the offer has it, or leave it out",
                "OpenID4VCI 1.0 §5.1.3",
            ),
            Self::OfferOver { .. } => (
                "the offer that issuer_state names has expired, was accepted, or was withdrawn".to_owned(),
                "ask the organisation for a new offer, or leave issuer_state out",
                "OpenID4VCI 1.0 §5.1.3",
            ),
            Self::ConfigurationUnknown { got } => (
                format!(
                    "authorization_details name the configuration `{got}`, which is not published, or not on offer"
                ),
                "use a key of credential_configurations_supported, or one of the offer",
                "OpenID4VCI 1.0 §5.1.1",
            ),
            Self::ScopeUnknown { got } => (
                format!("scope is `{got}`, and none of its values is the scope of a configuration on offer"),
                "send the scope of a configuration as the issuer metadata has it, or authorization_details",
                "OpenID4VCI 1.0 §5.1.2",
            ),
            Self::TooMany { limit, got } => (
                format!("{got} configurations are asked for, at most {limit} are granted at once"),
                "ask for fewer",
                "OpenID4VCI 1.0 §5.1",
            ),
            Self::CannotSign { obstacle, .. } => return obstacle.explain(),
            Self::SeveralDefinitions { .. } => (
                "the configurations asked for belong to several definitions".to_owned(),
                "make one authorization request for each",
                "OpenID4VCI 1.0 §5.1",
            ),
        };
        Explanation { reason, help: help.into(), spec_ref }
    }
}
