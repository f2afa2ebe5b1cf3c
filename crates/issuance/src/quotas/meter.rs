//! What a process may do before it counts again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chancery_model::{OrganisationId, Timestamp};
use tokio::sync::Notify;
use tokio::time::timeout;

/// The part of what is left that a process may do before it counts again.
const PARTS: u64 = 16;

/// How long it is believed that a quota is used up.
const BELIEVED: Duration = Duration::from_secs(5);

/// Seconds after which it is worth asking again when requests at the same moment hold what is left.
const SOON: u32 = 1;

/// How long is waited for requests at the same moment that hold what is left.
const PATIENCE: Duration = Duration::from_secs(1);

/// Counts at most before a request that waits for others is refused.
const COUNTS: u32 = 16;

/// The meters of one kind of quota, by organisation.
#[derive(Debug, Default)]
pub(super) struct Meters(Mutex<HashMap<OrganisationId, Meter>>);

#[derive(Clone, Debug, Default)]
struct Meter {
    /// The day that is counted; `None` for what has no end.
    day: Option<i64>,
    limit: u32,
    /// What counted at last, and what was spent since.
    used: u64,
    /// Taken, and neither spent nor given back.
    pending: u64,
    /// May be taken without counting.
    share: u64,
    /// How often it was counted.
    counts: u64,
    /// When it was seen that nothing is left.
    used_up_at: Option<Timestamp>,
    /// One count at a time. Whoever counts is told when something that was taken is spent or goes back.
    counting: Arc<tokio::sync::Mutex<()>>,
    settled: Arc<Notify>,
}

/// Something that was taken out of a quota. It goes back when this is dropped without having been spent.
#[derive(Debug)]
#[must_use]
pub(crate) struct Taken(Option<Share>);

#[derive(Debug)]
struct Share {
    meters: Arc<Meters>,
    organisation: OrganisationId,
    count: u64,
    /// How often it had been counted when this was taken.
    counts: u64,
}

impl Taken {
    /// Where there is no quota.
    pub(super) fn nothing() -> Self {
        Self(None)
    }

    /// It was used for what it was taken for, and that is committed.
    pub(crate) fn spend(mut self) {
        if let Some(Share { meters, organisation, count, counts }) = self.0.take() {
            meters.settle(organisation, |meter| {
                meter.pending = meter.pending.saturating_sub(count);
                // What was taken before the last count may be in it.
                if counts == meter.counts {
                    meter.used = meter.used.saturating_add(count);
                }
            });
        }
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        if let Some(Share { meters, organisation, count, .. }) = self.0.take() {
            meters.settle(organisation, |meter| {
                meter.pending = meter.pending.saturating_sub(count);
                meter.used_up_at = None;
            });
        }
    }
}

impl Meters {
    /// Takes `count`, or says that so much is not left; with the seconds to wait when that may change at once. `counted` is
    /// asked what counts now.
    pub(super) async fn take<E, C: Future<Output = Result<u64, E>>>(
        self: &Arc<Self>,
        organisation: OrganisationId,
        day: Option<i64>,
        limit: u32,
        count: usize,
        now: Timestamp,
        counted: impl Fn() -> C,
    ) -> Result<Result<Taken, Option<u32>>, E> {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        let place = (organisation, day, limit);
        let taken = |counts| Taken(Some(Share { meters: Arc::clone(self), organisation, count, counts }));
        let counting = match self.with(place, |meter| meter.take_known(count, now)) {
            Known::Taken(counts) => return Ok(Ok(taken(counts))),
            Known::UsedUp => return Ok(Err(None)),
            Known::Nothing(counting) => counting,
        };
        let _turn = counting.lock().await;
        for _ in 0..COUNTS {
            // Another request may have counted while this one waited. Nothing is taken during the count, so that all that
            // it may miss is pending now.
            let known = self.with(place, |meter| match meter.take_known(count, now) {
                Known::Nothing(_) => {
                    meter.share = 0;
                    Ok((meter.pending, Arc::clone(&meter.settled)))
                }
                known @ (Known::Taken(_) | Known::UsedUp) => Err(known),
            });
            let (pending, settled) = match known {
                Ok(begun) => begun,
                Err(Known::Taken(counts)) => return Ok(Ok(taken(counts))),
                Err(Known::UsedUp | Known::Nothing(_)) => return Ok(Err(None)),
            };
            let found = counted().await?;
            match self.with(place, |meter| meter.note(found, pending, count, now)) {
                Ok(counts) => return Ok(Ok(taken(counts))),
                Err(None) => return Ok(Err(None)),
                Err(Some(_)) => {}
            }
            // What is at work may be in the count already, or go back.
            if timeout(PATIENCE, settled.notified()).await.is_err() {
                break;
            }
        }
        Ok(Err(Some(SOON)))
    }

