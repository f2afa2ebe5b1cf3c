//! Authorization requests on their way to a code, and refresh tokens.

use sea_orm_migration::prelude::{
    ConditionalStatement, DeriveMigrationName, Expr, ExprTrait, ForeignKeyAction, IndexCreateStatement,
    TableCreateStatement,
};
use sea_orm_migration::sea_orm::DbErr;
use sea_orm_migration::{MigrationTrait, SchemaManager, async_trait};

use crate::column::{
    Columns, bytes, bytes_or_null, flag, index, number, number_or_null, primary_key, reference, text, text_or_null,
    unique,
};
use crate::row_security;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let columns = Columns(manager.get_database_backend());
        for (table, indexes) in [authorization_request(columns), refresh_token(columns)] {
            manager.create_table(table).await?;
            for index in indexes {
                manager.create_index(index).await?;
            }
        }
        row_security::enable(manager, &["authorization_request", "refresh_token"]).await
    }
}

/// Not called `authorization`, which is a keyword of SQL. The definition is not referenced: its revisions are never
/// deleted, and a request that comes to nothing must not keep it.
fn authorization_request(columns: Columns) -> (TableCreateStatement, Vec<IndexCreateStatement>) {
    const TABLE: &str = "authorization_request";
    let table = columns
        .owned_table(TABLE)
        .col(columns.uuid("id"))
        .col(text("client_id"))
        .col(text("redirect_uri"))
        .col(flag("redirect_uri_named"))
        .col(text_or_null("state"))
        .col(text_or_null("code_challenge"))
        .col(columns.uuid("definition_id"))
        .col(number("definition_revision"))
        .col(text("requested"))
        .col(flag("by_details"))
        .col(columns.uuid_or_null("exchange_id"))
        .col(text_or_null("dpop_jkt"))
        .col(text_or_null("instance_thumbprint"))
        .col(bytes_or_null("request_uri_hash"))
        .col(number_or_null("request_uri_expires_at"))
        .col(text("status"))
        .col(bytes_or_null("browser_hash"))
        .col(bytes_or_null("sign_in_state_hash"))
        .col(bytes_or_null("sealed_sign_in"))
        .col(bytes_or_null("sealed_signed_in"))
        .col(text_or_null("locale"))
        .col(bytes_or_null("code_hash"))
        .col(number_or_null("code_expires_at"))
        .col(number("expires_at"))
        .col(number("created_at"))
        .col(number("updated_at"))
        .primary_key(&mut primary_key(&["organisation_id", "id"]))
        .foreign_key(&mut reference(TABLE, &["exchange_id"], "exchange", &["id"], ForeignKeyAction::Cascade))
        .take();
    let present = |column: &'static str| {
        unique(TABLE, &["organisation_id", column]).and_where(Expr::col(column).is_not_null()).take()
    };
    let indexes = vec![
        present("request_uri_hash"),
        present("sign_in_state_hash"),
        present("code_hash"),
        index(TABLE, &["organisation_id", "expires_at"]),
        index(TABLE, &["organisation_id", "exchange_id"]).and_where(Expr::col("exchange_id").is_not_null()).take(),
    ];
    (table, indexes)
}

fn refresh_token(columns: Columns) -> (TableCreateStatement, Vec<IndexCreateStatement>) {
    const TABLE: &str = "refresh_token";
    let table = columns
        .exchange_table(TABLE)
        .col(columns.uuid("id"))
        .col(bytes("hash"))
        .col(text_or_null("client_id"))
        .col(text_or_null("dpop_thumbprint"))
        .col(text_or_null("instance_thumbprint"))
        .col(text("credentials"))
        .col(flag("by_identifier"))
        .col(number("expires_at"))
        .col(number_or_null("replaced_at"))
        .col(number("created_at"))
        .primary_key(&mut primary_key(&["organisation_id", "exchange_id", "id"]))
        .take();
    (table, vec![unique(TABLE, &["organisation_id", "hash"])])
}
