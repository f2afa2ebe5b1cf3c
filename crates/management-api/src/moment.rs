//! Instants as text.

use chancery_model::Timestamp;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// RFC 3339 in UTC, with milliseconds when there are any.
pub(crate) fn text(at: Timestamp) -> String {
    let nanoseconds = i128::from(at.millis()) * 1_000_000;
    let instant = OffsetDateTime::from_unix_timestamp_nanos(nanoseconds).ok();
    // Only instants outside the years 0 to 9999 have no text.
    instant.and_then(|instant| instant.format(&Rfc3339).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_written_in_utc() {
        assert_eq!(text(Timestamp::from_seconds(1_779_204_845)), "2026-05-19T15:34:05Z");
        assert_eq!(text(Timestamp::from_millis(1_779_204_845_250)), "2026-05-19T15:34:05.25Z");
        assert_eq!(text(Timestamp::from_millis(i64::MAX)), "");
    }
}
