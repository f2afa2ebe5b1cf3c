//! The wallet: keys, HTTP client, clock, and the whole way from an offer link to verified credentials.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use crate::answer::Answer;
use crate::client::Challenges;
use crate::clock::Clock;
use crate::credential::{Proofs, Selector};
use crate::deferred::{Event, Pending};
use crate::dpop::{self, Nonces};
use crate::error::{Step, Violation, WalletError};
use crate::issuer::Issuer;
use crate::keys::{Algorithm, HolderKey};
use crate::metadata::AUTHORIZATION_CODE;
use crate::offer::{Link, Offer, PRE_AUTHORIZED_CODE};
use crate::options::{Grant, Options};
use crate::preflight;
use crate::token::Token;
use crate::transport::{Http, Request, secure_url};
use crate::verify::VerifiedCredential;

/// A wallet. It has one DPoP key and an HTTP client with pooled connections; share it by reference.
pub struct Wallet {
    pub(crate) http: Http,
    pub(crate) nonces: Nonces,
    pub(crate) challenges: Challenges,
    clock: Clock,
    dpop: Arc<HolderKey>,
}

impl fmt::Debug for Wallet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wallet").field("dpop", &self.dpop).finish_non_exhaustive()
    }
}

/// What [`Wallet::accept`] brought home.
#[derive(Debug)]
pub struct Accepted {
    /// The offer; `None` when the wallet asked by itself.
    pub offer: Option<Offer>,
    /// The issuer's metadata, good for [`Options::issuer`] of the next acceptance.
    pub issuer: Arc<Issuer>,
    /// What was asked for.
    pub configuration_ids: Vec<String>,
    /// The access token, with the refresh token when there is one.
    pub token: Token,
    /// What the issuer will deliver later; [`Wallet::poll`] asks for it.
    pub pending: Vec<Pending>,
    /// The verified credentials, in the order of the requests.
    pub credentials: Vec<VerifiedCredential>,
    /// The holder keys the credentials are bound to; find one by [`VerifiedCredential::holder_thumbprint`].
    pub holder_keys: Vec<Arc<HolderKey>>,
    /// What the issuer wants to be told about, one for each request that brought one.
    pub notification_ids: Vec<String>,
    /// Whether the access token was bound with DPoP.
    pub dpop: bool,
}

/// Makes a [`Wallet`].
#[derive(Default)]
pub struct Builder {
    clock: Option<Clock>,
    dpop: Option<HolderKey>,
}

impl Builder {
    /// Uses this DPoP key instead of a new ES256 key.
    #[must_use]
    pub fn dpop_key(mut self, key: HolderKey) -> Self {
        self.dpop = Some(key);
        self
    }

    /// Uses this source of unix seconds instead of the system clock.
    #[must_use]
    pub fn clock(mut self, now: impl Fn() -> i64 + Send + Sync + 'static) -> Self {
        self.clock = Some(Clock::from_fn(now));
        self
    }

    /// Makes the wallet; installs the TLS provider of the process when there is none.
    ///
    /// # Errors
    /// [`WalletError::Key`] when a key cannot be made, [`WalletError::Input`] when the HTTP client cannot start.
    pub fn build(self) -> Result<Wallet, WalletError> {
        let dpop = match self.dpop {
            Some(key) => key,
            None => HolderKey::generate(Algorithm::Es256)?,
        };
        Ok(Wallet {
            http: Http::new()?,
            nonces: Nonces::default(),
            challenges: Challenges::default(),
            clock: self.clock.unwrap_or_else(Clock::system),
            dpop: Arc::new(dpop),
        })
    }
}

impl Wallet {
    /// A wallet with a new DPoP key and the system clock.
    ///
    /// # Errors
    /// See [`Builder::build`].
    pub fn new() -> Result<Self, WalletError> {
        Builder::default().build()
    }

