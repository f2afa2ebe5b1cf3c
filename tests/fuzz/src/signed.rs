//! Signed inputs: no mutation finds a signature, so the harness makes it, and what is judged after it is reached too.

use std::sync::LazyLock;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chancery_keys::PublicJwk;
use chancery_protocol::trust::TrustedKey;
use serde_json::Value;

static PAIR: LazyLock<Ed25519KeyPair> =
    LazyLock::new(|| Ed25519KeyPair::from_seed_unchecked(&[7; 32]).expect("a key of 32 bytes"));

/// The public half of the one key that signs here.
pub(crate) static JWK: LazyLock<PublicJwk> = LazyLock::new(|| {
    let public: [u8; 32] = PAIR.public_key().as_ref().try_into().expect("32 bytes");
    PublicJwk::from_ed25519(&public).expect("a point on the curve")
});

/// The same, as one that is trusted.
pub(crate) static TRUSTED: LazyLock<[TrustedKey; 1]> =
    LazyLock::new(|| [TrustedKey { key_id: Some("k".to_owned()), key: JWK.clone() }]);

/// The instant that seeds are written for.
pub(crate) const NOW: i64 = 1_700_000_000;

/// The JWTs of an input. Two lines, header and claims, are encoded and signed; a line alone is taken as it is. A blank
/// line stands between two JWTs. `"$JWK"` becomes the key that signs.
pub(crate) fn jwts(data: &[u8]) -> Vec<String> {
    let Ok(text) = std::str::from_utf8(data) else { return Vec::new() };
    let jwk = Value::Object(JWK.to_json()).to_string();
    let text = text.replace("\"$JWK\"", &jwk);
    text.split("\n\n")
        .map(|part| match part.split_once('\n') {
            None => part.to_owned(),
            Some((header, claims)) => sign(header, claims),
        })
        .collect()
}

fn sign(header: &str, claims: &str) -> String {
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let signature = URL_SAFE_NO_PAD.encode(PAIR.sign(signed.as_bytes()));
    format!("{signed}.{signature}")
}
