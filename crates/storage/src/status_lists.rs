//! Lists of statuses: the blocks of indexes that processes lease, and what is published.

use chancery_formats::status_list::Bits;
use chancery_model::{RevocationStatus, StatusList, StatusListId, Timestamp};
use sea_orm::sea_query::{CaseStatement, Expr, ExprTrait, OnConflict};
use sea_orm::{ColumnTrait, Condition, QueryFilter, QueryOrder, QuerySelect, Set};
use uuid::Uuid;

use crate::entity::status_change;
use crate::entity::status_list::{ActiveModel, Column, Entity, Model};
use crate::row::{Row, instant};
use crate::{Read, StoreError, Transaction};

/// A list at some moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListVersion {
    /// How many changes were made.
    pub version: u64,
    /// When the last of them was made, or the list opened.
    pub changed_at: Timestamp,
}

/// A change as far as the published list is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntryChange {
    /// Number of the change.
    pub version: u64,
    /// The entry.
    pub index: u32,
    /// Its status from then on.
    pub to: RevocationStatus,
    /// When.
    pub at: Timestamp,
}

impl Read {
    /// All lists, oldest first.
    ///
    /// # Errors
    /// Those of the database, as for every lookup.
    pub async fn status_lists(&self) -> Result<Vec<StatusList>, StoreError> {
        let find = self.scope.find::<Entity>().order_by_asc(Column::CreatedAt).order_by_asc(Column::Id);
        find.all(self.scope.connection()).await?.into_iter().map(from_row).collect()
    }

    /// Lists of this width that have at least `block` indexes left, oldest first, and how many lists of it there are.
    pub async fn open_status_lists(&self, bits: Bits, block: u32) -> Result<(Vec<StatusList>, u32), StoreError> {
        let find = self.scope.find::<Entity>().filter(Column::Bits.eq(i64::from(u8::from(bits))));
        let rows = find.order_by_asc(Column::Ordinal).all(self.scope.connection()).await?;
        let count = u32::try_from(rows.len()).unwrap_or(u32::MAX);
        let open = rows.into_iter().filter(|row| row.leased.saturating_add(block.into()) <= row.capacity);
        Ok((open.map(from_row).collect::<Result<_, _>>()?, count))
    }

    /// One list.
    pub async fn status_list(&self, id: StatusListId) -> Result<Option<StatusList>, StoreError> {
        let row = self.scope.find::<Entity>().filter(Column::Id.eq(id.as_uuid())).one(self.scope.connection()).await?;
        row.map(from_row).transpose()
    }

    /// How far a list has come. Every change up to this number can be read.
    pub async fn status_list_version(&self, id: StatusListId) -> Result<Option<ListVersion>, StoreError> {
        let find = self.scope.find::<Entity>().filter(Column::Id.eq(id.as_uuid()));
        let find = find.select_only().column(Column::Version).column(Column::ChangedAt);
        let found: Option<(i64, i64)> = find.into_tuple().one(self.scope.connection()).await?;
        let row = Row { table: "status_list", id };
        let version =
            |(version, changed_at)| Ok(ListVersion { version: row.number(version)?, changed_at: instant(changed_at) });
        found.map(version).transpose()
    }

    /// Changes of a list behind `after` (number and index of the last one that is known), in order, at most `limit`.
    pub async fn status_changes_after(
        &self,
        id: StatusListId,
        after: (u64, u32),
        limit: u64,
    ) -> Result<Vec<EntryChange>, StoreError> {
        use status_change::Column;
        let (version, index) = (number(after.0)?, i64::from(after.1));
        let behind = Condition::any()
            .add(Column::Version.gt(version))
            .add(Condition::all().add(Column::Version.eq(version)).add(Column::ListIndex.gt(index)));
        let find = self.scope.find::<status_change::Entity>().filter(Column::ListId.eq(id.as_uuid())).filter(behind);
        let find = find.order_by_asc(Column::Version).order_by_asc(Column::ListIndex).limit(limit);
        let find = find.select_only().columns([Column::Version, Column::ListIndex]);
        let find = find.column(Column::ToStatus).column(Column::At);
        let rows: Vec<(i64, i64, String, i64)> = find.into_tuple().all(self.scope.connection()).await?;
        let row = Row { table: "status_change", id };
        let change = |(version, index, to, at): (i64, i64, String, i64)| {
            Ok(EntryChange {
                version: row.number(version)?,
                index: row.number(index)?,
                to: row.expect(RevocationStatus::parse(&to))?,
                at: instant(at),
            })
        };
        rows.into_iter().map(change).collect()
    }

