use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::signature::{self, ParsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};
use thiserror::Error;

use crate::{Algorithm, sha256, strict_json};

/// A validated public key: EC on P-256 or P-384, or OKP on Ed25519 (RFC 7518 §6.2, RFC 8037 §2).
///
/// The point has been decoded, so a value of this type verifies signatures without parsing again; cloning shares it.
/// Two keys are equal when their points are, whatever other members their JWKs had.
#[derive(Clone)]
pub struct PublicJwk {
    algorithm: Algorithm,
    /// Its bytes are `04 || x || y`, or the 32 bytes of an Ed25519 key.
    key: Arc<ParsedPublicKey>,
}

/// Why a JWK, or raw bytes, are not a public key that can be used here. Texts in `got` are cut to 64 characters.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum JwkError {
    /// The bytes of the JWK are not one JSON object without duplicate members.
    #[error("the JWK is not a JSON object without duplicate members")]
    Json,
    /// A member that the key type needs is absent.
    #[error("the JWK has no {member}")]
    Missing {
        /// Its name.
        member: &'static str,
    },
    /// A member is not a string.
    #[error("{member} of the JWK is not a string")]
    NotAString {
        /// Its name.
        member: &'static str,
    },
    /// The JWK holds a private or a secret key.
    #[error("the JWK holds the private member {member}")]
    Private {
        /// The name of the member that gives it away.
        member: &'static str,
    },
    /// The key type is neither `EC` nor `OKP`.
    #[error("kty is {got:?}, expected EC or OKP")]
    KeyType {
        /// What the JWK says.
        got: String,
    },
    /// The curve is not one of this key type that is supported.
    #[error("crv is {got:?}, expected P-256 or P-384 with kty EC, Ed25519 with kty OKP")]
    Curve {
        /// What the JWK says.
        got: String,
    },
    /// `alg` names another algorithm than the one that goes with the curve.
    #[error("alg is {got:?}, but the curve goes with {expected}")]
    AlgorithmMismatch {
        /// The algorithm of the curve.
        expected: Algorithm,
        /// What the JWK says.
        got: String,
    },
    /// A coordinate is not base64url without padding (RFC 7515 §2).
    #[error("{member} of the JWK is not base64url without padding")]
    NotBase64Url {
        /// Its name.
        member: &'static str,
    },
    /// A coordinate or key has the wrong number of bytes. Leading zeros are not to be dropped (RFC 7518 §6.2.1.2).
    #[error("{member} has {got} bytes, expected {expected}")]
    Length {
        /// Its name.
        member: &'static str,
        /// Bytes needed.
        expected: usize,
        /// Bytes found.
        got: usize,
    },
    /// The coordinates are no point of the curve, or one of small order that would accept forged signatures.
    #[error("the coordinates are not a usable point of {}", .0.curve())]
    NotOnCurve(Algorithm),
}

/// A signature does not fit the message and the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the signature does not verify")]
pub struct SignatureInvalid;

/// Members that only private and symmetric keys have (RFC 7518 §6.2.2, §6.3.2, §6.4.1).
const PRIVATE_MEMBERS: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

impl PublicJwk {
    /// Reads a JWK. Members that say nothing about the point (`kid`, `use`, `key_ops`, …) are ignored; `alg` must
    /// agree with the curve when it is there.
    pub fn from_json(jwk: &Map<String, Value>) -> Result<Self, JwkError> {
        if let Some(member) = PRIVATE_MEMBERS.into_iter().find(|member| jwk.contains_key(*member)) {
            return Err(JwkError::Private { member });
        }
        let algorithm = match (string(jwk, "kty")?, string(jwk, "crv")) {
            ("EC", Ok("P-256")) => Algorithm::Es256,
            ("EC", Ok("P-384")) => Algorithm::Es384,
            ("OKP", Ok("Ed25519")) => Algorithm::EdDsa,
            ("EC" | "OKP", Ok(curve)) => return Err(JwkError::Curve { got: excerpt(curve) }),
            ("EC" | "OKP", Err(error)) => return Err(error),
            (key_type, _) => {
                return Err(JwkError::KeyType { got: excerpt(key_type) });
            }
        };
        match string(jwk, "alg") {
            Err(JwkError::Missing { .. }) => {}
            Ok(name) if name_fits(name, algorithm) => {}
            Ok(name) => {
                return Err(JwkError::AlgorithmMismatch { expected: algorithm, got: excerpt(name) });
            }
            Err(error) => return Err(error),
        }
        let mut bytes = Vec::with_capacity(1 + 2 * algorithm.coordinate_len());
        match algorithm {
            Algorithm::EdDsa => coordinate(jwk, "x", algorithm, &mut bytes)?,
            Algorithm::Es256 | Algorithm::Es384 => {
                bytes.push(UNCOMPRESSED);
                coordinate(jwk, "x", algorithm, &mut bytes)?;
                coordinate(jwk, "y", algorithm, &mut bytes)?;
            }
        }
        Self::from_point(algorithm, &bytes)
    }

