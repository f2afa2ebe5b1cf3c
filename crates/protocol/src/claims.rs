//! Claims of JWTs from strangers, read one at a time.

use serde_json::{Map, Value};

use crate::explanation::excerpt_json;

/// What a claim should have been, and what it was: `absent`, or its value cut for quoting.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Wrong {
    pub(crate) name: &'static str,
    pub(crate) expected: &'static str,
    pub(crate) got: String,
}

/// A claim that must be a text of 1 to `limit` bytes.
pub(crate) fn text<'c>(claims: &'c Map<String, Value>, name: &'static str, limit: usize) -> Result<&'c str, Wrong> {
    let found = claims.get(name);
    found
        .and_then(Value::as_str)
        .filter(|text| (1..=limit).contains(&text.len()))
        .ok_or_else(|| wrong(found, name, "a non-empty string of moderate length"))
}

/// As [`text`], but the claim may be absent.
pub(crate) fn optional_text<'c>(
    claims: &'c Map<String, Value>,
    name: &'static str,
    limit: usize,
) -> Result<Option<&'c str>, Wrong> {
    if claims.contains_key(name) { text(claims, name, limit).map(Some) } else { Ok(None) }
}

/// A claim that is a whole number of seconds since 1970, or absent.
pub(crate) fn optional_seconds(claims: &Map<String, Value>, name: &'static str) -> Result<Option<i64>, Wrong> {
    let Some(value) = claims.get(name) else { return Ok(None) };
    value.as_i64().map(Some).ok_or_else(|| wrong(Some(value), name, "a whole number of seconds since 1970"))
}

/// Whether `aud` is `expected` and nothing else, byte for byte. An array of that one string is the same statement (RFC
/// 7519 §4.1.3); further audiences would make the token usable elsewhere. The error quotes what came.
pub(crate) fn audience(claims: &Map<String, Value>, expected: &str) -> Result<(), String> {
    let value = claims.get("aud");
    let only = value.and_then(|value| match value.as_array().map(Vec::as_slice) {
        Some([only]) => only.as_str(),
        Some(_) => None,
        None => value.as_str(),
    });
    if only == Some(expected) {
        return Ok(());
    }
    Err(value.map_or_else(|| "absent".to_owned(), excerpt_json))
}

/// The error for a claim that is not what it should be.
pub(crate) fn wrong(found: Option<&Value>, name: &'static str, expected: &'static str) -> Wrong {
    Wrong { name, expected, got: found.map_or_else(|| "absent".to_owned(), excerpt_json) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn claims(value: Value) -> Map<String, Value> {
        Map::from_iter([("c".to_owned(), value)])
    }

    #[test]
    fn a_text_is_neither_empty_nor_long_nor_another_type() {
        assert_eq!(text(&claims(json!("abc")), "c", 3), Ok("abc"));
        for value in [json!(""), json!("abcd"), json!(1), json!(null), json!(["abc"])] {
            let got = excerpt_json(&value);
            assert_eq!(text(&claims(value), "c", 3).map_err(|wrong| wrong.got), Err(got));
        }
        assert_eq!(text(&Map::new(), "c", 3).map_err(|wrong| wrong.got), Err("absent".to_owned()));
        assert_eq!(optional_text(&Map::new(), "c", 3), Ok(None));
        assert!(optional_text(&claims(json!(null)), "c", 3).is_err());
    }

    #[test]
    fn seconds_are_whole_numbers() {
        assert_eq!(optional_seconds(&claims(json!(7)), "c"), Ok(Some(7)));
        assert_eq!(optional_seconds(&Map::new(), "c"), Ok(None));
        for value in [json!(1.5), json!("7"), json!(null), json!(u64::MAX)] {
            assert!(optional_seconds(&claims(value), "c").is_err());
        }
    }

    #[test]
    fn an_audience_is_one_string_with_or_without_brackets() {
        let check = |aud: Value| audience(&Map::from_iter([("aud".to_owned(), aud)]), "https://a.example");
        assert_eq!(check(json!("https://a.example")), Ok(()));
        assert_eq!(check(json!(["https://a.example"])), Ok(()));
        for aud in [json!("https://a.example/"), json!(["https://a.example", "b"]), json!([]), json!({}), json!(null)] {
            assert!(check(aud).is_err());
        }
        assert_eq!(audience(&Map::new(), "x"), Err("absent".to_owned()));
    }
}
