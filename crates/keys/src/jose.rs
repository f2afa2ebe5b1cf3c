//! The one place that calls josekit: compact framing, with the arithmetic handed to aws-lc-rs.

use std::fmt;

use josekit::JoseError;
use josekit::jws::{JwsAlgorithm, JwsContext, JwsHeader, JwsSigner, JwsVerifier};
use serde_json::{Map, Value};

use crate::{Algorithm, PublicJwk};

pub(crate) mod encryption;

/// Why josekit did not verify a compact JWS.
#[derive(Debug)]
pub(crate) enum Refusal {
    Signature,
    Framing { reason: String },
}

/// `base64url(header) "." base64url(payload) "."`: the signing input of RFC 7515 §5.1 and the dot after it. The header
/// gets `alg`. The caller signs all but the last dot and appends the signature, so that a signer may take its time.
pub(crate) fn frame(header: Map<String, Value>, payload: &[u8], algorithm: Algorithm) -> Result<String, String> {
    let header = JwsHeader::from_map(header).map_err(reason)?;
    JwsContext::new().serialize_compact(payload, &header, &Unsigned(Name(algorithm))).map_err(reason)
}

/// Verifies a compact JWS with `key`; its header must name the key's algorithm.
pub(crate) fn verify(compact: &str, key: &PublicJwk) -> Result<(), Refusal> {
    let verifier = Verifier { name: Name(key.algorithm()), key: key.clone() };
    match JwsContext::new().deserialize_compact(compact, &verifier) {
        Ok(_) => Ok(()),
        Err(JoseError::InvalidSignature(_)) => Err(Refusal::Signature),
        Err(error) => Err(Refusal::Framing { reason: reason(error) }),
    }
}

fn reason(error: JoseError) -> String {
    error.to_string()
}

#[derive(Debug, Clone, Copy)]
struct Name(Algorithm);

impl JwsAlgorithm for Name {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn box_clone(&self) -> Box<dyn JwsAlgorithm> {
        Box::new(*self)
    }
}

/// Leaves the signature empty.
#[derive(Debug, Clone, Copy)]
struct Unsigned(Name);

impl JwsSigner for Unsigned {
    fn algorithm(&self) -> &dyn JwsAlgorithm {
        &self.0
    }

    fn key_id(&self) -> Option<&str> {
        None
    }

    fn signature_len(&self) -> usize {
        // Capacity only: the signature is appended afterwards, without moving the text.
        self.0.0.signature_len()
    }

    fn sign(&self, _message: &[u8]) -> Result<Vec<u8>, JoseError> {
        Ok(Vec::new())
    }

    fn box_clone(&self) -> Box<dyn JwsSigner> {
        Box::new(*self)
    }
}

#[derive(Clone)]
struct Verifier {
    name: Name,
    key: PublicJwk,
}

impl fmt::Debug for Verifier {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.key.fmt(formatter)
    }
}

impl JwsVerifier for Verifier {
    fn algorithm(&self) -> &dyn JwsAlgorithm {
        &self.name
    }

    fn key_id(&self) -> Option<&str> {
        None
    }

    fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), JoseError> {
        self.key.verify(message, signature).map_err(|error| JoseError::InvalidSignature(error.into()))
    }

    fn box_clone(&self) -> Box<dyn JwsVerifier> {
        Box::new(self.clone())
    }
}
