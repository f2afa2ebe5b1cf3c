//! Access tokens at resource endpoints (RFC 6750, RFC 9449 §7).

use std::sync::Arc;

use chancery_model::{Organisation, SecretHash, Timestamp};
use chancery_protocol::Explanation;
use chancery_protocol::access_token::PresentedToken;
pub use chancery_protocol::access_token::Scheme;

use super::remembered::{Granted, Offered};
use super::trail::Trail;
use super::{Header, Notes, definition_of, dpop};
use crate::{Context, Failure};

/// What a request presents.
#[derive(Clone, Copy, Debug)]
pub struct Presented<'r> {
    /// The `Authorization` header.
    pub authorization: Header<'r>,
    /// The `DPoP` header.
    pub dpop: Header<'r>,
    /// Whether the URL has an `access_token` parameter.
    pub token_in_query: bool,
}

/// A request under an access token as it came.
#[derive(Clone, Copy, Debug)]
pub struct Request<'r> {
    /// Access token and DPoP proof.
    pub access: Presented<'r>,
    /// The JSON.
    pub body: &'r [u8],
    /// Headers for the transcript.
    pub notes: Notes<'r>,
}

/// Why access is refused.
#[derive(Debug)]
pub enum Rejection {
    /// No access token came.
    Missing,
    /// The token is in the URL (RFC 6750 §2.3 is not supported).
    InQuery,
    /// `Authorization` is there more than once, or not readable.
    Header,
    /// No grant has this token.
    Unknown(Scheme),
    /// The token has expired.
    Expired(Scheme),
    /// A token that is bound to a DPoP key was sent as `Bearer`.
    Downgraded,
    /// A token that is not bound to a key was sent as `DPoP`.
    NotBound,
    /// The proof is by another key than the token is bound to.
    WrongKey {
        /// Thumbprint of the token's key.
        expected: String,
        /// Thumbprint of the proof's key.
        got: String,
    },
    /// The DPoP proof is refused.
    Dpop(dpop::Rejection),
}

/// Error codes of RFC 6750 §3.1 and RFC 9449, with the scheme whose challenge carries them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorCode {
    /// None, because no token came.
    Missing,
    /// `invalid_request`.
    InvalidRequest,
    /// `invalid_token`.
    InvalidToken(Scheme),
    /// `invalid_dpop_proof`.
    InvalidDpopProof,
    /// `use_dpop_nonce`.
    UseDpopNonce,
    /// `insufficient_scope`.
    InsufficientScope(Scheme),
}

impl ErrorCode {
    /// The code on the wire; empty when there is none.
    pub fn name(self) -> &'static str {
        match self {
            Self::Missing => "",
            Self::InvalidRequest => "invalid_request",
            Self::InvalidToken(_) => "invalid_token",
            Self::InvalidDpopProof => "invalid_dpop_proof",
            Self::UseDpopNonce => "use_dpop_nonce",
            Self::InsufficientScope(_) => "insufficient_scope",
        }
    }
}

impl Rejection {
    /// The error code for the wallet.
    pub fn error(&self) -> ErrorCode {
        match self {
            Self::Missing => ErrorCode::Missing,
            Self::InQuery | Self::Header => ErrorCode::InvalidRequest,
            Self::Unknown(scheme) | Self::Expired(scheme) => ErrorCode::InvalidToken(*scheme),
            Self::Downgraded | Self::WrongKey { .. } => ErrorCode::InvalidToken(Scheme::Dpop),
            Self::NotBound => ErrorCode::InvalidToken(Scheme::Bearer),
            Self::Dpop(rejection) if rejection.wants_nonce() => ErrorCode::UseDpopNonce,
            Self::Dpop(_) => ErrorCode::InvalidDpopProof,
        }
    }

    /// For the wallet's developer.
    pub fn description(&self) -> &'static str {
        match self {
            Self::Missing => "send the access token in the Authorization header",
            Self::InQuery | Self::Header => "send the access token once, in the Authorization header",
            Self::Unknown(_) | Self::Expired(_) => "the access token is not valid",
            Self::Downgraded => "the access token is bound to a DPoP key: send it with the DPoP scheme and a proof",
            Self::NotBound => "the access token is a Bearer token",
            Self::WrongKey { .. } => "the DPoP proof is by another key than the access token is bound to",
            Self::Dpop(rejection) => rejection.description(),
        }
    }

    /// Key of the transcript record.
    pub(super) fn message(&self) -> &'static str {
        match self {
            Self::Missing | Self::InQuery | Self::Header | Self::Unknown(_) => "access.token_invalid",
            Self::Expired(_) => "access.token_expired",
            Self::Downgraded | Self::NotBound => "access.scheme_wrong",
            Self::WrongKey { .. } | Self::Dpop(_) => "access.dpop_invalid",
        }
    }

    /// For the transcript.
    pub(super) fn explain(&self) -> Explanation {
        let (reason, help, spec_ref) = match self {
            Self::Missing => {
                ("the request has no access token".to_owned(), "send the Authorization header", "RFC 6750 §2.1")
            }
            Self::InQuery => {
                ("the access token is in the URL".to_owned(), "send it in the Authorization header only", "RFC 6750 §2")
            }
            Self::Header => (
                "there is not exactly one readable Authorization header".to_owned(),
                "send the Authorization header once",
                "RFC 6750 §2",
            ),
            Self::Unknown(_) => {
                ("no grant has this access token".to_owned(), "redeem an offer for a new token", "RFC 6750 §3.1")
            }
            Self::Expired(_) => {
                ("the access token has expired".to_owned(), "use the token within its expires_in", "RFC 6750 §3.1")
            }
            Self::Downgraded => (
                "the access token is bound to a DPoP key, but came with the Bearer scheme".to_owned(),
                "send it as Authorization: DPoP, with a proof",
                "RFC 9449 §7.2",
            ),
            Self::NotBound => (
                "the access token is a Bearer token, but came with the DPoP scheme".to_owned(),
                "send it as Authorization: Bearer, or redeem the offer with a DPoP proof",
                "RFC 9449 §7.1",
            ),
            Self::WrongKey { expected, got } => (
                format!("the proof is by the key {got}, the access token is bound to {expected}"),
                "sign proofs with the key of the token request",
                "RFC 9449 §4.3",
            ),
            Self::Dpop(rejection) => return rejection.explain(),
        };
        Explanation { reason, help: help.into(), spec_ref }
    }
}

