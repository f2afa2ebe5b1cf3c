//! Whether wallets that run in a browser can use the issuer.

use super::discovery::Documents;
use super::finding::Kind;
use super::patient::{ORIGIN, Patient};
use crate::error::Step;
use crate::transport::Reply;

pub(super) async fn examine(patient: &mut Patient<'_>, documents: &Documents) {
    patient.look_at("scripts may read the metadata (CORS)");
    allowed(patient, &documents.issuer_reply);
    let endpoints = [
        (documents.of_server("token_endpoint"), "token endpoint", "content-type,dpop"),
        (
            documents.of_server("pushed_authorization_request_endpoint"),
            "pushed authorization request endpoint",
            "content-type,dpop",
        ),
        (documents.of_issuer("nonce_endpoint"), "nonce endpoint", "content-type"),
        (documents.of_issuer("credential_endpoint"), "credential endpoint", "authorization,content-type,dpop"),
        (
            documents.of_issuer("deferred_credential_endpoint"),
            "deferred credential endpoint",
            "authorization,content-type,dpop",
        ),
        (documents.of_issuer("notification_endpoint"), "notification endpoint", "authorization,content-type,dpop"),
    ];
    for (url, name, headers) in endpoints {
        let Some(url) = url else { continue };
        patient.look_at(format!("scripts may use the {name} (CORS)"));
        if let Some(reply) = patient.preflight(url, "POST", headers).await {
            preflight(patient, &reply, headers);
        }
    }
    if let Some(url) = documents.of_issuer("credential_endpoint") {
        patient.look_at("scripts may read DPoP nonces (CORS)");
        if let Some(reply) = patient.post(Step::Credential, url, Some("application/json"), "{}").await {
            exposed(patient, &reply);
        }
    }
}

fn preflight(patient: &mut Patient<'_>, reply: &Reply, headers: &str) {
    if !(200..300).contains(&reply.status) {
        patient.find(Kind::CORS_MISSING, format!("OPTIONS answers {}", reply.status));
        return;
    }
    if !allowed(patient, reply) {
        return;
    }
    let methods = reply.header("access-control-allow-methods").unwrap_or("").to_ascii_uppercase();
    // POST needs no permission (Fetch §4.8), and `*` is one.
    if !methods.is_empty() && !lists(&methods, "POST") {
        patient.find(Kind::CORS_MISSING, format!("Access-Control-Allow-Methods is {methods:?}, without POST"));
    }
    let granted = reply.header("access-control-allow-headers").unwrap_or("").to_ascii_lowercase();
    // `*` does not cover Authorization (Fetch §4.8).
    let wanted = headers.split(',');
    let missing: Vec<&str> =
        wanted.filter(|name| !(lists(&granted, name) && (*name != "authorization" || named(&granted, name)))).collect();
    if !missing.is_empty() {
        patient.find(
            Kind::CORS_MISSING,
            format!("Access-Control-Allow-Headers is {granted:?}, without {}", missing.join(", ")),
        );
    }
}

fn allowed(patient: &mut Patient<'_>, reply: &Reply) -> bool {
    let origin = reply.header("access-control-allow-origin");
    let allowed = matches!(origin, Some("*")) || origin == Some(ORIGIN);
    if !allowed {
        let got = origin.unwrap_or("nothing").to_owned();
        patient.find(Kind::CORS_MISSING, format!("Access-Control-Allow-Origin at {} is {got}", reply.url));
    }
    allowed
}

fn exposed(patient: &mut Patient<'_>, reply: &Reply) {
    let exposed = reply.header("access-control-expose-headers").unwrap_or("").to_ascii_lowercase();
    let hidden: Vec<&str> =
        ["dpop-nonce", "www-authenticate"].into_iter().filter(|name| !lists(&exposed, name)).collect();
    if !hidden.is_empty() {
        let what = format!("Access-Control-Expose-Headers is {exposed:?}, without {}", hidden.join(", "));
        patient.find(Kind::CORS_HIDDEN, what);
    }
}

fn lists(list: &str, name: &str) -> bool {
    named(list, name) || named(list, "*")
}

fn named(list: &str, name: &str) -> bool {
    list.split(',').any(|one| one.trim() == name)
}
