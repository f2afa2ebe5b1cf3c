//! Claims that come later, or do not come. Each step is one conditional UPDATE.

use chancery_model::{CredentialStatus, ExchangeId, ExchangeStatus, IssuanceMode, Timestamp, WorkKind};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, Condition, QueryFilter, UpdateMany};

use crate::entity::exchange::{Column, Entity};
use crate::row::to_name;
use crate::{StoreError, Transaction};

/// Claims that are put in the place of others.
#[derive(Clone, Copy, Debug)]
pub struct Supplied<'s> {
    /// What was sealed there when the new claims were put together.
    pub before: Option<&'s [u8]>,
    /// What is sealed there from now on.
    pub sealed: &'s [u8],
    /// Whether no claims are missing any more.
    pub complete: bool,
}

impl Transaction {
    /// Supplies claims of a deferred exchange that still awaits them; `false` when it does not, or when it no longer
    /// has the claims that `supplied` goes on from.
    ///
    /// # Errors
    /// Those of the database, as for every change.
    pub async fn supply_claims(
        &self,
        id: ExchangeId,
        supplied: Supplied<'_>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let supply = self
            .put_claims(id, supplied, now)?
            .filter(Column::IssuanceMode.eq(to_name(&IssuanceMode::Deferred)?))
            .filter(Column::CredentialStatus.eq(to_name(&CredentialStatus::Pending)?))
            .filter(Column::Status.is_in(awaiting()))
            .filter(Condition::any().add(Column::ClaimsDueAt.is_null()).add(Column::ClaimsDueAt.gt(now.millis())));
        Ok(self.scope.happened(supply).await?)
    }

    /// Keeps claims that were fetched; `false` when the exchange was denied, or no longer has the claims that `supplied`
    /// goes on from.
    pub async fn keep_fetched_claims(
        &self,
        id: ExchangeId,
        supplied: Supplied<'_>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let keep = self.put_claims(id, supplied, now)?;
        let keep = keep.filter(Column::Status.ne(ExchangeStatus::IssuanceDenied.name()));
        Ok(self.scope.happened(keep).await?)
    }

    /// Awaits missing claims until `until`, unless an end was set before; then a worker denies the exchange.
    pub async fn await_claims(&self, id: ExchangeId, until: Timestamp) -> Result<(), StoreError> {
        let wait = self
            .scope
            .update::<Entity>()
            .col_expr(Column::ClaimsDueAt, Expr::value(until.millis()))
            .filter(Column::Id.eq(id.as_uuid()))
            .filter(Column::CredentialStatus.eq(to_name(&CredentialStatus::Pending)?))
            .filter(Column::ClaimsDueAt.is_null());
        if self.scope.happened(wait).await? {
            self.enqueue(WorkKind::Claims, id.as_uuid(), until).await?;
        }
        Ok(())
    }

    /// An UPDATE of an exchange that has the claims which `supplied` goes on from.
    fn put_claims(
        &self,
        id: ExchangeId,
        supplied: Supplied<'_>,
        now: Timestamp,
    ) -> Result<UpdateMany<Entity>, StoreError> {
        let put = self
            .scope
            .update::<Entity>()
            .col_expr(Column::SealedSubmissions, Expr::value(supplied.sealed.to_vec()))
            .col_expr(Column::UpdatedAt, Expr::value(now.millis()))
            .filter(Column::Id.eq(id.as_uuid()))
            .filter(match supplied.before {
                Some(before) => Column::SealedSubmissions.eq(before.to_vec()),
                None => Column::SealedSubmissions.is_null(),
            });
        Ok(match supplied.complete {
            true => put.col_expr(Column::CredentialStatus, Expr::value(to_name(&CredentialStatus::Ready)?)),
            false => put,
        })
    }

    /// Denies an exchange whose missing claims are no longer awaited; `false` when they are, or came after all.
    pub async fn deny_overdue(&self, id: ExchangeId, reason: &str, now: Timestamp) -> Result<bool, StoreError> {
        let deny = self
            .scope
            .update::<Entity>()
            .col_expr(Column::Status, Expr::value(ExchangeStatus::IssuanceDenied.name()))
            .col_expr(Column::UpdatedAt, Expr::value(now.millis()))
            .col_expr(Column::DeniedReason, Expr::value(reason))
            .filter(Column::Id.eq(id.as_uuid()))
            .filter(overdue(now)?);
        Ok(self.scope.happened(deny).await?)
    }
}

/// Statuses in which claims can still be of use: some of the credentials may have been issued already.
fn awaiting() -> impl Iterator<Item = &'static str> {
    let awaiting = |status: &ExchangeStatus| *status < ExchangeStatus::CredentialDeleted;
    ExchangeStatus::ALL.into_iter().filter(awaiting).map(ExchangeStatus::name)
}

/// Nothing was issued, something is missing, and its time is over.
fn overdue(now: Timestamp) -> Result<Condition, StoreError> {
    Ok(Condition::all()
        .add(Column::ClaimsDueAt.lte(now.millis()))
        .add(Column::CredentialStatus.eq(to_name(&CredentialStatus::Pending)?))
        .add(Column::Status.is_in(ExchangeStatus::OPEN.map(ExchangeStatus::name))))
}
