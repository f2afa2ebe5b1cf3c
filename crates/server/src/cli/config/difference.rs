//! What a file changes about what a server has, member by member.

use serde_json::{Map, Value};

/// Lists whose order says nothing: the server sorts them its own way.
const UNORDERED: [&str; 2] = ["digitalWalletWebhook", "scopes"];

/// One member that is different.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Difference {
    /// Where, for people: `credentialDefinitions[staff-badge].claims[address.locality].mandatory`.
    pub(super) path: String,
    /// What is there now, unless the member is new.
    pub(super) old: Option<Value>,
    /// What is to be there, unless the member goes.
    pub(super) new: Option<Value>,
}

/// `wanted` laid over `known`: members that it leaves out stay as they are, whatever their default would be. Elements of
/// lists are told apart by what names them, and lists are as long as in `wanted`.
pub(super) fn overlay(name: &str, known: &Value, wanted: &Value) -> Value {
    match (known, wanted) {
        (Value::Object(known), Value::Object(wanted)) => Value::Object(overlay_members(known, wanted)),
        (Value::Array(known), Value::Array(wanted)) => overlay_elements(name, known, wanted),
        (Value::Number(old), Value::Number(new)) if old.as_f64() == new.as_f64() => known.clone(),
        _ => wanted.clone(),
    }
}

fn overlay_members(known: &Map<String, Value>, wanted: &Map<String, Value>) -> Map<String, Value> {
    let mut whole = known.clone();
    for (name, value) in wanted {
        let laid = known.get(name).map_or_else(|| value.clone(), |old| overlay(name, old, value));
        whole.insert(name.clone(), laid);
    }
    whole
}

fn overlay_elements(name: &str, known: &[Value], wanted: &[Value]) -> Value {
    let same = known.len() == wanted.len() && known.iter().all(|element| wanted.contains(element));
    if UNORDERED.contains(&name) && same {
        return Value::Array(known.to_vec());
    }
    let laid = wanted.iter().map(|element| {
        let id = identity(name, element);
        let before = known.iter().find(|old| id.is_some() && identity(name, old) == id);
        before.map_or_else(|| element.clone(), |old| overlay("", old, element))
    });
    Value::Array(laid.collect())
}

/// What names an element of the list `name`, when something does.
fn identity(name: &str, element: &Value) -> Option<String> {
    let text = |member: &str| element.get(member).and_then(Value::as_str).map(str::to_owned);
    let path = |member: &str| element.get(member).map(path_in_words);
    match name {
        "credentialDefinitions" => text("credentialConfigurationId"),
        "claims" => path("path"),
        "identityMapping" => path("claim"),
        "display" => Some(text("locale").unwrap_or_default()).filter(|_| element.is_object()),
        "registered" => text("clientId"),
        _ => None,
    }
}

