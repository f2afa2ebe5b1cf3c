//! Whether the metadata follow the specifications, and what profiles add.

use serde_json::Value;

use super::discovery::Documents;
use super::finding::Kind;
use super::patient::Patient;
use crate::metadata::{ATTESTED, AUTHORIZATION_CODE, AuthorizationServer, IssuerMetadata};

/// Whether the metadata are those of the HAIP profile: every configuration has a scope (HAIP §4.1), and clients have to
/// authenticate, by attestation among others (HAIP §4.4.1).
pub(super) fn are_of_haip(documents: &Documents) -> bool {
    let configurations = documents.issuer.get("credential_configurations_supported").and_then(Value::as_object);
    let mut configurations = configurations.into_iter().flatten().map(|(_, one)| one).peekable();
    let Some((_, server)) = &documents.server else { return false };
    let methods = server.get("token_endpoint_auth_methods_supported").and_then(Value::as_array);
    let authenticates_by = |name| methods.is_some_and(|methods| methods.iter().any(|method| method == name));
    configurations.peek().is_some()
        && configurations.all(|one| one.get("scope").is_some_and(Value::is_string))
        && authenticates_by(ATTESTED)
        && !authenticates_by("none")
}

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
