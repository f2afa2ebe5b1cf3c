//! Access tokens on the wire (RFC 6750, RFC 9449 §7).

use axum::http::{HeaderMap, StatusCode};
use chancery_issuance::wallet::access::{self, Presented, Request, Scheme};
use chancery_model::{AccessTokenBinding, Organisation};

use crate::envelope::Envelope;
use crate::request;

/// A request under an access token.
pub(crate) fn request<'r>(headers: &'r HeaderMap, query: Option<&str>, body: &'r [u8]) -> Request<'r> {
    Request { access: presented(headers, query), body, notes: request::notes(headers) }
}

/// What a request presents.
fn presented<'r>(headers: &'r HeaderMap, query: Option<&str>) -> Presented<'r> {
    Presented {
        authorization: request::authorization(headers),
        dpop: request::dpop(headers),
        token_in_query: query.is_some_and(|query| query.contains("access_token=")),
    }
}

/// An answer with the challenges of RFC 6750 §3 and RFC 9449 §7.1.
pub(crate) fn challenged(organisation: &Organisation, error: access::ErrorCode, description: &'static str) -> Envelope {
    use access::ErrorCode as Code;

    let algorithms: Vec<&str> = organisation.policy.proof_algorithms.iter().map(|algorithm| algorithm.name()).collect();
    let algorithms = algorithms.join(" ");
    match error {
        // No error code when no token came (RFC 6750 §3.1).
        Code::Missing => {
            let envelope = Envelope::empty(StatusCode::UNAUTHORIZED).challenge(format!("DPoP algs=\"{algorithms}\""));
            match organisation.policy.access_token_binding {
                AccessTokenBinding::DpopOrBearer => envelope.challenge("Bearer".to_owned()),
                AccessTokenBinding::DpopRequired => envelope,
            }
        }
        Code::InvalidRequest => Envelope::new(StatusCode::BAD_REQUEST, error.name(), description),
        Code::InvalidToken(scheme) => Envelope::new(StatusCode::UNAUTHORIZED, error.name(), description)
            .challenge(challenge(scheme, error.name(), &algorithms)),
        Code::InvalidDpopProof | Code::UseDpopNonce => Envelope::new(
            StatusCode::UNAUTHORIZED,
            error.name(),
            description,
        )
        .challenge(challenge(Scheme::Dpop, error.name(), &algorithms)),
        Code::InsufficientScope(scheme) => Envelope::new(StatusCode::FORBIDDEN, error.name(), description)
            .challenge(challenge(scheme, error.name(), &algorithms)),
    }
}

fn challenge(scheme: Scheme, error: &str, algorithms: &str) -> String {
    match scheme {
        Scheme::Dpop => format!("DPoP error=\"{error}\", algs=\"{algorithms}\""),
        Scheme::Bearer => format!("Bearer error=\"{error}\""),
    }
}
