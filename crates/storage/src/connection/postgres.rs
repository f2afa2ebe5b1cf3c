//! Transactions on PostgreSQL that begin with their organisation.
//!
//! sea-orm would begin in one round trip and could name the organisation in a second one; each costs as much as a
//! lookup. Here both go out together, and a connection on which that was interrupted is closed: it might be inside a
//! transaction that the pool knows nothing of.

use std::sync::Arc;
use std::time::Duration;

use chancery_model::OrganisationId;
use sea_orm::sqlx::{
    AssertSqlSafe, Connection as _, Database, Executor, PgConnection, Postgres, SqlSafeStr, query_with,
};
use sea_orm::{DbErr, ExecResult, QueryResult, RuntimeErr, Statement, Values};
use sea_query_sqlx::SqlxValues;
use sqlx_core::transaction::TransactionManager;
use tokio::runtime::Handle;
use tokio::sync::Mutex;

use super::pool::{Pool, Pooled};
use super::{Doubt, Durability};
use crate::error::is_driver_unavailable;

type Manager = <Postgres as Database>::TransactionManager;

/// How long a roll-back that nobody waits for may take; the connection is closed then.
const ROLLBACK_TIMEOUT: Duration = Duration::from_secs(5);

pub(crate) struct Transaction {
    connection: Mutex<Held>,
    doubt: Arc<Doubt>,
}

/// A connection that goes back to the pool when nothing is under way on it.
struct Held {
    pooled: Option<Pooled>,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// It might be inside a transaction or not.
    Beginning,
    Open,
    Over,
}

impl Transaction {
    /// `SET LOCAL` ends with the transaction and never reaches the connection's next user; it is a command of its own
    /// and, unlike `SELECT set_config(…)`, needs no plan. A UUID needs no quoting.
    ///
    /// A connection that died while it was idle is noticed here. Nothing has happened yet, so another one is taken.
    pub(super) async fn begin(
        pool: &Pool,
        organisation: OrganisationId,
        durability: Durability,
    ) -> Result<Self, DbErr> {
        let relax = match durability {
            Durability::Full => "",
            Durability::Relaxed => "SET LOCAL synchronous_commit = off; ",
        };
        let organisation = organisation.as_uuid();
        let sql = format!("BEGIN; {relax}SET LOCAL app.organisation = '{organisation}'");
        let held = match Held::begun(pool.get().await?, sql.clone()).await {
            Err(error) if is_driver_unavailable(&error) => {
                pool.doubt().raise();
                Held::begun(pool.get().await?, sql).await
            }
            outcome => outcome,
        };
        Ok(Self { connection: Mutex::new(held.map_err(not_queried)?), doubt: Arc::clone(pool.doubt()) })
    }

    pub(super) async fn commit(mut self) -> Result<(), DbErr> {
        let held = self.connection.get_mut();
        let committed = Manager::commit(held.connection().map_err(not_executed)?).await;
        if committed.is_ok() {
            held.state = State::Over;
        }
        self.noting(committed).map_err(not_executed)
    }

    pub(super) async fn rollback(mut self) -> Result<(), DbErr> {
        let held = self.connection.get_mut();
        let rolled_back = Manager::rollback(held.connection().map_err(not_executed)?).await;
        if rolled_back.is_ok() {
            held.state = State::Over;
        }
        self.noting(rolled_back).map_err(not_executed)
    }

    pub(super) async fn execute(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        let mut connection = self.connection.lock().await;
        let executed = execute(connection.connection().map_err(not_executed)?, statement).await;
        self.noting(executed).map_err(not_executed)
    }

