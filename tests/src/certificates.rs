//! Certificate authorities: of wallets, for key proofs with `x5c`, and of organisations, for what they sign.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chancery_model::Timestamp;
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertificateSigningRequestParams, DistinguishedName, DnType, IsCa,
    Issuer, KeyPair, PKCS_ECDSA_P256_SHA256,
};
use time::{Duration, OffsetDateTime};

use crate::key::Key;

/// Who signs certificates. Everything in DER; validity from a day before to a year after `now`.
#[derive(Debug)]
pub struct Authority {
    certificate: Vec<u8>,
    issuer: Issuer<'static, KeyPair>,
    now: Timestamp,
}

impl Authority {
    /// A root with a fresh key.
    pub fn new(now: Timestamp) -> Self {
        let (key, params) = (new_key(), authority("Root", now));
        let certificate = der(&params.self_signed(&key).expect("a root certificate"));
        Self { certificate, issuer: Issuer::new(params, key), now }
    }

    /// Its own certificate.
    pub fn certificate(&self) -> &[u8] {
        &self.certificate
    }

    /// A fresh P-256 key and its certificate.
    pub fn issue(&self, common_name: &str) -> (Key, Vec<u8>) {
        self.certify(validity(common_name, self.now))
    }

    /// The same, with a certificate that ends at an instant of a test's choice.
    pub fn issue_until(&self, common_name: &str, end: Timestamp) -> (Key, Vec<u8>) {
        let mut params = validity(common_name, self.now);
        params.not_after = instant(end);
        self.certify(params)
    }

    /// The certificate that a signing request in PEM asks for.
    pub fn certify_request(&self, pem: &str) -> Vec<u8> {
        self.certify_request_until(pem, self.now.plus_seconds(365 * 86_400))
    }

    /// The same, with a certificate that ends at an instant of a test's choice.
    pub fn certify_request_until(&self, pem: &str, end: Timestamp) -> Vec<u8> {
        let mut request = CertificateSigningRequestParams::from_pem(pem).expect("a certificate signing request");
        request.params.not_before = instant(self.now) - Duration::days(1);
        request.params.not_after = instant(end);
        der(&request.signed_by(&self.issuer).expect("a certificate"))
    }

    /// An authority below this one, and its certificate.
    pub fn delegate(&self, common_name: &str) -> (Self, Vec<u8>) {
        let (key, params) = (new_key(), authority(common_name, self.now));
        let certificate = der(&params.signed_by(&key, &self.issuer).expect("an intermediate certificate"));
        let below = Self { certificate: certificate.clone(), issuer: Issuer::new(params, key), now: self.now };
        (below, certificate)
    }

    fn certify(&self, params: CertificateParams) -> (Key, Vec<u8>) {
        let key = new_key();
        let certificate = der(&params.signed_by(&key, &self.issuer).expect("a certificate"));
        (Key::p256_from_pkcs8(&key.serialize_der()), certificate)
    }
}

/// Certificates in PEM.
pub fn pem(certificates: &[&[u8]]) -> String {
    let one = |der: &&[u8]| {
        let text = STANDARD.encode(der);
        let lines: Vec<&str> = (0..text.len()).step_by(64).map(|at| &text[at..text.len().min(at + 64)]).collect();
        format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
    };
    certificates.iter().map(one).collect()
}

fn new_key() -> KeyPair {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).expect("a key")
}

fn authority(common_name: &str, now: Timestamp) -> CertificateParams {
    let mut params = validity(common_name, now);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
}

fn validity(common_name: &str, now: Timestamp) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.not_before = instant(now) - Duration::days(1);
    params.not_after = instant(now) + Duration::days(365);
    params
}

fn instant(at: Timestamp) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(at.seconds()).expect("an instant")
}

fn der(certificate: &Certificate) -> Vec<u8> {
    certificate.der().to_vec()
}
