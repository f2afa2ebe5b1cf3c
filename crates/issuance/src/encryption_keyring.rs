//! Keys that wallets encrypt requests for, opened once and kept ready.

use std::sync::Arc;
use std::time::Duration;

use chancery_keys::jwe::{self, Accepted, Decrypted, DecryptionKey, JweError, RecipientKey};
use chancery_model::{EncryptionKey, EncryptionKeyId, Organisation, OrganisationId, Timestamp};
use moka::future::Cache;

use crate::sealed::Place;
use crate::{Context, Failure};

/// The keys of one organisation, the published one last.
pub(crate) struct EncryptionKeyring(Vec<(EncryptionKey, DecryptionKey)>);

/// Keyrings by organisation. A key made in another process is published here within [`EncryptionKeyrings::LIFETIME`];
/// requests for it are read at once.
pub(crate) struct EncryptionKeyrings(Cache<OrganisationId, Arc<EncryptionKeyring>>);

impl Default for EncryptionKeyrings {
    fn default() -> Self {
        Self(Cache::builder().max_capacity(10_000).time_to_live(Self::LIFETIME).build())
    }
}

impl EncryptionKeyrings {
    const LIFETIME: Duration = Duration::from_secs(5);
}

impl EncryptionKeyring {
    /// Those that still decrypt.
    fn usable(&self, now: Timestamp) -> Vec<DecryptionKey> {
        self.0.iter().filter(|(stored, _)| stored.decrypts_at(now)).map(|(_, key)| key.clone()).collect()
    }
}

impl Context {
    /// The key to publish. The first is made when it is first asked for, and a successor when it is due.
    pub(crate) async fn published_encryption_key<R>(
        &self,
        organisation: &Organisation,
        now: Timestamp,
    ) -> Result<RecipientKey, Failure<R>> {
        let keyring = self.encryption_keyring(organisation).await?;
        if let Some((_, key)) = keyring.0.last().filter(|(newest, _)| !newest.is_due(now)) {
            return Ok(key.recipient().clone());
        }
        self.succeed_encryption_key(organisation, now).await
    }

    /// Makes a key that is published from now on. When another process does so at the same time, its key is the answer.
    pub(crate) async fn succeed_encryption_key<R>(
        &self,
        organisation: &Organisation,
        now: Timestamp,
    ) -> Result<RecipientKey, Failure<R>> {
        let newest = self.load_encryption_keyring(organisation).await?;
        let generation = newest.0.last().map_or(0, |(key, _)| key.generation).saturating_add(1);
        let id = EncryptionKeyId::from(self.env().uuid(now));
        let key = DecryptionKey::generate(&id.to_string())?;
        let stored = EncryptionKey {
            id,
            generation,
            kid: key.key_id().to_owned(),
            sealed_private: self.seal_bytes(organisation, Place::EncryptionKey, id.as_uuid(), &key.to_bytes()?)?,
            created_at: now,
            retired_at: None,
        };
        self.store().write(organisation, async |tx| tx.succeed_encryption_key(&stored, now).await).await?;
        let keyring = self.load_encryption_keyring(organisation).await?;
        let (_, newest) = keyring.0.last().ok_or_else(|| Failure::Internal(anyhow::anyhow!("no encryption key")))?;
        Ok(newest.recipient().clone())
    }

    /// Decrypts a request for one of the organisation's keys. A key that is not known is looked for in the database once:
    /// another process may have just made it.
    pub(crate) async fn decrypt<R>(
        &self,
        organisation: &Organisation,
        now: Timestamp,
        compact: &str,
        accepted: &Accepted<'_>,
    ) -> Result<Result<Decrypted, JweError>, Failure<R>> {
        let keyring = self.encryption_keyring(organisation).await?;
        match jwe::decrypt(compact, &keyring.usable(now), accepted) {
            Err(JweError::UnknownKey { .. }) => {
                let keyring = self.load_encryption_keyring(organisation).await?;
                Ok(jwe::decrypt(compact, &keyring.usable(now), accepted))
            }
            outcome => Ok(outcome),
        }
    }

    async fn encryption_keyring<R>(&self, organisation: &Organisation) -> Result<Arc<EncryptionKeyring>, Failure<R>> {
        match self.encryption_keyrings().0.get(&organisation.id).await {
            Some(keyring) => Ok(keyring),
            None => self.load_encryption_keyring(organisation).await,
        }
    }

    async fn load_encryption_keyring<R>(
        &self,
        organisation: &Organisation,
    ) -> Result<Arc<EncryptionKeyring>, Failure<R>> {
        let stored = self.store().read(organisation).await?.encryption_keys().await?;
        let open = |key: EncryptionKey| -> Result<_, Failure<R>> {
            let private = self.open_bytes(organisation, Place::EncryptionKey, key.id.as_uuid(), &key.sealed_private)?;
            let opened = DecryptionKey::from_bytes(&key.kid, &private)?;
            Ok((key, opened))
        };
        let keyring = Arc::new(EncryptionKeyring(stored.into_iter().map(open).collect::<Result<_, _>>()?));
        self.encryption_keyrings().0.insert(organisation.id, Arc::clone(&keyring)).await;
        Ok(keyring)
    }
}
