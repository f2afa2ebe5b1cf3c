//! The DID methods that resolve without a network: `did:key` and `did:jwk`.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chancery_keys::{JwkError, PublicJwk};
use serde_json::Map;
use thiserror::Error;

use crate::json::{self, JsonError};
use crate::{Explanation, excerpt};

/// Longest DID URL, in bytes. The longest sensible ones, P-384 keys as JWK, have about 600 with their fragment.
const LENGTH_LIMIT: usize = 2048;

/// Longest multibase text, in characters; base58 takes time with the square of it.
const MULTIBASE_LIMIT: usize = 400;

/// A DID method that resolves without a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// `did:key`.
    Key,
    /// `did:jwk`.
    Jwk,
}

impl fmt::Display for Method {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Key => "did:key",
            Self::Jwk => "did:jwk",
        })
    }
}

/// What a DID URL points to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerificationMethod {
    /// The method of the DID.
    pub method: Method,
    /// The DID, without the fragment.
    pub did: String,
    /// Its key.
    pub key: PublicJwk,
}

/// Why a DID URL names no key.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DidError {
    /// Longer than is read.
    #[error("the DID URL has {got} bytes, at most {limit} are read")]
    TooLong {
        /// Bytes allowed.
        limit: usize,
        /// Bytes received.
        got: usize,
    },
    /// Not a DID at all.
    #[error("`{got}` is not a DID URL")]
    NotADid {
        /// What came.
        got: String,
    },
    /// A DID method that needs a network, or does not exist.
    #[error("`{got}` uses a DID method that is not resolved here, expected did:key or did:jwk")]
    Method {
        /// What came.
        got: String,
    },
    /// The fragment is absent.
    #[error("`{did}` has no fragment, so it names no key; expected `#{expected}`")]
    FragmentMissing {
        /// The DID.
        did: String,
        /// The fragment its only key has.
        expected: String,
    },
    /// The fragment names no key of this DID.
    #[error("the fragment is `{got}`, expected `{expected}`")]
    Fragment {
        /// The fragment its only key has.
        expected: String,
        /// What came.
        got: String,
    },
    /// The identifier is not base58btc (`did:key`) or base64url without padding (`did:jwk`).
    #[error("the identifier of the DID is not {expected}")]
    Encoding {
        /// The encoding expected.
        expected: &'static str,
    },
    /// A key type that is not supported, by its multicodec number.
    #[error(
        "the DID holds a key of multicodec type {got:#x}, expected P-256 (0x1200), P-384 (0x1201), Ed25519 (0xed) or jwk_jcs-pub (0xeb51)"
    )]
    KeyType {
        /// The multicodec number.
        got: u64,
    },
    /// The key has the wrong number of bytes.
    #[error("the key in the DID has {got} bytes, expected {expected}")]
    KeyLength {
        /// Bytes expected.
        expected: usize,
        /// Bytes found.
        got: usize,
    },
    /// The JWK inside is not acceptable JSON.
    #[error("the JWK in the DID: {0}")]
    Json(JsonError),
    /// The JWK inside is not in canonical form (RFC 8785), with the required members only.
    #[error("the JWK in the DID is not in canonical form, expected `{expected}`")]
    NotCanonical {
        /// The canonical form.
        expected: String,
    },
    /// The key inside is not a usable public key.
    #[error("the key in the DID is not usable: {0}")]
    Key(JwkError),
}

impl DidError {
    /// The same for the wallet's developer.
    pub fn explain(&self) -> Explanation {
        let help = match self {
            Self::NotADid { .. } | Self::Method { .. } => {
                "put a did:key or did:jwk URL into `kid`, or send the key itself as `jwk`"
            }
            Self::FragmentMissing { .. } | Self::Fragment { .. } => {
                "append the fragment of the verification method: for did:key `#` and the identifier again, for did:jwk `#0`"
            }
            Self::TooLong { .. }
            | Self::Encoding { .. }
            | Self::KeyType { .. }
            | Self::KeyLength { .. }
            | Self::Json(_)
            | Self::NotCanonical { .. }
            | Self::Key(_) => {
                "encode the public key as the DID method says: did:key as `z`, base58btc, multicodec prefix and compressed \
                 point (or canonical JWK), did:jwk as base64url of the public JWK"
            }
        };
        Explanation::new(self, help, "OpenID4VCI 1.0 Appendix F.1")
    }
}

/// The key that a DID URL names. See [`dereference`].
pub fn resolve(did_url: &str) -> Result<PublicJwk, DidError> {
    dereference(did_url).map(|found| found.key)
}

