//! Who may vouch for a wallet or for a key: trust anchors as certificates, as keys, or both.

use std::fmt;

use chancery_keys::{CertificateChain, ChainError, JwkError, PublicJwk, jws::JwsError, jws::Unverified};
use serde_json::{Map, Value};
use thiserror::Error;

use crate::explanation::{excerpt, excerpt_json, list};
use crate::json::{self, JsonError};

/// Longest JWK set, in bytes.
const KEY_SET_LIMIT: usize = 256 * 1024;

/// Most keys in a JWK set.
const KEY_COUNT_LIMIT: usize = 100;

/// Names of trusted parties that are quoted in one reason.
const QUOTED_NAMES: usize = 4;

/// Those who are trusted for one purpose.
#[derive(Clone, Copy, Debug)]
pub struct TrustList<'a> {
    /// What the organisation calls the list, for reasons: `wallet providers`.
    pub name: &'a str,
    /// Certificates (DER) that `x5c` chains must lead to.
    pub certificates: &'a [Vec<u8>],
    /// Keys that sign directly.
    pub keys: &'a [TrustedKey],
    /// Which chains will do.
    pub chains: ChainRule,
}

/// Which `x5c` chains will do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ChainRule {
    /// Any that leads to an anchor, and keys named by `kid` as well.
    #[default]
    Any,
    /// As HAIP wants it: the key is always in `x5c`, the anchor is not inside, and the first certificate is not
    /// self-signed (HAIP 1.0 §4.4.1, §4.5.1).
    Haip,
}

/// A key out of a JWK set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedKey {
    /// What `kid` names it; a key without is tried for every signature.
    pub key_id: Option<String>,
    /// The key.
    pub key: PublicJwk,
}

/// Why a text is not a JWK set to trust.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum KeySetError {
    /// Not an acceptable JSON object.
    #[error("the JWK set: {0}")]
    Json(#[from] JsonError),
    /// `keys` is not an array of at most 100 objects (RFC 7517 §5).
    #[error("`keys` of the JWK set is {got}, expected an array of 1 to {KEY_COUNT_LIMIT} objects")]
    Keys {
        /// What came.
        got: String,
    },
    /// A key holds its private part. It is known to others now.
    #[error("key {position} of the JWK set holds the private member {member}")]
    Private {
        /// Which key, from 1.
        position: usize,
        /// The member.
        member: &'static str,
    },
    /// None of the keys can verify signatures here.
    #[error("none of the {got} keys of the JWK set is a signature key on P-256, P-384 or Ed25519")]
    NoneUsable {
        /// How many there are.
        got: usize,
    },
}

impl TrustedKey {
    /// Reads a JWK set (RFC 7517 §5). Keys for encryption and of unknown types are left out, as §5 advises; one that
    /// is private is refused.
    pub fn parse_set(jwks: &[u8]) -> Result<Vec<Self>, KeySetError> {
        let object = json::object(jwks, KEY_SET_LIMIT)?;
        let found = object.get("keys");
        let wrong = || KeySetError::Keys { got: found.map_or_else(|| "absent".to_owned(), excerpt_json) };
        let members = found.and_then(Value::as_array).ok_or_else(wrong)?;
        if members.is_empty() || members.len() > KEY_COUNT_LIMIT {
            return Err(KeySetError::Keys { got: format!("an array of {}", members.len()) });
        }
        let mut keys = Vec::new();
        for (index, member) in members.iter().enumerate() {
            let jwk = member.as_object().ok_or_else(wrong)?;
            match PublicJwk::from_json(jwk) {
                Err(JwkError::Private { member }) => {
                    return Err(KeySetError::Private { position: index + 1, member });
                }
                Ok(key) if jwk.get("use").is_none_or(|usage| usage == "sig") => {
                    let key_id = jwk.get("kid").and_then(Value::as_str).map(str::to_owned);
                    keys.push(Self { key_id, key });
                }
                Ok(_) | Err(_) => {}
            }
        }
        if keys.is_empty() { Err(KeySetError::NoneUsable { got: members.len() }) } else { Ok(keys) }
    }

