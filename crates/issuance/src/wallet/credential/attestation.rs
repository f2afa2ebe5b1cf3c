//! Key attestations (OpenID4VCI Appendix D): in the header of `jwt` proofs, and as the proof type `attestation`.

use chancery_keys::PublicJwk;
use chancery_model::{
    AttestationRule, Entry, Exchange, KeyAttestationDemand, Organisation, Policy, ProvenKey, Timestamp,
};
use chancery_protocol::key_attestation::{self, Carrier, Expected, KeyAttestation, KeyAttestationError};
use chancery_protocol::metadata::KeyAttestationsRequired;
use chancery_protocol::proof::{BindingMethod, KeyProof};
use chancery_protocol::trust::Echo;
use serde_json::json;

use super::Rejection;
use super::proofs::{FUTURE_LEEWAY, proven};
use crate::recording::Recording;

/// Seconds for which a key attestation is accepted after its `iat`: the nonce inside shows that it is new, and `exp` may
/// end it sooner.
const MAX_AGE: i64 = 86_400;

/// Whether the proof type `attestation` may be used for `entry`; what the metadata publish. Attested keys are JWKs.
pub(in crate::wallet) fn is_accepted(policy: &Policy, entry: &Entry) -> bool {
    policy.key_attestation_for(entry).rule != AttestationRule::Off
        && !policy.trust_anchors.key_attesters.is_empty()
        && policy.binding_methods_for(entry).contains(&BindingMethod::Jwk)
}

/// The levels that `entry` asks for, as the metadata publish them.
pub(in crate::wallet) fn required_levels(demand: KeyAttestationDemand<'_>) -> KeyAttestationsRequired {
    KeyAttestationsRequired {
        key_storage: demand.key_storage.to_vec(),
        user_authentication: demand.user_authentication.to_vec(),
    }
}

/// Checks a key attestation that is the only proof: it is always held to what an enforced one is held to.
pub(super) fn verify_alone(
    organisation: &Organisation,
    exchange: &Exchange,
    entry: &Entry,
    now: Timestamp,
    jwt: &str,
) -> Result<KeyAttestation, Rejection> {
    if !is_accepted(&organisation.policy, entry) {
        return Err(Rejection::ProofType { got: "attestation".to_owned() });
    }
    let judge = Judge { organisation, entry, demand: demand(organisation, exchange, entry), now };
    judge.verify(jwt, Carrier::Attestation, Echo::Required).map_err(|error| judge.rejection(error))
}

/// The keys of `proofs`, each followed by those that its attestation speaks for as well (Appendix F.1): one credential per
/// attested key, as far as a batch goes.
pub(super) fn holders(
    organisation: &Organisation,
    exchange: &Exchange,
    entry: &Entry,
    now: Timestamp,
    proofs: Vec<KeyProof>,
    recording: &mut Recording,
) -> Result<Vec<ProvenKey>, Rejection> {
    let judge = Judge { organisation, entry, demand: demand(organisation, exchange, entry), now };
    let most = proofs.len().max(usize::from(organisation.policy.batch_size));
    let mut good: Vec<(String, KeyAttestation)> = Vec::new();
    if judge.demand.rule != AttestationRule::Off {
        for proof in &proofs {
            judge.judge(proof, &mut good, recording)?;
        }
    }
    let mut holders: Vec<ProvenKey> = Vec::with_capacity(proofs.len());
    let known = |holders: &[ProvenKey], key: &PublicJwk| holders.iter().any(|holder| holder.key == *key);
    for proof in proofs {
        holders.push(proven(proof.key, proof.header, proof.claims));
    }
    for (_, attestation) in good {
        for key in &attestation.attested_keys {
            if holders.len() < most && !known(&holders, key) {
                holders.push(proven(key.clone(), attestation.header.clone(), attestation.claims.clone()));
            }
        }
    }
    Ok(holders)
}

/// The attested keys, as many as a batch holds.
pub(super) fn holders_of(attestation: KeyAttestation, batch_size: u16) -> Vec<ProvenKey> {
    let KeyAttestation { attested_keys, header, claims, .. } = attestation;
    let keys = attested_keys.into_iter().take(usize::from(batch_size.max(1)));
    keys.map(|key| proven(key, header.clone(), claims.clone())).collect()
}

