//! Key proofs of type `jwt` (OpenID4VCI Appendix F.1, F.4).

mod error;
mod key;

use std::fmt;

use chancery_keys::{Algorithm, PublicJwk, jws};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::explanation::{excerpt, excerpt_json, list};
use crate::freshness::Window;

pub use error::ProofError;
pub use key::KeyReference;

/// The `typ` of a key proof.
pub const TYP: &str = "openid4vci-proof+jwt";

/// Longest `nonce`, in bytes.
const NONCE_LIMIT: usize = 1024;

/// How a holder key may be named, as `cryptographic_binding_methods_supported` publishes it (OpenID4VCI §12.2.4).
///
/// A proof with `x5c` counts as `jwk`: the credential is bound to the bare key of the first certificate, and the
/// metadata has no value of its own for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum BindingMethod {
    /// A bare public key: `jwk` or `x5c` in the proof's header.
    #[serde(rename = "jwk")]
    Jwk,
    /// A `did:key` URL in `kid`.
    #[serde(rename = "did:key")]
    DidKey,
    /// A `did:jwk` URL in `kid`.
    #[serde(rename = "did:jwk")]
    DidJwk,
}

impl BindingMethod {
    /// Every method.
    pub const ALL: [Self; 3] = [Self::Jwk, Self::DidKey, Self::DidJwk];

    /// The value in the metadata.
    pub fn name(self) -> &'static str {
        match self {
            Self::Jwk => "jwk",
            Self::DidKey => "did:key",
            Self::DidJwk => "did:jwk",
        }
    }

    /// The method of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.name() == name)
    }
}

impl fmt::Display for BindingMethod {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// Who the access token was issued to, which decides what `iss` may be (OpenID4VCI Appendix F.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientIdRule<'a> {
    /// To nobody by name: anonymous pre-authorized access. `iss` must be absent.
    Anonymous,
    /// To this `client_id`. `iss` must be equal, if present.
    Client(&'a str),
}

/// Whether `iss` may also be something the specification does not name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum IssuerRule {
    /// As Appendix F.1 says.
    #[default]
    Strict,
    /// Also the DID of the proof's own key, when the key is named by a DID URL. Some wallets send it.
    HolderDidAllowed,
}

/// What a key proof is checked against.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// The Credential Issuer Identifier.
    pub audience: &'a str,
    /// Who the access token was issued to.
    pub client_id: ClientIdRule<'a>,
    /// Whether `iss` may be the holder's DID.
    pub issuer_rule: IssuerRule,
    /// `proof_signing_alg_values_supported` of the configuration.
    pub algorithms: &'a [Algorithm],
    /// `cryptographic_binding_methods_supported` of the configuration.
    pub binding_methods: &'a [BindingMethod],
    /// Certificates (DER) that `x5c` chains must lead to. Empty: proofs with `x5c` are refused.
    pub trust_anchors: &'a [Vec<u8>],
    /// The instant, seconds since the epoch.
    pub now: i64,
    /// Seconds `iat` may lie in the past.
    pub max_age: i64,
    /// Seconds `iat` may lie in the future.
    pub future_leeway: i64,
}

/// A valid key proof. Whether its nonce is ours and unused, and whether its key attestation (if any) speaks for the
/// key, is for the caller to find out.
#[derive(Clone)]
pub struct KeyProof {
    /// The holder's key.
    pub key: PublicJwk,
    /// How the proof named it.
    pub key_reference: KeyReference,
    /// The nonce, if the proof has one. Its absence is `invalid_proof` where a nonce endpoint exists.
    pub nonce: Option<String>,
    /// `iat`, seconds since the epoch.
    pub issued_at: i64,
    /// SHA-256 of the compact form, in hexadecimal.
    pub sha256: String,
    /// Names of the header parameters in wire order.
    pub header_names: Vec<String>,
    /// The header, for the transcript.
    pub header: Map<String, Value>,
    /// The claims, for the transcript.
    pub claims: Map<String, Value>,
    /// The key attestation in the header, unverified, in compact form.
    pub key_attestation: Option<String>,
    /// Whether the header has a `trust_chain`. It is not evaluated.
    pub trust_chain_present: bool,
}

