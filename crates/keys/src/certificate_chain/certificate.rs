use std::fmt;

use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::oid_registry::{OID_EC_P256, OID_KEY_TYPE_EC_PUBLIC_KEY, OID_NIST_EC_P384, OID_SIG_ED25519};
use x509_parser::prelude::FromDer as _;
use x509_parser::time::ASN1Time;
use x509_parser::x509::SubjectPublicKeyInfo;

use crate::{Algorithm, PublicJwk};

/// One certificate and what is asked of it more than once.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Certificate {
    pub(super) der: Vec<u8>,
    /// Names in DER, for comparison.
    subject: Vec<u8>,
    issuer: Vec<u8>,
    /// Names for people.
    pub(super) subject_text: String,
    pub(super) issuer_text: String,
    /// Unix time.
    pub(super) not_before: i64,
    pub(super) not_after: i64,
    pub(super) is_authority: bool,
}

impl Certificate {
    /// Reads exactly one certificate.
    pub(super) fn parse(der: Vec<u8>) -> Option<Self> {
        let (rest, parsed) = X509Certificate::from_der(&der).ok()?;
        if !rest.is_empty() {
            return None;
        }
        let text = |name: String| name.chars().take(128).collect::<String>();
        let certificate = Self {
            subject: parsed.subject().as_raw().to_vec(),
            issuer: parsed.issuer().as_raw().to_vec(),
            subject_text: text(parsed.subject().to_string()),
            issuer_text: text(parsed.issuer().to_string()),
            not_before: parsed.validity().not_before.timestamp(),
            not_after: parsed.validity().not_after.timestamp(),
            is_authority: parsed.is_ca(),
            der: Vec::new(),
        };
        Some(Self { der, ..certificate })
    }

    /// Whether subject and issuer are the same name.
    pub(super) fn is_self_issued(&self) -> bool {
        self.subject == self.issuer
    }

    /// Whether the issuer of this certificate has the name of `other`.
    pub(super) fn names_as_issuer(&self, other: &Self) -> bool {
        self.issuer == other.subject
    }

    /// Whether the key of `other` made the signature of this certificate.
    pub(super) fn is_signed_by(&self, other: &Self) -> bool {
        let (Some(this), Some(other)) = (self.parsed(), other.parsed()) else {
            return false;
        };
        this.verify_signature(Some(other.public_key())).is_ok()
    }

    /// The key that this certificate is about, if it is one we can use.
    pub(super) fn public_jwk(&self) -> Option<PublicJwk> {
        let parsed = self.parsed()?;
        let info = parsed.public_key();
        PublicJwk::from_point(algorithm(info)?, info.subject_public_key.as_ref()).ok()
    }

    /// DNS names and URIs of the subject.
    pub(super) fn alternative_names(&self) -> (Vec<String>, Vec<String>) {
        let (mut dns_names, mut uris) = (Vec::new(), Vec::new());
        let Some(parsed) = self.parsed() else {
            return (dns_names, uris);
        };
        if let Ok(Some(extension)) = parsed.subject_alternative_name() {
            for name in &extension.value.general_names {
                if let GeneralName::DNSName(name) = name {
                    dns_names.push((*name).to_owned());
                }
                if let GeneralName::URI(uri) = name {
                    uris.push((*uri).to_owned());
                }
            }
        }
        (dns_names, uris)
    }

    fn parsed(&self) -> Option<X509Certificate<'_>> {
        X509Certificate::from_der(&self.der).ok().map(|(_, parsed)| parsed)
    }
}

/// The algorithm of keys like this one (RFC 5480 §2.1, RFC 8410 §3).
fn algorithm(info: &SubjectPublicKeyInfo<'_>) -> Option<Algorithm> {
    let key_type = &info.algorithm.algorithm;
    if *key_type == OID_SIG_ED25519 {
        return Some(Algorithm::EdDsa);
    }
    if *key_type != OID_KEY_TYPE_EC_PUBLIC_KEY {
        return None;
    }
    let curve = info.algorithm.parameters.as_ref()?.as_oid().ok()?;
    if curve == OID_EC_P256 {
        Some(Algorithm::Es256)
    } else if curve == OID_NIST_EC_P384 {
        Some(Algorithm::Es384)
    } else {
        None
    }
}

/// Unix time, for people.
pub(super) struct Instant(pub(super) i64);

impl fmt::Display for Instant {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match ASN1Time::from_timestamp(self.0) {
            Ok(time) => time.fmt(formatter),
            Err(_) => write!(formatter, "{} (Unix time)", self.0),
        }
    }
}
