use chancery_keys::{KeyError, Signer};
use serde_json::{Map, Value};

/// How the header of a token names the key that signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyReference {
    /// The signer's certificate chain (SD-JWT VC §2.5, HAIP §6.1.1); the signer must have one.
    X5c,
    /// The signer's key id, as published in the issuer's metadata (SD-JWT VC §4).
    Kid,
}

impl KeyReference {
    /// Adds `x5c` or `kid` to the header of a JWS.
    pub(crate) fn add_to(self, header: &mut Map<String, Value>, signer: &Signer) -> Result<(), KeyError> {
        match self {
            Self::X5c => {
                require_certificates(signer)?;
                header.insert("x5c".to_owned(), signer.certificate_chain().to_x5c().into());
            }
            Self::Kid => {
                header.insert("kid".to_owned(), signer.key_id().into());
            }
        }
        Ok(())
    }
}

/// Refuses a key without certificates: RFC 7515 §4.1.6 and RFC 9360 §2 want at least that of the key.
pub(crate) fn require_certificates(signer: &Signer) -> Result<(), KeyError> {
    if signer.certificate_chain().is_empty() {
        return Err(KeyError::Header("x5c needs a certificate chain and the key has none".to_owned()));
    }
    Ok(())
}
