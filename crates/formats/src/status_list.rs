//! Token Status List (draft-ietf-oauth-status-list, section numbers of -20): one value of a few bits for each
//! credential, all values of a list published in one signed token.
//!
//! [`StatusList`] holds the values. [`StatusList::compress`] makes the [`Claim`] of them, once for both encodings;
//! [`Token`] signs it as JWT or CWT. [`Reference`] is what the credential says about its place in the list, and
//! [`Permutation`] chooses that place.
//!
//! Not to be taken for the Bitstring Status List of the W3C, which counts bits from the other end, compresses with
//! GZIP and gives its `ttl` in milliseconds.

mod claim;
mod permutation;
mod reference;
mod token;
mod zlib;

use std::fmt;

use serde::Serialize;

pub use claim::{Claim, ClaimError, InflateError, Level};
pub use permutation::Permutation;
pub use reference::{Aggregation, Reference, ReferenceError};
pub use token::{CWT_MEDIA_TYPE, JWT_MEDIA_TYPE, SignError, TYP, Token};

/// The credential is valid (§7.1). Every entry of a new list has this value.
pub const VALID: u8 = 0x00;
/// The credential is revoked (§7.1).
pub const INVALID: u8 = 0x01;
/// The credential is invalid for a time (§7.1). Needs two bits or more.
pub const SUSPENDED: u8 = 0x02;

/// How many entries a list may have: more than any published list, and few enough to stay in memory at eight bits.
pub const MAX_ENTRIES: u32 = 1 << 27;

/// How many bits one entry has (§4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(into = "u8")]
pub enum Bits {
    /// Valid or invalid.
    One,
    /// Room for suspension.
    Two,
    /// Sixteen values.
    Four,
    /// A byte for each entry.
    Eight,
}

/// The values of a list, packed from the least significant bit of each byte (§4.1).
///
/// Every lookup and every change takes the same time, however long the list is.
#[derive(Clone, PartialEq, Eq)]
pub struct StatusList {
    bits: Bits,
    bytes: Vec<u8>,
}

/// Why a list cannot have a certain length, or an entry a certain value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StatusListError {
    /// More than [`MAX_ENTRIES`].
    #[error("a list of {got} entries, at most {MAX_ENTRIES} are kept")]
    TooManyEntries {
        /// How many were asked for.
        got: u64,
    },
    /// The index lies outside of the list.
    #[error("index {index} in a list of {entries} entries")]
    OutOfRange {
        /// The index asked for.
        index: u32,
        /// How many entries the list has.
        entries: u32,
    },
    /// The value needs more bits than an entry has.
    #[error("value {value} in a list of {} bits an entry", u8::from(*.bits))]
    ValueTooLarge {
        /// The value.
        value: u8,
        /// What an entry has.
        bits: Bits,
    },
}

/// A number of bits that is not 1, 2, 4 or 8.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{got} bits an entry, expected 1, 2, 4 or 8")]
pub struct BitsError {
    /// The number.
    pub got: u64,
}

impl StatusList {
    /// A list of at least `entries` entries, all [`VALID`]. A last byte that is begun is filled up with entries
    /// (§13.4), see [`StatusList::entries`].
    ///
    /// # Errors
    /// [`StatusListError::TooManyEntries`].
    pub fn new(bits: Bits, entries: u32) -> Result<Self, StatusListError> {
        let mut list = Self { bits, bytes: Vec::new() };
        list.grow(entries)?;
        Ok(list)
    }

    /// The list with these bytes, as [`StatusList::bytes`] shows them.
    ///
    /// # Errors
    /// [`StatusListError::TooManyEntries`].
    pub fn from_bytes(bits: Bits, bytes: Vec<u8>) -> Result<Self, StatusListError> {
        let entries = u64::try_from(bytes.len()).unwrap_or(u64::MAX).saturating_mul(bits.entries_in_byte().into());
        if entries > MAX_ENTRIES.into() {
            return Err(StatusListError::TooManyEntries { got: entries });
        }
        Ok(Self { bits, bytes })
    }

