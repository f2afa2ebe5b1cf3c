//! An independent OpenID4VCI 1.0 wallet.
//!
//! [`Wallet::accept`] follows an offer link to verified credentials: offer, issuer and authorization server metadata,
//! token (pre-authorized code, DPoP), nonce, credential request with key proofs, and verification of each SD-JWT VC that
//! comes back. The same steps are public one by one. [`inspect()`] decodes a credential without trusting it.
//!
//! The crate shares no code with the issuer and follows only the published specifications: OpenID4VCI 1.0 Final,
//! RFC 6749, 8414, 9396, 9449 (DPoP), 9901 (SD-JWT) and the SD-JWT VC draft. It is strict: an answer that breaks a rule is a
//! [`WalletError::Violation`] that names the clause, what was expected and what came.
//!
//! Times are unix seconds. Nothing here prints or logs a key, token, code or claim value through `Debug`.

mod answer;
mod clock;
mod credential;
mod did;
mod dpop;
mod error;
#[cfg(test)]
mod fixtures;
mod inspect;
mod issuer;
mod jose;
mod json;
mod keys;
mod metadata;
mod offer;
mod options;
mod proof;
mod render;
mod sd_jwt;
mod token;
mod transport;
mod verify;
mod wallet;
mod x509;

pub use answer::Answer;
pub use credential::Selector;
pub use error::{Refusal, Step, Violation, WalletError};
pub use inspect::{Inspection, inspect};
pub use issuer::Issuer;
pub use jose::{Jws, PublicKey};
pub use keys::{Algorithm, HolderKey};
pub use metadata::{AuthorizationServer, ClaimDescription, CredentialConfiguration, IssuerMetadata, ProofType};
pub use offer::{Offer, PreAuthorizedGrant, TxCode};
pub use options::{Dpop, KeyReference, Options};
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
