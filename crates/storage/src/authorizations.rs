//! Authorization requests on their way to a code. Each step is one conditional UPDATE: whoever changes the row was first.

use chancery_model::{
    Authorization, AuthorizationId, AuthorizationStatus, Exchange, ExchangeId, Organisation, SecretHash, Timestamp,
};
use sea_orm::sea_query::{Expr, ExprTrait, OnConflict};
use sea_orm::{ColumnTrait, ConnectionTrait, QueryFilter, QueryTrait, Set, UpdateMany};

use crate::entity::authorization_request::{ActiveModel, Column, Entity, Model};
use crate::entity::exchange;
use crate::exchanges;
use crate::grants::Tokens;
use crate::row::{Row, first_id_after, hash_bytes, instant, maybe_instant, to_json};
use crate::scope::alone;
use crate::{Read, Store, StoreError, Transaction};

impl Read {
    /// One authorization request.
    ///
    /// # Errors
    /// Those of the database, as for every lookup.
    pub async fn authorization(&self, id: AuthorizationId) -> Result<Option<Authorization>, StoreError> {
        let find = self.scope.find::<Entity>().filter(Column::Id.eq(id.as_uuid()));
        find.one(self.scope.connection()).await?.map(from_row).transpose()
    }
}

impl Store {
    /// Adds a request that belongs to no exchange, moves it on after a sign-in, whether it was added or not, or gives it up
    /// unless a sign-in was finished. It is then as `stepped` says; `true` for exactly one caller. Its loss in a crash harms nobody.
    ///
    /// The first two are the steps of [`Transaction::add_authorization`] and [`Transaction::keep_sign_in`], in one round trip each.
    ///
    /// # Errors
    /// Those of the database, as for every change.
    pub async fn step_authorization(
        &self,
        organisation: &Organisation,
        stepped: &Authorization,
    ) -> Result<bool, StoreError> {
        let make = |backend| Ok(alone::<Entity>(backend, organisation.id, to_row(stepped)?, step(stepped))?);
        Ok(self.database().execute_alone(make).await? == 1)
    }
}

/// What becomes of a request that is there already. One that is as `stepped` says was moved by this very step, of which the
/// answer was lost: nobody else knows its secrets.
fn step(stepped: &Authorization) -> OnConflict {
    let known = |column: Column| Expr::col((Entity, column));
    let from = AuthorizationStatus::ALL.into_iter().filter(|status| status.may_become(stepped.status));
    let may_move = known(Column::Status).is_in(from.map(AuthorizationStatus::name));
    let mut step = OnConflict::columns([Column::OrganisationId, Column::Id]);
    step.update_columns([Column::Status, Column::UpdatedAt]);
    match stepped.status {
        AuthorizationStatus::SignedIn => {
            let is_there = known(Column::SealedSignedIn).eq(stepped.sealed_signed_in.clone());
            step.update_columns([Column::BrowserHash, Column::Locale, Column::ExpiresAt, Column::SealedSignedIn])
                .action_and_where(may_move.or(is_there));
        }
        AuthorizationStatus::Failed => {
            let waiting = AuthorizationStatus::ALL.into_iter().filter(|status| status.awaits_sign_in());
            step.action_and_where(known(Column::Status).is_in(waiting.map(AuthorizationStatus::name)));
        }
        AuthorizationStatus::Pushed | AuthorizationStatus::Requested | AuthorizationStatus::Spent => {
            let is_there = known(Column::RequestUriHash).eq(stepped.request_uri_hash.as_ref().map(hash_bytes));
            step.action_and_where(is_there);
        }
    }
    step
}

impl Transaction {
    /// Adds a request: `Pushed` with a `request_uri`, or `Requested`.
    pub async fn add_authorization(&self, authorization: &Authorization) -> Result<(), StoreError> {
        Ok(self.scope.insert::<Entity>(to_row(authorization)?).await?)
    }

    /// Keeps what a sign-in yielded, and binds the request to the browser in which it happened: the first one counts. `true`
    /// for exactly one caller.
    pub async fn keep_sign_in(&self, signed_in: &Authorization, now: Timestamp) -> Result<bool, StoreError> {
        let keep = self
            .authorization_to(AuthorizationStatus::SignedIn, now)
            .col_expr(Column::BrowserHash, Expr::value(signed_in.browser_hash.as_ref().map(hash_bytes)))
            .col_expr(Column::Locale, Expr::value(signed_in.locale.clone()))
            .col_expr(Column::ExpiresAt, Expr::value(signed_in.expires_at.millis()))
            .col_expr(Column::SealedSignedIn, Expr::value(signed_in.sealed_signed_in.clone()))
            .filter(Column::Id.eq(signed_in.id.as_uuid()));
        Ok(self.scope.happened(keep).await?)
    }

    /// Gives the request up, from the browser that signed in: the person said no.
    pub async fn fail_authorization(
        &self,
        id: AuthorizationId,
        browser: &SecretHash,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let fail = self
            .authorization_to(AuthorizationStatus::Failed, now)
            .col_expr(Column::SealedSignedIn, Expr::value(None::<Vec<u8>>))
            .filter(Column::Id.eq(id.as_uuid()))
            .filter(Column::BrowserHash.eq(hash_bytes(browser)))
            .filter(Column::ExpiresAt.gt(now.millis()));
        Ok(self.scope.happened(fail).await?)
    }

    /// Redeems a code for an exchange that is there already: `true` for exactly one caller. What the sign-in yielded is
    /// erased: it is the exchange's now.
    pub async fn spend_authorization_code(
        &self,
        id: AuthorizationId,
        code: &SecretHash,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        Ok(self.scope.happened(self.spending(id, code, now)).await?)
    }

