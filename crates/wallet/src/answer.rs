//! The answer of the credential endpoint (OpenID4VCI §8.3).

use std::fmt;

use serde_json::Value;

use crate::error::{Step, Violation, WalletError};
use crate::json::{self, Object};

/// What the credential endpoint answered.
#[derive(Clone, PartialEq, Eq)]
pub enum Answer {
    /// Credentials, now.
    Issued {
        /// The credentials as they came; they hold every claim.
        credentials: Vec<String>,
        /// For the notification endpoint.
        notification_id: Option<String>,
    },
    /// Credentials, later.
    Deferred {
        /// For the deferred credential endpoint.
        transaction_id: String,
        /// Seconds to wait.
        interval_seconds: u64,
    },
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Issued { credentials, notification_id } => f
                .debug_struct("Issued")
                .field("credentials", &credentials.len())
                .field("notification_id", notification_id)
                .finish(),
            Self::Deferred { transaction_id, interval_seconds } => f
                .debug_struct("Deferred")
                .field("transaction_id", transaction_id)
                .field("interval_seconds", interval_seconds)
                .finish(),
        }
    }
}

impl Answer {
    /// Checks a 200 (`deferred` false) or 202 answer to a request with `proofs` proofs.
    pub(crate) fn read(object: &Object, deferred: bool, proofs: usize) -> Result<Self, WalletError> {
        let wrong = |what: &str, expected: &str, got: String| {
            Violation::err(Step::Credential, "OpenID4VCI §8.3", what, expected, got)
        };
        let forbidden: &[&str] =
            if deferred { &["credentials", "notification_id"] } else { &["transaction_id", "interval"] };
        if let Some(member) = forbidden.iter().find(|member| object.contains_key(**member)) {
            let expected = "credentials with 200, transaction_id and interval with 202";
            let got = format!("{member} with {}", if deferred { 202 } else { 200 });
            return wrong("the members do not fit the status", expected, got);
        }
        if deferred {
            let id = object.get("transaction_id").and_then(Value::as_str).filter(|id| !id.is_empty());
            let interval = object.get("interval").and_then(Value::as_u64).filter(|seconds| *seconds > 0);
            return match (id, interval) {
                (Some(id), Some(interval_seconds)) => {
                    Ok(Self::Deferred { transaction_id: id.to_owned(), interval_seconds })
                }
                _ => {
                    let expected = "a string transaction_id and a positive interval";
                    wrong("a deferred answer is incomplete", expected, "something else".into())
                }
            };
        }
        let entries = match object.get("credentials") {
            Some(Value::Array(entries)) if !entries.is_empty() => entries,
            other => {
                let got = match (other, object.contains_key("credential")) {
                    (None, true) => "`credential`, the member of older drafts".to_owned(),
                    _ => json::kind_or_absent(other).to_owned(),
                };
                return wrong("credentials is wrong", "a non-empty array", got);
            }
        };
        let mut credentials = Vec::with_capacity(entries.len());
        for entry in entries {
            match entry.get("credential") {
                Some(Value::String(credential)) => credentials.push(credential.clone()),
                other => {
                    let expected = "objects with a string `credential`";
                    return wrong("an entry of credentials is wrong", expected, json::kind_or_absent(other).into());
                }
            }
        }
        if credentials.len() > proofs.max(1) {
            let expected = format!("at most {}, one for each key", proofs.max(1));
            return wrong("there are too many credentials", &expected, credentials.len().to_string());
        }
        Ok(Self::Issued {
            credentials,
            notification_id: object.get("notification_id").and_then(Value::as_str).map(str::to_owned),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(value: &Value, deferred: bool) -> Result<Answer, WalletError> {
        Answer::read(value.as_object().unwrap(), deferred, 1)
    }

    #[test]
    fn good_answers_are_read() {
        let issued = read(&json!({"credentials": [{"credential": "c"}], "notification_id": "n"}), false);
        assert!(matches!(issued, Ok(Answer::Issued { credentials, .. }) if credentials == ["c"]));
        let deferred = read(&json!({"transaction_id": "t", "interval": 5}), true);
        assert!(matches!(deferred, Ok(Answer::Deferred { interval_seconds: 5, .. })));
    }

    #[test]
    fn answers_that_mix_the_two_kinds_or_use_old_members_are_refused() {
        for (answer, deferred) in [
            (json!({"credentials": [{"credential": "c"}], "transaction_id": "t"}), false),
            (json!({"credentials": [{"credential": "c"}], "interval": 1}), false),
            (json!({"transaction_id": "t", "interval": 5, "notification_id": "n"}), true),
            (json!({"transaction_id": "t"}), true),
            (json!({"transaction_id": "t", "interval": 0}), true),
            (json!({"credential": "c"}), false),
            (json!({"credentials": []}), false),
            (json!({"credentials": ["c"]}), false),
            (json!({"credentials": [{"credential": "c"}, {"credential": "d"}]}), false),
        ] {
            assert!(read(&answer, deferred).is_err(), "{answer}");
        }
    }
}
