//! Steps of exchanges are announced to whoever listens: webhooks, and those who watch.
//!
//! An announcement rides in the unit of work of its step, so that there is neither a step without its announcement nor
//! an announcement without its step. Organisations to whom nobody listens pay nothing: who listens is remembered for
//! [`Listeners::LIFETIME`]. A listener that is new begins to hear within that time at processes other than the one where
//! it was made, which forgets at once.

use std::sync::Arc;
use std::time::Duration;

use chancery_model::{
    ExchangeEvent, ExchangeId, ExchangeStatus, Organisation, OrganisationId, Timestamp, WebhookEvent, WorkKind,
};
use chancery_storage::{StoreError, Transaction};
use moka::future::Cache;

use crate::Context;

/// Who listens to an organisation.
pub(crate) struct Listening {
    /// What some webhook hears of.
    webhooks: Vec<WebhookEvent>,
    /// Until when somebody watches everything.
    watched_until: Option<Timestamp>,
}

/// Who listens, by organisation.
pub(crate) struct Listeners(Cache<OrganisationId, Arc<Listening>>);

impl Default for Listeners {
    fn default() -> Self {
        Self(Cache::builder().max_capacity(10_000).time_to_live(Self::LIFETIME).build())
    }
}

impl Listeners {
    /// How long an answer is believed without asking the database.
    pub(crate) const LIFETIME: Duration = Duration::from_secs(5);

    /// Asks again next time, after a listener of the organisation changed.
    pub(crate) async fn forget(&self, organisation: &Organisation) {
        self.0.invalidate(&organisation.id).await;
    }
}

/// Steps of one exchange, for those who listen.
#[derive(Debug)]
pub(crate) struct Announcement {
    events: Vec<ExchangeEvent>,
    /// What webhooks hear of.
    webhooks: Vec<WebhookEvent>,
    is_watched: bool,
    now: Timestamp,
}

impl Context {
    /// Prepares to announce that an exchange reaches these statuses. Ask before the unit of work of the step begins, and
    /// [`Announcement::record`] inside it.
    pub(crate) async fn announce(
        &self,
        organisation: &Organisation,
        exchange_id: ExchangeId,
        reached: &[ExchangeStatus],
        now: Timestamp,
    ) -> Result<Announcement, StoreError> {
        Ok(self.listening(organisation).await?.announce(self, exchange_id, reached, now))
    }

    /// Who listens, for a unit of work that learns only inside which exchange it is about.
    pub(crate) async fn listening(&self, organisation: &Organisation) -> Result<Arc<Listening>, StoreError> {
        let cache = &self.listeners().0;
        if let Some(known) = cache.get(&organisation.id).await {
            return Ok(known);
        }
        let read = self.store().read(organisation).await?;
        let mut webhooks: Vec<WebhookEvent> = Vec::new();
        for webhook in read.webhooks().await?.into_iter().filter(|webhook| !webhook.disabled) {
            webhooks.extend(webhook.events);
        }
        let watched_until = read.event_watch().await?.map(|watch| watch.until);
        let listening = Arc::new(Listening { webhooks, watched_until });
        drop(read);
        cache.insert(organisation.id, Arc::clone(&listening)).await;
        Ok(listening)
    }
}

impl Listening {
    /// Prepares to announce that an exchange reaches these statuses.
    pub(crate) fn announce(
        &self,
        ctx: &Context,
        exchange_id: ExchangeId,
        reached: &[ExchangeStatus],
        now: Timestamp,
    ) -> Announcement {
        self.announce_all(ctx, &[exchange_id], reached, now)
    }

    /// Prepares to announce that each of some exchanges reaches these statuses.
    pub(crate) fn announce_all(
        &self,
        ctx: &Context,
        exchanges: &[ExchangeId],
        reached: &[ExchangeStatus],
        now: Timestamp,
    ) -> Announcement {
        let is_watched = self.watched_until.is_some_and(|until| now < until);
        let reached = reached.iter().map(|status| WebhookEvent::Status(*status));
        let is_heard = |event: &WebhookEvent| is_watched || self.webhooks.contains(event);
        let heard: Vec<WebhookEvent> = reached.filter(is_heard).collect();
        let mut events = Vec::with_capacity(exchanges.len() * heard.len());
        for exchange_id in exchanges {
            let event = |event: &WebhookEvent| {
                let id = ctx.env().uuid(now).into();
                ExchangeEvent { id, exchange_id: *exchange_id, event: *event, at: now }
            };
            events.extend(heard.iter().map(event));
        }
        let webhooks = heard.into_iter().filter(|event| self.webhooks.contains(event)).collect();
        Announcement { events, webhooks, is_watched, now }
    }
}

impl Announcement {
    /// Whether nobody listens.
    pub(crate) fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// Rides in the unit of work of the step: nothing when nobody listens, else a statement, and one more for webhooks.
    pub(crate) async fn record(&self, tx: &Transaction) -> Result<(), StoreError> {
        if self.is_empty() {
            return Ok(());
        }
        tx.add_events(&self.events, self.is_watched).await?;
        let for_webhooks = self.events.iter().filter(|event| self.webhooks.contains(&event.event));
        let mut exchanges: Vec<_> = for_webhooks.map(|event| event.exchange_id.as_uuid()).collect();
        exchanges.dedup();
        tx.enqueue_all(WorkKind::Webhooks, &exchanges, self.now).await
    }
}
