//! Changes of statuses, and the credentials they are about.

use std::collections::BTreeMap;

use chancery_model::{
    CredentialId, DefinitionId, ExchangeId, RevocationStatus, StatusChange, StatusHolder, StatusListId, StatusPlace,
    Timestamp, TranscriptPart,
};
use sea_orm::sea_query::{Expr, Query, SelectStatement};
use sea_orm::{ColumnTrait, Condition, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait, Select, Set};
use uuid::Uuid;

use crate::entity::credential::{Column, Entity};
use crate::entity::{exchange, status_change};
use crate::row::{Row, instant};
use crate::scope::Earlier;
use crate::status_lists::number;
use crate::{Position, Read, StoreError, Transaction};

/// Rows of one INSERT: eleven values each, of the 32 766 that SQLite binds.
const ROWS_PER_INSERT: usize = 2000;

/// Ids of one statement.
const IDS_PER_STATEMENT: usize = 1000;

/// What becomes of credentials of at least one exchange.
#[derive(Clone, Copy, Debug)]
pub struct StatusMove<'m> {
    /// Those that change.
    pub credentials: &'m [StatusHolder],
    /// Their status from then on.
    pub to: RevocationStatus,
    /// The exchanges, by the status that their record has from then on.
    pub records: &'m BTreeMap<RevocationStatus, Vec<ExchangeId>>,
    /// What is told of it in their transcripts.
    pub parts: &'m [TranscriptPart],
    /// When.
    pub at: Timestamp,
}

/// Which credentials with a status are meant. Everything that is given must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HolderFilter {
    /// Those of these exchanges.
    pub exchanges: Option<Vec<ExchangeId>>,
    /// Those of this definition, in any revision.
    pub definition: Option<DefinitionId>,
    /// Those of the wallet with this `client_id`.
    pub client_id: Option<String>,
    /// Those signed at this instant or later.
    pub issued_from: Option<Timestamp>,
    /// Those signed before this instant.
    pub issued_before: Option<Timestamp>,
    /// Those with this status.
    pub status: Option<RevocationStatus>,
    /// Those in other lists than these.
    pub not_in_lists: Option<Vec<StatusListId>>,
}

/// Credentials with a status.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holders {
    /// The first of them by exchange, oldest exchange first.
    pub first: Vec<StatusHolder>,
    /// How many there are in all, by status.
    pub by_status: Vec<(RevocationStatus, u64)>,
}

type HolderRow = (Uuid, Uuid, Uuid, Option<Uuid>, Option<i64>, Option<String>);

impl Read {
    /// The credentials of exchanges that have a status, by exchange and id.
    ///
    /// # Errors
    /// Those of the database, as for every lookup.
    pub async fn status_holders_of(&self, exchanges: &[ExchangeId]) -> Result<Vec<StatusHolder>, StoreError> {
        let mut holders = Vec::new();
        for chunk in exchanges.chunks(IDS_PER_STATEMENT) {
            let find = self.holders().filter(Column::ExchangeId.is_in(chunk.iter().map(|id| id.as_uuid())));
            holders.extend(self.read_holders(find).await?);
        }
        Ok(holders)
    }

    /// Credentials that `filter` admits: how many there are by status, and the first `limit` of those whose status is
    /// one of `from`.
    pub async fn status_holders(
        &self,
        filter: &HolderFilter,
        from: &[RevocationStatus],
        limit: u64,
    ) -> Result<Holders, StoreError> {
        let admitted = self.admitted_holders(filter);
        let mut by_status = Vec::with_capacity(RevocationStatus::ALL.len());
        for status in RevocationStatus::ALL {
            let of_status = self.holders().filter(admitted.clone()).filter(Column::Status.eq(status.name()));
            by_status.push((status, of_status.count(self.scope.connection()).await?));
        }
        let find = self.holders().filter(admitted);
        let find = find.filter(Column::Status.is_in(from.iter().map(|status| status.name()))).limit(limit);
        Ok(Holders { first: self.read_holders(find).await?, by_status })
    }

