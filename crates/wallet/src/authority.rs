//! A small authority with one signing key: what a wallet provider and a maker of secure key storage have.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DistinguishedName, DnType, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};

use crate::WalletError;
use crate::json::Object;
use crate::keys::{Algorithm, HolderKey, object};

/// How long new certificates are valid.
const VALIDITY: Duration = Duration::days(365);

/// A root certificate and its key, which certifies the keys of others and is thrown away. Nobody should trust it: it is for
/// demos and tests.
pub struct Root {
    issuer: Issuer<'static, KeyPair>,
    certificate: Vec<u8>,
    start: OffsetDateTime,
}

impl fmt::Debug for Root {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Root").finish_non_exhaustive()
    }
}

impl Root {
    /// Makes one, valid from a day before `now` (unix seconds) for a year.
    ///
    /// # Errors
    /// [`WalletError::Key`] when a key or certificate cannot be made.
    pub fn generate(common_name: &str, now: i64) -> Result<Self, WalletError> {
        let start = OffsetDateTime::from_unix_timestamp(now).map_err(|_| WalletError::Key("read the clock"))?;
        let mut params = params(common_name, start);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(failed)?;
        let certificate = params.self_signed(&key).map_err(failed)?.der().to_vec();
        Ok(Self { issuer: Issuer::new(params, key), certificate, start })
    }

    /// Its certificate in PEM.
    #[must_use]
    pub fn certificate_pem(&self) -> String {
        pem("CERTIFICATE", &self.certificate)
    }

    /// The certificate (PEM) that a signing request (PEM) asks for, for signatures, as long as the root is valid.
    ///
    /// # Errors
    /// [`WalletError::Input`] for something that is no request.
    pub fn certify(&self, request: &str) -> Result<String, WalletError> {
        let wrong = |_| WalletError::Input("the signing request cannot be read".into());
        let mut request = CertificateSigningRequestParams::from_pem(request).map_err(wrong)?;
        (request.params.not_before, request.params.not_after) = validity(self.start);
        request.params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        Ok(pem("CERTIFICATE", request.signed_by(&self.issuer).map_err(failed)?.der()))
    }
}

fn params(common_name: &str, start: OffsetDateTime) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    (params.not_before, params.not_after) = validity(start);
    params
}

fn validity(start: OffsetDateTime) -> (OffsetDateTime, OffsetDateTime) {
    (start - Duration::days(1), start + VALIDITY)
}

fn failed(_: rcgen::Error) -> WalletError {
    WalletError::Key("make a certificate")
}

/// A P-256 key with a certificate, and the certificate of the root that issued it. HAIP §4.4.1, §4.5.1: statements carry
/// the first and not the second, which issuers have to know.
pub struct Authority {
    key: HolderKey,
    pkcs8: Vec<u8>,
    anchor: Vec<u8>,
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority").field("key", &self.key).finish_non_exhaustive()
    }
}

impl Authority {
    /// Makes a root and a signing key below it, valid from a day before `now` (unix seconds) for a year.
    ///
    /// # Errors
    /// [`WalletError::Key`] when a key or certificate cannot be made.
    pub fn generate(name: &str, now: i64) -> Result<Self, WalletError> {
        let root = Root::generate(&format!("{name} root"), now)?;
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(failed)?;
        let mut leaf = params(name, root.start);
        leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        let leaf = leaf.signed_by(&key, &root.issuer).map_err(failed)?.der().to_vec();
        Self::new(key.serialize_der(), vec![leaf], root.certificate)
    }

    /// Reads what [`Authority::to_pem`] wrote.
    ///
    /// # Errors
    /// [`WalletError::Input`] when it is something else.
    pub fn from_pem(pem: &str) -> Result<Self, WalletError> {
        let wrong = |what: &str| WalletError::Input(format!("the PEM file {what}"));
        let key = PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes()).map_err(|_| wrong("has no PKCS#8 private key"))?;
        let mut certificates = certificates_from_pem(pem)?;
        match (certificates.pop(), certificates.is_empty()) {
            (Some(anchor), false) => Self::new(key.secret_pkcs8_der().to_vec(), certificates, anchor),
            _ => Err(wrong("must have the certificate of the key and the one of its root")),
        }
    }

    /// Private key, certificate and root certificate: a file to keep secret.
    #[must_use]
    pub fn to_pem(&self) -> String {
        let mut text = pem("PRIVATE KEY", &self.pkcs8);
        self.key.certificates().iter().for_each(|der| text.push_str(&pem("CERTIFICATE", der)));
        text + &self.anchor_pem()
    }

    /// The root certificate, which an issuer has to trust.
    #[must_use]
    pub fn anchor_pem(&self) -> String {
        pem("CERTIFICATE", &self.anchor)
    }

    /// The root certificate in DER.
    #[must_use]
    pub fn anchor(&self) -> &[u8] {
        &self.anchor
    }

    /// Signs a JWT of this `typ`, with the certificates (without the root) in `x5c`.
    pub(crate) fn sign(&self, typ: &str, claims: &Object) -> Result<String, WalletError> {
        let chain: Vec<String> = self.key.certificates().iter().map(|der| STANDARD.encode(der)).collect();
        let header = object([("typ", json!(typ)), ("alg", json!("ES256")), ("x5c", json!(chain))]);
        self.key.sign_jwt(&header, claims)
    }

    fn new(pkcs8: Vec<u8>, chain: Vec<Vec<u8>>, anchor: Vec<u8>) -> Result<Self, WalletError> {
        let key = HolderKey::from_pkcs8(Algorithm::Es256, &pkcs8)?.with_certificates(chain);
        Ok(Self { key, pkcs8, anchor })
    }
}

