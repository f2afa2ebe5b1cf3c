//! Elliptic curve Diffie-Hellman on P-256 and the key derivation of RFC 7518 §4.6.2.

use aws_lc_rs::agreement::{self, ECDH_P256, PrivateKey, UnparsedPublicKey};
use aws_lc_rs::digest;
use zeroize::Zeroizing;

use super::{ContentEncryption, DecryptionKey, RecipientKey};
use crate::{Algorithm, PublicJwk};

/// Bytes of the x-coordinate that both sides compute.
const SECRET_LEN: usize = 32;

/// What both sides compute.
pub(super) type Secret = Zeroizing<[u8; SECRET_LEN]>;

/// A one-time key and what it shares with the recipient's.
pub(super) fn ephemeral(recipient: &RecipientKey) -> Option<(PublicJwk, Secret)> {
    let private = PrivateKey::generate(&ECDH_P256).ok()?;
    let public = public(&private)?;
    Some((public, shared(&private, recipient.public_jwk())?))
}

/// What `key` shares with the sender's one-time key.
pub(super) fn with(key: &DecryptionKey, ephemeral: &PublicJwk) -> Option<Secret> {
    shared(key.private(), ephemeral)
}

/// The public half.
pub(super) fn public(private: &PrivateKey) -> Option<PublicJwk> {
    PublicJwk::from_point(Algorithm::Es256, private.compute_public_key().ok()?.as_ref()).ok()
}

/// The content encryption key: Concat KDF with SHA-256, in one round because no key is longer than a digest. `apu` and
/// `apv` are the decoded header parameters, empty when absent.
pub(super) fn content_key(
    secret: &Secret,
    encryption: ContentEncryption,
    apu: &[u8],
    apv: &[u8],
) -> Zeroizing<Vec<u8>> {
    let key_len = encryption.key_len();
    let bits = u32::try_from(key_len * 8).unwrap_or(u32::MAX);
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(&1_u32.to_be_bytes());
    context.update(secret.as_ref());
    // With direct key agreement, the AlgorithmID is the value of `enc`.
    for field in [encryption.name().as_bytes(), apu, apv] {
        context.update(&u32::try_from(field.len()).unwrap_or(u32::MAX).to_be_bytes());
        context.update(field);
    }
    context.update(&bits.to_be_bytes());
    Zeroizing::new(context.finish().as_ref().iter().copied().take(key_len).collect())
}

fn shared(private: &PrivateKey, public: &PublicJwk) -> Option<Secret> {
    let peer = UnparsedPublicKey::new(&ECDH_P256, public.point());
    agreement::agree(private, peer, (), |secret| {
        let mut copy = Secret::default();
        if secret.len() != SECRET_LEN {
            return Err(());
        }
        copy.copy_from_slice(secret);
        Ok(copy)
    })
    .ok()
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use serde_json::json;

    use super::*;

    /// RFC 7518 Appendix C: what Bob, with his private key, derives from Alice's one-time key.
    #[test]
    fn the_example_of_rfc_7518_appendix_c_derives_its_key() {
        let bob = URL_SAFE_NO_PAD.decode("VEmDZpDXXK8p8N0Cndsxs924q6nS1RXFASRl6BfUqdw").unwrap();
        let bob = DecryptionKey::from_bytes("bob", &bob).unwrap();
        let alice = json!({
            "kty": "EC",
            "crv": "P-256",
            "x": "gI0GAILBdu7T53akrFmMyGcsF3n5dO7MmwNBHKW5SV0",
            "y": "SLW_xSffzlPWrHEVI30DHM_4egVwt3NQqeUD7nMFpps",
        });
        let alice = PublicJwk::from_json(alice.as_object().unwrap()).unwrap();
        let secret = with(&bob, &alice).unwrap();
        assert_eq!(secret[..4], [158, 86, 217, 29]);
        let key = content_key(&secret, ContentEncryption::A128Gcm, b"Alice", b"Bob");
        assert_eq!(URL_SAFE_NO_PAD.encode(key), "VqqN6vgjbSBcIijNcacQGg");
    }
}
