//! Credentials for a terminal.

use std::fmt::{self, Write as _};

use serde_json::{Map, Value};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::inspect::Inspection;
use crate::sd_jwt::{Disclosure, PathElement};
use crate::verify::{KeySource, VerifiedCredential};
use crate::wallet::Accepted;

/// Longest value that is shown in full, in characters; portraits are longer.
const LONGEST_VALUE: usize = 160;
/// Claims that the head of the output shows, or that only machines read.
const SHOWN_ABOVE: [&str; 7] = ["iss", "vct", "exp", "nbf", "iat", "cnf", "_sd_alg"];

/// How text is decorated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Style {
    /// Characters only.
    #[default]
    Plain,
    /// With ANSI colours.
    Ansi,
}

impl Style {
    /// Emphasised.
    #[must_use]
    pub fn strong(self, text: &str) -> String {
        self.wrap("1", text)
    }

    /// As good news.
    #[must_use]
    pub fn good(self, text: &str) -> String {
        self.wrap("32", text)
    }

    /// As bad news.
    #[must_use]
    pub fn bad(self, text: &str) -> String {
        self.wrap("31", text)
    }

    /// As a warning.
    #[must_use]
    pub fn warn(self, text: &str) -> String {
        self.wrap("33", text)
    }

    /// In the background.
    #[must_use]
    pub fn faint(self, text: &str) -> String {
        self.wrap("2", text)
    }

    fn wrap(self, code: &str, text: &str) -> String {
        match self {
            Self::Plain => text.to_owned(),
            Self::Ansi => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
        }
    }
}

impl Accepted {
    /// All credentials, one after the other.
    #[must_use]
    pub fn render(&self, style: Style) -> String {
        let credentials: Vec<String> = self.credentials.iter().map(|credential| credential.render(style)).collect();
        credentials.join("\n")
    }
}

impl fmt::Display for Accepted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(Style::Plain))
    }
}

impl VerifiedCredential {
    /// The credential with its claims, for a terminal. It shows every claim value.
    #[must_use]
    pub fn render(&self, style: Style) -> String {
        let algorithm = self.header.get("alg").and_then(Value::as_str).unwrap_or("");
        let key = match &self.key_source {
            KeySource::Given => "with the given key".to_owned(),
            KeySource::X5c { subject, certificates, anchored } => {
                let anchor = if *anchored { "trust anchor known" } else { "no trust anchor given" };
                format!("by {} ({certificates} in x5c, {anchor})", printable(subject))
            }
            KeySource::IssuerMetadata { url, kid } => {
                format!("with key {} of {}", printable(kid.as_deref().unwrap_or("(only one)")), printable(url))
            }
        };
        let mut out = format!("{} {}\n", style.strong("Credential"), style.strong(&printable(&self.vct)));
        line(&mut out, style, "issuer", &printable(self.issuer.as_deref().unwrap_or("not named")));
        line(&mut out, style, "signature", &format!("{} {algorithm}, {key}", style.good("verified")));
        if let Some(thumbprint) = &self.holder_thumbprint {
            let whose = if self.holder_expected { " (this wallet)" } else { "" };
            line(&mut out, style, "holder key", &format!("{thumbprint}{whose}"));
        }
        times(&mut out, style, &self.claims);
        let count = format!("{} ({}, {} decoys)", self.disclosures.len(), self.digest_algorithm, self.decoys);
        line(&mut out, style, "disclosures", &count);
        for note in &self.notes {
            line(&mut out, style, "note", &printable(note));
        }
        tree(&mut out, style, &self.claims, &self.disclosures);
        out
    }
}

impl fmt::Display for VerifiedCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(Style::Plain))
    }
}

