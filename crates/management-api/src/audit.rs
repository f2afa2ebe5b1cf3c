//! What was changed, by whom, and who tried to.

use axum::Json;
use axum::extract::State;
use chancery_issuance::Context;
use chancery_issuance::management::audit::{self, AuditFilter, hex};
use chancery_model::{ApiKeyId, AuditEntry, AuditOutcome};
use serde::Serialize;
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use crate::access::{Organisational, never};
use crate::list::{Pagination, WindowQuery};
use crate::moment;
use crate::problem::Problem;
use crate::request::Parameters;
use crate::routes;

/// List the audit log.
///
/// Every change and every refused attempt with an API key or access token of the organisation, and what the platform did to it. Issuances are
/// not in it: the record of each says who called for it, in `issuedBy` and `issuedFrom`. Entries are chained in the order of
/// their completion; note `head` elsewhere now and then, and `chancery audit verify --anchor` proves that nothing before it was
/// changed.
#[utoipa::path(
    get, path = routes::AUDIT, tag = "Audit log", operation_id = "listAuditEntries",
    params(AuditQuery, WindowQuery),
    responses((status = 200, description = "One page of entries", body = AuditList)),
)]
pub(crate) async fn list(
    Organisational(caller): Organisational,
    State(ctx): State<Context>,
    mut query: Parameters,
) -> Result<Json<AuditList>, Problem> {
    let given = |text: String| Some(text).filter(|text| !text.is_empty());
    let filter = AuditFilter {
        action: given(query.text("action")),
        outcome: query.read("outcome", "unfinished, done, refused or failed is expected", AuditOutcome::parse),
        actor: query
            .read("actorId", "the id of an API key is expected", |text| ApiKeyId::parse(text).map(ApiKeyId::as_uuid)),
        actor_name: given(query.text("actorName")),
        target: given(query.text("target")),
        since: query.seconds("from"),
        until: query.seconds("to"),
    };
    let window = query.window();
    query.finish()?;
    let (page, head) = audit::list(&ctx, &caller.organisation, &filter, window).await.map_err(never)?;
    Ok(Json(AuditList {
        audit_entries: page.items.iter().map(Entry::from).collect(),
        head: Link { sequence: head.sequence, mac: hex(&head.mac) },
        pagination: page.pagination.into(),
    }))
}

/// Which entries are looked for.
#[derive(IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
#[expect(dead_code, reason = "only describes the query, which the handler reads")]
struct AuditQuery {
    /// Name of an operation, as in this description.
    #[param(example = "updateCredentialDefinition")]
    action: Option<String>,
    /// How it ended.
    #[param(inline)]
    outcome: Option<OutcomeSchema>,
    /// Id of the API key that was shown.
    #[param(format = Uuid)]
    actor_id: Option<String>,
    /// Name of the API key that was shown, or of a person: issuer identifier of the access provider, `#`, `sub`.
    actor_name: Option<String>,
    /// Path of what was to be changed.
    target: Option<String>,
    /// From this instant on, in Unix seconds.
    #[param(minimum = 0, maximum = 253_402_300_799_i64)]
    from: Option<i64>,
    /// Before this instant, in Unix seconds.
    #[param(minimum = 0, maximum = 253_402_300_799_i64)]
    to: Option<i64>,
}

/// How a request ended.
#[derive(ToSchema)]
#[schema(as = AuditOutcome, rename_all = "camelCase")]
#[expect(dead_code, reason = "only describes the model's outcome")]
pub(crate) enum OutcomeSchema {
    Unfinished,
    Done,
    Refused,
    Failed,
}

/// A change, or a refused attempt.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AuditEntry)]
pub(crate) struct Entry {
    /// Id.
    #[schema(format = Uuid)]
    id: String,
    /// When the request came in (RFC 3339, with milliseconds).
    timestamp: String,
    /// Who asked.
    actor: Actor,
    /// Network address of whoever asked; empty when it is not known.
    address: String,
    /// Name of the operation, as in this description.
    action: String,
    /// Path of what was to be changed; the route when the path held anything but ids.
    target: String,
    /// Id of the request, which its answer carries.
    request_id: String,
    /// `unfinished` while the request is answered, and for good when the process stopped in the middle.
    #[schema(value_type = OutcomeSchema)]
    outcome: &'static str,
    /// HTTP status of the answer; 0 as long as there is none.
    status: u16,
    /// Last segment of the problem type that was answered; empty when none was.
    problem: String,
    /// What the API showed before, without secrets; `null` when nothing was there or it is not kept.
    #[schema(value_type = Option<Object>)]
    before: Value,
    /// What the API showed afterwards, without secrets; `null` when nothing was there or it is not kept.
    #[schema(value_type = Option<Object>)]
    after: Value,
    /// Place in the chain, from 1; 0 as long as there is none.
    sequence: u64,
    /// MAC over the entry, its place and the MAC before it, in hexadecimal digits; empty as long as there is none.
    mac: String,
}

/// Who asked for something.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AuditActor)]
pub(crate) struct Actor {
    /// `apiKey`, `platformKey`, `person` or `commandLine`.
    #[schema(example = "apiKey")]
    kind: &'static str,
    /// Id of the API key; empty for others.
    id: String,
    /// Name of the API key; of a person the issuer identifier of the access provider, `#` and `sub`.
    name: String,
    /// The role it has; empty when it has none.
    role: String,
}

/// Where the chain of entries ends.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditHead)]
pub(crate) struct Link {
    /// Place of the last entry; 0 before the first.
    sequence: u64,
    /// Its MAC, in hexadecimal digits.
    mac: String,
}

/// One page of the audit log.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AuditList {
    audit_entries: Vec<Entry>,
    head: Link,
    pagination: Pagination,
}

impl From<&AuditEntry> for Entry {
    fn from(entry: &AuditEntry) -> Self {
        let json = |text: &Option<String>| {
            text.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or(Value::Null)
        };
        Self {
            id: entry.id.to_string(),
            timestamp: moment::text(entry.at),
            actor: Actor {
                kind: entry.actor.kind.name(),
                id: entry.actor.id.map(|id| id.to_string()).unwrap_or_default(),
                name: entry.actor.name.clone(),
                role: entry.actor.role.clone(),
            },
            address: entry.address.clone(),
            action: entry.action.clone(),
            target: entry.target.clone(),
            request_id: entry.request_id.clone(),
            outcome: entry.outcome.name(),
            status: entry.status,
            problem: entry.problem.clone().unwrap_or_default(),
            before: json(&entry.before),
            after: json(&entry.after),
            sequence: entry.link.map(|link| link.sequence).unwrap_or_default(),
            mac: entry.link.map(|link| hex(&link.mac)).unwrap_or_default(),
        }
    }
}