/// `["address", null, 0]` as `address.*.0`.
fn path_in_words(path: &Value) -> String {
    let words = path.as_array().into_iter().flatten().map(|segment| match segment {
        Value::String(name) => name.clone(),
        Value::Null => "*".to_owned(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => segment.to_string(),
    });
    words.collect::<Vec<_>>().join(".")
}

/// Everything that is different, in the order of `new`.
pub(super) fn differences(old: &Value, new: &Value) -> Vec<Difference> {
    let mut found = Vec::new();
    compare("", "", old, new, &mut found);
    found
}

fn compare(path: &str, name: &str, old: &Value, new: &Value, found: &mut Vec<Difference>) {
    match (old, new) {
        (Value::Object(before), Value::Object(after)) => {
            for (member, value) in after {
                let below = if path.is_empty() { member.clone() } else { format!("{path}.{member}") };
                compare_one(&below, member, before.get(member), Some(value), found);
            }
            for (member, value) in before.iter().filter(|(member, _)| !after.contains_key(*member)) {
                let below = if path.is_empty() { member.clone() } else { format!("{path}.{member}") };
                compare_one(&below, member, Some(value), None, found);
            }
        }
        (Value::Array(before), Value::Array(after)) if all_named(name, before) && all_named(name, after) => {
            compare_named(path, name, before, after, found);
        }
        _ if old == new => {}
        _ => found.push(Difference { path: path.to_owned(), old: Some(old.clone()), new: Some(new.clone()) }),
    }
}

fn compare_one(path: &str, name: &str, old: Option<&Value>, new: Option<&Value>, found: &mut Vec<Difference>) {
    match (old, new) {
        (Some(old), Some(new)) => compare(path, name, old, new, found),
        (None, None) => {}
        _ => found.push(Difference { path: path.to_owned(), old: old.cloned(), new: new.cloned() }),
    }
}

fn all_named(name: &str, elements: &[Value]) -> bool {
    elements.iter().all(|element| identity(name, element).is_some())
}

fn compare_named(path: &str, name: &str, before: &[Value], after: &[Value], found: &mut Vec<Difference>) {
    let names =
        |elements: &[Value]| -> Vec<String> { elements.iter().filter_map(|element| identity(name, element)).collect() };
    let (old_names, new_names) = (names(before), names(after));
    for (id, element) in new_names.iter().zip(after) {
        let old = old_names.iter().zip(before).find(|(known, _)| *known == id).map(|(_, old)| old);
        compare_one(&format!("{path}[{id}]"), "", old, Some(element), found);
    }
    for (id, element) in old_names.iter().zip(before).filter(|(id, _)| !new_names.contains(id)) {
        compare_one(&format!("{path}[{id}]"), "", Some(element), None, found);
    }
    let common = |names: &[String], others: &[String]| -> Vec<Value> {
        names.iter().filter(|name| others.contains(name)).cloned().map(Value::String).collect()
    };
    let (old_order, new_order) = (common(&old_names, &new_names), common(&new_names, &old_names));
    if old_order != new_order {
        let order = |names| Some(Value::Array(names));
        found.push(Difference { path: format!("{path} (order)"), old: order(old_order), new: order(new_order) });
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn definition() -> Value {
        json!({"label": "Badge", "credentialDefinitions": [{
            "credentialConfigurationId": "badge", "expirationInDays": 30,
            "claims": {"claims": [
                {"path": ["name"], "mandatory": true, "display": [{"name": "Name", "locale": ""}]},
                {"path": ["address", null], "mandatory": false, "display": []},
            ]},
        }]})
    }

    fn changes(wanted: &Value) -> Vec<String> {
        let known = definition();
        let found = differences(&known, &overlay("", &known, wanted));
        let text = |value: Option<Value>| value.map(|value| value.to_string()).unwrap_or_default();
        found.into_iter().map(|it| format!("{}: {} -> {}", it.path, text(it.old), text(it.new))).collect()
    }

    #[test]
    fn what_the_file_leaves_out_stays() {
        assert!(changes(&json!({})).is_empty());
        assert!(changes(&json!({"credentialDefinitions": [{"credentialConfigurationId": "badge"}]})).is_empty());
        let claims = json!({"claims": [{"path": ["name"]}, {"path": ["address", null]}]});
        let entry = json!({"credentialConfigurationId": "badge", "claims": claims, "expirationInDays": 30.0});
        assert!(changes(&json!({"credentialDefinitions": [entry]})).is_empty());
    }

    #[test]
    fn each_member_is_named_with_what_it_was_and_what_it_will_be() {
        let claims = json!({"claims": [{"path": ["age"]}, {"path": ["name"], "mandatory": false}]});
        let entry = json!({"credentialConfigurationId": "badge", "claims": claims, "expirationInDays": 90});
        assert_eq!(
            changes(&json!({"label": "Pass", "credentialDefinitions": [entry]})),
            [
                "label: \"Badge\" -> \"Pass\"",
                "credentialDefinitions[badge].expirationInDays: 30 -> 90",
                "credentialDefinitions[badge].claims.claims[age]:  -> {\"path\":[\"age\"]}",
                "credentialDefinitions[badge].claims.claims[name].mandatory: true -> false",
                "credentialDefinitions[badge].claims.claims[address.*]: \
                 {\"path\":[\"address\",null],\"mandatory\":false,\"display\":[]} -> ",
            ]
        );
    }

    #[test]
    fn another_order_is_a_difference_only_where_order_says_something() {
        let claims = json!({"claims": [{"path": ["address", null]}, {"path": ["name"]}]});
        let entry = json!({"credentialConfigurationId": "badge", "claims": claims});
        assert_eq!(
            changes(&json!({"credentialDefinitions": [entry]})),
            [
                "credentialDefinitions[badge].claims.claims (order): [\"name\",\"address.*\"] -> [\"address.*\",\"name\"]"
            ]
        );
        let (known, wanted) = (json!({"scopes": ["openid", "email"]}), json!({"scopes": ["email", "openid"]}));
        assert!(differences(&known, &overlay("", &known, &wanted)).is_empty());
    }
}
