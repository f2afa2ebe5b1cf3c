//! One issuance from offer to credential.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{ApiKeyId, DefinitionId, EntryId, ExchangeId, RevocationStatus, SecretHash, Timestamp};

/// The record of one issuance.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// Admin-side id, which no wallet can derive.
    pub id: ExchangeId,
    /// Definition it was started with.
    pub definition_id: DefinitionId,
    /// Version of that definition.
    pub definition_revision: u32,
    /// Credentials on offer, in the order of the issue call: one element for each. An entry that is there several times has
    /// as many datasets.
    pub entries: Vec<EntryId>,
    /// Whether claims were complete at the start.
    pub issuance_mode: IssuanceMode,
    /// Whether the issue call brought the claims.
    pub claims_at_start: bool,
    /// Grant in the offer.
    pub grant_kind: GrantKind,
    /// How far it has come.
    pub status: ExchangeStatus,
    /// Whether the claims are there.
    pub credential_status: CredentialStatus,
    /// Status of what was issued.
    pub revocation_status: RevocationStatus,
    /// Last segment of the offer URI: base64url of 16 random bytes.
    pub offer_id: String,
    /// Start of the offer link, for example `openid-credential-offer://`.
    pub url_scheme: String,
    /// Hash of the pre-authorized code or of `issuer_state`.
    pub code_hash: SecretHash,
    /// How often the offer was fetched.
    pub fetches: u32,
    /// When the code was redeemed.
    pub code_spent_at: Option<Timestamp>,
    /// Shape of the transaction code, when one is required.
    pub transaction_code: Option<TransactionCode>,
    /// Wrong transaction codes so far.
    pub failed_attempts: u8,
    /// Whether key proofs must carry a key attestation.
    pub require_key_attestation: bool,
    /// `client_id` of the wallet, once it named one.
    pub client_id: Option<String>,
    /// Why it was denied.
    pub denied_reason: Option<String>,
    /// Who called for it; `None` when a wallet began it, or a file of rows.
    pub issued_by: Option<IssuedBy>,
    /// Sealed [`ExchangeSecrets`].
    pub sealed_secrets: Vec<u8>,
    /// Sealed list of [`Submission`]s; `None` while pending or erased.
    pub sealed_submissions: Option<Vec<u8>>,
    /// From this instant on the code is refused.
    pub expires_at: Timestamp,
    /// From this instant on claims that are still missing are no longer awaited; `None` when nothing was missing.
    pub claims_due_at: Option<Timestamp>,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

impl Exchange {
    /// The entries on offer, each once, in the order of the issue call.
    pub fn configurations(&self) -> impl Iterator<Item = EntryId> {
        let entries = self.entries.iter().enumerate();
        let first = |(position, entry): &(usize, &EntryId)| !self.entries.iter().take(*position).any(|it| it == *entry);
        entries.filter(first).map(|(_, entry)| *entry)
    }

    /// How many credentials of this entry are on offer.
    pub fn datasets_of(&self, entry: EntryId) -> usize {
        self.entries.iter().filter(|offered| **offered == entry).count()
    }
}

/// Who called for an issuance. This is what the audit log has of it: the record is its entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuedBy {
    /// Who.
    pub actor: IssuingActor,
    /// Network address; empty when it is not known.
    pub address: String,
}

/// Who may call for an issuance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IssuingActor {
    /// The holder of an API key.
    ApiKey(ApiKeyId),
    /// Somebody who signed in at the access provider, as [`crate::Actor::person`] names them.
    Person(String),
}

impl fmt::Display for IssuingActor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ApiKey(key) => write!(f, "{key}"),
            Self::Person(name) => f.write_str(name),
        }
    }
}

/// The secrets of an exchange, sealed together.
#[derive(Clone, Serialize, Deserialize)]
pub struct ExchangeSecrets {
    /// The pre-authorized code or `issuer_state`: the offer repeats it whenever it is fetched.
    pub code: String,
    /// The transaction code (`userPin`).
    pub transaction_code: Option<String>,
}

impl fmt::Debug for ExchangeSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ExchangeSecrets(sealed)")
    }
}

/// What the organisation supplied for one entry.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Submission {
    /// The entry.
    pub entry: EntryId,
    /// Its claims.
    pub claims: Map<String, Value>,
    /// Free object, stored and echoed.
    #[serde(default)]
    pub metadata: Map<String, Value>,
    /// How the claims endpoint of the definition has to do with it; `None` when it has not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fetch: Option<Fetch>,
}

/// What is known of a submission whose claims come from the claims endpoint.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Fetch {
    /// Claims that were known before it was asked: those of a person who signed in. Empty until then.
    pub known: Map<String, Value>,
    /// Who signed in, as the identity provider calls the person.
    pub subject: Option<String>,
    /// When the claims were fetched; `None` as long as they have to be.
    pub at: Option<Timestamp>,
}

impl Submission {
    /// Claims that the organisation gave.
    pub fn given(entry: EntryId, claims: Map<String, Value>, metadata: Map<String, Value>) -> Self {
        Self { entry, claims, metadata, fetch: None }
    }

    /// Claims that the claims endpoint is to give.
    pub fn awaited(entry: EntryId, metadata: Map<String, Value>) -> Self {
        Self { entry, claims: Map::new(), metadata, fetch: Some(Fetch::default()) }
    }

