//! Connections as units of work use them.

mod doubt;
mod pool;
mod postgres;

use std::sync::atomic::{AtomicBool, Ordering};

use chancery_model::OrganisationId;
use sea_orm::prelude::async_trait::async_trait;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, ExecResult, QueryResult,
    SqliteTransactionMode, Statement, TransactionOptions, TransactionTrait,
};
use tokio::sync::OnceCell;

pub(crate) use doubt::Doubt;
pub(crate) use pool::{Pool, TRUSTED_IDLE};

use crate::StoreError;
use crate::error::is_unavailable;

/// How far a commit goes before it is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Durability {
    /// On disk.
    Full,
    /// Visible, and on disk shortly after: the last moments before a crash may be lost.
    Relaxed,
}

/// The database behind a store.
pub(crate) enum Database {
    /// Readers see the last commit while the one writer works.
    Sqlite { readers: DatabaseConnection, writer: DatabaseConnection },
    /// Units of work have a pool of their own.
    Postgres { across: DatabaseConnection, units: Pool },
}

impl Database {
    /// For rows of no organisation, one statement at a time.
    pub(crate) fn reader(&self) -> &DatabaseConnection {
        match self {
            Self::Sqlite { readers, .. } => readers,
            Self::Postgres { across, .. } => across,
        }
    }

    /// Hands the outcome of a statement on [`Database::reader`] or [`Database::writer`] through, and takes notice when it
    /// says that connections fail.
    pub(crate) fn noting<T>(&self, outcome: Result<T, DbErr>) -> Result<T, DbErr> {
        if let (Self::Postgres { units, .. }, Err(error)) = (self, &outcome)
            && is_unavailable(error)
        {
            units.doubt().raise();
        }
        outcome
    }

    pub(crate) fn writer(&self) -> &DatabaseConnection {
        match self {
            Self::Sqlite { writer, .. } => writer,
            Self::Postgres { across, .. } => across,
        }
    }

    /// A connection that sees `organisation`. SQLite has no row security, so plain statements do.
    pub(crate) fn read(&self, organisation: OrganisationId) -> Connection {
        Connection::new(match self {
            Self::Sqlite { readers, .. } => Kind::Plain(readers.clone()),
            Self::Postgres { units, .. } => {
                Kind::Lazy(Lazy { pool: units.clone(), organisation, begun: OnceCell::new() })
            }
        })
    }

    /// A transaction that sees `organisation`. It starts as a writer: on SQLite a reader that becomes one can fail.
    pub(crate) async fn write(
        &self,
        organisation: OrganisationId,
        durability: Durability,
    ) -> Result<Connection, DbErr> {
        Ok(Connection::new(match self {
            Self::Sqlite { writer, .. } => Kind::Sqlite(begin_immediate(writer).await?),
            Self::Postgres { units, .. } => {
                Kind::Postgres(postgres::Transaction::begin(units, organisation, durability).await?)
            }
        }))
    }

    /// For one statement that begins and commits by itself on PostgreSQL, and names `organisation` to row-level security:
    /// see [`crate::scope::Scope::happened_with`]. On SQLite, as [`Database::write`].
    pub(crate) async fn step(&self, organisation: OrganisationId) -> Result<Connection, DbErr> {
        match self {
            Self::Sqlite { .. } => self.write(organisation, Durability::Full).await,
            Self::Postgres { units, .. } => {
                Ok(Connection::new(Kind::Alone(Alone { pool: units.clone(), is_repeated: AtomicBool::new(false) })))
            }
        }
    }

    /// Runs one statement that begins and commits by itself; how many rows changed. On PostgreSQL it is made by
    /// [`crate::scope::alone`], and is run again when the connection fails: it must bear that.
    pub(crate) async fn execute_alone(
        &self,
        make: impl FnOnce(DbBackend) -> Result<Statement, StoreError>,
    ) -> Result<u64, StoreError> {
        match self {
            Self::Sqlite { writer, .. } => Ok(writer.execute_raw(make(DbBackend::Sqlite)?).await?.rows_affected()),
            Self::Postgres { units, .. } => {
                let statement = make(DbBackend::Postgres)?;
                let (executed, _) = at_most_twice(|| postgres::execute_alone(units, statement.clone())).await;
                Ok(executed?)
            }
        }
    }
}

/// A transaction on SQLite that holds the right to write from its beginning.
pub(crate) async fn begin_immediate(writer: &DatabaseConnection) -> Result<DatabaseTransaction, DbErr> {
    let mode = Some(SqliteTransactionMode::Immediate);
    writer
        .begin_with_options(TransactionOptions { sqlite_transaction_mode: mode, ..TransactionOptions::default() })
        .await
}

/// One connection, plain or in a transaction. A transaction that is dropped is rolled back.
pub(crate) struct Connection {
    kind: Kind,
    has_failed: AtomicBool,
}

enum Kind {
    Plain(DatabaseConnection),
    Sqlite(DatabaseTransaction),
    Postgres(postgres::Transaction),
    Lazy(Lazy),
    Alone(Alone),
}

/// One statement that begins and commits by itself.
struct Alone {
    pool: Pool,
    is_repeated: AtomicBool,
}

