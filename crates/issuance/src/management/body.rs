//! Reading request bodies member by member, so that a refusal names everything that is wrong at once.

use std::ops::RangeInclusive;

use chancery_protocol::{JsonError, json_object};
use serde_json::{Map, Value};

/// Most faults that one refusal lists; a body with more is hardly written by hand.
const MOST_FAULTS: usize = 100;

/// Largest request body, in bytes.
pub const LARGEST: usize = 1024 * 1024;

/// Reads a request body: a JSON object that nests at most 32 deep and repeats no member at any depth, because whoever
/// logged or signed the request may have read the other one.
pub fn parse(bytes: &[u8]) -> Result<Map<String, Value>, JsonError> {
    parse_within(bytes, LARGEST)
}

/// The same of a text of at most `limit` bytes, such as a file that holds many bodies.
pub fn parse_within(bytes: &[u8], limit: usize) -> Result<Map<String, Value>, JsonError> {
    json_object(bytes, limit)
}

/// One thing that is wrong with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// JSON Pointer (RFC 6901) into the request body; empty for the body as a whole.
    pub pointer: String,
    /// What is wrong and what would be right. Never quotes claims or secrets.
    pub detail: String,
}

/// Everything wrong that was found so far.
#[derive(Debug, Default)]
pub(crate) struct Faults(Vec<Fault>);

impl Faults {
    pub(crate) fn add(&mut self, pointer: impl Into<String>, detail: impl Into<String>) {
        if self.0.len() < MOST_FAULTS {
            self.0.push(Fault { pointer: pointer.into(), detail: detail.into() });
        }
    }

    /// `value` when nothing is wrong.
    pub(crate) fn none_or<T>(self, value: Option<T>) -> Result<T, Vec<Fault>> {
        match value {
            Some(value) if self.0.is_empty() => Ok(value),
            Some(_) => Err(self.0),
            None if self.0.is_empty() => {
                Err(vec![Fault { pointer: String::new(), detail: "the body cannot be read".to_owned() }])
            }
            None => Err(self.0),
        }
    }
}

/// An object of a request body and where it is. A member that is `null` counts as absent.
#[derive(Clone)]
pub(crate) struct Members<'v> {
    members: &'v Map<String, Value>,
    pointer: String,
}

impl<'v> Members<'v> {
    /// The body itself.
    pub(crate) fn of_body(members: &'v Map<String, Value>) -> Self {
        Self { members, pointer: String::new() }
    }

    /// The object `value` at `pointer`; a fault when it is something else.
    pub(crate) fn of(value: &'v Value, pointer: String, faults: &mut Faults) -> Option<Self> {
        match value.as_object() {
            Some(members) => Some(Self { members, pointer }),
            None => {
                faults.add(pointer, format!("an object is expected; got {}", kind(value)));
                None
            }
        }
    }

    /// Pointer to this object.
    pub(crate) fn pointer(&self) -> &str {
        &self.pointer
    }

    /// Pointer to a member.
    pub(crate) fn at(&self, name: &str) -> String {
        below(&self.pointer, name)
    }

