//! The OpenID Provider at which the administrators of an organisation sign in.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use chancery_issuance::Context;
use chancery_issuance::management::access_provider::{self, Rejection};
use chancery_model::{AccessProvider, Organisation, Role};
use serde::Serialize;
use utoipa::ToSchema;

use crate::access::Organisational;
use crate::api_keys::RoleSchema;
use crate::precondition::{IfMatch, IfMatchHeader, tagged};
use crate::problem::{Kind, Problem};
use crate::request::Body;
use crate::routes;

/// Configure the access provider.
///
/// Administrators sign in there, and its access tokens open this API: `Authorization: Bearer <token>`. `roles` says which
/// claims give which role; of several, the one that may most counts. What is sent replaces the configuration as a whole. API
/// keys go on working.
#[utoipa::path(
    put, path = routes::ACCESS_PROVIDER, tag = "Access provider", operation_id = "configureAccessProvider",
    params(IfMatchHeader),
    request_body(content = AccessProviderSchema, example = json!({
        "issuer": "https://login.example/realms/staff",
        "audience": "https://issuer.example/registry",
        "roles": [
            { "claim": ["realm_access", "roles"], "values": ["registry-admin"], "role": "admin" },
            { "claim": ["realm_access", "roles"], "values": ["registry-desk"], "role": "issuer" }
        ],
        "requiredClaims": [{ "claim": ["acr"], "values": ["mfa"] }]
    })),
    responses(
        (status = 200, description = "The access provider", body = AccessProviderAnswer),
        (status = 409, description = "Problem `concurrent-update`"),
        (status = 412, description = "Problem `precondition-failed`"),
    ),
)]
pub(crate) async fn configure(
    Organisational(caller): Organisational,
    State(ctx): State<Context>,
    IfMatch(expected): IfMatch,
    body: Body,
) -> Result<Response, Problem> {
    let configured = access_provider::configure(&ctx, &caller.organisation, expected, &body.members).await;
    configured.map(|it| answer(it, &caller.organisation)).map_err(|failure| Problem::of(failure, refuse))
}

/// Read the access provider.
#[utoipa::path(
    get, path = routes::ACCESS_PROVIDER, tag = "Access provider", operation_id = "readAccessProvider",
    responses(
        (status = 200, description = "The access provider", body = AccessProviderAnswer),
        (status = 404, description = "None is configured: problem `not-found`"),
    ),
)]
pub(crate) async fn read(
    Organisational(caller): Organisational,
    State(ctx): State<Context>,
) -> Result<Response, Problem> {
    let found = access_provider::read(&ctx, &caller.organisation).await;
    found.map(|it| answer(it, &caller.organisation)).map_err(|failure| Problem::of(failure, refuse))
}

/// Remove the access provider.
///
/// Its access tokens open nothing any more.
#[utoipa::path(
    delete, path = routes::ACCESS_PROVIDER, tag = "Access provider", operation_id = "removeAccessProvider",
    params(IfMatchHeader),
    responses(
        (status = 204, description = "The access provider is removed"),
        (status = 404, description = "None is configured: problem `not-found`"),
        (status = 412, description = "Problem `precondition-failed`"),
    ),
)]
pub(crate) async fn remove(
    Organisational(caller): Organisational,
    State(ctx): State<Context>,
    IfMatch(expected): IfMatch,
) -> Result<StatusCode, Problem> {
    let removed = access_provider::remove(&ctx, &caller.organisation, expected).await;
    removed.map(|()| StatusCode::NO_CONTENT).map_err(|failure| Problem::of(failure, refuse))
}

fn refuse(rejection: Rejection) -> Problem {
    match rejection {
        Rejection::NotFound => Problem::not_found("access provider"),
        Rejection::Invalid(faults) => Problem::invalid(faults),
        Rejection::Stale => Problem::stale(),
        Rejection::Concurrent => Problem::new(Kind::ConcurrentUpdate, "read the access provider and try again"),
    }
}

