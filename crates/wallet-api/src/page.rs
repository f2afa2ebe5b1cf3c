//! The pages that people see: plain HTML without scripts, in a language that they read.

mod colour;
mod language;
mod texts;

use std::collections::BTreeSet;

use askama::Template;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, COOKIE, HeaderName, LOCATION, REFERRER_POLICY, SET_COOKIE,
    X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chancery_issuance::Context;
use chancery_issuance::wallet::front_channel::{Browser, Cookie, Label, Onward, Shown, ShownClaim, ShownValue};
use chancery_model::Organisation;
use url::Url;

use crate::cookies;
use crate::request::REQUEST_ID;

pub(crate) use self::texts::{Message, Texts};

/// Cookie headers that are read.
const MOST_COOKIE_BYTES: usize = 16 * 1024;

const CROSS_ORIGIN_OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");

/// What a browser says about itself and the person.
pub(crate) struct Visitor {
    cookies: Vec<(String, String)>,
    languages: Vec<String>,
}

impl Visitor {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let mut read = Vec::new();
        for header in headers.get_all(COOKIE).iter().filter(|header| header.len() <= MOST_COOKIE_BYTES) {
            let pairs = cookies::pairs(header.as_bytes());
            read.extend(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())));
        }
        Self { cookies: read, languages: language::accepted(headers) }
    }

    /// The same for a use case.
    pub(crate) fn browser(&self) -> Browser<'_> {
        Browser { cookies: &self.cookies, languages: &self.languages }
    }

    pub(crate) fn languages(&self) -> &[String] {
        &self.languages
    }
}

/// A 303, so that nothing is sent again (RFC 9700 §4.12).
pub(crate) fn onward(onward: Onward) -> Response {
    let Ok(location) = HeaderValue::from_str(&onward.location) else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let mut response = StatusCode::SEE_OTHER.into_response();
    let headers = response.headers_mut();
    headers.insert(LOCATION, location);
    if let Some(cookie) = onward.cookie.and_then(|cookie| HeaderValue::from_str(&set(&cookie)).ok()) {
        headers.insert(SET_COOKIE, cookie);
    }
    guard(headers);
    response
}

fn set(cookie: &Cookie) -> String {
    let Cookie { name, value, max_age, secure } = cookie;
    let secure = if *secure { "; Secure" } else { "" };
    format!("{name}={value}; Path=/; Max-Age={max_age}; HttpOnly; SameSite=Lax{secure}")
}

#[derive(Template)]
#[template(path = "consent.html")]
struct Consent<'p> {
    texts: &'static Texts,
    nonce: &'p str,
    organisation: &'p str,
    client_id: &'p str,
    target: String,
    request: &'p str,
    proof: &'p str,
    cards: Vec<Card>,
}

struct Card {
    name: Label,
    description: Option<String>,
    background: String,
    ink: String,
    logo: Option<Logo>,
    lines: Vec<Line>,
}

struct Logo {
    uri: String,
    alternative: String,
}

struct Line {
    around: Vec<Label>,
    name: Label,
    value: Value,
}

enum Value {
    Text(String),
    List(Vec<String>),
    Picture(String),
}

/// The consent page.
pub(crate) fn consent(context: &Context, shown: Shown) -> Response {
    let texts = texts::best(&shown.languages);
    let mut images: BTreeSet<String> = BTreeSet::from(["data:".to_owned()]);
    let cards = shown.credentials.into_iter().map(|credential| {
        let (background, ink) = colour::pair(credential.background_color.as_deref(), credential.text_color.as_deref());
        let logo = credential.logo.map(|logo| Logo { alternative: logo.alt_text.unwrap_or_default(), uri: logo.uri });
        images.extend(logo.as_ref().and_then(|logo| origin(&logo.uri)));
        Card {
            name: credential.name,
            description: credential.description,
            background,
            ink,
            logo,
            lines: credential.claims.into_iter().filter_map(|claim| line(claim, texts)).collect(),
        }
    });
    let cards = cards.collect();
    let nonce = nonce(context);
    let page = Consent {
        texts,
        nonce: &nonce,
        organisation: &shown.organisation,
        client_id: &shown.client_id,
        target: target(&shown.redirect_uri, texts),
        request: &shown.request,
        proof: &shown.proof,
        cards,
    };
    // Chromium also asks `form-action` about the redirect that answers the form.
    let forms = format!("'self' {}", form_target(&shown.redirect_uri));
    let images = images.into_iter().collect::<Vec<_>>().join(" ");
    respond(StatusCode::OK, page.render(), &nonce, &images, &forms)
}