    pub(crate) fn raw(&self) -> &'v Map<String, Value> {
        self.members
    }

    /// The member, unless absent or `null`.
    pub(crate) fn value(&self, name: &str) -> Option<&'v Value> {
        self.members.get(name).filter(|value| !value.is_null())
    }

    /// The member, unless it is the empty value of its kind.
    pub(crate) fn filled(&self, name: &str) -> Option<&'v Value> {
        self.value(name).filter(|value| match value {
            Value::Null => false,
            Value::Bool(given) => *given,
            Value::Number(_) => true,
            Value::String(text) => !text.is_empty(),
            Value::Array(elements) => !elements.is_empty(),
            Value::Object(members) => !members.is_empty(),
        })
    }

    /// A string, possibly empty, of at most `longest` characters.
    pub(crate) fn string(&self, name: &str, longest: usize, faults: &mut Faults) -> Option<&'v str> {
        let value = self.value(name)?;
        let Some(text) = value.as_str() else { return self.mistyped(name, "a string", value, faults) };
        if text.chars().count() > longest {
            faults.add(self.at(name), format!("at most {longest} characters are accepted"));
            return None;
        }
        // PostgreSQL stores no such text.
        if text.contains('\0') {
            faults.add(self.at(name), "the character U+0000 is not accepted");
            return None;
        }
        Some(text)
    }

    /// A string with something in it; the empty string counts as absent.
    pub(crate) fn text(&self, name: &str, longest: usize, faults: &mut Faults) -> Option<&'v str> {
        self.string(name, longest, faults).filter(|text| !text.is_empty())
    }

    /// A boolean; `default` when absent.
    pub(crate) fn boolean(&self, name: &str, default: bool, faults: &mut Faults) -> bool {
        match self.value(name) {
            None => default,
            Some(Value::Bool(given)) => *given,
            Some(other) => self.mistyped(name, "a boolean", other, faults).unwrap_or(default),
        }
    }

    /// A whole number inside `range`.
    pub(crate) fn integer(&self, name: &str, range: RangeInclusive<u32>, faults: &mut Faults) -> Option<u32> {
        let value = self.value(name)?;
        let whole = whole_number(value).and_then(|number| u32::try_from(number).ok());
        match whole.filter(|number| range.contains(number)) {
            Some(number) => Some(number),
            None => {
                let (least, most) = range.into_inner();
                faults.add(self.at(name), format!("a whole number from {least} to {most} is expected"));
                None
            }
        }
    }

    /// One of a closed list of strings; the empty string counts as absent.
    pub(crate) fn choice<T: Copy>(&self, name: &str, choices: &[(&str, T)], faults: &mut Faults) -> Option<T> {
        let text = self.text(name, 256, faults)?;
        let found = choices.iter().find(|(known, _)| *known == text).map(|(_, choice)| *choice);
        if found.is_none() {
            let known: Vec<&str> = choices.iter().map(|(known, _)| *known).collect();
            faults.add(self.at(name), format!("one of {} is expected", known.join(", ")));
        }
        found
    }

    /// An object.
    pub(crate) fn object(&self, name: &str, faults: &mut Faults) -> Option<Members<'v>> {
        Members::of(self.value(name)?, self.at(name), faults)
    }

    /// The elements of an array of at most `most`, each with its pointer.
    pub(crate) fn array(&self, name: &str, most: usize, faults: &mut Faults) -> Option<Vec<(String, &'v Value)>> {
        let value = self.value(name)?;
        let Some(elements) = value.as_array() else { return self.mistyped(name, "an array", value, faults) };
        if elements.len() > most {
            faults.add(self.at(name), format!("at most {most} elements are accepted; got {}", elements.len()));
            return None;
        }
        let pointer = self.at(name);
        Some(elements.iter().enumerate().map(|(index, value)| (format!("{pointer}/{index}"), value)).collect())
    }

    /// A fault unless the member is there.
    pub(crate) fn require(&self, name: &str, faults: &mut Faults) {
        if self.value(name).is_none() {
            faults.add(self.at(name), "this member is mandatory");
        }
    }

    /// A fault unless the member is there and not the empty string, for members that are read by [`Self::text`] or
    /// [`Self::choice`].
    pub(crate) fn require_text(&self, name: &str, faults: &mut Faults) {
        if self.value(name).is_none_or(|value| value.as_str() == Some("")) {
            faults.add(self.at(name), "this member is mandatory");
        }
    }

    /// A fault for each of `names` that is filled.
    pub(crate) fn refuse(&self, names: &[&str], detail: &str, faults: &mut Faults) {
        for name in names.iter().filter(|name| self.filled(name).is_some()) {
            faults.add(self.at(name), detail);
        }
    }

    /// A fault for each member outside `known`: a misspelt name must not change silently what is issued.
    pub(crate) fn refuse_others(&self, known: &[&[&str]], faults: &mut Faults) {
        for name in self.members.keys() {
            if !known.iter().any(|names| names.contains(&name.as_str())) {
                let shown: String = name.chars().take(64).collect();
                faults.add(self.at(&shown), "there is no such member");
            }
        }
    }

    fn mistyped<T>(&self, name: &str, expected: &str, got: &Value, faults: &mut Faults) -> Option<T> {
        faults.add(self.at(name), format!("{expected} is expected; got {}", kind(got)));
        None
    }
}

