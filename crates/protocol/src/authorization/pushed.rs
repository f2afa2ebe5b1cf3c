//! References to pushed authorization requests (RFC 9126 §2.2).

use std::fmt;

use serde::Serialize;

/// What every reference begins with.
pub const REQUEST_URI_PREFIX: &str = "urn:ietf:params:oauth:request_uri:";

/// The answer to a pushed authorization request: HTTP 201, uncacheable (RFC 9126 §2.2).
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct PushedAuthorizationResponse {
    /// The reference. Whoever has it, and knows the client, can start the authorization.
    pub request_uri: String,
    /// Its lifetime in seconds; under FAPI 2.0 less than 600.
    pub expires_in: u32,
}

impl fmt::Debug for PushedAuthorizationResponse {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("PushedAuthorizationResponse")
            .field("expires_in", &self.expires_in)
            .finish_non_exhaustive()
    }
}

/// The reference with this unguessable part, which is made of characters that a URN allows.
pub fn request_uri_of(part: &str) -> String {
    format!("{REQUEST_URI_PREFIX}{part}")
}

/// The unguessable part of a reference; `None` for other URIs. It is never a URL to be fetched.
pub fn pushed_reference(request_uri: &str) -> Option<&str> {
    request_uri.strip_prefix(REQUEST_URI_PREFIX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_recognised_and_other_uris_are_not_by_par_3() {
        assert_eq!(pushed_reference(&request_uri_of("part")), Some("part"));
        for other in ["https://evil.example/request", "urn:ietf:params:oauth:request", "part", ""] {
            assert_eq!(pushed_reference(other), None, "{other}");
        }
    }

    #[test]
    fn the_answer_has_two_members_by_par_3() {
        let answer = PushedAuthorizationResponse { request_uri: request_uri_of("part"), expires_in: 90 };
        let json = serde_json::to_value(&answer).unwrap();
        assert_eq!(json.as_object().unwrap().keys().collect::<Vec<_>>(), ["request_uri", "expires_in"]);
        assert!(!format!("{answer:?}").contains("urn:"));
    }
}
