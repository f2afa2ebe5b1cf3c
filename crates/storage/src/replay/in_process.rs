//! Claims in the memory of one process.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet};
use std::sync::{Mutex, PoisonError};

use chancery_model::Timestamp;

use super::{Claim, ReplayUnavailable};

type Key = [u8; 32];

pub(super) struct Claims {
    capacity: usize,
    held: Mutex<Held>,
}

/// Both hold the same keys: one to find them, one to find those that expire first.
#[derive(Default)]
struct Held {
    keys: HashSet<Key>,
    by_expiry: BinaryHeap<Reverse<(Timestamp, Key)>>,
}

impl Claims {
    pub(super) fn new(capacity: usize) -> Self {
        Self { capacity, held: Mutex::default() }
    }

    pub(super) fn claim(&self, key: Key, expires_at: Timestamp, now: Timestamp) -> Result<Claim, ReplayUnavailable> {
        // Nothing below can panic half-way, so a poisoned lock guards sound data.
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.forget_expired(now);
        if held.keys.contains(&key) {
            return Ok(Claim::Replayed);
        }
        if held.keys.len() >= self.capacity {
            return Err(ReplayUnavailable::Full);
        }
        held.keys.insert(key);
        held.by_expiry.push(Reverse((expires_at, key)));
        Ok(Claim::Fresh)
    }
}

impl Held {
    fn forget_expired(&mut self, now: Timestamp) {
        while let Some(Reverse((expires_at, key))) = self.by_expiry.peek() {
            if now < *expires_at {
                break;
            }
            self.keys.remove(key);
            self.by_expiry.pop();
        }
    }
}
