//! Sandbox organisations: organisations below another one, whose administrators make them.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use chancery_issuance::Context;
use chancery_issuance::management::images::LARGEST_IMAGE;
use chancery_issuance::management::sandboxes::{self, MOST_SANDBOXES, Rejection};
use chancery_model::{ImagePurpose, Organisation, OrganisationId, OrganisationStatus, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

use crate::access::{Organisational, never};
use crate::file::File;
use crate::images::Picture;
use crate::list::{Pagination, WindowQuery};
use crate::precondition::{IfMatch, IfMatchHeader, tagged};
use crate::problem::{Kind, Problem};
use crate::request::{Body, Id, Parameters};
use crate::routes;
use crate::text::Words;

/// Create a sandbox organisation.
///
/// It has an issuer identifier, keys, definitions and records of its own, and begins with the policy of the organisation. Bind
/// an API key to it, or name it in `X-SandboxOrgId`.
#[utoipa::path(
    post, path = routes::SANDBOX, tag = "Sandbox organisations", operation_id = "createSandboxOrganisation",
    request_body(content = SandboxBody, example = json!({ "name": "Registry, for trying things out" })),
    responses(
        (status = 201, description = "The sandbox organisation", body = SandboxAnswer),
        (status = 409, description = "Problem `sandbox-limit`"),
    ),
)]
pub(crate) async fn create(
    Organisational(caller): Organisational,
    State(ctx): State<Context>,
    body: Body,
) -> Result<(StatusCode, Json<SandboxAnswer>), Problem> {
    let created = sandboxes::create(&ctx, &caller.organisation, &body.members).await;
    let created = created.map_err(|failure| Problem::of(failure, refuse))?;
    Ok((StatusCode::CREATED, Json(SandboxAnswer::from(&created))))
}

/// Read a sandbox organisation.
#[utoipa::path(
    get, path = routes::SANDBOX_BY_ID, tag = "Sandbox organisations", operation_id = "readSandboxOrganisation",
    params(("sandboxOrgId" = String, Path, description = "Id of the sandbox organisation", format = Uuid)),
    responses((status = 200, description = "The sandbox organisation", body = SandboxAnswer)),
)]
pub(crate) async fn read(
    Organisational(caller): Organisational,
    State(ctx): State<Context>,
    Id(id): Id<OrganisationId>,
) -> Result<Response, Problem> {
    let found = sandboxes::read(&ctx, &caller.organisation, id).await;
    found.map(|it| answer(&it)).map_err(|failure| Problem::of(failure, refuse))
}

/// Change a sandbox organisation.
#[utoipa::path(
    put, path = routes::SANDBOX_BY_ID, tag = "Sandbox organisations", operation_id = "updateSandboxOrganisation",
    params(("sandboxOrgId" = String, Path, description = "Id of the sandbox organisation", format = Uuid), IfMatchHeader),
    request_body(content = SandboxBody, example = json!({ "name": "Registry, rehearsal" })),
    responses(
        (status = 200, description = "The sandbox organisation", body = SandboxAnswer),
        (status = 412, description = "Problem `precondition-failed`"),
    ),
)]
pub(crate) async fn update(
    caller: Organisational,
    ctx: State<Context>,
    id: Id<OrganisationId>,
    seen: IfMatch<Timestamp>,
    body: Body,
) -> Result<Response, Problem> {
    rename(caller, ctx, id, seen, body).await
}

/// Rename a sandbox organisation.
#[utoipa::path(
    put, path = routes::SANDBOX_NAME, tag = "Sandbox organisations", operation_id = "renameSandboxOrganisation",
    params(("sandboxOrgId" = String, Path, description = "Id of the sandbox organisation", format = Uuid), IfMatchHeader),
    request_body(content = SandboxBody, example = json!({ "name": "Registry, rehearsal" })),
    responses(
        (status = 200, description = "The sandbox organisation", body = SandboxAnswer),
        (status = 412, description = "Problem `precondition-failed`"),
    ),
)]
pub(crate) async fn rename(
    Organisational(caller): Organisational,
    State(ctx): State<Context>,
    Id(id): Id<OrganisationId>,
    IfMatch(seen): IfMatch<Timestamp>,
    body: Body,
) -> Result<Response, Problem> {
    let renamed = sandboxes::rename(&ctx, &caller.organisation, id, seen, &body.members).await;
    renamed.map(|it| answer(&it)).map_err(|failure| Problem::of(failure, refuse))
}

