//! Credential offers (OpenID4VCI §4.1).

use std::collections::HashSet;
use std::fmt;

use serde_json::Value;

use crate::error::{Step, Violation, WalletError};
use crate::json::{self, Object};
use crate::metadata::check_identifier;

/// The grant type of the pre-authorized code flow.
pub(crate) const PRE_AUTHORIZED_CODE: &str = "urn:ietf:params:oauth:grant-type:pre-authorized_code";

const SCHEMES: [&str; 3] = ["openid-credential-offer", "haip", "haip-vci"];
const STEP: Step = Step::Offer;

/// A credential offer.
#[derive(Debug, Clone, PartialEq)]
pub struct Offer {
    /// The Credential Issuer Identifier.
    pub credential_issuer: String,
    /// What is offered: keys of the issuer's `credential_configurations_supported`.
    pub configuration_ids: Vec<String>,
    /// The pre-authorized code grant, when the offer has one.
    pub pre_authorized: Option<PreAuthorizedGrant>,
    /// The authorization code grant, when the offer has one.
    pub authorization_code: Option<AuthorizationCodeGrant>,
}

/// The authorization code grant of an offer.
#[derive(Clone, PartialEq, Default)]
pub struct AuthorizationCodeGrant {
    /// Tells the issuer which offer an authorization request comes from.
    pub issuer_state: Option<String>,
    /// Which of several authorization servers to use.
    pub authorization_server: Option<String>,
}

impl fmt::Debug for AuthorizationCodeGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthorizationCodeGrant")
            .field("authorization_server", &self.authorization_server)
            .finish_non_exhaustive()
    }
}

/// The pre-authorized code grant of an offer.
#[derive(Clone, PartialEq)]
pub struct PreAuthorizedGrant {
    /// The code; a secret.
    pub code: String,
    /// Present when a transaction code is needed, even when the object in the offer is empty.
    pub tx_code: Option<TxCode>,
    /// Which of several authorization servers to use.
    pub authorization_server: Option<String>,
}

impl fmt::Debug for PreAuthorizedGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PreAuthorizedGrant")
            .field("tx_code", &self.tx_code)
            .field("authorization_server", &self.authorization_server)
            .finish_non_exhaustive()
    }
}

/// How the user is to be asked for the transaction code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TxCode {
    /// `numeric` (the default) or `text`.
    pub input_mode: String,
    /// Number of characters.
    pub length: Option<u64>,
    /// Text for the user, at most 300 characters.
    pub description: Option<String>,
}

/// What an offer link holds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Link {
    Inline(Object),
    Reference(String),
}

impl Link {
    /// Reads an offer link: one of the three schemes, the https form of a wallet's own `credential_offer_endpoint`, a plain
    /// https offer URI, or the offer itself as JSON.
    pub(crate) fn parse(text: &str) -> Result<Self, WalletError> {
        let text = text.trim();
        if text.starts_with('{') {
            return Ok(Self::Inline(inline(text)?));
        }
        let scheme = text.split_once(':').map_or("", |(scheme, _)| scheme).to_ascii_lowercase();
        let own = SCHEMES.contains(&scheme.as_str());
        if !own && scheme != "https" && scheme != "http" {
            return Violation::err(
                STEP,
                "OpenID4VCI §4.1, §12.1.1",
                "the offer link has an unknown scheme",
                "openid-credential-offer, haip, haip-vci or https",
                if scheme.is_empty() { "no scheme" } else { "another one" },
            );
        }
        let query = text.split_once('?').map_or("", |(_, query)| query);
        let query = query.split_once('#').map_or(query, |(query, _)| query);
        let mut offer = Vec::new();
        let mut reference = Vec::new();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            match name.as_ref() {
                "credential_offer" => offer.push(value.into_owned()),
                "credential_offer_uri" => reference.push(value.into_owned()),
                _ => {}
            }
        }
        match (offer.as_slice(), reference.as_slice()) {
            ([offer], []) => Ok(Self::Inline(inline(offer)?)),
            ([], [reference]) => Ok(Self::Reference(reference.clone())),
            ([], []) if !own => Ok(Self::Reference(text.to_owned())),
            _ => Violation::err(
                STEP,
                "OpenID4VCI §4.1",
                "the offer link must carry exactly one of two parameters",
                "`credential_offer` or `credential_offer_uri`, once",
                format!("{} and {} of them", offer.len(), reference.len()),
            ),
        }
    }
}

