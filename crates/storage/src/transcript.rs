//! What happened in an exchange: one row per request.

use chancery_model::{ExchangeId, TranscriptPart};
use sea_orm::{ColumnTrait, QueryFilter, QueryOrder, Set};

use crate::entity::transcript_part::{ActiveModel, Column, Entity, Model};
use crate::row::{Row, instant, to_json};
use crate::{Read, StoreError, Transaction};

/// Rows of one INSERT: seven values each, of the 32 766 that SQLite binds.
const ROWS_PER_INSERT: usize = 1000;

impl Read {
    /// The whole transcript of an exchange, oldest part first.
    pub async fn transcript_of(&self, exchange: ExchangeId) -> Result<Vec<TranscriptPart>, StoreError> {
        let find = self.scope.find::<Entity>().filter(Column::ExchangeId.eq(exchange.as_uuid()));
        let rows = find.order_by_asc(Column::At).order_by_asc(Column::Id).all(self.scope.connection()).await?;
        rows.into_iter().map(from_row).collect()
    }
}

impl Transaction {
    /// Adds what one request wrote.
    pub async fn add_transcript_part(&self, part: &TranscriptPart) -> Result<(), StoreError> {
        Ok(self.scope.insert::<Entity>(to_row(part)?).await?)
    }

    /// Adds what several requests wrote, with one statement.
    pub async fn add_transcript_parts(&self, parts: &[TranscriptPart]) -> Result<(), StoreError> {
        for chunk in parts.chunks(ROWS_PER_INSERT) {
            let rows = chunk.iter().map(to_row).collect::<Result<_, _>>()?;
            self.scope.insert_all::<Entity>(rows).await?;
        }
        Ok(())
    }
}

fn to_row(part: &TranscriptPart) -> Result<ActiveModel, StoreError> {
    Ok(ActiveModel {
        id: Set(part.id.as_uuid()),
        exchange_id: Set(part.exchange_id.as_uuid()),
        at: Set(part.at.millis()),
        support_code: Set(part.support_code.clone()),
        records: Set(to_json(&part.records)?),
        events: Set(to_json(&part.events)?),
        ..Default::default()
    })
}

fn from_row(model: Model) -> Result<TranscriptPart, StoreError> {
    let row = Row { table: "transcript_part", id: model.id };
    Ok(TranscriptPart {
        id: model.id.into(),
        exchange_id: model.exchange_id.into(),
        at: instant(model.at),
        support_code: model.support_code,
        records: row.json(&model.records)?,
        events: row.json(&model.events)?,
    })
}