    /// For another DPoP key or clock.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// A second wallet with its own DPoP key that shares connections and clock with this one.
    #[must_use]
    pub fn with_dpop_key(&self, key: Arc<HolderKey>) -> Self {
        let (nonces, challenges) = (Nonces::default(), Challenges::default());
        Self { http: self.http.clone(), nonces, challenges, clock: self.clock.clone(), dpop: key }
    }

    /// The DPoP key.
    #[must_use]
    pub fn dpop_key(&self) -> &HolderKey {
        &self.dpop
    }

    /// A DPoP proof of this wallet for `method` and the public `url` (RFC 9449 §4.2).
    ///
    /// # Errors
    /// [`WalletError::Key`].
    pub fn dpop_proof(
        &self,
        method: &str,
        url: &str,
        access_token: Option<&str>,
        nonce: Option<&str>,
    ) -> Result<String, WalletError> {
        dpop::proof(&self.dpop, method, url, access_token, nonce, self.now())
    }

    /// Follows an offer to verified credentials: offer, metadata, token, and for each wanted configuration nonce, proofs,
    /// credential request and verification. What the issuer defers is in [`Accepted::pending`].
    ///
    /// # Errors
    /// The first thing that goes wrong, see [`WalletError`].
    pub async fn accept(&self, offer: &str, options: &Options) -> Result<Accepted, WalletError> {
        let offer = self.fetch_offer(offer, options).await?;
        let hint = hint(&offer, options);
        let known = options.issuer.clone().filter(|issuer| fits(issuer, &offer, hint));
        let issuer = match known {
            Some(issuer) => issuer,
            None => Arc::new(self.issuer(&offer, options).await?),
        };
        let wanted = issuer.wanted(&offer, options)?.to_vec();
        let by_code = chosen(&issuer, &offer, options)?;
        preflight::check(&issuer, Some(&offer).filter(|_| !by_code), &wanted, options)?;
        let token = if by_code {
            let state = offer.authorization_code.as_ref().and_then(|grant| grant.issuer_state.clone());
            self.authorized(&issuer, &wanted, state.as_deref(), options).await?
        } else {
            self.token(&issuer, &offer, options).await?
        };
        self.collect(Some(offer), issuer, token, &wanted, options).await
    }

    /// Asks an issuer for credentials without an offer (wallet-initiated, OpenID4VCI §3.4): the configurations of
    /// [`Options::configuration_ids`], by the authorization code flow.
    ///
    /// # Errors
    /// The first thing that goes wrong, see [`WalletError`].
    pub async fn request(&self, identifier: &str, options: &Options) -> Result<Accepted, WalletError> {
        let issuer = Arc::new(Issuer::fetch(&self.http, identifier, None, self.now(), options).await?);
        let wanted = options.configuration_ids.clone();
        let known = issuer.metadata.configurations.keys().cloned().collect::<Vec<_>>().join(", ");
        if wanted.is_empty() || wanted.iter().any(|id| !issuer.metadata.configurations.contains_key(id)) {
            return Err(WalletError::Input(format!("name configurations of the issuer: it has {known}")));
        }
        preflight::check(&issuer, None, &wanted, options)?;
        let token = self.authorized(&issuer, &wanted, None, options).await?;
        self.collect(None, issuer, token, &wanted, options).await
    }

    /// Refreshes the token of `accepted` and fetches its credentials again (OpenID4VCI §14.3).
    ///
    /// # Errors
    /// The first thing that goes wrong, see [`WalletError`].
    pub async fn reissue(&self, accepted: &Accepted, options: &Options) -> Result<Accepted, WalletError> {
        let token = self.refresh(&accepted.issuer, &accepted.token, options).await?;
        let offer = accepted.offer.clone();
        self.collect(offer, accepted.issuer.clone(), token, &accepted.configuration_ids, options).await
    }

