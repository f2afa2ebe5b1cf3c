//! Refused requests of wallets that belong to no exchange. Of each organisation the newest are kept.

use chancery_model::{RefusedRequest, Timestamp, TranscriptPartId};
use sea_orm::{ColumnTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, Set};
use uuid::Uuid;

use crate::entity::refused_request::{ActiveModel, Column, Entity, Model};
use crate::row::{Row, instant, to_json};
use crate::{Listed, Page, Read, StoreError, Transaction};

impl Read {
    /// Refused requests in the order in which they came in; only the one with this support code, if one is given. Support
    /// codes are read out: case does not matter.
    ///
    /// # Errors
    /// Those of the database, as for every lookup.
    pub async fn refused_requests(
        &self,
        support_code: Option<&str>,
        page: &Page,
    ) -> Result<Listed<RefusedRequest>, StoreError> {
        let mut find = self.scope.find::<Entity>();
        if let Some(code) = support_code {
            find = find.filter(Column::SupportCode.eq(code.to_ascii_uppercase()));
        }
        let total = find.clone().count(self.scope.connection()).await?;
        // Ids are in the order of time.
        let find = find.order_by(Column::Id, page.order.into()).offset(page.offset).limit(page.limit);
        let rows = find.all(self.scope.connection()).await?;
        Ok(Listed { items: rows.into_iter().map(from_row).collect::<Result<_, _>>()?, total })
    }
}

impl Transaction {
    /// Adds a refused request and deletes the oldest beyond the newest `most`.
    ///
    /// # Errors
    /// Those of the database, as for every change.
    pub async fn add_refused_request(&self, refused: &RefusedRequest, most: u64) -> Result<(), StoreError> {
        let row = ActiveModel {
            id: Set(refused.id.as_uuid()),
            at: Set(refused.at.millis()),
            support_code: Set(refused.support_code.clone()),
            records: Set(to_json(&refused.records)?),
            ..Default::default()
        };
        self.scope.insert::<Entity>(row).await?;
        let connection = self.scope.connection();
        let find = self.scope.find::<Entity>().select_only().column(Column::Id);
        let surplus = find.order_by_desc(Column::Id).offset(most).limit(1);
        if let Some(newest) = surplus.into_tuple::<Uuid>().one(connection).await? {
            self.scope.delete::<Entity>().filter(Column::Id.lte(newest)).exec(connection).await?;
        }
        Ok(())
    }

    /// Deletes what came in before this instant; how many.
    ///
    /// # Errors
    /// Those of the database, as for every change.
    pub async fn forget_refused_requests(&self, before: Timestamp) -> Result<u64, StoreError> {
        let old = self.scope.delete::<Entity>().filter(Column::At.lt(before.millis()));
        Ok(old.exec(self.scope.connection()).await?.rows_affected)
    }
}

fn from_row(model: Model) -> Result<RefusedRequest, StoreError> {
    let row = Row { table: "refused_request", id: model.id };
    Ok(RefusedRequest {
        id: TranscriptPartId::from(model.id),
        at: instant(model.at),
        records: row.json(&model.records)?,
        support_code: model.support_code,
    })
}
