//! Keys, and what is made with them, without giving out private bytes.
//!
//! - [`PublicJwk`]: a validated public key, from a JWK or from raw bytes; verifies signatures.
//! - [`jws`]: compact JWS, decoded strictly and signed through a [`Signer`].
//! - [`jwe`]: compact JWE with ECDH-ES on P-256, decrypted behind a guard.
//! - [`SoftwareKey`]: a private key in memory on its way into a [`Signer`] or into a sealed row.
//! - [`CertificateChain`]: what goes into `x5c`, and whether a chain that came in leads to a trust anchor.
//! - [`SealingKey`], [`MacKey`], [`MacKeys`]: secrets of the server itself.
//!
//! Nothing here reads a clock; `now` is an argument wherever time matters. Arithmetic is aws-lc-rs throughout.

mod algorithm;
mod certificate_chain;
mod entropy;
mod jose;
mod public_jwk;
mod sealing;
mod signer;
mod software_key;
mod strict_json;

pub mod jwe;
pub mod jws;

pub use algorithm::Algorithm;
pub use certificate_chain::{CertificateChain, ChainError, ChainFinding};
pub use entropy::{fill_random, random_bytes, sha256};
pub use public_jwk::{JwkError, PublicJwk, SignatureInvalid};
pub use sealing::{MacInvalid, MacKey, MacKeys, SealError, SealingKey, hmac_sha256};
pub use signer::{KeyError, Signer};
pub use software_key::SoftwareKey;
