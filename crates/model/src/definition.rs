//! Credential definitions: what an organisation offers.

use chancery_formats::ClaimPath;
use chancery_formats::status_list::Bits;
use chancery_keys::Algorithm;
use chancery_protocol::proof::BindingMethod;
use serde::{Deserialize, Serialize};

use crate::{ClaimsEndpoint, DefinitionId, EntryId, Timestamp};

/// A definition in one of its versions. Exchanges keep the version they started with.
#[derive(Clone, Debug)]
pub struct Definition {
    /// Admin-side id.
    pub id: DefinitionId,
    /// 1 for the first version, counting up with each update.
    pub revision: u32,
    /// What the version says.
    pub content: DefinitionContent,
    /// When the definition was created.
    pub created_at: Timestamp,
    /// When this version was made.
    pub updated_at: Timestamp,
}

impl Definition {
    /// The entry with this id.
    pub fn entry(&self, id: EntryId) -> Option<&Entry> {
        self.content.entries.iter().find(|entry| entry.id == id)
    }

    /// The entry published under this configuration id.
    pub fn entry_by_configuration(&self, configuration_id: &str) -> Option<&Entry> {
        self.content.entries.iter().find(|entry| entry.configuration_id == configuration_id)
    }
}

/// What is stored of a definition's version, as JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DefinitionContent {
    /// Name for people, at least 3 characters.
    pub label: String,
    /// Wire version spoken to wallets; immutable.
    pub version: WireVersion,
    /// How the issuer key is named in credentials; immutable.
    pub trust_anchor: TrustAnchor,
    /// `kid` of the signing key; empty for the organisation's active key; immutable.
    pub kid: String,
    /// Whether a wallet attestation is demanded.
    pub enforce_wua: bool,
    /// What else is demanded, whatever the organisation's policy says.
    #[serde(default)]
    pub demands: Demands,
    /// Whether the interactive authorisation endpoint may be used.
    pub support_interactive_authorisation_endpoint: bool,
    /// Display used by entries that have none.
    pub display: Option<Display>,
    /// Where claims are fetched that an issue call leaves out; `None` when they are not.
    #[serde(default)]
    pub claims_endpoint: Option<ClaimsEndpoint>,
    /// The published configurations, at least one.
    pub entries: Vec<Entry>,
}

/// Switches of the organisation's policy that a definition turns to their strict side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Demands {
    /// Access tokens are bound to a DPoP key (RFC 9449).
    pub dpop: bool,
    /// Authorization requests are pushed (RFC 9126).
    pub pushed_authorization: bool,
    /// Credential requests and responses are encrypted (OpenID4VCI §10).
    pub encryption: bool,
    /// Token requests for the pre-authorized code name their client (OpenID4VCI §6.1).
    pub client_id: bool,
}

/// One published credential configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Id that the issue call repeats.
    pub id: EntryId,
    /// Key in `credential_configurations_supported`, unique in the organisation.
    pub configuration_id: String,
    /// Credential format.
    pub format: Format,
    /// Type of a `dc+sd-jwt` credential.
    pub vct: String,
    /// Described claims, in display order.
    pub claims: Vec<ClaimDescription>,
    /// Validity of a credential, in days.
    pub expiration_in_days: u32,
    /// Whether credentials carry a status.
    pub support_revocation: bool,
    /// Kind of status.
    pub revocation_method: RevocationMethod,
    /// Whether credentials can be suspended as well as revoked. Costs a second bit in the status list.
    #[serde(default)]
    pub support_suspension: bool,
    /// Whether a second live credential for one holder is denied.
    pub enforce_credential_uniqueness: bool,
    /// Whether a fresh copy may be issued when one expires.
    pub support_credential_reissuance: bool,
    /// Binding methods of this entry; empty for those of the organisation's policy.
    pub binding_methods: Vec<BindingMethod>,
    /// Whether key proofs must carry a key attestation (OpenID4VCI Appendix D).
    pub require_key_attestation: bool,
    /// Accepted levels of `key_storage`; empty for those of the organisation's policy.
    #[serde(default)]
    pub key_storage: Vec<String>,
    /// Accepted levels of `user_authentication`; empty for those of the organisation's policy.
    #[serde(default)]
    pub user_authentication: Vec<String>,
    /// Algorithms of key proofs; empty for those of the organisation's policy.
    #[serde(default)]
    pub proof_algorithms: Vec<Algorithm>,
    /// How the wallet asks for it in the authorization code flow.
    pub authorization_request_type: AuthorizationRequestType,
    /// OAuth scope; empty when there is none.
    pub scope: String,
    /// Least distance of polls, in seconds.
    pub response_interval: u32,
    /// Display of this entry.
    pub display: Option<Display>,
    /// Which claims come from the identity provider at which the person signs in.
    #[serde(default)]
    pub identity_mapping: Vec<IdentityMapping>,
}

