//! JWE in compact form: ECDH-ES with P-256, A128GCM or A256GCM, and `zip: DEF` (RFC 7516, RFC 7518 §4.6, §5.3).

use std::io::{Read, Write};

use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::agreement::{ECDH_P256, PrivateKey, UnparsedPublicKey, agree};
use aws_lc_rs::digest;
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use serde_json::{Value, json};

use crate::WalletError;
use crate::jose::decode_base64url;
use crate::json::{self, Object};
use crate::keys::{object, random_text};

/// The only key agreement spoken here.
pub(crate) const AGREEMENT: &str = "ECDH-ES";
/// The only compression (RFC 7516 §4.1.3).
pub(crate) const DEFLATE: &str = "DEF";
/// Longest message, compressed or not, in bytes.
const LONGEST: u64 = 4 << 20;

/// Content encryption.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Encoding {
    /// AES-GCM with a key of 128 bits.
    #[default]
    A128Gcm,
    /// AES-GCM with a key of 256 bits.
    A256Gcm,
}

impl Encoding {
    /// Both, the preferred one first.
    pub(crate) const ALL: [Self; 2] = [Self::A128Gcm, Self::A256Gcm];

    /// The JOSE name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::A128Gcm => "A128GCM",
            Self::A256Gcm => "A256GCM",
        }
    }

    fn key_bytes(self) -> usize {
        match self {
            Self::A128Gcm => 16,
            Self::A256Gcm => 32,
        }
    }

    fn cipher(self, key: &[u8]) -> Result<LessSafeKey, String> {
        let algorithm = match self {
            Self::A128Gcm => &AES_128_GCM,
            Self::A256Gcm => &AES_256_GCM,
        };
        UnboundKey::new(algorithm, key).map(LessSafeKey::new).map_err(|_| "a content key of a wrong length".to_owned())
    }
}

/// Encrypts `plaintext` to a public P-256 JWK, whose `kid` goes into the header.
///
/// # Errors
/// [`WalletError::Unsupported`] for a key of another kind; [`WalletError::Key`].
pub(crate) fn encrypt(
    plaintext: &[u8],
    recipient: &Object,
    encoding: Encoding,
    compressed: bool,
) -> Result<String, WalletError> {
    let failed = |what: &'static str| move |_| WalletError::Key(what);
    let point = point(recipient).map_err(WalletError::Unsupported)?;
    let ephemeral = PrivateKey::generate(&ECDH_P256).map_err(failed("generate an ephemeral key"))?;
    let mut header = object([
        ("alg", json!(AGREEMENT)),
        ("enc", json!(encoding.name())),
        ("epk", Value::Object(public_jwk(&ephemeral)?)),
    ]);
    if let Some(kid) = recipient.get("kid") {
        header.insert("kid".into(), kid.clone());
    }
    if compressed {
        header.insert("zip".into(), json!(DEFLATE));
    }
    let header = URL_SAFE_NO_PAD.encode(Value::Object(header).to_string());
    let key = agreed(&ephemeral, &point, encoding, &[], &[]).map_err(|_| WalletError::Key("agree on a key"))?;
    let cipher = encoding.cipher(&key).map_err(|_| WalletError::Key("make a content key"))?;
    let mut iv = [0_u8; 12];
    SystemRandom::new().fill(&mut iv).map_err(failed("random bytes"))?;
    let mut content = if compressed { deflate(plaintext)? } else { plaintext.to_vec() };
    let tag = cipher
        .seal_in_place_separate_tag(Nonce::assume_unique_for_key(iv), Aad::from(header.as_bytes()), &mut content)
        .map_err(failed("encrypt"))?;
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    // Direct key agreement: the encrypted key is empty (RFC 7518 §4.6).
    Ok(format!("{header}..{}.{}.{}", encode(&iv), encode(&content), encode(tag.as_ref())))
}

/// A key for one answer.
pub(crate) struct DecryptionKey {
    private: PrivateKey,
    public: Object,
}

