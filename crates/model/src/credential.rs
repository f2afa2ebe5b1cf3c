//! Credentials that left the building.

use chancery_keys::PublicJwk;
use serde_json::{Map, Value};

use crate::{
    CredentialId, EntryId, ExchangeId, Format, GrantId, RevocationStatus, SigningKeyId, StatusPlace, Timestamp,
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
}
