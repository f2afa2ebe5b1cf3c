//! JSON objects in which no member name comes twice, at any depth.
//!
//! RFC 7515 §4 and RFC 7519 §4 let a parser refuse duplicate names or take the last one. Two parsers that choose
//! differently read two different tokens out of one signature, so they are refused.

use std::cell::RefCell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Why bytes are not such an object.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Invalid {
    Json,
    NotAnObject,
    Duplicate { name: String },
}

/// Parses `bytes` as one object. Nesting is bounded by serde_json (128 levels).
pub(crate) fn object(bytes: &[u8]) -> Result<Map<String, Value>, Invalid> {
    let duplicate = RefCell::new(None);
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let parsed = Strict { duplicate: &duplicate }
        .deserialize(&mut deserializer)
        .and_then(|value| deserializer.end().map(|()| value));
    match (parsed, duplicate.into_inner()) {
        (_, Some(name)) => Err(Invalid::Duplicate { name }),
        (Err(_), None) => Err(Invalid::Json),
        (Ok(Value::Object(object)), None) => Ok(object),
        (Ok(_), None) => Err(Invalid::NotAnObject),
    }
}

#[derive(Clone, Copy)]
struct Strict<'a> {
    duplicate: &'a RefCell<Option<String>>,
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
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
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = sequence.next_element_seed(self)? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            if object.contains_key(&name) {
                self.duplicate.replace(Some(name));
                return Err(A::Error::custom("duplicate member"));
            }
            let value = members.next_value_seed(self)?;
            object.insert(name, value);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn an_object_keeps_its_members_in_wire_order() {
        let object = object(br#"{"z":1,"a":[true,null,-2,1.5,"x"],"m":{"k":18446744073709551615}}"#).unwrap();
        assert_eq!(object.keys().collect::<Vec<_>>(), ["z", "a", "m"]);
        assert_eq!(Value::Object(object), json!({"z":1,"a":[true,null,-2,1.5,"x"],"m":{"k":u64::MAX}}));
    }

    #[test]
    fn a_member_given_twice_is_refused_at_any_depth() {
        let duplicate = |name: &str| Err(Invalid::Duplicate { name: name.to_owned() });
        assert_eq!(object(br#"{"alg":"ES256","alg":"none"}"#), duplicate("alg"));
        assert_eq!(object(br#"{"a":[{"b":{"x":1,"x":1}}]}"#), duplicate("x"));
        assert_eq!(object(br#"{"alg":1,"\u0061lg":2}"#), duplicate("alg"), "an escaped spelling is the same name");
    }

    #[test]
    fn what_is_not_one_object_is_refused() {
        assert_eq!(object(b"[]"), Err(Invalid::NotAnObject));
        assert_eq!(object(b"\"x\""), Err(Invalid::NotAnObject));
        for text in ["", "{", "{}{}", "{} x", "{\"a\":}", "{\"a\":NaN}", "\u{feff}{}"] {
            assert_eq!(object(text.as_bytes()), Err(Invalid::Json), "{text}");
        }
        assert_eq!(object(b"{\"a\":\"\xff\"}"), Err(Invalid::Json));
    }

    #[test]
    fn deep_nesting_is_refused_without_exhausting_the_stack() {
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(30_000), "]".repeat(30_000));
        assert_eq!(object(deep.as_bytes()), Err(Invalid::Json));
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(object) = object(&bytes) {
                prop_assert_eq!(Value::Object(object), serde_json::from_slice::<Value>(&bytes).unwrap());
            }
        }
    }
}
