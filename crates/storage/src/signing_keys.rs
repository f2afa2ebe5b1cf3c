//! Keys that sign credentials.

use chancery_keys::{Algorithm, PublicJwk};
use chancery_model::{SigningKey, SigningKeyId, SigningKeyState, Timestamp};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, QueryFilter, QueryOrder, Set, UpdateMany};

use crate::entity::signing_key::{ActiveModel, Column, Entity, Model};
use crate::row::{Row, instant, to_json, to_name};
use crate::scope::later;
use crate::{Read, StoreError, Transaction};

impl Read {
    /// All keys of the organisation, retired ones too, oldest first.
    pub async fn signing_keys(&self) -> Result<Vec<SigningKey>, StoreError> {
        let rows = self.scope.find::<Entity>().order_by_asc(Column::Id).all(self.scope.connection()).await?;
        rows.into_iter().map(from_row).collect()
    }

    /// One key.
    pub async fn signing_key(&self, id: SigningKeyId) -> Result<Option<SigningKey>, StoreError> {
        let row = self.scope.find::<Entity>().filter(Column::Id.eq(id.as_uuid())).one(self.scope.connection()).await?;
        row.map(from_row).transpose()
    }
}

impl Transaction {
    /// Adds a key.
    pub async fn add_signing_key(&self, key: &SigningKey) -> Result<(), StoreError> {
        let row = ActiveModel {
            id: Set(key.id.as_uuid()),
            kid: Set(key.kid.clone()),
            algorithm: Set(key.algorithm.name().to_owned()),
            state: Set(to_name(&key.state)?),
            public_jwk: Set(to_json(&key.public_jwk.to_json())?),
            sealed_private: Set(key.sealed_private.clone()),
            certificate_chain: Set(key.certificate_chain.clone()),
            created_at: Set(key.created_at.millis()),
            updated_at: Set(key.updated_at.millis()),
            ..Default::default()
        };
        Ok(self.scope.insert::<Entity>(row).await?)
    }

    /// Moves a key from state `from` to state `to`, and answers it as it is then; `None` when it is unknown, not in `from`,
    /// may not move so, or was changed since `seen`.
    pub async fn move_signing_key(
        &self,
        id: SigningKeyId,
        from: SigningKeyState,
        to: SigningKeyState,
        seen: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Option<SigningKey>, StoreError> {
        if !from.may_become(to) {
            return Ok(None);
        }
        let change = self
            .scope
            .update::<Entity>()
            .col_expr(Column::State, Expr::value(to_name(&to)?))
            .filter(Column::State.eq(to_name(&from)?));
        self.change_signing_key(change, id, seen, now).await
    }

    /// Replaces a key's certificate chain (PEM, leaf first), and answers the key as it is then; `None` when it is unknown,
    /// or was changed since `seen`.
    pub async fn set_certificate_chain(
        &self,
        id: SigningKeyId,
        pem: &str,
        seen: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Option<SigningKey>, StoreError> {
        let change = self.scope.update::<Entity>().col_expr(Column::CertificateChain, Expr::value(pem));
        self.change_signing_key(change, id, seen, now).await
    }

    async fn change_signing_key(
        &self,
        change: UpdateMany<Entity>,
        id: SigningKeyId,
        seen: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Option<SigningKey>, StoreError> {
        let mut change = change.filter(Column::Id.eq(id.as_uuid()));
        if let Some(seen) = seen {
            change = change.filter(Column::UpdatedAt.eq(seen.millis()));
        }
        let change = change.col_expr(Column::UpdatedAt, later(Column::UpdatedAt, now));
        self.scope.updated(change).await?.map(from_row).transpose()
    }
}

fn from_row(model: Model) -> Result<SigningKey, StoreError> {
    let row = Row { table: "signing_key", id: model.id };
    Ok(SigningKey {
        id: model.id.into(),
        kid: model.kid,
        algorithm: row.expect(Algorithm::parse(&model.algorithm))?,
        state: row.name(model.state)?,
        public_jwk: row.expect(PublicJwk::from_json(&row.json(&model.public_jwk)?).ok())?,
        sealed_private: model.sealed_private,
        certificate_chain: model.certificate_chain,
        created_at: instant(model.created_at),
        updated_at: instant(model.updated_at),
    })
}
