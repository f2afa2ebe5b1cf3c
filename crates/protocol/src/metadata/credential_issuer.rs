use std::collections::BTreeMap;

use chancery_formats::ClaimPath;
use chancery_keys::Algorithm;
use serde::Serialize;

use crate::IssuerIdentifier;
use crate::encryption::{RequestEncryptionMetadata, ResponseEncryptionMetadata};
use crate::proof::BindingMethod;

/// The registered suffix of the document's URL; see [`IssuerIdentifier::well_known`].
pub const WELL_KNOWN_CREDENTIAL_ISSUER: &str = "openid-credential-issuer";

/// Credential Issuer Metadata (OpenID4VCI §12.2.4).
///
/// Empty lists and absent options are left out, because every list in the document must be non-empty if present.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct IssuerMetadata {
    /// The identifier, byte for byte.
    pub credential_issuer: IssuerIdentifier,
    /// Authorization servers other than the issuer itself.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub authorization_servers: Vec<String>,
    /// URL of the credential endpoint.
    pub credential_endpoint: String,
    /// URL of the nonce endpoint; if absent, key proofs need no nonce.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nonce_endpoint: Option<String>,
    /// URL of the deferred credential endpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deferred_credential_endpoint: Option<String>,
    /// URL of the notification endpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notification_endpoint: Option<String>,
    /// How requests may be encrypted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential_request_encryption: Option<RequestEncryptionMetadata>,
    /// How responses may be encrypted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential_response_encryption: Option<ResponseEncryptionMetadata>,
    /// Present when one request may carry several proofs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch_credential_issuance: Option<BatchCredentialIssuance>,
    /// The issuer's name, one entry per locale.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub display: Vec<IssuerDisplay>,
    /// What is offered, by configuration id.
    pub credential_configurations_supported: BTreeMap<String, CredentialConfiguration>,
}

/// How many proofs a request may carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct BatchCredentialIssuance {
    /// At least 2.
    pub batch_size: u32,
}

/// The issuer in one language.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct IssuerDisplay {
    /// Name of the issuer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// BCP 47 tag, at most once per list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locale: Option<String>,
    /// Logo of the issuer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logo: Option<Logo>,
}

/// A logo.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Logo {
    /// `https:` or `data:` URI.
    pub uri: String,
    /// What it shows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alt_text: Option<String>,
}

/// A background image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Image {
    /// `https:` or `data:` URI.
    pub uri: String,
}

/// One credential configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CredentialConfiguration {
    /// Format and type.
    #[serde(flatten)]
    pub credential_type: CredentialType,
    /// The scope that asks for this configuration; unique among all of an authorization server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// Algorithms that credentials may be signed with.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub credential_signing_alg_values_supported: Vec<SigningAlgorithm>,
    /// How credentials are bound to a holder key; `None` for bearer credentials.
    #[serde(flatten)]
    pub holder_binding: Option<HolderBinding>,
    /// What wallets show.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential_metadata: Option<CredentialMetadata>,
}

/// Format and type of a credential (OpenID4VCI Appendix A).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "format")]
pub enum CredentialType {
    /// IETF SD-JWT VC.
    #[serde(rename = "dc+sd-jwt")]
    SdJwtVc {
        /// The type.
        vct: String,
    },
    /// ISO/IEC 18013-5 mdoc.
    #[serde(rename = "mso_mdoc")]
    Mdoc {
        /// The document type.
        doctype: String,
    },
}

/// A signature algorithm: JOSE formats name it, COSE formats number it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum SigningAlgorithm {
    /// JOSE name.
    Jose(Algorithm),
    /// COSE number.
    Cose(i64),
}

/// Key binding: the two members appear together or not at all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HolderBinding {
    /// How a holder key may be named; not empty.
    #[serde(rename = "cryptographic_binding_methods_supported")]
    pub methods: Vec<BindingMethod>,
    /// The accepted proofs, by proof type; not empty.
    #[serde(rename = "proof_types_supported")]
    pub proof_types: BTreeMap<String, ProofType>,
}

/// What is asked of proofs of one type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ProofType {
    /// Accepted algorithms; not empty.
    #[serde(rename = "proof_signing_alg_values_supported")]
    pub algorithms: Vec<Algorithm>,
    /// Present, even if empty, when a key attestation is demanded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_attestations_required: Option<KeyAttestationsRequired>,
}

/// Attack resistance asked of attested keys (OpenID4VCI Appendix D.2).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct KeyAttestationsRequired {
    /// Accepted levels of the key storage.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub key_storage: Vec<String>,
    /// Accepted levels of the user authentication.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub user_authentication: Vec<String>,
}

/// What wallets show of a credential.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CredentialMetadata {
    /// The card, one entry per locale.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub display: Vec<CredentialDisplay>,
    /// The claims, in the order of display.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub claims: Vec<ClaimDescription>,
}

/// The card in one language.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CredentialDisplay {
    /// Name of the credential.
    pub name: String,
    /// BCP 47 tag, at most once per list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locale: Option<String>,
    /// Logo of the credential.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logo: Option<Logo>,
    /// What it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// CSS colour.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub background_color: Option<String>,
    /// Picture behind the text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub background_image: Option<Image>,
    /// CSS colour.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text_color: Option<String>,
}

