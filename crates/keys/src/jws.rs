//! Compact JWS with a JSON object as payload (RFC 7515 §7.1, RFC 7519): decoded strictly, verified, signed.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};
use thiserror::Error;

use crate::public_jwk::excerpt;
use crate::strict_json::{self, Invalid};
use crate::{Algorithm, KeyError, PublicJwk, Signer, jose, sha256};

/// Bytes a compact JWS may have: key proofs with a certificate chain or a key attestation stay far below.
pub const MAX_BYTES: usize = 64 * 1024;

/// One of the three parts of a compact JWS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The protected header.
    Header,
    /// The payload.
    Payload,
    /// The signature.
    Signature,
}

impl fmt::Display for Part {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Header => "header",
            Self::Payload => "payload",
            Self::Signature => "signature",
        })
    }
}

/// Why a text is not a JWS that can be trusted. Texts in `got` and `name` are cut to 64 characters.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum JwsError {
    /// More than [`MAX_BYTES`].
    #[error("the JWS has {got} bytes, at most {MAX_BYTES} are read")]
    TooLong {
        /// Its length.
        got: usize,
    },
    /// Not three parts between dots (RFC 7515 §7.1). Five are a JWE.
    #[error("the JWS has {got} parts, expected 3")]
    Parts {
        /// Parts found.
        got: usize,
    },
    /// A part is not base64url without padding (RFC 7515 §2).
    #[error("the {part} is not base64url without padding")]
    NotBase64Url {
        /// Which.
        part: Part,
    },
    /// A part is not JSON.
    #[error("the {part} is not JSON")]
    NotJson {
        /// Which.
        part: Part,
    },
    /// A part is JSON, but no object.
    #[error("the {part} is not a JSON object")]
    NotAnObject {
        /// Which.
        part: Part,
    },
    /// A member comes twice (RFC 7515 §4, RFC 7519 §4).
    #[error("the {part} has the member {name:?} twice")]
    Duplicate {
        /// Which part.
        part: Part,
        /// The name.
        name: String,
    },
    /// The header has `crit`. No extension is supported, and an empty list is not allowed (RFC 7515 §4.1.11).
    #[error("the header has crit, and no critical extension is supported")]
    Critical,
    /// `alg` is absent, `none`, symmetric, or unknown.
    #[error("alg is {got:?}, expected ES256, ES384 or EdDSA")]
    Algorithm {
        /// What the header says; empty when it says nothing, or no text.
        got: String,
    },
    /// The key is for another algorithm than `alg` names.
    #[error("alg is {got}, but the key is for {expected}")]
    AlgorithmMismatch {
        /// The algorithm of the key.
        expected: Algorithm,
        /// What the header says.
        got: Algorithm,
    },
    /// A registered header parameter does not have the type that RFC 7515 §4.1 gives it.
    #[error("the header is malformed: {reason}")]
    Header {
        /// Which, and how.
        reason: String,
    },
    /// The signature does not fit the message and the key.
    #[error("the signature does not verify")]
    Signature,
}

/// A compact JWS that has been decoded, and that nothing vouches for until [`Unverified::verify`] says so.
#[derive(Clone)]
pub struct Unverified {
    compact: String,
    header: Map<String, Value>,
    claims: Map<String, Value>,
    algorithm: Algorithm,
}

/// Decodes a compact JWS whose header and payload are JSON objects.
///
/// Refused: more than [`MAX_BYTES`], anything but three parts, base64url with padding or stray bits, duplicate members
/// at any depth, `crit` in any form, and every `alg` that is not an [`Algorithm`].
pub fn decode(compact: &str) -> Result<Unverified, JwsError> {
    if compact.len() > MAX_BYTES {
        return Err(JwsError::TooLong { got: compact.len() });
    }
    let [header, payload, signature] = parts(compact)?;
    let header = protected(header)?;
    let name = header.get("alg").and_then(Value::as_str).unwrap_or_default();
    let algorithm = Algorithm::parse(name).ok_or_else(|| JwsError::Algorithm { got: excerpt(name) })?;
    let claims = object(Part::Payload, payload)?;
    base64url(Part::Signature, signature)?;
    Ok(Unverified { compact: compact.to_owned(), header, claims, algorithm })
}

/// A compact JWS that somebody else verifies: of tokens whose algorithms go beyond [`Algorithm`].
#[derive(Clone)]
pub struct Opened {
    /// The protected header.
    pub header: Map<String, Value>,
    /// The payload.
    pub claims: Map<String, Value>,
    /// What is signed: header and payload as they came, with the dot between them.
    pub message: Vec<u8>,
    /// The signature.
    pub signature: Vec<u8>,
}

