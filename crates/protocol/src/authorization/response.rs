use std::fmt;

use url::form_urlencoded;

use super::RedirectUri;
use crate::{IssuerIdentifier, error_description};

/// An answer that a browser carries to the client (RFC 6749 §4.1.2, RFC 9207 §2).
#[derive(Clone)]
pub struct AuthorizationResponse<'a> {
    /// Where to. It must have been checked against the client's registered ones.
    pub redirect_uri: &'a RedirectUri,
    /// The `state` of the request, if it had one.
    pub state: Option<&'a str>,
    /// Who answers, on success and on error: without it, an answer can be taken for another server's (mix-up).
    pub issuer: &'a IssuerIdentifier,
    /// What.
    pub outcome: Outcome<'a>,
}

/// A code, or an error.
#[derive(Clone, Copy)]
pub enum Outcome<'a> {
    /// The authorization code. Secret.
    Code(&'a str),
    /// An error with words for the developer of the wallet.
    Error {
        /// The code.
        code: AuthorizationErrorCode,
        /// Brought into the character set of RFC 6749 §4.1.2.1.
        description: Option<&'a str>,
    },
}

impl fmt::Debug for Outcome<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(_) => formatter.write_str("Code"),
            Self::Error { code, .. } => write!(formatter, "Error({code})"),
        }
    }
}

impl AuthorizationResponse<'_> {
    /// The value of `Location`, to be sent with 303, which turns a POST into a GET (RFC 9700 §4.12). A query that the
    /// redirect URI has is kept.
    pub fn location(&self) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        match self.outcome {
            Outcome::Code(code) => {
                query.append_pair("code", code);
            }
            Outcome::Error { code, description } => {
                query.append_pair("error", code.name());
                if let Some(description) = description {
                    query.append_pair("error_description", &error_description(description));
                }
            }
        }
        if let Some(state) = self.state {
            query.append_pair("state", state);
        }
        query.append_pair("iss", self.issuer.as_str());
        let uri = self.redirect_uri.as_str();
        let joint = match uri.split_once('?') {
            None => "?",
            Some((_, own)) if own.is_empty() || own.ends_with('&') => "",
            Some(_) => "&",
        };
        format!("{uri}{joint}{}", query.finish())
    }
}

/// An error code of the authorization endpoint (RFC 6749 §4.1.2.1, RFC 8707 §2, RFC 9101 §7, RFC 9396 §5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AuthorizationErrorCode {
    /// A parameter is missing, malformed or repeated.
    InvalidRequest,
    /// The client may not ask this way.
    UnauthorizedClient,
    /// The person or the server said no.
    AccessDenied,
    /// Only `code` is answered.
    UnsupportedResponseType,
    /// The scope is malformed or unknown.
    InvalidScope,
    /// Something broke here.
    ServerError,
    /// Too much to do, or something else is broken.
    TemporarilyUnavailable,
    /// The resource is not ours.
    InvalidTarget,
    /// The request object is malformed or not the client's.
    InvalidRequestObject,
    /// The reference to a pushed request is unknown, used, expired, or another client's.
    InvalidRequestUri,
    /// Request objects are not read here.
    RequestNotSupported,
    /// The authorization details are malformed or unknown.
    InvalidAuthorizationDetails,
}

impl AuthorizationErrorCode {
    /// Every code.
    pub const ALL: [Self; 12] = [
        Self::InvalidRequest,
        Self::UnauthorizedClient,
        Self::AccessDenied,
        Self::UnsupportedResponseType,
        Self::InvalidScope,
        Self::ServerError,
        Self::TemporarilyUnavailable,
        Self::InvalidTarget,
        Self::InvalidRequestObject,
        Self::InvalidRequestUri,
        Self::RequestNotSupported,
        Self::InvalidAuthorizationDetails,
    ];

    /// The name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::AccessDenied => "access_denied",
            Self::UnsupportedResponseType => "unsupported_response_type",
            Self::InvalidScope => "invalid_scope",
            Self::ServerError => "server_error",
            Self::TemporarilyUnavailable => "temporarily_unavailable",
            Self::InvalidTarget => "invalid_target",
            Self::InvalidRequestObject => "invalid_request_object",
            Self::InvalidRequestUri => "invalid_request_uri",
            Self::RequestNotSupported => "request_not_supported",
            Self::InvalidAuthorizationDetails => "invalid_authorization_details",
        }
    }
}

impl fmt::Display for AuthorizationErrorCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use url::Url;

    use super::*;

    fn location(redirect_uri: &str, state: Option<&str>, outcome: Outcome<'_>) -> String {
        let issuer = IssuerIdentifier::parse("https://issuer.example/t/acme").unwrap();
        let redirect_uri = RedirectUri::parse(redirect_uri).unwrap();
        AuthorizationResponse { redirect_uri: &redirect_uri, state, issuer: &issuer, outcome }.location()
    }

    #[test]
    fn a_code_comes_with_state_and_issuer_by_aut_13() {
        assert_eq!(
            location("https://wallet.example/cb", Some("x1"), Outcome::Code("C1")),
            "https://wallet.example/cb?code=C1&state=x1&iss=https%3A%2F%2Fissuer.example%2Ft%2Facme"
        );
        let without = location("app://cb", None, Outcome::Code("C1"));
        assert_eq!(without, "app://cb?code=C1&iss=https%3A%2F%2Fissuer.example%2Ft%2Facme");
    }

    #[test]
    fn an_error_comes_with_state_and_issuer_too_by_aut_13() {
        let code = AuthorizationErrorCode::AccessDenied;
        let outcome = Outcome::Error { code, description: Some("the person said \"no\"") };
        assert_eq!(
            location("https://wallet.example/cb", Some("x1"), outcome),
            "https://wallet.example/cb?error=access_denied&error_description=the+person+said+%27no%27&state=x1\
             &iss=https%3A%2F%2Fissuer.example%2Ft%2Facme"
        );
    }

    #[test]
    fn a_query_of_the_redirect_uri_is_kept_by_aut_16() {
        for (uri, start) in [
            ("https://wallet.example/cb?a=1", "https://wallet.example/cb?a=1&code="),
            ("https://wallet.example/cb?", "https://wallet.example/cb?code="),
            ("https://wallet.example/cb?a=1&", "https://wallet.example/cb?a=1&code="),
            ("https://wallet.example", "https://wallet.example?code="),
        ] {
            assert!(location(uri, None, Outcome::Code("C")).starts_with(start), "{uri}");
        }
    }

    #[test]
    fn error_codes_have_distinct_names_by_aut_14() {
        let names: std::collections::BTreeSet<_> = AuthorizationErrorCode::ALL.map(|code| code.to_string()).into();
        assert_eq!(names.len(), AuthorizationErrorCode::ALL.len());
        assert!(format!("{:?}", Outcome::Code("secret")) == "Code");
    }

    proptest! {
        #[test]
        fn any_state_comes_back_and_injects_nothing(state in "\\PC{0,60}") {
            let location = location("https://wallet.example/cb?a=1", Some(&state), Outcome::Code("C1"));
            let url = Url::parse(&location).unwrap();
            let pairs: Vec<_> = url.query_pairs().into_owned().collect();
            let names: Vec<_> = pairs.iter().map(|(name, _)| name.as_str()).collect();
            prop_assert_eq!(names, ["a", "code", "state", "iss"]);
            prop_assert_eq!(&pairs[2].1, &state);
            prop_assert!(location.bytes().all(|byte| byte.is_ascii_graphic()));
        }
    }
}
