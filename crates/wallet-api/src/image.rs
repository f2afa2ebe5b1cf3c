//! Pictures that metadata refers to.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use chancery_issuance::{Context, wallet};
use chancery_model::Organisation;

use crate::envelope::Envelope;
use crate::schema;

/// The name is made of the content, so what is behind it never changes.
const FRESHNESS: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

/// Logo or cover of a credential
///
/// ```sh
/// curl "$ISSUER/images/tM2Q3vN0cWqkVqPSAqXQ4g" > logo.png
/// ```
#[utoipa::path(
    get,
    path = "/images/{name}",
    operation_id = "image",
    tag = "Discovery",
    params(("name" = String, Path, description = "Last segment of `logo.uri` or `background_image.uri`")),
    responses(
        (status = 200, description = "The picture, PNG or JPEG", content(
                (Vec<u8> = "image/png", example = "(binary)"),
                (Vec<u8> = "image/jpeg", example = "(binary)"),
            ),
            headers(("ETag" = String, description = "Fingerprint of the picture"), ("Cache-Control" = String, description = "It never changes"))),
        (status = 304, description = "Not modified: `If-None-Match` holds the fingerprint"),
        schema::NotFound, schema::MethodNotAllowed, schema::Failed,
    )
)]
pub(crate) async fn get(
    State(context): State<Context>,
    Extension(organisation): Extension<Arc<Organisation>>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Response {
    let image = match wallet::image::retrieve(&context, &organisation, &name).await {
        Ok(Some(image)) => image,
        Ok(None) => return Envelope::not_found("there is no such picture").into_response(),
        Err(failure) => return Envelope::from(failure).into_response(),
    };
    let etag = format!("\"{}\"", image.name);
    let known = headers.get(IF_NONE_MATCH).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut response = if known.split(',').any(|tag| tag.trim().trim_start_matches("W/") == etag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let media_type = HeaderValue::from_static(image.media_type.media_type());
        ([(CONTENT_TYPE, media_type)], image.bytes).into_response()
    };
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, FRESHNESS);
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'"));
    if let Ok(etag) = HeaderValue::from_str(&etag) {
        headers.insert(ETAG, etag);
    }
    response
}
