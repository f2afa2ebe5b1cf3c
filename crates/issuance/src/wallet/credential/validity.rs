//! From when until when a credential is valid.

/// Validity of a credential, in unix seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Validity {
    /// `iat` and `nbf`.
    pub(super) issued_at: i64,
    /// `exp`.
    pub(super) expires_at: i64,
}

const DAY: i64 = 24 * 60 * 60;

/// Validity of a credential signed at `now` that lasts `days`.
///
/// Both ends are rounded down to a multiple of `rounding` seconds, so that credentials of one period cannot be told
/// apart by them (SEC-17, RFC 9901 §10.1). A credential is never expired at birth, and never outlives the certificate of
/// its key, which has not ended.
pub(super) fn validity(now: i64, days: u32, rounding: u32, certificate_end: Option<i64>) -> Validity {
    let rounded = |instant: i64| instant - instant.rem_euclid(i64::from(rounding.max(1)));
    let end = now.saturating_add(i64::from(days.max(1)).saturating_mul(DAY));
    let mut expires_at = rounded(end);
    if expires_at <= now {
        expires_at = end;
    }
    if let Some(certificate_end) = certificate_end {
        expires_at = expires_at.min(certificate_end);
    }
    Validity { issued_at: rounded(now), expires_at }
}

#[cfg(test)]
mod tests {
    use super::{DAY, Validity, validity};

    const NOW: i64 = 1_779_204_846;

    #[test]
    fn both_ends_are_rounded_down_by_sec_17() {
        let expected = Validity { issued_at: 1_779_202_800, expires_at: 1_779_202_800 + 30 * DAY };
        assert_eq!(validity(NOW, 30, 3600, None), expected);
        assert_eq!(validity(1_779_202_800, 30, 3600, None), expected);
    }

    #[test]
    fn without_rounding_the_second_is_kept() {
        for rounding in [0, 1] {
            let expected = Validity { issued_at: NOW, expires_at: NOW + DAY };
            assert_eq!(validity(NOW, 1, rounding, None), expected);
        }
    }

    #[test]
    fn a_credential_is_never_expired_at_birth() {
        let weeks = validity(NOW, 1, 14 * 24 * 3600, None);
        assert!(weeks.expires_at > NOW && weeks.issued_at <= NOW);
        assert!(validity(NOW, 0, 3600, None).expires_at > NOW);
    }

    #[test]
    fn a_credential_does_not_outlive_the_certificate_of_its_key() {
        assert_eq!(validity(NOW, 30, 3600, Some(NOW + 10)).expires_at, NOW + 10);
    }

    #[test]
    fn extreme_values_do_not_overflow() {
        assert!(validity(i64::MAX - 1, u32::MAX, u32::MAX, None).expires_at >= i64::MAX - 1);
        assert!(validity(0, u32::MAX, 1, Some(i64::MAX)).expires_at > 0);
    }
}
