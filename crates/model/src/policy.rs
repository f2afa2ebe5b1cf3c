//! What an organisation asks of wallets. Policies are data; the published metadata always says what is enforced.

use chancery_keys::Algorithm;
use chancery_protocol::proof::{BindingMethod, IssuerRule};
use serde::{Deserialize, Serialize};

/// The switches of an organisation. Missing members take the value of [`Policy::default`], so a stored policy stays
/// readable when a switch is added.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Policy {
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

/// Which wallets an organisation admits by `client_id`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Clients {
    /// Any `client_id`.
    Any,
    /// Exactly these.
    Registered(Vec<String>),
}

impl Clients {
    /// Whether `client_id` may redeem offers.
    pub fn admit(&self, client_id: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Registered(known) => known.iter().any(|id| id == client_id),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_policy_without_a_newer_switch_takes_its_default() {
        let policy: Policy = serde_json::from_str(r#"{"dpopNonce":"require"}"#).unwrap();
        assert_eq!(policy, Policy { dpop_nonce: DpopNonceRule::Require, ..Policy::default() });
    }

    #[test]
    fn a_bearer_token_lives_at_most_five_minutes_whatever_the_policy_says() {
        let policy = Policy { access_token_lifetime: 86_400, ..Policy::default() };
        assert_eq!((policy.access_token_lifetime_for(false), policy.access_token_lifetime_for(true)), (300, 86_400));
    }
}
