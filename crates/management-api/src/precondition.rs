//! `ETag` and `If-Match` (RFC 9110 §13.1.1): two people who edit the same thing do not overwrite each other's work.

use axum::extract::FromRequestParts;
use axum::http::header::{ETAG, HeaderValue, IF_MATCH};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use chancery_issuance::Context;
use chancery_model::{Binding, OrganisationId, Timestamp};
use utoipa::IntoParams;
use uuid::Uuid;

use crate::problem::Problem;

/// The version that the caller knows; `None` when it is not said, or does not matter (`*`). Resources without a revision are
/// told apart by when they were changed, which is never the same twice.
pub(crate) struct IfMatch<V = u32>(pub(crate) Option<V>);

/// What tells the versions of a resource apart.
pub(crate) trait Version: Copy {
    /// Reads the digits of a tag.
    fn parse(digits: &str) -> Option<Self>;
    /// The digits of a tag.
    fn digits(self) -> String;
}

impl Version for u32 {
    fn parse(digits: &str) -> Option<Self> {
        digits.parse().ok()
    }

    fn digits(self) -> String {
        self.to_string()
    }
}

impl Version for Timestamp {
    fn parse(digits: &str) -> Option<Self> {
        digits.parse().ok().map(Self::from_millis)
    }

    fn digits(self) -> String {
        self.millis().to_string()
    }
}

/// The id of the sandbox organisation as a number; 0 for none.
impl Version for Binding {
    fn parse(digits: &str) -> Option<Self> {
        let number: u128 = digits.parse().ok()?;
        Some(Self((number != 0).then(|| OrganisationId::from(Uuid::from_u128(number)))))
    }

    fn digits(self) -> String {
        self.0.map_or(0, |sandbox| sandbox.as_uuid().as_u128()).to_string()
    }
}

impl<V: Version> FromRequestParts<Context> for IfMatch<V> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _ctx: &Context) -> Result<Self, Problem> {
        let mut values = parts.headers.get_all(IF_MATCH).iter();
        let Some(value) = values.next() else { return Ok(Self(None)) };
        let only = values.next().is_none();
        match value.to_str().map(str::trim) {
            Ok("*") if only => Ok(Self(None)),
            // What is not a tag of ours cannot be the current one, nor can one of several be told apart by us.
            Ok(tag) if only => version(tag).map(|it| Self(Some(it))).ok_or_else(Problem::stale),
            Ok(_) | Err(_) => Err(Problem::stale()),
        }
    }
}

fn version<V: Version>(tag: &str) -> Option<V> {
    let digits = tag.strip_prefix('"')?.strip_suffix('"')?;
    digits.bytes().all(|c| c.is_ascii_digit()).then(|| V::parse(digits)).flatten()
}

/// `body` under the tag of its version.
pub(crate) fn tagged(version: impl Version, body: impl IntoResponse) -> Response {
    let mut response = body.into_response();
    if let Ok(tag) = HeaderValue::from_str(&format!("\"{}\"", version.digits())) {
        response.headers_mut().insert(ETAG, tag);
    }
    response
}

#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "only describes the header, which `precondition.rs` reads")]
pub(crate) struct IfMatchHeader {
    /// The `ETag` of the version that the change is meant for; another version answers 412. Left out, the last change wins.
    #[param(rename = "If-Match")]
    if_match: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tag_of_a_binding_is_read_as_it_was_written() {
        for sandbox in [None, Some(OrganisationId::from(Uuid::from_u128(u128::MAX)))] {
            assert_eq!(Binding::parse(&Binding(sandbox).digits()), Some(Binding(sandbox)));
        }
    }

    #[test]
    fn a_tag_is_a_quoted_number() {
        assert_eq!(version("\"12\""), Some(12_u32));
        assert_eq!(version("\"1768478400001\""), Some(Timestamp::from_millis(1_768_478_400_001)));
        for other in ["12", "\"\"", "W/\"1\"", "\"1\", \"2\"", "\"+1\"", "\"99999999999\""] {
            assert_eq!(version::<u32>(other), None, "{other}");
        }
    }
}
