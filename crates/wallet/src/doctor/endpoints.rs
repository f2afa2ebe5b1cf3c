//! Each endpoint, as far as one gets without a person.

use serde_json::Value;

use super::discovery::Documents;
use super::finding::Kind;
use super::patient::Patient;
use crate::error::Step;
use crate::json;
use crate::offer::PRE_AUTHORIZED_CODE;
use crate::transport::{FORM, JSON, Reply};

pub(super) async fn examine(patient: &mut Patient<'_>, documents: &Documents) {
    nonce(patient, documents).await;
    for (member, step, form) in [
        ("token_endpoint", Step::Token, "grant_type=none"),
        ("pushed_authorization_request_endpoint", Step::PushedAuthorization, "response_type=none"),
    ] {
        if let Some(url) = documents.of_server(member) {
            patient.look_at(format!("a bad request to the {}", spoken(member)));
            let reply = patient.post(step, url, Some(FORM), form).await;
            refused(patient, reply, &[400, 401], true);
        }
    }
    if let Some(url) = documents.of_server("token_endpoint") {
        patient.look_at("an unknown pre-authorized code");
        let form =
            format!("grant_type={PRE_AUTHORIZED_CODE}&pre-authorized_code=chancery-doctor&client_id=chancery-doctor");
        let reply = patient.post(Step::Token, url, Some(FORM), &form).await;
        refused(patient, reply, &[400, 401], true);
    }
    if let Some(url) = documents.of_server("challenge_endpoint") {
        patient.look_at("the challenge endpoint");
        if let Some(reply) = patient.post(Step::Challenge, url, None, "").await {
            value(patient, &reply, "attestation_challenge");
        }
    }
    for member in ["credential_endpoint", "deferred_credential_endpoint", "notification_endpoint"] {
        if let Some(url) = documents.of_issuer(member) {
            patient.look_at(format!("the {} without an access token", spoken(member)));
            let reply = patient.post(Step::Credential, url, Some(JSON), "{}").await;
            unauthorized(patient, reply);
        }
    }
    if let Some(url) = documents.of_server("authorization_endpoint") {
        patient.look_at("the authorization endpoint without a client");
        let joint = if url.contains('?') { '&' } else { '?' };
        let bad = format!("{url}{joint}response_type=code&redirect_uri=https%3A%2F%2Fdoctor.example%2F");
        if let Some(reply) = patient.get(Step::Authorization, &bad).await {
            let target = reply.header("location").unwrap_or("");
            if target.starts_with("https://doctor.example") {
                let what = "it sends the browser to an address that no client has registered";
                patient.find(Kind::REDIRECTS_WITHOUT_CLIENT, what);
            } else if matches!(reply.status, 404 | 405 | 502..=504) {
                patient.find(Kind::ENDPOINT_MISSING, format!("{url} answers {}", reply.status));
            }
            if reply.header("access-control-allow-origin").is_some() {
                patient.find(Kind::CORS_FORBIDDEN, "it lets scripts of other sites read its answers");
            }
        }
    }
}

async fn nonce(patient: &mut Patient<'_>, documents: &Documents) {
    let Some(url) = documents.of_issuer("nonce_endpoint") else { return };
    patient.look_at("the nonce endpoint");
    let Some(first) = patient.post(Step::Nonce, url, None, "").await else { return };
    let Some(first) = value(patient, &first, "c_nonce") else { return };
    let Some(second) = patient.post(Step::Nonce, url, None, "").await else { return };
    let second = json::parse_object(second.body()).unwrap_or_default();
    if second.get("c_nonce").and_then(Value::as_str) == Some(&first) {
        patient.find(Kind::NONCE_REPEATED, "it gave the same c_nonce twice in a row");
    }
}

/// A 200 with a text in `member` that nobody may keep.
fn value(patient: &mut Patient<'_>, reply: &Reply, member: &str) -> Option<String> {
    if matches!(reply.status, 404 | 405 | 502..=504) {
        patient.find(Kind::ENDPOINT_MISSING, format!("{} answers {}", reply.url, reply.status));
        return None;
    }
    if let Err(error) = reply.object(&[200, 201], "OpenID4VCI §7.2") {
        patient.find_error(Kind::NONCE_WRONG, &error);
    }
    uncacheable(patient, reply);
    let object = json::parse_object(reply.body()).unwrap_or_default();
    let text = object.get(member).and_then(Value::as_str).filter(|text| !text.is_empty());
    if text.is_none() && matches!(reply.status, 200 | 201) {
        patient.find(Kind::NONCE_WRONG, format!("{member} is {}", json::kind_or_absent(object.get(member))));
    }
    text.map(str::to_owned)
}

/// An error answer as OAuth has it.
fn refused(patient: &mut Patient<'_>, reply: Option<Reply>, statuses: &[u16], coded: bool) {
    let Some(reply) = reply else { return };
    if matches!(reply.status, 404 | 405 | 502..=504) {
        patient.find(Kind::ENDPOINT_MISSING, format!("{} answers {}", reply.url, reply.status));
        return;
    }
    if !statuses.contains(&reply.status) {
        let expected = statuses.iter().map(u16::to_string).collect::<Vec<_>>().join(" or ");
        patient.find(Kind::ERROR_SHAPE, format!("HTTP {} instead of {expected}", reply.status));
    }
    let body = json::parse_object(reply.body()).unwrap_or_default();
    if coded && (!reply.is(JSON) || !body.get("error").is_some_and(Value::is_string)) {
        let got = reply.header("content-type").unwrap_or("no content type").to_owned();
        patient.find(Kind::ERROR_SHAPE, format!("no JSON object with `error`, but {got}"));
    }
    uncacheable(patient, &reply);
}

fn unauthorized(patient: &mut Patient<'_>, reply: Option<Reply>) {
    let Some(reply) = reply else { return };
    match reply.status {
        401 => {}
        404 | 405 | 502..=504 => {
            patient.find(Kind::ENDPOINT_MISSING, format!("{} answers {}", reply.url, reply.status));
            return;
        }
        200..300 => {
            patient.find(Kind::ENDPOINT_OPEN, format!("{} answers {}", reply.url, reply.status));
            return;
        }
        status => {
            patient.find(Kind::ERROR_SHAPE, format!("HTTP {status} instead of 401"));
            return;
        }
    }
    let challenge = reply.header("www-authenticate").unwrap_or("").to_ascii_lowercase();
    if !challenge.contains("dpop") && !challenge.contains("bearer") {
        patient.find(Kind::NO_CHALLENGE, "no WWW-Authenticate header with DPoP or Bearer");
    }
}

fn uncacheable(patient: &mut Patient<'_>, reply: &Reply) {
    if let Err(error) = reply.demand_no_store("OpenID4VCI §7.2, RFC 6749 §5.1") {
        patient.find_error(Kind::CACHEABLE, &error);
    }
}

fn spoken(member: &str) -> String {
    member.replace('_', " ")
}
