//! Definitions, told apart by the configuration ids of their entries.

use std::collections::HashSet;

use reqwest::Method;
use serde_json::{Value, json};

use super::{Action, Change, Plan, Planner, Seen, Step, revision};
use crate::cli::config::difference::{Difference, differences, overlay};
use crate::cli::config::document::fault;
use crate::cli::config::remote::{DEFINITION, DEFINITION_MADE, Remote, entries, picture, text, without};
use crate::cli::management::{CallError, Management};

/// What an update cannot change, and what stands for it in the file.
const FOR_GOOD: [(&str, &str); 3] = [("version", "version"), ("trustAnchor", "trustAnchor"), ("kid", "signingKey")];

/// Pictures that a definition may name.
const PICTURES: [&str; 2] = ["logoImage", "coverImage"];

pub(super) async fn plan(planner: &mut Planner<'_>, api: &Management) -> Result<(), CallError> {
    let Some(wanted) = &planner.document.definitions else { return Ok(()) };
    let remote = planner.remote;
    let pairs = pair(&mut planner.plan, wanted, remote);
    for (position, (definition, known)) in wanted.iter().zip(&pairs).enumerate() {
        let place = format!("/credentialDefinitions/{position}");
        let known = known.and_then(|known| remote.definitions.get(known));
        let pictures = pictures(planner, api, &place, definition, known).await?;
        plan_one(planner, place, definition, known, pictures);
    }
    let paired: HashSet<usize> = pairs.into_iter().flatten().collect();
    for (_, known) in remote.definitions.iter().enumerate().filter(|(position, _)| !paired.contains(position)) {
        let path = path_of(known);
        let seen = Seen::Revision(revision(known));
        planner.surplus(name(known), Step { call: Some((Method::DELETE, path)), seen, ..Step::default() });
    }
    Ok(())
}

/// For each definition of the file the one on the server: by a configuration id, else by the label.
fn pair(plan: &mut Plan, wanted: &[Value], remote: &Remote) -> Vec<Option<usize>> {
    let mut taken: HashSet<usize> = HashSet::new();
    let mut pairs = Vec::with_capacity(wanted.len());
    for (position, definition) in wanted.iter().enumerate() {
        let ids = configuration_ids(definition);
        let shares = |known: &Value| configuration_ids(known).iter().any(|id| ids.contains(id));
        let mut found = positions(remote, shares);
        let first = found.next();
        if found.next().is_some() || first.is_some_and(|first| !taken.insert(first)) {
            let detail = "on the server, these configuration ids do not belong to one definition alone";
            plan.obstacles.push(fault(format!("/credentialDefinitions/{position}/credentialDefinitions"), detail));
        }
        pairs.push(first);
    }
    for (definition, pair) in wanted.iter().zip(&mut pairs).filter(|(_, pair)| pair.is_none()) {
        let label = text(definition, "label");
        *pair = positions(remote, |known| text(known, "label") == label).find(|known| taken.insert(*known));
    }
    pairs
}

fn positions<'r>(remote: &'r Remote, is: impl Fn(&Value) -> bool + 'r) -> impl Iterator<Item = usize> + 'r {
    remote.definitions.iter().enumerate().filter(move |(_, known)| is(known)).map(|(position, _)| position)
}

