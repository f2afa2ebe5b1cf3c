//! Where people sign in.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// The OpenID Provider at which an organisation's people sign in. An organisation has at most one.
#[derive(Clone, PartialEq, Eq)]
pub struct IdentityProvider {
    /// Its issuer identifier, an `https` URL (OpenID Connect Discovery 1.0 §3).
    pub issuer: String,
    /// What we are called there.
    pub client_id: String,
    /// How we authenticate at its token endpoint.
    pub authentication: ProviderAuthentication,
    /// Sealed client secret; `None` for methods without one.
    pub sealed_secret: Option<Vec<u8>>,
    /// Scopes to ask for, always with `openid`.
    pub scopes: Vec<String>,
    /// When it was connected.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

impl fmt::Debug for IdentityProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IdentityProvider({})", self.issuer)
    }
}

/// How we authenticate at an identity provider (OpenID Connect Core 1.0 §9).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProviderAuthentication {
    /// With a secret in the `Authorization` header.
    ClientSecretBasic,
    /// With a secret in the body.
    ClientSecretPost,
    /// With a JWT under the organisation's signing key, which its JWK set publishes.
    PrivateKeyJwt,
    /// Not at all: PKCE alone protects the code.
    None,
}

impl ProviderAuthentication {
    /// Whether it takes a secret.
    pub fn has_secret(self) -> bool {
        matches!(self, Self::ClientSecretBasic | Self::ClientSecretPost)
    }
}
