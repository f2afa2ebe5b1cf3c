//! An independent OpenID4VCI 1.0 wallet.
//!
//! [`Wallet::accept`] follows an offer link to verified credentials: offer, issuer and authorization server metadata,
//! token (pre-authorized code, or authorization code with PAR, PKCE and a [`FrontChannel`]; DPoP; wallet attestation),
//! nonce, credential request with key proofs and key attestations, encrypted where wanted, and verification of each SD-JWT
//! VC that comes back. [`Wallet::request`] does the same without an offer, [`Wallet::poll`] fetches what was deferred,
//! [`Wallet::reissue`] refreshes. The same steps are public one by one. [`inspect()`] decodes a credential without
//! trusting it.
//!
//! The crate shares no code with the issuer and follows only the published specifications: OpenID4VCI 1.0 Final,
//! RFC 6749, 7516, 7636, 8414, 9126, 9207, 9396, 9449 (DPoP), 9901 (SD-JWT), ABCA draft-07 and the SD-JWT VC draft. It is strict: an answer that breaks a rule is a
//! [`WalletError::Violation`] that names the clause, what was expected and what came.
//!
//! Times are unix seconds. Nothing here prints or logs a key, token, code or claim value through `Debug`.

mod answer;
mod authority;
mod authorization;
mod client;
mod clock;
mod credential;
mod deferred;
mod did;
mod doctor;
mod dpop;
mod error;
#[cfg(test)]
mod fixtures;
mod front_channel;
mod inspect;
mod issuer;
mod jose;
mod json;
mod jwe;
mod keys;
mod metadata;
mod offer;
mod options;
mod preflight;
mod proof;
mod protection;
mod published_token;
mod render;
mod sd_jwt;
mod signed_metadata;
mod status_list;
mod token;
mod transport;
mod verify;
mod wallet;
mod x509;

pub use answer::Answer;
pub use authority::{Authority, KeyAttester, Root, certificates_from_pem};
pub use authorization::Authorization;
pub use client::WalletProvider;
pub use credential::{Proofs, Selector};
pub use deferred::{Event, Pending};
pub use doctor::{Check, Finding, Kind, Report, Severity};
pub use error::{Refusal, Step, Violation, WalletError};
pub use front_channel::FrontChannel;
pub use inspect::{Inspection, inspect};
pub use issuer::Issuer;
pub use jose::{Jws, PublicKey};
pub use jwe::Encoding;
pub use keys::{Algorithm, HolderKey};
pub use metadata::{
    AuthorizationServer, ClaimDescription, CredentialConfiguration, IssuerMetadata, ProofType, RequestEncryption,
    ResponseEncryption,
};
pub use offer::{AuthorizationCodeGrant, Offer, PreAuthorizedGrant, TxCode};
pub use options::{Dpop, Encryption, Grant, KeyAttestation, KeyReference, Options, Pushing};
pub use proof::ProofOfPossession;
pub use render::Style;
pub use sd_jwt::{Disclosure, PathElement, SdJwt};
pub use token::{AuthorizedDetail, Token};
pub use verify::{Expected, Holder, KeySource, VerifiedCredential, verify_with_key};
pub use wallet::{Accepted, Builder, Wallet};

/// Installs aws-lc-rs as the TLS provider of this process, unless one is installed already.
///
/// [`Builder::build`] calls it, so most programs need not.
pub fn install_crypto_provider() {
    // An error means that a provider is installed, which is all that matters here.
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
}