/// Names only: header and claims go to the transcript and not to logs.
impl fmt::Debug for KeyProof {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("KeyProof")
            .field("thumbprint", &self.key.thumbprint())
            .field("issued_at", &self.issued_at)
            .field("nonce_present", &self.nonce.is_some())
            .field("header_names", &self.header_names)
            .finish_non_exhaustive()
    }
}

/// Checks a key proof: everything in Appendix F.1 and F.4 that needs no memory.
///
/// Claims are judged after the signature, so that an error never quotes a claim nobody signed.
pub fn verify_jwt(proof: &str, expected: &Expected<'_>) -> Result<KeyProof, ProofError> {
    let jws = jws::decode(proof).map_err(ProofError::Jws)?;
    let header = jws.header();
    if jws.typ() != Some(TYP) {
        return Err(ProofError::Type { got: header.get("typ").map(excerpt_json).unwrap_or_default() });
    }
    if !expected.algorithms.contains(&jws.algorithm()) {
        return Err(ProofError::Algorithm { expected: list(expected.algorithms), got: jws.algorithm() });
    }
    let key_attestation = match header.get("key_attestation") {
        None => None,
        Some(value) => Some(value.as_str().ok_or(ProofError::KeyAttestationNotAString)?.to_owned()),
    };
    let (key, key_reference) = key::named(header, expected)?;
    jws.verify(&key).map_err(ProofError::Jws)?;

    let claims = jws.claims();
    audience(claims, expected.audience)?;
    let window = Window { now: expected.now, max_age: expected.max_age, future_leeway: expected.future_leeway };
    let issued_at = window.check(claims)?;
    issuer(claims, expected, &key_reference)?;
    Ok(KeyProof {
        nonce: nonce(claims)?,
        issued_at,
        sha256: jws.sha256_hex(),
        header_names: jws.header_names(),
        header: header.clone(),
        claims: claims.clone(),
        key_attestation,
        trust_chain_present: header.contains_key("trust_chain"),
        key,
        key_reference,
    })
}

/// `aud` is the Credential Issuer Identifier, byte for byte. An array of that one string is the same statement (RFC 7519
/// §4.1.3) and is accepted; further audiences would make the proof usable elsewhere.
fn audience(claims: &Map<String, Value>, expected: &str) -> Result<(), ProofError> {
    let value = claims.get("aud").ok_or(ProofError::ClaimMissing { name: "aud" })?;
    let only = value.as_str().or_else(|| match value.as_array()?.as_slice() {
        [only] => only.as_str(),
        _ => None,
    });
    if only == Some(expected) {
        return Ok(());
    }
    Err(ProofError::AudienceMismatch { expected: excerpt(expected), got: excerpt_json(value) })
}

fn issuer(claims: &Map<String, Value>, expected: &Expected<'_>, reference: &KeyReference) -> Result<(), ProofError> {
    let Some(value) = claims.get("iss") else { return Ok(()) };
    let text = value.as_str();
    let own_did = match (expected.issuer_rule, reference) {
        (IssuerRule::HolderDidAllowed, KeyReference::Did(did)) => Some(did.as_str()),
        (IssuerRule::HolderDidAllowed, KeyReference::Jwk | KeyReference::X5c) | (IssuerRule::Strict, _) => None,
    };
    if text.is_some() && text == own_did {
        return Ok(());
    }
    match expected.client_id {
        ClientIdRule::Client(client_id) if text == Some(client_id) => Ok(()),
        ClientIdRule::Client(client_id) => {
            Err(ProofError::IssuerMismatch { expected: excerpt(client_id), got: excerpt_json(value) })
        }
        ClientIdRule::Anonymous => Err(ProofError::IssuerNotAllowed { got: excerpt_json(value) }),
    }
}

fn nonce(claims: &Map<String, Value>) -> Result<Option<String>, ProofError> {
    let Some(value) = claims.get("nonce") else { return Ok(None) };
    match value.as_str() {
        Some(nonce) if (1..=NONCE_LIMIT).contains(&nonce.len()) => Ok(Some(nonce.to_owned())),
        _ => Err(ProofError::NonceMalformed { got: excerpt_json(value) }),
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) mod vectors;
