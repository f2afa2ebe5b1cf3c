//! API keys of an organisation.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use chancery_issuance::Context;
use chancery_issuance::management::api_keys::{
    self, BindRejection, CreateRejection, NewApiKey, ReadRejection, RevokeRejection,
};
use chancery_model::{ApiKeyId, Binding, Role};
use serde::Serialize;
use utoipa::ToSchema;

use crate::access::{Organisational, never};
use crate::list::{Pagination, WindowQuery};
use crate::moment;
use crate::precondition::{IfMatch, IfMatchHeader, tagged};
use crate::problem::Problem;
use crate::request::{Body, Id, Parameters};
use crate::routes;
use crate::text::Words;

/// Create an API key.
///
/// The secret is shown only in this answer; only its hash is kept.
#[utoipa::path(
    post, path = routes::API_KEY, tag = "API keys", operation_id = "createApiKey",
    request_body(content = NewApiKeySchema, example = json!({ "name": "issuing service", "role": "issuer", "expiryInDays": 90 })),
    responses((status = 200, description = "The key with its secret", body = ApiKeyAnswer)),
)]
pub(crate) async fn create(
    Organisational(caller): Organisational,
    State(ctx): State<Context>,
    body: Body,
) -> Result<Json<ApiKeyAnswer>, Problem> {
    let made = api_keys::create(&ctx, &caller.organisation, &body.members).await.map_err(|failure| {
        Problem::of(failure, |rejection| match rejection {
            CreateRejection::Invalid(faults) => Problem::invalid(faults),
        })
    })?;
    Ok(Json(ApiKeyAnswer { api_key: ApiKey::with_secret(&made) }))
}

/// List API keys, revoked ones included, without their secrets.
#[utoipa::path(
    get, path = routes::API_KEYS, tag = "API keys", operation_id = "listApiKeys",
    params(WindowQuery),
    responses((status = 200, description = "One page of keys", body = ApiKeyList)),
)]
pub(crate) async fn list(
    Organisational(caller): Organisational,
    State(ctx): State<Context>,
    mut query: Parameters,
) -> Result<Json<ApiKeyList>, Problem> {
    let window = query.window();
    query.finish()?;
    let page = api_keys::list(&ctx, &caller.organisation, window).await.map_err(never)?;
    Ok(Json(ApiKeyList {
        api_keys: page.items.iter().map(|key| ApiKey::new(key, String::new())).collect(),
        pagination: page.pagination.into(),
    }))
}

/// Read an API key, without its secret.
///
/// The `ETag` says what it is bound to. A key that was revoked is in the list only.
#[utoipa::path(
    get, path = routes::API_KEY_BY_ID, tag = "API keys", operation_id = "readApiKey",
    params(("apiKeyId" = String, Path, description = "Id of the key", format = Uuid)),
    responses((status = 200, description = "The key", body = ApiKeyAnswer)),
)]
pub(crate) async fn read(
    Organisational(caller): Organisational,
    State(ctx): State<Context>,
    Id(id): Id<ApiKeyId>,
) -> Result<Response, Problem> {
    let found = api_keys::read(&ctx, &caller.organisation, id).await;
    found.map(|key| answer(&key)).map_err(|failure| {
        Problem::of(failure, |rejection| match rejection {
            ReadRejection::NotFound => Problem::not_found("API key"),
        })
    })
}

/// Bind an API key to a sandbox organisation.
///
/// From then on it acts for that one alone, with its role; without `sandboxOrgId` it acts for the organisation again. Its text
/// stays.
#[utoipa::path(
    put, path = routes::API_KEY_SANDBOX, tag = "API keys", operation_id = "bindApiKey",
    params(("apiKeyId" = String, Path, description = "Id of the key", format = Uuid), IfMatchHeader),
    request_body(content = BindingSchema, example = json!({ "sandboxOrgId": "0198f6a1-6a0e-7c50-9f0e-2b6f4d8f0c10" })),
    responses(
        (status = 200, description = "The key", body = ApiKeyAnswer),
        (status = 412, description = "Problem `precondition-failed`"),
    ),
)]
pub(crate) async fn bind(
    Organisational(caller): Organisational,
    State(ctx): State<Context>,
    Id(id): Id<ApiKeyId>,
    IfMatch(seen): IfMatch<Binding>,
    body: Body,
) -> Result<Response, Problem> {
    let bound = api_keys::bind(&ctx, &caller.organisation, id, seen, &body.members).await;
    bound.map(|key| answer(&key)).map_err(|failure| {
        Problem::of(failure, |rejection| match rejection {
            BindRejection::NotFound => Problem::not_found("API key"),
            BindRejection::Invalid(faults) => Problem::invalid(faults),
            BindRejection::Stale => Problem::stale(),
        })
    })
}

