//! Refresh tokens.

use crate::{ExchangeId, GrantedCredential, RefreshTokenId, SecretHash, Timestamp};

/// Seconds for which a refresh token still works after it was replaced: the answer may have been lost on its way.
pub const REFRESH_GRACE_SECONDS: u32 = 30;

/// What a refresh token stands for. It is bound to a DPoP key, to the key of a wallet instance, or to a client that
/// authenticates with a registered key (RFC 9449 §5, ABCA draft-07 §10.3).
#[derive(Clone, Debug)]
pub struct RefreshToken {
    /// Id on our side.
    pub id: RefreshTokenId,
    /// The exchange it belongs to.
    pub exchange_id: ExchangeId,
    /// Hash of the token.
    pub hash: SecretHash,
    /// The client it was given to.
    pub client_id: Option<String>,
    /// Thumbprint of the DPoP key it is bound to.
    pub dpop_thumbprint: Option<String>,
    /// Thumbprint of the wallet instance key it is bound to.
    pub instance_thumbprint: Option<String>,
    /// What was granted; a narrower access token leaves this as it is (RFC 6749 §6).
    pub credentials: Vec<GrantedCredential>,
    /// Whether requests must name a `credential_identifier`.
    pub by_identifier: bool,
    /// From this instant on it is refused.
    pub expires_at: Timestamp,
    /// When another took its place.
    pub replaced_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
}

impl RefreshToken {
    /// Whether it may still be used.
    pub fn is_valid(&self, now: Timestamp) -> bool {
        let in_time = |replaced: Timestamp| now < replaced.plus_seconds(REFRESH_GRACE_SECONDS);
        now < self.expires_at && self.replaced_at.is_none_or(in_time)
    }
}
