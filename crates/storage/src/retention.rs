//! Erasing what is kept no longer. Sealed columns are emptied, rows are deleted; what a status list says of a credential
//! stays.

use chancery_model::{ExchangeId, ExchangeStatus, Retained, Retention, Timestamp};
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{ColumnTrait, Condition, ConnectionTrait, QueryFilter, QueryOrder, QuerySelect, Set};
use uuid::Uuid;

use crate::connection::Database;
use crate::entity::retention::{ActiveModel, Column, Entity, Model};
use crate::entity::{authorization_request, credential, exchange, exchange_grant, refresh_token, transcript_part};
use crate::exchanges::later_than;
use crate::row::Row;
use crate::scope::later;
use crate::{Position, Read, Store, StoreError, Transaction};

/// How long an organisation keeps things, and how far that has been carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetentionProgress {
    /// The rules.
    pub retention: Retention,
    /// When they were set.
    pub updated_at: Timestamp,
    done: [Timestamp; 4],
}

/// Some exchanges whose turn it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Due {
    /// Those that have come to an end.
    pub exchanges: Vec<ExchangeId>,
    /// The last one that was looked at; `None` when there are no more.
    pub last: Option<Position>,
    /// When the first one was created that has not come to an end.
    pub first_unfinished: Option<Timestamp>,
}

impl RetentionProgress {
    /// Of exchanges created before this instant the part has been erased.
    pub fn done(&self, part: Retained) -> Timestamp {
        let [claims, tokens, transcripts, exchanges] = self.done;
        match part {
            Retained::Claims => claims,
            Retained::Tokens => tokens,
            Retained::Transcripts => transcripts,
            Retained::Exchanges => exchanges,
        }
    }
}

impl Read {
    /// What the organisation has set; `None` when it keeps everything.
    ///
    /// # Errors
    /// Those of the database, as for every lookup.
    pub async fn retention(&self) -> Result<Option<RetentionProgress>, StoreError> {
        let found = self.scope.find::<Entity>().one(self.scope.connection()).await?;
        found.map(from_row).transpose()
    }

    /// Exchanges created from `from` on and before `before`, oldest first, at most `most`, from behind `after`.
    pub async fn exchanges_due(
        &self,
        from: Timestamp,
        before: Timestamp,
        after: Option<Position>,
        most: u64,
        now: Timestamp,
    ) -> Result<Due, StoreError> {
        use exchange::Column;
        let columns =
            [Column::CreatedAt, Column::Id, Column::Status, Column::ExpiresAt, Column::ClaimsDueAt].into_iter();
        let find = self.scope.find::<exchange::Entity>().filter(Column::CreatedAt.gte(from.millis()));
        let find = find.filter(Column::CreatedAt.lt(before.millis()));
        let find = find.filter(Condition::all().add_option(after.map(later_than)));
        let find = find.order_by_asc(Column::CreatedAt).order_by_asc(Column::Id).limit(most);
        let rows: Vec<(i64, Uuid, String, i64, Option<i64>)> =
            find.select_only().columns(columns).into_tuple().all(self.scope.connection()).await?;
        let mut due = Due::default();
        for (created_at, id, status, expires_at, claims_due_at) in rows {
            let status = Row { table: "exchange", id }.expect(ExchangeStatus::parse(&status))?;
            let created_at = Timestamp::from_millis(created_at);
            let can_go_on = expires_at > now.millis() || claims_due_at.is_some_and(|due| due > now.millis());
            if status.is_open() && can_go_on {
                due.first_unfinished = due.first_unfinished.or(Some(created_at));
            } else {
                due.exchanges.push(id.into());
            }
            due.last = Some(Position { created_at, id: id.into() });
        }
        Ok(due)
    }
}