    /// Reads a JWK from its JSON text, in which no member may come twice.
    pub fn from_json_bytes(jwk: &[u8]) -> Result<Self, JwkError> {
        Self::from_json(&strict_json::object(jwk).map_err(|_| JwkError::Json)?)
    }

    /// Reads a P-256 point in its compressed form: 33 bytes (SEC 1 §2.3.3), as in did:key.
    pub fn from_p256_compressed(point: &[u8]) -> Result<Self, JwkError> {
        Self::from_compressed(Algorithm::Es256, point)
    }

    /// Reads a P-384 point in its compressed form: 49 bytes (SEC 1 §2.3.3), as in did:key.
    pub fn from_p384_compressed(point: &[u8]) -> Result<Self, JwkError> {
        Self::from_compressed(Algorithm::Es384, point)
    }

    /// Reads the 32 bytes of an Ed25519 key (RFC 8032 §5.1.5).
    pub fn from_ed25519(key: &[u8; 32]) -> Result<Self, JwkError> {
        Self::from_point(Algorithm::EdDsa, key)
    }

    /// The algorithm of signatures by this key.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The JWK thumbprint: SHA-256 over the required members, base64url without padding (RFC 7638, RFC 8037 App. A.3).
    #[must_use]
    pub fn thumbprint(&self) -> String {
        let (key_type, curve) = (self.algorithm.key_type(), self.algorithm.curve());
        let (x, y) = self.coordinates();
        let x = URL_SAFE_NO_PAD.encode(x);
        let canonical = match y {
            Some(y) => {
                let y = URL_SAFE_NO_PAD.encode(y);
                format!(r#"{{"crv":"{curve}","kty":"{key_type}","x":"{x}","y":"{y}"}}"#)
            }
            None => format!(r#"{{"crv":"{curve}","kty":"{key_type}","x":"{x}"}}"#),
        };
        URL_SAFE_NO_PAD.encode(sha256(canonical.as_bytes()))
    }

    /// The JWK with its required members only: `kty`, `crv`, `x` and, for EC, `y`.
    #[must_use]
    pub fn to_json(&self) -> Map<String, Value> {
        let (x, y) = self.coordinates();
        let mut jwk = Map::new();
        jwk.insert("kty".to_owned(), self.algorithm.key_type().into());
        jwk.insert("crv".to_owned(), self.algorithm.curve().into());
        jwk.insert("x".to_owned(), URL_SAFE_NO_PAD.encode(x).into());
        if let Some(y) = y {
            jwk.insert("y".to_owned(), URL_SAFE_NO_PAD.encode(y).into());
        }
        jwk
    }

    /// Checks `signature` over `message`. EC signatures are raw `r || s`, not DER (RFC 7518 §3.4).
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), SignatureInvalid> {
        if signature.len() != self.algorithm.signature_len() {
            return Err(SignatureInvalid);
        }
        self.key.verify_sig(message, signature).map_err(|_| SignatureInvalid)
    }

    /// Reads `04 || x || y`, or the 32 bytes of an Ed25519 key, and nothing else that AWS-LC would take for a key.
    pub(crate) fn from_point(algorithm: Algorithm, point: &[u8]) -> Result<Self, JwkError> {
        let wrong_length = |expected| JwkError::Length { member: "the key", expected, got: point.len() };
        let parsed = match algorithm {
            Algorithm::EdDsa => {
                if point.len() != algorithm.coordinate_len() {
                    return Err(wrong_length(algorithm.coordinate_len()));
                }
                if has_small_order(point) {
                    return Err(JwkError::NotOnCurve(algorithm));
                }
                ParsedPublicKey::new(&signature::ED25519, point)
            }
            Algorithm::Es256 | Algorithm::Es384 => {
                let expected = 1 + 2 * algorithm.coordinate_len();
                if point.len() != expected {
                    return Err(wrong_length(expected));
                }
                if point.first() != Some(&UNCOMPRESSED) {
                    return Err(JwkError::NotOnCurve(algorithm));
                }
                ParsedPublicKey::new(ecdsa(algorithm), point)
            }
        };
        let key = Arc::new(parsed.map_err(|_| JwkError::NotOnCurve(algorithm))?);
        Ok(Self { algorithm, key })
    }

    /// The point as `04 || x || y`, or the 32 bytes of an Ed25519 key.
    pub(crate) fn point(&self) -> &[u8] {
        (*self.key).as_ref()
    }

    fn from_compressed(algorithm: Algorithm, point: &[u8]) -> Result<Self, JwkError> {
        let expected = 1 + algorithm.coordinate_len();
        if point.len() != expected {
            return Err(JwkError::Length { member: "the compressed point", expected, got: point.len() });
        }
        let off_curve = || JwkError::NotOnCurve(algorithm);
        if !matches!(point.first(), Some(0x02 | 0x03)) {
            return Err(off_curve());
        }
        let compressed = ParsedPublicKey::new(ecdsa(algorithm), point).map_err(|_| off_curve())?;
        // A SubjectPublicKeyInfo ends in the uncompressed point (RFC 5480 §2.2).
        let info = compressed.as_der().map_err(|_| off_curve())?;
        let start = info.as_ref().len().checked_sub(1 + 2 * algorithm.coordinate_len()).ok_or_else(off_curve)?;
        let uncompressed = info.as_ref().get(start..).unwrap_or_default();
        Self::from_point(algorithm, uncompressed)
    }

    fn coordinates(&self) -> (&[u8], Option<&[u8]>) {
        match self.algorithm {
            Algorithm::EdDsa => (self.point(), None),
            Algorithm::Es256 | Algorithm::Es384 => {
                let both = self.point().get(1..).unwrap_or_default();
                let (x, y) = both.split_at(both.len() / 2);
                (x, Some(y))
            }
        }
    }
}

impl PartialEq for PublicJwk {
    fn eq(&self, other: &Self) -> bool {
        self.algorithm == other.algorithm && self.point() == other.point()
    }
}

impl Eq for PublicJwk {}

impl Hash for PublicJwk {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.algorithm.hash(state);
        self.point().hash(state);
    }
}

