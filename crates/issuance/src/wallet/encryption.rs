//! Encrypted requests to, and answers of, the credential endpoints (OpenID4VCI §10).

use chancery_keys::jwe::{COMPRESSION, Compression, JweError};
use chancery_model::{Definition, Organisation, Timestamp};
use chancery_protocol::encryption::{EncryptionError, MEDIA_TYPE, Policy, ResponseEncryption, Rule};
use serde::Serialize;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::{Notes, redaction};
use crate::recording::Recording;
use crate::{Context, Failure};

/// Why the body of a request is not looked at, or its answer not encrypted.
#[derive(Debug)]
pub enum Rejection {
    /// The body is declared neither as JSON nor as a JWE.
    MediaType,
    /// The message is, or is not, encrypted in the wrong way.
    Parameters(EncryptionError),
}

/// A request in the clear, and how it came.
pub(super) struct Opened<'r> {
    payload: Payload<'r>,
    policy: Policy,
}

enum Payload<'r> {
    Plain(&'r [u8]),
    Decrypted { text: Zeroizing<Vec<u8>>, key_id: String, algorithm: &'static str },
}

/// How the answer leaves.
pub(super) struct Reply(Option<ResponseEncryption>);

/// A 200 or 202 answer, ready to be sent.
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// What is sent.
    pub content: Content,
}

/// The body of an [`Answer`], with its media type.
pub enum Content {
    /// `application/json`.
    Json(Vec<u8>),
    /// `application/jwt`: a compact JWE.
    Jwt(String),
}

/// Brings a request into the clear. Refused before anything else is read: what the policy does not admit, and what is
/// encrypted otherwise than the metadata says.
pub(super) async fn open<'r>(
    context: &Context,
    organisation: &Organisation,
    definition: &Definition,
    now: Timestamp,
    (notes, body): (&Notes<'_>, &'r [u8]),
) -> Result<Opened<'r>, Failure<Rejection>> {
    let refused = |error| Failure::Rejected(Rejection::Parameters(error));
    let policy = organisation.policy.message_encryption_for(&definition.content);
    let encrypted = notes.has_media_type(MEDIA_TYPE);
    if !encrypted && !notes.has_media_type("application/json") {
        return Err(Failure::Rejected(Rejection::MediaType));
    }
    policy.admits_request(encrypted).map_err(refused)?;
    if !encrypted {
        return Ok(Opened { payload: Payload::Plain(body), policy });
    }
    let compact = String::from_utf8_lossy(body);
    let outcome = context.decrypt(organisation, now, &compact, &policy.accepted()).await?;
    let decrypted = outcome.map_err(|error: JweError| refused(error.into()))?;
    let payload = Payload::Decrypted {
        text: decrypted.payload,
        key_id: decrypted.key_id,
        algorithm: decrypted.encryption.name(),
    };
    Ok(Opened { payload, policy })
}

impl Opened<'_> {
    /// The JSON text of the request.
    pub(super) fn json(&self) -> &[u8] {
        match &self.payload {
            Payload::Plain(body) => body,
            Payload::Decrypted { text, .. } => text,
        }
    }

    /// Writes down what was inside an encrypted request, as far as a transcript may show it.
    pub(super) fn record(&self, message: &'static str, recording: &mut Recording) {
        if let Payload::Decrypted { text, key_id, algorithm } = &self.payload {
            let body = redaction::credential_body(text);
            let (key_id, algorithm) = (Value::from(key_id.as_str()), Value::from(*algorithm));
            recording.debug(message, redaction::object([("kid", key_id), ("enc", algorithm), ("body", body)]));
        }
    }

    /// How the answer leaves; `asked` says whether the request has `credential_response_encryption`.
    pub(super) fn reply(&self, asked: bool) -> Result<Reply, Rejection> {
        let encrypted = matches!(self.payload, Payload::Decrypted { .. });
        let parameters = match (asked, encrypted, self.policy.response) {
            (false, _, _) => None,
            // The way is wrong, whatever the parameters say.
            (true, _, Rule::Off) => return Err(Rejection::Parameters(EncryptionError::ResponseNotOffered)),
            (true, false, _) => return Err(Rejection::Parameters(EncryptionError::KeyInTheClear)),
            (true, true, _) => ResponseEncryption::from_body(self.json()).map_err(Rejection::Parameters)?,
        };
        self.policy.admits_response(encrypted, parameters.as_ref()).map_err(Rejection::Parameters)?;
        Ok(Reply(parameters))
    }
}

