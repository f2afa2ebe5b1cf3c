//! Withdrawing what was issued.

use axum::Json;
use axum::extract::State;
use chancery_issuance::Context;
use chancery_issuance::management::revocation::{self, ManyRejection, Outcome, Rejection};
use chancery_model::{ExchangeId, RevocationStatus, StatusChange};
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use crate::access::Organisational;
use crate::history::{HistoryAnswer, shown};
use crate::problem::{Kind, Problem};
use crate::recording::Entrusted;
use crate::request::{Body, Id};
use crate::routes;

/// Revoke, suspend or reactivate what an exchange has issued.
///
/// `Operational` goes to `Suspended` or `Revoked`, `Suspended` to `Operational` or `Revoked`; `Revoked` is final. The
/// status that is there already changes nothing. Published lists show the change within five seconds; who verifies
/// may use a copy for as long as its `ttl` says.
#[utoipa::path(
    put, path = routes::RECORD_STATUS, tag = "Status", operation_id = "setRevocationStatus",
    params(("credentialExchangeId" = String, Path, description = "Id of the exchange", format = Uuid)),
    request_body(content = RevocationBody, example = json!({ "revocationStatus": "Suspended", "reason": "phone lost" })),
    responses(
        (status = 200, description = "The record", body = HistoryAnswer),
        (status = 409, description = "Problem `revocation-state`"),
    ),
)]
pub(crate) async fn change(
    Organisational(caller): Organisational,
    State(ctx): State<Context>,
    Id(id): Id<ExchangeId>,
    Entrusted(attempt): Entrusted,
    body: Body,
) -> Result<Json<HistoryAnswer>, Problem> {
    let changed = revocation::change(&ctx, &caller, id, &body.members, attempt, shown_in_log).await;
    let history = changed.map_err(|failure| Problem::of(failure, refuse))?;
    Ok(Json(HistoryAnswer { credential_history: shown(&history, caller.role) }))
}

/// List the changes of status of what an exchange has issued: who, why, when, from, to; oldest first.
#[utoipa::path(
    get, path = routes::RECORD_STATUS, tag = "Status", operation_id = "listRevocationStatusChanges",
    params(("credentialExchangeId" = String, Path, description = "Id of the exchange", format = Uuid)),
    responses((status = 200, description = "The changes", body = ChangesAnswer)),
)]
pub(crate) async fn changes(
    Organisational(caller): Organisational,
    State(ctx): State<Context>,
    Id(id): Id<ExchangeId>,
) -> Result<Json<ChangesAnswer>, Problem> {
    let found = revocation::changes(&ctx, &caller.organisation, id).await;
    let changes = found.map_err(|failure| Problem::of(failure, refuse))?;
    Ok(Json(ChangesAnswer::of(&changes)))
}

fn shown_in_log(changes: &[StatusChange]) -> Value {
    json!(ChangesAnswer::of(changes))
}

/// Revoke, suspend or reactivate many credentials by a filter.
///
/// A dry run, which is the default, tells how many would change, in which lists, and when that is visible. With
/// `dryRun: false` at most 10,000 credentials are changed, oldest exchange first; `remaining` says how many more calls
/// have to change. A call that breaks off has changed some credentials; the same call goes on with the others.
#[utoipa::path(
    post, path = routes::STATUS_OF_MANY, tag = "Status", operation_id = "setRevocationStatusOfMany",
    request_body(content = ManyBody, example = json!({
        "revocationStatus": "Revoked", "reason": "printer of claims was broken", "dryRun": false, "expected": 120,
        "filter": { "credentialDefinitionId": "0198f6a1-6a0e-7c50-9f0e-2b6f4d8f0c10", "issuedFrom": 1_768_478_400 }
    })),
    responses(
        (status = 200, description = "What was changed, or would be", body = ManyAnswer),
        (status = 409, description = "Problem `revocation-state`"),
    ),
)]
pub(crate) async fn change_many(
    Organisational(caller): Organisational,
    State(ctx): State<Context>,
    body: Body,
) -> Result<Json<ManyAnswer>, Problem> {
    let outcome = revocation::change_many(&ctx, &caller, &body.members).await;
    let outcome = outcome.map_err(|failure| {
        Problem::of(failure, |rejection| match rejection {
            ManyRejection::Invalid(faults) => Problem::invalid(faults),
            ManyRejection::Unexpected { expected, got } => {
                let detail = format!("{got} credentials would change, {expected} were expected");
                Problem::new(Kind::RevocationState, detail)
            }
        })
    })?;
    Ok(Json(ManyAnswer::from(outcome)))
}

fn refuse(rejection: Rejection) -> Problem {
    let state = |detail: &str| Problem::new(Kind::RevocationState, detail);
    match rejection {
        Rejection::NotFound => Problem::not_found("record"),
        Rejection::Invalid(faults) => Problem::invalid(faults),
        Rejection::NotSupported => state("the definition has no supportRevocation: its credentials carry no status"),
        Rejection::NothingIssued => state("the exchange has issued nothing that carries a status"),
        Rejection::NotSuspendable => state("the definition has supportSuspension false: revoke instead"),
        Rejection::Final { to } => {
            Problem::new(Kind::RevocationState, format!("Revoked is final and does not become {}", to.name()))
        }
    }
}

