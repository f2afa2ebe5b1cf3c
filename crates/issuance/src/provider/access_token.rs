//! Signatures of access tokens (RFC 9068 §4) by the keys that a provider publishes.

use std::time::Duration;

use chancery_keys::jws::Opened;
use chancery_keys::sha256;
use moka::future::Cache;
use openidconnect::core::{CoreJsonWebKeyUse, CoreJwsSigningAlgorithm};
use openidconnect::{JsonWebKey as _, JsonWebKeyAlgorithm};
use serde_json::Value;

use super::key::{self, ProviderKey};
use super::{ALGORITHMS, Metadata, ProviderError};
use crate::Context;

/// Most keys that are tried for a token without `kid`.
const MOST_KEYS: usize = 8;

/// Why the signature of a token is not believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SignatureRejection {
    /// `alg` is absent, `none`, symmetric, or none that we take.
    Algorithm,
    /// No key of the provider fits, or the signature does not.
    Signature,
    /// The keys of the provider could not be had, so nothing is known about the token.
    Provider(ProviderError),
}

/// Signatures that were found good lately, by hash of their token.
pub(crate) struct Verified(Cache<[u8; 32], ()>);

impl Default for Verified {
    fn default() -> Self {
        Self(Cache::builder().max_capacity(10_000).time_to_live(Self::LIFETIME).build())
    }
}

impl Verified {
    /// Far below the time for which the keys themselves are believed.
    const LIFETIME: Duration = Duration::from_secs(60);
}

/// Checks the signature of a token against the keys of the provider with this issuer identifier, which must be the token's
/// `iss`. An unknown key is looked for once more at the provider.
pub(crate) async fn verify(ctx: &Context, issuer: &str, token: &Opened) -> Result<(), SignatureRejection> {
    let algorithm = algorithm(token)?;
    let hash = sha256(&[token.message.as_slice(), b".", token.signature.as_slice()].concat());
    if ctx.verified_tokens().0.get(&hash).await.is_some() {
        return Ok(());
    }
    let metadata = ctx.provider_metadata(issuer).await.map_err(SignatureRejection::Provider)?;
    let mut keys = candidates(&metadata, token, &algorithm);
    if keys.is_empty() {
        let renewed = ctx.renewed_provider_metadata(issuer).await.map_err(SignatureRejection::Provider)?;
        keys = candidates(&renewed, token, &algorithm);
    }
    let fits = |key: &ProviderKey| key.verify_signature(&algorithm, &token.message, &token.signature).is_ok();
    if !keys.iter().take(MOST_KEYS).any(fits) {
        return Err(SignatureRejection::Signature);
    }
    ctx.verified_tokens().0.insert(hash, ()).await;
    Ok(())
}

fn algorithm(token: &Opened) -> Result<CoreJwsSigningAlgorithm, SignatureRejection> {
    let name = token.header.get("alg").cloned().unwrap_or(Value::Null);
    let algorithm: Option<CoreJwsSigningAlgorithm> = serde_json::from_value(name).ok();
    algorithm.filter(|algorithm| ALGORITHMS.contains(algorithm)).ok_or(SignatureRejection::Algorithm)
}

/// Keys for signatures of this algorithm, under the token's `kid` if it has one.
fn candidates(metadata: &Metadata, token: &Opened, algorithm: &CoreJwsSigningAlgorithm) -> Vec<ProviderKey> {
    let kid = token.header.get("kid").and_then(Value::as_str);
    let fits = |key: &ProviderKey| {
        let is_named = kid.is_none_or(|kid| key.key_id().is_some_and(|id| id.as_str() == kid));
        let is_for_signing = key.key_use().is_none_or(|it| *it == CoreJsonWebKeyUse::Signature);
        let is_of_algorithm = match key.signing_alg() {
            JsonWebKeyAlgorithm::Algorithm(of_key) => of_key == algorithm,
            JsonWebKeyAlgorithm::Unspecified => true,
            JsonWebKeyAlgorithm::Unsupported => false,
        };
        is_named && is_for_signing && is_of_algorithm
    };
    key::keys(metadata.jwks()).keys().iter().filter(|key| fits(key)).cloned().collect()
}
