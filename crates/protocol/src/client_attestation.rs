//! Wallet attestations: attestation-based client authentication (ABCA draft-07, OpenID4VCI Appendix E).
//!
//! Two JWTs come with a request: a wallet provider's statement about a wallet instance and its key, and the instance's
//! proof that it has that key.

mod error;

use std::fmt;

use chancery_keys::{Algorithm, PublicJwk, jws, jws::Unverified};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::claims::{self, Wrong};
use crate::explanation::{excerpt, excerpt_json, list};
use crate::freshness::Window;
use crate::trust::{Attester, Echo, TrustList};

pub use error::{ClientAttestationError, Token};

/// The request header that carries the attestation.
pub const ATTESTATION_HEADER: &str = "OAuth-Client-Attestation";

/// The request header that carries the proof of possession.
pub const PROOF_HEADER: &str = "OAuth-Client-Attestation-PoP";

/// The response header that carries a challenge.
pub const CHALLENGE_HEADER: &str = "OAuth-Client-Attestation-Challenge";

/// The value in `token_endpoint_auth_methods_supported`.
pub const AUTHENTICATION_METHOD: &str = "attest_jwt_client_auth";

/// The `typ` of an attestation.
pub const ATTESTATION_TYP: &str = "oauth-client-attestation+jwt";

/// The `typ` of a proof of possession.
pub const PROOF_TYP: &str = "oauth-client-attestation-pop+jwt";

/// Longest texts, in bytes.
const IDENTIFIER_LIMIT: usize = 512;
const JTI_LIMIT: usize = 256;
const CHALLENGE_LIMIT: usize = 1024;

/// The value in `token_endpoint_auth_methods_supported` for attestations without a proof of their own (ABCA draft-10 §5.2).
pub const DPOP_AUTHENTICATION_METHOD: &str = "attest_jwt_client_auth_dpop";

/// The answer of the challenge endpoint (ABCA draft-07 §8).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ChallengeResponse {
    /// For the `challenge` of proofs of possession.
    pub attestation_challenge: String,
}

/// The tokens of a request.
#[derive(Clone, Copy)]
pub struct Presented<'h> {
    /// The attestation, in compact form.
    pub attestation: &'h str,
    /// The proof of possession, in compact form; without one the DPoP proof of the request takes its place.
    pub proof: Option<&'h str>,
}

/// What the two tokens are checked against.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// Issuer identifier of the authorization server: not the URL of an endpoint.
    pub authorization_server: &'a str,
    /// The `client_id` parameter of the request, if there is one.
    pub client_id: Option<&'a str>,
    /// The wallet providers.
    pub trust: TrustList<'a>,
    /// Who signed this attestation, when it was checked against the same list a moment ago: its signature is not checked
    /// again.
    pub known_attester: Option<&'a Attester>,
    /// Algorithms that are allowed, for both tokens.
    pub algorithms: &'a [Algorithm],
    /// The challenge that the proof must carry.
    pub challenge: Echo<'a>,
    /// Thumbprint of the key of the request's DPoP proof, which was verified before, if there is one.
    pub dpop_thumbprint: Option<&'a str>,
    /// The instant, seconds since the epoch.
    pub now: i64,
    /// Seconds `iat` of the proof may lie in the past.
    pub max_age: i64,
    /// Seconds instants in both tokens may lie in the future.
    pub future_leeway: i64,
}

/// A wallet instance that a trusted provider vouches for. Whether the proof's `jti` was seen before, its challenge is
/// ours and `status` is still good, is for the caller to find out.
#[derive(Clone)]
pub struct ClientAttestation {
    /// `sub`: the client, shared by all instances of a wallet.
    pub client_id: String,
    /// `iss`, which draft-07 has and later drafts do not.
    pub issuer: Option<String>,
    /// Who signed it.
    pub attester: Attester,
    /// `cnf.jwk`: the key of this instance. Refresh tokens are bound to it (ABCA draft-07 §10.3).
    pub instance_key: PublicJwk,
    /// `exp`, seconds since the epoch.
    pub expires_at: i64,
    /// What the proof of possession says; `None` when the DPoP proof of the request took its place.
    pub possession: Option<Possession>,
    /// `wallet_name` (OpenID4VCI Appendix E), for people.
    pub wallet_name: Option<String>,
    /// `wallet_link` (OpenID4VCI Appendix E). Never fetched.
    pub wallet_link: Option<String>,
    /// `status`, to be looked up where that is configured.
    pub status: Option<Value>,
    /// SHA-256 of the attestation in compact form, in hexadecimal.
    pub attestation_sha256: String,
    /// Header and claims of the attestation, for the transcript.
    pub attestation: (Map<String, Value>, Map<String, Value>),
}