impl fmt::Debug for PublicJwk {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "PublicJwk({} {})", self.algorithm.curve(), self.thumbprint())
    }
}

/// As [`PublicJwk::to_json`].
impl Serialize for PublicJwk {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_json().serialize(serializer)
    }
}

/// As [`PublicJwk::from_json`].
impl<'de> Deserialize<'de> for PublicJwk {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let jwk = Map::deserialize(deserializer)?;
        Self::from_json(&jwk).map_err(serde::de::Error::custom)
    }
}

/// The first byte of an uncompressed point (SEC 1 §2.3.3).
const UNCOMPRESSED: u8 = 0x04;

/// Text from outside, short enough for a log line.
pub(crate) fn excerpt(text: &str) -> String {
    text.chars().take(64).collect()
}

fn string<'jwk>(jwk: &'jwk Map<String, Value>, member: &'static str) -> Result<&'jwk str, JwkError> {
    jwk.get(member).ok_or(JwkError::Missing { member })?.as_str().ok_or(JwkError::NotAString { member })
}

/// Whether a JWK may say `alg: name` about a key of `algorithm`. RFC 9864 names EdDSA on Ed25519 `Ed25519`.
fn name_fits(name: &str, algorithm: Algorithm) -> bool {
    name == algorithm.name() || (algorithm == Algorithm::EdDsa && name == "Ed25519")
}

fn coordinate(
    jwk: &Map<String, Value>,
    member: &'static str,
    algorithm: Algorithm,
    into: &mut Vec<u8>,
) -> Result<(), JwkError> {
    let before = into.len();
    let text = string(jwk, member)?;
    let expected = algorithm.coordinate_len();
    // Four characters hold three bytes: nothing longer than this is worth decoding.
    if text.len() > 4 * expected {
        return Err(JwkError::Length { member, expected, got: text.len() / 4 * 3 });
    }
    URL_SAFE_NO_PAD.decode_vec(text, into).map_err(|_| JwkError::NotBase64Url { member })?;
    let got = into.len() - before;
    if got == expected { Ok(()) } else { Err(JwkError::Length { member, expected, got }) }
}

fn ecdsa(algorithm: Algorithm) -> &'static signature::EcdsaVerificationAlgorithm {
    match algorithm {
        Algorithm::Es384 => &signature::ECDSA_P384_SHA384_FIXED,
        Algorithm::Es256 | Algorithm::EdDsa => &signature::ECDSA_P256_SHA256_FIXED,
    }
}

/// Whether an Ed25519 key is one of the points whose order divides 8, in any encoding. For these there are
/// signatures that fit every message, so such a key binds nothing to anybody (RFC 8032 §5.1.7 does not exclude them).
fn has_small_order(key: &[u8]) -> bool {
    /// `y` coordinates, little-endian: 0, 1, -1 and their non-canonical forms, and the two of order 8.
    const Y: [[u8; 32]; 7] = [
        [0; 32],
        edge(0x01, 0x00, 0x00),
        edge(0xec, 0xff, 0x7f),
        edge(0xed, 0xff, 0x7f),
        edge(0xee, 0xff, 0x7f),
        [
            0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf,
            0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
        ],
        [
            0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20,
            0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
        ],
    ];
    const fn edge(first: u8, middle: u8, last: u8) -> [u8; 32] {
        let mut bytes = [middle; 32];
        bytes[0] = first;
        bytes[31] = last;
        bytes
    }
    let Some((last, rest)) = key.split_last() else {
        return false;
    };
    Y.iter().any(|y| y.split_last().is_some_and(|(y_last, y_rest)| rest == y_rest && last & 0x7f == *y_last))
}

#[cfg(test)]
mod tests;
