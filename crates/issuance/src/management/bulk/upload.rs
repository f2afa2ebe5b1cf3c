//! Reading a file: record by record into sealed parts, and a report of what is wrong.

use std::sync::Arc;

use chancery_model::{
    Bulk, BulkId, BulkPart, BulkState, Definition, DefinitionId, EntryId, Organisation, RowFault, RowFaults, Timestamp,
    WorkKind,
};
use chancery_protocol::offer::UriScheme;
use chancery_storage::{StoreError, Transaction};

use super::addressees;
use super::columns::Columns;
use super::reader::{Format, LARGEST_ROW, ReadError, Reader, Record};
use super::row::Row;
use super::{Shown, read};
use crate::management::body::{Fault, Faults};
use crate::management::definitions;
use crate::management::idempotency::{self, Idempotency};
use crate::sealed::Place;
use crate::{Context, Failure, SigningObstacle};

/// Most rows of a file.
pub const MOST_ROWS: u32 = 100_000;

/// Largest file, in bytes.
pub const LARGEST_FILE: u64 = 256 * 1024 * 1024;

/// Rows of a part: they are issued with one statement.
const ROWS_PER_PART: usize = 250;

/// Bytes of records after which a part is full.
const BYTES_PER_PART: usize = LARGEST_ROW;

/// Rows whose faults are kept for the report.
const MOST_REPORTED: usize = 1000;

/// Faults that are kept of one row.
const FAULTS_PER_ROW: usize = 10;

/// What a file is to become.
#[derive(Clone, Debug)]
pub struct Order {
    /// What the file is written in.
    pub format: Format,
    /// `credentialDefinitionId`.
    pub definition: String,
    /// `credentialId`: the entry; empty when the definition has but one.
    pub entry: String,
    /// Whether rows without a transaction code are given one.
    pub generate_pins: bool,
    /// Start of the offer links, such as `haip-vci://`; empty for that of the organisation's policy.
    pub url_scheme: String,
}

/// Why a file is not taken.
#[derive(Debug)]
pub enum UploadRejection {
    /// The parameters or the header break rules. Pointers name the parameter, or the column by `/header/{position}`.
    Invalid(Vec<Fault>),
    /// The file, or a row of it, is larger than what is read.
    TooLarge(String),
    /// No key of the organisation could sign the credentials.
    NoSigningKey(SigningObstacle),
    /// The idempotency key was used with another request.
    IdempotencyKeyReused,
}

type Refusal = Failure<UploadRejection>;

/// A file that is being read. What is not finished is deleted later.
pub struct Upload {
    ctx: Context,
    organisation: Arc<Organisation>,
    definition: Arc<Definition>,
    entry: EntryId,
    id: BulkId,
    is_csv: bool,
    reader: Reader,
    columns: Option<Columns>,
    /// Over the records so far: equal files have equal digests, however they arrive.
    digest: [u8; 32],
    bytes: u64,
    rows: u32,
    invalid: u32,
    reported: usize,
    ordinal: u32,
    part: Vec<Row>,
    part_bytes: usize,
    faults: Vec<RowFaults>,
}

impl std::fmt::Debug for Upload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Upload({})", self.id)
    }
}

