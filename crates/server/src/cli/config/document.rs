//! The file that holds the configuration of an organisation.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use chancery_issuance::management::{Fault, parse_within};
use serde_json::{Map, Value};

use super::places;
use super::secret;

/// What the member `format` says.
pub(super) const FORMAT: &str = "chancery-configuration/1";

/// Stands for the issuer identifier of the organisation, at the beginning of a text.
pub(super) const ISSUER: &str = "${issuer}";

/// Largest file, in bytes.
const LARGEST: usize = 16 * 1024 * 1024;

/// One thing that an organisation has once or not at all.
#[derive(Debug, PartialEq)]
pub(super) enum Section {
    /// The file says nothing about it: it is left alone.
    Unmanaged,
    /// `null`: there is to be none.
    Nothing,
    /// It is to look like this.
    Wanted(Value),
}

/// A file that was read.
#[derive(Debug)]
pub(super) struct Document {
    path: PathBuf,
    text: String,
    /// Names of signing keys, and the `kid` that each stands for.
    pub(super) keys: Map<String, Value>,
    pub(super) policy: Section,
    pub(super) retention: Section,
    pub(super) global_configuration: Section,
    pub(super) identity_provider: Section,
    pub(super) access_provider: Section,
    /// `None`: the file says nothing about definitions.
    pub(super) definitions: Option<Vec<Value>>,
    /// `None`: the file says nothing about webhooks.
    pub(super) webhooks: Option<Vec<Value>>,
}

impl Document {
    /// Reads a file.
    ///
    /// # Errors
    /// When it cannot be read, and with every fault by its line.
    pub(super) fn read(path: &Path) -> anyhow::Result<Self> {
        let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        let shown = path.display();
        let members = parse_within(&bytes, LARGEST).map_err(|error| anyhow::anyhow!("{shown}: {error}"))?;
        let text = String::from_utf8(bytes).with_context(|| format!("{shown} is not UTF-8"))?;
        let mut faults = Vec::new();
        let mut reader = Reader { members, faults: &mut faults };
        reader.check_format();
        let document = Self {
            path: path.to_owned(),
            text,
            keys: reader.keys(),
            policy: reader.section("policy", false),
            retention: reader.section("retention", false),
            global_configuration: reader.section("globalConfiguration", true),
            identity_provider: reader.section("identityProvider", true),
            access_provider: reader.section("accessProvider", true),
            definitions: reader.list("credentialDefinitions"),
            webhooks: reader.list("webhooks"),
        };
        reader.refuse_others();
        document.check(&mut faults);
        anyhow::ensure!(faults.is_empty(), "{}", document.in_words(&faults));
        Ok(document)
    }