/// Writes a good attestation down. Its status is kept as it is stated.
pub(super) fn record(attestation: &KeyAttestation, recording: &mut Recording) {
    recording.debug(
        "credential.key_attestation_validated",
        json!({
            "attester": attestation.attester.to_string(),
            "attested_keys": attestation.attested_keys.iter().map(PublicJwk::thumbprint).collect::<Vec<_>>(),
            "key_storage": attestation.key_storage,
            "user_authentication": attestation.user_authentication,
            "certification": attestation.certification,
            "status": attestation.status,
            "iat": attestation.issued_at,
            "exp": attestation.expires_at,
            "sha256": attestation.sha256,
        }),
    );
}

/// The policy for the configuration, which an offer can only tighten.
fn demand<'p>(organisation: &'p Organisation, exchange: &Exchange, entry: &'p Entry) -> KeyAttestationDemand<'p> {
    let mut demand = organisation.policy.key_attestation_for(entry);
    if exchange.require_key_attestation {
        demand.rule = AttestationRule::Enforce;
    }
    demand
}

struct Judge<'p> {
    organisation: &'p Organisation,
    entry: &'p Entry,
    demand: KeyAttestationDemand<'p>,
    now: Timestamp,
}

impl Judge<'_> {
    /// Judges the attestation of one proof. One that several proofs carry is verified once.
    fn judge(
        &self,
        proof: &KeyProof,
        good: &mut Vec<(String, KeyAttestation)>,
        recording: &mut Recording,
    ) -> Result<(), Rejection> {
        let Some(jwt) = &proof.key_attestation else {
            return match self.demand.rule {
                AttestationRule::Off | AttestationRule::Observe => Ok(()),
                AttestationRule::Enforce => {
                    Err(Rejection::KeyAttestationMissing { config_id: self.entry.configuration_id.clone() })
                }
            };
        };
        if let Some((_, attestation)) = good.iter().find(|(known, _)| known == jwt) {
            return self.settle(covers(attestation, proof), recording);
        }
        let nonce = proof.nonce.as_deref().map_or(Echo::Required, Echo::Exactly);
        let verified = self.verify(jwt, Carrier::JwtProof, nonce);
        match verified.and_then(|attestation| covers(&attestation, proof).map(|()| attestation)) {
            Ok(attestation) => {
                record(&attestation, recording);
                good.push((jwt.clone(), attestation));
                Ok(())
            }
            Err(error) => self.settle(Err(error), recording),
        }
    }

    /// Refuses under `enforce`, writes down under `observe`.
    fn settle(&self, outcome: Result<(), KeyAttestationError>, recording: &mut Recording) -> Result<(), Rejection> {
        let Err(error) = outcome else { return Ok(()) };
        if self.demand.rule == AttestationRule::Enforce {
            return Err(self.rejection(error));
        }
        let explanation = error.explain();
        recording.info(
            "credential.key_attestation_observed",
            json!({
                "config_id": self.entry.configuration_id,
                "reason": explanation.reason,
                "help": explanation.help,
                "spec_ref": explanation.spec_ref,
            }),
        );
        Ok(())
    }

    fn verify(&self, jwt: &str, carrier: Carrier, nonce: Echo<'_>) -> Result<KeyAttestation, KeyAttestationError> {
        let policy = &self.organisation.policy;
        let required = required_levels(self.demand);
        let expected = Expected {
            carrier,
            trust: policy.trust_anchors.key_attesters(policy.chain_rule()),
            algorithms: policy.proof_algorithms_for(self.entry),
            required: Some(&required),
            nonce,
            now: self.now.seconds(),
            max_age: MAX_AGE,
            future_leeway: FUTURE_LEEWAY,
        };
        key_attestation::verify(jwt, &expected)
    }

    fn rejection(&self, error: KeyAttestationError) -> Rejection {
        Rejection::KeyAttestation { config_id: self.entry.configuration_id.clone(), error }
    }
}

fn covers(attestation: &KeyAttestation, proof: &KeyProof) -> Result<(), KeyAttestationError> {
    attestation.covers([&proof.key])
}
