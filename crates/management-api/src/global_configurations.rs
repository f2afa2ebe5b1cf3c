//! Defaults of an organisation.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use chancery_issuance::Context;
use chancery_issuance::management::Pagination as Arithmetic;
use chancery_issuance::management::global_configurations::{self, Rejection};
use chancery_model::{EncryptionRule, GlobalConfiguration, GlobalConfigurationId, Organisation};
use serde::Serialize;
use utoipa::ToSchema;

use crate::access::{Organisational, never};
use crate::definitions::{BindingMethodSchema, DisplaySchema, NewDisplay};
use crate::list::{Done, Pagination, WindowQuery};
use crate::precondition::{IfMatch, IfMatchHeader, tagged};
use crate::problem::{Kind, Problem};
use crate::request::{Body, Id, Parameters};
use crate::routes;

/// Set the organisation's defaults.
///
/// What a definition does not say is taken from here when it is created or changed; offers take their lifetime from here,
/// and definitions without a display are published with `credentialBranding`. An organisation has one global
/// configuration: a second one is refused with 400.
#[utoipa::path(
    post, path = routes::GLOBAL, tag = "Global configuration", operation_id = "createGlobalConfiguration",
    request_body(content = GlobalConfigurationBody, example = json!({
        "credentialExpirationInDays": 90,
        "credentialBranding": { "name": "Ministry of Examples", "backgroundColor": "#12355b" },
        "authorizationRequestExpiry": 7200
    })),
    responses((status = 200, description = "The defaults", body = GlobalConfigurationAnswer)),
)]
pub(crate) async fn create(
    Organisational(caller): Organisational,
    State(ctx): State<Context>,
    body: Body,
) -> Result<Response, Problem> {
    let created = global_configurations::create(&ctx, &caller.organisation, &body.members).await;
    created.map(|it| answer(&it, &caller.organisation)).map_err(|failure| Problem::of(failure, refuse))
}

/// Read the organisation's defaults.
#[utoipa::path(
    get, path = routes::GLOBAL_BY_ID, tag = "Global configuration", operation_id = "readGlobalConfiguration",
    params(("globalConfigurationId" = String, Path, description = "Id of the global configuration", format = Uuid)),
    responses((status = 200, description = "The defaults", body = GlobalConfigurationAnswer)),
)]
pub(crate) async fn read(
    Organisational(caller): Organisational,
    State(ctx): State<Context>,
    Id(id): Id<GlobalConfigurationId>,
) -> Result<Response, Problem> {
    let found = global_configurations::read(&ctx, &caller.organisation, id).await;
    found.map(|it| answer(&it, &caller.organisation)).map_err(|failure| Problem::of(failure, refuse))
}

/// Set all of the organisation's defaults anew.
///
/// A member that is left out falls to the built-in default.
#[utoipa::path(
    put, path = routes::GLOBAL_BY_ID, tag = "Global configuration", operation_id = "updateGlobalConfiguration",
    params(
        ("globalConfigurationId" = String, Path, description = "Id of the global configuration", format = Uuid),
        IfMatchHeader,
    ),
    request_body(content = GlobalConfigurationBody, example = json!({
        "credentialExpirationInDays": 30,
        "credentialBranding": { "name": "Ministry of Examples" }
    })),
    responses(
        (status = 200, description = "The defaults", body = GlobalConfigurationAnswer),
        (status = 409, description = "Problem `concurrent-update`"),
        (status = 412, description = "Problem `precondition-failed`"),
    ),
)]
pub(crate) async fn update(
    Organisational(caller): Organisational,
    State(ctx): State<Context>,
    Id(id): Id<GlobalConfigurationId>,
    IfMatch(expected): IfMatch,
    body: Body,
) -> Result<Response, Problem> {
    let updated = global_configurations::update(&ctx, &caller.organisation, id, expected, &body.members).await;
    updated.map(|it| answer(&it, &caller.organisation)).map_err(|failure| Problem::of(failure, refuse))
}

/// Delete the organisation's defaults.
///
/// Definitions keep what they took.
#[utoipa::path(
    delete, path = routes::GLOBAL_BY_ID, tag = "Global configuration", operation_id = "deleteGlobalConfiguration",
    params(
        ("globalConfigurationId" = String, Path, description = "Id of the global configuration", format = Uuid),
        IfMatchHeader,
    ),
    responses(
        (status = 200, description = "The defaults are gone", body = Done),
        (status = 412, description = "Problem `precondition-failed`"),
    ),
)]
pub(crate) async fn delete(
    Organisational(caller): Organisational,
    State(ctx): State<Context>,
    Id(id): Id<GlobalConfigurationId>,
    IfMatch(expected): IfMatch,
) -> Result<Json<Done>, Problem> {
    let deleted = global_configurations::delete(&ctx, &caller.organisation, id, expected).await;
    deleted.map(|()| Json(Done::DONE)).map_err(|failure| Problem::of(failure, refuse))
}

