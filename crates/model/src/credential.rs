//! Credentials that left the building.

use chancery_keys::PublicJwk;
use serde_json::{Map, Value};

use crate::{
    CredentialId, EntryId, ExchangeId, Format, GrantId, RevocationStatus, SecretHash, SigningKeyId, StatusPlace,
    Timestamp,
};

/// One signed credential.
#[derive(Clone)]
pub struct Credential {
    /// Admin-side id.
    pub id: CredentialId,
    /// The exchange it came from.
    pub exchange_id: ExchangeId,
    /// The grant that was used.
    pub grant_id: GrantId,
    /// The definition's entry.
    pub entry: EntryId,
    /// Which dataset of that entry, from 0.
    pub dataset: u16,
    /// Its format.
    pub format: Format,
    /// Holder key it is bound to.
    pub holder_key: PublicJwk,
    /// Key that signed it.
    pub signing_key_id: SigningKeyId,
    /// Decoded key proof, header and claims, without its signature.
    pub proof: Map<String, Value>,
    /// The credential as delivered, sealed with (organisation, `credential`, id) as associated data.
    pub sealed_token: Vec<u8>,
    /// When it was signed.
    pub issued_at: Timestamp,
    /// `exp` of the credential.
    pub expires_at: Timestamp,
    /// Where its status is published; `None` when it cannot be revoked.
    pub status_place: Option<StatusPlace>,
    /// Its status; `Operational` when it cannot be revoked.
    pub revocation_status: RevocationStatus,
    /// Hash of the `notification_id`; on the first credential of each answer (OpenID4VCI §8.3).
    pub notification_hash: Option<SecretHash>,
    /// What the wallet has reported about that answer.
    pub reported: Reported,
}

/// What a wallet can report about the credentials of one answer (OpenID4VCI §11.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Report {
    /// The holder took them.
    Accepted,
    /// The wallet could not store them.
    Failed,
    /// The holder did not want them.
    Deleted,
}

/// What a wallet has reported about the credentials of one answer (OpenID4VCI §11): when it was first said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reported {
    /// The holder took them.
    pub accepted_at: Option<Timestamp>,
    /// The wallet could not store them.
    pub failed_at: Option<Timestamp>,
    /// The holder did not want them.
    pub deleted_at: Option<Timestamp>,
}

impl Reported {
    /// Whether the wallet said anything, so that it must have the answer.
    pub fn is_something(&self) -> bool {
        let Self { accepted_at, failed_at, deleted_at } = self;
        accepted_at.or(*failed_at).or(*deleted_at).is_some()
    }
}
