//! What handlers read off a request before the use case is asked.

use std::convert::Infallible;

use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, FailedToBufferBody};
use axum::extract::{FromRequest, Request};
use axum::http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, USER_AGENT};
use axum::http::{HeaderMap, StatusCode};
use chancery_issuance::wallet::{Header, Notes};

use crate::envelope::Envelope;

const DPOP: HeaderName = HeaderName::from_static("dpop");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// Name of the header with the request's id.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The `DPoP` header (RFC 9449 §4.1).
pub(crate) fn dpop(headers: &HeaderMap) -> Header<'_> {
    single(headers, &DPOP)
}

/// The `Authorization` header (RFC 6750 §2.1, RFC 9449 §7.1).
pub(crate) fn authorization(headers: &HeaderMap) -> Header<'_> {
    single(headers, &AUTHORIZATION)
}

/// The headers that a transcript keeps.
pub(crate) fn notes(headers: &HeaderMap) -> Notes<'_> {
    let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    Notes {
        user_agent: text(&USER_AGENT),
        content_type: text(&CONTENT_TYPE),
        content_length: text(&CONTENT_LENGTH),
        traceparent: text(&TRACEPARENT),
        request_id: text(&REQUEST_ID),
    }
}

/// The body of a request, read up to the limit of its route.
pub(crate) struct Content(Result<Bytes, BytesRejection>);

impl<S: Send + Sync> FromRequest<S> for Content {
    type Rejection = Infallible;

    async fn from_request(request: Request, state: &S) -> Result<Self, Infallible> {
        Ok(Self(Bytes::from_request(request, state).await))
    }
}

impl Content {
    /// The bytes, or the refusal of a body that is too large or broke off; `error` is the endpoint's code for a bad
    /// request.
    pub(crate) fn bytes(self, error: &'static str) -> Result<Bytes, Envelope> {
        self.0.map_err(|rejection| match rejection {
            BytesRejection::FailedToBufferBody(FailedToBufferBody::LengthLimitError(_)) => Envelope::too_large(error),
            // The enumerations are open; whatever else happens, the body did not arrive.
            _ => Envelope::new(StatusCode::BAD_REQUEST, error, "the body broke off"),
        })
    }
}

fn single<'r>(headers: &'r HeaderMap, name: &HeaderName) -> Header<'r> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Header::Absent,
        (Some(value), None) => value.to_str().map_or(Header::Unreadable, Header::One),
        (Some(_), Some(_)) => Header::Repeated,
    }
}
