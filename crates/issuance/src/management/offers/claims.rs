//! Claims against the description in the definition.

use chancery_formats::sd_jwt::{SD_JWT_NAMES, SET_BY_ISSUER};
use chancery_formats::{ClaimPath, PathSegment};
use chancery_model::{Entry, IdentityMapping};
use serde_json::{Map, Value};

use crate::management::body::{Faults, below};

/// Deepest nesting of claims.
const DEEPEST: usize = 16;
/// Most values (objects, arrays and leaves) of one credential.
const MOST_VALUES: usize = 4096;
/// Longest string, in bytes: a portrait fits.
const LONGEST_STRING: usize = 524_288;

/// Checks `claims`, which stand at `pointer` of the request body. Details name claims, never their values.
pub(crate) fn check(entry: &Entry, claims: &Map<String, Value>, pointer: &str, faults: &mut Faults) {
    check_but_for(entry, claims, |_| false, pointer, faults);
}

/// The same, without the mandatory claims that a sign-in at the identity provider can still bring.
pub(crate) fn check_before_sign_in(entry: &Entry, claims: &Map<String, Value>, pointer: &str, faults: &mut Faults) {
    let is_mapped = |path: &ClaimPath| {
        let related = |rule: &IdentityMapping| {
            path.segments().starts_with(rule.claim.segments()) || rule.claim.segments().starts_with(path.segments())
        };
        entry.identity_mapping.iter().any(related)
    };
    check_but_for(entry, claims, is_mapped, pointer, faults);
}

fn check_but_for(
    entry: &Entry,
    claims: &Map<String, Value>,
    may_be_missing: impl Fn(&ClaimPath) -> bool,
    pointer: &str,
    faults: &mut Faults,
) {
    let scope = Scope::Described(entry.claims.iter().map(|claim| claim.path.segments()).collect());
    let mut walk = Walk { values: 0, faults };
    walk.members(claims, &scope, pointer, 1);
    if walk.values > MOST_VALUES {
        faults.add(pointer, format!("at most {MOST_VALUES} values are accepted"));
        return;
    }
    let is_missing = |path: &ClaimPath| !is_given(path, claims) && !may_be_missing(path);
    for claim in entry.claims.iter().filter(|claim| claim.mandatory && is_missing(&claim.path)) {
        let place = format!("{pointer}{}", claim.path.pointer());
        faults.add(place, format!("the definition makes the claim {} mandatory", claim.path));
    }
}

/// The places where `claims` break the description, as JSON Pointers; they name claims, never their values.
pub(crate) fn unfit(entry: &Entry, claims: &Map<String, Value>) -> Vec<String> {
    let mut faults = Faults::default();
    check(entry, claims, "", &mut faults);
    let faults = faults.none_or(Some(())).err().unwrap_or_default();
    faults.into_iter().map(|fault| fault.pointer).collect()
}

/// The rules by which the identity provider has to say the same as `claims`.
pub(crate) fn mapped<'e>(entry: &'e Entry, claims: &Map<String, Value>) -> impl Iterator<Item = &'e IdentityMapping> {
    entry.identity_mapping.iter().filter(|rule| is_given(&rule.claim, claims))
}

/// Whether the path selects anything but `null`.
fn is_given(path: &ClaimPath, claims: &Map<String, Value>) -> bool {
    let mut segments = path.segments().iter();
    let Some(PathSegment::Name(first)) = segments.next() else { return false };
    let mut selected: Vec<&Value> = claims.get(first).into_iter().collect();
    for segment in segments {
        selected = selected.into_iter().flat_map(|value| step(segment, value)).collect();
    }
    selected.iter().any(|value| !value.is_null())
}

fn step<'v>(segment: &PathSegment, value: &'v Value) -> Vec<&'v Value> {
    match segment {
        PathSegment::Name(name) => value.get(name).into_iter().collect(),
        PathSegment::Index(index) => {
            usize::try_from(*index).ok().and_then(|index| value.get(index)).into_iter().collect()
        }
        PathSegment::All => value.as_array().into_iter().flatten().collect(),
    }
}

