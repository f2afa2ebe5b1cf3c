//! Credential definitions.

mod body;
mod schema;

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use chancery_issuance::Context;
use chancery_issuance::management::definitions::{
    self, CreateRejection, DeleteRejection, Filter, ReadRejection, Saved, UpdateRejection,
};
use chancery_model::DefinitionId;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use self::body::NewCredentialDefinition;
pub(crate) use self::body::{BindingMethodSchema, LevelName, NewDisplay};
use self::schema::CredentialDefinition;
pub(crate) use self::schema::claim_path;
pub(crate) use self::schema::{Claim, Claims, Display as DisplaySchema};
use crate::access::{Organisational, never};
use crate::list::{Done, Pagination, WindowQuery};
use crate::precondition::{IfMatch, IfMatchHeader, tagged};
use crate::problem::{Kind, Problem};
use crate::request::{Body, Id, Parameters};
use crate::routes;

/// Create a credential definition.
///
/// Each element of `credentialDefinitions` becomes one credential configuration in the issuer metadata. The
/// older flat shape, one entry's members at the top level with `claims` as a JSON Schema, is accepted too and
/// stored as path pointers. This release issues `dc+sd-jwt`.
///
/// With `claimsEndpoint`, claims that an issue call leaves out are fetched there when a wallet asks for the credential. Without
/// `secretKey` a secret is made, and shown in this answer only.
#[utoipa::path(
    post, path = routes::DEFINITION, tag = "Credential definitions", operation_id = "createCredentialDefinition",
    request_body(content = NewCredentialDefinition, example = json!({
        "label": "Staff badge",
        "credentialDefinitions": [{
            "credentialFormat": "dc+sd-jwt",
            "vct": "https://issuer.example/staff-badge",
            "expirationInDays": 365,
            "claims": { "claims": [
                { "path": ["given_name"], "mandatory": true, "limitDisclosure": true },
                { "path": ["address", "locality"], "mandatory": false, "limitDisclosure": true }
            ] },
            "display": { "name": "Staff badge", "backgroundColor": "#12355b" }
        }]
    })),
    responses(
        (status = 200, description = "The definition with its ids", body = DefinitionAnswer),
        (status = 409, description = "Problem `configuration-id-taken` or `scope-taken`"),
    ),
)]
pub(crate) async fn create(
    Organisational(caller): Organisational,
    State(ctx): State<Context>,
    body: Body,
) -> Result<Response, Problem> {
    let created = definitions::create(&ctx, &caller.organisation, &body.members).await;
    created.map(saved).map_err(|failure| {
        Problem::of(failure, |rejection| match rejection {
            CreateRejection::Invalid(faults) => Problem::invalid(faults),
            CreateRejection::ConfigurationTaken(fault) => Problem::faulty(Kind::ConfigurationIdTaken, vec![fault]),
            CreateRejection::ScopeTaken(fault) => Problem::faulty(Kind::ScopeTaken, vec![fault]),
        })
    })
}

/// List credential definitions.
#[utoipa::path(
    get, path = routes::DEFINITIONS, tag = "Credential definitions", operation_id = "listCredentialDefinitions",
    params(WindowQuery, DefinitionQuery),
    responses((status = 200, description = "One page of definitions", body = DefinitionList)),
)]
pub(crate) async fn list(
    Organisational(caller): Organisational,
    State(ctx): State<Context>,
    mut query: Parameters,
) -> Result<Json<DefinitionList>, Problem> {
    let filter = Filter {
        vct: query.text_within("vct", 2_048),
        doctype: query.text("doctype"),
        kind: query.text("type"),
        search: query.text("search"),
    };
    let (window, skip_counts) = (query.window(), query.flag("skipCounts"));
    query.finish()?;
    let page = definitions::list(&ctx, &caller.organisation, &filter, window, !skip_counts).await.map_err(never)?;
    Ok(Json(DefinitionList {
        credential_definitions: page.items.iter().map(CredentialDefinition::from).collect(),
        pagination: page.pagination.into(),
    }))
}

/// Read a credential definition.
#[utoipa::path(
    get, path = routes::DEFINITION_BY_ID, tag = "Credential definitions", operation_id = "readCredentialDefinition",
    params(("credentialDefinitionId" = String, Path, description = "Id of the definition", format = Uuid)),
    responses((status = 200, description = "The newest version", body = DefinitionAnswer)),
)]
pub(crate) async fn read(
    Organisational(caller): Organisational,
    State(ctx): State<Context>,
    Id(id): Id<DefinitionId>,
) -> Result<Response, Problem> {
    let found = definitions::read(&ctx, &caller.organisation, id).await;
    found.map(|definition| answer(&definition)).map_err(|failure| {
        Problem::of(failure, |rejection| match rejection {
            ReadRejection::NotFound => Problem::not_found("credential definition"),
        })
    })
}

