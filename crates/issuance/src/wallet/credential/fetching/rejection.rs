//! Why claims could not be fetched, for the wallet and for the transcript.

use chancery_protocol::Explanation;
use serde_json::{Value, json};

/// Why there are no fetched claims.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotFetched {
    /// The claims endpoint gave no answer that can be used, and nothing stands in for it.
    Unavailable {
        /// What was wrong; quotes nothing of an answer.
        reason: String,
    },
    /// The claims that came do not fit the definition, or contradict what is known of the person.
    Unfit {
        /// Pointers to them; no values.
        claims: Vec<String>,
        /// Which of both.
        is_contradiction: bool,
    },
    /// The claims endpoint denied the issuance.
    Denied,
}

impl NotFetched {
    /// Whether the same request may succeed later.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Unavailable { .. } => true,
            Self::Unfit { .. } | Self::Denied => false,
        }
    }

    /// For the wallet's developer.
    pub fn description(&self) -> &'static str {
        match self {
            Self::Unavailable { .. } => "the organisation cannot say at the moment what belongs into the credential",
            Self::Unfit { .. } => "what the organisation has of the holder does not fit the credential",
            Self::Denied => "the organisation denied the credential",
        }
    }

    /// Our name for the cause, in the transcript's event.
    pub(in super::super::super) fn code(&self) -> &'static str {
        match self {
            Self::Unavailable { .. } => "claims_unavailable",
            Self::Unfit { is_contradiction: true, .. } => "claims_contradict",
            Self::Unfit { is_contradiction: false, .. } => "claims_unfit",
            Self::Denied => "issuance_denied",
        }
    }

    /// Further members of the record.
    pub(in super::super::super) fn data(&self) -> Value {
        match self {
            Self::Unfit { claims, .. } => json!({ "claims": claims }),
            Self::Unavailable { .. } | Self::Denied => Value::Null,
        }
    }

    /// For the transcript.
    pub(in super::super::super) fn explain(&self) -> Explanation {
        let (reason, help) = match self {
            Self::Unavailable { reason } => {
                (reason.clone(), "ask again later; the organisation has to look after its claims endpoint")
            }
            Self::Unfit { claims, is_contradiction: true } => (
                format!("the claims endpoint contradicts what is known of the person, at {}", claims.join(", ")),
                "the organisation has to answer with the claims of the person who signed in",
            ),
            Self::Unfit { claims, is_contradiction: false } => (
                format!("the claims of the claims endpoint do not fit the definition, at {}", claims.join(", ")),
                "the organisation has to answer with the claims that the definition describes",
            ),
            Self::Denied => {
                ("the claims endpoint denied the issuance".to_owned(), "ask the organisation for a new offer")
            }
        };
        Explanation { reason, help: help.into(), spec_ref: "OpenID4VCI 1.0 §8.3.1.2" }
    }
}