    /// What was changed in an exchange, oldest change first.
    pub async fn status_changes_of(&self, exchange: ExchangeId) -> Result<Vec<StatusChange>, StoreError> {
        use status_change::Column;
        let find = self.scope.find::<status_change::Entity>().filter(Column::ExchangeId.eq(exchange.as_uuid()));
        let find = find.order_by_asc(Column::At).order_by_asc(Column::Version).order_by_asc(Column::CredentialId);
        find.all(self.scope.connection()).await?.into_iter().map(change_from_row).collect()
    }

    fn holders(&self) -> Select<Entity> {
        self.scope.find::<Entity>().filter(Column::StatusListId.is_not_null())
    }

    async fn read_holders(&self, find: Select<Entity>) -> Result<Vec<StatusHolder>, StoreError> {
        let find = find.order_by_asc(Column::ExchangeId).order_by_asc(Column::Id).select_only();
        let find = find.columns([Column::Id, Column::ExchangeId, Column::EntryId, Column::StatusListId]);
        let find = find.columns([Column::StatusIndex, Column::Status]);
        let rows: Vec<HolderRow> = find.into_tuple().all(self.scope.connection()).await?;
        rows.into_iter().map(holder_from_row).collect()
    }

    fn admitted_holders(&self, filter: &HolderFilter) -> Condition {
        let HolderFilter { exchanges, definition, client_id, issued_from, issued_before, status, not_in_lists } =
            filter;
        let mut admitted = Condition::all();
        if let Some(ids) = exchanges {
            admitted = admitted.add(Column::ExchangeId.is_in(ids.iter().map(|id| id.as_uuid())));
        }
        if definition.is_some() || client_id.is_some() {
            admitted =
                admitted.add(Column::ExchangeId.in_subquery(self.exchanges_of(*definition, client_id.as_deref())));
        }
        if let Some(from) = issued_from {
            admitted = admitted.add(Column::IssuedAt.gte(from.millis()));
        }
        if let Some(before) = issued_before {
            admitted = admitted.add(Column::IssuedAt.lt(before.millis()));
        }
        if let Some(status) = status {
            admitted = admitted.add(Column::Status.eq(status.name()));
        }
        if let Some(lists) = not_in_lists {
            admitted = admitted.add(Column::StatusListId.is_not_in(lists.iter().map(|id| id.as_uuid())));
        }
        admitted
    }

    fn exchanges_of(&self, definition: Option<DefinitionId>, client_id: Option<&str>) -> SelectStatement {
        use exchange::Column;
        let mut find = self.scope.find::<exchange::Entity>().select_only().column(Column::Id);
        if let Some(definition) = definition {
            find = find.filter(Column::DefinitionId.eq(definition.as_uuid()));
        }
        if let Some(client_id) = client_id {
            find = find.filter(Column::ClientId.eq(client_id));
        }
        find.into_query()
    }
}

impl Transaction {
    /// Holds exchanges still until the unit of work ends: none of them issues or changes meanwhile. Answers those that
    /// are there.
    pub async fn hold_exchanges(&self, ids: &[ExchangeId]) -> Result<Vec<ExchangeId>, StoreError> {
        use exchange::Column;
        let mut ordered = ids.to_vec();
        ordered.sort_unstable();
        let mut held = Vec::with_capacity(ids.len());
        for chunk in ordered.chunks(IDS_PER_STATEMENT) {
            // Locked in order, so that two units of work never wait for each other. SQLite has but one writer.
            let find = self.scope.find::<exchange::Entity>().select_only().column(Column::Id);
            let find = find.filter(Column::Id.is_in(chunk.iter().map(|id| id.as_uuid())));
            let find = find.order_by_asc(Column::Id).lock_exclusive().into_tuple::<Uuid>();
            held.extend(find.all(self.scope.connection()).await?.into_iter().map(ExchangeId::from));
        }
        Ok(held)
    }

