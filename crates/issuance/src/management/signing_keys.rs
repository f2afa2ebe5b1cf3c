//! Keys that sign credentials.

use std::net::IpAddr;

use chancery_keys::{Algorithm, CertificateChain, ChainFinding, KeyError, SoftwareKey};
use chancery_model::{Organisation, SigningKey, SigningKeyId, SigningKeyState, Timestamp};
use serde_json::{Map, Value};

use super::body::{Fault, Faults, Members};
use super::page::{Page, Window};
use crate::sealed::Place;
use crate::{Context, Failure};

/// Why no key was made.
#[derive(Debug)]
pub enum CreateRejection {
    /// The body breaks rules.
    Invalid(Vec<Fault>),
}

/// There is no such key.
#[derive(Debug)]
pub enum ReadRejection {
    /// The organisation has no such key.
    NotFound,
}

/// Why a key was not changed.
#[derive(Debug)]
pub enum ChangeRejection {
    /// The organisation has no such key.
    NotFound,
    /// The body breaks rules.
    Invalid(Vec<Fault>),
    /// It is not the version that the caller knows.
    Stale,
    /// The life of a key does not lead from its state to the one asked for.
    State {
        /// State of the key.
        from: SigningKeyState,
        /// State asked for.
        to: SigningKeyState,
    },
}

/// A key with a certificate chain that was just uploaded.
pub struct Certified {
    /// The key.
    pub key: SigningKey,
    /// What verifiers may dislike about the chain.
    pub warnings: Vec<String>,
}

impl std::fmt::Debug for Certified {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Certified({}, {:?})", self.key.id, self.warnings)
    }
}

const ALGORITHMS: &[(&str, Algorithm)] =
    &[("ES256", Algorithm::Es256), ("ES384", Algorithm::Es384), ("EdDSA", Algorithm::EdDsa)];
const FIRST_STATES: &[(&str, SigningKeyState)] =
    &[("active", SigningKeyState::Active), ("next", SigningKeyState::Next)];
const STATES: &[(&str, SigningKeyState)] = &[
    ("next", SigningKeyState::Next),
    ("active", SigningKeyState::Active),
    ("verify-only", SigningKeyState::VerifyOnly),
    ("retired", SigningKeyState::Retired),
];

/// Generates a key from a body with `algorithm` (default ES256) and `state`: `active` (default) signs from
/// now on, `next` is published first.
pub async fn create(
    ctx: &Context,
    organisation: &Organisation,
    body: &Map<String, Value>,
) -> Result<SigningKey, Failure<CreateRejection>> {
    let mut faults = Faults::default();
    let members = Members::of_body(body);
    members.refuse_others(&[&["algorithm", "state"]], &mut faults);
    let algorithm = members.choice("algorithm", ALGORITHMS, &mut faults).unwrap_or(Algorithm::Es256);
    let state = members.choice("state", FIRST_STATES, &mut faults).unwrap_or(SigningKeyState::Active);
    faults.none_or(Some(())).map_err(|faults| Failure::Rejected(CreateRejection::Invalid(faults)))?;
    let key = generate(ctx, organisation, algorithm, state, ctx.env().now())?;
    ctx.store().write(organisation, async |tx| tx.add_signing_key(&key).await).await?;
    forget(ctx, organisation).await;
    Ok(key)
}

/// Keys in every state, newest first.
pub async fn list<R>(
    ctx: &Context,
    organisation: &Organisation,
    window: Window,
) -> Result<Page<SigningKey>, Failure<R>> {
    let mut keys = ctx.store().read(organisation).await?.signing_keys().await?;
    keys.reverse();
    Ok(Page::cut(keys, window))
}

/// One key.
pub async fn read(
    ctx: &Context,
    organisation: &Organisation,
    id: SigningKeyId,
) -> Result<SigningKey, Failure<ReadRejection>> {
    find(ctx, organisation, id).await?.ok_or(Failure::Rejected(ReadRejection::NotFound))
}

/// Moves a key along its life: `next`, `active`, `verify-only`, `retired`. Body: `state`. `seen` is when the version was
/// made that the caller knows.
pub async fn set_state(
    ctx: &Context,
    organisation: &Organisation,
    id: SigningKeyId,
    seen: Option<Timestamp>,
    body: &Map<String, Value>,
) -> Result<SigningKey, Failure<ChangeRejection>> {
    let Some(key) = find(ctx, organisation, id).await? else {
        return Err(Failure::Rejected(ChangeRejection::NotFound));
    };
    if seen.is_some_and(|seen| seen != key.updated_at) {
        return Err(Failure::Rejected(ChangeRejection::Stale));
    }
    let mut faults = Faults::default();
    let members = Members::of_body(body);
    members.refuse_others(&[&["state"]], &mut faults);
    members.require_text("state", &mut faults);
    let state = members.choice("state", STATES, &mut faults);
    let to = faults.none_or(state).map_err(|faults| Failure::Rejected(ChangeRejection::Invalid(faults)))?;
    let from = key.state;
    let refusal = Failure::Rejected(ChangeRejection::State { from, to });
    if !from.may_become(to) {
        return Err(refusal);
    }
    let now = ctx.env().now();
    let moved = ctx.store().write(organisation, async |tx| tx.move_signing_key(id, from, to, seen, now).await).await?;
    forget(ctx, organisation).await;
    moved.ok_or(if seen.is_some() { Failure::Rejected(ChangeRejection::Stale) } else { refusal })
}

