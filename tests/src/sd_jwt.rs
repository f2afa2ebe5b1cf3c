//! SD-JWTs taken apart (RFC 9901), so that a test can look inside. Whether one is valid is for `chancery_wallet` to say.

use serde_json::{Map, Value};

use crate::jwt;
use crate::key::{base64url, from_base64url, sha256};

/// An SD-JWT in its parts.
#[derive(Clone, Debug)]
pub struct Parts {
    /// JOSE header of the issuer-signed JWT.
    pub header: Value,
    /// Its payload as signed, with digests in place of what can be withheld.
    pub signed: Value,
    /// Each disclosure as its JSON array: salt, name and value, or salt and value of an array element.
    pub disclosures: Vec<Value>,
    /// The payload with every disclosure in its place, and without the members of SD-JWT itself.
    pub disclosed: Value,
}

/// Takes a compact SD-JWT without key binding apart.
///
/// # Panics
/// When it is malformed, or a disclosure belongs nowhere or in two places.
pub fn parts(compact: &str) -> Parts {
    let mut segments: Vec<&str> = compact.split('~').collect();
    assert_eq!(segments.pop(), Some(""), "an SD-JWT ends with a tilde: {compact}");
    let (header, signed) = jwt::decode(segments.remove(0));
    let mut open: Map<String, Value> = Map::new();
    for segment in &segments {
        let disclosure = serde_json::from_slice(&from_base64url(segment)).expect("a disclosure in JSON");
        let digest = base64url(&sha256(segment.as_bytes()));
        assert!(open.insert(digest, disclosure).is_none(), "a disclosure twice: {compact}");
    }
    let disclosures: Vec<Value> = open.values().cloned().collect();
    let disclosed = fill(&signed, &mut open);
    assert!(open.is_empty(), "disclosures that belong nowhere: {open:?}");
    Parts { header, signed, disclosures, disclosed }
}

fn fill(value: &Value, open: &mut Map<String, Value>) -> Value {
    match value {
        Value::Object(members) => Value::Object(fill_object(members, open)),
        Value::Array(elements) => Value::Array(elements.iter().filter_map(|one| fill_element(one, open)).collect()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

fn fill_object(members: &Map<String, Value>, open: &mut Map<String, Value>) -> Map<String, Value> {
    let mut filled = Map::new();
    for (name, value) in members.iter().filter(|(name, _)| !matches!(name.as_str(), "_sd" | "_sd_alg")) {
        filled.insert(name.clone(), fill(value, open));
    }
    let digests = members.get("_sd").and_then(Value::as_array).cloned().unwrap_or_default();
    for digest in digests {
        // A digest without a disclosure is a decoy.
        let Some(disclosure) = open.shift_remove(digest.as_str().expect("a digest")) else {
            continue;
        };
        let name = disclosure[1].as_str().expect("a claim name").to_owned();
        let clash = filled.insert(name, fill(&disclosure[2], open));
        assert!(clash.is_none(), "a disclosure hides a claim: {disclosure}");
    }
    filled
}

fn fill_element(element: &Value, open: &mut Map<String, Value>) -> Option<Value> {
    match element.get("...") {
        None => Some(fill(element, open)),
        Some(digest) => {
            let disclosure = open.shift_remove(digest.as_str().expect("a digest"))?;
            Some(fill(&disclosure[1], open))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn disclosures_go_where_their_digests_are() {
        // The disclosures of RFC 9901 §4.2.1 and §4.2.2.
        let family_name = "WyJfMjZiYzRMVC1hYzZxMktJNmNCVzVlcyIsICJmYW1pbHlfbmFtZSIsICJNw7ZiaXVzIl0";
        let nationality = "WyJsa2x4RjVqTVlsR1RQVW92TU5JdkNBIiwgIkZSIl0";
        let signed = json!({
            "_sd": ["X9yH0Ajrdm1Oij4tWso9UzzKJvPoDxwmuEcO3XAdRC0", "decoy"],
            "_sd_alg": "sha-256",
            "nationalities": ["DE", {"...": "w0I8EKcdCtUPkGCNUrfwVp2xEgNjtoIDlOxc9-PlOhs"}, {"...": "decoy"}],
        });
        let jwt = format!("{}.{}.c2ln", base64url(b"{}"), base64url(signed.to_string().as_bytes()));
        let parts = parts(&format!("{jwt}~{family_name}~{nationality}~"));
        assert_eq!(parts.disclosed, json!({"nationalities": ["DE", "FR"], "family_name": "Möbius"}));
        assert_eq!(parts.disclosures.len(), 2);
    }
}
