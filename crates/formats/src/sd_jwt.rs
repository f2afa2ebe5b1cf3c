//! Issuing SD-JWT VC credentials (RFC 9901; SD-JWT VC draft, section numbers of -19).
//!
//! Two steps, so that the signature can come from a key that is asked over a network: [`Prepared::new`] is
//! pure and fixes every byte that will be signed, [`Prepared::sign`] adds the header and the signature.

mod conceal;

use std::fmt;

use chancery_keys::{KeyError, PublicJwk, Signer, jws};
use serde_json::{Map, Value};

use crate::ClaimPath;
pub use crate::key_reference::KeyReference;
use conceal::Concealer;

/// The `typ` of an SD-JWT VC, also its OpenID4VCI format identifier (SD-JWT VC §2.2.1, OpenID4VCI Appendix
/// A.3).
pub const TYP: &str = "dc+sd-jwt";

/// The claims that only [`Content`]'s own members set; [`Content::claims`] may not hold them.
///
/// `vct#integrity` and `aka_vcts` speak about the type, not about the holder; no organisation sets them per
/// credential.
pub const SET_BY_ISSUER: [&str; 9] = ["iss", "iat", "nbf", "exp", "cnf", "vct", "vct#integrity", "status", "aka_vcts"];

/// The claims that are never disclosable, with everything inside them: a verifier must be able to check
/// validity without the holder's consent (RFC 9901 §9.7, SD-JWT VC §2.2.2.3).
pub const NEVER_DISCLOSABLE: [&str; 9] =
    ["iss", "aud", "nbf", "exp", "cnf", "vct", "vct#integrity", "status", "aka_vcts"];

/// The member names SD-JWT keeps for itself, at every depth (RFC 9901 §4.1, §4.2).
pub const SD_JWT_NAMES: [&str; 3] = ["_sd", "_sd_alg", "..."];

/// What one credential says. Times are unix seconds.
#[derive(Clone)]
pub struct Content {
    /// The credential type, equal to the configuration's `vct`.
    pub vct: String,
    /// The `iss` claim; may be absent when `x5c` names the issuer (SD-JWT VC §2.2.2.3).
    pub issuer: Option<String>,
    /// The claims about the subject. Their order is kept for what is not disclosable.
    pub claims: Map<String, Value>,
    /// Which claims the holder may disclose or withhold. A path that ends in an object or array conceals it
    /// as a whole; paths below it conceal its parts again (RFC 9901 §4.2.6). A path whose claim is absent has
    /// no effect.
    pub disclosable: Vec<ClaimPath>,
    /// The key the credential is bound to, becomes `cnf.jwk`.
    pub holder_key: Option<PublicJwk>,
    /// The `iat` claim; disclosable if a path names it.
    pub issued_at: Option<i64>,
    /// The `nbf` claim.
    pub not_before: Option<i64>,
    /// The `exp` claim.
    pub expires_at: Option<i64>,
    /// The `status` claim, see [`crate::status_list::Reference::to_status`].
    pub status: Option<Value>,
    /// How many decoy digests each object with disclosable members gets (RFC 9901 §4.2.5).
    pub decoys: u8,
}

/// A credential whose payload and disclosures are fixed, ready for the signature.
pub struct Prepared {
    payload: Map<String, Value>,
    payload_json: Vec<u8>,
    /// What follows the JWT: `~`, then each disclosure with a `~` after it.
    tail: String,
    disclosures: usize,
}

/// A signed credential.
pub struct Issued {
    /// The credential as the wallet receives it: `<JWT>~<disclosure>~…~` (RFC 9901 §4).
    pub compact: String,
    /// How many disclosures it carries.
    pub disclosures: usize,
    /// The payload of the JWT, an object, with digests in place of the disclosable claims.
    pub payload: Value,
}

