//! The documents an issuer publishes about itself.

mod authorization_server;
mod credential_issuer;

pub use authorization_server::{
    AuthorizationServerMetadata, JwksDocument, JwtVcIssuerMetadata, PublishedKey, WELL_KNOWN_AUTHORIZATION_SERVER,
    WELL_KNOWN_JWT_VC_ISSUER,
};
pub use credential_issuer::{
    BatchCredentialIssuance, ClaimDescription, ClaimDisplay, CredentialConfiguration, CredentialDisplay,
    CredentialMetadata, CredentialType, HolderBinding, Image, IssuerDisplay, IssuerMetadata, KeyAttestationsRequired,
    Logo, ProofType, SigningAlgorithm, WELL_KNOWN_CREDENTIAL_ISSUER,
};
