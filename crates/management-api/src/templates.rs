//! Ready-made definitions, and the scopes in use.

use axum::Json;
use axum::extract::State;
use chancery_issuance::Context;
use chancery_issuance::management::definitions::PreviewRejection;
use chancery_issuance::management::{definitions, templates};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::access::{Organisational, never};
use crate::definitions::{Claim, Claims};
use crate::problem::Problem;
use crate::request::Body;
use crate::routes;

/// List ready-made definitions.
///
/// `credentialDefinition` is the body of the call that creates the definition; change it as needed first.
#[utoipa::path(
    get, path = routes::TEMPLATES, tag = "Credential definitions", operation_id = "listCredentialDefinitionTemplates",
    responses((status = 200, description = "All templates", body = TemplateList)),
)]
pub(crate) async fn list(Organisational(_caller): Organisational) -> Json<TemplateList> {
    let shown = templates::all().into_iter().map(|template| Template {
        id: template.id,
        name: template.name,
        source: template.source,
        credential_definition: template.definition,
    });
    Json(TemplateList { templates: shown.collect() })
}

/// Look at a claims schema that somebody else hosts.
///
/// Reads a JSON Schema, type metadata, or `claims` as definitions have them. Only public addresses are asked, over https;
/// redirects are not followed, and time and size are bounded.
#[utoipa::path(
    post, path = routes::PREVIEW, tag = "Credential definitions", operation_id = "previewCredentialDefinition",
    request_body(content = PreviewBody, example = json!({ "credentialDefinitionUri": "https://schemas.example/diploma" })),
    responses((status = 200, description = "The claims, and the document as it came", body = PreviewAnswer)),
)]
pub(crate) async fn preview(
    Organisational(_caller): Organisational,
    State(ctx): State<Context>,
    body: Body,
) -> Result<Json<PreviewAnswer>, Problem> {
    let found = definitions::preview(&ctx, &body.members).await;
    let found = found.map_err(|failure| {
        Problem::of(failure, |rejection| match rejection {
            PreviewRejection::Invalid(faults) => Problem::invalid(faults),
        })
    })?;
    Ok(Json(PreviewAnswer {
        claims: Claims { claims: found.claims.iter().map(Claim::from).collect() },
        document: Value::Object(found.document),
    }))
}

/// Where the schema is.
#[derive(ToSchema)]
#[schema(as = PreviewRequest, rename_all = "camelCase")]
#[expect(dead_code, reason = "only describes the body, which the use case reads")]
pub(crate) struct PreviewBody {
    /// An https URL.
    #[schema(min_length = 1, max_length = 2048, format = "uri")]
    credential_definition_uri: String,
}

/// A claims schema.
#[derive(Serialize, ToSchema)]
pub(crate) struct PreviewAnswer {
    claims: Claims,
    /// The document as it came.
    #[schema(value_type = Object)]
    document: Value,
}

/// List the scopes by which wallets can ask for credentials.
#[utoipa::path(
    get, path = routes::SCOPES, tag = "Credential definitions", operation_id = "listScopes",
    responses((status = 200, description = "Scopes of the definitions", body = ScopeList)),
)]
pub(crate) async fn scopes(
    Organisational(caller): Organisational,
    State(ctx): State<Context>,
) -> Result<Json<ScopeList>, Problem> {
    let scopes = definitions::scopes(&ctx, &caller.organisation).await.map_err(never)?;
    Ok(Json(ScopeList { scopes }))
}

/// Ready-made definitions.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TemplateList {
    templates: Vec<Template>,
}

/// A ready-made definition.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Template {
    #[schema(example = "pid")]
    id: &'static str,
    name: &'static str,
    /// What it follows.
    source: &'static str,
    /// Body for `POST …/credential-definition`.
    #[schema(value_type = Object)]
    credential_definition: Value,
}

/// Scopes of the definitions.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ScopeList {
    scopes: Vec<String>,
}