/// A proof of possession.
#[derive(Clone)]
pub struct Possession {
    /// Unique id: 1 to 256 bytes.
    pub jti: String,
    /// `iat`, seconds since the epoch.
    pub issued_at: i64,
    /// The challenge, if there is one.
    pub challenge: Option<String>,
    /// SHA-256 of the proof in compact form, in hexadecimal.
    pub sha256: String,
    /// Header and claims, for the transcript.
    pub decoded: (Map<String, Value>, Map<String, Value>),
}

/// The hash only.
impl fmt::Debug for Possession {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Possession").field("sha256", &self.sha256).finish_non_exhaustive()
    }
}

/// Names only: headers and claims go to the transcript and not to logs.
impl fmt::Debug for ClientAttestation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ClientAttestation")
            .field("client_id", &self.client_id)
            .field("attester", &self.attester)
            .field("instance_key", &self.instance_key)
            .field("possession", &self.possession)
            .finish_non_exhaustive()
    }
}

/// The tokens among the values of all headers of these names; `None` when there is neither (ABCA draft-07 §6.2). Without
/// the second it is left to [`verify`] whether the DPoP proof will do.
pub fn presented<'h>(
    attestations: impl IntoIterator<Item = &'h str>,
    proofs: impl IntoIterator<Item = &'h str>,
) -> Result<Option<Presented<'h>>, ClientAttestationError> {
    match (single(ATTESTATION_HEADER, attestations)?, single(PROOF_HEADER, proofs)?) {
        (None, None) => Ok(None),
        (Some(attestation), proof) => Ok(Some(Presented { attestation, proof })),
        (None, Some(_)) => Err(ClientAttestationError::HeaderMissing { missing: ATTESTATION_HEADER }),
    }
}

/// Checks the tokens: everything in ABCA draft-07 §9 that needs no memory. `iss`, which later drafts dropped, may be
/// absent in both; in the proof it must be the client if it is there.
pub fn verify(presented: Presented<'_>, expected: &Expected<'_>) -> Result<ClientAttestation, ClientAttestationError> {
    use ClientAttestationError as Error;

    let attestation = decode(Token::Attestation, presented.attestation, expected)?;
    let attester = match expected.known_attester {
        Some(known) => known.clone(),
        None => expected.trust.verify(&attestation, expected.now).map_err(Error::Trust)?,
    };
    let claims = attestation.claims();
    let wrong = |wrong| Error::claim(Token::Attestation, wrong);
    let client_id = claims::text(claims, "sub", IDENTIFIER_LIMIT).map_err(wrong)?;
    let issuer = claims::optional_text(claims, "iss", IDENTIFIER_LIMIT).map_err(wrong)?;
    let expires_at = lifetime(claims, expected)?;
    let confirmation = claims.get("cnf").and_then(|cnf| cnf.get("jwk")).and_then(Value::as_object);
    let confirmation =
        confirmation.ok_or_else(|| wrong(claims::wrong(claims.get("cnf"), "cnf", "an object with a `jwk`")))?;
    let instance_key = PublicJwk::from_json(confirmation).map_err(Error::InstanceKey)?;
    if let Some(asked) = expected.client_id.filter(|asked| *asked != client_id) {
        return Err(Error::ClientMismatch { expected: excerpt(asked), got: excerpt(client_id) });
    }

    let possession = match (presented.proof, expected.dpop_thumbprint) {
        (Some(proof), _) => Some(possession(proof, &instance_key, client_id, expected)?),
        (None, None) => return Err(Error::HeaderMissing { missing: PROOF_HEADER }),
        // Combined mode (ABCA draft-10 §5.2): the DPoP key is the instance's.
        (None, Some(got)) => {
            let expected = instance_key.thumbprint();
            if got != expected {
                return Err(Error::DpopKeyMismatch { expected, got: excerpt(got) });
            }
            None
        }
    };
    let display = |name| claims::optional_text(claims, name, IDENTIFIER_LIMIT).ok().flatten().map(str::to_owned);
    Ok(ClientAttestation {
        client_id: client_id.to_owned(),
        issuer: issuer.map(str::to_owned),
        attester,
        instance_key,
        expires_at,
        possession,
        wallet_name: display("wallet_name"),
        wallet_link: display("wallet_link"),
        status: claims.get("status").cloned(),
        attestation_sha256: attestation.sha256_hex(),
        attestation: (attestation.header().clone(), claims.clone()),
    })
}

