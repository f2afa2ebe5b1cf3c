//! Answers of the credential, nonce and related endpoints (OpenID4VCI §7.2, §8.3).

use std::fmt;

use serde::Serialize;

/// A successful answer of the credential endpoint.
///
/// One of two shapes, so that `credentials` and `transaction_id` can never be together (OpenID4VCI §8.3).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum CredentialResponse {
    /// HTTP 200: the credentials.
    Issued {
        /// At least one, one per key.
        credentials: Vec<IssuedCredential>,
        /// Names this issuance in notifications.
        #[serde(skip_serializing_if = "Option::is_none")]
        notification_id: Option<String>,
    },
    /// HTTP 202: come back later.
    Deferred {
        /// Names the transaction at the deferred credential endpoint.
        transaction_id: String,
        /// Seconds to wait before asking; positive.
        interval: u32,
    },
}

impl CredentialResponse {
    /// An answer with one credential in a textual format.
    pub fn issued(credential: String) -> Self {
        Self::Issued { credentials: vec![IssuedCredential { credential }], notification_id: None }
    }

    /// The HTTP status that goes with the shape.
    pub fn status(&self) -> u16 {
        match self {
            Self::Issued { .. } => 200,
            Self::Deferred { .. } => 202,
        }
    }
}

/// One element of `credentials`. Personal data: `Debug` does not show it.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct IssuedCredential {
    /// The credential as its format encodes it: for `dc+sd-jwt` the compact form with its disclosures.
    pub credential: String,
}

impl fmt::Debug for IssuedCredential {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "IssuedCredential({} bytes)", self.credential.len())
    }
}

/// The answer of the nonce endpoint (OpenID4VCI §7.2). Send it with `Cache-Control: no-store`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NonceResponse {
    /// The nonce for key proofs.
    pub c_nonce: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_immediate_answer_has_an_array_of_objects_by_cre_9() {
        let answer = CredentialResponse::issued("eyJ~".to_owned());
        assert_eq!(serde_json::to_string(&answer).unwrap(), r#"{"credentials":[{"credential":"eyJ~"}]}"#);
        assert_eq!(answer.status(), 200);
        assert!(!format!("{answer:?}").contains("eyJ~"));
    }

    #[test]
    fn a_deferred_answer_has_a_transaction_and_an_interval_by_cre_10() {
        let answer = CredentialResponse::Deferred { transaction_id: "tx-55".to_owned(), interval: 30 };
        assert_eq!(serde_json::to_string(&answer).unwrap(), r#"{"transaction_id":"tx-55","interval":30}"#);
        assert_eq!(answer.status(), 202);
    }
}
