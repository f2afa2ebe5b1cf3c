//! Public documents (OpenID4VCI §12.2, RFC 8414, SD-JWT VC §4 and §5).

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Extension, State};
use axum::http::header::{
    ACCEPT, ACCEPT_LANGUAGE, CACHE_CONTROL, CONTENT_LANGUAGE, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use chancery_issuance::wallet::metadata::{Document, Published};
use chancery_issuance::{Context, Failure, wallet};
use chancery_model::Organisation;

use crate::envelope::Envelope;
use crate::schema;

/// How long a document may be reused without asking: short, because definitions and keys change.
const FRESHNESS: HeaderValue = HeaderValue::from_static("public, max-age=10");

/// Credential issuer metadata
///
/// With `Accept: application/jwt` the answer is signed, where the organisation's policy says so. With `Accept-Language`,
/// displays come in that language, where there is one.
///
/// ```sh
/// curl "https://issuer.example/.well-known/openid-credential-issuer/o/acme"
/// ```
#[utoipa::path(
    get,
    path = "/.well-known/openid-credential-issuer",
    tag = "Discovery",
    responses(
        (status = 200, description = "The metadata (OpenID4VCI §12.2.4)", body = serde_json::Value,
            headers(("ETag" = String, description = "Fingerprint of the document"), ("Cache-Control" = String, description = "`public, max-age=10`"), ("Vary" = String, description = "`Accept, Accept-Language`"), ("Content-Language" = Option<String>, description = "Language of the displays, when they were cut down to one")),
            example = json!({
                "credential_issuer": "https://issuer.example/o/acme",
                "credential_endpoint": "https://issuer.example/o/acme/credential",
                "nonce_endpoint": "https://issuer.example/o/acme/nonce",
                "credential_configurations_supported": {"StaffBadge": {"format": "dc+sd-jwt", "vct": "https://issuer.example/o/acme/types/staff"}}
            })),
        (status = 304, description = "Not modified: `If-None-Match` holds the fingerprint"),
        schema::NotFound, schema::MethodNotAllowed, schema::Failed,
    )
)]
pub(crate) async fn credential_issuer(
    State(context): State<Context>,
    Extension(organisation): Extension<Arc<Organisation>>,
    headers: HeaderMap,
) -> Response {
    let published: Result<_, Failure<Infallible>> = wallet::metadata::published(&context, &organisation).await;
    let published = match published {
        Ok(published) => published,
        Err(failure) => return Envelope::from(failure).into_response(),
    };
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let chosen = published.credential_issuer.choose(text(ACCEPT), text(ACCEPT_LANGUAGE));
    let mut response = answer(chosen.document, chosen.media_type, &headers);
    response.headers_mut().insert(VARY, HeaderValue::from_static("Accept, Accept-Language"));
    if let Some(language) = chosen.language.and_then(|tag| HeaderValue::from_str(tag).ok()) {
        response.headers_mut().insert(CONTENT_LANGUAGE, language);
    }
    response
}

/// Authorization server metadata
///
/// ```sh
/// curl "https://issuer.example/.well-known/oauth-authorization-server/o/acme"
/// ```
#[utoipa::path(
    get,
    path = "/.well-known/oauth-authorization-server",
    tag = "Discovery",
    responses(
        (status = 200, description = "The metadata (RFC 8414 §2, OpenID4VCI §12.3)", body = serde_json::Value,
            headers(("ETag" = String, description = "Fingerprint of the document")),
            example = json!({
                "issuer": "https://issuer.example/o/acme",
                "token_endpoint": "https://issuer.example/o/acme/token",
                "grant_types_supported": ["urn:ietf:params:oauth:grant-type:pre-authorized_code"],
                "pre-authorized_grant_anonymous_access_supported": true,
                "dpop_signing_alg_values_supported": ["ES256", "EdDSA"]
            })),
        (status = 304, description = "Not modified: `If-None-Match` holds the fingerprint"),
        schema::NotFound, schema::MethodNotAllowed, schema::Failed,
    )
)]
pub(crate) async fn authorization_server(
    State(context): State<Context>,
    Extension(organisation): Extension<Arc<Organisation>>,
    headers: HeaderMap,
) -> Response {
    serve(&context, &organisation, &headers, |published| Some(&published.authorization_server)).await
}

/// Authorization server metadata, under the name that OpenID Connect wallets ask for
///
/// ```sh
/// curl "$ISSUER/.well-known/openid-configuration"
/// ```
#[utoipa::path(
    get,
    path = "/.well-known/openid-configuration",
    tag = "Discovery",
    responses(
        (status = 200, description = "The same document as `oauth-authorization-server`", body = serde_json::Value,
            headers(("ETag" = String, description = "Fingerprint of the document")),
            example = json!({"issuer": "https://issuer.example/o/acme", "token_endpoint": "https://issuer.example/o/acme/token"})),
        (status = 304, description = "Not modified: `If-None-Match` holds the fingerprint"),
        schema::NotFound, schema::MethodNotAllowed, schema::Failed,
    )
)]
pub(crate) async fn openid_configuration(
    State(context): State<Context>,
    Extension(organisation): Extension<Arc<Organisation>>,
    headers: HeaderMap,
) -> Response {
    serve(&context, &organisation, &headers, |published| Some(&published.authorization_server)).await
}