/// Takes a compact JWS apart as strictly as [`decode`] does, whatever its `alg`. **Nothing vouches for it**: the caller
/// chooses by `alg` and checks the signature.
pub fn open(compact: &str) -> Result<Opened, JwsError> {
    if compact.len() > MAX_BYTES {
        return Err(JwsError::TooLong { got: compact.len() });
    }
    let [header, payload, signature] = parts(compact)?;
    let message = format!("{header}.{payload}").into_bytes();
    let header = protected(header)?;
    Ok(Opened {
        header,
        claims: object(Part::Payload, payload)?,
        message,
        signature: base64url(Part::Signature, signature)?,
    })
}

/// Names of the header parameters only: claims belong to somebody.
impl fmt::Debug for Opened {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&String> = self.header.keys().collect();
        formatter.debug_struct("Opened").field("header", &names).finish_non_exhaustive()
    }
}

impl Unverified {
    /// The protected header.
    #[must_use]
    pub fn header(&self) -> &Map<String, Value> {
        &self.header
    }

    /// The payload.
    #[must_use]
    pub fn claims(&self) -> &Map<String, Value> {
        &self.claims
    }

    /// What `alg` names.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// What `typ` says, if it is there and a string. Callers compare it; nothing here does.
    #[must_use]
    pub fn typ(&self) -> Option<&str> {
        self.header.get("typ").and_then(Value::as_str)
    }

    /// Names of the header parameters, in the order in which they came.
    #[must_use]
    pub fn header_names(&self) -> Vec<String> {
        self.header.keys().cloned().collect()
    }

    /// SHA-256 of the compact form in lowercase hexadecimal: names a token without quoting it.
    #[must_use]
    pub fn sha256_hex(&self) -> String {
        use fmt::Write as _;

        sha256(self.compact.as_bytes()).iter().fold(String::with_capacity(64), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        })
    }

    /// Checks the signature with `key`, which must be for the algorithm that `alg` names.
    pub fn verify(&self, key: &PublicJwk) -> Result<(), JwsError> {
        if key.algorithm() != self.algorithm {
            return Err(JwsError::AlgorithmMismatch { expected: key.algorithm(), got: self.algorithm });
        }
        jose::verify(&self.compact, key).map_err(|refusal| match refusal {
            jose::Refusal::Signature => JwsError::Signature,
            jose::Refusal::Framing { reason } => JwsError::Header { reason },
        })
    }
}

/// Names of the header parameters only: claims belong to somebody.
impl fmt::Debug for Unverified {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Unverified")
            .field("algorithm", &self.algorithm)
            .field("header", &self.header_names())
            .finish_non_exhaustive()
    }
}

/// Signs `payload` as a compact JWS. `alg` in `header` is set to the signer's; other members, `kid` and `x5c` among
/// them, are the caller's.
pub async fn sign(header: Map<String, Value>, payload: &[u8], signer: &Signer) -> Result<String, KeyError> {
    let mut compact = jose::frame(header, payload, signer.algorithm()).map_err(KeyError::Header)?;
    let message = compact.strip_suffix('.').unwrap_or(&compact);
    let signature = signer.sign(message.as_bytes()).await?;
    URL_SAFE_NO_PAD.encode_string(signature, &mut compact);
    Ok(compact)
}

fn parts(compact: &str) -> Result<[&str; 3], JwsError> {
    let mut parts = compact.split('.');
    let (Some(header), Some(payload), Some(signature), None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(JwsError::Parts { got: compact.split('.').count() });
    };
    Ok([header, payload, signature])
}

fn protected(text: &str) -> Result<Map<String, Value>, JwsError> {
    let header = object(Part::Header, text)?;
    if header.contains_key("crit") { Err(JwsError::Critical) } else { Ok(header) }
}

fn object(part: Part, text: &str) -> Result<Map<String, Value>, JwsError> {
    strict_json::object(&base64url(part, text)?).map_err(|invalid| match invalid {
        Invalid::Json => JwsError::NotJson { part },
        Invalid::NotAnObject => JwsError::NotAnObject { part },
        Invalid::Duplicate { name } => JwsError::Duplicate { part, name: excerpt(&name) },
    })
}

fn base64url(part: Part, text: &str) -> Result<Vec<u8>, JwsError> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| JwsError::NotBase64Url { part })
}

#[cfg(test)]
mod tests;
