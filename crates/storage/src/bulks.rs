//! Files of rows to be issued.

use chancery_model::{Bulk, BulkId, BulkPart, BulkPartId, BulkProgress, BulkState, RowFaults, Timestamp};
use sea_orm::sea_query::{Expr, LockType};
use sea_orm::{ColumnTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, Set, UpdateMany};
use uuid::Uuid;

use crate::entity::{bulk, bulk_part};
use crate::row::{Row, instant, maybe_instant, to_json};
use crate::{Listed, Page, Read, StoreError, Transaction};

/// What became of the rows of a part.
#[derive(Clone, Debug)]
pub struct SettledPart {
    /// Rows that were issued.
    pub issued: u32,
    /// Rows that could not be issued.
    pub failed: u32,
    /// Sealed list of what became of them.
    pub sealed_result: Vec<u8>,
    /// Sealed list of their transaction codes, if there are any.
    pub sealed_pins: Option<Vec<u8>>,
}

impl Read {
    /// A bulk.
    ///
    /// # Errors
    /// Those of the database, as for every lookup.
    pub async fn bulk(&self, id: BulkId) -> Result<Option<Bulk>, StoreError> {
        let find = self.scope.find::<bulk::Entity>().filter(bulk::Column::Id.eq(id.as_uuid()));
        find.one(self.scope.connection()).await?.map(from_row).transpose()
    }

    /// Bulks by time of upload.
    pub async fn bulks(&self, page: &Page) -> Result<Listed<Bulk>, StoreError> {
        let find = self.scope.find::<bulk::Entity>();
        let total = find.clone().count(self.scope.connection()).await?;
        // Ids are in the order of time.
        let find = find.order_by(bulk::Column::Id, page.order.into()).offset(page.offset).limit(page.limit);
        let rows = find.all(self.scope.connection()).await?;
        Ok(Listed { items: rows.into_iter().map(from_row).collect::<Result<_, _>>()?, total })
    }

    /// How many rows of a bulk are through.
    pub async fn bulk_progress(&self, id: BulkId) -> Result<BulkProgress, StoreError> {
        use bulk_part::Column;
        let find = self.scope.find::<bulk_part::Entity>().filter(Column::BulkId.eq(id.as_uuid()));
        let find = find.filter(Column::Settled.eq(true)).select_only().columns([Column::Issued, Column::Failed]);
        let counts: Vec<(i64, i64)> = find.into_tuple().all(self.scope.connection()).await?;
        let row = Row { table: "bulk", id: id.as_uuid() };
        let (issued, failed) = counts.iter().fold((0, 0), |sum, part| (sum.0 + part.0, sum.1 + part.1));
        Ok(BulkProgress { issued: row.number(issued)?, failed: row.number(failed)? })
    }

    /// A part of a bulk.
    pub async fn bulk_part(&self, id: BulkPartId) -> Result<Option<BulkPart>, StoreError> {
        let find = self.scope.find::<bulk_part::Entity>().filter(bulk_part::Column::Id.eq(id.as_uuid()));
        find.one(self.scope.connection()).await?.map(part_from_row).transpose()
    }

    /// The part of a bulk at this place.
    pub async fn bulk_part_at(&self, id: BulkId, ordinal: u32) -> Result<Option<BulkPart>, StoreError> {
        use bulk_part::Column;
        let find = self.scope.find::<bulk_part::Entity>().filter(Column::BulkId.eq(id.as_uuid()));
        let find = find.filter(Column::Ordinal.eq(i64::from(ordinal)));
        find.one(self.scope.connection()).await?.map(part_from_row).transpose()
    }

    /// Everything that is wrong with the rows of a bulk, in the order of the file.
    pub async fn bulk_faults(&self, id: BulkId) -> Result<Vec<RowFaults>, StoreError> {
        use bulk_part::Column;
        let find = self.scope.find::<bulk_part::Entity>().filter(Column::BulkId.eq(id.as_uuid()));
        let find = find.filter(Column::Faults.ne("[]")).order_by_asc(Column::Ordinal);
        let texts: Vec<(Uuid, String)> =
            find.select_only().columns([Column::Id, Column::Faults]).into_tuple().all(self.scope.connection()).await?;
        let mut all = Vec::new();
        for (id, text) in texts {
            let faults: Vec<RowFaults> = Row { table: "bulk_part", id }.json(&text)?;
            all.extend(faults);
        }
        Ok(all)
    }

    /// Parts of a bulk that were not issued yet.
    pub async fn open_bulk_parts(&self, id: BulkId) -> Result<Vec<Uuid>, StoreError> {
        use bulk_part::Column;
        let find = self.scope.find::<bulk_part::Entity>().filter(Column::BulkId.eq(id.as_uuid()));
        let find = find.filter(Column::Settled.eq(false)).order_by_asc(Column::Ordinal);
        Ok(find.select_only().column(Column::Id).into_tuple().all(self.scope.connection()).await?)
    }
}

