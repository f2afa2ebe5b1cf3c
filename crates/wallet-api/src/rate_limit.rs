//! Refuses who asks too often, before anything is verified or looked up.
//!
//! Such a refusal is not written to a transcript: that would cost the very statements it saves.

use std::net::{IpAddr, SocketAddr};

use axum::extract::{ConnectInfo, Request};
use axum::http::header::{AUTHORIZATION, HeaderName, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use chancery_issuance::Context;
use chancery_issuance::rate_limits::{Asking, Exceeded, Limit};
use chancery_model::Organisation;
use utoipa::IntoResponses as _;
use utoipa::openapi::PathItem;

use crate::envelope::Envelope;
use crate::page::{self, Visitor};
use crate::path::Endpoint;
use crate::{client_address, schema};

const DPOP: HeaderName = HeaderName::from_static("dpop");
const CLIENT_ATTESTATION: HeaderName = HeaderName::from_static("oauth-client-attestation");
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Charges a request to the budgets of its organisation, client, offer and address; the answer, 429, when one of them is
/// spent.
pub(crate) async fn refusal(
    context: &Context,
    organisation: &Organisation,
    endpoint: Endpoint<'_>,
    headers: &HeaderMap,
    address: Option<IpAddr>,
) -> Option<Response> {
    let offer = match endpoint {
        Endpoint::Offer(id) => Some(id.as_bytes()),
        Endpoint::Fixed(_) | Endpoint::StatusList(_) | Endpoint::Other => {
            headers.get(AUTHORIZATION).map(|value| value.as_bytes())
        }
    };
    let asking = Asking { client: client(headers), offer, address };
    let exceeded = context.admit(organisation, &asking).await.err()?;
    Some(match endpoint.is_front_channel() {
        true => page(context, organisation, headers, exceeded),
        false => envelope(exceeded),
    })
}

/// Charges a request to the offer that its form names; the answer to a wallet when its budget is spent.
pub(crate) async fn refusal_of_form(context: &Context, organisation: &Organisation, form: &[u8]) -> Option<Response> {
    context.admit_form(organisation, form).await.err().map(envelope)
}

/// The same for a person, whose browser brings the form.
pub(crate) async fn page_for_form(
    context: &Context,
    organisation: &Organisation,
    form: &[u8],
    headers: &HeaderMap,
) -> Option<Response> {
    let exceeded = context.admit_form(organisation, form).await.err()?;
    Some(page(context, organisation, headers, exceeded))
}

fn envelope(Exceeded { limit, retry_after }: Exceeded) -> Response {
    tracing::debug!(?limit, "a wallet asks too often");
    let description = match limit {
        Limit::Organisation | Limit::Programs => "too many requests for this issuer, try again later",
        Limit::Client => "too many requests of this client, try again later",
        Limit::Offer => "too many requests for this offer, try again later",
        Limit::Address => "too many requests from this network address, try again later",
    };
    let envelope = Envelope::new(StatusCode::TOO_MANY_REQUESTS, "temporarily_unavailable", description);
    envelope.retry_after(retry_after).into_response()
}

/// The same for a person.
fn page(context: &Context, organisation: &Organisation, headers: &HeaderMap, exceeded: Exceeded) -> Response {
    let Exceeded { limit, retry_after } = exceeded;
    tracing::debug!(?limit, "a person asks too often");
    let (status, visitor) = (StatusCode::TOO_MANY_REQUESTS, Visitor::of(headers));
    let mut response =
        page::failure(context, organisation, status, |texts| &texts.busy, None, visitor.languages(), headers);
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(retry_after));
    response
}

/// The public network address that a request comes from.
pub(crate) fn origin(request: &Request, trusted_proxies: usize) -> Option<IpAddr> {
    let peer = request.extensions().get().map(|ConnectInfo::<SocketAddr>(peer)| peer.ip());
    let forwarded_for = request.headers().get_all(FORWARDED_FOR).iter().map(HeaderValue::as_bytes);
    client_address::seen(forwarded_for, peer, trusted_proxies)
}

/// Adds the refusal to the description of every operation that is counted.
pub(crate) fn describe(item: &mut PathItem) {
    let operations = [&mut item.get, &mut item.post, &mut item.put, &mut item.delete];
    for operation in operations.into_iter().flatten() {
        let tags = operation.tags.as_deref().unwrap_or_default();
        let is = |wanted: &str| tags.iter().any(|tag| tag == wanted);
        if is("Signing in") {
            operation.responses.responses.extend(schema::TooManyPeople::responses());
        } else if !is("Discovery") && !is("Status") {
            operation.responses.responses.extend(schema::TooMany::responses());
        }
    }
}

/// What tells this client from others: the header of its DPoP proof, which holds its key and is the same every time, or
/// its wallet attestation. Nothing is verified yet; who sends the key of another must know it.
fn client(headers: &HeaderMap) -> Option<&[u8]> {
    match headers.get(DPOP) {
        Some(proof) => proof.as_bytes().split(|byte| *byte == b'.').next(),
        None => headers.get(CLIENT_ATTESTATION).map(|attestation| attestation.as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proofs_with_one_key_are_one_client() {
        let with = |proof: &str| HeaderMap::from_iter([(DPOP, proof.parse().unwrap())]);
        let (first, second) = (with("e30.first.s"), with("e30.second.t"));
        assert_eq!(client(&first), client(&second));
        assert_ne!(client(&first), client(&with("e31.first.s")));
        assert_eq!(client(&HeaderMap::new()), None);
    }
}
