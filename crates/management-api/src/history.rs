//! Records of exchanges.

pub(crate) mod events;
pub(crate) mod export;
mod schema;

use axum::Json;
use axum::extract::State;
use chancery_issuance::Context;
use chancery_issuance::management::history::{self, Cursor, Filter, History, Rejection, Whose};
use chancery_model::{DefinitionId, ExchangeId, ExchangeStatus, IndividualId, Role};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

pub(crate) use self::schema::CredentialHistory;
use crate::access::{Organisational, may_see_offers, never};
use crate::list::{Done, Pagination, WindowQuery};
use crate::problem::Problem;
use crate::request::{Id, Parameters};
use crate::routes;

/// List the records of exchanges.
///
/// All filters that are given must hold; of `accepted`, `inProgress`, `revoked` and `denied`, those set to
/// `true` are shown together. The support code that a wallet was shown finds its exchange by `search`.
#[utoipa::path(
    get, path = routes::HISTORY, tag = "Issuance", operation_id = "listCredentialHistory",
    params(WindowQuery, CursorQuery, HistoryQuery),
    responses((status = 200, description = "One page of records", body = HistoryList)),
)]
pub(crate) async fn list(
    Organisational(caller): Organisational,
    State(ctx): State<Context>,
    mut query: Parameters,
) -> Result<Json<HistoryList>, Problem> {
    let Asked { filter, is_empty } = Asked::read(&mut query);
    let cursor = query.read("cursor", "a nextCursor of an earlier answer is expected", Cursor::parse);
    let window = query.window();
    if cursor.is_some() && window.offset > 0 {
        query.fault("offset", "a cursor already says where to go on");
    }
    query.finish()?;
    if is_empty {
        let pagination = chancery_issuance::management::Pagination::new(0, window.offset, window.limit);
        return Ok(Json(HistoryList {
            credential_history: Vec::new(),
            pagination: pagination.into(),
            next_cursor: String::new(),
        }));
    }
    let mut page = history::list(&ctx, &caller.organisation, &filter, window).await.map_err(never)?;
    if cursor.is_some() {
        let walk = history::walk(&ctx, &caller.organisation, &filter, cursor, window.limit, window.order);
        page.items = walk.await.map_err(never)?;
    }
    let is_full = u32::try_from(page.items.len()).is_ok_and(|length| length == window.limit);
    let next_cursor = page.items.last().filter(|_| is_full).map(|last| Cursor::behind(last).to_string());
    Ok(Json(HistoryList {
        credential_history: page.items.iter().map(|history| shown(history, caller.role)).collect(),
        pagination: page.pagination.into(),
        next_cursor: next_cursor.unwrap_or_default(),
    }))
}

/// The filters of a query.
pub(crate) struct Asked {
    pub(crate) filter: Filter,
    /// Whether no record can be like that.
    pub(crate) is_empty: bool,
}

impl Asked {
    pub(crate) fn read(query: &mut Parameters) -> Self {
        // No record has one yet, so a list by one is empty.
        let agreement = query.text("dataAgreementId");
        let definition = query.text("credentialDefinitionId");
        let individual = query.text("individualId");
        let filter = Filter {
            status: query.read("status", "a status of the credential history is expected", ExchangeStatus::parse),
            definition: DefinitionId::parse(&definition),
            holder: query.text("holderDid"),
            individual: IndividualId::parse(&individual),
            mapper: query.text("mapperId"),
            accepted: query.switch("accepted"),
            in_progress: query.switch("inProgress"),
            revoked: query.switch("revoked"),
            denied: query.switch("denied"),
            search: query.text("search"),
            created_from: query.seconds("createdFrom"),
            created_until: query.seconds("createdUntil"),
        };
        let is_empty = !agreement.is_empty()
            || (!definition.is_empty() && filter.definition.is_none())
            || (!individual.is_empty() && filter.individual.is_none());
        Self { filter, is_empty }
    }
}

/// Read the record of an exchange.
#[utoipa::path(
    get, path = routes::RECORD, tag = "Issuance", operation_id = "readCredentialHistory",
    params(("credentialExchangeId" = String, Path, description = "Id of the exchange", format = Uuid)),
    responses((status = 200, description = "The record", body = HistoryAnswer)),
)]
pub(crate) async fn read(
    Organisational(caller): Organisational,
    State(ctx): State<Context>,
    Id(id): Id<ExchangeId>,
) -> Result<Json<HistoryAnswer>, Problem> {
    let found = history::read(&ctx, &caller.organisation, id).await;
    let history = found.map_err(|failure| Problem::of(failure, refuse))?;
    Ok(Json(HistoryAnswer { credential_history: shown(&history, caller.role) }))
}

/// Delete the record of an exchange.
///
/// Its offer and access tokens stop working; its claims, credentials and transcript are erased. Copies in
/// wallets are not touched.
#[utoipa::path(
    delete, path = routes::RECORD, tag = "Issuance", operation_id = "deleteCredentialHistory",
    params(("credentialExchangeId" = String, Path, description = "Id of the exchange", format = Uuid)),
    responses((status = 200, description = "The record is gone", body = Done)),
)]
pub(crate) async fn delete(
    Organisational(caller): Organisational,
    State(ctx): State<Context>,
    Id(id): Id<ExchangeId>,
) -> Result<Json<Done>, Problem> {
    let deleted = history::delete(&ctx, &caller.organisation, id).await;
    deleted.map(|()| Json(Done::DONE)).map_err(|failure| Problem::of(failure, refuse))
}