/// Update a credential definition.
///
/// Makes a new version; exchanges that run keep the one they started with. `version`, `trustAnchor` and `kid`
/// cannot be changed. Entries go on under the `id` they were answered with. A `claimsEndpoint` that stays keeps its secret
/// unless another `secretKey` is given; then both sign for 24 hours.
#[utoipa::path(
    put, path = routes::DEFINITION_BY_ID, tag = "Credential definitions", operation_id = "updateCredentialDefinition",
    params(
        ("credentialDefinitionId" = String, Path, description = "Id of the definition", format = Uuid),
        IfMatchHeader,
    ),
    request_body(content = NewCredentialDefinition, example = json!({
        "label": "Staff badge",
        "credentialDefinitions": [{
            "id": "0198f6a1-6a0e-7c50-9f0e-2b6f4d8f0c11",
            "credentialFormat": "dc+sd-jwt",
            "vct": "https://issuer.example/staff-badge",
            "claims": { "claims": [{ "path": ["given_name"], "limitDisclosure": true }] }
        }]
    })),
    responses(
        (status = 200, description = "The new version", body = DefinitionAnswer),
        (status = 409, description = "Problem `configuration-id-taken`, `scope-taken` or `concurrent-update`"),
        (status = 412, description = "Problem `precondition-failed`"),
    ),
)]
pub(crate) async fn update(
    Organisational(caller): Organisational,
    State(ctx): State<Context>,
    Id(id): Id<DefinitionId>,
    IfMatch(expected): IfMatch,
    body: Body,
) -> Result<Response, Problem> {
    let updated = definitions::update(&ctx, &caller.organisation, id, expected, &body.members).await;
    updated.map(saved).map_err(|failure| {
        Problem::of(failure, |rejection| match rejection {
            UpdateRejection::NotFound => Problem::not_found("credential definition"),
            UpdateRejection::Invalid(faults) => Problem::invalid(faults),
            UpdateRejection::ConfigurationTaken(fault) => Problem::faulty(Kind::ConfigurationIdTaken, vec![fault]),
            UpdateRejection::ScopeTaken(fault) => Problem::faulty(Kind::ScopeTaken, vec![fault]),
            UpdateRejection::Stale => Problem::stale(),
            UpdateRejection::Concurrent => {
                Problem::new(Kind::ConcurrentUpdate, "another update came first; read the definition again")
            }
        })
    })
}

/// Delete a credential definition.
///
/// Refused while exchanges of it are open. Records of finished exchanges stay readable.
#[utoipa::path(
    delete, path = routes::DEFINITION_BY_ID, tag = "Credential definitions", operation_id = "deleteCredentialDefinition",
    params(("credentialDefinitionId" = String, Path, description = "Id of the definition", format = Uuid), IfMatchHeader),
    responses(
        (status = 200, description = "The definition is gone", body = Done),
        (status = 409, description = "Problem `definition-in-use`"),
        (status = 412, description = "Problem `precondition-failed`"),
    ),
)]
pub(crate) async fn delete(
    Organisational(caller): Organisational,
    State(ctx): State<Context>,
    Id(id): Id<DefinitionId>,
    IfMatch(expected): IfMatch,
) -> Result<Json<Done>, Problem> {
    let deleted = definitions::delete(&ctx, &caller.organisation, id, expected).await;
    deleted.map(|()| Json(Done::DONE)).map_err(|failure| {
        Problem::of(failure, |rejection| match rejection {
            DeleteRejection::NotFound => Problem::not_found("credential definition"),
            DeleteRejection::Stale => Problem::stale(),
            DeleteRejection::InUse => Problem::new(
                Kind::DefinitionInUse,
                "exchanges of this definition are open; delete them or let them end",
            ),
        })
    })
}

/// The one answer that shows a secret that was made.
fn saved(saved: Saved) -> Response {
    let Saved { definition, new_secret } = saved;
    let mut answer = DefinitionAnswer::from(&definition);
    answer.credential_definition.claims_endpoint.secret_key =
        new_secret.map(|secret| secret.to_string()).unwrap_or_default();
    tagged(definition.revision, Json(answer))
}

fn answer(definition: &chancery_model::Definition) -> Response {
    tagged(definition.revision, Json(DefinitionAnswer::from(definition)))
}

impl From<&chancery_model::Definition> for DefinitionAnswer {
    fn from(definition: &chancery_model::Definition) -> Self {
        Self { credential_definition: CredentialDefinition::from(definition) }
    }
}

/// A credential definition.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DefinitionAnswer {
    credential_definition: CredentialDefinition,
}

/// One page of credential definitions.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DefinitionList {
    credential_definitions: Vec<CredentialDefinition>,
    pagination: Pagination,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
#[expect(dead_code, reason = "only describes the query, which `request.rs` reads")]
struct DefinitionQuery {
    /// Exactly this `vct`.
    #[param(max_length = 2048)]
    vct: Option<String>,
    /// Exactly this `doctype`.
    doctype: Option<String>,
    /// Exactly this `type`.
    #[param(rename = "type")]
    kind: Option<String>,
    /// Part of label, configuration id or `vct`.
    search: Option<String>,
    /// Leaves `totalItems` and `totalPages` at 0.
    skip_counts: Option<bool>,
}
