//! What browsers ask: the authorization endpoint, the way back from the identity provider, and the consent page. These
//! answer pages and redirects, act on a cookie, and are never open to scripts of other origins (RFC 9700 §2.6).

use std::sync::Arc;

use axum::extract::{Extension, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use chancery_issuance::wallet::Refusal;
use chancery_issuance::wallet::front_channel::{Onward, Rejection, authorize, consent, sign_in};
use chancery_issuance::{Context, Failure};
use chancery_model::Organisation;

use crate::page::{self, Message, Texts, Visitor};
use crate::rate_limit;
use crate::request::{self, Content};
use crate::schema;

/// Begin an authorization
///
/// The wallet opens this in a browser: with `client_id` and the `request_uri` of a pushed request, or with the parameters
/// themselves where the policy allows it. The person signs in at the organisation's identity provider and decides on the
/// consent page; then the browser goes to the redirect URI with `code`, `state` and `iss`, or with `error`.
///
/// ```sh
/// curl -i "$ISSUER/authorize?client_id=wallet-dev&request_uri=urn%3Aietf%3Aparams%3Aoauth%3Arequest_uri%3A6esc_11ACC5bwc014ltc14eY22c-D5c3Rmhz8hGnyeM"
/// ```
#[utoipa::path(
    get,
    path = "/authorize",
    operation_id = "authorize",
    tag = "Signing in",
    params(
        ("client_id" = String, Query, description = "The wallet"),
        ("request_uri" = Option<String>, Query, description = "Reference to the pushed request (RFC 9126 §4)"),
        ("ui_locales" = Option<String>, Query, description = "Languages that the person reads, best first"),
    ),
    responses(
        (status = 303, description = "To the identity provider; or back to the wallet, with `error`, `state` and `iss`",
            headers(("Location" = String), ("Set-Cookie" = String, description = "Binds the request to this browser"))),
        (status = 400, description = "A page: client or redirect URI are in doubt, or the `request_uri` is used up",
            body = String, content_type = "text/html", example = "<!doctype html>…<h1>This link no longer works</h1>…"),
        schema::NotFound,
        schema::MethodNotAllowed,
        Page5xx,
    )
)]
pub(crate) async fn authorize(
    State(context): State<Context>,
    Extension(organisation): Extension<Arc<Organisation>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    begin(&context, &organisation, query.unwrap_or_default().as_bytes(), &headers).await
}

/// Begin an authorization with a form
///
/// The same as with GET, the parameters in the body (RFC 6749 §3.1).
///
/// ```sh
/// curl -i "$ISSUER/authorize" -d client_id=wallet-dev -d request_uri=urn:ietf:params:oauth:request_uri:6esc_11ACC5bwc014ltc14eY22c-D5c3Rmhz8hGnyeM
/// ```
#[utoipa::path(
    post,
    path = "/authorize",
    operation_id = "authorize_by_form",
    tag = "Signing in",
    request_body(content = String, content_type = "application/x-www-form-urlencoded",
        example = "client_id=wallet-dev&request_uri=urn%3Aietf%3Aparams%3Aoauth%3Arequest_uri%3A6esc_11ACC5bwc014ltc14eY22c-D5c3Rmhz8hGnyeM"),
    responses(
        (status = 303, description = "As for GET", headers(("Location" = String), ("Set-Cookie" = String))),
        (status = 400, description = "As for GET", body = String, content_type = "text/html",
            example = "<!doctype html>…<h1>This link no longer works</h1>…"),
        schema::NotFound,
        schema::MethodNotAllowed,
        Page5xx,
    )
)]
pub(crate) async fn authorize_by_form(
    State(context): State<Context>,
    Extension(organisation): Extension<Arc<Organisation>>,
    headers: HeaderMap,
    content: Content,
) -> Response {
    match content.bytes("invalid_request") {
        Ok(body) => begin(&context, &organisation, &body, &headers).await,
        Err(_) => too_large(&context, &organisation, &headers),
    }
}

async fn begin(context: &Context, organisation: &Organisation, parameters: &[u8], headers: &HeaderMap) -> Response {
    if let Some(page) = rate_limit::page_for_form(context, organisation, parameters, headers).await {
        return page;
    }
    let visitor = Visitor::of(headers);
    let notes = request::notes(headers);
    let begun =
        authorize::begin(context, organisation, authorize::Request { parameters, browser: visitor.browser(), notes })
            .await;
    onward(context, organisation, begun, &visitor, headers)
}

