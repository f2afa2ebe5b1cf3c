//! Reads members of a JSON object and names the place when something is wrong.

use std::collections::HashSet;
use std::sync::LazyLock;

use serde_json::Value;

use crate::error::{Step, Violation, WalletError};
use crate::json::{self, Object};
use crate::transport::secure_url;

pub(super) static EMPTY: LazyLock<Object> = LazyLock::new(Object::new);

/// Reads members of one object and names the place when something is wrong.
#[derive(Clone)]
pub(super) struct Reader<'a> {
    pub(super) step: Step,
    pub(super) clause: &'static str,
    pub(super) object: &'a Object,
    pub(super) at: String,
}

impl<'a> Reader<'a> {
    /// The same place under another clause.
    pub(super) fn citing(&self, clause: &'static str) -> Self {
        Self { clause, ..self.clone() }
    }

    pub(super) fn wrong<T>(&self, member: &str, what: &str, expected: &str, got: &str) -> Result<T, WalletError> {
        Violation::err(self.step, self.clause, format!("{}{member} {what}", self.at), expected, got)
    }

    pub(super) fn text(&self, member: &str) -> Result<Option<String>, WalletError> {
        match self.object.get(member) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(other) => self.wrong(member, "is wrong", "a string", json::kind(other)),
        }
    }

    pub(super) fn required_text(&self, member: &str) -> Result<String, WalletError> {
        match self.text(member)? {
            Some(text) => Ok(text),
            None => self.wrong(member, "is missing", "a string", "nothing"),
        }
    }

    pub(super) fn endpoint(&self, member: &str) -> Result<Option<String>, WalletError> {
        let url = self.text(member)?;
        if let Some(url) = &url {
            secure_url(self.step, member, url)?;
        }
        Ok(url)
    }

    pub(super) fn required_endpoint(&self, member: &str) -> Result<String, WalletError> {
        match self.endpoint(member)? {
            Some(url) => Ok(url),
            None => self.wrong(member, "is missing", "an https URL", "nothing"),
        }
    }

    pub(super) fn flag(&self, member: &str) -> Result<bool, WalletError> {
        match self.object.get(member) {
            None => Ok(false),
            Some(Value::Bool(value)) => Ok(*value),
            Some(other) => self.wrong(member, "is wrong", "a boolean", json::kind(other)),
        }
    }

    pub(super) fn object(&self, member: &str) -> Result<Option<&'a Object>, WalletError> {
        match self.object.get(member) {
            None => Ok(None),
            Some(Value::Object(object)) => Ok(Some(object)),
            Some(other) => self.wrong(member, "is wrong", "an object", json::kind(other)),
        }
    }

    /// An array that is not empty when it is present; absent reads as empty.
    pub(super) fn elements(&self, member: &str) -> Result<&'a [Value], WalletError> {
        match self.object.get(member) {
            None => Ok(&[]),
            Some(Value::Array(elements)) if !elements.is_empty() => Ok(elements),
            Some(Value::Array(_)) => self.wrong(member, "is empty", "a non-empty array, or no member", "[]"),
            Some(other) => self.wrong(member, "is wrong", "a non-empty array", json::kind(other)),
        }
    }

    pub(super) fn texts(&self, member: &str) -> Result<Vec<String>, WalletError> {
        let elements = self.elements(member)?;
        let texts: Option<Vec<String>> = elements.iter().map(|element| element.as_str().map(str::to_owned)).collect();
        match texts {
            Some(texts) => Ok(texts),
            None => self.wrong(member, "is wrong", "an array of strings", "other elements"),
        }
    }

    /// Checks a `display` array, one entry per locale, and gives the first name.
    pub(super) fn displays(&self, member: &str, name_required: bool) -> Result<Option<String>, WalletError> {
        let mut locales = HashSet::new();
        let mut first = None;
        for entry in self.elements(member)? {
            let Value::Object(entry) = entry else {
                return self.wrong(member, "is wrong", "an array of objects", json::kind(entry));
            };
            if !locales.insert(entry.get("locale").and_then(Value::as_str)) {
                return self.wrong(member, "repeats a locale", "one entry for each locale", "two of one locale");
            }
            let name = entry.get("name").and_then(Value::as_str);
            if name_required && name.is_none() {
                let got = json::kind_or_absent(entry.get("name"));
                return self.wrong(member, "has an entry without name", "a string `name`", got);
            }
            first = first.or(name.map(str::to_owned));
        }
        Ok(first)
    }
}
