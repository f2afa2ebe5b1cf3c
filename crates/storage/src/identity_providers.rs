//! Identity providers of organisations.

use chancery_model::{IdentityProvider, Timestamp};
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{ColumnTrait, QueryFilter, Set};

use crate::entity::identity_provider::{ActiveModel, Column, Entity, Model};
use crate::row::{Row, instant, to_json, to_name};
use crate::scope::later;
use crate::{Read, StoreError, Transaction};

impl Read {
    /// The identity provider of the organisation.
    pub async fn identity_provider(&self) -> Result<Option<IdentityProvider>, StoreError> {
        let found = self.scope.find::<Entity>().one(self.scope.connection()).await?;
        found.map(from_row).transpose()
    }
}

impl Transaction {
    /// Connects an identity provider, or replaces everything about the one that is there except when it was connected, and
    /// answers it as it is then. With `seen` it is only replaced, as long as nobody else did since; else `None`.
    pub async fn put_identity_provider(
        &self,
        provider: &IdentityProvider,
        seen: Option<Timestamp>,
    ) -> Result<Option<IdentityProvider>, StoreError> {
        let now = provider.updated_at;
        if let Some(seen) = seen {
            let replace = self
                .scope
                .update::<Entity>()
                .col_expr(Column::Issuer, Expr::value(provider.issuer.as_str()))
                .col_expr(Column::ClientId, Expr::value(provider.client_id.as_str()))
                .col_expr(Column::Authentication, Expr::value(to_name(&provider.authentication)?))
                .col_expr(Column::SealedSecret, Expr::value(provider.sealed_secret.clone()))
                .col_expr(Column::Scopes, Expr::value(to_json(&provider.scopes)?))
                .col_expr(Column::UpdatedAt, later(Column::UpdatedAt, now))
                .filter(Column::UpdatedAt.eq(seen.millis()));
            return self.scope.updated(replace).await?.map(from_row).transpose();
        }
        let row = ActiveModel {
            issuer: Set(provider.issuer.clone()),
            client_id: Set(provider.client_id.clone()),
            authentication: Set(to_name(&provider.authentication)?),
            sealed_secret: Set(provider.sealed_secret.clone()),
            scopes: Set(to_json(&provider.scopes)?),
            created_at: Set(provider.created_at.millis()),
            updated_at: Set(provider.updated_at.millis()),
            ..Default::default()
        };
        let mut replace = OnConflict::column(Column::OrganisationId);
        replace.update_columns([
            Column::Issuer,
            Column::ClientId,
            Column::Authentication,
            Column::SealedSecret,
            Column::Scopes,
        ]);
        replace.value(Column::UpdatedAt, later(Column::UpdatedAt, now));
        self.scope.insert_or::<Entity>(row, replace).await?;
        self.identity_provider().await
    }

    /// Disconnects the identity provider; `false` when there is none, or when it was changed since `seen`.
    pub async fn remove_identity_provider(&self, seen: Option<Timestamp>) -> Result<bool, StoreError> {
        let mut delete = self.scope.delete::<Entity>();
        if let Some(seen) = seen {
            delete = delete.filter(Column::UpdatedAt.eq(seen.millis()));
        }
        Ok(delete.exec(self.scope.connection()).await?.rows_affected == 1)
    }
}

fn from_row(model: Model) -> Result<IdentityProvider, StoreError> {
    let row = Row { table: "identity_provider", id: model.organisation_id };
    Ok(IdentityProvider {
        issuer: model.issuer,
        client_id: model.client_id,
        authentication: row.name(model.authentication)?,
        sealed_secret: model.sealed_secret,
        scopes: row.json(&model.scopes)?,
        created_at: instant(model.created_at),
        updated_at: instant(model.updated_at),
    })
}
