//! Keys of wallets: made here, written down by hand as JWK and as DID.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair,
    RSA_PKCS1_SHA256,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// A private key of a test. Clones share it.
#[derive(Clone)]
pub struct Key(Arc<Pair>);

enum Pair {
    P256(EcdsaKeyPair),
    P384(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Rsa(RsaKeyPair),
}

impl Key {
    /// A fresh P-256 key, which signs ES256.
    pub fn p256() -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a P-256 key");
        Self(Arc::new(Pair::P256(pair)))
    }

    /// The P-256 key in a PKCS #8 document.
    pub fn p256_from_pkcs8(document: &[u8]) -> Self {
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document).expect("a P-256 key");
        Self(Arc::new(Pair::P256(pair)))
    }

    /// A fresh P-384 key, which signs ES384.
    pub fn p384() -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).expect("a P-384 key");
        Self(Arc::new(Pair::P384(pair)))
    }

    /// A fresh Ed25519 key, which signs EdDSA.
    pub fn ed25519() -> Self {
        Self(Arc::new(Pair::Ed25519(Ed25519KeyPair::generate().expect("an Ed25519 key"))))
    }

    /// A fresh RSA key of 2048 bits, which signs RS256. Wallets have none.
    pub fn rsa() -> Self {
        Self(Arc::new(Pair::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).expect("an RSA key"))))
    }

    /// The JOSE name of the algorithm it signs with.
    pub fn algorithm(&self) -> &'static str {
        match &*self.0 {
            Pair::P256(_) => "ES256",
            Pair::P384(_) => "ES384",
            Pair::Ed25519(_) => "EdDSA",
            Pair::Rsa(_) => "RS256",
        }
    }

    /// The public key as a JWK with its required members only, in the order of RFC 7638 §3.2.
    pub fn jwk(&self) -> Value {
        let point = self.public_bytes();
        // Uncompressed point: 0x04, x, y (SEC 1 §2.3.3).
        let (x, y) = point[1..].split_at((point.len() - 1) / 2);
        match &*self.0 {
            Pair::P256(_) => json!({"crv": "P-256", "kty": "EC", "x": base64url(x), "y": base64url(y)}),
            Pair::P384(_) => json!({"crv": "P-384", "kty": "EC", "x": base64url(x), "y": base64url(y)}),
            Pair::Ed25519(_) => json!({"crv": "Ed25519", "kty": "OKP", "x": base64url(point)}),
            // RSAPublicKey of RFC 8017 App. A.1.1 in DER, of a key of 2048 bits with the exponent 65537.
            Pair::Rsa(_) => json!({"e": "AQAB", "kty": "RSA", "n": base64url(&point[9..265])}),
        }
    }

    /// SHA-256 JWK thumbprint in base64url (RFC 7638).
    pub fn thumbprint(&self) -> String {
        base64url(&sha256(self.jwk().to_string().as_bytes()))
    }

    /// `did:key` with the multicodec of the bare key: P-256 (0x1200), P-384 (0x1201), Ed25519 (0xed).
    pub fn did_key(&self) -> String {
        let mut bytes = match &*self.0 {
            Pair::P256(_) => vec![0x80, 0x24],
            Pair::P384(_) => vec![0x81, 0x24],
            Pair::Ed25519(_) => vec![0xed, 0x01],
            Pair::Rsa(_) => panic!("no wallet has an RSA key"),
        };
        match &*self.0 {
            Pair::P256(_) | Pair::P384(_) => bytes.extend(compressed(self.public_bytes())),
            Pair::Ed25519(_) | Pair::Rsa(_) => bytes.extend(self.public_bytes()),
        }
        format!("did:key:z{}", bs58::encode(bytes).into_string())
    }

    /// `did:key` with multicodec `jwk_jcs-pub` (0xeb51), the form that EBSI wallets use.
    pub fn did_key_jwk(&self) -> String {
        // The members of `jwk` are in alphabetical order and plain ASCII, which is the canonical form of RFC 8785.
        let mut bytes = vec![0xd1, 0xd6, 0x03];
        bytes.extend(self.jwk().to_string().into_bytes());
        format!("did:key:z{}", bs58::encode(bytes).into_string())
    }

    /// `did:jwk`.
    pub fn did_jwk(&self) -> String {
        format!("did:jwk:{}", base64url(self.jwk().to_string().as_bytes()))
    }

    /// Signs a message: `r || s` for the curves of NIST, 64 bytes for Ed25519.
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        match &*self.0 {
            Pair::P256(pair) | Pair::P384(pair) => {
                pair.sign(&SystemRandom::new(), message).expect("an ECDSA signature").as_ref().to_vec()
            }
            Pair::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature).expect("an RSA signature");
                signature
            }
        }
    }

    fn public_bytes(&self) -> &[u8] {
        match &*self.0 {
            Pair::P256(pair) | Pair::P384(pair) => pair.public_key().as_ref(),
            Pair::Ed25519(pair) => pair.public_key().as_ref(),
            Pair::Rsa(pair) => pair.public_key().as_ref(),
        }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({} {})", self.algorithm(), self.thumbprint())
    }
}

/// The URL of the verification method of a `did:key` or `did:jwk`: the value of `kid` in a key proof.
pub fn did_url(did: &str) -> String {
    match did.strip_prefix("did:key:") {
        Some(identifier) => format!("{did}#{identifier}"),
        None => format!("{did}#0"),
    }
}

/// base64url without padding.
pub fn base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Reads base64url without padding.
pub fn from_base64url(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).unwrap_or_else(|error| panic!("{text:?} is not base64url: {error}"))
}

/// SHA-256.
pub fn sha256(bytes: &[u8]) -> Vec<u8> {
    digest(&SHA256, bytes).as_ref().to_vec()
}

/// An unguessable value in base64url: `length` random bytes.
pub fn random(length: usize) -> String {
    let mut bytes = vec![0; length];
    aws_lc_rs::rand::fill(&mut bytes).expect("random bytes");
    base64url(&bytes)
}

/// SEC 1 §2.3.3: 0x02 or 0x03 for the parity of y, then x.
fn compressed(point: &[u8]) -> Vec<u8> {
    let (x, y) = point[1..].split_at((point.len() - 1) / 2);
    let parity = y[y.len() - 1] & 1;
    [&[2 + parity], x].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thumbprint_is_that_of_rfc_8037_appendix_a_3() {
        let jwk = json!({
            "crv": "Ed25519", "kty": "OKP", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
        });
        assert_eq!(base64url(&sha256(jwk.to_string().as_bytes())), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }

    #[test]
    fn each_kind_of_key_has_the_did_key_prefix_of_its_codec() {
        for (key, prefix) in [(Key::p256(), "zDn"), (Key::p384(), "z82"), (Key::ed25519(), "z6Mk")] {
            assert!(key.did_key().starts_with(&format!("did:key:{prefix}")), "{}", key.did_key());
        }
        assert!(Key::p256().did_key_jwk().starts_with("did:key:z2dmzD81cgPx8Vki7JbuuMmFYrWPgYoytykUZ3eyqht1j9Kb"));
    }
}
