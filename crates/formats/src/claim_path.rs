//! Claims path pointers (OpenID4VCI Appendix C).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Number, Value};

/// The most segments a path may have. No credential nests deeper; the bound keeps hostile definitions small.
const MOST_SEGMENTS: usize = 64;

/// A claims path pointer: which claim, or claims, of a credential are meant (OpenID4VCI Appendix C).
///
/// Its JSON form is a non-empty array of strings, non-negative integers and `null`, for example
/// `["degrees", null, "type"]`. Serde, [`FromStr`] and [`Display`](fmt::Display) use that form.
/// The order (`Ord`) puts a path before the paths below it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "Value")]
pub struct ClaimPath(Vec<PathSegment>);

/// One step of a [`ClaimPath`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PathSegment {
    /// A string: the member of that name of an object.
    Name(String),
    /// A non-negative integer: the element at that position of an array, from 0.
    Index(u32),
    /// `null`: every element of an array.
    All,
}

/// Why something is not a claims path pointer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClaimPathError {
    /// The text is not JSON.
    #[error("a claims path is a JSON array; got text that is not JSON")]
    NotJson,
    /// The JSON value is not an array.
    #[error("a claims path is a JSON array; got {got}")]
    NotAnArray {
        /// The kind of JSON value that was given.
        got: &'static str,
    },
    /// The array has no segment (OpenID4VCI Appendix C: a non-empty array).
    #[error("a claims path has at least one segment; got none")]
    Empty,
    /// The array has more segments than any credential needs.
    #[error("a claims path has at most {most} segments; got {got}")]
    TooLong {
        /// The accepted number of segments.
        most: usize,
        /// The given number of segments.
        got: usize,
    },
    /// A segment is neither string nor `null` nor a non-negative integer.
    #[error("segment {position} of a claims path is a string, a non-negative integer or null; got {got}")]
    Segment {
        /// The position in the array, from 0.
        position: usize,
        /// The kind of JSON value that was given.
        got: &'static str,
    },
}

impl ClaimPath {
    /// A path of these segments.
    ///
    /// # Errors
    /// [`ClaimPathError::Empty`] and [`ClaimPathError::TooLong`].
    pub fn new(segments: Vec<PathSegment>) -> Result<Self, ClaimPathError> {
        check_length(segments.len())?;
        Ok(Self(segments))
    }

    /// The path of the claim of this name at the top level of a credential.
    pub fn top_level(name: impl Into<String>) -> Self {
        Self(vec![PathSegment::Name(name.into())])
    }

    /// The segments, from the outside in; never empty.
    pub fn segments(&self) -> &[PathSegment] {
        &self.0
    }

    /// The top-level claim this path lies in; `None` when the path starts with an array step, which selects
    /// nothing in a JSON credential because its outermost value is an object.
    pub fn top_level_name(&self) -> Option<&str> {
        match self.0.first() {
            Some(PathSegment::Name(name)) => Some(name),
            Some(PathSegment::Index(_) | PathSegment::All) | None => None,
        }
    }

    /// The values this path selects in a JSON credential, in document order (OpenID4VCI Appendix C.1).
    ///
    /// Empty both when nothing is there and when processing aborts because a step meets the wrong kind of
    /// value (a name on an array, an index on an object): the two are one error in the specification.
    pub fn select<'v>(&self, credential: &'v Value) -> Vec<&'v Value> {
        let mut selected = vec![credential];
        for segment in &self.0 {
            let mut next = Vec::with_capacity(selected.len());
            for value in selected {
                match (segment, value) {
                    (PathSegment::Name(name), Value::Object(members)) => next.extend(members.get(name)),
                    (PathSegment::Index(index), Value::Array(elements)) => {
                        next.extend(usize::try_from(*index).ok().and_then(|index| elements.get(index)));
                    }
                    (PathSegment::All, Value::Array(elements)) => next.extend(elements),
                    (PathSegment::Name(_) | PathSegment::Index(_) | PathSegment::All, _) => {
                        return Vec::new();
                    }
                }
            }
            selected = next;
        }
        selected
    }

    /// The path as a JSON Pointer (RFC 6901), for messages: `/degrees/*/type`.
    ///
    /// JSON Pointer has no notation for "every element", so that step is written `*`.
    pub fn pointer(&self) -> String {
        let mut pointer = String::new();
        for segment in &self.0 {
            pointer.push('/');
            match segment {
                PathSegment::Name(name) => pointer.push_str(&name.replace('~', "~0").replace('/', "~1")),
                PathSegment::Index(index) => pointer.push_str(&index.to_string()),
                PathSegment::All => pointer.push('*'),
            }
        }
        pointer
    }
}

