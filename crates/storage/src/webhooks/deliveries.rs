//! Events on their way to webhooks, and what came of them.

use chancery_model::{
    DeliveryAttempt, DeliveryState, ExchangeId, Timestamp, WebhookDelivery, WebhookDeliveryId, WebhookEvent, WebhookId,
};
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{ColumnTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, Set, UpdateMany};
use uuid::Uuid;

use crate::entity::webhook_delivery::{ActiveModel, Column, Entity, Model};
use crate::row::{Row, instant, to_name};
use crate::{Listed, Page, Read, StoreError, Transaction};

impl Read {
    /// The deliveries of one exchange, in the order of its steps.
    pub async fn deliveries_of(&self, exchange: ExchangeId) -> Result<Vec<WebhookDelivery>, StoreError> {
        let find = self.scope.find::<Entity>().filter(Column::ExchangeId.eq(exchange.as_uuid()));
        let rows = find.all(self.scope.connection()).await?;
        let mut deliveries = rows.into_iter().map(from_row).collect::<Result<Vec<_>, _>>()?;
        deliveries.sort_by_key(|delivery| delivery.event);
        Ok(deliveries)
    }

    /// A page of a webhook's deliveries; `state` restricts it.
    pub async fn deliveries(
        &self,
        webhook: WebhookId,
        state: Option<DeliveryState>,
        page: &Page,
    ) -> Result<Listed<WebhookDelivery>, StoreError> {
        let mut find = self.scope.find::<Entity>().filter(Column::WebhookId.eq(webhook.as_uuid()));
        if let Some(state) = state {
            find = find.filter(Column::State.eq(to_name(&state)?));
        }
        let total = find.clone().select_only().column(Column::Id).count(self.scope.connection()).await?;
        let rows = find.order_by(Column::Id, page.order.into()).offset(page.offset).limit(page.limit);
        let rows = rows.all(self.scope.connection()).await?;
        Ok(Listed { items: rows.into_iter().map(from_row).collect::<Result<_, _>>()?, total })
    }

    /// One delivery of a webhook.
    pub async fn delivery(
        &self,
        webhook: WebhookId,
        id: WebhookDeliveryId,
    ) -> Result<Option<WebhookDelivery>, StoreError> {
        let find = self.scope.find::<Entity>().filter(Column::Id.eq(id.as_uuid()));
        let row = find.filter(Column::WebhookId.eq(webhook.as_uuid())).one(self.scope.connection()).await?;
        row.map(from_row).transpose()
    }

    /// The latest delivery of a webhook that was attempted.
    pub async fn last_attempted_delivery(&self, webhook: WebhookId) -> Result<Option<WebhookDelivery>, StoreError> {
        let find = self.scope.find::<Entity>().filter(Column::WebhookId.eq(webhook.as_uuid()));
        let find = find.filter(Column::AttemptedAt.is_not_null()).order_by_desc(Column::Id);
        find.one(self.scope.connection()).await?.map(from_row).transpose()
    }
}

impl Transaction {
    /// Adds deliveries, with one statement. A webhook that has the event already does not get it once more.
    pub async fn add_deliveries(&self, deliveries: &[WebhookDelivery]) -> Result<(), StoreError> {
        let rows = deliveries.iter().map(to_row).collect::<Result<_, _>>()?;
        let key = [Column::OrganisationId, Column::ExchangeId, Column::WebhookId, Column::Event];
        let mut once = OnConflict::columns(key);
        once.do_nothing();
        self.scope.insert_all_or::<Entity>(rows, once).await?;
        Ok(())
    }

    /// Writes down what came of an attempt.
    pub async fn record_attempt(
        &self,
        delivery: &WebhookDelivery,
        attempt: &DeliveryAttempt,
    ) -> Result<(), StoreError> {
        let record = self
            .scope
            .update::<Entity>()
            .col_expr(Column::State, Expr::value(to_name(&delivery.state)?))
            .col_expr(Column::Attempts, Expr::value(i64::from(delivery.attempts)))
            .col_expr(Column::NextAttemptAt, Expr::value(delivery.next_attempt_at.millis()))
            .col_expr(Column::AttemptedAt, Expr::value(attempt.at.millis()))
            .col_expr(Column::Duration, Expr::value(i64::from(attempt.duration)))
            .col_expr(Column::ResponseStatus, Expr::value(attempt.status.map(i64::from)))
            .col_expr(Column::ResponseExcerpt, Expr::value(attempt.excerpt.clone()))
            .col_expr(Column::Failure, Expr::value(delivery.failure.clone()))
            .filter(Column::Id.eq(delivery.id.as_uuid()));
        self.scope.happened(record).await?;
        Ok(())
    }

