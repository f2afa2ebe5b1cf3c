//! What handlers read off a request before the use case is asked.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, FailedToBufferBody};
use axum::extract::{ConnectInfo, FromRequest, FromRequestParts, Query, RawPathParams, Request};
use axum::http::header::{CONTENT_TYPE, HeaderMap, HeaderName};
use axum::http::request::Parts;
use chancery_issuance::Context;
use chancery_issuance::management::idempotency::Idempotency;
use chancery_issuance::management::{Fault, LARGEST_BODY, MOST_PER_PAGE, Order, Window, parse_body};
use chancery_model::{
    ApiKeyId, BulkId, DefinitionId, ExchangeId, GlobalConfigurationId, IndividualId, OrganisationId, SigningKeyId,
    Timestamp, WebhookDeliveryId, WebhookId,
};
use serde_json::{Map, Value};

use crate::problem::{Kind, Problem};

/// Name of the header with the request's id.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Name of the header under which a client names its request.
pub(crate) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// A JSON object.
pub(crate) struct Body {
    /// Its members.
    pub(crate) members: Map<String, Value>,
    /// The bytes as they came.
    pub(crate) bytes: Bytes,
}

impl FromRequest<Context> for Body {
    type Rejection = Problem;

    async fn from_request(request: Request, ctx: &Context) -> Result<Self, Problem> {
        let is_json = is_json(request.headers());
        let bytes = buffered(request, ctx).await?;
        if !is_json {
            return Err(Problem::new(Kind::UnsupportedMediaType, "send Content-Type: application/json"));
        }
        let members = parse(&bytes)?;
        Ok(Self { members, bytes })
    }
}

/// A JSON object that may be left out: no body is an empty object.
pub(crate) struct OptionalBody(pub(crate) Map<String, Value>);

impl FromRequest<Context> for OptionalBody {
    type Rejection = Problem;

    async fn from_request(request: Request, ctx: &Context) -> Result<Self, Problem> {
        let is_json = is_json(request.headers());
        let bytes = buffered(request, ctx).await?;
        if bytes.is_empty() {
            return Ok(Self(Map::new()));
        }
        if !is_json {
            return Err(Problem::new(Kind::UnsupportedMediaType, "send Content-Type: application/json"));
        }
        parse(&bytes).map(Self)
    }
}

/// The whole body, unless it is too large.
pub(crate) async fn buffered(request: Request, ctx: &Context) -> Result<Bytes, Problem> {
    Bytes::from_request(request, ctx).await.map_err(|rejection| {
        let is_too_large =
            matches!(rejection, BytesRejection::FailedToBufferBody(FailedToBufferBody::LengthLimitError(_)));
        if is_too_large {
            return Problem::new(Kind::PayloadTooLarge, format!("at most {LARGEST_BODY} bytes are read"));
        }
        Problem::new(Kind::MalformedJson, "the body broke off")
    })
}

fn parse(bytes: &[u8]) -> Result<Map<String, Value>, Problem> {
    parse_body(bytes).map_err(|error| Problem::new(Kind::MalformedJson, error.to_string()))
}

/// `application/json` and its relatives (RFC 6839 §3.1).
fn is_json(headers: &HeaderMap) -> bool {
    let declared = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = declared.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}

/// The id in the path. What cannot be an id is as absent as what is not there.
pub(crate) struct Id<T>(pub(crate) T);

/// What stands in paths.
pub(crate) trait InPath: Sized {
    /// What it names, for people.
    const WHAT: &'static str;
    fn read(text: &str) -> Option<Self>;
}

macro_rules! in_path {
    ($($id:ident: $what:literal),*) => { $(
        impl InPath for $id {
            const WHAT: &'static str = $what;
            fn read(text: &str) -> Option<Self> {
                Self::parse(text)
            }
        }
    )* };
}

in_path! {
    OrganisationId: "organisation", ApiKeyId: "API key", SigningKeyId: "signing key",
    DefinitionId: "credential definition", BulkId: "bulk", ExchangeId: "record",
    GlobalConfigurationId: "global configuration", IndividualId: "individual", WebhookId: "webhook", WebhookDeliveryId: "delivery"
}

impl<T: InPath> FromRequestParts<Context> for Id<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, ctx: &Context) -> Result<Self, Problem> {
        let absent = || Problem::not_found(T::WHAT);
        let names = RawPathParams::from_request_parts(parts, ctx).await.map_err(|_| absent())?;
        let found = names.iter().next().and_then(|(_, text)| T::read(text));
        found.map(Self).ok_or_else(absent)
    }
}

/// The two ids in the path, as for [`Id`].
pub(crate) struct Ids<A, B>(pub(crate) A, pub(crate) B);

