//! Credential definitions as requests describe them.

use serde_json::Value;
use utoipa::ToSchema;

use super::schema::{IdentityMapping, PathStep};
use crate::signing_keys::AlgorithmSchema;

/// A definition to be created, or the next version of one. The second shape is older: members of one entry
/// stand at the top level, and `claims` is a JSON Schema whose properties carry `limitDisclosure`.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "only describes the body, which the use case reads")]
pub(crate) struct NewCredentialDefinition {
    /// Name for people, at least 3 characters between white space; five labels are reserved.
    #[schema(min_length = 3, max_length = 255, pattern = r"[^\s\x85][\s\S]+[^\s\x85]")]
    label: String,
    /// One element per published credential configuration.
    #[schema(min_items = 1, max_items = 50)]
    credential_definitions: Vec<NewEntry>,
    /// Default: `version_01` (OpenID4VCI 1.0).
    version: Option<VersionSchema>,
    /// How the issuer key is named in credentials: `did:key` (default) puts `kid` into the header, resolved by issuer
    /// metadata; `x509` puts the certificate chain there.
    trust_anchor: Option<TrustAnchorSchema>,
    /// `kid` of the signing key; empty for the key that is active.
    #[schema(max_length = 128)]
    kid: Option<String>,
    /// Whether a wallet must attest itself (OpenID4VCI Appendix E) to get anything of this definition, whatever the
    /// organisation's policy says. Default: false.
    #[schema(rename = "enforceWUA")]
    enforce_wua: Option<bool>,
    /// Whether access tokens for this definition must be bound to a DPoP key (RFC 9449), whatever the organisation's policy
    /// says. Default: false.
    #[schema(rename = "enforceDPoP")]
    enforce_dpop: Option<bool>,
    /// Whether authorization requests for this definition must be pushed (RFC 9126), whatever the organisation's policy says.
    /// Default: false.
    #[schema(rename = "enforcePAR")]
    enforce_par: Option<bool>,
    /// Whether credential requests and responses must be encrypted (OpenID4VCI §10) where the organisation's policy allows it.
    /// Default: false.
    enforce_encryption: Option<bool>,
    /// Whether a token request for the pre-authorized code must name its client (OpenID4VCI §6.1), whatever the organisation's
    /// policy says. Default: false.
    enforce_client_id: Option<bool>,
    /// Only `false` in this release.
    support_interactive_authorisation_endpoint: Option<bool>,
    /// Where claims are fetched that an issue call leaves out.
    claims_endpoint: Option<NewClaimsEndpoint>,
    /// Display of entries that have none.
    display: Option<NewDisplay>,
}

/// A server of the organisation that answers with claims at the moment a wallet asks for the credential.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "only describes the body, which the use case reads")]
pub(crate) struct NewClaimsEndpoint {
    /// `https` URL with a public address, unless the deployment allows others. Empty as in answers: claims are not fetched.
    #[schema(max_length = 2048, pattern = "^(https?://[^#]+)?$", example = "https://registry.example/claims")]
    url: Option<String>,
    /// How long an answer is awaited. Default: 5.
    #[schema(minimum = 1, maximum = 15)]
    deadline_in_seconds: Option<u32>,
    /// What happens without an answer. Default: `refuse`.
    when_unavailable: Option<WhenUnavailableSchema>,
    /// For how long `lastKnown` may use what was fetched. Default: 30 days.
    #[schema(minimum = 60, maximum = 31_536_000)]
    last_known_for_in_seconds: Option<u32>,
    /// Signs the requests (Standard Webhooks); `whsec_` and base64, or any text. Shown never again.
    #[schema(min_length = 16, max_length = 255)]
    secret_key: Option<String>,
}

/// `refuse`: the wallet may try again. `defer`: the wallet polls. `lastKnown`: what was fetched earlier for the same person,
/// else as `refuse`.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "only describes the body, which the use case reads")]
pub(crate) enum WhenUnavailableSchema {
    Refuse,
    Defer,
    LastKnown,
}