impl Upload {
    /// Begins to read a file.
    pub async fn begin(ctx: &Context, organisation: Arc<Organisation>, order: &Order) -> Result<Self, Refusal> {
        let now = ctx.env().now();
        let (definition, entry, url_scheme) = choose(ctx, &organisation, order).await?;
        if let Some(obstacle) = ctx.signing_obstacle(&organisation, &definition, now).await? {
            return Err(Failure::Rejected(UploadRejection::NoSigningKey(obstacle)));
        }
        let bulk = Bulk {
            id: ctx.env().uuid(now).into(),
            definition_id: definition.id,
            definition_revision: definition.revision,
            entry_id: entry,
            generate_pins: order.generate_pins,
            url_scheme: url_scheme.map(|scheme| scheme.prefix().to_owned()),
            state: BulkState::Receiving,
            rows: 0,
            invalid: 0,
            created_at: now,
            started_at: None,
            ended_at: None,
            fetched_at: None,
            erased_at: None,
        };
        let work = async |tx: &Transaction| -> Result<(), StoreError> {
            tx.add_bulk(&bulk).await?;
            tx.enqueue(WorkKind::BulkErasure, bulk.id.as_uuid(), super::issuing::erasure_due(&bulk, now)).await
        };
        ctx.store().write(&organisation, work).await?;
        Ok(Self {
            ctx: ctx.clone(),
            organisation,
            definition,
            entry,
            id: bulk.id,
            is_csv: order.format == Format::Csv,
            reader: Reader::new(order.format),
            columns: None,
            digest: [0; 32],
            bytes: 0,
            rows: 0,
            invalid: 0,
            reported: 0,
            ordinal: 0,
            part: Vec::new(),
            part_bytes: 0,
            faults: Vec::new(),
        })
    }

    /// Reads on.
    pub async fn take(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        let is_first = self.bytes == 0;
        self.bytes += u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if self.bytes > LARGEST_FILE {
            let limit = format!("at most {LARGEST_FILE} bytes are read");
            return Err(Failure::Rejected(UploadRejection::TooLarge(limit)));
        }
        let mut rest = bytes;
        if is_first {
            if rest.starts_with(&[0xff, 0xfe]) || rest.starts_with(&[0xfe, 0xff]) {
                return Err(invalid("", "the file is UTF-16; save it as UTF-8"));
            }
            rest = rest.strip_prefix(&[0xef, 0xbb, 0xbf]).unwrap_or(rest);
        }
        let records = self.reader.push(rest).map_err(|error| self.unreadable(error))?;
        self.add_all(records).await
    }

    /// The file has ended: its rows can be confirmed. The answer is what `render` makes of the bulk; under an
    /// idempotency key (`once` makes it of the digest of the file) it is kept, and given again to the same request.
    pub async fn finish(
        &mut self,
        once: impl FnOnce(&[u8]) -> Option<Idempotency>,
        render: impl FnOnce(&Shown) -> Vec<u8>,
    ) -> Result<Vec<u8>, Refusal> {
        let records = self.reader.finish().map_err(|error| self.unreadable(error))?;
        self.add_all(records).await?;
        if self.rows == 0 {
            return Err(invalid("", "the file has no rows"));
        }
        self.end_part().await?;
        let now = self.ctx.env().now();
        let once = once(&self.digest);
        if let Some(answer) = self.earlier_answer(once.as_ref(), now).await? {
            return Ok(answer);
        }
        let shown = read(&self.ctx, &self.organisation, self.id).await.map_err(gone)?;
        let bulk = Bulk { state: BulkState::Ready, rows: self.rows, invalid: self.invalid, ..shown.bulk };
        let answer = render(&Shown { bulk, ..shown });
        let kept = match &once {
            Some(once) => Some(once.keep::<UploadRejection>(&self.ctx, &self.organisation, now, &answer)?),
            None => None,
        };
        let work = async |tx: &Transaction| -> Result<bool, StoreError> {
            if let Some(kept) = &kept
                && !tx.remember_response(kept, now).await?
            {
                return Ok(false);
            }
            tx.receive_bulk(self.id, self.rows, self.invalid).await
        };
        if self.ctx.store().write(&self.organisation, work).await? {
            if kept.is_some() {
                idempotency::sweep(&self.ctx, &self.organisation, now).await;
            }
            return Ok(answer);
        }
        let earlier = self.earlier_answer(once.as_ref(), now).await?;
        earlier.ok_or_else(|| Failure::Unavailable(anyhow::anyhow!("the upload was given up")))
    }