    /// Whether the claims endpoint has still to give the claims: until then they are none, or some.
    pub fn is_awaited(&self) -> bool {
        self.fetch.as_ref().is_some_and(|fetch| fetch.at.is_none())
    }
}

impl fmt::Debug for Fetch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fetch(at {:?})", self.at)
    }
}

impl fmt::Debug for Submission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Submission(for {})", self.entry)
    }
}

/// Shape of a transaction code (OpenID4VCI §4.1.1). The value travels on another channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransactionCode {
    /// Digits only.
    pub numeric: bool,
    /// Characters.
    pub length: u8,
}

/// Grant named in the offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum GrantKind {
    /// `urn:ietf:params:oauth:grant-type:pre-authorized_code`.
    #[serde(rename = "pre-authorized_code")]
    PreAuthorizedCode,
    /// `authorization_code`.
    #[serde(rename = "authorization_code")]
    AuthorizationCode,
}

/// Whether claims are complete when the exchange starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum IssuanceMode {
    /// Complete: signing happens on the wallet's credential request.
    InTime,
    /// Supplied later.
    Deferred,
}

/// Whether the claims are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CredentialStatus {
    /// Not yet.
    Pending,
    /// There.
    Ready,
}

/// How far an exchange has come, in the order in which a complete one goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExchangeStatus {
    /// Offer made.
    OfferSent,
    /// Offer fetched by a wallet.
    OfferReceived,
    /// Access token handed out.
    TokenIssued,
    /// Credential signed and recorded, to be answered: whether the answer arrived is not known.
    CredentialIssued,
    /// Credential picked up: the wallet has shown that the answer arrived.
    CredentialAcked,
    /// Wallet reported that the holder took it.
    CredentialAccepted,
    /// Wallet reported that the holder deleted it.
    CredentialDeleted,
    /// Refused by the organisation.
    IssuanceDenied,
}

impl ExchangeStatus {
    /// Every status, in order.
    pub const ALL: [Self; 8] = [
        Self::OfferSent,
        Self::OfferReceived,
        Self::TokenIssued,
        Self::CredentialIssued,
        Self::CredentialAcked,
        Self::CredentialAccepted,
        Self::CredentialDeleted,
        Self::IssuanceDenied,
    ];

    /// Statuses in which nothing has been issued or denied yet.
    pub const OPEN: [Self; 3] = [Self::OfferSent, Self::OfferReceived, Self::TokenIssued];

    /// Name in the API and in the database.
    pub fn name(self) -> &'static str {
        match self {
            Self::OfferSent => "offer_sent",
            Self::OfferReceived => "offer_received",
            Self::TokenIssued => "token_issued",
            Self::CredentialIssued => "credential_issued",
            Self::CredentialAcked => "credential_acked",
            Self::CredentialAccepted => "credential_accepted",
            Self::CredentialDeleted => "credential_deleted",
            Self::IssuanceDenied => "issuance_denied",
        }
    }

    /// Reads [`ExchangeStatus::name`].
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }

    /// Whether an exchange may go from this status to `next`. Statuses never move back: a re-read offer or a second
    /// copy of a credential leaves them where they are. Only from `CredentialDeleted`, when the wallet has nothing any
    /// more, a new copy begins the last steps again.
    pub fn may_become(self, next: Self) -> bool {
        match next {
            Self::OfferSent => false,
            Self::OfferReceived => self == Self::OfferSent,
            Self::TokenIssued => matches!(self, Self::OfferSent | Self::OfferReceived),
            Self::CredentialIssued => self.is_open() || self == Self::CredentialDeleted,
            Self::CredentialAcked => self == Self::CredentialIssued,
            Self::CredentialAccepted => matches!(self, Self::CredentialIssued | Self::CredentialAcked),
            Self::CredentialDeleted => {
                matches!(self, Self::CredentialIssued | Self::CredentialAcked | Self::CredentialAccepted)
            }
            Self::IssuanceDenied => Self::OPEN.contains(&self),
        }
    }

    /// Whether the exchange can still lead to a first credential.
    pub fn is_open(self) -> bool {
        Self::OPEN.contains(&self)
    }
}

#[cfg(test)]
mod tests {
    use super::ExchangeStatus::{self, *};

    #[test]
    fn a_status_never_moves_back_unless_a_deleted_credential_is_issued_anew() {
        for from in ExchangeStatus::ALL {
            for to in ExchangeStatus::ALL {
                let anew = (from, to) == (CredentialDeleted, CredentialIssued);
                assert!(!from.may_become(to) || from < to || anew, "{from:?} -> {to:?}");
            }
        }
    }

    #[test]
    fn a_complete_exchange_walks_all_steps() {
        let walk = [
            OfferSent,
            OfferReceived,
            TokenIssued,
            CredentialIssued,
            CredentialAcked,
            CredentialAccepted,
            CredentialDeleted,
        ];
        for pair in walk.windows(2) {
            assert!(pair[0].may_become(pair[1]), "{pair:?}");
        }
    }

    #[test]
    fn a_denied_exchange_goes_nowhere() {
        assert!(ExchangeStatus::ALL.into_iter().all(|next| !IssuanceDenied.may_become(next)));
    }

    #[test]
    fn names_round_trip() {
        for status in ExchangeStatus::ALL {
            assert_eq!(ExchangeStatus::parse(status.name()), Some(status));
            assert_eq!(serde_json::to_value(status).unwrap(), status.name());
        }
    }
}
