//! What a transcript may show of a request.
//!
//! Secrets appear as the first 8 hexadecimal digits of their SHA-256. A transaction code appears as its length only: it
//! has so few values that even a short digest gives it away. JWTs appear decoded, without their signature.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chancery_model::SecretHash;
use chancery_protocol::excerpt;
use chancery_protocol::form::Form;
use serde_json::{Map, Value, json};

use super::{Header, Notes};

/// Largest decoded part of a JWT that is shown, in bytes. A larger one is a wallet's mistake or an attempt to fill the
/// database.
const SHOWN_BYTES: usize = 8 * 1024;

/// Most members of a request body that are named.
const SHOWN_NAMES: usize = 32;

/// The headers worth keeping, and what was presented in the two that carry secrets.
pub(super) fn headers(notes: &Notes<'_>, authorization: Header<'_>, dpop: Header<'_>) -> Value {
    let mut kept = Map::new();
    for (name, value) in [
        ("user-agent", notes.user_agent),
        ("content-type", notes.content_type),
        ("content-length", notes.content_length),
        ("traceparent", notes.traceparent),
        ("x-request-id", notes.request_id),
    ] {
        if let Some(value) = value {
            kept.insert(name.to_owned(), Value::from(excerpt(value)));
        }
    }
    if let Some(shown) = header(authorization, |value| Value::from(credentials(value))) {
        kept.insert("authorization".to_owned(), shown);
    }
    if let Some(shown) = header(dpop, jwt) {
        kept.insert("dpop".to_owned(), shown);
    }
    Value::Object(kept)
}

/// A secret, recognisable and not guessable.
pub(super) fn secret(value: &str) -> Value {
    json!({ "sha256_prefix": SecretHash::of(value).prefix() })
}

/// A JWT: header and claims decoded, the signature cut, SHA-256 of the whole.
pub(crate) fn jwt(compact: &str) -> Value {
    let mut parts = compact.split('.');
    let mut part = || parts.next().and_then(decoded).unwrap_or(Value::Null);
    let (header, claims) = (part(), part());
    object([("header", header), ("claims", claims), ("sha256", Value::from(sha256_hex(compact)))])
}

/// The header of a JWT; `null` when it cannot be read.
pub(crate) fn jwt_header(compact: &str) -> Value {
    compact.split('.').next().and_then(decoded).unwrap_or(Value::Null)
}

