//! Keys that wallets encrypt credential requests for.

use crate::{EncryptionKeyId, Timestamp};

/// An encryption key as stored; the private part is sealed. The newest generation is published, and each retires the one
/// before.
#[derive(Clone)]
pub struct EncryptionKey {
    /// What the seal is bound to.
    pub id: EncryptionKeyId,
    /// 1 for the organisation's first key, counting up.
    pub generation: u32,
    /// `kid` in the issuer metadata and in the header of requests.
    pub kid: String,
    /// The private number, sealed with (organisation, `encryption_key`, id) as associated data.
    pub sealed_private: Vec<u8>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its successor was made.
    pub retired_at: Option<Timestamp>,
}

impl EncryptionKey {
    /// Seconds for which a key is published.
    pub const LIFETIME: u32 = 30 * 86_400;

    /// Seconds for which a retired key still decrypts. Caches of the metadata give it out for 10 s, each process of ours
    /// for 5 s more; the rest is for wallets that keep metadata through a flow.
    pub const OVERLAP: u32 = 600;

    /// Whether it is time for a successor.
    pub fn is_due(&self, now: Timestamp) -> bool {
        now >= self.created_at.plus_seconds(Self::LIFETIME)
    }

    /// Whether requests for this key are read.
    pub fn decrypts_at(&self, now: Timestamp) -> bool {
        self.retired_at.is_none_or(|retired_at| now < retired_at.plus_seconds(Self::OVERLAP))
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_key_decrypts_for_a_while_after_it_was_retired() {
        let created_at = Timestamp::from_seconds(1_000_000);
        let mut key = EncryptionKey {
            id: Uuid::from_u128(1).into(),
            generation: 1,
            kid: "1".to_owned(),
            sealed_private: Vec::new(),
            created_at,
            retired_at: None,
        };
        let end = created_at.plus_seconds(EncryptionKey::LIFETIME);
        assert!(key.is_due(end) && !key.is_due(created_at));
        assert!(key.decrypts_at(end.plus_seconds(EncryptionKey::LIFETIME)));
        key.retired_at = Some(end);
        assert!(key.decrypts_at(end.plus_seconds(EncryptionKey::OVERLAP - 1)));
        assert!(!key.decrypts_at(end.plus_seconds(EncryptionKey::OVERLAP)));
    }
}
