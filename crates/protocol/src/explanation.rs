use std::borrow::Cow;
use std::fmt::{self, Write as _};

use serde::Serialize;

/// Longest piece of foreign input quoted inside a reason, in characters.
const EXCERPT_CHARACTERS: usize = 80;

/// Longest `error_description` that is sent, in characters.
const DESCRIPTION_CHARACTERS: usize = 400;

/// Why something was refused, for the person who writes the wallet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// What was wrong, concretely: what was expected and what came. Quoted input is cut to 80 characters.
    pub reason: String,
    /// What the developer of the wallet should change.
    pub help: Cow<'static, str>,
    /// Document and clause in its final numbering, for example `RFC 9449 §4.3`.
    pub spec_ref: &'static str,
}

impl Explanation {
    /// An explanation from an error's own text, its advice and the clause it enforces.
    pub(crate) fn new(error: &dyn fmt::Display, help: impl Into<Cow<'static, str>>, spec_ref: &'static str) -> Self {
        Self { reason: error.to_string(), help: help.into(), spec_ref }
    }
}

/// The JSON body of an OAuth or OpenID4VCI error response (RFC 6749 §5.2, OpenID4VCI §8.3.1.2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ErrorBody {
    /// The error code of the protocol.
    pub error: &'static str,
    /// Text within the character set of RFC 6749 §5.2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_description: Option<String>,
}

impl ErrorBody {
    /// A body whose description is brought into the permitted character set.
    pub fn new(error: &'static str, description: Option<&str>) -> Self {
        Self { error, error_description: description.map(error_description) }
    }
}

/// Brings `text` into the character set of `error_description`: `%x20-21 / %x23-5B / %x5D-7E` (RFC 6749 §5.2).
///
/// Double quotes become single ones, backslashes become slashes, and any other character outside the set becomes `?`.
/// The result has at most 400 characters.
pub fn error_description(text: &str) -> String {
    text.chars()
        .take(DESCRIPTION_CHARACTERS)
        .map(|character| match character {
            '"' => '\'',
            '\\' => '/',
            ' '..='~' => character,
            '\t' | '\n' | '\r' => ' ',
            _ => '?',
        })
        .collect()
}

/// Cuts foreign input for quoting: 80 characters, followed by `...` when something was cut. Control characters are
/// shown escaped, so that a quoted value cannot break a log line.
pub fn excerpt(text: &str) -> String {
    let mut out = String::with_capacity(text.len().min(EXCERPT_CHARACTERS + 3));
    for (count, character) in text.chars().enumerate() {
        if count == EXCERPT_CHARACTERS {
            out.push_str("...");
            break;
        }
        if character.is_control() {
            // Writing to a String cannot fail.
            let _ = write!(out, "{}", character.escape_default());
        } else {
            out.push(character);
        }
    }
    out
}

/// Cuts a JSON value for quoting, as [`excerpt`] does: strings without their quotes, everything else as JSON.
pub(crate) fn excerpt_json(value: &serde_json::Value) -> String {
    value.as_str().map_or_else(|| excerpt(&value.to_string()), excerpt)
}

/// The names of `items` for a sentence: `a, b, c`, or `none`.
pub(crate) fn list<T: fmt::Display>(items: impl IntoIterator<Item = T>) -> String {
    let mut out = String::new();
    for item in items {
        if !out.is_empty() {
            out.push_str(", ");
        }
        let _ = write!(out, "{item}");
    }
    if out.is_empty() { "none".to_owned() } else { out }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_description_stays_inside_the_character_set_of_cre_12() {
        let described = error_description("got \"a\\b\"\nµ \u{7f} fine ~");
        assert_eq!(described, "got 'a/b' ? ? fine ~");
        assert!(described.bytes().all(|byte| matches!(byte, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e)));
    }

    #[test]
    fn a_long_value_is_cut_to_eighty_characters_and_three_dots() {
        assert_eq!(excerpt(&"é".repeat(80)), "é".repeat(80));
        assert_eq!(excerpt(&"é".repeat(81)), format!("{}...", "é".repeat(80)));
        assert_eq!(excerpt("a\nb"), "a\\nb");
    }

    #[test]
    fn an_error_body_without_a_description_has_one_member() {
        let body = serde_json::to_string(&ErrorBody::new("invalid_nonce", None)).unwrap_or_default();
        assert_eq!(body, r#"{"error":"invalid_nonce"}"#);
    }
}