/// A status for what an exchange has issued.
#[derive(ToSchema)]
#[schema(as = RevocationRequest, rename_all = "camelCase")]
#[expect(dead_code, reason = "only describes the body, which the use case reads")]
pub(crate) struct RevocationBody {
    /// The status.
    revocation_status: RevocationStatusSchema,
    /// Why. Kept with the change and never published; leave personal data out.
    #[schema(max_length = 500)]
    reason: Option<String>,
    /// Only this credential of the exchange, by its `id` in `issuedCredentials`.
    #[schema(format = Uuid)]
    credential_id: Option<String>,
}

/// `Revoked` is final.
#[derive(ToSchema)]
#[schema(as = RevocationStatus)]
#[expect(dead_code, reason = "only describes the model's status")]
pub(crate) enum RevocationStatusSchema {
    Operational,
    Revoked,
    Suspended,
}

/// A status for many credentials.
#[derive(ToSchema)]
#[schema(as = RevocationOfManyRequest, rename_all = "camelCase")]
#[expect(dead_code, reason = "only describes the body, which the use case reads")]
pub(crate) struct ManyBody {
    /// The status.
    revocation_status: RevocationStatusSchema,
    /// Why. Kept with every change and never published; leave personal data out.
    #[schema(max_length = 500)]
    reason: Option<String>,
    /// Which credentials.
    filter: FilterBody,
    /// Only tell what would be.
    #[schema(default = true)]
    dry_run: Option<bool>,
    /// Refuse unless exactly so many credentials would change, `changed` and `remaining` of the dry run together.
    expected: Option<u32>,
}

/// Which credentials. Everything that is given must hold; at least one member is given. Only credentials that carry a
/// status are looked at, and for `Suspended` only those that can be suspended.
#[derive(ToSchema)]
#[schema(as = RevocationFilter, rename_all = "camelCase")]
#[expect(dead_code, reason = "only describes the body, which the use case reads")]
pub(crate) struct FilterBody {
    /// Issued under this definition, in any version.
    #[schema(format = Uuid)]
    credential_definition_id: Option<String>,
    /// Issued in these exchanges.
    #[schema(max_items = 10_000, value_type = Option<Vec<uuid::Uuid>>)]
    credential_exchange_ids: Option<Vec<String>>,
    /// Issued to the wallet with this `client_id`.
    #[schema(max_length = 2048)]
    holder_did: Option<String>,
    /// Issued at this time or later, in Unix seconds.
    #[schema(minimum = 0, maximum = 253_402_300_799_i64)]
    issued_from: Option<i64>,
    /// Issued before this time, in Unix seconds.
    #[schema(minimum = 0, maximum = 253_402_300_799_i64)]
    issued_until: Option<i64>,
    /// Those with this status.
    revocation_status: Option<RevocationStatusSchema>,
}

/// What was changed, or would be.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ManyAnswer {
    /// Nothing was changed.
    dry_run: bool,
    /// What was asked for.
    #[schema(value_type = String, example = "Revoked")]
    revocation_status: RevocationStatus,
    /// Credentials that the filter admits, by their status before the call.
    #[schema(value_type = Object, example = json!({"Operational": 118, "Suspended": 2, "Revoked": 5}))]
    matched: Map<String, Value>,
    /// Credentials that this call changed, or would change.
    changed: u64,
    /// Credentials that more calls like this one would change.
    remaining: u64,
    /// The lists in which the change shows.
    status_lists: Vec<TouchedList>,
    /// From when on every process publishes the change, in Unix seconds.
    visible_at: i64,
    /// From when on nobody who keeps to the `ttl` uses an older copy, in Unix seconds.
    visible_everywhere_at: i64,
}

/// A list that changes.
#[derive(Serialize, ToSchema)]
pub(crate) struct TouchedList {
    /// Its URL.
    uri: String,
    /// Entries that change.
    changed: u64,
}

impl From<Outcome> for ManyAnswer {
    fn from(outcome: Outcome) -> Self {
        let lists = outcome.lists.into_iter().map(|list| TouchedList { uri: list.uri, changed: list.changed });
        Self {
            dry_run: outcome.dry_run,
            revocation_status: outcome.to,
            matched: outcome.matched.iter().map(|(status, count)| (status.name().to_owned(), json!(count))).collect(),
            changed: outcome.changed,
            remaining: outcome.remaining,
            status_lists: lists.collect(),
            visible_at: outcome.visible_at.seconds(),
            visible_everywhere_at: outcome.everywhere_at.seconds(),
        }
    }
}

/// The changes of an exchange.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ChangesAnswer {
    revocation_status_changes: Vec<Change>,
}

/// One change.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = RevocationStatusChange)]
pub(crate) struct Change {
    /// The credential, by its `id` in `issuedCredentials`.
    #[schema(format = Uuid)]
    credential_id: String,
    /// Status before.
    #[schema(value_type = String, example = "Operational")]
    from: RevocationStatus,
    /// Status from then on.
    #[schema(value_type = String, example = "Revoked")]
    to: RevocationStatus,
    /// Why; may be empty.
    reason: String,
    /// Who: `apikey:` and the id of the key.
    #[schema(example = "apikey:0198f6a1-6a0e-7c50-9f0e-2b6f4d8f0c10")]
    actor: String,
    /// When, in Unix seconds.
    at: i64,
}

impl ChangesAnswer {
    fn of(changes: &[StatusChange]) -> Self {
        Self { revocation_status_changes: changes.iter().map(Change::from).collect() }
    }
}

impl From<&StatusChange> for Change {
    fn from(change: &StatusChange) -> Self {
        Self {
            credential_id: change.credential.to_string(),
            from: change.from,
            to: change.to,
            reason: change.reason.clone(),
            actor: change.actor.clone(),
            at: change.at.seconds(),
        }
    }
}