    /// Gives up what still waits for one of `webhooks` in an exchange.
    pub async fn give_up_deliveries(
        &self,
        exchange: ExchangeId,
        webhooks: &[WebhookId],
        reason: &str,
    ) -> Result<(), StoreError> {
        let ids: Vec<Uuid> = webhooks.iter().map(|id| id.as_uuid()).collect();
        let give_up = self
            .scope
            .update::<Entity>()
            .col_expr(Column::State, Expr::value(to_name(&DeliveryState::Failed)?))
            .col_expr(Column::Failure, Expr::value(reason))
            .filter(Column::ExchangeId.eq(exchange.as_uuid()))
            .filter(Column::WebhookId.is_in(ids))
            .filter(Column::State.eq(to_name(&DeliveryState::Pending)?));
        give_up.exec(self.scope.connection()).await?;
        Ok(())
    }

    /// Lets a delivery begin again; its exchange, or `None` when it is unknown.
    pub async fn replay_delivery(
        &self,
        webhook: WebhookId,
        id: WebhookDeliveryId,
        now: Timestamp,
    ) -> Result<Option<ExchangeId>, StoreError> {
        let replay = self.replay(webhook, now)?.filter(Column::Id.eq(id.as_uuid()));
        Ok(self.scope.updated(replay).await?.map(|model| model.exchange_id.into()))
    }

    /// Lets all deliveries of a webhook begin again whose event happened at `since` or later; `failed_only` leaves out
    /// those that arrived. At most `limit` at once, in the order of their ids from above `after`; the ids of deliveries
    /// and their exchanges, to go on from.
    pub async fn replay_deliveries(
        &self,
        webhook: WebhookId,
        since: Timestamp,
        failed_only: bool,
        after: WebhookDeliveryId,
        limit: u64,
        now: Timestamp,
    ) -> Result<Vec<(WebhookDeliveryId, ExchangeId)>, StoreError> {
        let mut find = self
            .scope
            .find::<Entity>()
            .filter(Column::WebhookId.eq(webhook.as_uuid()))
            .filter(Column::EventAt.gte(since.millis()))
            .filter(Column::Id.gt(after.as_uuid()));
        if failed_only {
            find = find.filter(Column::State.eq(to_name(&DeliveryState::Failed)?));
        }
        let rows = find.order_by_asc(Column::Id).limit(limit).all(self.scope.connection()).await?;
        let chosen: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
        if !chosen.is_empty() {
            let replay = self.replay(webhook, now)?.filter(Column::Id.is_in(chosen));
            replay.exec(self.scope.connection()).await?;
        }
        Ok(rows.into_iter().map(|row| (row.id.into(), row.exchange_id.into())).collect())
    }

    fn replay(&self, webhook: WebhookId, now: Timestamp) -> Result<UpdateMany<Entity>, StoreError> {
        Ok(self
            .scope
            .update::<Entity>()
            .col_expr(Column::State, Expr::value(to_name(&DeliveryState::Pending)?))
            .col_expr(Column::Attempts, Expr::value(0))
            .col_expr(Column::NextAttemptAt, Expr::value(now.millis()))
            .filter(Column::WebhookId.eq(webhook.as_uuid())))
    }
}

fn to_row(delivery: &WebhookDelivery) -> Result<ActiveModel, StoreError> {
    Ok(ActiveModel {
        id: Set(delivery.id.as_uuid()),
        exchange_id: Set(delivery.exchange_id.as_uuid()),
        webhook_id: Set(delivery.webhook_id.as_uuid()),
        event: Set(delivery.event.name().to_owned()),
        event_at: Set(delivery.event_at.millis()),
        state: Set(to_name(&delivery.state)?),
        attempts: Set(i64::from(delivery.attempts)),
        next_attempt_at: Set(delivery.next_attempt_at.millis()),
        created_at: Set(delivery.created_at.millis()),
        ..Default::default()
    })
}

fn from_row(model: Model) -> Result<WebhookDelivery, StoreError> {
    let row = Row { table: "webhook_delivery", id: model.id };
    let last_attempt = match model.attempted_at {
        Some(at) => Some(DeliveryAttempt {
            at: instant(at),
            duration: row.number(model.duration.unwrap_or_default())?,
            status: model.response_status.map(|status| row.number(status)).transpose()?,
            excerpt: model.response_excerpt,
        }),
        None => None,
    };
    Ok(WebhookDelivery {
        id: model.id.into(),
        webhook_id: model.webhook_id.into(),
        exchange_id: model.exchange_id.into(),
        event: row.expect(WebhookEvent::parse(&model.event))?,
        event_at: instant(model.event_at),
        state: row.name(model.state)?,
        attempts: row.number(model.attempts)?,
        next_attempt_at: instant(model.next_attempt_at),
        last_attempt,
        failure: model.failure,
        created_at: instant(model.created_at),
    })
}
