//! What handlers read off a request before the use case is asked.

use std::convert::Infallible;

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Request};
use axum::http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, USER_AGENT};
use axum::http::{HeaderMap, StatusCode};
use chancery_issuance::wallet::client::{self, Attestation};
use chancery_issuance::wallet::{Header, Notes};
use http_body_util::BodyExt as _;

use crate::envelope::Envelope;

const DPOP: HeaderName = HeaderName::from_static("dpop");
/// Headers of wallet attestations (ABCA draft-07 §6.2).
pub(crate) const ATTESTATION: HeaderName = HeaderName::from_static("oauth-client-attestation");
pub(crate) const ATTESTATION_PROOF: HeaderName = HeaderName::from_static("oauth-client-attestation-pop");
pub(crate) const ATTESTATION_CHALLENGE: HeaderName = HeaderName::from_static("oauth-client-attestation-challenge");
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

/// The headers in which a wallet is vouched for (ABCA draft-07 §6.2).
pub(crate) fn attestation(headers: &HeaderMap) -> Attestation<'_> {
    Attestation { attestation: single(headers, &ATTESTATION), proof: single(headers, &ATTESTATION_PROOF) }
}

/// A request of a client that may authenticate.
pub(crate) fn of_client<'r>(headers: &'r HeaderMap, body: &'r [u8]) -> client::Request<'r> {
    client::Request {
        body,
        authorization: authorization(headers),
        dpop: dpop(headers),
        attestation: attestation(headers),
        notes: notes(headers),
    }
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

/// Largest body, in bytes, that the endpoints of a route read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BodyLimit(pub(crate) usize);

/// How much of a body that is too large is still taken from the wire, in bytes. A client that is cut off while it sends
/// does not see the answer.
const DRAINED: usize = 8 * 1024 * 1024;

/// The body of a request, read up to the [`BodyLimit`] of its route.
pub(crate) struct Content(Result<Bytes, Unread>);

#[derive(Debug)]
enum Unread {
    TooLarge,
    BrokenOff,
}

impl<S: Send + Sync> FromRequest<S> for Content {
    type Rejection = Infallible;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Infallible> {
        let BodyLimit(limit) = request.extensions().get().copied().unwrap_or(BodyLimit(0));
        Ok(Self(read(request.into_body(), limit).await))
    }
}

impl Content {
    /// The bytes, or the refusal of a body that is too large or broke off; `error` is the endpoint's code for a bad
    /// request.
    pub(crate) fn bytes(self, error: &'static str) -> Result<Bytes, Envelope> {
        self.0.map_err(|unread| match unread {
            Unread::TooLarge => Envelope::too_large(error),
            Unread::BrokenOff => Envelope::new(StatusCode::BAD_REQUEST, error, "the body broke off"),
        })
    }
}

async fn read(mut body: Body, limit: usize) -> Result<Bytes, Unread> {
    let mut kept = Vec::new();
    let mut received: usize = 0;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Unread::BrokenOff)?;
        // Trailers say nothing here.
        let Ok(data) = frame.into_data() else { continue };
        received = received.saturating_add(data.len());
        if received <= limit {
            kept.extend_from_slice(&data);
        } else if received > DRAINED {
            return Err(Unread::TooLarge);
        }
    }
    if received <= limit { Ok(kept.into()) } else { Err(Unread::TooLarge) }
}

fn single<'r>(headers: &'r HeaderMap, name: &HeaderName) -> Header<'r> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Header::Absent,
        (Some(value), None) => value.to_str().map_or(Header::Unreadable, Header::One),
        (Some(_), Some(_)) => Header::Repeated,
    }
}
