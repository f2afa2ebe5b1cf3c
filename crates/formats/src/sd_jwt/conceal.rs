//! Replaces disclosable claims by digests and collects their disclosures (RFC 9901 §4.2).

use std::cmp::Ordering;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::{PrepareError, SD_JWT_NAMES};
use crate::{ClaimPath, PathSegment};

/// 128 bits, the least RFC 9901 §9.3 recommends.
const SALT_LENGTH: usize = 16;

/// Random bytes are asked for in blocks: asking the operating system's generator costs more than the bytes.
const POOL_LENGTH: usize = 16 * SALT_LENGTH;

/// Walks the claims once. `active` is always the sorted list of the disclosable paths that lead to the value
/// at hand, `depth` the number of their segments already walked.
pub(super) struct Concealer<'r> {
    random: &'r mut dyn FnMut(&mut [u8]),
    pool: [u8; POOL_LENGTH],
    unused: usize,
    decoys: u8,
    tail: String,
    disclosures: usize,
    json: Vec<u8>,
    salt: String,
}

impl<'r> Concealer<'r> {
    pub(super) fn new(random: &'r mut dyn FnMut(&mut [u8]), decoys: u8, expected_disclosures: usize) -> Self {
        let mut tail = String::with_capacity(1 + 112 * expected_disclosures);
        tail.push('~');
        Self {
            random,
            pool: [0; POOL_LENGTH],
            unused: 0,
            decoys,
            tail,
            disclosures: 0,
            json: Vec::with_capacity(128),
            salt: String::with_capacity(22),
        }
    }

    /// What follows the JWT, beginning and ending with `~`, and the number of disclosures in it.
    pub(super) fn finish(self) -> (String, usize) {
        (self.tail, self.disclosures)
    }

    /// Moves the members of an object into `target`, the disclosable ones as digests in its `_sd` (RFC 9901
    /// §4.2.4.1).
    pub(super) fn members(
        &mut self,
        members: Map<String, Value>,
        target: &mut Map<String, Value>,
        active: &[&ClaimPath],
        depth: usize,
    ) -> Result<(), PrepareError> {
        refuse_steps(active, depth, |step| matches!(step, PathSegment::Index(_) | PathSegment::All))?;
        let mut digests = Vec::new();
        for (name, value) in members {
            refuse_sd_jwt_name(&name)?;
            let below = run(active, depth, |step| match step {
                PathSegment::Name(step) => step.as_str().cmp(&name),
                PathSegment::Index(_) | PathSegment::All => Ordering::Greater,
            });
            // Children first: a disclosure holds the digests of what is disclosable inside it (RFC 9901
            // §4.2.6).
            let value = self.value(value, below, depth + 1)?;
            if ends(below, depth + 1) {
                digests.push(self.disclose(Some(&name), &value)?);
            } else {
                target.insert(name, value);
            }
        }
        if !digests.is_empty() {
            for _ in 0..self.decoys {
                digests.push(digest(&self.random_bytes()));
            }
            // Sorted digests say nothing about the order of the claims (RFC 9901 §4.2.4.1).
            digests.sort_unstable();
            target.insert("_sd".to_owned(), digests.into());
        }
        Ok(())
    }

    fn value(&mut self, value: Value, active: &[&ClaimPath], depth: usize) -> Result<Value, PrepareError> {
        if active.last().is_none_or(|path| path.segments().len() <= depth) {
            refuse_sd_jwt_names(&value)?;
            return Ok(value);
        }
        match value {
            Value::Object(members) => {
                let mut target = Map::with_capacity(members.len() + 1);
                self.members(members, &mut target, active, depth)?;
                Ok(Value::Object(target))
            }
            Value::Array(elements) => self.elements(elements, active, depth),
            // A claim that is null has no parts that could be shown by mistake.
            Value::Null => Ok(Value::Null),
            Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                refuse_steps(active, depth, |_| true)?;
                Ok(value)
            }
        }
    }

    /// Replaces the disclosable elements of an array in place by `{"...": digest}` (RFC 9901 §4.2.4.2).
    fn elements(
        &mut self,
        mut elements: Vec<Value>,
        active: &[&ClaimPath],
        depth: usize,
    ) -> Result<Value, PrepareError> {
        refuse_steps(active, depth, |step| matches!(step, PathSegment::Name(_)))?;
        let every = run(active, depth, |step| step.cmp(&PathSegment::All));
        for (position, element) in elements.iter_mut().enumerate() {
            let own = run(active, depth, |step| match step {
                PathSegment::Index(index) => usize::try_from(*index).unwrap_or(usize::MAX).cmp(&position),
                PathSegment::Name(_) => Ordering::Less,
                PathSegment::All => Ordering::Greater,
            });
            let both;
            let below = if own.is_empty() {
                every
            } else {
                both = merged(own, every, depth + 1);
                &both
            };
            let value = self.value(std::mem::take(element), below, depth + 1)?;
            *element = if ends(below, depth + 1) {
                let digest = self.disclose(None, &value)?;
                Value::Object(Map::from_iter([("...".to_owned(), Value::String(digest))]))
            } else {
                value
            };
        }
        Ok(Value::Array(elements))
    }

    /// Appends the disclosure of an object member (§4.2.1) or array element (§4.2.2) and answers its digest.
    fn disclose(&mut self, name: Option<&str>, value: &Value) -> Result<String, PrepareError> {
        let salt = self.random_bytes();
        self.salt.clear();
        URL_SAFE_NO_PAD.encode_string(salt, &mut self.salt);
        self.json.clear();
        self.json.extend_from_slice(b"[\"");
        self.json.extend_from_slice(self.salt.as_bytes());
        self.json.extend_from_slice(b"\",");
        if let Some(name) = name {
            serde_json::to_writer(&mut self.json, name)?;
            self.json.push(b',');
        }
        serde_json::to_writer(&mut self.json, value)?;
        self.json.push(b']');
        let start = self.tail.len();
        URL_SAFE_NO_PAD.encode_string(&self.json, &mut self.tail);
        let digest = digest(self.tail.as_bytes().get(start..).unwrap_or_default());
        self.tail.push('~');
        self.disclosures += 1;
        Ok(digest)
    }

    fn random_bytes(&mut self) -> [u8; SALT_LENGTH] {
        if self.unused == 0 {
            (self.random)(&mut self.pool);
            self.unused = POOL_LENGTH / SALT_LENGTH;
        }
        let (blocks, _) = self.pool.as_chunks::<SALT_LENGTH>();
        let block = blocks.get(blocks.len() - self.unused).copied().unwrap_or_default();
        self.unused -= 1;
        block
    }
}

