//! Answers of the management face that are repeated for a repeated `Idempotency-Key`.

use std::fmt;

use chancery_model::{SecretHash, Timestamp};
use sea_orm::sea_query::{Expr, ExprTrait, OnConflict};
use sea_orm::{ColumnTrait, ConnectionTrait, QueryFilter, QueryTrait, Set};
use uuid::Uuid;

use crate::entity::idempotency::{ActiveModel, Column, Entity};
use crate::row::{Row, hash_bytes, instant};
use crate::{Read, StoreError, Transaction};

/// An answer and the request it belongs to.
#[derive(Clone)]
pub struct IdempotentResponse {
    /// The row, which the sealed answer is bound to.
    pub id: Uuid,
    /// The caller's key; whoever calls sees to it that different operations do not share one.
    pub key: String,
    /// Hash of the request, to notice a key that is used for another one.
    pub request_hash: SecretHash,
    /// The answer, sealed.
    pub sealed_response: Vec<u8>,
    /// From this instant on the key is free again.
    pub expires_at: Timestamp,
}

impl fmt::Debug for IdempotentResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IdempotentResponse({})", self.id)
    }
}

impl Read {
    /// The answer remembered for `key`, unless it has expired.
    pub async fn idempotent_response(
        &self,
        key: &str,
        now: Timestamp,
    ) -> Result<Option<IdempotentResponse>, StoreError> {
        let find = self.scope.find::<Entity>().filter(Column::Key.eq(key));
        let found = find.filter(Column::ExpiresAt.gt(now.millis())).one(self.scope.connection()).await?;
        let Some(model) = found else { return Ok(None) };
        let row = Row { table: "idempotency", id: model.id };
        Ok(Some(IdempotentResponse {
            id: model.id,
            request_hash: row.hash(&model.request_hash)?,
            key: model.key,
            sealed_response: model.sealed_response,
            expires_at: instant(model.expires_at),
        }))
    }
}

impl Transaction {
    /// Remembers an answer; `false` when the key is taken by an unexpired one, by another process a moment ago for
    /// example. Then give the unit of work up and look the answer up.
    pub async fn remember_response(&self, response: &IdempotentResponse, now: Timestamp) -> Result<bool, StoreError> {
        let row = ActiveModel {
            id: Set(response.id),
            key: Set(response.key.clone()),
            request_hash: Set(hash_bytes(&response.request_hash)),
            sealed_response: Set(response.sealed_response.clone()),
            expires_at: Set(response.expires_at.millis()),
            ..Default::default()
        };
        let mut replace_expired = OnConflict::columns([Column::OrganisationId, Column::Key]);
        replace_expired
            .update_columns([Column::Id, Column::RequestHash, Column::SealedResponse, Column::ExpiresAt])
            .action_and_where(Expr::col((Entity, Column::ExpiresAt)).lte(now.millis()));
        Ok(self.scope.insert_or::<Entity>(row, replace_expired).await? == 1)
    }

    /// Puts the answer to the request that `response` was remembered for; `false` when that is gone.
    pub async fn settle_response(&self, response: &IdempotentResponse) -> Result<bool, StoreError> {
        let settle = self
            .scope
            .update::<Entity>()
            .col_expr(Column::SealedResponse, Expr::value(response.sealed_response.clone()))
            .filter(Column::Id.eq(response.id));
        Ok(self.scope.happened(settle).await?)
    }

    /// Frees the key that `response` was remembered for.
    pub async fn forget_response(&self, response: &IdempotentResponse) -> Result<(), StoreError> {
        let delete = self.scope.delete::<Entity>().filter(Column::Id.eq(response.id)).into_query();
        self.scope.connection().execute(&delete).await?;
        Ok(())
    }

    /// Deletes what has expired; how many answers that were.
    pub async fn forget_expired_responses(&self, now: Timestamp) -> Result<u64, StoreError> {
        let delete = self.scope.delete::<Entity>().filter(Column::ExpiresAt.lte(now.millis())).into_query();
        Ok(self.scope.connection().execute(&delete).await?.rows_affected())
    }
}