    /// Fetches what `token` allows for each configuration.
    async fn collect(
        &self,
        offer: Option<Offer>,
        issuer: Arc<Issuer>,
        token: Token,
        wanted: &[String],
        options: &Options,
    ) -> Result<Accepted, WalletError> {
        let mut keys = Keys { prepared: options.holder_keys.iter().cloned(), options };
        let mut accepted = Accepted {
            offer,
            issuer,
            configuration_ids: wanted.to_vec(),
            dpop: token.dpop,
            token,
            credentials: Vec::new(),
            pending: Vec::new(),
            holder_keys: Vec::new(),
            notification_ids: Vec::new(),
        };
        for id in wanted {
            let selectors = Selector::for_configuration(&accepted.token, id);
            if selectors.is_empty() {
                return Violation::err(
                    Step::Token,
                    "OpenID4VCI §6.2",
                    "authorization_details do not cover a configuration that was asked for",
                    format!("an entry for {id:?}"),
                    "other entries only",
                );
            }
            for selector in selectors {
                self.fetch(&mut accepted, id, &selector, &mut keys, options).await?;
            }
        }
        unlinkable(&accepted.credentials)?;
        Ok(accepted)
    }

    /// Reads an offer link and fetches the offer when the link only refers to it (OpenID4VCI §4.1.3).
    ///
    /// # Errors
    /// [`WalletError::Violation`] for a link or offer that breaks a rule, [`WalletError::Refused`] when it is gone.
    pub async fn fetch_offer(&self, link: &str, options: &Options) -> Result<Offer, WalletError> {
        match Link::parse(link)? {
            Link::Inline(object) => Offer::from_object(&object),
            Link::Reference(uri) => {
                secure_url(Step::Offer, "credential_offer_uri", &uri)?;
                let reply = self.http.send(&Request::get(Step::Offer, uri), &options.resolve).await?;
                Offer::from_object(&reply.object(&[200], "OpenID4VCI §4.1.3")?)
            }
        }
    }

    /// Fetches the metadata of the offer's issuer and of its authorization server.
    ///
    /// # Errors
    /// [`WalletError::Violation`] for metadata that break a rule.
    pub async fn issuer(&self, offer: &Offer, options: &Options) -> Result<Issuer, WalletError> {
        Issuer::fetch(&self.http, &offer.credential_issuer, hint(offer, options), self.now(), options).await
    }

    /// Unix seconds of the wallet's clock.
    pub(crate) fn now(&self) -> i64 {
        self.clock.now()
    }

    async fn fetch(
        &self,
        accepted: &mut Accepted,
        id: &str,
        selector: &Selector,
        keys: &mut Keys<'_>,
        options: &Options,
    ) -> Result<(), WalletError> {
        let issuer = accepted.issuer.clone();
        let Some(configuration) = issuer.metadata.configurations.get(id) else { return Ok(()) };
        let (keys, proofs) = if configuration.proof_types.is_empty() {
            (Vec::new(), Proofs::default())
        } else {
            let keys = keys.take(options.proof_count())?;
            let nonce = self.nonce(&issuer, options).await?;
            let proofs = self.proofs(&issuer, configuration, &keys, nonce.as_deref(), options)?;
            (keys, proofs)
        };
        match self.credential(&issuer, &accepted.token, selector, &proofs, options).await? {
            Answer::Deferred { transaction_id, interval_seconds } => {
                accepted.pending.push(Pending {
                    transaction_id,
                    interval_seconds,
                    configuration_id: id.to_owned(),
                    keys,
                });
                Ok(())
            }
            Answer::Issued { credentials, notification_id } => {
                self.store(accepted, id, (credentials, notification_id), keys, options).await
            }
        }
    }

    /// Verifies what came, keeps it, and tells the issuer when the caller wants that.
    pub(crate) async fn store(
        &self,
        accepted: &mut Accepted,
        id: &str,
        (credentials, notification_id): (Vec<String>, Option<String>),
        keys: Vec<Arc<HolderKey>>,
        options: &Options,
    ) -> Result<(), WalletError> {
        let issuer = accepted.issuer.clone();
        let Some(configuration) = issuer.metadata.configurations.get(id) else { return Ok(()) };
        let mut outcome = Ok(());
        for compact in credentials {
            match self.verify(&issuer, configuration, &compact, &keys, options).await {
                Ok(verified) => accepted.credentials.push(verified),
                Err(error) => outcome = outcome.and(Err(error)),
            }
        }
        if let Some(notification_id) = notification_id {
            if options.notify {
                let event = if outcome.is_ok() { Event::Accepted } else { Event::Failure };
                let told = self.notify(&issuer, &accepted.token, &notification_id, event, options).await;
                outcome = outcome.and(told);
            }
            accepted.notification_ids.push(notification_id);
        }
        accepted.holder_keys.extend(keys);
        outcome
    }
}