    /// Appends bytes of [`VALID`] entries until there are at least `entries`. Never shortens the list.
    ///
    /// # Errors
    /// [`StatusListError::TooManyEntries`].
    pub fn grow(&mut self, entries: u32) -> Result<(), StatusListError> {
        if entries > MAX_ENTRIES {
            return Err(StatusListError::TooManyEntries { got: entries.into() });
        }
        let len = self.bits.bytes_for(entries);
        if len > self.bytes.len() {
            self.bytes.resize(len, 0);
        }
        Ok(())
    }

    /// The bits of an entry.
    #[must_use]
    pub fn bits(&self) -> Bits {
        self.bits
    }

    /// How many entries there are: indexes are less than this.
    #[must_use]
    pub fn entries(&self) -> u32 {
        // Fits: no list has more than `MAX_ENTRIES`.
        u32::try_from(self.bytes.len()).unwrap_or(u32::MAX).saturating_mul(self.bits.entries_in_byte())
    }

    /// The packed values, not compressed.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The value at `index`; `None` outside of the list, where no statement can be made (§8.3).
    #[must_use]
    pub fn get(&self, index: u32) -> Option<u8> {
        let (byte, shift) = self.bits.place_of(index);
        let byte = self.bytes.get(byte)?;
        Some((byte >> shift) & self.bits.max_value())
    }

    /// Sets the value at `index` and gives back the one that was there.
    ///
    /// # Errors
    /// [`StatusListError::OutOfRange`], [`StatusListError::ValueTooLarge`]; the list is as before.
    pub fn set(&mut self, index: u32, value: u8) -> Result<u8, StatusListError> {
        let (bits, entries) = (self.bits, self.entries());
        let mask = bits.max_value();
        if value > mask {
            return Err(StatusListError::ValueTooLarge { value, bits });
        }
        let (byte, shift) = bits.place_of(index);
        let byte = self.bytes.get_mut(byte).ok_or(StatusListError::OutOfRange { index, entries })?;
        let previous = (*byte >> shift) & mask;
        *byte = (*byte & !(mask << shift)) | (value << shift);
        Ok(previous)
    }
}

impl Bits {
    /// Every number of bits.
    pub const ALL: [Self; 4] = [Self::One, Self::Two, Self::Four, Self::Eight];

    /// The largest value of an entry.
    #[must_use]
    pub const fn max_value(self) -> u8 {
        match self {
            Self::One => 0b1,
            Self::Two => 0b11,
            Self::Four => 0b1111,
            Self::Eight => 0xff,
        }
    }

    const fn entries_in_byte(self) -> u32 {
        match self {
            Self::One => 8,
            Self::Two => 4,
            Self::Four => 2,
            Self::Eight => 1,
        }
    }

    /// How many bytes hold `entries` entries.
    fn bytes_for(self, entries: u32) -> usize {
        usize::try_from(entries.div_ceil(self.entries_in_byte())).unwrap_or(usize::MAX)
    }

    /// In which byte the entry is, and how far from its least significant bit.
    fn place_of(self, index: u32) -> (usize, u32) {
        let byte = usize::try_from(index / self.entries_in_byte()).unwrap_or(usize::MAX);
        (byte, index % self.entries_in_byte() * u32::from(u8::from(self)))
    }
}

impl From<Bits> for u8 {
    fn from(bits: Bits) -> Self {
        match bits {
            Bits::One => 1,
            Bits::Two => 2,
            Bits::Four => 4,
            Bits::Eight => 8,
        }
    }
}

impl TryFrom<u64> for Bits {
    type Error = BitsError;

    fn try_from(number: u64) -> Result<Self, BitsError> {
        Self::ALL.into_iter().find(|bits| u64::from(u8::from(*bits)) == number).ok_or(BitsError { got: number })
    }
}

/// The size only: the values fill pages.
impl fmt::Debug for StatusList {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("StatusList")
            .field("bits", &self.bits)
            .field("entries", &self.entries())
            .finish_non_exhaustive()
    }
}
