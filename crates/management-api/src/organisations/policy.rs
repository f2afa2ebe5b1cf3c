//! The policy of an organisation, as it is documented.

use utoipa::ToSchema;

/// What an organisation asks of wallets. Missing members take their defaults.
#[derive(ToSchema)]
#[schema(as = Policy, rename_all = "camelCase")]
#[expect(dead_code, reason = "only describes the JSON of the model's policy")]
pub(crate) struct PolicySchema {
    /// `dpopOrBearer` (default): the wallet decides. `dpopRequired`: a token request without a DPoP proof is
    /// refused.
    #[schema(value_type = String, example = "dpopOrBearer")]
    access_token_binding: Option<String>,
    /// `off`, `accept` (default) or `require` nonces of ours in DPoP proofs (RFC 9449 §8).
    #[schema(value_type = String, example = "accept")]
    dpop_nonce: Option<String>,
    /// `"any"` (default), or `{"registered": ["client_id", …]}`.
    #[schema(value_type = Object)]
    clients: Option<serde_json::Value>,
    /// Whether the token request for a pre-authorized code may leave out `client_id`. Default: true.
    anonymous_access: Option<bool>,
    /// How holder keys may be named in key proofs: `jwk`, `did:key`, `did:jwk`.
    #[schema(example = json!(["jwk", "did:key", "did:jwk"]))]
    binding_methods: Option<Vec<String>>,
    /// Algorithms accepted in key proofs and DPoP proofs: `ES256`, `ES384`, `EdDSA`.
    #[schema(example = json!(["ES256", "EdDSA"]))]
    proof_algorithms: Option<Vec<String>>,
    /// What `iss` in a key proof may be (OpenID4VCI Appendix F.1).
    proof_issuer: Option<String>,
    /// Trust anchors for `x5c` in key proofs: base64 of DER certificates. None: such proofs are refused.
    proof_trust_anchors: Option<Vec<String>>,
    /// Wrong transaction codes after which an offer is locked. Default: 5.
    #[schema(minimum = 1, maximum = 20)]
    transaction_code_attempts: Option<u8>,
    /// Lifetime of an offer, in seconds. Default: 3600.
    #[schema(minimum = 60, maximum = 31_536_000)]
    offer_lifetime: Option<u32>,
    /// Lifetime of an access token, in seconds; Bearer tokens live at most 300 s. Default: 600.
    #[schema(minimum = 30, maximum = 86_400)]
    access_token_lifetime: Option<u32>,
    /// Lifetime of nonces, in seconds. Default: 300.
    #[schema(minimum = 10, maximum = 3_600)]
    nonce_lifetime: Option<u32>,
    /// Times in credentials are rounded down to a multiple of this, in seconds. Default: 3600.
    #[schema(minimum = 1, maximum = 86_400)]
    time_rounding: Option<u32>,
    /// Decoy digests per object with disclosable members. Default: 0.
    #[schema(maximum = 16)]
    decoys: Option<u8>,
}