    /// Redeems a code as [`Transaction::spend_authorization_code`] does, and adds the exchange, which has the id of the
    /// request, and its first tokens; `false` also when the definition has been deleted.
    pub async fn begin_exchange(
        &self,
        code: &SecretHash,
        exchange: &Exchange,
        tokens: Tokens<'_>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let its_definition = self.holding_definition(exchange.definition_id);
        let spend = self.spending(exchange.id.as_uuid().into(), code, now);
        let spend = spend.filter(Expr::exists(its_definition.into_query()));
        self.scope.defer_references().await?;
        let exchanges = self.scope.rows::<exchange::Entity>([exchanges::to_row(exchange)?]);
        // The grant comes first: whoever redeems a code of the request would add this exchange.
        let rows = tokens.rows(&self.scope)?.chain([exchanges]);
        let is_begun = self.scope.happened_with(spend, rows).await?;
        if is_begun {
            self.look_for_claims(exchange).await?;
        }
        Ok(is_begun)
    }

    fn spending(&self, id: AuthorizationId, code: &SecretHash, now: Timestamp) -> UpdateMany<Entity> {
        self.authorization_to(AuthorizationStatus::Spent, now)
            .col_expr(Column::CodeHash, Expr::value(hash_bytes(code)))
            .col_expr(Column::SealedSignedIn, Expr::value(None::<Vec<u8>>))
            .filter(Column::Id.eq(id.as_uuid()))
    }

    /// Deletes requests that arrived until `then`; how many. Their ids say when that was, so no index has to.
    pub async fn forget_authorizations(&self, then: Timestamp) -> Result<u64, StoreError> {
        let early = Column::Id.lt(first_id_after(then));
        let delete = self.scope.delete::<Entity>().filter(early).into_query();
        Ok(self.scope.connection().execute(&delete).await?.rows_affected())
    }

    /// An UPDATE of requests that may go to `next`.
    fn authorization_to(&self, next: AuthorizationStatus, now: Timestamp) -> UpdateMany<Entity> {
        let from = AuthorizationStatus::ALL.into_iter().filter(|status| status.may_become(next));
        self.scope
            .update::<Entity>()
            .col_expr(Column::Status, Expr::value(next.name()))
            .col_expr(Column::UpdatedAt, Expr::value(now.millis()))
            .filter(Column::Status.is_in(from.map(AuthorizationStatus::name)))
    }
}

fn to_row(authorization: &Authorization) -> Result<ActiveModel, StoreError> {
    Ok(ActiveModel {
        id: Set(authorization.id.as_uuid()),
        client_id: Set(authorization.client_id.clone()),
        redirect_uri: Set(authorization.redirect_uri.clone()),
        redirect_uri_named: Set(authorization.redirect_uri_named),
        state: Set(authorization.state.clone()),
        code_challenge: Set(authorization.code_challenge.clone()),
        definition_id: Set(authorization.definition_id.as_uuid()),
        definition_revision: Set(i64::from(authorization.definition_revision)),
        requested: Set(to_json(&authorization.requested)?),
        by_details: Set(authorization.by_details),
        exchange_id: Set(authorization.exchange_id.map(ExchangeId::as_uuid)),
        dpop_jkt: Set(authorization.dpop_jkt.clone()),
        instance_thumbprint: Set(authorization.instance_thumbprint.clone()),
        request_uri_hash: Set(authorization.request_uri_hash.as_ref().map(hash_bytes)),
        request_uri_expires_at: Set(authorization.request_uri_expires_at.map(Timestamp::millis)),
        status: Set(authorization.status.name().to_owned()),
        browser_hash: Set(authorization.browser_hash.as_ref().map(hash_bytes)),
        sealed_signed_in: Set(authorization.sealed_signed_in.clone()),
        locale: Set(authorization.locale.clone()),
        code_hash: Set(authorization.code_hash.as_ref().map(hash_bytes)),
        expires_at: Set(authorization.expires_at.millis()),
        created_at: Set(authorization.created_at.millis()),
        updated_at: Set(authorization.updated_at.millis()),
        ..Default::default()
    })
}

fn from_row(model: Model) -> Result<Authorization, StoreError> {
    let row = Row { table: "authorization_request", id: model.id };
    let hash = |bytes: Option<Vec<u8>>| bytes.map(|bytes| row.hash(&bytes)).transpose();
    Ok(Authorization {
        id: model.id.into(),
        client_id: model.client_id,
        redirect_uri: model.redirect_uri,
        redirect_uri_named: model.redirect_uri_named,
        state: model.state,
        code_challenge: model.code_challenge,
        definition_id: model.definition_id.into(),
        definition_revision: row.number(model.definition_revision)?,
        requested: row.json(&model.requested)?,
        by_details: model.by_details,
        exchange_id: model.exchange_id.map(ExchangeId::from),
        dpop_jkt: model.dpop_jkt,
        instance_thumbprint: model.instance_thumbprint,
        request_uri_hash: hash(model.request_uri_hash)?,
        request_uri_expires_at: maybe_instant(model.request_uri_expires_at),
        status: row.name(model.status)?,
        browser_hash: hash(model.browser_hash)?,
        sealed_signed_in: model.sealed_signed_in,
        locale: model.locale,
        code_hash: hash(model.code_hash)?,
        expires_at: instant(model.expires_at),
        created_at: instant(model.created_at),
        updated_at: instant(model.updated_at),
    })
}
