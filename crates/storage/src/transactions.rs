//! Deferred issuances.

use chancery_keys::PublicJwk;
use chancery_model::{
    DeferredTransaction, EntryId, Exchange, ExchangeId, Grant, ProvenKey, SecretHash, Timestamp, TransactionId,
};
use sea_orm::sea_query::{CaseStatement, Expr, ExprTrait};
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, JoinType, QueryFilter, QueryOrder, QuerySelect, QueryTrait, RelationDef, Set,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::entity::exchange_transaction::{ActiveModel, Column, Entity, Model};
use crate::entity::{exchange, exchange_grant};
use crate::exchanges;
use crate::row::{Row, hash_bytes, instant, maybe_instant, to_json};
use crate::scope::incremented;
use crate::{Read, StoreError, Transaction};

impl Read {
    /// The deferred transaction of an exchange with this id, over or not, and the exchange as it is now; one statement.
    pub async fn deferred_transaction(
        &self,
        exchange: ExchangeId,
        id: &SecretHash,
    ) -> Result<Option<(DeferredTransaction, Exchange)>, StoreError> {
        let find = self
            .scope
            .find::<Entity>()
            .filter(Column::ExchangeId.eq(exchange.as_uuid()))
            .filter(Column::IdHash.eq(hash_bytes(id)))
            .join(JoinType::InnerJoin, its_exchange())
            .select_also(exchange::Entity);
        let Some((transaction, exchange)) = find.one(self.scope.connection()).await? else { return Ok(None) };
        let row = Row { table: "exchange_transaction", id: transaction.id };
        let exchange = exchanges::from_row(row.expect(exchange)?)?;
        Ok(Some((from_row(transaction)?, exchange)))
    }
}

impl Transaction {
    /// Adds a deferred transaction. Of those that wait for the same dataset the `most` newest stay: a wallet that asks
    /// again and again does not fill the database.
    pub async fn add_deferred_transaction(
        &self,
        transaction: &DeferredTransaction,
        most: u64,
    ) -> Result<(), StoreError> {
        self.scope.insert::<Entity>(to_row(transaction)?).await?;
        let waiting = Condition::all()
            .add(Column::ExchangeId.eq(transaction.exchange_id.as_uuid()))
            .add(Column::EntryId.eq(transaction.entry.as_uuid()))
            .add(Column::Dataset.eq(i64::from(transaction.dataset)))
            .add(Column::IssuedAt.is_null());
        let newest = self
            .scope
            .find::<Entity>()
            .filter(waiting.clone())
            .select_only()
            .column(Column::Id)
            .order_by_desc(Column::CreatedAt)
            .order_by_desc(Column::Id)
            .limit(most)
            .into_query();
        let forget = self.scope.delete::<Entity>().filter(waiting).filter(Column::Id.not_in_subquery(newest));
        forget.exec(self.scope.connection()).await?;
        Ok(())
    }

    /// Notes that a wallet asked for a transaction that waits, and answers it as it is now; `None` when it was issued
    /// meanwhile. A wallet that did not wait as long as it was told is told to wait `penalty` seconds longer, up to
    /// `longest`; none is told to wait less than `least`.
    pub async fn note_poll(
        &self,
        transaction: &DeferredTransaction,
        (least, penalty, longest): (u32, u32, u32),
        now: Timestamp,
    ) -> Result<Option<DeferredTransaction>, StoreError> {
        let due = Expr::col(Column::PolledAt).add(Expr::col(Column::PollInterval).mul(1000_i64));
        let longer = Expr::col(Column::PollInterval).add(i64::from(penalty));
        let interval = CaseStatement::new()
            .case(Expr::col(Column::PollInterval).lt(i64::from(least)), i64::from(least))
            .case(due.gt(now.millis()).and(longer.clone().lte(i64::from(longest))), longer)
            .finally(Expr::col(Column::PollInterval));
        let note = self
            .one(transaction.exchange_id, transaction.id)
            .col_expr(Column::Polls, incremented(Column::Polls))
            .col_expr(Column::PollInterval, interval.into())
            .col_expr(Column::PolledAt, Expr::value(now.millis()));
        self.scope.updated(note).await?.map(from_row).transpose()
    }

