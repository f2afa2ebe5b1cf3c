//! How much one organisation, client, offer or network address may ask of this process.
//!
//! A budget refills steadily (the generic cell rate algorithm); ten seconds' worth may be spent at once. Budgets are
//! counted in this process and cost no database statement and no round trip: what they protect is the process itself.
//! They are no security check. Where nothing can be remembered any more a request is let through, while replays, which
//! are one, stay refused.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use chancery_model::{Organisation, Timestamp};

use crate::Context;

/// Requests per minute; 0 for no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RateLimits {
    /// Of all wallets of one organisation together.
    pub organisation: u32,
    /// Of one client at one organisation.
    pub client: u32,
    /// About one offer, or with one access token.
    pub offer: u32,
    /// From one network address to one organisation: many phones share one.
    pub address: u32,
}

/// Who asks, as far as it shows before anything is verified.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asking<'r> {
    /// What only this client sends: the header of its DPoP proof, which holds its key, or its wallet attestation.
    pub client: Option<&'r [u8]>,
    /// Id of an offer, or the access token that came of it.
    pub offer: Option<&'r [u8]>,
    /// Public network address; `None` when only a proxy shows.
    pub address: Option<IpAddr>,
}

/// Whose budget is spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Limit {
    /// That of the organisation.
    Organisation,
    /// That of the client.
    Client,
    /// That of the offer.
    Offer,
    /// That of the network address.
    Address,
}

/// A budget is spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exceeded {
    /// Whose.
    pub limit: Limit,
    /// Seconds until there is enough for one request; at least 1.
    pub retry_after: u32,
}

impl Context {
    /// Whether a request may go on. It is charged to each of its budgets until one is spent, the narrowest first: a
    /// wild client spends its own, and not that of the organisation.
    ///
    /// # Errors
    /// [`Exceeded`] names the budget that is spent.
    pub fn admit(&self, organisation: &Organisation, asking: &Asking<'_>) -> Result<(), Exceeded> {
        self.budgets().charge(&organisation.id.to_string(), asking, self.env().now())
    }
}

/// Number of locks; requests rarely meet at one.
const SHARDS: usize = 16;

/// Budgets remembered at most behind one lock, about 40 bytes each.
const SHARD_CAPACITY: usize = 32 * 1024;

/// Milliseconds between two searches for budgets that are full again, so that a stranger who makes up clients cannot
/// make each request a search.
const SWEEP_INTERVAL: i64 = 1000;

const MINUTE: i64 = 60_000_000;

/// Spent budgets. One that is full is not remembered.
pub(crate) struct Budgets {
    limits: RateLimits,
    /// Keyed by chance: nobody can choose keys that meet.
    hasher: RandomState,
    /// Budgets remembered at most behind each lock.
    capacity: usize,
    shards: [Mutex<Shard>; SHARDS],
}

#[derive(Default)]
struct Shard {
    /// When each budget will be full again, in microseconds.
    full_at: HashMap<u64, i64>,
    swept_at: i64,
}

impl Budgets {
    pub(crate) fn new(limits: RateLimits) -> Self {
        Self { limits, hasher: RandomState::new(), capacity: SHARD_CAPACITY, shards: Default::default() }
    }

    fn charge(&self, organisation: &str, asking: &Asking<'_>, now: Timestamp) -> Result<(), Exceeded> {
        let RateLimits { organisation: whole, client, offer, address } = self.limits;
        let now = now.millis().saturating_mul(1000);
        let charge = |limit: Limit, per_minute: u32, who: Option<&[u8]>| match who {
            Some(who) if per_minute > 0 => {
                let key = self.hasher.hash_one((limit, organisation, who));
                self.spend(key, per_minute, now).map_err(|retry_after| Exceeded { limit, retry_after })
            }
            Some(_) | None => Ok(()),
        };
        let network = asking.address.map(network);
        charge(Limit::Client, client, asking.client)?;
        charge(Limit::Offer, offer, asking.offer)?;
        charge(Limit::Address, address, network.as_ref().map(<[u8; 8]>::as_slice))?;
        charge(Limit::Organisation, whole, Some(b""))
    }

    /// Takes one request out of a budget, or says in how many seconds there is enough for it.
    fn spend(&self, key: u64, per_minute: u32, now: i64) -> Result<(), u32> {
        let cost = MINUTE / i64::from(per_minute).max(1);
        let depth = cost.saturating_mul(at_once(per_minute));
        let index = usize::try_from(key).unwrap_or_default() % SHARDS;
        let Some(shard) = self.shards.get(index) else { return Ok(()) };
        // Nothing below can panic half-way, so a poisoned lock guards sound data.
        let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
        let full_at = shard.full_at.get(&key).copied().unwrap_or(now).max(now);
        let spent = full_at.saturating_add(cost);
        let missing = spent.saturating_sub(now).saturating_sub(depth);
        if missing > 0 {
            // Rounded up, so that who waits as told is let in.
            return Err(u32::try_from(missing.saturating_add(999_999) / 1_000_000).unwrap_or(60).max(1));
        }
        shard.remember(key, spent, now, self.capacity);
        Ok(())
    }
}

impl Shard {
    fn remember(&mut self, key: u64, spent: i64, now: i64, capacity: usize) {
        if self.full_at.len() >= capacity && !self.full_at.contains_key(&key) {
            if now.saturating_sub(self.swept_at) < SWEEP_INTERVAL * 1000 {
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

impl fmt::Debug for Budgets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Budgets").field("limits", &self.limits).finish_non_exhaustive()
    }
}

/// Requests that may come at once: ten seconds' worth, and never less than a wallet needs for one credential.
fn at_once(per_minute: u32) -> i64 {
    i64::from(per_minute / 6).max(10)
}

/// What counts as one address: a customer of a provider has a whole /64 of IPv6.
fn network(address: IpAddr) -> [u8; 8] {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            let [a, b, c, d] = address.octets();
            [0, 0, 0, 0, a, b, c, d]
        }
        IpAddr::V6(address) => {
            let [a, b, c, d, e, f, g, h, ..] = address.octets();
            [a, b, c, d, e, f, g, h]
        }
    }
}
