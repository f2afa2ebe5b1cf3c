use aws_lc_rs::{digest, rand};

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
#[expect(clippy::panic, reason = "a server without entropy must not go on with predictable bytes")]
pub fn fill_random(bytes: &mut [u8]) {
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
}