/// Come back from the identity provider
///
/// The redirect URI that is registered at the identity provider. Each answer is taken once, from the browser that began.
///
/// ```sh
/// curl -i "$ISSUER/sign-in/callback?code=SplxlOBeZQQYbYS6WxSbIA&state=af0ifjsldkj"
/// ```
#[utoipa::path(
    get,
    path = "/sign-in/callback",
    operation_id = "sign_in_callback",
    tag = "Signing in",
    params(
        ("state" = String, Query, description = "As it was sent to the provider"),
        ("code" = Option<String>, Query, description = "The provider's authorization code"),
        ("error" = Option<String>, Query, description = "Or why there is none"),
        ("iss" = Option<String>, Query, description = "The provider (RFC 9207)"),
    ),
    responses(
        (status = 303, description = "To the consent page; or back to the wallet, with `error`",
            headers(("Location" = String))),
        (status = 400, description = "A page: the answer is nobody's, comes twice, or from another browser",
            body = String, content_type = "text/html",
            example = "<!doctype html>…<h1>Please continue in the browser you started in</h1>…"),
        schema::NotFound,
        schema::MethodNotAllowed,
        Page5xx,
    )
)]
pub(crate) async fn callback(
    State(context): State<Context>,
    Extension(organisation): Extension<Arc<Organisation>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let visitor = Visitor::of(&headers);
    let query = query.unwrap_or_default();
    let finished = sign_in::finish(&context, &organisation, query.as_bytes(), visitor.browser()).await;
    onward(&context, &organisation, finished, &visitor, &headers)
}

/// Show the consent page
///
/// What would go into the credential, in the person's language; plain HTML without scripts. Reading it changes nothing.
///
/// ```sh
/// curl -b cookies.txt "$ISSUER/consent?request=0198f6a1-6a0e-7c50-9f0e-2b6f4d8f0c11"
/// ```
#[utoipa::path(
    get,
    path = "/consent",
    operation_id = "show_consent",
    tag = "Signing in",
    params(("request" = String, Query, description = "The authorization, as the callback names it")),
    responses(
        (status = 200, description = "The page", body = String, content_type = "text/html",
            example = "<!doctype html>…<h1>Add this to your wallet?</h1>…"),
        (status = 400, description = "A page: not this browser's, decided before, or too late",
            body = String, content_type = "text/html", example = "<!doctype html>…<h1>You have already decided</h1>…"),
        schema::NotFound,
        schema::MethodNotAllowed,
        Page5xx,
    )
)]
pub(crate) async fn show_consent(
    State(context): State<Context>,
    Extension(organisation): Extension<Arc<Organisation>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let visitor = Visitor::of(&headers);
    let query = query.unwrap_or_default();
    let shown = consent::read(&context, &organisation, query.as_bytes(), visitor.browser()).await;
    match shown {
        Ok(shown) => page::consent(&context, shown),
        Err(failure) => refused(&context, &organisation, failure, &visitor, &headers),
    }
}

/// Decide on the consent page
///
/// The form of the page. Of several decisions on one request, the first counts.
///
/// ```sh
/// curl -i -b cookies.txt "$ISSUER/consent" -d request=0198f6a1-6a0e-7c50-9f0e-2b6f4d8f0c11 -d proof=l9Hc… -d decision=continue
/// ```
#[utoipa::path(
    post,
    path = "/consent",
    operation_id = "decide",
    tag = "Signing in",
    request_body(content = String, content_type = "application/x-www-form-urlencoded",
        example = "request=0198f6a1-6a0e-7c50-9f0e-2b6f4d8f0c11&proof=l9HcTqk0T3bB5mQ0mQw6e0oV1V8mJ0a0mX0Y2b9cJ7E&decision=continue"),
    responses(
        (status = 303, description = "To the wallet: with `code`, or with `error=access_denied`; with `state` and `iss`",
            headers(("Location" = String))),
        (status = 400, description = "A page: not this browser's, not this page's form, decided before, or too late",
            body = String, content_type = "text/html", example = "<!doctype html>…<h1>You have already decided</h1>…"),
        schema::NotFound,
        schema::MethodNotAllowed,
        Page5xx,
    )
)]
pub(crate) async fn decide(
    State(context): State<Context>,
    Extension(organisation): Extension<Arc<Organisation>>,
    headers: HeaderMap,
    content: Content,
) -> Response {
    let Ok(body) = content.bytes("invalid_request") else { return too_large(&context, &organisation, &headers) };
    let visitor = Visitor::of(&headers);
    let decided = consent::decide(&context, &organisation, &body, visitor.browser()).await;
    onward(&context, &organisation, decided, &visitor, &headers)
}

