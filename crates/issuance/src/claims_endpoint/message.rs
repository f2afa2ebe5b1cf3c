//! What a claims endpoint is asked, and what it can answer.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chancery_keys::sha256;
use chancery_model::{DefinitionId, Entry, ExchangeId, GrantId, IndividualId, Organisation, Timestamp, WebhookSecrets};
use http::Request;
use http::header::{ACCEPT, CONTENT_TYPE};
use serde_json::{Map, Value, json};

use crate::management::body::{Fault, Faults, Members};
use crate::management::decisions::read_reason;
use crate::management::webhooks::{instant, sign};

const TYPE: &str = "openid.credential.claims_requested";

/// Longest distance of polls that an answer can ask for, in seconds: a day.
const LONGEST_RETRY: u32 = 86_400;

/// Which credential claims are wanted for, and what helps to find the person. No secrets.
pub(crate) struct Question<'q> {
    pub(crate) exchange: ExchangeId,
    pub(crate) definition: DefinitionId,
    pub(crate) grant: GrantId,
    pub(crate) entry: &'q Entry,
    pub(crate) dataset: u16,
    /// Whom the offer was made for, and what the organisation calls that person; empty when it does not.
    pub(crate) individual: Option<IndividualId>,
    pub(crate) mapper_id: &'q str,
    /// Who signed in.
    pub(crate) subject: Option<&'q str>,
    /// Claims that are known already: those of the person who signed in.
    pub(crate) known: &'q Map<String, Value>,
    pub(crate) metadata: &'q Map<String, Value>,
    /// RFC 7638 thumbprints of the holder's keys.
    pub(crate) holder_keys: Vec<String>,
    /// Whether claims were fetched before, and fresh ones are wanted.
    pub(crate) is_renewal: bool,
}

impl Question<'_> {
    /// The signed request; `None` when the URL cannot be called.
    pub(super) fn request(
        &self,
        organisation: &Organisation,
        url: &str,
        secrets: &WebhookSecrets,
        now: Timestamp,
    ) -> Option<Request<Vec<u8>>> {
        let id = self.id();
        let body = self.body(organisation, &id, now);
        let request = Request::post(url).header(CONTENT_TYPE, "application/json").header(ACCEPT, "application/json");
        sign(request, &body, &id, secrets, now).body(body.into_bytes()).ok()
    }

    /// The same whenever the same authorization asks for the same credential: repetitions can be told.
    fn id(&self) -> String {
        let subject = format!("{}:{}:{}:{}", self.exchange, self.grant, self.entry.id, self.dataset);
        let digest = sha256(subject.as_bytes());
        let short: String = URL_SAFE_NO_PAD.encode(digest).chars().take(22).collect();
        format!("clm_{short}")
    }

    fn body(&self, organisation: &Organisation, id: &str, now: Timestamp) -> String {
        json!({
            "requestId": id,
            "timestamp": instant(now),
            "type": TYPE,
            "data": {
                "organisationId": organisation.id.to_string(),
                "credentialExchangeId": self.exchange.to_string(),
                "credentialDefinitionId": self.definition.to_string(),
                "individualId": self.individual.map(|id| id.to_string()).unwrap_or_default(),
                "mapperId": self.mapper_id,
                "subject": self.subject.unwrap_or_default(),
                "renewal": self.is_renewal,
                "holderKeyThumbprints": self.holder_keys,
                "credential": {
                    "id": self.entry.id.to_string(),
                    "credentialConfigurationId": self.entry.configuration_id,
                    "vct": self.entry.vct,
                    "dataset": self.dataset,
                    "claims": self.known,
                    "credentialMetadata": self.metadata,
                },
            },
        })
        .to_string()
    }
}

/// What a claims endpoint can answer.
#[derive(PartialEq)]
pub(crate) enum Reply {
    /// The claims; they are still to be checked.
    Claims(Map<String, Value>),
    /// Not yet.
    Defer {
        /// Seconds after which the wallet is to ask again.
        retry: Option<u32>,
    },
    /// Never.
    Deny {
        /// For the record and the holder.
        reason: String,
    },
}