/// One claim (OpenID4VCI Appendix B.2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ClaimDescription {
    /// Which claim.
    pub path: ClaimPath,
    /// Whether every credential has it. Absent on the wire means no.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub mandatory: bool,
    /// Its name, one entry per locale.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub display: Vec<ClaimDisplay>,
}

/// A claim in one language.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ClaimDisplay {
    /// Name of the claim.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// BCP 47 tag, at most once per list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locale: Option<String>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn metadata() -> IssuerMetadata {
        let issuer = IssuerIdentifier::parse("https://issuer.example/t/acme").unwrap();
        let proof_type =
            |attestation| ProofType { algorithms: vec![Algorithm::Es256], key_attestations_required: attestation };
        let attestation =
            KeyAttestationsRequired { key_storage: vec!["iso_18045_high".to_owned()], user_authentication: Vec::new() };
        let badge = CredentialConfiguration {
            credential_type: CredentialType::SdJwtVc { vct: "https://types.example/staff/1".to_owned() },
            scope: Some("acme.staff_badge".to_owned()),
            credential_signing_alg_values_supported: vec![SigningAlgorithm::Jose(Algorithm::Es256)],
            holder_binding: Some(HolderBinding {
                methods: vec![BindingMethod::Jwk],
                proof_types: BTreeMap::from([
                    ("jwt".to_owned(), proof_type(None)),
                    ("attestation".to_owned(), proof_type(Some(attestation))),
                ]),
            }),
            credential_metadata: Some(CredentialMetadata {
                display: vec![CredentialDisplay {
                    name: "Staff badge".to_owned(),
                    locale: Some("en".to_owned()),
                    background_color: Some("#003366".to_owned()),
                    ..CredentialDisplay::default()
                }],
                claims: vec![ClaimDescription {
                    path: ClaimPath::top_level("given_name"),
                    mandatory: true,
                    display: vec![ClaimDisplay { name: Some("Given name".to_owned()), locale: Some("en".to_owned()) }],
                }],
            }),
        };
        IssuerMetadata {
            authorization_servers: Vec::new(),
            credential_endpoint: issuer.endpoint("credential"),
            nonce_endpoint: Some(issuer.endpoint("nonce")),
            deferred_credential_endpoint: None,
            notification_endpoint: None,
            credential_request_encryption: None,
            credential_response_encryption: None,
            batch_credential_issuance: Some(BatchCredentialIssuance { batch_size: 20 }),
            display: Vec::new(),
            credential_configurations_supported: BTreeMap::from([("StaffBadge_sdjwt".to_owned(), badge)]),
            credential_issuer: issuer,
        }
    }

    #[test]
    fn the_document_is_written_as_met_7_to_met_13_say() {
        let expected = json!({
            "credential_issuer": "https://issuer.example/t/acme",
            "credential_endpoint": "https://issuer.example/t/acme/credential",
            "nonce_endpoint": "https://issuer.example/t/acme/nonce",
            "batch_credential_issuance": { "batch_size": 20 },
            "credential_configurations_supported": {
                "StaffBadge_sdjwt": {
                    "format": "dc+sd-jwt",
                    "vct": "https://types.example/staff/1",
                    "scope": "acme.staff_badge",
                    "credential_signing_alg_values_supported": ["ES256"],
                    "cryptographic_binding_methods_supported": ["jwk"],
                    "proof_types_supported": {
                        "jwt": { "proof_signing_alg_values_supported": ["ES256"] },
                        "attestation": {
                            "proof_signing_alg_values_supported": ["ES256"],
                            "key_attestations_required": { "key_storage": ["iso_18045_high"] }
                        }
                    },
                    "credential_metadata": {
                        "display": [{ "name": "Staff badge", "locale": "en", "background_color": "#003366" }],
                        "claims": [{
                            "path": ["given_name"],
                            "mandatory": true,
                            "display": [{ "name": "Given name", "locale": "en" }]
                        }]
                    }
                }
            }
        });
        assert_eq!(serde_json::to_value(metadata()).unwrap(), expected);
    }

    #[test]
    fn a_configuration_without_key_binding_has_neither_member_by_met_10() {
        let configuration = CredentialConfiguration {
            credential_type: CredentialType::Mdoc { doctype: "org.iso.18013.5.1.mDL".to_owned() },
            scope: None,
            credential_signing_alg_values_supported: vec![SigningAlgorithm::Cose(-9)],
            holder_binding: None,
            credential_metadata: None,
        };
        let expected = json!({
            "format": "mso_mdoc",
            "doctype": "org.iso.18013.5.1.mDL",
            "credential_signing_alg_values_supported": [-9]
        });
        assert_eq!(serde_json::to_value(configuration).unwrap(), expected);
    }

    #[test]
    fn a_demand_for_any_key_attestation_is_an_empty_object_by_kat_4() {
        let proof_type = ProofType {
            algorithms: vec![Algorithm::EdDsa],
            key_attestations_required: Some(KeyAttestationsRequired::default()),
        };
        assert_eq!(
            serde_json::to_string(&proof_type).unwrap(),
            r#"{"proof_signing_alg_values_supported":["EdDSA"],"key_attestations_required":{}}"#
        );
    }
}
