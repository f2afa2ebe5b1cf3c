//! Notifications by wallets about what became of a credential (OpenID4VCI §11).

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use thiserror::Error;

use crate::explanation::{excerpt_json, list};
use crate::json::{self, JsonError};
use crate::{Explanation, error_description};

/// The status of a success, which has no body (OpenID4VCI §11.2). Repetitions get it too.
pub const SUCCESS_STATUS: u16 = 204;

/// Longest request body, in bytes.
const LENGTH_LIMIT: usize = 16 * 1024;

/// Longest notification id, in bytes.
const ID_LIMIT: usize = 512;

/// A notification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotificationRequest {
    /// Names the issuance: `notification_id` of a credential response.
    pub notification_id: String,
    /// What happened.
    pub event: Event,
    /// Words for a developer, at most 400 characters within the set that §11.1 allows; others have become `?`, because
    /// an event is worth more than its spelling.
    pub description: Option<String>,
}

/// What happened in the wallet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// The credential was stored.
    CredentialAccepted,
    /// It was not, for a reason of the wallet.
    CredentialFailure,
    /// It was not, because the person said so.
    CredentialDeleted,
}

impl Event {
    /// Every event.
    pub const ALL: [Self; 3] = [Self::CredentialAccepted, Self::CredentialFailure, Self::CredentialDeleted];

    /// The name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::CredentialAccepted => "credential_accepted",
            Self::CredentialFailure => "credential_failure",
            Self::CredentialDeleted => "credential_deleted",
        }
    }

    /// The event of that name. Names are case-sensitive (OpenID4VCI §11.1).
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|event| event.name() == name)
    }
}

impl fmt::Display for Event {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// Why a notification is refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NotificationError {
    /// The body is not an acceptable JSON object.
    #[error("{0}")]
    Json(#[from] JsonError),
    /// `notification_id` is not a non-empty string of at most 512 bytes.
    #[error("`notification_id` is {got}, expected a non-empty string of at most {ID_LIMIT} bytes")]
    Id {
        /// What came.
        got: String,
    },
    /// `event` is none of the three.
    #[error("`event` is {got}, expected one of {}", list(Event::ALL))]
    Event {
        /// What came.
        got: String,
    },
    /// `event_description` is not a string.
    #[error("`event_description` is {got}, expected a string")]
    Description {
        /// The JSON type that came.
        got: &'static str,
    },
    /// The id names no issuance of this access token.
    #[error("`notification_id` names no issuance of this access token")]
    UnknownId,
}

impl NotificationError {
    /// The error code of the protocol (OpenID4VCI §11.3).
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnknownId => "invalid_notification_id",
            Self::Json(_) | Self::Id { .. } | Self::Event { .. } | Self::Description { .. } => {
                "invalid_notification_request"
            }
        }
    }

    /// The same for the wallet's developer.
    pub fn explain(&self) -> Explanation {
        let (help, spec_ref) = match self {
            Self::Json(_) => ("send one JSON object with `Content-Type: application/json`", "OpenID4VCI 1.0 §11.1"),
            Self::Id { .. } => ("send `notification_id` as the credential response had it", "OpenID4VCI 1.0 §11.1"),
            Self::Event { .. } => ("use the name of an event exactly, in lower case", "OpenID4VCI 1.0 §11.1"),
            Self::Description { .. } => {
                ("send `event_description` as ASCII text, or not at all", "OpenID4VCI 1.0 §11.1")
            }
            Self::UnknownId => {
                ("use an access token of the authorization that the credential came from", "OpenID4VCI 1.0 §11.3")
            }
        };
        Explanation::new(self, help, spec_ref)
    }
}

impl NotificationRequest {
    /// Reads the body of a notification. Unknown members are ignored (OpenID4VCI §11.1).
    pub fn parse(body: &[u8]) -> Result<Self, NotificationError> {
        let object = json::object(body, LENGTH_LIMIT)?;
        let quoted = |name: &str| object.get(name).map_or_else(|| "absent".to_owned(), excerpt_json);
        let id = text(&object, "notification_id").filter(|id| (1..=ID_LIMIT).contains(&id.len()));
        let description = match object.get("event_description") {
            None => None,
            Some(Value::String(words)) => Some(error_description(words)),
            Some(other) => return Err(NotificationError::Description { got: json::kind(other) }),
        };
        Ok(Self {
            notification_id: id.ok_or_else(|| NotificationError::Id { got: quoted("notification_id") })?.to_owned(),
            event: text(&object, "event")
                .and_then(Event::parse)
                .ok_or_else(|| NotificationError::Event { got: quoted("event") })?,
            description,
        })
    }
}

fn text<'o>(object: &'o Map<String, Value>, name: &str) -> Option<&'o str> {
    object.get(name).and_then(Value::as_str)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn parse(body: &Value) -> Result<NotificationRequest, NotificationError> {
        NotificationRequest::parse(body.to_string().as_bytes())
    }

    #[test]
    fn every_event_is_read_by_not_2() {
        for event in Event::ALL {
            let body =
                json!({"notification_id": "n-31", "event": event.name(), "event_description": "Stored.", "x": 1});
            let expected = NotificationRequest {
                notification_id: "n-31".to_owned(),
                event,
                description: Some("Stored.".to_owned()),
            };
            assert_eq!(parse(&body), Ok(expected));
            assert_eq!(serde_json::to_value(event).unwrap(), event.name());
        }
        let bare = parse(&json!({"notification_id": "n-31", "event": "credential_accepted"})).unwrap();
        assert_eq!(bare.description, None);
    }

    #[test]
    fn other_events_are_refused_by_not_2() {
        for event in [json!("Credential_Accepted"), json!("credential_issued"), json!(""), json!(1), json!(null)] {
            let error = parse(&json!({"notification_id": "n-31", "event": event})).unwrap_err();
            assert_eq!(error.code(), "invalid_notification_request");
        }
        let error = parse(&json!({"notification_id": "n-31", "event": "Credential_Accepted"})).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`event` is Credential_Accepted, expected one of credential_accepted, credential_failure, credential_deleted"
        );
    }

    #[test]
    fn a_malformed_request_and_an_unknown_id_have_their_codes_by_not_4() {
        for body in
            [json!({"event": "credential_accepted"}), json!({"notification_id": "", "event": "credential_accepted"})]
        {
            assert!(matches!(parse(&body), Err(NotificationError::Id { .. })));
        }
        let number = json!({"notification_id": "n", "event": "credential_accepted", "event_description": 1});
        assert_eq!(parse(&number), Err(NotificationError::Description { got: "a number" }));
        assert_eq!(NotificationRequest::parse(b"[]").unwrap_err().code(), "invalid_notification_request");
        assert_eq!(NotificationError::UnknownId.code(), "invalid_notification_id");
        assert_eq!(NotificationError::UnknownId.explain().spec_ref, "OpenID4VCI 1.0 §11.3");
    }

    #[test]
    fn words_outside_the_character_set_do_not_lose_the_event() {
        let body = json!({"notification_id": "n", "event": "credential_failure", "event_description": "füll \"\n"});
        assert_eq!(parse(&body).unwrap().description.as_deref(), Some("f?ll ' "));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = NotificationRequest::parse(&body);
        }
    }
}
