//! What was checked of who came and how: the endpoints of wallets write it into the transcript, the record of the
//! exchange reads it from there.
//!
//! Only passages of steps that succeeded are read: whatever such a request presented was good, because a request with
//! anything that is not is refused. A wallet attestation that was merely observed has a record of another name.

use chancery_model::Passage;
use serde_json::{Map, Value};

/// Record of a request at the token endpoint; `form_body` has the client assertion.
pub(crate) const TOKEN_REQUEST: &str = "token.request_received";

/// Record of a wallet that was vouched for.
pub(crate) const ATTESTED: &str = "client.attested";

/// Record of the ID token by which the person signed in.
pub(crate) const ID_TOKEN: &str = "token.id_token_validated";

/// Record of an answer that was encrypted, at the credential endpoint.
pub(crate) const ENCRYPTED: &str = "credential.response_encryption";

/// The same at the deferred endpoint.
pub(crate) const DEFERRED_ENCRYPTED: &str = "deferred.response_encryption";

/// A JWT that was verified, without its signature.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// Its header.
    pub header: Map<String, Value>,
    /// Its claims, as far as a transcript may hold them.
    pub claims: Map<String, Value>,
}

/// What an exchange was checked by. Of several requests the last one counts. `None` or empty when nothing of the kind was
/// presented, and when the transcript was erased.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// The assertion by which the client authenticated (RFC 7523).
    pub client_assertion: Option<Verified>,
    /// `client_assertion_type` beside it.
    pub client_assertion_type: String,
    /// The attestation of the wallet (OpenID4VCI Appendix E).
    pub attestation: Option<Verified>,
    /// The proof of possession that came with it; `None` when the DPoP proof was by the attested key.
    pub possession: Option<Verified>,
    /// The ID token of the provider at which the person signed in; of its claims only those that are not about the person.
    pub id_token: Option<Verified>,
    /// `credential_response_encryption` of the request whose answer was encrypted (OpenID4VCI §8.2).
    pub response_encryption: Map<String, Value>,
}

impl Checked {
    /// Reads passages, oldest first.
    pub(crate) fn read<'p>(passages: impl IntoIterator<Item = &'p Passage>) -> Self {
        let mut checked = Self::default();
        for record in passages.into_iter().flat_map(|passage| &passage.records) {
            checked.take(&record.message, &record.data);
        }
        checked
    }

    fn take(&mut self, message: &str, data: &Map<String, Value>) {
        match message {
            TOKEN_REQUEST => {
                let form = data.get("form_body").and_then(Value::as_object);
                if let Some(assertion) = form.and_then(|form| Verified::of(form.get("client_assertion"))) {
                    self.client_assertion = Some(assertion);
                    let kind = form.and_then(|form| form.get("client_assertion_type")).and_then(Value::as_str);
                    self.client_assertion_type = kind.unwrap_or_default().to_owned();
                }
            }
            ATTESTED => {
                self.attestation = Verified::of(data.get("attestation"));
                self.possession = Verified::of(data.get("pop"));
            }
            ID_TOKEN => self.id_token = Verified::of_members(data),
            ENCRYPTED | DEFERRED_ENCRYPTED => self.response_encryption.clone_from(data),
            _ => {}
        }
    }
}

impl Verified {
    fn of(decoded: Option<&Value>) -> Option<Self> {
        Self::of_members(decoded?.as_object()?)
    }

    fn of_members(decoded: &Map<String, Value>) -> Option<Self> {
        let part = |name| decoded.get(name).and_then(Value::as_object).cloned();
        Some(Self { header: part("header")?, claims: part("claims")? })
    }
}

#[cfg(test)]
mod tests {
    use chancery_model::{Level, Record, Timestamp, TranscriptPartId};
    use serde_json::json;
    use uuid::Uuid;

    use super::*;

    fn passage(records: &[(&str, Value)]) -> Passage {
        let record = |(message, data): &(&str, Value)| Record {
            level: Level::Info,
            endpoint: "/token".to_owned(),
            message: (*message).to_owned(),
            data: data.as_object().cloned().unwrap_or_default(),
        };
        Passage {
            id: TranscriptPartId::from(Uuid::nil()),
            at: Timestamp::from_millis(0),
            records: records.iter().map(record).collect(),
            events: Vec::new(),
        }
    }

    #[test]
    fn an_exchange_without_any_of_it_was_checked_by_nothing() {
        let plain =
            passage(&[(TOKEN_REQUEST, json!({ "form_body": { "grant_type": "g" } })), ("token.issued", json!({}))]);
        assert_eq!(Checked::read([&plain]), Checked::default());
        assert_eq!(Checked::read([]), Checked::default());
    }

    #[test]
    fn the_last_request_counts_and_an_observed_attestation_does_not() {
        let jwt = |name: &str| json!({ "header": { "typ": name }, "claims": { "iss": name }, "sha256": "00" });
        let first = passage(&[
            (TOKEN_REQUEST, json!({ "form_body": { "client_assertion": jwt("a"), "client_assertion_type": "t" } })),
            (ATTESTED, json!({ "attestation": jwt("one"), "pop": jwt("pop") })),
        ]);
        let second = passage(&[
            (ATTESTED, json!({ "attestation": jwt("two"), "pop": null })),
            ("client.attestation_observed", json!({ "attestation": jwt("three") })),
            (ENCRYPTED, json!({ "enc": "A256GCM" })),
        ]);
        let checked = Checked::read([&first, &second]);
        assert_eq!(checked.client_assertion_type, "t");
        assert_eq!(checked.attestation.unwrap().header["typ"], "two");
        assert_eq!(checked.possession, None);
        assert_eq!(checked.response_encryption["enc"], "A256GCM");
        assert_eq!(checked.id_token, None);
    }
}
