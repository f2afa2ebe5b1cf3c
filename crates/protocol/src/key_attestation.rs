//! Key attestations: a statement by the maker of a wallet, or of its key storage, about keys (OpenID4VCI Appendix D).
//!
//! One comes in the header of a key proof (`key_attestation`), or alone as the proof type `attestation`.

mod error;

use std::fmt;

use chancery_keys::{Algorithm, PublicJwk, jws};
use serde_json::{Map, Value};

use crate::claims::{self, Wrong};
use crate::explanation::{excerpt, excerpt_json, list};
use crate::freshness::Window;
use crate::metadata::KeyAttestationsRequired;
use crate::trust::{Attester, Echo, TrustList};

pub use error::KeyAttestationError;

/// The `typ` of a key attestation.
pub const TYP: &str = "key-attestation+jwt";

/// What draft 15 called it.
const DRAFT_15_TYP: &str = "keyattestation+jwt";

/// Most keys one attestation may speak for.
const KEY_LIMIT: usize = 100;

/// Most levels in one list, and the longest, in bytes.
const LEVEL_COUNT_LIMIT: usize = 16;
const LEVEL_LIMIT: usize = 256;

/// Longest `nonce`, in bytes.
const NONCE_LIMIT: usize = 1024;

/// Longest `certification`, in bytes.
const CERTIFICATION_LIMIT: usize = 2048;

/// Levels of attack potential resistance, the strongest first (OpenID4VCI Appendix D.2).
pub const ISO_18045_LEVELS: [&str; 4] =
    ["iso_18045_high", "iso_18045_moderate", "iso_18045_enhanced-basic", "iso_18045_basic"];

/// Where a key attestation comes from, which decides what it must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// The header of a `jwt` proof: `exp` is required (OpenID4VCI Appendix D.1).
    JwtProof,
    /// The proof type `attestation`.
    Attestation,
}

/// What a key attestation is checked against.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// Where it came from.
    pub carrier: Carrier,
    /// Those who may attest keys.
    pub trust: TrustList<'a>,
    /// `proof_signing_alg_values_supported` of the proof type.
    pub algorithms: &'a [Algorithm],
    /// `key_attestations_required` of the proof type, if it demands levels.
    pub required: Option<&'a KeyAttestationsRequired>,
    /// The nonce. In the header of a proof it is the one of the proof: `Exactly`.
    pub nonce: Echo<'a>,
    /// The instant, seconds since the epoch.
    pub now: i64,
    /// Seconds `iat` may lie in the past: attestations with `exp` may be reused, so this may be days.
    pub max_age: i64,
    /// Seconds `iat` may lie in the future.
    pub future_leeway: i64,
}

/// A key attestation by a trusted party. Whether its nonce is ours and unused, and its status good, is for the caller
/// to find out.
#[derive(Clone)]
pub struct KeyAttestation {
    /// The keys, without repetition; at least one.
    pub attested_keys: Vec<PublicJwk>,
    /// Who signed it.
    pub attester: Attester,
    /// How well the keys are kept; empty when it does not say.
    pub key_storage: Vec<String>,
    /// How well users are authenticated before a key is used; empty when it does not say.
    pub user_authentication: Vec<String>,
    /// URL of the certification. Never fetched.
    pub certification: Option<String>,
    /// The nonce, if there is one.
    pub nonce: Option<String>,
    /// `iat`, seconds since the epoch.
    pub issued_at: i64,
    /// `exp`, seconds since the epoch.
    pub expires_at: Option<i64>,
    /// `status`, to be looked up where that is configured.
    pub status: Option<Value>,
    /// SHA-256 of the compact form, in hexadecimal.
    pub sha256: String,
    /// The header, for the transcript.
    pub header: Map<String, Value>,
    /// The claims, for the transcript.
    pub claims: Map<String, Value>,
}

impl KeyAttestation {
    /// Checks that the attestation speaks for every key of `proven`, the keys that signed the proofs (OpenID4VCI
    /// Appendix F.1).
    pub fn covers<'k>(&self, proven: impl IntoIterator<Item = &'k PublicJwk>) -> Result<(), KeyAttestationError> {
        match proven.into_iter().find(|key| !self.attested_keys.contains(key)) {
            None => Ok(()),
            Some(other) => Err(KeyAttestationError::KeyNotAttested {
                thumbprint: other.thumbprint(),
                attested: self.attested_keys.len(),
            }),
        }
    }
}

/// Names only: header and claims go to the transcript and not to logs.
impl fmt::Debug for KeyAttestation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("KeyAttestation")
            .field("attested_keys", &self.attested_keys)
            .field("attester", &self.attester)
            .field("issued_at", &self.issued_at)
            .field("nonce_present", &self.nonce.is_some())
            .finish_non_exhaustive()
    }
}

