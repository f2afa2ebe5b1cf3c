//! Watching: the steps of an organisation's exchanges, as they are taken.
//!
//! While somebody watches an organisation, and for days after that, its steps are recorded and numbered. Each process has
//! one reader for an organisation that is watched there, which all of its streams share; a stream that comes back reads
//! by itself what it missed, and then goes on with the others. Any process goes on where another has ended.

mod cursor;
mod feed;
mod line;

use std::time::Duration;

use chancery_model::{DefinitionId, EventWatch, ExchangeStatus, NumberedEvent, Organisation, Timestamp};
use chancery_storage::Transaction;
use tokio::sync::mpsc;

use self::line::Line;
use super::access::Caller;
use crate::announcement::Listeners;
use crate::{Context, Failure};

pub use cursor::Cursor;
pub(crate) use feed::Feeds;
pub use feed::{MOST_IN_ALL, MOST_OF_ORGANISATION};

/// How long after it was told a cursor can be gone on from.
pub const RESUMABLE: Duration = Duration::from_secs(3 * 24 * 3600);

/// How long steps are recorded after somebody has watched: longer than a cursor lives.
const KEPT: Duration = Duration::from_secs(4 * 24 * 3600);

/// What is left of that when it is prolonged.
const PROLONGED_AT: Duration = Duration::from_secs(4 * 24 * 3600 - 3600);

/// After this time no process can be at work on a step that it does not record: each asks anew who listens within
/// [`Listeners::LIFETIME`], and no request takes longer than 20 s.
const SETTLED: Duration = Duration::from_secs(Listeners::LIFETIME.as_secs() + 20);

/// Of steps that were taken longer ago than this before a stream began anew, the list tells: no unit of work takes so long,
/// and no clock is so far from another.
const OVERLAP: Duration = Duration::from_secs(60);

/// Items that wait for a reader.
const BUFFERED: usize = 256;

/// Which steps somebody wants to see; what is empty or `None` does not matter.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// The statuses that are reached.
    pub statuses: Vec<ExchangeStatus>,
    /// What the exchange issues.
    pub definition: Option<DefinitionId>,
}

impl Filter {
    fn admits(&self, event: &NumberedEvent) -> bool {
        let is_wanted = |status: &ExchangeStatus| chancery_model::WebhookEvent::Status(*status) == event.event.event;
        (self.statuses.is_empty() || self.statuses.iter().any(is_wanted))
            && self.definition.is_none_or(|definition| definition == event.definition_id)
    }
}

/// Why nobody is let in to watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// The organisation has [`MOST_OF_ORGANISATION`] streams at this process.
    TooMany,
    /// The process has [`MOST_IN_ALL`] streams.
    Full,
}

/// What a stream is told, and where it goes on after that.
#[derive(Clone, Debug)]
pub struct Item {
    /// Everything up to here has been told.
    pub cursor: Cursor,
    /// What.
    pub told: Told,
}

/// What a stream is told.
#[derive(Clone, Debug)]
pub enum Told {
    /// Nothing was missed up to now, and nothing will be.
    Ready,
    /// An exchange took a step.
    Step(Box<NumberedEvent>),
    /// Steps behind the cursor that was shown are not known any more: the stream begins here.
    Reset(Reset),
    /// Nothing has happened for a while.
    Quiet,
    /// The stream ends.
    End(End),
}

/// Why a stream cannot go on where it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reset {
    /// The cursor is too old, or nobody watched in between.
    Expired,
    /// The organisation has not come so far.
    Unknown,
}

/// Why a stream ends that its reader did not end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The key is revoked or expired, or the organisation suspended or deleted.
    Refused,
    /// The process stops: another one goes on.
    Stopping,
}

/// A stream as its reader holds it. Dropping it ends it.
#[derive(Debug)]
pub struct Watching(mpsc::Receiver<Item>);

impl Watching {
    /// What comes next; `None` at the end, also when the reader was too slow.
    pub async fn next(&mut self) -> Option<Item> {
        self.0.recv().await
    }
}

/// Begins to watch: behind the cursor, or from now on.
///
/// # Errors
/// See [`Rejection`].
pub async fn watch(
    ctx: &Context,
    caller: Caller,
    filter: Filter,
    last: Option<Cursor>,
) -> Result<Watching, Failure<Rejection>> {
    let now = ctx.env().now();
    let watch = prolong(ctx, &caller.organisation, now).await?;
    let seat = feed::enter(ctx, &caller.organisation, watch).map_err(Failure::Rejected)?;
    let (items, receiver) = mpsc::channel(BUFFERED);
    let start = Start::of(&watch, last, now);
    let line = Line::new(ctx.clone(), caller, filter, seat, items, &start);
    tokio::spawn(line.run(start.reset));
    Ok(Watching(receiver))
}

/// Where a stream begins.
struct Start {
    /// Behind this number.
    number: u64,
    /// Steps that were taken earlier are left out; `None` when the stream goes on where it was.
    from: Option<Timestamp>,
    /// What is to be told first.
    reset: Option<Reset>,
    /// When no process can be at work any more on a step that it does not record.
    settled_at: Timestamp,
}

impl Start {
    fn of(watch: &EventWatch, last: Option<Cursor>, now: Timestamp) -> Self {
        let settled_at = watch.since.plus(SETTLED);
        let reset = match last {
            None => None,
            Some(cursor) if cursor.number > watch.last => Some(Reset::Unknown),
            Some(cursor) if cursor.number < watch.first || cursor.told_at < now.minus(RESUMABLE) => {
                Some(Reset::Expired)
            }
            Some(cursor) => return Self { number: cursor.number, from: None, reset: None, settled_at },
        };
        Self { number: watch.last, from: Some(now.minus(OVERLAP)), reset, settled_at }
    }
}

/// Has steps recorded for [`KEPT`] from now on, unless they are for nearly as long already.
async fn prolong<R>(ctx: &Context, organisation: &Organisation, now: Timestamp) -> Result<EventWatch, Failure<R>> {
    let known = ctx.store().read(organisation).await?.event_watch().await?;
    if let Some(watch) = known.filter(|watch| watch.until > now.plus(PROLONGED_AT)) {
        return Ok(watch);
    }
    let begin = async |tx: &Transaction| tx.watch_events(now.plus(KEPT), now).await;
    let watch = ctx.store().write(organisation, begin).await?;
    ctx.listeners().forget(organisation).await;
    Ok(watch)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_768_478_400);

    fn start(last: Option<(u64, Timestamp)>) -> (u64, Option<Reset>) {
        let watch = EventWatch { since: NOW, until: NOW.plus(KEPT), first: 10, last: 20 };
        let start = Start::of(&watch, last.map(|(number, told_at)| Cursor { number, told_at }), NOW);
        (start.number, start.reset)
    }

    #[test]
    fn a_stream_goes_on_where_it_was_and_begins_anew_where_something_is_missing() {
        assert_eq!(start(None), (20, None));
        assert_eq!(start(Some((10, NOW))), (10, None));
        assert_eq!(start(Some((20, NOW.minus(RESUMABLE)))), (20, None));
        assert_eq!(start(Some((9, NOW))), (20, Some(Reset::Expired)));
        assert_eq!(start(Some((15, NOW.minus(RESUMABLE + Duration::from_secs(1))))), (20, Some(Reset::Expired)));
        assert_eq!(start(Some((21, NOW))), (20, Some(Reset::Unknown)));
    }
}