/// Makes another key the signing one, in one step: the oldest `next` key of the algorithm, or a new key. The
/// keys that signed so far stay published as `verify-only`. Body: `algorithm`, by default that of the present
/// key.
pub async fn rotate(
    ctx: &Context,
    organisation: &Organisation,
    body: &Map<String, Value>,
) -> Result<SigningKey, Failure<CreateRejection>> {
    let mut faults = Faults::default();
    let members = Members::of_body(body);
    members.refuse_others(&[&["algorithm"]], &mut faults);
    let wanted = members.choice("algorithm", ALGORITHMS, &mut faults);
    faults.none_or(Some(())).map_err(|faults| Failure::Rejected(CreateRejection::Invalid(faults)))?;
    let keys = ctx.store().read(organisation).await?.signing_keys().await?;
    let newest_active = keys.iter().rev().find(|key| key.state == SigningKeyState::Active);
    let algorithm = wanted.or(newest_active.map(|key| key.algorithm)).unwrap_or(Algorithm::Es256);
    let now = ctx.env().now();
    let in_state = |state| keys.iter().filter(move |key| key.state == state && key.algorithm == algorithm);
    let prepared = in_state(SigningKeyState::Next).next().cloned();
    let (key, is_new) = match prepared {
        Some(key) => (key, false),
        None => (generate(ctx, organisation, algorithm, SigningKeyState::Active, now)?, true),
    };
    let replaced: Vec<SigningKeyId> = in_state(SigningKeyState::Active).map(|key| key.id).collect();
    let (next, active, former) = (SigningKeyState::Next, SigningKeyState::Active, SigningKeyState::VerifyOnly);
    let signing = ctx
        .store()
        .write(organisation, async |tx| {
            if is_new {
                tx.add_signing_key(&key).await?;
            } else {
                tx.move_signing_key(key.id, next, active, None, now).await?;
            }
            for id in &replaced {
                tx.move_signing_key(*id, active, former, None, now).await?;
            }
            tx.signing_key(key.id).await
        })
        .await
        .map_err(Failure::<CreateRejection>::from)?;
    forget(ctx, organisation).await;
    signing.ok_or_else(|| Failure::Internal(anyhow::anyhow!("the key that was to sign is not there")))
}

/// Keeps a certificate chain for a key: PEM, leaf first, for `x5c` headers. Body: `certificateChain`; empty
/// takes the chain away. `seen` is when the version was made that the caller knows.
pub async fn certify(
    ctx: &Context,
    organisation: &Organisation,
    id: SigningKeyId,
    seen: Option<Timestamp>,
    body: &Map<String, Value>,
) -> Result<Certified, Failure<ChangeRejection>> {
    let Some(key) = find(ctx, organisation, id).await? else {
        return Err(Failure::Rejected(ChangeRejection::NotFound));
    };
    if seen.is_some_and(|seen| seen != key.updated_at) {
        return Err(Failure::Rejected(ChangeRejection::Stale));
    }
    let now = ctx.env().now();
    let mut faults = Faults::default();
    let members = Members::of_body(body);
    members.refuse_others(&[&["certificateChain"]], &mut faults);
    members.require("certificateChain", &mut faults);
    let pem = members.string("certificateChain", 262_144, &mut faults);
    let warnings = pem.map(|pem| check_chain(pem, &key, now, &members.at("certificateChain"), &mut faults));
    let read = pem.zip(warnings);
    let (pem, warnings) = faults.none_or(read).map_err(|faults| Failure::Rejected(ChangeRejection::Invalid(faults)))?;
    let kept = ctx.store().write(organisation, async |tx| tx.set_certificate_chain(id, pem, seen, now).await).await?;
    forget(ctx, organisation).await;
    let key = kept.ok_or(Failure::Rejected(ChangeRejection::Stale))?;
    Ok(Certified { key, warnings })
}

