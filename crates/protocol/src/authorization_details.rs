//! `authorization_details` of type `openid_credential` (RFC 9396, OpenID4VCI §5.1.1, §6.1.1, §6.2).

use chancery_formats::{ClaimPath, ClaimPathError, PathSegment};
use serde::ser::SerializeStruct as _;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};
use thiserror::Error;

use crate::explanation::excerpt_json;
use crate::json::{self, JsonError};
use crate::{Explanation, excerpt};

/// The only `type` this issuer understands.
pub const TYPE: &str = "openid_credential";

const LENGTH_LIMIT: usize = 32 * 1024;
const ENTRY_LIMIT: usize = 32;
const LIST_LIMIT: usize = 64;
const STRING_LIMIT: usize = 512;

/// One credential configuration that is asked for or granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorizationDetail {
    /// Key of `credential_configurations_supported`.
    pub credential_configuration_id: String,
    /// In a token response: one value per credential dataset, never empty there (OpenID4VCI §6.2). Empty in a request.
    pub credential_identifiers: Vec<String>,
    /// Credential Issuer Identifiers; empty when the member is absent.
    pub locations: Vec<String>,
    /// The claims asked for; empty when the member is absent.
    pub claims: Vec<RequestedClaim>,
}

/// One element of `claims` (OpenID4VCI Appendix B.1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RequestedClaim {
    /// Which claim, or claims.
    pub path: ClaimPath,
    /// Whether the wallet takes no credential without it.
    #[serde(skip_serializing_if = "is_false")]
    pub mandatory: bool,
}

/// Why `authorization_details` are refused, always with `invalid_authorization_details` (RFC 9396 §5).
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AuthorizationDetailsError {
    /// The parameter is not acceptable JSON.
    #[error("`authorization_details`: {0}")]
    Json(JsonError),
    /// The parameter is not an array of 1 to 32 elements.
    #[error("`authorization_details` is {got}, expected an array of 1 to {ENTRY_LIMIT} objects")]
    NotAList {
        /// What came.
        got: String,
    },
    /// An element is not an object.
    #[error("element {index} of `authorization_details` is {got}, expected an object")]
    NotAnObject {
        /// Position, from 0.
        index: usize,
        /// The JSON type that came.
        got: &'static str,
    },
    /// The `type` of an element is absent or unknown.
    #[error("element {index} of `authorization_details` has type `{got}`, expected `{TYPE}`")]
    UnknownType {
        /// Position, from 0.
        index: usize,
        /// What came; empty when absent.
        got: String,
    },
    /// A member is absent, has the wrong JSON type, is empty, or is too long.
    #[error("member `{member}` of element {index} of `authorization_details` is {got}, expected {expected}")]
    Member {
        /// Position, from 0.
        index: usize,
        /// The member.
        member: &'static str,
        /// What it must be.
        expected: &'static str,
        /// What came.
        got: String,
    },
    /// The element selects by `format`, as drafts up to 15 did.
    #[error("element {index} of `authorization_details` selects by `format`, which is the shape of a draft before 16")]
    DraftShape {
        /// Position, from 0.
        index: usize,
    },
    /// A claim path is malformed.
    #[error("element {index} of `authorization_details` has a malformed claim path: {error}")]
    Path {
        /// Position, from 0.
        index: usize,
        /// What is wrong.
        error: ClaimPathError,
    },
    /// Two claim paths repeat or contradict each other (OpenID4VCI Appendix B.3).
    #[error(
        "claim paths {first} and {second} of element {index} of `authorization_details` repeat or contradict each other"
    )]
    Conflict {
        /// Position, from 0.
        index: usize,
        /// One path.
        first: String,
        /// The other.
        second: String,
    },
}

impl AuthorizationDetailsError {
    /// The same for the wallet's developer.
    pub fn explain(&self) -> Explanation {
        let (help, spec_ref) = match self {
            Self::Json(_) | Self::NotAList { .. } | Self::NotAnObject { .. } => {
                ("send a JSON array of objects, percent-encoded in the form", "RFC 9396 §2")
            }
            Self::UnknownType { .. } => ("set `type` to `openid_credential`", "RFC 9396 §5"),
            Self::Member { .. } => (
                "name the configuration in `credential_configuration_id`, exactly as the credential offer or the issuer \
                 metadata has it",
                "OpenID4VCI 1.0 §5.1.1",
            ),
            Self::DraftShape { .. } => {
                ("select with `credential_configuration_id` instead of `format`", "OpenID4VCI 1.0 §5.1.1")
            }
            Self::Path { .. } => (
                "write a claim path as a non-empty array of strings, non-negative integers and nulls",
                "OpenID4VCI 1.0 Appendix C",
            ),
            Self::Conflict { .. } => (
                "name each claim once; do not mix `null` and an index, or a name and an index, at one place",
                "OpenID4VCI 1.0 Appendix B.3",
            ),
        };
        Explanation::new(self, help, spec_ref)
    }
}

