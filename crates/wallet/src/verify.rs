//! Verification of an SD-JWT VC (SD-JWT VC §2, RFC 9901 §7.1).

use std::fmt;

use serde_json::{Map, Value};

use crate::error::{Step, Violation, WalletError};
use crate::jose::{PublicKey, thumbprint};
use crate::json::{self, Object};
use crate::metadata::CredentialConfiguration;
use crate::sd_jwt::{Disclosure, PathElement, SdJwt};

/// Seconds by which the issuer's clock may be ahead of ours.
const LEEWAY_SECONDS: i64 = 60;

/// A credential whose signature, type, times, disclosures and key binding are right.
#[derive(Clone)]
pub struct VerifiedCredential {
    /// `iss`, or the subject of the signing certificate when there is no `iss`.
    pub issuer: Option<String>,
    /// The credential type.
    pub vct: String,
    /// The disclosed view: the payload with every disclosure in place, without `_sd` and `_sd_alg`.
    pub claims: Map<String, Value>,
    /// Every disclosure, in the order of the credential.
    pub disclosures: Vec<Disclosure>,
    /// The protected header.
    pub header: Map<String, Value>,
    /// Where the verification key came from.
    pub key_source: KeySource,
    /// RFC 7638 thumbprint of the key in `cnf`; `None` when the credential is bound to no key.
    pub holder_thumbprint: Option<String>,
    /// Whether that key was found among [`Expected::holders`].
    pub holder_expected: bool,
    /// Digests for which there is no disclosure.
    pub decoys: usize,
    /// Name of the hash function of the digests.
    pub digest_algorithm: String,
    /// What is allowed but could be better.
    pub notes: Vec<String>,
    /// The credential as it came; it holds every claim.
    pub compact: String,
    pub(crate) salts: Vec<String>,
}

impl fmt::Debug for VerifiedCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedCredential")
            .field("issuer", &self.issuer)
            .field("vct", &self.vct)
            .field("key_source", &self.key_source)
            .field("disclosures", &self.disclosures.len())
            .finish_non_exhaustive()
    }
}

/// Where the verification key of a credential came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// The caller gave the key.
    Given,
    /// The leaf of the `x5c` header.
    X5c {
        /// Subject of the leaf.
        subject: String,
        /// Number of certificates in the header.
        certificates: usize,
        /// Whether the chain ends at a trust anchor that the caller gave.
        anchored: bool,
    },
    /// `/.well-known/jwt-vc-issuer` of `iss`.
    IssuerMetadata {
        /// The URL that was read.
        url: String,
        /// `kid` of the credential's header.
        kid: Option<String>,
    },
}

/// What a credential is held against.
#[derive(Debug, Clone, Default)]
pub struct Expected {
    /// Unix seconds.
    pub now: i64,
    /// The type; `None` accepts any.
    pub vct: Option<String>,
    /// JOSE names of the accepted algorithms; empty accepts any that is supported here.
    pub algorithms: Vec<String>,
    /// Holder keys of which `cnf` must name one; `None` does not look at `cnf`.
    pub holders: Option<Vec<Holder>>,
}

/// The names of a holder key that a `cnf` may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// RFC 7638 thumbprint, compared with `cnf.jwk`.
    pub thumbprint: String,
    /// DID URL, compared with `cnf.kid` when there is no `cnf.jwk`.
    pub did_url: Option<String>,
}

/// Verifies an SD-JWT VC with a key the caller trusts.
///
/// # Errors
/// [`WalletError::Violation`] with the rule that is broken.
pub fn verify_with_key(compact: &str, key: &PublicKey, expected: &Expected) -> Result<VerifiedCredential, WalletError> {
    let credential = SdJwt::parse(compact)?;
    check_header(&credential, expected)?;
    Ok(check(credential, compact, key, KeySource::Given, expected)?)
}