    /// The key as a member of a JWK set.
    pub fn to_json(&self) -> Map<String, Value> {
        let mut jwk = self.key.to_json();
        if let Some(key_id) = &self.key_id {
            jwk.insert("kid".to_owned(), key_id.as_str().into());
        }
        jwk
    }
}

/// Who vouched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attester {
    /// The holder of a certificate that leads to an anchor; this is its subject.
    Certificate(String),
    /// The holder of a trusted key; this is its `kid`, or its thumbprint when it has none.
    Key(String),
}

impl fmt::Display for Attester {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Certificate(subject) => formatter.write_str(subject),
            Self::Key(key_id) => write!(formatter, "key {key_id}"),
        }
    }
}

/// Why nobody who is trusted vouches for a token.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TrustError {
    /// The list is empty.
    #[error("the list `{list}` is empty, so nobody is trusted")]
    NothingTrusted {
        /// Name of the list.
        list: String,
    },
    /// `x5c` is not an array of certificates.
    #[error("`x5c` is {got}, expected an array of certificates")]
    X5cMalformed {
        /// What came.
        got: String,
    },
    /// There is no `x5c` where one is demanded.
    #[error("the header has no `x5c`, which HAIP demands")]
    X5cMissing,
    /// The chain leads elsewhere.
    #[error("the chain ends at `{chain_end}`, which is not in the list `{list}` ({members})")]
    ChainEndsOutside {
        /// Issuer of the last certificate.
        chain_end: String,
        /// Name of the list.
        list: String,
        /// Who is in the list.
        members: String,
    },
    /// The certificates are malformed, expired or misused.
    #[error("`x5c`: {0}")]
    Chain(ChainError),
    /// The first certificate vouches for itself.
    #[error("the first certificate of `x5c`, `{subject}`, is self-signed")]
    SelfSigned {
        /// Its subject.
        subject: String,
    },
    /// The trust anchor is inside `x5c`.
    #[error("`x5c` contains the trust anchor `{subject}`")]
    AnchorInside {
        /// Its subject.
        subject: String,
    },
    /// `kid` names no trusted key, or there is neither `kid` nor `x5c` and no trusted key fits.
    #[error("the key `{key_id}` is not in the list `{list}` ({members})")]
    UnknownKey {
        /// What `kid` says; `unnamed` when it is absent.
        key_id: String,
        /// Name of the list.
        list: String,
        /// Who is in the list.
        members: String,
    },
    /// The signature does not fit the key.
    #[error(transparent)]
    Jws(JwsError),
}

impl TrustError {
    /// What the wallet's developer, or the operator, should change.
    pub(crate) fn help(&self) -> &'static str {
        match self {
            Self::NothingTrusted { .. } => {
                "the issuer must add the wallet provider's certificate or keys to its trust list"
            }
            Self::X5cMalformed { .. } => "send `x5c` as an array of base64 (not base64url) certificates, signer first",
            Self::X5cMissing => "put the signer's certificate and its issuers into `x5c`, without the trust anchor",
            Self::ChainEndsOutside { .. } | Self::UnknownKey { .. } => {
                "use an attestation of a provider that this issuer trusts, or ask the issuer to add the provider; if \
                 trust broke suddenly, the provider has probably renewed its certificate authority or key"
            }
            Self::Chain(_) => "send the signer's certificate first, then its issuers, all within their validity",
            Self::SelfSigned { .. } => "sign with a key whose certificate was issued by the trust anchor",
            Self::AnchorInside { .. } => "leave the trust anchor out of `x5c`",
            Self::Jws(_) => {
                "sign with the private key of the first certificate in `x5c`, or of the key that `kid` names; an ECDSA \
                 signature is the raw R and S (RFC 7518 §3.4), not DER"
            }
        }
    }
}

