//! People whom an organisation knows.

use chancery_model::{Individual, IndividualId};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, Set};

use crate::entity::individual::{ActiveModel, Column, Entity, Model};
use crate::entity::offer_delivery;
use crate::error::is_unique_violation;
use crate::row::{Row, instant};
use crate::{Listed, Page, Read, StoreError, Transaction};

/// What came of changing a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IndividualChange {
    /// It is done.
    Done,
    /// It is not the version that was to be changed.
    Stale,
    /// Another one has the external id. Give the unit of work up: a commit after that is refused.
    ExternalIdTaken,
}

impl Read {
    /// One person.
    ///
    /// # Errors
    /// Those of the database, as for every lookup.
    pub async fn individual(&self, id: IndividualId) -> Result<Option<Individual>, StoreError> {
        let find = self.scope.find::<Entity>().filter(Column::Id.eq(id.as_uuid()));
        find.one(self.scope.connection()).await?.map(from_row).transpose()
    }

    /// Some people, in no order; those that are unknown are left out.
    pub async fn individuals_of(&self, ids: &[IndividualId]) -> Result<Vec<Individual>, StoreError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let find = self.scope.find::<Entity>().filter(Column::Id.is_in(ids.iter().map(|id| id.as_uuid())));
        find.all(self.scope.connection()).await?.into_iter().map(from_row).collect()
    }

    /// The person whose external id has one of these hashes.
    pub async fn individual_by_external_id(&self, hashes: &[[u8; 32]]) -> Result<Option<Individual>, StoreError> {
        let find = self.scope.find::<Entity>();
        let find = find.filter(Column::ExternalIdHash.is_in(hashes.iter().map(|hash| hash.to_vec())));
        find.one(self.scope.connection()).await?.map(from_row).transpose()
    }

    /// The people whose external ids have these hashes, in no order.
    pub async fn individuals_by_external_id(&self, hashes: &[[u8; 32]]) -> Result<Vec<Individual>, StoreError> {
        if hashes.is_empty() {
            return Ok(Vec::new());
        }
        let find = self.scope.find::<Entity>();
        let find = find.filter(Column::ExternalIdHash.is_in(hashes.iter().map(|hash| hash.to_vec())));
        find.all(self.scope.connection()).await?.into_iter().map(from_row).collect()
    }

    /// A page of all people, by time of registration.
    pub async fn individuals(&self, page: &Page) -> Result<Listed<Individual>, StoreError> {
        let find = self.scope.find::<Entity>();
        let total = find.clone().select_only().column(Column::Id).count(self.scope.connection()).await?;
        let rows = find.order_by(Column::Id, page.order.into()).offset(page.offset).limit(page.limit);
        let rows = rows.all(self.scope.connection()).await?;
        Ok(Listed { items: rows.into_iter().map(from_row).collect::<Result<_, _>>()?, total })
    }
}

impl Transaction {
    /// Registers a person.
    ///
    /// # Errors
    /// Those of the database, as for every change.
    pub async fn add_individual(&self, individual: &Individual) -> Result<IndividualChange, StoreError> {
        let row = ActiveModel {
            id: Set(individual.id.as_uuid()),
            revision: Set(i64::from(individual.revision)),
            external_id_hash: Set(individual.external_id_hash.map(|hash| hash.to_vec())),
            sealed_contact: Set(individual.sealed_contact.clone()),
            created_at: Set(individual.created_at.millis()),
            updated_at: Set(individual.updated_at.millis()),
            ..Default::default()
        };
        match self.scope.insert::<Entity>(row).await {
            Ok(()) => Ok(IndividualChange::Done),
            Err(error) if is_unique_violation(&error) => Ok(IndividualChange::ExternalIdTaken),
            Err(error) => Err(error.into()),
        }
    }

    /// Replaces what is known of a person, as long as it has the revision before.
    pub async fn revise_individual(&self, individual: &Individual) -> Result<IndividualChange, StoreError> {
        let revise = self
            .scope
            .update::<Entity>()
            .col_expr(Column::Revision, Expr::value(i64::from(individual.revision)))
            .col_expr(Column::ExternalIdHash, Expr::value(individual.external_id_hash.map(|hash| hash.to_vec())))
            .col_expr(Column::SealedContact, Expr::value(individual.sealed_contact.clone()))
            .col_expr(Column::UpdatedAt, Expr::value(individual.updated_at.millis()))
            .filter(Column::Id.eq(individual.id.as_uuid()))
            .filter(Column::Revision.eq(i64::from(individual.revision) - 1));
        match self.scope.happened(revise).await {
            Ok(true) => Ok(IndividualChange::Done),
            Ok(false) => Ok(IndividualChange::Stale),
            Err(error) if is_unique_violation(&error) => Ok(IndividualChange::ExternalIdTaken),
            Err(error) => Err(error.into()),
        }
    }

    /// Erases a person: what is known, and the endpoints that offers for that person went to. Offers on their way are not
    /// delivered any more. `false` when the person is unknown, or has another revision than `revision`.
    pub async fn erase_individual(&self, id: IndividualId, revision: Option<u32>) -> Result<bool, StoreError> {
        let mut delete = self.scope.delete::<Entity>().filter(Column::Id.eq(id.as_uuid()));
        if let Some(revision) = revision {
            delete = delete.filter(Column::Revision.eq(i64::from(revision)));
        }
        if delete.exec(self.scope.connection()).await?.rows_affected != 1 {
            return Ok(false);
        }
        let endpoints = self
            .scope
            .update::<offer_delivery::Entity>()
            .col_expr(offer_delivery::Column::SealedEndpoint, Expr::value(None::<Vec<u8>>))
            .filter(offer_delivery::Column::IndividualId.eq(id.as_uuid()));
        endpoints.exec(self.scope.connection()).await?;
        self.stop_deliveries_to(id, "the person was erased").await?;
        Ok(true)
    }
}

fn from_row(model: Model) -> Result<Individual, StoreError> {
    let row = Row { table: "individual", id: model.id };
    let hash = model.external_id_hash.map(|bytes| row.expect(<[u8; 32]>::try_from(bytes).ok()));
    Ok(Individual {
        id: model.id.into(),
        revision: row.number(model.revision)?,
        external_id_hash: hash.transpose()?,
        sealed_contact: model.sealed_contact,
        created_at: instant(model.created_at),
        updated_at: instant(model.updated_at),
    })
}
