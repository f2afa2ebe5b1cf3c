//! SD-JWT (RFC 9901): taken apart, and its disclosures put back in their places.

use std::collections::{HashMap, HashSet};
use std::fmt;

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::error::{Step, Violation};
use crate::jose::{Jws, decode_base64url};
use crate::json::{self, Object};

/// Longest SD-JWT that is looked at, in bytes.
const LONGEST: usize = 1 << 20;
/// Deepest nesting of a disclosed view.
const DEEPEST: usize = 64;
/// SD-JWT VC §2.2.2.3: what has to be readable without any disclosure, sub-claims included.
const NEVER_DISCLOSABLE: [&str; 8] = ["iss", "nbf", "exp", "cnf", "vct", "vct#integrity", "aka_vcts", "status"];
/// 128 bits in base64url (RFC 9901 §9.3).
const SALT_CHARACTERS: usize = 22;

/// A decoded SD-JWT. Nothing in it has been verified.
pub struct SdJwt {
    jws: Jws,
    disclosures: Vec<RawDisclosure>,
    key_binding: Option<String>,
}

/// One disclosed claim or array element.
#[derive(Clone, PartialEq)]
pub struct Disclosure {
    /// Where it is in the disclosed view.
    pub path: Vec<PathElement>,
    /// The claim name; `None` for an array element.
    pub name: Option<String>,
    /// The value in the disclosed view.
    pub value: Value,
}

impl fmt::Debug for Disclosure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Disclosure").field("path", &self.path).finish_non_exhaustive()
    }
}

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum PathElement {
    /// A member of an object.
    Name(String),
    /// An element of an array, from 0.
    Index(usize),
}

impl fmt::Display for PathElement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Index(index) => write!(f, "{index}"),
        }
    }
}

pub(crate) struct RawDisclosure {
    encoded: String,
    pub(crate) salt: String,
    name: Option<String>,
    value: Value,
}

/// What the disclosures show together.
pub(crate) struct Disclosed {
    pub(crate) claims: Object,
    pub(crate) disclosures: Vec<Disclosure>,
    pub(crate) hash: String,
    pub(crate) decoys: usize,
    pub(crate) notes: Vec<String>,
}

impl SdJwt {
    /// Takes `<JWT>~<D1>~…~<Dn>~` apart; a key-binding JWT behind the last `~` is kept aside (RFC 9901 §4).
    ///
    /// # Errors
    /// A [`Violation`] for a token that is malformed.
    pub fn parse(compact: &str) -> Result<Self, Violation> {
        if compact.len() > LONGEST {
            let got = format!("{} bytes", compact.len());
            return Err(wrong("RFC 9901 §4", "the SD-JWT is too long", "at most 1 MiB", got));
        }
        let mut parts = compact.split('~');
        let jwt = parts.next().unwrap_or("");
        let mut encoded: Vec<&str> = parts.collect();
        let Some(last) = encoded.pop() else {
            let what = "the SD-JWT has no tilde";
            return Err(wrong("RFC 9901 §4", what, "a `~` after the JWT and each disclosure", "none"));
        };
        let jws = Jws::decode(jwt).map_err(|error| {
            wrong("RFC 9901 §4.1, RFC 7515", "the issuer-signed JWT is malformed", "a compact JWS", error)
        })?;
        let disclosures = encoded.into_iter().map(RawDisclosure::parse).collect::<Result<_, _>>()?;
        let key_binding = (!last.is_empty()).then(|| last.to_owned());
        Ok(Self { jws, disclosures, key_binding })
    }

    /// The issuer-signed JWT.
    #[must_use]
    pub fn jws(&self) -> &Jws {
        &self.jws
    }

    /// The key-binding JWT, which an issuer never adds.
    #[must_use]
    pub fn key_binding(&self) -> Option<&str> {
        self.key_binding.as_deref()
    }

    pub(crate) fn raw_disclosures(&self) -> &[RawDisclosure] {
        &self.disclosures
    }