    /// Lets go of what was read, after a refusal or when the sender went away.
    pub async fn abandon(self) {
        let (ctx, id) = (&self.ctx, self.id);
        if let Err(error) =
            ctx.store().write(&self.organisation, async |tx: &Transaction| tx.delete_bulk(id).await).await
        {
            // The background worker does it later.
            tracing::debug!(%error, "an upload that broke off was not deleted");
        }
    }

    /// What the same request was answered before; the file that was read now is not needed then.
    async fn earlier_answer(&self, once: Option<&Idempotency>, now: Timestamp) -> Result<Option<Vec<u8>>, Refusal> {
        let Some(once) = once else { return Ok(None) };
        let Some(earlier) = once.earlier_answer(&self.ctx, &self.organisation, now).await? else { return Ok(None) };
        let id = self.id;
        self.ctx.store().write(&self.organisation, async |tx: &Transaction| tx.delete_bulk(id).await).await?;
        earlier.map(Some).map_err(|_reused| Failure::Rejected(UploadRejection::IdempotencyKeyReused))
    }

    async fn add_all(&mut self, records: Vec<Record>) -> Result<(), Refusal> {
        for record in records {
            self.digest_record(&record);
            if self.is_csv && self.columns.is_none() {
                self.columns = Some(self.header(&record)?);
                continue;
            }
            if self.rows == MOST_ROWS {
                let limit = format!("at most {MOST_ROWS} rows are read");
                return Err(Failure::Rejected(UploadRejection::TooLarge(limit)));
            }
            self.rows += 1;
            match Row::read(self.rows, &record, self.columns.as_ref(), &self.definition, self.entry) {
                Ok(row) => {
                    self.part.push(row);
                    self.part_bytes += record.iter().map(Vec::len).sum::<usize>();
                }
                Err(faults) => self.report(self.rows, faults),
            }
            if self.part.len() >= ROWS_PER_PART || self.part_bytes >= BYTES_PER_PART {
                self.end_part().await?;
            }
        }
        Ok(())
    }

    fn header(&self, record: &Record) -> Result<Columns, Refusal> {
        let cells: Option<Vec<&str>> = record.iter().map(|cell| std::str::from_utf8(cell).ok()).collect();
        let cells = cells.ok_or_else(|| invalid("/header", "the header is not UTF-8; save the file as UTF-8"))?;
        let entry = self.definition.entry(self.entry);
        let entry = entry.ok_or_else(|| Failure::Internal(anyhow::anyhow!("the definition lost an entry")))?;
        Columns::read(&cells, entry).map_err(|faults| Failure::Rejected(UploadRejection::Invalid(faults)))
    }

    fn report(&mut self, row: u32, faults: Vec<Fault>) {
        self.invalid += 1;
        if self.reported == MOST_REPORTED {
            return;
        }
        self.reported += 1;
        let columns = self.columns.as_ref();
        let faults = faults.into_iter().take(FAULTS_PER_ROW).map(|fault| RowFault {
            column: columns.map(|columns| columns.header(&fault.pointer).to_owned()).unwrap_or_default(),
            pointer: fault.pointer,
            detail: fault.detail,
        });
        self.faults.push(RowFaults { row, faults: faults.collect() });
    }

    /// Stores the rows that were read since the last time.
    async fn end_part(&mut self) -> Result<(), Refusal> {
        if self.part.is_empty() && self.faults.is_empty() {
            return Ok(());
        }
        let rows = self.addressed_rows().await?;
        let id = self.ctx.env().uuid(self.ctx.env().now());
        let part = BulkPart {
            id: id.into(),
            bulk_id: self.id,
            ordinal: self.ordinal,
            rows: u32::try_from(rows.len()).unwrap_or(u32::MAX),
            // There may be nothing to issue in it.
            settled: rows.is_empty(),
            issued: 0,
            failed: 0,
            sealed_rows: match rows.is_empty() {
                true => None,
                false => Some(self.ctx.seal(&self.organisation, Place::BulkRows, id, &rows)?),
            },
            sealed_result: None,
            sealed_pins: None,
            faults: std::mem::take(&mut self.faults),
        };
        self.ordinal += 1;
        self.part_bytes = 0;
        // A crash loses the upload anyhow; what `finish` commits is on disk, and everything before it.
        let work = async |tx: &Transaction| tx.add_bulk_part(&part).await;
        Ok(self.ctx.store().write_relaxed(&self.organisation, work).await?)
    }

