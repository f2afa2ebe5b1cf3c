//! Deferred credential requests and their answers (OpenID4VCI §9).
//!
//! The answers of a transaction that is ready or still waiting are those of the credential endpoint:
//! [`CredentialResponse`](crate::credential_response::CredentialResponse), with the same `transaction_id` while it
//! waits.

use std::fmt;

use serde_json::{Map, Value};
use thiserror::Error;

use crate::Explanation;
use crate::encryption::{EncryptionError, ResponseEncryption};
use crate::explanation::excerpt_json;
use crate::json::{self, JsonError};

/// Longest request body, in bytes.
const LENGTH_LIMIT: usize = 64 * 1024;

/// Longest transaction id, in bytes.
const TRANSACTION_ID_LIMIT: usize = 512;

/// A deferred credential request. `Debug` does not show the transaction id.
#[derive(Clone, PartialEq, Eq)]
pub struct DeferredRequest {
    /// Names the transaction.
    pub transaction_id: String,
    /// How this answer is to be encrypted. What the first request said does not matter (OpenID4VCI §9.1).
    pub response_encryption: Option<ResponseEncryption>,
}

/// Why a deferred credential request is refused before any transaction is looked up.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DeferredRequestError {
    /// The body is not an acceptable JSON object.
    #[error("{0}")]
    Json(#[from] JsonError),
    /// `transaction_id` is not a non-empty string of at most 512 bytes.
    #[error("`transaction_id` is {got}, expected a non-empty string of at most {TRANSACTION_ID_LIMIT} bytes")]
    TransactionId {
        /// What came.
        got: String,
    },
    /// `credential_response_encryption` is refused.
    #[error(transparent)]
    Encryption(#[from] EncryptionError),
}

impl DeferredRequestError {
    /// The error code of the protocol (OpenID4VCI §9.3, §8.3.1.2).
    pub fn code(&self) -> &'static str {
        match self {
            Self::Json(_) | Self::TransactionId { .. } => "invalid_credential_request",
            Self::Encryption(error) => error.code(),
        }
    }

    /// The same for the wallet's developer.
    pub fn explain(&self) -> Explanation {
        let help = match self {
            Self::Json(_) => {
                "send one JSON object with `transaction_id`; the empty body with an acceptance token was draft 11"
            }
            Self::TransactionId { .. } => "send `transaction_id` as the credential response had it",
            Self::Encryption(error) => return error.explain(),
        };
        Explanation::new(self, help, "OpenID4VCI 1.0 §9.1")
    }
}

impl DeferredRequest {
    /// Reads the body of a deferred credential request, decrypted if it was encrypted. Unknown members are ignored.
    pub fn parse(body: &[u8]) -> Result<Self, DeferredRequestError> {
        let object = json::object(body, LENGTH_LIMIT)?;
        Ok(Self {
            transaction_id: transaction_id(&object)?,
            response_encryption: ResponseEncryption::from_request(&object)?,
        })
    }
}

impl fmt::Debug for DeferredRequest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("DeferredRequest")
            .field("response_encryption", &self.response_encryption)
            .finish_non_exhaustive()
    }
}

/// Why a transaction gives no credential, ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum DeferredRefusal {
    /// Unknown, of another access token, or collected already; which of them is not said.
    #[error("the transaction is unknown, belongs to another access token, or was collected already")]
    InvalidTransactionId,
    /// The credential was denied, or waited for too long.
    #[error("the credential will not be issued")]
    Denied,
}

impl DeferredRefusal {
    /// The error code of the protocol (OpenID4VCI §9.3).
    pub fn code(self) -> &'static str {
        match self {
            Self::InvalidTransactionId => "invalid_transaction_id",
            Self::Denied => "credential_request_denied",
        }
    }

    /// The same for the wallet's developer.
    pub fn explain(self) -> Explanation {
        let help = match self {
            Self::InvalidTransactionId => {
                "use the `transaction_id` with an access token of the same authorization; it ends when the credential is \
                 collected"
            }
            Self::Denied => "stop asking for this transaction; tell the person",
        };
        Explanation::new(&self, help, "OpenID4VCI 1.0 §9.3")
    }
}

fn transaction_id(object: &Map<String, Value>) -> Result<String, DeferredRequestError> {
    let found = object.get("transaction_id");
    let id = found.and_then(Value::as_str).filter(|id| (1..=TRANSACTION_ID_LIMIT).contains(&id.len()));
    id.map(str::to_owned).ok_or_else(|| DeferredRequestError::TransactionId {
        got: found.map_or_else(|| "absent".to_owned(), excerpt_json),
    })
}

#[cfg(test)]
mod tests {
    use chancery_keys::jwe::DecryptionKey;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn parse(body: &Value) -> Result<DeferredRequest, DeferredRequestError> {
        DeferredRequest::parse(body.to_string().as_bytes())
    }

    #[test]
    fn a_transaction_is_asked_for_with_or_without_encryption_by_def_2() {
        let plain = parse(&json!({"transaction_id": "tx-55", "x": 1})).unwrap();
        assert_eq!((plain.transaction_id.as_str(), plain.response_encryption.is_none()), ("tx-55", true));
        let jwk = DecryptionKey::generate("w").unwrap().recipient().to_json();
        let body = json!({"transaction_id": "tx-55", "credential_response_encryption": {"jwk": jwk, "enc": "A256GCM"}});
        assert!(parse(&body).unwrap().response_encryption.is_some());
        assert!(!format!("{plain:?}").contains("tx-55"));
    }

    #[test]
    fn a_missing_or_malformed_transaction_id_is_refused_by_def_2() {
        for body in [
            json!({}),
            json!({"transaction_id": ""}),
            json!({"transaction_id": 55}),
            json!({"transaction_id": null}),
            json!({"transaction_id": "x".repeat(513)}),
        ] {
            let error = parse(&body).unwrap_err();
            assert!(matches!(error, DeferredRequestError::TransactionId { .. }));
            assert_eq!(error.code(), "invalid_credential_request");
        }
    }

    #[test]
    fn an_empty_body_is_named_as_draft_11() {
        let error = DeferredRequest::parse(b"").unwrap_err();
        assert!(error.explain().help.contains("draft 11"));
    }

    #[test]
    fn nonsense_encryption_has_its_own_code_by_enc_8() {
        let body = json!({"transaction_id": "tx-55", "credential_response_encryption": {"enc": "A256GCM"}});
        assert_eq!(parse(&body).unwrap_err().code(), "invalid_encryption_parameters");
    }

    #[test]
    fn refusals_have_the_codes_of_def_5_and_def_6() {
        assert_eq!(DeferredRefusal::InvalidTransactionId.code(), "invalid_transaction_id");
        assert_eq!(DeferredRefusal::Denied.code(), "credential_request_denied");
        assert_eq!(DeferredRefusal::Denied.explain().spec_ref, "OpenID4VCI 1.0 §9.3");
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = DeferredRequest::parse(&body);
        }
    }
}
