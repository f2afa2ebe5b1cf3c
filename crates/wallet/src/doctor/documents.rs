//! Whether the metadata follow the specifications, and what profiles add.

use super::discovery::Documents;
use super::finding::Kind;
use super::patient::Patient;
use crate::metadata::{AUTHORIZATION_CODE, AuthorizationServer, IssuerMetadata};

pub(super) fn examine(patient: &mut Patient<'_>, documents: &Documents) {
    patient.look_at("what the issuer metadata say");
    // The identifier was compared before: here the rest counts.
    let identifier = documents.of_issuer("credential_issuer").unwrap_or(patient.identifier);
    match IssuerMetadata::from_object(&documents.issuer, identifier) {
        Err(error) => patient.find_error(Kind::ISSUER_METADATA_INVALID, &error),
        Ok(metadata) => {
            if metadata.configurations.is_empty() {
                patient.find(Kind::NO_CONFIGURATIONS, "credential_configurations_supported is empty");
            }
            let bound = metadata.configurations.values().any(|one| !one.proof_types.is_empty());
            if bound && metadata.nonce_endpoint.is_none() {
                patient.find(Kind::NONCE_MISSING, "credentials are bound to keys, and there is no nonce_endpoint");
            }
        }
    }
    let Some((_, object)) = &documents.server else { return };
    patient.look_at("what the authorization server metadata say");
    let identifier = documents.of_server("issuer").unwrap_or("");
    match AuthorizationServer::from_object(object, identifier) {
        Err(error) => patient.find_error(Kind::SERVER_METADATA_INVALID, &error),
        Ok(server) if server.supports(AUTHORIZATION_CODE) => {
            if server.code_challenge_methods.is_empty() {
                patient.find(Kind::PKCE_MISSING, "code_challenge_methods_supported is missing");
            }
            if !server.response_names_issuer {
                let what = "authorization_response_iss_parameter_supported is not true";
                patient.find(Kind::ISS_MISSING, what);
            }
        }
        Ok(_) => {}
    }
}