/// Why [`Content`] cannot become a credential.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    /// The claims hold one of [`SET_BY_ISSUER`].
    #[error("the claim {name} is set by the issuer and cannot be given")]
    SetByIssuer {
        /// Name of the claim.
        name: &'static str,
    },
    /// A disclosable path is one of [`NEVER_DISCLOSABLE`], or lies in one.
    #[error("the claim at {} is never disclosable (SD-JWT VC §2.2.2.3)", path.pointer())]
    NeverDisclosable {
        /// The refused path.
        path: ClaimPath,
    },
    /// The claims or the status hold a member named like one of [`SD_JWT_NAMES`].
    #[error("the member name {name} belongs to SD-JWT and cannot be a claim (RFC 9901 §4.1)")]
    SdJwtName {
        /// The refused member name.
        name: &'static str,
    },
    /// A disclosable path meets a value of another kind, such as a name on an array. Refused, because the
    /// value would otherwise be signed in the clear.
    #[error("the disclosable path {} does not fit the claims: a step meets another kind of value", path.pointer())]
    PathMismatch {
        /// The path that does not fit.
        path: ClaimPath,
    },
    /// A claim has no JSON form.
    #[error("the claims cannot be written as JSON")]
    Json(#[from] serde_json::Error),
}

impl Prepared {
    /// Builds payload and disclosures.
    ///
    /// `random` fills a slice with unpredictable bytes. It is asked for salts of 128 bits and for decoys,
    /// several at a time; the credential is as private as these bytes are random (RFC 9901 §9.3).
    ///
    /// # Errors
    /// See [`PrepareError`].
    pub fn new(content: Content, random: &mut dyn FnMut(&mut [u8])) -> Result<Self, PrepareError> {
        let Content {
            vct,
            issuer,
            mut claims,
            disclosable,
            holder_key,
            issued_at,
            not_before,
            expires_at,
            status,
            decoys,
        } = content;
        refuse_reserved(&claims, &disclosable)?;
        if let Some(issued_at) = issued_at {
            claims.insert("iat".to_owned(), issued_at.into());
        }
        let mut payload = Map::with_capacity(claims.len() + 8);
        let mut set = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                payload.insert(name.to_owned(), value);
            }
        };
        set("iss", issuer.map(Value::String));
        set("vct", Some(Value::String(vct)));
        set("nbf", not_before.map(Value::from));
        set("exp", expires_at.map(Value::from));
        set("cnf", holder_key.map(|key| Map::from_iter([("jwk".to_owned(), key.to_json().into())]).into()));
        if let Some(status) = &status {
            conceal::refuse_sd_jwt_names(status)?;
        }
        set("status", status);

        let mut paths: Vec<&ClaimPath> = disclosable.iter().collect();
        paths.sort_unstable();
        let mut concealer = Concealer::new(random, decoys, paths.len());
        concealer.members(claims, &mut payload, &paths, 0)?;
        let (tail, disclosures) = concealer.finish();
        if disclosures > 0 {
            payload.insert("_sd_alg".to_owned(), "sha-256".into());
        }
        let payload_json = serde_json::to_vec(&payload)?;
        Ok(Self { payload, payload_json, tail, disclosures })
    }

    /// Signs, with the header members `alg`, `typ` and the one `key_reference` asks for.
    ///
    /// # Errors
    /// Whatever the key answers, and [`KeyError::Header`] for [`KeyReference::X5c`] with a key that has no
    /// certificates.
    pub async fn sign(self, signer: &Signer, key_reference: KeyReference) -> Result<Issued, KeyError> {
        let mut header = Map::with_capacity(3);
        header.insert("typ".to_owned(), TYP.into());
        key_reference.add_to(&mut header, signer)?;
        let mut compact = jws::sign(header, &self.payload_json, signer).await?;
        compact.push_str(&self.tail);
        Ok(Issued { compact, disclosures: self.disclosures, payload: Value::Object(self.payload) })
    }
}

fn refuse_reserved(claims: &Map<String, Value>, disclosable: &[ClaimPath]) -> Result<(), PrepareError> {
    if let Some(name) = SET_BY_ISSUER.into_iter().find(|name| claims.contains_key(*name)) {
        return Err(PrepareError::SetByIssuer { name });
    }
    for path in disclosable {
        if path.top_level_name().is_some_and(|name| NEVER_DISCLOSABLE.contains(&name)) {
            return Err(PrepareError::NeverDisclosable { path: path.clone() });
        }
    }
    Ok(())
}

/// Shows no claim: the content is personal data.
impl fmt::Debug for Content {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Content").field("vct", &self.vct).finish_non_exhaustive()
    }
}

/// Shows no claim: the content is personal data.
impl fmt::Debug for Prepared {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Prepared").field("disclosures", &self.disclosures).finish_non_exhaustive()
    }
}

/// Shows no claim: the content is personal data.
impl fmt::Debug for Issued {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Issued").field("disclosures", &self.disclosures).finish_non_exhaustive()
    }
}
