//! Nonces that nobody has to remember until they are used: authenticated tokens over audience, purpose and expiry.
//!
//! 48 bytes in base64url, 64 characters of the set that RFC 9449 §8.1 allows for `DPoP-Nonce`:
//!
//! ```text
//! expiry (8 bytes, big-endian seconds) | random (16 bytes) | HMAC-SHA-256, first 24 bytes
//! ```

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chancery_keys::MacKey;
use subtle::ConstantTimeEq as _;
use thiserror::Error;

use crate::Explanation;

const EXPIRY_LENGTH: usize = 8;
const RANDOM_LENGTH: usize = 16;
const MAC_LENGTH: usize = 24;
const TOKEN_LENGTH: usize = EXPIRY_LENGTH + RANDOM_LENGTH + MAC_LENGTH;

/// Characters of a nonce.
pub const CHARACTERS: usize = TOKEN_LENGTH / 3 * 4;

/// What a nonce is for. A nonce for one purpose is unknown for every other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// `nonce` of a key proof (OpenID4VCI §7).
    CNonce,
    /// `nonce` of a DPoP proof at the authorization server (RFC 9449 §8).
    DpopAuthorizationServer,
    /// `nonce` of a DPoP proof at the credential endpoint and its kin (RFC 9449 §9).
    DpopResourceServer,
    /// `challenge` of a client attestation proof of possession.
    AttestationChallenge,
}

impl Purpose {
    fn byte(self) -> u8 {
        match self {
            Self::CNonce => 1,
            Self::DpopAuthorizationServer => 2,
            Self::DpopResourceServer => 3,
            Self::AttestationChallenge => 4,
        }
    }
}

/// A nonce of ours that is still valid. Whether it was used before is for the caller to find out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// The first second in which it is no longer valid: how long its use must be remembered.
    pub expires_at: i64,
}

/// Why a nonce is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NonceError {
    /// Not made here, for another audience, or for another purpose; which of them cannot be told.
    #[error("the nonce was not issued by this issuer for this purpose")]
    Unrecognised,
    /// Made here, and too old.
    #[error("the nonce expired {seconds_ago} s ago")]
    Expired {
        /// Seconds since it expired.
        seconds_ago: i64,
    },
}

impl NonceError {
    /// The same for the wallet's developer; `purpose` is what the nonce was checked for.
    pub fn explain(&self, purpose: Purpose) -> Explanation {
        let (help, spec_ref) = match purpose {
            Purpose::CNonce => {
                ("ask the nonce endpoint for a new `c_nonce` and sign the key proof again", "OpenID4VCI 1.0 §8.3.1.2")
            }
            Purpose::DpopAuthorizationServer => (
                "take the value of the `DPoP-Nonce` header of this answer as `nonce` and repeat the request",
                "RFC 9449 §8",
            ),
            Purpose::DpopResourceServer => (
                "take the value of the `DPoP-Nonce` header of this answer as `nonce` and repeat the request",
                "RFC 9449 §9",
            ),
            Purpose::AttestationChallenge => (
                "ask the challenge endpoint for a new challenge and sign the proof of possession again",
                "OAuth 2.0 Attestation-Based Client Authentication draft-07 §6.2",
            ),
        };
        Explanation::new(self, help, spec_ref)
    }
}

/// Makes a nonce for `audience` (the organisation, as bytes), valid until `expires_at` (seconds since the epoch).
/// `random` must come from a cryptographic source.
pub fn mint(key: &MacKey, audience: &[u8], purpose: Purpose, expires_at: i64, random: [u8; RANDOM_LENGTH]) -> String {
    let mut token = Vec::with_capacity(TOKEN_LENGTH);
    token.extend_from_slice(&expires_at.to_be_bytes());
    token.extend_from_slice(&random);
    let mac = mac(key, audience, purpose, &token);
    token.extend_from_slice(&mac);
    URL_SAFE_NO_PAD.encode(token)
}

