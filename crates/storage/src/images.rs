//! Pictures of definitions, and of organisations themselves.

use chancery_model::{DefinitionId, ImagePurpose, ImageType, StoredImage};
use sea_orm::sea_query::OnConflict;
use sea_orm::{ColumnTrait, QueryFilter, Set};

use crate::entity::image::{ActiveModel, Column, Entity, Model};
use crate::entity::organisation_image;
use crate::row::{Row, instant};
use crate::{Read, StoreError, Transaction};

impl Read {
    /// The picture that a definition has for a purpose.
    ///
    /// # Errors
    /// Those of the database, as for every lookup.
    pub async fn image(
        &self,
        definition: DefinitionId,
        purpose: ImagePurpose,
    ) -> Result<Option<StoredImage>, StoreError> {
        let find = self.scope.find::<Entity>().filter(Column::DefinitionId.eq(definition.as_uuid()));
        let find = find.filter(Column::Purpose.eq(purpose.name()));
        find.one(self.scope.connection()).await?.map(from_row).transpose()
    }

    /// The picture with this last segment of its public URL, of a definition or of the organisation itself.
    pub async fn image_by_name(&self, name: &str) -> Result<Option<StoredImage>, StoreError> {
        let of_definition = self.scope.find::<Entity>().filter(Column::Name.eq(name));
        if let Some(found) = of_definition.one(self.scope.connection()).await? {
            return from_row(found).map(Some);
        }
        let own = self.scope.find::<organisation_image::Entity>().filter(organisation_image::Column::Name.eq(name));
        own.one(self.scope.connection()).await?.map(from_own_row).transpose()
    }
}

impl Transaction {
    /// Stores a picture of a definition in the place of the one that it had for the same purpose.
    ///
    /// # Errors
    /// Those of the database, as for every change.
    pub async fn put_image(&self, definition: DefinitionId, image: &StoredImage) -> Result<(), StoreError> {
        let row = ActiveModel {
            definition_id: Set(definition.as_uuid()),
            purpose: Set(image.purpose.name().to_owned()),
            media_type: Set(image.media_type.media_type().to_owned()),
            name: Set(image.name.clone()),
            bytes: Set(image.bytes.clone()),
            created_at: Set(image.created_at.millis()),
            ..Default::default()
        };
        let mut replace = OnConflict::columns([Column::OrganisationId, Column::DefinitionId, Column::Purpose]);
        replace.update_columns([Column::MediaType, Column::Name, Column::Bytes, Column::CreatedAt]);
        self.scope.insert_or::<Entity>(row, replace).await?;
        Ok(())
    }
}

fn from_row(model: Model) -> Result<StoredImage, StoreError> {
    let row = Row { table: "image", id: model.definition_id };
    Ok(StoredImage {
        definition_id: Some(model.definition_id.into()),
        purpose: row.expect(ImagePurpose::parse(&model.purpose))?,
        media_type: row.expect(ImageType::parse(&model.media_type))?,
        name: model.name,
        bytes: model.bytes,
        created_at: instant(model.created_at),
    })
}

fn from_own_row(model: organisation_image::Model) -> Result<StoredImage, StoreError> {
    let row = Row { table: "organisation_image", id: model.organisation_id };
    Ok(StoredImage {
        definition_id: None,
        purpose: row.expect(ImagePurpose::parse(&model.purpose))?,
        media_type: row.expect(ImageType::parse(&model.media_type))?,
        name: model.name,
        bytes: model.bytes,
        created_at: instant(model.created_at),
    })
}
