//! Long histories are counted in segments, so that neither their length nor a page far inside them means reading them.
//!
//! A segment is a stretch of exchanges in the order of their creation together with how many of which kind it holds:
//! definition, status, revocation. No step of an exchange writes to it. A worker closes segments behind the newest
//! exchanges, which are always counted as they are, and counts a segment again when a tenth of its age has passed, at
//! least every hour: by then what wallets do with old offers shows in its counts. What organisations themselves decide
//! takes the counts back at once.

use std::collections::HashSet;
use std::time::Duration;

use chancery_model::{ExchangeId, ExchangeStatus, Organisation, RevocationStatus, Timestamp};
use sea_orm::sea_query::{Expr, ExprTrait, OnConflict};
use sea_orm::{ColumnTrait, Condition, QueryFilter, QueryOrder, QuerySelect, Set};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::entity::exchange;
use crate::entity::history_segment::{ActiveModel, Column, Entity};
use crate::row::{Row, to_json};
use crate::{Read, Store, StoreError, Transaction};

/// Exchanges of one segment.
const LENGTH: u64 = 2000;

/// How much one call of [`Store::tend_history`] does at most, in segments.
const AT_ONCE: usize = 50;

/// Exchanges younger than this are left alone: an older one could still be committed.
const SETTLING: Duration = Duration::from_secs(5);

/// Ids of one statement.
const IDS_PER_STATEMENT: usize = 1000;

/// Where an exchange stands in the history of its organisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// When it was created.
    pub created_at: Timestamp,
    /// Its id.
    pub id: ExchangeId,
}

/// A stretch of a history: after `after`, up to and with `last`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stretch {
    pub(super) after: Option<Position>,
    pub(super) last: Option<Position>,
}

/// A stretch with its counts, if they are known.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) stretch: Stretch,
    pub(super) counts: Option<Vec<Count>>,
}

/// How many exchanges there are of one kind.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Count(
    pub(super) Uuid,
    pub(super) i64,
    pub(super) ExchangeStatus,
    pub(super) RevocationStatus,
    pub(super) u64,
);

/// End, whether it is uncounted, when it was counted, marks.
type SegmentRow = (i64, Uuid, bool, i64, i64);

impl Position {
    pub(crate) fn of(created_at: i64, id: Uuid) -> Self {
        Self { created_at: Timestamp::from_millis(created_at), id: id.into() }
    }

    fn value(self) -> Expr {
        Expr::tuple([Expr::value(self.created_at.millis()), Expr::value(self.id.as_uuid())])
    }
}

impl Stretch {
    /// The exchanges in it. The bounds of time say nothing new, but of them PostgreSQL knows how many rows they leave;
    /// of a comparison of rows it believes a third, and reads the whole table.
    pub(super) fn condition(self) -> Condition {
        let created_at = exchange::Column::CreatedAt;
        Condition::all()
            .add_option(self.after.map(later_than))
            .add_option(self.after.map(|after| created_at.gte(after.created_at.millis())))
            .add_option(self.last.map(|last| place().lte(last.value())))
            .add_option(self.last.map(|last| created_at.lte(last.created_at.millis())))
    }
}

/// `(created_at, id)`, as the index has it.
fn place() -> Expr {
    use exchange::{Column, Entity};
    Expr::tuple([Expr::col((Entity, Column::CreatedAt)), Expr::col((Entity, Column::Id))])
}

/// Exchanges after a position.
pub(crate) fn later_than(position: Position) -> Expr {
    place().gt(position.value())
}

/// Exchanges before a position.
pub(super) fn earlier_than(position: Position) -> Expr {
    place().lt(position.value())
}

impl Read {
    /// The segments, oldest first, and what comes after them, uncounted.
    pub(super) async fn segments(&self) -> Result<Vec<Segment>, StoreError> {
        let mut segments = Vec::new();
        let mut after = None;
        let find = self.scope.find::<Entity>().order_by_asc(Column::LastCreatedAt).order_by_asc(Column::LastId);
        let find = find.select_only().columns([Column::LastCreatedAt, Column::LastId, Column::Counts]);
        let rows: Vec<(i64, Uuid, Option<String>)> = find.into_tuple().all(self.scope.connection()).await?;
        for (created_at, id, counts) in rows {
            let last = Some(Position::of(created_at, id));
            let row = Row { table: "history_segment", id };
            let counts = counts.map(|counts| row.json(&counts)).transpose()?;
            segments.push(Segment { stretch: Stretch { after, last }, counts });
            after = last;
        }
        segments.push(Segment { stretch: Stretch { after, last: None }, counts: None });
        Ok(segments)
    }

