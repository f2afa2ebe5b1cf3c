//! Credentials that left the building.

use chancery_keys::PublicJwk;
use chancery_model::{Credential, ExchangeId, Passage, RevocationStatus, StatusPlace};
use sea_orm::{ColumnTrait, QueryFilter, QueryOrder, Set};
use uuid::Uuid;

use crate::entity::credential::{ActiveModel, Column, Entity, Model};
use crate::row::{Row, instant, to_json, to_name};
use crate::{Read, StoreError, Transaction};

/// Rows of one INSERT: fifteen values each, of the 32 766 that SQLite binds.
const ROWS_PER_INSERT: usize = 1000;

impl Read {
    /// What an exchange has issued, oldest first.
    pub async fn credentials_of(&self, exchange: ExchangeId) -> Result<Vec<Credential>, StoreError> {
        let find = self.scope.find::<Entity>().filter(Column::ExchangeId.eq(exchange.as_uuid()));
        let rows = find.order_by_asc(Column::IssuedAt).order_by_asc(Column::Id).all(self.scope.connection()).await?;
        rows.into_iter().map(from_row).collect()
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
    /// Records the credentials of one request with one statement; the first carries what the request wrote.
    pub async fn add_credentials(&self, credentials: &[Credential], passage: &Passage) -> Result<(), StoreError> {
        let mut rows = credentials.iter().map(to_row).collect::<Result<Vec<_>, _>>()?;
        if let Some(first) = rows.first_mut() {
            first.transcript_part = Set(Some(to_json(passage)?));
        }
        while !rows.is_empty() {
            let rest = rows.split_off(rows.len().min(ROWS_PER_INSERT));
            self.scope.insert_all::<Entity>(rows).await?;
            rows = rest;
        }
        Ok(())
    }
}

fn to_row(credential: &Credential) -> Result<ActiveModel, StoreError> {
    Ok(ActiveModel {
        id: Set(credential.id.as_uuid()),
        exchange_id: Set(credential.exchange_id.as_uuid()),
        grant_id: Set(credential.grant_id.as_uuid()),
        entry_id: Set(credential.entry.as_uuid()),
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
        format: row.name(model.format)?,
        holder_key: row.expect(PublicJwk::from_json(&row.json(&model.holder_key)?).ok())?,
        signing_key_id: model.signing_key_id.into(),
        proof: row.json(&model.proof)?,
        sealed_token: model.sealed_token,
        issued_at: instant(model.issued_at),
        expires_at: instant(model.expires_at),
    })
}

fn place(row: &Row<Uuid>, list: Option<Uuid>, index: Option<i64>) -> Result<Option<StatusPlace>, StoreError> {
    match (list, index) {
        (Some(list), Some(index)) => Ok(Some(StatusPlace { list: list.into(), index: row.number(index)? })),
        (None, None) => Ok(None),
        (Some(_), None) | (None, Some(_)) => Err(row.corrupt()),
    }
}
