//! What every use case is handed.

use std::sync::Arc;

use chancery_keys::{MacKey, MacKeys, SealingKey};
use chancery_model::{Env, Organisation, SecretHash};
use chancery_storage::{Replay, SharedBudgets, Store, StoreError, Transaction};
use tokio::sync::watch;
use url::Url;

use crate::announcement::Listeners;
use crate::claims_endpoint::Breakers;
use crate::encryption_keyring::EncryptionKeyrings;
use crate::keyring::Keyrings;
use crate::mail::{Mailer, Smtp};
use crate::management::access::Keys;
use crate::management::access_provider::Configured;
use crate::management::definitions::Definitions;
use crate::management::global_configurations::Defaults;
use crate::management::idempotency::Sweeps;
use crate::management::identity_provider::Connected;
use crate::management::watch::Feeds;
use crate::outbound::{Addresses, Outbound};
use crate::provider::Providers;
use crate::provider::access_token::Verified;
use crate::quotas::QuotaMeters;
use crate::rate_limits::{Budgets, RateLimits};
use crate::status_lists::StatusLists;
use crate::wallet::client::vouched::Vouched;
use crate::wallet::metadata::Publications;
use crate::wallet::remembered::Remembered;
use crate::wallet::token::repeated::Answers;

/// Everything a use case may touch. Clones share it.
#[derive(Clone)]
pub struct Context(Arc<Inner>);

struct Inner {
    env: Env,
    store: Store,
    replay: Replay,
    settings: Settings,
    sealing_key: SealingKey,
    nonce_key: MacKey,
    audit_keys: MacKeys,
    individual_keys: MacKeys,
    sign_in_keys: MacKeys,
    code_keys: MacKeys,
    mailer: Option<Mailer>,
    keyrings: Keyrings,
    encryption_keyrings: EncryptionKeyrings,
    api_keys: Keys,
    access_providers: Configured,
    verified_tokens: Verified,
    definitions: Definitions,
    defaults: Defaults,
    identity_providers: Connected,
    sweeps: Sweeps,
    publications: Publications,
    remembered: Remembered,
    vouched: Vouched,
    token_answers: Answers,
    outbound: Outbound,
    providers: Providers,
    status_lists: StatusLists,
    listeners: Listeners,
    feeds: Feeds,
    stopping: watch::Sender<bool>,
    budgets: Budgets,
    quota_meters: QuotaMeters,
    breakers: Breakers,
}

/// Settings of the deployment that use cases need.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Base of the wallet face as wallets see it; default issuer identifiers are `{public_url}/o/{slug}`.
    pub public_url: Url,
    /// Hash of the platform key; `None` closes the platform operations.
    pub platform_key: Option<SecretHash>,
    /// Addresses that requests to servers of organisations may go to.
    pub outbound: Addresses,
    /// The server that takes mail; `None` when none is sent.
    pub smtp: Option<Smtp>,
    /// What wallets may ask.
    pub rate_limits: RateLimits,
    /// Where several processes count what wallets ask; `None` where each counts alone.
    pub shared_budgets: Option<SharedBudgets>,
}

impl Context {
    /// Puts a context together. Several processes that share a database share `sealing_key` and with it the nonces.
    pub fn new(env: Env, store: Store, replay: Replay, mut settings: Settings, sealing_key: SealingKey) -> Self {
        let nonce_key = MacKey::derive(&sealing_key, "nonce");
        let audit_keys = MacKeys::derive(&sealing_key, "audit");
        let individual_keys = MacKeys::derive(&sealing_key, "individual");
        let sign_in_keys = MacKeys::derive(&sealing_key, "sign-in");
        let code_keys = MacKeys::derive(&sealing_key, "authorization-code");
        Self(Arc::new(Inner {
            env,
            store,
            replay,
            outbound: Outbound::new(settings.outbound),
            mailer: settings.smtp.take().map(Mailer::new),
            budgets: Budgets::new(settings.rate_limits, settings.shared_budgets.take()),
            settings,
            sealing_key,
            nonce_key,
            audit_keys,
            individual_keys,
            sign_in_keys,
            code_keys,
            keyrings: Keyrings::default(),
            encryption_keyrings: EncryptionKeyrings::default(),
            api_keys: Keys::default(),
            access_providers: Configured::default(),
            verified_tokens: Verified::default(),
            definitions: Definitions::default(),
            defaults: Defaults::default(),
            identity_providers: Connected::default(),
            sweeps: Sweeps::default(),
            publications: Publications::default(),
            remembered: Remembered::default(),
            vouched: Vouched::default(),
            token_answers: Answers::default(),
            providers: Providers::default(),
            status_lists: StatusLists::default(),
            listeners: Listeners::default(),
            feeds: Feeds::default(),
            breakers: Breakers::default(),
            stopping: watch::Sender::new(false),
            quota_meters: QuotaMeters::default(),
        }))
    }

