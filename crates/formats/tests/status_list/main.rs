//! Token Status List, seen from outside: lists are packed, compressed and signed, and read again by other means.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a panic fails the test")]

mod list;
mod permutation;
mod properties;
mod reference;
mod signers;
mod token;
mod vectors;
