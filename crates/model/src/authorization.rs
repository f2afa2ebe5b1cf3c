//! An authorization request on its way to a code.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chancery_formats::ClaimPath;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::{AuthorizationId, DefinitionId, EntryId, Env, ExchangeId, SecretHash, Submission, Timestamp};

/// One authorization request, from its arrival to the redemption of its code.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Authorization {
    /// Names the request, and opens nothing.
    pub id: AuthorizationId,
    /// The client that asks, authenticated as far as the policy demands.
    pub client_id: String,
    /// Where the answer goes, byte for byte.
    pub redirect_uri: String,
    /// Whether the request named it, so that the token request must repeat it (RFC 6749 §4.1.3).
    pub redirect_uri_named: bool,
    /// What the client wants back, unchanged.
    pub state: Option<String>,
    /// What the code verifier must hash to, by `S256` (RFC 7636).
    pub code_challenge: Option<String>,
    /// Definition that everything asked for belongs to.
    pub definition_id: DefinitionId,
    /// Version of that definition.
    pub definition_revision: u32,
    /// What is asked for, at least one.
    pub requested: Vec<RequestedCredential>,
    /// Whether it was asked for by `authorization_details`, so that the token response names identifiers (TOK-7).
    pub by_details: bool,
    /// The exchange that `issuer_state` names.
    pub exchange_id: Option<ExchangeId>,
    /// Thumbprint of the DPoP key that the code is bound to (RFC 9449 §10).
    pub dpop_jkt: Option<String>,
    /// Thumbprint of the wallet instance key that a pushed request was attested with; the token request must prove it too.
    pub instance_thumbprint: Option<String>,
    /// Hash of the `request_uri`; `None` when the request was not pushed.
    pub request_uri_hash: Option<SecretHash>,
    /// From this instant on the `request_uri` begins nothing any more.
    pub request_uri_expires_at: Option<Timestamp>,
    /// How far it has come.
    pub status: AuthorizationStatus,
    /// Hash of the secret that ties it to the browser in which the person signed in.
    pub browser_hash: Option<SecretHash>,
    /// Sealed [`SignedIn`].
    pub sealed_signed_in: Option<Vec<u8>>,
    /// BCP 47 tag of the language that the person reads.
    pub locale: Option<String>,
    /// Hash of the code that was redeemed.
    pub code_hash: Option<SecretHash>,
    /// From this instant on nobody can sign in or consent any more.
    pub expires_at: Timestamp,
    /// When it arrived.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

impl Authorization {
    /// The exchange that it goes back to, or the one that began when its code was redeemed, which has its id.
    pub fn exchange(&self) -> Option<ExchangeId> {
        let begun = (self.status == AuthorizationStatus::Spent).then(|| self.begins());
        self.exchange_id.or(begun)
    }

    /// The exchange that the redemption of its code begins when it goes back to none.
    pub fn begins(&self) -> ExchangeId {
        self.id.as_uuid().into()
    }
}

/// One configuration that is asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RequestedCredential {
    /// The definition's entry.
    pub entry: EntryId,
    /// Its published configuration id.
    pub configuration_id: String,
    /// The claims asked for; empty for all (OpenID4VCI Appendix B.1).
    pub claims: Vec<RequestedClaim>,
}

/// One claim, or several, that the wallet asks for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RequestedClaim {
    /// Which.
    pub path: ClaimPath,
    /// Whether the wallet takes no credential without it.
    pub mandatory: bool,
}

/// What a sign-in yielded, sealed with the authorization.
#[derive(Clone, Serialize, Deserialize)]
pub struct SignedIn {
    /// Who signed in, as the provider calls the person.
    pub subject: Option<String>,
    /// The claims for each entry that was asked for.
    pub submissions: Vec<Submission>,
    /// The ID token: `header` and `claims`, of which those that are about the person are only named.
    #[serde(default)]
    pub id_token: Value,
}

impl fmt::Debug for SignedIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SignedIn(sealed)")
    }
}

/// How far an authorization request has come, in the order in which a granted one goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuthorizationStatus {
    /// Pushed; nobody has signed in for it. That browsers came with it is not remembered.
    Pushed,
    /// A browser came with it, without a push; nobody has signed in for it.
    Requested,
    /// The person has signed in. That the person has consented is in the code, and nowhere else.
    SignedIn,
    /// A code was redeemed.
    Spent,
    /// Given up: refused, or cancelled by the person.
    Failed,
}

impl AuthorizationStatus {
    /// Every status, in order.
    pub const ALL: [Self; 5] = [Self::Pushed, Self::Requested, Self::SignedIn, Self::Spent, Self::Failed];

    /// Name in the database.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pushed => "pushed",
            Self::Requested => "requested",
            Self::SignedIn => "signed_in",
            Self::Spent => "spent",
            Self::Failed => "failed",
        }
    }

    /// Whether a person may still sign in. Browsers may come with the request any number of times until somebody has: a link
    /// preview must not use it up (RFC 9126 §4).
    pub fn awaits_sign_in(self) -> bool {
        matches!(self, Self::Pushed | Self::Requested)
    }

    /// Whether it may go from this status to `next`.
    pub fn may_become(self, next: Self) -> bool {
        match next {
            Self::Pushed | Self::Requested => false,
            Self::SignedIn => self.awaits_sign_in(),
            Self::Spent => self == Self::SignedIn,
            Self::Failed => matches!(self, Self::Pushed | Self::Requested | Self::SignedIn),
        }
    }
}

/// The secret of a `request_uri`. It names the request, so that it is found by its id: base64url(16 bytes id ‖ 32 random
/// bytes), 64 characters.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct RequestUriSecret {
    /// The request it claims to belong to; proven only by its hash there.
    pub authorization: AuthorizationId,
    /// What is stored.
    pub hash: SecretHash,
}

impl RequestUriSecret {
    /// A new secret for `authorization`, and its text.
    pub fn generate(authorization: AuthorizationId, env: &Env) -> (Self, String) {
        let mut bytes = authorization.as_uuid().as_bytes().to_vec();
        bytes.extend_from_slice(&env.random::<32>());
        let text = URL_SAFE_NO_PAD.encode(bytes);
        (Self { authorization, hash: SecretHash::of(&text) }, text)
    }

    /// Reads a text; `None` when it cannot be one.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok().filter(|bytes| bytes.len() == 48)?;
        let authorization = Uuid::from_slice(bytes.get(..16)?).ok()?.into();
        Some(Self { authorization, hash: SecretHash::of(text) })
    }
}

#[cfg(test)]
mod tests {
    use super::AuthorizationStatus::{self, *};
    use super::*;

    #[test]
    fn a_secret_names_its_request_and_survives_a_round_trip() {
        let env = Env::system();
        let id = AuthorizationId::from(env.uuid(env.now()));
        let (secret, text) = RequestUriSecret::generate(id, &env);
        assert!(RequestUriSecret::parse(&text) == Some(secret));
        for other in ["", "short", &text[1..], &format!("{text}AAAA"), &"=".repeat(64)] {
            assert!(RequestUriSecret::parse(other).is_none(), "{other}");
        }
    }

    #[test]
    fn a_status_moves_back_nowhere_and_ends_spent_or_failed() {
        for from in AuthorizationStatus::ALL {
            for to in AuthorizationStatus::ALL {
                assert!(!from.may_become(to) || from < to, "{from:?} -> {to:?}");
            }
            assert!(!Spent.may_become(from) && !Failed.may_become(from));
            assert_eq!(serde_json::to_value(from).unwrap(), from.name());
        }
    }
}
