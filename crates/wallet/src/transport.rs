//! HTTP: no redirects, time limits, bounded bodies, https except for this machine.

use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Method, redirect};
use serde_json::Value;
use url::{Host, Url};

use crate::error::{Refusal, Step, Violation, WalletError};
use crate::json::{self, Object};

/// Largest answer that is read, in bytes.
const LARGEST_ANSWER: usize = 1 << 20;
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

pub(crate) const FORM: &str = "application/x-www-form-urlencoded";
pub(crate) const JSON: &str = "application/json";
pub(crate) const JWT: &str = "application/jwt";

/// One request to a public URL.
#[derive(Clone)]
pub(crate) struct Request {
    pub(crate) step: Step,
    pub(crate) method: Method,
    pub(crate) url: String,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    pub(crate) fn get(step: Step, url: impl Into<String>) -> Self {
        let headers = vec![("accept", JSON.to_owned())];
        Self { step, method: Method::GET, url: url.into(), headers, body: Vec::new() }
    }

    pub(crate) fn post(step: Step, url: impl Into<String>, content_type: Option<&'static str>, body: Vec<u8>) -> Self {
        let mut request = Self { method: Method::POST, body, ..Self::get(step, url) };
        if let Some(content_type) = content_type {
            request.headers.push(("content-type", content_type.to_owned()));
        }
        request
    }
}

/// The answer to a [`Request`].
pub(crate) struct Reply {
    pub(crate) step: Step,
    pub(crate) url: String,
    pub(crate) status: u16,
    headers: HeaderMap,
    body: Vec<u8>,
}

/// The HTTP client of a wallet; clones share connections.
#[derive(Clone)]
pub(crate) struct Http(Client);

impl Http {
    pub(crate) fn new() -> Result<Self, WalletError> {
        crate::install_crypto_provider();
        Client::builder()
            .redirect(redirect::Policy::none())
            .timeout(ANSWER_TIMEOUT)
            .connect_timeout(CONNECT_TIMEOUT)
            .user_agent(concat!("chancery-wallet/", env!("CARGO_PKG_VERSION")))
            .build()
            .map(Self)
            .map_err(|error| WalletError::Input(format!("the HTTP client cannot start: {error}")))
    }

    pub(crate) async fn send(&self, request: &Request, resolve: &[(String, String)]) -> Result<Reply, WalletError> {
        let failed =
            |cause: String| WalletError::Transport { step: request.step, url: without_query(&request.url), cause };
        let public = secure_url(request.step, "the URL to ask", &request.url)?;
        let mut headers = HeaderMap::new();
        for (name, value) in &request.headers {
            let mut value = HeaderValue::from_str(value)
                .map_err(|_| WalletError::Input(format!("`{name}` cannot be sent as an HTTP header")))?;
            value.set_sensitive(*name == "authorization");
            headers.append(HeaderName::from_static(name), value);
        }
        let target = match resolved(&request.url, resolve) {
            None => public,
            Some(actual) => {
                let actual = secure_url(request.step, "the address of `resolve`", &actual)?;
                if actual.scheme() == "http"
                    && let Ok(host) = HeaderValue::from_str(authority(&public))
                {
                    headers.insert(HOST, host);
                }
                actual
            }
        };
        let mut answer = self
            .0
            .request(request.method.clone(), target)
            .headers(headers)
            .body(request.body.clone())
            .send()
            .await
            .map_err(|error| failed(describe(&error)))?;
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| failed(describe(&error)))? {
            if body.len() + chunk.len() > LARGEST_ANSWER {
                return Err(failed(format!("an answer of more than {LARGEST_ANSWER} bytes")));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Reply {
            step: request.step,
            url: without_query(&request.url),
            status: answer.status().as_u16(),
            headers: answer.headers().clone(),
            body,
        })
    }
}

impl Reply {
    /// A header as text; the first one when it is repeated.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The body as it came.
    pub(crate) fn body(&self) -> &[u8] {
        &self.body
    }