/// Checks that a nonce was made by [`mint`] for this audience and purpose, and is valid at `now`.
pub fn check(key: &MacKey, audience: &[u8], purpose: Purpose, now: i64, nonce: &str) -> Result<Accepted, NonceError> {
    if nonce.len() != CHARACTERS {
        return Err(NonceError::Unrecognised);
    }
    let token = URL_SAFE_NO_PAD.decode(nonce).map_err(|_| NonceError::Unrecognised)?;
    let (signed, given) = token.split_at_checked(EXPIRY_LENGTH + RANDOM_LENGTH).ok_or(NonceError::Unrecognised)?;
    let expiry = signed.first_chunk::<EXPIRY_LENGTH>().ok_or(NonceError::Unrecognised)?;
    if !bool::from(mac(key, audience, purpose, signed).ct_eq(given)) {
        return Err(NonceError::Unrecognised);
    }
    let expires_at = i64::from_be_bytes(*expiry);
    if now >= expires_at {
        return Err(NonceError::Expired { seconds_ago: now.saturating_sub(expires_at) });
    }
    Ok(Accepted { expires_at })
}

/// The authentication code over everything that makes a nonce what it is. Lengths are fixed or written down, so that
/// no two inputs collide.
fn mac(key: &MacKey, audience: &[u8], purpose: Purpose, signed: &[u8]) -> Vec<u8> {
    let mut message = b"chancery nonce 1".to_vec();
    message.push(purpose.byte());
    message.extend_from_slice(signed);
    message.extend_from_slice(audience);
    key.mac(&message).into_iter().take(MAC_LENGTH).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key() -> MacKey {
        MacKey::from_bytes([7; 32])
    }

    fn minted() -> String {
        mint(&key(), b"acme", Purpose::CNonce, 1_000, [9; 16])
    }

    #[test]
    fn a_nonce_is_accepted_until_its_expiry_and_not_after() {
        let check = |now| check(&key(), b"acme", Purpose::CNonce, now, &minted());
        assert_eq!(check(999), Ok(Accepted { expires_at: 1_000 }));
        assert_eq!(check(1_000), Err(NonceError::Expired { seconds_ago: 0 }));
        assert_eq!(check(1_094), Err(NonceError::Expired { seconds_ago: 94 }));
    }

    #[test]
    fn a_nonce_of_another_organisation_purpose_or_key_is_unknown_by_non_6() {
        let nonce = minted();
        let refused = Err(NonceError::Unrecognised);
        assert_eq!(check(&key(), b"other", Purpose::CNonce, 0, &nonce), refused);
        assert_eq!(check(&key(), b"acme", Purpose::DpopResourceServer, 0, &nonce), refused);
        assert_eq!(check(&MacKey::from_bytes([8; 32]), b"acme", Purpose::CNonce, 0, &nonce), refused);
        for foreign in ["", "mKCslKCWqecIeqJYC6kLRWOEaF_V0A", &nonce.to_lowercase(), &format!("{nonce}=")] {
            assert_eq!(check(&key(), b"acme", Purpose::CNonce, 0, foreign), refused, "{foreign}");
        }
    }

    #[test]
    fn a_nonce_has_only_characters_that_dpp_6_allows() {
        let nonce = minted();
        assert_eq!(nonce.len(), 64);
        assert!(nonce.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e)));
    }

    proptest! {
        #[test]
        fn any_changed_character_makes_a_nonce_unknown(position in 0usize..64, replacement in "[A-Za-z0-9_-]") {
            let nonce = minted();
            let changed: String = nonce
                .chars()
                .enumerate()
                .map(|(at, old)| if at == position { replacement.chars().next().unwrap_or('A') } else { old })
                .collect();
            prop_assume!(changed != nonce);
            prop_assert_eq!(check(&key(), b"acme", Purpose::CNonce, 0, &changed), Err(NonceError::Unrecognised));
        }

        #[test]
        fn what_was_minted_is_accepted(
            audience in proptest::collection::vec(any::<u8>(), 0..40),
            expires_at in 1i64..,
            random in any::<[u8; 16]>(),
        ) {
            let nonce = mint(&key(), &audience, Purpose::DpopResourceServer, expires_at, random);
            let accepted = check(&key(), &audience, Purpose::DpopResourceServer, 0, &nonce);
            prop_assert_eq!(accepted, Ok(Accepted { expires_at }));
        }
    }
}
