//! Events of exchanges, and where organisations want them to be sent.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{ExchangeEventId, ExchangeId, ExchangeStatus, Timestamp, WebhookDeliveryId, WebhookId};

/// What webhooks hear of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WebhookEvent {
    /// An exchange has come to a status.
    Status(ExchangeStatus),
    /// An offer is to be handed to an individual by the organisation's own messenger.
    IndividualOffer,
    /// So is the transaction code of an offer: the one event with a secret in it.
    IndividualPin,
}

impl WebhookEvent {
    /// Every event, in order.
    pub fn all() -> impl Iterator<Item = Self> {
        ExchangeStatus::ALL.into_iter().map(Self::Status).chain([Self::IndividualOffer, Self::IndividualPin])
    }

    /// Name in the database.
    pub fn name(self) -> &'static str {
        match self {
            Self::Status(status) => status.name(),
            Self::IndividualOffer => "individual_offer",
            Self::IndividualPin => "individual_pin",
        }
    }

    /// Reads [`WebhookEvent::name`].
    pub fn parse(name: &str) -> Option<Self> {
        Self::all().find(|event| event.name() == name)
    }
}

/// Something about an exchange that somebody wants to hear of. An exchange has each event once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExchangeEvent {
    /// Time-ordered id.
    pub id: ExchangeEventId,
    /// The exchange.
    pub exchange_id: ExchangeId,
    /// What happened.
    pub event: WebhookEvent,
    /// When.
    pub at: Timestamp,
}

/// Where an organisation wants events to be sent.
#[derive(Clone, Debug)]
pub struct Webhook {
    /// Admin-side id.
    pub id: WebhookId,
    /// Receives the events; unique in the organisation.
    pub url: String,
    /// Form of the body.
    pub content_type: WebhookContentType,
    /// What it hears of.
    pub events: Vec<WebhookEvent>,
    /// Whether nothing is sent.
    pub disabled: bool,
    /// Why it was disabled, when it was not the organisation that did.
    pub disabled_reason: Option<String>,
    /// When it was disabled.
    pub disabled_at: Option<Timestamp>,
    /// Since when every attempt has failed.
    pub failing_since: Option<Timestamp>,
    /// Sealed [`WebhookSecrets`].
    pub sealed_secrets: Vec<u8>,
    /// When it was created.
    pub created_at: Timestamp,
    /// When the organisation last changed it.
    pub updated_at: Timestamp,
}

/// What requests to a server of the organisation are signed with: two secrets while it changes over.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookSecrets {
    /// Signs.
    pub current: String,
    /// Signs as well until `previous_until`.
    pub previous: Option<String>,
    /// End of the previous secret's life.
    pub previous_until: Option<Timestamp>,
}

impl WebhookSecrets {
    /// One secret.
    pub fn of(secret: String) -> Self {
        Self { current: secret, previous: None, previous_until: None }
    }

    /// Signs with `secret` from now on, and until `until` with the one before it as well. The same secret changes nothing.
    pub fn replace(&mut self, secret: String, until: Timestamp) {
        if secret != self.current {
            self.previous = Some(std::mem::replace(&mut self.current, secret));
            self.previous_until = Some(until);
        }
    }

    /// The secrets that sign at `now`, the newest first.
    pub fn live(&self, now: Timestamp) -> impl Iterator<Item = &str> {
        let previous = self.previous.as_deref().filter(|_| self.previous_until.is_some_and(|until| now < until));
        std::iter::once(self.current.as_str()).chain(previous)
    }
}

impl fmt::Debug for WebhookSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookSecrets(sealed)")
    }
}

/// Form of a delivery's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum WebhookContentType {
    /// The event as JSON.
    #[serde(rename = "application/json")]
    Json,
    /// A form whose member `payload` is that JSON.
    #[serde(rename = "application/x-www-form-urlencoded")]
    Form,
}

impl WebhookContentType {
    /// The media type.
    pub fn name(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Form => "application/x-www-form-urlencoded",
        }
    }
}

/// One event on its way to one webhook, or arrived there.
#[derive(Clone, Debug)]
pub struct WebhookDelivery {
    /// Id that stays the same through all attempts.
    pub id: WebhookDeliveryId,
    /// The webhook.
    pub webhook_id: WebhookId,
    /// The exchange.
    pub exchange_id: ExchangeId,
    /// What happened.
    pub event: WebhookEvent,
    /// When it happened.
    pub event_at: Timestamp,
    /// Where it stands.
    pub state: DeliveryState,
    /// Attempts so far.
    pub attempts: u32,
    /// While pending: not attempted before this instant.
    pub next_attempt_at: Timestamp,
    /// The last attempt; `None` when there was none.
    pub last_attempt: Option<DeliveryAttempt>,
    /// Why the last attempt failed, or why there was none.
    pub failure: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// What came of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryAttempt {
    /// When it began.
    pub at: Timestamp,
    /// How long it took, in milliseconds.
    pub duration: u32,
    /// HTTP status of the answer, when there was one.
    pub status: Option<u16>,
    /// The first characters of the answer, redacted.
    pub excerpt: Option<String>,
}

/// Where a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeliveryState {
    /// Waits for its first or next attempt.
    Pending,
    /// The receiver took it.
    Completed,
    /// Given up: the dead letter, until somebody has it replayed.
    Failed,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_that_stays_the_same_does_not_push_the_previous_one_out() {
        let (first, second) = (Timestamp::from_seconds(100), Timestamp::from_seconds(200));
        let mut secrets = WebhookSecrets::of("old".to_owned());
        secrets.replace("new".to_owned(), first);
        secrets.replace("new".to_owned(), second);
        assert_eq!(secrets.live(Timestamp::from_seconds(99)).collect::<Vec<_>>(), ["new", "old"]);
        assert_eq!(secrets.previous_until, Some(first));
    }

    #[test]
    fn a_previous_secret_signs_until_its_end() {
        let end = Timestamp::from_seconds(100);
        let secrets =
            WebhookSecrets { current: "new".to_owned(), previous: Some("old".to_owned()), previous_until: Some(end) };
        let live = |at| secrets.live(Timestamp::from_seconds(at)).collect::<Vec<_>>();
        assert_eq!(live(99), ["new", "old"]);
        assert_eq!(live(100), ["new"]);
    }
}
