//! The front channel: what a browser carries between the wallet, the person and the identity provider
//! (OpenID4VCI §5.2, §5.3; RFC 9700).
//!
//! [`authorize`] sends the browser to the provider, [`sign_in`] takes it back from there and binds the request to it,
//! [`consent`] shows what would go into the credential and takes the decision. The binding is a secret in a cookie of that one
//! authorization; nothing that a wallet or a stranger sends can stand in for it.

pub mod authorize;
pub mod consent;
pub mod sign_in;

mod claims;
mod rejection;
mod shown;
mod sign_in_state;

use chancery_model::{Authorization, AuthorizationId, Organisation, SecretHash};
use chancery_protocol::authorization::{AuthorizationResponse, Outcome, RedirectUri};

pub use rejection::Rejection;
pub use shown::{Label, Shown, ShownClaim, ShownCredential, ShownValue};

use super::trail::Trail;
use super::{Refusal, authorization_request};
use crate::{Context, Failure};

/// Time for signing in and deciding, in seconds.
pub(super) const TIME: u32 = 600;

/// Where the browser goes next, by a 303.
#[derive(Clone)]
pub struct Onward {
    /// The value of `Location`. Secret: it may hold a code.
    pub location: String,
    /// A cookie to set.
    pub cookie: Option<Cookie>,
}

impl std::fmt::Debug for Onward {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Onward")
    }
}

/// A cookie for this host alone, out of reach of scripts, sent with links and not with forms of other sites.
#[derive(Clone)]
pub struct Cookie {
    /// Its name, with the prefix `__Host-` where the issuer identifier is `https`.
    pub name: String,
    /// Its value; secret.
    pub value: String,
    /// Seconds.
    pub max_age: u32,
    /// Whether it is sent over TLS only.
    pub secure: bool,
}

/// What the browser sent along.
#[derive(Clone, Copy)]
pub struct Browser<'r> {
    /// Its cookies, by name and value.
    pub cookies: &'r [(String, String)],
    /// Languages that the person reads, best first, as BCP 47 tags.
    pub languages: &'r [String],
}

impl Browser<'_> {
    /// The secret that binds `authorization` to it.
    fn secret(&self, organisation: &Organisation, authorization: AuthorizationId) -> Option<&str> {
        self.cookie(organisation, authorization).map(|(secret, _)| secret)
    }

    /// The language that was asked for when `authorization` began.
    fn language(&self, organisation: &Organisation, authorization: AuthorizationId) -> Option<&str> {
        self.cookie(organisation, authorization).map(|(_, tag)| tag).filter(|tag| is_language(tag))
    }

    /// Secret and language, as [`Cookie::of`] puts them together.
    fn cookie(&self, organisation: &Organisation, authorization: AuthorizationId) -> Option<(&str, &str)> {
        let name = cookie_name(organisation, authorization);
        let value = self.cookies.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())?;
        Some(value.split_once('.').unwrap_or((value, "")))
    }

    /// The hash of its secret, when it is the browser that signed in for `authorization`.
    fn owns(&self, organisation: &Organisation, authorization: &Authorization) -> Option<SecretHash> {
        let hash = SecretHash::of(self.secret(organisation, authorization.id)?);
        (authorization.browser_hash == Some(hash)).then_some(hash)
    }
}

impl Cookie {
    /// The cookie of one authorization: `secret`, and the language in which the person is to be spoken to.
    fn of(organisation: &Organisation, authorization: AuthorizationId, secret: &str, language: Option<&str>) -> Self {
        let value = match language {
            Some(tag) => format!("{secret}.{tag}"),
            None => secret.to_owned(),
        };
        let name = cookie_name(organisation, authorization);
        Self { name, value, max_age: TIME, secure: is_secure(organisation) }
    }
}

/// Whether `tag` has the form of a BCP 47 language tag.
fn is_language(tag: &str) -> bool {
    (1..=35).contains(&tag.len())
        && tag.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && tag.starts_with(|first: char| first.is_ascii_alphabetic())
}