    /// Whether the answer has this media type, whatever its parameters.
    pub(crate) fn is(&self, media_type: &str) -> bool {
        let essence = self.header(CONTENT_TYPE.as_str()).unwrap_or("").split(';').next().unwrap_or("").trim();
        essence.eq_ignore_ascii_case(media_type)
    }

    /// The JSON object of an answer with one of the `expected` statuses; an error answer becomes a [`Refusal`].
    pub(crate) fn object(&self, expected: &[u16], clause: &'static str) -> Result<Object, WalletError> {
        if !expected.contains(&self.status) {
            if self.status >= 400 {
                return Err(WalletError::Refused(Box::new(self.refusal())));
            }
            return self.wrong(
                clause,
                "the HTTP status is wrong",
                expected.iter().map(u16::to_string).collect::<Vec<_>>().join(" or "),
                self.status.to_string(),
            );
        }
        if !self.is(JSON) {
            let content_type = self.header(CONTENT_TYPE.as_str()).unwrap_or("");
            return self.wrong(clause, "the content type is wrong", JSON, format!("{content_type:?}"));
        }
        json::parse_object(&self.body).or_else(|error| self.wrong(clause, "the body is wrong", "a JSON object", error))
    }

    /// A JWK set, whose own media type is as good as plain JSON (RFC 7517 §8.5).
    pub(crate) fn key_set(&self, clause: &'static str) -> Result<Object, WalletError> {
        if self.status == 200 && self.is("application/jwk-set+json") {
            return json::parse_object(&self.body)
                .or_else(|error| self.wrong(clause, "the body is wrong", "a JWK set", error));
        }
        self.object(&[200], clause)
    }

    /// Demands `Cache-Control` with `no-store`.
    pub(crate) fn demand_no_store(&self, clause: &'static str) -> Result<(), WalletError> {
        let value = self.header("cache-control").unwrap_or("");
        let found = value.split(',').any(|directive| directive.trim().eq_ignore_ascii_case("no-store"));
        if found {
            return Ok(());
        }
        self.wrong(
            clause,
            "the answer may be cached",
            "Cache-Control: no-store",
            if value.is_empty() { "no Cache-Control header".to_owned() } else { format!("{value:?}") },
        )
    }

    /// This answer as an error of the issuer.
    pub(crate) fn refusal(&self) -> Refusal {
        let body = json::parse_object(&self.body).unwrap_or_default();
        let text = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
        let www_authenticate = self.header("www-authenticate").map(str::to_owned);
        let challenge = www_authenticate.as_deref().and_then(|header| parameter(header, "error"));
        Refusal {
            step: self.step,
            url: self.url.clone(),
            status: self.status,
            error: text("error").or(challenge),
            description: text("error_description"),
            www_authenticate,
            dpop_nonce: self.header("dpop-nonce").map(str::to_owned),
            retry_after: self.header("retry-after").map(str::to_owned),
            body: String::from_utf8_lossy(&self.body).chars().take(2000).collect(),
        }
    }

    fn wrong<T>(
        &self,
        clause: &'static str,
        what: &str,
        expected: impl Into<String>,
        got: impl Into<String>,
    ) -> Result<T, WalletError> {
        Violation::err(self.step, clause, format!("{what} ({})", self.url), expected, got)
    }
}

/// Parses a URL and demands https, or http on a loopback host; never user information.
pub(crate) fn secure_url(step: Step, what: &str, text: &str) -> Result<Url, WalletError> {
    let wrong = |got: &str| {
        Violation::new(
            step,
            "OpenID4VCI §12.2.1, §13.9",
            format!("{what} is wrong"),
            "an absolute https URL (http only for this machine)",
            got,
        )
    };
    let url = Url::parse(text).map_err(|error| wrong(&error.to_string()))?;
    let loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    if url.scheme() != "https" && !(url.scheme() == "http" && loopback) {
        return Err(wrong(&without_query(text)).into());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("a URL with user information").into());
    }
    Ok(url)
}

