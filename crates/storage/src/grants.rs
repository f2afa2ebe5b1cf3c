//! What authorisations allow.

use chancery_model::{Exchange, ExchangeId, Grant, Passage, RefreshToken, SecretHash};
use sea_orm::{ColumnTrait, EntityTrait, JoinType, QueryFilter, QueryOrder, QuerySelect, RelationDef, Set};

use crate::entity::exchange_grant::{ActiveModel, Column, Entity, Model};
use crate::entity::{exchange, refresh_token};
use crate::row::{Row, hash_bytes, instant, to_json};
use crate::scope::{Rows, Scope};
use crate::{Read, StoreError, exchanges, refresh_tokens};

impl Read {
    /// The grant that an access token points to, expired or not, with its exchange; one statement.
    pub async fn grant_by_access_token(&self, hash: &SecretHash) -> Result<Option<(Grant, Exchange)>, StoreError> {
        let find = self
            .scope
            .find::<Entity>()
            .filter(Column::AccessTokenHash.eq(hash_bytes(hash)))
            .join(JoinType::InnerJoin, its_exchange())
            .select_also(exchange::Entity);
        let Some((grant, exchange)) = find.one(self.scope.connection()).await? else { return Ok(None) };
        let row = Row { table: "exchange_grant", id: grant.id };
        let exchange = exchanges::from_row(row.expect(exchange)?)?;
        Ok(Some((from_row(grant)?, exchange)))
    }

    /// The grant that the code of an exchange gave.
    pub async fn first_grant(&self, exchange: ExchangeId) -> Result<Option<Grant>, StoreError> {
        let its = self.scope.find::<Entity>().filter(Column::ExchangeId.eq(exchange.as_uuid()));
        let oldest = its.order_by_asc(Column::CreatedAt).order_by_asc(Column::Id);
        oldest.one(self.scope.connection()).await?.map(from_row).transpose()
    }
}

/// The tokens that answer one request.
#[derive(Clone, Copy, Debug)]
pub struct Tokens<'t> {
    /// What the access token stands for.
    pub grant: &'t Grant,
    /// The refresh token beside it.
    pub refresh_token: Option<&'t RefreshToken>,
    /// What the request wrote.
    pub passage: &'t Passage,
}

impl Tokens<'_> {
    pub(crate) fn rows(&self, scope: &Scope) -> Result<impl Iterator<Item = Rows> + use<>, StoreError> {
        let grant = scope.rows::<Entity>([to_row(self.grant, self.passage)?]);
        let refresh_token = self.refresh_token.map(refresh_tokens::to_row).transpose()?;
        let refresh_token = refresh_token.map(|row| scope.rows::<refresh_token::Entity>([row]));
        Ok([grant].into_iter().chain(refresh_token))
    }
}

fn to_row(grant: &Grant, passage: &Passage) -> Result<ActiveModel, StoreError> {
    Ok(ActiveModel {
        id: Set(grant.id.as_uuid()),
        exchange_id: Set(grant.exchange_id.as_uuid()),
        client_id: Set(grant.client_id.clone()),
        dpop_thumbprint: Set(grant.dpop_thumbprint.clone()),
        credentials: Set(to_json(&grant.credentials)?),
        by_identifier: Set(grant.by_identifier),
        access_token_hash: Set(hash_bytes(&grant.access_token_hash)),
        access_token_expires_at: Set(grant.access_token_expires_at.millis()),
        created_at: Set(grant.created_at.millis()),
        transcript_part: Set(Some(to_json(passage)?)),
        refreshed: Set(grant.refreshed),
        ..Default::default()
    })
}

fn its_exchange() -> RelationDef {
    Entity::belongs_to(exchange::Entity)
        .from((Column::OrganisationId, Column::ExchangeId))
        .to((exchange::Column::OrganisationId, exchange::Column::Id))
        .into()
}

fn from_row(model: Model) -> Result<Grant, StoreError> {
    let row = Row { table: "exchange_grant", id: model.id };
    Ok(Grant {
        id: model.id.into(),
        exchange_id: model.exchange_id.into(),
        client_id: model.client_id,
        dpop_thumbprint: model.dpop_thumbprint,
        credentials: row.json(&model.credentials)?,
        by_identifier: model.by_identifier,
        access_token_hash: row.hash(&model.access_token_hash)?,
        access_token_expires_at: instant(model.access_token_expires_at),
        refreshed: model.refreshed,
        created_at: instant(model.created_at),
    })
}
