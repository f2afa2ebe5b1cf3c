//! Keys that wallets encrypt credential requests for.

use chancery_model::{EncryptionKey, Timestamp};
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{ColumnTrait, QueryFilter, QueryOrder, Set};

use crate::entity::encryption_key::{ActiveModel, Column, Entity, Model};
use crate::row::{Row, instant};
use crate::{Read, StoreError, Transaction};

impl Read {
    /// The keys of the organisation, the published one last.
    pub async fn encryption_keys(&self) -> Result<Vec<EncryptionKey>, StoreError> {
        let rows = self.scope.find::<Entity>().order_by_asc(Column::Generation).all(self.scope.connection()).await?;
        rows.into_iter().map(from_row).collect()
    }
}

impl Transaction {
    /// Adds a key and retires those before it; `false`, and nothing changes, when there is a key of its generation.
    /// Keys that no longer decrypt at `now` are erased.
    pub async fn succeed_encryption_key(&self, key: &EncryptionKey, now: Timestamp) -> Result<bool, StoreError> {
        let row = ActiveModel {
            generation: Set(i64::from(key.generation)),
            id: Set(key.id.as_uuid()),
            kid: Set(key.kid.clone()),
            sealed_private: Set(key.sealed_private.clone()),
            created_at: Set(key.created_at.millis()),
            retired_at: Set(None),
            ..Default::default()
        };
        let taken = OnConflict::columns([Column::OrganisationId, Column::Generation]).do_nothing().to_owned();
        if self.scope.insert_or::<Entity>(row, taken).await? == 0 {
            return Ok(false);
        }
        let retire = self
            .scope
            .update::<Entity>()
            .col_expr(Column::RetiredAt, Expr::value(Some(now.millis())))
            .filter(Column::Generation.lt(i64::from(key.generation)))
            .filter(Column::RetiredAt.is_null());
        retire.exec(self.scope.connection()).await?;
        let overlap = i64::from(EncryptionKey::OVERLAP) * 1000;
        let erase = self.scope.delete::<Entity>().filter(Column::RetiredAt.lte(now.millis() - overlap));
        erase.exec(self.scope.connection()).await?;
        Ok(true)
    }
}

fn from_row(model: Model) -> Result<EncryptionKey, StoreError> {
    let row = Row { table: "encryption_key", id: model.id };
    Ok(EncryptionKey {
        id: model.id.into(),
        generation: row.expect(u32::try_from(model.generation).ok())?,
        kid: model.kid,
        sealed_private: model.sealed_private,
        created_at: instant(model.created_at),
        retired_at: model.retired_at.map(instant),
    })
}