/// One published credential configuration.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "only describes the body, which the use case reads")]
pub(crate) struct NewEntry {
    /// Id from an earlier answer, in updates.
    #[schema(max_length = 64)]
    id: Option<String>,
    /// `jwt_vc_json` and `mso_mdoc` are refused by this release.
    credential_format: FormatSchema,
    /// Type of the credential, without white space and control characters.
    #[schema(min_length = 1, max_length = 2048, pattern = r"^[^\s\x00-\x1f\x7f-\x9f]+$")]
    vct: String,
    /// Described claims.
    claims: NewClaims,
    /// Validity of a credential, in days. Default: that of the global configuration, or 30.
    #[schema(minimum = 1, maximum = 36_500)]
    expiration_in_days: Option<u32>,
    /// Whether credentials carry a status and can be revoked. Default: false.
    support_revocation: Option<bool>,
    /// Default: `status_list`; other methods are refused by this release.
    revocation_method: Option<RevocationMethodSchema>,
    /// Whether they can be suspended too. Default: when they can be revoked. `false` halves the list.
    support_suspension: Option<bool>,
    /// Whether one credential of an offer lives at a time. A further copy is denied, or takes the place of the former one
    /// when `supportCredentialReissuance` is set and credentials can be revoked. Default: false.
    enforce_credential_uniqueness: Option<bool>,
    /// Whether a wallet may fetch a fresh copy with a refresh token after it has fetched one. Default: false.
    support_credential_reissuance: Option<bool>,
    /// How holder keys may be named. Default: the organisation's policy.
    #[schema(max_items = 8)]
    credential_binding_methods: Option<Vec<BindingMethodSchema>>,
    /// Equal in all entries. Default: `authorization_details`.
    authorization_request_type: Option<RequestTypeSchema>,
    /// OAuth scope, only with `scope_based`.
    #[schema(pattern = r##"^[!#-\[\]-~]{0,255}$"##)]
    scope: Option<String>,
    /// Least distance of polls for a deferred credential, in seconds. Default: that of the global
    /// configuration, or 5.
    #[schema(minimum = 1, maximum = 86_400)]
    credential_response_interval: Option<u32>,
    /// Key in `credential_configurations_supported`, unique in the organisation. Default: made from the
    /// label.
    #[schema(pattern = r##"^[!#-\[\]-~]{0,255}$"##)]
    credential_configuration_id: Option<String>,
    /// Whether key proofs must carry a key attestation (OpenID4VCI Appendix D). Default: false.
    require_key_attestation: Option<bool>,
    /// Accepted `key_storage` levels of key attestations (Appendix D.2). Default: those of the organisation.
    #[schema(value_type = Option<Vec<LevelName>>, max_items = 16, example = json!(["iso_18045_high"]))]
    key_storage: Option<Vec<String>>,
    /// Accepted `user_authentication` levels of key attestations. Default: those of the organisation.
    #[schema(value_type = Option<Vec<LevelName>>, max_items = 16, example = json!(["iso_18045_high"]))]
    user_authentication: Option<Vec<String>>,
    /// Algorithms of key proofs. Default: those of the organisation.
    #[schema(max_items = 8)]
    proof_algorithms: Option<Vec<AlgorithmSchema>>,
    /// Claims that come from the identity provider at which the person signs in, in the authorization code flow.
    #[schema(max_items = 500)]
    identity_mapping: Option<Vec<IdentityMapping>>,
    /// How the credential looks in a wallet.
    display: Option<NewDisplay>,
}

/// Name of an attack potential resistance level (OpenID4VCI Appendix D.2).
#[derive(ToSchema)]
#[schema(min_length = 1, max_length = 255)]
#[expect(dead_code, reason = "only describes the names, which the use case reads")]
pub(crate) struct LevelName(String);

/// Described claims.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only describes the body, which the use case reads")]
pub(crate) struct NewClaims {
    /// A path is described once.
    #[schema(max_items = 500)]
    claims: Vec<NewClaim>,
}

