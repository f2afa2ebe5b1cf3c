//! Issuances from offer to credential.

mod changes;
mod list;
mod offers;
mod segments;
mod supply;

use chancery_model::{Exchange, ExchangeId, ExchangeStatus, IssuedBy, IssuingActor, SecretHash};
use sea_orm::prelude::Uuid;
use sea_orm::{ColumnTrait, Condition, QueryFilter, QuerySelect, Set};

use crate::entity::exchange::{ActiveModel, Column, Entity, Model};
use crate::row::{Row, hash_bytes, instant, maybe_instant, to_json, to_name};
use crate::{Read, StoreError};

pub use list::ExchangeFilter;
pub use offers::{NewOffer, NewSecrets};
pub use segments::Position;
pub(crate) use segments::later_than;
pub use supply::Supplied;

impl Read {
    /// One exchange.
    ///
    /// # Errors
    /// Those of the database, as for every lookup.
    pub async fn exchange(&self, id: ExchangeId) -> Result<Option<Exchange>, StoreError> {
        self.exchange_where(Column::Id.eq(id.as_uuid())).await
    }

    /// How many answers with credentials an exchange has given; `None` when it is unknown.
    pub async fn answers_of(&self, id: ExchangeId) -> Result<Option<u32>, StoreError> {
        let find =
            self.scope.find::<Entity>().filter(Column::Id.eq(id.as_uuid())).select_only().column(Column::Answers);
        let answers: Option<i64> = find.into_tuple().one(self.scope.connection()).await?;
        answers.map(|answers| Row { table: "exchange", id }.number(answers)).transpose()
    }

    /// The exchange of a pre-authorized code or `issuer_state`, spent or expired ones too.
    pub async fn exchange_by_code(&self, hash: &SecretHash) -> Result<Option<Exchange>, StoreError> {
        self.exchange_where(Column::CodeHash.eq(hash_bytes(hash))).await
    }

    async fn exchange_where(
        &self,
        condition: impl Into<sea_orm::sea_query::Expr>,
    ) -> Result<Option<Exchange>, StoreError> {
        let find = self.scope.find::<Entity>().filter(Condition::all().add(condition.into()));
        find.one(self.scope.connection()).await?.map(from_row).transpose()
    }
}

pub(crate) fn to_row(exchange: &Exchange) -> Result<ActiveModel, StoreError> {
    Ok(ActiveModel {
        id: Set(exchange.id.as_uuid()),
        definition_id: Set(exchange.definition_id.as_uuid()),
        definition_revision: Set(i64::from(exchange.definition_revision)),
        entries: Set(to_json(&exchange.entries)?),
        issuance_mode: Set(to_name(&exchange.issuance_mode)?),
        claims_at_start: Set(exchange.claims_at_start),
        grant_kind: Set(to_name(&exchange.grant_kind)?),
        status: Set(exchange.status.name().to_owned()),
        credential_status: Set(to_name(&exchange.credential_status)?),
        revocation_status: Set(to_name(&exchange.revocation_status)?),
        offer_id: Set(exchange.offer_id.clone()),
        url_scheme: Set(exchange.url_scheme.clone()),
        code_hash: Set(hash_bytes(&exchange.code_hash)),
        fetches: Set(i64::from(exchange.fetches)),
        fetch_part: Set(None),
        code_spent_at: Set(exchange.code_spent_at.map(chancery_model::Timestamp::millis)),
        transaction_code: Set(exchange.transaction_code.as_ref().map(to_json).transpose()?),
        failed_attempts: Set(i64::from(exchange.failed_attempts)),
        require_key_attestation: Set(exchange.require_key_attestation),
        client_id: Set(exchange.client_id.clone()),
        denied_reason: Set(exchange.denied_reason.clone()),
        sealed_secrets: Set(exchange.sealed_secrets.clone()),
        sealed_submissions: Set(exchange.sealed_submissions.clone()),
        expires_at: Set(exchange.expires_at.millis()),
        created_at: Set(exchange.created_at.millis()),
        updated_at: Set(exchange.updated_at.millis()),
        claims_due_at: Set(exchange.claims_due_at.map(chancery_model::Timestamp::millis)),
        answers: Set(0),
        issued_by: Set(issuing_key(exchange.issued_by.as_ref())),
        issued_by_person: Set(issuing_person(exchange.issued_by.as_ref())),
        issued_from: Set(exchange.issued_by.as_ref().map(|by| by.address.clone())),
        ..Default::default()
    })
}

pub(crate) fn from_row(model: Model) -> Result<Exchange, StoreError> {
    let row = Row { table: "exchange", id: model.id };
    Ok(Exchange {
        id: model.id.into(),
        definition_id: model.definition_id.into(),
        definition_revision: row.number(model.definition_revision)?,
        entries: row.json(&model.entries)?,
        issuance_mode: row.name(model.issuance_mode)?,
        claims_at_start: model.claims_at_start,
        grant_kind: row.name(model.grant_kind)?,
        status: row.expect(ExchangeStatus::parse(&model.status))?,
        credential_status: row.name(model.credential_status)?,
        revocation_status: row.name(model.revocation_status)?,
        offer_id: model.offer_id,
        url_scheme: model.url_scheme,
        code_hash: row.hash(&model.code_hash)?,
        fetches: row.number(model.fetches)?,
        code_spent_at: maybe_instant(model.code_spent_at),
        transaction_code: model.transaction_code.as_deref().map(|text| row.json(text)).transpose()?,
        failed_attempts: row.number(model.failed_attempts)?,
        require_key_attestation: model.require_key_attestation,
        client_id: model.client_id,
        denied_reason: model.denied_reason,
        sealed_secrets: model.sealed_secrets,
        sealed_submissions: model.sealed_submissions,
        expires_at: instant(model.expires_at),
        created_at: instant(model.created_at),
        updated_at: instant(model.updated_at),
        claims_due_at: maybe_instant(model.claims_due_at),
        issued_by: issued_by(model.issued_by, model.issued_by_person, model.issued_from),
    })
}

fn issuing_key(by: Option<&IssuedBy>) -> Option<Uuid> {
    match &by?.actor {
        IssuingActor::ApiKey(key) => Some(key.as_uuid()),
        IssuingActor::Person(_) => None,
    }
}

fn issuing_person(by: Option<&IssuedBy>) -> Option<String> {
    match &by?.actor {
        IssuingActor::ApiKey(_) => None,
        IssuingActor::Person(name) => Some(name.clone()),
    }
}

fn issued_by(key: Option<Uuid>, person: Option<String>, address: Option<String>) -> Option<IssuedBy> {
    let actor = key.map(|key| IssuingActor::ApiKey(key.into())).or(person.map(IssuingActor::Person))?;
    Some(IssuedBy { actor, address: address.unwrap_or_default() })
}