impl Reply {
    /// Writes down how the answer is encrypted, when it is.
    pub(super) fn record(&self, message: &'static str, recording: &mut Recording) {
        if let Self(Some(ResponseEncryption { recipient, encryption, compression })) = self {
            let (jwk, enc) = (recipient.to_json(), encryption.name());
            let asked = match compression {
                Compression::None => json!({ "jwk": jwk, "enc": enc }),
                Compression::Deflate => json!({ "jwk": jwk, "enc": enc, "zip": COMPRESSION }),
            };
            recording.debug(message, asked);
        }
    }

    /// The answer with `body` as its JSON, encrypted if the request asked for that (ENC-6). `status` is 200 or 202: error
    /// answers are never encrypted.
    pub(super) fn answer<R>(&self, status: u16, body: &impl Serialize) -> Result<Answer, Failure<R>> {
        let json = serde_json::to_vec(body).map_err(|error| Failure::Internal(error.into()))?;
        let content = match &self.0 {
            None => Content::Json(json),
            Some(encryption) => {
                let json = Zeroizing::new(json);
                Content::Jwt(encryption.encrypt(&json).map_err(|error| Failure::Internal(error.into()))?)
            }
        };
        Ok(Answer { status, content })
    }
}

/// Names only: content is personal data.
impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = match &self.content {
            Content::Json(_) => "JSON",
            Content::Jwt(_) => "JWE",
        };
        write!(f, "Answer({} with {kind})", self.status)
    }
}

/// For the wallet's developer.
pub(super) fn description(error: &EncryptionError) -> &'static str {
    match error {
        EncryptionError::Json(_) => "the decrypted body is not an acceptable JSON object",
        EncryptionError::NotAnObject { .. } | EncryptionError::Member { .. } => {
            "credential_response_encryption must be an object with jwk and enc, and perhaps zip"
        }
        EncryptionError::DraftShape => "this is the shape of a draft: alg belongs into the jwk",
        EncryptionError::Key(_) => "the jwk of credential_response_encryption is not usable",
        EncryptionError::Unsupported { .. } => "choose encryption parameters that the metadata list",
        EncryptionError::KeyInTheClear => "a request for an encrypted response must be encrypted itself",
        EncryptionError::RequestNotOffered | EncryptionError::ResponseNotOffered => "encryption is not supported",
        EncryptionError::RequestRequired => "the request must be encrypted",
        EncryptionError::ResponseRequired => "the request must ask for an encrypted response",
        EncryptionError::Jwe(_) => "the request cannot be decrypted",
    }
}

/// Our name for the cause.
pub(super) fn code(error: &EncryptionError) -> &'static str {
    match error {
        EncryptionError::Json(_) => "request_malformed",
        EncryptionError::RequestNotOffered | EncryptionError::ResponseNotOffered => "encryption_unsupported",
        EncryptionError::RequestRequired | EncryptionError::ResponseRequired => "encryption_required",
        EncryptionError::KeyInTheClear => "encryption_key_in_the_clear",
        EncryptionError::Jwe(_) => "request_undecryptable",
        EncryptionError::NotAnObject { .. }
        | EncryptionError::DraftShape
        | EncryptionError::Member { .. }
        | EncryptionError::Key(_)
        | EncryptionError::Unsupported { .. } => "encryption_parameters_wrong",
    }
}