/// Checks a key attestation: everything in Appendix D.1 that needs no memory.
pub fn verify(attestation: &str, expected: &Expected<'_>) -> Result<KeyAttestation, KeyAttestationError> {
    use KeyAttestationError as Error;

    let jws = jws::decode(attestation).map_err(Error::Jws)?;
    if jws.typ() != Some(TYP) {
        let got = jws.header().get("typ").map(excerpt_json).unwrap_or_default();
        return Err(Error::Type { draft: got == DRAFT_15_TYP, got });
    }
    if !expected.algorithms.contains(&jws.algorithm()) {
        return Err(Error::Algorithm { expected: list(expected.algorithms), got: jws.algorithm() });
    }
    let attester = expected.trust.verify(&jws, expected.now).map_err(Error::Trust)?;

    let claims = jws.claims();
    let window = Window { now: expected.now, max_age: expected.max_age, future_leeway: expected.future_leeway };
    let issued_at = window.check(claims)?;
    let expires_at = expiry(claims, expected)?;
    let attested_keys = attested_keys(claims)?;
    let (key_storage, user_authentication) = (levels(claims, "key_storage")?, levels(claims, "user_authentication")?);
    if let Some(required) = expected.required {
        satisfies("key_storage", &required.key_storage, &key_storage)?;
        satisfies("user_authentication", &required.user_authentication, &user_authentication)?;
    }
    let certification = claims::optional_text(claims, "certification", CERTIFICATION_LIMIT).map_err(Error::claim)?;
    Ok(KeyAttestation {
        attested_keys,
        attester,
        key_storage,
        user_authentication,
        certification: certification.map(str::to_owned),
        nonce: nonce(claims, expected.nonce)?,
        issued_at,
        expires_at,
        status: claims.get("status").cloned(),
        sha256: jws.sha256_hex(),
        header: jws.header().clone(),
        claims: claims.clone(),
    })
}

fn expiry(claims: &Map<String, Value>, expected: &Expected<'_>) -> Result<Option<i64>, KeyAttestationError> {
    let expires_at = claims::optional_seconds(claims, "exp").map_err(KeyAttestationError::claim)?;
    match expires_at {
        Some(instant) if expected.now >= instant => {
            Err(KeyAttestationError::Expired { seconds_ago: expected.now.saturating_sub(instant) })
        }
        None if expected.carrier == Carrier::JwtProof => Err(KeyAttestationError::ExpiryMissing),
        Some(_) | None => Ok(expires_at),
    }
}

fn attested_keys(claims: &Map<String, Value>) -> Result<Vec<PublicJwk>, KeyAttestationError> {
    let found = claims.get("attested_keys");
    let wrong = || KeyAttestationError::claim(claims::wrong(found, "attested_keys", "an array of 1 to 100 JWKs"));
    let members = found.and_then(Value::as_array).ok_or_else(wrong)?;
    if members.is_empty() || members.len() > KEY_LIMIT {
        return Err(wrong());
    }
    let mut keys: Vec<PublicJwk> = Vec::with_capacity(members.len());
    for (index, member) in members.iter().enumerate() {
        let position = index + 1;
        let jwk = member.as_object().ok_or_else(wrong)?;
        let key = PublicJwk::from_json(jwk).map_err(|error| KeyAttestationError::Key { position, error })?;
        // One key binds at most one credential (OpenID4VCI §8.3), so saying it twice would ask for too much.
        if keys.contains(&key) {
            return Err(KeyAttestationError::RepeatedKey { position });
        }
        keys.push(key);
    }
    Ok(keys)
}

fn levels(claims: &Map<String, Value>, name: &'static str) -> Result<Vec<String>, KeyAttestationError> {
    let Some(value) = claims.get(name) else { return Ok(Vec::new()) };
    let wrong = || KeyAttestationError::claim(claims::wrong(Some(value), name, "a non-empty array of strings"));
    let members = value.as_array().filter(|members| (1..=LEVEL_COUNT_LIMIT).contains(&members.len()));
    let level = |member: &Value| {
        member.as_str().filter(|level| (1..=LEVEL_LIMIT).contains(&level.len())).map(str::to_owned).ok_or_else(wrong)
    };
    members.ok_or_else(wrong)?.iter().map(level).collect()
}

/// Whether one of the `attested` levels is among the `accepted` ones, or stronger on the scale of ISO/IEC 18045, where
/// resistance to a higher attack potential includes the lower ones. Nothing is demanded by an empty list.
fn satisfies(name: &'static str, accepted: &[String], attested: &[String]) -> Result<(), KeyAttestationError> {
    let strength = |level: &str| ISO_18045_LEVELS.iter().position(|known| *known == level);
    let at_least = |level: &str, floor: &str| {
        level == floor || strength(level).zip(strength(floor)).is_some_and(|(level, floor)| level <= floor)
    };
    if accepted.is_empty() || attested.iter().any(|level| accepted.iter().any(|floor| at_least(level, floor))) {
        return Ok(());
    }
    Err(KeyAttestationError::Level { name, expected: excerpt(&list(accepted)), got: excerpt(&list(attested)) })
}

fn nonce(claims: &Map<String, Value>, expected: Echo<'_>) -> Result<Option<String>, KeyAttestationError> {
    let found = claims::optional_text(claims, "nonce", NONCE_LIMIT).map_err(KeyAttestationError::claim)?;
    match (expected, found) {
        (Echo::Optional, _) | (Echo::Required, Some(_)) => {}
        (Echo::Exactly(ours), Some(got)) if got == ours => {}
        (Echo::Exactly(ours), Some(got)) => {
            return Err(KeyAttestationError::NonceMismatch { expected: excerpt(ours), got: excerpt(got) });
        }
        (Echo::Required | Echo::Exactly(_), None) => return Err(KeyAttestationError::NonceMissing),
    }
    Ok(found.map(str::to_owned))
}

impl KeyAttestationError {
    fn claim(wrong: Wrong) -> Self {
        Self::Claim { name: wrong.name, expected: wrong.expected, got: wrong.got }
    }
}

#[cfg(test)]
mod tests;
