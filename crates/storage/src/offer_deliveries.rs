//! Offers on their way to people.

use chancery_model::{ExchangeId, IndividualId, OfferDelivery, OfferDeliveryState, OfferPart, Timestamp, WorkKind};
use sea_orm::sea_query::{Expr, SelectStatement};
use sea_orm::{ColumnTrait, QueryFilter, QuerySelect, QueryTrait, Set, UpdateMany};

use crate::entity::offer_delivery::{ActiveModel, Column, Entity, Model};
use crate::row::{Row, instant, maybe_instant, to_name};
use crate::scope::incremented;
use crate::{Read, StoreError, Transaction};

impl Read {
    /// To whom some exchanges were addressed and what came of it, the link before the transaction code.
    ///
    /// # Errors
    /// Those of the database, as for every lookup.
    pub async fn offer_deliveries_of(&self, exchanges: &[ExchangeId]) -> Result<Vec<OfferDelivery>, StoreError> {
        if exchanges.is_empty() {
            return Ok(Vec::new());
        }
        let find = self.scope.find::<Entity>();
        let find = find.filter(Column::ExchangeId.is_in(exchanges.iter().map(|id| id.as_uuid())));
        let rows = find.all(self.scope.connection()).await?;
        let mut deliveries = rows.into_iter().map(from_row).collect::<Result<Vec<_>, _>>()?;
        deliveries.sort_by_key(|delivery| delivery.part);
        Ok(deliveries)
    }

    /// The exchanges that were addressed to an individual.
    pub(crate) fn addressed_to(&self, individual: IndividualId) -> SelectStatement {
        let addressed = self.scope.find::<Entity>().filter(Column::IndividualId.eq(individual.as_uuid()));
        addressed.select_only().column(Column::ExchangeId).into_query()
    }
}

impl Transaction {
    /// Addresses exchanges that are added in the same unit of work; what is to be delivered is then delivered, from the
    /// earliest instant among them on. Deliveries of one exchange stand side by side.
    ///
    /// # Errors
    /// Those of the database, as for every change.
    pub async fn add_offer_deliveries(&self, deliveries: &[OfferDelivery]) -> Result<(), StoreError> {
        let rows = deliveries.iter().map(to_row).collect::<Result<_, _>>()?;
        self.scope.insert_all::<Entity>(rows).await?;
        let waiting = || deliveries.iter().filter(|delivery| delivery.state == OfferDeliveryState::Pending);
        let Some(due_at) = waiting().map(|delivery| delivery.next_attempt_at).min() else { return Ok(()) };
        let mut exchanges: Vec<_> = waiting().map(|delivery| delivery.exchange_id.as_uuid()).collect();
        exchanges.dedup();
        self.enqueue_all(WorkKind::OfferDelivery, &exchanges, due_at).await
    }

    /// Writes down what came of an attempt; `false` when the delivery was cancelled, or asked for again, meanwhile.
    pub async fn record_offer_attempt(&self, delivery: &OfferDelivery) -> Result<bool, StoreError> {
        let record = self
            .scope
            .update::<Entity>()
            .col_expr(Column::State, Expr::value(to_name(&delivery.state)?))
            .col_expr(Column::Attempts, Expr::value(i64::from(delivery.attempts)))
            .col_expr(Column::NextAttemptAt, Expr::value(delivery.next_attempt_at.millis()))
            .col_expr(Column::AttemptedAt, Expr::value(delivery.attempted_at.map(Timestamp::millis)))
            .col_expr(Column::Failure, Expr::value(delivery.failure.clone()))
            .filter(Column::ExchangeId.eq(delivery.exchange_id.as_uuid()))
            .filter(Column::Part.eq(to_name(&delivery.part)?))
            .filter(Column::Round.eq(i64::from(delivery.round)))
            .filter(Column::State.eq(to_name(&OfferDeliveryState::Pending)?));
        Ok(self.scope.happened(record).await?)
    }

