//! Steps of an exchange. Each is one conditional UPDATE: whoever changes the row was first.

use chancery_model::{
    Credential, CredentialStatus, DefinitionId, Exchange, ExchangeId, ExchangeStatus, GrantId, Passage, Report,
    RevocationStatus, Timestamp, WorkKind,
};
use sea_orm::sea_query::{CaseStatement, Expr, ExprTrait, Func, LockType, SelectStatement};
use sea_orm::{ColumnTrait, QueryFilter, QuerySelect, QueryTrait, Select, UpdateMany};

use super::{from_row, to_row};
use crate::credentials;
use crate::entity::exchange::{Column, Entity};
use crate::entity::{credential, definition, exchange_grant};
use crate::grants::Tokens;
use crate::row::{Row, hash_bytes, to_json, to_name};
use crate::scope::incremented;
use crate::{StoreError, Transaction};

impl Transaction {
    /// Adds an exchange; `false` when its definition has been deleted. When claims are awaited until some instant, a
    /// worker looks then whether they came.
    pub async fn add_exchange(&self, exchange: &Exchange) -> Result<bool, StoreError> {
        let its_definition = self.holding_definition(exchange.definition_id);
        let is_added = self.scope.insert_where_exists::<Entity, _>(to_row(exchange)?, its_definition).await?;
        if is_added {
            self.look_for_claims(exchange).await?;
        }
        Ok(is_added)
    }

    /// One exchange, which stays as it is until this unit of work ends.
    pub async fn hold_exchange(&self, id: ExchangeId) -> Result<Option<Exchange>, StoreError> {
        let find = self.scope.find::<Entity>().filter(Column::Id.eq(id.as_uuid())).lock_exclusive();
        find.one(self.scope.connection()).await?.map(from_row).transpose()
    }

    /// Finds a definition and keeps it. The lock is what its deletion waits for: that sees either the exchange that is made
    /// under it or no chance for one.
    pub(crate) fn holding_definition(&self, id: DefinitionId) -> Select<definition::Entity> {
        let find = self.scope.find::<definition::Entity>().filter(definition::Column::Id.eq(id.as_uuid()));
        find.lock(LockType::KeyShare)
    }

    /// Has a worker look whether the claims came, when they are awaited until some instant.
    pub(crate) async fn look_for_claims(&self, exchange: &Exchange) -> Result<(), StoreError> {
        match exchange.claims_due_at {
            Some(due) => self.enqueue(WorkKind::Claims, exchange.id.as_uuid(), due).await,
            None => Ok(()),
        }
    }

    /// Adds exchanges of one definition with one statement; `false` when it has been deleted. At most a thousand.
    pub async fn add_exchanges(&self, definition: DefinitionId, exchanges: &[Exchange]) -> Result<bool, StoreError> {
        if self.holding_definition(definition).one(self.scope.connection()).await?.is_none() {
            return Ok(false);
        }
        let rows = exchanges.iter().map(to_row).collect::<Result<_, _>>()?;
        self.scope.insert_all::<Entity>(rows).await?;
        Ok(true)
    }

    /// Counts a fetch of the offer, and answers the exchange as it is now; `None` when there is no such offer.
    ///
    /// The first fetch also moves the exchange on and keeps `passage`: what it wrote needs no row of its own.
    pub async fn count_fetch(
        &self,
        offer_id: &str,
        passage: &Passage,
        now: Timestamp,
    ) -> Result<Option<Exchange>, StoreError> {
        let next = ExchangeStatus::OfferReceived;
        let may_move = ExchangeStatus::ALL.into_iter().filter(|status| status.may_become(next));
        let moves = Expr::col(Column::Status).is_in(may_move.map(ExchangeStatus::name));
        let either = |first: Expr, otherwise: Column| {
            CaseStatement::new().case(moves.clone(), first).finally(Expr::col(otherwise)).into()
        };
        let count = self
            .scope
            .update::<Entity>()
            .col_expr(Column::Status, either(Expr::value(next.name()), Column::Status))
            .col_expr(Column::UpdatedAt, either(Expr::value(now.millis()), Column::UpdatedAt))
            .col_expr(
                Column::FetchPart,
                Func::coalesce([Expr::col(Column::FetchPart), Expr::value(to_json(passage)?)]).into(),
            )
            .col_expr(Column::Fetches, incremented(Column::Fetches))
            .filter(Column::OfferId.eq(offer_id));
        self.scope.updated(count).await?.map(from_row).transpose()
    }

