//! Numbering the steps of exchanges for those who watch.
//!
//! Ids are made before a unit of work commits, and units of work commit in any order: who reads on from the last id it saw
//! would miss what comes late. So a step gets its number after it was committed, from whoever holds the row of the watch,
//! and that row is held until the numbers are committed: they become visible in their order.

use std::collections::HashMap;

use chancery_model::{EventWatch, NumberedEvent, Timestamp};
use sea_orm::sea_query::{CaseStatement, Expr, ExprTrait, LockType, OnConflict};
use sea_orm::{ColumnTrait, QueryFilter, QueryOrder, QuerySelect, Set};
use uuid::Uuid;

use crate::entity::event_watch::{ActiveModel, Column, Entity, Model};
use crate::entity::{exchange, exchange_event};
use crate::events;
use crate::row::{Row, instant};
use crate::{Read, StoreError, Transaction};

/// The number of a step that is to get one.
pub(crate) const UNNUMBERED: i64 = 0;

/// The number that stands before the first one.
const START: i64 = 1;

/// Some steps, in the order of their numbers.
#[derive(Clone, Debug, Default)]
pub struct NumberedEvents {
    /// The steps.
    pub events: Vec<NumberedEvent>,
    /// The last number that was looked at; `None` when there is none behind the one that was asked for. Steps whose
    /// exchange was just deleted are left out, so there may be one without steps.
    pub last: Option<u64>,
}

impl Read {
    /// Whether and since when the organisation is watched; `None` when it never was.
    ///
    /// # Errors
    /// Those of the database, as for every lookup.
    pub async fn event_watch(&self) -> Result<Option<EventWatch>, StoreError> {
        let found = self.scope.find::<Entity>().one(self.scope.connection()).await?;
        found.map(from_row).transpose()
    }

    /// Whether committed steps wait for their numbers.
    pub async fn has_unnumbered_events(&self) -> Result<bool, StoreError> {
        Ok(!self.unnumbered(1).await?.is_empty())
    }

    /// Steps behind a number, in order, at most `limit`.
    pub async fn numbered_events(&self, after: u64, limit: u64) -> Result<NumberedEvents, StoreError> {
        let after = i64::try_from(after).unwrap_or(i64::MAX);
        let find = self.scope.find::<exchange_event::Entity>().filter(exchange_event::Column::Number.gt(after));
        // Says what the partial index says, so that it is used.
        let find = find.filter(exchange_event::Column::Number.gt(UNNUMBERED));
        let find = find.order_by_asc(exchange_event::Column::Number).limit(limit);
        let rows = find.all(self.scope.connection()).await?;
        let mut exchanges: Vec<Uuid> = rows.iter().map(|row| row.exchange_id).collect();
        exchanges.sort_unstable();
        exchanges.dedup();
        let definitions = self.definitions_of(exchanges).await?;
        let mut found = NumberedEvents::default();
        for row in rows {
            let place = Row { table: "exchange_event", id: row.id };
            let number = place.number(place.expect(row.number)?)?;
            found.last = Some(number);
            if let Some(definition) = definitions.get(&row.exchange_id) {
                let definition_id = (*definition).into();
                found.events.push(NumberedEvent { number, event: events::from_row(row)?, definition_id });
            }
        }
        Ok(found)
    }

    async fn definitions_of(&self, exchanges: Vec<Uuid>) -> Result<HashMap<Uuid, Uuid>, StoreError> {
        if exchanges.is_empty() {
            return Ok(HashMap::new());
        }
        let find = self.scope.find::<exchange::Entity>().filter(exchange::Column::Id.is_in(exchanges));
        let find = find.select_only().columns([exchange::Column::Id, exchange::Column::DefinitionId]);
        let rows: Vec<(Uuid, Uuid)> = find.into_tuple().all(self.scope.connection()).await?;
        Ok(rows.into_iter().collect())
    }

