//! How much an organisation may do, as the platform sets it.

use serde::{Deserialize, Serialize};

/// Most that a quota can be set to.
pub const MOST_QUOTA: u32 = 1_000_000_000;

/// Limits of one organisation; `None` is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Quotas {
    /// Exchanges that begin on one day of UTC.
    pub exchanges_per_day: Option<u32>,
    /// Credentials that are neither expired nor revoked.
    pub live_credentials: Option<u32>,
    /// Requests of the organisation's own programs.
    pub requests_per_minute: Option<u32>,
}

impl Quotas {
    /// These limits, and the other ones where there is none.
    pub fn or(self, other: Self) -> Self {
        Self {
            exchanges_per_day: self.exchanges_per_day.or(other.exchanges_per_day),
            live_credentials: self.live_credentials.or(other.live_credentials),
            requests_per_minute: self.requests_per_minute.or(other.requests_per_minute),
        }
    }
}