    /// Puts every disclosure in its place (RFC 9901 §7.1 step 3): each is used exactly once, digests never repeat.
    pub(crate) fn disclose(&self) -> Result<Disclosed, Violation> {
        let payload = self.jws.payload();
        let (hash, algorithm) = match payload.get("_sd_alg") {
            None => ("sha-256", &digest::SHA256),
            Some(Value::String(name)) => match name.as_str() {
                "sha-256" => ("sha-256", &digest::SHA256),
                "sha-384" => ("sha-384", &digest::SHA384),
                "sha-512" => ("sha-512", &digest::SHA512),
                other => {
                    let expected = "sha-256, sha-384 or sha-512";
                    return Err(wrong("RFC 9901 §4.1.1", "_sd_alg is unknown", expected, format!("{other:?}")));
                }
            },
            Some(other) => {
                let what = "_sd_alg is wrong";
                return Err(wrong("RFC 9901 §4.1.1", what, "a string", json::kind(other)));
            }
        };
        let mut by_digest = HashMap::with_capacity(self.disclosures.len());
        for (index, raw) in self.disclosures.iter().enumerate() {
            let digest = URL_SAFE_NO_PAD.encode(digest::digest(algorithm, raw.encoded.as_bytes()));
            if by_digest.insert(digest, index).is_some() {
                let what = "a disclosure comes twice";
                return Err(wrong("RFC 9901 §7.1", what, "each disclosure once", "a repeated one"));
            }
        }
        let mut opening = Opening {
            raw: &self.disclosures,
            by_digest,
            seen: HashSet::new(),
            placed: vec![None; self.disclosures.len()],
            empty_lists: 0,
        };
        let claims = opening.object(payload, &mut Vec::new())?;
        opening.finish(claims, hash)
    }
}

impl RawDisclosure {
    fn parse(encoded: &str) -> Result<Self, Violation> {
        let bad = |got: String| {
            let expected = "base64url of a JSON array [salt, name, value] or [salt, value]";
            wrong("RFC 9901 §4.2.1, §4.2.2", "a disclosure is malformed", expected, got)
        };
        let bytes = decode_base64url(encoded).map_err(bad)?;
        let Value::Array(elements) = json::parse(&bytes).map_err(bad)? else {
            return Err(bad("another JSON value".into()));
        };
        let length = elements.len();
        let mut elements = elements.into_iter();
        let (salt, name, value) = match (length, elements.next(), elements.next(), elements.next()) {
            (3, Some(Value::String(salt)), Some(Value::String(name)), Some(value)) => (salt, Some(name), value),
            (2, Some(Value::String(salt)), Some(value), None) => (salt, None, value),
            _ => return Err(bad(format!("an array of {length} elements of other types"))),
        };
        Ok(Self { encoded: encoded.to_owned(), salt, name, value })
    }
}

struct Opening<'a> {
    raw: &'a [RawDisclosure],
    by_digest: HashMap<String, usize>,
    seen: HashSet<String>,
    placed: Vec<Option<Disclosure>>,
    empty_lists: usize,
}

type Path = Vec<PathElement>;