    pub(super) async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        let mut connection = self.connection.lock().await;
        let connection = connection.connection().map_err(not_executed)?;
        let executed = connection.execute(AssertSqlSafe(sql.to_owned())).await;
        self.noting(executed).map(ExecResult::from).map_err(not_executed)
    }

    pub(super) async fn query_one(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        let mut connection = self.connection.lock().await;
        let row = query_with(AssertSqlSafe(statement.sql), values(statement.values));
        let row = row.fetch_optional(connection.connection().map_err(not_queried)?).await;
        Ok(self.noting(row).map_err(not_queried)?.map(QueryResult::from))
    }

    pub(super) async fn query_all(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        let mut connection = self.connection.lock().await;
        let rows = query_with(AssertSqlSafe(statement.sql), values(statement.values));
        let rows = rows.fetch_all(connection.connection().map_err(not_queried)?).await;
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

/// Runs one statement that begins and commits by itself; how many rows changed. It has to name its organisation: see
/// [`crate::scope::alone`].
pub(super) async fn execute_alone(pool: &Pool, statement: Statement) -> Result<u64, DbErr> {
    let run = async |connection: &mut PgConnection| execute(connection, statement).await;
    Ok(alone(pool, run).await?.map_err(not_executed)?.rows_affected())
}

/// Runs one statement that begins and commits by itself, and answers its row. When the connection fails, nobody knows whether
/// it was carried out.
pub(super) async fn query_alone(pool: &Pool, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
    let row = query_with(AssertSqlSafe(statement.sql), values(statement.values));
    let run = async |connection: &mut PgConnection| row.fetch_optional(connection).await;
    Ok(alone(pool, run).await?.map_err(not_queried)?.map(QueryResult::from))
}

/// Lends a connection to one statement. Only when that succeeded is nothing under way on it.
async fn alone<T>(
    pool: &Pool,
    run: impl AsyncFnOnce(&mut PgConnection) -> Result<T, sqlx::Error>,
) -> Result<Result<T, sqlx::Error>, DbErr> {
    let mut held = Held { pooled: Some(pool.get().await?), state: State::Beginning };
    let outcome = run(held.connection().map_err(not_queried)?).await;
    match &outcome {
        Ok(_) => held.state = State::Over,
        Err(error) if is_driver_unavailable(error) => pool.doubt().raise(),
        Err(_) => {}
    }
    Ok(outcome)
}

impl Held {
    /// The connection inside the transaction that `sql` begins.
    async fn begun(pooled: Pooled, sql: String) -> Result<Self, sqlx::Error> {
        let mut held = Self { pooled: Some(pooled), state: State::Beginning };
        Manager::begin(held.connection()?, Some(AssertSqlSafe(sql).into_sql_str())).await?;
        held.state = State::Open;
        Ok(held)
    }

    fn connection(&mut self) -> Result<&mut PgConnection, sqlx::Error> {
        self.pooled.as_deref_mut().ok_or(sqlx::Error::PoolClosed)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let Some(pooled) = self.pooled.take() else { return };
        match (self.state, Handle::try_current()) {
            (State::Over, _) => drop(pooled),
            (State::Open, Ok(runtime)) => drop(runtime.spawn(roll_back(pooled))),
            // Taken out of the pool, it is closed.
            (State::Open | State::Beginning, _) => drop(Pooled::take(pooled)),
        }
    }
}

/// Ends the transaction of a unit of work that was dropped, and gives the connection back.
async fn roll_back(mut pooled: Pooled) {
    Manager::start_rollback(&mut pooled);
    // The roll-back travels along.
    let ended = tokio::time::timeout(ROLLBACK_TIMEOUT, pooled.ping()).await;
    if !matches!(ended, Ok(Ok(()))) {
        drop(Pooled::take(pooled));
    }
}

async fn execute(connection: &mut PgConnection, statement: Statement) -> Result<ExecResult, sqlx::Error> {
    let query = query_with(AssertSqlSafe(statement.sql), values(statement.values));
    query.execute(connection).await.map(ExecResult::from)
}

fn values(values: Option<Values>) -> SqlxValues {
    SqlxValues(values.unwrap_or(Values(Vec::new())))
}

fn not_executed(error: sqlx::Error) -> DbErr {
    DbErr::Exec(RuntimeErr::SqlxError(Arc::new(error)))
}

fn not_queried(error: sqlx::Error) -> DbErr {
    DbErr::Query(RuntimeErr::SqlxError(Arc::new(error)))
}
