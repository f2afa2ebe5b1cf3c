//! SD-JWT VC issuance, seen from outside: every credential is signed, taken apart again, and compared.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a panic fails the test"
)]

mod holder;
mod issuer;
mod judges;
mod properties;
mod rules;
mod vectors;
