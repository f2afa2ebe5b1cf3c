use std::cell::RefCell;

use aws_lc_rs::{digest, rand};
use zeroize::Zeroize as _;

/// Bytes that a thread draws from the generator at a time. A draw costs the same for one byte and for some hundreds.
const BLOCK_LEN: usize = 512;

/// Most bytes that are taken out of a block.
const SMALL_LEN: usize = 64;

/// SHA-256 (FIPS 180-4).
#[must_use]
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut output = [0; 32];
    output.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    output
}

/// `N` bytes from the generator of AWS-LC, which the operating system seeds.
#[must_use]
pub fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    fill_random(&mut bytes);
    bytes
}

/// Fills `bytes` from the generator of AWS-LC, which the operating system seeds.
pub fn fill_random(bytes: &mut [u8]) {
    let is_small = bytes.len() <= SMALL_LEN;
    if !is_small || BLOCK.try_with(|block| block.borrow_mut().take(bytes)).is_err() {
        draw(bytes);
    }
}

thread_local! {
    static BLOCK: RefCell<Block> = const { RefCell::new(Block { bytes: [0; BLOCK_LEN], left: 0 }) };
}

/// Bytes that were drawn and not given out yet, at the beginning. Each is given out once, and wiped then.
struct Block {
    bytes: [u8; BLOCK_LEN],
    left: usize,
}

impl Block {
    fn take(&mut self, into: &mut [u8]) {
        if self.left < into.len() {
            draw(&mut self.bytes);
            self.left = BLOCK_LEN;
        }
        let rest = self.left - into.len();
        if let Some(taken) = self.bytes.get_mut(rest..self.left) {
            into.copy_from_slice(taken);
            taken.zeroize();
            self.left = rest;
        }
    }
}

#[expect(clippy::panic, reason = "a server without entropy must not go on with predictable bytes")]
fn draw(bytes: &mut [u8]) {
    if rand::fill(bytes).is_err() {
        panic!("the random generator failed");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sha256_matches_the_published_vector() {
        let digest = sha256(b"abc");
        assert_eq!(digest[..4], [0xba, 0x78, 0x16, 0xbf]);
        assert_eq!(digest[28..], [0xf2, 0x00, 0x15, 0xad]);
    }

    #[test]
    fn random_bytes_do_not_repeat() {
        assert_ne!(random_bytes::<16>(), random_bytes::<16>());
        let mut filled = [0; 16];
        fill_random(&mut filled);
        assert_ne!(filled, [0; 16]);
    }

    #[test]
    fn what_is_taken_out_of_a_block_is_wiped_there_and_a_used_one_is_drawn_anew() {
        let mut block = Block { bytes: [0; BLOCK_LEN], left: 0 };
        let mut taken: Vec<[u8; 48]> = Vec::new();
        for _ in 0..100 {
            let mut bytes = [0; 48];
            block.take(&mut bytes);
            assert!(block.bytes[block.left..].iter().all(|byte| *byte == 0));
            taken.push(bytes);
        }
        taken.sort_unstable();
        taken.dedup();
        assert_eq!(taken.len(), 100);
    }
}
