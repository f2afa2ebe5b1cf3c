//! The queue of background work: what is to be done when, and who is doing it.
//!
//! A piece of work is a row with ids and instants. Whoever takes it leases it: until the lease ends nobody else sees it,
//! and when its holder crashes the work becomes due again by itself. Work that is asked for while somebody is doing it is
//! done once more afterwards, never twice at the same time.

use std::fmt;

use chancery_model::{OrganisationId, Timestamp, WorkKind};
use sea_orm::sea_query::{
    CaseStatement, Expr, ExprTrait, IntoColumnRef, LockBehavior, LockType, OnConflict, Query, UpdateStatement,
};
use sea_orm::{ColumnTrait, PaginatorTrait, QuerySelect};
use sea_orm::{ConnectionTrait, EntityTrait, FromQueryResult, Iterable, QueryFilter, Set};
use tokio::sync::Notify;
use uuid::Uuid;

use crate::entity::work::{ActiveModel, Column, Entity, Model};
use crate::row::Row;
use crate::store::Inner;
use crate::{StoreError, Transaction};

/// Rows of one INSERT: seven values each, of the 32 766 that SQLite binds.
const ROWS_PER_INSERT: usize = 1000;

/// The queue, across all organisations.
#[derive(Clone, Copy)]
pub struct Work<'s> {
    store: &'s Inner,
}

/// A piece of work that was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkItem {
    /// Whose it is.
    pub organisation_id: OrganisationId,
    /// What is to be done.
    pub kind: WorkKind,
    /// To what.
    pub subject_id: Uuid,
    /// How often it was taken since it last succeeded, this time included.
    pub attempts: u32,
    lease: Uuid,
}

/// Wakes workers of this process that wait for work.
#[derive(Default)]
pub(crate) struct Wakers([Notify; WorkKind::ALL.len()]);

impl<'s> Work<'s> {
    pub(crate) fn new(store: &'s Inner) -> Self {
        Self { store }
    }

    /// Waits until this process has added work of that kind. Work that others added shows only when it is looked for.
    pub async fn added(&self, kind: WorkKind) {
        if let Some(waker) = self.store.wakers.of(kind) {
            waker.notified().await;
        }
    }

    /// Takes up to `limit` pieces that are due, the longest due first. Each is this caller's until `until`; `lease` is a
    /// fresh id.
    ///
    /// # Errors
    /// Those of the database, as for every method here.
    pub async fn take(
        &self,
        kind: WorkKind,
        limit: u64,
        lease: Uuid,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<WorkItem>, StoreError> {
        let due = || Entity::find().filter(Column::Kind.eq(kind.name())).filter(Column::DueAt.lte(now.millis()));
        // The common case is that nothing is due: seeing that must not take the right to write.
        let nothing = due().limit(1).count(self.store.database.reader()).await;
        if self.store.database.noting(nothing)? == 0 {
            return Ok(Vec::new());
        }
        let mut chosen = Query::select();
        chosen
            .columns([Column::OrganisationId, Column::Kind, Column::SubjectId])
            .from(Entity)
            .and_where(Column::Kind.eq(kind.name()))
            .and_where(Column::DueAt.lte(now.millis()))
            .order_by(Column::DueAt, sea_orm::Order::Asc)
            .limit(limit)
            // SQLite, which has one writer, knows no row locks and is asked for none.
            .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked);
        let key =
            [Column::OrganisationId, Column::Kind, Column::SubjectId].map(|column| Expr::col(column.into_column_ref()));
        let mut take = UpdateStatement::new();
        take.table(Entity)
            .value(Column::Lease, lease)
            .value(Column::DueAt, until.millis())
            .value(Column::AgainAt, None::<i64>)
            .value(Column::Attempts, Expr::col(Column::Attempts).add(1))
            .and_where(Expr::tuple(key).in_subquery(chosen))
            .and_where(Column::DueAt.lte(now.millis()))
            .returning(Query::returning().columns(Column::iter()));
        let rows = self.store.database.writer().query_all(&take).await;
        let rows = self.store.database.noting(rows)?;
        rows.iter().map(|row| from_row(Model::from_query_result(row, "")?, kind, lease)).collect()
    }

