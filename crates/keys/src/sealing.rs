use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::{constant_time, hmac};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::random_bytes;

/// Why bytes were not sealed or opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SealError {
    /// AES-GCM refused to encrypt.
    #[error("the bytes could not be sealed")]
    Seal,
    /// Fewer bytes than an empty text would have sealed to.
    #[error("{got} bytes are too few to be sealed")]
    TooShort {
        /// Bytes found.
        got: usize,
    },
    /// Sealed with a key that is not at hand.
    #[error("sealed with another key (its id is {got})")]
    UnknownKey {
        /// The id in front of the sealed bytes.
        got: u8,
    },
    /// Changed since, or sealed for another place.
    #[error("the sealed bytes were changed, or belong to another place")]
    Altered,
}

/// A MAC does not fit the message and the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the MAC does not verify")]
pub struct MacInvalid;

/// Seals what the server keeps: AES-256-GCM with associated data that says where the bytes belong.
///
/// Sealed bytes are `key id (1) || salt (12) || nonce (12) || ciphertext || tag (16)`. Each message has a key of its own,
/// HMAC-SHA-256 of the salt: under one key alone, random nonces would run out after 2^32 messages (SP 800-38D §8.3),
/// which a busy server reaches.
#[derive(Clone)]
pub struct SealingKey {
    current: Slot,
    previous: Vec<Slot>,
}

#[derive(Clone)]
struct Slot {
    id: u8,
    root: hmac::Key,
}

const SALT_LEN: usize = 12;
const TAG_LEN: usize = 16;
/// Bytes that sealing adds.
const OVERHEAD: usize = 1 + SALT_LEN + NONCE_LEN + TAG_LEN;

impl SealingKey {
    /// A key from 32 secret bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self { current: Slot::new(bytes), previous: Vec::new() }
    }

    /// Opens also what was sealed with an earlier key; seals with the current one only.
    #[must_use]
    pub fn with_previous(mut self, bytes: [u8; 32]) -> Self {
        self.previous.push(Slot::new(bytes));
        self
    }

    /// Seals `plain` for the place that `associated` names.
    pub fn seal(&self, associated: &[u8], plain: &[u8]) -> Result<Vec<u8>, SealError> {
        let salt = random_bytes::<SALT_LEN>();
        let nonce = random_bytes::<NONCE_LEN>();
        let mut sealed = Vec::with_capacity(OVERHEAD + plain.len());
        sealed.push(self.current.id);
        sealed.extend_from_slice(&salt);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(plain);
        let (_, text) = sealed.split_at_mut_checked(1 + SALT_LEN + NONCE_LEN).ok_or(SealError::Seal)?;
        let tag = self
            .current
            .message_key(&salt)
            .ok_or(SealError::Seal)?
            .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::from(associated), text)
            .map_err(|_| SealError::Seal)?;
        sealed.extend_from_slice(tag.as_ref());
        Ok(sealed)
    }

    /// Opens what [`SealingKey::seal`] sealed for the same place. The buffer is wiped when dropped.
    pub fn open(&self, associated: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let too_short = SealError::TooShort { got: sealed.len() };
        if sealed.len() < OVERHEAD {
            return Err(too_short);
        }
        let (id, rest) = sealed.split_first().ok_or(too_short)?;
        let (salt, rest) = rest.split_first_chunk::<SALT_LEN>().ok_or(too_short)?;
        let (nonce, text) = rest.split_first_chunk::<NONCE_LEN>().ok_or(too_short)?;
        let mut outcome = SealError::UnknownKey { got: *id };
        // One byte names a key only loosely; the tag decides.
        for slot in std::iter::once(&self.current).chain(&self.previous).filter(|slot| slot.id == *id) {
            let mut opened = Zeroizing::new(text.to_vec());
            let nonce = Nonce::assume_unique_for_key(*nonce);
            let key = slot.message_key(salt).ok_or(SealError::Altered)?;
            let plain_len = key.open_in_place(nonce, Aad::from(associated), &mut opened).map(|plain| plain.len());
            if let Ok(plain_len) = plain_len {
                opened.truncate(plain_len);
                return Ok(opened);
            }
            outcome = SealError::Altered;
        }
        Err(outcome)
    }
}

