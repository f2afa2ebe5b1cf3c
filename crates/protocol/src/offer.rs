//! Credential offers (OpenID4VCI §4).

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use url::form_urlencoded;

use crate::IssuerIdentifier;

/// Longest description of a transaction code, in characters (OpenID4VCI §4.1.1).
pub const DESCRIPTION_LIMIT: usize = 300;

/// A credential offer. The pre-authorized code in it is a secret and does not show in `Debug`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CredentialOffer {
    /// The issuer, exactly as in its metadata.
    pub credential_issuer: IssuerIdentifier,
    /// Keys of `credential_configurations_supported`: at least one, none twice.
    pub credential_configuration_ids: Vec<String>,
    /// How the wallet gets authorised; absent when it should look at `grant_types_supported`.
    #[serde(default, skip_serializing_if = "Grants::is_empty")]
    pub grants: Grants,
}

/// Why an offer cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum OfferError {
    /// No configuration is offered.
    #[error("an offer names at least one credential configuration")]
    NoConfiguration,
    /// A configuration is named twice.
    #[error("credential configuration `{id}` is offered twice")]
    RepeatedConfiguration {
        /// The configuration.
        id: String,
    },
    /// The description of the transaction code is too long.
    #[error("the description of the transaction code has {got} characters, at most {DESCRIPTION_LIMIT} are allowed")]
    DescriptionTooLong {
        /// Characters given.
        got: usize,
    },
}

impl CredentialOffer {
    /// Puts an offer together, under the rules of OpenID4VCI §4.1.1.
    pub fn new(issuer: IssuerIdentifier, configuration_ids: Vec<String>, grants: Grants) -> Result<Self, OfferError> {
        if configuration_ids.is_empty() {
            return Err(OfferError::NoConfiguration);
        }
        for (index, id) in configuration_ids.iter().enumerate() {
            if configuration_ids.iter().take(index).any(|other| other == id) {
                return Err(OfferError::RepeatedConfiguration { id: id.clone() });
            }
        }
        Ok(Self { credential_issuer: issuer, credential_configuration_ids: configuration_ids, grants })
    }
}

/// The grants of an offer, by grant type.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grants {
    /// The authorization code flow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorization_code: Option<AuthorizationCodeGrant>,
    /// The pre-authorized code flow.
    #[serde(
        rename = "urn:ietf:params:oauth:grant-type:pre-authorized_code",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub pre_authorized_code: Option<PreAuthorizedCodeGrant>,
}

impl Grants {
    /// Whether no grant is named.
    pub fn is_empty(&self) -> bool {
        self.authorization_code.is_none() && self.pre_authorized_code.is_none()
    }
}

/// Parameters of the authorization code flow.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthorizationCodeGrant {
    /// Opaque value that the wallet echoes in its authorization request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer_state: Option<String>,
    /// Which authorization server, when the metadata name several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorization_server: Option<String>,
}

impl fmt::Debug for AuthorizationCodeGrant {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("AuthorizationCodeGrant")
            .field("issuer_state_present", &self.issuer_state.is_some())
            .field("authorization_server", &self.authorization_server)
            .finish()
    }
}

/// Parameters of the pre-authorized code flow.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreAuthorizedCodeGrant {
    /// The code. Secret.
    #[serde(rename = "pre-authorized_code")]
    pub pre_authorized_code: String,
    /// Present, even if empty, when the wallet must ask the user for a transaction code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tx_code: Option<TxCode>,
    /// Which authorization server, when the metadata name several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorization_server: Option<String>,
}

impl fmt::Debug for PreAuthorizedCodeGrant {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("PreAuthorizedCodeGrant")
            .field("tx_code", &self.tx_code)
            .field("authorization_server", &self.authorization_server)
            .finish_non_exhaustive()
    }
}

/// What the wallet tells the user about the transaction code; never the code itself (OpenID4VCI §4.1.1).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TxCode {
    /// Which characters it has. Absent on the wire means numeric.
    #[serde(default)]
    pub input_mode: InputMode,
    /// How many characters it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub length: Option<u32>,
    /// Where the user finds it: at most 300 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

impl TxCode {
    /// The announcement of `code`: its length and whether it is all digits.
    pub fn describing(code: &str, description: Option<String>) -> Result<Self, OfferError> {
        let got = description.as_deref().map_or(0, |text| text.chars().count());
        if got > DESCRIPTION_LIMIT {
            return Err(OfferError::DescriptionTooLong { got });
        }
        let digits = code.bytes().all(|byte| byte.is_ascii_digit());
        Ok(Self {
            input_mode: if digits { InputMode::Numeric } else { InputMode::Text },
            length: u32::try_from(code.chars().count()).ok(),
            description,
        })
    }
}

/// Which characters a transaction code has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InputMode {
    /// Digits only.
    #[default]
    Numeric,
    /// Any characters.
    Text,
}

/// How the link of an offer begins, which decides who opens it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum UriScheme {
    /// The default of OpenID4VCI §12.1.1.
    #[default]
    #[serde(rename = "openid-credential-offer://")]
    OpenidCredentialOffer,
    /// What wallets of HAIP drafts registered.
    #[serde(rename = "haip://")]
    Haip,
    /// What HAIP 1.0 §4.2 names.
    #[serde(rename = "haip-vci://")]
    HaipVci,
}

impl UriScheme {
    /// Every scheme.
    pub const ALL: [Self; 3] = [Self::OpenidCredentialOffer, Self::Haip, Self::HaipVci];