/// List the organisation's defaults: one element or none.
#[utoipa::path(
    get, path = routes::GLOBALS, tag = "Global configuration", operation_id = "listGlobalConfigurations",
    params(WindowQuery),
    responses((status = 200, description = "One page", body = GlobalConfigurationList)),
)]
pub(crate) async fn list(
    Organisational(caller): Organisational,
    State(ctx): State<Context>,
    mut query: Parameters,
) -> Result<Json<GlobalConfigurationList>, Problem> {
    let window = query.window();
    query.finish()?;
    let all = global_configurations::list(&ctx, &caller.organisation).await.map_err(never)?;
    let pagination = Arithmetic::new(all.len() as u64, window.offset, window.limit);
    let passed = usize::try_from(window.offset).unwrap_or(usize::MAX);
    Ok(Json(GlobalConfigurationList {
        global_configurations: all
            .iter()
            .skip(passed)
            .map(|it| GlobalConfigurationSchema::of(it, &caller.organisation))
            .collect(),
        pagination: pagination.into(),
    }))
}

fn answer(configuration: &GlobalConfiguration, organisation: &Organisation) -> Response {
    let body =
        GlobalConfigurationAnswer { global_configuration: GlobalConfigurationSchema::of(configuration, organisation) };
    tagged(configuration.revision, Json(body))
}

fn refuse(rejection: Rejection) -> Problem {
    match rejection {
        Rejection::NotFound => Problem::not_found("global configuration"),
        Rejection::Invalid(faults) => Problem::invalid(faults),
        Rejection::Stale => Problem::stale(),
        Rejection::Concurrent => Problem::new(Kind::ConcurrentUpdate, "read the global configuration and try again"),
    }
}

/// Defaults of an organisation.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct GlobalConfigurationAnswer {
    global_configuration: GlobalConfigurationSchema,
}

/// One page of defaults.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct GlobalConfigurationList {
    global_configurations: Vec<GlobalConfigurationSchema>,
    pagination: Pagination,
}

/// Defaults of an organisation.
#[derive(Serialize, ToSchema)]
#[schema(as = GlobalConfiguration)]
#[serde(rename_all = "camelCase")]
pub(crate) struct GlobalConfigurationSchema {
    #[schema(format = Uuid)]
    global_configuration_id: String,
    /// Validity of credentials, in days.
    credential_expiration_in_days: u32,
    /// Display of definitions that have none.
    credential_branding: DisplaySchema,
    /// Whether requests must be encrypted: as the organisation's policy says.
    credential_request_encryption_required: bool,
    /// Lifetime of an offer, in seconds; 0 for that of the organisation's policy.
    authorization_request_expiry: u32,
    /// How holder keys may be named; empty for those of the organisation's policy.
    #[schema(value_type = Vec<BindingMethodSchema>)]
    credential_binding_methods: Vec<String>,
    /// Least distance of polls, in seconds.
    credential_response_interval: u32,
    /// 1 at first, counting up; also in the `ETag`.
    revision: u32,
    /// Unix seconds.
    created_at: i64,
    /// Unix seconds.
    updated_at: i64,
}

impl GlobalConfigurationSchema {
    fn of(configuration: &GlobalConfiguration, organisation: &Organisation) -> Self {
        let content = &configuration.content;
        let methods = content.binding_methods.iter().filter_map(|method| serde_json::to_value(method).ok());
        Self {
            global_configuration_id: configuration.id.to_string(),
            credential_expiration_in_days: content.expiration_in_days.unwrap_or(30),
            credential_branding: DisplaySchema::from(content.branding.as_ref()),
            credential_request_encryption_required: organisation.policy.encryption == EncryptionRule::Required,
            authorization_request_expiry: content.offer_lifetime.unwrap_or_default(),
            credential_binding_methods: methods.filter_map(|name| name.as_str().map(str::to_owned)).collect(),
            credential_response_interval: content.response_interval.unwrap_or(5),
            revision: configuration.revision,
            created_at: configuration.created_at.seconds(),
            updated_at: configuration.updated_at.seconds(),
        }
    }
}

/// Defaults to set.
#[derive(ToSchema)]
#[schema(as = NewGlobalConfiguration, rename_all = "camelCase")]
#[expect(dead_code, reason = "only describes the body, which the use case reads")]
pub(crate) struct GlobalConfigurationBody {
    /// Validity of credentials, in days. Default: 30.
    #[schema(minimum = 1, maximum = 36_500)]
    credential_expiration_in_days: Option<u32>,
    /// Display of definitions that have none.
    credential_branding: NewDisplay,
    /// `true` only where the organisation's policy requires encryption.
    credential_request_encryption_required: Option<bool>,
    /// Lifetime of an offer, in seconds. Default: that of the organisation's policy.
    #[schema(minimum = 60, maximum = 31_536_000)]
    authorization_request_expiry: Option<u32>,
    /// How holder keys may be named. Default: those of the organisation's policy.
    #[schema(max_items = 8)]
    credential_binding_methods: Option<Vec<BindingMethodSchema>>,
    /// Least distance of polls, in seconds. Default: 5.
    #[schema(minimum = 1, maximum = 86_400)]
    credential_response_interval: Option<u32>,
}
