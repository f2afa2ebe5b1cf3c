//! What holds of all schemas at once: what handlers do alike is said here, not at each of them.

use std::collections::BTreeSet;

use utoipa::openapi::path::{Operation, ParameterIn};
use utoipa::openapi::schema::{AdditionalProperties, ArrayItems, KnownFormat, Schema, SchemaFormat, SchemaType, Type};
use utoipa::openapi::{OpenApi, RefOr};

/// Bodies in which members that are not described pass by.
const OPEN: [&str; 2] = ["CredentialToIssue", "CredentialToSupply"];

/// Largest number of the 32 bits without sign that counters have here.
const LARGEST_COUNT: u32 = u32::MAX;

/// Longest text of a parameter, in characters.
const LONGEST_PARAMETER: usize = 255;

/// Says of all schemas what the code does with all of them.
pub(super) fn settle(description: &mut OpenApi) {
    let mut asked_for = BTreeSet::new();
    for item in description.paths.paths.values_mut() {
        let operations = [&mut item.get, &mut item.post, &mut item.put, &mut item.delete];
        for operation in operations.into_iter().flatten() {
            settle_operation(operation, &mut asked_for);
        }
    }
    let Some(components) = description.components.as_mut() else { return };
    for schema in components.schemas.values_mut() {
        visit(schema, &mut widen);
    }
    let mut pending: Vec<String> = asked_for.iter().cloned().collect();
    while let Some(name) = pending.pop() {
        let Some(schema) = components.schemas.get_mut(&name) else { continue };
        if !OPEN.contains(&name.as_str()) {
            close(schema);
        }
        pending.extend(references(schema).into_iter().filter(|name| asked_for.insert(name.clone())));
    }
}

/// `asked_for` takes the names of what bodies are made of.
fn settle_operation(operation: &mut Operation, asked_for: &mut BTreeSet<String>) {
    for parameter in operation.parameters.iter_mut().flatten() {
        if let RefOr::T(parameter) = parameter
            && let Some(schema) = parameter.schema.as_mut()
        {
            // A parameter that is left out is not there; the text `null` is a value like others.
            without_null(schema);
            visit(schema, &mut widen);
            if parameter.parameter_in == ParameterIn::Query {
                visit(schema, &mut bound);
            }
        }
    }
    if let Some(RefOr::T(body)) = operation.request_body.as_mut() {
        for content in body.content.values_mut() {
            let RefOr::T(content) = content else { continue };
            let Some(schema) = content.schema.as_mut() else { continue };
            without_null(schema);
            close(schema);
            asked_for.extend(references(schema));
        }
    }
    for response in operation.responses.responses.values_mut() {
        let RefOr::T(response) = response else { continue };
        for (media_type, content) in &mut response.content {
            // JSON Schema says nothing of a stream of events as a whole.
            if let RefOr::T(content) = content
                && media_type == "text/event-stream"
            {
                content.schema = None;
            }
        }
    }
}

/// A text in a query is as long as `request.rs` reads it, unless its parameter says otherwise.
fn bound(schema: &mut Schema) {
    let Schema::Object(object) = schema else { return };
    let is_free = object.format.is_none() && object.enum_values.is_none() && object.pattern.is_none();
    if object.schema_type == SchemaType::Type(Type::String) && is_free {
        object.max_length.get_or_insert(LONGEST_PARAMETER);
    }
}

/// Counters have 32 bits without sign, which `int32` does not hold.
fn widen(schema: &mut Schema) {
    let Schema::Object(object) = schema else { return };
    let is_count =
        matches!(object.format, Some(SchemaFormat::KnownFormat(KnownFormat::Int32))) && object.minimum.is_some();
    if is_count {
        object.format = Some(SchemaFormat::KnownFormat(KnownFormat::Int64));
        object.maximum.get_or_insert(LARGEST_COUNT.into());
    }
}

/// A misspelt member is refused.
fn close(schema: &mut RefOr<Schema>) {
    visit(schema, &mut |schema| {
        if let Schema::Object(object) = schema
            && !object.properties.is_empty()
        {
            object.additional_properties.get_or_insert(Box::new(AdditionalProperties::FreeForm(false)));
        }
    });
}

fn without_null(schema: &mut RefOr<Schema>) {
    let is_null = |schema: &RefOr<Schema>| match schema {
        RefOr::T(Schema::Object(object)) => object.schema_type == SchemaType::Type(Type::Null),
        RefOr::T(_) | RefOr::Ref(_) => false,
    };
    match schema {
        RefOr::T(Schema::Object(object)) => {
            if let SchemaType::Array(types) = &object.schema_type
                && let [one] = types.iter().filter(|kind| **kind != Type::Null).collect::<Vec<_>>()[..]
            {
                object.schema_type = SchemaType::Type(one.clone());
            }
        }
        // An enumeration with a default comes as itself and the default beside it.
        RefOr::T(Schema::AllOf(all_of)) => {
            let beside = all_of.items.pop();
            if let ([_], Some(RefOr::T(Schema::Object(beside)))) = (&all_of.items[..], beside)
                && let Some(mut only) = all_of.items.pop()
            {
                describe(&mut only, None, beside.default);
                without_null(&mut only);
                *schema = only;
            }
        }
        RefOr::T(Schema::OneOf(one_of)) => {
            one_of.items.retain(|item| !is_null(item));
            if let [_] = one_of.items[..]
                && let Some(mut only) = one_of.items.pop()
            {
                describe(&mut only, one_of.description.take(), one_of.default.take());
                *schema = only;
            }
        }
        RefOr::T(_) | RefOr::Ref(_) => {}
    }
}

fn describe(schema: &mut RefOr<Schema>, description: Option<String>, default: Option<serde_json::Value>) {
    if let RefOr::T(Schema::Object(object)) = schema {
        object.description = description.or(object.description.take());
        object.default = default.or(object.default.take());
    }
}

/// Names of the components that a schema refers to.
fn references(schema: &mut RefOr<Schema>) -> Vec<String> {
    let mut found = Vec::new();
    each(schema, &mut |schema| {
        if let RefOr::Ref(reference) = schema {
            found.extend(reference.ref_location.rsplit('/').next().map(str::to_owned));
        }
    });
    found
}

/// Calls `change` for every schema that is written inside this one.
fn visit(schema: &mut RefOr<Schema>, change: &mut dyn FnMut(&mut Schema)) {
    each(schema, &mut |schema| {
        if let RefOr::T(schema) = schema {
            change(schema);
        }
    });
}

fn each(schema: &mut RefOr<Schema>, seen: &mut dyn FnMut(&mut RefOr<Schema>)) {
    seen(schema);
    let RefOr::T(inner) = schema else { return };
    match inner {
        Schema::Array(array) => {
            if let ArrayItems::RefOrSchema(items) = &mut array.items {
                each(items, seen);
            }
        }
        Schema::Object(object) => {
            object.properties.values_mut().for_each(|member| each(member, seen));
            if let Some(AdditionalProperties::RefOr(values)) = object.additional_properties.as_deref_mut() {
                each(values, seen);
            }
        }
        Schema::OneOf(one_of) => one_of.items.iter_mut().for_each(|item| each(item, seen)),
        Schema::AllOf(all_of) => all_of.items.iter_mut().for_each(|item| each(item, seen)),
        Schema::AnyOf(any_of) => any_of.items.iter_mut().for_each(|item| each(item, seen)),
        // Schemas of a later version of the crate.
        _ => {}
    }
}
