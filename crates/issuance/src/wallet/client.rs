//! Who the client is, at the pushed authorization request endpoint and at the token endpoint: a public client that names
//! itself, one with a registered key (`private_key_jwt`), or a wallet that its provider vouches for (OpenID4VCI
//! Appendix E).

mod rejection;
pub(crate) mod vouched;

use chancery_keys::PublicJwk;
use chancery_model::{AttestationRule, DpopNonceRule, Organisation, RegisteredClient, Timestamp};
use chancery_protocol::client_assertion::{self, ClientAssertion, Proven};
use chancery_protocol::client_attestation::{
    self, ATTESTATION_HEADER, ClientAttestation, ClientAttestationError, PROOF_HEADER,
};
use chancery_protocol::dpop::DpopProof;
use chancery_protocol::excerpt;
use chancery_protocol::form::Form;
use chancery_protocol::trust::Echo;
use chancery_storage::Claim;
use serde_json::{Map, Value, json};

pub use rejection::{ErrorCode, Rejection};

use super::{Header, Notes, dpop, nonce, redaction};
use crate::checked::ATTESTED;
use crate::recording::Recording;
use crate::{Context, Failure};

/// Seconds for which a proof of possession is accepted after its `iat`. Its `jti` is remembered for as long (WAT-7).
const MAX_AGE: i64 = 120;

/// Seconds by which a client's clock may be ahead (FAPI 2.0 §5.3.2.1).
const FUTURE_LEEWAY: i64 = 60;

/// The headers in which a wallet is vouched for.
#[derive(Clone, Copy, Debug)]
pub struct Attestation<'r> {
    /// `OAuth-Client-Attestation`.
    pub attestation: Header<'r>,
    /// `OAuth-Client-Attestation-PoP`.
    pub proof: Header<'r>,
}

impl Attestation<'_> {
    /// Neither header.
    pub const ABSENT: Self = Self { attestation: Header::Absent, proof: Header::Absent };
}

/// A request of a client, which may authenticate, as it came.
#[derive(Clone, Copy, Debug)]
pub struct Request<'r> {
    /// The form.
    pub body: &'r [u8],
    /// The `Authorization` header, which no client uses here.
    pub authorization: Header<'r>,
    /// The `DPoP` header.
    pub dpop: Header<'r>,
    /// Headers by which a wallet authenticates.
    pub attestation: Attestation<'r>,
    /// Headers for the transcript.
    pub notes: Notes<'r>,
}

/// Who a request says it comes from, checked as far as that needs no memory. What the policy makes of it is settled by
/// [`Identified::settle`].
pub(super) struct Identified {
    client_id: Option<String>,
    attested: Option<Result<Box<ClientAttestation>, Rejection>>,
    assertion: Option<Proven>,
    /// The client is registered with keys, and must use them.
    has_keys: bool,
}

/// A client that the policy lets pass.
#[derive(Debug)]
pub(super) struct Client {
    /// Its identifier; `None` for anonymous access.
    pub(super) id: Option<String>,
    /// Thumbprint of the wallet instance key, when it was attested.
    pub(super) instance_thumbprint: Option<String>,
    /// Whether it proved to be what it says, by a key of its own; an attestation that is only observed counts for nothing.
    pub(super) is_authenticated: bool,
    /// Whether attestations are only observed.
    observes: bool,
    /// What must not be used again.
    used: Vec<Used>,
}

#[derive(Debug)]
struct Used {
    kind: Proof,
    value: String,
    /// Unix seconds.
    until: i64,
}

/// What is used once.
#[derive(Clone, Copy, Debug)]
enum Proof {
    Assertion,
    Possession,
}

impl Proof {
    /// Names the purpose of a claim of use.
    fn purpose(self) -> &'static str {
        match self {
            Self::Assertion => "client_assertion",
            Self::Possession => "client_attestation",
        }
    }
}

