//! Credential requests (OpenID4VCI §8.2), and recognition of the shapes that older drafts gave them.

use std::fmt;

use serde_json::{Map, Value};
use thiserror::Error;

use crate::explanation::list;
use crate::json::{self, JsonError};
use crate::{Explanation, excerpt};

/// Longest request body, in bytes.
const LENGTH_LIMIT: usize = 1024 * 1024;

/// Longest single proof, in bytes; what a JWS may have.
const PROOF_LIMIT: usize = 64 * 1024;

/// Most proofs in one request, whatever batch size an issuer publishes.
const PROOF_COUNT_LIMIT: usize = 100;

/// Longest selector, in bytes.
const SELECTOR_LIMIT: usize = 512;

/// A credential request of OpenID4VCI 1.0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CredentialRequest {
    /// Which credential.
    pub selector: Selector,
    /// The keys it is to be bound to.
    pub proofs: Proofs,
    /// Whether the wallet asked for an encrypted response, which must come in an encrypted request (OpenID4VCI §8.2).
    pub response_encryption: bool,
}

/// How the wallet names the credential it wants: exactly one of the two (OpenID4VCI §8.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selector {
    /// `credential_configuration_id`: when the token response had no `authorization_details`.
    ConfigurationId(String),
    /// `credential_identifier`: one of those the token response listed.
    Identifier(String),
}

/// The member `proofs`, by proof type. `Debug` shows how many there are, and no proof.
#[derive(Clone, PartialEq, Eq)]
pub enum Proofs {
    /// Absent.
    None,
    /// Key proofs in compact form; at least one.
    Jwt(Vec<String>),
    /// One key attestation in compact form.
    Attestation(String),
    /// A proof type this crate does not read, such as `di_vp`.
    Other(String),
}

impl Proofs {
    /// The name of the proof type on the wire; `None` when there are no proofs.
    pub fn proof_type(&self) -> Option<&str> {
        match self {
            Self::None => None,
            Self::Jwt(_) => Some("jwt"),
            Self::Attestation(_) => Some("attestation"),
            Self::Other(name) => Some(name),
        }
    }
}

impl fmt::Debug for Proofs {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => formatter.write_str("None"),
            Self::Jwt(proofs) => write!(formatter, "Jwt({} proofs)", proofs.len()),
            Self::Attestation(_) => formatter.write_str("Attestation"),
            Self::Other(name) => write!(formatter, "Other({name})"),
        }
    }
}

/// Why a credential request is refused before any token, offer or key is considered.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CredentialRequestError {
    /// The body is not an acceptable JSON object.
    #[error("{0}")]
    Json(#[from] JsonError),
    /// Neither selector is there.
    #[error("the request has neither `credential_configuration_id` nor `credential_identifier`")]
    NoSelector,
    /// Both selectors are there.
    #[error("the request has both `credential_configuration_id` and `credential_identifier`, expected exactly one")]
    BothSelectors,
    /// A selector is not a non-empty string of at most 512 bytes.
    #[error("`{member}` is {got}, expected a non-empty string of at most {SELECTOR_LIMIT} bytes")]
    Selector {
        /// The member.
        member: &'static str,
        /// What came.
        got: String,
    },
    /// The request has the shape of an older draft.
    #[error("the request has the member `{member}`, which is the shape of {draft}")]
    DraftShape {
        /// The member that gives it away.
        member: &'static str,
        /// The draft, or drafts, it belongs to.
        draft: &'static str,
    },
    /// `proofs` is not an object with exactly one member.
    #[error("`proofs` has {got}, expected an object with exactly one member named after the proof type")]
    ProofTypes {
        /// The names found, or the JSON type that came.
        got: String,
    },
    /// The value of a proof type is not a non-empty array of strings.
    #[error("`proofs.{proof_type}` is {got}, expected a non-empty array of strings")]
    ProofList {
        /// The proof type.
        proof_type: &'static str,
        /// What came.
        got: String,
    },
    /// More proofs than anyone may send, or more attestations than one.
    #[error("`proofs.{proof_type}` has {got} elements, at most {limit} are allowed")]
    TooManyProofs {
        /// The proof type.
        proof_type: &'static str,
        /// Elements allowed.
        limit: usize,
        /// Elements received.
        got: usize,
    },
    /// A proof is too long.
    #[error("a proof has {got} bytes, at most {PROOF_LIMIT} are read")]
    ProofTooLong {
        /// Bytes received.
        got: usize,
    },
}

impl CredentialRequestError {
    /// The error code of the protocol (OpenID4VCI §8.3.1.2): `invalid_proof` for everything inside `proofs`,
    /// `invalid_credential_request` for everything else.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Json(_)
            | Self::NoSelector
            | Self::BothSelectors
            | Self::Selector { .. }
            | Self::DraftShape { .. } => "invalid_credential_request",
            Self::ProofTypes { .. }
            | Self::ProofList { .. }
            | Self::TooManyProofs { .. }
            | Self::ProofTooLong { .. } => "invalid_proof",
        }
    }

    /// The same for the wallet's developer.
    pub fn explain(&self) -> Explanation {
        const REQUEST: &str = "OpenID4VCI 1.0 §8.2";
        let (help, spec_ref) = match self {
            Self::Json(_) => ("send one JSON object with `Content-Type: application/json`", REQUEST),
            Self::NoSelector | Self::BothSelectors | Self::Selector { .. } => (
                "send `credential_identifier` if the token response had `authorization_details`, else \
                 `credential_configuration_id`; never both",
                REQUEST,
            ),
            Self::DraftShape { member, .. } => (draft_help(member), REQUEST),
            Self::ProofTypes { .. } | Self::ProofList { .. } => {
                ("send `proofs` as an object with one member, for example `{\"jwt\": [\"eyJ...\"]}`", REQUEST)
            }
            Self::TooManyProofs { proof_type: "attestation", .. } => {
                ("send one key attestation; it lists all the keys in `attested_keys`", "OpenID4VCI 1.0 Appendix F.3")
            }
            Self::TooManyProofs { .. } => (
                "send at most as many proofs as `batch_credential_issuance.batch_size` in the issuer metadata says",
                "OpenID4VCI 1.0 §12.2.4",
            ),
            Self::ProofTooLong { .. } => ("send a shorter proof; leave out certificates that are not needed", REQUEST),
        };
        Explanation::new(self, help, spec_ref)
    }
}

