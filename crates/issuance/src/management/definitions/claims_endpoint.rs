//! `claimsEndpoint` of a definition: where claims are fetched that an issue call leaves out, and what the requests are
//! signed with. Its versions say where and how; the secrets belong to all of them.

use chancery_model::{
    ClaimsEndpoint, DefinitionContent, DefinitionId, Organisation, Timestamp, WebhookSecrets, WhenUnavailable,
};
use chancery_storage::{StoreError, Transaction};
use zeroize::Zeroizing;

use crate::management::body::{Faults, Members};
use crate::management::{endpoint, webhooks};
use crate::outbound::Outbound;
use crate::sealed::Place;
use crate::{Context, Failure};

/// Name of the member.
pub(super) const NAME: &str = "claimsEndpoint";

/// Longest time for an answer, in seconds: the wallet waits meanwhile, and its whole request has 20.
const LONGEST_DEADLINE: u32 = 15;

/// Longest time for which claims can stand in for an answer, in seconds: a year.
const LONGEST_LAST_KNOWN: u32 = 365 * 86_400;

const RULES: &[(&str, WhenUnavailable)] = &[
    ("refuse", WhenUnavailable::Refuse),
    ("defer", WhenUnavailable::Defer),
    ("lastKnown", WhenUnavailable::LastKnown),
];

/// Reads the endpoint, and a new secret for it. What an answer shows for "none" may be sent back.
pub(super) fn read(
    outbound: &Outbound,
    record: &Members<'_>,
    faults: &mut Faults,
) -> Option<(ClaimsEndpoint, Option<String>)> {
    record.value(NAME)?;
    let members = record.object(NAME, faults)?;
    members.refuse_others(
        &[&["url", "deadlineInSeconds", "whenUnavailable", "lastKnownForInSeconds", "secretKey"]],
        faults,
    );
    let has_no_url = members.value("url").is_none_or(|url| url.as_str() == Some(""));
    if has_no_url && members.filled("whenUnavailable").is_none() {
        return None;
    }
    if has_no_url {
        faults.add(members.at("url"), "whenUnavailable goes only with a URL");
    }
    let url = endpoint::read(outbound, &members, "url", faults);
    let deadline = members.integer("deadlineInSeconds", 1..=LONGEST_DEADLINE, faults).unwrap_or(5);
    let when_unavailable = members.choice("whenUnavailable", RULES, faults).unwrap_or(WhenUnavailable::Refuse);
    let last_known_for =
        members.integer("lastKnownForInSeconds", 60..=LONGEST_LAST_KNOWN, faults).unwrap_or(30 * 86_400);
    let secret = webhooks::read_secret(&members, faults);
    Some((ClaimsEndpoint { url: url?, deadline, when_unavailable, last_known_for }, secret))
}

/// What becomes of the secrets with a new version.
pub(super) struct Secrets {
    change: Change,
    /// The secret, when it was made here.
    pub(super) made: Option<Zeroizing<String>>,
}

enum Change {
    None,
    Put(Vec<u8>),
    Remove,
}

impl Secrets {
    /// Without a secret in the body the one that is there stays, or one is made. Another secret replaces it, and both sign
    /// for a day. `known` is what is sealed there.
    pub(super) fn prepare<R>(
        ctx: &Context,
        organisation: &Organisation,
        (id, content): (DefinitionId, &DefinitionContent),
        given: Option<String>,
        known: Option<Vec<u8>>,
        now: Timestamp,
    ) -> Result<Self, Failure<R>> {
        let seal = |secrets: &WebhookSecrets| {
            ctx.seal(organisation, Place::ClaimsEndpointSecrets, id.as_uuid(), secrets).map(Change::Put)
        };
        let (change, made) = match (&content.claims_endpoint, known, given) {
            (None, None, _) | (Some(_), Some(_), None) => (Change::None, None),
            (None, Some(_), _) => (Change::Remove, None),
            (Some(_), None, Some(secret)) => (seal(&WebhookSecrets::of(secret))?, None),
            (Some(_), None, None) => {
                let made = webhooks::new_secret(ctx);
                (seal(&WebhookSecrets::of(made.as_str().to_owned()))?, Some(made))
            }
            (Some(_), Some(known), Some(secret)) => {
                let mut secrets = open(ctx, organisation, id, &known)?;
                secrets.replace(secret, now.plus(webhooks::OVERLAP));
                (seal(&secrets)?, None)
            }
        };
        Ok(Self { change, made })
    }

    /// Writes them down, in the unit of work that saves the version.
    pub(super) async fn record(&self, tx: &Transaction, id: DefinitionId, now: Timestamp) -> Result<(), StoreError> {
        match &self.change {
            Change::None => Ok(()),
            Change::Put(sealed) => tx.put_claims_endpoint_secrets(id, sealed, now).await,
            Change::Remove => tx.remove_claims_endpoint_secrets(id).await,
        }
    }
}

/// The secrets for the endpoint of a definition.
pub(crate) fn open<R>(
    ctx: &Context,
    organisation: &Organisation,
    id: DefinitionId,
    sealed: &[u8],
) -> Result<WebhookSecrets, Failure<R>> {
    ctx.open(organisation, Place::ClaimsEndpointSecrets, id.as_uuid(), sealed)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::Addresses;

    fn endpoint(endpoint: &Value) -> Result<Option<(ClaimsEndpoint, Option<String>)>, Vec<String>> {
        let mut faults = Faults::default();
        let body = json!({ NAME: endpoint });
        let read = read(&Outbound::new(Addresses::Public), &Members::of_body(body.as_object().unwrap()), &mut faults);
        let named = |faults: Vec<crate::management::Fault>| faults.into_iter().map(|fault| fault.pointer).collect();
        faults.none_or(Some(read)).map_err(named)
    }

    #[test]
    fn an_endpoint_takes_the_documented_defaults() {
        let (read, secret) = endpoint(&json!({ "url": "https://claims.example/ask" })).unwrap().unwrap();
        assert_eq!((read.url.as_str(), secret), ("https://claims.example/ask", None));
        assert_eq!((read.deadline, read.when_unavailable), (5, WhenUnavailable::Refuse));
        assert_eq!(read.last_known_for, 2_592_000);
    }

    #[test]
    fn what_an_answer_shows_for_no_endpoint_can_be_sent_back() {
        let shown = json!({
            "url": "", "deadlineInSeconds": 0, "whenUnavailable": "", "lastKnownForInSeconds": 0, "secretKey": "",
        });
        for none in [shown, json!({}), json!(null)] {
            assert_eq!(endpoint(&none).unwrap(), None, "{none}");
        }
    }

    #[test]
    fn each_wrong_member_is_named() {
        for (member, value) in [
            ("url", json!("http://claims.example/ask")),
            ("url", json!("https://10.0.0.1/ask")),
            ("url", json!("https://user:word@claims.example/ask")),
            ("url", json!("")),
            ("deadlineInSeconds", json!(0)),
            ("deadlineInSeconds", json!(16)),
            ("whenUnavailable", json!("ignore")),
            ("lastKnownForInSeconds", json!(59)),
            ("secretKey", json!("short")),
            ("unknown", json!(1)),
        ] {
            let mut body = json!({ "url": "https://claims.example/ask", "whenUnavailable": "defer" });
            body[member] = value;
            assert_eq!(endpoint(&body).unwrap_err(), [format!("/{NAME}/{member}")]);
        }
    }
}
