//! A hand-made issuer for the tests: SD-JWTs put together digest by digest, and an HTTP server that answers as told.

pub(crate) mod flows;
pub(crate) mod server;

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::jose::PublicKey;
use crate::json::Object;
use crate::keys::{Algorithm, HolderKey};

pub(crate) const NOW: i64 = 1_760_000_000;
pub(crate) const IDENTIFIER: &str = "https://issuer.example/t/acme";

pub(crate) fn object(value: Value) -> Object {
    let Value::Object(object) = value else { panic!("not an object: {value}") };
    object
}

/// The SHA-256 digest of an encoded disclosure.
pub(crate) fn hash(disclosure: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, disclosure.as_bytes()))
}

pub(crate) fn encode(disclosure: &Value) -> String {
    URL_SAFE_NO_PAD.encode(disclosure.to_string())
}

/// An SD-JWT in parts, so that a test can spoil any of them before it is signed.
pub(crate) struct Parts {
    pub(crate) key: HolderKey,
    pub(crate) header: Value,
    pub(crate) payload: Value,
    pub(crate) disclosures: Vec<String>,
}

/// Salts differ by `seed`, so two credentials do not share any.
pub(crate) fn salt(seed: &str, number: u8) -> String {
    URL_SAFE_NO_PAD.encode(&digest::digest(&digest::SHA256, format!("{seed}{number}").as_bytes()).as_ref()[..16])
}

/// A credential with a flat, a recursive and two array disclosures, and one decoy.
pub(crate) fn parts(holder: &Value, seed: &str) -> Parts {
    let street = encode(&json!([salt(seed, 1), "street", "Main \"St\" 1 \u{1F3E0}"]));
    let address = encode(&json!([salt(seed, 2), "address", {"_sd": [hash(&street)], "country": "SE"}]));
    let given_name = encode(&json!([salt(seed, 3), "given_name", "Astrid"]));
    let first = encode(&json!([salt(seed, 4), "SE"]));
    let second = encode(&json!([salt(seed, 5), {"code": "NO"}]));
    let payload = json!({
        "iss": IDENTIFIER,
        "vct": "urn:badge",
        "iat": NOW - 10,
        "exp": NOW + 3600,
        "cnf": {"jwk": holder},
        "_sd_alg": "sha-256",
        "_sd": [hash(&address), hash("a decoy"), hash(&given_name)],
        "level": 3,
        "nationalities": [{"...": hash(&first)}, "DK", {"...": hash(&second)}],
    });
    Parts {
        key: HolderKey::generate(Algorithm::Es256).unwrap(),
        header: json!({"alg": "ES256", "typ": "dc+sd-jwt", "kid": "k1"}),
        payload,
        disclosures: vec![given_name, address, street, first, second],
    }
}

/// The claims of [`parts`] with everything disclosed, without registered claims.
pub(crate) fn disclosed_view() -> Value {
    json!({
        "level": 3,
        "nationalities": ["SE", "DK", {"code": "NO"}],
        "address": {"country": "SE", "street": "Main \"St\" 1 \u{1F3E0}"},
        "given_name": "Astrid",
    })
}

impl Parts {
    pub(crate) fn sign(&self) -> String {
        let jwt = self.key.sign_jwt(&object(self.header.clone()), &object(self.payload.clone())).unwrap();
        let tail: String = self.disclosures.iter().map(|disclosure| format!("{disclosure}~")).collect();
        format!("{jwt}~{tail}")
    }

    pub(crate) fn public_key(&self) -> PublicKey {
        PublicKey::from_jwk(self.key.public_jwk()).unwrap()
    }
}
