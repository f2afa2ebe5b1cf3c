//! Examples of answers, put together from those of their members: a member that is added later is in them, too.

use serde_json::{Map, Value, json};
use utoipa::openapi::{OpenApi, RefOr};

/// How deep an example goes; no answer nests deeper.
const DEEPEST: usize = 12;

/// Stands for every instant, in Unix seconds and as in RFC 3339.
const SECONDS: u64 = 1_768_478_400;
const INSTANT: &str = "2026-01-15T12:00:00.000Z";

/// Stands for every id.
const ID: &str = "0198f6a1-6a0e-7c50-9f0e-2b6f4d8f0c10";

/// Gives every JSON answer that has none an example.
pub(super) fn fill(description: &mut OpenApi) {
    let components = serde_json::to_value(&description.components).unwrap_or_default();
    for item in description.paths.paths.values_mut() {
        let operations = [&mut item.get, &mut item.post, &mut item.put, &mut item.delete];
        for operation in operations.into_iter().flatten() {
            for response in operation.responses.responses.values_mut() {
                let RefOr::T(response) = response else { continue };
                if let Some(RefOr::T(content)) = response.content.get_mut("application/json")
                    && content.example.is_none()
                {
                    let schema = serde_json::to_value(&content.schema).unwrap_or_default();
                    content.example = Some(example("", &schema, &components, DEEPEST));
                }
            }
        }
    }
}

/// An example of the member `name`; `null` for what nothing is known of.
fn example(name: &str, schema: &Value, components: &Value, depth: usize) -> Value {
    if let Some(given) = schema.get("example").or(schema.get("default")) {
        return given.clone();
    }
    if depth == 0 {
        return Value::Null;
    }
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        let component = reference.strip_prefix("#/components").and_then(|pointer| components.pointer(pointer));
        return component.map(|found| example(name, found, components, depth - 1)).unwrap_or_default();
    }
    if let Some(first) = schema.get("enum").and_then(|values| values.get(0)) {
        return first.clone();
    }
    let choices = schema.get("oneOf").and_then(Value::as_array);
    if let Some(choice) = choices.and_then(|choices| choices.iter().find(|it| it.get("type") != Some(&json!("null")))) {
        return example(name, choice, components, depth - 1);
    }
    match kind(schema) {
        "object" => object(schema, components, depth),
        "array" => array(schema, components, depth),
        "string" => json!(text(name, schema)),
        "integer" => json!(if name.ends_with("At") { SECONDS } else { least(schema) }),
        "number" => json!(0.0),
        "boolean" => json!(false),
        _ => Value::Null,
    }
}

/// The type of a schema, without `null`.
fn kind(schema: &Value) -> &str {
    let declared = schema.get("type");
    let several = declared.and_then(Value::as_array).into_iter().flatten();
    let first = declared.into_iter().chain(several).find(|kind| kind.is_string() && **kind != "null");
    first.and_then(Value::as_str).unwrap_or_default()
}

fn object(schema: &Value, components: &Value, depth: usize) -> Value {
    let members = schema.get("properties").and_then(Value::as_object);
    let members = members.into_iter().flatten();
    let given = members.map(|(name, member)| (name.clone(), example(name, member, components, depth - 1)));
    Value::Object(given.collect::<Map<_, _>>())
}

/// One element that tells something, or none.
fn array(schema: &Value, components: &Value, depth: usize) -> Value {
    let element = schema.get("items").map(|items| example("", items, components, depth - 1));
    let told = element.filter(|element| !element.is_null() && *element != "");
    Value::Array(told.into_iter().collect())
}

/// Texts are empty where there is nothing to say; those of instants are told by their name.
fn text(name: &str, schema: &Value) -> &'static str {
    match schema.get("format").and_then(Value::as_str) {
        Some("uuid") => ID,
        Some("date-time") => INSTANT,
        _ if name == "timestamp" || name.ends_with("Timestamp") || name.ends_with("At") => INSTANT,
        _ => "",
    }
}

fn least(schema: &Value) -> u64 {
    schema.get("minimum").and_then(Value::as_u64).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_example_is_put_together_from_its_members() {
        let components = json!({ "schemas": {
            "Key": { "type": "object", "properties": {
                "id": { "type": "string", "format": "uuid" },
                "state": { "$ref": "#/components/schemas/State" },
                "name": { "type": "string", "example": "front desk" },
                "createdAt": { "type": "integer" },
                "lastUsedTimestamp": { "type": ["string", "null"] },
                "owner": { "oneOf": [{ "type": "null" }, { "type": "integer", "minimum": 1 }] },
                "tags": { "type": "array", "items": { "type": "string" } }
            } },
            "State": { "type": "string", "enum": ["next", "active"] }
        } });
        let schema = json!({ "type": "array", "items": { "$ref": "#/components/schemas/Key" } });
        let expected = json!([{
            "id": ID, "state": "next", "name": "front desk", "createdAt": SECONDS, "lastUsedTimestamp": INSTANT,
            "owner": 1, "tags": []
        }]);
        assert_eq!(example("", &schema, &components, DEEPEST), expected);
    }

    #[test]
    fn a_schema_that_holds_itself_ends() {
        let components = json!({ "schemas": { "Tree": { "$ref": "#/components/schemas/Tree" } } });
        assert_eq!(example("", &json!({ "$ref": "#/components/schemas/Tree" }), &components, DEEPEST), Value::Null);
    }
}
