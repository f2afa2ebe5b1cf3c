//! What an issuer says about encrypted requests and answers (OpenID4VCI §10, §12.2.4).

use std::collections::HashSet;

use serde_json::Value;

use super::reader::Reader;
use crate::error::{Step, Violation, WalletError};
use crate::json::{self, Object};

/// How credential requests can be encrypted.
#[derive(Debug, Clone, PartialEq)]
pub struct RequestEncryption {
    /// The issuer's public keys, each with `kid` and `alg`.
    pub keys: Vec<Object>,
    /// Names of the content encryption algorithms.
    pub encodings: Vec<String>,
    /// Names of the compression algorithms; empty when nothing may be compressed.
    pub compressions: Vec<String>,
    /// Whether requests must be encrypted.
    pub required: bool,
}

/// How credential answers can be encrypted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResponseEncryption {
    /// Names of the key agreement algorithms.
    pub algorithms: Vec<String>,
    /// Names of the content encryption algorithms.
    pub encodings: Vec<String>,
    /// Names of the compression algorithms; empty when nothing may be compressed.
    pub compressions: Vec<String>,
    /// Whether answers must be encrypted.
    pub required: bool,
}

type Both = (Option<RequestEncryption>, Option<ResponseEncryption>);

pub(super) fn read(reader: &Reader<'_>) -> Result<Both, WalletError> {
    let request = match inner(reader, "credential_request_encryption")? {
        None => None,
        Some(inner) => Some(RequestEncryption {
            keys: keys(&inner)?,
            encodings: some_texts(&inner, "enc_values_supported")?,
            compressions: inner.texts("zip_values_supported")?,
            required: required(&inner)?,
        }),
    };
    let response = match inner(reader, "credential_response_encryption")? {
        None => None,
        Some(inner) => Some(ResponseEncryption {
            algorithms: some_texts(&inner, "alg_values_supported")?,
            encodings: some_texts(&inner, "enc_values_supported")?,
            compressions: inner.texts("zip_values_supported")?,
            required: required(&inner)?,
        }),
    };
    if response.is_some() && request.is_none() {
        return Violation::err(
            Step::IssuerMetadata,
            "OpenID4VCI §8.2, §12.2.4",
            "response encryption without request encryption cannot be used",
            "credential_request_encryption beside credential_response_encryption",
            "only credential_response_encryption",
        );
    }
    Ok((request, response))
}

fn inner<'a>(reader: &Reader<'a>, member: &str) -> Result<Option<Reader<'a>>, WalletError> {
    let object = reader.object(member)?;
    Ok(object.map(|object| Reader { object, at: format!("{}{member}.", reader.at), ..reader.clone() }))
}

fn keys(reader: &Reader<'_>) -> Result<Vec<Object>, WalletError> {
    let set = reader.object("jwks")?.and_then(|set| set.get("keys")).and_then(Value::as_array);
    let keys: Option<Vec<Object>> = set.and_then(|keys| keys.iter().map(|key| key.as_object().cloned()).collect());
    let Some(keys) = keys.filter(|keys| !keys.is_empty()) else {
        return reader.wrong("jwks", "is wrong", "a JWK set with at least one key", "something else");
    };
    let text = |key: &Object, name: &str| key.get(name).and_then(Value::as_str).map(str::to_owned);
    let mut kids = HashSet::new();
    for key in &keys {
        // §10: `alg` of the JWE comes from the key, `kid` finds it again.
        let Some(kid) = text(key, "kid") else {
            return reader.wrong("jwks", "has a key without kid", "a `kid` in each key", "none");
        };
        if !kids.insert(kid) {
            return reader.wrong("jwks", "repeats a kid", "one key for each `kid`", "two");
        }
        if text(key, "alg").is_none() {
            return reader.wrong("jwks", "has a key without alg", "an `alg` in each key", "none");
        }
        if key.contains_key("d") {
            return reader.wrong("jwks", "has a private key", "public keys", "a key with `d`");
        }
    }
    Ok(keys)
}

fn some_texts(reader: &Reader<'_>, member: &str) -> Result<Vec<String>, WalletError> {
    let texts = reader.texts(member)?;
    if texts.is_empty() {
        return reader.wrong(member, "is missing", "a non-empty array of strings", "nothing");
    }
    Ok(texts)
}

fn required(reader: &Reader<'_>) -> Result<bool, WalletError> {
    match reader.object.get("encryption_required") {
        Some(Value::Bool(value)) => Ok(*value),
        other => reader.wrong("encryption_required", "is wrong", "a boolean", json::kind_or_absent(other)),
    }
}