fn plan_one(
    planner: &mut Planner<'_>,
    place: String,
    file: &Value,
    known: Option<&Value>,
    pictures: Vec<(&'static str, Vec<u8>)>,
) {
    let mut wanted = without(&planner.resolved(file), DEFINITION_MADE);
    resolve_key(planner, &place, &mut wanted);
    let Some(known) = known else {
        let notes = pictures.iter().map(|(kind, bytes)| uploaded(kind, bytes)).collect();
        let step = Step {
            call: Some((Method::POST, DEFINITION.to_owned())),
            body: Some(wanted.clone()),
            pictures,
            ..Step::default()
        };
        let found = differences(&outline(&wanted), &wanted);
        planner.add(Change { action: Action::Create, name: name(file), place, differences: found, notes, step });
        return;
    };
    let mut notes = Vec::new();
    let before = without(known, DEFINITION_MADE);
    let body = merged(planner.wishes.delete, &before, &wanted, &mut notes);
    let found: Vec<Difference> = differences(&before, &body);
    for (member, in_file) in FOR_GOOD {
        let Some(difference) = found.iter().find(|difference| difference.path == member) else { continue };
        let value = |value: &Option<Value>| value.as_ref().map(Value::to_string).unwrap_or_default();
        let detail = format!(
            "{member} cannot be changed ({} -> {}): describe another definition under other configuration ids, or delete \
             this one first",
            value(&difference.old),
            value(&difference.new)
        );
        planner.plan.obstacles.push(fault(format!("{place}/{in_file}"), detail));
    }
    notes.extend(pictures.iter().map(|(kind, bytes)| uploaded(kind, bytes)));
    let step = Step {
        // Pictures alone make a version of their own.
        call: (!found.is_empty()).then(|| (Method::PUT, path_of(known))),
        body: Some(body),
        seen: Seen::Revision(revision(known)),
        pictures,
        definition: text(known, "credentialDefinitionId").to_owned(),
        ..Step::default()
    };
    let kept_only = found.is_empty() && step.pictures.is_empty() && !notes.is_empty();
    let action = if kept_only { Action::Keep } else { Action::Change };
    planner.add(Change { action, name: name(known), place, differences: found, notes, step });
}

/// A new definition without what is told of it line by line.
fn outline(wanted: &Value) -> Value {
    let entries = entries(wanted).iter().map(|entry| {
        let id = text(entry, "credentialConfigurationId");
        json!({ "credentialConfigurationId": id, "claims": { "claims": [] } })
    });
    json!({ "credentialDefinitions": entries.collect::<Vec<_>>() })
}

/// The next version: entries of the file in its order, each over the one it goes on from, then those that stay.
fn merged(delete: bool, known: &Value, wanted: &Value, notes: &mut Vec<String>) -> Value {
    let mut body = overlay("", known, &without(wanted, &["credentialDefinitions"]));
    let before = entries(known);
    let mut taken = HashSet::new();
    let mut after: Vec<Value> = Vec::new();
    for entry in entries(wanted) {
        let from = goes_on_from(entry, entries(wanted), before).filter(|from| taken.insert(*from));
        let old = from.and_then(|from| before.get(from));
        after.push(old.map_or_else(|| entry.clone(), |old| overlay("", old, entry)));
    }
    for (_, old) in before.iter().enumerate().filter(|(position, _)| !taken.contains(position)) {
        let id = text(old, "credentialConfigurationId");
        if delete {
            continue;
        }
        notes.push(format!("entry {id} is not in the file and stays; --delete takes it out"));
        after.push(old.clone());
    }
    if let Some(members) = body.as_object_mut() {
        members.insert("credentialDefinitions".to_owned(), Value::Array(after));
    }
    body
}

/// The entry under the same configuration id; else the only one of its type, when neither side knows the other id.
fn goes_on_from(entry: &Value, wanted: &[Value], before: &[Value]) -> Option<usize> {
    let id = |entry: &Value| text(entry, "credentialConfigurationId").to_owned();
    if let Some(same) = before.iter().position(|old| id(old) == id(entry)) {
        return Some(same);
    }
    let is_left = |old: &Value| !wanted.iter().any(|other| id(other) == id(old));
    let of_type = |old: &Value| is_left(old) && text(old, "vct") == text(entry, "vct");
    let mut left = before.iter().enumerate().filter(|(_, old)| of_type(old)).map(|(position, _)| position);
    left.next().filter(|_| left.next().is_none())
}

/// The name of a key becomes its `kid`.
fn resolve_key(planner: &mut Planner<'_>, place: &str, wanted: &mut Value) {
    let Some(members) = wanted.as_object_mut() else { return };
    PICTURES.iter().for_each(|name| drop(members.shift_remove(*name)));
    let Some(name) = members.shift_remove("signingKey").filter(|name| !name.is_null()) else { return };
    let name = name.as_str().unwrap_or_default();
    let of_file = planner.document.keys.get(name).and_then(Value::as_str);
    let kid = planner.wishes.keys.get(name).map(String::as_str).or(of_file);
    let place = format!("{place}/signingKey");
    let Some(kid) = kid else {
        let detail = format!("signingKeys has no key {name:?}");
        planner.plan.obstacles.push(fault(place, detail));
        return;
    };
    if !planner.remote.keys.iter().any(|key| text(key, "kid") == kid) {
        let detail = format!(
            "the organisation has no signing key with the kid {kid}; name one of its own with --key {name}=KID, or make one \
             first"
        );
        planner.plan.obstacles.push(fault(place, detail));
    }
    members.insert("kid".to_owned(), kid.into());
}

/// Pictures of the file that the server does not have.
async fn pictures(
    planner: &mut Planner<'_>,
    api: &Management,
    place: &str,
    wanted: &Value,
    known: Option<&Value>,
) -> Result<Vec<(&'static str, Vec<u8>)>, CallError> {
    let mut missing = Vec::new();
    for kind in PICTURES {
        let Some(file) = wanted.get(kind).and_then(|image| image.get("file")).and_then(Value::as_str) else { continue };
        let path = planner.document.directory().join(file);
        let Ok(bytes) = std::fs::read(&path) else {
            let detail = format!("the file {} cannot be read", path.display());
            planner.plan.obstacles.push(fault(format!("{place}/{kind}/file"), detail));
            continue;
        };
        let there = match known {
            Some(known) => picture(api, text(known, "credentialDefinitionId"), kind).await?,
            None => None,
        };
        if there.as_ref() != Some(&bytes) {
            missing.push((kind, bytes));
        }
    }
    Ok(missing)
}

fn uploaded(kind: &str, bytes: &[u8]) -> String {
    format!("{kind}: a picture of {} bytes is uploaded", bytes.len())
}

fn configuration_ids(definition: &Value) -> Vec<&str> {
    entries(definition).iter().map(|entry| text(entry, "credentialConfigurationId")).collect()
}

fn name(definition: &Value) -> String {
    format!("definition {} \"{}\"", configuration_ids(definition).join(", "), text(definition, "label"))
}

fn path_of(known: &Value) -> String {
    format!("{DEFINITION}/{}", text(known, "credentialDefinitionId"))
}
