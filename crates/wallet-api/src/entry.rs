//! The way in: request id, span, time limit, and the organisation that a request is for.

use std::any::Any;
use std::borrow::Cow;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{CACHE_CONTROL, HOST, HeaderName, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderMap, HeaderValue, Method, Uri};
use axum::response::{IntoResponse, Response};
use chancery_issuance::{Context, Failure, wallet};
use chancery_model::Organisation;
use tower::ServiceExt as _;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::{Any as AnyOrigin, CorsLayer};
use tracing::Instrument as _;

use crate::envelope::{self, Envelope};
use crate::path::{self, Endpoint, Target};
use crate::request::{self, REQUEST_ID};
use crate::{metadata, rate_limit, routes};

/// Time for one request, from its headers to its answer.
const TIME_LIMIT: Duration = Duration::from_secs(20);

/// Deepest path that is searched for a hosted credential type.
const MOST_SEGMENTS: usize = 16;

/// Longest request id that is taken over from the caller.
const REQUEST_ID_LENGTH: usize = 128;

const DPOP_NONCE: HeaderName = HeaderName::from_static("dpop-nonce");

#[derive(Clone)]
struct Face {
    context: Context,
    trusted_proxies: usize,
    routes: Router,
}

pub(crate) fn router(context: Context, trusted_proxies: usize) -> Router {
    let (routes, _description) = routes::table().split_for_parts();
    let routes = routes
        .fallback(metadata::type_metadata)
        .method_not_allowed_fallback(envelope::method_not_allowed)
        .with_state(context.clone());
    let closed = Router::new().fallback(enter).with_state(Face { context, trusted_proxies, routes });
    let open = closed.clone().layer(cors());
    Router::new()
        .fallback(async move |request: Request| {
            let face = if path::split(request.uri().path()).endpoint.is_front_channel() { closed } else { open };
            match face.oneshot(request).await {
                Ok(response) => response,
                Err(never) => match never {},
            }
        })
        .layer(CatchPanicLayer::custom(panicked))
        // Else the fallback and its layer would be put together for every request.
        .with_state(())
}

/// Browser wallets may call these endpoints: none of them acts on cookies, and all answers are for whoever holds the code
/// or token. The front channel never comes under this layer (RFC 9700 §2.6).
fn cors() -> CorsLayer {
    CorsLayer::new()
        .allow_origin(AnyOrigin)
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([
            axum::http::header::AUTHORIZATION,
            axum::http::header::CONTENT_TYPE,
            axum::http::header::IF_NONE_MATCH,
            HeaderName::from_static("dpop"),
            request::ATTESTATION,
            request::ATTESTATION_PROOF,
            HeaderName::from_static("traceparent"),
            REQUEST_ID,
        ])
        .expose_headers([
            DPOP_NONCE,
            axum::http::header::ETAG,
            request::ATTESTATION_CHALLENGE,
            axum::http::header::WWW_AUTHENTICATE,
            axum::http::header::RETRY_AFTER,
            REQUEST_ID,
        ])
        .max_age(Duration::from_secs(3600))
}

fn panicked(_payload: Box<dyn Any + Send>) -> Response {
    // The payload may quote anything; the panic hook has told where it happened.
    tracing::error!("a handler panicked");
    Envelope::internal().into_response()
}

async fn enter(State(face): State<Face>, mut request: Request) -> Response {
    let request_id = request_id(&face.context, request.headers());
    request.headers_mut().insert(REQUEST_ID, request_id.clone());
    let span = tracing::info_span!(
        "wallet",
        method = %request.method(),
        request_id = request_id.to_str().unwrap_or_default(),
        organisation = tracing::field::Empty,
        endpoint = tracing::field::Empty,
        status = tracing::field::Empty,
    );
    // On the heap: it is large, and moved several times before it runs.
    let answer = Box::pin(answer(face, request));
    let answered = tokio::time::timeout(TIME_LIMIT, answer).instrument(span.clone()).await;
    let mut response = answered.unwrap_or_else(|_elapsed| {
        let _entered = span.enter();
        tracing::warn!("the request took longer than {TIME_LIMIT:?}");
        Envelope::unavailable().into_response()
    });
    span.record("status", response.status().as_u16());
    let headers = response.headers_mut();
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REQUEST_ID, request_id);
    response
}

