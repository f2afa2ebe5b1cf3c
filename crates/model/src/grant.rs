//! What an authorisation allows.

use serde::{Deserialize, Serialize};

use crate::{EntryId, ExchangeId, GrantId, SecretHash, Timestamp};

/// An authorisation: the access token points to it.
#[derive(Clone, Debug)]
pub struct Grant {
    /// Admin-side id.
    pub id: GrantId,
    /// The exchange it belongs to.
    pub exchange_id: ExchangeId,
    /// `client_id` of the token request; `None` for anonymous access.
    pub client_id: Option<String>,
    /// RFC 7638 thumbprint of the DPoP key; `None` for a Bearer token.
    pub dpop_thumbprint: Option<String>,
    /// What may be asked for.
    pub credentials: Vec<GrantedCredential>,
    /// Whether the token response carried `authorization_details`, so that requests must name a
    /// `credential_identifier` (OpenID4VCI §8.2).
    pub by_identifier: bool,
    /// Hash of the access token.
    pub access_token_hash: SecretHash,
    /// From this instant on the access token is refused.
    pub access_token_expires_at: Timestamp,
    /// Whether a refresh token was exchanged for it.
    pub refreshed: bool,
    /// When it was made.
    pub created_at: Timestamp,
}

/// One configuration that a grant covers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantedCredential {
    /// The definition's entry.
    pub entry: EntryId,
    /// Which dataset of that entry, from 0.
    #[serde(default)]
    pub dataset: u16,
    /// Its published configuration id.
    pub configuration_id: String,
    /// `credential_identifiers` value for its dataset: base64url of 16 random bytes.
    pub identifier: String,
}