impl AuthorizationDetail {
    /// A detail for a token response, with the identifiers of the datasets that are granted.
    pub fn granted(credential_configuration_id: String, credential_identifiers: Vec<String>) -> Self {
        Self { credential_configuration_id, credential_identifiers, locations: Vec::new(), claims: Vec::new() }
    }

    /// Reads the parameter. Unknown members are ignored (OpenID4VCI §5.1.1); an unknown `type` is not (RFC 9396 §5).
    /// Whether the configurations and locations exist is for the caller to say.
    pub fn parse_list(text: &str) -> Result<Vec<Self>, AuthorizationDetailsError> {
        use AuthorizationDetailsError as Error;

        let value = json::value(text.as_bytes(), LENGTH_LIMIT).map_err(Error::Json)?;
        let entries = value.as_array().ok_or_else(|| Error::NotAList { got: json::kind(&value).to_owned() })?;
        if entries.is_empty() || entries.len() > ENTRY_LIMIT {
            return Err(Error::NotAList { got: format!("an array of {}", entries.len()) });
        }
        let entry = |(index, value): (usize, &Value)| {
            let object = value.as_object().ok_or_else(|| Error::NotAnObject { index, got: json::kind(value) })?;
            Reader { index, object }.detail()
        };
        entries.iter().enumerate().map(entry).collect()
    }
}

impl Serialize for AuthorizationDetail {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_struct("AuthorizationDetail", 5)?;
        out.serialize_field("type", TYPE)?;
        out.serialize_field("credential_configuration_id", &self.credential_configuration_id)?;
        if !self.credential_identifiers.is_empty() {
            out.serialize_field("credential_identifiers", &self.credential_identifiers)?;
        }
        if !self.locations.is_empty() {
            out.serialize_field("locations", &self.locations)?;
        }
        if !self.claims.is_empty() {
            out.serialize_field("claims", &self.claims)?;
        }
        out.end()
    }
}

/// Reads one element.
struct Reader<'a> {
    index: usize,
    object: &'a Map<String, Value>,
}

impl Reader<'_> {
    fn detail(&self) -> Result<AuthorizationDetail, AuthorizationDetailsError> {
        let index = self.index;
        let kind = self.object.get("type").map(excerpt_json).unwrap_or_default();
        if self.object.get("type").and_then(Value::as_str) != Some(TYPE) {
            return Err(AuthorizationDetailsError::UnknownType { index, got: kind });
        }
        if !self.object.contains_key("credential_configuration_id") && self.object.contains_key("format") {
            return Err(AuthorizationDetailsError::DraftShape { index });
        }
        let configuration = "credential_configuration_id";
        let id =
            self.object.get(configuration).and_then(string).ok_or_else(|| self.wrong(configuration, "a string"))?;
        Ok(AuthorizationDetail {
            credential_configuration_id: id,
            credential_identifiers: Vec::new(),
            locations: self.locations()?,
            claims: self.claims()?,
        })
    }

    fn locations(&self) -> Result<Vec<String>, AuthorizationDetailsError> {
        let expected = "a non-empty array of strings";
        let items = self.list("locations", expected)?;
        items.iter().map(|item| string(item).ok_or_else(|| self.wrong("locations", expected))).collect()
    }

    fn claims(&self) -> Result<Vec<RequestedClaim>, AuthorizationDetailsError> {
        let expected = "a non-empty array of objects with a `path`";
        let items = self.list("claims", expected)?;
        let mut claims: Vec<RequestedClaim> = Vec::with_capacity(items.len());
        for item in items {
            let wrong = || self.wrong("claims", expected);
            let path = item.get("path").ok_or_else(wrong)?.clone();
            let path = ClaimPath::try_from(path)
                .map_err(|error| AuthorizationDetailsError::Path { index: self.index, error })?;
            let mandatory = item.get("mandatory").map_or(Some(false), Value::as_bool).ok_or_else(wrong)?;
            if let Some(other) = claims.iter().find(|claim| conflict(&claim.path, &path)) {
                return Err(AuthorizationDetailsError::Conflict {
                    index: self.index,
                    first: excerpt(&other.path.to_string()),
                    second: excerpt(&path.to_string()),
                });
            }
            claims.push(RequestedClaim { path, mandatory });
        }
        Ok(claims)
    }

    /// The elements of an optional array member; none when it is absent.
    fn list(&self, member: &'static str, expected: &'static str) -> Result<&[Value], AuthorizationDetailsError> {
        let Some(value) = self.object.get(member) else { return Ok(&[]) };
        let items = value.as_array().filter(|items| (1..=LIST_LIMIT).contains(&items.len()));
        items.map(Vec::as_slice).ok_or_else(|| self.wrong(member, expected))
    }

    fn wrong(&self, member: &'static str, expected: &'static str) -> AuthorizationDetailsError {
        let got = self.object.get(member).map_or_else(|| "absent".to_owned(), excerpt_json);
        AuthorizationDetailsError::Member { index: self.index, member, expected, got }
    }
}