/// Looks at everything by which the client of a request identifies itself. `dpop` is its verified DPoP proof.
pub(super) fn identify(
    context: &Context,
    organisation: &Organisation,
    now: Timestamp,
    form: &Form,
    headers: Attestation<'_>,
    dpop: Option<&DpopProof>,
) -> Result<Identified, Rejection> {
    let assertion = ClientAssertion::parse(form).map_err(Rejection::Assertion)?;
    let named = form.get("client_id").or_else(|| assertion.as_ref().map(ClientAssertion::client_id));
    let attested = attested(context, organisation, now, named, headers, dpop);
    let by_attestation = attested.as_ref().and_then(|attested| attested.as_ref().ok());
    let client_id =
        named.map(str::to_owned).or_else(|| by_attestation.map(|attestation| attestation.client_id.clone()));
    let registered = client_id.as_deref().and_then(|id| organisation.policy.clients.registered(id));
    let keys = registered.map(RegisteredClient::keys).unwrap_or_default();
    let has_keys = !keys.is_empty();
    let proven = assertion.map(|assertion| {
        assertion.verify(&client_assertion::Expected {
            authorization_server: organisation.issuer.as_str(),
            keys,
            algorithms: &organisation.policy.proof_algorithms,
            now: now.seconds(),
            future_leeway: FUTURE_LEEWAY,
        })
    });
    let assertion = proven.transpose().map_err(Rejection::Assertion)?;
    Ok(Identified { client_id, attested, assertion, has_keys })
}

fn attested(
    context: &Context,
    organisation: &Organisation,
    now: Timestamp,
    client_id: Option<&str>,
    headers: Attestation<'_>,
    dpop: Option<&DpopProof>,
) -> Option<Result<Box<ClientAttestation>, Rejection>> {
    let one = |name, header| match header {
        Header::Absent => Ok(None),
        Header::One(value) => Ok(Some(value)),
        Header::Repeated => Err(Rejection::Attestation(ClientAttestationError::Several { header: name, got: 2 })),
        Header::Unreadable => Err(Rejection::Unreadable { header: name }),
    };
    let presented = one(ATTESTATION_HEADER, headers.attestation)
        .and_then(|attestation| one(PROOF_HEADER, headers.proof).map(|proof| (attestation, proof)))
        .and_then(|(attestation, proof)| {
            client_attestation::presented(attestation, proof).map_err(Rejection::Attestation)
        });
    let presented = match presented {
        Ok(presented) => presented?,
        Err(rejection) => return Some(Err(rejection)),
    };
    let policy = &organisation.policy;
    let demands_challenge = policy.dpop_nonce == DpopNonceRule::Require;
    let trust = policy.trust_anchors.wallet_providers(policy.chain_rule());
    let checked = context.vouched().checked(organisation, &trust, presented.attestation);
    let known_attester = context.vouched().attester(&checked, now);
    let verified = client_attestation::verify(
        presented,
        &client_attestation::Expected {
            authorization_server: organisation.issuer.as_str(),
            client_id,
            trust,
            known_attester: known_attester.as_ref(),
            algorithms: &policy.proof_algorithms,
            challenge: if demands_challenge { Echo::Required } else { Echo::Optional },
            dpop_thumbprint: dpop.map(|proof| proof.thumbprint.as_str()),
            now: now.seconds(),
            max_age: MAX_AGE,
            future_leeway: FUTURE_LEEWAY,
        },
    );
    let verified = verified.map_err(Rejection::Attestation).and_then(|attestation| {
        let challenge = attestation.possession.as_ref().and_then(|possession| possession.challenge.as_deref());
        let check = |challenge| nonce::check_challenge(context, organisation, now, challenge);
        challenge.map_or(Ok(()), check).map_err(Rejection::Challenge)?;
        if known_attester.is_none() {
            context.vouched().keep(checked, attestation.attester.clone(), now);
        }
        Ok(Box::new(attestation))
    });
    Some(verified)
}

impl Identified {
    /// The wallet instance's key, when it was attested.
    pub(super) fn instance_key(&self) -> Option<&PublicJwk> {
        let attested = self.attested.as_ref().and_then(|attested| attested.as_ref().ok());
        attested.map(|attestation| &attestation.instance_key)
    }