impl Transaction {
    /// Sets how long things are kept, and answers what is set then. What is erased already stays so. `None` when somebody
    /// else did since `seen`, which is 0 for rules that were never set.
    ///
    /// # Errors
    /// Those of the database, as for every change.
    pub async fn set_retention(
        &self,
        retention: &Retention,
        seen: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Option<RetentionProgress>, StoreError> {
        let row = ActiveModel {
            claims: Set(retention.claims.map(i64::from)),
            tokens: Set(retention.tokens.map(i64::from)),
            transcripts: Set(retention.transcripts.map(i64::from)),
            exchanges: Set(retention.exchanges.map(i64::from)),
            claims_until: Set(0),
            tokens_until: Set(0),
            transcripts_until: Set(0),
            exchanges_until: Set(0),
            updated_at: Set(now.millis()),
            ..Default::default()
        };
        let mut replace = OnConflict::column(Column::OrganisationId);
        replace.update_columns([Column::Claims, Column::Tokens, Column::Transcripts, Column::Exchanges]);
        replace.value(Column::UpdatedAt, later(Column::UpdatedAt, now));
        if let Some(seen) = seen {
            // Rules that were never set have no row that could be newer.
            replace.action_and_where(Column::UpdatedAt.eq(seen.millis()));
            let is_first = seen.millis() == 0;
            if !is_first && self.retention().await?.is_none() {
                return Ok(None);
            }
        }
        let changed = self.scope.insert_or::<Entity>(row, replace).await?;
        if changed == 1 { self.retention().await } else { Ok(None) }
    }

    /// Notes that `part` has been erased of exchanges created before `until`.
    pub async fn note_erased(&self, part: Retained, until: Timestamp) -> Result<(), StoreError> {
        let column = match part {
            Retained::Claims => Column::ClaimsUntil,
            Retained::Tokens => Column::TokensUntil,
            Retained::Transcripts => Column::TranscriptsUntil,
            Retained::Exchanges => Column::ExchangesUntil,
        };
        let note = self.scope.update::<Entity>().col_expr(column, Expr::value(until.millis()));
        note.filter(column.lt(until.millis())).exec(self.scope.connection()).await?;
        Ok(())
    }

    /// Erases a part of what is known of these exchanges.
    pub async fn erase(&self, part: Retained, exchanges: &[ExchangeId]) -> Result<(), StoreError> {
        if exchanges.is_empty() {
            return Ok(());
        }
        match part {
            Retained::Claims => self.erase_claims(exchanges).await,
            Retained::Tokens => self.erase_tokens(exchanges).await,
            Retained::Transcripts => self.erase_transcripts(exchanges).await,
            Retained::Exchanges => self.erase_whole(exchanges).await,
        }
    }

    async fn erase_claims(&self, ids: &[ExchangeId]) -> Result<(), StoreError> {
        let supplied = self
            .scope
            .update::<exchange::Entity>()
            .col_expr(exchange::Column::SealedSubmissions, Expr::value(None::<Vec<u8>>))
            .filter(exchange::Column::Id.is_in(plain(ids)))
            .filter(exchange::Column::SealedSubmissions.is_not_null());
        supplied.exec(self.scope.connection()).await?;
        use authorization_request::Column;
        let signed_in = self
            .scope
            .update::<authorization_request::Entity>()
            .col_expr(Column::SealedSignedIn, Expr::value(None::<Vec<u8>>))
            .filter(Column::ExchangeId.is_in(plain(ids)));
        signed_in.exec(self.scope.connection()).await?;
        Ok(())
    }

    async fn erase_tokens(&self, ids: &[ExchangeId]) -> Result<(), StoreError> {
        let connection = self.scope.connection();
        let issued = self
            .scope
            .update::<credential::Entity>()
            .col_expr(credential::Column::SealedToken, Expr::value(Vec::<u8>::new()))
            .col_expr(credential::Column::Proof, Expr::value("{}"))
            .filter(credential::Column::ExchangeId.is_in(plain(ids)));
        issued.exec(connection).await?;
        let refresh = self.scope.delete::<refresh_token::Entity>();
        refresh.filter(refresh_token::Column::ExchangeId.is_in(plain(ids))).exec(connection).await?;
        let grants = self.scope.delete::<exchange_grant::Entity>();
        grants.filter(exchange_grant::Column::ExchangeId.is_in(plain(ids))).exec(connection).await?;
        Ok(())
    }

    async fn erase_transcripts(&self, ids: &[ExchangeId]) -> Result<(), StoreError> {
        let connection = self.scope.connection();
        let nothing = || Expr::value(None::<String>);
        let parts = self.scope.delete::<transcript_part::Entity>();
        parts.filter(transcript_part::Column::ExchangeId.is_in(plain(ids))).exec(connection).await?;
        let fetches = self.scope.update::<exchange::Entity>().col_expr(exchange::Column::FetchPart, nothing());
        fetches.filter(exchange::Column::Id.is_in(plain(ids))).exec(connection).await?;
        let grants =
            self.scope.update::<exchange_grant::Entity>().col_expr(exchange_grant::Column::TranscriptPart, nothing());
        grants.filter(exchange_grant::Column::ExchangeId.is_in(plain(ids))).exec(connection).await?;
        let issued = self.scope.update::<credential::Entity>().col_expr(credential::Column::TranscriptPart, nothing());
        issued.filter(credential::Column::ExchangeId.is_in(plain(ids))).exec(connection).await?;
        Ok(())
    }

    async fn erase_whole(&self, ids: &[ExchangeId]) -> Result<(), StoreError> {
        let positions = self.positions_of(ids).await?;
        let delete = self.scope.delete::<exchange::Entity>().filter(exchange::Column::Id.is_in(plain(ids)));
        delete.exec(self.scope.connection()).await?;
        self.recount_history_at(positions).await
    }
}

impl Store {
    /// Takes what was erased out of the write-ahead log of SQLite; the file itself was overwritten. On PostgreSQL old
    /// versions of rows go with the next vacuum.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn settle_erasure(&self) -> Result<(), StoreError> {
        match self.database() {
            Database::Sqlite { writer, .. } => {
                writer.execute_unprepared("PRAGMA wal_checkpoint(TRUNCATE)").await?;
            }
            Database::Postgres { .. } => {}
        }
        Ok(())
    }
}

fn plain(ids: &[ExchangeId]) -> impl Iterator<Item = Uuid> {
    ids.iter().map(|id| id.as_uuid())
}

fn from_row(model: Model) -> Result<RetentionProgress, StoreError> {
    let row = Row { table: "retention", id: model.organisation_id };
    let days = |days: Option<i64>| days.map(|days| row.number(days)).transpose();
    let retention = Retention {
        claims: days(model.claims)?,
        tokens: days(model.tokens)?,
        transcripts: days(model.transcripts)?,
        exchanges: days(model.exchanges)?,
    };
    let done = [model.claims_until, model.tokens_until, model.transcripts_until, model.exchanges_until];
    Ok(RetentionProgress {
        retention,
        updated_at: Timestamp::from_millis(model.updated_at),
        done: done.map(Timestamp::from_millis),
    })
}
