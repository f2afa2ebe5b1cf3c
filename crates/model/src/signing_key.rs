//! Keys that sign credentials.

use chancery_keys::{Algorithm, PublicJwk};
use serde::{Deserialize, Serialize};

use crate::{SigningKeyId, Timestamp};

/// A signing key as stored; the private part is sealed.
#[derive(Clone)]
pub struct SigningKey {
    /// Admin-side id.
    pub id: SigningKeyId,
    /// `kid` in JWKS and credential headers: the RFC 7638 thumbprint.
    pub kid: String,
    /// Signature algorithm.
    pub algorithm: Algorithm,
    /// Where it stands in its life.
    pub state: SigningKeyState,
    /// Public part.
    pub public_jwk: PublicJwk,
    /// PKCS#8, sealed with (organisation, `signing_key`, id) as associated data.
    pub sealed_private: Vec<u8>,
    /// Certificate chain in PEM, leaf first; empty when none was uploaded.
    pub certificate_chain: String,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it last changed state or chain.
    pub updated_at: Timestamp,
}

/// Life of a signing key. Credentials signed earlier keep verifying until the key is retired.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SigningKeyState {
    /// Published, not signing yet.
    Next,
    /// Signs.
    Active,
    /// Published so that earlier credentials verify; signs no more.
    VerifyOnly,
    /// No longer published.
    Retired,
}

impl SigningKeyState {
    /// Whether the key is in the JWKS.
    pub fn is_published(self) -> bool {
        match self {
            Self::Next | Self::Active | Self::VerifyOnly => true,
            Self::Retired => false,
        }
    }

    /// Whether a key may go from this state to `next`.
    pub fn may_become(self, next: Self) -> bool {
        matches!(
            (self, next),
            (Self::Next, Self::Active | Self::Retired)
                | (Self::Active, Self::VerifyOnly)
                | (Self::VerifyOnly, Self::Active | Self::Retired)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::SigningKeyState::{Active, Next, Retired, VerifyOnly};

    #[test]
    fn a_retired_key_never_comes_back_and_an_active_key_is_not_retired_at_once() {
        for next in [Next, Active, VerifyOnly, Retired] {
            assert!(!Retired.may_become(next));
        }
        assert!(!Active.may_become(Retired));
        assert!(Next.may_become(Active) && Active.may_become(VerifyOnly) && VerifyOnly.may_become(Retired));
    }
}
