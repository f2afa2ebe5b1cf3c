//! What a deferred credential request can do wrong, and how a transaction ends without a credential.

use chancery_protocol::Explanation;
use chancery_protocol::deferred::{DeferredRefusal, DeferredRequestError};
use chancery_protocol::encryption::EncryptionError;
use serde_json::Value;

use super::super::credential::{NotFetched, Refused};
use super::super::trail::{Account, Accountable, Setback};
use super::super::{access, encryption};

/// Why a deferred credential request is refused.
#[derive(Debug)]
pub enum Rejection {
    /// The access token or its DPoP proof.
    Access(access::Rejection),
    /// The body is of another kind, or is or is not encrypted in the wrong way.
    Message(encryption::Rejection),
    /// The body is no proper deferred credential request.
    Request(DeferredRequestError),
    /// The exchange of the access token has no such transaction.
    Unknown,
    /// The access token does not cover what the transaction is about: it was narrowed to other credentials.
    NotCovered,
    /// The wallet has the credentials.
    Collected,
    /// The organisation denied the exchange.
    Denied,
    /// The transaction waited for too long.
    Expired,
    /// There is no further copy of what was issued, or no further credential at all.
    Again(Refused),
    /// The claims were to be fetched, and are not there.
    NotFetched(NotFetched),
}

/// Error codes of the deferred credential endpoint (OpenID4VCI §9.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorCode {
    /// One of the access token's (OpenID4VCI §8.3.1.1).
    Access(access::ErrorCode),
    /// `invalid_credential_request`.
    InvalidCredentialRequest,
    /// `invalid_encryption_parameters`.
    InvalidEncryptionParameters,
    /// `invalid_transaction_id`.
    InvalidTransactionId,
    /// `credential_request_denied`.
    CredentialRequestDenied,
    /// `temporarily_unavailable`, with status 503: the same request may succeed later.
    TemporarilyUnavailable,
}

impl ErrorCode {
    /// The code on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Access(code) => code.name(),
            Self::InvalidCredentialRequest => "invalid_credential_request",
            Self::InvalidEncryptionParameters => "invalid_encryption_parameters",
            Self::InvalidTransactionId => DeferredRefusal::InvalidTransactionId.code(),
            Self::CredentialRequestDenied => DeferredRefusal::Denied.code(),
            Self::TemporarilyUnavailable => "temporarily_unavailable",
        }
    }
}

impl Rejection {
    /// The error code for the wallet.
    pub fn error(&self) -> ErrorCode {
        match self {
            Self::Access(rejection) => ErrorCode::Access(rejection.error()),
            Self::Message(
                encryption::Rejection::MediaType | encryption::Rejection::Parameters(EncryptionError::Json(_)),
            ) => ErrorCode::InvalidCredentialRequest,
            Self::Message(encryption::Rejection::Parameters(_)) => ErrorCode::InvalidEncryptionParameters,
            Self::Request(error) => match error {
                DeferredRequestError::Json(_) | DeferredRequestError::TransactionId { .. } => {
                    ErrorCode::InvalidCredentialRequest
                }
                DeferredRequestError::Encryption(_) => ErrorCode::InvalidEncryptionParameters,
            },
            // Which of them is not said.
            Self::Unknown | Self::NotCovered | Self::Collected => ErrorCode::InvalidTransactionId,
            Self::Again(refused) if refused.is_passing() => ErrorCode::TemporarilyUnavailable,
            Self::NotFetched(why) if why.is_passing() => ErrorCode::TemporarilyUnavailable,
            Self::Denied | Self::Expired | Self::Again(_) | Self::NotFetched(_) => ErrorCode::CredentialRequestDenied,
        }
    }