    /// Directory of the file, which paths in it begin from.
    pub(super) fn directory(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new(""))
    }

    /// Faults with file and line, one a line.
    pub(super) fn in_words(&self, faults: &[Fault]) -> String {
        let lines = faults.iter().map(|fault| {
            let line = places::line(&self.text, &fault.pointer);
            format!("{}:{line}: {}: {}", self.path.display(), fault.pointer, fault.detail)
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    /// The line of a pointer.
    pub(super) fn line(&self, pointer: &str) -> usize {
        places::line(&self.text, pointer)
    }

    /// What the server cannot check, because it never sees it: what tells things apart, and secrets.
    fn check(&self, faults: &mut Vec<Fault>) {
        let mut names = Vec::new();
        for (position, definition) in self.definitions.iter().flatten().enumerate() {
            let place = format!("/credentialDefinitions/{position}");
            for name in ["logoImage", "coverImage"] {
                let file = definition.get(name).filter(|image| !image.is_null());
                if file.is_some_and(|image| image.get("file").and_then(Value::as_str).is_none()) {
                    faults.push(fault(format!("{place}/{name}"), "a picture is named by {\"file\": \"path\"}"));
                }
            }
            if definition.get("kid").is_some() {
                faults
                    .push(fault(format!("{place}/kid"), "a key is named by signingKey and an element of signingKeys"));
            }
            let entries = definition.get("credentialDefinitions").and_then(Value::as_array);
            for (entry, value) in entries.into_iter().flatten().enumerate() {
                let at = format!("{place}/credentialDefinitions/{entry}/credentialConfigurationId");
                check_name(value, "credentialConfigurationId", at, &mut names, faults);
            }
            if entries.is_none_or(Vec::is_empty) {
                faults.push(fault(format!("{place}/credentialDefinitions"), "at least one entry is expected"));
            }
        }
        let mut urls = Vec::new();
        for (position, webhook) in self.webhooks.iter().flatten().enumerate() {
            let place = format!("/webhooks/{position}");
            check_name(webhook, "payloadUrl", format!("{place}/payloadUrl"), &mut urls, faults);
            secret::check(webhook, "secretKey", &place, faults);
        }
        if let Section::Wanted(provider) = &self.identity_provider {
            secret::check(provider, "clientSecret", "/identityProvider", faults);
        }
    }
}

/// Something wrong at a place of the file.
pub(super) fn fault(pointer: impl Into<String>, detail: impl Into<String>) -> Fault {
    Fault { pointer: pointer.into(), detail: detail.into() }
}

fn check_name(value: &Value, member: &str, place: String, names: &mut Vec<String>, faults: &mut Vec<Fault>) {
    match value.get(member).and_then(Value::as_str).filter(|name| !name.is_empty()) {
        None => faults.push(fault(place, "this member is mandatory here: it tells things apart")),
        Some(name) if names.iter().any(|known| known == name) => {
            faults.push(fault(place, "it stands in the file twice"));
        }
        Some(name) => names.push(name.to_owned()),
    }
}

struct Reader<'f> {
    members: Map<String, Value>,
    faults: &'f mut Vec<Fault>,
}

impl Reader<'_> {
    fn check_format(&mut self) {
        if self.members.shift_remove("format") != Some(Value::from(FORMAT)) {
            self.faults.push(fault("/format", format!("\"{FORMAT}\" is expected")));
        }
    }

    fn section(&mut self, name: &str, may_be_nothing: bool) -> Section {
        match self.members.shift_remove(name) {
            None => Section::Unmanaged,
            Some(Value::Null) if may_be_nothing => Section::Nothing,
            Some(object) if object.is_object() => Section::Wanted(object),
            Some(_) => {
                self.faults.push(fault(format!("/{name}"), "an object is expected"));
                Section::Unmanaged
            }
        }
    }

    fn list(&mut self, name: &str) -> Option<Vec<Value>> {
        let given = self.members.shift_remove(name)?;
        if let Value::Array(elements) = given
            && elements.iter().all(Value::is_object)
        {
            return Some(elements);
        }
        self.faults.push(fault(format!("/{name}"), "an array of objects is expected"));
        None
    }

    fn keys(&mut self) -> Map<String, Value> {
        match self.members.shift_remove("signingKeys") {
            None => Map::new(),
            Some(Value::Object(keys)) if keys.values().all(Value::is_string) => keys,
            Some(_) => {
                self.faults.push(fault("/signingKeys", "an object is expected: name of a key to its kid"));
                Map::new()
            }
        }
    }

    fn refuse_others(&mut self) {
        for name in self.members.keys() {
            self.faults.push(fault(format!("/{name}"), "there is no such member"));
        }
    }
}

