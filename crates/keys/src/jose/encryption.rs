//! Compact JWE through josekit: it frames, and the three arithmetic steps (key agreement, content encryption,
//! compression) are given to it or taken from it.

use std::borrow::Cow;
use std::sync::LazyLock;

use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use josekit::JoseError;
use josekit::jwe::{
    JweAlgorithm, JweCompression, JweContentEncryption, JweContext, JweDecrypter, JweEncrypter, JweHeader,
};
use serde_json::{Map, Value};

use super::reason;
use crate::jwe::{ALGORITHM, COMPRESSION, ContentEncryption};

/// Bytes of a GCM tag (RFC 7518 §5.3).
const TAG_LEN: usize = 16;

/// Frames a JWE whose header says everything already and whose payload is compressed if the header says so.
pub(crate) fn frame(header: Map<String, Value>, payload: &[u8], content_key: &[u8]) -> Result<String, String> {
    let header = JweHeader::from_map(header).map_err(reason)?;
    CONTEXT.serialize_compact(payload, &header, &Agreed(content_key.to_vec())).map_err(reason)
}

/// Takes apart a JWE that passed the guard and decrypts it. The payload is still compressed if the header says so.
pub(crate) fn open(compact: &str, content_key: &[u8]) -> Result<Vec<u8>, String> {
    let (payload, _) = CONTEXT.deserialize_compact(compact, &Agreed(content_key.to_vec())).map_err(reason)?;
    Ok(payload)
}

/// josekit's own content encryptions check no tag length, and its `DEF` inflates without limit: both are replaced.
static CONTEXT: LazyLock<JweContext> = LazyLock::new(|| {
    let mut context = JweContext::new();
    for name in ["A128CBC-HS256", "A192CBC-HS384", "A256CBC-HS512", "A192GCM"] {
        context.remove_content_encryption(name);
    }
    for encryption in ContentEncryption::ALL {
        context.add_content_encryption(Box::new(Gcm(encryption)));
    }
    context.remove_compression(COMPRESSION);
    context.add_compression(Box::new(Elsewhere));
    context
});

/// The name `ECDH-ES`.
#[derive(Debug, Clone, Copy)]
struct Name;

impl JweAlgorithm for Name {
    fn name(&self) -> &str {
        ALGORITHM
    }

    fn box_clone(&self) -> Box<dyn JweAlgorithm> {
        Box::new(*self)
    }
}

/// A content encryption key that was agreed on before: with `ECDH-ES` there is no encrypted key (RFC 7518 §4.6).
#[derive(Clone)]
struct Agreed(Vec<u8>);

impl std::fmt::Debug for Agreed {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Agreed")
    }
}

impl Drop for Agreed {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.0);
    }
}

impl JweEncrypter for Agreed {
    fn algorithm(&self) -> &dyn JweAlgorithm {
        &Name
    }

    fn key_id(&self) -> Option<&str> {
        None
    }

    fn compute_content_encryption_key(
        &self,
        _encryption: &dyn JweContentEncryption,
        _in_header: &JweHeader,
        _out_header: &mut JweHeader,
    ) -> Result<Option<Cow<'_, [u8]>>, JoseError> {
        Ok(Some(Cow::Borrowed(&self.0)))
    }

    fn encrypt(
        &self,
        _key: &[u8],
        _in_header: &JweHeader,
        _out_header: &mut JweHeader,
    ) -> Result<Option<Vec<u8>>, JoseError> {
        Ok(None)
    }

    fn box_clone(&self) -> Box<dyn JweEncrypter> {
        Box::new(self.clone())
    }
}

impl JweDecrypter for Agreed {
    fn algorithm(&self) -> &dyn JweAlgorithm {
        &Name
    }

    fn key_id(&self) -> Option<&str> {
        None
    }

    fn decrypt(
        &self,
        _encrypted_key: Option<&[u8]>,
        _encryption: &dyn JweContentEncryption,
        _header: &JweHeader,
    ) -> Result<Cow<'_, [u8]>, JoseError> {
        Ok(Cow::Borrowed(&self.0))
    }

    fn box_clone(&self) -> Box<dyn JweDecrypter> {
        Box::new(self.clone())
    }
}

/// AES-GCM with a 12-byte nonce and a 16-byte tag, and no other (RFC 7518 §5.3).
#[derive(Debug, Clone, Copy)]
struct Gcm(ContentEncryption);

impl Gcm {
    fn key(self, key: &[u8]) -> Result<LessSafeKey, JoseError> {
        let algorithm = match self.0 {
            ContentEncryption::A128Gcm => &AES_128_GCM,
            ContentEncryption::A256Gcm => &AES_256_GCM,
        };
        UnboundKey::new(algorithm, key).map(LessSafeKey::new).map_err(failed)
    }
}

impl JweContentEncryption for Gcm {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn key_len(&self) -> usize {
        self.0.key_len()
    }

    fn iv_len(&self) -> usize {
        NONCE_LEN
    }

    fn encrypt(
        &self,
        key: &[u8],
        iv: Option<&[u8]>,
        message: &[u8],
        aad: &[u8],
    ) -> Result<(Vec<u8>, Option<Vec<u8>>), JoseError> {
        let mut text = message.to_vec();
        let tag = self
            .key(key)?
            .seal_in_place_separate_tag(nonce(iv)?, Aad::from(aad), &mut text)
            .map_err(failed)?
            .as_ref()
            .to_vec();
        Ok((text, Some(tag)))
    }

    fn decrypt(
        &self,
        key: &[u8],
        iv: Option<&[u8]>,
        encrypted_message: &[u8],
        aad: &[u8],
        tag: Option<&[u8]>,
    ) -> Result<Vec<u8>, JoseError> {
        let tag = tag.filter(|tag| tag.len() == TAG_LEN).ok_or_else(|| failed("the tag has not 16 bytes"))?;
        let mut text = encrypted_message.to_vec();
        self.key(key)?.open_in_place_separate_tag(nonce(iv)?, Aad::from(aad), tag, &mut text).map_err(failed)?;
        Ok(text)
    }

    fn box_clone(&self) -> Box<dyn JweContentEncryption> {
        Box::new(*self)
    }
}

/// Knows the name `DEF` and leaves the bytes alone: the caller deflates before and inflates, bounded, after.
#[derive(Debug, Clone, Copy)]
struct Elsewhere;

impl JweCompression for Elsewhere {
    fn name(&self) -> &str {
        COMPRESSION
    }

    fn compress(&self, message: &[u8]) -> Result<Vec<u8>, std::io::Error> {
        Ok(message.to_vec())
    }

    fn decompress(&self, message: &[u8]) -> Result<Vec<u8>, std::io::Error> {
        Ok(message.to_vec())
    }

    fn box_clone(&self) -> Box<dyn JweCompression> {
        Box::new(*self)
    }
}

fn nonce(iv: Option<&[u8]>) -> Result<Nonce, JoseError> {
    Nonce::try_assume_unique_for_key(iv.unwrap_or_default()).map_err(failed)
}

fn failed(error: impl ToString) -> JoseError {
    JoseError::InvalidJweFormat(std::io::Error::other(error.to_string()).into())
}
