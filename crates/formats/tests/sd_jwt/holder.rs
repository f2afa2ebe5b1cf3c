//! A holder that follows RFC 9901 §7.1 step by step and panics at the first deviation.

use std::collections::{HashMap, HashSet};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

/// A received credential.
pub(crate) struct Received {
    pub(crate) header: Value,
    pub(crate) payload: Value,
    /// The encoded disclosures, in the order of the credential.
    pub(crate) disclosures: Vec<String>,
}

/// Takes a compact SD-JWT without key binding apart (§4).
pub(crate) fn receive(compact: &str) -> Received {
    let issued = compact.strip_suffix('~').expect("an issued SD-JWT ends with ~");
    let mut parts = issued.split('~');
    let jwt: Vec<&str> = parts.next().unwrap().split('.').collect();
    let [header, payload, signature] = jwt.as_slice() else { panic!("a JWS has three parts") };
    assert!(!signature.is_empty());
    let disclosures: Vec<String> = parts.map(str::to_owned).collect();
    assert!(disclosures.iter().all(|disclosure| !disclosure.is_empty()), "no empty disclosure");
    Received { header: json(header), payload: json(payload), disclosures }
}

impl Received {
    /// The JSON arrays of the disclosures.
    pub(crate) fn disclosure_arrays(&self) -> Vec<Vec<Value>> {
        self.disclosures.iter().map(|encoded| json(encoded).as_array().unwrap().clone()).collect()
    }

    /// The claims with everything disclosed.
    pub(crate) fn all_claims(&self) -> Value {
        self.claims(&self.disclosures)
    }

    /// The claims when only these disclosures are presented.
    pub(crate) fn claims(&self, presented: &[String]) -> Value {
        let mut verification = Verification {
            by_digest: presented.iter().map(|encoded| (digest(encoded), json(encoded))).collect(),
            seen: HashSet::new(),
        };
        let Value::Object(mut payload) = self.payload.clone() else { panic!("the payload is an object") };
        let algorithm = payload.remove("_sd_alg");
        assert!(algorithm.is_none_or(|algorithm| algorithm == "sha-256"));
        let claims = verification.object(payload);
        let unused = verification.by_digest.keys().find(|digest| !verification.seen.contains(*digest));
        assert_eq!(unused, None, "every disclosure is referenced by a digest (step 5)");
        Value::Object(claims)
    }
}

struct Verification {
    by_digest: HashMap<String, Value>,
    seen: HashSet<String>,
}

impl Verification {
    fn value(&mut self, value: Value) -> Value {
        match value {
            Value::Object(members) => Value::Object(self.object(members)),
            Value::Array(elements) => {
                Value::Array(elements.into_iter().filter_map(|element| self.element(element)).collect())
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value,
        }
    }

    fn object(&mut self, mut members: Map<String, Value>) -> Map<String, Value> {
        let digests = members.remove("_sd");
        assert!(!members.contains_key("..."), "... only stands in arrays");
        assert!(!members.contains_key("_sd_alg"), "_sd_alg only stands at the top level");
        let mut claims: Map<String, Value> =
            members.into_iter().map(|(name, value)| (name, self.value(value))).collect();
        let digests = digests.map(|digests| digests.as_array().unwrap().clone());
        assert_ne!(digests.as_ref().map(Vec::len), Some(0), "an empty _sd is left out");
        let digests: Vec<String> =
            digests.unwrap_or_default().iter().map(|digest| digest.as_str().unwrap().to_owned()).collect();
        assert!(digests.is_sorted(), "_sd is sorted");
        for digest in digests {
            let Some(disclosure) = self.find(&digest) else {
                continue;
            };
            let [salt, name, value] = disclosure.as_slice() else { panic!("an object disclosure has 3 parts") };
            check_salt(salt);
            let name = name.as_str().unwrap().to_owned();
            assert!(!["_sd", "..."].contains(&name.as_str()));
            let value = self.value(value.clone());
            assert!(claims.insert(name, value).is_none(), "no claim has two values");
        }
        claims
    }

    fn element(&mut self, element: Value) -> Option<Value> {
        let Some(digest) = element.get("...") else {
            return Some(self.value(element));
        };
        assert_eq!(element.as_object().unwrap().len(), 1, "... is the only member");
        let digest = digest.as_str().unwrap().to_owned();
        let disclosure = self.find(&digest)?;
        let [salt, value] = disclosure.as_slice() else { panic!("an array disclosure has 2 parts") };
        check_salt(salt);
        Some(self.value(value.clone()))
    }

    fn find(&mut self, digest: &str) -> Option<Vec<Value>> {
        assert!(self.seen.insert(digest.to_owned()), "no digest stands twice in a credential (step 4)");
        assert_eq!(digest.len(), 43);
        self.by_digest.get(digest).map(|disclosure| disclosure.as_array().unwrap().clone())
    }
}

fn check_salt(salt: &Value) {
    assert_eq!(URL_SAFE_NO_PAD.decode(salt.as_str().unwrap()).unwrap().len(), 16);
}

/// base64url(SHA-256) of the encoded disclosure (§4.2.3).
pub(crate) fn digest(encoded: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(encoded))
}

fn json(encoded: &str) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(encoded).unwrap()).unwrap()
}
