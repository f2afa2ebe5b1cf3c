//! The wallet's keys as `did:key` and `did:jwk`.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::keys::{Algorithm, HolderKey};

/// The `did:key` verification method: `did:key:z6Mk…#z6Mk…`.
pub(crate) fn key_url(key: &HolderKey) -> String {
    let public = key.public_bytes();
    // Multicodec prefixes as unsigned varints: p256-pub 0x1200, ed25519-pub 0xed.
    let mut encoded = match key.algorithm() {
        Algorithm::Es256 => vec![0x80, 0x24],
        Algorithm::Ed25519 => vec![0xed, 0x01],
    };
    match key.algorithm() {
        Algorithm::Es256 => {
            let odd = public.last().is_some_and(|byte| byte & 1 == 1);
            encoded.push(if odd { 3 } else { 2 });
            encoded.extend(public.iter().skip(1).take(32));
        }
        Algorithm::Ed25519 => encoded.extend(public),
    }
    let multibase = format!("z{}", bs58::encode(encoded).into_string());
    format!("did:key:{multibase}#{multibase}")
}

/// The `did:jwk` verification method: `did:jwk:eyJ…#0`.
pub(crate) fn jwk_url(key: &HolderKey) -> String {
    let text = serde_json::Value::Object(key.public_jwk().clone()).to_string();
    format!("did:jwk:{}#0", URL_SAFE_NO_PAD.encode(text))
}
