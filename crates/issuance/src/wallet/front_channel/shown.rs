//! What a person sees of a credential before it is issued.

use chancery_formats::PathSegment;
use chancery_model::{Definition, Display, Entry, Image, Submission};
use serde_json::{Map, Value};

/// The consent page, without its words.
#[derive(Debug)]
pub struct Shown {
    /// Name of the organisation.
    pub organisation: String,
    /// The wallet, as it calls itself.
    pub client_id: String,
    /// Where the answer will go; the page must let the browser go there.
    pub redirect_uri: String,
    /// The language that the request or the browser named first.
    pub languages: Vec<String>,
    /// What would be issued.
    pub credentials: Vec<ShownCredential>,
    /// To be sent back with the decision: shows that the form comes from this page.
    pub proof: String,
    /// Names the authorization.
    pub request: String,
}

/// One credential.
#[derive(Debug)]
pub struct ShownCredential {
    /// Its name.
    pub name: Label,
    /// A text under the name.
    pub description: Option<String>,
    /// CSS colour, unchecked.
    pub background_color: Option<String>,
    /// CSS colour, unchecked.
    pub text_color: Option<String>,
    /// Logo.
    pub logo: Option<Image>,
    /// The claims in the order of the definition; empty when they come later.
    pub claims: Vec<ShownClaim>,
}

/// One line.
pub struct ShownClaim {
    /// The names of the claims around it, outermost first, and its own.
    pub names: Vec<Label>,
    /// Its value.
    pub value: ShownValue,
}

impl std::fmt::Debug for ShownClaim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ShownClaim({:?})", self.names)
    }
}

/// A name and the language it is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// The name.
    pub text: String,
    /// BCP 47 tag, when the definition says so.
    pub locale: Option<String>,
}

/// A value, as a person reads it.
#[derive(PartialEq, Eq)]
pub enum ShownValue {
    /// Yes or no.
    Truth(bool),
    /// A text or a number; several, when they stood in an array.
    Texts(Vec<String>),
    /// A picture, as a `data:` URI.
    Picture(String),
}

/// One credential with its claims, in the first of `languages` that the definition has names in.
pub(super) fn credential(
    definition: &Definition,
    entry: &Entry,
    submission: Option<&Submission>,
    languages: &[String],
) -> ShownCredential {
    let none = Display::default();
    let display = entry.display.as_ref().or(definition.content.display.as_ref()).unwrap_or(&none);
    let name = match display.name.as_str() {
        "" => Label { text: definition.content.label.clone(), locale: None },
        name => Label { text: name.to_owned(), locale: display.locale.clone() },
    };
    let mut walk = Walk { entry, languages, lines: Vec::new() };
    if let Some(submission) = submission {
        walk.members(&submission.claims, &mut Vec::new(), &mut Vec::new());
    }
    let mut lines = walk.lines;
    lines.sort_by_key(|(rank, _)| *rank);
    ShownCredential {
        name,
        description: display.description.clone(),
        background_color: display.background_color.clone(),
        text_color: display.text_color.clone(),
        logo: display.logo.clone(),
        claims: lines.into_iter().map(|(_, line)| line).collect(),
    }
}

struct Walk<'w> {
    entry: &'w Entry,
    languages: &'w [String],
    lines: Vec<(usize, ShownClaim)>,
}

