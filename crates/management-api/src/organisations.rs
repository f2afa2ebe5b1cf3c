//! Organisations, for the holder of the platform key.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use chancery_issuance::Context;
use chancery_issuance::management::organisations::{
    self, Changes, CreateRejection, DeleteRejection, NewOrganisation, Rejection, UpdateRejection,
};
use chancery_model::{OrganisationId, OrganisationStatus, Timestamp};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use crate::access::{OfPlatform, Organisational, never};
use crate::api_keys::ApiKey;
use crate::list::{Pagination, WindowQuery};
use crate::precondition::{IfMatch, IfMatchHeader, tagged};
use crate::problem::{Kind, Problem};
use crate::request::{Body, Id, Parameters};
use crate::routes;
use crate::text::Words;

mod policy;

pub(crate) use policy::PolicySchema;

/// Create an organisation.
///
/// The answer holds the API key of its first administrator, which is shown only here.
#[utoipa::path(
    post, path = routes::ORGANISATIONS, tag = "Platform", operation_id = "createOrganisation",
    request_body(content = NewOrganisationSchema, example = json!({ "slug": "acme", "name": "Acme Registry" })),
    responses(
        (status = 201, description = "The organisation and its first API key", body = CreatedOrganisation),
        (status = 409, description = "Problem `slug-taken` or `issuer-taken`"),
    ),
)]
pub(crate) async fn create(
    _: OfPlatform,
    State(ctx): State<Context>,
    body: Body,
) -> Result<(StatusCode, Json<CreatedOrganisation>), Problem> {
    let new = NewOrganisation::read(&body.members).map_err(Problem::invalid)?;
    let created = organisations::create(&ctx, new).await.map_err(|failure| {
        Problem::of(failure, |rejection| match rejection {
            CreateRejection::Invalid(faults) => Problem::invalid(faults),
            CreateRejection::SlugTaken => Problem::new(Kind::SlugTaken, "another organisation has this slug"),
            CreateRejection::IssuerTaken => {
                Problem::new(Kind::IssuerTaken, "another organisation has this issuer identifier")
            }
        })
    })?;
    let answer = CreatedOrganisation {
        organisation: Organisation::from(&created.organisation),
        api_key: ApiKey::with_secret(&created.api_key),
    };
    Ok((StatusCode::CREATED, Json(answer)))
}

/// List organisations.
#[utoipa::path(
    get, path = routes::ORGANISATIONS, tag = "Platform", operation_id = "listOrganisations",
    params(WindowQuery, SearchQuery),
    responses((status = 200, description = "One page of organisations", body = OrganisationList)),
)]
pub(crate) async fn list(
    _: OfPlatform,
    State(ctx): State<Context>,
    mut query: Parameters,
) -> Result<Json<OrganisationList>, Problem> {
    let (search, window) = (query.text("search"), query.window());
    query.finish()?;
    let page = organisations::list(&ctx, &search, window).await.map_err(never)?;
    Ok(Json(OrganisationList {
        organisations: page.items.iter().map(Organisation::from).collect(),
        pagination: page.pagination.into(),
    }))
}

/// Read an organisation.
#[utoipa::path(
    get, path = routes::ORGANISATION, tag = "Platform", operation_id = "readOrganisation",
    params(("organisationId" = String, Path, description = "Id of the organisation", format = Uuid)),
    responses((status = 200, description = "The organisation", body = OrganisationAnswer)),
)]
pub(crate) async fn read(
    _: OfPlatform,
    State(ctx): State<Context>,
    Id(id): Id<OrganisationId>,
) -> Result<Response, Problem> {
    let found = organisations::read(&ctx, id).await;
    Ok(answer(&ctx, &found.map_err(|failure| Problem::of(failure, refuse))?).await)
}

/// Read the organisation that the key belongs to.
///
/// Its issuer identifier is what the URLs of its types and pictures begin with.
#[utoipa::path(
    get, path = routes::OWN_ORGANISATION, tag = "Organisation", operation_id = "readOwnOrganisation",
    responses((status = 200, description = "The organisation", body = OrganisationAnswer)),
)]
pub(crate) async fn own(Organisational(caller): Organisational, State(ctx): State<Context>) -> Response {
    answer(&ctx, &caller.organisation).await
}