/// What the definition says about the inside of a value.
enum Scope<'p> {
    /// The value itself is described and nothing in it is: it may hold anything.
    Open,
    /// Only what these rests of paths name.
    Described(Vec<&'p [PathSegment]>),
}

impl<'p> Scope<'p> {
    /// The scope inside the member or element that `is_here` recognises; `None` when nothing describes it.
    fn enter(&self, value: &Value, is_here: impl Fn(&PathSegment) -> bool) -> Option<Scope<'p>> {
        let Self::Described(paths) = self else { return Some(Self::Open) };
        let mut is_described = false;
        let mut deeper = Vec::new();
        for path in paths {
            match path.split_first() {
                Some((first, [])) if is_here(first) => is_described = true,
                Some((first, rest)) if is_here(first) => deeper.push(rest),
                Some(_) | None => {}
            }
        }
        match (deeper.is_empty(), is_described) {
            (true, true) => Some(Self::Open),
            (true, false) => None,
            (false, true) => Some(Self::Described(deeper)),
            // Only parts of this value are described, so it must have parts.
            (false, false) => (value.is_object() || value.is_array()).then_some(Self::Described(deeper)),
        }
    }
}

struct Walk<'f> {
    values: usize,
    faults: &'f mut Faults,
}

impl Walk<'_> {
    fn members(&mut self, members: &Map<String, Value>, scope: &Scope<'_>, pointer: &str, depth: usize) {
        for (name, value) in members {
            let shown: String = name.chars().take(64).collect();
            let place = below(pointer, &shown);
            if SD_JWT_NAMES.contains(&name.as_str()) {
                self.faults.add(place, "this name is reserved by SD-JWT (RFC 9901)");
            } else if depth == 1 && SET_BY_ISSUER.contains(&name.as_str()) {
                self.faults.add(place, "this claim is set by the issuer");
            } else {
                let is_here = |segment: &PathSegment| matches!(segment, PathSegment::Name(own) if own == name);
                self.value(value, scope.enter(value, is_here), &place, depth);
            }
        }
    }

    fn value(&mut self, value: &Value, scope: Option<Scope<'_>>, pointer: &str, depth: usize) {
        self.values += 1;
        if self.values > MOST_VALUES {
            return;
        }
        let Some(scope) = scope else {
            self.faults.add(pointer, "the definition describes no such claim");
            return;
        };
        if depth > DEEPEST {
            self.faults.add(pointer, format!("at most {DEEPEST} levels are accepted"));
            return;
        }
        match value {
            Value::Object(members) => self.members(members, &scope, pointer, depth + 1),
            Value::Array(elements) => self.elements(elements, &scope, pointer, depth + 1),
            Value::String(text) if text.len() > LONGEST_STRING => {
                self.faults.add(pointer, format!("at most {LONGEST_STRING} bytes are accepted"));
            }
            Value::String(_) | Value::Number(_) | Value::Bool(_) | Value::Null => {}
        }
    }

    fn elements(&mut self, elements: &[Value], scope: &Scope<'_>, pointer: &str, depth: usize) {
        let whole = match scope {
            Scope::Open => true,
            // Elements without a description of their own belong to the described array.
            Scope::Described(paths) => {
                paths.iter().all(|path| matches!(path.first(), Some(PathSegment::Name(_)) | None))
            }
        };
        for (position, value) in elements.iter().enumerate() {
            let is_here = |segment: &PathSegment| match segment {
                PathSegment::All => true,
                PathSegment::Index(index) => usize::try_from(*index).is_ok_and(|index| index == position),
                PathSegment::Name(_) => false,
            };
            let inside = if whole { Some(Scope::Open) } else { scope.enter(value, is_here) };
            self.value(value, inside, &format!("{pointer}/{position}"), depth);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use uuid::Uuid;

    use super::*;
    use chancery_model::{AuthorizationRequestType, ClaimDescription, Format, RevocationMethod};

    fn entry(claims: &Value) -> Entry {
        let claims = claims.as_array().unwrap().iter().map(|claim| ClaimDescription {
            path: serde_json::from_value(claim[0].clone()).unwrap(),
            mandatory: claim[1].as_bool().unwrap(),
            limit_disclosure: true,
            display: Vec::new(),
        });
        Entry {
            id: Uuid::from_u128(1).into(),
            configuration_id: "badge".to_owned(),
            format: Format::DcSdJwt,
            vct: "badge".to_owned(),
            claims: claims.collect(),
            expiration_in_days: 30,
            support_revocation: false,
            revocation_method: RevocationMethod::StatusList,
            support_suspension: false,
            enforce_credential_uniqueness: false,
            support_credential_reissuance: false,
            binding_methods: Vec::new(),
            require_key_attestation: false,
            key_storage: Vec::new(),
            user_authentication: Vec::new(),
            proof_algorithms: Vec::new(),
            authorization_request_type: AuthorizationRequestType::AuthorizationDetails,
            scope: String::new(),
            response_interval: 5,
            display: None,
            identity_mapping: Vec::new(),
        }
    }

    fn pointers(described: &Value, claims: &Value) -> Vec<String> {
        let mut faults = Faults::default();
        check(&entry(described), claims.as_object().unwrap(), "/credential/claims", &mut faults);
        faults.none_or(Some(())).err().unwrap_or_default().into_iter().map(|fault| fault.pointer).collect()
    }

    #[test]
    fn claims_that_fit_the_definition_pass() {
        let described = json!([
            [["name"], true],
            [["address"], false],
            [["address", "city"], true],
            [["degrees", null, "title"], true],
            [["roles"], false],
            [["extra"], false]
        ]);
        let claims = json!({
            "name": "Ada", "address": { "city": "Turin" }, "degrees": [{ "title": "BSc" }, { "title": "MSc" }],
            "roles": ["a", "b"], "extra": { "any": { "thing": [1, { "x": null }] } }
        });
        assert_eq!(pointers(&described, &claims), Vec::<String>::new());
    }

    #[test]
    fn a_missing_or_null_mandatory_claim_is_named() {
        let described = json!([[["name"], true], [["address", "city"], true], [["nick"], false]]);
        assert_eq!(
            pointers(&described, &json!({ "name": null, "address": {} })),
            ["/credential/claims/name", "/credential/claims/address/city"]
        );
    }

    #[test]
    fn claims_that_the_definition_does_not_describe_are_named() {
        let described = json!([[["address", "city"], false], [["degrees", null, "title"], false]]);
        let claims = json!({ "desk": 1, "address": { "zip": "1" }, "degrees": [{ "title": "x", "year": 1 }] });
        assert_eq!(
            pointers(&described, &claims),
            ["/credential/claims/desk", "/credential/claims/address/zip", "/credential/claims/degrees/0/year"]
        );
    }

    #[test]
    fn a_bare_value_in_place_of_a_described_object_is_refused() {
        assert_eq!(
            pointers(&json!([[["address", "city"], false]]), &json!({ "address": "Turin" })),
            ["/credential/claims/address"]
        );
    }

    #[test]
    fn names_that_issuer_and_sd_jwt_set_are_refused() {
        let described = json!([[["x"], false]]);
        let claims = json!({ "iss": "https://evil.example", "exp": 1, "_sd": [], "x": { "...": 1, "exp": 2 } });
        assert_eq!(
            pointers(&described, &claims),
            ["/credential/claims/iss", "/credential/claims/exp", "/credential/claims/_sd", "/credential/claims/x/..."]
        );
    }

    #[test]
    fn depth_and_size_are_bounded() {
        let described = json!([[["x"], false]]);
        let mut deep = json!(1);
        for _ in 0..40 {
            deep = json!({ "a": deep });
        }
        assert_eq!(pointers(&described, &json!({ "x": deep })).len(), 1);
        let wide: Vec<u32> = (0..5000).collect();
        assert_eq!(pointers(&described, &json!({ "x": wide })), ["/credential/claims"]);
    }
}
