//! What an organisation asks of wallets. Policies are data; the published metadata always says what is enforced.

mod clients;
mod profile;
mod trust;

use chancery_keys::Algorithm;
use chancery_keys::jwe::{Compression, ContentEncryption};
use chancery_protocol::encryption::{self, Rule as EncryptionRule};
use chancery_protocol::offer::UriScheme;
use chancery_protocol::proof::{BindingMethod, IssuerRule};
use chancery_protocol::trust::ChainRule;
use serde::{Deserialize, Serialize};

use crate::{DefinitionContent, Entry, TrustAnchor};

pub use clients::{Clients, RegisteredClient};
pub use profile::Profile;
pub use trust::{ExpiringAnchor, TrustAnchors, TrustedParties, TrustedPartiesError};

/// The switches of an organisation. Missing members take the value of [`Policy::default`], so a stored policy stays
/// readable when a switch is added.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Policy {
    /// The preset that the switches were set from; each of them may have been set otherwise since. By itself it decides
    /// how certificate chains of attestations are judged (HAIP 1.0 §4.4.1), whether what is signed here carries certificates
    /// (§6.1.1), and the scheme and scopes of HAIP.
    pub profile: Profile,
    /// Whether authorization requests must be pushed (RFC 9126 §5).
    pub pushed_authorization: PushedAuthorization,
    /// What is done about wallet attestations at the PAR and token endpoints (OpenID4VCI Appendix E).
    pub wallet_attestation: AttestationRule,
    /// What is done about key attestations in credential requests (OpenID4VCI Appendix D).
    pub key_attestation: AttestationRule,
    /// Levels of `key_storage`, one of which an enforced key attestation must name; empty: any (Appendix D.2).
    pub key_storage: Vec<String>,
    /// Levels of `user_authentication`, one of which an enforced key attestation must name; empty: any (Appendix D.2).
    pub user_authentication: Vec<String>,
    /// Who may vouch for wallets and for keys.
    pub trust_anchors: TrustAnchors,
    /// Whether credential requests are encrypted, and responses where nothing else is said (OpenID4VCI §10).
    pub encryption: EncryptionRule,
    /// Whether credential responses are encrypted; `None`: as requests. A response can only be encrypted where the request
    /// is (OpenID4VCI §8.2).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_encryption: Option<EncryptionRule>,
    /// Most key proofs of one credential request; 1: no batches (OpenID4VCI §12.2.4).
    pub batch_size: u16,
    /// Whether token responses carry a refresh token (RFC 6749 §6).
    pub refresh_tokens: bool,
    /// Lifetime of a refresh token, in seconds.
    pub refresh_token_lifetime: u32,
    /// Whether the issuer metadata is also served signed (OpenID4VCI §12.2.3).
    pub signed_metadata: bool,
    /// Whether access tokens must be bound to a DPoP key (RFC 9449).
    pub access_token_binding: AccessTokenBinding,
    /// Whether DPoP proofs must carry a nonce of ours (RFC 9449 §8, §9).
    pub dpop_nonce: DpopNonceRule,
    /// Which `client_id` values may redeem offers.
    pub clients: Clients,
    /// Whether a token request for the pre-authorized code may leave out `client_id` (OpenID4VCI §6.1).
    pub anonymous_access: bool,
    /// How holder keys may be named in key proofs; published per configuration (OpenID4VCI §12.2.4).
    pub binding_methods: Vec<BindingMethod>,
    /// Algorithms accepted in key proofs and DPoP proofs.
    pub proof_algorithms: Vec<Algorithm>,
    /// What `iss` in a key proof may be (OpenID4VCI Appendix F.1).
    pub proof_issuer: IssuerRule,
    /// Anchors for `x5c` in key proofs: base64 of DER certificates. Empty: proofs with `x5c` are refused.
    pub proof_trust_anchors: Vec<String>,
    /// Wrong transaction codes after which the offer is locked (OpenID4VCI §13.6.1).
    pub transaction_code_attempts: u8,
    /// Lifetime of an offer and its code, in seconds.
    pub offer_lifetime: u32,
    /// Lifetime of an access token, in seconds; Bearer tokens never live longer than 300 s (OpenID4VCI §13.10).
    pub access_token_lifetime: u32,
    /// Lifetime of a `c_nonce` and of a DPoP nonce, in seconds.
    pub nonce_lifetime: u32,
    /// `iat`, `nbf` and `exp` of credentials are rounded down to a multiple of this, in seconds (RFC 9901 §10.1).
    pub time_rounding: u32,
    /// Decoy digests added to each object with disclosable members (RFC 9901 §4.2.5).
    pub decoys: u8,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            profile: Profile::Open,
            pushed_authorization: PushedAuthorization::Accept,
            wallet_attestation: AttestationRule::Off,
            key_attestation: AttestationRule::Off,
            key_storage: Vec::new(),
            user_authentication: Vec::new(),
            trust_anchors: TrustAnchors::default(),
            encryption: EncryptionRule::Off,
            response_encryption: None,
            batch_size: 1,
            refresh_tokens: false,
            refresh_token_lifetime: 2_592_000,
            signed_metadata: false,
            access_token_binding: AccessTokenBinding::DpopOrBearer,
            dpop_nonce: DpopNonceRule::Accept,
            clients: Clients::Any,
            anonymous_access: true,
            binding_methods: vec![BindingMethod::Jwk, BindingMethod::DidKey, BindingMethod::DidJwk],
            proof_algorithms: vec![Algorithm::Es256, Algorithm::EdDsa],
            proof_issuer: IssuerRule::Strict,
            proof_trust_anchors: Vec::new(),
            transaction_code_attempts: 5,
            offer_lifetime: 3600,
            access_token_lifetime: 600,
            nonce_lifetime: 300,
            time_rounding: 3600,
            decoys: 0,
        }
    }
}

