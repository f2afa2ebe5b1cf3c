//! Which wallets an organisation admits by `client_id`.

use chancery_protocol::authorization::{RedirectUri, RedirectUriError};
use chancery_protocol::trust::{KeySetError, TrustedKey};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use thiserror::Error;

/// Longest `client_id`, in bytes.
const CLIENT_ID_LIMIT: usize = 2048;

/// Most redirect URIs of one client.
const REDIRECT_URI_LIMIT: usize = 50;

/// Which wallets an organisation admits by `client_id`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Clients {
    /// Any `client_id`, with any redirect URI.
    Any,
    /// Exactly these.
    Registered(Vec<RegisteredClient>),
}

impl Clients {
    /// Whether `client_id` may redeem offers.
    pub fn admit(&self, client_id: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Registered(_) => self.registered(client_id).is_some(),
        }
    }

    /// Whether any of them authenticates with keys of its own.
    pub fn have_keys(&self) -> bool {
        match self {
            Self::Any => false,
            Self::Registered(known) => known.iter().any(|client| !client.keys.is_empty()),
        }
    }

    /// What is registered for `client_id`.
    pub fn registered(&self, client_id: &str) -> Option<&RegisteredClient> {
        match self {
            Self::Any => None,
            Self::Registered(known) => known.iter().find(|client| client.client_id == client_id),
        }
    }
}

/// A client that the organisation knows. In JSON it is its `client_id`, or, when there is more to say, an object with
/// `clientId`, `redirectUris` and `jwks`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct RegisteredClient {
    client_id: String,
    redirect_uris: Vec<String>,
    keys: Vec<TrustedKey>,
}

impl RegisteredClient {
    /// Its identifier.
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// Where answers may go; none registered: anywhere the client proves to have asked for.
    pub fn redirect_uris(&self) -> &[String] {
        &self.redirect_uris
    }

    /// The keys it authenticates with (`private_key_jwt`); empty for a public client.
    pub fn keys(&self) -> &[TrustedKey] {
        &self.keys
    }
}

/// Why a client cannot be registered.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RegisteredClientError {
    /// No identifier, or a long one.
    #[error("a `clientId` of 1 to {CLIENT_ID_LIMIT} bytes is expected")]
    ClientId,
    /// Too many redirect URIs.
    #[error("at most {REDIRECT_URI_LIMIT} redirect URIs are accepted")]
    TooMany,
    /// Not a redirect URI.
    #[error("{0}")]
    RedirectUri(#[from] RedirectUriError),
    /// Not a JWK set of public keys.
    #[error("{0}")]
    Keys(#[from] KeySetError),
}

/// [`RegisteredClient`] in JSON.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Written {
    /// How clients were stored before they had more than a name, and how those still are.
    Id(String),
    Client(WrittenClient),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WrittenClient {
    client_id: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    redirect_uris: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    jwks: Option<Value>,
}

impl TryFrom<Written> for RegisteredClient {
    type Error = RegisteredClientError;

    fn try_from(written: Written) -> Result<Self, RegisteredClientError> {
        let WrittenClient { client_id, redirect_uris, jwks } = match written {
            Written::Id(client_id) => WrittenClient { client_id, redirect_uris: Vec::new(), jwks: None },
            Written::Client(client) => client,
        };
        if client_id.is_empty() || client_id.len() > CLIENT_ID_LIMIT {
            return Err(RegisteredClientError::ClientId);
        }
        if redirect_uris.len() > REDIRECT_URI_LIMIT {
            return Err(RegisteredClientError::TooMany);
        }
        for uri in &redirect_uris {
            RedirectUri::parse(uri)?;
        }
        let keys = match jwks {
            Some(jwks) => TrustedKey::parse_set(jwks.to_string().as_bytes())?,
            None => Vec::new(),
        };
        Ok(Self { client_id, redirect_uris, keys })
    }
}

impl From<RegisteredClient> for Written {
    fn from(client: RegisteredClient) -> Self {
        let RegisteredClient { client_id, redirect_uris, keys } = client;
        if redirect_uris.is_empty() && keys.is_empty() {
            return Self::Id(client_id);
        }
        let keys: Vec<Map<String, Value>> = keys.iter().map(TrustedKey::to_json).collect();
        let jwks = (!keys.is_empty()).then(|| json!({ "keys": keys }));
        Self::Client(WrittenClient { client_id, redirect_uris, jwks })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_that_were_stored_by_name_are_still_read_and_written_so() {
        let stored = json!({ "registered": ["wallet-dev"] });
        let clients: Clients = serde_json::from_value(stored.clone()).unwrap();
        assert!(clients.admit("wallet-dev") && !clients.admit("other"));
        assert_eq!(serde_json::to_value(&clients).unwrap(), stored);
        assert!(Clients::Any.admit("other") && Clients::Any.registered("other").is_none());
    }

    #[test]
    fn a_client_with_keys_and_redirect_uris_survives_storage() {
        let key = json!({ "kty": "EC", "crv": "P-256", "kid": "k1",
            "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4", "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM" });
        let written = json!({ "registered": [
            { "clientId": "w", "redirectUris": ["https://wallet.example/cb"], "jwks": { "keys": [key] } }
        ] });
        let clients: Clients = serde_json::from_value(written).unwrap();
        let client = clients.registered("w").unwrap();
        assert_eq!((client.redirect_uris().len(), client.keys()[0].key_id.as_deref()), (1, Some("k1")));
        let again: Clients = serde_json::from_value(serde_json::to_value(&clients).unwrap()).unwrap();
        assert_eq!(again, clients);
    }

    #[test]
    fn what_is_no_client_is_refused() {
        for wrong in [
            json!(""),
            json!({ "clientId": "" }),
            json!({ "clientId": "w", "redirectUris": ["javascript:alert(1)"] }),
            json!({ "clientId": "w", "jwks": { "keys": [] } }),
            json!({ "clientId": "w", "secret": "x" }),
        ] {
            assert!(serde_json::from_value::<RegisteredClient>(wrong.clone()).is_err(), "{wrong}");
        }
    }
}