/// The checks that come before a key is looked for.
pub(crate) fn check_header(credential: &SdJwt, expected: &Expected) -> Result<(), Violation> {
    let header = credential.jws().header();
    let typ = header.get("typ");
    if typ.and_then(Value::as_str) != Some("dc+sd-jwt") {
        let got = typ.map_or("nothing".to_owned(), Value::to_string);
        return Err(wrong("SD-JWT VC §2.2.1", "the header typ is wrong", "\"dc+sd-jwt\"", got));
    }
    let alg = credential.jws().header_text("alg").unwrap_or("");
    if !expected.algorithms.is_empty() && !expected.algorithms.iter().any(|listed| listed == alg) {
        return Err(wrong(
            "OpenID4VCI §12.2.4",
            "the credential is signed with an unpublished algorithm",
            expected.algorithms.join(" or "),
            format!("{alg:?}"),
        ));
    }
    if credential.key_binding().is_some() {
        let what = "the issuer added a key-binding JWT";
        return Err(wrong("RFC 9901 §4, §7.2", what, "nothing after the last `~`", "more text"));
    }
    Ok(())
}

/// Everything else, once the key is known.
pub(crate) fn check(
    credential: SdJwt,
    compact: &str,
    key: &PublicKey,
    key_source: KeySource,
    expected: &Expected,
) -> Result<VerifiedCredential, Violation> {
    credential
        .jws()
        .verify(key)
        .map_err(|error| wrong("RFC 9901 §7.1", "the signature is wrong", "a signature of the issuer's key", error))?;
    let disclosed = credential.disclose()?;
    let claims = disclosed.claims;
    let vct = check_type(&claims, expected)?;
    check_times(&claims, expected.now)?;
    let holder_thumbprint = check_holder(&claims, expected.holders.as_deref())?;
    let iss = claims.get("iss");
    if let Some(other) = iss.filter(|iss| !iss.is_string()) {
        return Err(wrong("SD-JWT VC §2.2.2.3", "iss is wrong", "a string", json::kind(other)));
    }
    let subject = match &key_source {
        KeySource::X5c { subject, .. } => Some(subject.clone()),
        KeySource::Given | KeySource::IssuerMetadata { .. } => None,
    };
    Ok(VerifiedCredential {
        issuer: iss.and_then(Value::as_str).map(str::to_owned).or(subject),
        vct,
        disclosures: disclosed.disclosures,
        salts: credential.raw_disclosures().iter().map(|raw| raw.salt.clone()).collect(),
        header: credential.jws().header().clone(),
        claims,
        key_source,
        holder_expected: expected.holders.as_ref().is_some_and(|holders| !holders.is_empty()),
        holder_thumbprint,
        decoys: disclosed.decoys,
        digest_algorithm: disclosed.hash,
        notes: disclosed.notes,
        compact: compact.to_owned(),
    })
}

/// Claims that the issuer promised to include always (OpenID4VCI App. B.2).
pub(crate) fn check_mandatory(
    credential: &VerifiedCredential,
    configuration: &CredentialConfiguration,
) -> Result<(), Violation> {
    let claims = Value::Object(credential.claims.clone());
    for claim in configuration.claims.iter().filter(|claim| claim.mandatory) {
        if !exists(&claims, &claim.path) {
            let path: Vec<String> =
                claim.path.iter().map(|element| element.as_ref().map_or("*".to_owned(), ToString::to_string)).collect();
            let what = format!("the mandatory claim `{}` is missing", path.join("."));
            return Err(wrong("OpenID4VCI App. B.2", what, "every mandatory claim", "a credential without it"));
        }
    }
    Ok(())
}

fn exists(value: &Value, path: &[Option<PathElement>]) -> bool {
    let Some((first, rest)) = path.split_first() else { return true };
    match (first, value) {
        (Some(PathElement::Name(name)), Value::Object(object)) => {
            object.get(name).is_some_and(|value| exists(value, rest))
        }
        (Some(PathElement::Index(index)), Value::Array(elements)) => {
            elements.get(*index).is_some_and(|value| exists(value, rest))
        }
        (None, Value::Array(elements)) => elements.iter().any(|value| exists(value, rest)),
        _ => false,
    }
}

