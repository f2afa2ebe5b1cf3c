//! What a token request can do wrong.

use chancery_protocol::Explanation;
use chancery_protocol::authorization::{GrantError, PkceError};
use chancery_protocol::form::FormError;
use chancery_protocol::token::TokenRequestError;
use serde_json::{Value, json};

use super::super::trail::{Account, Accountable, Setback};
use super::super::{client, dpop};
use crate::SigningObstacle;
use crate::quotas::UsedUp;

/// Why a token request is refused.
#[derive(Debug)]
pub enum Rejection {
    /// The body is not declared as a form.
    MediaType,
    /// The body is no proper form.
    Form(FormError),
    /// The form is no proper token request.
    Request(TokenRequestError),
    /// The client sent an `Authorization` header.
    Authorization,
    /// The client itself.
    Client(client::Rejection),
    /// No exchange has this code.
    CodeUnknown,
    /// The code was redeemed.
    CodeUsed,
    /// The code has expired.
    CodeExpired,
    /// The organisation withdrew the offer.
    CodeWithdrawn,
    /// The person consented, and then cancelled.
    ConsentWithdrawn,
    /// Too many wrong transaction codes.
    CodeLocked {
        /// After so many.
        attempts: u8,
    },
    /// The code or refresh token was given to another client, or for another key.
    BoundToOther {
        /// What it is bound to.
        to: &'static str,
    },
    /// Not the redirect URI of the authorization request.
    RedirectUri {
        /// What came, cut; empty when absent.
        got: String,
    },
    /// The code verifier.
    Verifier(PkceError),
    /// Refresh tokens are off.
    RefreshOff,
    /// Nobody was given this refresh token.
    RefreshUnknown,
    /// The refresh token has expired, or another took its place.
    RefreshOver {
        /// Whether another did.
        replaced: bool,
    },
    /// The scope of a refresh is wider than what was granted.
    ScopeWidened {
        /// The first value that is, cut.
        got: String,
    },
    /// `resource` is not this issuer.
    Target {
        /// The issuer.
        expected: String,
        /// What came, cut.
        got: String,
    },
    /// `authorization_details` name a configuration that is not on offer.
    NotOffered {
        /// What came, cut.
        got: String,
    },
    /// `locations` do not name this issuer.
    Location {
        /// The issuer.
        expected: String,
    },
    /// The offer demands a transaction code.
    TransactionCodeMissing,
    /// The offer demands none, and one came.
    TransactionCodeUnexpected,
    /// Not the transaction code of the offer.
    TransactionCodeWrong {
        /// Attempts that are left.
        left: u8,
    },
    /// The next transaction code came too soon after a wrong one.
    TransactionCodeTooSoon {
        /// Seconds to wait.
        seconds: u32,
    },
    /// The organisation has begun as many exchanges today as it may.
    QuotaUsedUp(UsedUp),
    /// No key of the organisation can sign what the code is for.
    CannotSign(SigningObstacle),
    /// The DPoP proof.
    Dpop(dpop::Rejection),
}

/// Error codes of the token endpoint (RFC 6749 §5.2, RFC 8707 §2, RFC 9396 §5, RFC 9449 §5 and §8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorCode {
    /// `invalid_request`.
    InvalidRequest,
    /// `invalid_client`, after an attempt to authenticate in the `Authorization` header.
    InvalidClientAuthentication,
    /// `invalid_grant`.
    InvalidGrant,
    /// `unsupported_grant_type`.
    UnsupportedGrantType,
    /// `invalid_scope`.
    InvalidScope,
    /// Something about the client.
    Client(client::ErrorCode),
    /// `temporarily_unavailable`: try again later.
    TemporarilyUnavailable,
    /// `invalid_target`.
    InvalidTarget,
    /// `invalid_authorization_details`.
    InvalidAuthorizationDetails,
    /// `invalid_dpop_proof`.
    InvalidDpopProof,
    /// `use_dpop_nonce`.
    UseDpopNonce,
}

