//! What organisations do about an offer that nobody has redeemed. Each step is one conditional UPDATE: of an organisation
//! and a wallet that come at the same moment, one is first.

use chancery_model::{ExchangeId, ExchangeStatus, GrantKind, SecretHash, Timestamp, TransactionCode};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, QueryFilter, UpdateMany};

use crate::entity::exchange::{Column, Entity};
use crate::row::{hash_bytes, to_json, to_name};
use crate::{StoreError, Transaction};

/// Sealed secrets that are put in the place of others.
#[derive(Clone, Copy, Debug)]
pub struct NewSecrets<'s> {
    /// What was sealed there when the new ones were made.
    pub before: &'s [u8],
    /// What is sealed there from now on.
    pub sealed: &'s [u8],
}

/// How an offer is found from now on.
#[derive(Clone, Copy, Debug)]
pub struct NewOffer<'o> {
    /// Last segment of its URI.
    pub offer_id: &'o str,
    /// Hash of its pre-authorized code.
    pub code_hash: &'o SecretHash,
    /// From this instant on the code is refused.
    pub expires_at: Timestamp,
}

impl Transaction {
    /// Withdraws an offer that nobody has redeemed; `false` when somebody has, or when it is over.
    ///
    /// # Errors
    /// Those of the database, as for every change.
    pub async fn withdraw_offer(&self, id: ExchangeId, reason: &str, now: Timestamp) -> Result<bool, StoreError> {
        let withdraw = self
            .unredeemed(id, now)
            .col_expr(Column::Status, Expr::value(ExchangeStatus::IssuanceDenied.name()))
            .col_expr(Column::DeniedReason, Expr::value(reason));
        Ok(self.scope.happened(withdraw).await?)
    }

    /// Lets an offer that nobody has redeemed live until `expires_at`; `false` when somebody has, or when it is over.
    pub async fn renew_offer(&self, id: ExchangeId, expires_at: Timestamp, now: Timestamp) -> Result<bool, StoreError> {
        let renew = self.unredeemed(id, now).col_expr(Column::ExpiresAt, Expr::value(expires_at.millis()));
        Ok(self.scope.happened(renew).await?)
    }

    /// Forgets the wrong transaction codes of an offer that nobody has redeemed, and with them the pause and the lock;
    /// `false` when somebody has, when it is over, or when it has no transaction code.
    pub async fn unlock_offer(&self, id: ExchangeId, now: Timestamp) -> Result<bool, StoreError> {
        let unlock = self
            .unredeemed(id, now)
            .col_expr(Column::FailedAttempts, Expr::value(0_i64))
            .filter(Column::TransactionCode.is_not_null());
        Ok(self.scope.happened(unlock).await?)
    }

    /// Puts another transaction code of this shape in the place of that of an offer that nobody has redeemed, and forgets
    /// the wrong ones; `false` when there is none to replace, or when the secrets are no longer those that `secrets` goes
    /// on from.
    pub async fn replace_transaction_code(
        &self,
        id: ExchangeId,
        secrets: NewSecrets<'_>,
        shape: TransactionCode,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let replace = self
            .with_secrets(id, secrets, now)
            .col_expr(Column::TransactionCode, Expr::value(to_json(&shape)?))
            .filter(Column::TransactionCode.is_not_null());
        Ok(self.scope.happened(replace).await?)
    }

    /// Puts another pre-authorized code behind another URI in the place of those of an offer that nobody has redeemed;
    /// `false` when somebody has, or when the secrets are no longer those that `secrets` goes on from.
    pub async fn replace_offer(
        &self,
        id: ExchangeId,
        secrets: NewSecrets<'_>,
        offer: NewOffer<'_>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let replace = self
            .with_secrets(id, secrets, now)
            .col_expr(Column::OfferId, Expr::value(offer.offer_id))
            .col_expr(Column::CodeHash, Expr::value(hash_bytes(offer.code_hash)))
            .col_expr(Column::ExpiresAt, Expr::value(offer.expires_at.millis()))
            .filter(Column::GrantKind.eq(to_name(&GrantKind::PreAuthorizedCode)?));
        Ok(self.scope.happened(replace).await?)
    }

    fn with_secrets(&self, id: ExchangeId, secrets: NewSecrets<'_>, now: Timestamp) -> UpdateMany<Entity> {
        self.unredeemed(id, now)
            .col_expr(Column::SealedSecrets, Expr::value(secrets.sealed.to_vec()))
            .col_expr(Column::FailedAttempts, Expr::value(0_i64))
            .filter(Column::SealedSecrets.eq(secrets.before.to_vec()))
    }

    fn unredeemed(&self, id: ExchangeId, now: Timestamp) -> UpdateMany<Entity> {
        let unredeemed = [ExchangeStatus::OfferSent, ExchangeStatus::OfferReceived];
        self.scope
            .update::<Entity>()
            .col_expr(Column::UpdatedAt, Expr::value(now.millis()))
            .filter(Column::Id.eq(id.as_uuid()))
            .filter(Column::CodeSpentAt.is_null())
            .filter(Column::Status.is_in(unredeemed.map(ExchangeStatus::name)))
    }
}