    /// The rows of the part whose person is known, if they name one; the others are reported.
    async fn addressed_rows(&mut self) -> Result<Vec<Row>, Refusal> {
        let mut rows = std::mem::take(&mut self.part);
        let unknown = addressees::resolve(&self.ctx, &self.organisation, &mut rows).await?;
        for (position, member) in unknown.into_iter().rev() {
            let row = rows.remove(position);
            let detail = "there is no such individual".to_owned();
            self.report(row.number, vec![Fault { pointer: member.to_owned(), detail }]);
        }
        self.faults.sort_by_key(|faults| faults.row);
        Ok(rows)
    }

    fn digest_record(&mut self, record: &Record) {
        let mut input = self.digest.to_vec();
        for cell in record {
            input.extend_from_slice(&cell.len().to_be_bytes());
            input.extend_from_slice(cell);
        }
        self.digest = chancery_keys::sha256(&input);
    }

    fn unreadable(&self, error: ReadError) -> Refusal {
        let row = self.rows.saturating_add(1);
        let limit = match error {
            ReadError::TooLarge => format!("row {row}: at most {LARGEST_ROW} bytes are read; a quote may be left open"),
            ReadError::TooWide => format!("row {row}: at most {} columns are read", super::columns::MOST),
        };
        Failure::Rejected(UploadRejection::TooLarge(limit))
    }
}

async fn choose(
    ctx: &Context,
    organisation: &Organisation,
    order: &Order,
) -> Result<(Arc<Definition>, EntryId, Option<UriScheme>), Refusal> {
    let mut faults = Faults::default();
    let url_scheme = UriScheme::ALL.into_iter().find(|scheme| scheme.prefix() == order.url_scheme);
    if url_scheme.is_none() && !order.url_scheme.is_empty() {
        let known = UriScheme::ALL.map(UriScheme::prefix).join(", ");
        faults.add("/urlScheme", format!("one of {known} is expected"));
    }
    let id = DefinitionId::parse(&order.definition);
    let definition = match id {
        Some(id) => definitions::recent(ctx, organisation, id).await?,
        None => None,
    };
    if definition.is_none() {
        faults.add("/credentialDefinitionId", "there is no such definition");
    }
    let chosen = definition.and_then(|definition| {
        let entries = &definition.content.entries;
        let entry = match (order.entry.as_str(), entries.as_slice()) {
            ("", [only]) => Some(only.id),
            ("", _) => {
                faults.add("/credentialId", "the definition has several entries: name one by its id");
                None
            }
            (named, _) => {
                let entry = EntryId::parse(named).filter(|id| definition.entry(*id).is_some());
                if entry.is_none() {
                    faults.add("/credentialId", "the definition has no entry with this id");
                }
                entry
            }
        };
        entry.map(|entry| (definition, entry, url_scheme))
    });
    faults.none_or(chosen).map_err(|faults| Failure::Rejected(UploadRejection::Invalid(faults)))
}

fn invalid(pointer: &str, detail: &str) -> Refusal {
    let fault = Fault { pointer: pointer.to_owned(), detail: detail.to_owned() };
    Failure::Rejected(UploadRejection::Invalid(vec![fault]))
}

/// The upload took so long that it was cleared away.
fn gone(failure: Failure<super::Rejection>) -> Refusal {
    match failure {
        Failure::Rejected(_) => Failure::Unavailable(anyhow::anyhow!("the upload was given up")),
        Failure::Unavailable(cause) => Failure::Unavailable(cause),
        Failure::Internal(cause) => Failure::Internal(cause),
    }
}
