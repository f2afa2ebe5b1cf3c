//! Webhooks of an organisation.

mod deliveries;

use chancery_model::{Timestamp, Webhook, WebhookEvent, WebhookId};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, QueryFilter, QueryOrder, Set};

use crate::entity::webhook::{ActiveModel, Column, Entity, Model};
use crate::entity::webhook_delivery;
use crate::error::is_unique_violation;
use crate::row::{Row, instant, maybe_instant, to_json, to_name};
use crate::scope::later;
use crate::{Read, StoreError, Transaction};

impl Read {
    /// All webhooks of the organisation, oldest first.
    pub async fn webhooks(&self) -> Result<Vec<Webhook>, StoreError> {
        let rows = self.scope.find::<Entity>().order_by_asc(Column::Id).all(self.scope.connection()).await?;
        rows.into_iter().map(from_row).collect()
    }

    /// One webhook.
    pub async fn webhook(&self, id: WebhookId) -> Result<Option<Webhook>, StoreError> {
        let row = self.scope.find::<Entity>().filter(Column::Id.eq(id.as_uuid())).one(self.scope.connection()).await?;
        row.map(from_row).transpose()
    }
}

impl Transaction {
    /// Adds a webhook; `false` when the organisation has one with this URL. Then give the unit of work up: a commit after
    /// that is refused.
    pub async fn add_webhook(&self, webhook: &Webhook) -> Result<bool, StoreError> {
        match self.scope.insert::<Entity>(to_row(webhook)?).await {
            Ok(()) => Ok(true),
            Err(error) if is_unique_violation(&error) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Replaces everything but the id and the time of creation, as long as nobody else did since `seen`: `Some(true)`.
    /// `Some(false)` when another webhook has the URL: then give the unit of work up. `None` when somebody was faster.
    pub async fn replace_webhook(&self, webhook: &Webhook, seen: Timestamp) -> Result<Option<bool>, StoreError> {
        let replace = self
            .scope
            .update::<Entity>()
            .col_expr(Column::Url, Expr::value(webhook.url.as_str()))
            .col_expr(Column::ContentType, Expr::value(to_name(&webhook.content_type)?))
            .col_expr(Column::Events, Expr::value(event_names(&webhook.events)?))
            .col_expr(Column::Disabled, Expr::value(webhook.disabled))
            .col_expr(Column::DisabledReason, Expr::value(webhook.disabled_reason.clone()))
            .col_expr(Column::DisabledAt, Expr::value(webhook.disabled_at.map(Timestamp::millis)))
            .col_expr(Column::FailingSince, Expr::value(webhook.failing_since.map(Timestamp::millis)))
            .col_expr(Column::SealedSecrets, Expr::value(webhook.sealed_secrets.clone()))
            .col_expr(Column::UpdatedAt, Expr::value(webhook.updated_at.millis()))
            .filter(Column::Id.eq(webhook.id.as_uuid()))
            .filter(Column::UpdatedAt.eq(seen.millis()));
        match self.scope.happened(replace).await {
            Ok(happened) => Ok(happened.then_some(true)),
            Err(error) if is_unique_violation(&error) => Ok(Some(false)),
            Err(error) => Err(error.into()),
        }
    }

    /// Deletes a webhook and its deliveries; `false` when it is unknown, or was changed since `seen`: then give the unit of
    /// work up.
    pub async fn delete_webhook(&self, id: WebhookId, seen: Option<Timestamp>) -> Result<bool, StoreError> {
        let deliveries = self
            .scope
            .delete::<webhook_delivery::Entity>()
            .filter(webhook_delivery::Column::WebhookId.eq(id.as_uuid()));
        deliveries.exec(self.scope.connection()).await?;
        let mut delete = self.scope.delete::<Entity>().filter(Column::Id.eq(id.as_uuid()));
        if let Some(seen) = seen {
            delete = delete.filter(Column::UpdatedAt.eq(seen.millis()));
        }
        Ok(delete.exec(self.scope.connection()).await?.rows_affected == 1)
    }

    /// Notes that attempts have begun to fail; no change when they did before.
    pub async fn note_webhook_failing(&self, id: WebhookId, since: Timestamp) -> Result<bool, StoreError> {
        let note = self
            .scope
            .update::<Entity>()
            .col_expr(Column::FailingSince, Expr::value(since.millis()))
            .filter(Column::Id.eq(id.as_uuid()))
            .filter(Column::FailingSince.is_null());
        Ok(self.scope.happened(note).await?)
    }

    /// Notes that an attempt succeeded; no change when the one before did as well.
    pub async fn note_webhook_working(&self, id: WebhookId) -> Result<bool, StoreError> {
        let note = self
            .scope
            .update::<Entity>()
            .col_expr(Column::FailingSince, Expr::value(None::<i64>))
            .filter(Column::Id.eq(id.as_uuid()))
            .filter(Column::FailingSince.is_not_null());
        Ok(self.scope.happened(note).await?)
    }

    /// Disables a webhook that is not; `false` when it is.
    pub async fn disable_webhook(&self, id: WebhookId, reason: &str, now: Timestamp) -> Result<bool, StoreError> {
        let disable = self
            .scope
            .update::<Entity>()
            .col_expr(Column::Disabled, Expr::value(true))
            .col_expr(Column::DisabledReason, Expr::value(reason))
            .col_expr(Column::DisabledAt, Expr::value(now.millis()))
            .col_expr(Column::UpdatedAt, later(Column::UpdatedAt, now))
            .filter(Column::Id.eq(id.as_uuid()))
            .filter(Column::Disabled.eq(false));
        Ok(self.scope.happened(disable).await?)
    }
}

fn to_row(webhook: &Webhook) -> Result<ActiveModel, StoreError> {
    Ok(ActiveModel {
        id: Set(webhook.id.as_uuid()),
        url: Set(webhook.url.clone()),
        content_type: Set(to_name(&webhook.content_type)?),
        events: Set(event_names(&webhook.events)?),
        disabled: Set(webhook.disabled),
        disabled_reason: Set(webhook.disabled_reason.clone()),
        disabled_at: Set(webhook.disabled_at.map(Timestamp::millis)),
        failing_since: Set(webhook.failing_since.map(Timestamp::millis)),
        sealed_secrets: Set(webhook.sealed_secrets.clone()),
        created_at: Set(webhook.created_at.millis()),
        updated_at: Set(webhook.updated_at.millis()),
        ..Default::default()
    })
}

fn from_row(model: Model) -> Result<Webhook, StoreError> {
    let row = Row { table: "webhook", id: model.id };
    Ok(Webhook {
        id: model.id.into(),
        url: model.url,
        content_type: row.name(model.content_type)?,
        events: events_named(&row, &model.events)?,
        disabled: model.disabled,
        disabled_reason: model.disabled_reason,
        disabled_at: maybe_instant(model.disabled_at),
        failing_since: maybe_instant(model.failing_since),
        sealed_secrets: model.sealed_secrets,
        created_at: instant(model.created_at),
        updated_at: instant(model.updated_at),
    })
}

fn event_names(events: &[WebhookEvent]) -> Result<String, StoreError> {
    to_json(&events.iter().map(|event| event.name()).collect::<Vec<_>>())
}

fn events_named(row: &Row<uuid::Uuid>, names: &str) -> Result<Vec<WebhookEvent>, StoreError> {
    let names: Vec<String> = row.json(names)?;
    names.iter().map(|name| row.expect(WebhookEvent::parse(name))).collect()
}