fn check_type(claims: &Object, expected: &Expected) -> Result<String, Violation> {
    let clause = "SD-JWT VC §2.2.2.1, OpenID4VCI App. A.3";
    let Some(Value::String(vct)) = claims.get("vct").filter(|vct| *vct != "") else {
        let got = json::kind_or_absent(claims.get("vct"));
        return Err(wrong(clause, "vct is wrong", "a non-empty string", got));
    };
    if let Some(wanted) = &expected.vct
        && wanted != vct
    {
        let what = "vct is not the type of the configuration";
        return Err(wrong(clause, what, format!("{wanted:?}"), format!("{vct:?}")));
    }
    Ok(vct.clone())
}

fn check_times(claims: &Object, now: i64) -> Result<(), Violation> {
    let clause = "RFC 7519 §4.1, SD-JWT VC §2.2.2.3";
    let seconds = |name: &'static str| match claims.get(name) {
        None => Ok(None),
        Some(Value::Number(number)) => Ok(number.as_f64()),
        Some(other) => {
            let what = format!("{name} is wrong");
            Err(wrong(clause, what, "a number of seconds", json::kind(other)))
        }
    };
    #[expect(clippy::cast_precision_loss, reason = "unix seconds stay far below 2^52")]
    let (now_f, ahead_f) = (now as f64, (now + LEEWAY_SECONDS) as f64);
    if let Some(exp) = seconds("exp")?
        && exp <= now_f
    {
        return Err(wrong(clause, "the credential has expired", format!("exp after {now}"), exp.to_string()));
    }
    for name in ["nbf", "iat"] {
        if let Some(time) = seconds(name)?
            && time > ahead_f
        {
            let what = format!("{name} is in the future");
            return Err(wrong(clause, what, format!("at most {now} + {LEEWAY_SECONDS}"), time.to_string()));
        }
    }
    Ok(())
}

fn check_holder(claims: &Object, holders: Option<&[Holder]>) -> Result<Option<String>, Violation> {
    let clause = "SD-JWT VC §2.2.2.3, RFC 7800 §3";
    let cnf = claims.get("cnf");
    let jwk = cnf.and_then(|cnf| cnf.get("jwk"));
    let found = match jwk {
        None => None,
        Some(Value::Object(jwk)) => {
            PublicKey::from_jwk(jwk).map_err(|error| wrong(clause, "cnf.jwk is wrong", "a public key", error))?;
            thumbprint(jwk)
        }
        Some(other) => return Err(wrong(clause, "cnf.jwk is wrong", "an object", json::kind(other))),
    };
    let Some(holders) = holders.filter(|holders| !holders.is_empty()) else {
        return Ok(found);
    };
    let own = match &found {
        Some(thumbprint) => holders.iter().find(|holder| holder.thumbprint == *thumbprint),
        None => {
            let kid = cnf.and_then(|cnf| cnf.get("kid")).and_then(Value::as_str);
            kid.and_then(|kid| holders.iter().find(|holder| holder.did_url.as_deref() == Some(kid)))
        }
    };
    match own {
        Some(holder) => Ok(Some(holder.thumbprint.clone())),
        None => Err(wrong(
            clause,
            "the credential is not bound to a key of this request",
            "cnf with the key of a proof",
            match (cnf, found) {
                (None, _) => "no cnf",
                (Some(_), Some(_)) => "another key",
                (Some(_), None) => "cnf without jwk",
            },
        )),
    }
}

fn wrong(
    clause: &'static str,
    what: impl Into<String>,
    expected: impl Into<String>,
    got: impl Into<String>,
) -> Violation {
    Violation::new(Step::Verification, clause, what, expected, got)
}

#[cfg(test)]
mod tests;
