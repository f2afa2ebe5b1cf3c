//! Refresh tokens.

use chancery_model::{Exchange, ExchangeId, RefreshToken, SecretHash, Timestamp};
use sea_orm::sea_query::{Expr, ExprTrait, Func};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, JoinType, QueryFilter, QuerySelect, QueryTrait, RelationDef, Set,
};

use crate::entity::refresh_token::{ActiveModel, Column, Entity, Model};
use crate::entity::{exchange, exchange_grant};
use crate::exchanges;
use crate::grants::Tokens;
use crate::row::{Row, hash_bytes, instant, maybe_instant, to_json};
use crate::{Read, StoreError, Transaction};

impl Read {
    /// The refresh token with this hash, expired and replaced ones too, with its exchange; one statement.
    pub async fn refresh_token(&self, hash: &SecretHash) -> Result<Option<(RefreshToken, Exchange)>, StoreError> {
        let find = self
            .scope
            .find::<Entity>()
            .filter(Column::Hash.eq(hash_bytes(hash)))
            .join(JoinType::InnerJoin, its_exchange())
            .select_also(exchange::Entity);
        let Some((token, exchange)) = find.one(self.scope.connection()).await? else { return Ok(None) };
        let row = Row { table: "refresh_token", id: token.id };
        let exchange = exchanges::from_row(row.expect(exchange)?)?;
        Ok(Some((from_row(token)?, exchange)))
    }
}

impl Transaction {
    /// Notes that others take the token's place, and adds them: `true` for the first who does. A token that was replaced at
    /// or before `replaced_after` stays as it is, and so does an expired one: then nothing may be handed out for it.
    pub async fn replace_refresh_token(
        &self,
        token: &RefreshToken,
        others: Tokens<'_>,
        now: Timestamp,
        replaced_after: Timestamp,
    ) -> Result<bool, StoreError> {
        // Setting the column to what it was keeps the first replacement's instant.
        let first = Expr::col(Column::ReplacedAt);
        let replaced_at = Func::coalesce([first, Expr::value(now.millis())]);
        let replace = self
            .scope
            .update::<Entity>()
            .col_expr(Column::ReplacedAt, replaced_at.into())
            .filter(Column::ExchangeId.eq(token.exchange_id.as_uuid()))
            .filter(Column::Id.eq(token.id.as_uuid()))
            .filter(Column::ExpiresAt.gt(now.millis()))
            .filter(Column::ReplacedAt.is_null().or(Column::ReplacedAt.gt(replaced_after.millis())));
        Ok(self.scope.happened_with(replace, others.rows(&self.scope)?).await?)
    }

    /// Makes every access token and refresh token of an exchange worthless, as when its code is redeemed twice (RFC 6749
    /// §4.1.2).
    pub async fn revoke_tokens(&self, exchange: ExchangeId, now: Timestamp) -> Result<(), StoreError> {
        let revoke = self
            .scope
            .update::<exchange_grant::Entity>()
            .col_expr(exchange_grant::Column::AccessTokenExpiresAt, Expr::value(now.millis()))
            .filter(exchange_grant::Column::ExchangeId.eq(exchange.as_uuid()))
            .filter(exchange_grant::Column::AccessTokenExpiresAt.gt(now.millis()));
        revoke.exec(self.scope.connection()).await?;
        let delete = self.scope.delete::<Entity>().filter(Column::ExchangeId.eq(exchange.as_uuid())).into_query();
        self.scope.connection().execute(&delete).await?;
        Ok(())
    }
}

fn its_exchange() -> RelationDef {
    Entity::belongs_to(exchange::Entity)
        .from((Column::OrganisationId, Column::ExchangeId))
        .to((exchange::Column::OrganisationId, exchange::Column::Id))
        .into()
}

pub(crate) fn to_row(token: &RefreshToken) -> Result<ActiveModel, StoreError> {
    Ok(ActiveModel {
        id: Set(token.id.as_uuid()),
        exchange_id: Set(token.exchange_id.as_uuid()),
        hash: Set(hash_bytes(&token.hash)),
        client_id: Set(token.client_id.clone()),
        dpop_thumbprint: Set(token.dpop_thumbprint.clone()),
        instance_thumbprint: Set(token.instance_thumbprint.clone()),
        credentials: Set(to_json(&token.credentials)?),
        by_identifier: Set(token.by_identifier),
        expires_at: Set(token.expires_at.millis()),
        replaced_at: Set(token.replaced_at.map(Timestamp::millis)),
        created_at: Set(token.created_at.millis()),
        ..Default::default()
    })
}

fn from_row(model: Model) -> Result<RefreshToken, StoreError> {
    let row = Row { table: "refresh_token", id: model.id };
    Ok(RefreshToken {
        id: model.id.into(),
        exchange_id: model.exchange_id.into(),
        hash: row.hash(&model.hash)?,
        client_id: model.client_id,
        dpop_thumbprint: model.dpop_thumbprint,
        instance_thumbprint: model.instance_thumbprint,
        credentials: row.json(&model.credentials)?,
        by_identifier: model.by_identifier,
        expires_at: instant(model.expires_at),
        replaced_at: maybe_instant(model.replaced_at),
        created_at: instant(model.created_at),
    })
}
