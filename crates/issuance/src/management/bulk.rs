//! Many issuances from one file: rows are read and checked, confirmed, and issued in the background.
//!
//! A file is kept in parts of neighbouring rows. A part is claimed by one conditional UPDATE in the unit of work that
//! begins its exchanges, so that whatever breaks off leaves either both or neither, and several processes can issue
//! parts of one file. Rows are sealed, and erased in that same unit of work.

mod addressees;
mod columns;
mod issuing;
mod reader;
mod report;
mod row;
mod upload;

use chancery_model::{Bulk, BulkId, BulkProgress, BulkState, Organisation, RowFaults, Timestamp, WorkKind};
use chancery_storage::{StoreError, Transaction};

use super::definitions;
use super::page::{Page, Window};
use crate::{Context, Failure, SigningObstacle};

pub(crate) use issuing::{erase, issue_part};
pub use reader::{Format, LARGEST_ROW};
pub use report::{Outcome, fetched, result_part};
pub use upload::{LARGEST_FILE, MOST_ROWS, Order, Upload, UploadRejection};

/// A bulk and how far it has come.
#[derive(Clone, Debug)]
pub struct Shown {
    /// The bulk.
    pub bulk: Bulk,
    /// How many rows are through.
    pub progress: BulkProgress,
    /// The instant for which this holds.
    pub now: Timestamp,
}

impl Shown {
    /// Rows that are to be issued and are not through yet.
    pub fn remaining(&self) -> u32 {
        let through = self.progress.issued + self.progress.failed + self.bulk.invalid;
        self.bulk.rows.saturating_sub(through)
    }

    /// Rows a second since the start, pauses included; `None` before anything can be told.
    pub fn rate(&self) -> Option<f64> {
        let started = self.bulk.started_at?;
        let until = self.bulk.ended_at.unwrap_or(self.now);
        let seconds =
            u32::try_from((until.millis() - started.millis()).max(0)).ok().map(|ms| f64::from(ms) / 1000.0)?;
        let through = f64::from(self.progress.issued + self.progress.failed);
        (seconds > 0.0 && through > 0.0).then(|| through / seconds)
    }

    /// Seconds until the last row is through, at the rate so far; `None` when nothing is being issued.
    pub fn seconds_left(&self) -> Option<f64> {
        let rate = self.rate().filter(|_| self.bulk.state == BulkState::Running)?;
        Some((f64::from(self.remaining()) / rate).ceil())
    }
}

/// Why a bulk is not changed.
#[derive(Debug)]
pub enum Rejection {
    /// The organisation has no such bulk.
    NotFound,
    /// From where it is, it does not go there.
    State(BulkState),
    /// So many rows break rules, and nobody said to leave them out.
    InvalidRows(u32),
    /// There is no row that could be issued.
    NothingToIssue,
    /// No key of the organisation could sign the credentials.
    NoSigningKey(SigningObstacle),
}

/// One bulk.
pub async fn read(ctx: &Context, organisation: &Organisation, id: BulkId) -> Result<Shown, Failure<Rejection>> {
    let now = ctx.env().now();
    let reader = ctx.store().read(organisation).await?;
    let bulk = reader.bulk(id).await?.ok_or(Failure::Rejected(Rejection::NotFound))?;
    let progress = reader.bulk_progress(id).await?;
    Ok(Shown { bulk, progress, now })
}

/// Bulks, newest first unless the window says otherwise.
pub async fn list<R>(ctx: &Context, organisation: &Organisation, window: Window) -> Result<Page<Shown>, Failure<R>> {
    let now = ctx.env().now();
    let reader = ctx.store().read(organisation).await?;
    let listed = reader.bulks(&window.into()).await?;
    let mut items = Vec::with_capacity(listed.items.len());
    for bulk in listed.items {
        let progress = reader.bulk_progress(bulk.id).await?;
        items.push(Shown { bulk, progress, now });
    }
    Ok(Page::new(items, listed.total, window))
}