/// `https://host/path` -> `https://host/.well-known/<name>/path`, with a terminating `/` of the path dropped
/// (OpenID4VCI §12.2.2, RFC 8414 §3.1, SD-JWT VC §4.1).
pub(crate) fn well_known(identifier: &str, name: &str) -> String {
    let (scheme, rest) = identifier.split_once("://").unwrap_or(("https", identifier));
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let path = path.strip_suffix('/').unwrap_or(path);
    let separator = if path.is_empty() { "" } else { "/" };
    format!("{scheme}://{host}/.well-known/{name}{separator}{path}")
}

fn resolved(url: &str, resolve: &[(String, String)]) -> Option<String> {
    resolve.iter().find_map(|(public, actual)| {
        let rest = url.strip_prefix(public.trim_end_matches('/'))?;
        let boundary = rest.is_empty() || rest.starts_with(['/', '?', '#']);
        boundary.then(|| format!("{}{rest}", actual.trim_end_matches('/')))
    })
}

fn authority(url: &Url) -> &str {
    // `Position` slices leave out user information, which `secure_url` has refused anyway.
    &url[url::Position::BeforeHost..url::Position::AfterPort]
}

fn without_query(url: &str) -> String {
    url.split(['?', '#']).next().unwrap_or(url).to_owned()
}

fn describe(error: &reqwest::Error) -> String {
    let mut text = match (error.is_timeout(), error.is_connect()) {
        (true, _) => "timed out".to_owned(),
        (_, true) => "cannot connect".to_owned(),
        _ => "the connection broke".to_owned(),
    };
    // The outermost message repeats the URL, which may hold an offer's secret; its causes do not.
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}

/// The quoted value of a parameter of a `WWW-Authenticate` challenge.
pub(crate) fn parameter(header: &str, name: &str) -> Option<String> {
    let mut rest = header;
    while let Some(position) = rest.find(name) {
        let (before, after) = rest.split_at(position);
        let after = after.get(name.len()..)?;
        let own_word = before.is_empty() || before.ends_with([' ', ',', '\t']);
        if own_word && let Some(value) = after.trim_start().strip_prefix('=') {
            let value = value.trim_start();
            return Some(match value.strip_prefix('"') {
                Some(quoted) => quoted.split('"').next().unwrap_or("").to_owned(),
                None => value.split([',', ' ']).next().unwrap_or("").to_owned(),
            });
        }
        rest = after;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn well_known_names_are_inserted_between_host_and_path() {
        for (identifier, expected) in [
            ("https://issuer.example", "https://issuer.example/.well-known/x"),
            ("https://issuer.example/", "https://issuer.example/.well-known/x"),
            ("https://issuer.example:8443/t/acme", "https://issuer.example:8443/.well-known/x/t/acme"),
            ("https://issuer.example/t/acme/", "https://issuer.example/.well-known/x/t/acme"),
        ] {
            assert_eq!(well_known(identifier, "x"), expected);
        }
    }

    #[test]
    fn plain_http_is_only_for_this_machine() {
        for good in ["https://a.example/x", "http://127.0.0.1:1/x", "http://[::1]/x", "http://localhost:8/x"] {
            assert!(secure_url(Step::Offer, "it", good).is_ok(), "{good}");
        }
        for bad in ["http://a.example", "ftp://a.example", "https://u@a.example", "/x", "http://10.0.0.1/x"] {
            assert!(secure_url(Step::Offer, "it", bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn only_a_whole_base_is_resolved() {
        let resolve = [("https://a.example/o".to_owned(), "http://127.0.0.1:9".to_owned())];
        assert_eq!(resolved("https://a.example/o/x?y", &resolve).unwrap(), "http://127.0.0.1:9/x?y");
        assert_eq!(resolved("https://a.example/other", &resolve), None);
    }

    #[test]
    fn challenge_parameters_are_found() {
        let header = r#"DPoP algs="ES256", error="use_dpop_nonce", error_description="x""#;
        assert_eq!(parameter(header, "error").as_deref(), Some("use_dpop_nonce"));
        assert_eq!(parameter(header, "algs").as_deref(), Some("ES256"));
        assert_eq!(parameter("Bearer", "error"), None);
    }
}
