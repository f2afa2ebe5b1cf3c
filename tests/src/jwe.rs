//! JWEs written by hand: ECDH-ES on P-256 and AES-GCM (RFC 7516 §7.1, RFC 7518 §4.6), so that a test can break any part.

use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::agreement::{ECDH_P256, PrivateKey, UnparsedPublicKey, agree};
use serde_json::{Map, Value, json};

use crate::jwt::{object, put};
use crate::key::{base64url, from_base64url, sha256};

/// A JWE before it is encrypted.
#[derive(Clone, Debug)]
pub struct Jwe {
    /// Public key of the recipient, as a JWK.
    pub recipient: Value,
    /// Protected header; `epk` is added when it is missing.
    pub header: Map<String, Value>,
    /// What is encrypted: compressed already where the header says so.
    pub payload: Vec<u8>,
}

impl Jwe {
    /// For a JWK as metadata publish it, with A256GCM.
    pub fn new(recipient: &Value, payload: &[u8]) -> Self {
        let header = json!({"alg": recipient["alg"], "enc": "A256GCM", "kid": recipient["kid"]});
        Self { recipient: recipient.clone(), header: object(header), payload: payload.to_vec() }
    }

    /// With a header member set; `null` takes it out.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: impl Into<Value>) -> Self {
        put(&mut self.header, name, value.into());
        self
    }

    /// The compact form.
    pub fn compact(&self) -> String {
        let ephemeral = PrivateKey::generate(&ECDH_P256).expect("an ephemeral key");
        let mut header = self.header.clone();
        header.entry("epk").or_insert_with(|| jwk(&ephemeral));
        let encryption = header.get("enc").and_then(Value::as_str).unwrap_or("A256GCM").to_owned();
        let key = content_key(&ephemeral, &self.recipient, &encryption);
        let header = base64url(Value::Object(header).to_string().as_bytes());
        let iv = [7; 12];
        let mut text = self.payload.clone();
        let tag = aead(&key)
            .seal_in_place_separate_tag(Nonce::assume_unique_for_key(iv), Aad::from(header.as_bytes()), &mut text)
            .expect("encryption");
        format!("{header}..{}.{}.{}", base64url(&iv), base64url(&text), base64url(tag.as_ref()))
    }
}

/// A key that answers are encrypted for.
#[derive(Debug)]
pub struct ResponseKey(PrivateKey);

impl ResponseKey {
    /// A fresh P-256 key.
    pub fn new() -> Self {
        Self(PrivateKey::generate(&ECDH_P256).expect("a key"))
    }

    /// The public JWK with `alg`, `use` and `kid`.
    pub fn jwk(&self) -> Value {
        let mut jwk = jwk(&self.0);
        jwk["alg"] = "ECDH-ES".into();
        jwk["use"] = "enc".into();
        jwk["kid"] = "response-key".into();
        jwk
    }

    /// The header and the payload, still compressed where the header says so.
    pub fn decrypt(&self, compact: &str) -> (Value, Vec<u8>) {
        let parts: Vec<&str> = compact.split('.').collect();
        assert_eq!((parts.len(), parts[1]), (5, ""), "five parts and no encrypted key: {compact}");
        let header: Value = serde_json::from_slice(&from_base64url(parts[0])).expect("a JSON header");
        let key = content_key(&self.0, &header["epk"], header["enc"].as_str().expect("enc"));
        let iv: [u8; 12] = from_base64url(parts[2]).try_into().expect("12 bytes");
        let mut text = from_base64url(parts[3]);
        text.extend(from_base64url(parts[4]));
        let nonce = Nonce::assume_unique_for_key(iv);
        let plain = aead(&key).open_in_place(nonce, Aad::from(parts[0].as_bytes()), &mut text).expect("decryption");
        (header, plain.to_vec())
    }
}

impl Default for ResponseKey {
    fn default() -> Self {
        Self::new()
    }
}

/// `payload` as one stored DEFLATE block (RFC 1951 §3.2.4), which compresses nothing.
pub fn stored(payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len()).expect("a short payload");
    [&[1][..], &length.to_le_bytes(), &(!length).to_le_bytes(), payload].concat()
}

/// A DEFLATE stream that inflates to a blank and `matches` times 258 more (RFC 1951 §3.2.6).
pub fn bomb(matches: usize) -> Vec<u8> {
    // Last block, fixed codes; a blank; each match: length 258 (code 285), distance 1 (code 0).
    let mut bits = vec![true, true, false];
    let huffman = |bits: &mut Vec<bool>, code: u16, length: u16| {
        bits.extend((0..length).rev().map(|position| code >> position & 1 == 1));
    };
    huffman(&mut bits, 0x30 + 0x20, 8);
    for _ in 0..matches {
        huffman(&mut bits, 0b1100_0101, 8);
        huffman(&mut bits, 0, 5);
    }
    huffman(&mut bits, 0, 7);
    bits.chunks(8).map(|byte| byte.iter().enumerate().fold(0, |sum, (at, bit)| sum | u8::from(*bit) << at)).collect()
}

fn jwk(key: &PrivateKey) -> Value {
    let public = key.compute_public_key().expect("a public key");
    let (x, y) = public.as_ref()[1..].split_at(32);
    json!({"kty": "EC", "crv": "P-256", "x": base64url(x), "y": base64url(y)})
}

/// Concat KDF of RFC 7518 §4.6.2 with empty party information.
fn content_key(private: &PrivateKey, peer: &Value, encryption: &str) -> Vec<u8> {
    let coordinate = |name: &str| from_base64url(peer[name].as_str().expect("a coordinate"));
    let point = [&[4][..], &coordinate("x"), &coordinate("y")].concat();
    let secret = agree(private, UnparsedPublicKey::new(&ECDH_P256, point), (), |secret| Ok(secret.to_vec()));
    let length: u32 = if encryption == "A128GCM" { 16 } else { 32 };
    let mut input = 1_u32.to_be_bytes().to_vec();
    input.extend(secret.expect("an agreement"));
    for field in [encryption.as_bytes(), b"", b""] {
        input.extend(u32::try_from(field.len()).expect("a length").to_be_bytes());
        input.extend(field);
    }
    input.extend((length * 8).to_be_bytes());
    sha256(&input)[..length as usize].to_vec()
}

fn aead(key: &[u8]) -> LessSafeKey {
    let algorithm = if key.len() == 16 { &AES_128_GCM } else { &AES_256_GCM };
    LessSafeKey::new(UnboundKey::new(algorithm, key).expect("a key"))
}