/// A certificate signing request (PEM) for a key. Body: `commonName` (default: the organisation's name) and
/// `names` (DNS names and URIs; default: host and issuer identifier).
pub async fn request_certificate(
    ctx: &Context,
    organisation: &Organisation,
    id: SigningKeyId,
    body: &Map<String, Value>,
) -> Result<String, Failure<ChangeRejection>> {
    let Some(key) = find(ctx, organisation, id).await? else {
        return Err(Failure::Rejected(ChangeRejection::NotFound));
    };
    let invalid = |faults| Failure::Rejected(ChangeRejection::Invalid(faults));
    let mut faults = Faults::default();
    let members = Members::of_body(body);
    members.refuse_others(&[&["commonName", "names"]], &mut faults);
    let common_name = members.text("commonName", 64, &mut faults).map(str::to_owned);
    let mut names = Vec::new();
    for (pointer, value) in members.array("names", 20, &mut faults).unwrap_or_default() {
        match value.as_str().filter(|name| (1..=255).contains(&name.chars().count())) {
            Some(name) => names.push(name.to_owned()),
            None => faults.add(pointer, "a DNS name or URI is expected"),
        }
    }
    faults.none_or(Some(())).map_err(invalid)?;
    if names.is_empty() {
        // An address is not a DNS name, and nobody certifies one for an issuer.
        let host = organisation.issuer.host();
        let is_name = !host.starts_with('[') && host.parse::<IpAddr>().is_err();
        names.extend(is_name.then(|| host.to_owned()));
        names.push(organisation.issuer.as_str().to_owned());
    }
    // X.520 allows 64 characters for a common name.
    let common_name = common_name.unwrap_or_else(|| organisation.name.chars().take(64).collect());
    let private = ctx.open_bytes(organisation, Place::SigningKey, key.id.as_uuid(), &key.sealed_private)?;
    let software = SoftwareKey::from_pkcs8(key.algorithm, &private)?;
    match software.certificate_signing_request(&common_name, &names) {
        Ok(pem) => Ok(pem),
        Err(error @ KeyError::CertificateName { .. }) => {
            Err(invalid(vec![Fault { pointer: "/names".to_owned(), detail: error.to_string() }]))
        }
        Err(
            error @ (KeyError::Generation(_)
            | KeyError::Pkcs8(_)
            | KeyError::Signature(_)
            | KeyError::Header(_)
            | KeyError::CertificateRequest(_)),
        ) => Err(error.into()),
    }
}

/// What is kept of the keys, and of the metadata that names them.
async fn forget(ctx: &Context, organisation: &Organisation) {
    ctx.keyrings().forget(organisation).await;
    ctx.publications().forget(organisation).await;
}

async fn find<R>(
    ctx: &Context,
    organisation: &Organisation,
    id: SigningKeyId,
) -> Result<Option<SigningKey>, Failure<R>> {
    Ok(ctx.store().read(organisation).await?.signing_key(id).await?)
}

fn generate<R>(
    ctx: &Context,
    organisation: &Organisation,
    algorithm: Algorithm,
    state: SigningKeyState,
    now: Timestamp,
) -> Result<SigningKey, Failure<R>> {
    let software = SoftwareKey::generate(algorithm)?;
    let id = SigningKeyId::from(ctx.env().uuid(now));
    let sealed_private = ctx.seal_bytes(organisation, Place::SigningKey, id.as_uuid(), &software.to_pkcs8())?;
    let public_jwk = software.public_jwk().clone();
    Ok(SigningKey {
        id,
        kid: public_jwk.thumbprint(),
        algorithm,
        state,
        public_jwk,
        sealed_private,
        certificate_chain: String::new(),
        created_at: now,
        updated_at: now,
    })
}

/// Faults for what makes a chain useless; the answer are the things that only some verifiers mind.
fn check_chain(pem: &str, key: &SigningKey, now: Timestamp, pointer: &str, faults: &mut Faults) -> Vec<String> {
    let mut warnings = Vec::new();
    let chain = match CertificateChain::from_pem(pem) {
        Ok(chain) => chain,
        Err(error) => {
            faults.add(pointer, error.to_string());
            return warnings;
        }
    };
    if !chain.is_empty() {
        match chain.leaf_public_jwk() {
            Ok(certified) if certified == key.public_jwk => {}
            Ok(_) => faults.add(pointer, "the first certificate is for another key"),
            Err(error) => faults.add(pointer, error.to_string()),
        }
    }
    for finding in chain.lint(now.seconds()) {
        match finding {
            ChainFinding::SelfSignedLeaf { .. } | ChainFinding::AnchorInside { .. } => {
                warnings.push(finding.to_string());
            }
            ChainFinding::AuthorityLeaf { .. }
            | ChainFinding::Order { .. }
            | ChainFinding::Signature { .. }
            | ChainFinding::Expired { .. }
            | ChainFinding::NotYetValid { .. } => faults.add(pointer, finding.to_string()),
            // Said already, when the keys were compared.
            ChainFinding::LeafKey(_) => {}
        }
    }
    warnings
}