    /// What the policy makes of it: `rule` is the organisation's, or the definition's.
    pub(super) fn settle(self, rule: AttestationRule, recording: &mut Recording) -> Result<Client, Rejection> {
        let Self { client_id, attested, assertion, has_keys } = self;
        let attested = match (rule, attested) {
            (AttestationRule::Off, _) => None,
            (AttestationRule::Observe | AttestationRule::Enforce, Some(Ok(attestation))) => Some(attestation),
            (AttestationRule::Enforce, Some(Err(rejection))) => return Err(rejection),
            (AttestationRule::Enforce, None) => return Err(Rejection::AttestationMissing),
            (AttestationRule::Observe, None) => {
                recording.info("client.attestation_absent", json!({ "client_id": client_id.as_deref().map(excerpt) }));
                None
            }
            (AttestationRule::Observe, Some(Err(rejection))) => {
                recording.warning("client.attestation_observed", &rejection.explain());
                None
            }
        };
        if has_keys && assertion.is_none() {
            return Err(Rejection::AuthenticationMissing);
        }
        let mut used = Vec::new();
        if let Some(proven) = &assertion {
            let value = format!("{}.{}", proven.client_id, proven.jti);
            used.push(Used { kind: Proof::Assertion, value, until: proven.expires_at.saturating_add(1) });
        }
        let instance_thumbprint = attested.as_ref().map(|attestation| attestation.instance_key.thumbprint());
        if let (Some(attestation), Some(instance)) = (&attested, &instance_thumbprint) {
            record(attestation, instance, recording);
            if let Some(possession) = &attestation.possession {
                let value = format!("{instance}.{}", possession.jti);
                let until = possession.issued_at.saturating_add(MAX_AGE + 1);
                used.push(Used { kind: Proof::Possession, value, until });
            }
        }
        let observes = rule == AttestationRule::Observe;
        let is_authenticated = (attested.is_some() && !observes) || assertion.is_some();
        Ok(Client { id: client_id, instance_thumbprint, is_authenticated, observes, used })
    }
}

impl Client {
    /// The thumbprint of the wallet instance key that later requests have to prove. Where attestations are observed there
    /// is none: who comes back without one is not refused.
    pub(super) fn binding_instance(&self) -> Option<&String> {
        self.instance_thumbprint.as_ref().filter(|_| !self.observes)
    }

    /// Uses up what the client proved itself with, and its DPoP proof, if there is one: both travel to Redis together.
    pub(super) async fn claim_with(
        &self,
        context: &Context,
        organisation: &Organisation,
        now: Timestamp,
        proof: Option<&DpopProof>,
        recording: &mut Recording,
    ) -> (Result<(), Failure<dpop::Rejection>>, Result<(), Failure<Rejection>>) {
        let of_proof = async {
            match proof {
                Some(proof) => dpop::claim(context, organisation, now, proof).await,
                None => Ok(()),
            }
        };
        tokio::join!(of_proof, self.claim(context, organisation, now, recording))
    }

    async fn claim(
        &self,
        context: &Context,
        organisation: &Organisation,
        now: Timestamp,
        recording: &mut Recording,
    ) -> Result<(), Failure<Rejection>> {
        for Used { kind, value, until } in &self.used {
            let claim = context.claim_use(organisation, kind.purpose(), value, *until, now).await?;
            match (claim, kind) {
                (Claim::Fresh, _) => {}
                (Claim::Replayed, Proof::Possession) if self.observes => {
                    recording.warning("client.attestation_observed", &Rejection::Replayed.explain());
                }
                (Claim::Replayed, Proof::Assertion | Proof::Possession) => {
                    return Err(Failure::Rejected(Rejection::Replayed));
                }
            }
        }
        Ok(())
    }

    /// The organisation admits the client, which may be anonymous only where `anonymous` says so.
    pub(super) fn admitted(&self, organisation: &Organisation, anonymous: bool) -> Result<(), Rejection> {
        match self.id.as_deref() {
            None if !anonymous => Err(Rejection::Missing),
            Some(client_id) if !organisation.policy.clients.admit(client_id) => {
                Err(Rejection::Unknown { got: excerpt(client_id) })
            }
            None | Some(_) => Ok(()),
        }
    }
}

fn record(attestation: &ClientAttestation, instance: &str, recording: &mut Recording) {
    let (header, claims) = &attestation.attestation;
    recording.info_of(ATTESTED, || {
        let decoded = |header: &Map<String, Value>, claims: &Map<String, Value>, sha256: &str| {
            let (header, claims) = (Value::Object(header.clone()), Value::Object(claims.clone()));
            redaction::object([("header", header), ("claims", claims), ("sha256", Value::from(sha256))])
        };
        let possession = attestation.possession.as_ref();
        let possession = possession.map(|it| decoded(&it.decoded.0, &it.decoded.1, &it.sha256));
        redaction::object([
            ("client_id", Value::from(excerpt(&attestation.client_id))),
            ("attester", Value::from(attestation.attester.to_string())),
            ("instance_jkt", Value::from(instance)),
            ("wallet_name", Value::from(attestation.wallet_name.as_deref().map(excerpt))),
            ("attestation", decoded(header, claims, &attestation.attestation_sha256)),
            ("pop", Value::from(possession)),
        ])
    });
}
