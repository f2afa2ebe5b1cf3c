//! Attesters that tests make up: an authority, a certified signer, and tokens framed by hand.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chancery_keys::{Algorithm, CertificateChain, Signer, SoftwareKey};
use rcgen::{BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use serde_json::{Map, Value, json};

/// 2026-06-01T00:00:00Z, within the validity of every certificate here.
pub(crate) const NOW: i64 = 1_780_272_000;

/// An authority and a signer whose certificate it issued.
pub(crate) struct Provider {
    pub(crate) anchor: Vec<u8>,
    pub(crate) leaf: Vec<u8>,
    pub(crate) signer: Signer,
}

impl Provider {
    /// `name` is the common name of the authority.
    pub(crate) fn new(name: &str) -> Self {
        let authority_key = KeyPair::generate().unwrap();
        let mut authority = params(name);
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let anchor = authority.self_signed(&authority_key).unwrap().der().to_vec();
        let key = KeyPair::generate().unwrap();
        let issuer = Issuer::new(authority, authority_key);
        let leaf = params("Signer").signed_by(&key, &issuer).unwrap().der().to_vec();
        Self { anchor, leaf, signer: signer(&key) }
    }

    /// A signer that certified itself.
    pub(crate) fn self_signed(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let leaf = params(name).self_signed(&key).unwrap().der().to_vec();
        Self { anchor: leaf.clone(), leaf, signer: signer(&key) }
    }

    /// The `x5c` header parameter for these certificates.
    pub(crate) fn x5c(certificates: &[&[u8]]) -> Value {
        json!(certificates.iter().map(|der| STANDARD.encode(der)).collect::<Vec<_>>())
    }
}

/// A new key of its own.
pub(crate) fn software_signer() -> Signer {
    SoftwareKey::generate(Algorithm::Es256).unwrap().into_signer("k".to_owned(), CertificateChain::default())
}

/// Signs a token by hand, because a hostile wallet is not held back by a library's checks either. `alg` is set unless
/// the header has it.
pub(crate) fn signed(header: &Value, claims: &Value, signer: &Signer) -> String {
    let mut members = Map::from_iter([("alg".to_owned(), json!(signer.algorithm().name()))]);
    members.extend(header.as_object().unwrap().clone());
    let message = [Value::Object(members).to_string(), claims.to_string()].map(|part| URL_SAFE_NO_PAD.encode(part));
    let message = message.join(".");
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let signature = runtime.block_on(signer.sign(message.as_bytes())).unwrap();
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// `value` with `name` set to `member`, or without `name` when `member` is null.
pub(crate) fn changed(value: &Value, name: &str, member: Value) -> Value {
    let mut object = value.as_object().unwrap().clone();
    if member.is_null() {
        object.remove(name);
    } else {
        object.insert(name.to_owned(), member);
    }
    Value::Object(object)
}

fn params(common_name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.not_before = date_time_ymd(2026, 1, 1);
    params.not_after = date_time_ymd(2027, 1, 1);
    params
}

fn signer(key: &KeyPair) -> Signer {
    let key = SoftwareKey::from_pkcs8(Algorithm::Es256, &key.serialize_der()).unwrap();
    key.into_signer("k".to_owned(), CertificateChain::default())
}
