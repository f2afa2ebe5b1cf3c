//! Where a stream has come to.

use std::fmt;

use chancery_model::Timestamp;

/// A place in the steps of an organisation. It is no secret and opens nothing: who shows it needs a key all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The number of the last step that was told or passed by.
    pub(super) number: u64,
    /// When that was, to the second.
    pub(super) told_at: Timestamp,
}

impl Cursor {
    /// Longest text: two numbers of 64 bits and a hyphen.
    const LONGEST: usize = 40;

    /// No instant has more than 15 digits, in seconds.
    const END_OF_TIME: i64 = 1_000_000_000_000_000;

    /// Reads what [`Cursor`] writes; anything else is `None`.
    pub fn parse(text: &str) -> Option<Self> {
        let (number, seconds) = text.split_once('-').filter(|_| text.len() <= Self::LONGEST)?;
        let is_number = |text: &str| text.bytes().all(|c| c.is_ascii_digit());
        if !is_number(number) || !is_number(seconds) {
            return None;
        }
        let seconds = seconds.parse().ok().filter(|seconds| (0..Self::END_OF_TIME).contains(seconds))?;
        Some(Self { number: number.parse().ok()?, told_at: Timestamp::from_seconds(seconds) })
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.number, self.told_at.seconds())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_as_it_is_written_and_nothing_else_is_one() {
        let cursor = Cursor { number: 4711, told_at: Timestamp::from_seconds(1_768_478_400) };
        assert_eq!(cursor.to_string(), "4711-1768478400");
        assert_eq!(Cursor::parse("4711-1768478400"), Some(cursor));
        for wrong in
            ["", "-", "1", "1-", "-1", "+1-2", "1-2-3", "1- 2", "99999999999999999999-1", "1-1000000000000000", "é-1"]
        {
            assert_eq!(Cursor::parse(wrong), None, "{wrong}");
        }
    }
}