    /// Clock and entropy.
    pub fn env(&self) -> &Env {
        &self.0.env
    }

    /// The database.
    pub fn store(&self) -> &Store {
        &self.0.store
    }

    /// Does a unit of work: as the one statement that it `is_step`, or as several.
    pub(crate) async fn write_as<T, E: From<StoreError>>(
        &self,
        organisation: &Organisation,
        is_step: bool,
        work: impl AsyncFnOnce(&Transaction) -> Result<T, E>,
    ) -> Result<T, E> {
        match is_step {
            true => self.store().write_step(organisation, work).await,
            false => self.store().write(organisation, work).await,
        }
    }

    /// Claims of use.
    pub fn replay(&self) -> &Replay {
        &self.0.replay
    }

    /// Settings of the deployment.
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// The process is about to stop: what would go on for ever ends now.
    pub fn stop(&self) {
        self.0.stopping.send_replace(true);
    }

    /// Waits until [`Context::stop`] was called.
    pub async fn stopped(&self) {
        let mut stopping = self.0.stopping.subscribe();
        // The sender lives as long as the context, so this fails never.
        drop(stopping.wait_for(|stopping| *stopping).await);
    }

    pub(crate) fn listeners(&self) -> &Listeners {
        &self.0.listeners
    }

    pub(crate) fn feeds(&self) -> &Feeds {
        &self.0.feeds
    }

    pub(crate) fn sealing_key(&self) -> &SealingKey {
        &self.0.sealing_key
    }

    pub(crate) fn nonce_key(&self) -> &MacKey {
        &self.0.nonce_key
    }

    /// For the chains of audit entries.
    pub(crate) fn audit_keys(&self) -> &MacKeys {
        &self.0.audit_keys
    }

    /// For hashes of external ids.
    pub(crate) fn individual_keys(&self) -> &MacKeys {
        &self.0.individual_keys
    }

    /// For what browsers carry to an identity provider and back.
    pub(crate) fn sign_in_keys(&self) -> &MacKeys {
        &self.0.sign_in_keys
    }

    /// For authorization codes.
    pub(crate) fn code_keys(&self) -> &MacKeys {
        &self.0.code_keys
    }

    /// Sends mail, where the deployment has a server for that.
    pub(crate) fn mailer(&self) -> Option<&Mailer> {
        self.0.mailer.as_ref()
    }

    /// For requests to servers that an organisation names.
    pub(crate) fn outbound(&self) -> &Outbound {
        &self.0.outbound
    }

    /// For claims endpoints.
    pub(crate) fn breakers(&self) -> &Breakers {
        &self.0.breakers
    }

    pub(crate) fn budgets(&self) -> &Budgets {
        &self.0.budgets
    }

    pub(crate) fn quota_meters(&self) -> &QuotaMeters {
        &self.0.quota_meters
    }

    pub(crate) fn providers(&self) -> &Providers {
        &self.0.providers
    }

    pub(crate) fn remembered(&self) -> &Remembered {
        &self.0.remembered
    }

    pub(crate) fn vouched(&self) -> &Vouched {
        &self.0.vouched
    }

    pub(crate) fn token_answers(&self) -> &Answers {
        &self.0.token_answers
    }

    pub(crate) fn keyrings(&self) -> &Keyrings {
        &self.0.keyrings
    }

    pub(crate) fn encryption_keyrings(&self) -> &EncryptionKeyrings {
        &self.0.encryption_keyrings
    }

    pub(crate) fn api_keys(&self) -> &Keys {
        &self.0.api_keys
    }

    pub(crate) fn access_providers(&self) -> &Configured {
        &self.0.access_providers
    }

    pub(crate) fn verified_tokens(&self) -> &Verified {
        &self.0.verified_tokens
    }

    pub(crate) fn defaults(&self) -> &Defaults {
        &self.0.defaults
    }

    pub(crate) fn identity_providers(&self) -> &Connected {
        &self.0.identity_providers
    }

    pub(crate) fn definitions(&self) -> &Definitions {
        &self.0.definitions
    }

    pub(crate) fn publications(&self) -> &Publications {
        &self.0.publications
    }

    pub(crate) fn status_lists(&self) -> &StatusLists {
        &self.0.status_lists
    }

    pub(crate) fn sweeps(&self) -> &Sweeps {
        &self.0.sweeps
    }
}
