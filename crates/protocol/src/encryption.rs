//! Encrypted credential requests and responses (OpenID4VCI §8.2, §10, §12.2.4).

mod error;

use chancery_keys::jwe::{self, Compression, ContentEncryption, RecipientKey};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::explanation::{excerpt_json, list};
use crate::json;

pub use error::EncryptionError;

/// The media type of an encrypted message (OpenID4VCI §10).
pub const MEDIA_TYPE: &str = "application/jwt";

/// Longest body whose parameters are read, in bytes: what an encrypted request may inflate to.
const LENGTH_LIMIT: usize = jwe::MAX_INFLATED_BYTES;

/// The request parameter, in credential and deferred credential requests.
const PARAMETER: &str = "credential_response_encryption";

/// Whether a message is encrypted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Rule {
    /// Not offered.
    #[default]
    Off,
    /// As the wallet likes.
    Allowed,
    /// Always.
    Required,
}

/// What an issuer offers and demands, as its metadata says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Of credential requests.
    pub request: Rule,
    /// Of credential responses. Offered only together with encrypted requests (ENC-7); see [`Policy::is_consistent`].
    pub response: Rule,
    /// Content encryption algorithms, for both ways; not empty unless both rules are off.
    pub encryptions: Vec<ContentEncryption>,
    /// Whether messages may be compressed, for both ways.
    pub compression: Compression,
}

/// How the wallet wants the response: the value of `credential_response_encryption` (OpenID4VCI §8.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResponseEncryption {
    /// For whom.
    pub recipient: RecipientKey,
    /// `enc`.
    pub encryption: ContentEncryption,
    /// `zip`.
    pub compression: Compression,
}

impl ResponseEncryption {
    /// Reads the parameter from the body of a (deferred) credential request; `None` when it is absent or `null`.
    pub fn from_body(body: &[u8]) -> Result<Option<Self>, EncryptionError> {
        Self::from_request(&json::object(body, LENGTH_LIMIT)?)
    }

    /// Reads the parameter from a request that is parsed already; `None` when it is absent or `null`.
    pub fn from_request(request: &Map<String, Value>) -> Result<Option<Self>, EncryptionError> {
        request.get(PARAMETER).filter(|value| !value.is_null()).map(Self::parse).transpose()
    }

    /// Reads the value: an object with `jwk` (which has `alg`), `enc` and perhaps `zip`. Unknown members are ignored.
    pub fn parse(value: &Value) -> Result<Self, EncryptionError> {
        let object = value.as_object().ok_or_else(|| EncryptionError::NotAnObject { got: json::kind(value) })?;
        let wrong = |member: &'static str, expected: &'static str| EncryptionError::Member {
            member,
            expected,
            got: object.get(member).map_or_else(|| "absent".to_owned(), excerpt_json),
        };
        let jwk = object.get("jwk").and_then(Value::as_object).ok_or_else(|| wrong("jwk", "a JSON object"))?;
        // Drafts up to 15 had `alg` beside `jwk`.
        if !jwk.contains_key("alg") && object.contains_key("alg") {
            return Err(EncryptionError::DraftShape);
        }
        let recipient = RecipientKey::from_json(jwk).map_err(EncryptionError::Key)?;
        let encryption = object.get("enc").and_then(Value::as_str).and_then(ContentEncryption::parse);
        let compression = match object.get("zip") {
            None => Compression::None,
            Some(Value::String(name)) if name == jwe::COMPRESSION => Compression::Deflate,
            Some(_) => return Err(wrong("zip", "`DEF`, or nothing")),
        };
        Ok(Self {
            recipient,
            encryption: encryption.ok_or_else(|| wrong("enc", "`A128GCM` or `A256GCM`"))?,
            compression,
        })
    }

    /// Encrypts the JSON text of a 200 or 202 answer, whatever its content (ENC-6). Error answers are never encrypted.
    pub fn encrypt(&self, body: &[u8]) -> Result<String, jwe::EncryptError> {
        jwe::encrypt(body, &self.recipient, self.encryption, self.compression)
    }
}

impl Policy {
    /// Neither way.
    pub fn off() -> Self {
        Self { request: Rule::Off, response: Rule::Off, encryptions: Vec::new(), compression: Compression::None }
    }

    /// Whether wallets can do what the policy says: an encrypted response needs an encrypted request (OpenID4VCI §8.2),
    /// and a demand for one that cannot be asked for can never be met. An offer needs an algorithm.
    pub fn is_consistent(&self) -> bool {
        let possible = self.response == Rule::Off || self.request != Rule::Off;
        let named = !self.encryptions.is_empty() || (self.request == Rule::Off && self.response == Rule::Off);
        possible && named
    }

