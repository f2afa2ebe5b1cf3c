//! Logo and cover of a definition.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{FromRequest, Request, State};
use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use chancery_issuance::Context;
use chancery_issuance::management::LARGEST_BODY;
use chancery_issuance::management::images::{self, LARGEST_IMAGE, Rejection};
use chancery_model::{DefinitionId, ImagePurpose};

use crate::access::Organisational;
use crate::definitions::DefinitionAnswer;
use crate::file::File;
use crate::precondition::{IfMatch, IfMatchHeader, tagged};
use crate::problem::{Kind, Problem};
use crate::request::Id;
use crate::routes;

/// Read the logo of a definition.
#[utoipa::path(
    get, path = routes::LOGO, tag = "Credential definitions", operation_id = "readLogoImage",
    params(("credentialDefinitionId" = String, Path, description = "Id of the definition", format = Uuid)),
    responses((status = 200, description = "The picture, PNG or JPEG", content((File = "image/png"), (File = "image/jpeg")))),
)]
pub(crate) async fn read_logo(
    Organisational(caller): Organisational,
    State(ctx): State<Context>,
    Id(id): Id<DefinitionId>,
) -> Result<Response, Problem> {
    read(&ctx, &caller.organisation, id, ImagePurpose::Logo).await
}

/// Store the logo of a definition.
///
/// PNG or JPEG of at most 512 KiB, as the body. What it is, its first bytes say. The
/// definition gets a new version whose displays show it, under a public URL of the issuer.
#[utoipa::path(
    put, path = routes::LOGO, tag = "Credential definitions", operation_id = "updateLogoImage",
    params(("credentialDefinitionId" = String, Path, description = "Id of the definition", format = Uuid), IfMatchHeader),
    request_body(content(
        (File = "image/png", example = "the bytes of a PNG file"),
        (File = "image/jpeg", example = "the bytes of a JPEG file"),
    )),
    responses(
        (status = 200, description = "The definition that shows it", body = DefinitionAnswer),
        (status = 409, description = "Problem `concurrent-update`"),
        (status = 412, description = "Problem `precondition-failed`"),
        (status = 415, description = "Problem `unsupported-picture`"),
    ),
)]
pub(crate) async fn put_logo(
    Organisational(caller): Organisational,
    State(ctx): State<Context>,
    Id(id): Id<DefinitionId>,
    IfMatch(expected): IfMatch,
    Picture(bytes): Picture,
) -> Result<Response, Problem> {
    put(&ctx, &caller.organisation, id, ImagePurpose::Logo, expected, bytes).await
}

/// Read the cover of a definition.
#[utoipa::path(
    get, path = routes::COVER, tag = "Credential definitions", operation_id = "readCoverImage",
    params(("credentialDefinitionId" = String, Path, description = "Id of the definition", format = Uuid)),
    responses((status = 200, description = "The picture, PNG or JPEG", content((File = "image/png"), (File = "image/jpeg")))),
)]
pub(crate) async fn read_cover(
    Organisational(caller): Organisational,
    State(ctx): State<Context>,
    Id(id): Id<DefinitionId>,
) -> Result<Response, Problem> {
    read(&ctx, &caller.organisation, id, ImagePurpose::Cover).await
}

/// Store the cover of a definition: the background of its card.
///
/// As for the logo.
#[utoipa::path(
    put, path = routes::COVER, tag = "Credential definitions", operation_id = "updateCoverImage",
    params(("credentialDefinitionId" = String, Path, description = "Id of the definition", format = Uuid), IfMatchHeader),
    request_body(content(
        (File = "image/png", example = "the bytes of a PNG file"),
        (File = "image/jpeg", example = "the bytes of a JPEG file"),
    )),
    responses(
        (status = 200, description = "The definition that shows it", body = DefinitionAnswer),
        (status = 409, description = "Problem `concurrent-update`"),
        (status = 412, description = "Problem `precondition-failed`"),
        (status = 415, description = "Problem `unsupported-picture`"),
    ),
)]
pub(crate) async fn put_cover(
    Organisational(caller): Organisational,
    State(ctx): State<Context>,
    Id(id): Id<DefinitionId>,
    IfMatch(expected): IfMatch,
    Picture(bytes): Picture,
) -> Result<Response, Problem> {
    put(&ctx, &caller.organisation, id, ImagePurpose::Cover, expected, bytes).await
}

async fn read(
    ctx: &Context,
    organisation: &chancery_model::Organisation,
    id: DefinitionId,
    purpose: ImagePurpose,
) -> Result<Response, Problem> {
    let found = images::read(ctx, organisation, id, purpose).await;
    let image = found.map_err(|failure| Problem::of(failure, refuse))?;
    let media_type = HeaderValue::from_static(image.media_type.media_type());
    Ok(([(CONTENT_TYPE, media_type)], image.bytes).into_response())
}

async fn put(
    ctx: &Context,
    organisation: &chancery_model::Organisation,
    id: DefinitionId,
    purpose: ImagePurpose,
    expected: Option<u32>,
    bytes: Vec<u8>,
) -> Result<Response, Problem> {
    let stored = images::put(ctx, organisation, id, purpose, expected, bytes).await;
    let definition = stored.map_err(|failure| Problem::of(failure, refuse))?;
    Ok(tagged(definition.revision, Json(DefinitionAnswer::from(&definition))))
}

fn refuse(rejection: Rejection) -> Problem {
    match rejection {
        Rejection::NotFound => Problem::not_found("picture or credential definition"),
        Rejection::TooLarge => too_large(LARGEST_IMAGE),
        Rejection::NotAPicture => Problem::new(Kind::UnsupportedPicture, "the file is neither PNG nor JPEG"),
        Rejection::Stale => Problem::stale(),
        Rejection::Concurrent => Problem::new(Kind::ConcurrentUpdate, "read the definition and try again"),
    }
}

fn too_large(most: usize) -> Problem {
    Problem::new(Kind::PayloadTooLarge, format!("at most {most} bytes are read"))
}

/// The bytes of a picture, whatever they are declared as.
pub(crate) struct Picture(pub(crate) Vec<u8>);

impl FromRequest<Context> for Picture {
    type Rejection = Problem;

    async fn from_request(request: Request, ctx: &Context) -> Result<Self, Problem> {
        let bytes = Bytes::from_request(request, ctx).await.map_err(|_| too_large(LARGEST_BODY))?;
        Ok(Self(bytes.to_vec()))
    }
}