    /// The beginning of the link, with `://`.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::OpenidCredentialOffer => "openid-credential-offer://",
            Self::Haip => "haip://",
            Self::HaipVci => "haip-vci://",
        }
    }

    /// The scheme of that name, with or without `://`.
    pub fn parse(text: &str) -> Option<Self> {
        let name = text.strip_suffix("://").unwrap_or(text);
        Self::ALL.into_iter().find(|scheme| scheme.prefix().strip_suffix("://") == Some(name))
    }
}

/// The link of an offer by reference; `offer_uri` is the `https` URL of the offer (OpenID4VCI §4.1.3).
pub fn link(scheme: UriScheme, offer_uri: &str) -> String {
    with_parameter(scheme, "credential_offer_uri", offer_uri)
}

/// The link of an offer by value (OpenID4VCI §4.1.2). Everyone who sees it can read the code.
pub fn link_by_value(scheme: UriScheme, offer: &CredentialOffer) -> Result<String, serde_json::Error> {
    Ok(with_parameter(scheme, "credential_offer", &serde_json::to_string(offer)?))
}

fn with_parameter(scheme: UriScheme, name: &str, value: &str) -> String {
    // form_urlencoded writes a space as `+`, which readers of plain URI queries take literally.
    let query = form_urlencoded::Serializer::new(String::new()).append_pair(name, value).finish().replace('+', "%20");
    format!("{}?{query}", scheme.prefix())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::form::Form;

    fn offer() -> CredentialOffer {
        let grants = Grants {
            authorization_code: Some(AuthorizationCodeGrant {
                issuer_state: Some("st-7f1c".to_owned()),
                authorization_server: None,
            }),
            pre_authorized_code: Some(PreAuthorizedCodeGrant {
                pre_authorized_code: "pac-9Qd3".to_owned(),
                tx_code: Some(TxCode::describing("493027", Some("Code sent by SMS".to_owned())).unwrap()),
                authorization_server: None,
            }),
        };
        let issuer = IssuerIdentifier::parse("https://issuer.example/t/acme").unwrap();
        CredentialOffer::new(issuer, vec!["StaffBadge_sdjwt".to_owned()], grants).unwrap()
    }

    const WIRE: &str = concat!(
        r#"{"credential_issuer":"https://issuer.example/t/acme","credential_configuration_ids":["StaffBadge_sdjwt"],"#,
        r#""grants":{"authorization_code":{"issuer_state":"st-7f1c"},"#,
        r#""urn:ietf:params:oauth:grant-type:pre-authorized_code":{"pre-authorized_code":"pac-9Qd3","#,
        r#""tx_code":{"input_mode":"numeric","length":6,"description":"Code sent by SMS"}}}}"#,
    );

    #[test]
    fn an_offer_is_written_and_read_as_section_4_1_1_shows_it() {
        assert_eq!(serde_json::to_string(&offer()).unwrap(), WIRE);
        assert_eq!(serde_json::from_str::<CredentialOffer>(WIRE).unwrap(), offer());
    }

    #[test]
    fn an_offer_without_grants_omits_the_member_by_ofr_4() {
        let offer = CredentialOffer { grants: Grants::default(), ..offer() };
        assert!(!serde_json::to_string(&offer).unwrap().contains("grants"));
    }

    #[test]
    fn the_link_has_exactly_one_parameter_by_ofr_1_and_ofr_2() {
        let by_reference = link(UriScheme::default(), "https://issuer.example/t/acme/offers/8b1e");
        assert_eq!(
            by_reference,
            "openid-credential-offer://?credential_offer_uri=https%3A%2F%2Fissuer.example%2Ft%2Facme%2Foffers%2F8b1e"
        );
        let by_value = link_by_value(UriScheme::HaipVci, &offer()).unwrap();
        let query = Form::parse(by_value.strip_prefix("haip-vci://?").unwrap().as_bytes()).unwrap();
        assert_eq!((query.names().count(), query.get("credential_offer")), (1, Some(WIRE)));
        assert!(!by_value.contains('+'));
    }

    #[test]
    fn empty_and_repeated_configurations_are_refused_by_ofr_3() {
        let issuer = offer().credential_issuer;
        let make = |ids: &[&str]| {
            let ids = ids.iter().map(ToString::to_string).collect();
            CredentialOffer::new(issuer.clone(), ids, Grants::default())
        };
        assert_eq!(make(&[]), Err(OfferError::NoConfiguration));
        assert_eq!(make(&["a", "b", "a"]), Err(OfferError::RepeatedConfiguration { id: "a".to_owned() }));
    }

    #[test]
    fn a_description_has_at_most_300_characters_by_ofr_7() {
        assert!(TxCode::describing("1234", Some("é".repeat(300))).is_ok());
        let error = TxCode::describing("1234", Some("é".repeat(301)));
        assert_eq!(error, Err(OfferError::DescriptionTooLong { got: 301 }));
    }

    #[test]
    fn the_announcement_of_a_transaction_code_never_contains_it_by_ofr_11() {
        let text = TxCode::describing("Abc-42", None).unwrap();
        assert_eq!(serde_json::to_string(&text).unwrap(), r#"{"input_mode":"text","length":6}"#);
        assert_eq!(serde_json::from_str::<TxCode>("{}").unwrap(), TxCode::default());
    }

    #[test]
    fn a_scheme_is_read_with_and_without_its_slashes() {
        assert_eq!(UriScheme::parse("haip://"), Some(UriScheme::Haip));
        assert_eq!(UriScheme::parse("openid-credential-offer"), Some(UriScheme::OpenidCredentialOffer));
        assert_eq!(UriScheme::parse("https://"), None);
    }

    #[test]
    fn debug_output_does_not_show_the_code() {
        assert!(!format!("{:?}", offer()).contains("pac-9Qd3"));
    }
}