    /// Counts a wrong transaction code; how many there have been, this one included. `None` when there were `limit`
    /// already, or when the code is spent, so that this one does not count any more.
    pub async fn count_failed_transaction_code(
        &self,
        id: ExchangeId,
        limit: u8,
        now: Timestamp,
    ) -> Result<Option<u8>, StoreError> {
        let count = self
            .scope
            .update::<Entity>()
            .col_expr(Column::FailedAttempts, incremented(Column::FailedAttempts))
            .col_expr(Column::UpdatedAt, Expr::value(now.millis()))
            .filter(Column::Id.eq(id.as_uuid()))
            .filter(Column::FailedAttempts.lt(i64::from(limit)))
            .filter(Column::CodeSpentAt.is_null());
        let Some(model) = self.scope.updated(count).await? else { return Ok(None) };
        let row = Row { table: "exchange", id: model.id };
        Ok(Some(row.number(model.failed_attempts)?))
    }

    /// Redeems the code of `exchange` as it was read: `true` for exactly one caller, and only while the code is
    /// unexpired, fewer than `attempts_limit` wrong transaction codes were counted, the exchange may go on to
    /// `token_issued`, and neither the code nor the transaction code was replaced since. Then `tokens` are added.
    pub async fn spend_code(
        &self,
        exchange: &Exchange,
        client_id: Option<&str>,
        attempts_limit: u8,
        tokens: Option<Tokens<'_>>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut spend = self
            .step_to(ExchangeStatus::TokenIssued, now)
            .col_expr(Column::CodeSpentAt, Expr::value(now.millis()))
            .filter(Column::Id.eq(exchange.id.as_uuid()))
            .filter(Column::CodeHash.eq(hash_bytes(&exchange.code_hash)))
            .filter(Column::CodeSpentAt.is_null())
            .filter(Column::ExpiresAt.gt(now.millis()))
            .filter(Column::FailedAttempts.lt(i64::from(attempts_limit)));
        if exchange.transaction_code.is_some() {
            spend = spend.filter(Column::SealedSecrets.eq(exchange.sealed_secrets.clone()));
        }
        if let Some(client_id) = client_id {
            spend = spend.col_expr(Column::ClientId, Expr::value(client_id));
        }
        let tokens = tokens.map(|tokens| tokens.rows(&self.scope)).transpose()?;
        Ok(self.scope.happened_with(spend, tokens.into_iter().flatten()).await?)
    }

    /// Keeps the claims that a sign-in yielded together with those of the organisation; `status` says whether that is all.
    pub async fn put_submissions(
        &self,
        id: ExchangeId,
        sealed: &[u8],
        status: CredentialStatus,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let put = self
            .scope
            .update::<Entity>()
            .col_expr(Column::SealedSubmissions, Expr::value(sealed.to_vec()))
            .col_expr(Column::CredentialStatus, Expr::value(to_name(&status)?))
            .col_expr(Column::UpdatedAt, Expr::value(now.millis()))
            .filter(Column::Id.eq(id.as_uuid()));
        Ok(self.scope.happened(put).await?)
    }

    /// Notes that credentials were issued, and adds them; the first carries what the request wrote. The status goes on to
    /// `CredentialIssued` unless it is there or further already, as for a second copy. `false` when the exchange was denied,
    /// its credential revoked or suspended, when it is unknown, or has given another number of answers than `answers`, or when
    /// the access token of `grant` is worthless: then nothing may leave.
    pub async fn record_issuance(
        &self,
        id: ExchangeId,
        (answers, grant): (Option<u32>, Option<GrantId>),
        (credentials, passage): (&[Credential], &Passage),
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let reached = ExchangeStatus::CredentialIssued;
        let legal = ExchangeStatus::ALL.into_iter().filter(|status| *status != ExchangeStatus::IssuanceDenied);
        let behind = legal.clone().filter(|status| status.may_become(reached));
        let status = CaseStatement::new()
            .case(Expr::col(Column::Status).is_in(behind.map(ExchangeStatus::name)), reached.name())
            .finally(Expr::col(Column::Status));
        let mut record = self
            .scope
            .update::<Entity>()
            .col_expr(Column::Status, status.into())
            .col_expr(Column::Answers, incremented(Column::Answers))
            .col_expr(Column::UpdatedAt, Expr::value(now.millis()))
            .filter(Column::Id.eq(id.as_uuid()))
            .filter(Column::RevocationStatus.eq(RevocationStatus::Operational.name()))
            .filter(Column::Status.is_in(legal.map(ExchangeStatus::name)));
        if let Some(answers) = answers {
            record = record.filter(Column::Answers.eq(i64::from(answers)));
        }
        if let Some(grant) = grant {
            record = record.filter(Expr::exists(self.with_valid_token(id, grant, now)));
        }
        let credentials = credentials::rows(&self.scope, credentials, passage)?;
        Ok(self.scope.happened_with(record, credentials).await?)
    }

