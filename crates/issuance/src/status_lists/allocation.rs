//! Who gets which index. Each process leases blocks of positions and turns them into indexes by the permutation of the
//! list, so that two processes never meet, no index tells its place in the order, and issuances wait for no common row.

use std::num::NonZeroU32;
use std::sync::Arc;

use chancery_formats::status_list::{Bits, Permutation};
use chancery_keys::MacKey;
use chancery_model::{Organisation, OrganisationId, StatusList, StatusListId, StatusPlace, Timestamp};
use chancery_storage::StoreError;
use moka::future::Cache;
use tokio::sync::Mutex;

use crate::sealed::Place;
use crate::{Context, Failure};

/// Entries of a new list: a crowd to hide in, and 128 KiB of memory a bit.
const CAPACITY: u32 = 1 << 20;

/// Positions that a process leases at a time. What it has not used when it stops is never used.
const BLOCK: u32 = 256;

/// Lists that the copies of one request are spread over, at most.
const MOST_LISTS: usize = 4;

/// How often a lease is tried while other processes lease and open lists too.
const ATTEMPTS: usize = 16;

/// Leases of this process.
pub(super) struct Leases(Cache<(OrganisationId, Bits), Arc<Mutex<Vec<Lease>>>>);

impl Default for Leases {
    fn default() -> Self {
        Self(Cache::builder().max_capacity(10_000).build())
    }
}

/// Positions of a list that nobody else uses.
struct Lease {
    list: StatusListId,
    permutation: Permutation,
    next: u32,
    end: u32,
}

impl Lease {
    fn draw(&mut self) -> Option<StatusPlace> {
        if self.next >= self.end {
            return None;
        }
        let index = self.permutation.index(self.next);
        self.next += 1;
        index.map(|index| StatusPlace { list: self.list, index })
    }
}

impl Context {
    /// Places for `count` credentials of one request, spread over several lists. A place that is not used afterwards is
    /// wasted.
    pub(crate) async fn draw_status_places<R>(
        &self,
        organisation: &Organisation,
        bits: Bits,
        count: usize,
        now: Timestamp,
    ) -> Result<Vec<StatusPlace>, Failure<R>> {
        let of_width = self.status_lists().leases.0.get_with((organisation.id, bits), async { Arc::default() }).await;
        let mut leases = of_width.lock().await;
        let [random] = self.env().random::<1>();
        let mut turn = usize::from(random);
        let mut places = Vec::with_capacity(count);
        while places.len() < count {
            leases.retain(|lease| lease.next < lease.end);
            while leases.len() < count.min(MOST_LISTS) {
                let held: Vec<StatusListId> = leases.iter().map(|lease| lease.list).collect();
                let lease = self.lease(organisation, bits, &held, now).await?;
                leases.push(lease);
            }
            let chosen = turn % leases.len().max(1);
            turn = turn.wrapping_add(1);
            places.extend(leases.get_mut(chosen).and_then(Lease::draw));
        }
        Ok(places)
    }

    /// A block of a list that is not among `held`.
    async fn lease<R>(
        &self,
        organisation: &Organisation,
        bits: Bits,
        held: &[StatusListId],
        now: Timestamp,
    ) -> Result<Lease, Failure<R>> {
        for _ in 0..ATTEMPTS {
            let (mut open, known) = self.store().read(organisation).await?.open_status_lists(bits, BLOCK).await?;
            open.retain(|list| !held.contains(&list.id));
            let [random] = self.env().random::<1>();
            let chosen = usize::from(random).checked_rem(open.len()).map(|chosen| open.swap_remove(chosen));
            let list = match chosen {
                Some(list) => list,
                None => match self.open_list(organisation, bits, known, now).await? {
                    Some(list) => list,
                    None => continue,
                },
            };
            // On disk before an index leaves: a lease that a crash forgets would be given to somebody else.
            let lease = self.store().write(organisation, async |tx| tx.lease_status_positions(list.id, BLOCK).await);
            if let Some(first) = lease.await? {
                let permutation = self.permutation(organisation, &list)?;
                let end = first.saturating_add(BLOCK).min(list.capacity);
                return Ok(Lease { list: list.id, permutation, next: first, end });
            }
        }
        Err(Failure::Unavailable(anyhow::anyhow!("no status list could be leased in {ATTEMPTS} attempts")))
    }

    /// Opens one more list; `None` when another process was first.
    async fn open_list<R>(
        &self,
        organisation: &Organisation,
        bits: Bits,
        ordinal: u32,
        now: Timestamp,
    ) -> Result<Option<StatusList>, Failure<R>> {
        let id = StatusListId::from(self.env().uuid(now));
        let seed = self.env().random::<32>();
        let sealed_seed = self.seal_bytes(organisation, Place::StatusListSeed, id.as_uuid(), &seed)?;
        let list = StatusList { id, bits, ordinal, capacity: CAPACITY, sealed_seed, created_at: now };
        let opened: Result<bool, StoreError> =
            self.store().write(organisation, async |tx| tx.open_status_list(&list).await).await;
        Ok(opened?.then_some(list))
    }

    fn permutation<R>(&self, organisation: &Organisation, list: &StatusList) -> Result<Permutation, Failure<R>> {
        let broken =
            || Failure::Internal(anyhow::anyhow!("the seed or capacity of status list {} is unusable", list.id));
        let seed = self.open_bytes(organisation, Place::StatusListSeed, list.id.as_uuid(), &list.sealed_seed)?;
        let seed: [u8; 32] = seed.as_slice().try_into().map_err(|_| broken())?;
        let capacity = NonZeroU32::new(list.capacity).ok_or_else(broken)?;
        Ok(Permutation::new(&MacKey::from_bytes(seed), list.id.as_uuid().as_bytes(), capacity))
    }
}