/// Prepared holder keys first, then new ones: no key is used for two credentials.
struct Keys<'a> {
    prepared: std::iter::Cloned<std::slice::Iter<'a, Arc<HolderKey>>>,
    options: &'a Options,
}

impl Keys<'_> {
    fn take(&mut self, count: usize) -> Result<Vec<Arc<HolderKey>>, WalletError> {
        (0..count)
            .map(|_| match self.prepared.next() {
                Some(key) => Ok(key),
                None => HolderKey::generate(self.options.algorithm).map(Arc::new),
            })
            .collect()
    }
}

/// Whether the authorization code flow is used.
fn chosen(issuer: &Issuer, offer: &Offer, options: &Options) -> Result<bool, WalletError> {
    let server = &issuer.authorization_server;
    let (pre_authorized, by_code) = (offer.pre_authorized.is_some(), offer.authorization_code.is_some());
    let wanted = match options.grant {
        Grant::Auto => !pre_authorized,
        Grant::PreAuthorizedCode if !pre_authorized => {
            return Err(WalletError::Input("the offer has no pre-authorized code".into()));
        }
        Grant::PreAuthorizedCode => false,
        Grant::AuthorizationCode => true,
    };
    // OpenID4VCI §4.1.1: without grants in the offer the metadata decide.
    if wanted && !by_code && pre_authorized {
        return Err(WalletError::Input("the offer has no authorization code grant".into()));
    }
    let grant = if wanted { AUTHORIZATION_CODE } else { PRE_AUTHORIZED_CODE };
    if !server.supports(grant) {
        return Violation::err(
            Step::AuthorizationServerMetadata,
            "OpenID4VCI §4.1.1, RFC 8414 §2",
            "grant_types_supported lacks the grant of the offer",
            grant,
            server.grant_types.join(", "),
        );
    }
    Ok(wanted)
}

/// The authorization server that the offer names.
fn hint<'a>(offer: &'a Offer, options: &Options) -> Option<&'a str> {
    let pre_authorized = offer.pre_authorized.as_ref().and_then(|grant| grant.authorization_server.as_deref());
    let by_code = offer.authorization_code.as_ref().and_then(|grant| grant.authorization_server.as_deref());
    match options.grant {
        Grant::AuthorizationCode => by_code,
        Grant::PreAuthorizedCode => pre_authorized,
        Grant::Auto if offer.pre_authorized.is_some() => pre_authorized,
        Grant::Auto => by_code,
    }
}

fn fits(issuer: &Issuer, offer: &Offer, hint: Option<&str>) -> bool {
    issuer.metadata.credential_issuer == offer.credential_issuer
        && hint.is_none_or(|hint| *hint == issuer.authorization_server.issuer)
}

/// Copies must not be linkable: one key binds one credential (OpenID4VCI §3.3.2), salts are new (RFC 9901 §10.1).
fn unlinkable(credentials: &[VerifiedCredential]) -> Result<(), WalletError> {
    let mut holders = HashSet::new();
    let mut salts = HashSet::new();
    for credential in credentials {
        if let Some(thumbprint) = &credential.holder_thumbprint
            && !holders.insert(thumbprint)
        {
            let what = "two credentials are bound to one key";
            return Violation::err(Step::Verification, "OpenID4VCI §3.3.2", what, "a key for each", "a repeated key");
        }
        if credential.salts.iter().any(|salt| !salts.insert(salt)) {
            let what = "two credentials share a salt";
            return Violation::err(Step::Verification, "RFC 9901 §10.1", what, "new salts in each", "a repeated salt");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
