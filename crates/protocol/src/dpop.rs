//! DPoP proofs (RFC 9449).

mod error;
mod target;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chancery_keys::{Algorithm, PublicJwk, jws, sha256};
use serde_json::{Map, Value};

use crate::explanation::{excerpt, excerpt_json, list};
use crate::freshness::Window;

pub use error::DpopError;

/// The `typ` of a DPoP proof (RFC 9449 §4.2).
pub const TYP: &str = "dpop+jwt";

/// Longest proof, in bytes. Proofs have about 600; the header has no certificates.
const LENGTH_LIMIT: usize = 8 * 1024;

/// Longest `jti`, in bytes (RFC 9449 §11.1 advises a limit).
const JTI_LIMIT: usize = 256;

/// Longest `nonce`, in bytes.
const NONCE_LIMIT: usize = 1024;

/// What a proof is checked against.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// Method of the request, in upper case.
    pub method: &'a str,
    /// URL of the request as configured, never from `Host`; a query or fragment is ignored.
    pub url: &'a str,
    /// The access token that came with the proof: `Some` at resources, `None` at the authorization server.
    pub access_token: Option<&'a str>,
    /// The instant, seconds since the epoch.
    pub now: i64,
    /// Seconds `iat` may lie in the future.
    pub future_leeway: i64,
    /// Seconds `iat` may lie in the past.
    pub max_age: i64,
    /// Algorithms that are allowed.
    pub algorithms: &'a [Algorithm],
}

/// A valid proof. Whether its `jti` was seen before and its nonce is ours is for the caller to find out.
#[derive(Clone)]
pub struct DpopProof {
    /// RFC 7638 thumbprint of the key: what `cnf.jkt` of an access token holds.
    pub thumbprint: String,
    /// Unique id of the proof: 1 to 256 bytes.
    pub jti: String,
    /// The server's nonce, if the proof has one.
    pub nonce: Option<String>,
    /// `iat`, seconds since the epoch.
    pub issued_at: i64,
    /// SHA-256 of the compact form, in hexadecimal.
    pub sha256: String,
    /// The header, for the transcript.
    pub header: Map<String, Value>,
    /// The claims, for the transcript.
    pub claims: Map<String, Value>,
}

/// Names only: header and claims go to the transcript and not to logs.
impl std::fmt::Debug for DpopProof {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("DpopProof")
            .field("thumbprint", &self.thumbprint)
            .field("issued_at", &self.issued_at)
            .field("nonce_present", &self.nonce.is_some())
            .finish_non_exhaustive()
    }
}

/// The one proof among the values of all `DPoP` headers; `None` when there is no such header (RFC 9449 §4.3 check 1).
pub fn single<'h>(values: impl IntoIterator<Item = &'h str>) -> Result<Option<&'h str>, DpopError> {
    // A list header may arrive joined with commas; a compact JWS contains none.
    let mut proofs = values.into_iter().flat_map(|value| value.split(',')).map(str::trim);
    match (proofs.next(), proofs.count()) {
        (proof, 0) => Ok(proof),
        (_, more) => Err(DpopError::SeveralProofs { got: more.saturating_add(1) }),
    }
}

/// Checks a proof: every check of RFC 9449 §4.3 that needs no memory.
pub fn verify(proof: &str, expected: &Expected<'_>) -> Result<DpopProof, DpopError> {
    if proof.len() > LENGTH_LIMIT {
        return Err(DpopError::TooLong { limit: LENGTH_LIMIT, got: proof.len() });
    }
    let jws = jws::decode(proof).map_err(DpopError::Jws)?;
    if jws.typ() != Some(TYP) {
        return Err(DpopError::Type { got: jws.header().get("typ").map(excerpt_json).unwrap_or_default() });
    }
    if !expected.algorithms.contains(&jws.algorithm()) {
        return Err(DpopError::Algorithm { expected: list(expected.algorithms), got: jws.algorithm() });
    }
    let jwk = jws.header().get("jwk").and_then(Value::as_object).ok_or(DpopError::KeyMissing)?;
    let key = PublicJwk::from_json(jwk).map_err(DpopError::Key)?;
    jws.verify(&key).map_err(DpopError::Jws)?;

    let claims = jws.claims();
    let window = Window { now: expected.now, max_age: expected.max_age, future_leeway: expected.future_leeway };
    let method = text(claims, "htm")?;
    if method != expected.method {
        return Err(DpopError::Method { expected: expected.method.to_owned(), got: excerpt(method) });
    }
    let url = text(claims, "htu")?;
    if !target::same(url, expected.url) {
        return Err(DpopError::Url { expected: excerpt(expected.url), got: excerpt(url) });
    }
    let issued_at = window.check(claims)?;
    if let Some(token) = expected.access_token {
        let hash = URL_SAFE_NO_PAD.encode(sha256(token.as_bytes()));
        let got = text(claims, "ath")?;
        if got != hash {
            return Err(DpopError::AccessTokenHash { expected: hash, got: excerpt(got) });
        }
    }
    let jti = text(claims, "jti")?;
    if jti.is_empty() || jti.len() > JTI_LIMIT {
        return Err(DpopError::ClaimLength { name: "jti", limit: JTI_LIMIT, got: jti.len() });
    }
    let nonce = if claims.contains_key("nonce") { Some(text(claims, "nonce")?) } else { None };
    if let Some(nonce) = nonce.filter(|nonce| nonce.is_empty() || nonce.len() > NONCE_LIMIT) {
        return Err(DpopError::ClaimLength { name: "nonce", limit: NONCE_LIMIT, got: nonce.len() });
    }
    Ok(DpopProof {
        thumbprint: key.thumbprint(),
        jti: jti.to_owned(),
        nonce: nonce.map(str::to_owned),
        issued_at,
        sha256: jws.sha256_hex(),
        header: jws.header().clone(),
        claims: claims.clone(),
    })
}

fn text<'c>(claims: &'c Map<String, Value>, name: &'static str) -> Result<&'c str, DpopError> {
    let value = claims.get(name).ok_or(DpopError::ClaimMissing { name })?;
    value.as_str().ok_or_else(|| DpopError::NotAString { name, got: excerpt_json(value) })
}

#[cfg(test)]
mod tests;