impl Walk<'_> {
    fn members(&mut self, members: &Map<String, Value>, path: &mut Vec<PathSegment>, names: &mut Vec<Label>) {
        for (name, value) in members {
            path.push(PathSegment::Name(name.clone()));
            names.push(self.label(path, name));
            self.value(value, path, names);
            names.pop();
            path.pop();
        }
    }

    fn value(&mut self, value: &Value, path: &mut Vec<PathSegment>, names: &mut Vec<Label>) {
        match value {
            Value::Object(members) => self.members(members, path, names),
            Value::Array(elements) if elements.iter().any(|element| element.is_object() || element.is_array()) => {
                for (position, element) in elements.iter().enumerate() {
                    path.push(PathSegment::All);
                    names.push(Label { text: (position + 1).to_string(), locale: None });
                    self.value(element, path, names);
                    names.pop();
                    path.pop();
                }
            }
            Value::Array(elements) => self.line(ShownValue::Texts(elements.iter().map(text).collect()), path, names),
            Value::Bool(truth) => self.line(ShownValue::Truth(*truth), path, names),
            Value::String(uri) if is_picture(uri) => self.line(ShownValue::Picture(uri.clone()), path, names),
            Value::String(_) | Value::Number(_) => self.line(ShownValue::Texts(vec![text(value)]), path, names),
            Value::Null => {}
        }
    }

    fn line(&mut self, value: ShownValue, path: &[PathSegment], names: &[Label]) {
        let described = &self.entry.claims;
        let rank = described.iter().position(|claim| claim.path.segments() == path);
        let around = || described.iter().position(|claim| path.starts_with(claim.path.segments()));
        let rank = rank.or_else(around).unwrap_or(described.len());
        self.lines.push((rank, ShownClaim { names: names.to_vec(), value }));
    }

    fn label(&self, path: &[PathSegment], name: &str) -> Label {
        let described = self.entry.claims.iter().find(|claim| claim.path.segments() == path);
        let display = described.map(|claim| claim.display.as_slice()).unwrap_or_default();
        let best = best_language(display.iter().map(|named| named.locale.as_deref()), self.languages);
        match best.and_then(|position| display.get(position)) {
            Some(named) => Label { text: named.name.clone(), locale: named.locale.clone() },
            None => Label { text: readable(name), locale: None },
        }
    }
}

/// The position of the tag that suits best: of the first language that any tag has, an equal tag before one of the same
/// language (RFC 4647 §3.4); else the one without a tag, else the first.
pub(super) fn best_language<'t>(tags: impl Iterator<Item = Option<&'t str>>, languages: &[String]) -> Option<usize> {
    let tags: Vec<Option<&str>> = tags.collect();
    let primary = |tag: &str| tag.split('-').next().unwrap_or_default().to_ascii_lowercase();
    for language in languages {
        let equal = tags.iter().position(|tag| tag.is_some_and(|tag| tag.eq_ignore_ascii_case(language)));
        let related = || tags.iter().position(|tag| tag.is_some_and(|tag| primary(tag) == primary(language)));
        if let Some(found) = equal.or_else(related) {
            return Some(found);
        }
    }
    tags.iter().position(Option::is_none).or_else(|| (!tags.is_empty()).then_some(0))
}

/// `family_name` becomes `Family name`.
fn readable(name: &str) -> String {
    let spaced = name.replace(['_', '-'], " ");
    let mut characters = spaced.chars();
    match characters.next() {
        Some(first) => first.to_uppercase().chain(characters).collect(),
        None => String::new(),
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

/// Pictures of kinds that hold no program.
fn is_picture(text: &str) -> bool {
    ["data:image/png;base64,", "data:image/jpeg;base64,", "data:image/webp;base64,"]
        .iter()
        .any(|prefix| text.strip_prefix(prefix).is_some_and(is_base64))
}

fn is_base64(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'='))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn best(tags: &[Option<&str>], languages: &[&str]) -> Option<usize> {
        let languages: Vec<String> = languages.iter().map(|language| (*language).to_owned()).collect();
        best_language(tags.iter().copied(), &languages)
    }

    #[test]
    fn the_first_language_of_the_person_that_has_a_name_is_taken() {
        let tags = [Some("en-GB"), Some("de"), None];
        assert_eq!(best(&tags, &["de-AT", "en"]), Some(1));
        assert_eq!(best(&tags, &["fi", "EN-gb"]), Some(0));
        assert_eq!(best(&tags, &["fi"]), Some(2));
        assert_eq!(best(&tags[..2], &["fi"]), Some(0));
        assert_eq!(best(&[], &["fi"]), None);
    }

    #[test]
    fn a_name_without_a_display_is_made_readable() {
        assert_eq!(readable("family_name"), "Family name");
        assert_eq!(readable("18"), "18");
    }

    #[test]
    fn only_pictures_without_programs_are_shown_as_pictures() {
        assert!(is_picture("data:image/png;base64,iVBORw0KGgo="));
        for other in ["data:image/svg+xml;base64,PHN2Zz4=", "data:image/png;base64,\"x", "https://a.example/b.png"] {
            assert!(!is_picture(other), "{other}");
        }
    }
}
