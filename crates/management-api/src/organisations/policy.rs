//! The policy of an organisation, as it is documented.

use utoipa::ToSchema;

/// What an organisation asks of wallets. Missing members take the values of the `profile`; the defaults named here are
/// those of `open`.
#[derive(ToSchema)]
#[schema(as = Policy, rename_all = "camelCase")]
#[expect(dead_code, reason = "only describes the JSON of the model's policy")]
pub(crate) struct PolicySchema {
    /// `open` (default), `mixed` or `haip`: where the switches that are left out take their values from.
    #[schema(value_type = String, example = "open")]
    profile: Option<String>,
    /// `accept` (default) or `require` pushed authorization requests (RFC 9126).
    #[schema(value_type = String, example = "accept")]
    pushed_authorization: Option<String>,
    /// `off` (default), `observe` or `enforce` wallet attestations (OpenID4VCI Appendix E).
    #[schema(value_type = String, example = "off")]
    wallet_attestation: Option<String>,
    /// `off` (default), `observe` or `enforce` key attestations (OpenID4VCI Appendix D).
    #[schema(value_type = String, example = "off")]
    key_attestation: Option<String>,
    /// Accepted `key_storage` levels of key attestations. Default: any.
    #[schema(example = json!(["iso_18045_high"]))]
    key_storage: Option<Vec<String>>,
    /// Accepted `user_authentication` levels of key attestations. Default: any.
    user_authentication: Option<Vec<String>>,
    /// Who may attest wallets and keys.
    trust_anchors: Option<TrustAnchorsSchema>,
    /// `off` (default), `allowed` or `required`: encryption of credential requests and responses (OpenID4VCI §10).
    #[schema(value_type = String, example = "off")]
    encryption: Option<String>,
    /// `off`, `allowed` or `required`: encryption of credential responses, where it is not that of requests. With
    /// `encryption` `required` and this `allowed` a wallet that encrypts its request may take the answer in the clear.
    #[schema(value_type = String, example = "allowed")]
    response_encryption: Option<String>,
    /// Most key proofs of one credential request. Default: 1, no batches.
    #[schema(minimum = 1, maximum = 100)]
    batch_size: Option<u16>,
    /// Whether token responses carry a refresh token. Default: false.
    refresh_tokens: Option<bool>,
    /// Lifetime of a refresh token, in seconds. Default: 30 days.
    #[schema(minimum = 600, maximum = 31_536_000)]
    refresh_token_lifetime: Option<u32>,
    /// Whether issuer metadata is also served signed (OpenID4VCI §12.2.3). Default: false.
    signed_metadata: Option<bool>,
    /// `dpopOrBearer` (default): the wallet decides. `dpopRequired`: a token request without a DPoP proof is
    /// refused.
    #[schema(value_type = String, example = "dpopOrBearer")]
    access_token_binding: Option<String>,
    /// `off`, `accept` (default) or `require` nonces of ours in DPoP proofs (RFC 9449 §8).
    #[schema(value_type = String, example = "accept")]
    dpop_nonce: Option<String>,
    /// `"any"` (default), or `{"registered": [client, …]}`, where a client is its `client_id`, or an object with
    /// `clientId`, `redirectUris` (matched exactly) and `jwks` (keys of `private_key_jwt`; with them the client must
    /// authenticate).
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

/// Who may attest wallets and keys.
#[derive(ToSchema)]
#[schema(as = TrustAnchors, rename_all = "camelCase")]
#[expect(dead_code, reason = "only describes the JSON of the model's policy")]
pub(crate) struct TrustAnchorsSchema {
    /// Those who attest wallets.
    wallet_providers: Option<TrustedPartiesSchema>,
    /// Those who attest keys.
    key_attesters: Option<TrustedPartiesSchema>,
}

/// Those who are trusted for one purpose.
#[derive(ToSchema)]
#[schema(as = TrustedParties, rename_all = "camelCase")]
#[expect(dead_code, reason = "only describes the JSON of the model's policy")]
pub(crate) struct TrustedPartiesSchema {
    /// Certificates that `x5c` chains lead to: base64 of DER.
    #[schema(max_items = 100)]
    certificates: Option<Vec<String>>,
    /// A JWK set of public keys that sign directly.
    #[schema(value_type = Object)]
    jwks: Option<serde_json::Value>,
}
