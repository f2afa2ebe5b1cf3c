//! What happened in an exchange: one row per request, except that grants, credentials and the exchange itself carry what
//! the request wrote that added them or first fetched the offer.

use chancery_model::{ExchangeId, Passage, TranscriptPart};
use sea_orm::sea_query::UnionType;
use sea_orm::{ColumnTrait, ConnectionTrait, PaginatorTrait, QueryFilter, QueryResult, QuerySelect, QueryTrait, Set};
use uuid::Uuid;

use crate::entity::transcript_part::{ActiveModel, Column, Entity, Model};
use crate::row::{Row, instant, to_json};
use crate::scope::Rows;
use crate::{Read, StoreError, Transaction};

/// Rows of one INSERT: seven values each, of the 32 766 that SQLite binds.
const ROWS_PER_INSERT: usize = 1000;

impl Read {
    /// What was written about an exchange after its beginning, oldest part first.
    pub async fn transcript_of(&self, exchange: ExchangeId) -> Result<Vec<TranscriptPart>, StoreError> {
        let find = self.scope.find::<Entity>().filter(Column::ExchangeId.eq(exchange.as_uuid()));
        let rows = find.all(self.scope.connection()).await?;
        let mut parts = rows.into_iter().map(from_row).collect::<Result<Vec<_>, _>>()?;
        let row = Row { table: "exchange", id: exchange.as_uuid() };
        for text in self.carried_passages(exchange).await? {
            parts.push(row.json::<Passage>(&text)?.of(exchange, None));
        }
        parts.sort_by_key(|part| (part.at, part.id.as_uuid()));
        Ok(parts)
    }

    /// What the steps of these exchanges wrote that succeeded in getting a token or a credential, oldest first; nothing of
    /// it where it was erased.
    pub async fn passages_of_all(&self, exchanges: &[ExchangeId]) -> Result<Vec<(ExchangeId, Passage)>, StoreError> {
        use crate::entity::{credential, exchange_grant};
        if exchanges.is_empty() {
            return Ok(Vec::new());
        }
        let ids = || exchanges.iter().map(|id| id.as_uuid());
        let grants = self.scope.find::<exchange_grant::Entity>();
        let grants = grants.filter(exchange_grant::Column::ExchangeId.is_in(ids()));
        let grants = grants.filter(exchange_grant::Column::TranscriptPart.is_not_null()).select_only();
        let grants = grants.columns([exchange_grant::Column::ExchangeId, exchange_grant::Column::TranscriptPart]);
        let issued = self.scope.find::<credential::Entity>().filter(credential::Column::ExchangeId.is_in(ids()));
        let issued = issued.filter(credential::Column::TranscriptPart.is_not_null()).select_only();
        let issued = issued.columns([credential::Column::ExchangeId, credential::Column::TranscriptPart]);
        let mut carried = grants.into_query();
        carried.union(UnionType::All, issued.into_query());
        let read = |row: QueryResult| {
            let (id, text): (Uuid, String) = (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
            let passage: Passage = Row { table: "exchange", id }.json(&text)?;
            Ok((ExchangeId::from(id), passage))
        };
        let rows = self.scope.connection().query_all(&carried).await?;
        let mut passages = rows.into_iter().map(read).collect::<Result<Vec<_>, StoreError>>()?;
        passages.sort_by_key(|(_, passage)| (passage.at, passage.id.as_uuid()));
        Ok(passages)
    }

    /// What the rows of successful steps carry.
    async fn carried_passages(&self, exchange: ExchangeId) -> Result<Vec<String>, StoreError> {
        use crate::entity::{credential, exchange as exchanges, exchange_grant};
        let id = exchange.as_uuid();
        let fetch = self.scope.find::<exchanges::Entity>().filter(exchanges::Column::Id.eq(id));
        let fetch = fetch.select_only().column(exchanges::Column::FetchPart);
        let grants = self.scope.find::<exchange_grant::Entity>().filter(exchange_grant::Column::ExchangeId.eq(id));
        let grants = grants.select_only().column(exchange_grant::Column::TranscriptPart);
        let credentials = self.scope.find::<credential::Entity>().filter(credential::Column::ExchangeId.eq(id));
        let credentials = credentials.select_only().column(credential::Column::TranscriptPart);
        let mut carried = fetch.into_query();
        carried.union(UnionType::All, grants.into_query()).union(UnionType::All, credentials.into_query());
        let rows = self.scope.connection().query_all(&carried).await?;
        let texts = rows.iter().map(|row| row.try_get_by_index::<Option<String>>(0));
        Ok(texts.filter_map(Result::transpose).collect::<Result<_, _>>()?)
    }
}

impl Transaction {
    /// Adds what one request wrote.
    pub async fn add_transcript_part(&self, part: &TranscriptPart) -> Result<(), StoreError> {
        Ok(self.scope.insert::<Entity>(to_row(part)?).await?)
    }

    /// Adds what one request wrote, unless the exchange has `most` parts already; whether it did. For requests that
    /// may be repeated without end and change nothing. Of parallel ones a few more may get in.
    pub async fn add_transcript_part_below(&self, part: &TranscriptPart, most: u64) -> Result<bool, StoreError> {
        let counted = self
            .scope
            .find::<Entity>()
            .filter(Column::ExchangeId.eq(part.exchange_id.as_uuid()))
            .select_only()
            .column(Column::Id)
            .limit(most)
            .count(self.scope.connection())
            .await?;
        let has_room = counted < most;
        if has_room {
            self.add_transcript_part(part).await?;
        }
        Ok(has_room)
    }

    /// What several requests wrote, for one statement each.
    pub(crate) fn transcript_rows(&self, parts: &[TranscriptPart]) -> Result<Vec<Rows>, StoreError> {
        let rows = |chunk: &[TranscriptPart]| {
            let rows = chunk.iter().map(to_row).collect::<Result<Vec<_>, _>>()?;
            Ok(self.scope.rows::<Entity>(rows))
        };
        parts.chunks(ROWS_PER_INSERT).map(rows).collect()
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