    /// Does something with a meter, which begins anew when the day or the limit has changed.
    fn with<T>(
        &self,
        (organisation, day, limit): (OrganisationId, Option<i64>, u32),
        act: impl FnOnce(&mut Meter) -> T,
    ) -> T {
        let mut all = self.all();
        let meter = all.entry(organisation).or_default();
        if meter.day != day {
            meter.used = 0;
        }
        if (meter.day, meter.limit) != (day, limit) {
            (meter.day, meter.limit, meter.share, meter.used_up_at) = (day, limit, 0, None);
        }
        act(meter)
    }

    fn settle(&self, organisation: OrganisationId, change: impl FnOnce(&mut Meter)) {
        if let Some(meter) = self.all().get_mut(&organisation) {
            change(meter);
            meter.settled.notify_one();
        }
    }

    fn all(&self) -> MutexGuard<'_, HashMap<OrganisationId, Meter>> {
        // Nothing that is done under the lock can panic half-way, so a poisoned one guards sound data.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What can be said without counting.
enum Known {
    /// It was taken, after so many counts.
    Taken(u64),
    UsedUp,
    /// Nothing; it may be counted when it is one's turn.
    Nothing(Arc<tokio::sync::Mutex<()>>),
}

impl Meter {
    fn take_known(&mut self, count: u64, now: Timestamp) -> Known {
        if let Some(rest) = self.share.checked_sub(count) {
            self.share = rest;
            self.pending = self.pending.saturating_add(count);
            return Known::Taken(self.counts);
        }
        match self.used_up_at {
            Some(at) if at <= now && now < at.plus(BELIEVED) => Known::UsedUp,
            Some(_) | None => Known::Nothing(Arc::clone(&self.counting)),
        }
    }

    /// Takes `count` after it was found what counts, and answers how often it was counted. `pending` is what was at work when the count began: it may be in the
    /// count or not.
    fn note(&mut self, found: u64, pending: u64, count: u64, now: Timestamp) -> Result<u64, Option<u32>> {
        self.counts = self.counts.wrapping_add(1);
        // What was done today was done, also when its record was deleted.
        self.used = if self.day.is_some() { self.used.max(found) } else { found };
        let left = u64::from(self.limit).saturating_sub(self.used);
        let free = left.saturating_sub(pending.max(self.pending));
        if count > free {
            self.used_up_at = (left == 0).then_some(now);
            return Err((count <= left).then_some(SOON));
        }
        self.share = (free / PARTS).max(count).saturating_sub(count);
        self.pending = self.pending.saturating_add(count);
        Ok(self.counts)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::convert::Infallible;

    use futures::FutureExt as _;
    use uuid::Uuid;

    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_768_478_400);

    /// A database that several processes share.
    #[derive(Default)]
    struct Shared {
        there: Cell<u64>,
        counts: Cell<u64>,
    }

    impl Shared {
        fn take(&self, meters: &Arc<Meters>, limit: u32, count: usize) -> Result<Taken, Option<u32>> {
            self.take_on(meters, Some(1), limit, count)
        }

