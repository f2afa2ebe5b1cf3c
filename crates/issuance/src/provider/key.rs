//! Keys of providers. Signatures on elliptic curves are checked by this program's one provider of cryptography, in a
//! quarter of the time that the library takes for them.

use chancery_keys::{Algorithm, PublicJwk};
use openidconnect::core::{
    CoreJsonWebKey, CoreJsonWebKeySet, CoreJsonWebKeyType, CoreJsonWebKeyUse, CoreJwsSigningAlgorithm,
};
use openidconnect::{JsonWebKey, JsonWebKeyAlgorithm, JsonWebKeyId, JsonWebKeySet, SignatureVerificationError};
use serde::{Deserialize, Serialize};
use serde_json::Value;

const ON_CURVES: [(CoreJwsSigningAlgorithm, Algorithm); 3] = [
    (CoreJwsSigningAlgorithm::EcdsaP256Sha256, Algorithm::Es256),
    (CoreJwsSigningAlgorithm::EcdsaP384Sha384, Algorithm::Es384),
    (CoreJwsSigningAlgorithm::EdDsa, Algorithm::EdDsa),
];

/// One key of a provider.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct ProviderKey(CoreJsonWebKey);

/// The keys of a provider, for verifying.
pub(super) fn keys(published: &CoreJsonWebKeySet) -> JsonWebKeySet<ProviderKey> {
    JsonWebKeySet::new(published.keys().iter().cloned().map(ProviderKey).collect())
}

impl ProviderKey {
    fn on_curve(&self, algorithm: Algorithm) -> Option<PublicJwk> {
        let Ok(Value::Object(jwk)) = serde_json::to_value(&self.0) else { return None };
        PublicJwk::from_json(&jwk).ok().filter(|key| key.algorithm() == algorithm)
    }
}

impl JsonWebKey for ProviderKey {
    type KeyUse = CoreJsonWebKeyUse;
    type SigningAlgorithm = CoreJwsSigningAlgorithm;

    fn key_id(&self) -> Option<&JsonWebKeyId> {
        self.0.key_id()
    }

    fn key_type(&self) -> &CoreJsonWebKeyType {
        self.0.key_type()
    }

    fn key_use(&self) -> Option<&CoreJsonWebKeyUse> {
        self.0.key_use()
    }

    fn signing_alg(&self) -> JsonWebKeyAlgorithm<&CoreJwsSigningAlgorithm> {
        self.0.signing_alg()
    }

    fn new_symmetric(key: Vec<u8>) -> Self {
        Self(CoreJsonWebKey::new_symmetric(key))
    }

    fn verify_signature(
        &self,
        algorithm: &CoreJwsSigningAlgorithm,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), SignatureVerificationError> {
        let on_curve = ON_CURVES.iter().find(|(known, _)| known == algorithm);
        match on_curve.and_then(|(_, algorithm)| self.on_curve(*algorithm)) {
            Some(key) => key
                .verify(message, signature)
                .map_err(|_| SignatureVerificationError::CryptoError("the signature does not fit the key".to_owned())),
            None => self.0.verify_signature(algorithm, message, signature),
        }
    }

    fn hash_bytes(&self, bytes: &[u8], algorithm: &CoreJwsSigningAlgorithm) -> Result<Vec<u8>, String> {
        self.0.hash_bytes(bytes, algorithm)
    }
}
