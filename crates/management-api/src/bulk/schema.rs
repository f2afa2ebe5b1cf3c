//! Bulks as the API shows them.

use chancery_issuance::management::bulk::Shown;
use chancery_model::RowFaults;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use crate::file::FileFormat;
use crate::list::Pagination;
use crate::moment;
use crate::offers::UrlScheme;

/// One bulk.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BulkAnswer {
    bulk: Bulk,
}

/// A page of bulks.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BulkList {
    pub(super) bulks: Vec<Bulk>,
    pub(super) pagination: Pagination,
}

/// A file of rows and how far it has come. Members without a value have the empty value of their type.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Bulk {
    /// Id of the bulk.
    #[schema(format = Uuid)]
    id: String,
    /// The definition.
    #[schema(format = Uuid)]
    credential_definition_id: String,
    /// The definition's entry.
    #[schema(format = Uuid)]
    credential_id: String,
    /// `receiving`, `ready` (to be confirmed), `running`, `paused`, `done` or `cancelled`.
    state: &'static str,
    /// Rows of the file.
    rows: u32,
    /// Rows that break rules; see `/rows`.
    invalid: u32,
    /// Rows for which an exchange has begun.
    done: u32,
    /// Rows without fault that could not be issued when their turn came.
    failed: u32,
    /// Rows that are still to be issued.
    remaining: u32,
    /// Rows a second since the confirmation; 0 before anything can be told.
    rows_per_second: f64,
    /// Seconds until the last row, at that rate; 0 when nothing is being issued.
    seconds_left: f64,
    /// When the upload began.
    created_at: String,
    /// When it was confirmed.
    started_at: String,
    /// When it was done or cancelled.
    ended_at: String,
    /// When the result was first fetched; its transaction codes are erased since.
    fetched_at: String,
    /// When report and result were erased.
    erased_at: String,
}

impl From<&Shown> for Bulk {
    fn from(shown: &Shown) -> Self {
        let bulk = &shown.bulk;
        let text = |at: Option<chancery_model::Timestamp>| at.map(moment::text).unwrap_or_default();
        Self {
            id: bulk.id.to_string(),
            credential_definition_id: bulk.definition_id.to_string(),
            credential_id: bulk.entry_id.to_string(),
            state: bulk.state.name(),
            rows: bulk.rows,
            invalid: bulk.invalid,
            done: shown.progress.issued,
            failed: shown.progress.failed,
            remaining: shown.remaining(),
            rows_per_second: shown.rate().unwrap_or_default(),
            seconds_left: shown.seconds_left().unwrap_or_default(),
            created_at: moment::text(bulk.created_at),
            started_at: text(bulk.started_at),
            ended_at: text(bulk.ended_at),
            fetched_at: text(bulk.fetched_at),
            erased_at: text(bulk.erased_at),
        }
    }
}

impl From<&Shown> for BulkAnswer {
    fn from(shown: &Shown) -> Self {
        Self { bulk: shown.into() }
    }
}

/// A page of rows that break rules.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RowList {
    pub(super) rows: Vec<FaultyRow>,
    pub(super) pagination: Pagination,
}

/// A row that breaks rules.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FaultyRow {
    /// The row, from 1; the header of a CSV file does not count.
    row: u32,
    /// Everything that is wrong.
    errors: Vec<FaultyPlace>,
}

/// One thing that is wrong with a row.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FaultyPlace {
    /// JSON Pointer (RFC 6901) into the row as JSON Lines has it.
    pointer: String,
    /// The column of a CSV file.
    column: String,
    /// What is wrong and what would be right.
    detail: String,
}

impl From<RowFaults> for FaultyRow {
    fn from(row: RowFaults) -> Self {
        let place = |fault: chancery_model::RowFault| FaultyPlace {
            pointer: fault.pointer,
            column: fault.column,
            detail: fault.detail,
        };
        Self { row: row.row, errors: row.faults.into_iter().map(place).collect() }
    }
}

/// How a bulk is confirmed.
#[derive(ToSchema)]
#[schema(as = BulkConfirmation, rename_all = "camelCase")]
#[expect(dead_code, reason = "only describes the body, which the handler reads")]
pub(crate) struct ConfirmBody {
    /// Whether rows that break rules are left out; otherwise there must be none.
    skip_invalid: Option<bool>,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
#[expect(dead_code, reason = "only describes the query, which the handler reads")]
pub(crate) struct UploadQuery {
    /// The definition.
    #[param(format = Uuid)]
    credential_definition_id: String,
    /// The definition's entry; may be left out when it has but one.
    #[param(format = Uuid)]
    credential_id: Option<String>,
    /// `given`: a transaction code where the row brings one. `generated`: a new one of six digits for every other row.
    #[param(inline, default = "given")]
    user_pin: Option<RowPin>,
    /// Start of the offer links, as for the issue call.
    #[param(inline)]
    url_scheme: Option<UrlScheme>,
}

/// Where transaction codes of rows come from.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "only describes the query, which the handler reads")]
pub(crate) enum RowPin {
    Given,
    Generated,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "only describes the header, which `request.rs` reads")]
pub(crate) struct IdempotencyHeader {
    /// Name of this request, chosen by the client, 1 to 255 printable ASCII characters. The same file under the same
    /// key is answered again for 24 hours, and makes no second bulk.
    #[param(rename = "Idempotency-Key", pattern = "^[!-~]([ -~]{0,253}[!-~])?$")]
    idempotency_key: Option<String>,
}

/// What the result is written in.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only describes the query, which the handler reads")]
pub(crate) struct ResultQuery {
    /// Form of the file.
    #[param(inline, default = "csv")]
    format: Option<FileFormat>,
}
