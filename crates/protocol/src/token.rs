//! Token requests and responses (OpenID4VCI §6, RFC 6749 §5).

use std::fmt;

use serde::Serialize;
use thiserror::Error;

use crate::authorization::{
    AUTHORIZATION_CODE_GRANT, AuthorizationCodeRequest, GrantError, REFRESH_TOKEN_GRANT, RefreshRequest,
};
use crate::authorization_details::{AuthorizationDetail, AuthorizationDetailsError};
use crate::form::Form;
use crate::{Explanation, excerpt};

/// The grant type of pre-authorized codes (OpenID4VCI §4.1.1).
pub const PRE_AUTHORIZED_CODE_GRANT: &str = "urn:ietf:params:oauth:grant-type:pre-authorized_code";

/// Longest value of a parameter, in bytes.
const VALUE_LIMIT: usize = 2048;

/// A token request. `Debug` shows neither codes nor PINs.
#[derive(Clone, PartialEq, Eq)]
pub enum TokenRequest {
    /// Redeems the pre-authorized code of an offer (OpenID4VCI §6.1).
    PreAuthorizedCode {
        /// The code. Secret.
        code: String,
        /// The transaction code the user typed. Secret.
        tx_code: Option<String>,
        /// The client, unless access is anonymous.
        client_id: Option<String>,
        /// The configurations asked for; `None` when the parameter is absent, never empty.
        authorization_details: Option<Vec<AuthorizationDetail>>,
        /// Resource indicators (RFC 8707); a foreign one is `invalid_target`.
        resource: Vec<String>,
        /// Whether the wallet sent `user_pin`, the name of `tx_code` before draft 13. The value is ignored.
        user_pin_present: bool,
    },
    /// Redeems an authorization code (RFC 6749 §4.1.3).
    AuthorizationCode(AuthorizationCodeRequest),
    /// Asks for a new access token (RFC 6749 §6).
    Refresh(RefreshRequest),
}

/// Why a token request is refused before any code is looked up.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TokenRequestError {
    /// The grant type is not offered here.
    #[error(
        "`grant_type` is `{got}`, expected `{PRE_AUTHORIZED_CODE_GRANT}`, `{AUTHORIZATION_CODE_GRANT}` or \
         `{REFRESH_TOKEN_GRANT}`"
    )]
    UnsupportedGrantType {
        /// What came.
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
    /// `authorization_details` are refused.
    #[error(transparent)]
    AuthorizationDetails(#[from] AuthorizationDetailsError),
    /// A request with an authorization code or a refresh token is refused.
    #[error(transparent)]
    Grant(#[from] GrantError),
}

impl TokenRequestError {
    /// The OAuth error code (RFC 6749 §5.2, RFC 9396 §5).
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnsupportedGrantType { .. } => "unsupported_grant_type",
            Self::Missing { .. } | Self::TooLong { .. } => "invalid_request",
            Self::AuthorizationDetails(_) => "invalid_authorization_details",
            Self::Grant(error) => error.code(),
        }
    }

    /// The same for the wallet's developer.
    pub fn explain(&self) -> Explanation {
        let (help, spec_ref) = match self {
            Self::UnsupportedGrantType { .. } => (
                "use a grant type listed in `grant_types_supported` of the authorization server metadata",
                "RFC 6749 §5.2",
            ),
            Self::Missing { name: "grant_type" } => ("send `grant_type` in the form body", "RFC 6749 §3.2"),
            Self::Missing { .. } => (
                "send the code of the offer as `pre-authorized_code`, spelled with a hyphen, then an underscore",
                "OpenID4VCI 1.0 §6.1",
            ),
            Self::TooLong { .. } => {
                ("send the value exactly as the offer or the metadata has it", "OpenID4VCI 1.0 §6.1")
            }
            Self::AuthorizationDetails(error) => return error.explain(),
            Self::Grant(error) => return error.explain(),
        };
        Explanation::new(self, help, spec_ref)
    }
}