impl Inspection {
    /// What the SD-JWT holds, for a terminal. It shows every claim value.
    #[must_use]
    pub fn render(&self, style: Style) -> String {
        let mut out = format!("{} {}\n", style.strong("SD-JWT"), style.bad("not verified"));
        for (name, value) in &self.header {
            line(&mut out, style, &printable(name), &shown(value));
        }
        for name in ["vct", "iss"] {
            if let Some(value) = self.payload.get(name) {
                line(&mut out, style, name, &shown(value));
            }
        }
        times(&mut out, style, &self.claims);
        let count = format!("{}, {} digests without one", self.disclosures.len(), self.undisclosed);
        line(&mut out, style, "disclosures", &count);
        if let Some((_, claims)) = &self.key_binding {
            line(&mut out, style, "key binding", &shown(&Value::Object(claims.clone())));
        }
        for problem in &self.problems {
            line(&mut out, style, "problem", &style.bad(&printable(&problem.to_string())));
        }
        tree(&mut out, style, &self.claims, &self.disclosures);
        out
    }
}

impl fmt::Display for Inspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(Style::Plain))
    }
}

/// Text of strangers without characters that steer a terminal or reorder what is read.
pub(crate) fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        let reorders = matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}');
        if character.is_control() || reorders {
            out.extend(character.escape_unicode());
        } else {
            out.push(character);
        }
    }
    out
}

fn line(out: &mut String, style: Style, name: &str, value: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(out, "  {} {value}", style.faint(&format!("{name:<12}")));
}

fn times(out: &mut String, style: Style, claims: &Map<String, Value>) {
    for (claim, name) in [("iat", "issued"), ("nbf", "valid from"), ("exp", "valid until")] {
        if let Some(value) = claims.get(claim) {
            let text = value.as_i64().and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok());
            let text = text.and_then(|time| time.format(&Rfc3339).ok());
            line(out, style, name, &text.unwrap_or_else(|| shown(value)));
        }
    }
}

fn tree(out: &mut String, style: Style, claims: &Map<String, Value>, disclosures: &[Disclosure]) {
    let heading = if disclosures.is_empty() { "claims" } else { "claims (* selectively disclosable)" };
    let _ = writeln!(out, "  {}", style.faint(heading));
    let mut path = Vec::new();
    for (name, value) in claims.iter().filter(|(name, _)| !SHOWN_ABOVE.contains(&name.as_str())) {
        path.push(PathElement::Name(name.clone()));
        branch(out, style, value, &mut path, disclosures);
        path.pop();
    }
}

fn branch(out: &mut String, style: Style, value: &Value, path: &mut Vec<PathElement>, disclosures: &[Disclosure]) {
    let disclosable = disclosures.iter().any(|disclosure| disclosure.path == *path);
    let mark = if disclosable { style.good("*") } else { " ".to_owned() };
    let name = match path.last() {
        Some(PathElement::Name(name)) => printable(name),
        Some(PathElement::Index(index)) => format!("[{index}]"),
        None => String::new(),
    };
    let indent = "  ".repeat(path.len());
    let children: Vec<(PathElement, &Value)> = match value {
        Value::Object(object) => object.iter().map(|(name, value)| (PathElement::Name(name.clone()), value)).collect(),
        Value::Array(elements) => {
            elements.iter().enumerate().map(|(index, value)| (PathElement::Index(index), value)).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    };
    if children.is_empty() {
        let width = 26_usize.saturating_sub(indent.len()).max(1);
        let _ = writeln!(out, "{indent}{mark} {name:<width$} {}", shown(value));
        return;
    }
    let _ = writeln!(out, "{indent}{mark} {name}");
    for (element, child) in children {
        path.push(element);
        branch(out, style, child, path, disclosures);
        path.pop();
    }
}

fn shown(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let length = text.chars().count();
    if length <= LONGEST_VALUE {
        return printable(&text);
    }
    let start: String = text.chars().take(60).collect();
    format!("{}… ({length} characters)", printable(&start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_strangers_cannot_steer_the_terminal() {
        assert_eq!(printable("a\u{1b}[2Jb\u{202e}c\n"), "a\\u{1b}[2Jb\\u{202e}c\\u{a}");
        assert_eq!(printable("Zoë Müller 👩"), "Zoë Müller 👩");
    }
}
