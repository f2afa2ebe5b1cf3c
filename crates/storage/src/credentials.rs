//! Credentials that left the building.

use chancery_keys::PublicJwk;
use chancery_model::{
    Credential, ExchangeId, Passage, Report, Reported, RevocationStatus, SecretHash, StatusPlace, Timestamp,
};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, QueryFilter, QueryOrder, Set};
use uuid::Uuid;

use crate::entity::credential::{ActiveModel, Column, Entity, Model};
use crate::row::{Row, hash_bytes, instant, maybe_instant, to_json, to_name};
use crate::scope::{Rows, Scope};
use crate::{Read, StoreError, Transaction};

impl Read {
    /// What an exchange has issued, oldest first.
    pub async fn credentials_of(&self, exchange: ExchangeId) -> Result<Vec<Credential>, StoreError> {
        let find = self.scope.find::<Entity>().filter(Column::ExchangeId.eq(exchange.as_uuid()));
        let rows = find.order_by_asc(Column::IssuedAt).order_by_asc(Column::Id).all(self.scope.connection()).await?;
        rows.into_iter().map(from_row).collect()
    }

    /// The credential of an exchange that carries this notification.
    pub async fn notified_credential(
        &self,
        exchange: ExchangeId,
        notification: &SecretHash,
    ) -> Result<Option<Credential>, StoreError> {
        let find = self
            .scope
            .find::<Entity>()
            .filter(Column::ExchangeId.eq(exchange.as_uuid()))
            .filter(Column::NotificationHash.eq(hash_bytes(notification)));
        find.one(self.scope.connection()).await?.map(from_row).transpose()
    }
}

impl Read {
    /// What these exchanges have issued, oldest first.
    pub async fn credentials_of_all(&self, exchanges: &[ExchangeId]) -> Result<Vec<Credential>, StoreError> {
        if exchanges.is_empty() {
            return Ok(Vec::new());
        }
        let find = self.scope.find::<Entity>();
        let find = find.filter(Column::ExchangeId.is_in(exchanges.iter().map(|id| id.as_uuid())));
        let rows = find.order_by_asc(Column::IssuedAt).order_by_asc(Column::Id).all(self.scope.connection()).await?;
        rows.into_iter().map(from_row).collect()
    }
}

impl Transaction {
    /// Notes what a wallet reports about an answer: `true` for exactly one caller, `false` when this was reported
    /// before or the exchange has no such notification.
    pub async fn note_report(
        &self,
        exchange: ExchangeId,
        notification: &SecretHash,
        report: Report,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let column = match report {
            Report::Accepted => Column::AcceptedAt,
            Report::Failed => Column::FailedAt,
            Report::Deleted => Column::DeletedAt,
        };
        let note = self
            .scope
            .update::<Entity>()
            .col_expr(column, Expr::value(now.millis()))
            .filter(Column::ExchangeId.eq(exchange.as_uuid()))
            .filter(Column::NotificationHash.eq(hash_bytes(notification)))
            .filter(column.is_null());
        Ok(self.scope.happened(note).await?)
    }
}

/// Rows for the credentials of one request, if any; the first carries what the request wrote.
pub(crate) fn rows(scope: &Scope, credentials: &[Credential], passage: &Passage) -> Result<Option<Rows>, StoreError> {
    let mut rows = credentials.iter().map(to_row).collect::<Result<Vec<_>, _>>()?;
    let Some(first) = rows.first_mut() else { return Ok(None) };
    first.transcript_part = Set(Some(to_json(passage)?));
    Ok(Some(scope.rows::<Entity>(rows)))
}

fn to_row(credential: &Credential) -> Result<ActiveModel, StoreError> {
    Ok(ActiveModel {
        id: Set(credential.id.as_uuid()),
        exchange_id: Set(credential.exchange_id.as_uuid()),
        grant_id: Set(credential.grant_id.as_uuid()),
        entry_id: Set(credential.entry.as_uuid()),
        dataset: Set(i64::from(credential.dataset)),
        format: Set(to_name(&credential.format)?),
        holder_key: Set(to_json(&credential.holder_key.to_json())?),
        signing_key_id: Set(credential.signing_key_id.as_uuid()),
        proof: Set(to_json(&credential.proof)?),
        sealed_token: Set(credential.sealed_token.clone()),
        issued_at: Set(credential.issued_at.millis()),
        expires_at: Set(credential.expires_at.millis()),
        transcript_part: Set(None),
        status_list_id: Set(credential.status_place.map(|place| place.list.as_uuid())),
        status_index: Set(credential.status_place.map(|place| i64::from(place.index))),
        status: Set(credential.status_place.map(|_| credential.revocation_status.name().to_owned())),
        notification_hash: Set(credential.notification_hash.as_ref().map(hash_bytes)),
        accepted_at: Set(credential.reported.accepted_at.map(Timestamp::millis)),
        failed_at: Set(credential.reported.failed_at.map(Timestamp::millis)),
        deleted_at: Set(credential.reported.deleted_at.map(Timestamp::millis)),
        ..Default::default()
    })
}

fn from_row(model: Model) -> Result<Credential, StoreError> {
    let row = Row { table: "credential", id: model.id };
    let status_place = place(&row, model.status_list_id, model.status_index)?;
    let revocation_status = match (&status_place, model.status.as_deref()) {
        (Some(_), Some(name)) => row.expect(RevocationStatus::parse(name))?,
        (None, None) => RevocationStatus::Operational,
        (Some(_), None) | (None, Some(_)) => return Err(row.corrupt()),
    };
    Ok(Credential {
        status_place,
        revocation_status,
        id: model.id.into(),
        exchange_id: model.exchange_id.into(),
        grant_id: model.grant_id.into(),
        entry: model.entry_id.into(),
        dataset: row.number(model.dataset)?,
        format: row.name(model.format)?,
        holder_key: row.expect(PublicJwk::from_json(&row.json(&model.holder_key)?).ok())?,
        signing_key_id: model.signing_key_id.into(),
        proof: row.json(&model.proof)?,
        sealed_token: model.sealed_token,
        issued_at: instant(model.issued_at),
        expires_at: instant(model.expires_at),
        notification_hash: model.notification_hash.as_deref().map(|bytes| row.hash(bytes)).transpose()?,
        reported: Reported {
            accepted_at: maybe_instant(model.accepted_at),
            failed_at: maybe_instant(model.failed_at),
            deleted_at: maybe_instant(model.deleted_at),
        },
    })
}

fn place(row: &Row<Uuid>, list: Option<Uuid>, index: Option<i64>) -> Result<Option<StatusPlace>, StoreError> {
    match (list, index) {
        (Some(list), Some(index)) => Ok(Some(StatusPlace { list: list.into(), index: row.number(index)? })),
        (None, None) => Ok(None),
        (Some(_), None) | (None, Some(_)) => Err(row.corrupt()),
    }
}