impl TokenRequest {
    /// Reads a token request. Unknown parameters are ignored (RFC 6749 §3.2).
    pub fn parse(form: &Form) -> Result<Self, TokenRequestError> {
        let grant_type = form.get("grant_type").ok_or(TokenRequestError::Missing { name: "grant_type" })?;
        match grant_type {
            PRE_AUTHORIZED_CODE_GRANT => Self::pre_authorized(form),
            AUTHORIZATION_CODE_GRANT => Ok(Self::AuthorizationCode(AuthorizationCodeRequest::parse(form)?)),
            REFRESH_TOKEN_GRANT => Ok(Self::Refresh(RefreshRequest::parse(form)?)),
            other => Err(TokenRequestError::UnsupportedGrantType { got: excerpt(other) }),
        }
    }

    fn pre_authorized(form: &Form) -> Result<Self, TokenRequestError> {
        let name = "pre-authorized_code";
        let details = form.get("authorization_details").map(AuthorizationDetail::parse_list).transpose()?;
        Ok(Self::PreAuthorizedCode {
            code: optional(form, name)?.ok_or(TokenRequestError::Missing { name })?,
            tx_code: optional(form, "tx_code")?,
            client_id: optional(form, "client_id")?,
            authorization_details: details,
            resource: form.all("resource").into_iter().map(str::to_owned).collect(),
            user_pin_present: form.get("user_pin").is_some(),
        })
    }
}

fn optional(form: &Form, name: &'static str) -> Result<Option<String>, TokenRequestError> {
    match form.get(name) {
        Some(value) if value.len() > VALUE_LIMIT => Err(TokenRequestError::TooLong { name, got: value.len() }),
        value => Ok(value.map(str::to_owned)),
    }
}

impl fmt::Debug for TokenRequest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PreAuthorizedCode { tx_code, client_id, authorization_details, resource, .. } => formatter
                .debug_struct("PreAuthorizedCode")
                .field("tx_code_present", &tx_code.is_some())
                .field("client_id", client_id)
                .field("authorization_details", authorization_details)
                .field("resource", resource)
                .finish_non_exhaustive(),
            Self::AuthorizationCode(request) => request.fmt(formatter),
            Self::Refresh(request) => request.fmt(formatter),
        }
    }
}

/// How an access token is presented (RFC 6750, RFC 9449 §5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum TokenType {
    /// Whoever holds the token may use it.
    Bearer,
    /// Usable with proofs by the DPoP key only.
    #[serde(rename = "DPoP")]
    Dpop,
}

impl TokenType {
    /// The name on the wire, which is also the `Authorization` scheme.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bearer => "Bearer",
            Self::Dpop => "DPoP",
        }
    }
}

/// A successful token response (RFC 6749 §5.1, OpenID4VCI §6.2). `Debug` does not show the tokens.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct TokenResponse {
    /// The access token. Secret.
    pub access_token: String,
    /// How it is presented.
    pub token_type: TokenType,
    /// Lifetime in seconds.
    pub expires_in: u64,
    /// The refresh token. Secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<String>,
    /// The scope granted, when it differs from the one asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// What was granted; present exactly when the request had `authorization_details` (or by choice with scope).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorization_details: Option<Vec<AuthorizationDetail>>,
}

impl fmt::Debug for TokenResponse {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("TokenResponse")
            .field("token_type", &self.token_type)
            .field("expires_in", &self.expires_in)
            .field("refresh_token_present", &self.refresh_token.is_some())
            .field("authorization_details", &self.authorization_details)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Vector A1, the body that wallet A sent.
    const BODY_A1: &str = concat!(
        "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Apre-authorized_code",
        "&pre-authorized_code=eThcKnxLGJIRXUS4VJ-tIxp9UiYdUOQiCvfgtTmp9Cg",
        "&resource=https%3A%2F%2Fissuer-playground-service.igrant.io",
    );

