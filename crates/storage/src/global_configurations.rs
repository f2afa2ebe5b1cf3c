//! Defaults of organisations.

use chancery_model::{GlobalConfiguration, GlobalConfigurationId};
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{ColumnTrait, QueryFilter, Set};

use crate::entity::global_configuration::{ActiveModel, Column, Entity, Model};
use crate::row::{Row, instant, to_json};
use crate::{Read, StoreError, Transaction};

impl Read {
    /// The organisation's defaults.
    ///
    /// # Errors
    /// Those of the database, as for every lookup.
    pub async fn global_configuration(&self) -> Result<Option<GlobalConfiguration>, StoreError> {
        self.scope.find::<Entity>().one(self.scope.connection()).await?.map(from_row).transpose()
    }
}

impl Transaction {
    /// Sets defaults for the first time; `false` when there are some.
    ///
    /// # Errors
    /// Those of the database, as for every change.
    pub async fn add_global_configuration(&self, configuration: &GlobalConfiguration) -> Result<bool, StoreError> {
        let row = ActiveModel {
            id: Set(configuration.id.as_uuid()),
            revision: Set(i64::from(configuration.revision)),
            content: Set(to_json(&configuration.content)?),
            created_at: Set(configuration.created_at.millis()),
            updated_at: Set(configuration.updated_at.millis()),
            ..Default::default()
        };
        let there_is_one = OnConflict::column(Column::OrganisationId).do_nothing().to_owned();
        Ok(self.scope.insert_or::<Entity>(row, there_is_one).await? == 1)
    }

    /// Sets other defaults; `false` unless those that are there have the revision before.
    pub async fn revise_global_configuration(&self, configuration: &GlobalConfiguration) -> Result<bool, StoreError> {
        let revise = self
            .scope
            .update::<Entity>()
            .col_expr(Column::Revision, Expr::value(i64::from(configuration.revision)))
            .col_expr(Column::Content, Expr::value(to_json(&configuration.content)?))
            .col_expr(Column::UpdatedAt, Expr::value(configuration.updated_at.millis()))
            .filter(Column::Id.eq(configuration.id.as_uuid()))
            .filter(Column::Revision.eq(i64::from(configuration.revision) - 1));
        Ok(self.scope.happened(revise).await?)
    }

    /// Deletes the defaults; `false` when they are not there, or have another revision than `revision`.
    pub async fn delete_global_configuration(
        &self,
        id: GlobalConfigurationId,
        revision: Option<u32>,
    ) -> Result<bool, StoreError> {
        let mut delete = self.scope.delete::<Entity>().filter(Column::Id.eq(id.as_uuid()));
        if let Some(revision) = revision {
            delete = delete.filter(Column::Revision.eq(i64::from(revision)));
        }
        Ok(delete.exec(self.scope.connection()).await?.rows_affected == 1)
    }
}

fn from_row(model: Model) -> Result<GlobalConfiguration, StoreError> {
    let row = Row { table: "global_configuration", id: model.id };
    Ok(GlobalConfiguration {
        id: model.id.into(),
        revision: row.number(model.revision)?,
        content: row.json(&model.content)?,
        created_at: instant(model.created_at),
        updated_at: instant(model.updated_at),
    })
}