/// What is wrong with the rows of a bulk, in the order of the file; of the first rows that are wrong only.
pub async fn faults(
    ctx: &Context,
    organisation: &Organisation,
    id: BulkId,
    window: Window,
) -> Result<Page<RowFaults>, Failure<Rejection>> {
    let reader = ctx.store().read(organisation).await?;
    if reader.bulk(id).await?.is_none() {
        return Err(Failure::Rejected(Rejection::NotFound));
    }
    let mut all = reader.bulk_faults(id).await?;
    // A list begins with its newest item.
    all.reverse();
    Ok(Page::cut(all, window))
}

/// Begins to issue the rows of a bulk. Without `skip_invalid` every row of the file must be without fault. What was
/// confirmed before stays so.
pub async fn confirm(
    ctx: &Context,
    organisation: &Organisation,
    id: BulkId,
    skip_invalid: bool,
) -> Result<Shown, Failure<Rejection>> {
    let shown = read(ctx, organisation, id).await?;
    let bulk = &shown.bulk;
    match bulk.state {
        BulkState::Ready => {}
        BulkState::Running => return Ok(shown),
        state @ (BulkState::Receiving | BulkState::Paused | BulkState::Done | BulkState::Cancelled) => {
            return Err(Failure::Rejected(Rejection::State(state)));
        }
    }
    if bulk.invalid == bulk.rows {
        return Err(Failure::Rejected(Rejection::NothingToIssue));
    }
    if bulk.invalid > 0 && !skip_invalid {
        return Err(Failure::Rejected(Rejection::InvalidRows(bulk.invalid)));
    }
    if let Some(definition) = definitions::recent(ctx, organisation, bulk.definition_id).await?
        && let Some(obstacle) = ctx.signing_obstacle(organisation, &definition, ctx.env().now()).await?
    {
        return Err(Failure::Rejected(Rejection::NoSigningKey(obstacle)));
    }
    start(ctx, organisation, id, BulkState::Ready).await
}

/// Issues nothing more until the bulk is resumed. What is being issued at this moment is waited for.
pub async fn pause(ctx: &Context, organisation: &Organisation, id: BulkId) -> Result<Shown, Failure<Rejection>> {
    let paused = ctx.store().write(organisation, async |tx: &Transaction| tx.pause_bulk(id).await).await?;
    let shown = read(ctx, organisation, id).await?;
    settled(shown, paused, BulkState::Paused)
}

/// Goes on after a pause.
pub async fn resume(ctx: &Context, organisation: &Organisation, id: BulkId) -> Result<Shown, Failure<Rejection>> {
    start(ctx, organisation, id, BulkState::Paused).await
}

/// Issues nothing more and erases the rows that were not issued. What was issued stays: its offers are withdrawn one by
/// one.
pub async fn cancel(ctx: &Context, organisation: &Organisation, id: BulkId) -> Result<Shown, Failure<Rejection>> {
    let now = ctx.env().now();
    let cancelled = ctx.store().write(organisation, async |tx: &Transaction| tx.cancel_bulk(id, now).await).await?;
    let shown = read(ctx, organisation, id).await?;
    settled(shown, cancelled, BulkState::Cancelled)
}

async fn start(
    ctx: &Context,
    organisation: &Organisation,
    id: BulkId,
    from: BulkState,
) -> Result<Shown, Failure<Rejection>> {
    let now = ctx.env().now();
    let work = async |tx: &Transaction| -> Result<bool, StoreError> {
        if !tx.start_bulk(id, from, now).await? {
            return Ok(false);
        }
        let open = tx.open_bulk_parts(id).await?;
        tx.enqueue_all(WorkKind::BulkIssuance, &open, now).await?;
        // It may have been paused between its last row and its end.
        tx.finish_bulk(id, now).await?;
        Ok(true)
    };
    let started = ctx.store().write(organisation, work).await?;
    let shown = read(ctx, organisation, id).await?;
    let reached = shown.bulk.state;
    if started { Ok(shown) } else { settled(shown, reached == BulkState::Running, BulkState::Running) }
}

/// The bulk when it is where it was to go, whoever sent it there.
fn settled(shown: Shown, happened: bool, wanted: BulkState) -> Result<Shown, Failure<Rejection>> {
    let state = shown.bulk.state;
    if happened || state == wanted { Ok(shown) } else { Err(Failure::Rejected(Rejection::State(state))) }
}