    /// Gives credentials and the records of their exchanges, which are held, their statuses, and adds what is told of it.
    pub async fn move_statuses(&self, change: &StatusMove<'_>) -> Result<(), StoreError> {
        let mut earlier: Vec<Earlier> = Vec::new();
        for chunk in change.credentials.chunks(IDS_PER_STATEMENT) {
            let credentials = self
                .scope
                .update::<Entity>()
                .col_expr(Column::Status, Expr::value(change.to.name()))
                .filter(Column::ExchangeId.is_in(chunk.iter().map(|holder| holder.exchange.as_uuid())))
                .filter(Column::Id.is_in(chunk.iter().map(|holder| holder.credential.as_uuid())));
            earlier.push(Earlier::Update(credentials.into_query()));
        }
        for rows in self.transcript_rows(change.parts)? {
            earlier.push(Earlier::Insert(rows.insert()?));
        }
        let mut positions = Vec::new();
        for (status, exchanges) in change.records {
            for chunk in exchanges.chunks(IDS_PER_STATEMENT) {
                use exchange::Column;
                let records = self
                    .scope
                    .update::<exchange::Entity>()
                    .col_expr(Column::RevocationStatus, Expr::value(status.name()))
                    .col_expr(Column::UpdatedAt, Expr::value(change.at.millis()))
                    .filter(Column::Id.is_in(chunk.iter().map(|id| id.as_uuid())));
                let mut records = records.into_query();
                records.returning(Query::returning().columns([Column::CreatedAt, Column::Id]));
                for row in self.scope.together(std::mem::take(&mut earlier), records).await? {
                    positions.push(Position::of(row.try_get_by_index(0)?, row.try_get_by_index(1)?));
                }
            }
        }
        if !earlier.is_empty() {
            return Err(StoreError::Internal(anyhow::anyhow!("statuses that no record has")));
        }
        self.recount_history_at(positions).await
    }

    /// Writes changes down.
    pub async fn add_status_changes(&self, changes: &[StatusChange]) -> Result<(), StoreError> {
        for chunk in changes.chunks(ROWS_PER_INSERT) {
            let rows = chunk.iter().map(change_to_row).collect::<Result<_, _>>()?;
            self.scope.insert_all::<status_change::Entity>(rows).await?;
        }
        Ok(())
    }
}

fn holder_from_row(row: HolderRow) -> Result<StatusHolder, StoreError> {
    let (id, exchange, entry, list, index, status) = row;
    let row = Row { table: "credential", id };
    Ok(StatusHolder {
        credential: id.into(),
        exchange: exchange.into(),
        entry: entry.into(),
        place: StatusPlace { list: row.expect(list)?.into(), index: row.number(row.expect(index)?)? },
        status: row.expect(status.as_deref().and_then(RevocationStatus::parse))?,
    })
}

fn change_to_row(change: &StatusChange) -> Result<status_change::ActiveModel, StoreError> {
    Ok(status_change::ActiveModel {
        list_id: Set(change.place.list.as_uuid()),
        version: Set(number(change.version)?),
        list_index: Set(change.place.index.into()),
        exchange_id: Set(change.exchange.as_uuid()),
        credential_id: Set(change.credential.as_uuid()),
        from_status: Set(change.from.name().to_owned()),
        to_status: Set(change.to.name().to_owned()),
        actor: Set(change.actor.clone()),
        reason: Set(change.reason.clone()),
        at: Set(change.at.millis()),
        ..Default::default()
    })
}

fn change_from_row(model: status_change::Model) -> Result<StatusChange, StoreError> {
    let row = Row { table: "status_change", id: model.list_id };
    Ok(StatusChange {
        place: StatusPlace { list: model.list_id.into(), index: row.number(model.list_index)? },
        version: row.number(model.version)?,
        credential: CredentialId::from(model.credential_id),
        exchange: model.exchange_id.into(),
        from: row.expect(RevocationStatus::parse(&model.from_status))?,
        to: row.expect(RevocationStatus::parse(&model.to_status))?,
        actor: model.actor,
        reason: model.reason,
        at: instant(model.at),
    })
}
