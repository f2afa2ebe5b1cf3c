//! Many issuances from one file.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{BulkId, BulkPartId, DefinitionId, EntryId, Timestamp};

/// A file of rows, each of which begins an exchange once the organisation has confirmed them.
#[derive(Clone, Debug)]
pub struct Bulk {
    /// Admin-side id.
    pub id: BulkId,
    /// What is issued.
    pub definition_id: DefinitionId,
    /// Version of the definition against which the rows were checked.
    pub definition_revision: u32,
    /// The entry that every row is about.
    pub entry_id: EntryId,
    /// Whether rows without a transaction code are given one.
    pub generate_pins: bool,
    /// Start of the offer links; `None` for that of the organisation's policy.
    pub url_scheme: Option<String>,
    /// How far it has come.
    pub state: BulkState,
    /// Rows of the file.
    pub rows: u32,
    /// Rows that break rules and are never issued.
    pub invalid: u32,
    /// When its upload began.
    pub created_at: Timestamp,
    /// When it was confirmed.
    pub started_at: Option<Timestamp>,
    /// When it was done or cancelled.
    pub ended_at: Option<Timestamp>,
    /// When its result was first fetched to the end.
    pub fetched_at: Option<Timestamp>,
    /// When report and result were erased.
    pub erased_at: Option<Timestamp>,
}

/// How far a bulk has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BulkState {
    /// The file is being read.
    Receiving,
    /// The file was read; nothing is issued before it is confirmed.
    Ready,
    /// Rows are being issued.
    Running,
    /// Nothing more is issued until it is resumed.
    Paused,
    /// Every row was issued or has failed.
    Done,
    /// Nothing more is issued.
    Cancelled,
}

impl BulkState {
    /// Every state.
    pub const ALL: [Self; 6] = [Self::Receiving, Self::Ready, Self::Running, Self::Paused, Self::Done, Self::Cancelled];

    /// Name in the API and in the database.
    pub fn name(self) -> &'static str {
        match self {
            Self::Receiving => "receiving",
            Self::Ready => "ready",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Done => "done",
            Self::Cancelled => "cancelled",
        }
    }

    /// Reads [`BulkState::name`].
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// Whether nothing changes any more.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Done | Self::Cancelled)
    }

    /// Whether a bulk in this state may go to `next`.
    pub fn may_become(self, next: Self) -> bool {
        match self {
            Self::Receiving => next == Self::Ready,
            Self::Ready => matches!(next, Self::Running | Self::Cancelled),
            Self::Running => matches!(next, Self::Paused | Self::Done | Self::Cancelled),
            Self::Paused => matches!(next, Self::Running | Self::Cancelled),
            Self::Done | Self::Cancelled => false,
        }
    }
}

/// Neighbouring rows of a file, which are issued together or not at all.
#[derive(Clone)]
pub struct BulkPart {
    /// Its id, which sealed values are bound to.
    pub id: BulkPartId,
    /// The file.
    pub bulk_id: BulkId,
    /// Place in the file, from 0.
    pub ordinal: u32,
    /// Rows that are to be issued.
    pub rows: u32,
    /// Whether its rows were issued, or have failed for good.
    pub settled: bool,
    /// Rows that were issued.
    pub issued: u32,
    /// Rows that could be issued when they were checked, and no longer when their turn came.
    pub failed: u32,
    /// Sealed list of rows; `None` once they are issued or cancelled.
    pub sealed_rows: Option<Vec<u8>>,
    /// Sealed list of what became of the rows; `None` before and after.
    pub sealed_result: Option<Vec<u8>>,
    /// Sealed list of transaction codes; `None` when there are none, or after the result was fetched.
    pub sealed_pins: Option<Vec<u8>>,
    /// Rows that break rules, in the order of the file. Names claims, never their values.
    pub faults: Vec<RowFaults>,
}

impl fmt::Debug for BulkPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BulkPart({})", self.id)
    }
}

/// What is wrong with one row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowFaults {
    /// The row, from 1; the header of a CSV file does not count.
    pub row: u32,
    /// Everything that is wrong.
    pub faults: Vec<RowFault>,
}

/// One thing that is wrong with a row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowFault {
    /// JSON Pointer (RFC 6901) into the row as JSON; empty for the row as a whole.
    pub pointer: String,
    /// Header of the column of a CSV file; empty when it is none in particular.
    pub column: String,
    /// What is wrong and what would be right.
    pub detail: String,
}

/// How many rows are through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BulkProgress {
    /// Rows that were issued.
    pub issued: u32,
    /// Rows that could not be issued.
    pub failed: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_read_as_they_are_written() {
        for state in BulkState::ALL {
            assert_eq!(BulkState::parse(state.name()), Some(state));
        }
        assert_eq!(BulkState::parse("other"), None);
    }

    #[test]
    fn nothing_follows_the_end_and_nothing_runs_unconfirmed() {
        for state in BulkState::ALL {
            for next in BulkState::ALL {
                assert!(!(state.is_final() && state.may_become(next)), "{state:?} {next:?}");
            }
        }
        assert!(!BulkState::Receiving.may_become(BulkState::Running));
        assert!(BulkState::Paused.may_become(BulkState::Running));
    }
}