/// Store the logo of a sandbox organisation, which its issuer metadata show.
///
/// PNG or JPEG of at most 512 KiB, as the body. What it is, its first bytes say.
#[utoipa::path(
    put, path = routes::SANDBOX_LOGO, tag = "Sandbox organisations", operation_id = "updateSandboxLogoImage",
    params(("sandboxOrgId" = String, Path, description = "Id of the sandbox organisation", format = Uuid), IfMatchHeader),
    request_body(content(
        (File = "image/png", example = "the bytes of a PNG file"),
        (File = "image/jpeg", example = "the bytes of a JPEG file"),
    )),
    responses(
        (status = 200, description = "The sandbox organisation", body = SandboxAnswer),
        (status = 412, description = "Problem `precondition-failed`"),
        (status = 415, description = "Problem `unsupported-picture`"),
    ),
)]
pub(crate) async fn put_logo(
    Organisational(caller): Organisational,
    State(ctx): State<Context>,
    Id(id): Id<OrganisationId>,
    IfMatch(seen): IfMatch<Timestamp>,
    Picture(bytes): Picture,
) -> Result<Response, Problem> {
    put(&ctx, &caller.organisation, id, seen, (ImagePurpose::Logo, bytes)).await
}

/// Store the cover of a sandbox organisation.
///
/// As for the logo; pages and clients of the organisation show it, wallets do not.
#[utoipa::path(
    put, path = routes::SANDBOX_COVER, tag = "Sandbox organisations", operation_id = "updateSandboxCoverImage",
    params(("sandboxOrgId" = String, Path, description = "Id of the sandbox organisation", format = Uuid), IfMatchHeader),
    request_body(content(
        (File = "image/png", example = "the bytes of a PNG file"),
        (File = "image/jpeg", example = "the bytes of a JPEG file"),
    )),
    responses(
        (status = 200, description = "The sandbox organisation", body = SandboxAnswer),
        (status = 412, description = "Problem `precondition-failed`"),
        (status = 415, description = "Problem `unsupported-picture`"),
    ),
)]
pub(crate) async fn put_cover(
    Organisational(caller): Organisational,
    State(ctx): State<Context>,
    Id(id): Id<OrganisationId>,
    IfMatch(seen): IfMatch<Timestamp>,
    Picture(bytes): Picture,
) -> Result<Response, Problem> {
    put(&ctx, &caller.organisation, id, seen, (ImagePurpose::Cover, bytes)).await
}

/// Delete a sandbox organisation and everything it owns.
///
/// API keys that are bound to it open nothing any more.
#[utoipa::path(
    delete, path = routes::SANDBOX_BY_ID, tag = "Sandbox organisations", operation_id = "deleteSandboxOrganisation",
    params(("sandboxOrgId" = String, Path, description = "Id of the sandbox organisation", format = Uuid), IfMatchHeader),
    responses(
        (status = 204, description = "The sandbox organisation is gone"),
        (status = 412, description = "Problem `precondition-failed`"),
    ),
)]
pub(crate) async fn delete(
    Organisational(caller): Organisational,
    State(ctx): State<Context>,
    Id(id): Id<OrganisationId>,
    IfMatch(seen): IfMatch<Timestamp>,
) -> Result<StatusCode, Problem> {
    let deleted = sandboxes::delete(&ctx, &caller.organisation, id, seen).await;
    deleted.map(|()| StatusCode::NO_CONTENT).map_err(|failure| Problem::of(failure, refuse))
}

/// List sandbox organisations.
#[utoipa::path(
    get, path = routes::SANDBOXES, tag = "Sandbox organisations", operation_id = "listSandboxOrganisations",
    params(WindowQuery),
    responses((status = 200, description = "One page of sandbox organisations", body = SandboxList)),
)]
pub(crate) async fn list(
    Organisational(caller): Organisational,
    State(ctx): State<Context>,
    mut query: Parameters,
) -> Result<Json<SandboxList>, Problem> {
    let window = query.window();
    query.finish()?;
    let page = sandboxes::list(&ctx, &caller.organisation, window).await.map_err(never)?;
    Ok(Json(SandboxList {
        sandbox_organisations: page.items.iter().map(Sandbox::from).collect(),
        pagination: page.pagination.into(),
    }))
}

