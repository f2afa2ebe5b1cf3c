//! Compact JWE with ECDH-ES on P-256 and AES-GCM (RFC 7516 §7.1, RFC 7518 §4.6, §5.3).
//!
//! Nothing else can be named: no key wrapping, no RSA, no CBC. Everything a stranger may have written is checked before
//! any key is used ([`decrypt`]).

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::JwkError;
use crate::jose::encryption as framing;

mod agreement;
mod deflate;
mod guard;
mod key;

pub use guard::Part;
pub use key::{DecryptionKey, RecipientKey, RecipientKeyError};

/// The only key management algorithm: direct key agreement (RFC 7518 §4.6).
pub const ALGORITHM: &str = "ECDH-ES";

/// The only compression: DEFLATE (RFC 7516 §4.1.3, RFC 1951).
pub const COMPRESSION: &str = "DEF";

/// Bytes a compact JWE may have: a request with a hundred key proofs stays below.
pub const MAX_BYTES: usize = 1024 * 1024;

/// Bytes a compressed payload may inflate to. Without this bound, a megabyte would become a gigabyte.
pub const MAX_INFLATED_BYTES: usize = 1024 * 1024;

/// A content encryption algorithm, by its JOSE name (RFC 7518 §5.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ContentEncryption {
    /// AES-GCM with a 128-bit key.
    #[serde(rename = "A128GCM")]
    A128Gcm,
    /// AES-GCM with a 256-bit key.
    #[serde(rename = "A256GCM")]
    A256Gcm,
}

impl ContentEncryption {
    /// Every algorithm, in the order in which metadata lists them.
    pub const ALL: [Self; 2] = [Self::A128Gcm, Self::A256Gcm];

    /// The JOSE name: `A128GCM` or `A256GCM`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::A128Gcm => "A128GCM",
            Self::A256Gcm => "A256GCM",
        }
    }

    /// The algorithm with this JOSE name. Names are case-sensitive (RFC 7516 §4.1.2).
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|encryption| encryption.name() == name)
    }

    /// Bytes of its key.
    pub(crate) const fn key_len(self) -> usize {
        match self {
            Self::A128Gcm => 16,
            Self::A256Gcm => 32,
        }
    }
}

impl fmt::Display for ContentEncryption {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// Whether a payload is compressed before it is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Compression {
    /// As it is.
    None,
    /// DEFLATE: `zip` is `DEF`.
    Deflate,
}

/// What a recipient accepts.
#[derive(Debug, Clone, Copy)]
pub struct Accepted<'a> {
    /// Content encryption algorithms.
    pub encryptions: &'a [ContentEncryption],
    /// Whether the payload may be compressed. It never has to be.
    pub compression: Compression,
}

/// A decrypted JWE. `Debug` does not show the payload.
pub struct Decrypted {
    /// The payload, inflated. Wiped when dropped.
    pub payload: Zeroizing<Vec<u8>>,
    /// The key it was encrypted for.
    pub key_id: String,
    /// How it was encrypted.
    pub encryption: ContentEncryption,
    /// Whether it was compressed.
    pub compression: Compression,
}

impl fmt::Debug for Decrypted {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Decrypted")
            .field("key_id", &self.key_id)
            .field("encryption", &self.encryption)
            .field("compression", &self.compression)
            .finish_non_exhaustive()
    }
}

/// Why a payload was not encrypted.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EncryptError {
    /// AWS-LC could make no ephemeral key, or refused the recipient's.
    #[error("no key could be agreed on")]
    Agreement,
    /// The JWE could not be written.
    #[error("the JWE could not be written: {reason}")]
    Framing {
        /// As josekit says it.
        reason: String,
    },
}

