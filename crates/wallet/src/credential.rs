//! The nonce request (OpenID4VCI §7) and the credential request (§8).

use std::sync::Arc;

use serde_json::{Value, json};

use crate::answer::Answer;
use crate::did;
use crate::dpop::Space;
use crate::error::{Step, Violation, WalletError};
use crate::issuer::Issuer;
use crate::json::{self, Object};
use crate::keys::HolderKey;
use crate::metadata::CredentialConfiguration;
use crate::options::{KeyAttestation, KeyReference, Options};
use crate::proof::ProofOfPossession;
use crate::token::Token;
use crate::transport::Request;
use crate::verify::{Expected, Holder, VerifiedCredential, check_mandatory};
use crate::wallet::Wallet;

/// Names the wanted credential (OpenID4VCI §8.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selector {
    /// `credential_configuration_id`.
    ConfigurationId(String),
    /// `credential_identifier`, which is the only way once the token answer has `authorization_details`.
    Identifier(String),
}

impl Selector {
    /// Every credential that `token` allows for one configuration.
    #[must_use]
    pub fn for_configuration(token: &Token, configuration_id: &str) -> Vec<Self> {
        if token.authorization_details.is_empty() {
            return vec![Self::ConfigurationId(configuration_id.to_owned())];
        }
        let details = token.authorization_details.iter();
        details
            .filter(|detail| detail.configuration_id == configuration_id)
            .flat_map(|detail| detail.credential_identifiers.iter().cloned().map(Self::Identifier))
            .collect()
    }
}

/// The `proofs` of a credential request.
#[derive(Clone, Default)]
pub struct Proofs {
    /// The proof type: `jwt` or `attestation`.
    pub kind: &'static str,
    /// The tokens; none for a credential that is bound to no key.
    pub tokens: Vec<String>,
    /// How many keys they prove.
    pub keys: usize,
}

impl Wallet {
    /// Asks for a `c_nonce`: POST, no body, no access token. `None` when the issuer has no nonce endpoint.
    ///
    /// # Errors
    /// [`WalletError::Refused`] or [`WalletError::Violation`].
    pub async fn nonce(&self, issuer: &Issuer, options: &Options) -> Result<Option<String>, WalletError> {
        let Some(url) = &issuer.metadata.nonce_endpoint else { return Ok(None) };
        let clause = "OpenID4VCI §7.2";
        let request = Request::post(Step::Nonce, url, None, Vec::new());
        let reply = self.http.send(&request, &options.resolve).await?;
        let answer = reply.object(&[200, 201], clause)?;
        reply.demand_no_store(clause)?;
        // §7.2: a DPoP-Nonce here is meant for the credential endpoint.
        self.nonces.remember(Space::ResourceServer, &issuer.metadata.credential_issuer, &reply);
        match answer.get("c_nonce") {
            Some(Value::String(nonce)) if !nonce.is_empty() => Ok(Some(nonce.clone())),
            other => {
                let got = json::kind_or_absent(other);
                Violation::err(Step::Nonce, clause, "c_nonce is wrong", "a non-empty string", got)
            }
        }
    }

    /// Proves `keys`: one `jwt` proof for each, or one key attestation for all.
    ///
    /// # Errors
    /// [`WalletError::Input`] or [`WalletError::Key`].
    pub fn proofs(
        &self,
        issuer: &Issuer,
        configuration: &CredentialConfiguration,
        keys: &[Arc<HolderKey>],
        nonce: Option<&str>,
        options: &Options,
    ) -> Result<Proofs, WalletError> {
        let attester = options.key_attester.as_ref();
        let attestation = attester.map(|attester| attester.attest(keys.iter().map(Arc::as_ref), nonce, self.now()));
        let attestation = attestation.transpose()?;
        if options.key_attestation == KeyAttestation::Alone {
            let Some(attestation) = attestation else {
                return Err(WalletError::Input("the proof type `attestation` needs a key attester".into()));
            };
            return Ok(Proofs { kind: "attestation", tokens: vec![attestation], keys: keys.len() });
        }
        let listed = configuration.proof_types.get("jwt");
        let proof = ProofOfPossession {
            audience: &issuer.metadata.credential_issuer,
            nonce,
            // App. F.1: no `iss` when the token was given to nobody in particular.
            client_id: options.client(),
            issued_at: self.now(),
            key_reference: options.key_reference,
            algorithms: listed.map(|listed| listed.signing_algorithms.as_slice()).unwrap_or_default(),
            key_attestation: attestation.as_deref(),
        };
        // App. F.1: each proof of a batch may carry the attestation of all keys.
        let tokens = keys.iter().map(|key| proof.sign(key)).collect::<Result<_, _>>()?;
        Ok(Proofs { kind: "jwt", tokens, keys: keys.len() })
    }

    /// Sends one credential request.
    ///
    /// # Errors
    /// [`WalletError::Refused`] or [`WalletError::Violation`].
    pub async fn credential(
        &self,
        issuer: &Issuer,
        token: &Token,
        selector: &Selector,
        proofs: &Proofs,
        options: &Options,
    ) -> Result<Answer, WalletError> {
        let mut body = Object::new();
        match selector {
            Selector::ConfigurationId(id) => body.insert("credential_configuration_id".into(), json!(id)),
            Selector::Identifier(id) => body.insert("credential_identifier".into(), json!(id)),
        };
        if !proofs.tokens.is_empty() {
            let mut member = Object::new();
            member.insert(proofs.kind.into(), json!(proofs.tokens));
            body.insert("proofs".into(), Value::Object(member));
        }
        let url = &issuer.metadata.credential_endpoint;
        let (status, answer) = self.ask(Step::Credential, url, issuer, token, body, options).await?;
        Answer::read(&answer, status == 202, proofs.keys)
    }

    /// Verifies a credential of `configuration` that must be bound to one of `keys` (none: not bound).
    ///
    /// # Errors
    /// [`WalletError::Violation`] with the broken rule; [`WalletError::Transport`] when the issuer's keys cannot be read.
    pub async fn verify(
        &self,
        issuer: &Issuer,
        configuration: &CredentialConfiguration,
        compact: &str,
        keys: &[Arc<HolderKey>],
        options: &Options,
    ) -> Result<VerifiedCredential, WalletError> {
        let expected = Expected {
            now: self.now(),
            vct: configuration.vct.clone(),
            algorithms: configuration.signing_algorithms.clone(),
            holders: Some(keys.iter().map(|key| holder(key, options.key_reference)).collect()),
        };
        let verified = issuer.verify(&self.http, compact, &expected, options).await?;
        check_mandatory(&verified, configuration)?;
        Ok(verified)
    }
}

fn holder(key: &HolderKey, reference: KeyReference) -> Holder {
    Holder {
        thumbprint: key.thumbprint().to_owned(),
        did_url: match reference {
            KeyReference::DidKey => Some(did::key_url(key)),
            KeyReference::DidJwk => Some(did::jwk_url(key)),
            KeyReference::Jwk | KeyReference::X5c => None,
        },
    }
}
