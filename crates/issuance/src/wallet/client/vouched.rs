//! Wallet attestations whose chain and signature were checked a moment ago. A wallet sends the same one with each of its
//! requests, and checking it costs as much as everything else in them.
//!
//! Only who signed is remembered: the lifetime, the client and the proof of possession are checked every time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chancery_keys::sha256;
use chancery_model::{Organisation, OrganisationId, Timestamp};
use chancery_protocol::trust::{Attester, ChainRule, TrustList, TrustedKey};
use moka::sync::Cache;

pub(crate) struct Vouched {
    lists: Cache<OrganisationId, Arc<List>>,
    attesters: Cache<Checked, (Attester, Timestamp)>,
    lists_seen: AtomicU64,
}

/// An attestation that was checked against a list.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Checked {
    list: u64,
    attestation: [u8; 32],
}

/// Who was trusted when an attestation was checked. When the organisation changes it, everything is checked anew.
struct List {
    number: u64,
    certificates: Vec<Vec<u8>>,
    keys: Vec<TrustedKey>,
    chains: ChainRule,
}

impl Default for Vouched {
    fn default() -> Self {
        Self {
            lists: Cache::builder().max_capacity(1000).build(),
            attesters: Cache::builder().max_capacity(16_384).time_to_live(Self::LIFETIME).build(),
            lists_seen: AtomicU64::new(0),
        }
    }
}

impl Vouched {
    /// For so long a certificate may go on to count after its end.
    const LIFETIME: Duration = Duration::from_secs(60);

    /// What `attestation`, in compact form, is remembered under.
    pub(super) fn checked(&self, organisation: &Organisation, trust: &TrustList<'_>, attestation: &str) -> Checked {
        let list = self.lists.get(&organisation.id).filter(|list| list.is(trust)).unwrap_or_else(|| {
            let number = self.lists_seen.fetch_add(1, Ordering::Relaxed);
            let list = Arc::new(List::new(number, trust));
            self.lists.insert(organisation.id, Arc::clone(&list));
            list
        });
        Checked { list: list.number, attestation: sha256(attestation.as_bytes()) }
    }

    pub(super) fn attester(&self, checked: &Checked, now: Timestamp) -> Option<Attester> {
        let (attester, then) = self.attesters.get(checked)?;
        let age = now.seconds().checked_sub(then.seconds()).and_then(|age| u64::try_from(age).ok())?;
        (age < Self::LIFETIME.as_secs()).then_some(attester)
    }

    pub(super) fn keep(&self, checked: Checked, attester: Attester, now: Timestamp) {
        self.attesters.insert(checked, (attester, now));
    }
}

impl List {
    fn new(number: u64, trust: &TrustList<'_>) -> Self {
        Self { number, certificates: trust.certificates.to_vec(), keys: trust.keys.to_vec(), chains: trust.chains }
    }

    fn is(&self, trust: &TrustList<'_>) -> bool {
        self.chains == trust.chains && self.certificates == trust.certificates && self.keys == trust.keys
    }
}
