//! Row-level security of PostgreSQL: the second lock behind the filters of the storage crate.

use sea_orm_migration::SchemaManager;
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend, DbErr};

/// Shows each row of `tables` only while `app.organisation` names its organisation, to the owner of the tables too.
/// The setting is the empty text after a transaction that had set it: `nullif` makes that "nobody".
pub(crate) async fn enable(manager: &SchemaManager<'_>, tables: &[&str]) -> Result<(), DbErr> {
    if manager.get_database_backend() != DbBackend::Postgres {
        return Ok(());
    }
    for table in tables {
        let sql = format!(
            "ALTER TABLE {table} ENABLE ROW LEVEL SECURITY; \
             ALTER TABLE {table} FORCE ROW LEVEL SECURITY; \
             CREATE POLICY organisation ON {table} \
             USING (organisation_id = nullif(current_setting('app.organisation', true), '')::uuid) \
             WITH CHECK (organisation_id = nullif(current_setting('app.organisation', true), '')::uuid)"
        );
        manager.get_connection().execute_unprepared(&sql).await?;
    }
    Ok(())
}