fn answer(provider: AccessProvider, organisation: &Organisation) -> Response {
    let AccessProvider { revision, terms, created_at, updated_at } = provider;
    let role_rule =
        |it: chancery_model::RoleRule| RoleRule { claim: it.rule.claim, values: it.rule.values, role: it.role };
    let access_provider = Shown {
        organisation_id: organisation.id.to_string(),
        issuer: terms.issuer,
        audience: terms.audience,
        plain_jwt: terms.plain_jwt,
        roles: terms.role_rules.into_iter().map(role_rule).collect(),
        required_claims: terms.required_claims.into_iter().map(ClaimRule::from).collect(),
        revision,
        created_at: created_at.seconds(),
        updated_at: updated_at.seconds(),
    };
    tagged(revision, Json(AccessProviderAnswer { access_provider }))
}

/// An access provider.
#[derive(ToSchema)]
#[schema(as = NewAccessProvider, rename_all = "camelCase")]
#[expect(dead_code, reason = "only describes the body, which the use case reads")]
pub(crate) struct AccessProviderSchema {
    /// Issuer identifier: an `https` URL with a public address, unless the deployment allows others. `iss` of tokens.
    #[schema(min_length = 1, max_length = 2048, format = "uri")]
    issuer: String,
    /// What `aud` of tokens must hold. Default: the issuer identifier of the organisation, which also says whom a token is
    /// for; with another audience callers send `X-OrganisationId`.
    #[schema(max_length = 2048)]
    audience: Option<String>,
    /// Whether tokens are taken whose `typ` is `JWT` or absent, as providers issue them that do not know RFC 9068.
    #[schema(default = false)]
    plain_jwt: Option<bool>,
    /// What gives which role.
    #[schema(min_items = 1, max_items = 50)]
    roles: Vec<RoleRule>,
    /// What every token must hold, all of it.
    #[schema(max_items = 50)]
    required_claims: Option<Vec<ClaimRule>>,
}

/// An access provider.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AccessProvider)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Shown {
    /// For the header `X-OrganisationId`.
    #[schema(format = Uuid)]
    organisation_id: String,
    /// `iss` of tokens.
    issuer: String,
    /// What `aud` of tokens must hold.
    audience: String,
    /// Whether tokens are taken whose `typ` is `JWT` or absent.
    plain_jwt: bool,
    /// What gives which role.
    roles: Vec<RoleRule>,
    /// What every token must hold, all of it.
    required_claims: Vec<ClaimRule>,
    /// Counts the changes; `ETag` has it, too.
    revision: u32,
    /// Unix seconds.
    created_at: i64,
    /// Unix seconds.
    updated_at: i64,
}

/// A text of a rule.
#[derive(ToSchema)]
#[schema(as = AccessRuleText, min_length = 1, max_length = 255)]
#[expect(dead_code, reason = "only describes the texts, which the use case reads")]
pub(crate) struct RuleText(String);

/// A claim and what is wanted there: one of the values, as it is or in an array.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AccessClaimRule)]
pub(crate) struct ClaimRule {
    /// Names of the members that lead to the claim, from the outermost on.
    #[schema(value_type = Vec<RuleText>, min_items = 1, max_items = 8)]
    claim: Vec<String>,
    /// Texts; numbers and truth values are compared as JSON writes them. `scope` and `scp` are lists of words.
    #[schema(value_type = Vec<RuleText>, min_items = 1, max_items = 100)]
    values: Vec<String>,
}

/// Who has a role.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AccessRoleRule)]
pub(crate) struct RoleRule {
    /// Names of the members that lead to the claim, from the outermost on.
    #[schema(value_type = Vec<RuleText>, min_items = 1, max_items = 8)]
    claim: Vec<String>,
    /// What is wanted there: one of them.
    #[schema(value_type = Vec<RuleText>, min_items = 1, max_items = 100)]
    values: Vec<String>,
    /// The role.
    #[schema(value_type = RoleSchema)]
    role: Role,
}

/// An access provider.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AccessProviderAnswer {
    access_provider: Shown,
}

impl From<chancery_model::ClaimRule> for ClaimRule {
    fn from(rule: chancery_model::ClaimRule) -> Self {
        Self { claim: rule.claim, values: rule.values }
    }
}
