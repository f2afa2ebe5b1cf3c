//! What requests to the claims endpoints of definitions are signed with.

use chancery_model::{DefinitionId, Timestamp};
use sea_orm::sea_query::OnConflict;
use sea_orm::{ColumnTrait, QueryFilter, Set};

use crate::entity::claims_endpoint::{ActiveModel, Column, Entity};
use crate::{Read, StoreError, Transaction};

impl Read {
    /// The sealed secrets for the claims endpoint of a definition; `None` when it has none, or was deleted.
    ///
    /// # Errors
    /// Those of the database, as for every lookup.
    pub async fn claims_endpoint_secrets(&self, definition: DefinitionId) -> Result<Option<Vec<u8>>, StoreError> {
        let find = self.scope.find::<Entity>().filter(Column::DefinitionId.eq(definition.as_uuid()));
        Ok(find.one(self.scope.connection()).await?.map(|found| found.sealed_secrets))
    }
}

impl Transaction {
    /// Keeps sealed secrets in the place of those that were there.
    ///
    /// # Errors
    /// Those of the database, as for every change.
    pub async fn put_claims_endpoint_secrets(
        &self,
        definition: DefinitionId,
        sealed: &[u8],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let row = ActiveModel {
            definition_id: Set(definition.as_uuid()),
            sealed_secrets: Set(sealed.to_vec()),
            updated_at: Set(now.millis()),
            ..Default::default()
        };
        let mut replace = OnConflict::columns([Column::OrganisationId, Column::DefinitionId]);
        replace.update_columns([Column::SealedSecrets, Column::UpdatedAt]);
        self.scope.insert_or::<Entity>(row, replace).await?;
        Ok(())
    }

    /// Forgets the secrets for the claims endpoint of a definition, if there are any.
    pub async fn remove_claims_endpoint_secrets(&self, definition: DefinitionId) -> Result<(), StoreError> {
        let delete = self.scope.delete::<Entity>().filter(Column::DefinitionId.eq(definition.as_uuid()));
        delete.exec(self.scope.connection()).await?;
        Ok(())
    }
}