/// Why a text is not a JWE for one of our keys. Texts in `got` and `name` are cut to 64 characters.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum JweError {
    /// More than [`MAX_BYTES`].
    #[error("the JWE has {got} bytes, at most {MAX_BYTES} are read")]
    TooLong {
        /// Its length.
        got: usize,
    },
    /// Not five parts between dots (RFC 7516 §7.1). Three are a JWS.
    #[error("the JWE has {got} parts, expected 5")]
    Parts {
        /// Parts found.
        got: usize,
    },
    /// A part is not base64url without padding (RFC 7515 §2).
    #[error("the {part} of the JWE is not base64url without padding")]
    NotBase64Url {
        /// Which.
        part: Part,
    },
    /// A part has the wrong number of bytes: no encrypted key with ECDH-ES, and GCM has a nonce of 12 and a tag of 16
    /// (RFC 7518 §4.6, §5.3). A shorter tag would be easier to forge.
    #[error("the {part} of the JWE has {got} bytes, expected {expected}")]
    Length {
        /// Which.
        part: Part,
        /// Bytes needed.
        expected: usize,
        /// Bytes found.
        got: usize,
    },
    /// The header is not a JSON object.
    #[error("the header of the JWE is not a JSON object")]
    NotAnObject,
    /// A header parameter comes twice (RFC 7516 §4).
    #[error("the header of the JWE has the parameter {name:?} twice")]
    Duplicate {
        /// The name.
        name: String,
    },
    /// The header has `crit`. No extension is supported, and an empty list is not allowed (RFC 7516 §4.1.13).
    #[error("the header of the JWE has crit, and no critical extension is supported")]
    Critical,
    /// Another `alg`.
    #[error("alg of the JWE is {got:?}, expected {ALGORITHM}")]
    Algorithm {
        /// What the header says; empty when it says nothing, or no text.
        got: String,
    },
    /// An `enc` that is not accepted.
    #[error("enc of the JWE is {got:?}, expected one of {expected}")]
    Encryption {
        /// Those accepted.
        expected: String,
        /// What the header says; empty when it says nothing, or no text.
        got: String,
    },
    /// The payload is compressed, and that is not accepted here, or not with this algorithm.
    #[error("zip of the JWE is {got:?}, expected {expected}")]
    Compression {
        /// What is accepted.
        expected: &'static str,
        /// What the header says; empty when it is no text.
        got: String,
    },
    /// The header does not say which key it is for.
    #[error("the header of the JWE has no kid, expected one of {expected}")]
    KeyIdMissing {
        /// The key ids that would do.
        expected: String,
    },
    /// The key is not ours, or no longer.
    #[error("kid of the JWE is {got:?}, expected one of {expected}")]
    UnknownKey {
        /// The key ids that would do.
        expected: String,
        /// What the header says; empty when it is no text.
        got: String,
    },
    /// The header has no `epk`, or not an object.
    #[error("the header of the JWE has no epk")]
    EphemeralKeyMissing,
    /// `epk` is not a point of P-256 (RFC 7518 §4.6.1.1). With a point of another curve, the answer would tell about our
    /// key.
    #[error("epk of the JWE is not usable: {0}")]
    EphemeralKey(JwkError),
    /// `epk` is on another curve than our key.
    #[error("epk of the JWE is on {got}, expected P-256")]
    EphemeralKeyCurve {
        /// Its curve.
        got: &'static str,
    },
    /// `apu` or `apv` is not base64url of at most 512 bytes (RFC 7518 §4.6.1.2).
    #[error("{name} of the JWE is not base64url of at most 512 bytes")]
    PartyInfo {
        /// Which.
        name: &'static str,
    },
    /// Encrypted for another key than `kid` says, or changed on the way.
    #[error("the JWE cannot be decrypted with the key {key_id:?}: made for another key, or changed")]
    Undecryptable {
        /// The key that was tried.
        key_id: String,
    },
    /// The compressed payload is not one DEFLATE stream (RFC 1951; neither zlib nor gzip).
    #[error("the payload of the JWE is not a raw DEFLATE stream")]
    Inflate,
    /// The payload inflates to more than [`MAX_INFLATED_BYTES`].
    #[error("the payload of the JWE inflates to more than {MAX_INFLATED_BYTES} bytes")]
    TooLarge,
}

/// Encrypts `payload` for `recipient` as a compact JWE. The header has `alg`, `enc`, `kid` if the recipient's key has
/// one, `epk`, and `zip` if compression is wanted (OpenID4VCI §10).
pub fn encrypt(
    payload: &[u8],
    recipient: &RecipientKey,
    encryption: ContentEncryption,
    compression: Compression,
) -> Result<String, EncryptError> {
    let (ephemeral, secret) = agreement::ephemeral(recipient).ok_or(EncryptError::Agreement)?;
    let mut header = Map::new();
    header.insert("alg".to_owned(), ALGORITHM.into());
    header.insert("enc".to_owned(), encryption.name().into());
    if let Some(key_id) = recipient.key_id() {
        header.insert("kid".to_owned(), key_id.into());
    }
    header.insert("epk".to_owned(), Value::Object(ephemeral.to_json()));
    let deflated;
    let payload = match compression {
        Compression::None => payload,
        Compression::Deflate => {
            header.insert("zip".to_owned(), COMPRESSION.into());
            deflated =
                deflate::deflate(payload).ok_or_else(|| EncryptError::Framing { reason: "deflate".to_owned() })?;
            &deflated
        }
    };
    let content_key = agreement::content_key(&secret, encryption, &[], &[]);
    framing::frame(header, payload, &content_key).map_err(|reason| EncryptError::Framing { reason })
}

/// Decrypts a compact JWE that names one of `keys` in `kid`.
///
/// Refused before any arithmetic: more than [`MAX_BYTES`], anything but five parts, an encrypted key, a nonce or tag of
/// another length than 12 and 16 bytes, duplicate header parameters, `crit`, another `alg`, and `enc` or `zip` that is
/// not accepted. Inflating stops at [`MAX_INFLATED_BYTES`].
pub fn decrypt(compact: &str, keys: &[DecryptionKey], accepted: &Accepted<'_>) -> Result<Decrypted, JweError> {
    let message = guard::inspect(compact, accepted)?;
    let key = guard::named(&message.header, keys)?;
    let ephemeral = guard::ephemeral(&message.header)?;
    let undecryptable = || JweError::Undecryptable { key_id: key.key_id().to_owned() };
    let secret = agreement::with(key, &ephemeral).ok_or_else(undecryptable)?;
    let content_key = agreement::content_key(&secret, message.encryption, &message.apu, &message.apv);
    let payload = Zeroizing::new(framing::open(compact, &content_key).map_err(|_| undecryptable())?);
    let payload = match message.compression {
        Compression::None => payload,
        Compression::Deflate => deflate::inflate(&payload, MAX_INFLATED_BYTES)?,
    };
    Ok(Decrypted {
        payload,
        key_id: key.key_id().to_owned(),
        encryption: message.encryption,
        compression: message.compression,
    })
}

#[cfg(test)]
mod tests;
