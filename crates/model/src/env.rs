//! Time and chance, handed down as an argument so that no use case reaches for a global.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use uuid::Uuid;

use crate::Timestamp;

/// Clock and entropy of a process. Clones share both.
#[derive(Clone, Debug)]
pub struct Env {
    clock: Clock,
    entropy: Entropy,
    recorded_nonces: Arc<HashSet<String>>,
    /// Ids made so far.
    made: Arc<AtomicU32>,
}

#[derive(Clone, Debug)]
enum Clock {
    System,
    Manual(Arc<AtomicI64>),
}

/// Where random bytes come from.
#[derive(Clone, Debug)]
pub enum Entropy {
    /// The operating system's generator.
    System,
    /// Prepared values first (by length), the operating system's generator when none of that length is left. Lets a
    /// captured exchange be replayed with the very codes and tokens that were captured.
    Scripted(Arc<Mutex<HashMap<usize, VecDeque<Vec<u8>>>>>),
}

impl Env {
    /// The real clock and the operating system's generator.
    pub fn system() -> Self {
        Self { clock: Clock::System, entropy: Entropy::System, recorded_nonces: Arc::default(), made: Arc::default() }
    }

    /// A clock that stands still until [`Env::set_clock`] moves it, and entropy that can be scripted.
    pub fn manual(now: Timestamp) -> Self {
        Self {
            clock: Clock::Manual(Arc::new(AtomicI64::new(now.millis()))),
            entropy: Entropy::Scripted(Arc::default()),
            recorded_nonces: Arc::default(),
            made: Arc::default(),
        }
    }

    /// Also recognises these `c_nonce` values, minted by another server when its traffic was recorded. They are used
    /// up like any other.
    pub fn with_recorded_nonces(mut self, nonces: impl IntoIterator<Item = String>) -> Self {
        self.recorded_nonces = Arc::new(nonces.into_iter().collect());
        self
    }

    /// The present instant. Read once per use case.
    pub fn now(&self) -> Timestamp {
        match &self.clock {
            Clock::System => system_now(),
            Clock::Manual(millis) => Timestamp::from_millis(millis.load(Ordering::SeqCst)),
        }
    }

    /// Moves a manual clock; the system clock cannot be moved and ignores this.
    pub fn set_clock(&self, now: Timestamp) {
        if let Clock::Manual(millis) = &self.clock {
            millis.store(now.millis(), Ordering::SeqCst);
        }
    }

    /// Makes the next draw of `value.len()` bytes return `value`; system entropy ignores this.
    pub fn script(&self, value: Vec<u8>) {
        if let Entropy::Scripted(prepared) = &self.entropy {
            let mut prepared = prepared.lock().unwrap_or_else(PoisonError::into_inner);
            prepared.entry(value.len()).or_default().push_back(value);
        }
    }

    /// Fills `bytes` with unpredictable values.
    pub fn fill(&self, bytes: &mut [u8]) {
        if let Entropy::Scripted(prepared) = &self.entropy {
            let mut prepared = prepared.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(value) = prepared.get_mut(&bytes.len()).and_then(VecDeque::pop_front) {
                bytes.copy_from_slice(&value);
                return;
            }
        }
        chancery_keys::fill_random(bytes);
    }

    /// `N` unpredictable bytes.
    pub fn random<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }

    /// A new UUIDv7 at `now`. Ids that this `Env` and its clones made in one millisecond sort in the order in which they
    /// were made (RFC 9562 §6.2, method 1). Never scripted: ids are not secrets and must stay unique.
    pub fn uuid(&self, now: Timestamp) -> Uuid {
        let mut random = [0; 10];
        chancery_keys::fill_random(&mut random);
        // 26 bits of counter where version and variant leave room: 4 + 8 bits, then 6 + 8 bits.
        let [top, high, low, bottom] = self.made.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        let count = [(top << 2) | (high >> 6), (high << 2) | (low >> 6), low & 0x3f, bottom];
        if let Some(place) = random.first_chunk_mut() {
            *place = count;
        }
        let millis = u64::try_from(now.millis()).unwrap_or_default();
        uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
    }

    /// Whether `nonce` is one of the recorded values of [`Env::with_recorded_nonces`].
    pub fn recorded_nonce(&self, nonce: &str) -> bool {
        self.recorded_nonces.contains(nonce)
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the system clock")]
fn system_now() -> Timestamp {
    let elapsed = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scripted_value_is_drawn_once_and_only_at_its_length() {
        let env = Env::manual(Timestamp::from_seconds(1));
        env.script(vec![7; 16]);
        assert_ne!(env.random::<32>(), [7; 32]);
        assert_eq!(env.random::<16>(), [7; 16]);
        assert_ne!(env.random::<16>(), [7; 16]);
    }

    #[test]
    fn a_manual_clock_moves_for_every_clone() {
        let env = Env::manual(Timestamp::from_seconds(1));
        let clone = env.clone();
        env.set_clock(Timestamp::from_seconds(60));
        assert_eq!(clone.now().seconds(), 60);
    }

    #[test]
    fn uuids_of_one_millisecond_sort_in_the_order_they_were_made_in() {
        let env = Env::system();
        let now = Timestamp::from_seconds(1);
        // Past every byte of the counter that can carry into the next within a test.
        let ids: Vec<_> = (0..70_000).map(|_| env.uuid(now)).collect();
        assert!(ids.is_sorted());
        assert!(ids.iter().all(|id| id.get_version_num() == 7));
    }

    #[test]
    fn uuids_sort_by_time() {
        let env = Env::system();
        assert!(env.uuid(Timestamp::from_seconds(1)) < env.uuid(Timestamp::from_seconds(2)));
    }
}