        fn take_on(
            &self,
            meters: &Arc<Meters>,
            day: Option<i64>,
            limit: u32,
            count: usize,
        ) -> Result<Taken, Option<u32>> {
            let counted = || async {
                self.counts.set(self.counts.get() + 1);
                Ok::<_, Infallible>(self.there.get())
            };
            let taken = meters.take(Uuid::nil().into(), day, limit, count, NOW, counted);
            taken.now_or_never().expect("nobody waits").unwrap_or_else(|never| match never {})
        }

        async fn take_waiting(&self, meters: &Arc<Meters>, limit: u32) -> Result<Taken, Option<u32>> {
            let counted = || async { Ok::<_, Infallible>(self.there.get()) };
            let taken = meters.take(Uuid::nil().into(), Some(1), limit, 1, NOW, counted).await;
            taken.unwrap_or_else(|never| match never {})
        }

        fn issue(&self, meters: &Arc<Meters>, limit: u32) -> bool {
            let Ok(taken) = self.take(meters, limit, 1) else { return false };
            self.there.set(self.there.get() + 1);
            taken.spend();
            true
        }
    }

    #[test]
    fn one_process_does_exactly_what_the_quota_says_and_hardly_counts() {
        for limit in [0, 1, 15, 16, 17, 1000, 100_000] {
            let (shared, meters) = (Shared::default(), Arc::<Meters>::default());
            while shared.issue(&meters, limit) {}
            assert_eq!(shared.there.get(), u64::from(limit));
            assert!(shared.counts.get() < 200, "{limit}: {}", shared.counts.get());
        }
    }

    #[test]
    fn sixteen_processes_go_beyond_it_by_less_than_one_each() {
        for limit in [1, 16, 100, 10_000] {
            let shared = Shared::default();
            let processes: Vec<Arc<Meters>> = (0..16).map(|_| Arc::default()).collect();
            // All have counted before any of them begins: the worst that can be.
            loop {
                let taken: Vec<_> = processes.iter().map(|process| shared.take(process, limit, 1)).collect();
                if taken.iter().all(Result::is_err) {
                    break;
                }
                for taken in taken.into_iter().flatten() {
                    shared.there.set(shared.there.get() + 1);
                    taken.spend();
                }
            }
            let there = shared.there.get();
            assert!((u64::from(limit)..u64::from(limit) + 16).contains(&there), "{limit}: {there}");
        }
    }

    #[tokio::test]
    async fn what_was_not_spent_goes_back_and_what_is_at_work_counts() {
        let (shared, meters) = (Shared::default(), Arc::<Meters>::default());
        let first = shared.take(&meters, 2, 1).expect("one of two");
        let second = shared.take(&meters, 2, 1).expect("two of two");
        let third = async { shared.take_waiting(&meters, 2).await.err() };
        assert!(third.now_or_never().is_none(), "it may come back");
        drop(first);
        shared.there.set(1);
        second.spend();
        assert!(shared.issue(&meters, 2));
        assert_eq!(shared.take(&meters, 2, 1).err(), Some(None));
        assert!(shared.issue(&meters, 3), "the limit was raised");
    }

    #[test]
    fn a_new_day_begins_anew_and_what_is_deleted_today_was_done_today() {
        let (shared, meters) = (Shared::default(), Arc::<Meters>::default());
        assert!(shared.issue(&meters, 1));
        shared.there.set(0);
        assert_eq!(shared.take(&meters, 1, 1).err(), Some(None));
        assert!(shared.take_on(&meters, Some(2), 1, 1).is_ok());
        // What lives is what there is.
        shared.there.set(1);
        assert_eq!(shared.take_on(&meters, None, 1, 1).err(), Some(None));
        assert_eq!(shared.take_on(&meters, None, 2, 2).err(), Some(None), "all or nothing");
        assert!(shared.take_on(&meters, None, 3, 2).is_ok());
    }
}