    /// What to accept when a request is decrypted.
    pub fn accepted(&self) -> jwe::Accepted<'_> {
        jwe::Accepted { encryptions: &self.encryptions, compression: self.compression }
    }

    /// Whether a request may come in this form; ask before reading it (ENC-8).
    pub fn admits_request(&self, encrypted: bool) -> Result<(), EncryptionError> {
        match (self.request, encrypted) {
            (Rule::Off, true) => Err(EncryptionError::RequestNotOffered),
            (Rule::Required, false) => Err(EncryptionError::RequestRequired),
            (Rule::Off, false) | (Rule::Allowed, _) | (Rule::Required, true) => Ok(()),
        }
    }

    /// Whether the response may be encrypted, or left in the clear, as this very request asks (ENC-7, ENC-8). For a
    /// deferred response, `asked` is what the deferred request says; the first request does not matter (ENC-9).
    pub fn admits_response(
        &self,
        request_encrypted: bool,
        asked: Option<&ResponseEncryption>,
    ) -> Result<(), EncryptionError> {
        let asked = match (self.response, asked) {
            (Rule::Off | Rule::Allowed, None) => return Ok(()),
            (Rule::Required, None) => return Err(EncryptionError::ResponseRequired),
            (Rule::Off, Some(_)) => return Err(EncryptionError::ResponseNotOffered),
            (Rule::Allowed | Rule::Required, Some(asked)) => asked,
        };
        if !request_encrypted {
            return Err(EncryptionError::KeyInTheClear);
        }
        if !self.encryptions.contains(&asked.encryption) {
            return Err(EncryptionError::Unsupported {
                member: "enc",
                expected: list(&self.encryptions),
                got: asked.encryption.name(),
            });
        }
        if asked.compression == Compression::Deflate && self.compression == Compression::None {
            return Err(EncryptionError::Unsupported {
                member: "zip",
                expected: "none".to_owned(),
                got: jwe::COMPRESSION,
            });
        }
        Ok(())
    }

    /// The `credential_request_encryption` member of the issuer metadata; `None` when it is off.
    pub fn request_metadata(&self, keys: &[RecipientKey]) -> Option<RequestEncryptionMetadata> {
        (self.request != Rule::Off).then(|| RequestEncryptionMetadata {
            jwks: EncryptionKeys { keys: keys.to_vec() },
            enc_values_supported: self.encryptions.clone(),
            zip_values_supported: self.zip_values(),
            encryption_required: self.request == Rule::Required,
        })
    }

    /// The `credential_response_encryption` member of the issuer metadata; `None` when it is off.
    pub fn response_metadata(&self) -> Option<ResponseEncryptionMetadata> {
        (self.response != Rule::Off).then(|| ResponseEncryptionMetadata {
            alg_values_supported: vec![jwe::ALGORITHM],
            enc_values_supported: self.encryptions.clone(),
            zip_values_supported: self.zip_values(),
            encryption_required: self.response == Rule::Required,
        })
    }

    fn zip_values(&self) -> Vec<&'static str> {
        match self.compression {
            Compression::None => Vec::new(),
            Compression::Deflate => vec![jwe::COMPRESSION],
        }
    }
}

/// `credential_request_encryption` of the issuer metadata (OpenID4VCI §12.2.4).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RequestEncryptionMetadata {
    /// The keys to encrypt for, each with a `kid` of its own and `alg`.
    pub jwks: EncryptionKeys,
    /// Content encryption algorithms; not empty.
    pub enc_values_supported: Vec<ContentEncryption>,
    /// Compression algorithms; left out when there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub zip_values_supported: Vec<&'static str>,
    /// Whether plain requests are refused.
    pub encryption_required: bool,
}

/// A JWK set of keys to encrypt for (RFC 7517 §5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncryptionKeys {
    /// The keys, the preferred one first.
    pub keys: Vec<RecipientKey>,
}

impl Serialize for EncryptionKeys {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Document {
            keys: Vec<Map<String, Value>>,
        }

        Document { keys: self.keys.iter().map(RecipientKey::to_json).collect() }.serialize(serializer)
    }
}

/// `credential_response_encryption` of the issuer metadata (OpenID4VCI §12.2.4).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ResponseEncryptionMetadata {
    /// Key management algorithms, which the wallet's JWK names in `alg`.
    pub alg_values_supported: Vec<&'static str>,
    /// Content encryption algorithms; not empty.
    pub enc_values_supported: Vec<ContentEncryption>,
    /// Compression algorithms; left out when there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub zip_values_supported: Vec<&'static str>,
    /// Whether every response is encrypted.
    pub encryption_required: bool,
}

#[cfg(test)]
mod tests;
