//! JSON from strangers: bounded, an object at the top, no member twice.

use std::fmt;

use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use thiserror::Error;

/// Deepest nesting that is read. Nothing the protocols define is deeper than about eight.
const DEPTH_LIMIT: u8 = 32;

/// Why a text is not acceptable JSON.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum JsonError {
    /// The text is longer than allowed.
    #[error("the JSON text has {got} bytes, at most {limit} are read")]
    TooLong {
        /// Bytes allowed.
        limit: usize,
        /// Bytes received.
        got: usize,
    },
    /// The text is not JSON, nests too deeply, or repeats a member. The text names the position, never the content.
    #[error("not acceptable JSON at line {line} column {column}: {problem}")]
    Syntax {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// What is wrong there.
        problem: &'static str,
    },
    /// The text is JSON, but not an object.
    #[error("the JSON text is {got}, expected an object")]
    NotAnObject {
        /// The JSON type that came.
        got: &'static str,
    },
}

/// Reads a JSON object of at most `limit` bytes.
///
/// RFC 8259 §4 leaves the meaning of repeated members open, and two readers who disagree are an attack; they are
/// refused at every depth.
pub fn object(bytes: &[u8], limit: usize) -> Result<Map<String, Value>, JsonError> {
    let value = value(bytes, limit)?;
    let got = kind(&value);
    if let Value::Object(map) = value { Ok(map) } else { Err(JsonError::NotAnObject { got }) }
}

/// Reads any JSON value of at most `limit` bytes, under the rules of [`object`].
pub(crate) fn value(bytes: &[u8], limit: usize) -> Result<Value, JsonError> {
    if bytes.len() > limit {
        return Err(JsonError::TooLong { limit, got: bytes.len() });
    }
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    Strict { depth: DEPTH_LIMIT }
        .deserialize(&mut reader)
        .and_then(|value| reader.end().map(|()| value))
        .map_err(|error| JsonError::Syntax { line: error.line(), column: error.column(), problem: problem(&error) })
}

/// The JSON type of a value, for a sentence.
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

const REPEATED: &str = "a member is repeated";
const TOO_DEEP: &str = "it nests too deeply";

fn problem(error: &serde_json::Error) -> &'static str {
    if error.is_eof() {
        return "it ends too early";
    }
    // serde_json keeps custom messages as text only.
    let text = error.to_string();
    [REPEATED, TOO_DEEP].into_iter().find(|known| text.starts_with(known)).unwrap_or("it is malformed")
}

/// Builds a [`Value`], counting depth and refusing repeated members.
#[derive(Clone, Copy)]
struct Strict {
    depth: u8,
}

impl Strict {
    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        self.depth.checked_sub(1).map(|depth| Self { depth }).ok_or_else(|| E::custom(TOO_DEEP))
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("a number is out of range"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut out = Vec::new();
        while let Some(item) = items.next_element_seed(inner)? {
            out.push(item);
        }
        Ok(Value::Array(out))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut out = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            let value = members.next_value_seed(inner)?;
            if out.insert(name, value).is_some() {
                return Err(A::Error::custom(REPEATED));
            }
        }
        Ok(Value::Object(out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_read_with_its_members_in_order() {
        let map = object(br#" {"b":[1,-2,2.5,null,true],"a":{"x":"y"}} "#, 100).unwrap();
        assert_eq!(serde_json::to_string(&map).unwrap(), r#"{"b":[1,-2,2.5,null,true],"a":{"x":"y"}}"#);
    }

    #[test]
    fn a_repeated_member_is_refused_at_any_depth() {
        for text in [r#"{"a":1,"a":2}"#, r#"{"o":[{"a":1,"a":1}]}"#] {
            let error = object(text.as_bytes(), 100).unwrap_err();
            assert!(matches!(error, JsonError::Syntax { problem: REPEATED, .. }), "{error:?}");
        }
    }

    #[test]
    fn depth_length_trailing_bytes_and_other_types_are_refused() {
        let deep = format!("{}{}", "[".repeat(40), "]".repeat(40));
        assert!(matches!(value(deep.as_bytes(), 100), Err(JsonError::Syntax { problem: TOO_DEEP, .. })));
        assert_eq!(object(b"{}", 1), Err(JsonError::TooLong { limit: 1, got: 2 }));
        assert!(matches!(object(b"{} x", 100), Err(JsonError::Syntax { .. })));
        assert!(matches!(object(b"{", 100), Err(JsonError::Syntax { problem: "it ends too early", .. })));
        assert_eq!(object(b"[]", 100), Err(JsonError::NotAnObject { got: "an array" }));
        assert!(matches!(object(b"\xff", 100), Err(JsonError::Syntax { .. })));
    }
}
