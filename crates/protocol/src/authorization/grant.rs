//! Token requests that follow an authorization (RFC 6749 §4.1.3, §6; OpenID4VCI §6.1).

use std::fmt;

use thiserror::Error;

use super::{VALUE_LIMIT, scope};
use crate::authorization_details::{AuthorizationDetail, AuthorizationDetailsError};
use crate::form::Form;
use crate::{Explanation, excerpt};

/// The grant type of authorization codes.
pub const AUTHORIZATION_CODE_GRANT: &str = "authorization_code";

/// The grant type of refresh tokens.
pub const REFRESH_TOKEN_GRANT: &str = "refresh_token";

/// Redeems an authorization code. `Debug` shows neither code nor verifier.
#[derive(Clone, PartialEq, Eq)]
pub struct AuthorizationCodeRequest {
    /// The code. Secret.
    pub code: String,
    /// Must be the one of the authorization request, if that had one, byte for byte.
    pub redirect_uri: Option<String>,
    /// Must hash to the code challenge. Secret.
    pub code_verifier: Option<String>,
    /// The client, unless it is named by how it authenticates.
    pub client_id: Option<String>,
    /// A subset of what was granted (OpenID4VCI §6.1.1); `None` when the parameter is absent, never empty.
    pub authorization_details: Option<Vec<AuthorizationDetail>>,
    /// Resource indicators (RFC 8707); a foreign one is `invalid_target`.
    pub resource: Vec<String>,
}

/// Asks for a new access token. `Debug` does not show the refresh token.
#[derive(Clone, PartialEq, Eq)]
pub struct RefreshRequest {
    /// The refresh token. Secret.
    pub refresh_token: String,
    /// Less than was granted, or the same; more is `invalid_scope` (RFC 6749 §6). Empty when absent.
    pub scope: Vec<String>,
    /// The client, unless it is named by how it authenticates.
    pub client_id: Option<String>,
    /// A subset of what was granted (RFC 9396 §6); `None` when the parameter is absent, never empty.
    pub authorization_details: Option<Vec<AuthorizationDetail>>,
    /// Resource indicators (RFC 8707); a foreign one is `invalid_target`.
    pub resource: Vec<String>,
}

/// Why such a request is refused before any code or token is looked up.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum GrantError {
    /// Another grant type.
    #[error("`grant_type` is `{got}`, expected `{expected}`")]
    GrantType {
        /// The one that is read here.
        expected: &'static str,
        /// What came; empty when absent.
        got: String,
    },
    /// A required parameter is absent or empty.
    #[error("parameter `{name}` is missing")]
    Missing {
        /// The parameter.
        name: &'static str,
    },
    /// A parameter is longer than 2048 bytes.
    #[error("parameter `{name}` has {got} bytes, at most {VALUE_LIMIT} are read")]
    TooLong {
        /// The parameter.
        name: &'static str,
        /// Bytes received.
        got: usize,
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
}

impl GrantError {
    /// The OAuth error code (RFC 6749 §5.2, RFC 9396 §5).
    pub fn code(&self) -> &'static str {
        match self {
            Self::GrantType { .. } => "unsupported_grant_type",
            Self::Missing { .. } | Self::TooLong { .. } => "invalid_request",
            Self::Scope { .. } => "invalid_scope",
            Self::AuthorizationDetails(_) => "invalid_authorization_details",
        }
    }

    /// The same for the wallet's developer.
    pub fn explain(&self) -> Explanation {
        let (help, spec_ref) = match self {
            Self::GrantType { .. } => (
                "use a grant type listed in `grant_types_supported` of the authorization server metadata",
                "RFC 6749 §5.2",
            ),
            Self::Missing { name: "refresh_token" } => {
                ("send the refresh token of the token response as `refresh_token`", "RFC 6749 §6")
            }
            Self::Missing { .. } => ("send the code of the authorization response as `code`", "RFC 6749 §4.1.3"),
            Self::TooLong { .. } => ("send the value exactly as it was given out", "RFC 6749 §4.1.3"),
            Self::Scope { .. } => ("leave `scope` out to keep what was granted", "RFC 6749 §6"),
            Self::AuthorizationDetails(error) => return error.explain(),
        };
        Explanation::new(self, help, spec_ref)
    }
}

impl AuthorizationCodeRequest {
    /// Reads a token request of grant type `authorization_code`. Unknown parameters are ignored (RFC 6749 §3.2).
    pub fn parse(form: &Form) -> Result<Self, GrantError> {
        grant_type(form, AUTHORIZATION_CODE_GRANT)?;
        Ok(Self {
            code: required(form, "code")?,
            redirect_uri: optional(form, "redirect_uri")?,
            code_verifier: optional(form, "code_verifier")?,
            client_id: optional(form, "client_id")?,
            authorization_details: details(form)?,
            resource: resource(form),
        })
    }
}