impl fmt::Display for ClaimPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[")?;
        for (position, segment) in self.0.iter().enumerate() {
            if position > 0 {
                formatter.write_str(",")?;
            }
            match segment {
                PathSegment::Name(name) => write!(formatter, "{}", Value::from(name.as_str()))?,
                PathSegment::Index(index) => write!(formatter, "{index}")?,
                PathSegment::All => formatter.write_str("null")?,
            }
        }
        formatter.write_str("]")
    }
}

impl FromStr for ClaimPath {
    type Err = ClaimPathError;

    fn from_str(text: &str) -> Result<Self, ClaimPathError> {
        let value: Value = serde_json::from_str(text).map_err(|_| ClaimPathError::NotJson)?;
        Self::try_from(value)
    }
}

impl TryFrom<Value> for ClaimPath {
    type Error = ClaimPathError;

    fn try_from(value: Value) -> Result<Self, ClaimPathError> {
        let Value::Array(elements) = value else {
            return Err(ClaimPathError::NotAnArray { got: kind(&value) });
        };
        check_length(elements.len())?;
        let segments = elements.into_iter().enumerate().map(|(position, element)| segment(position, element));
        segments.collect::<Result<_, _>>().map(Self)
    }
}

impl Serialize for PathSegment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Name(name) => serializer.serialize_str(name),
            Self::Index(index) => serializer.serialize_u32(*index),
            Self::All => serializer.serialize_unit(),
        }
    }
}

fn check_length(segments: usize) -> Result<(), ClaimPathError> {
    match segments {
        0 => Err(ClaimPathError::Empty),
        1..=MOST_SEGMENTS => Ok(()),
        got => Err(ClaimPathError::TooLong { most: MOST_SEGMENTS, got }),
    }
}

fn segment(position: usize, element: Value) -> Result<PathSegment, ClaimPathError> {
    match element {
        Value::String(name) => Ok(PathSegment::Name(name)),
        Value::Null => Ok(PathSegment::All),
        Value::Number(number) => index(&number).map(PathSegment::Index).ok_or(ClaimPathError::Segment {
            position,
            got: "a number that is negative, fractional or above 4294967295",
        }),
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
            Err(ClaimPathError::Segment { position, got: kind(&element) })
        }
    }
}