    async fn segment_rows(&self) -> Result<Vec<SegmentRow>, StoreError> {
        let find = self.scope.find::<Entity>().order_by_asc(Column::LastCreatedAt).order_by_asc(Column::LastId);
        let find = find.select_only().columns([Column::LastCreatedAt, Column::LastId]);
        let find = find.column_as(Column::Counts.is_null(), "uncounted").columns([Column::CountedAt, Column::Marks]);
        Ok(find.into_tuple().all(self.scope.connection()).await?)
    }

    /// Whether there is so much behind the last segment that it should be closed into segments.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn has_uncounted_history(&self, now: Timestamp) -> Result<bool, StoreError> {
        let find = self.scope.find::<Entity>().order_by_desc(Column::LastCreatedAt).order_by_desc(Column::LastId);
        let find = find.select_only().columns([Column::LastCreatedAt, Column::LastId]).limit(1);
        let last: Option<(i64, Uuid)> = find.into_tuple().one(self.scope.connection()).await?;
        let last = last.map(|(created_at, id)| Position::of(created_at, id));
        Ok(self.end_after(last, 2 * LENGTH, now).await?.is_some())
    }

    async fn count_kinds(&self, stretch: Stretch) -> Result<Vec<Count>, StoreError> {
        use exchange::{Column, Entity};
        let columns = [Column::DefinitionId, Column::DefinitionRevision, Column::Status, Column::RevocationStatus];
        let mut find = self.scope.find::<Entity>().filter(stretch.condition()).select_only().columns(columns);
        find = find.column_as(Column::Id.count(), "count");
        for column in columns {
            find = find.group_by(column);
        }
        let rows: Vec<(Uuid, i64, String, String, i64)> = find.into_tuple().all(self.scope.connection()).await?;
        let count = |(definition, revision, status, revocation, count): (Uuid, i64, String, String, i64)| {
            let row = Row { table: "exchange", id: definition };
            let status = row.expect(ExchangeStatus::parse(&status))?;
            let revocation = row.expect(RevocationStatus::parse(&revocation))?;
            Ok(Count(definition, revision, status, revocation, row.number(count)?))
        };
        rows.into_iter().map(count).collect()
    }

    /// The exchange that ends a segment of `length` after `after`, when there is one and it is old enough.
    async fn end_after(
        &self,
        after: Option<Position>,
        length: u64,
        now: Timestamp,
    ) -> Result<Option<Position>, StoreError> {
        use exchange::{Column, Entity};
        let find = self.scope.find::<Entity>().filter(Stretch { after, last: None }.condition());
        let find = find.filter(Column::CreatedAt.lt(now.minus(SETTLING).millis()));
        let find = find.order_by_asc(Column::CreatedAt).order_by_asc(Column::Id).offset(length.saturating_sub(1));
        let find = find.limit(1).select_only().columns([Column::CreatedAt, Column::Id]);
        let end: Option<(i64, Uuid)> = find.into_tuple().one(self.scope.connection()).await?;
        Ok(end.map(|(created_at, id)| Position::of(created_at, id)))
    }
}

impl Transaction {
    /// Takes the counts of the segments that hold these exchanges back.
    pub(crate) async fn recount_history_of(&self, exchanges: &[ExchangeId]) -> Result<(), StoreError> {
        let positions = self.positions_of(exchanges).await?;
        self.recount_history_at(positions).await
    }

    /// Where exchanges stand, for [`Self::recount_history_at`] after they are deleted.
    pub(crate) async fn positions_of(&self, exchanges: &[ExchangeId]) -> Result<Vec<Position>, StoreError> {
        let mut positions = Vec::with_capacity(exchanges.len());
        for chunk in exchanges.chunks(IDS_PER_STATEMENT) {
            use exchange::{Column, Entity};
            let find = self.scope.find::<Entity>().filter(Column::Id.is_in(chunk.iter().map(|id| id.as_uuid())));
            let find = find.select_only().columns([Column::CreatedAt, Column::Id]);
            let rows: Vec<(i64, Uuid)> = find.into_tuple().all(self.scope.connection()).await?;
            positions.extend(rows.into_iter().map(|(created_at, id)| Position::of(created_at, id)));
        }
        Ok(positions)
    }