impl RefreshRequest {
    /// Reads a token request of grant type `refresh_token`. Unknown parameters are ignored (RFC 6749 §3.2).
    pub fn parse(form: &Form) -> Result<Self, GrantError> {
        grant_type(form, REFRESH_TOKEN_GRANT)?;
        let text = form.get("scope").unwrap_or_default();
        Ok(Self {
            refresh_token: required(form, "refresh_token")?,
            scope: scope(text).map_err(|_| GrantError::Scope { got: excerpt(text) })?,
            client_id: optional(form, "client_id")?,
            authorization_details: details(form)?,
            resource: resource(form),
        })
    }
}

impl fmt::Debug for AuthorizationCodeRequest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("AuthorizationCodeRequest")
            .field("redirect_uri", &self.redirect_uri)
            .field("code_verifier_present", &self.code_verifier.is_some())
            .field("client_id", &self.client_id)
            .field("authorization_details", &self.authorization_details)
            .field("resource", &self.resource)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for RefreshRequest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("RefreshRequest")
            .field("scope", &self.scope)
            .field("client_id", &self.client_id)
            .field("authorization_details", &self.authorization_details)
            .field("resource", &self.resource)
            .finish_non_exhaustive()
    }
}

fn grant_type(form: &Form, expected: &'static str) -> Result<(), GrantError> {
    match form.get("grant_type") {
        Some(got) if got == expected => Ok(()),
        got => Err(GrantError::GrantType { expected, got: excerpt(got.unwrap_or_default()) }),
    }
}

fn required(form: &Form, name: &'static str) -> Result<String, GrantError> {
    optional(form, name)?.ok_or(GrantError::Missing { name })
}

fn optional(form: &Form, name: &'static str) -> Result<Option<String>, GrantError> {
    match form.get(name) {
        Some(value) if value.len() > VALUE_LIMIT => Err(GrantError::TooLong { name, got: value.len() }),
        value => Ok(value.map(str::to_owned)),
    }
}

fn details(form: &Form) -> Result<Option<Vec<AuthorizationDetail>>, AuthorizationDetailsError> {
    form.get("authorization_details").map(AuthorizationDetail::parse_list).transpose()
}

fn resource(form: &Form) -> Vec<String> {
    form.all("resource").into_iter().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(body: &str) -> Result<AuthorizationCodeRequest, GrantError> {
        AuthorizationCodeRequest::parse(&Form::parse(body.as_bytes()).unwrap())
    }

    fn refresh(body: &str) -> Result<RefreshRequest, GrantError> {
        RefreshRequest::parse(&Form::parse(body.as_bytes()).unwrap())
    }

    #[test]
    fn a_code_is_redeemed_with_its_verifier_and_redirect_uri() {
        let request = code(
            "grant_type=authorization_code&code=C1&redirect_uri=https%3A%2F%2Fwallet.example%2Fcb&code_verifier=v\
             &client_id=w&resource=https%3A%2F%2Fissuer.example&x=1",
        );
        let request = request.unwrap();
        assert_eq!((request.code.as_str(), request.code_verifier.as_deref()), ("C1", Some("v")));
        assert_eq!(request.redirect_uri.as_deref(), Some("https://wallet.example/cb"));
        assert_eq!((request.client_id.as_deref(), request.authorization_details), (Some("w"), None));
        assert_eq!(request.resource, ["https://issuer.example"]);
    }

    #[test]
    fn a_refresh_may_ask_for_less_by_tok_13() {
        let request = refresh("grant_type=refresh_token&refresh_token=rt1&scope=a+b+a&client_id=w").unwrap();
        assert_eq!((request.refresh_token.as_str(), request.scope), ("rt1", vec!["a".to_owned(), "b".to_owned()]));
        assert!(refresh("grant_type=refresh_token&refresh_token=rt1").unwrap().scope.is_empty());
        let error = refresh("grant_type=refresh_token&refresh_token=rt1&scope=a%22b").unwrap_err();
        assert_eq!((error.code(), &error), ("invalid_scope", &GrantError::Scope { got: "a\"b".to_owned() }));
    }

    #[test]
    fn missing_long_and_foreign_values_are_refused() {
        assert_eq!(code("grant_type=authorization_code&code="), Err(GrantError::Missing { name: "code" }));
        assert_eq!(refresh("grant_type=refresh_token"), Err(GrantError::Missing { name: "refresh_token" }));
        assert_eq!(code("code=C1").unwrap_err().code(), "unsupported_grant_type");
        assert_eq!(refresh("grant_type=authorization_code&code=C1").unwrap_err().code(), "unsupported_grant_type");
        let long = format!("grant_type=authorization_code&code={}", "c".repeat(2049));
        assert_eq!(code(&long), Err(GrantError::TooLong { name: "code", got: 2049 }));
        let details = code("grant_type=authorization_code&code=C1&authorization_details=[]").unwrap_err();
        assert_eq!(details.code(), "invalid_authorization_details");
    }

    #[test]
    fn debug_output_shows_no_secret() {
        let code = code("grant_type=authorization_code&code=secret1&code_verifier=secret2").unwrap();
        let refresh = refresh("grant_type=refresh_token&refresh_token=secret3").unwrap();
        assert!(!format!("{code:?} {refresh:?}").contains("secret"));
    }
}