async fn answer(face: Face, mut request: Request) -> Response {
    let path = request.uri().path().to_owned();
    let target = path::split(&path);
    let found = locate(&face.context, request.method(), host(&request), &target).await;
    let (organisation, inner) = match found {
        Ok(Some(found)) => found,
        Ok(None) => return Envelope::not_found("nothing is here").into_response(),
        Err(failure) => return Envelope::from(failure).into_response(),
    };
    let span = tracing::Span::current();
    span.record("organisation", organisation.slug.as_str());
    span.record("endpoint", inner.endpoint);
    if target.endpoint.is_limited() {
        let origin = rate_limit::origin(&request, face.trusted_proxies);
        let headers = request.headers();
        let refusal = rate_limit::refusal(&face.context, &organisation, target.endpoint, headers, origin).await;
        if let Some(refusal) = refusal {
            return refusal;
        }
    }
    match rewritten(request.uri(), &inner.path) {
        Some(uri) => *request.uri_mut() = uri,
        None => return Envelope::not_found("nothing is here").into_response(),
    }
    request.extensions_mut().insert(Arc::clone(&organisation));
    let mut response = match face.routes.oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    };
    // On every answer, successes included: wallets then always hold a fresh one (RFC 9449 §8.2).
    if target.endpoint.hands_out_dpop_nonces()
        && let Some(nonce) = wallet::nonce::dpop(&face.context, &organisation)
        && let Ok(value) = HeaderValue::from_str(&nonce)
    {
        response.headers_mut().insert(DPOP_NONCE, value);
    }
    if target.endpoint.hands_out_challenges()
        && !response.status().is_server_error()
        && let Some(challenge) = challenge(&face.context, &organisation).await
        && let Ok(value) = HeaderValue::from_str(&challenge)
    {
        response.headers_mut().insert(request::ATTESTATION_CHALLENGE, value);
    }
    response
}

/// A challenge for wallet attestations, where any are looked at.
async fn challenge(context: &Context, organisation: &Organisation) -> Option<String> {
    match wallet::nonce::challenge::<Infallible>(context, organisation).await {
        Ok(challenge) => challenge,
        Err(failure) => {
            // The answer is good without it: wallets can ask the challenge endpoint.
            tracing::warn!(?failure, "no attestation challenge was handed out");
            None
        }
    }
}

/// Where a request goes inside the routes.
struct Inner<'p> {
    /// For the span: never the path itself, which for an offer is a secret.
    endpoint: &'static str,
    path: Cow<'p, str>,
}

async fn locate<'p>(
    context: &Context,
    method: &Method,
    host: Option<&str>,
    target: &Target<'p>,
) -> Result<Option<(Arc<Organisation>, Inner<'p>)>, Failure<Infallible>> {
    let inner = match target.endpoint {
        Endpoint::Fixed(endpoint) => Inner { endpoint, path: Cow::Borrowed(endpoint) },
        Endpoint::Offer(id) => {
            Inner { endpoint: "/credential-offers", path: Cow::Owned(format!("/credential-offers/{id}")) }
        }
        Endpoint::StatusList(id) => {
            Inner { endpoint: "/status-lists/{id}", path: Cow::Owned(format!("/status-lists/{id}")) }
        }
        Endpoint::Other => return locate_type(context, method, host, target.organisation).await,
    };
    let organisation = wallet::organisation::at(context, host, target.organisation).await?;
    Ok(organisation.map(|organisation| (organisation, inner)))
}

/// A credential type hosted by an organisation: the longest prefix of the path that is one wins.
async fn locate_type<'p>(
    context: &Context,
    method: &Method,
    host: Option<&str>,
    path: &'p str,
) -> Result<Option<(Arc<Organisation>, Inner<'p>)>, Failure<Infallible>> {
    if !matches!(*method, Method::GET | Method::HEAD) || path.matches('/').count() > MOST_SEGMENTS {
        return Ok(None);
    }
    for (prefix, rest) in path::prefixes(path).filter(|(_, rest)| rest.len() > 1) {
        if let Some(organisation) = wallet::organisation::at(context, host, prefix).await? {
            return Ok(Some((organisation, Inner { endpoint: "/types", path: Cow::Borrowed(rest) })));
        }
    }
    Ok(None)
}

/// `uri` with another path; the query stays. `None` when the path cannot stand in a URI.
fn rewritten(uri: &Uri, path: &str) -> Option<Uri> {
    match uri.query() {
        Some(query) => format!("{path}?{query}").parse().ok(),
        None => path.parse().ok(),
    }
}

/// Host and port that the client named: `:authority` of HTTP/2, else `Host`.
fn host(request: &Request) -> Option<&str> {
    let named = request.uri().authority().map(|authority| authority.as_str());
    named.or_else(|| request.headers().get(HOST).and_then(|value| value.to_str().ok()))
}

/// The caller's request id when it is harmless, a new one otherwise.
fn request_id(context: &Context, headers: &HeaderMap) -> HeaderValue {
    let harmless = |value: &&HeaderValue| {
        (1..=REQUEST_ID_LENGTH).contains(&value.len())
            && value.as_bytes().iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(byte))
    };
    if let Some(given) = headers.get(REQUEST_ID).filter(harmless) {
        return given.clone();
    }
    let env = context.env();
    let fresh = env.uuid(env.now()).to_string();
    HeaderValue::from_str(&fresh).unwrap_or(HeaderValue::from_static("unknown"))
}