/// The verification method that a DID URL names.
///
/// `did:key` holds compressed P-256 and P-384 points, Ed25519 keys, or a canonical JWK (`jwk_jcs-pub`), in base58btc;
/// its fragment repeats the identifier. `did:jwk` holds a JWK in base64url; its fragment is `0`. The fragment is
/// mandatory, because `kid` must name a key and not its controller (OpenID4VCI Appendix F.1).
pub fn dereference(did_url: &str) -> Result<VerificationMethod, DidError> {
    if did_url.len() > LENGTH_LIMIT {
        return Err(DidError::TooLong { limit: LENGTH_LIMIT, got: did_url.len() });
    }
    if !did_url.starts_with("did:") {
        return Err(DidError::NotADid { got: excerpt(did_url) });
    }
    let (did, fragment) = match did_url.split_once('#') {
        Some((did, fragment)) => (did, Some(fragment)),
        None => (did_url, None),
    };
    let (method, identifier) = if let Some(identifier) = did.strip_prefix("did:key:") {
        (Method::Key, identifier)
    } else if let Some(identifier) = did.strip_prefix("did:jwk:") {
        (Method::Jwk, identifier)
    } else {
        return Err(DidError::Method { got: excerpt(did) });
    };
    let expected = match method {
        Method::Key => identifier,
        Method::Jwk => "0",
    };
    match fragment {
        Some(fragment) if fragment == expected => {}
        Some(got) => return Err(DidError::Fragment { expected: excerpt(expected), got: excerpt(got) }),
        None => return Err(DidError::FragmentMissing { did: excerpt(did), expected: excerpt(expected) }),
    }
    let key = match method {
        Method::Key => multikey(identifier)?,
        Method::Jwk => jwk(identifier)?,
    };
    Ok(VerificationMethod { method, did: did.to_owned(), key })
}

/// The `did:jwk` DID of a key.
pub fn from_jwk(key: &PublicJwk) -> String {
    format!("did:jwk:{}", URL_SAFE_NO_PAD.encode(canonical(key)))
}

/// The key of a `did:jwk` identifier.
fn jwk(identifier: &str) -> Result<PublicJwk, DidError> {
    let bytes =
        URL_SAFE_NO_PAD.decode(identifier).map_err(|_| DidError::Encoding { expected: "base64url without padding" })?;
    let jwk = json::object(&bytes, LENGTH_LIMIT).map_err(DidError::Json)?;
    PublicJwk::from_json(&jwk).map_err(DidError::Key)
}

/// The key of a `did:key` identifier: multibase over a multicodec number and the key's bytes.
fn multikey(identifier: &str) -> Result<PublicJwk, DidError> {
    if identifier.len() > MULTIBASE_LIMIT {
        return Err(DidError::TooLong { limit: MULTIBASE_LIMIT, got: identifier.len() });
    }
    let not_base58 = || DidError::Encoding { expected: "base58btc with the prefix `z`" };
    let text = identifier.strip_prefix('z').ok_or_else(not_base58)?;
    let bytes = bs58::decode(text).into_vec().map_err(|_| not_base58())?;
    let (codec, key) = multicodec(&bytes).ok_or(DidError::KeyType { got: 0 })?;
    let length = |expected: usize| {
        if key.len() == expected { Ok(()) } else { Err(DidError::KeyLength { expected, got: key.len() }) }
    };
    match codec {
        0x1200 => length(33).and_then(|()| PublicJwk::from_p256_compressed(key).map_err(DidError::Key)),
        0x1201 => length(49).and_then(|()| PublicJwk::from_p384_compressed(key).map_err(DidError::Key)),
        0xed => {
            let key = <&[u8; 32]>::try_from(key).map_err(|_| DidError::KeyLength { expected: 32, got: key.len() })?;
            PublicJwk::from_ed25519(key).map_err(DidError::Key)
        }
        0xeb51 => canonical_jwk(key),
        got => Err(DidError::KeyType { got }),
    }
}

/// The key of `jwk_jcs-pub` bytes, which must be the canonical JSON of the required members, so that one key has one DID.
fn canonical_jwk(bytes: &[u8]) -> Result<PublicJwk, DidError> {
    let jwk = json::object(bytes, MULTIBASE_LIMIT).map_err(DidError::Json)?;
    let key = PublicJwk::from_json(&jwk).map_err(DidError::Key)?;
    let expected = canonical(&key);
    if expected.as_bytes() == bytes { Ok(key) } else { Err(DidError::NotCanonical { expected: excerpt(&expected) }) }
}

/// The canonical JSON (RFC 8785) of a key's required members; they are plain ASCII, so sorting is all there is to it.
fn canonical(key: &PublicJwk) -> String {
    let mut members: Vec<_> = key.to_json().into_iter().collect();
    members.sort_by(|(left, _), (right, _)| left.cmp(right));
    serde_json::Value::Object(Map::from_iter(members)).to_string()
}

/// Splits off an unsigned varint of at most nine bytes in its shortest form.
fn multicodec(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut number = 0u64;
    for (index, byte) in bytes.iter().take(9).enumerate() {
        number |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            let shortest = *byte != 0 || index == 0;
            return bytes.get(index + 1..).filter(|_| shortest).map(|rest| (number, rest));
        }
    }
    None
}

#[cfg(test)]
mod tests;
