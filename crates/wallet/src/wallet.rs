//! The wallet: keys, HTTP client, clock, and the whole way from an offer link to verified credentials.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use crate::answer::Answer;
use crate::clock::Clock;
use crate::credential::Selector;
use crate::dpop::{self, Nonces};
use crate::error::{Step, Violation, WalletError};
use crate::issuer::Issuer;
use crate::keys::{Algorithm, HolderKey};
use crate::metadata::CredentialConfiguration;
use crate::offer::{Link, Offer};
use crate::options::{KeyReference, Options};
use crate::token::Token;
use crate::transport::{Http, Request, secure_url};
use crate::verify::VerifiedCredential;

/// A wallet. It has one DPoP key and an HTTP client with pooled connections; share it by reference.
pub struct Wallet {
    pub(crate) http: Http,
    pub(crate) nonces: Nonces,
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
    /// The offer.
    pub offer: Offer,
    /// The issuer's metadata, good for [`Options::issuer`] of the next acceptance.
    pub issuer: Arc<Issuer>,
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
        Self { http: self.http.clone(), nonces: Nonces::default(), clock: self.clock.clone(), dpop: key }
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
    /// credential request and verification.
    ///
    /// # Errors
    /// The first thing that goes wrong, see [`WalletError`].
    pub async fn accept(&self, offer: &str, options: &Options) -> Result<Accepted, WalletError> {
        let offer = self.fetch_offer(offer, options).await?;
        let issuer = match options.issuer.clone().filter(|issuer| fits(issuer, &offer)) {
            Some(issuer) => issuer,
            None => Arc::new(self.issuer(&offer, options).await?),
        };
        let wanted = issuer.wanted(&offer, options)?.to_vec();
        let mut configurations = Vec::with_capacity(wanted.len());
        for id in &wanted {
            if let Some(configuration) = issuer.metadata.configurations.get(id) {
                preflight(&issuer, &offer, id, configuration, options)?;
                configurations.push((id, configuration));
            }
        }
        let token = self.token(&issuer, &offer, options).await?;
        let mut keys = Keys { prepared: options.holder_keys.iter().cloned(), options };
        let mut accepted = Accepted {
            offer,
            issuer: issuer.clone(),
            credentials: Vec::new(),
            holder_keys: Vec::new(),
            notification_ids: Vec::new(),
            dpop: token.dpop,
        };
        for (id, configuration) in configurations {
            let selectors = Selector::for_configuration(&token, id);
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
                self.fetch(&mut accepted, configuration, &token, &selector, &mut keys, options).await?;
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
        let grant = offer.pre_authorized.as_ref();
        let server = grant.and_then(|grant| grant.authorization_server.as_deref());
        Issuer::fetch(&self.http, &offer.credential_issuer, server, options).await
    }

    /// Unix seconds of the wallet's clock.
    pub(crate) fn now(&self) -> i64 {
        self.clock.now()
    }

    async fn fetch(
        &self,
        accepted: &mut Accepted,
        configuration: &CredentialConfiguration,
        token: &Token,
        selector: &Selector,
        keys: &mut Keys<'_>,
        options: &Options,
    ) -> Result<(), WalletError> {
        let issuer = accepted.issuer.clone();
        let (keys, proofs) = if configuration.proof_types.is_empty() {
            (Vec::new(), Vec::new())
        } else {
            let keys = keys.take(options.proof_count())?;
            let nonce = self.nonce(&issuer, options).await?;
            let proofs = self.proofs(&issuer, configuration, &keys, nonce.as_deref(), options)?;
            (keys, proofs)
        };
        match self.credential(&issuer, token, selector, &proofs, options).await? {
            Answer::Deferred { transaction_id, interval_seconds } => {
                return Err(WalletError::Deferred { transaction_id, interval_seconds });
            }
            Answer::Issued { credentials, notification_id } => {
                for compact in credentials {
                    let verified = self.verify(&issuer, configuration, &compact, &keys, options).await?;
                    accepted.credentials.push(verified);
                }
                accepted.notification_ids.extend(notification_id);
            }
        }
        accepted.holder_keys.extend(keys);
        Ok(())
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

fn fits(issuer: &Issuer, offer: &Offer) -> bool {
    let hint = offer.pre_authorized.as_ref().and_then(|grant| grant.authorization_server.as_ref());
    issuer.metadata.credential_issuer == offer.credential_issuer
        && hint.is_none_or(|hint| *hint == issuer.authorization_server.issuer)
}

/// What can be known before a code is spent: does the offer need something the caller has not given, or we cannot do?
fn preflight(
    issuer: &Issuer,
    offer: &Offer,
    id: &str,
    configuration: &CredentialConfiguration,
    options: &Options,
) -> Result<(), WalletError> {
    let tx_code = offer.pre_authorized.as_ref().and_then(|grant| grant.tx_code.as_ref());
    if let Some(wanted) = tx_code.filter(|_| options.tx_code.is_none()) {
        let length = wanted.length.map_or(String::new(), |length| format!(", {length} characters"));
        let description = wanted.description.as_deref().unwrap_or("no description");
        let description = crate::render::printable(description);
        let kind = &wanted.input_mode;
        return Err(WalletError::Input(format!("a transaction code is needed ({kind}{length}): {description}")));
    }
    if options.client_id.is_none() && !issuer.authorization_server.anonymous_access {
        return Err(WalletError::Input(
            "the authorization server does not allow anonymous access (OpenID4VCI §12.3): a client_id is needed".into(),
        ));
    }
    if issuer.metadata.encryption_required {
        return Err(WalletError::Unsupported("credential requests or answers that must be encrypted".into()));
    }
    if configuration.format != "dc+sd-jwt" {
        return Err(WalletError::Unsupported(format!("the format {:?} of {id:?}", configuration.format)));
    }
    if configuration.proof_types.is_empty() {
        return Ok(());
    }
    let Some(jwt) = configuration.proof_types.get("jwt").filter(|jwt| !jwt.key_attestations_required) else {
        return Err(WalletError::Unsupported(format!("{id:?} takes no `jwt` proofs without key attestation")));
    };
    let reference = match options.key_reference {
        KeyReference::Jwk => Some("jwk"),
        KeyReference::DidKey => Some("did:key"),
        KeyReference::DidJwk => Some("did:jwk"),
        // App. F.1 allows it without a name in the metadata.
        KeyReference::X5c => None,
    };
    if let Some(method) = reference
        && !configuration.binding_methods.iter().any(|listed| listed == method)
    {
        return Err(WalletError::Input(format!("{id:?} does not list the binding method {method:?}")));
    }
    let algorithm = options.holder_keys.first().map_or(options.algorithm, |key| key.algorithm());
    if !algorithm.names().iter().any(|name| jwt.signing_algorithms.iter().any(|listed| listed == name)) {
        let listed = jwt.signing_algorithms.join(", ");
        return Err(WalletError::Input(format!("{id:?} takes proofs signed with {listed} only")));
    }
    let allowed = issuer.metadata.batch_size.unwrap_or(1);
    if u64::try_from(options.proof_count()).unwrap_or(u64::MAX) > allowed {
        return Err(WalletError::Input(format!("the issuer takes at most {allowed} proofs in one request")));
    }
    Ok(())
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
