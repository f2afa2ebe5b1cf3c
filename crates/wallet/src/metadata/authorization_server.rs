//! Authorization server metadata (RFC 8414, OpenID4VCI §12.3), checked strictly.

use super::reader::Reader;
use crate::error::{Step, WalletError};
use crate::json::Object;
use crate::offer::PRE_AUTHORIZED_CODE;

/// The other grant type of OpenID4VCI.
pub(crate) const AUTHORIZATION_CODE: &str = "authorization_code";
/// The value of `token_endpoint_auth_methods_supported` for wallet attestations (ABCA draft-07 §10.1).
pub(crate) const ATTESTED: &str = "attest_jwt_client_auth";

/// What an authorization server publishes about itself.
#[derive(Debug, Clone, PartialEq)]
pub struct AuthorizationServer {
    /// The issuer identifier of the server.
    pub issuer: String,
    /// Where tokens are requested.
    pub token_endpoint: String,
    /// Where the person's browser goes; present when the authorization code grant is supported.
    pub authorization_endpoint: Option<String>,
    /// Where authorization requests are pushed (RFC 9126).
    pub pushed_authorization_request_endpoint: Option<String>,
    /// Whether authorization requests must be pushed.
    pub pushing_required: bool,
    /// Where challenges for wallet attestations come from (ABCA draft-07 §8).
    pub challenge_endpoint: Option<String>,
    /// The supported grant types.
    pub grant_types: Vec<String>,
    /// Names of the PKCE methods; empty when not published.
    pub code_challenge_methods: Vec<String>,
    /// `authorization_details_types_supported`; empty when not published.
    pub authorization_details_types: Vec<String>,
    /// How clients authenticate; empty when not published.
    pub authentication_methods: Vec<String>,
    /// JOSE names for wallet attestations and for their proofs of possession; empty when not published.
    pub attestation_algorithms: (Vec<String>, Vec<String>),
    /// JOSE names for DPoP proofs; empty when the server does not publish DPoP.
    pub dpop_algorithms: Vec<String>,
    /// Whether authorization responses name the server in `iss` (RFC 9207 §3).
    pub response_names_issuer: bool,
    /// Whether a pre-authorized code may be redeemed without `client_id` (OpenID4VCI §12.3).
    pub anonymous_access: bool,
}

impl AuthorizationServer {
    /// Checks the metadata of the server `identifier`.
    pub(crate) fn from_object(object: &Object, identifier: &str) -> Result<Self, WalletError> {
        let step = Step::AuthorizationServerMetadata;
        let reader = Reader { step, clause: "RFC 8414 §2, §3.3", object, at: String::new() };
        let issuer = reader.required_text("issuer")?;
        if issuer != identifier {
            return reader.wrong("issuer", "differs from the identifier", identifier, &issuer);
        }
        let grant_types = reader.texts("grant_types_supported")?;
        if !grant_types.iter().any(|grant| grant == PRE_AUTHORIZED_CODE || grant == AUTHORIZATION_CODE) {
            let got = if grant_types.is_empty() { "nothing".to_owned() } else { grant_types.join(", ") };
            let expected = format!("{PRE_AUTHORIZED_CODE} or {AUTHORIZATION_CODE}");
            return reader.wrong("grant_types_supported", "lacks the grants of OpenID4VCI", &expected, &got);
        }
        // OpenID4VCI §12.3 lets it be absent when the pre-authorized code is all there is to begin with; refreshing needs no
        // authorization endpoint either.
        let begins_otherwise = |grant: &String| grant != PRE_AUTHORIZED_CODE && grant != "refresh_token";
        if !object.contains_key("response_types_supported") && grant_types.iter().any(begins_otherwise) {
            let expected = "an array, unless only the pre-authorized code grant is supported";
            return reader.wrong("response_types_supported", "is missing", expected, "nothing");
        }
        let authorization_endpoint = reader.endpoint("authorization_endpoint")?;
        if authorization_endpoint.is_none() && grant_types.iter().any(|grant| grant == AUTHORIZATION_CODE) {
            let expected = "an https URL, because the authorization code grant is listed";
            return reader.wrong("authorization_endpoint", "is missing", expected, "nothing");
        }
        let code_challenge_methods = reader.texts("code_challenge_methods_supported")?;
        if !code_challenge_methods.is_empty() && !code_challenge_methods.iter().any(|method| method == "S256") {
            let reader = reader.citing("RFC 7636 §4.2, RFC 9700 §2.1.1");
            let got = code_challenge_methods.join(", ");
            return reader.wrong("code_challenge_methods_supported", "lacks the only safe method", "S256", &got);
        }
        let pushing = reader.citing("RFC 9126 §5");
        let pushed = pushing.endpoint("pushed_authorization_request_endpoint")?;
        let pushing_required = pushing.flag("require_pushed_authorization_requests")?;
        if pushing_required && pushed.is_none() {
            let expected = "an https URL, because requests must be pushed";
            return pushing.wrong("pushed_authorization_request_endpoint", "is missing", expected, "nothing");
        }
        Ok(Self {
            issuer,
            token_endpoint: reader.required_endpoint("token_endpoint")?,
            authorization_endpoint,
            pushed_authorization_request_endpoint: pushed,
            pushing_required,
            challenge_endpoint: reader.citing("ABCA draft-07 §8").endpoint("challenge_endpoint")?,
            grant_types,
            code_challenge_methods,
            authorization_details_types: reader.texts("authorization_details_types_supported")?,
            authentication_methods: reader.texts("token_endpoint_auth_methods_supported")?,
            attestation_algorithms: (
                reader.texts("client_attestation_signing_alg_values_supported")?,
                reader.texts("client_attestation_pop_signing_alg_values_supported")?,
            ),
            dpop_algorithms: reader.texts("dpop_signing_alg_values_supported")?,
            response_names_issuer: reader
                .citing("RFC 9207 §3")
                .flag("authorization_response_iss_parameter_supported")?,
            anonymous_access: reader
                .citing("OpenID4VCI §12.3")
                .flag("pre-authorized_grant_anonymous_access_supported")?,
        })
    }

    pub(crate) fn supports(&self, grant: &str) -> bool {
        self.grant_types.iter().any(|listed| listed == grant)
    }
}
