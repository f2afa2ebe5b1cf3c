//! What the specifications say, as pure parse, verify and build functions.
//!
//! OAuth 2.0, DPoP (RFC 9449) and OpenID for Verifiable Credential Issuance 1.0. Nothing here performs I/O, knows an
//! organisation, or reads a clock: `now` (seconds since 1970-01-01T00:00:00Z) and random bytes are arguments.
//!
//! Errors state facts, what was expected and what came. Each can be turned into an [`Explanation`] for the developer
//! of the wallet; wallets themselves only ever see the error code of the protocol.

pub mod access_token;
pub mod authorization;
pub mod authorization_details;
pub mod client_assertion;
pub mod client_attestation;
pub mod credential_request;
pub mod credential_response;
pub mod deferred;
pub mod did;
pub mod dpop;
pub mod encryption;
pub mod form;
pub mod key_attestation;
pub mod metadata;
pub mod negotiation;
pub mod nonce;
pub mod notification;
pub mod offer;
pub mod proof;
pub mod token;
pub mod trust;

mod claims;
mod explanation;
mod freshness;
mod issuer_identifier;
mod json;

pub use explanation::{ErrorBody, Explanation, error_description, excerpt};
pub use freshness::{FreshnessError, Window};
pub use issuer_identifier::{IssuerIdentifier, IssuerIdentifierError};
pub use json::{JsonError, object as json_object};
