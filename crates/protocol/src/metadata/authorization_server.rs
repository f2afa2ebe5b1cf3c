use chancery_keys::{Algorithm, PublicJwk};
use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::IssuerIdentifier;

/// The registered suffix of the document's URL; see [`IssuerIdentifier::well_known`].
pub const WELL_KNOWN_AUTHORIZATION_SERVER: &str = "oauth-authorization-server";

/// The registered suffix of the document's URL; see [`IssuerIdentifier::well_known`].
pub const WELL_KNOWN_JWT_VC_ISSUER: &str = "jwt-vc-issuer";

/// Authorization Server Metadata (RFC 8414 §2, OpenID4VCI §12.3). Empty lists and absent options are left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AuthorizationServerMetadata {
    /// The identifier, byte for byte.
    pub issuer: IssuerIdentifier,
    /// URL of the authorization endpoint; absent when only pre-authorized codes are redeemed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorization_endpoint: Option<String>,
    /// URL of the pushed authorization request endpoint (RFC 9126).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pushed_authorization_request_endpoint: Option<String>,
    /// Whether authorization requests must be pushed (RFC 9126).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub require_pushed_authorization_requests: Option<bool>,
    /// URL of the token endpoint.
    pub token_endpoint: String,
    /// URL of the keys that sign self-contained tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwks_uri: Option<String>,
    /// The scopes that ask for credentials.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scopes_supported: Vec<String>,
    /// Response types; empty only when only pre-authorized codes are redeemed (OpenID4VCI §12.3).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub response_types_supported: Vec<String>,
    /// Grant types, truthfully: wallets rely on them when an offer names none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub grant_types_supported: Vec<String>,
    /// How clients authenticate at the token endpoint.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub token_endpoint_auth_methods_supported: Vec<String>,
    /// Algorithms of client assertions (RFC 8414 §2).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub token_endpoint_auth_signing_alg_values_supported: Vec<Algorithm>,
    /// Algorithms of client attestations (ABCA draft-07 §10.1).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub client_attestation_signing_alg_values_supported: Vec<Algorithm>,
    /// Algorithms of the proofs of possession beside them (ABCA draft-07 §10.1).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub client_attestation_pop_signing_alg_values_supported: Vec<Algorithm>,
    /// How the key of an attestation may be proven (ABCA draft-10 §8): by its own header, by the DPoP proof, or both.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub client_attestation_pop_methods_supported: Vec<String>,
    /// URL that hands out challenges for proofs of possession (ABCA draft-07 §8).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub challenge_endpoint: Option<String>,
    /// Algorithms of request objects (RFC 9101 §10.5).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub request_object_signing_alg_values_supported: Vec<Algorithm>,
    /// PKCE methods (RFC 7636).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub code_challenge_methods_supported: Vec<String>,
    /// Types of `authorization_details` (RFC 9396).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub authorization_details_types_supported: Vec<String>,
    /// Algorithms of DPoP proofs (RFC 9449 §5.1).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dpop_signing_alg_values_supported: Vec<Algorithm>,
    /// Whether authorization responses carry `iss` (RFC 9207).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorization_response_iss_parameter_supported: Option<bool>,
    /// URL of the document that names every status list (Token Status List §9.1).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_list_aggregation_endpoint: Option<String>,
    /// Whether pre-authorized codes are redeemed without `client_id` (OpenID4VCI §12.3).
    #[serde(rename = "pre-authorized_grant_anonymous_access_supported")]
    pub anonymous_access_supported: bool,
}

/// JWT VC Issuer Metadata (SD-JWT VC §4.2): the keys behind `kid`, given in place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct JwtVcIssuerMetadata {
    /// The identifier, equal to `iss` of the credentials.
    pub issuer: IssuerIdentifier,
    /// The keys.
    pub jwks: JwksDocument,
}

/// A JWK Set (RFC 7517 §5).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct JwksDocument {
    /// The keys; may be empty.
    pub keys: Vec<PublishedKey>,
}