impl DecryptionKey {
    pub(crate) fn generate() -> Result<Self, WalletError> {
        let private = PrivateKey::generate(&ECDH_P256).map_err(|_| WalletError::Key("generate P-256"))?;
        let mut public = public_jwk(&private)?;
        public.insert("kid".into(), json!(random_text::<8>()?));
        public.insert("use".into(), json!("enc"));
        // OpenID4VCI §8.2: the algorithm is a member of the key.
        public.insert("alg".into(), json!(AGREEMENT));
        Ok(Self { private, public })
    }

    pub(crate) fn public_jwk(&self) -> &Object {
        &self.public
    }

    /// Decrypts an answer that must be encrypted with `encoding`, compressed only when `compressed` was asked for.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub(crate) fn decrypt(&self, compact: &[u8], encoding: Encoding, compressed: bool) -> Result<Vec<u8>, String> {
        let text = std::str::from_utf8(compact).map_err(|_| "bytes that are no text")?;
        let segments: Vec<&str> = text.trim().split('.').collect();
        let [header, key, iv, content, tag] = segments.as_slice() else {
            return Err(format!("{} segments instead of 5", segments.len()));
        };
        let protected = json::parse_object(&decode_base64url(header)?)?;
        let named = |name: &str| protected.get(name).and_then(Value::as_str);
        if named("alg") != Some(AGREEMENT) || !key.is_empty() {
            return Err(format!("alg {:?} instead of the `alg` of the key, {AGREEMENT}", named("alg")));
        }
        if named("enc") != Some(encoding.name()) {
            return Err(format!("enc {:?} instead of {}", named("enc"), encoding.name()));
        }
        if protected.get("kid") != self.public.get("kid") {
            return Err("a kid that is not the one of the key in the request".into());
        }
        if protected.contains_key("crit") {
            return Err("`crit` with extensions this wallet does not understand".into());
        }
        let zip = protected.get("zip").map(|zip| zip.as_str().unwrap_or("").to_owned());
        if zip.as_deref().is_some_and(|zip| zip != DEFLATE || !compressed) {
            return Err(format!("zip {zip:?}, which was not asked for"));
        }
        let party = |name: &str| named(name).map_or(Ok(Vec::new()), decode_base64url);
        let epk = protected.get("epk").and_then(Value::as_object).ok_or("no epk")?;
        let secret = agreed(&self.private, &point(epk)?, encoding, &party("apu")?, &party("apv")?)?;
        let iv: [u8; 12] = decode_base64url(iv)?.try_into().map_err(|_| "an iv that has not 96 bits")?;
        let (mut sealed, tag) = (decode_base64url(content)?, decode_base64url(tag)?);
        if tag.len() != 16 {
            return Err("a tag that has not 128 bits".into());
        }
        sealed.extend(tag);
        let plain = encoding
            .cipher(&secret)?
            .open_in_place(Nonce::assume_unique_for_key(iv), Aad::from(header.as_bytes()), &mut sealed)
            .map_err(|_| "a ciphertext that cannot be decrypted with the key of the request")?;
        if zip.is_some() { inflate(plain) } else { Ok(plain.to_vec()) }
    }
}

/// The content key (RFC 7518 §4.6.2).
fn agreed(own: &PrivateKey, theirs: &[u8], encoding: Encoding, apu: &[u8], apv: &[u8]) -> Result<Vec<u8>, String> {
    let theirs = UnparsedPublicKey::new(&ECDH_P256, theirs);
    agree(own, theirs, "a public key that is not on P-256".to_owned(), |shared| Ok(derived(shared, encoding, apu, apv)))
}

/// Concat KDF with SHA-256; one round is enough for 256 bits.
fn derived(shared: &[u8], encoding: Encoding, apu: &[u8], apv: &[u8]) -> Vec<u8> {
    let number = |length: usize| u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
    let mut input = vec![0, 0, 0, 1];
    input.extend(shared);
    for part in [encoding.name().as_bytes(), apu, apv] {
        input.extend(number(part.len()));
        input.extend(part);
    }
    input.extend(number(encoding.key_bytes() * 8));
    let hash = digest::digest(&digest::SHA256, &input);
    hash.as_ref().iter().copied().take(encoding.key_bytes()).collect()
}