fn inline(text: &str) -> Result<Object, WalletError> {
    json::parse_object(text.as_bytes()).or_else(|error| {
        Violation::err(STEP, "OpenID4VCI §4.1.2", "the offer is not a JSON object", "a JSON object", error)
    })
}

impl Offer {
    /// Checks an offer object (OpenID4VCI §4.1.1). Unknown members are ignored.
    pub(crate) fn from_object(object: &Object) -> Result<Self, WalletError> {
        let wrong =
            |what: &str, expected: &str, got: &str| Violation::new(STEP, "OpenID4VCI §4.1.1", what, expected, got);
        let Some(Value::String(issuer)) = object.get("credential_issuer") else {
            let got = json::kind_or_absent(object.get("credential_issuer"));
            return Err(wrong("credential_issuer is wrong", "a string", got).into());
        };
        check_identifier(STEP, issuer)?;
        let listed = object.get("credential_configuration_ids");
        let ids: Vec<String> = listed
            .and_then(Value::as_array)
            .and_then(|ids| ids.iter().map(|id| id.as_str().map(str::to_owned)).collect())
            .unwrap_or_default();
        let unique: HashSet<&String> = ids.iter().collect();
        if ids.is_empty() || unique.len() != ids.len() {
            let got = match listed {
                Some(Value::Array(elements)) => {
                    format!("{} elements, {} different strings", elements.len(), unique.len())
                }
                other => json::kind_or_absent(other).to_owned(),
            };
            let expected = "a non-empty array of different strings";
            return Err(wrong("credential_configuration_ids is wrong", expected, &got).into());
        }
        let empty = Object::new();
        let grants = match object.get("grants") {
            None => &empty,
            Some(Value::Object(grants)) => grants,
            Some(other) => return Err(wrong("grants is wrong", "an object", json::kind(other)).into()),
        };
        Ok(Self {
            credential_issuer: issuer.clone(),
            configuration_ids: ids,
            pre_authorized: grants.get(PRE_AUTHORIZED_CODE).map(PreAuthorizedGrant::from_value).transpose()?,
            authorization_code: grants.get("authorization_code").map(AuthorizationCodeGrant::from_value).transpose()?,
        })
    }
}

impl PreAuthorizedGrant {
    fn from_value(value: &Value) -> Result<Self, WalletError> {
        let wrong =
            |what: &str, expected: &str, got: &str| Violation::new(STEP, "OpenID4VCI §4.1.1", what, expected, got);
        let code = value.get("pre-authorized_code");
        let Some(code) = code.and_then(Value::as_str).filter(|code| !code.is_empty()) else {
            let got = json::kind_or_absent(code);
            return Err(wrong("pre-authorized_code is wrong", "a non-empty string", got).into());
        };
        let authorization_server = match value.get("authorization_server") {
            None => None,
            Some(Value::String(server)) => Some(server.clone()),
            Some(other) => {
                return Err(wrong("authorization_server is wrong", "a string", json::kind(other)).into());
            }
        };
        Ok(Self {
            code: code.to_owned(),
            tx_code: value.get("tx_code").map(TxCode::from_value).transpose()?,
            authorization_server,
        })
    }
}

impl AuthorizationCodeGrant {
    fn from_value(value: &Value) -> Result<Self, WalletError> {
        let wrong = |what: &str, expected: &str, got: &Value| {
            WalletError::from(Violation::new(STEP, "OpenID4VCI §4.1.1", what, expected, json::kind(got)))
        };
        let Value::Object(members) = value else {
            return Err(wrong("the authorization_code grant is wrong", "an object", value));
        };
        let text = |name: &str| match members.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(other) => Err(wrong(&format!("{name} is wrong"), "a string", other)),
        };
        Ok(Self { issuer_state: text("issuer_state")?, authorization_server: text("authorization_server")? })
    }
}

