//! How refusals and failures look: RFC 9457, with the two members that clients of the original contract read.

use axum::http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use chancery_issuance::management::Fault;
use chancery_issuance::{Failure, SigningObstacle};
use serde::Serialize;
use utoipa::ToSchema;

/// Seconds after which a client may try again when something we depend on is away.
const RETRY_SECONDS: u32 = 2;

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident: $status:ident, $slug:literal, $title:literal;)*) => {
        /// The closed list of problems; each has a page in `docs/problems/`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Kind { $($(#[$doc])* $name,)* }

        impl Kind {
            /// Every kind.
            pub(crate) const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// Last segment of the problem type.
            pub(crate) fn slug(self) -> &'static str {
                match self { $(Self::$name => $slug,)* }
            }

            /// HTTP status.
            pub(crate) fn status(self) -> StatusCode {
                match self { $(Self::$name => StatusCode::$status,)* }
            }

            /// The same words for every occurrence.
            pub(crate) fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }
        }
    };
}

kinds! {
    /// The body breaks rules; `errors` names every place.
    InvalidRequest: BAD_REQUEST, "invalid-request", "The request body breaks rules";
    /// The body is not a JSON object.
    MalformedJson: BAD_REQUEST, "malformed-json", "The request body is not a JSON object";
    /// The header names no sandbox organisation of the caller.
    UnknownSandbox: BAD_REQUEST, "unknown-sandbox", "There is no such sandbox organisation";
    /// A query parameter is wrong.
    InvalidQuery: BAD_REQUEST, "invalid-query", "A query parameter is wrong";
    /// The idempotency key has the wrong form.
    InvalidIdempotencyKey: BAD_REQUEST, "invalid-idempotency-key", "The Idempotency-Key header is malformed";
    /// No key, or one that opens nothing.
    Unauthorized: UNAUTHORIZED, "unauthorized", "An API key or access token is needed";
    /// The caller has another role, or none.
    Forbidden: FORBIDDEN, "forbidden", "Your role may not do this";
    /// The organisation is suspended.
    OrganisationSuspended: FORBIDDEN, "organisation-suspended", "The organisation is suspended";
    /// Nothing there for this caller.
    NotFound: NOT_FOUND, "not-found", "Nothing is here";
    /// The path exists for other methods.
    MethodNotAllowed: METHOD_NOT_ALLOWED, "method-not-allowed", "The path does not answer this method";
    /// Another organisation has the slug.
    SlugTaken: CONFLICT, "slug-taken", "The slug is taken";
    /// Another organisation has the issuer identifier.
    IssuerTaken: CONFLICT, "issuer-taken", "The issuer identifier is taken";
    /// Another definition has the configuration id.
    ConfigurationIdTaken: CONFLICT, "configuration-id-taken", "The configuration id is taken";
    /// Another definition has the scope.
    ScopeTaken: CONFLICT, "scope-taken", "The scope is taken";
    /// Open exchanges need the definition.
    DefinitionInUse: CONFLICT, "definition-in-use", "Open exchanges need the definition";
    /// Somebody else changed it meanwhile.
    ConcurrentUpdate: CONFLICT, "concurrent-update", "Somebody else changed it at the same time";
    /// The key's life does not lead there.
    KeyState: CONFLICT, "key-state", "The key cannot take this state";
    /// The exchange does not stand where this can be done.
    ExchangeState: CONFLICT, "exchange-state", "The exchange is not where this can be done";
    /// What was issued cannot take that status.
    RevocationState: CONFLICT, "revocation-state", "The status cannot become that";
    /// There are as many sandbox organisations as there may be.
    SandboxLimit: CONFLICT, "sandbox-limit", "There are too many sandbox organisations";
    /// The bulk does not stand where this can be done.
    BulkState: CONFLICT, "bulk-state", "The bulk is not where this can be done";
    /// No signing key that would do.
    NoSigningKey: CONFLICT, "no-signing-key", "There is no signing key that would do";
    /// Another individual has the external id.
    ExternalIdTaken: CONFLICT, "external-id-taken", "The external id is taken";
    /// The URL has a webhook.
    WebhookUrlTaken: CONFLICT, "webhook-url-taken", "The URL has a webhook";
    /// As many webhooks as there may be.
    WebhookLimit: CONFLICT, "webhook-limit", "There are too many webhooks";
    /// Nothing is sent to the webhook.
    WebhookDisabled: CONFLICT, "webhook-disabled", "The webhook is disabled";
    /// The same request under the same key has no answer yet.
    RequestUnfinished: CONFLICT, "request-unfinished", "The same request has no answer yet";
    /// The caller knows another version.
    PreconditionFailed: PRECONDITION_FAILED, "precondition-failed", "There is a newer version";
    /// The body is too large.
    PayloadTooLarge: PAYLOAD_TOO_LARGE, "payload-too-large", "The request body is too large";
    /// The body is not declared as JSON.
    UnsupportedMediaType: UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", "The request body is not JSON";
    /// The body is no table that could be read.
    UnsupportedTable: UNSUPPORTED_MEDIA_TYPE, "unsupported-table", "The request body is neither CSV nor JSON Lines";
    /// The body is no picture that wallets show.
    UnsupportedPicture: UNSUPPORTED_MEDIA_TYPE, "unsupported-picture", "The picture is neither PNG nor JPEG";
    /// The idempotency key belongs to another request.
    IdempotencyKeyReused: UNPROCESSABLE_ENTITY, "idempotency-key-reused", "The idempotency key was used for another request";
    /// The organisation has done as much as it may.
    QuotaUsedUp: TOO_MANY_REQUESTS, "quota-used-up", "The quota is used up";
    /// Programs of the organisation ask too often.
    TooManyRequests: TOO_MANY_REQUESTS, "too-many-requests", "There are too many requests";
    /// As many streams as there may be.
    StreamLimit: TOO_MANY_REQUESTS, "stream-limit", "There are too many streams";
    /// Our fault.
    Internal: INTERNAL_SERVER_ERROR, "internal-error", "The server failed to answer";
    /// Something we depend on is away, or too slow.
    Unavailable: SERVICE_UNAVAILABLE, "unavailable", "The service is not available at the moment";
}

