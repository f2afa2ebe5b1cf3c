use chancery_keys::jwe::{JweError, RecipientKeyError};
use thiserror::Error;

use crate::Explanation;
use crate::json::JsonError;

/// Why a message is refused for the way it is, or is not, encrypted: always with `invalid_encryption_parameters`, and
/// always in the clear (OpenID4VCI §8.3.1.2).
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EncryptionError {
    /// The body is not an acceptable JSON object.
    #[error("{0}")]
    Json(#[from] JsonError),
    /// `credential_response_encryption` is not an object.
    #[error("`credential_response_encryption` is {got}, expected an object")]
    NotAnObject {
        /// The JSON type that came.
        got: &'static str,
    },
    /// `alg` stands beside `jwk`, as in drafts up to 15.
    #[error("`credential_response_encryption` has `alg` beside `jwk`, which is the shape of a draft before 16")]
    DraftShape,
    /// A member is absent or has the wrong value.
    #[error("`credential_response_encryption.{member}` is {got}, expected {expected}")]
    Member {
        /// The member.
        member: &'static str,
        /// What it must be.
        expected: &'static str,
        /// What came.
        got: String,
    },
    /// `jwk` is not a key to encrypt for.
    #[error("`credential_response_encryption.jwk` is not usable: {0}")]
    Key(RecipientKeyError),
    /// A value that the metadata does not list.
    #[error("`credential_response_encryption.{member}` is `{got}`, which the metadata does not list ({expected})")]
    Unsupported {
        /// The member.
        member: &'static str,
        /// Those listed.
        expected: String,
        /// What came.
        got: &'static str,
    },
    /// The wallet's key came in a plain request, where somebody may have put another in its place.
    #[error("the request has `credential_response_encryption`, but is not itself encrypted")]
    KeyInTheClear,
    /// The request is encrypted, and that is not offered.
    #[error("the request is encrypted, but the metadata has no `credential_request_encryption`")]
    RequestNotOffered,
    /// The request is plain, and must not be.
    #[error("the request is not encrypted, but the metadata demands it")]
    RequestRequired,
    /// The wallet wants an encrypted response, and that is not offered.
    #[error(
        "the request has `credential_response_encryption`, but the metadata has no `credential_response_encryption`"
    )]
    ResponseNotOffered,
    /// The wallet wants a plain response, and must not.
    #[error("the request has no `credential_response_encryption`, but the metadata demands it")]
    ResponseRequired,
    /// The request cannot be decrypted.
    #[error("{0}")]
    Jwe(#[from] JweError),
}

impl EncryptionError {
    /// The error code of the protocol (OpenID4VCI §8.3.1.2).
    pub fn code(&self) -> &'static str {
        match self {
            Self::Json(_) => "invalid_credential_request",
            Self::NotAnObject { .. }
            | Self::DraftShape
            | Self::Member { .. }
            | Self::Key(_)
            | Self::Unsupported { .. }
            | Self::KeyInTheClear
            | Self::RequestNotOffered
            | Self::RequestRequired
            | Self::ResponseNotOffered
            | Self::ResponseRequired
            | Self::Jwe(_) => "invalid_encryption_parameters",
        }
    }

    /// The same for the wallet's developer.
    pub fn explain(&self) -> Explanation {
        const REQUEST: &str = "OpenID4VCI 1.0 §8.2";
        const MESSAGES: &str = "OpenID4VCI 1.0 §10";
        const METADATA: &str = "OpenID4VCI 1.0 §12.2.4";
        let (help, spec_ref) = match self {
            Self::Json(_) => ("encrypt one JSON object with the parameters of the request", MESSAGES),
            Self::NotAnObject { .. } | Self::Member { .. } => (
                "send `credential_response_encryption` as an object with `jwk` and `enc`, and `zip` if wanted",
                REQUEST,
            ),
            Self::DraftShape => (
                "this is a draft 13 to 15 request; move `alg` into `jwk`: `\"jwk\": {\"alg\": \"ECDH-ES\", ...}`",
                REQUEST,
            ),
            Self::Key(_) => (
                "send a public key on P-256 with `\"alg\": \"ECDH-ES\"` inside, as `alg_values_supported` of \
                 `credential_response_encryption` in the issuer metadata says",
                REQUEST,
            ),
            Self::Unsupported { .. } => {
                ("choose a value that `credential_response_encryption` of the issuer metadata lists", METADATA)
            }
            Self::KeyInTheClear => (
                "encrypt the request for a key of `credential_request_encryption` in the issuer metadata; whoever asks \
                 for an encrypted response must",
                REQUEST,
            ),
            Self::RequestNotOffered => ("send the request as plain JSON", MESSAGES),
            Self::RequestRequired => (
                "encrypt the request for a key of `credential_request_encryption` in the issuer metadata and send it \
                 with `Content-Type: application/jwt`",
                MESSAGES,
            ),
            Self::ResponseNotOffered => ("leave `credential_response_encryption` out", METADATA),
            Self::ResponseRequired => ("send your key in `credential_response_encryption`", METADATA),
            Self::Jwe(error) => (jwe_help(error), MESSAGES),
        };
        Explanation::new(self, help, spec_ref)
    }
}

fn jwe_help(error: &JweError) -> &'static str {
    match error {
        JweError::KeyIdMissing { .. } => "copy `kid` of the key you chose into the header of the JWE",
        JweError::UnknownKey { .. } => {
            "fetch the issuer metadata again: the keys in `credential_request_encryption.jwks` change from time to time"
        }
        JweError::Undecryptable { .. } => {
            "encrypt for the key that `kid` names; with ECDH-ES, `enc` is the AlgorithmID of the key derivation (RFC 7518 \
             §4.6.2) and the header, as sent, is the additional authenticated data"
        }
        JweError::Algorithm { .. } => "use `ECDH-ES`, which is `alg` of the keys in the issuer metadata",
        JweError::Encryption { .. } | JweError::Compression { .. } => {
            "use values that `credential_request_encryption` of the issuer metadata lists"
        }
        JweError::EphemeralKeyMissing | JweError::EphemeralKey(_) | JweError::EphemeralKeyCurve { .. } => {
            "put the public half of a new P-256 key into the header as `epk`"
        }
        JweError::Inflate => "compress with raw DEFLATE (RFC 1951), without the framing of zlib or gzip",
        JweError::TooLong { .. } | JweError::TooLarge => "send a shorter request",
        JweError::Parts { .. }
        | JweError::NotBase64Url { .. }
        | JweError::Length { .. }
        | JweError::NotAnObject
        | JweError::Duplicate { .. }
        | JweError::Critical
        | JweError::PartyInfo { .. } => {
            "send a JWE in compact form: five parts in base64url without padding, the second one empty, with a nonce of \
             12 bytes and a tag of 16"
        }
    }
}
