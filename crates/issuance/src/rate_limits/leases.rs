//! What this process has drawn of budgets that it shares with others.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError};

use chancery_storage::{Draw, Drawn, SharedBudgets};

use super::Name;
use super::bucket::{Rate, SHARDS, shard};

/// A draw takes this part of what may come at once.
const BLOCKS: i64 = 16;

/// Microseconds after which what was drawn is forfeit: it has refilled meanwhile.
const LEASE: i64 = 10_000_000;

/// Microseconds for which Redis is not asked after it did not answer.
const PAUSE: i64 = 1_000_000;

/// Leases remembered at most behind one lock. Only budgets that are spent fast have one.
const SHARD_CAPACITY: usize = 8 * 1024;

/// Shared budgets, as far as this process has drawn on them.
pub(super) struct Leases {
    budgets: SharedBudgets,
    held: [Mutex<HashMap<u64, Lease>>; SHARDS],
    /// One draw at a time, so that requests of the same moment share a block.
    drawing: [tokio::sync::Mutex<()>; SHARDS],
    is_away: AtomicBool,
    ask_again_at: AtomicI64,
}

/// What the last draw brought.
#[derive(Clone, Copy)]
enum Lease {
    /// Requests that may still be let through, until then.
    Granted { rest: i64, until: i64 },
    /// There is not enough before then.
    Refused { until: i64 },
}

impl Leases {
    pub(super) fn new(budgets: SharedBudgets) -> Self {
        Self {
            budgets,
            held: Default::default(),
            drawing: Default::default(),
            is_away: AtomicBool::new(false),
            ask_again_at: AtomicI64::new(i64::MIN),
        }
    }

    /// Takes one request out of a budget, or says how many microseconds are missing. `None` when Redis does not answer.
    pub(super) async fn spend(&self, key: u64, name: Name<'_>, rate: Rate, now: i64) -> Option<Result<(), i64>> {
        if let Some(known) = self.take(key, now) {
            return Some(known);
        }
        let _turn = shard(&self.drawing, key)?.lock().await;
        // Another request may have drawn, or found Redis away, while this one waited.
        if let Some(known) = self.take(key, now) {
            return Some(known);
        }
        if now < self.ask_again_at.load(Ordering::Relaxed) {
            return None;
        }
        self.draw(key, name, rate, now).await
    }

    async fn draw(&self, key: u64, name: Name<'_>, rate: Rate, now: i64) -> Option<Result<(), i64>> {
        let block = (rate.at_once / BLOCKS).max(1);
        let draw = Draw { cost: rate.interval.saturating_mul(block), depth: rate.depth(), now };
        match self.budgets.draw(&name.text(), draw).await {
            Ok(drawn) => {
                if self.is_away.swap(false, Ordering::Relaxed) {
                    tracing::info!("Redis answers again: rate limits are counted together");
                }
                let (lease, spent) = match drawn {
                    Drawn::Granted => (Lease::Granted { rest: block - 1, until: now.saturating_add(LEASE) }, Ok(())),
                    Drawn::Missing(missing) => (Lease::Refused { until: now.saturating_add(missing) }, Err(missing)),
                };
                self.hold(key, lease, now);
                Some(spent)
            }
            Err(error) => {
                self.ask_again_at.store(now.saturating_add(PAUSE), Ordering::Relaxed);
                if !self.is_away.swap(true, Ordering::Relaxed) {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(error, "Redis does not answer: rate limits are counted in this process alone");
                }
                None
            }
        }
    }

    /// What is known without asking.
    fn take(&self, key: u64, now: i64) -> Option<Result<(), i64>> {
        let mut held = shard(&self.held, key)?.lock().unwrap_or_else(PoisonError::into_inner);
        match held.get_mut(&key)? {
            Lease::Granted { rest, until } if now < *until && *rest > 0 => {
                *rest -= 1;
                Some(Ok(()))
            }
            Lease::Refused { until } if now < *until => Some(Err(until.saturating_sub(now))),
            Lease::Granted { .. } | Lease::Refused { .. } => None,
        }
    }

    fn hold(&self, key: u64, lease: Lease, now: i64) {
        let Some(shard) = shard(&self.held, key) else { return };
        let mut held = shard.lock().unwrap_or_else(PoisonError::into_inner);
        if held.len() >= SHARD_CAPACITY {
            held.retain(|_, lease| lease.holds(now));
        }
        if held.len() < SHARD_CAPACITY {
            held.insert(key, lease);
        }
    }
}

impl Lease {
    fn holds(self, now: i64) -> bool {
        match self {
            Self::Granted { until, .. } | Self::Refused { until } => now < until,
        }
    }
}
