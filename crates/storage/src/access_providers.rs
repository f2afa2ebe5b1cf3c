//! Access providers of organisations.

use chancery_model::AccessProvider;
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{ColumnTrait, QueryFilter, Set};

use crate::entity::access_provider::{ActiveModel, Column, Entity, Model};
use crate::row::{Row, instant, to_json};
use crate::{Read, StoreError, Transaction};

impl Read {
    /// The access provider of the organisation.
    ///
    /// # Errors
    /// Those of the database, as for every lookup.
    pub async fn access_provider(&self) -> Result<Option<AccessProvider>, StoreError> {
        self.scope.find::<Entity>().one(self.scope.connection()).await?.map(from_row).transpose()
    }
}

impl Transaction {
    /// Configures an access provider for the first time; `false` when there is one.
    ///
    /// # Errors
    /// Those of the database, as for every change.
    pub async fn add_access_provider(&self, provider: &AccessProvider) -> Result<bool, StoreError> {
        let row = ActiveModel {
            revision: Set(i64::from(provider.revision)),
            terms: Set(to_json(&provider.terms)?),
            created_at: Set(provider.created_at.millis()),
            updated_at: Set(provider.updated_at.millis()),
            ..Default::default()
        };
        let there_is_one = OnConflict::column(Column::OrganisationId).do_nothing().to_owned();
        Ok(self.scope.insert_or::<Entity>(row, there_is_one).await? == 1)
    }

    /// Changes the access provider; `false` unless the one that is there has the revision before.
    pub async fn revise_access_provider(&self, provider: &AccessProvider) -> Result<bool, StoreError> {
        let revise = self
            .scope
            .update::<Entity>()
            .col_expr(Column::Revision, Expr::value(i64::from(provider.revision)))
            .col_expr(Column::Terms, Expr::value(to_json(&provider.terms)?))
            .col_expr(Column::UpdatedAt, Expr::value(provider.updated_at.millis()))
            .filter(Column::Revision.eq(i64::from(provider.revision) - 1));
        Ok(self.scope.happened(revise).await?)
    }

    /// Removes the access provider; `false` when there is none, or it has another revision than `revision`.
    pub async fn remove_access_provider(&self, revision: Option<u32>) -> Result<bool, StoreError> {
        let mut delete = self.scope.delete::<Entity>();
        if let Some(revision) = revision {
            delete = delete.filter(Column::Revision.eq(i64::from(revision)));
        }
        Ok(delete.exec(self.scope.connection()).await?.rows_affected == 1)
    }
}

fn from_row(model: Model) -> Result<AccessProvider, StoreError> {
    let row = Row { table: "access_provider", id: model.organisation_id };
    Ok(AccessProvider {
        revision: row.number(model.revision)?,
        terms: row.json(&model.terms)?,
        created_at: instant(model.created_at),
        updated_at: instant(model.updated_at),
    })
}
