//! Who may vouch for wallets and for keys.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chancery_keys::{CertificateChain, ChainError};
use chancery_protocol::trust::{ChainRule, KeySetError, TrustList, TrustedKey};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use thiserror::Error;

use crate::Timestamp;

/// Most certificates of one purpose.
const CERTIFICATE_LIMIT: usize = 100;

/// What reasons call the lists.
const WALLET_PROVIDERS: &str = "wallet providers";
const KEY_ATTESTERS: &str = "key attesters";

/// The trust anchors of an organisation, by purpose.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct TrustAnchors {
    /// Those who attest wallets (OpenID4VCI Appendix E).
    pub wallet_providers: TrustedParties,
    /// Those who attest keys (OpenID4VCI Appendix D).
    pub key_attesters: TrustedParties,
}

impl TrustAnchors {
    /// Seconds before its end from which on a certificate is warned of.
    pub const NOTICE: u32 = 30 * 86_400;

    /// Certificates that have ended, or end within [`TrustAnchors::NOTICE`].
    pub fn expiring(&self, now: Timestamp) -> Vec<ExpiringAnchor> {
        let notice = now.plus_seconds(Self::NOTICE).seconds();
        let lists = [(WALLET_PROVIDERS, &self.wallet_providers), (KEY_ATTESTERS, &self.key_attesters)];
        let mut found = Vec::new();
        for (list, parties) in lists {
            for certificate in parties.certificates().filter_map(Result::ok) {
                let Some(not_after) = certificate.leaf_not_after().filter(|end| *end <= notice) else { continue };
                let subject = certificate.leaf_subject().unwrap_or_default().to_owned();
                found.push(ExpiringAnchor { list, subject, not_after, expired: not_after < now.seconds() });
            }
        }
        found
    }

    /// The wallet providers, for a check.
    pub fn wallet_providers(&self, chains: ChainRule) -> TrustList<'_> {
        self.wallet_providers.list(WALLET_PROVIDERS, chains)
    }

    /// The key attesters, for a check.
    pub fn key_attesters(&self, chains: ChainRule) -> TrustList<'_> {
        self.key_attesters.list(KEY_ATTESTERS, chains)
    }
}

/// A trusted certificate that has ended or is about to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpiringAnchor {
    /// What the list is called.
    pub list: &'static str,
    /// Subject of the certificate.
    pub subject: String,
    /// Its last second, unix.
    pub not_after: i64,
    /// Whether it has ended.
    pub expired: bool,
}

impl fmt::Display for ExpiringAnchor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { list, subject, not_after, expired } = self;
        let verb = if *expired { "ended" } else { "ends" };
        write!(f, "the certificate `{subject}` in the list `{list}` {verb} at {not_after} (unix seconds)")
    }
}

/// Those who are trusted for one purpose: certificates that chains lead to, keys that sign directly, or both. In JSON,
/// `certificates` holds base64 of DER, and `jwks` is a JWK set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct TrustedParties {
    certificates: Vec<Vec<u8>>,
    keys: Vec<TrustedKey>,
}

/// Why trusted parties cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TrustedPartiesError {
    /// Too many.
    #[error("at most {CERTIFICATE_LIMIT} certificates are accepted")]
    TooMany,
    /// Not base64 of a DER certificate.
    #[error("base64 of a DER certificate is expected")]
    Certificate {
        /// Which, from 0.
        position: usize,
    },
    /// Not a JWK set of public keys.
    #[error("{0}")]
    Keys(#[from] KeySetError),
}

impl TrustedParties {
    /// Reads `certificates` (base64 of DER) and a JWK set (`{"keys": […]}`; `None` when there is none).
    pub fn parse(certificates: &[String], jwks: Option<&Value>) -> Result<Self, TrustedPartiesError> {
        if certificates.len() > CERTIFICATE_LIMIT {
            return Err(TrustedPartiesError::TooMany);
        }
        let certificate = |(position, text): (usize, &String)| {
            let der = STANDARD.decode(text).ok();
            der.filter(|der| CertificateChain::from_der(vec![der.clone()]).is_ok())
                .ok_or(TrustedPartiesError::Certificate { position })
        };
        let certificates = certificates.iter().enumerate().map(certificate).collect::<Result<_, _>>()?;
        let keys = match jwks {
            Some(jwks) => TrustedKey::parse_set(jwks.to_string().as_bytes())?,
            None => Vec::new(),
        };
        Ok(Self { certificates, keys })
    }

    /// Whether nobody is trusted.
    pub fn is_empty(&self) -> bool {
        self.certificates.is_empty() && self.keys.is_empty()
    }

    /// The certificates, each as a chain of one.
    pub fn certificates(&self) -> impl Iterator<Item = Result<CertificateChain, ChainError>> {
        self.certificates.iter().map(|der| CertificateChain::from_der(vec![der.clone()]))
    }

    fn list<'p>(&'p self, name: &'p str, chains: ChainRule) -> TrustList<'p> {
        TrustList { name, certificates: &self.certificates, keys: &self.keys, chains }
    }
}

/// [`TrustedParties`] in JSON.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Written {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    certificates: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    jwks: Option<Value>,
}

impl TryFrom<Written> for TrustedParties {
    type Error = TrustedPartiesError;

    fn try_from(written: Written) -> Result<Self, TrustedPartiesError> {
        Self::parse(&written.certificates, written.jwks.as_ref())
    }
}

impl From<TrustedParties> for Written {
    fn from(parties: TrustedParties) -> Self {
        let keys: Vec<Map<String, Value>> = parties.keys.iter().map(TrustedKey::to_json).collect();
        Self {
            certificates: parties.certificates.iter().map(|der| STANDARD.encode(der)).collect(),
            jwks: (!keys.is_empty()).then(|| json!({ "keys": keys })),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn provider() -> Value {
        json!({
            "kty": "EC", "crv": "P-256", "kid": "provider-1",
            "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4", "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
        })
    }

    #[test]
    fn a_key_set_survives_storage() {
        let written = json!({ "walletProviders": { "jwks": { "keys": [provider()] } } });
        let anchors: TrustAnchors = serde_json::from_value(written).unwrap();
        assert_eq!(anchors.wallet_providers(ChainRule::Any).keys[0].key_id.as_deref(), Some("provider-1"));
        assert!(anchors.key_attesters.is_empty());
        let again = serde_json::from_value::<TrustAnchors>(serde_json::to_value(&anchors).unwrap()).unwrap();
        assert_eq!(again, anchors);
    }

    #[test]
    fn private_keys_and_things_that_are_no_certificates_are_refused() {
        let mut private = provider();
        private["d"] = json!("870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE");
        let refused = TrustedParties::parse(&[], Some(&json!({ "keys": [private] })));
        assert!(matches!(refused, Err(TrustedPartiesError::Keys(KeySetError::Private { position: 1, .. }))));
        let refused = TrustedParties::parse(&["AAAA".to_owned()], None);
        assert_eq!(refused, Err(TrustedPartiesError::Certificate { position: 0 }));
    }
}