/// One claim that comes from the identity provider.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IdentityMapping {
    /// The claim of the credential: names only.
    pub claim: ClaimPath,
    /// Where its value is in the ID token or the userinfo response: names and positions only.
    pub from: ClaimPath,
}

impl Entry {
    /// The width of the status list entries that its credentials need; `None` when they carry no status.
    pub fn status_bits(&self) -> Option<Bits> {
        match (self.support_revocation, self.support_suspension) {
            (false, _) => None,
            (true, false) => Some(Bits::One),
            (true, true) => Some(Bits::Two),
        }
    }
}

/// One described claim.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClaimDescription {
    /// Where it is (OpenID4VCI Appendix C).
    pub path: ClaimPath,
    /// Whether an issue call without it is refused.
    pub mandatory: bool,
    /// Whether the holder can withhold it.
    pub limit_disclosure: bool,
    /// Names for people.
    pub display: Vec<ClaimDisplay>,
}

/// Name of a claim in one language.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClaimDisplay {
    /// The name.
    pub name: String,
    /// BCP 47 tag; absent for the default.
    pub locale: Option<String>,
}

/// How a credential looks in a wallet.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Display {
    /// Title.
    pub name: String,
    /// BCP 47 tag; absent for the default.
    pub locale: Option<String>,
    /// Text under the title.
    pub description: Option<String>,
    /// CSS colour.
    pub background_color: Option<String>,
    /// CSS colour.
    pub text_color: Option<String>,
    /// Logo.
    pub logo: Option<Image>,
    /// Picture behind the card.
    pub background_image: Option<Image>,
}

/// A picture by reference.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Image {
    /// `https:` or `data:` URI.
    pub uri: String,
    /// Words for those who cannot see it.
    pub alt_text: Option<String>,
}

/// Credential format identifiers (OpenID4VCI Appendix A).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Format {
    /// SD-JWT VC.
    #[serde(rename = "dc+sd-jwt")]
    DcSdJwt,
}

impl Format {
    /// The identifier.
    pub fn name(self) -> &'static str {
        match self {
            Self::DcSdJwt => "dc+sd-jwt",
        }
    }
}

/// Protocol profile of a definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum WireVersion {
    /// OpenID4VCI 1.0 Final.
    #[serde(rename = "version_01")]
    Version01,
}

/// How the issuer key is named in credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TrustAnchor {
    /// `kid` in the header, the key in `/.well-known/jwt-vc-issuer` (SD-JWT VC §4). The management API calls its default
    /// `did:key`; a credential of ours is resolved by issuer metadata either way.
    #[serde(rename = "did:key")]
    DidKey,
    /// `x5c` in the header.
    #[serde(rename = "x509")]
    X509,
}

/// Kind of status of a revocable credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RevocationMethod {
    /// Token Status List.
    #[serde(rename = "status_list")]
    StatusList,
    /// W3C Status List 2021.
    #[serde(rename = "status_list_2021")]
    StatusList2021,
    /// The Swiss profile of the Token Status List.
    #[serde(rename = "swiss_token_status_list_v1")]
    SwissTokenStatusListV1,
}

/// How a wallet asks for a configuration in the authorization code flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuthorizationRequestType {
    /// By `authorization_details` (OpenID4VCI §5.1.1).
    AuthorizationDetails,
    /// By `scope` (OpenID4VCI §5.1.2).
    ScopeBased,
}
