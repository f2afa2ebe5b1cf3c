//! What a token request can do wrong.

use chancery_protocol::Explanation;
use chancery_protocol::form::FormError;
use chancery_protocol::token::TokenRequestError;
use serde_json::{Value, json};

use super::super::dpop;
use super::super::trail::{Account, Accountable, Setback};

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
    ClientAuthentication,
    /// No exchange has this code.
    CodeUnknown,
    /// The code was redeemed.
    CodeUsed,
    /// The code has expired.
    CodeExpired,
    /// The organisation withdrew the offer.
    CodeWithdrawn,
    /// Too many wrong transaction codes.
    CodeLocked {
        /// After so many.
        attempts: u8,
    },
    /// Anonymous access is off, and there is no `client_id`.
    ClientMissing,
    /// The `client_id` is not admitted.
    ClientUnknown {
        /// What came, cut.
        got: String,
    },
    /// A wallet attestation is demanded; none can be verified yet.
    WalletAttestationMissing,
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
    /// The DPoP proof.
    Dpop(dpop::Rejection),
}

/// Error codes of the token endpoint (RFC 6749 §5.2, RFC 8707 §2, RFC 9396 §5, RFC 9449 §5 and §8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorCode {
    /// `invalid_request`.
    InvalidRequest,
    /// `invalid_client`.
    InvalidClient,
    /// `invalid_client`, after an attempt to authenticate in the `Authorization` header.
    InvalidClientAuthentication,
    /// `invalid_grant`.
    InvalidGrant,
    /// `unsupported_grant_type`.
    UnsupportedGrantType,
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
            Self::InvalidClient | Self::InvalidClientAuthentication => "invalid_client",
            Self::InvalidGrant => "invalid_grant",
            Self::UnsupportedGrantType => "unsupported_grant_type",
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
                TokenRequestError::UnsupportedGrantType { .. } => "only the pre-authorized code is supported",
                TokenRequestError::Missing { .. } => "grant_type and pre-authorized_code are required",
                TokenRequestError::TooLong { .. } => "a parameter is too long",
                TokenRequestError::AuthorizationDetails(_) => "authorization_details are malformed",
            },
            Self::ClientAuthentication => "client authentication is not supported",
            Self::CodeUnknown
            | Self::CodeUsed
            | Self::CodeExpired
            | Self::CodeWithdrawn
            | Self::CodeLocked { .. }
            | Self::TransactionCodeWrong { .. } => "the code or the transaction code is not valid",
            Self::ClientMissing => "a client_id is required",
            Self::ClientUnknown { .. } => "this client_id is not admitted",
            Self::WalletAttestationMissing => "a wallet attestation is required",
            Self::Target { .. } => "resource is not this credential issuer",
            Self::NotOffered { .. } => "authorization_details ask for something else than the offer",
            Self::Location { .. } => "locations do not name this credential issuer",
            Self::TransactionCodeMissing => "the offer demands a transaction code",
            Self::TransactionCodeUnexpected => "the offer demands no transaction code",
            Self::Dpop(rejection) => rejection.description(),
        }
    }

    /// Our name for the cause, in the transcript's event.
    fn code(&self) -> &'static str {
        match self {
            Self::MediaType | Self::Form(_) | Self::Request(_) => "request_malformed",
            Self::ClientAuthentication => "client_authentication",
            Self::CodeUnknown => "code_unknown",
            Self::CodeUsed => "code_used",
            Self::CodeExpired => "code_expired",
            Self::CodeWithdrawn => "offer_withdrawn",
            Self::CodeLocked { .. } => "offer_locked",
            Self::ClientMissing => "client_missing",
            Self::ClientUnknown { .. } => "client_unknown",
            Self::WalletAttestationMissing => "wallet_attestation_missing",
            Self::Target { .. } => "resource_foreign",
            Self::NotOffered { .. } => "not_offered",
            Self::Location { .. } => "location_foreign",
            Self::TransactionCodeMissing => "tx_code_missing",
            Self::TransactionCodeUnexpected => "tx_code_unexpected",
            Self::TransactionCodeWrong { .. } => "tx_code_wrong",
            Self::Dpop(rejection) if rejection.wants_nonce() => "dpop_nonce",
            Self::Dpop(_) => "dpop_invalid",
        }
    }

    fn message(&self) -> &'static str {
        match self {
            Self::MediaType | Self::Form(_) | Self::Request(_) => "token.request_invalid",
            Self::ClientAuthentication | Self::ClientMissing | Self::ClientUnknown { .. } => "token.client_auth_failed",
            Self::CodeUnknown | Self::CodeUsed | Self::CodeWithdrawn | Self::CodeLocked { .. } => "token.code_invalid",
            Self::CodeExpired => "token.code_expired",
            Self::WalletAttestationMissing => "token.wallet_attestation_missing",
            Self::Target { .. } => "token.resource_invalid",
            Self::NotOffered { .. } | Self::Location { .. } => "token.authorization_details_invalid",
            Self::TransactionCodeMissing | Self::TransactionCodeUnexpected | Self::TransactionCodeWrong { .. } => {
                "token.tx_code_invalid"
            }
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
            | Self::ClientAuthentication
            | Self::CodeUnknown
            | Self::CodeUsed
            | Self::CodeExpired
            | Self::CodeWithdrawn
            | Self::CodeLocked { .. }
            | Self::ClientMissing
            | Self::ClientUnknown { .. }
            | Self::WalletAttestationMissing
            | Self::NotOffered { .. }
            | Self::Location { .. }
            | Self::TransactionCodeMissing
            | Self::TransactionCodeUnexpected
            | Self::Dpop(_) => Value::Null,
        }
    }

    fn explain(&self) -> Explanation {
        let (reason, help, spec_ref) = match self {
            Self::Form(error) => return error.explain(),
            Self::Request(error) => return error.explain(),
            Self::Dpop(rejection) => return rejection.explain(),
            Self::MediaType => (
                "the content type is not application/x-www-form-urlencoded".to_owned(),
                "send the parameters as a form",
                "OpenID4VCI §6.1",
            ),
            Self::ClientAuthentication => (
                "the request has an Authorization header, and no client authentication is supported".to_owned(),
                "leave the header out; a public client names itself by client_id",
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
            Self::CodeLocked { attempts } => (
                format!("the offer is locked after {attempts} wrong transaction codes"),
                "ask the organisation for a new offer",
                "OpenID4VCI §13.6.1",
            ),
            Self::ClientMissing => (
                "there is no client_id, and the organisation does not allow anonymous access".to_owned(),
                "send a client_id; the metadata say pre-authorized_grant_anonymous_access_supported: false",
                "OpenID4VCI §6.1",
            ),
            Self::ClientUnknown { got } => (
                format!("the client_id `{got}` is not among those the organisation admits"),
                "have the client_id registered with the organisation",
                "OpenID4VCI §6.3",
            ),
            Self::WalletAttestationMissing => (
                "the definition demands a wallet attestation, and this server cannot verify one yet".to_owned(),
                "the organisation has to issue from a definition that does not demand it",
                "OpenID4VCI Appendix E",
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
        };
        Explanation { reason, help: help.into(), spec_ref }
    }

    /// The error code for the wallet.
    pub fn error(&self) -> ErrorCode {
        match self {
            Self::Request(error) => match error {
                TokenRequestError::UnsupportedGrantType { .. } => ErrorCode::UnsupportedGrantType,
                TokenRequestError::Missing { .. } | TokenRequestError::TooLong { .. } => ErrorCode::InvalidRequest,
                TokenRequestError::AuthorizationDetails(_) => ErrorCode::InvalidAuthorizationDetails,
            },
            Self::MediaType | Self::Form(_) | Self::TransactionCodeMissing | Self::TransactionCodeUnexpected => {
                ErrorCode::InvalidRequest
            }
            Self::ClientAuthentication => ErrorCode::InvalidClientAuthentication,
            Self::CodeUnknown
            | Self::CodeUsed
            | Self::CodeExpired
            | Self::CodeWithdrawn
            | Self::CodeLocked { .. }
            | Self::TransactionCodeWrong { .. } => ErrorCode::InvalidGrant,
            Self::ClientMissing | Self::ClientUnknown { .. } | Self::WalletAttestationMissing => {
                ErrorCode::InvalidClient
            }
            Self::Target { .. } => ErrorCode::InvalidTarget,
            Self::NotOffered { .. } | Self::Location { .. } => ErrorCode::InvalidAuthorizationDetails,
            Self::Dpop(rejection) if rejection.wants_nonce() => ErrorCode::UseDpopNonce,
            Self::Dpop(_) => ErrorCode::InvalidDpopProof,
        }
    }
}

impl Accountable for Rejection {
    fn account(&self) -> Account {
        // A demand for a nonce is part of a proper dialogue.
        let event = (self.error() != ErrorCode::UseDpopNonce).then(|| Setback {
            kind: "token_refused",
            error: self.error().name(),
            code: self.code(),
        });
        Account { message: self.message(), explanation: self.explain(), data: self.data(), event }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_is_wrong_with_a_code_looks_alike_to_the_wallet_by_sec_19() {
        for rejection in [
            Rejection::CodeUnknown,
            Rejection::CodeUsed,
            Rejection::CodeExpired,
            Rejection::CodeWithdrawn,
            Rejection::CodeLocked { attempts: 5 },
            Rejection::TransactionCodeWrong { left: 1 },
        ] {
            assert_eq!(rejection.error(), ErrorCode::InvalidGrant);
            assert_eq!(rejection.description(), Rejection::CodeUnknown.description());
        }
    }

    #[test]
    fn the_transcript_tells_them_apart() {
        let used = Rejection::CodeUsed.account();
        let expired = Rejection::CodeExpired.account();
        assert_eq!((used.message, expired.message), ("token.code_invalid", "token.code_expired"));
        assert_ne!(used.explanation.reason, expired.explanation.reason);
        assert_eq!(
            expired.event.map(|event| (event.kind, event.error, event.code)),
            Some(("token_refused", "invalid_grant", "code_expired"))
        );
    }

    #[test]
    fn a_transaction_code_out_of_place_is_an_invalid_request_by_tok_3() {
        for rejection in [Rejection::TransactionCodeMissing, Rejection::TransactionCodeUnexpected] {
            assert_eq!(rejection.error().name(), "invalid_request");
        }
    }

    #[test]
    fn a_demand_for_a_nonce_leaves_a_record_and_no_event() {
        let rejection = Rejection::Dpop(dpop::Rejection::NonceMissing);
        assert_eq!(rejection.error().name(), "use_dpop_nonce");
        let account = rejection.account();
        assert!(account.event.is_none());
        assert_eq!(account.message, "token.dpop_invalid");
    }
}
