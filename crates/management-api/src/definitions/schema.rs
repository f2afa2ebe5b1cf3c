//! Credential definitions as answers show them.

use chancery_model::{Definition, Entry};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::body::{
    BindingMethodSchema, FormatSchema, RequestTypeSchema, RevocationMethodSchema, TrustAnchorSchema, VersionSchema,
};
use crate::signing_keys::AlgorithmSchema;

/// A credential definition.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CredentialDefinition {
    /// Id.
    #[schema(format = Uuid)]
    credential_definition_id: String,
    /// Name for people.
    #[schema(example = "Staff badge")]
    label: String,
    /// Protocol profile.
    #[schema(value_type = VersionSchema)]
    version: chancery_model::WireVersion,
    /// How the issuer key is named in credentials.
    #[schema(value_type = TrustAnchorSchema)]
    trust_anchor: chancery_model::TrustAnchor,
    /// `kid` of the signing key; empty for the key that is active.
    kid: String,
    #[serde(rename = "enforceWUA")]
    enforce_wua: bool,
    #[serde(rename = "enforceDPoP")]
    enforce_dpop: bool,
    #[serde(rename = "enforcePAR")]
    enforce_par: bool,
    enforce_encryption: bool,
    enforce_client_id: bool,
    support_interactive_authorisation_endpoint: bool,
    /// Display of entries that have none.
    display: Display,
    /// Where claims are fetched that an issue call leaves out.
    pub(super) claims_endpoint: ClaimsEndpoint,
    /// One element per published credential configuration.
    credential_definitions: Vec<EntryAnswer>,
    /// Version, counting from 1.
    #[schema(example = 1)]
    revision: u32,
    /// Unix seconds.
    created_at: i64,
    /// Unix seconds.
    updated_at: i64,
}

impl From<&Definition> for CredentialDefinition {
    fn from(definition: &Definition) -> Self {
        let content = &definition.content;
        Self {
            credential_definition_id: definition.id.to_string(),
            label: content.label.clone(),
            version: content.version,
            trust_anchor: content.trust_anchor,
            kid: content.kid.clone(),
            enforce_wua: content.enforce_wua,
            enforce_dpop: content.demands.dpop,
            enforce_par: content.demands.pushed_authorization,
            enforce_encryption: content.demands.encryption,
            enforce_client_id: content.demands.client_id,
            support_interactive_authorisation_endpoint: content.support_interactive_authorisation_endpoint,
            display: Display::from(content.display.as_ref()),
            claims_endpoint: ClaimsEndpoint::from(content.claims_endpoint.as_ref()),
            credential_definitions: content.entries.iter().map(EntryAnswer::from).collect(),
            revision: definition.revision,
            created_at: definition.created_at.seconds(),
            updated_at: definition.updated_at.seconds(),
        }
    }
}

/// Where claims are fetched. Absent values are empty.
#[derive(Debug, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ClaimsEndpoint {
    /// Empty: claims are not fetched.
    url: String,
    deadline_in_seconds: u32,
    /// `refuse`, `defer` or `lastKnown`.
    when_unavailable: &'static str,
    last_known_for_in_seconds: u32,
    /// Empty, except in the answer to the call in which it was made.
    pub(super) secret_key: String,
}

impl From<Option<&chancery_model::ClaimsEndpoint>> for ClaimsEndpoint {
    fn from(endpoint: Option<&chancery_model::ClaimsEndpoint>) -> Self {
        let Some(endpoint) = endpoint else { return Self::default() };
        Self {
            url: endpoint.url.clone(),
            deadline_in_seconds: endpoint.deadline,
            when_unavailable: endpoint.when_unavailable.name(),
            last_known_for_in_seconds: endpoint.last_known_for,
            secret_key: String::new(),
        }
    }
}

/// One published credential configuration.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = CredentialDefinitionEntry)]
pub(crate) struct EntryAnswer {
    /// Id that the issue call repeats.
    #[schema(format = Uuid)]
    id: String,
    /// Key in `credential_configurations_supported`.
    #[schema(example = "staff-badge")]
    credential_configuration_id: String,
    #[schema(value_type = FormatSchema)]
    credential_format: chancery_model::Format,
    /// Empty: only `jwt_vc_json` has it.
    #[serde(rename = "type")]
    kind: Vec<String>,
    #[schema(example = "https://issuer.example/staff-badge")]
    vct: String,
    /// Empty: only `mso_mdoc` has it.
    doctype: String,
    /// `$` for `dc+sd-jwt`.
    validation_path: &'static str,
    claims: Claims,
    /// Validity of a credential.
    #[schema(example = 365)]
    expiration_in_days: u32,
    support_revocation: bool,
    #[schema(value_type = RevocationMethodSchema)]
    revocation_method: chancery_model::RevocationMethod,
    support_suspension: bool,
    enforce_credential_uniqueness: bool,
    support_credential_reissuance: bool,
    /// Empty: the organisation's policy decides.
    #[schema(value_type = Vec<BindingMethodSchema>)]
    credential_binding_methods: Vec<Value>,
    #[schema(value_type = RequestTypeSchema)]
    authorization_request_type: chancery_model::AuthorizationRequestType,
    scope: String,
    credential_response_interval: u32,
    require_key_attestation: bool,
    /// Empty: the organisation's policy decides.
    key_storage: Vec<String>,
    /// Empty: the organisation's policy decides.
    user_authentication: Vec<String>,
    /// Empty: the organisation's policy decides.
    #[schema(value_type = Vec<AlgorithmSchema>)]
    proof_algorithms: Vec<Value>,
    identity_mapping: Vec<IdentityMapping>,
    display: Display,
}

