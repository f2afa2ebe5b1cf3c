//! Where values come from, and which one wins.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use super::{ConfigError, DEFAULTS, Problem};

/// Environment variables as data, so that tests never touch those of the process.
pub type Environment = BTreeMap<String, String>;

/// Settings whose value may come from a file named by `{key}_file`.
const SECRETS: [&str; 6] = [
    "database.url",
    "redis.url",
    "secrets.sealing_key",
    "secrets.previous_sealing_keys",
    "secrets.platform_key",
    "smtp.password",
];

/// Values by `section.key`, each with where it came from.
pub(super) type Values = BTreeMap<String, (toml::Value, Source)>;

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The embedded defaults.
    Default,
    /// A configuration file.
    File(String),
    /// An environment variable.
    Variable(String),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(name) | Self::Variable(name) => f.write_str(name),
        }
    }
}

pub(super) fn merge(file: Option<&Path>, environment: &Environment) -> Result<Values, ConfigError> {
    let mut problems = Vec::new();
    let mut values = Values::new();
    flatten(DEFAULTS, &Source::Default, &mut values, &mut problems);
    let known: Vec<String> = values.keys().cloned().collect();

    if let Some(path) = file {
        let source = Source::File(path.display().to_string());
        match std::fs::read_to_string(path) {
            Ok(text) => add_file(&text, &source, &known, &mut values, &mut problems),
            Err(error) => problems.push(problem("--config", &source, error.to_string())),
        }
    }
    add_environment(environment, &known, &mut values, &mut problems);
    if problems.is_empty() { Ok(values) } else { Err(ConfigError(problems)) }
}

fn add_file(text: &str, source: &Source, known: &[String], values: &mut Values, problems: &mut Vec<Problem>) {
    let mut given = Values::new();
    flatten(text, source, &mut given, problems);
    for (key, (value, source)) in given {
        accept(key, value, source, known, values, problems);
    }
}

fn add_environment(environment: &Environment, known: &[String], values: &mut Values, problems: &mut Vec<Problem>) {
    for (name, text) in environment {
        let Some(rest) = name.strip_prefix("CHANCERY_") else { continue };
        if rest == "CONFIG" || rest.starts_with("TEST_") {
            continue;
        }
        let source = Source::Variable(name.clone());
        let key = rest.to_ascii_lowercase().replacen('_', ".", 1);
        accept(key, toml::Value::String(text.clone()), source, known, values, problems);
    }
}

fn accept(
    key: String,
    value: toml::Value,
    source: Source,
    known: &[String],
    values: &mut Values,
    problems: &mut Vec<Problem>,
) {
    let secret = key.strip_suffix("_file").filter(|secret| SECRETS.contains(secret));
    if let Some(secret) = secret {
        let Some(path) = value.as_str() else {
            problems.push(problem(&key, &source, "must be the name of a file".to_owned()));
            return;
        };
        match std::fs::read_to_string(path) {
            Ok(text) => {
                values.insert(secret.to_owned(), (toml::Value::String(text.trim().to_owned()), source));
            }
            Err(error) => problems.push(problem(&key, &source, format!("cannot read {path}: {error}"))),
        }
    } else if known.contains(&key) {
        values.insert(key, (value, source));
    } else {
        problems.push(problem(&key, &source, "there is no such setting; `chancery config show` lists all".to_owned()));
    }
}

fn flatten(text: &str, source: &Source, values: &mut Values, problems: &mut Vec<Problem>) {
    let table = match text.parse::<toml::Table>() {
        Ok(table) => table,
        Err(error) => {
            // Without the excerpt, which could show a secret.
            problems.push(problem("(file)", source, format!("not TOML: {}", error.message())));
            return;
        }
    };
    for (section, content) in table {
        let Some(keys) = content.as_table() else {
            values.insert(section, (content, source.clone()));
            continue;
        };
        for (key, value) in keys {
            values.insert(format!("{section}.{key}"), (value.clone(), source.clone()));
        }
    }
}

pub(super) fn problem(key: &str, source: &Source, reason: String) -> Problem {
    Problem { key: key.to_owned(), source_name: source.to_string(), reason }
}
