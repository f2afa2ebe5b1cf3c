//! How the wallet shows who it is: attestation-based client authentication (ABCA draft-07, OpenID4VCI App. E).

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};

use crate::authority::Authority;
use crate::error::{Step, Violation, WalletError};
use crate::issuer::Issuer;
use crate::json;
use crate::keys::{Algorithm, HolderKey, object, random_text};
use crate::metadata::AuthorizationServer;
use crate::options::Options;
use crate::transport::{Reply, Request};
use crate::wallet::Wallet;

const CHALLENGE_HEADER: &str = "oauth-client-attestation-challenge";
/// Servers whose last challenge is remembered.
const MOST_CHALLENGES: usize = 256;

/// A wallet provider and one instance of its wallet.
pub struct WalletProvider {
    authority: Authority,
    instance: HolderKey,
    /// `sub` of the attestations, shared by all instances of the wallet.
    pub client_id: String,
    /// `wallet_name`, for people.
    pub name: Option<String>,
    /// Seconds that an attestation is good for.
    pub lifetime: i64,
}

impl fmt::Debug for WalletProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WalletProvider").field("client_id", &self.client_id).finish_non_exhaustive()
    }
}

impl WalletProvider {
    /// A provider of the wallet `client_id`, with a new instance.
    ///
    /// # Errors
    /// [`WalletError::Key`] when the key of the instance cannot be made.
    pub fn new(authority: Authority, client_id: impl Into<String>) -> Result<Self, WalletError> {
        let instance = HolderKey::generate(Algorithm::Es256)?;
        Ok(Self { authority, instance, client_id: client_id.into(), name: None, lifetime: 3600 })
    }

    /// Its authority.
    #[must_use]
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// The key of the instance, to which refresh tokens are bound.
    #[must_use]
    pub fn instance_key(&self) -> &HolderKey {
        &self.instance
    }

    /// The wallet attestation (ABCA draft-07 §5.1).
    ///
    /// # Errors
    /// [`WalletError::Key`].
    pub fn attestation(&self, now: i64) -> Result<String, WalletError> {
        let mut claims = object([
            // Draft-07 requires it, later drafts dropped it.
            ("iss", json!(self.client_id)),
            ("sub", json!(self.client_id)),
            ("iat", json!(now)),
            ("exp", json!(now + self.lifetime)),
            ("cnf", json!({"jwk": self.instance.public_jwk()})),
        ]);
        if let Some(name) = &self.name {
            claims.insert("wallet_name".into(), json!(name));
        }
        self.authority.sign("oauth-client-attestation+jwt", &claims)
    }

    /// The proof of possession for the authorization server `audience` (ABCA draft-07 §5.2).
    ///
    /// # Errors
    /// [`WalletError::Key`].
    pub fn proof(&self, audience: &str, challenge: Option<&str>, now: i64) -> Result<String, WalletError> {
        let header = object([("typ", json!("oauth-client-attestation-pop+jwt")), ("alg", json!("ES256"))]);
        let mut claims = object([
            ("iss", json!(self.client_id)),
            ("aud", json!(audience)),
            ("jti", json!(random_text::<16>()?)),
            ("iat", json!(now)),
        ]);
        if let Some(challenge) = challenge {
            claims.insert("challenge".into(), Value::from(challenge));
        }
        self.instance.sign_jwt(&header, &claims)
    }
}

/// The last challenge of each authorization server.
#[derive(Default)]
pub(crate) struct Challenges(Mutex<HashMap<String, String>>);

impl Challenges {
    /// ABCA draft-07 §8: any answer may bring the next one.
    pub(crate) fn remember(&self, server: &str, challenge: &str) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST_CHALLENGES {
            known.clear();
        }
        known.insert(server.to_owned(), challenge.to_owned());
    }

    fn last(&self, server: &str) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(server).cloned()
    }
}

impl Wallet {
    /// Asks for a challenge: POST without a body (ABCA draft-07 §8). `None` when the server has no challenge endpoint.
    ///
    /// # Errors
    /// [`WalletError::Refused`] or [`WalletError::Violation`].
    pub async fn challenge(&self, issuer: &Issuer, options: &Options) -> Result<Option<String>, WalletError> {
        let Some(url) = &issuer.authorization_server.challenge_endpoint else { return Ok(None) };
        let clause = "ABCA draft-07 §8";
        let reply = self.http.send(&Request::post(Step::Challenge, url, None, Vec::new()), &options.resolve).await?;
        let answer = reply.object(&[200], clause)?;
        reply.demand_no_store(clause)?;
        match answer.get("attestation_challenge") {
            Some(Value::String(challenge)) if !challenge.is_empty() => Ok(Some(challenge.clone())),
            other => {
                let got = json::kind_or_absent(other);
                Violation::err(Step::Challenge, clause, "attestation_challenge is wrong", "a non-empty string", got)
            }
        }
    }

    /// Makes sure that a challenge is at hand, when the server gives them out.
    pub(crate) async fn prepare_challenge(&self, issuer: &Issuer, options: &Options) -> Result<(), WalletError> {
        if options.wallet_provider.is_some()
            && let Some(challenge) = self.challenge(issuer, options).await?
        {
            self.challenges.remember(&issuer.authorization_server.issuer, &challenge);
        }
        Ok(())
    }

    /// Adds attestation and proof to a request to the authorization server.
    pub(crate) fn attest(&self, request: &mut Request, server: &str, options: &Options) -> Result<(), WalletError> {
        if let Some(provider) = &options.wallet_provider {
            let challenge = self.challenges.last(server);
            request.headers.push(("oauth-client-attestation", provider.attestation(self.now())?));
            let proof = provider.proof(server, challenge.as_deref(), self.now())?;
            request.headers.push(("oauth-client-attestation-pop", proof));
        }
        Ok(())
    }

    /// Remembers a challenge; tells whether the server demands one, so that the request has to be sent again.
    pub(crate) fn wants_challenge(&self, reply: &Reply, server: &str) -> Result<bool, WalletError> {
        let challenge = reply.header(CHALLENGE_HEADER);
        if let Some(challenge) = challenge {
            self.challenges.remember(server, challenge);
        }
        let wanted = reply.status >= 400 && reply.refusal().error.as_deref() == Some("use_attestation_challenge");
        if wanted && challenge.is_none() {
            return Violation::err(
                reply.step,
                "ABCA draft-07 §6.2",
                "use_attestation_challenge came without a challenge",
                "an OAuth-Client-Attestation-Challenge header",
                "none",
            );
        }
        Ok(wanted)
    }
}

/// What the wallet can find wrong with a server before it shows an attestation.
pub(crate) fn check(server: &AuthorizationServer, options: &Options) -> Result<(), WalletError> {
    let Some(provider) = &options.wallet_provider else { return Ok(()) };
    if options.client_id.as_ref().is_some_and(|client_id| *client_id != provider.client_id) {
        return Err(WalletError::Input("the client_id is not the one of the wallet attestation".into()));
    }
    let (attestations, proofs) = &server.attestation_algorithms;
    for listed in [attestations, proofs] {
        if !listed.is_empty() && !listed.iter().any(|name| name == "ES256") {
            return Violation::err(
                Step::AuthorizationServerMetadata,
                "HAIP §7",
                "wallet attestations signed with ES256 are not taken",
                "ES256 among the algorithms",
                listed.join(", "),
            );
        }
    }
    Ok(())
}
