//! What the caller of the wallet chooses.

use std::fmt;
use std::sync::Arc;

use crate::authority::KeyAttester;
use crate::client::WalletProvider;
use crate::front_channel::FrontChannel;
use crate::issuer::Issuer;
use crate::jwe::Encoding;
use crate::keys::{Algorithm, HolderKey};

/// Choices for one acceptance. `Options::default()` does what most issuers expect.
#[derive(Clone, Default)]
pub struct Options {
    /// The transaction code the user typed.
    pub tx_code: Option<String>,
    /// `client_id` of the token request; without it the access is anonymous. Becomes `iss` of the proofs.
    pub client_id: Option<String>,
    /// Whether to use DPoP.
    pub dpop: Dpop,
    /// Name the credential by `authorization_details`: in the token request of the pre-authorized code flow (OpenID4VCI
    /// §6.1.1), in the authorization request instead of `scope` otherwise (§5.1.1).
    pub authorization_details: bool,
    /// Which grant of an offer with several to use.
    pub grant: Grant,
    /// The way to the person's browser, for the authorization code flow.
    pub front_channel: Option<FrontChannel>,
    /// Whether authorization requests are pushed.
    pub pushing: Pushing,
    /// Show wallet attestations of this provider at the authorization server.
    pub wallet_provider: Option<Arc<WalletProvider>>,
    /// Who attests holder keys.
    pub key_attester: Option<Arc<KeyAttester>>,
    /// Where key attestations go.
    pub key_attestation: KeyAttestation,
    /// Whether credential requests and answers are encrypted.
    pub encryption: Encryption,
    /// Content encryption, for both ways.
    pub encoding: Encoding,
    /// Compress what is encrypted, and ask for compressed answers.
    pub compression: bool,
    /// Ask for issuer metadata as a signed JWT and verify it (OpenID4VCI §12.2.3).
    pub signed_metadata: bool,
    /// Tell the issuer what became of the credentials (OpenID4VCI §11).
    pub notify: bool,
    /// Which of the offered configurations to fetch; empty means all.
    pub configuration_ids: Vec<String>,
    /// How many proofs, so how many credentials of one configuration. 0 means 1.
    pub proofs: usize,
    /// How a proof names its key.
    pub key_reference: KeyReference,
    /// The kind of holder keys to make.
    pub algorithm: Algorithm,
    /// Prepared holder keys, used in order; new ones are made when they run out.
    pub holder_keys: Vec<Arc<HolderKey>>,
    /// Metadata fetched before; used when it belongs to the issuer of the offer, so nothing is fetched again.
    pub issuer: Option<Arc<Issuer>>,
    /// Refuse what is not signed as HAIP wants it: credentials and signed metadata carry the certificates of their signer in
    /// `x5c`, without the trust anchor, and the first of them is not self-signed (HAIP §4.1, §6.1.1).
    pub haip: bool,
    /// Trust anchors (DER) that an `x5c` chain must end at. Empty: the chain only has to be consistent.
    pub trust_anchors: Vec<Vec<u8>>,
    /// `(public base, actual base)`: a URL that starts with the first is sent to the second with the public host in `Host`.
    /// Identifiers, `aud` and `htu` keep the public form.
    pub resolve: Vec<(String, String)>,
}

/// Which grant of an offer is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Grant {
    /// The pre-authorized code when the offer has one, else the authorization code.
    #[default]
    Auto,
    /// The pre-authorized code.
    PreAuthorizedCode,
    /// The authorization code.
    AuthorizationCode,
}

/// Whether authorization requests are pushed (RFC 9126).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pushing {
    /// When the server has an endpoint for it.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never; a server that requires it will refuse.
    Never,
}

/// Where key attestations go (OpenID4VCI App. D, F).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KeyAttestation {
    /// Into each `jwt` proof, when there is an attester.
    #[default]
    InProof,
    /// Alone, as the proof type `attestation`.
    Alone,
}

/// Whether credential requests and answers are encrypted (OpenID4VCI §10).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Encryption {
    /// Where the issuer requires it.
    #[default]
    WhereRequired,
    /// Both ways.
    Always,
    /// Never; an issuer that requires it will refuse.
    Never,
}

/// Whether requests carry DPoP proofs (RFC 9449).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Dpop {
    /// When the authorization server publishes an algorithm of our DPoP key.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never; the token is a bearer token.
    Never,
}

/// How the header of a `jwt` proof names the holder key (OpenID4VCI App. F.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KeyReference {
    /// The public key itself.
    #[default]
    Jwk,
    /// `kid` with a `did:key` URL.
    DidKey,
    /// `kid` with a `did:jwk` URL.
    DidJwk,
    /// The certificates given with [`HolderKey::with_certificates`].
    X5c,
}

impl Options {
    /// Number of proofs per credential request, at least one.
    #[must_use]
    pub fn proof_count(&self) -> usize {
        self.proofs.max(1)
    }

    /// The `client_id`: the given one, or the one of the wallet attestation.
    #[must_use]
    pub fn client(&self) -> Option<&str> {
        let attested = self.wallet_provider.as_ref().map(|provider| provider.client_id.as_str());
        self.client_id.as_deref().or(attested)
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("tx_code", &self.tx_code.as_ref().map(|_| "***"))
            .field("client_id", &self.client_id)
            .field("dpop", &self.dpop)
            .field("authorization_details", &self.authorization_details)
            .field("grant", &self.grant)
            .field("pushing", &self.pushing)
            .field("haip", &self.haip)
            .field("encryption", &self.encryption)
            .field("configuration_ids", &self.configuration_ids)
            .field("proofs", &self.proofs)
            .field("key_reference", &self.key_reference)
            .field("algorithm", &self.algorithm)
            .field("resolve", &self.resolve)
            .finish_non_exhaustive()
    }
}
