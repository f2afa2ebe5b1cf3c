//! What a step of the history adds.

use sea_orm_migration::SchemaManager;
use sea_orm_migration::prelude::{IndexCreateStatement, TableCreateStatement};
use sea_orm_migration::sea_orm::DbErr;

/// A table and its indexes.
pub(crate) struct Plan(pub(crate) TableCreateStatement, pub(crate) Vec<IndexCreateStatement>);

impl Plan {
    /// Makes the table, then its indexes.
    pub(crate) async fn carry_out(self, manager: &SchemaManager<'_>) -> Result<(), DbErr> {
        let Self(table, indexes) = self;
        manager.create_table(table).await?;
        for index in indexes {
            manager.create_index(index).await?;
        }
        Ok(())
    }
}
