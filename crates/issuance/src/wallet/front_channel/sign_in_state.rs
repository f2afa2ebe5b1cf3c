//! The `state` of our own request to an organisation's provider (OpenID Connect Core 1.0 §3.1.2.1).
//!
//! Beginning a sign-in writes nothing: what has to be known when the browser comes back is in the state, or follows from it
//! by a key of ours. 64 bytes in base64url:
//!
//! ```text
//! authorization request (16 bytes) | end (8 bytes, big-endian seconds) | hash of the provider (8 bytes) | random (16 bytes) | HMAC-SHA-256, first 16 bytes
//! ```

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chancery_keys::{MacKey, sha256};
use chancery_model::{AuthorizationId, Organisation, Timestamp};
use subtle::ConstantTimeEq as _;
use uuid::Uuid;

use crate::Context;
use crate::provider::Departure;

const ID_LENGTH: usize = 16;
const END_LENGTH: usize = 8;
const PROVIDER_LENGTH: usize = 8;
const RANDOM_LENGTH: usize = 16;
const STATED_LENGTH: usize = ID_LENGTH + END_LENGTH + PROVIDER_LENGTH + RANDOM_LENGTH;
const MAC_LENGTH: usize = 16;

/// What follows from a state.
#[derive(Clone, Copy)]
enum Secret {
    Proof = 0,
    Browser = 1,
    Nonce = 2,
    CodeVerifier = 3,
}

/// A state that this server made.
pub(super) struct SignInState {
    /// The request that the person signs in for.
    pub(super) authorization: AuthorizationId,
    /// From this instant on it is too late to come back.
    pub(super) expires_at: Timestamp,
    provider: [u8; PROVIDER_LENGTH],
    /// The secret that binds the sign-in to one browser.
    pub(super) browser_secret: String,
    /// What the provider has to be told, and to tell.
    pub(super) departure: Departure,
}

impl SignInState {
    /// A state with which the person leaves for the provider with this issuer identifier, and its text.
    pub(super) fn mint(
        context: &Context,
        organisation: &Organisation,
        provider: &str,
        authorization: AuthorizationId,
        expires_at: Timestamp,
    ) -> (Self, String) {
        let mut token = authorization.as_uuid().as_bytes().to_vec();
        token.extend(expires_at.seconds().to_be_bytes());
        token.extend(hash_of(provider));
        token.extend(context.env().random::<RANDOM_LENGTH>());
        let key = context.sign_in_keys().current();
        let state = Self {
            authorization,
            expires_at,
            provider: hash_of(provider),
            browser_secret: derived(key, organisation, Secret::Browser, &token),
            departure: departure(key, organisation, &token),
        };
        token.extend(mac(key, organisation, Secret::Proof, &token).iter().take(MAC_LENGTH));
        (state, URL_SAFE_NO_PAD.encode(token))
    }

    /// The state with this text; `None` unless it was made here for this organisation.
    pub(super) fn read(context: &Context, organisation: &Organisation, text: &str) -> Option<Self> {
        if text.len() > 128 {
            return None;
        }
        let token = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (stated, proof) = token.split_at_checked(STATED_LENGTH)?;
        let proves = |key: &&MacKey| {
            let expected = mac(key, organisation, Secret::Proof, stated);
            expected.first_chunk::<MAC_LENGTH>().is_some_and(|expected| bool::from(expected.ct_eq(proof)))
        };
        let key = context.sign_in_keys().iter().find(proves)?;
        let (id, rest) = stated.split_first_chunk::<ID_LENGTH>()?;
        let (end, rest) = rest.split_first_chunk::<END_LENGTH>()?;
        let provider = rest.first_chunk::<PROVIDER_LENGTH>()?;
        Some(Self {
            authorization: Uuid::from_bytes(*id).into(),
            expires_at: Timestamp::from_millis(i64::from_be_bytes(*end).saturating_mul(1000)),
            provider: *provider,
            browser_secret: derived(key, organisation, Secret::Browser, stated),
            departure: departure(key, organisation, stated),
        })
    }

    /// Whether the person left for the provider with this issuer identifier: a mix-up defence, and the provider may be
    /// replaced meanwhile.
    pub(super) fn left_for(&self, provider: &str) -> bool {
        self.provider == hash_of(provider)
    }
}

fn departure(key: &MacKey, organisation: &Organisation, stated: &[u8]) -> Departure {
    Departure {
        nonce: derived(key, organisation, Secret::Nonce, stated),
        code_verifier: derived(key, organisation, Secret::CodeVerifier, stated),
    }
}

fn derived(key: &MacKey, organisation: &Organisation, secret: Secret, stated: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(mac(key, organisation, secret, stated))
}

/// Over parts of fixed lengths, so that no two inputs collide.
fn mac(key: &MacKey, organisation: &Organisation, secret: Secret, stated: &[u8]) -> [u8; 32] {
    let mut message = b"chancery sign-in 1".to_vec();
    message.push(secret as u8);
    message.extend_from_slice(organisation.id.as_uuid().as_bytes());
    message.extend_from_slice(stated);
    key.mac(&message)
}

fn hash_of(provider: &str) -> [u8; PROVIDER_LENGTH] {
    let mut hash = [0; PROVIDER_LENGTH];
    for (byte, of_all) in hash.iter_mut().zip(sha256(provider.as_bytes())) {
        *byte = of_all;
    }
    hash
}