impl TrustList<'_> {
    /// Checks that somebody in the list signed `jws`, through `x5c` or directly. `now` in seconds since the epoch.
    ///
    /// `x5u` and `jku` are not looked at: nothing is fetched.
    pub(crate) fn verify(&self, jws: &Unverified, now: i64) -> Result<Attester, TrustError> {
        if self.certificates.is_empty() && self.keys.is_empty() {
            return Err(TrustError::NothingTrusted { list: excerpt(self.name) });
        }
        match (jws.header().get("x5c"), self.chains) {
            (Some(x5c), ChainRule::Haip) => self.through_chain(jws, x5c, now),
            (None, ChainRule::Haip) => Err(TrustError::X5cMissing),
            (Some(x5c), ChainRule::Any) if self.keys.is_empty() => self.through_chain(jws, x5c, now),
            // Who trusts a key trusts it with any certificates around it.
            (Some(x5c), ChainRule::Any) => {
                self.through_chain(jws, x5c, now).or_else(|error| self.directly(jws).map_err(|_| error))
            }
            (None, ChainRule::Any) => self.directly(jws),
        }
    }

    fn through_chain(&self, jws: &Unverified, x5c: &Value, now: i64) -> Result<Attester, TrustError> {
        let members = x5c.as_array().ok_or_else(|| TrustError::X5cMalformed { got: excerpt_json(x5c) })?;
        let chain = CertificateChain::from_x5c(members).map_err(TrustError::Chain)?;
        let subject = excerpt(chain.leaf_subject().unwrap_or_default());
        if self.chains == ChainRule::Haip && chain.is_leaf_self_signed() {
            return Err(TrustError::SelfSigned { subject });
        }
        chain.verify(self.certificates, now).map_err(|error| {
            let ChainError::UnknownIssuer { issuer } = &error else { return TrustError::Chain(error) };
            let (list, members) = (excerpt(self.name), self.members());
            TrustError::ChainEndsOutside { chain_end: excerpt(issuer), list, members }
        })?;
        let anchor = chain.der().find(|der| self.certificates.iter().any(|anchor| anchor == der));
        if let (ChainRule::Haip, Some(anchor)) = (self.chains, anchor) {
            return Err(TrustError::AnchorInside { subject: subject_of(anchor) });
        }
        let key = chain.leaf_public_jwk().map_err(TrustError::Chain)?;
        jws.verify(&key).map_err(TrustError::Jws)?;
        Ok(Attester::Certificate(subject))
    }

    fn directly(&self, jws: &Unverified) -> Result<Attester, TrustError> {
        let key_id = jws.header().get("kid").and_then(Value::as_str);
        let mut outcome = TrustError::UnknownKey {
            key_id: key_id.map_or_else(|| "unnamed".to_owned(), excerpt),
            list: excerpt(self.name),
            members: self.members(),
        };
        let named =
            |trusted: &&TrustedKey| key_id.is_none() || trusted.key_id.is_none() || trusted.key_id.as_deref() == key_id;
        for trusted in self.keys.iter().filter(named).filter(|trusted| trusted.key.algorithm() == jws.algorithm()) {
            match jws.verify(&trusted.key) {
                Ok(()) => return Ok(Attester::Key(trusted.name())),
                Err(error) if trusted.key_id.is_some() && trusted.key_id.as_deref() == key_id => {
                    outcome = TrustError::Jws(error);
                }
                Err(_) => {}
            }
        }
        Err(outcome)
    }

    /// Some of those in the list, for a sentence.
    fn members(&self) -> String {
        let total = self.certificates.len() + self.keys.len();
        let certificates = self.certificates.iter().map(|der| subject_of(der));
        let names = certificates.chain(self.keys.iter().map(TrustedKey::name)).take(QUOTED_NAMES);
        let named = list(names);
        if total > QUOTED_NAMES { format!("{named} and {} more", total - QUOTED_NAMES) } else { named }
    }
}

impl TrustedKey {
    fn name(&self) -> String {
        self.key_id.as_deref().map_or_else(|| self.key.thumbprint(), excerpt)
    }
}

fn subject_of(der: &[u8]) -> String {
    let chain = CertificateChain::from_der(vec![der.to_vec()]).ok();
    chain.and_then(|chain| chain.leaf_subject().map(excerpt)).unwrap_or_else(|| "unreadable".to_owned())
}

/// A value of ours that a wallet signs to show that its token is new: a nonce or a challenge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Echo<'a> {
    /// It may be there. What came is handed on.
    Optional,
    /// It must be there. What came is handed on, and whether it is ours is for the caller to find out.
    Required,
    /// It must be there and be this.
    Exactly(&'a str),
}

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) mod vectors;