/// Who asks, and what for.
pub(super) struct Access {
    pub(super) granted: Arc<Granted>,
    pub(super) scheme: Scheme,
}

/// Finds the grant of the presented access token at `endpoint`, a path suffix. From the moment the grant is known, the
/// trail belongs to its exchange. `begin` writes the first record of the trail.
pub(super) async fn check(
    context: &Context,
    organisation: &Organisation,
    now: Timestamp,
    endpoint: &'static str,
    presented: Presented<'_>,
    trail: &mut Trail,
    begin: impl FnOnce(&mut Trail),
) -> Result<Access, Failure<Rejection>> {
    let token = token(presented).map_err(Failure::Rejected)?;
    let hash = SecretHash::of(token.text);
    let granted = match context.remembered().grant(organisation, hash) {
        Some(granted) => granted,
        None => {
            let found = find(context, organisation, hash).await?;
            found.ok_or(Failure::Rejected(Rejection::Unknown(token.scheme)))?
        }
    };
    let grant = &granted.grant;
    trail.belongs_to(grant.exchange_id);
    begin(trail);
    if now >= grant.access_token_expires_at {
        return Err(Failure::Rejected(Rejection::Expired(token.scheme)));
    }
    match (token.scheme, grant.dpop_thumbprint.as_deref()) {
        (Scheme::Bearer, None) => {}
        (Scheme::Bearer, Some(_)) => return Err(Failure::Rejected(Rejection::Downgraded)),
        (Scheme::Dpop, None) => return Err(Failure::Rejected(Rejection::NotBound)),
        (Scheme::Dpop, Some(thumbprint)) => {
            prove(context, organisation, now, endpoint, &token, presented.dpop, thumbprint).await?;
        }
    }
    Ok(Access { scheme: token.scheme, granted })
}

/// The grant of an access token, looked up.
pub(super) async fn find<R>(
    context: &Context,
    organisation: &Organisation,
    token: SecretHash,
) -> Result<Option<Arc<Granted>>, Failure<R>> {
    let read = context.store().read(organisation).await?;
    let Some((grant, exchange)) = read.grant_by_access_token(&token).await? else { return Ok(None) };
    let definition = definition_of(&read, &exchange).await?;
    Ok(Some(Arc::new(Granted { grant, offered: Offered { exchange, definition } })))
}

async fn prove(
    context: &Context,
    organisation: &Organisation,
    now: Timestamp,
    endpoint: &str,
    token: &PresentedToken<'_>,
    header: Header<'_>,
    thumbprint: &str,
) -> Result<(), Failure<Rejection>> {
    let reject = |rejection| Failure::Rejected(Rejection::Dpop(rejection));
    let proof = dpop::verify(context, organisation, now, endpoint, Some(token.text), header)
        .map_err(reject)?
        .ok_or_else(|| reject(dpop::Rejection::Missing))?;
    if proof.thumbprint != thumbprint {
        let rejection = Rejection::WrongKey { expected: thumbprint.to_owned(), got: proof.thumbprint };
        return Err(Failure::Rejected(rejection));
    }
    dpop::claim(context, organisation, now, &proof).await.map_err(|failure| failure.map_rejection(Rejection::Dpop))
}

fn token(presented: Presented<'_>) -> Result<PresentedToken<'_>, Rejection> {
    if presented.token_in_query {
        return Err(Rejection::InQuery);
    }
    let value = match presented.authorization {
        Header::Absent => return Err(Rejection::Missing),
        Header::One(value) => value,
        Header::Repeated | Header::Unreadable => return Err(Rejection::Header),
    };
    PresentedToken::parse(value).ok_or(Rejection::Missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn presented(authorization: Header<'_>) -> Presented<'_> {
        Presented { authorization, dpop: Header::Absent, token_in_query: false }
    }

    #[test]
    fn without_a_token_the_challenge_has_no_error_code_by_cre_4() {
        for authorization in [Header::Absent, Header::One("Basic YTpi"), Header::One("abc")] {
            let rejection = token(presented(authorization)).err();
            assert_eq!(rejection.map(|rejection| rejection.error()), Some(ErrorCode::Missing));
        }
    }

    #[test]
    fn a_token_in_the_url_is_an_invalid_request_even_next_to_a_good_header() {
        let presented = Presented { token_in_query: true, ..presented(Header::One("Bearer abc")) };
        assert_eq!(token(presented).err().map(|rejection| rejection.error()), Some(ErrorCode::InvalidRequest));
    }
}
