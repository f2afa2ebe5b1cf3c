use serde_json::{Map, Value};
use thiserror::Error;

use crate::explanation::excerpt_json;

/// The stretch of time in which an `iat` is believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// The instant of the check, seconds since the epoch.
    pub now: i64,
    /// Seconds an `iat` may lie in the past.
    pub max_age: i64,
    /// Seconds an `iat` may lie in the future.
    pub future_leeway: i64,
}

/// Why an `iat` claim is not acceptable.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FreshnessError {
    /// There is no `iat`.
    #[error("`iat` is missing")]
    Missing,
    /// `iat` is not a whole number of seconds.
    #[error("`iat` is {got}, expected a whole number of seconds since 1970")]
    NotAnInteger {
        /// What came instead.
        got: String,
    },
    /// `iat` lies too far in the past.
    #[error("`iat` is {age} s old, at most {max_age} s are allowed")]
    Stale {
        /// Seconds between `iat` and the check.
        age: i64,
        /// Seconds allowed.
        max_age: i64,
    },
    /// `iat` lies too far in the future.
    #[error("wallet clock is {ahead} s ahead, at most {leeway} s are allowed")]
    Future {
        /// Seconds between the check and `iat`.
        ahead: i64,
        /// Seconds allowed.
        leeway: i64,
    },
}

impl FreshnessError {
    /// What the wallet's developer should change.
    pub(crate) fn help(&self) -> &'static str {
        match self {
            Self::Missing | Self::NotAnInteger { .. } => {
                "set `iat` to the current time as a JSON integer: whole seconds since 1970-01-01T00:00:00Z"
            }
            Self::Stale { .. } => {
                "sign a new JWT for every request; if this one was new, the wallet clock is behind, so take the time \
                 from the `Date` header of the issuer's answers"
            }
            Self::Future { .. } => {
                "set the wallet clock, or take the time from the `Date` header of the issuer's answers; check that \
                 `iat` counts seconds and not milliseconds"
            }
        }
    }
}

impl Window {
    /// Reads `iat` from `claims` and checks that it lies in the window. The bounds themselves are allowed.
    pub(crate) fn check(self, claims: &Map<String, Value>) -> Result<i64, FreshnessError> {
        let value = claims.get("iat").ok_or(FreshnessError::Missing)?;
        let issued_at = value.as_i64().ok_or_else(|| FreshnessError::NotAnInteger { got: excerpt_json(value) })?;
        let age = self.now.saturating_sub(issued_at);
        if age > self.max_age {
            return Err(FreshnessError::Stale { age, max_age: self.max_age });
        }
        let ahead = age.saturating_neg();
        if ahead > self.future_leeway {
            return Err(FreshnessError::Future { ahead, leeway: self.future_leeway });
        }
        Ok(issued_at)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(iat: Value) -> Result<i64, FreshnessError> {
        let claims = Map::from_iter([("iat".to_owned(), iat)]);
        Window { now: 1_000_000, max_age: 300, future_leeway: 60 }.check(&claims)
    }

    #[test]
    fn the_bounds_of_the_window_are_inside_and_one_second_more_is_outside() {
        assert_eq!(check(json!(999_700)), Ok(999_700));
        assert_eq!(check(json!(999_699)), Err(FreshnessError::Stale { age: 301, max_age: 300 }));
        assert_eq!(check(json!(1_000_060)), Ok(1_000_060));
        assert_eq!(check(json!(1_000_061)), Err(FreshnessError::Future { ahead: 61, leeway: 60 }));
    }

    #[test]
    fn a_clock_94_s_ahead_is_named_in_words() {
        let text = check(json!(1_000_094)).map_or_else(|error| error.to_string(), |_| String::new());
        assert_eq!(text, "wallet clock is 94 s ahead, at most 60 s are allowed");
    }

    #[test]
    fn a_string_a_fraction_and_an_overflow_are_no_instants() {
        for iat in [json!("1000000"), json!(1_000_000.5), json!(1e300), json!(null), json!(u64::MAX)] {
            assert!(matches!(check(iat), Err(FreshnessError::NotAnInteger { .. })));
        }
        assert!(matches!(check(json!(i64::MIN)), Err(FreshnessError::Stale { .. })));
        assert!(matches!(check(json!(i64::MAX)), Err(FreshnessError::Future { .. })));
    }
}
