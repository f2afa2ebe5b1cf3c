use std::num::NonZeroU32;

use chancery_keys::{Algorithm, KeyError, Signer, jws};
use ciborium::Value as Cbor;
use coset::{CoseSign1, CoseSign1Builder, Header, HeaderBuilder, TaggedCborSerializable as _, iana};
use serde_json::{Map, Value};

use super::Claim;
use crate::KeyReference;
use crate::key_reference::require_certificates;

/// The `typ` of a token as JWT (§5.1).
pub const TYP: &str = "statuslist+jwt";
/// The media type of a token as JWT (§8.1).
pub const JWT_MEDIA_TYPE: &str = "application/statuslist+jwt";
/// The media type of a token as CWT (§8.1), also its type (§5.2).
pub const CWT_MEDIA_TYPE: &str = "application/statuslist+cwt";

/// Header parameter `typ` (RFC 9596 §2).
const COSE_TYP: i64 = 16;
/// Header parameter `x5chain` (RFC 9360 §2).
const COSE_X5CHAIN: i64 = 33;

/// Claims of a CWT: RFC 8392 §3.1 and §5.2 of the draft.
const CWT_SUB: u32 = 2;
const CWT_EXP: u32 = 4;
const CWT_IAT: u32 = 6;
const CWT_STATUS_LIST: u32 = 65_533;
const CWT_TTL: u32 = 65_534;

/// What a Status List Token says (§5). Times are unix seconds.
///
/// A list for mdoc needs `expires_at`, one bit an entry, and certificates (ISO/IEC 18013-5, second edition, 12.3.6.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// The URL of the list, equal to [`super::Reference::uri`] in the credentials; becomes `sub`.
    pub uri: String,
    /// The `iat` claim.
    pub issued_at: i64,
    /// The `exp` claim.
    pub expires_at: Option<i64>,
    /// The `ttl` claim: for how many seconds a copy may be used before a fresh one is fetched. Never longer than
    /// revocations may take to be seen.
    pub ttl: Option<NonZeroU32>,
    /// The list.
    pub status_list: Claim,
}

/// Why a token was not signed.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// The key did not sign, or has no certificates where they are asked for.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The claims have no JSON form.
    #[error("the claims cannot be written as JSON")]
    Json(#[from] serde_json::Error),
    /// The claims have no CBOR form.
    #[error("the token cannot be written as CBOR: {reason}")]
    Cbor {
        /// As the encoder names it.
        reason: String,
    },
}

impl Token {
    /// Signs as a JWT in compact form (§5.1), the only one for SD-JWT VC credentials (SD-JWT VC §2.2.2.3).
    ///
    /// # Errors
    /// Whatever the key answers, and [`KeyError::Header`] for [`KeyReference::X5c`] with a key that has no
    /// certificates.
    pub async fn sign_jwt(&self, signer: &Signer, key_reference: KeyReference) -> Result<String, SignError> {
        let mut header = Map::with_capacity(3);
        header.insert("typ".to_owned(), TYP.into());
        key_reference.add_to(&mut header, signer)?;
        let payload = serde_json::to_vec(&self.jwt_claims())?;
        Ok(jws::sign(header, &payload, signer).await?)
    }

    /// Signs as a CWT: a tagged COSE_Sign1 without the tag of CWT (§5.2). `key_reference` decides between `x5chain`,
    /// protected as mdoc wants it, and `kid`.
    ///
    /// # Errors
    /// As [`Token::sign_jwt`].
    pub async fn sign_cwt(&self, signer: &Signer, key_reference: KeyReference) -> Result<Vec<u8>, SignError> {
        let mut protected =
            HeaderBuilder::new().algorithm(cose_algorithm(signer.algorithm())).value(COSE_TYP, CWT_MEDIA_TYPE.into());
        let mut unprotected = Header::default();
        match key_reference {
            KeyReference::X5c => {
                require_certificates(signer)?;
                protected = protected.value(COSE_X5CHAIN, x5chain(signer));
            }
            KeyReference::Kid => unprotected.key_id = signer.key_id().into(),
        }
        let mut payload = Vec::new();
        ciborium::into_writer(&self.cwt_claims(), &mut payload).map_err(cbor)?;
        let mut message: CoseSign1 =
            CoseSign1Builder::new().protected(protected.build()).unprotected(unprotected).payload(payload).build();
        message.signature = signer.sign(&message.tbs_data(&[])).await?;
        message.to_tagged_vec().map_err(cbor)
    }

    fn jwt_claims(&self) -> Value {
        let mut claims = Map::with_capacity(5);
        claims.insert("sub".to_owned(), self.uri.as_str().into());
        claims.insert("iat".to_owned(), self.issued_at.into());
        if let Some(expires_at) = self.expires_at {
            claims.insert("exp".to_owned(), expires_at.into());
        }
        if let Some(ttl) = self.ttl {
            claims.insert("ttl".to_owned(), ttl.get().into());
        }
        claims.insert("status_list".to_owned(), self.status_list.to_json());
        Value::Object(claims)
    }

    fn cwt_claims(&self) -> Cbor {
        let mut claims: Vec<(Cbor, Cbor)> = Vec::with_capacity(5);
        claims.push((CWT_SUB.into(), self.uri.as_str().into()));
        claims.push((CWT_IAT.into(), self.issued_at.into()));
        if let Some(expires_at) = self.expires_at {
            claims.push((CWT_EXP.into(), expires_at.into()));
        }
        if let Some(ttl) = self.ttl {
            claims.push((CWT_TTL.into(), ttl.get().into()));
        }
        claims.push((CWT_STATUS_LIST.into(), self.status_list.to_cbor()));
        Cbor::Map(claims)
    }
}

fn cose_algorithm(algorithm: Algorithm) -> iana::Algorithm {
    match algorithm {
        Algorithm::Es256 => iana::Algorithm::ES256,
        Algorithm::Es384 => iana::Algorithm::ES384,
        Algorithm::EdDsa => iana::Algorithm::EdDSA,
    }
}

/// One byte string, or an array when there are several (RFC 9360 §2).
fn x5chain(signer: &Signer) -> Cbor {
    let mut certificates: Vec<Cbor> = signer.certificate_chain().der().map(Cbor::from).collect();
    match certificates.pop() {
        Some(only) if certificates.is_empty() => only,
        last => Cbor::Array(certificates.into_iter().chain(last).collect()),
    }
}

fn cbor(error: impl std::fmt::Display) -> SignError {
    SignError::Cbor { reason: error.to_string() }
}