fn string(value: &Value) -> Option<String> {
    value.as_str().filter(|text| !text.is_empty() && text.len() <= STRING_LIMIT).map(str::to_owned)
}

/// Whether two paths repeat each other or see the same place once as an array and once as an object, or once as one
/// element and once as all of them (OpenID4VCI Appendix B.3).
fn conflict(one: &ClaimPath, other: &ClaimPath) -> bool {
    let differing = one.segments().iter().zip(other.segments()).find(|(left, right)| left != right);
    match differing {
        None => one.segments().len() == other.segments().len(),
        Some((PathSegment::Name(_), PathSegment::Name(_)) | (PathSegment::Index(_), PathSegment::Index(_))) => false,
        Some((PathSegment::Name(_) | PathSegment::Index(_) | PathSegment::All, _)) => true,
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_false(value: &bool) -> bool {
    !*value
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Vec<AuthorizationDetail>, AuthorizationDetailsError> {
        AuthorizationDetail::parse_list(text)
    }

    fn with_claims(claims: &str) -> Result<Vec<AuthorizationDetail>, AuthorizationDetailsError> {
        parse(&format!(r#"[{{"type":"openid_credential","credential_configuration_id":"a","claims":{claims}}}]"#))
    }

    #[test]
    fn a_detail_is_written_as_it_was_read() {
        let text = concat!(
            r#"[{"type":"openid_credential","credential_configuration_id":"StaffBadge_sdjwt","#,
            r#""locations":["https://issuer.example/t/acme"],"claims":[{"path":["given_name"],"mandatory":true},"#,
            r#"{"path":["degrees",null,"type"]}]}]"#
        );
        assert_eq!(serde_json::to_string(&parse(text).unwrap()).unwrap(), text);
    }

    #[test]
    fn a_granted_detail_carries_its_identifiers_by_tok_7() {
        let granted = AuthorizationDetail::granted("a".to_owned(), vec!["i".to_owned()]);
        assert_eq!(
            serde_json::to_string(&granted).unwrap(),
            r#"{"type":"openid_credential","credential_configuration_id":"a","credential_identifiers":["i"]}"#
        );
    }

    #[test]
    fn unknown_members_are_ignored_by_aut_4() {
        let detail = parse(r#"[{"type":"openid_credential","credential_configuration_id":"a","x":1,"format":"f"}]"#);
        assert_eq!(detail.unwrap(), [AuthorizationDetail::granted("a".to_owned(), Vec::new())]);
    }

    #[test]
    fn wrong_types_missing_members_and_unknown_types_are_refused_by_aut_5() {
        for text in [
            "",
            "{}",
            "[]",
            "[1]",
            r#"[{"credential_configuration_id":"a"}]"#,
            r#"[{"type":"payment","credential_configuration_id":"a"}]"#,
            r#"[{"type":"openid_credential"}]"#,
            r#"[{"type":"openid_credential","credential_configuration_id":""}]"#,
            r#"[{"type":"openid_credential","credential_configuration_id":["a"]}]"#,
            r#"[{"type":"openid_credential","credential_configuration_id":"a","locations":"b"}]"#,
            r#"[{"type":"openid_credential","credential_configuration_id":"a","locations":[]}]"#,
            r#"[{"type":"openid_credential","credential_configuration_id":"a","claims":{}}]"#,
            r#"[{"type":"openid_credential","credential_configuration_id":"a","claims":[{"path":[]}]}]"#,
            r#"[{"type":"openid_credential","credential_configuration_id":"a","claims":[{"path":["x"],"mandatory":1}]}]"#,
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert!(parse(&format!("[{}1]", "1,".repeat(40))).is_err());
    }

    #[test]
    fn an_element_that_selects_by_format_is_recognised_as_a_draft() {
        let error = parse(r#"[{"type":"openid_credential","format":"vc+sd-jwt","vct":"x"}]"#).unwrap_err();
        assert_eq!(error, AuthorizationDetailsError::DraftShape { index: 0 });
        assert_eq!(error.explain().spec_ref, "OpenID4VCI 1.0 §5.1.1");
    }

    #[test]
    fn repeated_and_contradictory_paths_are_refused_by_aut_7() {
        for claims in [
            r#"[{"path":["a"]},{"path":["a"]}]"#,
            r#"[{"path":["a",null]},{"path":["a",0]}]"#,
            r#"[{"path":["a","b"]},{"path":["a",0]}]"#,
            r#"[{"path":["a","b","c"]},{"path":["a",null,"c"]}]"#,
        ] {
            assert!(matches!(with_claims(claims), Err(AuthorizationDetailsError::Conflict { .. })), "{claims}");
        }
        for claims in [
            r#"[{"path":["a"]},{"path":["b"]}]"#,
            r#"[{"path":["a"]},{"path":["a","b"]}]"#,
            r#"[{"path":["a",0]},{"path":["a",1]}]"#,
            r#"[{"path":["a",null,"x"]},{"path":["a",null,"y"]}]"#,
        ] {
            assert!(with_claims(claims).is_ok(), "{claims}");
        }
    }
}