    /// The last change of a list until `until`, and when the one after it was made. `None` stands for no such change.
    pub async fn status_list_at(
        &self,
        id: StatusListId,
        until: Timestamp,
    ) -> Result<(Option<ListVersion>, Option<Timestamp>), StoreError> {
        use status_change::Column;
        let of_list = || {
            let find = self.scope.find::<status_change::Entity>().filter(Column::ListId.eq(id.as_uuid()));
            find.select_only().columns([Column::Version, Column::At])
        };
        let last = of_list().filter(Column::At.lte(until.millis())).order_by_desc(Column::Version).limit(1);
        let last: Option<(i64, i64)> = last.into_tuple().one(self.scope.connection()).await?;
        let next = of_list().filter(Column::At.gt(until.millis())).order_by_asc(Column::Version).limit(1);
        let next: Option<(i64, i64)> = next.into_tuple().one(self.scope.connection()).await?;
        let row = Row { table: "status_change", id };
        let last = match last {
            Some((version, at)) => Some(ListVersion { version: row.number(version)?, changed_at: instant(at) }),
            None => None,
        };
        Ok((last, next.map(|(_, at)| instant(at))))
    }
}

impl Transaction {
    /// Opens a list; `false` when another process has opened one of this width and ordinal.
    pub async fn open_status_list(&self, list: &StatusList) -> Result<bool, StoreError> {
        let row = ActiveModel {
            id: Set(list.id.as_uuid()),
            bits: Set(u8::from(list.bits).into()),
            ordinal: Set(list.ordinal.into()),
            capacity: Set(list.capacity.into()),
            sealed_seed: Set(list.sealed_seed.clone()),
            leased: Set(0),
            version: Set(0),
            created_at: Set(list.created_at.millis()),
            changed_at: Set(list.created_at.millis()),
            ..Default::default()
        };
        let taken =
            OnConflict::columns([Column::OrganisationId, Column::Bits, Column::Ordinal]).do_nothing().to_owned();
        Ok(self.scope.insert_or::<Entity>(row, taken).await? == 1)
    }

    /// Leases the next `block` positions of a list to this process alone, for ever; the first of them. `None` when fewer
    /// are left, or the list is unknown.
    pub async fn lease_status_positions(&self, id: StatusListId, block: u32) -> Result<Option<u32>, StoreError> {
        let leased = Expr::col(Column::Leased).add(i64::from(block));
        let lease = self
            .scope
            .update::<Entity>()
            .col_expr(Column::Leased, leased.clone())
            .filter(Column::Id.eq(id.as_uuid()))
            .filter(leased.lte(Expr::col(Column::Capacity)));
        let Some(model) = self.scope.updated(lease).await? else { return Ok(None) };
        let first = model.leased.saturating_sub(block.into());
        Ok(Some(Row { table: "status_list", id: model.id }.number(first)?))
    }

    /// Counts one more version of a list, for changes that are made `now`. The row stays locked until the unit of work
    /// ends, so versions become visible in their order, and their times never go back.
    pub async fn advance_status_list(
        &self,
        id: StatusListId,
        now: Timestamp,
    ) -> Result<Option<ListVersion>, StoreError> {
        let changed_at = CaseStatement::new()
            .case(Expr::col(Column::ChangedAt).gt(now.millis()), Expr::col(Column::ChangedAt))
            .finally(now.millis());
        let advance = self
            .scope
            .update::<Entity>()
            .col_expr(Column::Version, Expr::col(Column::Version).add(1))
            .col_expr(Column::ChangedAt, changed_at.into())
            .filter(Column::Id.eq(id.as_uuid()));
        let Some(model) = self.scope.updated(advance).await? else { return Ok(None) };
        let row = Row { table: "status_list", id: model.id };
        Ok(Some(ListVersion { version: row.number(model.version)?, changed_at: instant(model.changed_at) }))
    }
}

/// Numbers of versions stay far below what a column holds.
pub(crate) fn number(version: u64) -> Result<i64, StoreError> {
    i64::try_from(version).map_err(|_| StoreError::Internal(anyhow::anyhow!("a version beyond the range of a column")))
}

fn from_row(model: Model) -> Result<StatusList, StoreError> {
    let row: Row<Uuid> = Row { table: "status_list", id: model.id };
    let bits: u64 = row.number(model.bits)?;
    Ok(StatusList {
        id: model.id.into(),
        bits: row.expect(Bits::try_from(bits).ok())?,
        ordinal: row.number(model.ordinal)?,
        capacity: row.number(model.capacity)?,
        sealed_seed: model.sealed_seed,
        created_at: instant(model.created_at),
    })
}