/// An error answer before it knows which request it answers.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    kind: Kind,
    detail: String,
    faults: Vec<Fault>,
    /// Seconds after which it is worth trying again, when that is known.
    retry_after: Option<u32>,
    challenge: Option<Challenge>,
}

/// What is wrong with an access token (RFC 6750 §3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Challenge {
    /// It is not to be believed, or over.
    InvalidToken,
    /// It allows less than what was asked for.
    InsufficientScope,
}

impl Challenge {
    fn code(self) -> &'static str {
        match self {
            Self::InvalidToken => "invalid_token",
            Self::InsufficientScope => "insufficient_scope",
        }
    }
}

impl Problem {
    /// `detail` is for people and names no secret.
    pub(crate) fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), faults: Vec::new(), retry_after: None, challenge: None }
    }

    /// Says after how many seconds it is worth trying again.
    pub(crate) fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// The same about an access token; `detail` keeps to the characters of RFC 6750 §3.
    pub(crate) fn challenging(self, challenge: Challenge) -> Self {
        Self { challenge: Some(challenge), ..self }
    }

    /// Nothing is offered that nobody could sign.
    pub(crate) fn no_signing_key(obstacle: &SigningObstacle) -> Self {
        Self::new(Kind::NoSigningKey, obstacle.to_string())
    }

    /// A body that breaks rules.
    pub(crate) fn invalid(faults: Vec<Fault>) -> Self {
        Self::faulty(Kind::InvalidRequest, faults)
    }

    /// A problem with places; the first of them is told in `detail` as well, for clients that read only that.
    pub(crate) fn faulty(kind: Kind, faults: Vec<Fault>) -> Self {
        let first = faults.first();
        let more = match faults.len() {
            0 | 1 => String::new(),
            count => format!(" (and {} more in errors)", count - 1),
        };
        let detail = first.map(|fault| format!("{}: {}{more}", fault.pointer, fault.detail)).unwrap_or_default();
        Self { kind, detail, faults, retry_after: None, challenge: None }
    }

    /// Nothing there, or nothing of this caller's.
    pub(crate) fn not_found(what: &str) -> Self {
        Self::new(Kind::NotFound, format!("there is no such {what}"))
    }

    /// Last segment of the problem type.
    pub(crate) fn slug(&self) -> &'static str {
        self.kind.slug()
    }

    /// `If-Match` names another version than the current one.
    pub(crate) fn stale() -> Self {
        Self::new(Kind::PreconditionFailed, "If-Match does not name the current version; read it and try again")
    }

    /// Our fault.
    pub(crate) fn internal() -> Self {
        Self::new(Kind::Internal, "the failure is logged under the request id of this answer")
    }

    /// Something we depend on is away.
    pub(crate) fn unavailable() -> Self {
        Self::new(Kind::Unavailable, "something we depend on does not answer; try again in a moment")
    }

    /// The answer to a failed use case: a refusal by `refuse`, everything else without its cause, which is
    /// logged here.
    pub(crate) fn of<R>(failure: Failure<R>, refuse: impl FnOnce(R) -> Self) -> Self {
        match failure {
            Failure::Rejected(rejection) => refuse(rejection),
            Failure::Unavailable(cause) => {
                tracing::warn!(cause = format!("{cause:#}"), "a dependency is away");
                Self::unavailable()
            }
            Failure::Internal(cause) => {
                tracing::error!(cause = format!("{cause:#}"), "the request failed");
                Self::internal()
            }
        }
    }

    /// The body for a request to `instance`.
    pub(crate) fn document(&self, instance: &str) -> ProblemDocument {
        let errors = self
            .faults
            .iter()
            .map(|fault| ProblemPlace { pointer: fault.pointer.clone(), detail: fault.detail.clone() });
        ProblemDocument {
            kind: format!("/docs/problems/{}", self.kind.slug()),
            title: self.kind.title().to_owned(),
            status: self.kind.status().as_u16(),
            detail: self.detail.clone(),
            instance: instance.to_owned(),
            errors: errors.collect(),
            error_code: self.kind.status().as_u16(),
            error_description: self.detail.clone(),
        }
    }

    /// RFC 6750 §3: the error only where a token was shown.
    fn bearer_challenge(&self) -> HeaderValue {
        const REALM: &str = "Bearer realm=\"chancery\"";
        let text = match self.challenge {
            Some(challenge) => {
                format!("{REALM}, error=\"{}\", error_description=\"{}\"", challenge.code(), self.detail)
            }
            None => REALM.to_owned(),
        };
        HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(REALM))
    }

    /// The whole answer to a request to `instance`.
    pub(crate) fn respond(&self, instance: &str) -> Response {
        let body = serde_json::to_vec(&self.document(instance)).unwrap_or_default();
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if self.kind == Kind::Unauthorized {
            headers.append(WWW_AUTHENTICATE, HeaderValue::from_static("ApiKey realm=\"chancery\""));
        }
        if self.kind == Kind::Unauthorized || self.challenge.is_some() {
            headers.append(WWW_AUTHENTICATE, self.bearer_challenge());
        }
        let retry_after = self.retry_after.or((self.kind == Kind::Unavailable).then_some(RETRY_SECONDS));
        if let Some(seconds) = retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        (self.kind.status(), headers, body).into_response()
    }
}

