use std::fmt;
use std::num::NonZeroU32;

use chancery_keys::MacKey;

/// Rounds of the network, as many as FF1 has (SP 800-38G).
const ROUNDS: u8 = 10;

/// Turns the positions 0, 1, 2, … of a counter into indexes of a list: each index once, in an order that nobody can
/// tell without the key (§12.5, §13.2).
///
/// A counter alone is enough state: there is no table of free indexes to search, and processes that lease different
/// positions never meet at an index. The same key, list and capacity always give the same order, so none of them may
/// change while the list is in use.
///
/// This is a Feistel network over numbers below `left * right`, which is the capacity or a little more; what falls
/// outside is sent through again until it falls inside.
#[derive(Clone)]
pub struct Permutation {
    key: MacKey,
    capacity: u64,
    left: u64,
    right: u64,
}

impl Permutation {
    /// The order of the indexes of `list`, which is any name that no other list has, such as its id.
    #[must_use]
    pub fn new(key: &MacKey, list: &[u8], capacity: NonZeroU32) -> Self {
        let mut context = b"status list index permutation\0".to_vec();
        context.extend_from_slice(&capacity.get().to_be_bytes());
        context.extend_from_slice(list);
        let capacity = u64::from(capacity.get());
        // Both halves near the square root: the fewest numbers outside, and the most mixing.
        let root = capacity.isqrt();
        let left = if root * root < capacity { root + 1 } else { root };
        Self { key: MacKey::from_bytes(key.mac(&context)), capacity, left, right: capacity.div_ceil(left) }
    }

    /// How many indexes there are.
    #[must_use]
    pub fn capacity(&self) -> u32 {
        u32::try_from(self.capacity).unwrap_or(u32::MAX)
    }

    /// The index for the `position`-th draw, counted from 0; `None` when the list is used up.
    #[must_use]
    pub fn index(&self, position: u32) -> Option<u32> {
        let mut number = u64::from(position);
        if number >= self.capacity {
            return None;
        }
        // Ends: the network permutes, so the way from a number below the capacity comes back to it at the latest.
        loop {
            number = self.network(number);
            if number < self.capacity {
                return u32::try_from(number).ok();
            }
        }
    }

    /// A permutation of the numbers below `left * right`.
    fn network(&self, number: u64) -> u64 {
        let (mut left, mut right) = (number % self.left, number / self.left);
        for round in 0..ROUNDS {
            if round % 2 == 0 {
                left = (left + self.round(round, right, self.left)) % self.left;
            } else {
                right = (right + self.round(round, left, self.right)) % self.right;
            }
        }
        right * self.left + left
    }

    /// A number below `modulus`, even but for one part in 2^47: halves have at most 17 bits.
    fn round(&self, round: u8, half: u64, modulus: u64) -> u64 {
        let [b0, b1, b2, b3, b4, b5, b6, b7] = half.to_be_bytes();
        let mac = self.key.mac(&[round, b0, b1, b2, b3, b4, b5, b6, b7]);
        let [m0, m1, m2, m3, m4, m5, m6, m7, ..] = mac;
        u64::from_be_bytes([m0, m1, m2, m3, m4, m5, m6, m7]) % modulus
    }
}

/// The capacity only.
impl fmt::Debug for Permutation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Permutation").field("capacity", &self.capacity).finish_non_exhaustive()
    }
}
