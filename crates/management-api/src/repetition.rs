//! `Idempotency-Key`, for every `POST` of organisations at once.
//!
//! The key is claimed before anything is done, and the answer kept afterwards. The issue call and the upload of files keep
//! theirs in the unit of work of the change itself, and pass by here.

use axum::body::{Body, to_bytes};
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{CONTENT_TYPE, ETAG, HeaderName, HeaderValue};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use chancery_issuance::Context;
use chancery_issuance::management::access::Caller;
use chancery_issuance::management::idempotency::{self, Course};
use serde::{Deserialize, Serialize};

use crate::access::{self, never};
use crate::presence::Presence;
use crate::problem::{Kind, Problem};
use crate::request::{IDEMPOTENCY_KEY, buffered, idempotency};
use crate::routes::{self, Permission};

/// Longest answer that is kept, in bytes.
const LARGEST_ANSWER: usize = 4 * 1024 * 1024;

/// Headers of an answer that are kept with it.
const KEPT: [HeaderName; 2] = [CONTENT_TYPE, ETAG];

/// An answer as it is kept.
#[derive(Serialize, Deserialize)]
struct Kept {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

pub(crate) async fn repeat(State(ctx): State<Context>, request: Request, next: Next) -> Response {
    let Some(permission) = covered(&request) else { return next.run(request).await };
    // Who is not let in is refused where everybody is.
    let presence = Presence::at(&ctx, request.headers(), request.extensions()).await;
    let Some(caller) = let_in(&presence, permission) else { return next.run(request).await };
    attend(&ctx, &caller, request, next).await.unwrap_or_else(Problem::into_response)
}

/// The permission of a request whose answer is kept here.
fn covered(request: &Request) -> Option<Permission> {
    if request.method() != Method::POST || !request.headers().contains_key(IDEMPOTENCY_KEY) {
        return None;
    }
    let route = request.extensions().get::<MatchedPath>()?.as_str();
    is_covered(route).then(|| routes::permission(&Method::POST, route)).flatten()
}

/// Whether answers to `POST`s of this route are kept here.
pub(crate) fn is_covered(route: &str) -> bool {
    let is_of_organisation =
        routes::permission(&Method::POST, route).is_some_and(|permission| permission != Permission::Platform);
    is_of_organisation && !matches!(route, routes::ISSUE | routes::BULKS)
}

fn let_in(presence: &Presence, permission: Permission) -> Option<Caller> {
    let caller = presence.known()?.standing.clone().ok()?;
    access::may(caller.role, permission).then_some(caller)
}

async fn attend(ctx: &Context, caller: &Caller, request: Request, next: Next) -> Result<Response, Problem> {
    let organisation = &caller.organisation;
    let (parts, body) = request.into_parts();
    let bytes = buffered(Request::from_parts(parts.clone(), body), ctx).await?;
    let place = parts.uri.path_and_query().map(|place| place.as_str()).unwrap_or_default();
    let request = |parts, bytes| Request::from_parts(parts, Body::from(bytes));
    let Some(once) = idempotency(&parts.headers, place, &bytes)? else {
        return Ok(next.run(request(parts, bytes)).await);
    };
    let claimed = match idempotency::claim(ctx, organisation, &once).await.map_err(never)? {
        Course::New(claimed) => claimed,
        Course::Answered(kept) => return answer(&kept).ok_or_else(Problem::internal),
        Course::Unfinished => {
            let detail =
                "the same request is being answered, or broke off: look whether it was done, then use a new key";
            return Err(Problem::new(Kind::RequestUnfinished, detail));
        }
        Course::Reused => {
            return Err(Problem::new(Kind::IdempotencyKeyReused, "choose a new key for each new request"));
        }
    };
    let response = next.run(request(parts, bytes)).await;
    let status = response.status();
    if status.is_success() {
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, LARGEST_ANSWER).await.map_err(|_| Problem::internal())?;
        let header = |name: &HeaderName| {
            let value = parts.headers.get(name)?.to_str().ok()?;
            Some((name.as_str().to_owned(), value.to_owned()))
        };
        let kept = Kept {
            status: status.as_u16(),
            headers: KEPT.iter().filter_map(header).collect(),
            body: STANDARD_NO_PAD.encode(&bytes),
        };
        let kept = serde_json::to_vec(&kept).map_err(|_| Problem::internal())?;
        if let Err(failure) = idempotency::settle(ctx, organisation, claimed, &kept).await {
            // It was done; repetitions are told that it is not known.
            drop(never(failure));
        }
        return Ok(Response::from_parts(parts, Body::from(bytes)));
    }
    if status.is_client_error()
        && let Err(failure) = idempotency::release(ctx, organisation, claimed).await
    {
        drop(never(failure));
    }
    Ok(response)
}

fn answer(kept: &[u8]) -> Option<Response> {
    let kept: Kept = serde_json::from_slice(kept).ok()?;
    let mut response = Response::new(Body::from(STANDARD_NO_PAD.decode(kept.body).ok()?));
    *response.status_mut() = StatusCode::from_u16(kept.status).ok()?;
    for (name, value) in kept.headers {
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        response.headers_mut().insert(name, HeaderValue::from_str(&value).ok()?);
    }
    Some(response)
}
