//! Authorization codes.
//!
//! Making one writes nothing: it says itself that the person has consented, to what, and until when, and proves it by a key of
//! ours. What the database knows is whether one was redeemed. 56 bytes in base64url:
//!
//! ```text
//! authorization request (16 bytes) | end (8 bytes, big-endian seconds) | HMAC-SHA-256 (32 bytes)
//! ```

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chancery_keys::MacKey;
use chancery_model::{AuthorizationId, Organisation, SecretHash, Timestamp};
use uuid::Uuid;

use crate::Context;

const ID_LENGTH: usize = 16;
const END_LENGTH: usize = 8;
const STATED_LENGTH: usize = ID_LENGTH + END_LENGTH;

/// Lifetime in seconds (AUT-15, FAPI 2.0 §5.3.2.1).
const LIFETIME: u32 = 60;

/// A code that this server made.
#[derive(Clone, Copy)]
pub(super) struct Code {
    /// The request that the person has consented to.
    pub(super) authorization: AuthorizationId,
    /// From this instant on it is refused.
    pub(super) expires_at: Timestamp,
    /// By which it is known once it is redeemed.
    pub(super) hash: SecretHash,
}

impl Code {
    /// The text of a code for a request to which the person consents now.
    pub(super) fn mint(
        context: &Context,
        organisation: &Organisation,
        authorization: AuthorizationId,
        now: Timestamp,
    ) -> String {
        let mut token = authorization.as_uuid().as_bytes().to_vec();
        token.extend(now.plus_seconds(LIFETIME).seconds().to_be_bytes());
        let mac = context.code_keys().current().mac(&message(organisation, &token));
        token.extend(mac);
        URL_SAFE_NO_PAD.encode(token)
    }

    /// The code with this text; `None` unless it was made here for this organisation.
    pub(super) fn read(context: &Context, organisation: &Organisation, text: &str) -> Option<Self> {
        if text.len() > 128 {
            return None;
        }
        let token = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (stated, mac) = token.split_at_checked(STATED_LENGTH)?;
        let message = message(organisation, stated);
        let proves = |key: &MacKey| key.verify(&message, mac).is_ok();
        if !context.code_keys().iter().any(proves) {
            return None;
        }
        let (id, end) = stated.split_first_chunk::<ID_LENGTH>()?;
        let end = i64::from_be_bytes(*end.first_chunk::<END_LENGTH>()?);
        Some(Self {
            authorization: Uuid::from_bytes(*id).into(),
            expires_at: Timestamp::from_seconds(end),
            hash: SecretHash::of(text),
        })
    }
}

/// Of parts of fixed lengths, so that no two are equal.
fn message(organisation: &Organisation, stated: &[u8]) -> Vec<u8> {
    [b"chancery authorization code 1".as_slice(), organisation.id.as_uuid().as_bytes(), stated].concat()
}