impl Transaction {
    /// Adds a bulk.
    pub async fn add_bulk(&self, bulk: &Bulk) -> Result<(), StoreError> {
        Ok(self.scope.insert::<bulk::Entity>(to_row(bulk)).await?)
    }

    /// Adds a part of a bulk.
    pub async fn add_bulk_part(&self, part: &BulkPart) -> Result<(), StoreError> {
        let row = bulk_part::ActiveModel {
            id: Set(part.id.as_uuid()),
            bulk_id: Set(part.bulk_id.as_uuid()),
            ordinal: Set(part.ordinal.into()),
            rows: Set(part.rows.into()),
            settled: Set(part.settled),
            issued: Set(part.issued.into()),
            failed: Set(part.failed.into()),
            sealed_rows: Set(part.sealed_rows.clone()),
            sealed_result: Set(part.sealed_result.clone()),
            sealed_pins: Set(part.sealed_pins.clone()),
            faults: Set(to_json(&part.faults)?),
            ..Default::default()
        };
        Ok(self.scope.insert::<bulk_part::Entity>(row).await?)
    }

    /// The file was read to its end; `false` when it was given up meanwhile.
    pub async fn receive_bulk(&self, id: BulkId, rows: u32, invalid: u32) -> Result<bool, StoreError> {
        let receive = self
            .step(id, BulkState::Ready)
            .col_expr(bulk::Column::Rows, Expr::value(i64::from(rows)))
            .col_expr(bulk::Column::Invalid, Expr::value(i64::from(invalid)));
        Ok(self.scope.happened(receive).await?)
    }

    /// Begins to issue, or goes on after a pause; `false` when the bulk is somewhere else.
    pub async fn start_bulk(&self, id: BulkId, from: BulkState, now: Timestamp) -> Result<bool, StoreError> {
        let mut start = self.step(id, BulkState::Running).filter(bulk::Column::State.eq(from.name()));
        if from == BulkState::Ready {
            start = start.col_expr(bulk::Column::StartedAt, Expr::value(now.millis()));
        }
        Ok(self.scope.happened(start).await?)
    }

    /// Issues nothing more for now; `false` when the bulk is not running.
    pub async fn pause_bulk(&self, id: BulkId) -> Result<bool, StoreError> {
        Ok(self.scope.happened(self.step(id, BulkState::Paused)).await?)
    }

    /// Ends a bulk before its time and lets go of the rows that were not issued; `false` when it had ended.
    pub async fn cancel_bulk(&self, id: BulkId, now: Timestamp) -> Result<bool, StoreError> {
        let cancel = self.step(id, BulkState::Cancelled).col_expr(bulk::Column::EndedAt, Expr::value(now.millis()));
        if !self.scope.happened(cancel).await? {
            return Ok(false);
        }
        let forget = self.parts(id).col_expr(bulk_part::Column::SealedRows, Expr::value(None::<Vec<u8>>));
        forget.exec(self.scope.connection()).await?;
        Ok(true)
    }

    /// Ends a bulk that has nothing left to issue; `false` when it has, or is not running.
    ///
    /// Call it after the unit of work that settled a part: two last parts that are settled side by side do not see each
    /// other before.
    pub async fn finish_bulk(&self, id: BulkId, now: Timestamp) -> Result<bool, StoreError> {
        if !self.open_bulk_parts(id).await?.is_empty() {
            return Ok(false);
        }
        let finish = self.step(id, BulkState::Done).col_expr(bulk::Column::EndedAt, Expr::value(now.millis()));
        Ok(self.scope.happened(finish).await?)
    }

    /// Whether the bulk is running, and stays so until this unit of work ends: whoever stops it waits.
    pub async fn hold_running_bulk(&self, id: BulkId) -> Result<bool, StoreError> {
        let find = self.scope.find::<bulk::Entity>().filter(bulk::Column::Id.eq(id.as_uuid()));
        let held = find.lock(LockType::Share).one(self.scope.connection()).await?;
        Ok(held.is_some_and(|row| row.state == BulkState::Running.name()))
    }

    /// Claims the rows of a part for this unit of work, which begins their exchanges: `true` for exactly one caller.
    pub async fn settle_bulk_part(&self, id: BulkPartId, outcome: &SettledPart) -> Result<bool, StoreError> {
        use bulk_part::Column;
        let settle = self
            .scope
            .update::<bulk_part::Entity>()
            .col_expr(Column::Settled, Expr::value(true))
            .col_expr(Column::Issued, Expr::value(i64::from(outcome.issued)))
            .col_expr(Column::Failed, Expr::value(i64::from(outcome.failed)))
            .col_expr(Column::SealedRows, Expr::value(None::<Vec<u8>>))
            .col_expr(Column::SealedResult, Expr::value(outcome.sealed_result.clone()))
            .col_expr(Column::SealedPins, Expr::value(outcome.sealed_pins.clone()))
            .filter(Column::Id.eq(id.as_uuid()))
            .filter(Column::Settled.eq(false));
        Ok(self.scope.happened(settle).await?)
    }

