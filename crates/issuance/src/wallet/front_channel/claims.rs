//! What goes into the credential: claims of the organisation, and claims of the person who signed in.
//!
//! Where both say something they must say the same. So an offer that was made for one person is not filled with the
//! identity of another, and an organisation binds an offer to a person by mapping any claim that it also gives.

use chancery_formats::PathSegment;
use chancery_model::{Definition, Entry, Exchange, IssuanceMode, RequestedCredential, Submission};
use serde_json::{Map, Value};

use super::Rejection;
use crate::management::offers::claims::{mapped, unfit as unfit_claims};

/// The submissions for everything that was asked for; empty when the claims come later.
pub(super) fn submissions(
    definition: &Definition,
    requested: &[RequestedCredential],
    exchange: Option<(&Exchange, Vec<Submission>)>,
    person: &Map<String, Value>,
) -> Result<Vec<Submission>, Rejection> {
    let comes_later = exchange
        .as_ref()
        .is_some_and(|(exchange, given)| exchange.issuance_mode == IssuanceMode::Deferred && given.is_empty());
    let offered = exchange.as_ref().map(|(exchange, _)| *exchange);
    let datasets_of = |entry| offered.map_or(1, |exchange| exchange.datasets_of(entry));
    let mut given = exchange.map(|(_, given)| given).unwrap_or_default();
    let mut unfit = Vec::new();
    let mut submissions = Vec::with_capacity(requested.len().max(given.len()));
    for id in requested.iter().map(|credential| credential.entry) {
        let Some(entry) = definition.entry(id) else { continue };
        let (mut own, others): (Vec<_>, Vec<_>) = given.into_iter().partition(|submission| submission.entry == id);
        given = others;
        let missing = datasets_of(id).saturating_sub(own.len());
        own.extend((0..missing).map(|_| match &definition.content.claims_endpoint {
            Some(_) => Submission::awaited(id, Map::new()),
            None => Submission::given(id, Map::new(), Map::new()),
        }));
        for mut submission in own {
            fill(entry, &mut submission.claims, person)?;
            note_subject(&mut submission, person);
            if !submission.is_awaited() {
                unfit.extend(unfit_claims(entry, &submission.claims));
            }
            submissions.push(submission);
        }
    }
    // Entries of the offer that this request does not ask for: a later request may.
    for mut submission in given {
        let Some(entry) = definition.entry(submission.entry) else { continue };
        fill(entry, &mut submission.claims, person)?;
        note_subject(&mut submission, person);
        submissions.push(submission);
    }
    match (unfit.is_empty(), comes_later) {
        (true, _) => Ok(submissions),
        (false, true) => Ok(Vec::new()),
        (false, false) => Err(Rejection::Claims { claims: unfit, contradiction: false }),
    }
}

/// The claims endpoint is told who signed in.
fn note_subject(submission: &mut Submission, person: &Map<String, Value>) {
    if let Some(fetch) = submission.fetch.as_mut() {
        fetch.subject = person.get("sub").and_then(Value::as_str).map(str::to_owned);
    }
}

/// Whether nothing is missing any more.
pub(super) fn are_complete(submissions: &[Submission]) -> bool {
    !submissions.is_empty() && !submissions.iter().any(Submission::is_awaited)
}

/// Whether the claims of the person hold a value for every rule.
pub(super) fn suffice(definition: &Definition, requested: &[RequestedCredential], person: &Map<String, Value>) -> bool {
    let entries = requested.iter().filter_map(|credential| definition.entry(credential.entry));
    entries.flat_map(|entry| &entry.identity_mapping).all(|rule| find(rule.from.segments(), person).is_some())
}

/// Whether the provider says anything that `given` says, too. That it says the same is seen when the claims are put
/// together; where it says nothing about them, anybody could have signed in.
pub(super) fn confirm(definition: &Definition, given: &[Submission], person: &Map<String, Value>) -> bool {
    let confirms = |submission: &Submission| {
        let entry = definition.entry(submission.entry);
        let says =
            |entry: &Entry| mapped(entry, &submission.claims).any(|rule| find(rule.from.segments(), person).is_some());
        entry.is_some_and(says)
    };
    given.iter().any(confirms)
}