impl<A: InPath + Send, B: InPath> FromRequestParts<Context> for Ids<A, B> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, ctx: &Context) -> Result<Self, Problem> {
        let absent = || Problem::not_found(B::WHAT);
        let names = RawPathParams::from_request_parts(parts, ctx).await.map_err(|_| absent())?;
        let mut texts = names.iter().map(|(_, text)| text);
        let first = texts.next().and_then(A::read).ok_or_else(absent)?;
        let second = texts.next().and_then(B::read).ok_or_else(absent)?;
        Ok(Self(first, second))
    }
}

/// The network address of whoever asks; empty when it is not known.
#[derive(Clone, Debug, Default)]
pub(crate) struct Address(pub(crate) String);

impl Address {
    /// What the outermost trusted proxy saw, or the other end of the connection where there is no proxy.
    pub(crate) fn of(request: &Request, trusted_proxies: usize) -> Self {
        let peer = request.extensions().get().map(|ConnectInfo::<SocketAddr>(peer)| peer.ip());
        let address = match trusted_proxies.checked_sub(1) {
            None => peer,
            Some(skipped) => forwarded(request.headers(), skipped),
        };
        Self(address.map(|address| address.to_canonical().to_string()).unwrap_or_default())
    }
}

/// The address in `X-Forwarded-For` behind which `skipped` others follow. Whatever stands before was written by the client.
fn forwarded(headers: &HeaderMap, skipped: usize) -> Option<IpAddr> {
    let values = headers.get_all(FORWARDED_FOR).iter().filter_map(|value| value.to_str().ok());
    let mut seen: Vec<&str> = values.flat_map(|value| value.split(',')).map(str::trim).collect();
    seen.reverse();
    seen.get(skipped)?.parse().ok()
}

impl FromRequestParts<Context> for Address {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _ctx: &Context) -> Result<Self, Problem> {
        Ok(parts.extensions.get().cloned().unwrap_or_default())
    }
}

/// The `Idempotency-Key` of a request, if it has one.
pub(crate) fn idempotency(headers: &HeaderMap, path: &str, body: &[u8]) -> Result<Option<Idempotency>, Problem> {
    let mut values = headers.get_all(IDEMPOTENCY_KEY).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let key = value.to_str().ok().filter(|_| values.next().is_none());
    let read = key.and_then(|key| Idempotency::new(key, path, body));
    let malformed = || Problem::new(Kind::InvalidIdempotencyKey, "send one key of 1 to 255 printable ASCII characters");
    read.map(Some).ok_or_else(malformed)
}

/// The query of a list, read parameter by parameter; [`Parameters::finish`] tells everything that was wrong.
/// Parameters that we do not know pass by.
pub(crate) struct Parameters {
    pairs: Vec<(String, String)>,
    faults: Vec<Fault>,
}

impl FromRequestParts<Context> for Parameters {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _ctx: &Context) -> Result<Self, Problem> {
        let query = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri);
        let Query(pairs) = query.map_err(|_| Problem::new(Kind::InvalidQuery, "the query cannot be read"))?;
        Ok(Self { pairs, faults: Vec::new() })
    }
}

impl Parameters {
    /// A parameter; empty when absent.
    pub(crate) fn text(&mut self, name: &str) -> String {
        self.text_within(name, 255)
    }

    /// Values with commas between them, at most 1,024 characters; none when absent. `read` understands each.
    pub(crate) fn list<T>(&mut self, name: &str, expected: &str, read: impl Fn(&str) -> Option<T>) -> Vec<T> {
        let text = self.text_within(name, 1_024);
        if text.is_empty() {
            return Vec::new();
        }
        let values: Option<Vec<T>> = text.split(',').map(|value| read(value.trim())).collect();
        values.unwrap_or_else(|| {
            self.fault(name, expected);
            Vec::new()
        })
    }

    /// A parameter of at most so many characters; empty when absent.
    pub(crate) fn text_within(&mut self, name: &str, most: usize) -> String {
        let mut values = self.pairs.iter().filter(|(known, _)| known == name);
        let value = values.next().map(|(_, value)| value.clone()).unwrap_or_default();
        if values.next().is_some() {
            self.fault(name, "this parameter is there twice");
        }
        if value.chars().count() > most {
            self.fault(name, &format!("at most {most} characters are accepted"));
        }
        // PostgreSQL compares no such text.
        if value.contains('\0') {
            self.fault(name, "the character U+0000 is not accepted");
        }
        value
    }

    /// `true` or `false`; `None` when absent.
    pub(crate) fn switch(&mut self, name: &str) -> Option<bool> {
        self.read(name, "true or false is expected", |text| match text {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        })
    }

    /// `true` or `false`; absent is `false`.
    pub(crate) fn flag(&mut self, name: &str) -> bool {
        self.switch(name).unwrap_or_default()
    }

    /// A parameter that `read` understands; `None` when absent.
    pub(crate) fn read<T>(&mut self, name: &str, expected: &str, read: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        let text = self.text(name);
        if text.is_empty() {
            return None;
        }
        let value = read(&text);
        if value.is_none() {
            self.fault(name, expected);
        }
        value
    }

