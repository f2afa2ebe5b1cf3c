//! The older shape of a claims description: a JSON Schema whose properties carry `limitDisclosure`. Only the
//! path pointers it stands for are kept.

use chancery_formats::{ClaimPath, PathSegment};
use chancery_model::{ClaimDescription, ClaimDisplay};
use serde_json::Value;

use super::entry::{MOST_CLAIMS, check_path};
use crate::management::body::{Faults, Members};

/// Deepest nesting of a schema; no credential nests deeper.
const DEEPEST: usize = 16;

/// The claims that an object schema describes, outer claims before what they contain.
pub(in crate::management::definitions) fn convert(schema: &Members<'_>, faults: &mut Faults) -> Vec<ClaimDescription> {
    let mut claims = Vec::new();
    let outside = Outside { path: Vec::new(), mandatory: true };
    describe_properties(schema, &outside, &mut claims, faults);
    if claims.len() > MOST_CLAIMS {
        faults.add(schema.pointer(), format!("at most {MOST_CLAIMS} claims are accepted"));
    }
    claims
}

/// What is known about the value that holds the properties.
struct Outside {
    path: Vec<PathSegment>,
    /// Whether it is always there: a required member of an optional object is not mandatory.
    mandatory: bool,
}

fn describe_properties(
    schema: &Members<'_>,
    outside: &Outside,
    claims: &mut Vec<ClaimDescription>,
    faults: &mut Faults,
) {
    if outside.path.len() >= DEEPEST {
        faults.add(schema.pointer(), format!("at most {DEEPEST} levels are accepted"));
        return;
    }
    schema.require("properties", faults);
    let Some(properties) = schema.object("properties", faults) else { return };
    let required: Vec<&str> =
        schema.value("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    for (name, value) in properties.raw() {
        // A bound while reading, so that the whole list is never built for a hostile schema.
        if claims.len() > MOST_CLAIMS {
            return;
        }
        let Some(property) = Members::of(value, properties.at(name), faults) else { continue };
        let mut path = outside.path.clone();
        path.push(PathSegment::Name(name.clone()));
        let mandatory = outside.mandatory && required.contains(&name.as_str());
        describe(&property, Outside { path, mandatory }, claims, faults);
    }
}

fn describe(property: &Members<'_>, here: Outside, claims: &mut Vec<ClaimDescription>, faults: &mut Faults) {
    let limit_disclosure = property.boolean("limitDisclosure", false, faults);
    let title = property.text("title", 255, faults);
    let display = title.map(|name| ClaimDisplay { name: name.to_owned(), locale: None }).into_iter().collect();
    match ClaimPath::new(here.path.clone()) {
        Ok(path) => {
            check_path(&path, limit_disclosure, property.pointer(), faults);
            claims.push(ClaimDescription { path, mandatory: here.mandatory, limit_disclosure, display });
        }
        Err(error) => faults.add(property.pointer(), error.to_string()),
    }
    if property.value("properties").is_some() {
        describe_properties(property, &here, claims, faults);
    }
    let Some(items) = property.value("items").filter(|items| items.is_object()) else { return };
    let Some(items) = Members::of(items, property.at("items"), faults) else { return };
    let element_says_something = items.value("properties").is_some() || items.value("limitDisclosure").is_some();
    if element_says_something {
        let mut path = here.path;
        path.push(PathSegment::All);
        if path.len() >= DEEPEST {
            faults.add(items.pointer(), format!("at most {DEEPEST} levels are accepted"));
            return;
        }
        // An array may be empty, so nothing inside an element is mandatory.
        describe(&items, Outside { path, mandatory: false }, claims, faults);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn converted(schema: &Value) -> (Vec<String>, bool) {
        let mut faults = Faults::default();
        let members = Members::of(schema, "/claims".to_owned(), &mut faults).unwrap();
        let claims = convert(&members, &mut faults);
        (claims.iter().map(|claim| claim.path.to_string()).collect(), faults.none_or(Some(())).is_ok())
    }

    #[test]
    fn elements_of_arrays_become_null_steps() {
        let schema = json!({ "properties": { "degrees": { "type": "array", "items": {
            "properties": { "title": { "limitDisclosure": true } } } } } });
        assert_eq!(
            converted(&schema),
            (vec![r#"["degrees"]"#.into(), r#"["degrees",null]"#.into(), r#"["degrees",null,"title"]"#.into()], true)
        );
    }

    #[test]
    fn a_required_member_of_an_optional_object_is_not_mandatory() {
        let schema = json!({ "properties": { "address": { "required": ["city"], "properties": { "city": {} } } } });
        let mut faults = Faults::default();
        let members = Members::of(&schema, String::new(), &mut faults).unwrap();
        assert!(convert(&members, &mut faults).iter().all(|claim| !claim.mandatory));
    }

    #[test]
    fn a_schema_that_nests_without_end_is_refused() {
        let mut schema = json!({});
        for _ in 0..40 {
            schema = json!({ "properties": { "a": schema } });
        }
        assert!(!converted(&schema).1);
    }
}
