//! The forms of the credential issuer metadata: plain, signed, and with displays in one language (OpenID4VCI §12.2.2,
//! §12.2.3).

use std::sync::OnceLock;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chancery_formats::sd_jwt::KeyReference;
use chancery_keys::jws;
use chancery_model::{Organisation, Timestamp};
use chancery_protocol::metadata::IssuerMetadata;
use chancery_protocol::negotiation::Preferences;
use serde_json::{Map, Value, json};

use super::Document;
use crate::Failure;
use crate::keyring::Keyring;

/// The `typ` of signed metadata (OpenID4VCI §12.2.3).
const TYP: &str = "openidvci-issuer-metadata+jwt";

/// `iat` of signed metadata is rounded down to this, in seconds, so that all processes state the same.
const ROUNDING: i64 = 3600;

/// Seconds from `iat` to `exp` of signed metadata.
const LIFETIME: i64 = 86_400;

/// The credential issuer metadata in every form.
#[derive(Debug)]
pub struct IssuerDocument {
    plain: Document,
    signed: Option<Document>,
    /// Languages of displays, with the plain form cut down to each, made when first asked for.
    languages: Vec<(String, OnceLock<Document>)>,
}

/// One form, chosen for a request.
#[derive(Debug)]
pub struct Chosen<'d> {
    /// What is sent.
    pub document: &'d Document,
    /// Its media type.
    pub media_type: &'static str,
    /// The language that its displays were cut down to.
    pub language: Option<&'d str>,
}

impl IssuerDocument {
    /// Makes the forms. The signed one is made when the policy says so and the organisation has a key that signs.
    pub(super) async fn make<R>(
        organisation: &Organisation,
        metadata: &IssuerMetadata,
        keyring: &Keyring,
        now: Timestamp,
    ) -> Result<Self, Failure<R>> {
        let value = serde_json::to_value(metadata).map_err(|error| Failure::Internal(error.into()))?;
        let mut languages = Vec::new();
        collect_languages(&value, &mut languages);
        let plain = Document::of(metadata)?;
        let signed = match organisation.policy.signed_metadata {
            true => signed(organisation, value, &plain, keyring, now).await?,
            false => None,
        };
        Ok(Self { plain, signed, languages: languages.into_iter().map(|tag| (tag, OnceLock::new())).collect() })
    }

    /// The form for the values of `Accept` and `Accept-Language`. Signed metadata are sent to those who name their media
    /// type and do not prefer plain ones; everybody else gets JSON.
    pub fn choose(&self, accept: Option<&str>, accept_language: Option<&str>) -> Chosen<'_> {
        if let Some(signed) = self.signed.as_ref().filter(|_| prefers_jwt(accept.unwrap_or_default())) {
            return Chosen { document: signed, media_type: "application/jwt", language: None };
        }
        let plain = Chosen { document: &self.plain, media_type: "application/json", language: None };
        let language = accept_language.and_then(|header| self.language(header));
        let Some((tag, cut)) = language else { return plain };
        match cut_down(&self.plain, tag, cut) {
            Some(document) => Chosen { document, language: Some(tag), ..plain },
            None => plain,
        }
    }

    /// The first wanted language that there is, by lookup (RFC 4647 §3.4).
    fn language(&self, header: &str) -> Option<&(String, OnceLock<Document>)> {
        let known = |wanted: &str| self.languages.iter().find(|(tag, _)| tag.eq_ignore_ascii_case(wanted));
        Preferences::parse([header]).lookup(known)
    }
}

fn cut_down<'d>(plain: &Document, tag: &str, cut: &'d OnceLock<Document>) -> Option<&'d Document> {
    if let Some(document) = cut.get() {
        return Some(document);
    }
    let mut value: Value = serde_json::from_slice(&plain.body).ok()?;
    keep_language(&mut value, tag);
    let document = Document::of::<std::convert::Infallible>(&value).ok()?;
    Some(cut.get_or_init(|| document))
}

async fn signed<R>(
    organisation: &Organisation,
    metadata: Value,
    plain: &Document,
    keyring: &Keyring,
    now: Timestamp,
) -> Result<Option<Document>, Failure<R>> {
    let found = keyring.for_documents(&organisation.policy, now);
    let (Some((key, key_reference)), Value::Object(mut claims)) = (found, metadata) else { return Ok(None) };
    let issued_at = now.seconds() - now.seconds().rem_euclid(ROUNDING);
    claims.insert("iss".to_owned(), organisation.issuer.as_str().into());
    claims.insert("sub".to_owned(), organisation.issuer.as_str().into());
    claims.insert("iat".to_owned(), issued_at.into());
    let mut expires_at = issued_at + LIFETIME;
    let mut header = Map::from_iter([("typ".to_owned(), Value::from(TYP))]);
    let chain = key.signer.certificate_chain();
    match key_reference {
        KeyReference::Kid => header.insert("kid".to_owned(), key.kid.as_str().into()),
        KeyReference::X5c => {
            expires_at = chain.not_after().map_or(expires_at, |end| expires_at.min(end));
            header.insert("x5c".to_owned(), json!(chain.to_x5c()))
        }
    };
    claims.insert("exp".to_owned(), expires_at.into());
    let compact = jws::sign(header, Value::Object(claims).to_string().as_bytes(), &key.signer).await?;
    // Signatures differ and say the same: the tag is weak, and equal in all processes.
    let same = format!("{} {} {issued_at} {expires_at} {key_reference:?}", plain.etag, key.kid);
    let etag = format!("W/\"{}\"", URL_SAFE_NO_PAD.encode(chancery_keys::sha256(same.as_bytes())));
    Ok(Some(Document { body: compact.into_bytes().into(), etag }))
}

