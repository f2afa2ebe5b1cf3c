//! Keys for the management API.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{ApiKeyId, Env, OrganisationId, Timestamp};

/// What a key may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Everything inside its organisation.
    Admin,
    /// Issues and reads; cannot change definitions, keys or access.
    Issuer,
    /// Reads.
    Auditor,
}

impl Role {
    /// Name in the API, in the audit log and in the database.
    pub fn name(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Issuer => "issuer",
            Self::Auditor => "auditor",
        }
    }
}

/// SHA-256 of a code, token or key; the only form in which those are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SecretHash([u8; 32]);

impl SecretHash {
    /// Hashes the text form of a secret.
    pub fn of(secret: &str) -> Self {
        Self(chancery_keys::sha256(secret.as_bytes()))
    }

    /// Wraps a stored hash; `None` unless it has 32 bytes.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// First 8 hexadecimal digits: enough to recognise a value in a transcript, useless to guess it.
    pub fn prefix(&self) -> String {
        self.0.iter().take(4).map(|byte| format!("{byte:02x}")).collect()
    }
}

/// An API key as stored.
#[derive(Clone, Debug)]
pub struct ApiKey {
    /// Admin-side id.
    pub id: ApiKeyId,
    /// Name given by the administrator.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// Hash of the secret text.
    pub hash: SecretHash,
    /// When it was created.
    pub created_at: Timestamp,
    /// From this instant on it is refused.
    pub expires_at: Timestamp,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// The sandbox organisation for which it acts, instead of the one it belongs to.
    pub sandbox: Option<OrganisationId>,
    /// Last use, to the minute.
    pub last_used_at: Option<Timestamp>,
}

/// The sandbox organisation to which an API key is bound, if it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Binding(pub Option<OrganisationId>);

impl ApiKey {
    /// Whom it acts for.
    pub fn binding(&self) -> Binding {
        Binding(self.sandbox)
    }

    /// Whether the key opens anything at `now`.
    pub fn is_valid(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && now < self.expires_at
    }
}

/// The text of an API key, known only to the caller. It names its organisation, so that looking it up never crosses
/// from one organisation to another: `chy_` + base64url(16 bytes organisation id ‖ 32 random bytes).
#[derive(Clone)]
pub struct ApiKeySecret {
    organisation: OrganisationId,
    text: String,
}

impl ApiKeySecret {
    /// A new key text for `organisation`.
    pub fn generate(organisation: OrganisationId, env: &Env) -> Self {
        let mut bytes = organisation.as_uuid().as_bytes().to_vec();
        bytes.extend_from_slice(&env.random::<32>());
        Self { organisation, text: format!("chy_{}", URL_SAFE_NO_PAD.encode(bytes)) }
    }

    /// Reads a key text; `None` when it cannot be one.
    pub fn parse(text: &str) -> Option<Self> {
        let encoded = text.strip_prefix("chy_").filter(|encoded| encoded.len() == 64)?;
        let bytes = URL_SAFE_NO_PAD.decode(encoded).ok()?;
        let organisation = Uuid::from_slice(bytes.get(..16)?).ok()?.into();
        Some(Self { organisation, text: text.to_owned() })
    }

    /// The organisation the key claims to belong to; proven only by finding its hash there.
    pub fn organisation(&self) -> OrganisationId {
        self.organisation
    }

    /// What is stored.
    pub fn hash(&self) -> SecretHash {
        SecretHash::of(&self.text)
    }

    /// The text, to be shown once.
    pub fn reveal(&self) -> &str {
        &self.text
    }
}

impl fmt::Debug for ApiKeySecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ApiKeySecret(of {})", self.organisation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_names_its_organisation_and_survives_a_round_trip() {
        let env = Env::system();
        let organisation = OrganisationId::from(env.uuid(env.now()));
        let key = ApiKeySecret::generate(organisation, &env);
        let read = ApiKeySecret::parse(key.reveal()).unwrap();
        assert_eq!((read.organisation(), read.hash()), (organisation, key.hash()));
        assert!(!format!("{key:?}").contains(key.reveal()));
    }

    #[test]
    fn other_texts_are_not_keys() {
        for text in ["", "chy_", "chy_short", &format!("chy_{}", "=".repeat(64)), &"a".repeat(68)] {
            assert!(ApiKeySecret::parse(text).is_none(), "{text}");
        }
    }
}