async fn put(
    ctx: &Context,
    parent: &Organisation,
    id: OrganisationId,
    seen: Option<Timestamp>,
    picture: (ImagePurpose, Vec<u8>),
) -> Result<Response, Problem> {
    let stored = sandboxes::put_image(ctx, parent, id, seen, picture).await;
    stored.map(|it| answer(&it)).map_err(|failure| Problem::of(failure, refuse))
}

fn answer(sandbox: &Organisation) -> Response {
    tagged(sandbox.updated_at, Json(SandboxAnswer::from(sandbox)))
}

fn refuse(rejection: Rejection) -> Problem {
    match rejection {
        Rejection::NotFound => Problem::not_found("organisation"),
        Rejection::Invalid(faults) => Problem::invalid(faults),
        Rejection::Stale => Problem::stale(),
        Rejection::Nested => Problem::new(Kind::Forbidden, "a sandbox organisation owns no sandbox organisations"),
        Rejection::TooMany => {
            Problem::new(Kind::SandboxLimit, format!("an organisation has at most {MOST_SANDBOXES} of them"))
        }
        Rejection::TooLarge => Problem::new(Kind::PayloadTooLarge, format!("at most {LARGEST_IMAGE} bytes are read")),
        Rejection::NotAPicture => Problem::new(Kind::UnsupportedPicture, "the file is neither PNG nor JPEG"),
    }
}

/// A sandbox organisation.
#[derive(ToSchema)]
#[schema(as = NewSandboxOrganisation, rename_all = "camelCase")]
#[expect(dead_code, reason = "only describes the body, which the use case reads")]
pub(crate) struct SandboxBody {
    /// Name shown to people.
    #[schema(value_type = Words)]
    name: String,
}

/// A sandbox organisation.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SandboxOrganisation)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Sandbox {
    /// Id, for the header `X-SandboxOrgId`.
    #[schema(format = Uuid)]
    sandbox_org_id: String,
    /// Name shown to people.
    name: String,
    /// Short name in its URL.
    slug: String,
    /// 2: it is deployed; 0: it is not, because it or its organisation is suspended. 1 (being deployed) does not occur: an
    /// answer says that it is done.
    #[schema(example = 2)]
    status: u8,
    /// Credential Issuer Identifier.
    issuer: String,
    /// Base of its endpoints for wallets: the issuer identifier again, under the name that clients of the original contract
    /// read.
    agent_service_endpoint: String,
    /// URL of the credential issuer metadata.
    credential_issuer_metadata: String,
    /// URL of the authorization server metadata.
    authorization_server_metadata: String,
    /// URL of the notification endpoint.
    notification_endpoint: String,
    /// URL of the JWK set.
    jwks_endpoint: String,
    /// URL of the logo; empty when there is none.
    logo_image_url: String,
    /// URL of the cover; empty when there is none.
    cover_image_url: String,
    /// Unix seconds.
    created_at: i64,
    /// Unix seconds.
    updated_at: i64,
}

impl From<&Organisation> for Sandbox {
    fn from(it: &Organisation) -> Self {
        let picture = |name: Option<&str>| name.map(|name| it.image_url(name)).unwrap_or_default();
        Self {
            sandbox_org_id: it.id.to_string(),
            name: it.name.clone(),
            slug: it.slug.to_string(),
            status: match it.status {
                OrganisationStatus::Active => 2,
                OrganisationStatus::Suspended => 0,
            },
            issuer: it.issuer.as_str().to_owned(),
            agent_service_endpoint: it.issuer.as_str().to_owned(),
            credential_issuer_metadata: it.issuer.well_known("openid-credential-issuer"),
            authorization_server_metadata: it.issuer.well_known("oauth-authorization-server"),
            notification_endpoint: it.issuer.endpoint("notification"),
            jwks_endpoint: it.issuer.endpoint("jwks"),
            logo_image_url: picture(it.logo.as_deref()),
            cover_image_url: picture(it.cover.as_deref()),
            created_at: it.created_at.seconds(),
            updated_at: it.updated_at.seconds(),
        }
    }
}

/// A sandbox organisation.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SandboxOrganisationAnswer)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SandboxAnswer {
    sandbox_organisation: Sandbox,
}

impl From<&Organisation> for SandboxAnswer {
    fn from(organisation: &Organisation) -> Self {
        Self { sandbox_organisation: Sandbox::from(organisation) }
    }
}

/// One page of sandbox organisations.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SandboxOrganisationList)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SandboxList {
    sandbox_organisations: Vec<Sandbox>,
    pagination: Pagination,
}
