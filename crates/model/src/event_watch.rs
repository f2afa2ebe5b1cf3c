//! Steps of exchanges in one row, for those who watch an organisation.

use crate::{DefinitionId, ExchangeEvent, Timestamp};

/// That the steps of an organisation's exchanges are recorded and numbered, because somebody watches.
///
/// Steps are numbered after they are committed, one batch after the other, and numbers are never given twice: whoever has
/// seen a number has seen all below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventWatch {
    /// Since when steps have been recorded without a gap.
    pub since: Timestamp,
    /// Until when they will be, unless somebody goes on watching.
    pub until: Timestamp,
    /// The last number that was given before the gap in front of `since`: steps are missing behind smaller ones.
    pub first: u64,
    /// The last number that was given.
    pub last: u64,
}

impl EventWatch {
    /// Whether steps are recorded at this instant.
    pub fn is_on(&self, now: Timestamp) -> bool {
        now < self.until
    }
}

/// A step with its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NumberedEvent {
    /// Its number in the organisation.
    pub number: u64,
    /// The step.
    pub event: ExchangeEvent,
    /// What the exchange issues.
    pub definition_id: DefinitionId,
}