fn fill(entry: &Entry, claims: &mut Map<String, Value>, person: &Map<String, Value>) -> Result<(), Rejection> {
    for rule in &entry.identity_mapping {
        let Some(value) = find(rule.from.segments(), person) else { continue };
        if !put(claims, rule.claim.segments(), value) {
            return Err(Rejection::Claims { claims: vec![rule.claim.to_string()], contradiction: true });
        }
    }
    Ok(())
}

/// The value at a path of names and positions, unless it is `null`.
fn find<'v>(path: &[PathSegment], claims: &'v Map<String, Value>) -> Option<&'v Value> {
    let (first, rest) = path.split_first()?;
    let PathSegment::Name(name) = first else { return None };
    let mut value = claims.get(name)?;
    for segment in rest {
        value = match segment {
            PathSegment::Name(name) => value.get(name)?,
            PathSegment::Index(index) => value.get(usize::try_from(*index).ok()?)?,
            PathSegment::All => return None,
        };
    }
    Some(value).filter(|value| !value.is_null())
}

/// Puts `value` at a path of names; `false` when something else is there.
fn put(claims: &mut Map<String, Value>, path: &[PathSegment], value: &Value) -> bool {
    let Some((PathSegment::Name(name), rest)) = path.split_first() else { return false };
    if rest.is_empty() {
        let known = claims.entry(name.clone()).or_insert(Value::Null);
        if known.is_null() {
            *known = value.clone();
        }
        return known == value;
    }
    let inside = claims.entry(name.clone()).or_insert(Value::Null);
    if inside.is_null() {
        *inside = Value::Object(Map::new());
    }
    inside.as_object_mut().is_some_and(|inside| put(inside, rest, value))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn path(names: &[&str]) -> Vec<PathSegment> {
        names.iter().map(|name| PathSegment::Name((*name).to_owned())).collect()
    }

    fn put_into(claims: &Value, names: &[&str], value: &Value) -> Option<Value> {
        let mut claims = claims.as_object().unwrap().clone();
        put(&mut claims, &path(names), value).then_some(Value::Object(claims))
    }

    #[test]
    fn a_mapped_claim_fills_a_gap_and_must_equal_what_the_organisation_gave() {
        assert_eq!(put_into(&json!({}), &["a"], &json!(1)), Some(json!({ "a": 1 })));
        assert_eq!(put_into(&json!({ "a": null }), &["a"], &json!(1)), Some(json!({ "a": 1 })));
        assert_eq!(put_into(&json!({ "a": 1 }), &["a"], &json!(1)), Some(json!({ "a": 1 })));
        assert_eq!(put_into(&json!({ "a": 2 }), &["a"], &json!(1)), None);
        assert_eq!(put_into(&json!({}), &["a", "b"], &json!(1)), Some(json!({ "a": { "b": 1 } })));
        assert_eq!(
            put_into(&json!({ "a": { "c": 2 } }), &["a", "b"], &json!(1)),
            Some(json!({ "a": { "c": 2, "b": 1 } }))
        );
        assert_eq!(put_into(&json!({ "a": "text" }), &["a", "b"], &json!(1)), None);
    }

    #[test]
    fn a_value_of_the_person_is_found_by_names_and_positions() {
        let claims = json!({ "a": [{ "b": "x" }], "n": null });
        let claims = claims.as_object().unwrap();
        let deep = [PathSegment::Name("a".to_owned()), PathSegment::Index(0), PathSegment::Name("b".to_owned())];
        assert_eq!(find(&deep, claims), Some(&json!("x")));
        assert_eq!(find(&path(&["n"]), claims), None);
        assert_eq!(find(&path(&["a", "b"]), claims), None);
    }
}
