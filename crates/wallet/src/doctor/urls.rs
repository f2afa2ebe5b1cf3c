//! Whether every endpoint is where the public URL says.

use serde_json::Value;
use url::Url;

use super::discovery::Documents;
use super::finding::Kind;
use super::patient::Patient;
use crate::error::Step;
use crate::json::Object;
use crate::transport::secure_url;

pub(super) fn examine(patient: &mut Patient<'_>, documents: &Documents) {
    patient.look_at("the endpoints are under the public URL");
    let identifier = patient.identifier.to_owned();
    of_document(patient, &documents.issuer, &identifier);
    if let Some((server, object)) = &documents.server {
        of_document(patient, object, server);
    }
}

fn of_document(patient: &mut Patient<'_>, document: &Object, identifier: &str) {
    let home = Url::parse(identifier).map(|url| url.origin()).ok();
    let endpoints = document.iter().filter(|(name, _)| name.ends_with("_endpoint") || name.ends_with("_uri"));
    for (name, value) in endpoints {
        let Some(text) = value.as_str() else { continue };
        match secure_url(Step::IssuerMetadata, name, text) {
            Err(_) => {
                patient.find(Kind::HTTP_ENDPOINT, format!("{name} is {text}, which is not an absolute https URL"))
            }
            Ok(url) if url.scheme() == "http" && identifier.starts_with("https:") => {
                patient.find(Kind::HTTP_ENDPOINT, format!("{name} is {text}, and the issuer is {identifier}"));
            }
            Ok(url) if Some(url.origin()) != home => {
                patient.find(Kind::FOREIGN_ENDPOINT, format!("{name} is {text}, and the issuer is {identifier}"));
            }
            Ok(_) => {}
        }
    }
    if document.get("credential_endpoint").is_some_and(|value| !matches!(value, Value::String(_))) {
        patient.find(Kind::ISSUER_METADATA_INVALID, "credential_endpoint is not a string");
    }
}
