//! Secrets that a file names and never holds.

use std::path::{Path, PathBuf};

use chancery_issuance::management::Fault;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::document::fault;
use crate::config::Environment;

/// Where a secret is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Reference {
    /// In an environment variable.
    Environment(String),
    /// In a file; white space around the content is dropped.
    File(PathBuf),
}

impl Reference {
    fn parse(value: &Value) -> Option<Self> {
        let members = value.as_object().filter(|members| members.len() == 1)?;
        let text = |name: &str| members.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let environment = text("environment").map(|name| Self::Environment(name.to_owned()));
        environment.or_else(|| text("file").map(|path| Self::File(PathBuf::from(path))))
    }

    /// The secret; paths begin from `directory`.
    ///
    /// # Errors
    /// When it is not there.
    pub(super) fn read(&self, environment: &Environment, directory: &Path) -> Result<Zeroizing<String>, String> {
        let text = match self {
            Self::Environment(name) => environment.get(name).cloned(),
            Self::File(path) => std::fs::read_to_string(directory.join(path)).ok(),
        };
        let text = text.map(Zeroizing::new).map(|text| Zeroizing::new(text.trim().to_owned()));
        text.filter(|text| !text.is_empty()).ok_or_else(|| format!("there is no secret in {self}"))
    }
}

impl std::fmt::Display for Reference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Environment(name) => write!(f, "the environment variable {name}"),
            Self::File(path) => write!(f, "the file {}", path.display()),
        }
    }
}

/// A fault when `member` is there and is no reference.
pub(super) fn check(value: &Value, member: &str, place: &str, faults: &mut Vec<Fault>) {
    let given = value.get(member).filter(|secret| !secret.is_null());
    if given.is_some_and(|secret| Reference::parse(secret).is_none()) {
        let expected =
            "a secret never stands in the file; {\"environment\": \"NAME\"} or {\"file\": \"path\"} is expected";
        faults.push(fault(format!("{place}/{member}"), expected));
    }
}

/// Takes the reference out of what is sent.
pub(super) fn take(value: &mut Value, member: &str) -> Option<Reference> {
    Reference::parse(&value.as_object_mut()?.shift_remove(member)?)
}

/// What an export names a secret that belongs to `of`, a text such as a URL: letters, digits and underscores.
pub(super) fn suggest(of: &str, end: &str) -> Value {
    let mut name = String::new();
    for c in of.chars() {
        if c.is_ascii_alphanumeric() {
            name.push(c.to_ascii_uppercase());
        } else if !name.is_empty() && !name.ends_with('_') {
            name.push('_');
        }
    }
    json!({ "environment": format!("{}_{end}", name.trim_end_matches('_')) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_export_names_an_environment_variable() {
        assert_eq!(
            suggest("hooks.example/chancery", "SECRET"),
            json!({"environment": "HOOKS_EXAMPLE_CHANCERY_SECRET"})
        );
    }

    #[test]
    fn a_secret_is_read_where_it_is_named() {
        let environment = Environment::from_iter([("A".to_owned(), " s3cret\n".to_owned())]);
        let there = Reference::Environment("A".to_owned()).read(&environment, Path::new(""));
        assert_eq!(there.unwrap().as_str(), "s3cret");
        let missing = Reference::File(PathBuf::from("none")).read(&environment, Path::new("/nonexistent"));
        assert_eq!(missing.unwrap_err(), "there is no secret in the file none");
    }
}