    /// Takes the counts of segments back. Comes after the exchanges themselves were changed: all units of work lock
    /// exchanges first and segments last, and so never wait for each other in a circle.
    pub(crate) async fn recount_history_at(&self, mut positions: Vec<Position>) -> Result<(), StoreError> {
        positions.sort_unstable();
        let Some(oldest) = positions.first() else { return Ok(()) };
        let key = || Expr::tuple([Expr::col(Column::LastCreatedAt), Expr::col(Column::LastId)]);
        let find = self.scope.find::<Entity>().filter(key().gte(oldest.value()));
        let mut find = find.order_by_asc(Column::LastCreatedAt).order_by_asc(Column::LastId);
        if positions.len() == 1 {
            find = find.limit(1);
        }
        let find = find.select_only().columns([Column::LastCreatedAt, Column::LastId]);
        let ends: Vec<(i64, Uuid)> = find.into_tuple().all(self.scope.connection()).await?;
        let ends: Vec<Position> = ends.into_iter().map(|(created_at, id)| Position::of(created_at, id)).collect();
        let ends_of = |position: &Position| ends.get(ends.partition_point(|end| end < position)).copied();
        let touched: HashSet<Uuid> = positions.iter().filter_map(ends_of).map(|end| end.id.as_uuid()).collect();
        if touched.is_empty() {
            return Ok(());
        }
        // In one order, so that two units of work never wait for each other.
        let mut touched: Vec<Uuid> = touched.into_iter().collect();
        touched.sort_unstable();
        for id in touched {
            let mark = self
                .scope
                .update::<Entity>()
                .col_expr(Column::Counts, Expr::value(None::<String>))
                .col_expr(Column::Marks, crate::scope::incremented(Column::Marks))
                .filter(Column::LastId.eq(id));
            mark.exec(self.scope.connection()).await?;
        }
        Ok(())
    }
}

impl Store {
    /// Closes and counts segments of the organisation's history; whether there may be more to do at once. Several
    /// processes may do it at the same time.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn tend_history(&self, organisation: &Organisation, now: Timestamp) -> Result<bool, StoreError> {
        self.tend_history_by(organisation, now, LENGTH).await
    }

    /// The same with segments of another length, for tests.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn tend_history_by(
        &self,
        organisation: &Organisation,
        now: Timestamp,
        length: u64,
    ) -> Result<bool, StoreError> {
        let read = self.read(organisation).await?;
        let mut known = read.segment_rows().await?;
        let mut after = known.last().map(|(created_at, id, ..)| Position::of(*created_at, *id));
        let mut closed = Vec::new();
        while closed.len() < AT_ONCE
            && let Some(end) = read.end_after(after, length, now).await?
        {
            closed.push(end);
            after = Some(end);
        }
        drop(read);
        let mut has_more = closed.len() == AT_ONCE;
        if !closed.is_empty() {
            let rows = closed.iter().map(|end| ActiveModel {
                last_created_at: Set(end.created_at.millis()),
                last_id: Set(end.id.as_uuid()),
                counts: Set(None),
                counted_at: Set(now.millis()),
                marks: Set(0),
                ..Default::default()
            });
            let rows: Vec<ActiveModel> = rows.collect();
            let insert = async |tx: &Transaction| -> Result<(), StoreError> {
                for row in rows {
                    let there = OnConflict::columns([Column::OrganisationId, Column::LastCreatedAt, Column::LastId]);
                    tx.scope.insert_or::<Entity>(row, there.clone().do_nothing().to_owned()).await?;
                }
                Ok(())
            };
            self.write_relaxed(organisation, insert).await?;
            known = self.read(organisation).await?.segment_rows().await?;
        }
        let (mut after, mut counted) = (None, 0);
        for (created_at, id, is_uncounted, counted_at, marks) in known {
            let stretch = Stretch { after, last: Some(Position::of(created_at, id)) };
            after = stretch.last;
            if !is_uncounted && now.millis() < counted_at.saturating_add(lifetime(now.millis() - created_at)) {
                continue;
            }
            if counted == AT_ONCE {
                has_more = true;
                break;
            }
            counted += 1;
            self.count_segment(organisation, stretch, id, marks, now).await?;
        }
        Ok(has_more)
    }

    /// Counts a segment, unless its counts were taken back meanwhile. One that is empty goes: the next begins where it
    /// began.
    async fn count_segment(
        &self,
        organisation: &Organisation,
        stretch: Stretch,
        last: Uuid,
        marks: i64,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let counts = self.read(organisation).await?.count_kinds(stretch).await?;
        let json = to_json(&counts)?;
        let write = async |tx: &Transaction| -> Result<(), StoreError> {
            if counts.is_empty() {
                let delete = tx.scope.delete::<Entity>().filter(Column::LastId.eq(last));
                delete.filter(Column::Marks.eq(marks)).exec(tx.scope.connection()).await?;
                return Ok(());
            }
            let count = tx
                .scope
                .update::<Entity>()
                .col_expr(Column::Counts, Expr::value(json))
                .col_expr(Column::CountedAt, Expr::value(now.millis()))
                .filter(Column::LastId.eq(last))
                .filter(Column::Marks.eq(marks));
            tx.scope.happened(count).await?;
            Ok(())
        };
        self.write_relaxed(organisation, write).await
    }
}

/// How long counts of exchanges of that age hold, in milliseconds.
fn lifetime(age: i64) -> i64 {
    (age / 10).clamp(2_000, 3_600_000)
}
