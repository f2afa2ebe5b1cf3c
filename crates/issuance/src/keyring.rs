//! Signing keys of organisations, opened once and kept ready.

use std::sync::Arc;
use std::time::Duration;

use chancery_keys::{CertificateChain, PublicJwk, Signer, SoftwareKey};
use chancery_model::{Organisation, OrganisationId, SigningKeyId, SigningKeyState};
use moka::future::Cache;

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
}

impl Keyring {
    /// The key that signs: the one named `kid`, or the newest active key when `kid` is empty.
    pub(crate) fn signing(&self, kid: &str) -> Option<&ReadyKey> {
        let mut active = self.keys.iter().filter(|key| key.state == SigningKeyState::Active);
        if kid.is_empty() { active.next_back() } else { active.find(|key| key.kid == kid) }
    }

    /// Keys for the JWKS.
    pub(crate) fn published(&self) -> impl Iterator<Item = &ReadyKey> {
        self.keys.iter()
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

    async fn load_keyring<R>(&self, organisation: &Organisation) -> Result<Keyring, Failure<R>> {
        let stored = self.store().read(organisation).await?.signing_keys().await?;
        let mut keys = Vec::with_capacity(stored.len());
        for key in stored.into_iter().filter(|key| key.state.is_published()) {
            let private = self.open_bytes(organisation, Place::SigningKey, key.id.as_uuid(), &key.sealed_private)?;
            let chain =
                CertificateChain::from_pem(&key.certificate_chain).map_err(|error| Failure::Internal(error.into()))?;
            let signer = SoftwareKey::from_pkcs8(key.algorithm, &private)?.into_signer(key.kid.clone(), chain);
            keys.push(ReadyKey { id: key.id, kid: key.kid, state: key.state, public_jwk: key.public_jwk, signer });
        }
        Ok(Keyring { keys })
    }
}