impl Policy {
    /// Lifetime in seconds of an access token that is (or is not) bound to a DPoP key.
    pub fn access_token_lifetime_for(&self, dpop_bound: bool) -> u32 {
        if dpop_bound { self.access_token_lifetime } else { self.access_token_lifetime.min(300) }
    }

    /// How holder keys of `entry` may be named: its own methods, or those of the organisation.
    pub fn binding_methods_for<'p>(&'p self, entry: &'p Entry) -> &'p [BindingMethod] {
        if entry.binding_methods.is_empty() { &self.binding_methods } else { &entry.binding_methods }
    }

    /// Algorithms of key proofs for `entry`: its own, or those of the organisation.
    pub fn proof_algorithms_for<'p>(&'p self, entry: &'p Entry) -> &'p [Algorithm] {
        if entry.proof_algorithms.is_empty() { &self.proof_algorithms } else { &entry.proof_algorithms }
    }

    /// What is asked of key attestations for `entry`: the switches of the organisation, which the entry can only
    /// tighten, and levels of the entry in place of the organisation's.
    pub fn key_attestation_for<'p>(&'p self, entry: &'p Entry) -> KeyAttestationDemand<'p> {
        let levels = |own: &'p Vec<String>, general: &'p Vec<String>| if own.is_empty() { general } else { own };
        KeyAttestationDemand {
            rule: if entry.require_key_attestation { AttestationRule::Enforce } else { self.key_attestation },
            key_storage: levels(&entry.key_storage, &self.key_storage),
            user_authentication: levels(&entry.user_authentication, &self.user_authentication),
        }
    }

    /// What is done about wallet attestations of those who ask for `definition`, which can only tighten the
    /// organisation's switch.
    pub fn wallet_attestation_for(&self, definition: &DefinitionContent) -> AttestationRule {
        if definition.enforce_wua { AttestationRule::Enforce } else { self.wallet_attestation }
    }

    /// Whether access tokens for `definition` must be bound to a DPoP key.
    pub fn access_token_binding_for(&self, definition: &DefinitionContent) -> AccessTokenBinding {
        if definition.demands.dpop { AccessTokenBinding::DpopRequired } else { self.access_token_binding }
    }

    /// Whether authorization requests for `definition` must be pushed.
    pub fn pushed_authorization_for(&self, definition: &DefinitionContent) -> PushedAuthorization {
        if definition.demands.pushed_authorization { PushedAuthorization::Require } else { self.pushed_authorization }
    }

    /// Whether a token request for the pre-authorized code of `definition` may leave out `client_id`.
    pub fn anonymous_access_for(&self, definition: &DefinitionContent) -> bool {
        self.anonymous_access && !definition.demands.client_id
    }