/// Change the name or the policy of an organisation.
///
/// Members that are left out stay. A policy is replaced as a whole: its switches that are left out take their
/// defaults.
#[utoipa::path(
    put, path = routes::ORGANISATION, tag = "Platform", operation_id = "updateOrganisation",
    params(("organisationId" = String, Path, description = "Id of the organisation", format = Uuid), IfMatchHeader),
    request_body(content = OrganisationChangesSchema, example = json!({ "policy": { "accessTokenBinding": "dpopRequired" } })),
    responses(
        (status = 200, description = "The organisation", body = OrganisationAnswer),
        (status = 412, description = "Problem `precondition-failed`"),
    ),
)]
pub(crate) async fn update(
    _: OfPlatform,
    State(ctx): State<Context>,
    Id(id): Id<OrganisationId>,
    IfMatch(seen): IfMatch<Timestamp>,
    body: Body,
) -> Result<Response, Problem> {
    let changes = Changes::read(&body.members).map_err(Problem::invalid)?;
    let updated = organisations::update(&ctx, id, seen, changes).await;
    let updated = updated.map_err(|failure| {
        Problem::of(failure, |rejection| match rejection {
            UpdateRejection::NotFound => Problem::not_found("organisation"),
            UpdateRejection::Invalid(faults) => Problem::invalid(faults),
            UpdateRejection::Stale => Problem::stale(),
        })
    })?;
    Ok(answer(&ctx, &updated).await)
}

/// Suspend an organisation.
///
/// Wallets get 404 and its own API keys 403 until it is resumed, and its sandboxes are suspended with it. Nothing is lost.
#[utoipa::path(
    post, path = routes::SUSPEND, tag = "Platform", operation_id = "suspendOrganisation",
    params(("organisationId" = String, Path, description = "Id of the organisation", format = Uuid)),
    responses((status = 200, description = "The organisation", body = OrganisationAnswer)),
)]
pub(crate) async fn suspend(
    _: OfPlatform,
    State(ctx): State<Context>,
    Id(id): Id<OrganisationId>,
) -> Result<Response, Problem> {
    let suspended = organisations::suspend(&ctx, id).await;
    Ok(answer(&ctx, &suspended.map_err(|failure| Problem::of(failure, refuse))?).await)
}

/// Resume a suspended organisation.
#[utoipa::path(
    post, path = routes::RESUME, tag = "Platform", operation_id = "resumeOrganisation",
    params(("organisationId" = String, Path, description = "Id of the organisation", format = Uuid)),
    responses((status = 200, description = "The organisation", body = OrganisationAnswer)),
)]
pub(crate) async fn resume(
    _: OfPlatform,
    State(ctx): State<Context>,
    Id(id): Id<OrganisationId>,
) -> Result<Response, Problem> {
    let resumed = organisations::resume(&ctx, id).await;
    Ok(answer(&ctx, &resumed.map_err(|failure| Problem::of(failure, refuse))?).await)
}

/// Delete an organisation, its sandboxes and everything they own.
#[utoipa::path(
    delete, path = routes::ORGANISATION, tag = "Platform", operation_id = "deleteOrganisation",
    params(("organisationId" = String, Path, description = "Id of the organisation", format = Uuid), IfMatchHeader),
    responses(
        (status = 204, description = "The organisation is gone"),
        (status = 412, description = "Problem `precondition-failed`"),
    ),
)]
pub(crate) async fn delete(
    _: OfPlatform,
    State(ctx): State<Context>,
    Id(id): Id<OrganisationId>,
    IfMatch(seen): IfMatch<Timestamp>,
) -> Result<StatusCode, Problem> {
    let deleted = organisations::delete(&ctx, id, seen).await;
    deleted.map(|()| StatusCode::NO_CONTENT).map_err(|failure| {
        Problem::of(failure, |rejection| match rejection {
            DeleteRejection::NotFound => Problem::not_found("organisation"),
            DeleteRejection::Stale => Problem::stale(),
        })
    })
}

