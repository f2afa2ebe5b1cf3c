//! HTTP as a wallet or an organisation's program speaks it, and what came back.

use std::net::SocketAddr;
use std::time::Duration;

use reqwest::header::{HOST, HeaderMap};
use reqwest::{Client, Method, RequestBuilder, Url};
use serde_json::Value;

/// Sends requests to public URLs of a server under test. Each request has a connection of its own.
#[derive(Clone, Debug)]
pub struct Http {
    client: Client,
    wallet_face: SocketAddr,
}

impl Http {
    /// A client for the server whose wallet face is reached at `wallet_face`.
    pub fn new(wallet_face: SocketAddr) -> Self {
        let client = Client::builder()
            .no_proxy()
            // A connection kept from before a server was stopped or a wire was cut would fail the next request.
            .pool_max_idle_per_host(0)
            .redirect(reqwest::redirect::Policy::none())
            // Only tells a hung server from a slow one.
            .timeout(Duration::from_secs(60))
            .build()
            .expect("an HTTP client");
        Self { client, wallet_face }
    }

    /// A request to `url`. A URL that is not on the loopback interface is public: the request goes to the wallet face
    /// with that URL's path and `Host`, as a proxy that terminates TLS would hand it on.
    pub fn request(&self, method: Method, url: &str) -> RequestBuilder {
        let mut url = Url::parse(url).unwrap_or_else(|error| panic!("{url:?} is not a URL: {error}"));
        let authority = url[url::Position::BeforeHost..url::Position::AfterPort].to_owned();
        if url.host_str() == Some("127.0.0.1") {
            return self.client.request(method, url);
        }
        url.set_scheme("http").expect("a scheme that can change");
        url.set_host(Some("127.0.0.1")).expect("a host that can change");
        url.set_port(Some(self.wallet_face.port())).expect("a port that can change");
        self.client.request(method, url).header(HOST, authority)
    }

    /// Sends a request and reads the whole answer.
    ///
    /// # Panics
    /// When no answer comes.
    pub async fn send(&self, request: RequestBuilder) -> Answer {
        self.try_send(request).await.unwrap_or_else(|error| panic!("no answer: {error:?}"))
    }

    /// Sends a request and reads the whole answer, or says why none came.
    pub async fn try_send(&self, request: RequestBuilder) -> Result<Answer, reqwest::Error> {
        let response = request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Ok(Answer { status, headers, body: response.bytes().await?.to_vec() })
    }

    /// `GET url`.
    pub async fn get(&self, url: &str) -> Answer {
        self.send(self.request(Method::GET, url)).await
    }
}

/// What the `error_description` of a refusal by the wallet face says, and the support code behind that, if there is one.
pub fn split_support_code(refusal: &Value) -> (&str, Option<&str>) {
    let description = refusal["error_description"].as_str().unwrap_or_default();
    let split = description.strip_suffix(')').and_then(|text| text.split_once(" (support code "));
    split.map_or((description, None), |(said, code)| (said, Some(code)))
}

/// A complete HTTP answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// Headers.
    pub headers: HeaderMap,
    /// Body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The first value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("a header in ASCII"))
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("not JSON ({error}): {self}"))
    }

    /// The JSON body of a 200.
    #[track_caller]
    pub fn ok(&self) -> Value {
        assert_eq!(self.status, 200, "{self}");
        self.json()
    }

    /// The JSON body of an answer with this status.
    #[track_caller]
    pub fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{self}");
        self.json()
    }

    /// The JSON body of a 201, or of a 200 where the contract of the management face wants that.
    #[track_caller]
    pub fn created(&self) -> Value {
        assert!(matches!(self.status, 200 | 201), "{self}");
        self.json()
    }

    /// Asserts an error of the wallet face: the status, the code, and what holds for every such answer. RFC 6749 §5.2 and
    /// OpenID4VCI §8.3.1.2 limit the characters of `error_description`; nothing of it may be cached.
    #[track_caller]
    pub fn refused(&self, status: u16, error: &str) -> Value {
        assert_eq!(self.status, status, "{self}");
        let body = self.json();
        assert_eq!(body["error"], error, "{self}");
        self.assert_media_type("application/json");
        assert_eq!(self.header("cache-control"), Some("no-store"), "{self}");
        if let Some(description) = body.get("error_description") {
            let description = description.as_str().expect("a text");
            let legal = |c| matches!(c, ' '..='!' | '#'..='[' | ']'..='~');
            assert!(description.chars().all(legal), "illegal characters in error_description: {self}");
        }
        body
    }

    /// Asserts an error of the management face (RFC 9457): the status, and that both envelopes are complete and agree.
    #[track_caller]
    pub fn problem(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{self}");
        self.assert_media_type("application/problem+json");
        let body = self.json();
        for member in ["type", "title", "detail", "errorDescription"] {
            assert!(body[member].as_str().is_some_and(|text| !text.is_empty()), "no {member}: {self}");
        }
        assert_eq!(body["status"], status, "{self}");
        assert!(body["errorCode"].is_i64(), "no errorCode: {self}");
        body
    }

    /// Asserts a problem whose `errors` point at this place of the request (RFC 6901).
    #[track_caller]
    pub fn problem_at(&self, status: u16, pointer: &str) -> Value {
        let body = self.problem(status);
        let named = body["errors"].as_array().is_some_and(|all| all.iter().any(|one| one["pointer"] == pointer));
        assert!(named, "no error at {pointer}: {self}");
        body
    }

    /// Asserts the media type, whatever its parameters.
    #[track_caller]
    pub fn assert_media_type(&self, expected: &str) {
        let given = self.header("content-type").unwrap_or_default();
        assert_eq!(given.split(';').next().map(str::trim), Some(expected), "{self}");
    }

    /// Whether the text occurs in the body or in a header.
    pub fn mentions(&self, text: &str) -> bool {
        let headers = self.headers.values().any(|value| value.to_str().is_ok_and(|value| value.contains(text)));
        headers || self.text().contains(text)
    }
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.status)?;
        for name in ["content-type", "www-authenticate", "dpop-nonce"] {
            if let Some(value) = self.header(name) {
                write!(f, " {name}: {value};")?;
            }
        }
        write!(f, " {}", self.text())
    }
}
