//! Status lists (Token Status List §8, §9).

mod time;

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Extension, Path, State};
use axum::http::header::{
    ACCEPT, ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, HeaderName, VARY,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use chancery_issuance::wallet::status_list::{self, Encoding, Rejection, Token};
use chancery_issuance::{Context, Failure};
use chancery_model::Organisation;
use chancery_protocol::negotiation::Preferences;

use crate::envelope::Envelope;
use crate::{metadata, schema};

/// How long an HTTP cache may answer for us: with the second that a process takes to see a change, well below the five
/// within which a change is to be seen. Asking again costs a 304. The `ttl` in the token is longer, and is for consumers.
const FRESHNESS: HeaderValue = HeaderValue::from_static("public, max-age=3");

const JWT: &str = "application/statuslist+jwt";
const CWT: &str = "application/statuslist+cwt";

/// A status list
///
/// Signed by the organisation's key. `Accept: application/statuslist+cwt` asks for a CWT, everything else is answered
/// with a JWT, compressed with gzip when `Accept-Encoding` allows. The URL is the `uri` in the `status` claim of a
/// credential.
///
/// ```sh
/// curl "$ISSUER/status-lists/0198f6a1-6a0e-7c50-9f0e-2b6f4d8f0c10"
/// ```
#[utoipa::path(
    get,
    path = "/status-lists/{id}",
    tag = "Status",
    params(
        ("id" = String, Path, description = "The list"),
        ("time" = Option<i64>, Query, description = "Unix seconds: the list as it was then (Token Status List §8.4)"),
    ),
    responses(
        (status = 200, description = "The token (Token Status List §5)",
            headers(("ETag" = String, description = "Weak fingerprint of the state"), ("Cache-Control" = String, description = "`public, max-age=3`")),
            content(
                (String = "application/statuslist+jwt", example = "eyJ0eXAiOiJzdGF0dXNsaXN0K2p3dCIsImFsZyI6IkVTMjU2Iiwia2lkIjoi…"),
                (String = "application/statuslist+cwt", example = "(binary)"),
            )),
        (status = 304, description = "Not modified: `If-None-Match` holds the fingerprint"),
        (status = 400, description = "`time` is not a number of seconds", body = schema::Error,
            example = json!({"error": "invalid_request", "error_description": "time is one number of unix seconds"})),
        (status = 406, description = "Neither representation is acceptable", body = schema::Error,
            example = json!({"error": "invalid_request", "error_description": "a list is application/statuslist+jwt or application/statuslist+cwt"})),
        schema::NotFound, schema::MethodNotAllowed, schema::Failed,
    )
)]
pub(crate) async fn get(
    State(context): State<Context>,
    Extension(organisation): Extension<Arc<Organisation>>,
    Path(id): Path<String>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let Some(encoding) = encoding(&headers) else {
        let description = "a list is application/statuslist+jwt or application/statuslist+cwt";
        return Envelope::new(StatusCode::NOT_ACCEPTABLE, "invalid_request", description).into_response();
    };
    let Ok(time) = time::parse(uri.query().unwrap_or_default()) else {
        let description = "time is one number of unix seconds";
        return Envelope::new(StatusCode::BAD_REQUEST, "invalid_request", description).into_response();
    };
    match status_list::read(&context, &organisation, &id, encoding, time).await {
        Ok(token) => answer(&token, encoding, &headers).await,
        Err(failure) => Envelope::of(failure, refuse).into_response(),
    }
}

/// The status lists of the organisation
///
/// ```sh
/// curl "$ISSUER/status-lists"
/// ```
#[utoipa::path(
    get,
    path = "/status-lists",
    tag = "Status",
    responses(
        (status = 200, description = "URLs of all lists (Token Status List §9.3)", body = serde_json::Value,
            headers(("ETag" = String, description = "Fingerprint of the document")),
            example = json!({"status_lists": ["https://issuer.example/o/acme/status-lists/0198f6a1-6a0e-7c50-9f0e-2b6f4d8f0c10"]})),
        (status = 304, description = "Not modified: `If-None-Match` holds the fingerprint"),
        schema::NotFound, schema::MethodNotAllowed, schema::Failed,
    )
)]
pub(crate) async fn aggregation(
    State(context): State<Context>,
    Extension(organisation): Extension<Arc<Organisation>>,
    headers: HeaderMap,
) -> Response {
    match status_list::aggregation(&context, &organisation).await {
        Ok(document) => metadata::answer(&document, "application/json", &headers),
        Err(failure) => Envelope::from(failure).into_response(),
    }
}