/// One cookie per authorization, so that two tabs do not meet.
fn cookie_name(organisation: &Organisation, authorization: AuthorizationId) -> String {
    let prefix = if is_secure(organisation) { "__Host-" } else { "" };
    format!("{prefix}sign-in-{}", authorization.as_uuid().simple())
}

/// A plain `http` issuer is on the loopback interface, where some browsers take no `Secure` cookies.
fn is_secure(organisation: &Organisation) -> bool {
    organisation.issuer.as_str().starts_with("https:")
}

/// A rejection, and where to tell it: to the wallet at this address, else to the person.
struct Refused {
    rejection: Rejection,
    address: Option<Address>,
}

/// Where a wallet takes answers.
#[derive(Clone)]
struct Address {
    redirect_uri: RedirectUri,
    state: Option<String>,
    /// Whether the client registered it. Anybody may name any other one, and push it, too; whoever opens a link of theirs
    /// is sent nowhere before having signed in or said no (RFC 9700 §4.11.2).
    is_registered: bool,
}

impl Address {
    /// That of a request whose `redirect_uri` was checked when it arrived.
    fn of<R>(organisation: &Organisation, authorization: &Authorization) -> Result<Self, Failure<R>> {
        let redirect_uri = RedirectUri::parse(&authorization.redirect_uri);
        let redirect_uri = redirect_uri.map_err(|error| Failure::Internal(anyhow::anyhow!("{error}")))?;
        Ok(Self::at(organisation, &authorization.client_id, redirect_uri, authorization.state.clone()))
    }

    fn at(organisation: &Organisation, client_id: &str, redirect_uri: RedirectUri, state: Option<String>) -> Self {
        let is_registered = authorization_request::is_registered(organisation, client_id, &redirect_uri);
        Self { redirect_uri, state, is_registered }
    }

    fn answer(&self, organisation: &Organisation, outcome: Outcome<'_>) -> Onward {
        let response = AuthorizationResponse {
            redirect_uri: &self.redirect_uri,
            state: self.state.as_deref(),
            issuer: &organisation.issuer,
            outcome,
        };
        Onward { location: response.location(), cookie: None }
    }

    /// A refusal that the wallet is told where its address is registered; else it is shown to the person.
    fn refuse(&self, rejection: impl Into<Rejection>) -> Failure<Refused> {
        Failure::Rejected(self.refused(rejection))
    }

    fn refused(&self, rejection: impl Into<Rejection>) -> Refused {
        Refused { rejection: rejection.into(), address: self.is_registered.then(|| self.clone()) }
    }

    /// A refusal that the wallet is told in any case: the person has signed in, or has said no.
    fn refuse_after_answer(&self, rejection: impl Into<Rejection>) -> Failure<Refused> {
        Failure::Rejected(Refused { rejection: rejection.into(), address: Some(self.clone()) })
    }
}

/// A refusal that is shown to the person.
fn show(rejection: impl Into<Rejection>) -> Failure<Refused> {
    Failure::Rejected(Refused { rejection: rejection.into(), address: None })
}

/// Writes a refusal down, and sends the wallet its part of it; what is for the person comes back as an error.
async fn settle(
    context: &Context,
    organisation: &Organisation,
    trail: Trail,
    failure: Failure<Refused>,
) -> Result<Onward, Failure<Refusal<Rejection>>> {
    let mut address = None;
    let failure = failure.map_rejection(|refused| {
        address = refused.address;
        refused.rejection
    });
    match (context.conclude(organisation, trail, failure).await, address) {
        (Failure::Rejected(refusal), Some(address)) => {
            let mut description = refusal.rejection.description();
            if let Some(code) = &refusal.support_code {
                description.push_str(&format!(" (support code {code})"));
            }
            let outcome = Outcome::Error { code: refusal.rejection.code(), description: Some(&description) };
            Ok(address.answer(organisation, outcome))
        }
        (failure, _) => Err(failure),
    }
}