    /// `offset`, `limit` and `sortOrder`.
    pub(crate) fn window(&mut self) -> Window {
        let default = Window::default();
        let offset = self.read("offset", "a whole number from 0 is expected", number::<u32>);
        let limit = self.read("limit", "a whole number from 1 to 100 is expected", |text| {
            number(text).filter(|limit| (1..=MOST_PER_PAGE).contains(limit))
        });
        let order = self.read("sortOrder", "asc or desc is expected", |text| match text {
            "asc" => Some(Order::OldestFirst),
            "desc" => Some(Order::NewestFirst),
            _ => None,
        });
        Window {
            offset: offset.map_or(default.offset, u64::from),
            limit: limit.unwrap_or(default.limit),
            order: order.unwrap_or(default.order),
        }
    }

    /// Unix seconds; `None` when absent.
    pub(crate) fn seconds(&mut self, name: &str) -> Option<Timestamp> {
        let in_range = |seconds: &i64| *seconds <= 253_402_300_799;
        let seconds = self.read(name, "whole Unix seconds are expected", |text| number::<i64>(text).filter(in_range));
        seconds.map(Timestamp::from_seconds)
    }

    /// A page number, from 1.
    pub(crate) fn page(&mut self, name: &str) -> u32 {
        self.read(name, "a whole number from 1 is expected", |text| number(text).filter(|page| *page > 0)).unwrap_or(1)
    }

    /// A problem when anything read so far was wrong.
    pub(crate) fn finish(self) -> Result<(), Problem> {
        if self.faults.is_empty() { Ok(()) } else { Err(Problem::faulty(Kind::InvalidQuery, self.faults)) }
    }

    /// Notes that a parameter is wrong.
    pub(crate) fn fault(&mut self, name: &str, detail: &str) {
        self.faults.push(Fault { pointer: format!("/{name}"), detail: detail.to_owned() });
    }
}

/// Digits only: `+1` and ` 1` are not what a client means.
fn number<T: FromStr>(text: &str) -> Option<T> {
    text.bytes().all(|c| c.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters(query: &str) -> Parameters {
        let uri = format!("/list?{query}").parse().unwrap_or_default();
        let pairs = Query::<Vec<(String, String)>>::try_from_uri(&uri).map(|Query(pairs)| pairs).unwrap_or_default();
        Parameters { pairs, faults: Vec::new() }
    }

    #[test]
    fn a_window_takes_the_documented_defaults() {
        let mut query = parameters("unknown=1");
        assert_eq!(query.window(), Window { offset: 0, limit: 10, order: Order::NewestFirst });
        assert!(query.finish().is_ok());
    }

    #[test]
    fn wrong_parameters_are_named_at_once() {
        let mut query = parameters("offset=-1&limit=101&sortOrder=up&revoked=yes&search=a&search=b");
        query.window();
        query.flag("revoked");
        query.text("search");
        let pointers: Vec<_> = query.faults.iter().map(|fault| fault.pointer.as_str()).collect();
        assert_eq!(pointers, ["/offset", "/limit", "/sortOrder", "/revoked", "/search"]);
    }

    #[test]
    fn a_page_has_at_least_one_item() {
        for wrong in ["limit=0", "limit=ten", "limit=%2B1", "limit=1.0"] {
            let mut query = parameters(wrong);
            query.window();
            assert!(query.finish().is_err(), "{wrong}");
        }
    }

    #[test]
    fn only_what_trusted_proxies_say_is_believed() {
        let headers: HeaderMap = ["203.0.113.9, 198.51.100.1", "10.0.0.2"]
            .map(|it| (FORWARDED_FOR, it.parse().unwrap()))
            .into_iter()
            .collect();
        let seen = |skipped| forwarded(&headers, skipped).map(|address| address.to_string());
        assert_eq!(seen(0).as_deref(), Some("10.0.0.2"));
        assert_eq!(seen(1).as_deref(), Some("198.51.100.1"));
        assert_eq!(seen(3), None);
        let mut request = Request::default();
        request.extensions_mut().insert(ConnectInfo(SocketAddr::from(([127, 0, 0, 1], 4711))));
        assert_eq!(Address::of(&request, 0).0, "127.0.0.1");
        assert_eq!(Address::of(&request, 1).0, "");
    }

    #[test]
    fn json_is_declared_as_json() {
        let declared = |value: &'static str| {
            is_json(&HeaderMap::from_iter([(CONTENT_TYPE, axum::http::HeaderValue::from_static(value))]))
        };
        assert!(declared("application/json; charset=utf-8") && declared("application/merge-patch+json"));
        assert!(!declared("text/plain") && !declared("application/x-www-form-urlencoded"));
        assert!(!is_json(&HeaderMap::new()));
    }

    #[test]
    fn a_parser_never_quotes_the_body() {
        let problem = parse(br#"{"userPin": 4711x}"#).err().map(|problem| format!("{problem:?}")).unwrap_or_default();
        assert!(problem.contains("column") && !problem.contains("4711"), "{problem}");
    }
}
