//! Signing keys of organisations, opened once and kept ready.

mod obstacle;

use std::sync::Arc;
use std::time::Duration;

use chancery_formats::sd_jwt::KeyReference;
use chancery_keys::{CertificateChain, ChainFinding, PublicJwk, Signer, SoftwareKey};
use chancery_model::{
    CertificateRule, Definition, Organisation, OrganisationId, Policy, Profile, SigningKeyId, SigningKeyState,
    Timestamp, TrustAnchor, TrustAnchors,
};
use moka::future::Cache;

pub use obstacle::SigningObstacle;

use crate::sealed::Place;
use crate::{Context, Failure};

/// The published keys of one organisation.
pub(crate) struct Keyring {
    keys: Vec<ReadyKey>,
}

/// One key, opened.
#[derive(Clone)]
pub(crate) struct ReadyKey {
    pub(crate) id: SigningKeyId,
    pub(crate) kid: String,
    pub(crate) state: SigningKeyState,
    pub(crate) public_jwk: PublicJwk,
    pub(crate) signer: Signer,
    /// What HAIP has against its certificates, whatever the clock shows.
    flaw: Option<ChainFinding>,
}

impl Keyring {
    /// The key that signs: the one named `kid`, or the newest active key when `kid` is empty.
    pub(crate) fn signing(&self, kid: &str) -> Option<&ReadyKey> {
        let mut active = self.keys.iter().filter(|key| key.state == SigningKeyState::Active);
        if kid.is_empty() { active.next_back() } else { active.find(|key| key.kid == kid) }
    }

    /// The key that signs credentials of `definition`, and how they name it.
    pub(crate) fn for_credentials(
        &self,
        policy: &Policy,
        definition: &Definition,
        now: Timestamp,
    ) -> Result<(&ReadyKey, KeyReference), SigningObstacle> {
        let key = self.signing(&definition.content.kid).ok_or(SigningObstacle::NoKey)?;
        let reference = key.reference(policy.certificates_for(definition.content.trust_anchor), now)?;
        Ok((key, reference))
    }

    /// The key that signs status lists and metadata, and how they name it: by its certificates as long as those are valid,
    /// and by `kid` otherwise, for a list must never vanish. Under HAIP a newer key without certificates that would do steps
    /// aside for an older one with (HAIP 1.0 §6.1).
    pub(crate) fn for_documents(&self, policy: &Policy, now: Timestamp) -> Option<(&ReadyKey, KeyReference)> {
        let fits = |key: &&ReadyKey| match policy.profile {
            Profile::Haip => key.reference(CertificateRule::Demanded, now).is_ok(),
            Profile::Open | Profile::Mixed => true,
        };
        let active = || self.keys.iter().rev().filter(|key| key.state == SigningKeyState::Active);
        let key = active().find(fits).or_else(|| active().next())?;
        Some((key, key.reference(CertificateRule::WhereKept, now).unwrap_or(KeyReference::Kid)))
    }

    /// Keys for the JWKS.
    pub(crate) fn published(&self) -> impl Iterator<Item = &ReadyKey> {
        self.keys.iter()
    }

    /// What goes wrong with the certificates of the keys, now or soon, for people.
    pub(crate) fn warnings(&self, policy: &Policy, now: Timestamp) -> Vec<String> {
        let mut warnings = Vec::new();
        if policy.certificates_for(TrustAnchor::DidKey) == CertificateRule::Demanded
            && let Err(obstacle) = self.newest_reference(now)
        {
            warnings.push(format!("nothing is issued under the profile haip: {obstacle}"));
        }
        let signs = |key: &&ReadyKey| matches!(key.state, SigningKeyState::Active | SigningKeyState::Next);
        warnings.extend(self.keys.iter().filter(signs).filter_map(|key| key.ending(now)));
        warnings
    }

    fn newest_reference(&self, now: Timestamp) -> Result<KeyReference, SigningObstacle> {
        self.signing("").ok_or(SigningObstacle::NoKey)?.reference(CertificateRule::Demanded, now)
    }
}

