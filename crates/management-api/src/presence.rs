//! Finds out once per request who asks: the log, the memory of repeated requests and the handler all want to know, and a
//! provider that has to be asked is asked once.

use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{AUTHORIZATION, HeaderName};
use axum::http::{Extensions, HeaderMap};
use axum::middleware::Next;
use axum::response::Response;
use chancery_issuance::management::access::{self, AccessRejection, Caller, Identified, Presented};
use chancery_issuance::{Context, Failure};

/// Name of the header with the organisation that an access token is meant for.
pub(crate) const ORGANISATION: HeaderName = HeaderName::from_static("x-organisationid");

/// Name of the header with the sandbox organisation that a person acts for.
pub(crate) const SANDBOX: HeaderName = HeaderName::from_static("x-sandboxorgid");

/// Its older name; the newer one goes before.
const SUBWALLET: HeaderName = HeaderName::from_static("x-subwalletid");

/// Headers that say who asks.
const NAMES: [HeaderName; 4] = [AUTHORIZATION, ORGANISATION, SANDBOX, SUBWALLET];

/// What a request says about who asks.
#[derive(Clone, Default)]
pub(crate) struct Credentials {
    authorization: Option<String>,
    organisation: Option<String>,
    sandbox: Option<String>,
}

impl Credentials {
    /// Each header once: two of them could mean two callers.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Self, AccessRejection> {
        Ok(Self {
            authorization: only(headers, &AUTHORIZATION)?,
            organisation: only(headers, &ORGANISATION)?.filter(|text| !text.is_empty()),
            sandbox: joined(headers, &SANDBOX).or_else(|| joined(headers, &SUBWALLET)),
        })
    }

    pub(crate) fn presented(&self) -> Presented<'_> {
        Presented {
            authorization: self.authorization.as_deref(),
            organisation: self.organisation.as_deref(),
            sandbox: self.sandbox.as_deref(),
        }
    }
}

fn only(headers: &HeaderMap, name: &HeaderName) -> Result<Option<String>, AccessRejection> {
    let mut values = headers.get_all(name).iter();
    let first = values.next();
    if values.next().is_some() {
        return Err(AccessRejection::Malformed);
    }
    let text = first.map(|value| value.to_str().map(|text| text.trim().to_owned()));
    text.transpose().map_err(|_| AccessRejection::Malformed)
}

/// All values of a header that API keys do not care about; of two, what comes out is no id. Nothing counts as absent.
fn joined(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let values: Vec<_> = headers.get_all(name).iter().map(|it| String::from_utf8_lossy(it.as_bytes())).collect();
    Some(values.join(",").trim().to_owned()).filter(|text| !text.is_empty())
}

/// The headers that say who asks, for a request of our own to the same end.
pub(crate) fn repeated(headers: &HeaderMap) -> HeaderMap {
    let mut repeated = HeaderMap::new();
    for name in &NAMES {
        for value in headers.get_all(name) {
            repeated.append(name, value.clone());
        }
    }
    repeated
}

/// Who asks, as far as it is known.
#[derive(Clone)]
pub(crate) struct Presence(Arc<Result<Identified, Failure<AccessRejection>>>);

impl Presence {
    async fn of(ctx: &Context, headers: &HeaderMap) -> Self {
        let identified = match Credentials::of(headers) {
            Ok(credentials) => access::identify(ctx, &credentials.presented()).await,
            Err(rejection) => Err(Failure::Rejected(rejection)),
        };
        Self(Arc::new(identified))
    }

    /// Somebody who shows nothing.
    pub(crate) fn stranger() -> Self {
        Self(Arc::new(Err(Failure::Rejected(AccessRejection::Missing))))
    }

    /// What was found out when the request came in; found out now for a request of our own.
    pub(crate) async fn at(ctx: &Context, headers: &HeaderMap, extensions: &Extensions) -> Self {
        match extensions.get::<Self>() {
            Some(known) => known.clone(),
            None => Self::of(ctx, headers).await,
        }
    }

    /// Whoever it is; `None` for strangers, and when it could not be found out.
    pub(crate) fn known(&self) -> Option<&Identified> {
        self.0.as_ref().as_ref().ok()
    }

    /// The caller, unless there is a reason not to let it in.
    pub(crate) async fn admitted(&self, ctx: &Context) -> Result<Caller, Failure<AccessRejection>> {
        match self.0.as_ref() {
            Ok(identified) => access::admit(ctx, identified).await.map_err(Failure::Rejected),
            Err(failure) => Err(failure.again()),
        }
    }
}

pub(crate) async fn recognise(State(ctx): State<Context>, mut request: Request, next: Next) -> Response {
    // Paths that lead nowhere ask for nobody.
    let presence = match request.extensions().get::<MatchedPath>() {
        Some(_) => Presence::of(&ctx, request.headers()).await,
        None => Presence::stranger(),
    };
    request.extensions_mut().insert(presence);
    next.run(request).await
}
