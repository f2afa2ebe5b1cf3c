//! How long an organisation keeps what it knows of exchanges.

use crate::Timestamp;

/// Longest time that can be asked for, in days.
pub const MOST_RETENTION_DAYS: u32 = 36_500;

/// What is erased when, in days after the exchange was created; `None` keeps it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// Claims that were supplied.
    pub claims: Option<u32>,
    /// Signed credentials, key proofs, and grants with their refresh tokens.
    pub tokens: Option<u32>,
    /// Transcripts.
    pub transcripts: Option<u32>,
    /// Whole exchanges.
    pub exchanges: Option<u32>,
}

/// A part of what is known of an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retained {
    /// Claims that were supplied.
    Claims,
    /// Signed credentials, key proofs, and grants with their refresh tokens.
    Tokens,
    /// The transcript.
    Transcripts,
    /// Everything.
    Exchanges,
}

impl Retained {
    /// Every part; the whole comes first, because it takes the others with it.
    pub const ALL: [Self; 4] = [Self::Exchanges, Self::Claims, Self::Tokens, Self::Transcripts];
}

impl Retention {
    /// Days for a part.
    pub fn days(&self, part: Retained) -> Option<u32> {
        match part {
            Retained::Claims => self.claims,
            Retained::Tokens => self.tokens,
            Retained::Transcripts => self.transcripts,
            Retained::Exchanges => self.exchanges,
        }
    }

    /// That part of exchanges created before this instant is to be erased at `now`.
    pub fn due_before(&self, part: Retained, now: Timestamp) -> Option<Timestamp> {
        let days = self.days(part)?;
        Some(now.minus(std::time::Duration::from_secs(u64::from(days) * 86_400)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_due_when_its_days_have_passed() {
        let retention = Retention { claims: Some(2), ..Retention::default() };
        let now = Timestamp::from_seconds(1_000_000);
        assert_eq!(retention.due_before(Retained::Claims, now), Some(Timestamp::from_seconds(1_000_000 - 172_800)));
        assert_eq!(retention.due_before(Retained::Tokens, now), None);
    }
}
