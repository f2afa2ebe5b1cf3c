//! Key proofs of type `jwt` (OpenID4VCI App. F.1).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::did;
use crate::error::WalletError;
use crate::keys::{HolderKey, object};
use crate::options::KeyReference;

/// What a key proof says. [`ProofOfPossession::sign`] turns it into a JWT.
#[derive(Debug, Clone)]
pub struct ProofOfPossession<'a> {
    /// `aud`: the Credential Issuer Identifier.
    pub audience: &'a str,
    /// `nonce`: a `c_nonce`.
    pub nonce: Option<&'a str>,
    /// `iss`: the `client_id`, absent for anonymous access.
    pub client_id: Option<&'a str>,
    /// `iat`, unix seconds.
    pub issued_at: i64,
    /// How the header names the key.
    pub key_reference: KeyReference,
    /// The algorithms the issuer accepts; they decide between `EdDSA` and `Ed25519`.
    pub algorithms: &'a [String],
    /// A key attestation for the header.
    pub key_attestation: Option<&'a str>,
}

impl ProofOfPossession<'_> {
    /// Signs the proof with `key`.
    ///
    /// # Errors
    /// [`WalletError::Input`] for [`KeyReference::X5c`] with a key that has no certificates; [`WalletError::Key`].
    pub fn sign(&self, key: &HolderKey) -> Result<String, WalletError> {
        let alg = key.algorithm().name_from(self.algorithms);
        let mut header = object([("typ", json!("openid4vci-proof+jwt")), ("alg", json!(alg))]);
        let (name, value) = match self.key_reference {
            KeyReference::Jwk => ("jwk", json!(key.public_jwk())),
            KeyReference::DidKey => ("kid", json!(did::key_url(key))),
            KeyReference::DidJwk => ("kid", json!(did::jwk_url(key))),
            KeyReference::X5c if key.certificates().is_empty() => {
                return Err(WalletError::Input("an x5c proof needs a holder key with certificates".into()));
            }
            KeyReference::X5c => {
                let chain: Vec<String> = key.certificates().iter().map(|der| STANDARD.encode(der)).collect();
                ("x5c", json!(chain))
            }
        };
        header.insert(name.into(), value);
        if let Some(attestation) = self.key_attestation {
            header.insert("key_attestation".into(), json!(attestation));
        }
        let mut claims = object([("aud", json!(self.audience)), ("iat", json!(self.issued_at))]);
        if let Some(client_id) = self.client_id {
            claims.insert("iss".into(), json!(client_id));
        }
        if let Some(nonce) = self.nonce {
            claims.insert("nonce".into(), json!(nonce));
        }
        key.sign_jwt(&header, &claims)
    }
}
