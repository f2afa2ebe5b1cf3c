//! Budgets in the memory of this process.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Number of locks; requests rarely meet at one.
pub(super) const SHARDS: usize = 16;

/// Budgets remembered at most behind one lock, about 40 bytes each.
const SHARD_CAPACITY: usize = 32 * 1024;

/// Microseconds between two searches for budgets that are full again, so that a stranger who makes up clients cannot
/// make each request a search.
const SWEEP_INTERVAL: i64 = 1_000_000;

const MINUTE: i64 = 60_000_000;

/// Parts of a budget; each process has one of them to itself, and shares the others.
const PARTS: i64 = 16;

/// How a budget refills.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rate {
    /// Microseconds in which it refills by one request.
    pub(super) interval: i64,
    /// Requests that may come at once when it is full.
    pub(super) at_once: i64,
}

impl Rate {
    /// Ten seconds' worth may come at once, and never less than a wallet needs for one credential.
    pub(super) fn per_minute(requests: u32) -> Self {
        Self { interval: (MINUTE / i64::from(requests).max(1)).max(1), at_once: i64::from(requests / 6).max(10) }
    }

    /// What a process lets through before it asks for a share: most wallets need no more.
    pub(super) fn own_part(self) -> Self {
        Self { interval: self.interval.saturating_mul(PARTS), at_once: self.at_once / 4 }
    }

    /// What all processes share. With the part of one process it is the whole.
    pub(super) fn shared_part(self) -> Self {
        Self {
            interval: self.interval.saturating_mul(PARTS) / (PARTS - 1),
            at_once: self.at_once - self.own_part().at_once,
        }
    }

    /// Microseconds in which it fills when it is empty.
    pub(super) fn depth(self) -> i64 {
        self.interval.saturating_mul(self.at_once)
    }
}

/// Spent budgets. One that is full is not remembered.
#[derive(Debug)]
pub(super) struct Buckets {
    /// Budgets remembered at most behind each lock.
    capacity: usize,
    shards: [Mutex<Shard>; SHARDS],
}

#[derive(Debug, Default)]
struct Shard {
    /// When each budget will be full again, in microseconds.
    full_at: HashMap<u64, i64>,
    swept_at: i64,
}

impl Default for Buckets {
    fn default() -> Self {
        Self::with_capacity(SHARD_CAPACITY)
    }
}

impl Buckets {
    pub(super) fn with_capacity(capacity: usize) -> Self {
        Self { capacity, shards: Default::default() }
    }

    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().unwrap().full_at.len()).sum()
    }

    /// Takes one request out of a budget, or says how many microseconds are missing.
    pub(super) fn spend(&self, key: u64, rate: Rate, now: i64) -> Result<(), i64> {
        let Some(shard) = shard(&self.shards, key) else { return Ok(()) };
        // Nothing below can panic half-way, so a poisoned lock guards sound data.
        let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
        let full_at = shard.full_at.get(&key).copied().unwrap_or(now).max(now);
        let spent = full_at.saturating_add(rate.interval);
        let missing = spent.saturating_sub(now).saturating_sub(rate.depth());
        if missing > 0 {
            return Err(missing);
        }
        shard.remember(key, spent, now, self.capacity);
        Ok(())
    }
}

impl Shard {
    fn remember(&mut self, key: u64, spent: i64, now: i64, capacity: usize) {
        if self.full_at.len() >= capacity && !self.full_at.contains_key(&key) {
            if now.saturating_sub(self.swept_at) < SWEEP_INTERVAL {
                return;
            }
            self.swept_at = now;
            self.full_at.retain(|_, full_at| *full_at > now);
            if self.full_at.len() >= capacity {
                return;
            }
        }
        self.full_at.insert(key, spent);
    }
}

/// The shard that a key belongs to.
pub(super) fn shard<T>(shards: &[T; SHARDS], key: u64) -> Option<&T> {
    shards.get(usize::try_from(key).unwrap_or_default() % SHARDS)
}