    /// Vector B1, the body that wallet B sent.
    const BODY_B1: &str = concat!(
        "authorization_details=%5B%7B%22type%22%3A%22openid_credential%22%2C%22",
        "credential_configuration_id%22%3A%22eu.europa.ec.av.1%22%7D%5D&client_id=wallet-dev",
        "&grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Apre-authorized_code",
        "&pre-authorized_code=DwvuL11JOwD9mpVg2JrYo2KGTNK-v4TK__5HZCHpIrQ",
    );

    fn parse(body: &str) -> Result<TokenRequest, TokenRequestError> {
        TokenRequest::parse(&Form::parse(body.as_bytes()).unwrap())
    }

    #[test]
    fn the_token_request_of_wallet_a_is_read() {
        assert_eq!(BODY_A1.len(), 196);
        let expected = TokenRequest::PreAuthorizedCode {
            code: "eThcKnxLGJIRXUS4VJ-tIxp9UiYdUOQiCvfgtTmp9Cg".to_owned(),
            tx_code: None,
            client_id: None,
            authorization_details: None,
            resource: vec!["https://issuer-playground-service.igrant.io".to_owned()],
            user_pin_present: false,
        };
        assert_eq!(parse(BODY_A1).unwrap(), expected);
    }

    #[test]
    fn the_token_request_of_wallet_b_is_read() {
        assert_eq!(BODY_B1.len(), 291);
        let expected = TokenRequest::PreAuthorizedCode {
            code: "DwvuL11JOwD9mpVg2JrYo2KGTNK-v4TK__5HZCHpIrQ".to_owned(),
            tx_code: None,
            client_id: Some("wallet-dev".to_owned()),
            authorization_details: Some(vec![AuthorizationDetail::granted("eu.europa.ec.av.1".to_owned(), Vec::new())]),
            resource: Vec::new(),
            user_pin_present: false,
        };
        assert_eq!(parse(BODY_B1).unwrap(), expected);
    }

    #[test]
    fn a_missing_code_is_an_invalid_request_by_tok_2() {
        let error = parse("grant_type=urn:ietf:params:oauth:grant-type:pre-authorized_code&pre_authorized_code=x");
        let error = error.unwrap_err();
        assert_eq!(
            (error.code(), &error),
            ("invalid_request", &TokenRequestError::Missing { name: "pre-authorized_code" })
        );
        assert_eq!(parse("pre-authorized_code=x").unwrap_err().code(), "invalid_request");
    }

    #[test]
    fn another_grant_type_is_unsupported() {
        let error = parse("grant_type=password&username=u").unwrap_err();
        assert_eq!(error.code(), "unsupported_grant_type");
        assert!(error.explain().reason.contains("`password`"));
    }

    #[test]
    fn broken_authorization_details_have_their_own_code_by_aut_5() {
        let body = format!("{BODY_A1}&authorization_details=%5B%5D");
        assert_eq!(parse(&body).unwrap_err().code(), "invalid_authorization_details");
    }

    #[test]
    fn overlong_values_are_refused() {
        let body = format!("{BODY_A1}&tx_code={}", "1".repeat(2049));
        assert_eq!(parse(&body), Err(TokenRequestError::TooLong { name: "tx_code", got: 2049 }));
    }

    #[test]
    fn debug_output_shows_neither_code_nor_pin_nor_token() {
        let shown = format!("{:?}", parse(&format!("{BODY_A1}&tx_code=493027")).unwrap());
        assert!(!shown.contains("eThcKn") && !shown.contains("493027"), "{shown}");
        assert!(!format!("{:?}", response()).contains("at1"));
    }

    #[test]
    fn a_response_without_options_has_three_members_by_tok_10() {
        assert_eq!(
            serde_json::to_string(&response()).unwrap(),
            r#"{"access_token":"at1","token_type":"DPoP","expires_in":600}"#
        );
    }

    fn response() -> TokenResponse {
        TokenResponse {
            access_token: "at1".to_owned(),
            token_type: TokenType::Dpop,
            expires_in: 600,
            refresh_token: None,
            scope: None,
            authorization_details: None,
        }
    }
}