/// Leaves the problem for `entry.rs`, which knows the request and writes the body.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.kind.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// Every error answer (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ProblemDocument {
    /// Address of a page that explains the problem, relative to this API.
    #[serde(rename = "type")]
    #[schema(example = "/docs/problems/invalid-request")]
    kind: String,
    /// The same words for every occurrence.
    title: String,
    /// HTTP status.
    status: u16,
    /// What happened this time.
    detail: String,
    /// Path of the request.
    instance: String,
    /// Every place that is wrong.
    errors: Vec<ProblemPlace>,
    /// The HTTP status again, under the name that clients of the original contract read.
    error_code: u16,
    /// The detail again, under the name that clients of the original contract read.
    error_description: String,
}

/// One thing that is wrong.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ProblemPlace {
    /// JSON Pointer (RFC 6901) into the body, or `/` and the name of a query parameter.
    pointer: String,
    /// What is wrong there and what would be right.
    detail: String,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_problem_has_a_page_and_every_page_a_problem() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/problems");
        let pages: BTreeSet<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter_map(|name| name.strip_suffix(".md").map(str::to_owned))
            .collect();
        let slugs: BTreeSet<String> = Kind::ALL.iter().map(|kind| kind.slug().to_owned()).collect();
        assert_eq!(pages, slugs);
    }

    #[test]
    fn a_problem_has_the_members_of_both_worlds() {
        let fault = Fault { pointer: "/label".to_owned(), detail: "too short".to_owned() };
        let problem = serde_json::to_value(Problem::invalid(vec![fault]).document("/v2/x")).unwrap();
        assert_eq!(
            problem,
            serde_json::json!({
                "type": "/docs/problems/invalid-request",
                "title": "The request body breaks rules",
                "status": 400,
                "detail": "/label: too short",
                "instance": "/v2/x",
                "errors": [{ "pointer": "/label", "detail": "too short" }],
                "errorCode": 400,
                "errorDescription": "/label: too short"
            })
        );
    }
}