    /// Ends a transaction with its answer: `true` for exactly one caller, and only before it expires.
    pub async fn answer_transaction(
        &self,
        transaction: &DeferredTransaction,
        sealed_answer: &[u8],
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let answer = self
            .one(transaction.exchange_id, transaction.id)
            .col_expr(Column::IssuedAt, Expr::value(now.millis()))
            .col_expr(Column::SealedAnswer, Expr::value(sealed_answer.to_vec()))
            .filter(Column::ExpiresAt.gt(now.millis()));
        Ok(self.scope.happened(answer).await?)
    }

    /// Lets the access token of a grant live until `until`, unless it lives longer anyway.
    pub async fn extend_access_token(&self, grant: &Grant, until: Timestamp) -> Result<(), StoreError> {
        use exchange_grant::Column;
        let extend = self
            .scope
            .update::<exchange_grant::Entity>()
            .col_expr(Column::AccessTokenExpiresAt, Expr::value(until.millis()))
            .filter(Column::ExchangeId.eq(grant.exchange_id.as_uuid()))
            .filter(Column::AccessTokenHash.eq(hash_bytes(&grant.access_token_hash)))
            .filter(Column::AccessTokenExpiresAt.lt(until.millis()));
        extend.exec(self.scope.connection()).await?;
        Ok(())
    }

    /// An UPDATE of a transaction that was not issued.
    fn one(&self, exchange: ExchangeId, id: TransactionId) -> sea_orm::UpdateMany<Entity> {
        self.scope
            .update::<Entity>()
            .filter(Column::ExchangeId.eq(exchange.as_uuid()))
            .filter(Column::Id.eq(id.as_uuid()))
            .filter(Column::IssuedAt.is_null())
    }
}

/// A [`ProvenKey`] in JSON.
#[derive(Serialize, Deserialize)]
struct StoredKey {
    jwk: Map<String, Value>,
    proof: Map<String, Value>,
}

fn its_exchange() -> RelationDef {
    Entity::belongs_to(exchange::Entity)
        .from((Column::OrganisationId, Column::ExchangeId))
        .to((exchange::Column::OrganisationId, exchange::Column::Id))
        .into()
}

fn to_row(transaction: &DeferredTransaction) -> Result<ActiveModel, StoreError> {
    let stored = |proven: &ProvenKey| StoredKey { jwk: proven.key.to_json(), proof: proven.proof.clone() };
    let keys: Vec<StoredKey> = transaction.keys.iter().map(stored).collect();
    Ok(ActiveModel {
        id: Set(transaction.id.as_uuid()),
        exchange_id: Set(transaction.exchange_id.as_uuid()),
        id_hash: Set(hash_bytes(&transaction.id_hash)),
        grant_id: Set(transaction.grant_id.as_uuid()),
        entry_id: Set(transaction.entry.as_uuid()),
        dataset: Set(i64::from(transaction.dataset)),
        keys: Set(to_json(&keys)?),
        poll_interval: Set(i64::from(transaction.interval)),
        polls: Set(i64::from(transaction.polls)),
        polled_at: Set(transaction.polled_at.millis()),
        issued_at: Set(transaction.issued_at.map(Timestamp::millis)),
        sealed_answer: Set(transaction.sealed_answer.clone()),
        expires_at: Set(transaction.expires_at.millis()),
        created_at: Set(transaction.created_at.millis()),
        ..Default::default()
    })
}

fn from_row(model: Model) -> Result<DeferredTransaction, StoreError> {
    let row = Row { table: "exchange_transaction", id: model.id };
    let stored: Vec<StoredKey> = row.json(&model.keys)?;
    let proven = |stored: StoredKey| {
        let key = row.expect(PublicJwk::from_json(&stored.jwk).ok())?;
        Ok::<_, StoreError>(ProvenKey { key, proof: stored.proof })
    };
    Ok(DeferredTransaction {
        id: model.id.into(),
        exchange_id: model.exchange_id.into(),
        grant_id: model.grant_id.into(),
        id_hash: row.hash(&model.id_hash)?,
        entry: EntryId::from(model.entry_id),
        dataset: row.number(model.dataset)?,
        keys: stored.into_iter().map(proven).collect::<Result<_, _>>()?,
        interval: row.number(model.poll_interval)?,
        polls: row.number(model.polls)?,
        polled_at: instant(model.polled_at),
        issued_at: maybe_instant(model.issued_at),
        sealed_answer: model.sealed_answer,
        expires_at: instant(model.expires_at),
        created_at: instant(model.created_at),
    })
}