impl Opening<'_> {
    fn value(&mut self, value: &Value, path: &mut Path) -> Result<Value, Violation> {
        match value {
            Value::Object(object) => self.object(object, path).map(Value::Object),
            Value::Array(elements) => self.array(elements, path).map(Value::Array),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(value.clone()),
        }
    }

    fn object(&mut self, object: &Object, path: &mut Path) -> Result<Object, Violation> {
        if path.len() > DEEPEST {
            let expected = format!("at most {DEEPEST} levels");
            return Err(wrong("RFC 9901 §7.1", "the claims are nested too deeply", expected, "more"));
        }
        let mut open = Object::new();
        for (name, value) in object {
            match name.as_str() {
                "_sd" => {}
                "_sd_alg" if path.is_empty() => {}
                "_sd_alg" | "..." => {
                    let what = format!("`{name}` stands where it must not");
                    let expected = "_sd_alg only at the top, `...` only alone in an array element";
                    return Err(wrong("RFC 9901 §4.1.1, §4.2.4.2", what, expected, place(path)));
                }
                _ => {
                    path.push(PathElement::Name(name.clone()));
                    let value = self.value(value, path)?;
                    path.pop();
                    open.insert(name.clone(), value);
                }
            }
        }
        let digests = match object.get("_sd") {
            None => return Ok(open),
            Some(Value::Array(digests)) => digests,
            Some(other) => {
                return Err(wrong("RFC 9901 §4.2.4.1", "_sd is wrong", "an array", json::kind(other)));
            }
        };
        if digests.is_empty() {
            self.empty_lists += 1;
        }
        for digest in digests {
            let Some(index) = self.used(digest)? else { continue };
            self.member(index, &mut open, object, path)?;
        }
        Ok(open)
    }

    fn member(&mut self, index: usize, open: &mut Object, object: &Object, path: &mut Path) -> Result<(), Violation> {
        let raw = self.raw;
        let Some(raw) = raw.get(index) else { return Ok(()) };
        let Some(name) = &raw.name else {
            let what = "a digest in _sd belongs to an array element disclosure";
            return Err(wrong("RFC 9901 §7.1", what, "[salt, name, value]", "[salt, value]"));
        };
        if matches!(name.as_str(), "_sd" | "..." | "_sd_alg") {
            let what = "a disclosure has a reserved claim name";
            return Err(wrong("RFC 9901 §4.2.1", what, "a name other than _sd, `...`, _sd_alg", name.clone()));
        }
        if open.contains_key(name) || object.contains_key(name) {
            let what = "a disclosed claim exists already at its level";
            return Err(wrong("RFC 9901 §7.1", what, "every name once", place(path)));
        }
        path.push(PathElement::Name(name.clone()));
        let value = self.place(index, Some(name.clone()), &raw.value, path)?;
        path.pop();
        open.insert(name.clone(), value);
        Ok(())
    }

    fn array(&mut self, elements: &[Value], path: &mut Path) -> Result<Vec<Value>, Violation> {
        let mut open = Vec::with_capacity(elements.len());
        for element in elements {
            path.push(PathElement::Index(open.len()));
            let value = match element.get("...") {
                None => Some(self.value(element, path)?),
                Some(digest) => self.element(element, digest, path)?,
            };
            path.pop();
            open.extend(value);
        }
        Ok(open)
    }

    fn element(&mut self, element: &Value, digest: &Value, path: &mut Path) -> Result<Option<Value>, Violation> {
        if element.as_object().is_none_or(|object| object.len() != 1) {
            let what = "an array element with `...` has other members";
            return Err(wrong("RFC 9901 §4.2.4.2", what, "`...` alone", place(path)));
        }
        let Some(index) = self.used(digest)? else { return Ok(None) };
        let raw = self.raw;
        let Some(raw) = raw.get(index) else { return Ok(None) };
        if raw.name.is_some() {
            let what = "a digest in an array belongs to a claim disclosure";
            return Err(wrong("RFC 9901 §7.1", what, "[salt, value]", "[salt, name, value]"));
        }
        self.place(index, None, &raw.value, path).map(Some)
    }

    /// Notes a digest of the payload and gives the disclosure it stands for; `None` for a decoy.
    fn used(&mut self, digest: &Value) -> Result<Option<usize>, Violation> {
        let Value::String(digest) = digest else {
            let got = json::kind(digest);
            return Err(wrong("RFC 9901 §4.2.4", "a digest is wrong", "a string", got));
        };
        if !self.seen.insert(digest.clone()) {
            return Err(wrong("RFC 9901 §4.1, §7.1", "a digest comes twice", "every digest once", "a repeated one"));
        }
        Ok(self.by_digest.get(digest).copied())
    }

    fn place(
        &mut self,
        index: usize,
        name: Option<String>,
        value: &Value,
        path: &mut Path,
    ) -> Result<Value, Violation> {
        if let Some(PathElement::Name(top)) = path.first()
            && NEVER_DISCLOSABLE.contains(&top.as_str())
        {
            let what = format!("`{top}` is selectively disclosable");
            let expected = "iss, nbf, exp, cnf, vct, vct#integrity, aka_vcts and status in clear";
            return Err(wrong("SD-JWT VC §2.2.2.3", what, expected, "a disclosure"));
        }
        let value = self.value(value, path)?;
        if let Some(slot) = self.placed.get_mut(index) {
            *slot = Some(Disclosure { path: path.clone(), name, value: value.clone() });
        }
        Ok(value)
    }

    fn finish(self, claims: Object, hash: &str) -> Result<Disclosed, Violation> {
        let unused = self.placed.iter().filter(|placed| placed.is_none()).count();
        if unused > 0 {
            let what = "disclosures stand for no digest";
            return Err(wrong("RFC 9901 §7.1", what, "each disclosure used exactly once", format!("{unused} unused")));
        }
        let mut notes = Vec::new();
        if self.raw.is_empty() && (!self.seen.is_empty() || self.empty_lists > 0) {
            let what = "the credential has _sd but no disclosures";
            return Err(wrong("SD-JWT VC §2.2.2.5", what, "no _sd when nothing is disclosable", "_sd"));
        }
        let mut salts = HashSet::new();
        if self.raw.iter().any(|raw| !salts.insert(&raw.salt)) {
            return Err(wrong(
                "RFC 9901 §4.2.1, §9.3",
                "a salt comes twice",
                "a new salt for each claim",
                "a repeated one",
            ));
        }
        let short = self.raw.iter().filter(|raw| raw.salt.len() < SALT_CHARACTERS).count();
        if short > 0 {
            notes.push(format!("{short} salts are shorter than 128 bits (RFC 9901 §9.3)"));
        }
        if self.empty_lists > 0 {
            notes.push("an _sd array is empty and should be left out (RFC 9901 §4.2.4.1)".into());
        }
        Ok(Disclosed {
            claims,
            decoys: self.seen.len() - self.raw.len(),
            disclosures: self.placed.into_iter().flatten().collect(),
            hash: hash.to_owned(),
            notes,
        })
    }
}

/// A path for people: `address.street`, or `the top`.
pub(crate) fn place(path: &[PathElement]) -> String {
    if path.is_empty() {
        return "the top".into();
    }
    path.iter().map(ToString::to_string).collect::<Vec<_>>().join(".")
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
