//! Keys for the management API.

use chancery_model::{ApiKey, ApiKeyId, Binding, OrganisationId, SecretHash, Timestamp};
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ColumnTrait, Condition, QueryFilter, QueryOrder, Set};

use crate::entity::api_key::{ActiveModel, Column, Entity, Model};
use crate::row::{Row, hash_bytes, instant, maybe_instant, to_name};
use crate::{Read, StoreError, Transaction};

impl Read {
    /// All keys of the organisation, oldest first.
    pub async fn api_keys(&self) -> Result<Vec<ApiKey>, StoreError> {
        let rows = self.scope.find::<Entity>().order_by_asc(Column::Id).all(self.scope.connection()).await?;
        rows.into_iter().map(from_row).collect()
    }

    /// One key.
    pub async fn api_key(&self, id: ApiKeyId) -> Result<Option<ApiKey>, StoreError> {
        let row = self.scope.find::<Entity>().filter(Column::Id.eq(id.as_uuid())).one(self.scope.connection()).await?;
        row.map(from_row).transpose()
    }

    /// The key with this secret, valid or not.
    pub async fn api_key_by_hash(&self, hash: &SecretHash) -> Result<Option<ApiKey>, StoreError> {
        let wanted = Column::Hash.eq(hash_bytes(hash));
        let row = self.scope.find::<Entity>().filter(wanted).one(self.scope.connection()).await?;
        row.map(from_row).transpose()
    }
}

impl Transaction {
    /// Adds a key.
    pub async fn add_api_key(&self, key: &ApiKey) -> Result<(), StoreError> {
        Ok(self.scope.insert::<Entity>(to_row(key)?).await?)
    }

    /// Revokes a key for good; `false` when it is unknown or revoked already.
    pub async fn revoke_api_key(&self, id: ApiKeyId, now: Timestamp) -> Result<bool, StoreError> {
        let revoke = self
            .scope
            .update::<Entity>()
            .col_expr(Column::RevokedAt, Expr::value(now.millis()))
            .filter(Column::Id.eq(id.as_uuid()))
            .filter(Column::RevokedAt.is_null());
        Ok(self.scope.happened(revoke).await?)
    }

    /// Binds a key to a sandbox organisation, or to none; `false` when it is unknown, or bound otherwise than `seen` says.
    pub async fn bind_api_key(
        &self,
        id: ApiKeyId,
        sandbox: Option<OrganisationId>,
        seen: Option<Binding>,
    ) -> Result<bool, StoreError> {
        let is_seen = seen.map(|Binding(sandbox)| match sandbox {
            Some(sandbox) => Column::SandboxId.eq(sandbox.as_uuid()),
            None => Column::SandboxId.is_null(),
        });
        let bind = self
            .scope
            .update::<Entity>()
            .col_expr(Column::SandboxId, Expr::value(sandbox.map(OrganisationId::as_uuid)))
            .filter(Condition::all().add(Column::Id.eq(id.as_uuid())).add_option(is_seen));
        Ok(self.scope.happened(bind).await?)
    }

    /// Notes that a key was used at `at`, cut to the minute: a key in constant use is one UPDATE a minute. `false`
    /// when a use in this minute or later was noted before.
    pub async fn note_api_key_use(&self, id: ApiKeyId, at: Timestamp) -> Result<bool, StoreError> {
        let minute = at.millis().div_euclid(60_000).saturating_mul(60_000);
        let note = self
            .scope
            .update::<Entity>()
            .col_expr(Column::LastUsedAt, Expr::value(minute))
            .filter(Column::Id.eq(id.as_uuid()))
            .filter(Condition::any().add(Column::LastUsedAt.is_null()).add(Expr::col(Column::LastUsedAt).lt(minute)));
        Ok(self.scope.happened(note).await?)
    }
}

/// The row of a key, for the directory too, which makes an organisation's first key.
pub(crate) fn to_row(key: &ApiKey) -> Result<ActiveModel, StoreError> {
    Ok(ActiveModel {
        id: Set(key.id.as_uuid()),
        name: Set(key.name.clone()),
        role: Set(to_name(&key.role)?),
        hash: Set(hash_bytes(&key.hash)),
        created_at: Set(key.created_at.millis()),
        expires_at: Set(key.expires_at.millis()),
        revoked_at: Set(key.revoked_at.map(Timestamp::millis)),
        last_used_at: Set(key.last_used_at.map(Timestamp::millis)),
        sandbox_id: Set(key.sandbox.map(OrganisationId::as_uuid)),
        ..Default::default()
    })
}

fn from_row(model: Model) -> Result<ApiKey, StoreError> {
    let row = Row { table: "api_key", id: model.id };
    Ok(ApiKey {
        id: model.id.into(),
        name: model.name,
        role: row.name(model.role)?,
        hash: row.hash(&model.hash)?,
        created_at: instant(model.created_at),
        expires_at: instant(model.expires_at),
        revoked_at: maybe_instant(model.revoked_at),
        sandbox: model.sandbox_id.map(OrganisationId::from),
        last_used_at: maybe_instant(model.last_used_at),
    })
}