/// Pointer to the member `name` of the object at `pointer`.
pub(crate) fn below(pointer: &str, name: &str) -> String {
    format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"))
}

/// The JSON kind of a value, in words.
pub(crate) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// `30` and `30.0` are the same JSON number. Beyond 2^53 not every whole number is one.
pub(crate) fn whole_number(value: &Value) -> Option<u64> {
    let exact = 0.0..=9_007_199_254_740_992.0;
    let float = value.as_f64().filter(|number| number.fract() == 0.0 && exact.contains(number));
    value.as_u64().or_else(|| float.and_then(|number| format!("{number:.0}").parse().ok()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn faults_of(body: &Value, read: impl Fn(&Members<'_>, &mut Faults)) -> Vec<String> {
        let mut faults = Faults::default();
        if let Some(members) = Members::of(body, String::new(), &mut faults) {
            read(&members, &mut faults);
        }
        faults.0.into_iter().map(|fault| fault.pointer).collect()
    }

    #[test]
    fn an_empty_text_is_no_mandatory_text() {
        let read = |members: &Members<'_>, faults: &mut Faults| {
            for name in ["empty", "null", "absent", "text"] {
                members.require_text(name, faults);
            }
        };
        assert_eq!(faults_of(&json!({ "empty": "", "null": null, "text": "a" }), read), ["/empty", "/null", "/absent"]);
    }

    #[test]
    fn every_wrong_member_is_named_at_once() {
        let body = json!({ "name": 1, "flag": "yes", "days": 1.5, "mode": "other", "list": {}, "a/b": 1 });
        let pointers = faults_of(&body, |members, faults| {
            members.string("name", 10, faults);
            members.boolean("flag", false, faults);
            members.integer("days", 1..=10, faults);
            members.choice("mode", &[("one", 1)], faults);
            members.array("list", 3, faults);
            members.refuse_others(&[&["name", "flag", "days", "mode", "list"]], faults);
        });
        assert_eq!(pointers, ["/name", "/flag", "/days", "/mode", "/list", "/a~1b"]);
    }

    #[test]
    fn null_and_empty_values_count_as_absent() {
        let body = json!({ "a": null, "b": "", "c": [], "d": {}, "e": false });
        assert!(
            faults_of(&body, |members, faults| {
                members.refuse(&["a", "b", "c", "d", "e"], "not yet", faults);
                assert_eq!(members.text("b", 10, faults), None);
                assert_eq!(members.string("b", 10, faults), Some(""));
            })
            .is_empty()
        );
    }

    #[test]
    fn a_whole_number_may_be_written_as_a_float() {
        let body = json!({ "days": 30.0, "long": 5_000_000_000_u64 });
        let pointers = faults_of(&body, |members, faults| {
            assert_eq!(members.integer("days", 1..=36_500, faults), Some(30));
            assert_eq!(members.integer("long", 1..=36_500, faults), None);
        });
        assert_eq!(pointers, ["/long"]);
    }

    #[test]
    fn a_hostile_body_does_not_make_an_endless_refusal() {
        let body = Value::Object((0..500).map(|n| (format!("m{n}"), json!(1))).collect());
        assert_eq!(faults_of(&body, |members, faults| members.refuse_others(&[], faults)).len(), MOST_FAULTS);
    }
}