/// An object of values that are there already; `json!` would copy them.
pub(crate) fn object<const N: usize>(members: [(&str, Value); N]) -> Value {
    Value::Object(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

/// Names of a JWT's header parameters in wire order; none when the header cannot be read.
pub(super) fn header_names(compact: &str) -> Vec<String> {
    match jwt_header(compact) {
        Value::Object(header) => header.keys().take(SHOWN_NAMES).map(|name| excerpt(name)).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => Vec::new(),
    }
}

/// The parameters of a token request.
pub(super) fn token_form(form: &Form) -> Value {
    let mut shown = Map::new();
    for name in form.names().take(SHOWN_NAMES) {
        let value = form.get(name).unwrap_or_default();
        let value = match name {
            "grant_type" | "client_id" | "scope" | "redirect_uri" | "client_assertion_type" => {
                Value::from(excerpt(value))
            }
            "resource" => form.all(name).into_iter().map(excerpt).collect(),
            "authorization_details" => authorization_details(value),
            "tx_code" | "code_verifier" => json!({ "length": value.chars().count() }),
            "pre-authorized_code" | "code" | "issuer_state" | "refresh_token" => secret(value),
            "client_assertion" => jwt(value),
            // A parameter that nobody defined may hold anything.
            _ => json!({ "length": value.len() }),
        };
        shown.insert(excerpt(name), value);
    }
    Value::Object(shown)
}

/// The parameters of an authorization request, pushed or not. `state` and `nonce` belong to the client alone.
pub(super) fn authorization_form(form: &Form) -> Value {
    let mut shown = Map::new();
    for name in form.names().take(SHOWN_NAMES) {
        let value = form.get(name).unwrap_or_default();
        let value = match name {
            "response_type"
            | "response_mode"
            | "client_id"
            | "scope"
            | "redirect_uri"
            | "code_challenge"
            | "code_challenge_method"
            | "dpop_jkt"
            | "client_assertion_type" => Value::from(excerpt(value)),
            "resource" => form.all(name).into_iter().map(excerpt).collect(),
            "authorization_details" => authorization_details(value),
            "issuer_state" | "request_uri" => secret(value),
            "client_assertion" => jwt(value),
            _ => json!({ "length": value.len() }),
        };
        shown.insert(excerpt(name), value);
    }
    Value::Object(shown)
}

/// The body of a credential request. Members that the specification does not define are only named.
pub(super) fn credential_body(body: &[u8]) -> Value {
    let Ok(Value::Object(members)) = serde_json::from_slice::<Value>(body) else {
        return json!({ "length": body.len() });
    };
    let mut shown = Map::new();
    let mut others = Vec::new();
    for (name, value) in members {
        match (name.as_str(), value) {
            (
                "credential_configuration_id" | "credential_identifier" | "format" | "doctype" | "vct",
                Value::String(text),
            ) => {
                shown.insert(name, Value::from(excerpt(&text)));
            }
            ("proofs", Value::Object(kinds)) => {
                shown.insert(
                    name,
                    kinds.into_iter().take(SHOWN_NAMES).map(|(kind, list)| (excerpt(&kind), proofs(list))).collect(),
                );
            }
            ("proof", Value::Object(mut proof)) => {
                let jwt = proof.remove("jwt").map(proof_jwt);
                let names: Vec<String> = proof.keys().take(SHOWN_NAMES).map(|name| excerpt(name)).collect();
                shown.insert(name, json!({ "jwt": jwt, "other_members": names }));
            }
            _ if others.len() < SHOWN_NAMES => others.push(excerpt(&name)),
            _ => {}
        }
    }
    if !others.is_empty() {
        shown.insert("other_members".to_owned(), Value::from(others));
    }
    Value::Object(shown)
}

fn header(value: Header<'_>, show: impl FnOnce(&str) -> Value) -> Option<Value> {
    match value {
        Header::Absent => None,
        Header::One(value) => Some(show(value)),
        Header::Repeated => Some(Value::from("(repeated)")),
        Header::Unreadable => Some(Value::from("(unreadable)")),
    }
}

/// Scheme and prefix of an `Authorization` header's value.
fn credentials(value: &str) -> String {
    match value.split_once(' ') {
        Some((scheme, token)) => format!("{} {}", excerpt(scheme), SecretHash::of(token.trim_start()).prefix()),
        // Perhaps a token without a scheme.
        None => SecretHash::of(value).prefix(),
    }
}

fn authorization_details(value: &str) -> Value {
    if value.len() > SHOWN_BYTES {
        return omitted(value.len());
    }
    serde_json::from_str(value).unwrap_or_else(|_| Value::from(excerpt(value)))
}

fn proofs(list: Value) -> Value {
    match list {
        Value::Array(elements) => elements.into_iter().take(SHOWN_NAMES).map(proof_jwt).collect(),
        other @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_)) => {
            proof_jwt(other)
        }
    }
}

fn proof_jwt(element: Value) -> Value {
    match element {
        Value::String(compact) => jwt(&compact),
        Value::Null => Value::from("(null)"),
        Value::Bool(_) => Value::from("(boolean)"),
        Value::Number(_) => Value::from("(number)"),
        Value::Array(_) => Value::from("(array)"),
        Value::Object(_) => Value::from("(object)"),
    }
}

fn decoded(part: &str) -> Option<Value> {
    let bytes = URL_SAFE_NO_PAD.decode(part.trim_end_matches('=')).ok()?;
    if bytes.len() > SHOWN_BYTES {
        return Some(omitted(bytes.len()));
    }
    let value: Value = serde_json::from_slice(&bytes).ok()?;
    value.is_object().then_some(value)
}

fn omitted(bytes: usize) -> Value {
    json!({ "omitted_bytes": bytes })
}

