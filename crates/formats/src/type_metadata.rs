//! The type metadata document of a credential type, served at its `vct` URL (SD-JWT VC draft §5, numbers of
//! -19).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use sha2::{Digest, Sha256};

use crate::ClaimPath;

/// A type metadata document (§5.2). Empty lists and absent texts are left out of its JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Document {
    /// The type, equal to the `vct` of the credentials.
    pub vct: String,
    /// A name for developers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// A description for developers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// How to show the type to people, one entry a language (§5.5).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub display: Vec<Display>,
    /// What is known about its claims (§5.6).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub claims: Vec<Claim>,
}

/// How to show a type in one language (§5.5).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Display {
    /// The language.
    #[serde(flatten)]
    pub locale: Locale,
    /// The name people see.
    pub name: String,
    /// A sentence for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Colours and images.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rendering: Option<Rendering>,
}

/// How to draw a type (§5.5.1).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Rendering {
    /// The method for wallets that draw a card of their own.
    pub simple: SimpleRendering,
}

/// Logo and colours of a card (§5.5.1.1). Colours are CSS colour values such as `#12107c`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SimpleRendering {
    /// The logo.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logo: Option<Image>,
    /// The picture behind the text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub background_image: Option<Image>,
    /// The colour behind the text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub background_color: Option<String>,
    /// The colour of the text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text_color: Option<String>,
}

/// A picture.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Image {
    /// An `https` or `data` URI.
    pub uri: String,
    /// The integrity of what the URI serves, see [`integrity`].
    #[serde(rename = "uri#integrity", skip_serializing_if = "Option::is_none")]
    pub integrity: Option<String>,
    /// The text for people who do not see the picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alt_text: Option<String>,
}

/// What is known about a claim (§5.6).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Claim {
    /// Which claim.
    pub path: ClaimPath,
    /// How to show it to people, one entry a language.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub display: Vec<ClaimDisplay>,
    /// Whether every credential of the type has it. Issued credentials must keep this promise.
    pub mandatory: bool,
    /// Whether it is disclosable. Issued credentials must keep this promise.
    pub sd: SelectiveDisclosure,
    /// The name of the claim in SVG templates.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub svg_id: Option<String>,
}

/// How to show a claim in one language (§5.6.2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ClaimDisplay {
    /// The language.
    #[serde(flatten)]
    pub locale: Locale,
    /// The label people see.
    pub label: String,
    /// A sentence for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// Whether a claim of the type is disclosable (§5.6.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SelectiveDisclosure {
    /// It always is.
    Always,
    /// The issuer decides from credential to credential.
    #[default]
    Allowed,
    /// It never is.
    Never,
}

/// A language tag (RFC 5646).
///
/// Written twice, as `locale` and as `lang`: the second is the name in the drafts before -12, which
/// OpenID4VCI 1.0 refers to; a reader ignores the one it does not know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Locale(pub String);

impl Serialize for Locale {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut members = serializer.serialize_map(Some(2))?;
        members.serialize_entry("locale", &self.0)?;
        members.serialize_entry("lang", &self.0)?;
        members.end()
    }
}

/// The integrity string (W3C Subresource Integrity) of these exact octets, for `vct#integrity` and
/// `uri#integrity` (§6).
pub fn integrity(octets: &[u8]) -> String {
    format!("sha256-{}", STANDARD.encode(Sha256::digest(octets)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_document_has_the_members_of_the_draft_and_both_names_of_the_language() {
        let document = Document {
            vct: "https://types.example/staff/1".to_owned(),
            name: Some("Staff badge".to_owned()),
            description: None,
            display: vec![Display {
                locale: Locale("en".to_owned()),
                name: "Badge".to_owned(),
                description: None,
                rendering: Some(Rendering {
                    simple: SimpleRendering {
                        logo: Some(Image {
                            uri: "data:image/svg+xml,%3Csvg/%3E".to_owned(),
                            integrity: Some(integrity(b"<svg/>")),
                            alt_text: None,
                        }),
                        background_color: Some("#12107c".to_owned()),
                        ..SimpleRendering::default()
                    },
                }),
            }],
            claims: vec![Claim {
                path: ClaimPath::top_level("degree"),
                display: vec![ClaimDisplay {
                    locale: Locale("fr".to_owned()),
                    label: "Diplôme".to_owned(),
                    description: None,
                }],
                mandatory: true,
                sd: SelectiveDisclosure::Always,
                svg_id: None,
            }],
        };
        assert_eq!(
            json!(document),
            json!({
                "vct": "https://types.example/staff/1",
                "name": "Staff badge",
                "display": [{
                    "locale": "en",
                    "lang": "en",
                    "name": "Badge",
                    "rendering": { "simple": {
                        "logo": {
                            "uri": "data:image/svg+xml,%3Csvg/%3E",
                            "uri#integrity": "sha256-1NxWZpFDA08xqjCWNdQRPZrXagKxc52iLJZe0gSb6eY="
                        },
                        "background_color": "#12107c"
                    } }
                }],
                "claims": [{
                    "path": ["degree"],
                    "display": [{ "locale": "fr", "lang": "fr", "label": "Diplôme" }],
                    "mandatory": true,
                    "sd": "always"
                }]
            })
        );
    }
}
