//! A credential shown without trusting it.

use serde_json::{Map, Value};

use crate::error::{Violation, WalletError};
use crate::jose::Jws;
use crate::sd_jwt::{Disclosure, SdJwt};

/// What an SD-JWT holds. Nothing in it has been verified.
#[derive(Clone)]
pub struct Inspection {
    /// The protected header.
    pub header: Map<String, Value>,
    /// The payload as it is signed, with its digests.
    pub payload: Map<String, Value>,
    /// The disclosed view; the payload itself when the disclosures do not fit.
    pub claims: Map<String, Value>,
    /// Every disclosure; empty when they do not fit.
    pub disclosures: Vec<Disclosure>,
    /// Digests for which there is no disclosure: decoys, or disclosures left out by a holder.
    pub undisclosed: usize,
    /// Header and payload of a key-binding JWT.
    pub key_binding: Option<(Map<String, Value>, Map<String, Value>)>,
    /// What a verifier would refuse, apart from signature and time.
    pub problems: Vec<Violation>,
}

impl std::fmt::Debug for Inspection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inspection")
            .field("disclosures", &self.disclosures.len())
            .field("problems", &self.problems)
            .finish_non_exhaustive()
    }
}

/// Decodes an SD-JWT, with or without key-binding JWT. The signature is not checked.
///
/// # Errors
/// [`WalletError::Violation`] for text that is no SD-JWT at all; lesser faults become [`Inspection::problems`].
pub fn inspect(sd_jwt: &str) -> Result<Inspection, WalletError> {
    let credential = SdJwt::parse(sd_jwt.trim())?;
    let payload = credential.jws().payload().clone();
    let mut problems = Vec::new();
    let typ = credential.jws().header_text("typ");
    if typ != Some("dc+sd-jwt") {
        problems.push(Violation::new(
            crate::Step::Verification,
            "SD-JWT VC §2.2.1",
            "the header typ is not the one of a credential",
            "\"dc+sd-jwt\"",
            format!("{typ:?}"),
        ));
    }
    let key_binding = match credential.key_binding().map(Jws::decode) {
        None => None,
        Some(Ok(jws)) => Some(jws.into_parts()),
        Some(Err(error)) => {
            problems.push(Violation::new(
                crate::Step::Verification,
                "RFC 9901 §4.3",
                "the key-binding JWT is malformed",
                "a compact JWS",
                error,
            ));
            None
        }
    };
    let (claims, disclosures, undisclosed) = match credential.disclose() {
        Ok(disclosed) => (disclosed.claims, disclosed.disclosures, disclosed.decoys),
        Err(problem) => {
            problems.push(problem);
            (payload.clone(), Vec::new(), 0)
        }
    };
    Ok(Inspection {
        header: credential.jws().header().clone(),
        payload,
        claims,
        disclosures,
        undisclosed,
        key_binding,
        problems,
    })
}
