//! Statuses of credentials and the lists in which they are published.

use chancery_formats::status_list::{Bits, INVALID, SUSPENDED, VALID};
use serde::{Deserialize, Serialize};

use crate::{CredentialId, EntryId, ExchangeId, StatusListId, Timestamp};

/// Status of what was issued, from good to final.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum RevocationStatus {
    /// Valid.
    Operational,
    /// Withdrawn for now.
    Suspended,
    /// Withdrawn for good.
    Revoked,
}

impl RevocationStatus {
    /// Every status.
    pub const ALL: [Self; 3] = [Self::Operational, Self::Suspended, Self::Revoked];

    /// Name in the API and in the database.
    pub fn name(self) -> &'static str {
        match self {
            Self::Operational => "Operational",
            Self::Suspended => "Suspended",
            Self::Revoked => "Revoked",
        }
    }

    /// Reads [`RevocationStatus::name`].
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }

    /// Whether a credential may go from this status to `next`. `Revoked` is final.
    pub fn may_become(self, next: Self) -> bool {
        match self {
            Self::Operational => matches!(next, Self::Suspended | Self::Revoked),
            Self::Suspended => matches!(next, Self::Operational | Self::Revoked),
            Self::Revoked => false,
        }
    }

    /// The value in a Token Status List (§7.1).
    pub fn value(self) -> u8 {
        match self {
            Self::Operational => VALID,
            Self::Suspended => SUSPENDED,
            Self::Revoked => INVALID,
        }
    }

    /// The status of a record whose credentials have these: as good as the best of them. `Operational` for none.
    pub fn of_record(credentials: impl IntoIterator<Item = Self>) -> Self {
        credentials.into_iter().min().unwrap_or(Self::Operational)
    }
}

/// A list of statuses. Nothing of this ever changes: it decides which credential has which index.
#[derive(Clone)]
pub struct StatusList {
    /// Admin-side id, and last segment of its URL.
    pub id: StatusListId,
    /// Width of an entry.
    pub bits: Bits,
    /// Counts the lists of this width, from 0.
    pub ordinal: u32,
    /// How many entries there are.
    pub capacity: u32,
    /// Seed of the order in which indexes are given out, sealed with (organisation, `status_list`, id).
    pub sealed_seed: Vec<u8>,
    /// When it was opened.
    pub created_at: Timestamp,
}

impl std::fmt::Debug for StatusList {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "StatusList({}, {:?}, {} entries)", self.id, self.bits, self.capacity)
    }
}

/// The place of a credential in a list; no other credential ever gets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StatusPlace {
    /// The list.
    pub list: StatusListId,
    /// The index in it.
    pub index: u32,
}

/// A credential as far as its status is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatusHolder {
    /// The credential.
    pub credential: CredentialId,
    /// The exchange it came from.
    pub exchange: ExchangeId,
    /// The definition's entry.
    pub entry: EntryId,
    /// Its place.
    pub place: StatusPlace,
    /// Its status.
    pub status: RevocationStatus,
}

/// One change of one status: who, why, when, from, to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusChange {
    /// Which entry.
    pub place: StatusPlace,
    /// How many changes the list has seen with this one; changes that were made together share a number.
    pub version: u64,
    /// The credential.
    pub credential: CredentialId,
    /// The exchange it came from.
    pub exchange: ExchangeId,
    /// Status before.
    pub from: RevocationStatus,
    /// Status from now on.
    pub to: RevocationStatus,
    /// Who asked for it, such as `apikey:` and the id of the key.
    pub actor: String,
    /// Why, in the words of who asked; may be empty.
    pub reason: String,
    /// When; never before an earlier change of the same list.
    pub at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::RevocationStatus::{self, *};

    #[test]
    fn revoked_is_final_and_everything_else_leads_everywhere() {
        for from in RevocationStatus::ALL {
            for to in RevocationStatus::ALL {
                assert_eq!(from.may_become(to), from != Revoked && from != to, "{from:?} -> {to:?}");
            }
        }
    }

    #[test]
    fn names_round_trip_and_are_those_of_json() {
        for status in RevocationStatus::ALL {
            assert_eq!(RevocationStatus::parse(status.name()), Some(status));
            assert_eq!(serde_json::to_value(status).unwrap(), status.name());
        }
    }

    #[test]
    fn a_record_is_as_good_as_its_best_credential() {
        assert_eq!(RevocationStatus::of_record([Revoked, Suspended]), Suspended);
        assert_eq!(RevocationStatus::of_record([Revoked, Operational, Suspended]), Operational);
        assert_eq!(RevocationStatus::of_record([Revoked]), Revoked);
        assert_eq!(RevocationStatus::of_record([]), Operational);
    }
}