    fn with_valid_token(&self, exchange: ExchangeId, grant: GrantId, now: Timestamp) -> SelectStatement {
        use exchange_grant::Column;
        let its = self.scope.find::<exchange_grant::Entity>().filter(Column::ExchangeId.eq(exchange.as_uuid()));
        let valid = its.filter(Column::Id.eq(grant.as_uuid())).filter(Column::AccessTokenExpiresAt.gt(now.millis()));
        valid.select_only().column(Column::Id).into_query()
    }

    /// Notes what a wallet reports about an answer of the exchange, and tells the statuses that are new by it, in order.
    /// Whatever it reports, the answer got there. A deletion counts when no answer is left that the wallet did not give
    /// up.
    pub async fn reach_by_report(
        &self,
        id: ExchangeId,
        report: Report,
        now: Timestamp,
    ) -> Result<Vec<ExchangeStatus>, StoreError> {
        let further = match report {
            Report::Failed => None,
            Report::Accepted => Some(ExchangeStatus::CredentialAccepted),
            Report::Deleted => Some(ExchangeStatus::CredentialDeleted),
        };
        let mut reached = Vec::with_capacity(2);
        for next in [Some(ExchangeStatus::CredentialAcked), further].into_iter().flatten() {
            let mut step = self.step_to(next, now).filter(Column::Id.eq(id.as_uuid()));
            if next == ExchangeStatus::CredentialDeleted {
                step = step.filter(Column::Id.not_in_subquery(self.with_answers_in_use(id)));
            }
            if self.scope.happened(step).await? {
                reached.push(next);
            }
        }
        Ok(reached)
    }

    /// Denies an exchange that has not issued anything; `false` when it has, was denied before, or is unknown.
    pub async fn deny_exchange(&self, id: ExchangeId, reason: &str, now: Timestamp) -> Result<bool, StoreError> {
        let deny = self
            .step_to(ExchangeStatus::IssuanceDenied, now)
            .col_expr(Column::DeniedReason, Expr::value(reason))
            .filter(Column::Id.eq(id.as_uuid()));
        let is_denied = self.scope.happened(deny).await?;
        if is_denied {
            self.recount_history_of(&[id]).await?;
        }
        Ok(is_denied)
    }

    /// Deletes an exchange with its grants, credentials and transcript; `false` when it is unknown.
    pub async fn delete_exchange(&self, id: ExchangeId) -> Result<bool, StoreError> {
        let positions = self.positions_of(&[id]).await?;
        let delete = self.scope.delete::<Entity>().filter(Column::Id.eq(id.as_uuid()));
        let is_deleted = delete.exec(self.scope.connection()).await?.rows_affected == 1;
        self.recount_history_at(positions).await?;
        Ok(is_deleted)
    }

    /// `id`, if it has an answer that the wallet neither deleted nor failed to store.
    fn with_answers_in_use(&self, id: ExchangeId) -> SelectStatement {
        use credential::{Column, Entity};
        let in_use = self
            .scope
            .find::<Entity>()
            .filter(Column::ExchangeId.eq(id.as_uuid()))
            .filter(Column::NotificationHash.is_not_null())
            .filter(Column::DeletedAt.is_null())
            .filter(Column::FailedAt.is_null());
        in_use.select_only().column(Column::ExchangeId).into_query()
    }

    /// An UPDATE of exchanges that may go to `next`.
    fn step_to(&self, next: ExchangeStatus, now: Timestamp) -> UpdateMany<Entity> {
        let from = ExchangeStatus::ALL.into_iter().filter(|status| status.may_become(next));
        self.scope
            .update::<Entity>()
            .col_expr(Column::Status, Expr::value(next.name()))
            .col_expr(Column::UpdatedAt, Expr::value(now.millis()))
            .filter(Column::Status.is_in(from.map(ExchangeStatus::name)))
    }
}