fn sha256_hex(text: &str) -> String {
    const DIGITS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    let hash = chancery_keys::sha256(text.as_bytes());
    let nibbles = hash.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    nibbles.filter_map(|nibble| DIGITS.get(usize::from(nibble))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "y8ndE8e6XAlc4KzHJOn0hF095ef-ix4bPOHEJQOImjM";
    // {"alg":"ES256"} . {"nonce":"n"} . a signature
    const JWT: &str = "eyJhbGciOiJFUzI1NiJ9.eyJub25jZSI6Im4ifQ.c2lnbmF0dXJl";

    #[test]
    fn an_access_token_shows_its_scheme_and_eight_digits() {
        let notes = Notes { user_agent: Some("wallet/1"), ..Notes::default() };
        let shown = headers(&notes, Header::One(&format!("DPoP {TOKEN}")), Header::One(JWT));
        assert_eq!(shown["authorization"], format!("DPoP {}", SecretHash::of(TOKEN).prefix()));
        assert_eq!(shown["user-agent"], "wallet/1");
        assert_eq!(shown["dpop"]["claims"]["nonce"], "n");
        assert!(!shown.to_string().contains(TOKEN) && !shown.to_string().contains("c2lnbmF0dXJl"));
        let bare = headers(&notes, Header::One(TOKEN), Header::Repeated);
        assert!(!bare.to_string().contains(TOKEN));
        assert_eq!(bare["dpop"], "(repeated)");
    }

    #[test]
    fn a_token_form_shows_no_code_no_transaction_code_and_no_unknown_value() {
        let form = Form::parse(
            format!("grant_type=g&pre-authorized_code={TOKEN}&tx_code=493027&resource=https%3A%2F%2Fa.example&secret=hush&client_assertion={JWT}").as_bytes(),
        )
        .unwrap();
        let shown = token_form(&form);
        assert_eq!(shown["grant_type"], "g");
        assert_eq!(shown["tx_code"], json!({ "length": 6 }));
        assert_eq!(shown["resource"], json!(["https://a.example"]));
        assert_eq!(shown["pre-authorized_code"], json!({ "sha256_prefix": SecretHash::of(TOKEN).prefix() }));
        assert_eq!(shown["client_assertion"]["header"]["alg"], "ES256");
        for hidden in [TOKEN, "493027", "hush", "c2lnbmF0dXJl"] {
            assert!(!shown.to_string().contains(hidden), "{hidden}");
        }
    }

    #[test]
    fn a_credential_body_shows_proofs_decoded_and_other_members_by_name() {
        let body = json!({
            "credential_configuration_id": "badge",
            "proofs": { "jwt": [JWT, 7] },
            "surname": "Schmidt",
        });
        let shown = credential_body(body.to_string().as_bytes());
        assert_eq!(shown["credential_configuration_id"], "badge");
        assert_eq!(shown["proofs"]["jwt"][0]["header"], json!({ "alg": "ES256" }));
        assert_eq!(shown["proofs"]["jwt"][1], "(number)");
        assert_eq!(shown["other_members"], json!(["surname"]));
        assert!(!shown.to_string().contains("Schmidt") && !shown.to_string().contains("c2lnbmF0dXJl"));
        assert_eq!(credential_body(b"not json"), json!({ "length": 8 }));
    }

    #[test]
    fn a_draft_13_body_shows_the_single_proof_decoded() {
        let body = json!({ "format": "vc+sd-jwt", "proof": { "proof_type": "jwt", "jwt": JWT } });
        let shown = credential_body(body.to_string().as_bytes());
        assert_eq!(shown["format"], "vc+sd-jwt");
        assert_eq!(shown["proof"]["jwt"]["claims"], json!({ "nonce": "n" }));
        assert_eq!(shown["proof"]["other_members"], json!(["proof_type"]));
    }

    #[test]
    fn what_is_no_jwt_or_too_large_is_named_by_its_digest_only() {
        let shown = jwt("hello");
        assert_eq!((shown["header"].clone(), shown["claims"].clone()), (Value::Null, Value::Null));
        assert_eq!(shown["sha256"], "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824");
        let large = URL_SAFE_NO_PAD.encode(json!({ "x": "y".repeat(SHOWN_BYTES) }).to_string());
        assert_eq!(jwt(&format!("e30.{large}.s"))["claims"], json!({ "omitted_bytes": SHOWN_BYTES + 8 }));
    }
}