impl Slot {
    fn new(bytes: [u8; 32]) -> Self {
        let bytes = Zeroizing::new(bytes);
        let root = hmac::Key::new(hmac::HMAC_SHA256, bytes.as_ref());
        let id = *derived(&root, "sealing key id", b"").first().unwrap_or(&0);
        Self { id, root }
    }

    fn message_key(&self, salt: &[u8; SALT_LEN]) -> Option<LessSafeKey> {
        let key = derived(&self.root, "sealing", salt);
        UnboundKey::new(&AES_256_GCM, key.as_ref()).ok().map(LessSafeKey::new)
    }
}

/// A key for authenticating what the server hands out and takes back: HMAC-SHA-256.
#[derive(Clone)]
pub struct MacKey(hmac::Key);

impl MacKey {
    /// A key from 32 secret bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        let bytes = Zeroizing::new(bytes);
        Self(hmac::Key::new(hmac::HMAC_SHA256, bytes.as_ref()))
    }

    /// The key that every process with the same current sealing key derives for `label`; other labels give keys that
    /// tell nothing about it.
    #[must_use]
    pub fn derive(secret: &SealingKey, label: &str) -> Self {
        Self::of_slot(&secret.current, label)
    }

    fn of_slot(slot: &Slot, label: &str) -> Self {
        let key = derived(&slot.root, "mac", label.as_bytes());
        Self(hmac::Key::new(hmac::HMAC_SHA256, key.as_ref()))
    }

    /// The MAC of `message`.
    #[must_use]
    pub fn mac(&self, message: &[u8]) -> [u8; 32] {
        let mut output = [0; 32];
        output.copy_from_slice(hmac::sign(&self.0, message).as_ref());
        output
    }

    /// Checks a MAC that came back, in time that does not depend on where it differs.
    pub fn verify(&self, message: &[u8], mac: &[u8]) -> Result<(), MacInvalid> {
        constant_time::verify_slices_are_equal(&self.mac(message), mac).map_err(|_| MacInvalid)
    }
}

/// The keys of one label, for what is kept longer than a sealing key: the one in use, and those of the earlier sealing
/// keys at hand.
#[derive(Clone)]
pub struct MacKeys {
    current: MacKey,
    earlier: Vec<MacKey>,
}

impl MacKeys {
    /// See [`MacKey::derive`].
    #[must_use]
    pub fn derive(secret: &SealingKey, label: &str) -> Self {
        let earlier = secret.previous.iter().map(|slot| MacKey::of_slot(slot, label)).collect();
        Self { current: MacKey::derive(secret, label), earlier }
    }

    /// The key that makes new MACs.
    #[must_use]
    pub fn current(&self) -> &MacKey {
        &self.current
    }

    /// Every key that a MAC may have been made with, the one in use first.
    pub fn iter(&self) -> impl Iterator<Item = &MacKey> {
        std::iter::once(&self.current).chain(&self.earlier)
    }
}

/// HMAC-SHA-256 with a key of any length, as receivers of webhooks compute it.
#[must_use]
pub fn hmac_sha256(key: &[u8], message: &[u8]) -> [u8; 32] {
    MacKey(hmac::Key::new(hmac::HMAC_SHA256, key)).mac(message)
}

/// HMAC over a purpose and what tells apart keys of that purpose. A zero byte ends the purpose, which has none.
fn derived(root: &hmac::Key, purpose: &str, info: &[u8]) -> Zeroizing<[u8; 32]> {
    let mut context = hmac::Context::with_key(root);
    for part in [purpose.as_bytes(), &[0], info] {
        context.update(part);
    }
    let mut output = Zeroizing::new([0; 32]);
    output.copy_from_slice(context.sign().as_ref());
    output
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SealingKey")
    }
}

impl fmt::Debug for MacKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("MacKey")
    }
}

#[cfg(test)]
mod tests;
