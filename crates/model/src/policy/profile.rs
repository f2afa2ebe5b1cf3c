//! Policies to start from.

use chancery_keys::Algorithm;
use chancery_protocol::encryption::Rule as EncryptionRule;
use chancery_protocol::proof::BindingMethod;
use serde::{Deserialize, Serialize};

use super::{AccessTokenBinding, AttestationRule, Policy, PushedAuthorization};

/// A preset of all switches. Each switch can still be set alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Profile {
    /// Any wallet that speaks OpenID4VCI 1.0.
    Open,
    /// Any wallet, but everything that a stricter wallet offers is used, and attestations are looked at.
    Mixed,
    /// Wallets that follow OpenID4VC High Assurance Interoperability Profile 1.0.
    Haip,
}

impl Profile {
    /// The policy of this preset.
    pub fn policy(self) -> Policy {
        match self {
            Self::Open => Policy::default(),
            Self::Mixed => Policy {
                profile: Self::Mixed,
                wallet_attestation: AttestationRule::Observe,
                key_attestation: AttestationRule::Observe,
                encryption: EncryptionRule::Allowed,
                batch_size: 20,
                refresh_tokens: true,
                signed_metadata: true,
                ..Policy::default()
            },
            // Clients are authenticated by attestation and tokens bound by DPoP (HAIP 1.0 §4, §4.4.1). Key attestations,
            // encryption and signed metadata are left to ecosystems (§4.1, §4.5.1).
            Self::Haip => Policy {
                profile: Self::Haip,
                pushed_authorization: PushedAuthorization::Require,
                wallet_attestation: AttestationRule::Enforce,
                key_attestation: AttestationRule::Observe,
                encryption: EncryptionRule::Allowed,
                batch_size: 20,
                refresh_tokens: true,
                signed_metadata: true,
                access_token_binding: AccessTokenBinding::DpopRequired,
                anonymous_access: false,
                binding_methods: vec![BindingMethod::Jwk],
                proof_algorithms: vec![Algorithm::Es256],
                ..Policy::default()
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_preset_names_itself_and_open_is_the_default() {
        for profile in [Profile::Open, Profile::Mixed, Profile::Haip] {
            let policy = profile.policy();
            assert_eq!(policy.profile, profile);
            assert!(policy.message_encryption().is_consistent());
        }
        assert_eq!(Profile::Open.policy(), Policy::default());
    }

    #[test]
    fn haip_demands_what_the_profile_demands() {
        let policy = Profile::Haip.policy();
        assert_eq!(policy.access_token_binding, AccessTokenBinding::DpopRequired);
        assert_eq!(policy.pushed_authorization, PushedAuthorization::Require);
        assert_eq!(policy.wallet_attestation, AttestationRule::Enforce);
        assert!(!policy.anonymous_access);
        assert_eq!(policy.offer_scheme().prefix(), "haip-vci://");
    }
}
