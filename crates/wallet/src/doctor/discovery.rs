//! The metadata documents at every address where wallets look for them.

use serde_json::Value;

use super::finding::Kind;
use super::patient::{ORIGIN, Patient};
use crate::error::Step;
use crate::json::{self, Object};
use crate::transport::{Reply, Request, well_known};

/// The two documents as they came.
pub(super) struct Documents {
    pub(super) issuer: Object,
    pub(super) issuer_reply: Reply,
    /// The server's identifier and its document.
    pub(super) server: Option<(String, Object)>,
}

impl Documents {
    /// A text of the issuer's document.
    pub(super) fn of_issuer(&self, member: &str) -> Option<&str> {
        self.issuer.get(member).and_then(Value::as_str)
    }

    /// A text of the server's document.
    pub(super) fn of_server(&self, member: &str) -> Option<&str> {
        self.server.as_ref().and_then(|(_, server)| server.get(member)).and_then(Value::as_str)
    }
}

pub(super) async fn examine(patient: &mut Patient<'_>) -> Option<Documents> {
    let identifier = patient.identifier.to_owned();
    let url = well_known(&identifier, "openid-credential-issuer");
    patient.look_at(format!("issuer metadata at {url}"));
    let reply = fetch(patient, Step::IssuerMetadata, &url, Kind::ISSUER_METADATA_MISSING).await?;
    let issuer = document(patient, &reply)?;
    same_identifier(patient, issuer.get("credential_issuer"), &identifier, Kind::ISSUER_DIFFERS);
    appended(patient, &identifier, "openid-credential-issuer", &issuer, Kind::APPENDED_MISSING).await;
    let server = server(patient, &issuer).await;
    Some(Documents { issuer, issuer_reply: reply, server })
}

async fn server(patient: &mut Patient<'_>, issuer: &Object) -> Option<(String, Object)> {
    let listed = issuer.get("authorization_servers").and_then(Value::as_array).and_then(|servers| servers.first());
    let identifier = listed.and_then(Value::as_str).unwrap_or(patient.identifier).to_owned();
    let url = well_known(&identifier, "oauth-authorization-server");
    patient.look_at(format!("authorization server metadata at {url}"));
    let reply = fetch(patient, Step::AuthorizationServerMetadata, &url, Kind::SERVER_METADATA_MISSING).await?;
    let server = document(patient, &reply)?;
    same_identifier(patient, server.get("issuer"), &identifier, Kind::SERVER_ISSUER_DIFFERS);
    appended(patient, &identifier, "oauth-authorization-server", &server, Kind::APPENDED_MISSING).await;
    appended(patient, &identifier, "openid-configuration", &server, Kind::OPENID_CONFIGURATION_MISSING).await;
    Some((identifier, server))
}

/// The answer at `url`, when it is a 200; anything else is a finding.
async fn fetch(patient: &mut Patient<'_>, step: Step, url: &str, missing: Kind) -> Option<Reply> {
    let mut request = Request::get(step, url);
    request.headers.push(("origin", ORIGIN.to_owned()));
    let reply = patient.send(request).await?;
    match reply.status {
        200 => Some(reply),
        300..400 => {
            let target = reply.header("location").unwrap_or("nowhere").to_owned();
            patient.find(Kind::REDIRECTED, format!("{url} answers {} to {target}", reply.status));
            None
        }
        status => {
            patient.find(missing, format!("{url} answers {status}"));
            None
        }
    }
}

fn document(patient: &mut Patient<'_>, reply: &Reply) -> Option<Object> {
    if !reply.is("application/json") {
        let got = reply.header("content-type").unwrap_or("nothing").to_owned();
        patient.find(Kind::CONTENT_TYPE, format!("{} has the content type {got}", reply.url));
    }
    match json::parse_object(reply.body()) {
        Ok(object) => Some(object),
        Err(error) => {
            patient.find(Kind::NOT_JSON, format!("{}: {error}", reply.url));
            None
        }
    }
}

/// Byte for byte, without normalisation.
fn same_identifier(patient: &mut Patient<'_>, found: Option<&Value>, identifier: &str, kind: Kind) {
    let text = found.and_then(Value::as_str);
    if text == Some(identifier) {
        return;
    }
    let got = text.map_or(json::kind_or_absent(found).to_owned(), |text| format!("{text:?}"));
    let slash = text.is_some_and(|text| text.trim_end_matches('/') == identifier.trim_end_matches('/'));
    let kind = if slash { Kind::ISSUER_SLASH } else { kind };
    patient.find(kind, format!("the document is for {got}, and was asked for as {identifier:?}"));
}

/// `<identifier>/.well-known/<name>`, where older wallets look. For an identifier without a path both are one.
async fn appended(patient: &mut Patient<'_>, identifier: &str, name: &str, document: &Object, missing: Kind) {
    let url = format!("{}/.well-known/{name}", identifier.trim_end_matches('/'));
    let inserted =
        [well_known(identifier, "openid-credential-issuer"), well_known(identifier, "oauth-authorization-server")];
    if inserted.contains(&url) {
        return;
    }
    patient.look_at(format!("the older address {url}"));
    let Some(reply) = fetch(patient, Step::IssuerMetadata, &url, missing).await else { return };
    if let Ok(other) = json::parse_object(reply.body())
        && other != *document
    {
        patient.find(Kind::FORMS_DIFFER, format!("{url} has another document"));
    }
}
