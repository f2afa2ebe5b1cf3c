//! What wallets ask.

pub mod access;
pub mod authorization_request;
pub mod client;
pub mod credential;
pub mod deferred_credential;
pub mod encryption;
pub mod front_channel;
pub mod image;
pub mod metadata;
pub mod nonce;
pub mod notification;
pub mod offer;
pub mod organisation;
pub mod pushed_authorization;
pub mod status_list;
pub mod token;

mod code;
mod dpop;
pub(crate) mod redaction;
pub(crate) mod remembered;
mod trail;
mod waiting;

use std::sync::Arc;

use chancery_model::{Authorization, Definition, DefinitionId, Exchange, Organisation, Timestamp};
use chancery_storage::{Claim, Read};

use self::remembered::Ticket;
use crate::{Context, Failure};

/// A request header that may be there once.
#[derive(Clone, Copy, Debug)]
pub enum Header<'r> {
    /// Not there.
    Absent,
    /// There once.
    One(&'r str),
    /// There more than once.
    Repeated,
    /// There, with characters outside ASCII.
    Unreadable,
}

/// The request headers that a transcript keeps; no other ever gets there.
#[derive(Clone, Copy, Debug, Default)]
pub struct Notes<'r> {
    /// `User-Agent`.
    pub user_agent: Option<&'r str>,
    /// `Content-Type`; also decides whether the body is read.
    pub content_type: Option<&'r str>,
    /// `Content-Length`.
    pub content_length: Option<&'r str>,
    /// `traceparent`.
    pub traceparent: Option<&'r str>,
    /// `X-Request-Id`.
    pub request_id: Option<&'r str>,
}

impl Notes<'_> {
    /// Whether the content type is `expected`, parameters aside.
    fn has_media_type(&self, expected: &str) -> bool {
        let essence = self.content_type.and_then(|value| value.split(';').next()).unwrap_or_default();
        essence.trim().eq_ignore_ascii_case(expected)
    }
}

/// A refusal, with the code under which the organisation finds it in the transcript.
#[derive(Debug)]
pub struct Refusal<R> {
    /// What was refused.
    pub rejection: R,
    /// Such as `K7QF-2M9X`; `None` when no exchange is known or nothing could be written down.
    pub support_code: Option<String>,
}

/// The definition in the version that `exchange` started with.
pub(crate) async fn definition_of<R>(read: &Read, exchange: &Exchange) -> Result<Arc<Definition>, Failure<R>> {
    revision_of(read, exchange.definition_id, exchange.definition_revision).await
}

/// The definition in the version that the authorization request began with.
pub(crate) async fn definition_asked_for<R>(
    read: &Read,
    authorization: &Authorization,
) -> Result<Arc<Definition>, Failure<R>> {
    revision_of(read, authorization.definition_id, authorization.definition_revision).await
}

/// The authorization request for which a step presents `ticket`: as the last step at this process left it, or else looked
/// up.
async fn authorization_with<R>(
    context: &Context,
    organisation: &Organisation,
    ticket: Ticket,
) -> Result<Option<Arc<Authorization>>, Failure<R>> {
    if let Some(remembered) = context.remembered().authorization(organisation, ticket) {
        return Ok(Some(remembered));
    }
    let read = context.store().read(organisation).await?;
    let (id, request_uri_hash) = match ticket {
        Ticket::RequestUri(secret) => (secret.authorization, Some(secret.hash)),
        Ticket::SignIn(id) | Ticket::SignedIn(id) => (id, None),
    };
    let found = match (read.authorization(id).await?, ticket) {
        (None, Ticket::RequestUri(_) | Ticket::SignIn(_)) => context.waiting(organisation, id).await?,
        (found, _) => found,
    };
    let is_it = |found: &Authorization| request_uri_hash.is_none() || found.request_uri_hash == request_uri_hash;
    Ok(found.filter(is_it).map(Arc::new))
}

async fn revision_of<R>(read: &Read, id: DefinitionId, revision: u32) -> Result<Arc<Definition>, Failure<R>> {
    let found = read.definition_at(id, revision).await?;
    found.ok_or_else(|| Failure::Internal(anyhow::anyhow!("definition {id} has no revision {revision}")))
}

impl Context {
    /// Remembers until `expires_at` (unix seconds) that `value` was used, and says whether it was used before.
    ///
    /// Keys carry the organisation: what one uses up, another may still accept.
    async fn claim_use<R>(
        &self,
        organisation: &Organisation,
        kind: &'static str,
        value: &str,
        expires_at: i64,
        now: Timestamp,
    ) -> Result<Claim, Failure<R>> {
        let key = format!("{kind}:{}:{value}", organisation.id);
        let claimed = self.replay().claim(&key, Timestamp::from_seconds(expires_at), now).await;
        claimed.map_err(|error| Failure::Unavailable(error.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::Notes;

    #[test]
    fn a_media_type_is_compared_without_case_and_parameters() {
        let notes = |content_type| Notes { content_type: Some(content_type), ..Notes::default() };
        assert!(notes("Application/JSON; charset=utf-8").has_media_type("application/json"));
        assert!(!notes("application/jsonp").has_media_type("application/json"));
        assert!(!Notes::default().has_media_type("application/json"));
    }
}