/// One described claim.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "only describes the body, which the use case reads")]
pub(crate) struct NewClaim {
    /// Claims path pointer (OpenID4VCI Appendix C): string is a member, integer an element, null every
    /// element. The first is a string.
    #[schema(value_type = Vec<PathStep>, min_items = 1, max_items = 64, example = json!(["address", "locality"]))]
    path: Value,
    /// Whether an issue call without it is refused. Default: true.
    mandatory: Option<bool>,
    /// Whether the holder can withhold it. Default: false.
    limit_disclosure: Option<bool>,
    /// Names for people, one for each language.
    #[schema(max_items = 50)]
    display: Option<Vec<NewClaimDisplay>>,
}

/// Name of a claim in one language.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only describes the body, which the use case reads")]
pub(crate) struct NewClaimDisplay {
    #[schema(min_length = 1, max_length = 255)]
    name: String,
    /// BCP 47 tag; left out or empty for the default.
    #[schema(max_length = 35)]
    locale: Option<String>,
}

/// How a credential looks in a wallet. Empty values count as left out; a display that has any value has a name.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "only describes the body, which the use case reads")]
pub(crate) struct NewDisplay {
    #[schema(max_length = 255)]
    name: Option<String>,
    /// BCP 47 tag.
    #[schema(max_length = 35)]
    locale: Option<String>,
    #[schema(max_length = 1024)]
    description: Option<String>,
    /// CSS colour.
    #[schema(max_length = 64)]
    background_color: Option<String>,
    /// CSS colour.
    #[schema(max_length = 64)]
    text_color: Option<String>,
    logo: Option<NewImage>,
    background_image: Option<NewImage>,
}

/// A picture by reference.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "only describes the body, which the use case reads")]
pub(crate) struct NewImage {
    /// `https:` or `data:image/` URI.
    #[schema(max_length = 65_536, pattern = "^(https://.*|data:image/.*)?$")]
    uri: Option<String>,
    #[schema(max_length = 255)]
    alt_text: Option<String>,
}

/// Protocol profile.
#[derive(ToSchema)]
#[schema(as = ProtocolVersion)]
#[expect(dead_code, reason = "only describes the model's version")]
pub(crate) enum VersionSchema {
    #[schema(rename = "version_01")]
    Version01,
}

/// How the issuer key is named in credentials.
#[derive(ToSchema)]
#[schema(as = TrustAnchor)]
#[expect(dead_code, reason = "only describes the model's trust anchor")]
pub(crate) enum TrustAnchorSchema {
    #[schema(rename = "did:key")]
    DidKey,
    #[schema(rename = "x509")]
    X509,
}

/// Format of a credential.
#[derive(ToSchema)]
#[schema(as = CredentialFormat)]
#[expect(dead_code, reason = "only describes the model's format")]
pub(crate) enum FormatSchema {
    #[schema(rename = "dc+sd-jwt")]
    DcSdJwt,
}

/// How credentials are withdrawn.
#[derive(ToSchema)]
#[schema(as = RevocationMethod)]
#[expect(dead_code, reason = "only describes the model's method")]
pub(crate) enum RevocationMethodSchema {
    #[schema(rename = "status_list")]
    StatusList,
}

/// How wallets ask for a credential in the authorization code flow.
#[derive(ToSchema)]
#[schema(as = AuthorizationRequestType, rename_all = "snake_case")]
#[expect(dead_code, reason = "only describes the model's type")]
pub(crate) enum RequestTypeSchema {
    AuthorizationDetails,
    ScopeBased,
}

/// How a holder key may be named.
#[derive(ToSchema)]
#[schema(as = BindingMethod)]
#[expect(dead_code, reason = "only describes the protocol's method")]
pub(crate) enum BindingMethodSchema {
    #[schema(rename = "jwk")]
    Jwk,
    #[schema(rename = "did:key")]
    DidKey,
    #[schema(rename = "did:jwk")]
    DidJwk,
}
