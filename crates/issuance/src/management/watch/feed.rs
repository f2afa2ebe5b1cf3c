//! One reader for each organisation that is watched at this process.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chancery_model::{EventWatch, NumberedEvent, Organisation, OrganisationId, Timestamp};
use chancery_storage::Transaction;
use tokio::sync::broadcast;

use super::{PROLONGED_AT, Rejection, prolong};
use crate::{Context, Failure};

/// Streams of one organisation at one process.
pub const MOST_OF_ORGANISATION: usize = 50;

/// Streams at one process.
pub const MOST_IN_ALL: usize = 1_000;

/// Time between two looks.
const INTERVAL: Duration = Duration::from_millis(500);

/// Steps that are numbered or read at once.
pub(super) const BATCH: u64 = 200;

/// Batches that a stream may be behind its reader before it reads by itself.
const BEHIND: usize = 32;

/// Steps that were read together.
pub(super) type Batch = Arc<[NumberedEvent]>;

/// The readers of this process.
#[derive(Default)]
pub(crate) struct Feeds(Mutex<Open>);

#[derive(Default)]
struct Open {
    streams: usize,
    feeds: HashMap<OrganisationId, Feed>,
}

struct Feed {
    streams: usize,
    batches: broadcast::Sender<Batch>,
}

/// A stream's place at the reader of its organisation. The last one to leave ends the reader.
pub(super) struct Seat {
    ctx: Context,
    organisation: OrganisationId,
    /// What the reader has read since this seat was taken.
    pub(super) batches: broadcast::Receiver<Batch>,
}

impl Feeds {
    fn open(&self) -> MutexGuard<'_, Open> {
        // Nothing that is done under the lock can panic half-way, so a poisoned one guards sound data.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets a reader that nobody needs; whether it is one.
    fn close_if_idle(&self, organisation: OrganisationId) -> bool {
        let mut open = self.open();
        let is_idle = open.feeds.get(&organisation).is_none_or(|feed| feed.streams == 0);
        if is_idle {
            open.feeds.remove(&organisation);
        }
        is_idle
    }
}

/// Takes a seat, and begins to read when it is the first one. What is visible after this and not heard of from the seat has
/// been visible before: a stream that reads it once misses nothing.
pub(super) fn enter(ctx: &Context, organisation: &Arc<Organisation>, watch: EventWatch) -> Result<Seat, Rejection> {
    let mut open = ctx.feeds().open();
    if open.streams >= MOST_IN_ALL {
        return Err(Rejection::Full);
    }
    let begin = || {
        let (batches, _) = broadcast::channel(BEHIND);
        tokio::spawn(Reader::new(ctx, organisation, batches.clone(), watch).run());
        Feed { streams: 0, batches }
    };
    let feed = open.feeds.entry(organisation.id).or_insert_with(begin);
    if feed.streams >= MOST_OF_ORGANISATION {
        return Err(Rejection::TooMany);
    }
    feed.streams += 1;
    let batches = feed.batches.subscribe();
    open.streams += 1;
    Ok(Seat { ctx: ctx.clone(), organisation: organisation.id, batches })
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut open = self.ctx.feeds().open();
        open.streams = open.streams.saturating_sub(1);
        if let Some(feed) = open.feeds.get_mut(&self.organisation) {
            feed.streams = feed.streams.saturating_sub(1);
        }
    }
}

struct Reader {
    ctx: Context,
    organisation: Arc<Organisation>,
    batches: broadcast::Sender<Batch>,
    /// The last number that was read.
    last: u64,
    recorded_until: Timestamp,
    is_away: bool,
}

impl Reader {
    fn new(
        ctx: &Context,
        organisation: &Arc<Organisation>,
        batches: broadcast::Sender<Batch>,
        watch: EventWatch,
    ) -> Self {
        let (ctx, organisation) = (ctx.clone(), Arc::clone(organisation));
        Self { ctx, organisation, batches, last: watch.last, recorded_until: watch.until, is_away: false }
    }

    async fn run(mut self) {
        while !self.ctx.feeds().close_if_idle(self.organisation.id) {
            match self.look().await {
                Ok(()) => self.is_away = false,
                Err(failure) => self.complain(&failure),
            }
            tokio::select! {
                () = tokio::time::sleep(INTERVAL) => {}
                // The streams end by themselves, and this with the last of them.
                () = self.ctx.stopped() => tokio::time::sleep(INTERVAL).await,
            }
        }
    }

    /// Numbers what is new, and tells everybody what has a number.
    async fn look(&mut self) -> Result<(), Failure<std::convert::Infallible>> {
        let now = self.ctx.env().now();
        if self.recorded_until <= now.plus(PROLONGED_AT) {
            self.recorded_until = prolong(&self.ctx, &self.organisation, now).await?.until;
        }
        while self.ctx.store().read(&self.organisation).await?.has_unnumbered_events().await? {
            // On disk before anybody hears of it: a number that was told is never given to another step.
            let number = async |tx: &Transaction| tx.number_events(BATCH).await;
            self.ctx.store().write(&self.organisation, number).await?;
            self.tell().await?;
        }
        self.tell().await
    }

    async fn tell(&mut self) -> Result<(), Failure<std::convert::Infallible>> {
        loop {
            let read = self.ctx.store().read(&self.organisation).await?;
            let found = read.numbered_events(self.last, BATCH).await?;
            drop(read);
            let Some(last) = found.last else { return Ok(()) };
            self.last = last;
            // It fails when nobody listens any more.
            drop(self.batches.send(found.events.into()));
        }
    }

    /// Once for each time that the database is away.
    fn complain(&mut self, failure: &Failure<std::convert::Infallible>) {
        if std::mem::replace(&mut self.is_away, true) {
            return;
        }
        match failure {
            Failure::Rejected(never) => match *never {},
            Failure::Unavailable(cause) => {
                tracing::warn!(cause = format!("{cause:#}"), "steps of exchanges cannot be read; trying on");
            }
            Failure::Internal(cause) => {
                tracing::error!(cause = format!("{cause:#}"), "steps of exchanges cannot be read; trying on");
            }
        }
    }
}

impl fmt::Debug for Seat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seat").field("organisation", &self.organisation).finish_non_exhaustive()
    }
}
