//! Where an organisation answers with the claims of a credential at the moment it is issued.

use serde::{Deserialize, Serialize};

/// A server of the organisation that is asked for claims which the issue call left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimsEndpoint {
    /// What is called.
    pub url: String,
    /// Seconds for which an answer is awaited.
    pub deadline: u32,
    /// What happens when there is no answer that can be used.
    pub when_unavailable: WhenUnavailable,
    /// Seconds for which claims that were fetched can stand in for an answer.
    pub last_known_for: u32,
}

/// What happens when the claims endpoint does not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum WhenUnavailable {
    /// The wallet is told to try again.
    Refuse,
    /// The wallet gets a transaction, and its polls ask again.
    Defer,
    /// What was fetched earlier for the same person is issued; the wallet is told to try again when there is nothing.
    LastKnown,
}

impl WhenUnavailable {
    /// Name in the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Refuse => "refuse",
            Self::Defer => "defer",
            Self::LastKnown => "lastKnown",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::WhenUnavailable;

    #[test]
    fn names_are_those_of_the_database() {
        for rule in [WhenUnavailable::Refuse, WhenUnavailable::Defer, WhenUnavailable::LastKnown] {
            assert_eq!(serde_json::to_value(rule).unwrap(), rule.name());
        }
    }
}
