//! The policy of an organisation, as it is documented.

use serde::Serialize;
use utoipa::ToSchema;

use crate::definitions::{BindingMethodSchema, LevelName};
use crate::signing_keys::AlgorithmSchema;

/// What an organisation asks of wallets. Missing members take the values of the `profile`; the defaults named here are
/// those of `open`.
#[derive(ToSchema)]
#[schema(as = Policy, rename_all = "camelCase")]
#[expect(dead_code, reason = "only describes the JSON of the model's policy")]
pub(crate) struct PolicySchema {
    /// `open` (default), `mixed` or `haip`: where the switches that are left out take their values from.
    profile: Option<ProfileSchema>,
    /// `accept` (default) or `require` pushed authorization requests (RFC 9126).
    pushed_authorization: Option<PushedAuthorizationSchema>,
    /// `off` (default), `observe` or `enforce` wallet attestations (OpenID4VCI Appendix E).
    wallet_attestation: Option<AttestationRuleSchema>,
    /// `off` (default), `observe` or `enforce` key attestations (OpenID4VCI Appendix D).
    key_attestation: Option<AttestationRuleSchema>,
    /// Accepted `key_storage` levels of key attestations. Default: any.
    #[schema(value_type = Option<Vec<LevelName>>, max_items = 16, example = json!(["iso_18045_high"]))]
    key_storage: Option<Vec<String>>,
    /// Accepted `user_authentication` levels of key attestations. Default: any.
    #[schema(value_type = Option<Vec<LevelName>>, max_items = 16, example = json!(["iso_18045_high"]))]
    user_authentication: Option<Vec<String>>,
    /// Who may attest wallets and keys.
    trust_anchors: Option<TrustAnchorsSchema>,
    /// `off` (default), `allowed` or `required`: encryption of credential requests and responses (OpenID4VCI §10).
    encryption: Option<EncryptionRuleSchema>,
    /// Encryption of credential responses, where it is not that of requests. With `encryption` `required` and this `allowed` a
    /// wallet that encrypts its request may take the answer in the clear.
    response_encryption: Option<EncryptionRuleSchema>,
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
    access_token_binding: Option<AccessTokenBindingSchema>,
    /// `off`, `accept` (default) or `require` nonces of ours in DPoP proofs (RFC 9449 §8).
    dpop_nonce: Option<DpopNonceSchema>,
    /// `"any"` (default), or `{"registered": [client, …]}`, where a client is its `client_id`, or an object with
    /// `clientId`, `redirectUris` (matched exactly) and `jwks` (keys of `private_key_jwt`; with them the client must
    /// authenticate).
    clients: Option<ClientsSchema>,
    /// Whether the token request for a pre-authorized code may leave out `client_id`. Default: true.
    anonymous_access: Option<bool>,
    /// How holder keys may be named in key proofs: `jwk`, `did:key`, `did:jwk`.
    #[schema(min_items = 1)]
    binding_methods: Option<Vec<BindingMethodSchema>>,
    /// Algorithms accepted in key proofs and DPoP proofs: `ES256`, `ES384`, `EdDSA`.
    #[schema(min_items = 1)]
    proof_algorithms: Option<Vec<AlgorithmSchema>>,
    /// What `iss` in a key proof may be (OpenID4VCI Appendix F.1).
    proof_issuer: Option<ProofIssuerSchema>,
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
    #[schema(value_type = Option<std::collections::BTreeMap<String, serde_json::Value>>)]
    jwks: Option<serde_json::Value>,
}

/// Where switches that are left out take their values from.
#[derive(ToSchema)]
#[schema(as = PolicyProfile, rename_all = "camelCase")]
#[expect(dead_code, reason = "only describes the JSON of the model's policy")]
pub(crate) enum ProfileSchema {
    Open,
    Mixed,
    Haip,
}

/// Whether authorization requests must be pushed (RFC 9126).
#[derive(ToSchema)]
#[schema(as = PushedAuthorizationRule, rename_all = "camelCase")]
#[expect(dead_code, reason = "only describes the JSON of the model's policy")]
pub(crate) enum PushedAuthorizationSchema {
    Accept,
    Require,
}

/// What becomes of attestations: not looked at, noted, or demanded.
#[derive(ToSchema)]
#[schema(as = AttestationRule, rename_all = "camelCase")]
#[expect(dead_code, reason = "only describes the JSON of the model's policy")]
pub(crate) enum AttestationRuleSchema {
    Off,
    Observe,
    Enforce,
}

/// Whether credential requests and responses are encrypted (OpenID4VCI §10).
#[derive(ToSchema)]
#[schema(as = EncryptionRule, rename_all = "camelCase")]
#[expect(dead_code, reason = "only describes the JSON of the model's policy")]
pub(crate) enum EncryptionRuleSchema {
    Off,
    Allowed,
    Required,
}

/// Whether access tokens are bound to a DPoP key (RFC 9449).
#[derive(ToSchema)]
#[schema(as = AccessTokenBinding, rename_all = "camelCase")]
#[expect(dead_code, reason = "only describes the JSON of the model's policy")]
pub(crate) enum AccessTokenBindingSchema {
    DpopOrBearer,
    DpopRequired,
}

/// Nonces of ours in DPoP proofs (RFC 9449 §8).
#[derive(ToSchema)]
#[schema(as = DpopNonceRule, rename_all = "camelCase")]
#[expect(dead_code, reason = "only describes the JSON of the model's policy")]
pub(crate) enum DpopNonceSchema {
    Off,
    Accept,
    Require,
}

/// What `iss` in a key proof may be: as OpenID4VCI Appendix F.1 says, or also the DID of the key.
#[derive(ToSchema)]
#[schema(as = ProofIssuerRule, rename_all = "camelCase")]
#[expect(dead_code, reason = "only describes the JSON of the model's policy")]
pub(crate) enum ProofIssuerSchema {
    Strict,
    HolderDidAllowed,
}

/// Which clients may redeem offers: `"any"`, or those that are registered.
#[derive(ToSchema)]
#[schema(as = Clients, rename_all = "camelCase")]
#[expect(dead_code, reason = "only describes the JSON of the model's policy")]
pub(crate) enum ClientsSchema {
    Any,
    Registered(Vec<ClientSchema>),
}

/// A client: its `client_id` alone, or with what else is known of it.
#[derive(Serialize, ToSchema)]
#[schema(as = Client)]
#[serde(untagged)]
#[expect(dead_code, reason = "only describes the JSON of the model's policy")]
pub(crate) enum ClientSchema {
    Id(String),
    Registered(RegisteredClientSchema),
}

/// What is known of a client.
#[derive(Serialize, ToSchema)]
#[schema(as = RegisteredClient)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RegisteredClientSchema {
    #[schema(min_length = 1, max_length = 2048)]
    client_id: String,
    /// Where answers may go, matched exactly; none: anywhere the client proves to have asked for.
    #[schema(required = false, max_items = 50)]
    redirect_uris: Vec<String>,
    /// A JWK set; with it the client must authenticate (`private_key_jwt`).
    #[schema(value_type = Option<std::collections::BTreeMap<String, serde_json::Value>>)]
    jwks: Option<serde_json::Value>,
}
