//! Authorization requests without anything that begins a sign-in: nothing is written down then.
//!
//! `request_uri` and code name their request, so it is found by its id. What changes on the way is in no index, and every
//! step stays in its page.

use sea_orm_migration::prelude::{DeriveMigrationName, Index, Table};
use sea_orm_migration::sea_orm::DbErr;
use sea_orm_migration::{MigrationTrait, SchemaManager, async_trait};

use crate::column::index;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const TABLE: &str = "authorization_request";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for column in ["request_uri_hash", "sign_in_state_hash", "code_hash", "expires_at"] {
            let name = format!("{TABLE}_by_{column}");
            manager.drop_index(Index::drop().name(name).table(TABLE).to_owned()).await?;
        }
        for column in ["sign_in_state_hash", "sealed_sign_in"] {
            manager.alter_table(Table::alter().table(TABLE).drop_column(column).take()).await?;
        }
        manager.create_index(index(TABLE, &["organisation_id", "created_at"])).await
    }
}