/// Keys that sign credentials, for verifiers
///
/// ```sh
/// curl "https://issuer.example/.well-known/jwt-vc-issuer/o/acme"
/// ```
#[utoipa::path(
    get,
    path = "/.well-known/jwt-vc-issuer",
    tag = "Discovery",
    responses(
        (status = 200, description = "JWT VC issuer metadata (SD-JWT VC §4)", body = serde_json::Value,
            headers(("ETag" = String, description = "Fingerprint of the document")),
            example = json!({"issuer": "https://issuer.example/o/acme", "jwks": {"keys": []}})),
        (status = 304, description = "Not modified: `If-None-Match` holds the fingerprint"),
        schema::NotFound, schema::MethodNotAllowed, schema::Failed,
    )
)]
pub(crate) async fn jwt_vc_issuer(
    State(context): State<Context>,
    Extension(organisation): Extension<Arc<Organisation>>,
    headers: HeaderMap,
) -> Response {
    serve(&context, &organisation, &headers, |published| Some(&published.jwt_vc_issuer)).await
}

/// Keys that sign credentials, as a JWK set
///
/// ```sh
/// curl "$ISSUER/jwks"
/// ```
#[utoipa::path(
    get,
    path = "/jwks",
    tag = "Discovery",
    responses(
        (status = 200, description = "JWK set (RFC 7517 §5)", body = serde_json::Value,
            headers(("ETag" = String, description = "Fingerprint of the document")),
            example = json!({"keys": [{"kty": "EC", "crv": "P-256", "x": "…", "y": "…", "kid": "…", "alg": "ES256", "use": "sig"}]})),
        (status = 304, description = "Not modified: `If-None-Match` holds the fingerprint"),
        schema::NotFound, schema::MethodNotAllowed, schema::Failed,
    )
)]
pub(crate) async fn jwks(
    State(context): State<Context>,
    Extension(organisation): Extension<Arc<Organisation>>,
    headers: HeaderMap,
) -> Response {
    serve(&context, &organisation, &headers, |published| Some(&published.jwks)).await
}

/// Type metadata of a credential type that the organisation hosts
///
/// A definition whose `vct` is an URL below the issuer identifier is described at that very URL; `/types/{name}` is the
/// usual place, any other works as well.
///
/// ```sh
/// curl "$ISSUER/types/staff"
/// ```
#[utoipa::path(
    get,
    path = "/types/{name}",
    tag = "Discovery",
    params(("name" = String, Path, description = "Rest of the `vct`")),
    responses(
        (status = 200, description = "Type metadata (SD-JWT VC §5)", body = serde_json::Value,
            headers(("ETag" = String, description = "Fingerprint of the document")),
            example = json!({"vct": "https://issuer.example/o/acme/types/staff", "name": "Staff badge"})),
        (status = 304, description = "Not modified: `If-None-Match` holds the fingerprint"),
        schema::NotFound, schema::MethodNotAllowed, schema::Failed,
    )
)]
pub(crate) async fn type_metadata(
    State(context): State<Context>,
    Extension(organisation): Extension<Arc<Organisation>>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let vct = organisation.issuer.endpoint(uri.path());
    serve(&context, &organisation, &headers, |published| published.types.get(&vct)).await
}

async fn serve(
    context: &Context,
    organisation: &Organisation,
    headers: &HeaderMap,
    choose: impl FnOnce(&Published) -> Option<&Document>,
) -> Response {
    let published: Result<_, Failure<Infallible>> = wallet::metadata::published(context, organisation).await;
    match published {
        Ok(published) => match choose(&published) {
            Some(document) => answer(document, "application/json", headers),
            None => Envelope::not_found("nothing is here").into_response(),
        },
        Err(failure) => Envelope::from(failure).into_response(),
    }
}

pub(crate) fn answer(document: &Document, media_type: &'static str, headers: &HeaderMap) -> Response {
    let mut response = if is_known(headers, &document.etag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let body = Bytes::from_owner(Arc::clone(&document.body));
        ([(CONTENT_TYPE, HeaderValue::from_static(media_type))], Body::from(body)).into_response()
    };
    response.headers_mut().insert(CACHE_CONTROL, FRESHNESS);
    if let Ok(etag) = HeaderValue::from_str(&document.etag) {
        response.headers_mut().insert(ETAG, etag);
    }
    response
}

/// Whether the caller has what `etag` names; tags are compared weakly (RFC 9110 §13.1.2).
pub(crate) fn is_known(headers: &HeaderMap, etag: &str) -> bool {
    let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    let etag = opaque(etag);
    let known = headers.get(IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    known.is_some_and(|known| known.split(',').map(opaque).any(|tag| tag == etag || tag == "*"))
}