    /// The work is done. When it was asked for again meanwhile, it is due then.
    pub async fn finish(&self, item: &WorkItem) -> Result<(), StoreError> {
        let database = self.store.database.writer();
        let done = Entity::delete_many().filter(ours(item)).filter(Column::AgainAt.is_null());
        if done.exec(database).await?.rows_affected == 0 {
            let again = Entity::update_many()
                .filter(ours(item))
                .col_expr(Column::DueAt, Expr::col(Column::AgainAt))
                .col_expr(Column::AgainAt, Expr::value(None::<i64>))
                .col_expr(Column::Lease, Expr::value(None::<Uuid>))
                .col_expr(Column::Attempts, Expr::value(0))
                .filter(Column::AgainAt.is_not_null());
            if again.exec(database).await?.rows_affected > 0 {
                self.store.wakers.wake(item.kind);
            }
        }
        Ok(())
    }

    /// The work is to be done at `due`, or earlier when it was asked for meanwhile. `attempts` is what counts from then
    /// on: 0 when this time was no failure.
    pub async fn postpone(&self, item: &WorkItem, due: Timestamp, attempts: u32) -> Result<(), StoreError> {
        let sooner = Expr::col(Column::AgainAt).is_not_null().and(Expr::col(Column::AgainAt).lt(due.millis()));
        let due_at = CaseStatement::new().case(sooner, Expr::col(Column::AgainAt)).finally(due.millis());
        let postpone = Entity::update_many()
            .filter(ours(item))
            .col_expr(Column::DueAt, due_at.into())
            .col_expr(Column::AgainAt, Expr::value(None::<i64>))
            .col_expr(Column::Lease, Expr::value(None::<Uuid>))
            .col_expr(Column::Attempts, Expr::value(i64::from(attempts)));
        postpone.exec(self.store.database.writer()).await?;
        Ok(())
    }
}

impl Transaction {
    /// Has work done at `due_at` or later, once, whenever this unit of work is committed. Work on the same subject that
    /// waits for a later instant is brought forward; work that is being done will be done again.
    pub async fn enqueue(&self, kind: WorkKind, subject_id: Uuid, due_at: Timestamp) -> Result<(), StoreError> {
        self.enqueue_all(kind, &[subject_id], due_at).await
    }

    /// The same for several subjects, with one statement for every thousand. The subjects differ from each other.
    pub async fn enqueue_all(&self, kind: WorkKind, subjects: &[Uuid], due_at: Timestamp) -> Result<(), StoreError> {
        for chunk in subjects.chunks(ROWS_PER_INSERT) {
            let rows = chunk.iter().map(|subject_id| ActiveModel {
                kind: Set(kind.name().to_owned()),
                subject_id: Set(*subject_id),
                due_at: Set(due_at.millis()),
                attempts: Set(0),
                lease: Set(None),
                again_at: Set(None),
                ..Default::default()
            });
            self.scope.insert_all_or::<Entity>(rows.collect(), bring_forward(due_at)).await?;
        }
        if !subjects.is_empty() {
            self.wakes(kind);
        }
        Ok(())
    }
}

/// Leased rows keep their lease and learn that there is more to do.
fn bring_forward(due_at: Timestamp) -> OnConflict {
    let column = |column: Column| Expr::col((Entity, column));
    let due_at = due_at.millis();
    let is_leased = column(Column::Lease).is_not_null();
    let later = column(Column::Lease).is_null().and(column(Column::DueAt).gt(due_at));
    let due = CaseStatement::new().case(later, due_at).finally(column(Column::DueAt));
    let again = CaseStatement::new().case(is_leased, due_at).finally(column(Column::AgainAt));
    let mut on_conflict = OnConflict::columns([Column::OrganisationId, Column::Kind, Column::SubjectId]);
    on_conflict.value(Column::DueAt, due).value(Column::AgainAt, again);
    on_conflict
}

/// The row, as long as it is leased to whoever took the item.
fn ours(item: &WorkItem) -> sea_orm::Condition {
    sea_orm::Condition::all()
        .add(Column::OrganisationId.eq(item.organisation_id.as_uuid()))
        .add(Column::Kind.eq(item.kind.name()))
        .add(Column::SubjectId.eq(item.subject_id))
        .add(Column::Lease.eq(item.lease))
}

fn from_row(model: Model, kind: WorkKind, lease: Uuid) -> Result<WorkItem, StoreError> {
    let row = Row { table: "work", id: model.subject_id };
    let attempts = row.number(model.attempts)?;
    Ok(WorkItem { organisation_id: model.organisation_id.into(), kind, subject_id: model.subject_id, attempts, lease })
}

impl Wakers {
    pub(crate) fn wake(&self, kind: WorkKind) {
        if let Some(waker) = self.of(kind) {
            waker.notify_one();
        }
    }

    fn of(&self, kind: WorkKind) -> Option<&Notify> {
        let position = WorkKind::ALL.iter().position(|known| *known == kind)?;
        self.0.get(position)
    }
}

impl fmt::Debug for Work<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Work")
    }
}
