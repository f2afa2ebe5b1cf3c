//! Deferred issuances.

use chancery_keys::PublicJwk;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{CredentialId, EntryId, ExchangeId, GrantId, SecretHash, Timestamp, TransactionId};

/// A deferred issuance: a credential request that waits for claims or for a decision (OpenID4VCI §9).
#[derive(Clone)]
pub struct DeferredTransaction {
    /// Admin-side id.
    pub id: TransactionId,
    /// The exchange it belongs to.
    pub exchange_id: ExchangeId,
    /// The grant that was used.
    pub grant_id: GrantId,
    /// Hash of the `transaction_id` that the wallet holds.
    pub id_hash: SecretHash,
    /// The definition's entry that was asked for.
    pub entry: EntryId,
    /// Which dataset of that entry, from 0.
    pub dataset: u16,
    /// The keys that were proven; each gets a credential.
    pub keys: Vec<ProvenKey>,
    /// Seconds that the wallet was told to wait last.
    pub interval: u32,
    /// How often the wallet has asked.
    pub polls: u32,
    /// When the wallet was told to wait last.
    pub polled_at: Timestamp,
    /// When the credentials were issued.
    pub issued_at: Option<Timestamp>,
    /// Sealed [`DeferredAnswer`], from then on.
    pub sealed_answer: Option<Vec<u8>>,
    /// From this instant on nothing is issued any more.
    pub expires_at: Timestamp,
    /// When the wallet asked for the credential.
    pub created_at: Timestamp,
}

/// A holder key that a wallet has proven to have.
#[derive(Clone)]
pub struct ProvenKey {
    /// The key.
    pub key: PublicJwk,
    /// What proved it, decoded and without its signature: `header` and `claims`.
    pub proof: Map<String, Value>,
}

/// What a transaction was answered with, for a wallet that lost the answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DeferredAnswer {
    /// The credentials, in the order of the keys.
    pub credentials: Vec<CredentialId>,
    /// Names them in notifications.
    pub notification_id: String,
}