    /// For the wallet's developer.
    pub fn description(&self) -> &'static str {
        match self {
            Self::Access(rejection) => rejection.description(),
            Self::Message(encryption::Rejection::MediaType) => "send an application/json body",
            Self::Message(encryption::Rejection::Parameters(error)) => encryption::description(error),
            Self::Request(error) => match error {
                DeferredRequestError::Json(_) => "the body is not an acceptable JSON object",
                DeferredRequestError::TransactionId { .. } => "transaction_id is not an acceptable string",
                DeferredRequestError::Encryption(error) => encryption::description(error),
            },
            Self::Unknown | Self::NotCovered | Self::Collected => "the transaction_id is not valid",
            Self::Denied | Self::Expired => "the credential will not be issued",
            Self::Again(refused) => refused.description(),
            Self::NotFetched(why) => why.description(),
        }
    }

    /// Our name for the cause, in the transcript's event.
    fn code(&self) -> &'static str {
        match self {
            Self::Access(_) => "access_refused",
            Self::Message(encryption::Rejection::MediaType) => "request_malformed",
            Self::Message(encryption::Rejection::Parameters(error))
            | Self::Request(DeferredRequestError::Encryption(error)) => encryption::code(error),
            Self::Request(DeferredRequestError::Json(_) | DeferredRequestError::TransactionId { .. }) => {
                "request_malformed"
            }
            Self::Unknown => "transaction_unknown",
            Self::NotCovered => "transaction_not_covered",
            Self::Collected => "transaction_collected",
            Self::Denied => "issuance_denied",
            Self::Expired => "transaction_expired",
            Self::Again(refused) => refused.code(),
            Self::NotFetched(why) => why.code(),
        }
    }

    fn message(&self) -> &'static str {
        match self {
            Self::Access(rejection) => rejection.message(),
            Self::Message(encryption::Rejection::MediaType)
            | Self::Request(DeferredRequestError::Json(_) | DeferredRequestError::TransactionId { .. }) => {
                "deferred.request_invalid"
            }
            Self::Message(encryption::Rejection::Parameters(_))
            | Self::Request(DeferredRequestError::Encryption(_)) => "deferred.encryption_invalid",
            Self::Unknown | Self::NotCovered | Self::Collected => "deferred.unknown_transaction",
            Self::NotFetched(NotFetched::Unavailable { .. }) => "deferred.claims_unavailable",
            Self::NotFetched(NotFetched::Unfit { .. }) => "deferred.claims_unfit",
            Self::Denied | Self::Again(_) | Self::NotFetched(NotFetched::Denied) => "deferred.rejected",
            Self::Expired => "deferred.expired",
        }
    }

    fn explain(&self) -> Explanation {
        let (reason, refusal) = match self {
            Self::Access(rejection) => return rejection.explain(),
            Self::Request(error) => return error.explain(),
            Self::Again(refused) => return refused.explain(),
            Self::NotFetched(why) => return why.explain(),
            Self::Message(encryption::Rejection::Parameters(error)) => return error.explain(),
            Self::Message(encryption::Rejection::MediaType) => {
                return Explanation {
                    reason: "the content type is neither application/json nor application/jwt".to_owned(),
                    help: "send the request as JSON, or encrypted as application/jwt".into(),
                    spec_ref: "OpenID4VCI 1.0 §9.1",
                };
            }
            Self::Unknown => {
                ("the exchange of the access token has no such transaction", DeferredRefusal::InvalidTransactionId)
            }
            Self::NotCovered => (
                "the access token was narrowed to other credentials than the one that the transaction is about",
                DeferredRefusal::InvalidTransactionId,
            ),
            Self::Collected => (
                "the credentials of the transaction were issued, and the wallet has them",
                DeferredRefusal::InvalidTransactionId,
            ),
            Self::Denied => ("the organisation denied the credential", DeferredRefusal::Denied),
            Self::Expired => ("the transaction waited for too long", DeferredRefusal::Denied),
        };
        Explanation { reason: reason.to_owned(), ..refusal.explain() }
    }
}

impl Accountable for Rejection {
    fn account(&self) -> Account {
        let error = self.error();
        let is_dialogue = error == ErrorCode::Access(access::ErrorCode::UseDpopNonce);
        let event =
            (!is_dialogue).then(|| Setback { kind: "credential_failed", error: error.name(), code: self.code() });
        let data = match self {
            Self::NotFetched(why) => why.data(),
            Self::Access(_)
            | Self::Message(_)
            | Self::Request(_)
            | Self::Unknown
            | Self::NotCovered
            | Self::Collected
            | Self::Denied
            | Self::Expired
            | Self::Again(_) => Value::Null,
        };
        Account { message: self.message(), explanation: self.explain(), data, event, is_dialogue }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_never_was_and_what_is_over_look_the_same_to_the_wallet_by_def_5() {
        let unknown = Rejection::Unknown;
        for other in [Rejection::NotCovered, Rejection::Collected] {
            assert_eq!(unknown.error(), other.error());
            assert_eq!(unknown.description(), other.description());
            assert_ne!(unknown.account().explanation.reason, other.account().explanation.reason);
        }
    }

    #[test]
    fn a_transaction_that_ends_without_a_credential_is_denied_by_def_6() {
        for rejection in [Rejection::Denied, Rejection::Expired] {
            assert_eq!(rejection.error().name(), "credential_request_denied");
            assert_eq!(rejection.account().explanation.spec_ref, "OpenID4VCI 1.0 §9.3");
        }
    }
}
