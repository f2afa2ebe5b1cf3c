//! Credential encodings: pure functions that turn claims into the bytes a wallet receives.
//!
//! - [`ClaimPath`]: claims path pointers (OpenID4VCI Appendix C), the way every document of the product names
//!   a claim;
//! - [`sd_jwt`]: SD-JWT VC credentials (RFC 9901 and the SD-JWT VC draft);
//! - [`status_list`]: which credentials are revoked or suspended (Token Status List draft);
//! - [`type_metadata`]: the document served at the `vct` URL.
//!
//! Nothing here reads a clock, draws random numbers, or does I/O: times are unix seconds in the arguments,
//! randomness is a function the caller hands in, and a signature comes from a [`chancery_keys::Signer`].

mod claim_path;
mod key_reference;
pub mod sd_jwt;
pub mod status_list;
pub mod type_metadata;

pub use claim_path::{ClaimPath, ClaimPathError, PathSegment};
pub use key_reference::KeyReference;