/// A maker of secure key storage, which says how well keys are kept (OpenID4VCI App. D).
#[derive(Debug)]
pub struct KeyAttester {
    authority: Authority,
    /// `key_storage`; empty leaves the claim out.
    pub key_storage: Vec<String>,
    /// `user_authentication`; empty leaves the claim out.
    pub user_authentication: Vec<String>,
}

impl KeyAttester {
    /// Seconds that an attestation is good for.
    const LIFETIME: i64 = 600;

    /// An attester that says `iso_18045_high` of every key.
    #[must_use]
    pub fn new(authority: Authority) -> Self {
        let high = vec!["iso_18045_high".to_owned()];
        Self { authority, key_storage: high.clone(), user_authentication: high }
    }

    /// Its authority.
    #[must_use]
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// A key attestation for `keys` (App. D.1).
    ///
    /// # Errors
    /// [`WalletError::Key`].
    pub fn attest<'k>(
        &self,
        keys: impl IntoIterator<Item = &'k HolderKey>,
        nonce: Option<&str>,
        now: i64,
    ) -> Result<String, WalletError> {
        let keys: Vec<&Object> = keys.into_iter().map(HolderKey::public_jwk).collect();
        let mut claims =
            object([("iat", json!(now)), ("exp", json!(now + Self::LIFETIME)), ("attested_keys", json!(keys))]);
        for (name, levels) in [("key_storage", &self.key_storage), ("user_authentication", &self.user_authentication)] {
            if !levels.is_empty() {
                claims.insert(name.into(), json!(levels));
            }
        }
        if let Some(nonce) = nonce {
            claims.insert("nonce".into(), Value::from(nonce));
        }
        self.authority.sign("key-attestation+jwt", &claims)
    }
}

/// The certificates of a PEM file, in DER.
///
/// # Errors
/// [`WalletError::Input`] when one is broken or there is none.
pub fn certificates_from_pem(pem: &str) -> Result<Vec<Vec<u8>>, WalletError> {
    let certificates: Result<Vec<Vec<u8>>, _> =
        CertificateDer::pem_slice_iter(pem.as_bytes()).map(|found| found.map(|der| der.to_vec())).collect();
    let usable = certificates.ok().filter(|certificates| !certificates.is_empty());
    usable.ok_or_else(|| WalletError::Input("the PEM file has no usable certificate".into()))
}

fn pem(label: &str, der: &[u8]) -> String {
    let encoded = STANDARD.encode(der);
    let mut text = format!("-----BEGIN {label}-----\n");
    let mut rest = encoded.as_str();
    while !rest.is_empty() {
        let (line, tail) = rest.split_at(rest.len().min(64));
        text.push_str(line);
        text.push('\n');
        rest = tail;
    }
    text.push_str(&format!("-----END {label}-----\n"));
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Step;
    use crate::fixtures::NOW;
    use crate::jose::Jws;
    use crate::x509;

    #[test]
    fn an_authority_survives_the_way_through_a_file() {
        let made = Authority::generate("Provider", NOW).unwrap();
        let read = Authority::from_pem(&made.to_pem()).unwrap();
        assert_eq!(read.to_pem(), made.to_pem());
        assert!(Authority::from_pem(&made.anchor_pem()).is_err());
    }

    #[test]
    fn statements_carry_the_certificate_and_not_the_root() {
        let attester = KeyAttester::new(Authority::generate("Storage", NOW).unwrap());
        let key = HolderKey::generate(Algorithm::Es256).unwrap();
        let jws = Jws::decode(&attester.attest([&key], Some("n"), NOW).unwrap()).unwrap();
        let leaf = x509::read(&jws.header()["x5c"], NOW, &[attester.authority().anchor().to_vec()]).unwrap();
        assert!(leaf.anchored && !leaf.self_signed && leaf.certificates == 1);
        jws.verify(&leaf.key).unwrap();
        assert_eq!(jws.payload()["attested_keys"][0], Value::Object(key.public_jwk().clone()));
        assert_eq!(jws.payload()["nonce"], "n");
    }

    /// HAIP §6.1.1.
    #[test]
    fn a_root_certifies_what_a_request_asks_for_as_haip_wants_it() {
        let root = Root::generate("Demo root", NOW).unwrap();
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let names = CertificateParams::new(vec!["issuer.example".to_owned()]).unwrap();
        let leaf = root.certify(&names.serialize_request(&key).unwrap().pem().unwrap()).unwrap();
        let leaf = certificates_from_pem(&leaf).unwrap().remove(0);
        let anchor = certificates_from_pem(&root.certificate_pem()).unwrap().remove(0);
        let read = |chain: &[&Vec<u8>]| {
            let x5c: Vec<String> = chain.iter().map(|der| STANDARD.encode(der)).collect();
            x509::read(&json!(x5c), NOW, std::slice::from_ref(&anchor)).unwrap()
        };
        let certified = read(&[&leaf]);
        assert!(certified.anchored && certified.names == ["issuer.example"]);
        let check = |leaf: Option<&x509::Leaf>| {
            x509::check_haip(leaf, Step::Verification, "HAIP §6.1.1").map_err(|violation| violation.got)
        };
        assert_eq!(check(Some(&certified)), Ok(()));
        for (leaf, got) in
            [(None, "no x5c"), (Some(read(&[&leaf, &anchor])), "the trust anchor among the certificates")]
        {
            assert_eq!(check(leaf.as_ref()), Err(got.to_owned()));
        }
        assert!(root.certify("-----BEGIN CERTIFICATE REQUEST-----").is_err());
    }
}
