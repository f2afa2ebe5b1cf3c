//! Organisations, their keys and definitions, and the way of an exchange from offer to credential.

mod directory;
mod exchanges;
mod offering;

use sea_orm_migration::prelude::{DeriveMigrationName, IndexCreateStatement, TableCreateStatement};
use sea_orm_migration::sea_orm::DbErr;
use sea_orm_migration::{MigrationTrait, SchemaManager, async_trait};

use crate::column::Columns;
use crate::{ORGANISATION_OWNED, row_security};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// A table and its indexes.
struct Plan(TableCreateStatement, Vec<IndexCreateStatement>);

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let columns = Columns(manager.get_database_backend());
        let plans =
            directory::plans(columns).into_iter().chain(offering::plans(columns)).chain(exchanges::plans(columns));
        for Plan(table, indexes) in plans {
            manager.create_table(table).await?;
            for index in indexes {
                manager.create_index(index).await?;
            }
        }
        row_security::enable(manager, &ORGANISATION_OWNED).await
    }
}
