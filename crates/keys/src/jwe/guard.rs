//! What a JWE must look like before any key is used on it.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::{ALGORITHM, Accepted, COMPRESSION, Compression, ContentEncryption, DecryptionKey, JweError, MAX_BYTES};
use crate::public_jwk::excerpt;
use crate::strict_json::{self, Invalid};
use crate::{Algorithm, PublicJwk};

/// Bytes of a GCM nonce and tag (RFC 7518 §5.3).
const IV_LEN: usize = 12;
const TAG_LEN: usize = 16;

/// Bytes of `apu` and `apv`.
const PARTY_INFO_LIMIT: usize = 512;

/// One of the five parts of a compact JWE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The protected header.
    Header,
    /// The encrypted key, which is empty with ECDH-ES.
    EncryptedKey,
    /// The initialisation vector.
    InitialisationVector,
    /// The ciphertext.
    Ciphertext,
    /// The authentication tag.
    Tag,
}

impl fmt::Display for Part {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Header => "header",
            Self::EncryptedKey => "encrypted key",
            Self::InitialisationVector => "initialisation vector",
            Self::Ciphertext => "ciphertext",
            Self::Tag => "authentication tag",
        })
    }
}

/// A JWE that may be decrypted, as far as its outside shows.
pub(super) struct Message {
    pub(super) header: Map<String, Value>,
    pub(super) encryption: ContentEncryption,
    pub(super) compression: Compression,
    pub(super) apu: Vec<u8>,
    pub(super) apv: Vec<u8>,
}

/// Checks all that does not depend on our keys.
pub(super) fn inspect(compact: &str, accepted: &Accepted<'_>) -> Result<Message, JweError> {
    if compact.len() > MAX_BYTES {
        return Err(JweError::TooLong { got: compact.len() });
    }
    let mut parts = compact.split('.');
    let mut next = || parts.next();
    let (Some(header), Some(encrypted_key), Some(iv), Some(ciphertext), Some(tag), None) =
        (next(), next(), next(), next(), next(), next())
    else {
        return Err(JweError::Parts { got: compact.split('.').count() });
    };
    length(Part::EncryptedKey, encrypted_key, 0)?;
    length(Part::InitialisationVector, iv, IV_LEN)?;
    length(Part::Tag, tag, TAG_LEN)?;
    if !ciphertext.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')) {
        return Err(JweError::NotBase64Url { part: Part::Ciphertext });
    }
    let header = strict_json::object(&decode(Part::Header, header)?).map_err(|invalid| match invalid {
        Invalid::Json | Invalid::NotAnObject => JweError::NotAnObject,
        Invalid::Duplicate { name } => JweError::Duplicate { name: excerpt(&name) },
    })?;
    if header.contains_key("crit") {
        return Err(JweError::Critical);
    }
    if text(&header, "alg") != ALGORITHM {
        return Err(JweError::Algorithm { got: excerpt(text(&header, "alg")) });
    }
    let named = ContentEncryption::parse(text(&header, "enc"));
    let encryption = named.filter(|encryption| accepted.encryptions.contains(encryption)).ok_or_else(|| {
        let expected = accepted.encryptions.iter().map(|encryption| encryption.name()).collect::<Vec<_>>().join(", ");
        JweError::Encryption { expected, got: excerpt(text(&header, "enc")) }
    })?;
    Ok(Message {
        encryption,
        compression: compression(&header, accepted.compression)?,
        apu: party_info(&header, "apu")?,
        apv: party_info(&header, "apv")?,
        header,
    })
}

/// The key that `kid` names. A sender must copy it from the key it chose (OpenID4VCI §10).
pub(super) fn named<'k>(header: &Map<String, Value>, keys: &'k [DecryptionKey]) -> Result<&'k DecryptionKey, JweError> {
    let expected = || excerpt(&keys.iter().map(DecryptionKey::key_id).collect::<Vec<_>>().join(", "));
    if !header.contains_key("kid") {
        return Err(JweError::KeyIdMissing { expected: expected() });
    }
    let key_id = text(header, "kid");
    let found = keys.iter().find(|key| key.key_id() == key_id);
    found.ok_or_else(|| JweError::UnknownKey { expected: expected(), got: excerpt(key_id) })
}

/// The sender's one-time key.
pub(super) fn ephemeral(header: &Map<String, Value>) -> Result<PublicJwk, JweError> {
    let jwk = header.get("epk").and_then(Value::as_object).ok_or(JweError::EphemeralKeyMissing)?;
    let key = PublicJwk::from_json(jwk).map_err(JweError::EphemeralKey)?;
    if key.algorithm() != Algorithm::Es256 {
        return Err(JweError::EphemeralKeyCurve { got: key.algorithm().curve() });
    }
    Ok(key)
}

fn compression(header: &Map<String, Value>, accepted: Compression) -> Result<Compression, JweError> {
    let Some(value) = header.get("zip") else { return Ok(Compression::None) };
    let got = value.as_str().unwrap_or_default();
    match accepted {
        Compression::Deflate if got == COMPRESSION => Ok(Compression::Deflate),
        Compression::Deflate => Err(JweError::Compression { expected: COMPRESSION, got: excerpt(got) }),
        Compression::None => Err(JweError::Compression { expected: "no compression", got: excerpt(got) }),
    }
}

fn party_info(header: &Map<String, Value>, name: &'static str) -> Result<Vec<u8>, JweError> {
    let Some(value) = header.get(name) else { return Ok(Vec::new()) };
    let decoded = value.as_str().and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
    decoded.filter(|bytes| bytes.len() <= PARTY_INFO_LIMIT).ok_or(JweError::PartyInfo { name })
}

fn length(part: Part, text: &str, expected: usize) -> Result<(), JweError> {
    let got = decode(part, text)?.len();
    if got == expected { Ok(()) } else { Err(JweError::Length { part, expected, got }) }
}

fn decode(part: Part, text: &str) -> Result<Vec<u8>, JweError> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| JweError::NotBase64Url { part })
}

fn text<'h>(header: &'h Map<String, Value>, name: &str) -> &'h str {
    header.get(name).and_then(Value::as_str).unwrap_or_default()
}
