//! Connections as units of work use them.

use chancery_model::OrganisationId;
use sea_orm::prelude::async_trait::async_trait;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, ExecResult, QueryResult,
    SqliteTransactionMode, Statement, TransactionOptions, TransactionTrait,
};

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
    /// Every connection does everything.
    Postgres(DatabaseConnection),
}

impl Database {
    /// For rows of no organisation, one statement at a time.
    pub(crate) fn reader(&self) -> &DatabaseConnection {
        match self {
            Self::Sqlite { readers, .. } => readers,
            Self::Postgres(pool) => pool,
        }
    }

    pub(crate) fn writer(&self) -> &DatabaseConnection {
        match self {
            Self::Sqlite { writer, .. } => writer,
            Self::Postgres(pool) => pool,
        }
    }

    /// A connection that sees `organisation`. SQLite has no row security, so plain statements do.
    pub(crate) async fn read(&self, organisation: OrganisationId) -> Result<Connection, DbErr> {
        match self {
            Self::Sqlite { readers, .. } => Ok(Connection::Plain(readers.clone())),
            Self::Postgres(pool) => begin(pool, organisation, Durability::Full).await.map(Connection::Transaction),
        }
    }

    /// A transaction that sees `organisation`. It starts as a writer: on SQLite a reader that becomes one can fail.
    pub(crate) async fn write(
        &self,
        organisation: OrganisationId,
        durability: Durability,
    ) -> Result<Connection, DbErr> {
        match self {
            Self::Sqlite { writer, .. } => {
                let mode = Some(SqliteTransactionMode::Immediate);
                let options = TransactionOptions { sqlite_transaction_mode: mode, ..TransactionOptions::default() };
                writer.begin_with_options(options).await.map(Connection::Transaction)
            }
            Self::Postgres(pool) => begin(pool, organisation, durability).await.map(Connection::Transaction),
        }
    }
}

/// `is_local` true: the setting ends with the transaction and never reaches the connection's next user.
async fn begin(
    pool: &DatabaseConnection,
    organisation: OrganisationId,
    durability: Durability,
) -> Result<DatabaseTransaction, DbErr> {
    let transaction = pool.begin().await?;
    // A UUID needs no quoting. One simple query, because a prepared one would cost a second round trip.
    let relax = match durability {
        Durability::Full => "",
        Durability::Relaxed => "; SET LOCAL synchronous_commit = off",
    };
    let sql = format!("SELECT set_config('app.organisation', '{}', true){relax}", organisation.as_uuid());
    transaction.execute_unprepared(&sql).await?;
    Ok(transaction)
}

/// One connection, plain or in a transaction.
pub(crate) enum Connection {
    Plain(DatabaseConnection),
    Transaction(DatabaseTransaction),
}

impl Connection {
    pub(crate) async fn commit(self) -> Result<(), DbErr> {
        match self {
            Self::Plain(_) => Ok(()),
            Self::Transaction(transaction) => transaction.commit().await,
        }
    }

    pub(crate) async fn rollback(self) -> Result<(), DbErr> {
        match self {
            Self::Plain(_) => Ok(()),
            Self::Transaction(transaction) => transaction.rollback().await,
        }
    }
}

#[async_trait]
impl ConnectionTrait for Connection {
    fn get_database_backend(&self) -> DbBackend {
        match self {
            Self::Plain(connection) => connection.get_database_backend(),
            Self::Transaction(transaction) => transaction.get_database_backend(),
        }
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        match self {
            Self::Plain(connection) => connection.execute_raw(statement).await,
            Self::Transaction(transaction) => transaction.execute_raw(statement).await,
        }
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        match self {
            Self::Plain(connection) => connection.execute_unprepared(sql).await,
            Self::Transaction(transaction) => transaction.execute_unprepared(sql).await,
        }
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        match self {
            Self::Plain(connection) => connection.query_one_raw(statement).await,
            Self::Transaction(transaction) => transaction.query_one_raw(statement).await,
        }
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        match self {
            Self::Plain(connection) => connection.query_all_raw(statement).await,
            Self::Transaction(transaction) => transaction.query_all_raw(statement).await,
        }
    }
}