impl ReadyKey {
    /// How what it signs names it under `rule`.
    fn reference(&self, rule: CertificateRule, now: Timestamp) -> Result<KeyReference, SigningObstacle> {
        let chain = self.signer.certificate_chain();
        let obstacle = |finding| SigningObstacle::Chain { kid: self.kid.clone(), finding };
        match rule {
            CertificateRule::Never => return Ok(KeyReference::Kid),
            CertificateRule::WhereKept if chain.is_empty() => return Ok(KeyReference::Kid),
            CertificateRule::Demanded if chain.is_empty() => {
                return Err(SigningObstacle::Uncertified { kid: self.kid.clone() });
            }
            CertificateRule::WhereKept => {}
            CertificateRule::Demanded => self.flaw.clone().map_or(Ok(()), |flaw| Err(obstacle(flaw)))?,
        }
        // What is signed lives for a second at least.
        match chain.lapse(now.plus_seconds(1).seconds()) {
            Some(lapse) => Err(obstacle(lapse)),
            None => Ok(KeyReference::X5c),
        }
    }

    /// Warns of certificates that have ended, or end soon.
    fn ending(&self, now: Timestamp) -> Option<String> {
        let chain = self.signer.certificate_chain();
        let notice = now.plus_seconds(TrustAnchors::NOTICE).seconds();
        let not_after = chain.not_after().filter(|end| *end <= notice)?;
        let subject = chain.leaf_subject().unwrap_or_default();
        let verb = if not_after < now.seconds() { "ended" } else { "ends" };
        let kid = &self.kid;
        Some(format!("the certificate chain of `{subject}`, signing key {kid}, {verb} at {not_after} (unix seconds)"))
    }
}

/// Keyrings by organisation. A key changed in another process is seen within [`Keyrings::LIFETIME`].
pub(crate) struct Keyrings(Cache<OrganisationId, Arc<Keyring>>);

impl Default for Keyrings {
    fn default() -> Self {
        Self(Cache::builder().max_capacity(10_000).time_to_live(Self::LIFETIME).build())
    }
}

impl Keyrings {
    const LIFETIME: Duration = Duration::from_secs(5);

    /// Forgets what is kept of one organisation, after its keys changed.
    pub(crate) async fn forget(&self, organisation: &Organisation) {
        self.0.invalidate(&organisation.id).await;
    }
}

impl Context {
    /// The published keys of `organisation`.
    pub(crate) async fn keyring<R>(&self, organisation: &Organisation) -> Result<Arc<Keyring>, Failure<R>> {
        if let Some(keyring) = self.keyrings().0.get(&organisation.id).await {
            return Ok(keyring);
        }
        let keyring = Arc::new(self.load_keyring(organisation).await?);
        self.keyrings().0.insert(organisation.id, Arc::clone(&keyring)).await;
        Ok(keyring)
    }

    /// What keeps `organisation` from signing credentials of `definition`; `None` when nothing does.
    pub(crate) async fn signing_obstacle<R>(
        &self,
        organisation: &Organisation,
        definition: &Definition,
        now: Timestamp,
    ) -> Result<Option<SigningObstacle>, Failure<R>> {
        let keyring = self.keyring(organisation).await?;
        Ok(keyring.for_credentials(&organisation.policy, definition, now).err())
    }

    async fn load_keyring<R>(&self, organisation: &Organisation) -> Result<Keyring, Failure<R>> {
        let now = self.env().now();
        let stored = self.store().read(organisation).await?.signing_keys().await?;
        let mut keys = Vec::with_capacity(stored.len());
        for key in stored.into_iter().filter(|key| key.state.is_published()) {
            let private = self.open_bytes(organisation, Place::SigningKey, key.id.as_uuid(), &key.sealed_private)?;
            let chain =
                CertificateChain::from_pem(&key.certificate_chain).map_err(|error| Failure::Internal(error.into()))?;
            let flaw = flaw(&chain, now);
            let signer = SoftwareKey::from_pkcs8(key.algorithm, &private)?.into_signer(key.kid.clone(), chain);
            keys.push(ReadyKey {
                id: key.id,
                kid: key.kid,
                state: key.state,
                public_jwk: key.public_jwk,
                signer,
                flaw,
            });
        }
        Ok(Keyring { keys })
    }
}

/// What HAIP has against certificates, whatever the clock shows.
fn flaw(chain: &CertificateChain, now: Timestamp) -> Option<ChainFinding> {
    chain.lint(now.seconds()).into_iter().find(|finding| !finding.is_of_time())
}

#[cfg(test)]
mod tests;
