use chancery_keys::{CertificateChain, PublicJwk};
use serde_json::{Map, Value};

use super::{BindingMethod, Expected, ProofError};
use crate::did::{self, Method};
use crate::explanation::{excerpt, excerpt_json, list};

/// How a key proof named its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyReference {
    /// The key itself, in `jwk`.
    Jwk,
    /// The first certificate of `x5c`.
    X5c,
    /// A DID URL in `kid`; this is the DID without its fragment.
    Did(String),
}

/// The key that the header names by exactly one of `kid`, `jwk` and `x5c` (OpenID4VCI Appendix F.1).
pub(super) fn named(
    header: &Map<String, Value>,
    expected: &Expected<'_>,
) -> Result<(PublicJwk, KeyReference), ProofError> {
    match (header.get("kid"), header.get("jwk"), header.get("x5c")) {
        (None, Some(jwk), None) => {
            advertised(BindingMethod::Jwk, "jwk", expected)?;
            from_jwk(jwk)
        }
        (Some(kid), None, None) => from_kid(kid, expected),
        (None, None, Some(x5c)) => {
            advertised(BindingMethod::Jwk, "x5c", expected)?;
            from_x5c(x5c, expected)
        }
        (None, None, None) => Err(ProofError::KeyMissing { header_names: names(header) }),
        (_, _, _) => Err(ProofError::SeveralKeys { header_names: names(header) }),
    }
}

fn from_jwk(jwk: &Value) -> Result<(PublicJwk, KeyReference), ProofError> {
    let malformed = || ProofError::KeyMalformed { parameter: "jwk", expected: "a JSON object", got: excerpt_json(jwk) };
    let key = PublicJwk::from_json(jwk.as_object().ok_or_else(malformed)?).map_err(ProofError::Key)?;
    Ok((key, KeyReference::Jwk))
}

fn from_kid(kid: &Value, expected: &Expected<'_>) -> Result<(PublicJwk, KeyReference), ProofError> {
    let malformed = || ProofError::KeyMalformed { parameter: "kid", expected: "a DID URL", got: excerpt_json(kid) };
    let did_url = kid.as_str().ok_or_else(malformed)?;
    let found = did::dereference(did_url).map_err(ProofError::Did)?;
    let method = match found.method {
        Method::Key => BindingMethod::DidKey,
        Method::Jwk => BindingMethod::DidJwk,
    };
    advertised(method, did_url, expected)?;
    Ok((found.key, KeyReference::Did(found.did)))
}

fn from_x5c(x5c: &Value, expected: &Expected<'_>) -> Result<(PublicJwk, KeyReference), ProofError> {
    if expected.trust_anchors.is_empty() {
        return Err(ProofError::NoTrustAnchors);
    }
    let malformed =
        || ProofError::KeyMalformed { parameter: "x5c", expected: "an array of certificates", got: excerpt_json(x5c) };
    let certificates = x5c.as_array().filter(|list| !list.is_empty()).ok_or_else(malformed)?;
    let chain = CertificateChain::from_x5c(certificates).map_err(ProofError::Chain)?;
    chain.verify(expected.trust_anchors, expected.now).map_err(ProofError::Chain)?;
    let key = chain.leaf_public_jwk().map_err(ProofError::Chain)?;
    Ok((key, KeyReference::X5c))
}

fn advertised(method: BindingMethod, got: &str, expected: &Expected<'_>) -> Result<(), ProofError> {
    if expected.binding_methods.contains(&method) {
        return Ok(());
    }
    Err(ProofError::BindingMethod { expected: list(expected.binding_methods), method, got: excerpt(got) })
}

fn names(header: &Map<String, Value>) -> String {
    excerpt(&list(header.keys()))
}