    async fn unnumbered(&self, limit: u64) -> Result<Vec<Uuid>, StoreError> {
        let find = self.scope.find::<exchange_event::Entity>();
        let find = find.filter(exchange_event::Column::Number.eq(UNNUMBERED)).order_by_asc(exchange_event::Column::Id);
        let ids = find.select_only().column(exchange_event::Column::Id).limit(limit).into_tuple();
        Ok(ids.all(self.scope.connection()).await?)
    }
}

impl Transaction {
    /// Has steps recorded and numbered until this instant at least. A watch that has ended begins anew.
    pub async fn watch_events(&self, until: Timestamp, now: Timestamp) -> Result<EventWatch, StoreError> {
        let mut found = self.hold_event_watch().await?;
        if found.is_none() {
            let first = ActiveModel {
                since: Set(now.millis()),
                until: Set(until.millis()),
                first: Set(START),
                last: Set(START),
                ..Default::default()
            };
            let leave = OnConflict::column(Column::OrganisationId).do_nothing().to_owned();
            self.scope.insert_or::<Entity>(first, leave).await?;
            found = self.hold_event_watch().await?;
        }
        let place = Row { table: "event_watch", id: self.scope.organisation() };
        let mut watch = place.expect(found)?;
        if !watch.is_on(now) {
            // A number of its own for the gap.
            let gap = watch.last.saturating_add(1);
            watch = EventWatch { since: now, until, first: gap, last: gap };
        }
        watch.until = watch.until.max(until);
        let update = self
            .scope
            .update::<Entity>()
            .col_expr(Column::Since, Expr::value(watch.since.millis()))
            .col_expr(Column::Until, Expr::value(watch.until.millis()))
            .col_expr(Column::First, Expr::value(signed(watch.first)))
            .col_expr(Column::Last, Expr::value(signed(watch.last)));
        update.exec(self.scope.connection()).await?;
        Ok(watch)
    }

    /// Numbers steps that were committed, at most `limit`; how many it looked at. Whoever else numbers waits meanwhile.
    pub async fn number_events(&self, limit: u64) -> Result<usize, StoreError> {
        let Some(watch) = self.hold_event_watch().await? else { return Ok(0) };
        // Looked for while the row is held: nobody else numbers them.
        let ids = self.unnumbered(limit).await?;
        let Some((first, rest)) = ids.split_first() else { return Ok(0) };
        let mut number = signed(watch.last).saturating_add(1);
        let is = |id: &Uuid| Expr::col(exchange_event::Column::Id).eq(*id);
        let mut numbers = CaseStatement::new().case(is(first), number);
        for id in rest {
            number = number.saturating_add(1);
            numbers = numbers.case(is(id), number);
        }
        let assign = self
            .scope
            .update::<exchange_event::Entity>()
            .col_expr(exchange_event::Column::Number, numbers.into())
            .filter(exchange_event::Column::Id.is_in(ids.iter().copied()))
            .filter(exchange_event::Column::Number.eq(UNNUMBERED));
        assign.exec(self.scope.connection()).await?;
        let moved = self.scope.update::<Entity>().col_expr(Column::Last, Expr::value(number));
        moved.exec(self.scope.connection()).await?;
        Ok(ids.len())
    }

    /// The watch, which stays as it is until this unit of work ends.
    async fn hold_event_watch(&self) -> Result<Option<EventWatch>, StoreError> {
        let find = self.scope.find::<Entity>().lock(LockType::Update);
        find.one(self.scope.connection()).await?.map(from_row).transpose()
    }
}

/// Numbers never get near the end of the range.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn from_row(model: Model) -> Result<EventWatch, StoreError> {
    let row = Row { table: "event_watch", id: model.organisation_id };
    Ok(EventWatch {
        since: instant(model.since),
        until: instant(model.until),
        first: row.number(model.first)?,
        last: row.number(model.last)?,
    })
}