fn refuse(rejection: Rejection) -> Problem {
    match rejection {
        Rejection::NotFound => Problem::not_found("organisation"),
    }
}

async fn answer(ctx: &Context, organisation: &chancery_model::Organisation) -> Response {
    let warnings = organisations::warnings(ctx, organisation).await;
    let answer = OrganisationAnswer { organisation: Organisation::from(organisation), warnings };
    tagged(organisation.updated_at, Json(answer))
}

/// What a new organisation is to be.
#[derive(ToSchema)]
#[schema(as = NewOrganisation, rename_all = "camelCase")]
#[expect(dead_code, reason = "only describes the body, which the use case reads")]
pub(crate) struct NewOrganisationSchema {
    /// Short name in default URLs: a-z, 0-9 and hyphens.
    #[schema(min_length = 1, max_length = 63, pattern = "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$")]
    slug: String,
    /// Name shown to people.
    #[schema(value_type = Words)]
    name: String,
    /// Credential Issuer Identifier of its own: an https URL without query and trailing slash. Default:
    /// `{public_url}/o/{slug}`.
    #[schema(max_length = 2048, format = "uri", example = "https://api.example/registry")]
    issuer: Option<String>,
    /// What it asks of wallets; every switch has a default.
    policy: Option<PolicySchema>,
}

/// What is to change.
#[derive(ToSchema)]
#[schema(as = OrganisationChanges, rename_all = "camelCase")]
#[expect(dead_code, reason = "only describes the body, which the use case reads")]
pub(crate) struct OrganisationChangesSchema {
    /// Another name.
    #[schema(value_type = Option<Words>)]
    name: Option<String>,
    /// Another policy.
    policy: Option<PolicySchema>,
}

/// Whether an organisation issues.
#[derive(ToSchema)]
#[schema(as = OrganisationStatus, rename_all = "lowercase")]
#[expect(dead_code, reason = "only describes the model's status")]
pub(crate) enum StatusSchema {
    Active,
    Suspended,
}

/// An organisation.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Organisation {
    /// Id.
    #[schema(format = Uuid)]
    id: String,
    /// Id of the organisation that this one is a sandbox of; empty when it is none.
    parent_id: String,
    /// Short name in default URLs.
    #[schema(example = "acme")]
    slug: String,
    /// Name shown to people.
    #[schema(example = "Acme Registry")]
    name: String,
    /// Credential Issuer Identifier.
    #[schema(example = "https://issuer.example/o/acme")]
    issuer: String,
    /// Whether it issues.
    #[schema(value_type = StatusSchema)]
    status: OrganisationStatus,
    /// What it asks of wallets.
    #[schema(value_type = PolicySchema)]
    policy: chancery_model::Policy,
    /// Unix seconds.
    created_at: i64,
    /// Unix seconds.
    updated_at: i64,
}

impl From<&chancery_model::Organisation> for Organisation {
    fn from(organisation: &chancery_model::Organisation) -> Self {
        Self {
            id: organisation.id.to_string(),
            parent_id: organisation.parent.map(|id| id.to_string()).unwrap_or_default(),
            slug: organisation.slug.to_string(),
            name: organisation.name.clone(),
            issuer: organisation.issuer.as_str().to_owned(),
            status: organisation.status,
            policy: organisation.policy.clone(),
            created_at: organisation.created_at.seconds(),
            updated_at: organisation.updated_at.seconds(),
        }
    }
}

/// An organisation.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OrganisationAnswer {
    organisation: Organisation,
    /// What goes wrong without a change, now or soon: certificates that end within 30 days, trusted ones and the
    /// organisation's own, and under `haip` a signing key without certificates that would do.
    warnings: Vec<String>,
}

/// A new organisation and the key of its first administrator.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CreatedOrganisation {
    organisation: Organisation,
    api_key: ApiKey,
}

/// One page of organisations.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OrganisationList {
    organisations: Vec<Organisation>,
    pagination: Pagination,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only describes the query, which `request.rs` reads")]
struct SearchQuery {
    /// Part of the slug or name.
    search: Option<String>,
}