impl From<&Entry> for EntryAnswer {
    fn from(entry: &Entry) -> Self {
        let methods = entry.binding_methods.iter();
        let algorithms = entry.proof_algorithms.iter();
        Self {
            id: entry.id.to_string(),
            credential_configuration_id: entry.configuration_id.clone(),
            credential_format: entry.format,
            kind: Vec::new(),
            vct: entry.vct.clone(),
            doctype: String::new(),
            validation_path: "$",
            claims: Claims { claims: entry.claims.iter().map(Claim::from).collect() },
            expiration_in_days: entry.expiration_in_days,
            support_revocation: entry.support_revocation,
            revocation_method: entry.revocation_method,
            support_suspension: entry.support_suspension,
            enforce_credential_uniqueness: entry.enforce_credential_uniqueness,
            support_credential_reissuance: entry.support_credential_reissuance,
            credential_binding_methods: methods.filter_map(|method| serde_json::to_value(method).ok()).collect(),
            authorization_request_type: entry.authorization_request_type,
            scope: entry.scope.clone(),
            credential_response_interval: entry.response_interval,
            require_key_attestation: entry.require_key_attestation,
            key_storage: entry.key_storage.clone(),
            user_authentication: entry.user_authentication.clone(),
            proof_algorithms: algorithms.filter_map(|algorithm| serde_json::to_value(algorithm).ok()).collect(),
            identity_mapping: entry.identity_mapping.iter().map(IdentityMapping::from).collect(),
            display: Display::from(entry.display.as_ref()),
        }
    }
}

/// One claim that comes from the identity provider.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct IdentityMapping {
    /// Path of the claim in the credential: names only.
    #[schema(value_type = Vec<String>, min_items = 1, max_items = 64, example = json!(["address", "locality"]))]
    claim: Value,
    /// Path of its value in the ID token or the userinfo response: names and positions,
    /// beginning with a name.
    #[schema(value_type = Vec<SourceStep>, min_items = 1, max_items = 64, example = json!(["address", "locality"]))]
    from: Value,
}

impl From<&chancery_model::IdentityMapping> for IdentityMapping {
    fn from(rule: &chancery_model::IdentityMapping) -> Self {
        let path = |path| serde_json::to_value(path).unwrap_or_default();
        Self { claim: path(&rule.claim), from: path(&rule.from) }
    }
}

/// A step of a claims path: a member, an element, or every element.
#[derive(Serialize, ToSchema)]
#[schema(as = ClaimPathStep)]
#[serde(untagged)]
#[expect(dead_code, reason = "only describes the JSON of the model's path")]
pub(crate) enum PathStep {
    Name(String),
    Position(u32),
    Every,
}

/// A step of the path of a claim at an identity provider: a member or an element.
#[derive(Serialize, ToSchema)]
#[schema(as = SourcePathStep)]
#[serde(untagged)]
#[expect(dead_code, reason = "only describes the JSON of the model's path")]
pub(crate) enum SourceStep {
    Name(String),
    Position(u32),
}

/// Described claims.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DescribedClaims)]
pub(crate) struct Claims {
    pub(crate) claims: Vec<Claim>,
}

/// One described claim.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Claim {
    /// Claims path pointer (OpenID4VCI Appendix C): string is a member, integer an element, null every
    /// element.
    #[schema(value_type = Vec<PathStep>, min_items = 1, max_items = 64, example = json!(["address", "locality"]))]
    path: Value,
    /// Whether an issue call without it is refused; absent counts as true.
    mandatory: bool,
    /// Whether the holder can withhold it.
    limit_disclosure: bool,
    /// Names for people.
    display: Vec<ClaimDisplay>,
}

impl From<&chancery_model::ClaimDescription> for Claim {
    fn from(claim: &chancery_model::ClaimDescription) -> Self {
        let display = claim.display.iter().map(|display| ClaimDisplay {
            name: display.name.clone(),
            locale: display.locale.clone().unwrap_or_default(),
        });
        Self {
            path: claim_path(claim),
            mandatory: claim.mandatory,
            limit_disclosure: claim.limit_disclosure,
            display: display.collect(),
        }
    }
}

/// The path as JSON.
pub(crate) fn claim_path(claim: &chancery_model::ClaimDescription) -> Value {
    serde_json::to_value(&claim.path).unwrap_or_default()
}

/// Name of a claim in one language.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ClaimDisplay {
    name: String,
    /// BCP 47 tag; empty for the default.
    locale: String,
}

/// How a credential looks in a wallet. Absent values are empty.
#[derive(Debug, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Display {
    #[schema(example = "Staff badge")]
    name: String,
    /// BCP 47 tag.
    #[schema(example = "en")]
    locale: String,
    description: String,
    /// CSS colour.
    #[schema(example = "#12355b")]
    background_color: String,
    /// CSS colour.
    #[schema(example = "#ffffff")]
    text_color: String,
    logo: Image,
    background_image: Image,
}

impl From<Option<&chancery_model::Display>> for Display {
    fn from(display: Option<&chancery_model::Display>) -> Self {
        let Some(display) = display else { return Self::default() };
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        Self {
            name: display.name.clone(),
            locale: text(&display.locale),
            description: text(&display.description),
            background_color: text(&display.background_color),
            text_color: text(&display.text_color),
            logo: Image::from(display.logo.as_ref()),
            background_image: Image::from(display.background_image.as_ref()),
        }
    }
}

/// A picture by reference.
#[derive(Debug, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Image {
    /// `https:` or `data:image/` URI.
    uri: String,
    alt_text: String,
}

impl From<Option<&chancery_model::Image>> for Image {
    fn from(image: Option<&chancery_model::Image>) -> Self {
        let Some(image) = image else { return Self::default() };
        Self { uri: image.uri.clone(), alt_text: image.alt_text.clone().unwrap_or_default() }
    }
}
