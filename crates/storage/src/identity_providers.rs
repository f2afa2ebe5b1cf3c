//! Identity providers of organisations.

use chancery_model::IdentityProvider;
use sea_orm::Set;
use sea_orm::sea_query::OnConflict;

use crate::entity::identity_provider::{ActiveModel, Column, Entity, Model};
use crate::row::{Row, instant, to_json, to_name};
use crate::{Read, StoreError, Transaction};

impl Read {
    /// The identity provider of the organisation.
    pub async fn identity_provider(&self) -> Result<Option<IdentityProvider>, StoreError> {
        let found = self.scope.find::<Entity>().one(self.scope.connection()).await?;
        found.map(from_row).transpose()
    }
}

impl Transaction {
    /// Connects an identity provider, or replaces everything about the one that is there except when it was connected.
    pub async fn put_identity_provider(&self, provider: &IdentityProvider) -> Result<(), StoreError> {
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
            Column::UpdatedAt,
        ]);
        self.scope.insert_or::<Entity>(row, replace).await?;
        Ok(())
    }

    /// Disconnects the identity provider; `false` when there is none.
    pub async fn remove_identity_provider(&self) -> Result<bool, StoreError> {
        let delete = self.scope.delete::<Entity>();
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
