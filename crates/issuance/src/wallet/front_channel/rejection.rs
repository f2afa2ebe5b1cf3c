use chancery_protocol::Explanation;
use chancery_protocol::authorization::{AuthorizationError, AuthorizationErrorCode};
use chancery_protocol::form::FormError;
use serde_json::Value;

use crate::provider::ProviderError;
use crate::wallet::authorization_request;
use crate::wallet::trail::{Account, Accountable, Setback};

/// Why an authorization does not go on.
#[derive(Debug)]
pub enum Rejection {
    /// The query or the form cannot be read.
    Form(FormError),
    /// The request breaks rules.
    Request(AuthorizationError),
    /// What is asked for, or of whom.
    Asked(authorization_request::Rejection),
    /// The policy takes pushed requests only.
    PushedOnly,
    /// A request object came in the query; only pushed ones are read.
    ObjectNotPushed,
    /// The reference is unknown, expired or used, or the request ended otherwise.
    RequestUri,
    /// Another client has pushed the request.
    Client,
    /// The browser is not the one that began, or has lost its cookie.
    Browser,
    /// The answer of the provider belongs to nothing here, or came before.
    State,
    /// The time for signing in and deciding is over.
    TimeOver,
    /// The person has decided before, in another tab or by going back.
    Decided,
    /// The form of the consent page does not come from that page.
    Forged,
    /// The offer has expired, was used or was withdrawn.
    Offer,
    /// The organisation has connected no identity provider.
    NoProvider,
    /// The provider is away, or not to be believed. The text is for the organisation.
    Provider(ProviderFault),
    /// The provider sent an error instead of a code.
    ProviderSaysNo {
        /// Its code, cut.
        error: String,
        /// Whether the person, not the provider, said no.
        by_person: bool,
    },
    /// What the provider says about the person does not fit the definition, or contradicts the organisation.
    Claims {
        /// The claims, by their names.
        claims: Vec<String>,
        /// Whether the organisation says something else than the provider.
        contradiction: bool,
    },
    /// The offer gives claims of somebody, and nothing shows that the person who signed in is that one.
    AnotherPerson {
        /// Whether the organisation has said who it is, by an `iamId`.
        is_known: bool,
    },
    /// The person said no.
    Cancelled,
}

/// What is wrong with an identity provider.
#[derive(Debug)]
pub struct ProviderFault(pub(crate) ProviderError);

impl From<ProviderError> for Rejection {
    fn from(error: ProviderError) -> Self {
        Self::Provider(ProviderFault(error))
    }
}

impl From<FormError> for Rejection {
    fn from(error: FormError) -> Self {
        Self::Form(error)
    }
}

impl From<authorization_request::Rejection> for Rejection {
    fn from(rejection: authorization_request::Rejection) -> Self {
        Self::Asked(rejection)
    }
}

impl From<AuthorizationError> for Rejection {
    fn from(error: AuthorizationError) -> Self {
        Self::Request(error)
    }
}

const CONNECT: &str = "OpenID Connect Core 1.0 §3.1.2.5";
const AUTHORIZE: &str = "RFC 6749 §4.1.2.1";

impl Rejection {
    /// The code for the wallet (RFC 6749 §4.1.2.1).
    pub fn code(&self) -> AuthorizationErrorCode {
        use AuthorizationErrorCode as Code;

        match self {
            Self::Form(_) | Self::Client | Self::Forged => Code::InvalidRequest,
            Self::Request(error) => error.code(),
            Self::Asked(rejection) => rejection.error(),
            Self::PushedOnly => Code::InvalidRequest,
            Self::ObjectNotPushed => Code::RequestNotSupported,
            Self::RequestUri => Code::InvalidRequestUri,
            Self::Browser | Self::State | Self::TimeOver | Self::Decided => Code::AccessDenied,
            Self::Offer | Self::Cancelled | Self::Claims { .. } | Self::AnotherPerson { .. } => Code::AccessDenied,
            Self::NoProvider => Code::ServerError,
            Self::Provider(ProviderFault(error)) if error.is_passing() => Code::TemporarilyUnavailable,
            Self::Provider(_) => Code::ServerError,
            Self::ProviderSaysNo { by_person: true, .. } => Code::AccessDenied,
            Self::ProviderSaysNo { by_person: false, .. } => Code::ServerError,
        }
    }

    /// For the wallet's developer; says nothing about the person or the provider's inside.
    pub(super) fn description(&self) -> String {
        match self {
            Self::Form(error) => error.to_string(),
            Self::Request(error) => error.to_string(),
            Self::Asked(rejection) => rejection.description().to_owned(),
            Self::PushedOnly => "push the request first (RFC 9126)".to_owned(),
            Self::ObjectNotPushed => "request objects are read when they are pushed".to_owned(),
            Self::RequestUri => "request_uri is unknown, expired or used".to_owned(),
            Self::Client => "another client has pushed this request".to_owned(),
            Self::Browser | Self::State => "the answer came from another browser, or twice".to_owned(),
            Self::TimeOver => "the time for signing in is over".to_owned(),
            Self::Decided => "the person has decided before".to_owned(),
            Self::Forged => "the form does not come from the consent page".to_owned(),
            Self::Offer => "the offer has expired, was used or was withdrawn".to_owned(),
            Self::NoProvider => "the issuer has connected no identity provider".to_owned(),
            Self::Provider(ProviderFault(error)) if error.is_passing() => {
                "the identity provider of the issuer is not available".to_owned()
            }
            Self::Provider(_) | Self::ProviderSaysNo { by_person: false, .. } => {
                "the sign-in at the identity provider of the issuer failed".to_owned()
            }
            Self::ProviderSaysNo { by_person: true, .. } => "the person did not sign in".to_owned(),
            Self::Claims { .. } | Self::AnotherPerson { .. } => {
                "the issuer has no credential for the person who signed in".to_owned()
            }
            Self::Cancelled => "the person did not consent".to_owned(),
        }
    }