fn possession(
    compact: &str,
    instance_key: &PublicJwk,
    client_id: &str,
    expected: &Expected<'_>,
) -> Result<Possession, ClientAttestationError> {
    use ClientAttestationError as Error;

    let proof = decode(Token::Proof, compact, expected)?;
    proof.verify(instance_key).map_err(|error| Error::Jws { token: Token::Proof, error })?;
    let claims = proof.claims();
    let wrong = |wrong: Wrong| Error::claim(Token::Proof, wrong);
    let issuer = claims::optional_text(claims, "iss", IDENTIFIER_LIMIT).map_err(wrong)?;
    if let Some(got) = issuer.filter(|issuer| *issuer != client_id) {
        return Err(Error::ProofIssuerMismatch { expected: excerpt(client_id), got: excerpt(got) });
    }
    claims::audience(claims, expected.authorization_server)
        .map_err(|got| Error::AudienceMismatch { expected: excerpt(expected.authorization_server), got })?;
    let window = Window { now: expected.now, max_age: expected.max_age, future_leeway: expected.future_leeway };
    let issued_at = window.check(claims).map_err(|error| Error::Freshness { token: Token::Proof, error })?;
    let jti = claims::text(claims, "jti", JTI_LIMIT).map_err(wrong)?;
    let challenge = claims::optional_text(claims, "challenge", CHALLENGE_LIMIT).map_err(wrong)?;
    match (expected.challenge, challenge) {
        (Echo::Optional, _) | (Echo::Required, Some(_)) => {}
        (Echo::Exactly(ours), Some(got)) if got == ours => {}
        (Echo::Exactly(_), Some(got)) => return Err(Error::ChallengeMismatch { got: excerpt(got) }),
        (Echo::Required | Echo::Exactly(_), None) => {
            return Err(Error::ChallengeMissing { old_name: claims.contains_key("nonce") });
        }
    }
    Ok(Possession {
        jti: jti.to_owned(),
        issued_at,
        challenge: challenge.map(str::to_owned),
        sha256: proof.sha256_hex(),
        decoded: (proof.header().clone(), claims.clone()),
    })
}

/// `exp`, `nbf` and `iat` of the attestation. It may be reused until it expires, so it may be old.
fn lifetime(claims: &Map<String, Value>, expected: &Expected<'_>) -> Result<i64, ClientAttestationError> {
    use ClientAttestationError as Error;

    let wrong = |wrong: Wrong| Error::claim(Token::Attestation, wrong);
    let seconds = |name| claims::optional_seconds(claims, name).map_err(wrong);
    let expires_at = seconds("exp")?.ok_or_else(|| wrong(claims::wrong(None, "exp", "seconds since 1970")))?;
    if expected.now >= expires_at {
        return Err(Error::Expired { seconds_ago: expected.now.saturating_sub(expires_at) });
    }
    for name in ["nbf", "iat"] {
        let ahead = seconds(name)?.map_or(0, |instant| instant.saturating_sub(expected.now));
        if ahead > expected.future_leeway {
            return Err(Error::NotYetValid { name, ahead, leeway: expected.future_leeway });
        }
    }
    Ok(expires_at)
}

fn decode(token: Token, compact: &str, expected: &Expected<'_>) -> Result<Unverified, ClientAttestationError> {
    let jws = jws::decode(compact).map_err(|error| ClientAttestationError::Jws { token, error })?;
    if jws.typ() != Some(token.typ()) {
        let got = jws.header().get("typ").map(excerpt_json).unwrap_or_default();
        return Err(ClientAttestationError::Type { token, expected: token.typ(), got });
    }
    if !expected.algorithms.contains(&jws.algorithm()) {
        let expected = list(expected.algorithms);
        return Err(ClientAttestationError::Algorithm { token, expected, got: jws.algorithm() });
    }
    Ok(jws)
}

fn single<'h>(
    header: &'static str,
    values: impl IntoIterator<Item = &'h str>,
) -> Result<Option<&'h str>, ClientAttestationError> {
    // A list header may arrive joined with commas; a compact JWS contains none.
    let mut tokens = values.into_iter().flat_map(|value| value.split(',')).map(str::trim);
    match (tokens.next(), tokens.count()) {
        (token, 0) => Ok(token),
        (_, more) => Err(ClientAttestationError::Several { header, got: more.saturating_add(1) }),
    }
}

#[cfg(test)]
mod tests;