/// Every text of `value` that begins with `prefix`, as a whole or up to a slash, with `other` in its place.
pub(super) fn replace_prefix(value: &mut Value, prefix: &str, other: &str) {
    match value {
        Value::String(text) => {
            let rest = text.strip_prefix(prefix).filter(|rest| rest.is_empty() || rest.starts_with('/'));
            if let Some(rest) = rest {
                *text = format!("{other}{rest}");
            }
        }
        Value::Array(elements) => elements.iter_mut().for_each(|element| replace_prefix(element, prefix, other)),
        Value::Object(members) => members.values_mut().for_each(|member| replace_prefix(member, prefix, other)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// JSON for people: what fits on a line stands on one.
pub(super) fn render(value: &Value) -> String {
    let mut text = String::new();
    write(value, 0, 0, &mut text);
    text.push('\n');
    text
}

/// Longest line, in characters.
const WIDTH: usize = 120;

/// `taken`: characters that stand on the line already, the indentation included.
fn write(value: &Value, depth: usize, taken: usize, text: &mut String) {
    let flat = flat(value);
    // The outermost object is the table of contents.
    if depth > 0 && taken + flat.chars().count() < WIDTH {
        text.push_str(&flat);
        return;
    }
    let indent = "  ".repeat(depth + 1);
    let end = |text: &mut String, mark: char| {
        text.push('\n');
        text.push_str(&"  ".repeat(depth));
        text.push(mark);
    };
    match value {
        Value::Object(members) if !members.is_empty() => {
            let mut mark = "{\n";
            for (name, member) in members {
                let name = format!("{indent}{}: ", Value::from(name.as_str()));
                text.push_str(mark);
                text.push_str(&name);
                write(member, depth + 1, name.chars().count(), text);
                mark = ",\n";
            }
            end(text, '}');
        }
        Value::Array(elements) if !elements.is_empty() => {
            let mut mark = "[\n";
            for element in elements {
                text.push_str(mark);
                text.push_str(&indent);
                write(element, depth + 1, indent.len(), text);
                mark = ",\n";
            }
            end(text, ']');
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => {
            text.push_str(&flat)
        }
    }
}

/// On one line, with spaces where people expect them.
fn flat(value: &Value) -> String {
    match value {
        Value::Object(members) if !members.is_empty() => {
            let members =
                members.iter().map(|(name, value)| format!("{}: {}", Value::from(name.as_str()), flat(value)));
            format!("{{ {} }}", members.collect::<Vec<_>>().join(", "))
        }
        Value::Array(elements) => format!("[{}]", elements.iter().map(flat).collect::<Vec<_>>().join(", ")),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_rendered_reads_back_and_fits_the_line() {
        let claims: Vec<Value> = (0..3)
            .map(|n| json!({"path": ["address", n, null], "mandatory": true, "limitDisclosure": false}))
            .collect();
        let value = json!({"format": FORMAT, "a": {}, "b": [], "claims": {"claims": claims, "text": "line\nbreak"}});
        let text = render(&value);
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
        assert!(text.lines().all(|line| line.chars().count() <= WIDTH), "{text}");
        assert!(text.contains(
            "      { \"path\": [\"address\", 0, null], \"mandatory\": true, \"limitDisclosure\": false },\n"
        ));
    }

    #[test]
    fn the_issuer_is_replaced_at_the_beginning_of_texts_only() {
        let mut value = json!({"vct": "https://a.example/o/x/types/t", "label": "at https://a.example/o/x",
            "uris": ["https://a.example/o/x", "https://a.example/o/xy"]});
        let before = value.clone();
        replace_prefix(&mut value, "https://a.example/o/x", ISSUER);
        assert_eq!(
            value,
            json!({"vct": "${issuer}/types/t", "label": "at https://a.example/o/x",
                "uris": ["${issuer}", "https://a.example/o/xy"]})
        );
        replace_prefix(&mut value, ISSUER, "https://a.example/o/x");
        assert_eq!(value, before);
    }

    fn faults_of(value: &Value) -> Vec<String> {
        let path = std::env::temp_dir().join(format!("chancery-document-{}", std::process::id()));
        let path = path.with_extension(format!("{:p}", value));
        std::fs::write(&path, value.to_string()).unwrap();
        let outcome = Document::read(&path);
        std::fs::remove_file(&path).unwrap();
        let text = outcome.map(|_| String::new()).unwrap_or_else(|error| error.to_string());
        text.lines().filter_map(|line| line.split(": ").nth(1)).map(str::to_owned).collect()
    }

    #[test]
    fn every_fault_of_a_file_is_named_at_once() {
        let found = faults_of(&json!({
            "format": "other/1", "policy": null, "retention": {}, "typo": 1, "signingKeys": {"a": 1},
            "identityProvider": {"issuer": "https://login.example", "clientSecret": "in the open"},
            "credentialDefinitions": [
                {"label": "A", "kid": "x", "logoImage": "logo.png",
                    "credentialDefinitions": [{"credentialConfigurationId": "a"}, {}]},
                {"label": "B", "credentialDefinitions": [{"credentialConfigurationId": "a"}]},
                {"label": "C"},
            ],
            "webhooks": [{"payloadUrl": "https://a.example", "secretKey": {"environment": ""}}, {}],
        }));
        assert_eq!(
            found,
            [
                "/format",
                "/signingKeys",
                "/policy",
                "/typo",
                "/credentialDefinitions/0/logoImage",
                "/credentialDefinitions/0/kid",
                "/credentialDefinitions/0/credentialDefinitions/1/credentialConfigurationId",
                "/credentialDefinitions/1/credentialDefinitions/0/credentialConfigurationId",
                "/credentialDefinitions/2/credentialDefinitions",
                "/webhooks/0/secretKey",
                "/webhooks/1/payloadUrl",
                "/identityProvider/clientSecret",
            ]
        );
    }
}