fn too_large(context: &Context, organisation: &Organisation, headers: &HeaderMap) -> Response {
    let visitor = Visitor::of(headers);
    let message = |texts: &'static Texts| &texts.wallet_request;
    page::failure(context, organisation, StatusCode::BAD_REQUEST, message, None, visitor.languages(), headers)
}

/// Leads the browser on, or shows why not.
fn onward(
    context: &Context,
    organisation: &Organisation,
    outcome: Result<Onward, Failure<Refusal<Rejection>>>,
    visitor: &Visitor,
    headers: &HeaderMap,
) -> Response {
    match outcome {
        Ok(onward) => page::onward(onward),
        Err(failure) => refused(context, organisation, failure, visitor, headers),
    }
}

fn refused(
    context: &Context,
    organisation: &Organisation,
    failure: Failure<Refusal<Rejection>>,
    visitor: &Visitor,
    headers: &HeaderMap,
) -> Response {
    let show = |status, message: fn(&'static Texts) -> &'static Message, code| {
        page::failure(context, organisation, status, message, code, visitor.languages(), headers)
    };
    match failure {
        Failure::Rejected(refusal) => {
            let status = match is_passing(&refusal.rejection) {
                true => StatusCode::SERVICE_UNAVAILABLE,
                false => StatusCode::BAD_REQUEST,
            };
            show(status, message(&refusal.rejection), refusal.support_code)
        }
        Failure::Unavailable(cause) => {
            tracing::warn!(cause = format!("{cause:#}"), "a dependency is away");
            show(StatusCode::SERVICE_UNAVAILABLE, |texts| &texts.unavailable, None)
        }
        Failure::Internal(cause) => {
            tracing::error!(cause = format!("{cause:#}"), "the request failed");
            show(StatusCode::INTERNAL_SERVER_ERROR, |texts| &texts.unavailable, None)
        }
    }
}

/// Whether neither the wallet nor the person can do anything but come again.
fn is_passing(rejection: &Rejection) -> bool {
    matches!(rejection, Rejection::Asked(asked) if asked.is_passing())
}

/// What the person is told.
fn message(rejection: &Rejection) -> fn(&'static Texts) -> &'static Message {
    if is_passing(rejection) {
        return |texts| &texts.unavailable;
    }
    match rejection {
        Rejection::Form(_)
        | Rejection::Request(_)
        | Rejection::Asked(_)
        | Rejection::PushedOnly
        | Rejection::ObjectNotPushed
        | Rejection::Client => |texts| &texts.wallet_request,
        Rejection::RequestUri | Rejection::State | Rejection::Forged | Rejection::Offer => |texts| &texts.link,
        Rejection::Browser => |texts| &texts.browser,
        Rejection::TimeOver => |texts| &texts.time_over,
        Rejection::Decided | Rejection::Cancelled => |texts| &texts.decided,
        Rejection::NoProvider
        | Rejection::Provider(_)
        | Rejection::ProviderSaysNo { .. }
        | Rejection::Claims { .. }
        | Rejection::AnotherPerson { .. } => |texts| &texts.sign_in,
    }
}

/// Not the wallet's doing, and not the person's.
#[derive(utoipa::IntoResponses)]
#[expect(dead_code, reason = "only describes an answer")]
pub(crate) enum Page5xx {
    /// Ours.
    #[response(
        status = 500,
        description = "A page: something is broken here",
        content_type = "text/html",
        example = json!("<!doctype html>…<h1>This does not work at the moment</h1>…")
    )]
    Internal(String),
    /// Passing.
    #[response(
        status = 503,
        description = "A page: something that the server depends on is away",
        content_type = "text/html",
        example = json!("<!doctype html>…<h1>This does not work at the moment</h1>…")
    )]
    Unavailable(String),
}