/// `1` and `1.0` are the same JSON number.
fn index(number: &Number) -> Option<u32> {
    let is_index = |float: &f64| float.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(float);
    number.as_f64().filter(is_index).and_then(|float| format!("{float:.0}").parse().ok())
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    /// The document that OpenID4VCI Appendix C.3 explains its pointers with.
    fn diploma() -> Value {
        json!({
            "name": "Arthur Dent",
            "address": { "street_address": "42 Market Street", "locality": "Milliways", "postal_code": "12345" },
            "degrees": [
                { "type": "Bachelor of Science", "university": "University of Betelgeuse" },
                { "type": "Master of Science", "university": "University of Betelgeuse" }
            ],
            "nationalities": ["British", "Betelgeusian"]
        })
    }

    fn path(value: Value) -> ClaimPath {
        ClaimPath::try_from(value).unwrap()
    }

    #[test]
    fn the_examples_of_appendix_c_select_what_it_says() {
        let document = diploma();
        for (pointer, expected) in [
            (json!(["name"]), json!(["Arthur Dent"])),
            (json!(["address"]), json!([document["address"]])),
            (json!(["address", "street_address"]), json!(["42 Market Street"])),
            (json!(["degrees", null, "type"]), json!(["Bachelor of Science", "Master of Science"])),
            (json!(["nationalities", 1]), json!(["Betelgeusian"])),
            (json!(["nationalities", 1.0]), json!(["Betelgeusian"])),
        ] {
            assert_eq!(json!(path(pointer.clone()).select(&document)), expected, "{pointer}");
        }
    }

    #[test]
    fn a_pointer_that_meets_nothing_or_the_wrong_kind_selects_nothing() {
        let document = diploma();
        for pointer in [
            json!(["birthdate"]),
            json!(["nationalities", 2]),
            json!(["name", "given"]),
            json!(["degrees", "type"]),
            json!(["address", 0]),
            json!(["address", null]),
            json!([null]),
            json!([0]),
        ] {
            assert!(path(pointer.clone()).select(&document).is_empty(), "{pointer}");
        }
    }

    #[test]
    fn one_element_of_the_wrong_kind_aborts_the_whole_selection() {
        let document = json!({ "degrees": [{ "type": "MSc" }, "MBA"] });
        assert!(path(json!(["degrees", null, "type"])).select(&document).is_empty());
    }

    #[test]
    fn an_element_without_the_member_only_drops_out() {
        let document = json!({ "degrees": [{ "type": "MSc" }, {}] });
        assert_eq!(path(json!(["degrees", null, "type"])).select(&document), [&json!("MSc")]);
    }

    #[test]
    fn what_is_not_a_claims_path_is_refused_with_the_reason() {
        let segment = |position, got| ClaimPathError::Segment { position, got };
        let number = "a number that is negative, fractional or above 4294967295";
        for (given, expected) in [
            (json!("name"), ClaimPathError::NotAnArray { got: "a string" }),
            (json!({}), ClaimPathError::NotAnArray { got: "an object" }),
            (json!([]), ClaimPathError::Empty),
            (json!(["a", true]), segment(1, "a boolean")),
            (json!([["a"]]), segment(0, "an array")),
            (json!([{}]), segment(0, "an object")),
            (json!(["a", -1]), segment(1, number)),
            (json!(["a", 1.5]), segment(1, number)),
            (json!(["a", 4_294_967_296_u64]), segment(1, number)),
            (json!(vec!["a"; 65]), ClaimPathError::TooLong { most: 64, got: 65 }),
        ] {
            assert_eq!(ClaimPath::try_from(given.clone()).unwrap_err(), expected, "{given}");
            assert_eq!(serde_json::from_value::<ClaimPath>(given).unwrap_err().to_string(), expected.to_string());
        }
        assert_eq!("name".parse::<ClaimPath>().unwrap_err(), ClaimPathError::NotJson);
        assert_eq!(ClaimPath::new(Vec::new()).unwrap_err(), ClaimPathError::Empty);
    }

    #[test]
    fn the_json_pointer_escapes_names_and_stars_every_element() {
        assert_eq!(path(json!(["a/b", "c~d", null, 7])).pointer(), "/a~1b/c~0d/*/7");
    }

    #[test]
    fn a_path_sorts_before_the_paths_below_it() {
        assert!(path(json!(["a"])) < path(json!(["a", "b"])));
        assert!(path(json!(["a", "z"])) < path(json!(["b"])));
    }

    proptest! {
        #[test]
        fn display_and_serde_write_the_json_form_that_parses_back(
            segments in prop::collection::vec(
                prop_oneof![
                    any::<String>().prop_map(PathSegment::Name),
                    any::<u32>().prop_map(PathSegment::Index),
                    Just(PathSegment::All),
                ],
                1..8,
            )
        ) {
            let path = ClaimPath::new(segments).unwrap();
            prop_assert_eq!(&path.to_string().parse::<ClaimPath>().unwrap(), &path);
            prop_assert_eq!(serde_json::to_string(&path).unwrap(), path.to_string());
            prop_assert_eq!(&serde_json::from_str::<ClaimPath>(&path.to_string()).unwrap(), &path);
        }
    }
}