    /// The result was fetched: its transaction codes are erased.
    pub async fn forget_bulk_pins(&self, id: BulkId, now: Timestamp) -> Result<(), StoreError> {
        let fetched = self
            .bulk_row(id)
            .col_expr(bulk::Column::FetchedAt, Expr::value(now.millis()))
            .filter(bulk::Column::FetchedAt.is_null());
        fetched.exec(self.scope.connection()).await?;
        let forget = self.parts(id).col_expr(bulk_part::Column::SealedPins, Expr::value(None::<Vec<u8>>));
        forget.exec(self.scope.connection()).await?;
        Ok(())
    }

    /// Erases rows, report and result of a bulk; what remains is that it was there and how it ended.
    pub async fn erase_bulk(&self, id: BulkId, now: Timestamp) -> Result<(), StoreError> {
        let erased = self.bulk_row(id).col_expr(bulk::Column::ErasedAt, Expr::value(now.millis()));
        erased.exec(self.scope.connection()).await?;
        let keep = self
            .parts(id)
            .col_expr(bulk_part::Column::SealedRows, Expr::value(None::<Vec<u8>>))
            .col_expr(bulk_part::Column::SealedResult, Expr::value(None::<Vec<u8>>))
            .col_expr(bulk_part::Column::SealedPins, Expr::value(None::<Vec<u8>>))
            .col_expr(bulk_part::Column::Faults, Expr::value("[]"));
        keep.exec(self.scope.connection()).await?;
        Ok(())
    }

    /// Deletes a bulk whose upload broke off or was not needed.
    pub async fn delete_bulk(&self, id: BulkId) -> Result<(), StoreError> {
        let delete = self.scope.delete::<bulk::Entity>().filter(bulk::Column::Id.eq(id.as_uuid()));
        delete.exec(self.scope.connection()).await?;
        Ok(())
    }

    fn bulk_row(&self, id: BulkId) -> UpdateMany<bulk::Entity> {
        self.scope.update::<bulk::Entity>().filter(bulk::Column::Id.eq(id.as_uuid()))
    }

    fn parts(&self, id: BulkId) -> UpdateMany<bulk_part::Entity> {
        self.scope.update::<bulk_part::Entity>().filter(bulk_part::Column::BulkId.eq(id.as_uuid()))
    }

    /// An UPDATE of a bulk that may go to `next`.
    fn step(&self, id: BulkId, next: BulkState) -> UpdateMany<bulk::Entity> {
        let from = BulkState::ALL.into_iter().filter(|state| state.may_become(next));
        self.bulk_row(id)
            .col_expr(bulk::Column::State, Expr::value(next.name()))
            .filter(bulk::Column::State.is_in(from.map(BulkState::name)))
    }
}

fn to_row(bulk: &Bulk) -> bulk::ActiveModel {
    let millis = |at: Option<Timestamp>| at.map(Timestamp::millis);
    bulk::ActiveModel {
        id: Set(bulk.id.as_uuid()),
        definition_id: Set(bulk.definition_id.as_uuid()),
        definition_revision: Set(bulk.definition_revision.into()),
        entry_id: Set(bulk.entry_id.as_uuid()),
        generate_pins: Set(bulk.generate_pins),
        url_scheme: Set(bulk.url_scheme.clone()),
        state: Set(bulk.state.name().to_owned()),
        rows: Set(bulk.rows.into()),
        invalid: Set(bulk.invalid.into()),
        created_at: Set(bulk.created_at.millis()),
        started_at: Set(millis(bulk.started_at)),
        ended_at: Set(millis(bulk.ended_at)),
        fetched_at: Set(millis(bulk.fetched_at)),
        erased_at: Set(millis(bulk.erased_at)),
        ..Default::default()
    }
}

fn from_row(model: bulk::Model) -> Result<Bulk, StoreError> {
    let row = Row { table: "bulk", id: model.id };
    Ok(Bulk {
        id: model.id.into(),
        definition_id: model.definition_id.into(),
        definition_revision: row.number(model.definition_revision)?,
        entry_id: model.entry_id.into(),
        generate_pins: model.generate_pins,
        url_scheme: model.url_scheme,
        state: row.expect(BulkState::parse(&model.state))?,
        rows: row.number(model.rows)?,
        invalid: row.number(model.invalid)?,
        created_at: instant(model.created_at),
        started_at: maybe_instant(model.started_at),
        ended_at: maybe_instant(model.ended_at),
        fetched_at: maybe_instant(model.fetched_at),
        erased_at: maybe_instant(model.erased_at),
    })
}

fn part_from_row(model: bulk_part::Model) -> Result<BulkPart, StoreError> {
    let row = Row { table: "bulk_part", id: model.id };
    Ok(BulkPart {
        id: model.id.into(),
        bulk_id: model.bulk_id.into(),
        ordinal: row.number(model.ordinal)?,
        rows: row.number(model.rows)?,
        settled: model.settled,
        issued: row.number(model.issued)?,
        failed: row.number(model.failed)?,
        sealed_rows: model.sealed_rows,
        sealed_result: model.sealed_result,
        sealed_pins: model.sealed_pins,
        faults: row.json(&model.faults)?,
    })
}