    /// The OAuth scope that stands for `entry`. In HAIP every configuration has one (HAIP 1.0 §4.1): one without takes
    /// its configuration id.
    pub fn scope_for<'p>(&self, entry: &'p Entry) -> Option<&'p str> {
        match (entry.scope.as_str(), self.profile) {
            ("", Profile::Haip) => Some(&entry.configuration_id),
            ("", Profile::Open | Profile::Mixed) => None,
            (scope, _) => Some(scope),
        }
    }

    /// Start of an offer link for wallets that are not known more closely (OpenID4VCI §12.1.1, HAIP 1.0 §4.2).
    pub fn offer_scheme(&self) -> UriScheme {
        match self.profile {
            Profile::Haip => UriScheme::HaipVci,
            Profile::Open | Profile::Mixed => UriScheme::OpenidCredentialOffer,
        }
    }

    /// Which certificate chains of attestations will do.
    pub fn chain_rule(&self) -> ChainRule {
        match self.profile {
            Profile::Haip => ChainRule::Haip,
            Profile::Open | Profile::Mixed => ChainRule::Any,
        }
    }

    /// What the credential endpoints demand for `definition`: never less than the organisation, and nothing that it does not
    /// offer.
    pub fn message_encryption_for(&self, definition: &DefinitionContent) -> encryption::Policy {
        let mut policy = self.message_encryption();
        if definition.demands.encryption {
            for rule in [&mut policy.request, &mut policy.response] {
                if *rule == EncryptionRule::Allowed {
                    *rule = EncryptionRule::Required;
                }
            }
        }
        policy
    }

    /// Whether credentials that verifiers trust in this way carry the certificates of their signer. Under HAIP all do
    /// (HAIP 1.0 §6.1.1).
    pub fn certificates_for(&self, trust_anchor: TrustAnchor) -> CertificateRule {
        match (self.profile, trust_anchor) {
            (Profile::Haip, TrustAnchor::X509 | TrustAnchor::DidKey) => CertificateRule::Demanded,
            (Profile::Open | Profile::Mixed, TrustAnchor::X509) => CertificateRule::WhereKept,
            (Profile::Open | Profile::Mixed, TrustAnchor::DidKey) => CertificateRule::Never,
        }
    }

    /// What the credential endpoints offer and demand.
    pub fn message_encryption(&self) -> encryption::Policy {
        let response = self.response_encryption.unwrap_or(self.encryption);
        match (self.encryption, response) {
            (EncryptionRule::Off, EncryptionRule::Off) => encryption::Policy::off(),
            (request, response) => encryption::Policy {
                request,
                response,
                encryptions: ContentEncryption::ALL.to_vec(),
                compression: Compression::Deflate,
            },
        }
    }
}

/// What is asked of key attestations for one configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyAttestationDemand<'p> {
    /// What is done about them.
    pub rule: AttestationRule,
    /// Accepted levels of `key_storage`; empty: any.
    pub key_storage: &'p [String],
    /// Accepted levels of `user_authentication`; empty: any.
    pub user_authentication: &'p [String],
}

/// Whether what an organisation signs carries the certificates of its signer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertificateRule {
    /// The key is named by `kid`.
    Never,
    /// Once there are some for the key.
    WhereKept,
    /// Always, and as HAIP wants them: issued by an authority, without the trust anchor (HAIP 1.0 §6.1.1).
    Demanded,
}

/// Whether authorization requests must be pushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PushedAuthorization {
    /// As the wallet likes.
    Accept,
    /// A plain authorization request is refused.
    Require,
}

/// What is done about attestations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum AttestationRule {
    /// Not looked at.
    Off,
    /// Checked and written down; a bad or missing one refuses nothing.
    Observe,
    /// A request without a good one is refused.
    Enforce,
}

/// Which access tokens an organisation hands out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum AccessTokenBinding {
    /// The wallet decides: with a DPoP proof the token is bound, without one it is a Bearer token.
    DpopOrBearer,
    /// A token request without a DPoP proof is refused.
    DpopRequired,
}

/// What an organisation does about nonces in DPoP proofs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum DpopNonceRule {
    /// Not handed out, not looked at.
    Off,
    /// Handed out; checked when a proof carries one.
    Accept,
    /// A proof without one is answered `use_dpop_nonce`.
    Require,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_policy_without_a_newer_switch_takes_its_default() {
        let policy: Policy = serde_json::from_str(r#"{"dpopNonce":"require"}"#).unwrap();
        assert_eq!(policy, Policy { dpop_nonce: DpopNonceRule::Require, ..Policy::default() });
    }

    /// HAI-5.
    #[test]
    fn under_haip_everything_carries_certificates_whatever_verifiers_trust() {
        for trust_anchor in [TrustAnchor::X509, TrustAnchor::DidKey] {
            assert_eq!(Profile::Haip.policy().certificates_for(trust_anchor), CertificateRule::Demanded);
        }
        for profile in [Profile::Open, Profile::Mixed] {
            assert_eq!(profile.policy().certificates_for(TrustAnchor::X509), CertificateRule::WhereKept);
            assert_eq!(profile.policy().certificates_for(TrustAnchor::DidKey), CertificateRule::Never);
        }
    }

    #[test]
    fn a_bearer_token_lives_at_most_five_minutes_whatever_the_policy_says() {
        let policy = Policy { access_token_lifetime: 86_400, ..Policy::default() };
        assert_eq!((policy.access_token_lifetime_for(false), policy.access_token_lifetime_for(true)), (300, 86_400));
    }
}