impl TxCode {
    fn from_value(value: &Value) -> Result<Self, WalletError> {
        let wrong =
            |what: &str, expected: &str, got: String| Violation::err(STEP, "OpenID4VCI §4.1.1", what, expected, got);
        let Value::Object(members) = value else {
            return wrong("tx_code is wrong", "an object", json::kind(value).to_owned());
        };
        let input_mode = match members.get("input_mode") {
            None => "numeric",
            Some(Value::String(mode)) if mode == "numeric" || mode == "text" => mode,
            Some(other) => {
                return wrong("tx_code.input_mode is wrong", "`numeric` or `text`", other.to_string());
            }
        };
        let length = match members.get("length") {
            None => None,
            Some(length) => match length.as_u64().filter(|length| *length > 0) {
                Some(length) => Some(length),
                None => return wrong("tx_code.length is wrong", "a positive integer", length.to_string()),
            },
        };
        let description = match members.get("description") {
            None => None,
            Some(Value::String(text)) if text.chars().count() <= 300 => Some(text.clone()),
            Some(other) => {
                let got = match other.as_str() {
                    Some(text) => format!("{} characters", text.chars().count()),
                    None => json::kind(other).to_owned(),
                };
                return wrong("tx_code.description is wrong", "a string of at most 300 characters", got);
            }
        };
        Ok(Self { input_mode: input_mode.to_owned(), length, description })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn offer(value: &Value) -> Result<Offer, WalletError> {
        Offer::from_object(value.as_object().unwrap())
    }

    fn good() -> Value {
        json!({
            "credential_issuer": "https://issuer.example/t/acme",
            "credential_configuration_ids": ["badge"],
            "grants": {PRE_AUTHORIZED_CODE: {"pre-authorized_code": "c", "tx_code": {}}},
            "unknown": 1
        })
    }

    #[test]
    fn each_link_form_is_read() {
        let reference = Link::Reference("https://a.example/o/1".into());
        for link in [
            "openid-credential-offer://?credential_offer_uri=https%3A%2F%2Fa.example%2Fo%2F1",
            "haip://?credential_offer_uri=https%3A%2F%2Fa.example%2Fo%2F1",
            "haip-vci://?credential_offer_uri=https%3A%2F%2Fa.example%2Fo%2F1",
            "https://wallet.example/offer?credential_offer_uri=https%3A%2F%2Fa.example%2Fo%2F1",
            "https://a.example/o/1",
        ] {
            assert_eq!(Link::parse(link).unwrap(), reference, "{link}");
        }
        let inline = Link::parse("openid-credential-offer://?credential_offer=%7B%22a%22%3A1%7D").unwrap();
        assert_eq!(inline, Link::Inline(json!({"a": 1}).as_object().unwrap().clone()));
        assert_eq!(Link::parse("{\"a\":1}").unwrap(), inline);
    }

    #[test]
    fn a_link_with_both_parameters_or_none_or_a_strange_scheme_is_refused() {
        for link in [
            "openid-credential-offer://",
            "openid-credential-offer://?credential_offer=%7B%7D&credential_offer_uri=https%3A%2F%2Fa.example",
            "openid-credential-offer://?credential_offer=%7B%7D&credential_offer=%7B%7D",
            "openid-credential-offer://?credential_offer=%5B%5D",
            "ftp://a.example",
            "nothing",
        ] {
            assert!(Link::parse(link).is_err(), "{link}");
        }
    }

    #[test]
    fn an_empty_tx_code_object_means_that_a_code_is_needed() {
        let grant = offer(&good()).unwrap().pre_authorized.unwrap();
        assert_eq!(grant.tx_code.unwrap().input_mode, "numeric");
    }

    #[test]
    fn offers_that_break_a_rule_are_refused() {
        let grant = format!("/grants/{}", PRE_AUTHORIZED_CODE.replace('/', "~1"));
        for (pointer, value) in [
            ("/credential_issuer", json!("https://issuer.example?x")),
            ("/credential_issuer", json!("http://issuer.example")),
            ("/credential_issuer", json!(1)),
            ("/credential_configuration_ids", json!([])),
            ("/credential_configuration_ids", json!(["a", "a"])),
            ("/credential_configuration_ids", json!([1])),
            ("/grants", json!([])),
            (&format!("{grant}/pre-authorized_code"), json!("")),
            (&format!("{grant}/tx_code"), json!(true)),
            (&format!("{grant}/tx_code"), json!({"input_mode": "voice"})),
            (&format!("{grant}/tx_code"), json!({"length": -1})),
            (&format!("{grant}/tx_code"), json!({"description": "x".repeat(301)})),
        ] {
            let mut changed = good();
            *changed.pointer_mut(pointer).unwrap() = value.clone();
            assert!(offer(&changed).is_err(), "{pointer} {value}");
        }
    }

    #[test]
    fn debug_output_does_not_show_the_code() {
        let mut value = good();
        value["grants"][PRE_AUTHORIZED_CODE]["pre-authorized_code"] = json!("secret-code");
        assert!(!format!("{:?}", offer(&value).unwrap()).contains("secret-code"));
    }
}