/// Whether `Accept` names `application/jwt` and ranks nothing else that we have above it (RFC 9110 §12.5.1).
fn prefers_jwt(accept: &str) -> bool {
    let preferences = Preferences::parse([accept]);
    let jwt = preferences.of_range("application/jwt").unwrap_or_default();
    jwt > 0 && jwt >= preferences.of_range("application/json").unwrap_or_default()
}

fn collect_languages(value: &Value, languages: &mut Vec<String>) {
    for_each_display(value, &mut |display| {
        for tag in display.iter().filter_map(|shown| shown.get("locale")).filter_map(Value::as_str) {
            if !languages.iter().any(|known| known.eq_ignore_ascii_case(tag)) {
                languages.push(tag.to_owned());
            }
        }
    });
}

fn for_each_display(value: &Value, visit: &mut impl FnMut(&[Value])) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                match member {
                    Value::Array(display) if name == "display" => visit(display),
                    Value::Null
                    | Value::Bool(_)
                    | Value::Number(_)
                    | Value::String(_)
                    | Value::Array(_)
                    | Value::Object(_) => {
                        for_each_display(member, visit);
                    }
                }
            }
        }
        Value::Array(elements) => elements.iter().for_each(|element| for_each_display(element, visit)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Cuts every `display` down to `tag`, or to what has no language; one with neither stays, because a name in a strange
/// language is better than none.
fn keep_language(value: &mut Value, tag: &str) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                match member {
                    Value::Array(display) if name == "display" => keep_in(display, tag),
                    Value::Null
                    | Value::Bool(_)
                    | Value::Number(_)
                    | Value::String(_)
                    | Value::Array(_)
                    | Value::Object(_) => {
                        keep_language(member, tag);
                    }
                }
            }
        }
        Value::Array(elements) => elements.iter_mut().for_each(|element| keep_language(element, tag)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn keep_in(display: &mut Vec<Value>, tag: &str) {
    let locale = |shown: &Value| shown.get("locale").and_then(Value::as_str).map(str::to_owned);
    if display.iter().any(|shown| locale(shown).is_some_and(|locale| locale.eq_ignore_ascii_case(tag))) {
        display.retain(|shown| locale(shown).is_some_and(|locale| locale.eq_ignore_ascii_case(tag)));
    } else if display.iter().any(|shown| locale(shown).is_none()) {
        display.retain(|shown| locale(shown).is_none());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signed_metadata_are_for_those_who_ask_for_them() {
        for accept in ["application/jwt", "application/jwt, application/json", "application/json;q=0.5,application/jwt"]
        {
            assert!(prefers_jwt(accept), "{accept}");
        }
        for accept in ["", "*/*", "application/json", "application/jwt;q=0", "application/jwt;q=0.5, application/json"]
        {
            assert!(!prefers_jwt(accept), "{accept}");
        }
    }

    #[test]
    fn displays_are_cut_down_to_one_language() {
        let mut value = json!({ "display": [{ "name": "A" }], "claims": [{ "display": [
            { "name": "Name", "locale": "en" }, { "name": "Vorname", "locale": "de" }, { "name": "n" }] },
            { "display": [{ "name": "Wohnort", "locale": "de" }] }, { "display": [{ "name": "x", "locale": "fr" }] }] });
        let mut languages = Vec::new();
        collect_languages(&value, &mut languages);
        assert_eq!(languages, ["en", "de", "fr"]);
        keep_language(&mut value, "de");
        assert_eq!(value["display"], json!([{ "name": "A" }]));
        assert_eq!(value["claims"][0]["display"], json!([{ "name": "Vorname", "locale": "de" }]));
        assert_eq!(value["claims"][2]["display"], json!([{ "name": "x", "locale": "fr" }]));
    }

    #[test]
    fn a_language_is_looked_up_by_its_shorter_forms_too() {
        let document = Document { body: b"{}".as_slice().into(), etag: String::new() };
        let issuer = IssuerDocument {
            plain: document,
            signed: None,
            languages: vec![("en".to_owned(), OnceLock::new()), ("de-AT".to_owned(), OnceLock::new())],
        };
        let chosen = |header| issuer.choose(None, Some(header)).language;
        assert_eq!(chosen("fr, en-GB;q=0.8"), Some("en"));
        assert_eq!(chosen("en;q=0.5, de-at"), Some("de-AT"));
        assert_eq!((chosen("de"), chosen("*"), chosen("")), (None, None, None));
    }
}
