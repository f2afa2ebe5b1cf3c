//! An issuer with one key, and contents to issue.

use std::sync::LazyLock;

use chancery_formats::ClaimPath;
use chancery_formats::sd_jwt::{Content, Issued, KeyReference, PrepareError, Prepared};
use chancery_keys::{Algorithm, CertificateChain, Signer, SoftwareKey};
use serde_json::{Map, Value};

pub(crate) static SIGNER: LazyLock<Signer> = LazyLock::new(|| {
    let key = SoftwareKey::generate(Algorithm::Es256).unwrap();
    key.into_signer("key-1".to_owned(), CertificateChain::default())
});

/// A signer whose chain is one self-signed certificate.
pub(crate) fn certified_signer() -> Signer {
    let key = SoftwareKey::generate(Algorithm::Es256).unwrap();
    let pair = rcgen::KeyPair::try_from(key.to_pkcs8().as_slice()).unwrap();
    let certificate = rcgen::CertificateParams::new(vec!["issuer.example".to_owned()]).unwrap();
    let chain = vec![certificate.self_signed(&pair).unwrap().der().to_vec()];
    key.into_signer("key-1".to_owned(), CertificateChain::from_der(chain).unwrap())
}

/// Content that both outside verifiers accept: they insist on `iss` and on an `exp` in the future.
pub(crate) fn content(claims: Value, disclosable: &[&str]) -> Content {
    let Value::Object(claims) = claims else { unreachable!("claims are an object") };
    Content {
        vct: "https://types.example/staff/1".to_owned(),
        issuer: Some("https://issuer.example".to_owned()),
        claims,
        disclosable: paths(disclosable),
        holder_key: None,
        issued_at: None,
        not_before: None,
        expires_at: Some(4_102_444_800),
        status: None,
        decoys: 0,
    }
}

pub(crate) fn paths(texts: &[&str]) -> Vec<ClaimPath> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

/// Everything a verifier should see after full disclosure.
pub(crate) fn disclosed(content: &Content) -> Value {
    let mut all: Map<String, Value> = content.claims.clone();
    let mut set = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            all.insert(name.to_owned(), value);
        }
    };
    set("vct", Some(content.vct.clone().into()));
    set("iss", content.issuer.clone().map(Value::from));
    set("iat", content.issued_at.map(Value::from));
    set("nbf", content.not_before.map(Value::from));
    set("exp", content.expires_at.map(Value::from));
    set("status", content.status.clone());
    set("cnf", content.holder_key.as_ref().map(|key| serde_json::json!({ "jwk": key.to_json() })));
    Value::Object(all)
}

pub(crate) fn issue(content: Content) -> Issued {
    issue_with(content, &mut distinct_bytes(0)).unwrap()
}

pub(crate) fn issue_with(content: Content, random: &mut dyn FnMut(&mut [u8])) -> Result<Issued, PrepareError> {
    let prepared = Prepared::new(content, random)?;
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    Ok(runtime.block_on(prepared.sign(&SIGNER, KeyReference::Kid)).unwrap())
}

/// Bytes that differ from call to call and are the same in every run (SplitMix64).
pub(crate) fn distinct_bytes(seed: u64) -> impl FnMut(&mut [u8]) {
    let mut state = seed;
    move |bytes| {
        for chunk in bytes.chunks_mut(8) {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut mixed = state;
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            mixed ^= mixed >> 31;
            chunk.copy_from_slice(mixed.to_be_bytes().get(..chunk.len()).unwrap());
        }
    }
}