fn answer(key: &chancery_model::ApiKey) -> Response {
    tagged(key.binding(), Json(ApiKeyAnswer { api_key: ApiKey::new(key, String::new()) }))
}

/// Revoke an API key.
#[utoipa::path(
    delete, path = routes::API_KEY_BY_ID, tag = "API keys", operation_id = "revokeApiKey",
    params(("apiKeyId" = String, Path, description = "Id of the key", format = Uuid)),
    responses((status = 204, description = "The key opens nothing any more")),
)]
pub(crate) async fn revoke(
    Organisational(caller): Organisational,
    State(ctx): State<Context>,
    Id(id): Id<ApiKeyId>,
) -> Result<StatusCode, Problem> {
    api_keys::revoke(&ctx, &caller.organisation, id).await.map_err(|failure| {
        Problem::of(failure, |rejection| match rejection {
            RevokeRejection::NotFound => Problem::not_found("API key"),
        })
    })?;
    Ok(StatusCode::NO_CONTENT)
}

/// What a new key is to be.
#[derive(ToSchema)]
#[schema(as = NewApiKey, rename_all = "camelCase")]
#[expect(dead_code, reason = "only describes the body, which the use case reads")]
pub(crate) struct NewApiKeySchema {
    /// Name for people.
    #[schema(value_type = Words)]
    name: String,
    /// What it may do.
    role: RoleSchema,
    /// Days after which it expires; zero and negative values are taken as 30.
    #[schema(default = 30, maximum = 3650)]
    expiry_in_days: Option<i32>,
}

/// Whom a key acts for.
#[derive(ToSchema)]
#[schema(as = ApiKeyBinding, rename_all = "camelCase")]
#[expect(dead_code, reason = "only describes the body, which the use case reads")]
pub(crate) struct BindingSchema {
    /// The sandbox organisation; empty or left out: none.
    sandbox_org_id: Option<String>,
}

/// What a key may do.
#[derive(ToSchema)]
#[schema(as = Role, rename_all = "lowercase")]
#[expect(dead_code, reason = "only describes the model's role")]
pub(crate) enum RoleSchema {
    Admin,
    Issuer,
    Auditor,
}

/// An API key.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ApiKey {
    /// Id.
    #[schema(format = Uuid)]
    id: String,
    /// Name for people.
    #[schema(example = "issuing service")]
    name: String,
    /// What it may do.
    #[schema(value_type = RoleSchema)]
    role: Role,
    /// The secret, for the `Authorization` header: only in the answer to its creation, empty ever after.
    #[schema(example = "chy_AaHyoQ2f…")]
    api_key: String,
    /// Days from creation to expiry.
    #[schema(example = 90)]
    expiry_in_days: i64,
    /// When it was created (RFC 3339).
    timestamp: String,
    /// From this instant on it is refused (RFC 3339).
    expiry_timestamp: String,
    /// Last use, to the minute (RFC 3339); empty when never.
    last_used_timestamp: String,
    /// The sandbox organisation that it is bound to; empty when none.
    sandbox_org_id: String,
    /// Whether it was revoked.
    revoked: bool,
    /// When it was revoked (RFC 3339); empty when never.
    revoked_timestamp: String,
}

impl ApiKey {
    pub(crate) fn with_secret(made: &NewApiKey) -> Self {
        Self::new(&made.key, made.secret.reveal().to_owned())
    }

    fn new(key: &chancery_model::ApiKey, secret: String) -> Self {
        Self {
            id: key.id.to_string(),
            name: key.name.clone(),
            role: key.role,
            api_key: secret,
            expiry_in_days: (key.expires_at.seconds() - key.created_at.seconds()) / 86_400,
            timestamp: moment::text(key.created_at),
            expiry_timestamp: moment::text(key.expires_at),
            last_used_timestamp: key.last_used_at.map(moment::text).unwrap_or_default(),
            sandbox_org_id: key.sandbox.map(|id| id.to_string()).unwrap_or_default(),
            revoked: key.revoked_at.is_some(),
            revoked_timestamp: key.revoked_at.map(moment::text).unwrap_or_default(),
        }
    }
}

impl std::fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ApiKey({})", self.id)
    }
}

/// An API key.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ApiKeyAnswer {
    api_key: ApiKey,
}

/// One page of API keys.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ApiKeyList {
    api_keys: Vec<ApiKey>,
    pagination: Pagination,
}
