//! What holds for every claims object and every choice of disclosable paths.

use chancery_formats::sd_jwt::{NEVER_DISCLOSABLE, PrepareError, SD_JWT_NAMES, SET_BY_ISSUER};
use chancery_formats::{ClaimPath, PathSegment};
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Map, Value, json};

use crate::holder::receive;
use crate::issuer::{content, disclosed, distinct_bytes, issue_with};

/// Claims, which of their parts to make disclosable, and how many decoys.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) claims: Value,
    pub(crate) disclosable: Vec<ClaimPath>,
    pub(crate) decoys: u8,
}

/// Cases whose texts come from `text` and whose objects and arrays have at least `least` parts.
pub(crate) fn cases(text: &'static str, least: usize) -> impl Strategy<Value = Case> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<i32>().prop_map(|number| Value::from(f64::from(number) / 4.0)),
        text.prop_map(Value::from),
    ];
    let value = leaf.prop_recursive(4, 24, 5, move |inner| {
        prop_oneof![prop::collection::vec(inner.clone(), least..5).prop_map(Value::from), object(text, inner, least),]
    });
    let choices = prop::collection::vec((any::<Index>(), any::<bool>()), 0..12);
    (object(text, value, 1), choices, 0..4_u8).prop_map(|(claims, choices, decoys)| {
        let mut positions = Vec::new();
        collect_positions(&claims, &mut Vec::new(), &mut positions);
        let disclosable = choices.into_iter().map(|(choice, every)| {
            let segments = choice.get(&positions).iter().cloned().map(|segment| match segment {
                PathSegment::Index(_) if every => PathSegment::All,
                segment @ (PathSegment::Name(_) | PathSegment::Index(_) | PathSegment::All) => segment,
            });
            ClaimPath::new(segments.collect()).unwrap()
        });
        Case { disclosable: disclosable.collect(), claims, decoys }
    })
}

fn object(
    text: &'static str,
    value: impl Strategy<Value = Value> + 'static,
    least: usize,
) -> impl Strategy<Value = Value> {
    prop::collection::vec((text, value), least..6).prop_map(|members| {
        let members: Map<String, Value> = members
            .into_iter()
            .map(|(name, value)| match SD_JWT_NAMES.contains(&&*name) || SET_BY_ISSUER.contains(&&*name) {
                true => (format!("{name}_"), value),
                false => (name, value),
            })
            .collect();
        Value::Object(members)
    })
}

fn collect_positions(value: &Value, above: &mut Vec<PathSegment>, positions: &mut Vec<Vec<PathSegment>>) {
    let parts: Vec<(PathSegment, &Value)> = match value {
        Value::Object(members) => {
            members.iter().map(|(name, value)| (PathSegment::Name(name.clone()), value)).collect()
        }
        Value::Array(elements) => {
            elements.iter().zip(0..).map(|(value, index)| (PathSegment::Index(index), value)).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    };
    for (segment, part) in parts {
        above.push(segment);
        positions.push(above.clone());
        collect_positions(part, above, positions);
        above.pop();
    }
}

/// What is left to see of this value when every disclosable part is withheld; `None` when it is one itself.
fn withheld(value: &Value, here: &mut Vec<PathSegment>, disclosable: &[ClaimPath]) -> Option<Value> {
    let leads_here = |path: &ClaimPath| {
        path.segments().len() == here.len()
            && path
                .segments()
                .iter()
                .zip(&*here)
                .all(|(step, at)| step == at || (*step == PathSegment::All && matches!(at, PathSegment::Index(_))))
    };
    if disclosable.iter().any(leads_here) {
        return None;
    }
    let mut part = |segment, value| {
        here.push(segment);
        let left = withheld(value, here, disclosable);
        here.pop();
        left
    };
    Some(match value {
        Value::Object(members) => {
            let left = members
                .iter()
                .filter_map(|(name, value)| Some((name.clone(), part(PathSegment::Name(name.clone()), value)?)));
            Value::Object(left.collect())
        }
        Value::Array(elements) => {
            let left = elements.iter().zip(0..).filter_map(|(value, index)| part(PathSegment::Index(index), value));
            Value::Array(left.collect())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    })
}

proptest! {
    /// The holder in this directory checks on the way: digests unique, `_sd` sorted and never empty, every
    /// disclosure referenced, salts of 128 bits, `...` alone in its object, the final tilde.
    #[test]
    fn what_is_issued_decodes_to_what_was_given_and_shows_nothing_disclosable_by_itself(
        case in cases(".{0,6}", 0), seed: u64
    ) {
        let mut content = content(case.claims.clone(), &[]);
        content.disclosable = case.disclosable.clone();
        content.decoys = case.decoys;
        let expected = disclosed(&content);
        let issued = match issue_with(content, &mut distinct_bytes(seed)) {
            Ok(issued) => issued,
            // A null step can lead to elements of different kinds.
            Err(PrepareError::PathMismatch { path }) => {
                prop_assert!(path.segments().contains(&PathSegment::All));
                return Ok(());
            }
            Err(error) => return Err(TestCaseError::fail(error.to_string())),
        };
        let received = receive(&issued.compact);
        prop_assert_eq!(&received.payload, &issued.payload);
        prop_assert_eq!(received.disclosures.len(), issued.disclosures);
        prop_assert_eq!(received.all_claims(), expected);

        let mut bare = received.claims(&[]);
        for set in ["iss", "vct", "exp"] {
            bare.as_object_mut().unwrap().remove(set);
        }
        prop_assert_eq!(Some(bare), withheld(&case.claims, &mut Vec::new(), &case.disclosable));
        let says_so = received.payload.get("_sd_alg") == Some(&json!("sha-256"));
        prop_assert_eq!(says_so, issued.disclosures > 0);
    }

    /// SDJ-10, SVC-3.
    #[test]
    fn no_path_makes_a_claim_needed_for_validity_disclosable(
        name in prop::sample::select(&NEVER_DISCLOSABLE[..]),
        below in prop::collection::vec(
            prop_oneof![
                any::<String>().prop_map(PathSegment::Name),
                any::<u32>().prop_map(PathSegment::Index),
                Just(PathSegment::All),
            ],
            0..4,
        ),
        others in prop::collection::vec(any::<String>(), 0..3),
        at: Index,
    ) {
        let mut segments = vec![PathSegment::Name(name.to_owned())];
        segments.extend(below);
        let mut disclosable: Vec<ClaimPath> = others.into_iter().map(ClaimPath::top_level).collect();
        disclosable.insert(at.index(disclosable.len() + 1), ClaimPath::new(segments).unwrap());
        let mut content = content(json!({ "aud": "x" }), &[]);
        content.disclosable = disclosable;
        let refused = issue_with(content, &mut distinct_bytes(0));
        let refused = matches!(refused, Err(PrepareError::NeverDisclosable { .. }));
        prop_assert!(refused);
    }
}