/// Refuses SD-JWT's own member names anywhere in a value (RFC 9901 §4.1).
pub(super) fn refuse_sd_jwt_names(value: &Value) -> Result<(), PrepareError> {
    match value {
        Value::Object(members) => members.iter().try_for_each(|(name, value)| {
            refuse_sd_jwt_name(name)?;
            refuse_sd_jwt_names(value)
        }),
        Value::Array(elements) => elements.iter().try_for_each(refuse_sd_jwt_names),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
    }
}

fn refuse_sd_jwt_name(name: &str) -> Result<(), PrepareError> {
    match SD_JWT_NAMES.into_iter().find(|reserved| *reserved == name) {
        Some(name) => Err(PrepareError::SdJwtName { name }),
        None => Ok(()),
    }
}

/// base64url(SHA-256): of the ASCII bytes of an encoded disclosure (RFC 9901 §4.2.3), or of random bytes for
/// a decoy.
fn digest(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(bytes))
}

fn refuse_steps(
    active: &[&ClaimPath],
    depth: usize,
    misfit: impl Fn(&PathSegment) -> bool,
) -> Result<(), PrepareError> {
    match active.iter().find(|path| path.segments().get(depth).is_some_and(&misfit)) {
        Some(path) => Err(PrepareError::PathMismatch { path: (*path).clone() }),
        None => Ok(()),
    }
}

/// Whether one of the paths ends at this depth. It sorts before those that go on.
fn ends(active: &[&ClaimPath], depth: usize) -> bool {
    active.first().is_some_and(|path| path.segments().len() == depth)
}

/// The consecutive paths whose step at `depth` compares as equal; `compare` follows the order of
/// [`PathSegment`].
fn run<'a, 'p>(
    active: &'a [&'p ClaimPath],
    depth: usize,
    compare: impl Fn(&PathSegment) -> Ordering,
) -> &'a [&'p ClaimPath] {
    // A path that ended further up has no step here and sorts before all others.
    let order = |path: &ClaimPath| path.segments().get(depth).map_or(Ordering::Less, &compare);
    let from = active.partition_point(|path| order(path).is_lt());
    let rest = active.get(from..).unwrap_or_default();
    let length = rest.partition_point(|path| order(path).is_eq());
    rest.get(..length).unwrap_or_default()
}

/// Both lists as one, sorted by the steps from `depth` on.
fn merged<'p>(own: &[&'p ClaimPath], every: &[&'p ClaimPath], depth: usize) -> Vec<&'p ClaimPath> {
    let mut both = [own, every].concat();
    both.sort_unstable_by(|a, b| a.segments().get(depth..).cmp(&b.segments().get(depth..)));
    both
}

#[cfg(test)]
mod tests {
    use super::digest;

    /// Disclosures and digests printed in RFC 9901 §4.2.3 (object), §5.1 (array) and §6.3 (recursive).
    #[test]
    fn the_digests_of_the_disclosures_in_rfc_9901_are_those_it_prints() {
        for (disclosure, expected) in [
            (
                "WyJfMjZiYzRMVC1hYzZxMktJNmNCVzVlcyIsICJmYW1pbHlfbmFtZSIsICJNw7ZiaXVzIl0",
                "X9yH0Ajrdm1Oij4tWso9UzzKJvPoDxwmuEcO3XAdRC0",
            ),
            ("WyJsa2x4RjVqTVlsR1RQVW92TU5JdkNBIiwgIlVTIl0", "pFndjkZ_VCzmyTa6UjlZo3dh-ko8aIKQc9DlGzhaVYo"),
            (
                concat!(
                    "WyJRZ19PNjR6cUF4ZTQxMmExMDhpcm9BIiwgImFkZHJlc3MiLCB7Il9zZCI6IFsiNnZoOWJxLXpTNEdLTV83R3Bn",
                    "Z1ZiWXp6dTZvT0dYcm1OVkdQSFA3NVVkMCIsICI5Z2pWdVh0ZEZST0NnUnJ0TmNHVVhtRjY1cmRlemlfNkVyX2o3",
                    "NmttWXlNIiwgIktVUkRQaDRaQzE5LTN0aXotRGYzOVY4ZWlkeTFvVjNhM0gxRGEyTjBnODgiLCAiV045cjlkQ0JK",
                    "OEhUQ3NTMmpLQVN4VGpFeVc1bTV4NjVfWl8ycm8yamZYTSJdfV0",
                ),
                "HvrKX6fPV0v9K_yCVFBiLFHsMaxcD_114Em6VT8x1lg",
            ),
        ] {
            assert_eq!(digest(disclosure.as_bytes()), expected);
        }
    }
}
