//! Raw DEFLATE (RFC 1951), bounded on the way in.

use std::io::Write as _;

use flate2::write::DeflateEncoder;
use flate2::{Decompress, FlushDecompress, Status};
use zeroize::Zeroizing;

use super::JweError;

/// Bytes that are made room for at a time.
const STEP: usize = 16 * 1024;

pub(super) fn deflate(payload: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = DeflateEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(payload).ok()?;
    encoder.finish().ok()
}

/// Inflates one whole stream to at most `limit` bytes. What follows the stream, or is missing from it, is an error.
pub(super) fn inflate(deflated: &[u8], limit: usize) -> Result<Zeroizing<Vec<u8>>, JweError> {
    let mut stream = Decompress::new(false);
    let mut payload = Zeroizing::new(Vec::new());
    let mut rest = deflated;
    loop {
        // One byte more than allowed tells a payload of exactly `limit` bytes from a longer one.
        let room = STEP.min((limit + 1).saturating_sub(payload.len()));
        grow(&mut payload, room);
        let (before_in, before_out) = (stream.total_in(), stream.total_out());
        let status = stream.decompress_vec(rest, &mut payload, FlushDecompress::None).map_err(|_| JweError::Inflate)?;
        if payload.len() > limit {
            return Err(JweError::TooLarge);
        }
        let consumed = usize::try_from(stream.total_in() - before_in).map_err(|_| JweError::Inflate)?;
        rest = rest.get(consumed..).ok_or(JweError::Inflate)?;
        match status {
            Status::StreamEnd if rest.is_empty() => return Ok(payload),
            Status::StreamEnd => return Err(JweError::Inflate),
            Status::Ok | Status::BufError if consumed == 0 && stream.total_out() == before_out => {
                return Err(JweError::Inflate);
            }
            Status::Ok | Status::BufError => {}
        }
    }
}

/// Makes room, wiping the buffer that is left behind.
fn grow(payload: &mut Zeroizing<Vec<u8>>, room: usize) {
    if payload.capacity() - payload.len() >= room {
        return;
    }
    let mut larger = Zeroizing::new(Vec::with_capacity((payload.len() + room).max(payload.len() * 2)));
    larger.extend_from_slice(payload);
    *payload = larger;
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn exactly_the_limit_is_inflated_and_one_byte_more_is_not() {
        for (len, limit) in [(0, 0), (1, 1), (STEP, STEP), (100_000, 100_000), (3 * STEP, 4 * STEP)] {
            assert_eq!(inflate(&deflate(&vec![7; len]).unwrap(), limit).unwrap().len(), len);
            assert_eq!(inflate(&deflate(&vec![7; limit + 1]).unwrap(), limit), Err(JweError::TooLarge));
        }
    }

    #[test]
    fn a_stream_that_is_cut_extended_or_framed_is_refused() {
        let stream = deflate(b"claims, claims, claims").unwrap();
        for len in 0..stream.len() {
            assert_eq!(inflate(&stream[..len], 1000), Err(JweError::Inflate), "{len}");
        }
        assert_eq!(inflate(&[&stream[..], b"x"].concat(), 1000), Err(JweError::Inflate));
        let zlib = [&[0x78, 0x9c][..], &stream, &[0, 0, 0, 0]].concat();
        assert_eq!(inflate(&zlib, 1000), Err(JweError::Inflate));
    }

    proptest! {
        #[test]
        fn what_was_deflated_is_inflated(payload in proptest::collection::vec(any::<u8>(), 0..70_000)) {
            let deflated = deflate(&payload).unwrap();
            prop_assert_eq!(&*inflate(&deflated, 70_000).unwrap(), &payload);
        }

        #[test]
        fn any_bytes_are_answered_within_the_limit(bytes in proptest::collection::vec(any::<u8>(), 0..500)) {
            if let Ok(payload) = inflate(&bytes, 10_000) {
                prop_assert!(payload.len() <= 10_000);
            }
        }
    }
}
