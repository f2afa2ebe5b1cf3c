//! `ETag` and `If-Match` (RFC 9110 §13.1.1): two people who edit the same thing do not overwrite each other's work.

use axum::extract::FromRequestParts;
use axum::http::header::{ETAG, HeaderValue, IF_MATCH};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use chancery_issuance::Context;
use utoipa::IntoParams;

use crate::problem::Problem;

/// The revision that the caller knows; `None` when it is not said, or does not matter (`*`).
pub(crate) struct IfMatch(pub(crate) Option<u32>);

impl FromRequestParts<Context> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _ctx: &Context) -> Result<Self, Problem> {
        let mut values = parts.headers.get_all(IF_MATCH).iter();
        let Some(value) = values.next() else { return Ok(Self(None)) };
        let only = values.next().is_none();
        match value.to_str().map(str::trim) {
            Ok("*") if only => Ok(Self(None)),
            // What is not a tag of ours cannot be the current one, nor can one of several be told apart by us.
            Ok(tag) if only => revision(tag).map(|it| Self(Some(it))).ok_or_else(Problem::stale),
            Ok(_) | Err(_) => Err(Problem::stale()),
        }
    }
}

fn revision(tag: &str) -> Option<u32> {
    let digits = tag.strip_prefix('"')?.strip_suffix('"')?;
    digits.bytes().all(|c| c.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
}

/// `body` under the tag of its revision.
pub(crate) fn tagged(revision: u32, body: impl IntoResponse) -> Response {
    let mut response = body.into_response();
    if let Ok(tag) = HeaderValue::from_str(&format!("\"{revision}\"")) {
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
    use super::revision;

    #[test]
    fn a_tag_is_a_quoted_number() {
        assert_eq!(revision("\"12\""), Some(12));
        for other in ["12", "\"\"", "W/\"1\"", "\"1\", \"2\"", "\"+1\"", "\"99999999999\""] {
            assert_eq!(revision(other), None, "{other}");
        }
    }
}
