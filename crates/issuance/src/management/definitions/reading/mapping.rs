//! Which claims of an entry come from the identity provider.

use std::collections::HashSet;

use chancery_formats::{ClaimPath, PathSegment};
use chancery_model::{ClaimDescription, IdentityMapping};

use super::entry::MOST_CLAIMS;
use crate::management::body::{Faults, Members};

/// `identityMapping`: a list of `{"claim": path, "from": path}`.
pub(super) fn read(members: &Members<'_>, described: &[ClaimDescription], faults: &mut Faults) -> Vec<IdentityMapping> {
    let mut seen = HashSet::new();
    let mut rules: Vec<IdentityMapping> = Vec::new();
    for (pointer, value) in members.array("identityMapping", MOST_CLAIMS, faults).unwrap_or_default() {
        let Some(item) = Members::of(value, pointer, faults) else { continue };
        item.refuse_others(&[&["claim", "from"]], faults);
        let claim = read_path(&item, "claim", false, faults);
        let from = read_path(&item, "from", true, faults);
        let (Some(claim), Some(from)) = (claim, from) else { continue };
        let is_described = |known: &ClaimDescription| claim.segments().starts_with(known.path.segments());
        if !described.iter().any(is_described) {
            faults.add(item.at("claim"), "the entry describes no such claim");
        }
        let overlaps = |earlier: &IdentityMapping| {
            claim.segments().starts_with(earlier.claim.segments())
                || earlier.claim.segments().starts_with(claim.segments())
        };
        if !seen.insert(claim.clone()) || rules.iter().any(overlaps) {
            faults.add(item.at("claim"), "another rule is for the same claim, or for a part of it");
        }
        rules.push(IdentityMapping { claim, from });
    }
    rules
}

fn read_path(item: &Members<'_>, name: &str, positions: bool, faults: &mut Faults) -> Option<ClaimPath> {
    item.require(name, faults);
    let path = match ClaimPath::try_from(item.value(name)?.clone()) {
        Ok(path) => path,
        Err(error) => {
            faults.add(item.at(name), error.to_string());
            return None;
        }
    };
    let fits = path.segments().iter().enumerate().all(|(depth, segment)| match segment {
        PathSegment::Name(_) => true,
        PathSegment::Index(_) => positions && depth > 0,
        PathSegment::All => false,
    });
    if !fits {
        let expected = if positions { "names and positions, beginning with a name" } else { "names only" };
        faults.add(item.at(name), format!("the path has {expected}"));
        return None;
    }
    Some(path)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn pointers(mapping: &Value) -> Vec<String> {
        let described: Vec<ClaimDescription> = [json!(["name"]), json!(["address", "city"]), json!(["degrees", null])]
            .into_iter()
            .map(|path| ClaimDescription {
                path: ClaimPath::try_from(path).unwrap(),
                mandatory: true,
                limit_disclosure: true,
                display: Vec::new(),
            })
            .collect();
        let body = json!({ "identityMapping": mapping });
        let mut faults = Faults::default();
        read(&Members::of_body(body.as_object().unwrap()), &described, &mut faults);
        faults.none_or(Some(())).err().unwrap_or_default().into_iter().map(|fault| fault.pointer).collect()
    }

    #[test]
    fn rules_for_described_claims_pass() {
        let rules = json!([
            { "claim": ["name"], "from": ["given_name"] },
            { "claim": ["address", "city"], "from": ["addresses", 0, "locality"] }
        ]);
        assert_eq!(pointers(&rules), Vec::<String>::new());
    }

    #[test]
    fn rules_that_cannot_work_are_named() {
        let rules = json!([
            { "claim": ["desk"], "from": ["desk"] },
            { "claim": ["degrees", null], "from": ["degrees"] },
            { "claim": ["name"], "from": ["roles", null] },
            { "claim": ["name"] },
            { "claim": ["name"], "from": ["a"], "extra": 1 },
            { "claim": ["name"], "from": ["b"] }
        ]);
        assert_eq!(
            pointers(&rules),
            [
                "/identityMapping/0/claim",
                "/identityMapping/1/claim",
                "/identityMapping/2/from",
                "/identityMapping/3/from",
                "/identityMapping/4/extra",
                "/identityMapping/5/claim",
            ]
        );
    }
}