impl CredentialRequest {
    /// Reads the body of a credential request. Unknown members are ignored (OpenID4VCI §8.2), unless the request only
    /// makes sense as one of an older draft: then the error names the draft.
    pub fn parse(body: &[u8]) -> Result<Self, CredentialRequestError> {
        let object = json::object(body, LENGTH_LIMIT)?;
        let configuration = selector(&object, "credential_configuration_id")?;
        let identifier = selector(&object, "credential_identifier")?;
        let selector = match (configuration, identifier) {
            (Some(_), Some(_)) => return Err(CredentialRequestError::BothSelectors),
            (Some(id), None) => Selector::ConfigurationId(id),
            (None, Some(id)) => Selector::Identifier(id),
            (None, None) => return Err(without_selector(&object)),
        };
        let proofs = match object.get("proofs") {
            Some(value) => proofs(value)?,
            None if object.contains_key("proof") => {
                return Err(CredentialRequestError::DraftShape { member: "proof", draft: "draft 13, 14 or 15" });
            }
            None => Proofs::None,
        };
        let response_encryption = object.get("credential_response_encryption").is_some_and(|value| !value.is_null());
        Ok(Self { selector, proofs, response_encryption })
    }
}

/// Why a request without selector is refused: it may be one of an older draft (drafts 11 to 15 selected by `format`).
fn without_selector(object: &Map<String, Value>) -> CredentialRequestError {
    let shapes = [
        ("credential_requests", "the batch endpoint of drafts 11 to 13"),
        ("types", "draft 11"),
        ("format", "draft 13 or 14"),
    ];
    shapes.into_iter().find(|(member, _)| object.contains_key(*member)).map_or(
        CredentialRequestError::NoSelector,
        |(member, draft)| CredentialRequestError::DraftShape { member, draft },
    )
}

fn draft_help(member: &str) -> &'static str {
    match member {
        "proof" => {
            "this is a draft 13 to 15 request; `proof` became `proofs`: send `\"proofs\": {\"jwt\": [\"eyJ...\"]}`"
        }
        "credential_requests" => "the batch endpoint is gone; send one request with several elements in `proofs`",
        _ => {
            "this is a draft 11 to 14 request; `format` and its members became `credential_configuration_id`: send the id \
             from the credential offer"
        }
    }
}

fn selector(object: &Map<String, Value>, member: &'static str) -> Result<Option<String>, CredentialRequestError> {
    let Some(value) = object.get(member) else { return Ok(None) };
    let got = match value.as_str() {
        Some("") => "empty".to_owned(),
        Some(text) if text.len() > SELECTOR_LIMIT => format!("{} bytes long", text.len()),
        Some(text) => return Ok(Some(text.to_owned())),
        None => json::kind(value).to_owned(),
    };
    Err(CredentialRequestError::Selector { member, got })
}

fn proofs(value: &Value) -> Result<Proofs, CredentialRequestError> {
    let wrong = |got: String| CredentialRequestError::ProofTypes { got };
    let object = value.as_object().ok_or_else(|| wrong(json::kind(value).to_owned()))?;
    let mut members = object.iter();
    let (Some((name, value)), None) = (members.next(), members.next()) else {
        return Err(wrong(format!("the members: {}", excerpt(&list(object.keys())))));
    };
    match name.as_str() {
        "jwt" => Ok(Proofs::Jwt(strings("jwt", value, PROOF_COUNT_LIMIT)?)),
        // Exactly one, because one attestation speaks for several keys (OpenID4VCI Appendix F.3).
        "attestation" => Ok(strings("attestation", value, 1)?.pop().map_or(Proofs::None, Proofs::Attestation)),
        _ => Ok(Proofs::Other(excerpt(name))),
    }
}

fn strings(proof_type: &'static str, value: &Value, limit: usize) -> Result<Vec<String>, CredentialRequestError> {
    let wrong = |got: &str| CredentialRequestError::ProofList { proof_type, got: got.to_owned() };
    let items = value.as_array().ok_or_else(|| wrong(json::kind(value)))?;
    if items.is_empty() {
        return Err(wrong("an empty array"));
    }
    if items.len() > limit {
        return Err(CredentialRequestError::TooManyProofs { proof_type, limit, got: items.len() });
    }
    let item = |item: &Value| match item.as_str() {
        Some(text) if text.len() > PROOF_LIMIT => Err(CredentialRequestError::ProofTooLong { got: text.len() }),
        Some(text) => Ok(text.to_owned()),
        None => Err(wrong(&format!("an array with {} in it", json::kind(item)))),
    };
    items.iter().map(item).collect()
}

#[cfg(test)]
mod tests;