    fn explain(&self) -> Explanation {
        let own =
            |help: &'static str, spec_ref| Explanation { reason: self.description(), help: help.into(), spec_ref };
        match self {
            Self::Form(error) => error.explain(),
            Self::Request(error) => error.explain(),
            Self::Asked(rejection) => rejection.explain(),
            Self::PushedOnly => own("push the request to pushed_authorization_request_endpoint", "RFC 9126 §4"),
            Self::ObjectNotPushed => own("push the request object", "RFC 9101 §5"),
            Self::RequestUri => own("push the request again, and use each request_uri once, in time", "RFC 9126 §2.2"),
            Self::Client => own("send the client_id that pushed the request", "RFC 9126 §2.2"),
            Self::Browser | Self::State => own(
                "let the person sign in and consent in one browser that keeps cookies; open each answer once",
                "RFC 9700 §4.7",
            ),
            Self::TimeOver => own("let the person begin again in the wallet", AUTHORIZE),
            Self::Decided => own("let the person begin again in the wallet", AUTHORIZE),
            Self::Forged => own("send the form of the consent page as it is", "RFC 9700 §4.7"),
            Self::Offer => own("ask the organisation for a new offer", "OpenID4VCI 1.0 §4.1.1"),
            Self::NoProvider => own("connect an identity provider over the management API", AUTHORIZE),
            Self::Provider(ProviderFault(error)) => error.explain(),
            Self::ProviderSaysNo { error, by_person } => Explanation {
                reason: format!("the identity provider answered {error}"),
                help: match by_person {
                    true => "the person cancelled; nothing is wrong".into(),
                    false => "compare client id, redirect URI and scopes with what the provider has registered".into(),
                },
                spec_ref: CONNECT,
            },
            Self::Claims { claims, contradiction } => {
                let names = claims.join(", ");
                let (reason, help) = match contradiction {
                    true => (
                        format!("the identity provider says something else than the issue call about: {names}"),
                        "let the person sign in for whom the offer was made, or leave these claims out of one of the two",
                    ),
                    false => (
                        format!("after the sign-in these claims are missing or do not fit the definition: {names}"),
                        "compare identityMapping of the definition with the claims and scopes of the provider",
                    ),
                };
                Explanation { reason, help: help.into(), spec_ref: "OpenID4VCI 1.0 §5.2" }
            }
            Self::AnotherPerson { is_known } => {
                let (reason, help) = match is_known {
                    true => (
                        "the sub of the person who signed in is not the iamId of the individual the offer was made for",
                        "let the person sign in for whom the offer was made, or correct iamId",
                    ),
                    false => (
                        "the identity provider says nothing about the claims by which the offer is bound to a person",
                        "have the provider release one of the mapped claims that the issue call gives, or set iamId",
                    ),
                };
                Explanation { reason: reason.to_owned(), help: help.into(), spec_ref: "OpenID4VCI 1.0 §5.1.3" }
            }
            Self::Cancelled => own("the person cancelled; nothing is wrong", AUTHORIZE),
        }
    }
}

impl Accountable for Rejection {
    fn account(&self) -> Account {
        let message = match self {
            Self::Form(_) | Self::Request(_) | Self::Asked(_) => "authorize.request_invalid",
            Self::PushedOnly | Self::ObjectNotPushed => "authorize.not_pushed",
            Self::RequestUri => "authorize.request_uri_unusable",
            Self::Client => "authorize.client_mismatch",
            Self::Browser => "sign_in.other_browser",
            Self::State => "sign_in.state_unknown",
            Self::TimeOver => "sign_in.time_over",
            Self::Decided => "consent.decided_before",
            Self::Forged => "consent.forged",
            Self::Offer => "authorize.offer_unusable",
            Self::NoProvider => "sign_in.no_provider",
            Self::Provider(_) => "sign_in.provider_failed",
            Self::ProviderSaysNo { .. } => "sign_in.provider_refused",
            Self::Claims { contradiction: true, .. } => "sign_in.claims_contradict",
            Self::Claims { contradiction: false, .. } => "sign_in.claims_unfit",
            Self::AnotherPerson { .. } => "sign_in.another_person",
            Self::Cancelled => "consent.refused",
        };
        let explanation = self.explain();
        let event = Setback {
            kind: if matches!(self, Self::Cancelled) { "consent_refused" } else { "authorization_failed" },
            error: self.code().name(),
            code: message,
        };
        Account { message, explanation, data: Value::Null, event: Some(event), is_dialogue: false }
    }
}