impl Alone {
    async fn query_one(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        let (queried, again) = at_most_twice(|| postgres::query_alone(&self.pool, statement.clone())).await;
        self.is_repeated.fetch_or(again, Ordering::Relaxed);
        queried
    }
}

/// Runs a statement, once more when the connection fails, which may have died long before; and whether it did.
async fn at_most_twice<T, F>(run: impl Fn() -> F) -> (Result<T, DbErr>, bool)
where
    F: Future<Output = Result<T, DbErr>>,
{
    match run().await {
        Err(error) if is_unavailable(&error) => (run().await, true),
        outcome => (outcome, false),
    }
}

/// A transaction that begins with its first statement: a lookup that finds everything in memory costs nothing.
struct Lazy {
    pool: Pool,
    organisation: OrganisationId,
    begun: OnceCell<postgres::Transaction>,
}

impl Lazy {
    async fn begun(&self) -> Result<&postgres::Transaction, DbErr> {
        let begin = || postgres::Transaction::begin(&self.pool, self.organisation, Durability::Full);
        self.begun.get_or_try_init(begin).await
    }
}

impl Connection {
    fn new(kind: Kind) -> Self {
        Self { kind, has_failed: AtomicBool::new(false) }
    }

    /// Whether its one statement has to begin, to name its organisation and to commit by itself.
    pub(crate) fn is_alone(&self) -> bool {
        matches!(self.kind, Kind::Alone(_))
    }

    /// Whether its one statement was run twice, so that the first time it may have been carried out.
    pub(crate) fn is_repeated(&self) -> bool {
        matches!(&self.kind, Kind::Alone(alone) if alone.is_repeated.load(Ordering::Relaxed))
    }

    /// Commits, unless a statement has failed: PostgreSQL would answer such a COMMIT with a silent roll-back.
    pub(crate) async fn commit(self) -> Result<(), DbErr> {
        if self.has_failed.load(Ordering::Relaxed) && !self.is_repeated() {
            self.rollback().await?;
            return Err(DbErr::Custom("a unit of work cannot go on after a failed statement".to_owned()));
        }
        match self.kind {
            Kind::Plain(_) | Kind::Lazy(_) | Kind::Alone(_) => Ok(()),
            Kind::Sqlite(transaction) => transaction.commit().await,
            Kind::Postgres(transaction) => transaction.commit().await,
        }
    }

    pub(crate) async fn rollback(self) -> Result<(), DbErr> {
        match self.kind {
            Kind::Plain(_) | Kind::Lazy(_) | Kind::Alone(_) => Ok(()),
            Kind::Sqlite(transaction) => transaction.rollback().await,
            Kind::Postgres(transaction) => transaction.rollback().await,
        }
    }

    fn noting_failure<T>(&self, outcome: Result<T, DbErr>) -> Result<T, DbErr> {
        if outcome.is_err() {
            self.has_failed.store(true, Ordering::Relaxed);
        }
        outcome
    }
}

#[async_trait]
impl ConnectionTrait for Connection {
    fn get_database_backend(&self) -> DbBackend {
        match &self.kind {
            Kind::Plain(connection) => connection.get_database_backend(),
            Kind::Sqlite(_) => DbBackend::Sqlite,
            Kind::Postgres(_) | Kind::Lazy(_) | Kind::Alone(_) => DbBackend::Postgres,
        }
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.noting_failure(match &self.kind {
            Kind::Plain(connection) => connection.execute_raw(statement).await,
            Kind::Sqlite(transaction) => transaction.execute_raw(statement).await,
            Kind::Postgres(transaction) => transaction.execute(statement).await,
            Kind::Lazy(lazy) => lazy.begun().await?.execute(statement).await,
            Kind::Alone(_) => Err(not_alone()),
        })
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.noting_failure(match &self.kind {
            Kind::Plain(connection) => connection.execute_unprepared(sql).await,
            Kind::Sqlite(transaction) => transaction.execute_unprepared(sql).await,
            Kind::Postgres(transaction) => transaction.execute_unprepared(sql).await,
            Kind::Lazy(lazy) => lazy.begun().await?.execute_unprepared(sql).await,
            Kind::Alone(_) => Err(not_alone()),
        })
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.noting_failure(match &self.kind {
            Kind::Plain(connection) => connection.query_one_raw(statement).await,
            Kind::Sqlite(transaction) => transaction.query_one_raw(statement).await,
            Kind::Postgres(transaction) => transaction.query_one(statement).await,
            Kind::Lazy(lazy) => lazy.begun().await?.query_one(statement).await,
            Kind::Alone(alone) => alone.query_one(statement).await,
        })
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.noting_failure(match &self.kind {
            Kind::Plain(connection) => connection.query_all_raw(statement).await,
            Kind::Sqlite(transaction) => transaction.query_all_raw(statement).await,
            Kind::Postgres(transaction) => transaction.query_all(statement).await,
            Kind::Lazy(lazy) => lazy.begun().await?.query_all(statement).await,
            Kind::Alone(_) => Err(not_alone()),
        })
    }
}

fn not_alone() -> DbErr {
    DbErr::Custom("a unit of work of one statement has no other".to_owned())
}