fn refuse(rejection: Rejection) -> Envelope {
    match rejection {
        Rejection::NotFound => Envelope::not_found("nothing is here"),
        Rejection::TimeUnavailable => Envelope::not_found("there is no list of that time"),
    }
}

async fn answer(token: &Token, encoding: Encoding, headers: &HeaderMap) -> Response {
    let mut response = if metadata::is_known(headers, &token.etag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        match body(token, encoding, headers).await {
            Ok(response) => response,
            Err(envelope) => return envelope.into_response(),
        }
    };
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, FRESHNESS);
    headers.insert(VARY, HeaderValue::from_static("accept, accept-encoding"));
    if let Ok(etag) = HeaderValue::from_str(&token.etag) {
        headers.insert(ETAG, etag);
    }
    response
}

/// Base64url of compressed bytes can be compressed by a quarter; a CWT cannot (§8.2).
async fn body(token: &Token, encoding: Encoding, headers: &HeaderMap) -> Result<Response, Envelope> {
    let media_type = |text| (CONTENT_TYPE, HeaderValue::from_static(text));
    let plain = || Body::from(Bytes::from_owner(Arc::clone(&token.body)));
    match encoding {
        Encoding::Cwt => Ok(([media_type(CWT)], plain()).into_response()),
        Encoding::Jwt if accepts_gzip(headers) => {
            let gzipped = token.gzipped().await;
            let gzipped = gzipped.map_err(|error| Envelope::of(Failure::Internal(error.into()), refuse))?;
            let coding = (CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            Ok(([media_type(JWT), coding], Body::from(Bytes::from_owner(gzipped))).into_response())
        }
        Encoding::Jwt => Ok(([media_type(JWT)], plain()).into_response()),
    }
}

/// What `Accept` prefers, a JWT when it does not say (§8.2); `None` when neither will do (RFC 9110 §12.5.1).
fn encoding(headers: &HeaderMap) -> Option<Encoding> {
    if !headers.contains_key(ACCEPT) {
        return Some(Encoding::Jwt);
    }
    let preferences = preferences(headers, &ACCEPT);
    let (jwt, cwt) = (preferences.weight(JWT), preferences.weight(CWT));
    match (jwt, cwt) {
        (0, 0) => None,
        (jwt, cwt) if cwt > jwt => Some(Encoding::Cwt),
        (_, _) => Some(Encoding::Jwt),
    }
}

fn accepts_gzip(headers: &HeaderMap) -> bool {
    preferences(headers, &ACCEPT_ENCODING).weight("gzip") > 0
}

fn preferences<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Preferences<'h> {
    Preferences::parse(headers.get_all(name).iter().filter_map(|value| value.to_str().ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(header: HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(header, HeaderValue::from_static(value))])
    }

    #[test]
    fn a_jwt_is_the_default_and_a_cwt_is_for_those_who_prefer_it_by_tsl_8() {
        assert_eq!(encoding(&HeaderMap::new()), Some(Encoding::Jwt));
        for (accept, expected) in [
            ("*/*", Some(Encoding::Jwt)),
            ("application/*", Some(Encoding::Jwt)),
            ("application/statuslist+jwt", Some(Encoding::Jwt)),
            ("application/statuslist+cwt", Some(Encoding::Cwt)),
            ("application/StatusList+CWT;q=0.9, application/statuslist+jwt;q=0.5", Some(Encoding::Cwt)),
            ("application/statuslist+cwt, application/statuslist+jwt", Some(Encoding::Jwt)),
            ("*/*, application/statuslist+jwt;q=0", Some(Encoding::Cwt)),
            ("text/html", None),
            ("application/statuslist+jwt;q=0", None),
        ] {
            assert_eq!(encoding(&asked(ACCEPT, accept)), expected, "{accept}");
        }
    }

    #[test]
    fn gzip_is_for_those_who_ask() {
        assert!(!accepts_gzip(&HeaderMap::new()));
        assert!(accepts_gzip(&asked(ACCEPT_ENCODING, "br, gzip")));
        assert!(!accepts_gzip(&asked(ACCEPT_ENCODING, "gzip;q=0, *")));
    }
}