fn point(jwk: &Object) -> Result<Vec<u8>, String> {
    let text = |name: &str| jwk.get(name).and_then(Value::as_str).unwrap_or("");
    if (text("kty"), text("crv")) != ("EC", "P-256") {
        return Err(format!("an encryption key with kty {:?}, crv {:?}", text("kty"), text("crv")));
    }
    let mut point = vec![4];
    for name in ["x", "y"] {
        let coordinate = decode_base64url(text(name))?;
        if coordinate.len() != 32 {
            return Err(format!("an encryption key whose {name} has {} bytes", coordinate.len()));
        }
        point.extend(coordinate);
    }
    Ok(point)
}

fn public_jwk(key: &PrivateKey) -> Result<Object, WalletError> {
    let public = key.compute_public_key().map_err(|_| WalletError::Key("public part of an own key"))?;
    crate::keys::ec_jwk(public.as_ref())
}

fn deflate(plaintext: &[u8]) -> Result<Vec<u8>, WalletError> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    let written = encoder.write_all(plaintext).and_then(|()| encoder.finish());
    written.map_err(|_| WalletError::Key("compress"))
}

fn inflate(compressed: &[u8]) -> Result<Vec<u8>, String> {
    let mut plain = Vec::new();
    let read = DeflateDecoder::new(compressed).take(LONGEST + 1).read_to_end(&mut plain);
    match read {
        Ok(length) if length as u64 > LONGEST => Err(format!("a message that inflates to more than {LONGEST} bytes")),
        Ok(_) => Ok(plain),
        Err(_) => Err("a compressed message that does not inflate".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_derived_key_of_rfc_7518_appendix_c_is_reproduced() {
        let shared = [
            158, 86, 217, 29, 129, 113, 53, 211, 114, 131, 66, 131, 191, 132, 38, 156, 251, 49, 110, 163, 218, 128,
            106, 72, 246, 218, 167, 121, 140, 254, 144, 196,
        ];
        let key = derived(&shared, Encoding::A128Gcm, b"Alice", b"Bob");
        assert_eq!(URL_SAFE_NO_PAD.encode(key), "VqqN6vgjbSBcIijNcacQGg");
    }

    #[test]
    fn what_is_encrypted_comes_back_in_every_combination() {
        let key = DecryptionKey::generate().unwrap();
        for encoding in Encoding::ALL {
            for compressed in [false, true] {
                let jwe = encrypt(b"{\"a\":1}", key.public_jwk(), encoding, compressed).unwrap();
                assert_eq!(key.decrypt(jwe.as_bytes(), encoding, compressed).unwrap(), b"{\"a\":1}");
            }
        }
    }

    #[test]
    fn what_does_not_fit_the_request_is_refused() {
        let (key, other) = (DecryptionKey::generate().unwrap(), DecryptionKey::generate().unwrap());
        let jwe = encrypt(b"{}", key.public_jwk(), Encoding::A128Gcm, true).unwrap();
        assert!(key.decrypt(jwe.as_bytes(), Encoding::A256Gcm, true).unwrap_err().contains("enc"));
        assert!(key.decrypt(jwe.as_bytes(), Encoding::A128Gcm, false).unwrap_err().contains("zip"));
        assert!(other.decrypt(jwe.as_bytes(), Encoding::A128Gcm, true).unwrap_err().contains("kid"));
        assert!(key.decrypt(b"a.b.c", Encoding::A128Gcm, true).is_err());
        let shortened = jwe.rsplit_once('.').unwrap().0.to_owned() + ".AAAA";
        assert!(key.decrypt(shortened.as_bytes(), Encoding::A128Gcm, true).unwrap_err().contains("tag"));
    }

    #[test]
    fn a_message_that_inflates_without_end_is_refused() {
        let key = DecryptionKey::generate().unwrap();
        let jwe = encrypt(&vec![0; 8 << 20], key.public_jwk(), Encoding::A128Gcm, true).unwrap();
        assert!(key.decrypt(jwe.as_bytes(), Encoding::A128Gcm, true).unwrap_err().contains("inflates"));
    }
}
