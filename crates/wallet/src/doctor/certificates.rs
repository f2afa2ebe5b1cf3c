//! Signed metadata, published keys, and the certificates in both.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use url::Url;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::finding::Kind;
use super::patient::Patient;
use crate::error::Step;
use crate::issuer;
use crate::jose::Jws;
use crate::json::Object;
use crate::signed_metadata;
use crate::transport::{JWT, Request, well_known};
use crate::x509;

/// Days before the end of a certificate that are worth a warning.
const ENDING_DAYS: i64 = 30;

pub(super) async fn examine(patient: &mut Patient<'_>) {
    published(patient).await;
    signed(patient).await;
}

async fn published(patient: &mut Patient<'_>) {
    let url = well_known(patient.identifier, "jwt-vc-issuer");
    patient.look_at(format!("verification keys at {url}"));
    match issuer::key_set(&patient.wallet.http, patient.identifier, &url, patient.options).await {
        Err(error) => patient.find_error(Kind::VERIFICATION_KEYS, &error),
        Ok(keys) => {
            if keys.is_empty() {
                patient.find(Kind::VERIFICATION_KEYS, "the key set is empty");
            }
            for key in &keys {
                if key.contains_key("d") {
                    patient.find(Kind::VERIFICATION_KEYS, "a key has its private part");
                }
                chain(patient, key);
            }
        }
    }
}

async fn signed(patient: &mut Patient<'_>) {
    let url = well_known(patient.identifier, "openid-credential-issuer");
    patient.look_at("signed metadata");
    let mut request = Request::get(Step::IssuerMetadata, url.as_str());
    request.headers = vec![("accept", format!("{JWT}, application/json;q=0.5"))];
    let Some(reply) = patient.send(request).await else { return };
    if !reply.is(JWT) {
        if let Some(check) = patient.report.checks.last_mut() {
            check.skipped = Some("not offered".to_owned());
        }
        return;
    }
    let now = patient.now();
    let fetched = signed_metadata::fetch(&patient.wallet.http, &url, patient.identifier, now, patient.options).await;
    if let Err(error) = fetched {
        patient.find_error(Kind::SIGNED_METADATA, &error);
    }
    if let Ok(jws) = Jws::decode(String::from_utf8_lossy(reply.body()).trim()) {
        carried(patient, jws.header(), "the JWT", "HAIP §4.1");
    }
}

/// Looks at the `x5c` of a JWS header, which wallets of the HAIP profile want in any case.
pub(super) fn carried(patient: &mut Patient<'_>, header: &Object, holder: &str, clause: &'static str) {
    if patient.haip && !header.contains_key("x5c") {
        let what = format!("{holder} does not carry the certificates of its signer (x5c)");
        patient.find_by(Kind::CERTIFICATE_MISSING, Some(clause), what);
    }
    chain(patient, header);
}

/// Looks at the `x5c` of a JWS header or JWK, when there is one.
fn chain(patient: &mut Patient<'_>, holder: &Object) {
    let Some(x5c) = holder.get("x5c") else { return };
    let now = patient.now();
    if let Err(error) = x509::read(x5c, now, &[]) {
        // Times, usage and order have kinds of their own below; what is left is a chain that is none.
        let kind = match () {
            () if error.contains("not valid at this time") => Kind::CERTIFICATE_EXPIRED,
            () if error.contains("may not sign") => Kind::CERTIFICATE_USAGE,
            () => Kind::CERTIFICATE_ORDER,
        };
        patient.find(kind, format!("x5c: {error}"));
    }
    let elements: Vec<Vec<u8>> = x5c
        .as_array()
        .map(|elements| {
            elements.iter().filter_map(Value::as_str).filter_map(|text| STANDARD.decode(text).ok()).collect()
        })
        .unwrap_or_default();
    let parsed: Vec<X509Certificate<'_>> =
        elements.iter().filter_map(|der| X509Certificate::from_der(der).ok()).map(|(_, parsed)| parsed).collect();
    let Some(leaf) = parsed.first() else { return };
    let self_signed =
        |certificate: &X509Certificate<'_>| certificate.issuer().as_raw() == certificate.subject().as_raw();
    if self_signed(leaf) {
        patient.find(Kind::CERTIFICATE_SELF_SIGNED, format!("{} signed its own certificate", leaf.subject()));
    } else if parsed.iter().any(self_signed) {
        patient.find(Kind::CERTIFICATE_ANCHOR, "x5c holds a self-signed certificate: the trust anchor");
    }
    usage(patient, leaf);
    names(patient, leaf);
    for certificate in &parsed {
        let left = (certificate.validity().not_after.timestamp() - now) / 86_400;
        if (0..ENDING_DAYS).contains(&left) {
            patient.find(Kind::CERTIFICATE_ENDING, format!("{} ends in {left} days", certificate.subject()));
        }
    }
}

fn usage(patient: &mut Patient<'_>, leaf: &X509Certificate<'_>) {
    if leaf.basic_constraints().is_ok_and(|found| found.is_some_and(|found| found.value.ca)) {
        patient.find(Kind::CERTIFICATE_USAGE, "the leaf is a certificate authority");
    }
    if let Ok(Some(extended)) = leaf.extended_key_usage() {
        let purposes = extended.value;
        let tls_only = (purposes.server_auth || purposes.client_auth) && purposes.other.is_empty() && !purposes.any;
        if tls_only {
            patient.find(Kind::CERTIFICATE_USAGE, "the leaf is for TLS only (extended key usage)");
        }
    }
}

fn names(patient: &mut Patient<'_>, leaf: &X509Certificate<'_>) {
    let names = x509::names(leaf);
    let host = Url::parse(patient.identifier).ok().and_then(|url| url.host_str().map(str::to_owned));
    let fits = |name: &String| {
        name == patient.identifier || Some(name) == host.as_ref() || wildcard(name, host.as_deref().unwrap_or(""))
    };
    if !names.iter().any(fits) {
        let what = format!("the leaf is for {names:?}, not for {}", patient.identifier);
        patient.find(Kind::CERTIFICATE_NAME, what);
    }
}

fn wildcard(name: &str, host: &str) -> bool {
    let (Some(parent), Some((_, rest))) = (name.strip_prefix("*."), host.split_once('.')) else { return false };
    parent == rest
}