impl Reply {
    /// Reads an answer: an object with exactly one of `claims`, `defer` and `deny`. The error is a pointer to what is wrong.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let object = crate::management::parse_body(bytes).map_err(|_| "".to_owned())?;
        let mut faults = Faults::default();
        let reply = read(&Members::of_body(&object), &mut faults);
        faults
            .none_or(reply)
            .map_err(|faults| faults.into_iter().next().map(|fault: Fault| fault.pointer).unwrap_or_default())
    }
}

fn read(answer: &Members<'_>, faults: &mut Faults) -> Option<Reply> {
    expect_only(answer, &["claims", "defer", "deny"], faults);
    let given = |name: &str| answer.value(name).is_some();
    match (given("claims"), given("defer"), given("deny")) {
        (true, false, false) => Some(Reply::Claims(answer.object("claims", faults)?.raw().clone())),
        (false, true, false) => {
            let defer = answer.object("defer", faults)?;
            expect_only(&defer, &["retryInSeconds"], faults);
            Some(Reply::Defer { retry: defer.integer("retryInSeconds", 1..=LONGEST_RETRY, faults) })
        }
        (false, false, true) => {
            let deny = answer.object("deny", faults)?;
            expect_only(&deny, &["reason"], faults);
            deny.require("reason", faults);
            Some(Reply::Deny { reason: read_reason(&deny, faults)? })
        }
        (_, _, _) => {
            faults.add("", "exactly one of claims, defer and deny is expected");
            None
        }
    }
}

/// A member with another name is not named: names that a server makes up may be anything, a claim's value too.
fn expect_only(members: &Members<'_>, known: &[&str], faults: &mut Faults) {
    if members.raw().keys().any(|name| !known.contains(&name.as_str())) {
        faults.add(members.pointer(), format!("only {} is expected", known.join(", ")));
    }
}

impl std::fmt::Debug for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Claims(_) => "Claims(hidden)",
            Self::Defer { .. } => "Defer",
            Self::Deny { .. } => "Deny",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(answer: &Value) -> Result<Reply, String> {
        Reply::parse(answer.to_string().as_bytes())
    }

    #[test]
    fn an_answer_is_claims_or_defer_or_deny() {
        let claims = json!({ "name": "Ada" }).as_object().unwrap().clone();
        assert_eq!(parse(&json!({ "claims": claims })), Ok(Reply::Claims(claims)));
        assert_eq!(parse(&json!({ "claims": {} })), Ok(Reply::Claims(Map::new())));
        assert_eq!(parse(&json!({ "defer": {} })), Ok(Reply::Defer { retry: None }));
        assert_eq!(parse(&json!({ "defer": { "retryInSeconds": 60 } })), Ok(Reply::Defer { retry: Some(60) }));
        let deny = Reply::Deny { reason: "Unknown here.".to_owned() };
        assert_eq!(parse(&json!({ "deny": { "reason": "Unknown here." } })), Ok(deny));
    }

    #[test]
    fn any_other_answer_is_malformed_and_says_where() {
        for (answer, pointer) in [
            (json!({}), ""),
            (json!({ "claims": {}, "defer": {} }), ""),
            (json!({ "claims": [] }), "/claims"),
            (json!({ "claims": {}, "more": 1 }), ""),
            (json!({ "defer": { "until": 1 } }), "/defer"),
            (json!({ "defer": true }), "/defer"),
            (json!({ "defer": { "retryInSeconds": 0 } }), "/defer/retryInSeconds"),
            (json!({ "deny": {} }), "/deny/reason"),
            (json!({ "deny": { "reason": "a\nb" } }), "/deny/reason"),
            (json!([]), ""),
        ] {
            assert_eq!(parse(&answer), Err(pointer.to_owned()), "{answer}");
        }
        assert_eq!(Reply::parse(br#"{"claims":{"a":1,"a":2}}"#), Err(String::new()));
        assert_eq!(Reply::parse(b"no JSON"), Err(String::new()));
    }
}
