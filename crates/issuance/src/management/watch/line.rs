//! One stream, on its way from the reader of its organisation to whoever asked for it.

use std::convert::Infallible;
use std::time::Duration;

use chancery_model::{NumberedEvent, Timestamp};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};

use super::feed::{BATCH, Batch, Seat};
use super::{Cursor, End, Filter, Item, Reset, Start, Told};
use crate::management::access::{self, Caller};
use crate::{Context, Failure};

/// Time between two looks at the clock and at the key.
const TICK: Duration = Duration::from_secs(1);

/// After this time without a word a stream is told that it is alive, and where it is.
const QUIET: Duration = Duration::from_secs(15);

/// How long a full buffer is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long it is waited for when the stream ends anyway.
const LAST_PATIENCE: Duration = Duration::from_secs(1);

/// A stream on the server's side.
pub(super) struct Line {
    ctx: Context,
    caller: Caller,
    filter: Filter,
    seat: Seat,
    items: mpsc::Sender<Item>,
    /// The number of the last step that was told or passed by.
    number: u64,
    told_at: Timestamp,
    /// Steps that were taken earlier are left out.
    from: Option<Timestamp>,
    /// When the key was last looked at.
    checked_at: Timestamp,
    /// When it can be said that nothing is missing; `None` when it was said.
    ready_at: Option<Timestamp>,
}

/// The stream is over.
struct Over;

impl Line {
    pub(super) fn new(
        ctx: Context,
        caller: Caller,
        filter: Filter,
        seat: Seat,
        items: mpsc::Sender<Item>,
        start: &Start,
    ) -> Self {
        let now = ctx.env().now();
        let Start { number, from, settled_at, reset: _ } = *start;
        let ready_at = Some(settled_at);
        Self { ctx, caller, filter, seat, items, number, told_at: now, from, checked_at: now, ready_at }
    }

    pub(super) async fn run(mut self, reset: Option<Reset>) {
        // Whoever is over has said why, or nobody listens.
        let Over = match self.go(reset).await {
            Ok(never) => match never {},
            Err(over) => over,
        };
    }

    async fn go(&mut self, reset: Option<Reset>) -> Result<Infallible, Over> {
        if let Some(reset) = reset {
            self.tell(Told::Reset(reset)).await?;
        }
        self.catch_up().await?;
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = self.ctx.stopped() => return self.end(End::Stopping).await,
                () = self.items.closed() => return Err(Over),
                batch = self.seat.batches.recv() => self.take(batch).await?,
                _ = ticks.tick() => self.tick().await?,
            }
        }
    }

    /// Tells what is behind the number, page by page, as fast as it is taken.
    async fn catch_up(&mut self) -> Result<(), Over> {
        loop {
            let found = async {
                self.ctx.store().read(&self.caller.organisation).await?.numbered_events(self.number, BATCH).await
            };
            let found = found.await.map_err(|error| {
                tracing::warn!(%error, "a stream of steps broke off");
                Over
            })?;
            let Some(last) = found.last else { return Ok(()) };
            self.tell_all(&found.events).await?;
            self.number = self.number.max(last);
        }
    }

    async fn take(&mut self, batch: Result<Batch, RecvError>) -> Result<(), Over> {
        match batch {
            Ok(events) => self.tell_all(&events).await,
            // What was not waited for is read from the database.
            Err(RecvError::Lagged(_)) => self.catch_up().await,
            Err(RecvError::Closed) => Err(Over),
        }
    }

    async fn tell_all(&mut self, events: &[NumberedEvent]) -> Result<(), Over> {
        for event in events {
            if event.number <= self.number {
                continue;
            }
            self.number = event.number;
            if self.from.is_none_or(|from| from <= event.event.at) && self.filter.admits(event) {
                self.check().await?;
                self.tell(Told::Step(Box::new(event.clone()))).await?;
            }
        }
        Ok(())
    }

    async fn tick(&mut self) -> Result<(), Over> {
        self.checked_at = Timestamp::from_millis(0);
        self.check().await?;
        let now = self.ctx.env().now();
        if self.ready_at.is_some_and(|ready_at| ready_at <= now) {
            self.ready_at = None;
            return self.tell(Told::Ready).await;
        }
        if self.told_at.plus(QUIET) <= now {
            return self.tell(Told::Quiet).await;
        }
        Ok(())
    }

    /// Ends the stream when the key opens nothing any more.
    async fn check(&mut self) -> Result<(), Over> {
        let now = self.ctx.env().now();
        if now < self.checked_at.plus(TICK) {
            return Ok(());
        }
        self.checked_at = now;
        let standing: Result<_, Failure<Infallible>> = access::recheck(&self.ctx, &self.caller).await;
        match standing {
            Ok(Err(_)) => self.end(End::Refused).await.map(|never| match never {}),
            // A database that is away tells no steps either, and is asked again.
            Ok(Ok(())) | Err(_) => Ok(()),
        }
    }

    async fn end(&mut self, end: End) -> Result<Infallible, Over> {
        let cursor = Cursor { number: self.number, told_at: self.ctx.env().now() };
        put(&self.items, Item { cursor, told: Told::End(end) }, LAST_PATIENCE).await?;
        Err(Over)
    }

    async fn tell(&mut self, told: Told) -> Result<(), Over> {
        self.told_at = self.ctx.env().now();
        let cursor = Cursor { number: self.number, told_at: self.told_at };
        tokio::select! {
            put = put(&self.items, Item { cursor, told }, PATIENCE) => put,
            () = self.ctx.stopped() => Err(Over),
        }
    }
}

/// Hands an item over, unless its receiver is gone or lets the buffer stay full.
async fn put(items: &mpsc::Sender<Item>, item: Item, patience: Duration) -> Result<(), Over> {
    items.send_timeout(item, patience).await.map_err(|error| {
        if let mpsc::error::SendTimeoutError::Timeout(_) = error {
            tracing::info!("a stream of steps was not read and is dropped");
        }
        Over
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item() -> Item {
        Item { cursor: Cursor { number: 1, told_at: Timestamp::from_seconds(1) }, told: Told::Quiet }
    }

    #[tokio::test]
    async fn a_reader_that_takes_nothing_is_given_up_when_the_buffer_is_full() {
        let (items, mut taken) = mpsc::channel(1);
        assert!(put(&items, item(), Duration::ZERO).await.is_ok());
        assert!(put(&items, item(), Duration::ZERO).await.is_err());
        assert!(taken.recv().await.is_some());
        assert!(put(&items, item(), Duration::ZERO).await.is_ok());
        drop(taken);
        assert!(put(&items, item(), PATIENCE).await.is_err());
    }
}
