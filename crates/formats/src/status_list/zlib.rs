//! ZLIB (RFC 1950), bounded on the way in.

use std::io::{self, Write as _};

use flate2::write::ZlibEncoder;
use flate2::{Compression, Decompress, FlushDecompress, Status};

use super::InflateError;

/// Bytes that are made room for at a time.
const STEP: usize = 64 * 1024;

pub(super) fn deflate(bytes: &[u8], level: Compression) -> io::Result<Vec<u8>> {
    let mut encoder = ZlibEncoder::new(Vec::new(), level);
    encoder.write_all(bytes)?;
    encoder.finish()
}

/// Inflates one whole stream to at most `limit` bytes. What follows the stream, or is missing from it, is an error.
pub(super) fn inflate(deflated: &[u8], limit: usize) -> Result<Vec<u8>, InflateError> {
    let mut stream = Decompress::new(true);
    let mut bytes = Vec::new();
    let mut rest = deflated;
    loop {
        // One byte more than allowed tells a list of exactly `limit` bytes from a longer one.
        bytes.reserve(STEP.min(limit.saturating_add(1).saturating_sub(bytes.len())));
        let (before_in, before_out) = (stream.total_in(), stream.total_out());
        let status =
            stream.decompress_vec(rest, &mut bytes, FlushDecompress::None).map_err(|_| InflateError::NotZlib)?;
        if bytes.len() > limit {
            return Err(InflateError::TooLarge { limit });
        }
        let consumed = usize::try_from(stream.total_in() - before_in).map_err(|_| InflateError::NotZlib)?;
        rest = rest.get(consumed..).ok_or(InflateError::NotZlib)?;
        match status {
            Status::StreamEnd if rest.is_empty() => return Ok(bytes),
            Status::StreamEnd => return Err(InflateError::NotZlib),
            Status::Ok | Status::BufError if consumed == 0 && stream.total_out() == before_out => {
                return Err(InflateError::NotZlib);
            }
            Status::Ok | Status::BufError => {}
        }
    }
}