#[derive(Template)]
#[template(path = "error.html")]
struct Failure<'p> {
    texts: &'static Texts,
    nonce: &'p str,
    organisation: &'p str,
    message: &'static Message,
    support_code: Option<String>,
}

/// A page that says what happened, what to do, and under which code the organisation, or the operator of this server,
/// finds the reason.
pub(crate) fn failure(
    context: &Context,
    organisation: &Organisation,
    status: StatusCode,
    message: impl FnOnce(&'static Texts) -> &'static Message,
    support_code: Option<String>,
    languages: &[String],
    headers: &HeaderMap,
) -> Response {
    let texts = texts::best(languages);
    let request_id = || headers.get(REQUEST_ID).and_then(|id| id.to_str().ok()).map(str::to_owned);
    let nonce = nonce(context);
    let page = Failure {
        texts,
        nonce: &nonce,
        organisation: &organisation.name,
        message: message(texts),
        support_code: support_code.or_else(request_id),
    };
    respond(status, page.render(), &nonce, "'none'", "'none'")
}

fn line(claim: ShownClaim, texts: &Texts) -> Option<Line> {
    let ShownClaim { names: mut around, value } = claim;
    let name = around.pop()?;
    let value = match value {
        ShownValue::Truth(true) => Value::Text(texts.yes.to_owned()),
        ShownValue::Truth(false) => Value::Text(texts.no.to_owned()),
        ShownValue::Texts(mut values) => match values.len() {
            0 | 1 => Value::Text(values.pop().unwrap_or_default()),
            _ => Value::List(values),
        },
        ShownValue::Picture(uri) => Value::Picture(uri),
    };
    Some(Line { around, name, value })
}

/// Where the answer goes, in words.
fn target(redirect_uri: &str, texts: &Texts) -> String {
    match Url::parse(redirect_uri) {
        Ok(url) if matches!(url.scheme(), "https" | "http") => url.host_str().unwrap_or_default().to_owned(),
        Ok(url) => format!("{} ({}:)", texts.app, url.scheme()),
        Err(_) => String::new(),
    }
}

/// The source that lets a form lead to the redirect URI.
fn form_target(redirect_uri: &str) -> String {
    match Url::parse(redirect_uri) {
        Ok(url) if matches!(url.scheme(), "https" | "http") => url.origin().ascii_serialization(),
        Ok(url) => format!("{}:", url.scheme()),
        Err(_) => String::new(),
    }
}

/// The origin of an `https` picture; it has no character that ends a source or a directive.
fn origin(uri: &str) -> Option<String> {
    let url = Url::parse(uri).ok().filter(|url| url.scheme() == "https")?;
    Some(url.origin().ascii_serialization())
}

fn nonce(context: &Context) -> String {
    URL_SAFE_NO_PAD.encode(context.env().random::<18>())
}

fn respond(
    status: StatusCode,
    page: Result<String, askama::Error>,
    nonce: &str,
    images: &str,
    forms: &str,
) -> Response {
    let Ok(page) = page else {
        tracing::error!("a page could not be made");
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let policy = format!(
        "default-src 'none'; style-src 'nonce-{nonce}'; img-src {images}; form-action {forms}; frame-ancestors 'none'; \
         base-uri 'none'"
    );
    let mut response = (status, page).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
    guard(headers);
    response
}

/// Nothing is kept, nothing is told to the next page, and no other page frames this one or holds a handle on it.
fn guard(headers: &mut HeaderMap) {
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(CROSS_ORIGIN_OPENER_POLICY, HeaderValue::from_static("same-origin"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_may_lead_to_the_redirect_uri_and_nowhere_else() {
        assert_eq!(form_target("https://wallet.example/cb?a=;'b'"), "https://wallet.example");
        assert_eq!(form_target("http://127.0.0.1:4040/cb"), "http://127.0.0.1:4040");
        assert_eq!(form_target("eudi-openid4ci://authorize"), "eudi-openid4ci:");
    }

    #[test]
    fn a_cookie_is_for_this_host_out_of_reach_of_scripts() {
        let cookie = Cookie { name: "__Host-a".to_owned(), value: "v".to_owned(), max_age: 600, secure: true };
        assert_eq!(set(&cookie), "__Host-a=v; Path=/; Max-Age=600; HttpOnly; SameSite=Lax; Secure");
    }

    #[test]
    fn pictures_come_from_the_origin_of_a_logo_only() {
        assert_eq!(origin("https://a.example:8443/x.png").as_deref(), Some("https://a.example:8443"));
        assert_eq!(origin("data:image/png;base64,AA"), None);
    }
}