impl ErrorCode {
    /// The code on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::InvalidClientAuthentication => "invalid_client",
            Self::InvalidScope => "invalid_scope",
            Self::Client(code) => code.name(),
            Self::InvalidGrant => "invalid_grant",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::TemporarilyUnavailable => "temporarily_unavailable",
            Self::InvalidTarget => "invalid_target",
            Self::InvalidAuthorizationDetails => "invalid_authorization_details",
            Self::InvalidDpopProof => "invalid_dpop_proof",
            Self::UseDpopNonce => "use_dpop_nonce",
        }
    }
}

impl Rejection {
    /// For the wallet's developer. Everything that is wrong with a code looks the same: whoever guesses learns nothing
    /// (SEC-19).
    pub fn description(&self) -> &'static str {
        match self {
            Self::MediaType => "send an application/x-www-form-urlencoded body",
            Self::Form(_) => "the form is malformed, too long, or repeats a parameter",
            Self::Request(error) => match error {
                TokenRequestError::UnsupportedGrantType { .. } => "this grant_type is not supported",
                TokenRequestError::Missing { .. } => "grant_type and pre-authorized_code are required",
                TokenRequestError::TooLong { .. } | TokenRequestError::Grant(GrantError::TooLong { .. }) => {
                    "a parameter is too long"
                }
                TokenRequestError::AuthorizationDetails(_)
                | TokenRequestError::Grant(GrantError::AuthorizationDetails(_)) => {
                    "authorization_details are malformed"
                }
                TokenRequestError::Grant(GrantError::GrantType { .. }) => "this grant_type is not supported",
                TokenRequestError::Grant(GrantError::Missing { .. }) => "the code or the refresh token is missing",
                TokenRequestError::Grant(GrantError::Scope { .. }) => "scope is malformed",
            },
            Self::Authorization => "authenticate with an attestation or an assertion, not in the Authorization header",
            Self::Client(rejection) => rejection.description(),
            Self::CodeUnknown
            | Self::CodeUsed
            | Self::CodeExpired
            | Self::CodeWithdrawn
            | Self::ConsentWithdrawn
            | Self::CodeLocked { .. }
            | Self::TransactionCodeWrong { .. } => "the code or the transaction code is not valid",
            Self::TransactionCodeTooSoon { .. } => "wait before the next transaction code",
            Self::BoundToOther { .. } | Self::RedirectUri { .. } | Self::Verifier(PkceError::Mismatch) => {
                "the code or refresh token was given to another client, key or redirect_uri"
            }
            Self::Verifier(_) => "a code_verifier is required",
            Self::RefreshOff => "this grant_type is not supported",
            Self::RefreshUnknown | Self::RefreshOver { .. } => "the refresh token is not valid",
            Self::ScopeWidened { .. } => "scope is wider than what was granted",
            Self::Target { .. } => "resource is not this credential issuer",
            Self::NotOffered { .. } => "authorization_details ask for something else than the offer",
            Self::Location { .. } => "locations do not name this credential issuer",
            Self::TransactionCodeMissing => "the offer demands a transaction code",
            Self::TransactionCodeUnexpected => "the offer demands no transaction code",
            Self::QuotaUsedUp(_) | Self::CannotSign(_) => "the issuer cannot begin an issuance now, try again later",
            Self::Dpop(rejection) => rejection.description(),
        }
    }

    /// Our name for the cause, in the transcript's event.
    fn code(&self) -> &'static str {
        match self {
            Self::MediaType | Self::Form(_) | Self::Request(_) => "request_malformed",
            Self::Authorization => "client_authentication",
            Self::Client(rejection) => rejection.code(),
            Self::CodeUnknown => "code_unknown",
            Self::CodeUsed => "code_used",
            Self::CodeExpired => "code_expired",
            Self::CodeWithdrawn => "offer_withdrawn",
            Self::ConsentWithdrawn => "consent_withdrawn",
            Self::CodeLocked { .. } => "offer_locked",
            Self::BoundToOther { .. } => "bound_to_other",
            Self::RedirectUri { .. } => "redirect_uri_foreign",
            Self::Verifier(_) => "code_verifier_invalid",
            Self::RefreshOff => "refresh_off",
            Self::RefreshUnknown => "refresh_token_unknown",
            Self::RefreshOver { replaced: true } => "refresh_token_replaced",
            Self::RefreshOver { replaced: false } => "refresh_token_expired",
            Self::ScopeWidened { .. } => "scope_widened",
            Self::TransactionCodeTooSoon { .. } => "tx_code_too_soon",
            Self::Target { .. } => "resource_foreign",
            Self::NotOffered { .. } => "not_offered",
            Self::Location { .. } => "location_foreign",
            Self::TransactionCodeMissing => "tx_code_missing",
            Self::TransactionCodeUnexpected => "tx_code_unexpected",
            Self::TransactionCodeWrong { .. } => "tx_code_wrong",
            Self::QuotaUsedUp(_) => "quota_used_up",
            Self::CannotSign(obstacle) => obstacle.code(),
            Self::Dpop(rejection) if rejection.wants_nonce() => "dpop_nonce",
            Self::Dpop(_) => "dpop_invalid",
        }
    }

    fn message(&self) -> &'static str {
        match self {
            Self::MediaType | Self::Form(_) | Self::Request(_) => "token.request_invalid",
            Self::Client(client::Rejection::AttestationMissing) => "token.wallet_attestation_missing",
            Self::Authorization | Self::Client(_) => "token.client_auth_failed",
            Self::CodeUnknown
            | Self::CodeUsed
            | Self::CodeWithdrawn
            | Self::ConsentWithdrawn
            | Self::CodeLocked { .. } => "token.code_invalid",
            Self::CodeExpired => "token.code_expired",
            Self::BoundToOther { .. } | Self::RedirectUri { .. } | Self::Verifier(_) => "token.code_invalid",
            Self::RefreshOff | Self::RefreshUnknown | Self::RefreshOver { .. } | Self::ScopeWidened { .. } => {
                "token.refresh_invalid"
            }
            Self::Target { .. } => "token.resource_invalid",
            Self::NotOffered { .. } | Self::Location { .. } => "token.authorization_details_invalid",
            Self::TransactionCodeMissing
            | Self::TransactionCodeUnexpected
            | Self::TransactionCodeWrong { .. }
            | Self::TransactionCodeTooSoon { .. } => "token.tx_code_invalid",
            Self::QuotaUsedUp(_) => "token.quota_used_up",
            Self::CannotSign(_) => "token.cannot_sign",
            Self::Dpop(_) => "token.dpop_invalid",
        }
    }

    fn data(&self) -> Value {
        match self {
            Self::TransactionCodeWrong { left } => json!({ "attempts_left": left }),
            Self::Target { expected, got } => json!({ "expected": expected, "provided": got }),
            Self::MediaType
            | Self::Form(_)
            | Self::Request(_)
            | Self::Authorization
            | Self::Client(_)
            | Self::CodeUnknown
            | Self::CodeUsed
            | Self::CodeExpired
            | Self::CodeWithdrawn
            | Self::ConsentWithdrawn
            | Self::CodeLocked { .. }
            | Self::BoundToOther { .. }
            | Self::RedirectUri { .. }
            | Self::Verifier(_)
            | Self::RefreshOff
            | Self::RefreshUnknown
            | Self::RefreshOver { .. }
            | Self::ScopeWidened { .. }
            | Self::TransactionCodeTooSoon { .. }
            | Self::NotOffered { .. }
            | Self::Location { .. }
            | Self::TransactionCodeMissing
            | Self::TransactionCodeUnexpected
            | Self::QuotaUsedUp(_)
            | Self::CannotSign(_)
            | Self::Dpop(_) => Value::Null,
        }
    }

    fn explain(&self) -> Explanation {
        let (reason, help, spec_ref) = match self {
            Self::Form(error) => return error.explain(),
            Self::Request(error) => return error.explain(),
            Self::Dpop(rejection) => return rejection.explain(),
            Self::Client(rejection) => return rejection.explain(),
            Self::Verifier(error) => return error.explain(),
            Self::CannotSign(obstacle) => return obstacle.explain(),
            Self::MediaType => (
                "the content type is not application/x-www-form-urlencoded".to_owned(),
                "send the parameters as a form",
                "OpenID4VCI §6.1",
            ),
            Self::Authorization => (
                "the request has an Authorization header, by which no client authenticates here".to_owned(),
                "leave the header out; use a method of token_endpoint_auth_methods_supported",
                "RFC 6749 §5.2",
            ),
            Self::CodeUnknown => {
                ("no exchange has this code".to_owned(), "use the code of a fresh offer", "OpenID4VCI §6.3")
            }
            Self::CodeUsed => (
                "the code was redeemed before".to_owned(),
                "keep the access token of the first answer; a code works once",
                "OpenID4VCI §4.1.1",
            ),
            Self::CodeExpired => {
                ("the code has expired".to_owned(), "ask the organisation for a new offer", "OpenID4VCI §6.3")
            }
            Self::CodeWithdrawn => (
                "the organisation withdrew the offer".to_owned(),
                "ask the organisation for a new offer",
                "OpenID4VCI §6.3",
            ),
            Self::ConsentWithdrawn => (
                "the person consented, and cancelled before the code was redeemed".to_owned(),
                "begin again with a new authorization request, if the person wants that",
                "RFC 6749 §5.2",
            ),
            Self::CodeLocked { attempts } => (
                format!("the offer is locked after {attempts} wrong transaction codes"),
                "ask the organisation for a new offer",
                "OpenID4VCI §13.6.1",
            ),
            Self::BoundToOther { to } => (
                format!("the code or refresh token is bound to another {to}"),
                "redeem it with the client_id, DPoP key and wallet instance key of the request that it came from",
                "RFC 6749 §5.2, RFC 9449 §10",
            ),
            Self::RedirectUri { got } => (
                format!("redirect_uri is `{got}`, expected that of the authorization request"),
                "send redirect_uri byte for byte as in the authorization request",
                "RFC 6749 §4.1.3",
            ),
            Self::RefreshOff => (
                "the organisation hands out no refresh tokens".to_owned(),
                "use a grant type listed in grant_types_supported of the authorization server metadata",
                "RFC 6749 §5.2",
            ),
            Self::RefreshUnknown => {
                ("nobody was given this refresh token".to_owned(), "start again with an offer", "RFC 6749 §5.2")
            }
            Self::RefreshOver { replaced: true } => (
                "another refresh token took the place of this one, more than 30 s ago".to_owned(),
                "keep the refresh token of the newest token response",
                "RFC 6749 §6",
            ),
            Self::RefreshOver { replaced: false } => {
                ("the refresh token has expired".to_owned(), "start again with an offer", "RFC 6749 §6")
            }
            Self::ScopeWidened { got } => (
                format!("scope has `{got}`, which was not granted"),
                "ask for what was granted, or for less",
                "RFC 6749 §6",
            ),
            Self::TransactionCodeTooSoon { seconds } => (
                format!("a wrong transaction code came a moment ago; the next is read in {seconds} s"),
                "wait as long as Retry-After says, and ask the holder again",
                "OpenID4VCI §13.6.1",
            ),
            Self::Target { expected, got } => (
                format!("resource is `{got}`, expected `{expected}`"),
                "send the Credential Issuer Identifier, byte for byte, or leave resource out",
                "RFC 8707 §2",
            ),
            Self::NotOffered { got } => (
                format!("authorization_details name the configuration `{got}`, which is not on offer"),
                "ask for configurations of the offer only",
                "OpenID4VCI §6.1.1",
            ),
            Self::Location { expected } => (
                format!("locations do not contain `{expected}`"),
                "put the Credential Issuer Identifier into locations, or leave locations out",
                "OpenID4VCI §5.1.1",
            ),
            Self::TransactionCodeMissing => (
                "the offer has tx_code, and the request has none".to_owned(),
                "ask the holder for the transaction code and send it as tx_code",
                "OpenID4VCI §6.3",
            ),
            Self::TransactionCodeUnexpected => (
                "the offer has no tx_code, and the request has one".to_owned(),
                "leave tx_code out when the offer has none",
                "OpenID4VCI §6.3",
            ),
            Self::TransactionCodeWrong { left } => (
                format!("the transaction code is wrong; {left} attempts are left"),
                "ask the holder again",
                "OpenID4VCI §6.3",
            ),
            Self::QuotaUsedUp(UsedUp { limit, .. }) => (
                format!("the organisation may begin {limit} exchanges a day, and has"),
                "wait as long as Retry-After says; the code stays good until it expires",
                "RFC 6749 §5.2",
            ),
        };
        Explanation { reason, help: help.into(), spec_ref }
    }

    /// The error code for the wallet.
    pub fn error(&self) -> ErrorCode {
        match self {
            Self::Request(error) => match error {
                TokenRequestError::UnsupportedGrantType { .. } => ErrorCode::UnsupportedGrantType,
                TokenRequestError::Missing { .. } | TokenRequestError::TooLong { .. } => ErrorCode::InvalidRequest,
                TokenRequestError::AuthorizationDetails(_)
                | TokenRequestError::Grant(GrantError::AuthorizationDetails(_)) => {
                    ErrorCode::InvalidAuthorizationDetails
                }
                TokenRequestError::Grant(GrantError::GrantType { .. }) => ErrorCode::UnsupportedGrantType,
                TokenRequestError::Grant(GrantError::Missing { .. } | GrantError::TooLong { .. }) => {
                    ErrorCode::InvalidRequest
                }
                TokenRequestError::Grant(GrantError::Scope { .. }) => ErrorCode::InvalidScope,
            },
            Self::MediaType | Self::Form(_) | Self::TransactionCodeMissing | Self::TransactionCodeUnexpected => {
                ErrorCode::InvalidRequest
            }
            Self::Authorization => ErrorCode::InvalidClientAuthentication,
            Self::Client(rejection) => ErrorCode::Client(rejection.error()),
            Self::Verifier(error) => match error {
                PkceError::Mismatch => ErrorCode::InvalidGrant,
                PkceError::ChallengeMissing
                | PkceError::Method { .. }
                | PkceError::Challenge { .. }
                | PkceError::Verifier { .. } => ErrorCode::InvalidRequest,
            },
            Self::RefreshOff => ErrorCode::UnsupportedGrantType,
            Self::ScopeWidened { .. } => ErrorCode::InvalidScope,
            Self::TransactionCodeTooSoon { .. } | Self::QuotaUsedUp(_) | Self::CannotSign(_) => {
                ErrorCode::TemporarilyUnavailable
            }
            Self::CodeUnknown
            | Self::CodeUsed
            | Self::CodeExpired
            | Self::CodeWithdrawn
            | Self::ConsentWithdrawn
            | Self::CodeLocked { .. }
            | Self::BoundToOther { .. }
            | Self::RedirectUri { .. }
            | Self::RefreshUnknown
            | Self::RefreshOver { .. }
            | Self::TransactionCodeWrong { .. } => ErrorCode::InvalidGrant,
            Self::Target { .. } => ErrorCode::InvalidTarget,
            Self::NotOffered { .. } | Self::Location { .. } => ErrorCode::InvalidAuthorizationDetails,
            Self::Dpop(rejection) if rejection.wants_nonce() => ErrorCode::UseDpopNonce,
            Self::Dpop(_) => ErrorCode::InvalidDpopProof,
        }
    }
}

impl Accountable for Rejection {
    fn account(&self) -> Account {
        let is_dialogue = self.error() == ErrorCode::UseDpopNonce
            || matches!(self, Self::Client(rejection) if rejection.wants_challenge());
        let event =
            (!is_dialogue).then(|| Setback { kind: "token_refused", error: self.error().name(), code: self.code() });
        Account { message: self.message(), explanation: self.explain(), data: self.data(), event, is_dialogue }
    }
}

#[cfg(test)]
mod tests;
