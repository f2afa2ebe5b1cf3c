//! Proofs of the keys that credentials are to be bound to (OpenID4VCI Appendix F).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chancery_keys::PublicJwk;
use chancery_model::{Entry, Exchange, Grant, Organisation, ProvenKey, Timestamp};
use chancery_protocol::credential_request::Proofs;
use chancery_protocol::key_attestation::KeyAttestation;
use chancery_protocol::proof::{self, ClientIdRule, Expected, KeyProof};
use serde_json::{Map, Value, json};

use super::super::{nonce, redaction};
use super::{Rejection, attestation};
use crate::recording::Recording;
use crate::{Context, Failure};

/// Seconds for which a key proof is accepted after its `iat` (OpenID4VCI Appendix F.4).
const PROOF_MAX_AGE: i64 = 300;

/// Seconds by which a wallet's clock may be ahead.
pub(super) const FUTURE_LEEWAY: i64 = 60;

/// What a request proves, as far as that needs no memory.
pub(super) enum Proven {
    /// Proof type `jwt`: each key by its holder.
    Keys(Vec<KeyProof>),
    /// Proof type `attestation`: all keys by their attester.
    Attested(Box<KeyAttestation>),
}

/// Checks everything about the proofs that needs no memory.
pub(super) fn verify(
    organisation: &Organisation,
    exchange: &Exchange,
    grant: &Grant,
    entry: &Entry,
    now: Timestamp,
    proofs: &Proofs,
) -> Result<Proven, Rejection> {
    let jwts = match proofs {
        Proofs::Jwt(jwts) => jwts,
        Proofs::None => return Err(Rejection::ProofMissing),
        Proofs::Attestation(jwt) => {
            let attested = attestation::verify_alone(organisation, exchange, entry, now, jwt)?;
            return Ok(Proven::Attested(Box::new(attested)));
        }
        Proofs::Other(name) => return Err(Rejection::ProofType { got: name.clone() }),
    };
    let policy = &organisation.policy;
    let most = usize::from(policy.batch_size.max(1));
    if jwts.len() > most {
        return Err(Rejection::TooManyProofs { most, got: jwts.len() });
    }
    let trust_anchors = trust_anchors(organisation);
    let expected = Expected {
        audience: organisation.issuer.as_str(),
        client_id: grant.client_id.as_deref().map_or(ClientIdRule::Anonymous, ClientIdRule::Client),
        issuer_rule: policy.proof_issuer,
        algorithms: policy.proof_algorithms_for(entry),
        binding_methods: policy.binding_methods_for(entry),
        trust_anchors: &trust_anchors,
        now: now.seconds(),
        max_age: PROOF_MAX_AGE,
        future_leeway: FUTURE_LEEWAY,
    };
    let verified = |jwt: &String| {
        proof::verify_jwt(jwt, &expected)
            .map_err(|error| Rejection::Proof { error, header_names: redaction::header_names(jwt) })
    };
    let proofs: Vec<KeyProof> = jwts.iter().map(verified).collect::<Result<_, _>>()?;
    check_batch(&proofs)?;
    Ok(Proven::Keys(proofs))
}

/// The proofs of a batch are of one moment and of different keys: they carry one nonce, which is used up once (NON-7), and
/// each key gets one credential (CRE-11).
fn check_batch(proofs: &[KeyProof]) -> Result<(), Rejection> {
    for (position, proof) in proofs.iter().enumerate() {
        let earlier = proofs.iter().take(position);
        if earlier.clone().any(|earlier| earlier.nonce != proof.nonce) {
            return Err(Rejection::SeveralNonces);
        }
        if earlier.clone().any(|earlier| earlier.key == proof.key) {
            return Err(Rejection::KeyTwice { position });
        }
    }
    Ok(())
}

/// The organisation's anchors for `x5c`; what is not base64 anchors nothing.
fn trust_anchors(organisation: &Organisation) -> Vec<Vec<u8>> {
    organisation.policy.proof_trust_anchors.iter().filter_map(|anchor| STANDARD.decode(anchor).ok()).collect()
}

impl Proven {
    /// Writes down that the proofs are good.
    pub(super) fn record(&self, recording: &mut Recording) {
        let (proof_type, keys, attested): (_, Vec<_>, _) = match self {
            Self::Keys(proofs) => (
                "jwt",
                proofs.iter().map(|proof| proof.key.to_json()).collect(),
                proofs.iter().any(|proof| proof.key_attestation.is_some()),
            ),
            Self::Attested(attestation) => {
                ("attestation", attestation.attested_keys.iter().map(PublicJwk::to_json).collect(), true)
            }
        };
        recording.debug(
            "credential.proof_validated",
            json!({ "proof_type": proof_type, "holder_binding_keys": keys, "key_attestation_present": attested }),
        );
    }

    /// Uses up the nonce that the proofs share: once, however many proofs carry it (NON-7).
    pub(super) async fn claim_nonce(
        &self,
        context: &Context,
        organisation: &Organisation,
        now: Timestamp,
    ) -> Result<(), Failure<Rejection>> {
        let shared = match self {
            Self::Keys(proofs) => proofs.first().and_then(|proof| proof.nonce.as_deref()),
            Self::Attested(attestation) => attestation.nonce.as_deref(),
        };
        let c_nonce = shared.ok_or(Failure::Rejected(Rejection::NonceMissing))?;
        let claim = nonce::claim(context, organisation, now, c_nonce).await;
        claim.map_err(|failure| failure.map_rejection(Rejection::Nonce))
    }

    /// The keys to issue for, once the key attestations are what the policy asks for.
    pub(super) fn holders(
        self,
        organisation: &Organisation,
        exchange: &Exchange,
        entry: &Entry,
        now: Timestamp,
        recording: &mut Recording,
    ) -> Result<Vec<ProvenKey>, Rejection> {
        match self {
            Self::Keys(proofs) => attestation::holders(organisation, exchange, entry, now, proofs, recording),
            Self::Attested(attestation) => {
                attestation::record(&attestation, recording);
                Ok(attestation::holders_of(*attestation, organisation.policy.batch_size))
            }
        }
    }
}

/// What is kept of a JWT that speaks for a key: never its signature, so that nobody can present it again.
pub(super) fn proven(key: PublicJwk, header: Map<String, Value>, claims: Map<String, Value>) -> ProvenKey {
    let proof = [("header", header), ("claims", claims)].into_iter();
    ProvenKey { key, proof: proof.map(|(name, part)| (name.to_owned(), Value::Object(part))).collect() }
}