/// Delete the records of a holder or of an individual.
///
/// Every exchange that the wallet with this `client_id` has redeemed goes, or every exchange that was made for this
/// individual, with claims, credentials, tokens and transcript. Many people may share the `client_id` of one wallet: ask
/// with `dryRun=true` first.
#[utoipa::path(
    delete, path = routes::HISTORY, tag = "Issuance", operation_id = "deleteCredentialHistoryOfHolder",
    params(EraseQuery),
    responses((status = 200, description = "The records are gone, or would be", body = Erased)),
)]
pub(crate) async fn erase_records(
    Organisational(caller): Organisational,
    State(ctx): State<Context>,
    mut query: Parameters,
) -> Result<Json<Erased>, Problem> {
    let (holder, individual) = (query.text("holderDid"), query.text("individualId"));
    let dry_run = query.flag("dryRun");
    let whose = match (holder.is_empty(), individual.is_empty()) {
        (false, true) => Some(Whose::Wallet(holder)),
        (true, false) => IndividualId::parse(&individual).map(Whose::Individual),
        (true, true) => {
            query.fault("holderDid", "say whose records are to be deleted");
            None
        }
        (false, false) => {
            query.fault("individualId", "holderDid and individualId exclude each other");
            None
        }
    };
    query.finish()?;
    let deleted = match whose {
        Some(whose) => history::erase_records(&ctx, &caller.organisation, &whose, dry_run).await.map_err(never)?,
        // What cannot be an id is nobody's.
        None => 0,
    };
    Ok(Json(Erased { success: true, deleted, dry_run }))
}

/// The record as a role may see it.
pub(crate) fn shown(history: &History, role: Role) -> CredentialHistory {
    let record = CredentialHistory::from(history);
    if may_see_offers(role) { record } else { record.without_offer() }
}

fn refuse(rejection: Rejection) -> Problem {
    match rejection {
        Rejection::NotFound => Problem::not_found("record"),
    }
}

/// The record of an exchange.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct HistoryAnswer {
    pub(crate) credential_history: CredentialHistory,
}

impl From<&History> for HistoryAnswer {
    fn from(history: &History) -> Self {
        Self { credential_history: CredentialHistory::from(history) }
    }
}

/// One page of records.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct HistoryList {
    credential_history: Vec<CredentialHistory>,
    pagination: Pagination,
    /// `cursor` of the next page; empty behind the last one.
    next_cursor: String,
}

/// What was deleted.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Erased {
    /// Always `true`.
    success: bool,
    /// How many records were deleted, or would be.
    deleted: u64,
    /// Whether nothing was done.
    dry_run: bool,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
#[expect(dead_code, reason = "only describes the query, which `request.rs` reads")]
struct EraseQuery {
    /// `client_id` of the wallet; this or `individualId`.
    holder_did: Option<String>,
    /// Id of the individual, who may have been erased before.
    individual_id: Option<String>,
    /// `true` counts and deletes nothing.
    #[param(default = false)]
    dry_run: Option<bool>,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
#[expect(dead_code, reason = "only describes the query, which `request.rs` reads")]
struct CursorQuery {
    /// `nextCursor` of the page before, instead of `offset`: pages follow each other without gaps and repeats, whatever is
    /// added meanwhile.
    cursor: Option<String>,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
#[expect(dead_code, reason = "only describes the query, which `request.rs` reads")]
pub(crate) struct HistoryQuery {
    /// Exactly this status.
    #[param(inline)]
    status: Option<schema::StatusSchema>,
    /// Only exchanges of this definition.
    credential_definition_id: Option<String>,
    /// Only exchanges whose wallet gave this `client_id` when it redeemed the offer; counted up to 10,000.
    holder_did: Option<String>,
    /// Only exchanges that were made for this individual, also after the person was erased; counted up to 10,000.
    individual_id: Option<String>,
    /// Only exchanges that were made for the individual with this `externalId`; counted up to 10,000.
    mapper_id: Option<String>,
    /// Empty in this release: no record has one.
    data_agreement_id: Option<String>,
    /// Shows (`true`) or leaves out (`false`) what the wallet took: `credential_acked`,
    /// `credential_accepted`.
    accepted: Option<bool>,
    /// Shows or leaves out exchanges that have not come to an end.
    in_progress: Option<bool>,
    /// Shows or leaves out what is revoked or suspended.
    revoked: Option<bool>,
    /// Shows or leaves out what was denied.
    denied: Option<bool>,
    /// An exchange id, the support code that a wallet was shown, or part of the definition's label.
    search: Option<String>,
    /// Created at this instant or later, in Unix seconds.
    #[param(minimum = 0, maximum = 253_402_300_799_i64)]
    created_from: Option<i64>,
    /// Created before this instant, in Unix seconds.
    #[param(minimum = 0, maximum = 253_402_300_799_i64)]
    created_until: Option<i64>,
}
