//! Transactions on PostgreSQL that begin with their organisation.
//!
//! sea-orm would begin in one round trip and could name the organisation in a second one; each costs as much as a
//! lookup. Here both go out together, and a connection on which that was interrupted is closed: it might be inside a
//! transaction that the pool knows nothing of.

use std::ops::DerefMut;
use std::sync::Arc;

use chancery_model::OrganisationId;
use sea_orm::sqlx::pool::PoolConnection;
use sea_orm::sqlx::{AssertSqlSafe, Database, Executor, PgConnection, PgPool, Postgres, SqlSafeStr, query_with};
use sea_orm::{DbErr, ExecResult, QueryResult, RuntimeErr, Statement, Values};
use sea_query_sqlx::SqlxValues;
use sqlx_core::transaction::TransactionManager;
use tokio::sync::Mutex;

use super::{Doubt, Durability};
use crate::error::is_driver_unavailable;

type Manager = <Postgres as Database>::TransactionManager;

pub(crate) struct Transaction {
    connection: Mutex<PoolConnection<Postgres>>,
    doubt: Arc<Doubt>,
    is_open: bool,
}

/// A connection that is closed unless it was told that all is well.
struct Doubtful(Option<PoolConnection<Postgres>>);

impl Transaction {
    /// `SET LOCAL` ends with the transaction and never reaches the connection's next user; it is a command of its own
    /// and, unlike `SELECT set_config(…)`, needs no plan. A UUID needs no quoting.
    ///
    /// A connection that died while it was idle is noticed here. Nothing has happened yet, so another one is taken.
    pub(super) async fn begin(
        pool: &PgPool,
        doubt: &Arc<Doubt>,
        organisation: OrganisationId,
        durability: Durability,
    ) -> Result<Self, DbErr> {
        let relax = match durability {
            Durability::Full => "",
            Durability::Relaxed => "SET LOCAL synchronous_commit = off; ",
        };
        let organisation = organisation.as_uuid();
        let sql = format!("BEGIN; {relax}SET LOCAL app.organisation = '{organisation}'");
        let connection = match begun(pool.acquire().await.map_err(not_acquired)?, sql.clone()).await {
            Err(error) if is_driver_unavailable(&error) => {
                doubt.raise();
                begun(pool.acquire().await.map_err(not_acquired)?, sql).await
            }
            outcome => outcome,
        };
        let connection = Mutex::new(connection.map_err(not_queried)?);
        Ok(Self { connection, doubt: Arc::clone(doubt), is_open: true })
    }

    pub(super) async fn commit(mut self) -> Result<(), DbErr> {
        let committed = Manager::commit(self.connection.get_mut()).await;
        self.noting(committed).map_err(not_executed)?;
        self.is_open = false;
        Ok(())
    }

    pub(super) async fn rollback(mut self) -> Result<(), DbErr> {
        let rolled_back = Manager::rollback(self.connection.get_mut()).await;
        self.noting(rolled_back).map_err(not_executed)?;
        self.is_open = false;
        Ok(())
    }

    pub(super) async fn execute(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        let mut connection = self.connection.lock().await;
        let executed = execute(connection.deref_mut(), statement).await;
        self.noting(executed).map_err(not_executed)
    }

    pub(super) async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        let mut connection = self.connection.lock().await;
        let executed = connection.execute(AssertSqlSafe(sql.to_owned())).await;
        self.noting(executed).map(ExecResult::from).map_err(not_executed)
    }

    pub(super) async fn query_one(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        let mut connection = self.connection.lock().await;
        let row = query_with(AssertSqlSafe(statement.sql), values(statement.values));
        let row = row.fetch_optional(&mut **connection).await;
        Ok(self.noting(row).map_err(not_queried)?.map(QueryResult::from))
    }

    pub(super) async fn query_all(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        let mut connection = self.connection.lock().await;
        let rows = query_with(AssertSqlSafe(statement.sql), values(statement.values));
        let rows = rows.fetch_all(&mut **connection).await;
        let rows = self.noting(rows).map_err(not_queried)?;
        Ok(rows.into_iter().map(QueryResult::from).collect())
    }

    /// Takes notice when the connection fails.
    fn noting<T>(&self, outcome: Result<T, sqlx::Error>) -> Result<T, sqlx::Error> {
        if outcome.as_ref().is_err_and(is_driver_unavailable) {
            self.doubt.raise();
        }
        outcome
    }
}

/// The connection inside the transaction that `sql` begins.
async fn begun(connection: PoolConnection<Postgres>, sql: String) -> Result<PoolConnection<Postgres>, sqlx::Error> {
    let mut doubtful = Doubtful(Some(connection));
    if let Some(connection) = &mut doubtful.0 {
        Manager::begin(connection, Some(AssertSqlSafe(sql).into_sql_str())).await?;
    }
    doubtful.0.take().ok_or(sqlx::Error::PoolClosed)
}

async fn execute(connection: &mut PgConnection, statement: Statement) -> Result<ExecResult, sqlx::Error> {
    let query = query_with(AssertSqlSafe(statement.sql), values(statement.values));
    query.execute(connection).await.map(ExecResult::from)
}

fn values(values: Option<Values>) -> SqlxValues {
    SqlxValues(values.unwrap_or(Values(Vec::new())))
}

/// The roll-back travels with the next use of the connection, its return to the pool at the latest.
impl Drop for Transaction {
    fn drop(&mut self) {
        if self.is_open {
            Manager::start_rollback(self.connection.get_mut());
        }
    }
}

impl Drop for Doubtful {
    fn drop(&mut self) {
        if let Some(connection) = &mut self.0 {
            connection.close_on_drop();
        }
    }
}

fn not_acquired(error: sqlx::Error) -> DbErr {
    DbErr::Conn(RuntimeErr::SqlxError(Arc::new(error)))
}

fn not_executed(error: sqlx::Error) -> DbErr {
    DbErr::Exec(RuntimeErr::SqlxError(Arc::new(error)))
}

fn not_queried(error: sqlx::Error) -> DbErr {
    DbErr::Query(RuntimeErr::SqlxError(Arc::new(error)))
}
