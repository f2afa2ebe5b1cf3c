//! Lists in memory.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use chancery_formats::status_list as format;
use chancery_model::{OrganisationId, StatusList, StatusListId, Timestamp};
use moka::future::Cache;
use tokio::sync::{Mutex, Semaphore};

use super::super::Token;
use super::edition::{Edition, Encoding, TTL};

/// Lists that were asked for lately.
pub(in crate::status_lists) struct Shelf {
    pub(super) kept: Cache<(OrganisationId, StatusListId), Arc<Kept>>,
    /// Past states by version.
    pub(super) past: Cache<(OrganisationId, StatusListId, u64, Encoding), Arc<Token>>,
    /// Past states are made two at a time: each costs as much as the whole list.
    pub(super) past_at_once: Semaphore,
}

impl Default for Shelf {
    fn default() -> Self {
        let by_size = |_: &_, kept: &Arc<Kept>| kept.size();
        let by_body = |_: &_, token: &Arc<Token>| u32::try_from(token.body.len()).unwrap_or(u32::MAX);
        Self {
            kept: Cache::builder().max_capacity(Self::BYTES).weigher(by_size).build(),
            past: Cache::builder()
                .max_capacity(Self::PAST_BYTES)
                .weigher(by_body)
                .time_to_live(Self::PAST_LIFETIME)
                .build(),
            past_at_once: Semaphore::new(2),
        }
    }
}

impl Shelf {
    /// Bytes of lists, without what is signed of them: several hundred lists of a million entries.
    const BYTES: u64 = 128 << 20;
    const PAST_BYTES: u64 = 16 << 20;
    /// As short as keys are remembered: a past token is signed by the key of today.
    const PAST_LIFETIME: Duration = Duration::from_secs(60);
}

/// One list.
pub(super) struct Kept {
    pub(super) list: StatusList,
    pub(super) memory: Mutex<Memory>,
    shown: RwLock<Shown>,
}

/// What requests are answered with.
#[derive(Default)]
struct Shown {
    edition: Option<Arc<Edition>>,
    /// When the database last said that nothing newer is there.
    checked: Option<Instant>,
    /// Changes that this process made, counted.
    made: u64,
    /// As many of them were made when the last check began.
    seen: u64,
}

/// The values, for whoever brings them up to date.
pub(super) struct Memory {
    pub(super) values: format::StatusList,
    pub(super) version: u64,
    built: Option<(Instant, Duration)>,
}

/// For how long what was checked is shown without another look.
const UNCHECKED: Duration = Duration::from_secs(1);
/// For how long it is shown while somebody else looks.
const WHILE_LOOKING: Duration = Duration::from_secs(3);

impl Kept {
    pub(super) fn new(list: StatusList, values: format::StatusList) -> Self {
        let memory = Mutex::new(Memory { values, version: 0, built: None });
        Self { list, memory, shown: RwLock::default() }
    }

    /// What is shown, when nobody has to look.
    pub(super) fn fresh(&self, now: Timestamp) -> Option<Arc<Edition>> {
        self.shown_since(UNCHECKED, now, true)
    }

    /// What is shown, when it is no problem that it could be a little behind.
    pub(super) fn recent(&self, now: Timestamp) -> Option<Arc<Edition>> {
        self.shown_since(WHILE_LOOKING, now, false)
    }

    /// What is shown, when nothing better is to be had: not longer than consumers keep a copy anyway.
    pub(super) fn within_promise(&self, now: Timestamp) -> Option<Arc<Edition>> {
        self.shown_since(Duration::from_secs(TTL.get().into()), now, false)
    }

    pub(super) fn current(&self) -> Option<Arc<Edition>> {
        self.read(|shown| shown.edition.clone())
    }

    /// Something changed: the next request looks.
    pub(super) fn doubt(&self) {
        self.write(|shown| shown.made = shown.made.wrapping_add(1));
    }

    /// Before a look at the database: which changes of this process it is bound to see, and when it began.
    pub(super) fn begin_check(&self) -> (Instant, u64) {
        (Instant::now(), self.read(|shown| shown.made))
    }

    pub(super) fn checked(&self, (at, seen): (Instant, u64)) {
        self.write(|shown| (shown.checked, shown.seen) = (Some(at), seen));
    }

    pub(super) fn publish(&self, edition: Arc<Edition>, (at, seen): (Instant, u64)) {
        self.write(|shown| *shown = Shown { edition: Some(edition), checked: Some(at), made: shown.made, seen });
    }

    fn shown_since(&self, longest: Duration, now: Timestamp, undoubted: bool) -> Option<Arc<Edition>> {
        self.read(|shown| {
            let is_young = shown.checked.is_some_and(|checked| checked.elapsed() < longest);
            let is_certain = !undoubted || shown.made == shown.seen;
            shown.edition.as_ref().filter(|edition| is_young && is_certain && edition.is_current(now)).cloned()
        })
    }

    fn read<T>(&self, look: impl FnOnce(&Shown) -> T) -> T {
        look(&self.shown.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write(&self, change: impl FnOnce(&mut Shown)) {
        change(&mut self.shown.write().unwrap_or_else(PoisonError::into_inner));
    }

    fn size(&self) -> u32 {
        (self.list.capacity / 8).saturating_mul(u8::from(self.list.bits).into())
    }
}

impl Memory {
    /// Changes are gathered: a list is made anew for at most a tenth of the time, and once a second if need be.
    pub(super) fn is_resting(&self) -> bool {
        self.built.is_some_and(|(at, cost)| at.elapsed() < cost.saturating_mul(10).min(UNCHECKED))
    }

    pub(super) fn built(&mut self, started: Instant) {
        let now = Instant::now();
        self.built = Some((now, now.duration_since(started)));
    }
}
