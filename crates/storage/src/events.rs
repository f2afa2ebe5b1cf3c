//! What happens in exchanges and somebody wants to hear of.

use chancery_model::{ExchangeEvent, ExchangeId, WebhookEvent};
use sea_orm::sea_query::OnConflict;
use sea_orm::{ColumnTrait, QueryFilter, Set};

use crate::entity::exchange_event::{ActiveModel, Column, Entity, Model};
use crate::event_watches::UNNUMBERED;
use crate::row::{Row, instant};
use crate::{Read, StoreError, Transaction};

impl Read {
    /// The recorded steps of one exchange, in the order in which exchanges take them.
    pub async fn events_of(&self, exchange: ExchangeId) -> Result<Vec<ExchangeEvent>, StoreError> {
        let find = self.scope.find::<Entity>().filter(Column::ExchangeId.eq(exchange.as_uuid()));
        let rows = find.all(self.scope.connection()).await?;
        let mut events = rows.into_iter().map(from_row).collect::<Result<Vec<_>, _>>()?;
        events.sort_by_key(|event| event.event);
        Ok(events)
    }
}

impl Transaction {
    /// Records steps, with one statement; those of a watched organisation are to be numbered. Those that are recorded
    /// already stay as they are.
    pub async fn add_events(&self, events: &[ExchangeEvent], is_watched: bool) -> Result<(), StoreError> {
        let rows = events.iter().map(|event| ActiveModel {
            id: Set(event.id.as_uuid()),
            exchange_id: Set(event.exchange_id.as_uuid()),
            status: Set(event.event.name().to_owned()),
            at: Set(event.at.millis()),
            number: Set(is_watched.then_some(UNNUMBERED)),
            ..Default::default()
        });
        let mut once = OnConflict::columns([Column::OrganisationId, Column::ExchangeId, Column::Status]);
        once.do_nothing();
        self.scope.insert_all_or::<Entity>(rows.collect(), once).await?;
        Ok(())
    }

    /// Records an event that may happen again, and that only webhooks hear of: what was recorded and delivered of it before
    /// is forgotten.
    pub async fn add_event_again(&self, event: &ExchangeEvent) -> Result<(), StoreError> {
        use crate::entity::webhook_delivery;
        let connection = self.scope.connection();
        let (exchange, name) = (event.exchange_id.as_uuid(), event.event.name());
        let delivered = self.scope.delete::<webhook_delivery::Entity>();
        let delivered = delivered.filter(webhook_delivery::Column::ExchangeId.eq(exchange));
        delivered.filter(webhook_delivery::Column::Event.eq(name)).exec(connection).await?;
        let recorded = self.scope.delete::<Entity>().filter(Column::ExchangeId.eq(exchange));
        recorded.filter(Column::Status.eq(name)).exec(connection).await?;
        self.add_events(std::slice::from_ref(event), false).await
    }
}

pub(crate) fn from_row(model: Model) -> Result<ExchangeEvent, StoreError> {
    let row = Row { table: "exchange_event", id: model.id };
    Ok(ExchangeEvent {
        id: model.id.into(),
        exchange_id: model.exchange_id.into(),
        event: row.expect(WebhookEvent::parse(&model.status))?,
        at: instant(model.at),
    })
}