/// A public signing key as it is published: `kid`, `use` and `alg` beside the key itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishedKey {
    /// What `kid` in a signature refers to.
    pub kid: String,
    /// The key.
    pub key: PublicJwk,
    /// Its certificates, as `x5c` members; may be empty.
    pub x5c: Vec<String>,
}

impl Serialize for PublishedKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut members = self.key.to_json();
        members.insert("kid".to_owned(), Value::from(self.kid.as_str()));
        members.insert("use".to_owned(), Value::from("sig"));
        members.insert("alg".to_owned(), Value::from(self.key.algorithm().name()));
        if !self.x5c.is_empty() {
            members.insert("x5c".to_owned(), Value::from(self.x5c.clone()));
        }
        members.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use chancery_keys::SoftwareKey;
    use serde_json::json;

    use super::*;
    use crate::token::PRE_AUTHORIZED_CODE_GRANT;

    #[test]
    fn a_server_for_pre_authorized_codes_only_publishes_what_asm_2_asks() {
        let issuer = IssuerIdentifier::parse("https://issuer.example/t/acme").unwrap();
        let metadata = AuthorizationServerMetadata {
            authorization_endpoint: None,
            pushed_authorization_request_endpoint: None,
            require_pushed_authorization_requests: None,
            token_endpoint: issuer.endpoint("token"),
            jwks_uri: None,
            scopes_supported: Vec::new(),
            response_types_supported: Vec::new(),
            grant_types_supported: vec![PRE_AUTHORIZED_CODE_GRANT.to_owned()],
            token_endpoint_auth_methods_supported: vec!["none".to_owned()],
            token_endpoint_auth_signing_alg_values_supported: Vec::new(),
            client_attestation_signing_alg_values_supported: Vec::new(),
            client_attestation_pop_signing_alg_values_supported: Vec::new(),
            client_attestation_pop_methods_supported: Vec::new(),
            challenge_endpoint: None,
            request_object_signing_alg_values_supported: Vec::new(),
            code_challenge_methods_supported: Vec::new(),
            authorization_details_types_supported: vec!["openid_credential".to_owned()],
            dpop_signing_alg_values_supported: vec![Algorithm::Es256, Algorithm::EdDsa],
            authorization_response_iss_parameter_supported: None,
            status_list_aggregation_endpoint: None,
            anonymous_access_supported: true,
            issuer,
        };
        let expected = json!({
            "issuer": "https://issuer.example/t/acme",
            "token_endpoint": "https://issuer.example/t/acme/token",
            "grant_types_supported": ["urn:ietf:params:oauth:grant-type:pre-authorized_code"],
            "token_endpoint_auth_methods_supported": ["none"],
            "authorization_details_types_supported": ["openid_credential"],
            "dpop_signing_alg_values_supported": ["ES256", "EdDSA"],
            "pre-authorized_grant_anonymous_access_supported": true
        });
        assert_eq!(serde_json::to_value(metadata).unwrap(), expected);
    }

    #[test]
    fn the_keys_of_jwt_vc_issuer_metadata_stand_in_place_by_svc_9() {
        let key = SoftwareKey::generate(Algorithm::Es256).unwrap().public_jwk().clone();
        let document = JwtVcIssuerMetadata {
            issuer: IssuerIdentifier::parse("https://issuer.example/t/acme").unwrap(),
            jwks: JwksDocument { keys: vec![PublishedKey { kid: "k1".to_owned(), key: key.clone(), x5c: Vec::new() }] },
        };
        let json = serde_json::to_value(document).unwrap();
        assert_eq!(json["issuer"], "https://issuer.example/t/acme");
        let published = json["jwks"]["keys"][0].as_object().unwrap();
        assert_eq!(PublicJwk::from_json(published).unwrap(), key);
        assert_eq!(
            (&published["kid"], &published["use"], &published["alg"]),
            (&json!("k1"), &json!("sig"), &json!("ES256"))
        );
    }
}
