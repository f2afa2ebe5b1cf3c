//! From what a server has to a file.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde_json::{Map, Value, json};

use super::super::management::Management;
use super::document::{FORMAT, ISSUER, render, replace_prefix};
use super::remote::{
    ACCESS_MADE, DEFINITION_MADE, GLOBAL_MADE, PROVIDER_MADE, Remote, WEBHOOK_MADE, entries, picture, text, without,
};
use super::secret;

/// Members that go with other formats of credentials.
const OF_OTHER_FORMATS: [&str; 3] = ["type", "doctype", "validationPath"];

/// A picture beside the file.
pub(super) struct Picture {
    /// From the directory of the file.
    pub(super) path: PathBuf,
    pub(super) bytes: Vec<u8>,
}

/// The file, and the pictures beside it, in the directory `pictures`. Without one, pictures are left out.
pub(super) async fn export(
    api: &Management,
    remote: &Remote,
    pictures: Option<&Path>,
) -> anyhow::Result<(String, Vec<Picture>)> {
    let mut keys = Map::new();
    let mut definitions = Vec::new();
    let mut files = Vec::new();
    for known in in_order(&remote.definitions, |it| (text(it, "label").to_owned(), configuration_ids(it))) {
        let mut definition = without(known, DEFINITION_MADE);
        name_key(&mut definition, &mut keys);
        if let Some(directory) = pictures {
            let id = text(known, "credentialDefinitionId");
            files.extend(name_pictures(api, id, &mut definition, directory).await?);
        }
        tidy(&mut definition, &remote.issuer);
        definitions.push(definition);
    }
    let webhooks = in_order(&remote.webhooks, |it| text(it, "payloadUrl").to_owned()).map(|known| {
        let mut webhook = without(known, WEBHOOK_MADE);
        let address = text(known, "payloadUrl").split_once("://").map_or("", |(_, address)| address);
        set(&mut webhook, "secretKey", secret::suggest(address, "SECRET"));
        webhook
    });
    let mut file = json!({
        "format": FORMAT,
        "signingKeys": keys,
        "policy": remote.policy,
        "retention": remote.retention,
        "globalConfiguration": remote.global_configuration.as_ref().map(|known| without(known, GLOBAL_MADE)),
        "identityProvider": remote.identity_provider.as_ref().map(provider),
        "accessProvider": remote.access_provider.as_ref().map(|known| without(known, ACCESS_MADE)),
        "credentialDefinitions": definitions,
        "webhooks": webhooks.collect::<Vec<_>>(),
    });
    replace_prefix(&mut file, &remote.issuer, ISSUER);
    Ok((render(&file), files))
}

/// Writes the file and its pictures. With `force`, what is there is replaced.
pub(super) fn write(path: &Path, text: &str, pictures: &[Picture], force: bool) -> anyhow::Result<()> {
    let directory = path.parent().unwrap_or(Path::new(""));
    let all = pictures.iter().map(|picture| (directory.join(&picture.path), picture.bytes.as_slice()));
    for (path, bytes) in all.chain([(path.to_owned(), text.as_bytes())]) {
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))?;
        }
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create(force).truncate(force).create_new(!force);
        let written = options.open(&path).and_then(|mut file| std::io::Write::write_all(&mut file, bytes));
        written.with_context(|| format!("cannot write {} (--force replaces a file)", path.display()))?;
    }
    Ok(())
}

fn provider(known: &Value) -> Value {
    let mut provider = without(known, PROVIDER_MADE);
    if known.get("clientSecretSet").and_then(Value::as_bool) == Some(true) {
        set(&mut provider, "clientSecret", secret::suggest("IDENTITY_PROVIDER", "CLIENT_SECRET"));
    }
    provider
}

/// `kid` becomes the name of a key, because another organisation has other keys.
fn name_key(definition: &mut Value, keys: &mut Map<String, Value>) {
    let Some(Value::String(kid)) = definition.as_object_mut().and_then(|members| members.shift_remove("kid")) else {
        return;
    };
    if kid.is_empty() {
        return;
    }
    let known = keys.iter().find(|(_, known)| known.as_str() == Some(&kid)).map(|(name, _)| name.clone());
    let name = known.unwrap_or_else(|| format!("key-{}", keys.len() + 1));
    keys.insert(name.clone(), kid.into());
    set(definition, "signingKey", name.into());
}

async fn name_pictures(
    api: &Management,
    id: &str,
    definition: &mut Value,
    directory: &Path,
) -> anyhow::Result<Vec<Picture>> {
    let mut files = Vec::new();
    for (kind, word) in [("logoImage", "logo"), ("coverImage", "cover")] {
        let Some(bytes) = picture(api, id, kind).await? else { continue };
        let end = if bytes.starts_with(b"\x89PNG") { "png" } else { "jpg" };
        // The id may hold any printable character; two definitions never share one.
        let first = entries(definition).first().map(|entry| text(entry, "credentialConfigurationId"));
        let safe = |c: char| {
            if c.is_ascii_alphanumeric() || "-_".contains(c) { c.to_string() } else { format!("%{:02X}", u32::from(c)) }
        };
        let name: String = first.unwrap_or_default().chars().map(safe).collect();
        let path = directory.join(format!("{name}.{word}.{end}"));
        set(definition, kind, json!({ "file": path.display().to_string() }));
        files.push(Picture { path, bytes });
    }
    Ok(files)
}

/// Leaves out what the server sets by itself, so that the file also fits another organisation.
fn tidy(definition: &mut Value, issuer: &str) {
    let stored = format!("{issuer}/images/");
    forget_pictures(definition.get_mut("display"), &stored);
    let entries = definition.get_mut("credentialDefinitions").and_then(Value::as_array_mut);
    for entry in entries.into_iter().flatten() {
        forget_pictures(entry.get_mut("display"), &stored);
        let Some(members) = entry.as_object_mut() else { continue };
        members.shift_remove("id");
        let empty = |value: &Value| ["[]", "\"\"", "\"$\""].contains(&value.to_string().as_str());
        members.retain(|name, value| !(OF_OTHER_FORMATS.contains(&name.as_str()) && empty(value)));
    }
}

/// The address of an uploaded picture follows from the picture.
fn forget_pictures(display: Option<&mut Value>, stored: &str) {
    let Some(display) = display else { return };
    for name in ["logo", "backgroundImage"] {
        let image = display.get_mut(name).and_then(Value::as_object_mut);
        if let Some(image) = image.filter(|image| image.get("uri").is_some_and(|uri| is_below(uri, stored))) {
            image.shift_remove("uri");
        }
    }
}

fn is_below(uri: &Value, stored: &str) -> bool {
    uri.as_str().is_some_and(|uri| uri.starts_with(stored))
}

fn configuration_ids(definition: &Value) -> String {
    let ids = entries(definition).iter().map(|entry| text(entry, "credentialConfigurationId"));
    ids.collect::<Vec<_>>().join(" ")
}

fn in_order<K: Ord>(items: &[Value], key: impl Fn(&Value) -> K) -> impl Iterator<Item = &Value> {
    let mut items: Vec<&Value> = items.iter().collect();
    items.sort_by_cached_key(|item| key(item));
    items.into_iter()
}

fn set(value: &mut Value, name: &str, member: Value) {
    if let Some(members) = value.as_object_mut() {
        members.insert(name.to_owned(), member);
    }
}