    /// Delivers a part of an offer again from the beginning; `false` when nobody but the organisation delivers it.
    pub async fn deliver_again(
        &self,
        exchange: ExchangeId,
        part: OfferPart,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let again = self
            .scope
            .update::<Entity>()
            .col_expr(Column::State, Expr::value(to_name(&OfferDeliveryState::Pending)?))
            .col_expr(Column::Round, incremented(Column::Round))
            .col_expr(Column::Attempts, Expr::value(0_i64))
            .col_expr(Column::NextAttemptAt, Expr::value(now.millis()))
            .col_expr(Column::Failure, Expr::value(None::<String>))
            .filter(Column::ExchangeId.eq(exchange.as_uuid()))
            .filter(Column::Part.eq(to_name(&part)?))
            .filter(Column::State.ne(to_name(&OfferDeliveryState::Unsent)?));
        let happens = self.scope.happened(again).await?;
        if happens {
            self.enqueue(WorkKind::OfferDelivery, exchange.as_uuid(), now).await?;
        }
        Ok(happens)
    }

    /// Stops what waits of an exchange.
    pub async fn stop_deliveries_of(&self, exchange: ExchangeId, reason: &str) -> Result<(), StoreError> {
        let stop = self.stop(reason)?.filter(Column::ExchangeId.eq(exchange.as_uuid()));
        stop.exec(self.scope.connection()).await?;
        Ok(())
    }

    /// Stops what waits for an individual.
    pub(crate) async fn stop_deliveries_to(&self, individual: IndividualId, reason: &str) -> Result<(), StoreError> {
        let stop = self.stop(reason)?.filter(Column::IndividualId.eq(individual.as_uuid()));
        stop.exec(self.scope.connection()).await?;
        Ok(())
    }

    fn stop(&self, reason: &str) -> Result<UpdateMany<Entity>, StoreError> {
        Ok(self
            .scope
            .update::<Entity>()
            .col_expr(Column::State, Expr::value(to_name(&OfferDeliveryState::Cancelled)?))
            .col_expr(Column::Failure, Expr::value(reason))
            .filter(Column::State.eq(to_name(&OfferDeliveryState::Pending)?)))
    }
}

fn to_row(delivery: &OfferDelivery) -> Result<ActiveModel, StoreError> {
    Ok(ActiveModel {
        exchange_id: Set(delivery.exchange_id.as_uuid()),
        part: Set(to_name(&delivery.part)?),
        individual_id: Set(delivery.individual_id.map(IndividualId::as_uuid)),
        channel: Set(to_name(&delivery.channel)?),
        sealed_endpoint: Set(delivery.sealed_endpoint.clone()),
        state: Set(to_name(&delivery.state)?),
        round: Set(i64::from(delivery.round)),
        attempts: Set(i64::from(delivery.attempts)),
        next_attempt_at: Set(delivery.next_attempt_at.millis()),
        attempted_at: Set(delivery.attempted_at.map(Timestamp::millis)),
        failure: Set(delivery.failure.clone()),
        created_at: Set(delivery.created_at.millis()),
        ..Default::default()
    })
}

fn from_row(model: Model) -> Result<OfferDelivery, StoreError> {
    let row = Row { table: "offer_delivery", id: model.exchange_id };
    Ok(OfferDelivery {
        exchange_id: model.exchange_id.into(),
        part: row.name(model.part)?,
        individual_id: model.individual_id.map(IndividualId::from),
        channel: row.name(model.channel)?,
        sealed_endpoint: model.sealed_endpoint,
        state: row.name(model.state)?,
        round: row.number(model.round)?,
        attempts: row.number(model.attempts)?,
        next_attempt_at: instant(model.next_attempt_at),
        attempted_at: maybe_instant(model.attempted_at),
        failure: model.failure,
        created_at: instant(model.created_at),
    })
}
