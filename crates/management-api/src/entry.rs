//! The way in and out: request id, span, time limit, and the body of every problem.

use std::any::Any;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request, State};
use axum::http::header::{CACHE_CONTROL, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderMap, HeaderValue};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use chancery_issuance::Context;
use chancery_issuance::management::LARGEST_BODY;
use tower_http::catch_panic::CatchPanicLayer;
use tracing::Instrument as _;

use crate::presence::recognise;
use crate::problem::{Kind, Problem};
use crate::recording::{Recorder, record};
use crate::repetition::repeat;
use crate::request::{Address, REQUEST_ID};
use crate::routes;

/// Time for one request, from its headers to its answer.
const TIME_LIMIT: Duration = Duration::from_secs(20);

/// Time for the upload of a file.
const UPLOAD_LIMIT: Duration = Duration::from_secs(600);

/// Longest request id that is taken over from the caller.
const REQUEST_ID_LENGTH: usize = 128;

pub(crate) fn router(context: Context, trusted_proxies: usize) -> Router {
    let (routes, _description) = routes::table().split_for_parts();
    let recorder = Recorder::new(context.clone());
    routes
        .fallback(|| async { Problem::not_found("path") })
        .method_not_allowed_fallback(|| async {
            Problem::new(Kind::MethodNotAllowed, "see the Allow header of this answer")
        })
        .layer(from_fn_with_state(recorder, record))
        .layer(from_fn_with_state(context.clone(), repeat))
        .layer(from_fn_with_state(context.clone(), recognise))
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn_with_state((context.clone(), trusted_proxies), enter))
        .with_state(context)
}

fn panicked(_payload: Box<dyn Any + Send>) -> Response {
    // The payload may quote anything; the panic hook has told where it happened.
    tracing::error!("a handler panicked");
    Problem::internal().into_response()
}

async fn enter(
    State((context, trusted_proxies)): State<(Context, usize)>,
    mut request: Request,
    next: Next,
) -> Response {
    let request_id = request_id(&context, request.headers());
    let address = Address::of(&request, trusted_proxies);
    request.extensions_mut().insert(address);
    request.headers_mut().insert(REQUEST_ID, request_id.clone());
    let instance = request.uri().path().to_owned();
    // The route, never the path or query themselves: they may hold what a person typed.
    let matched = request.extensions().get::<MatchedPath>().cloned();
    let route = matched.as_ref().map(MatchedPath::as_str).unwrap_or("none");
    let span = tracing::info_span!(
        "management",
        method = %request.method(),
        route,
        request_id = request_id.to_str().unwrap_or_default(),
        organisation = tracing::field::Empty,
        status = tracing::field::Empty,
    );
    let limit = if route == routes::BULKS { UPLOAD_LIMIT } else { TIME_LIMIT };
    let answered = tokio::time::timeout(limit, next.run(request)).instrument(span.clone()).await;
    let mut response = answered.unwrap_or_else(|_elapsed| {
        let _entered = span.enter();
        tracing::warn!("the request took longer than {limit:?}");
        Problem::new(Kind::Unavailable, "the request took too long; whether it had an effect is not known")
            .into_response()
    });
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        let mut written = problem.respond(&instance);
        // `Allow` of a 405.
        for (name, value) in response.headers() {
            written.headers_mut().entry(name).or_insert(value.clone());
        }
        response = written;
    }
    span.record("status", response.status().as_u16());
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REQUEST_ID, request_id);
    response
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
