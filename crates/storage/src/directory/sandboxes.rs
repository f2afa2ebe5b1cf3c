//! Organisations below others.

use chancery_model::{Organisation, OrganisationId, OrganisationRecord, StoredImage, Timestamp};
use sea_orm::sea_query::{Expr, LockType, OnConflict};
use sea_orm::{ColumnTrait, EntityTrait, Insert, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, Set};

use super::{Directory, OrganisationConflict, to_row, version};
use crate::connection::Durability;
use crate::entity::organisation::{Column, Entity};
use crate::entity::organisation_image;
use crate::error::is_unique_violation;
use crate::scope::{Scope, later};
use crate::{Listed, Page, StoreError};

/// Why a sandbox organisation was not created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SandboxConflict {
    /// Its parent is gone, or is a sandbox organisation itself.
    Parent,
    /// Its parent has as many as it may.
    TooMany,
    /// Something is taken.
    Taken(OrganisationConflict),
}

impl Directory<'_> {
    /// Creates a sandbox organisation below the parent that the record names, unless that has `most` already.
    ///
    /// # Errors
    /// The inner one says why there is none.
    pub async fn create_sandbox(
        &self,
        record: &OrganisationRecord,
        most: u64,
    ) -> Result<Result<(), SandboxConflict>, StoreError> {
        let Some(parent) = record.parent.map(OrganisationId::as_uuid) else { return Ok(Err(SandboxConflict::Parent)) };
        let row = to_row(record)?;
        let connection = self.store.database.write(record.id, Durability::Full).await?;
        // Whoever creates another one below the same parent waits here, so the count holds.
        let held = Entity::find_by_id(parent).lock(LockType::Update).one(&connection).await?;
        if held.is_none_or(|held| held.parent_id.is_some()) {
            connection.rollback().await?;
            return Ok(Err(SandboxConflict::Parent));
        }
        if Entity::find().filter(Column::ParentId.eq(parent)).count(&connection).await? >= most {
            connection.rollback().await?;
            return Ok(Err(SandboxConflict::TooMany));
        }
        match Insert::one(row).exec_without_returning(&connection).await {
            Ok(_) => connection.commit().await?,
            Err(error) if is_unique_violation(&error) => {
                connection.rollback().await?;
                return Ok(Err(SandboxConflict::Taken(self.conflict_of(record).await?)));
            }
            Err(error) => return Err(error.into()),
        }
        self.forget();
        Ok(Ok(()))
    }

    /// Organisations below this one.
    ///
    /// # Errors
    /// Those of the database, as for every method here.
    pub async fn sandboxes(&self, parent: OrganisationId, page: &Page) -> Result<Listed<Organisation>, StoreError> {
        let find = Entity::find().filter(Column::ParentId.eq(parent.as_uuid()));
        let total = find.clone().count(self.store.database.reader()).await?;
        let rows = find
            .order_by(Column::CreatedAt, page.order.into())
            .order_by(Column::Id, page.order.into())
            .offset(page.offset)
            .limit(page.limit)
            .all(self.store.database.reader())
            .await?;
        Ok(Listed {
            items: self.of_rows(rows).await?.into_iter().map(std::sync::Arc::unwrap_or_clone).collect(),
            total,
        })
    }

    /// Stores a picture of an organisation in the place of the one that it had for the same purpose; `false` when the
    /// organisation is gone, or was changed since `seen`.
    pub async fn put_image(
        &self,
        id: OrganisationId,
        image: &StoredImage,
        seen: Option<Timestamp>,
    ) -> Result<bool, StoreError> {
        let column = match image.purpose {
            chancery_model::ImagePurpose::Logo => Column::Logo,
            chancery_model::ImagePurpose::Cover => Column::Cover,
        };
        let row = organisation_image::ActiveModel {
            purpose: Set(image.purpose.name().to_owned()),
            media_type: Set(image.media_type.media_type().to_owned()),
            name: Set(image.name.clone()),
            bytes: Set(image.bytes.clone()),
            created_at: Set(image.created_at.millis()),
            ..Default::default()
        };
        let mut replace =
            OnConflict::columns([organisation_image::Column::OrganisationId, organisation_image::Column::Purpose]);
        replace.update_columns([
            organisation_image::Column::MediaType,
            organisation_image::Column::Name,
            organisation_image::Column::Bytes,
            organisation_image::Column::CreatedAt,
        ]);
        let scope = Scope::new(self.store.database.write(id, Durability::Full).await?, id);
        let show = Entity::update_many()
            .filter(version(id, seen))
            .col_expr(column, Expr::value(image.name.as_str()))
            .col_expr(Column::UpdatedAt, later(Column::UpdatedAt, image.created_at));
        if show.exec(scope.connection()).await?.rows_affected != 1 {
            scope.into_connection().rollback().await?;
            return Ok(false);
        }
        scope.insert_or::<organisation_image::Entity>(row, replace).await?;
        scope.into_connection().commit().await?;
        self.forget();
        Ok(true)
    }
}
