//! The database.

use std::fmt;
use std::ops::Deref;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

use chancery_model::{Organisation, WorkKind};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbErr, Statement};

use crate::StoreError;
use crate::connect::{self, ConnectError};
use crate::connection::{Connection, Database, Durability, begin_immediate};
use crate::definitions::Revisions;
use crate::directory::{Directory, Known};
use crate::scope::Scope;
use crate::work::{Wakers, Work};

/// The database: SQLite or PostgreSQL. Clones share it.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) database: Database,
    pub(crate) known: Known,
    pub(crate) revisions: Revisions,
    pub(crate) wakers: Wakers,
    url: String,
}

/// Lookups inside one organisation. Dropping it ends it.
///
/// On PostgreSQL it holds a connection from its first statement on: keep it no longer than the lookups take.
pub struct Read {
    pub(crate) scope: Scope,
    pub(crate) store: Arc<Inner>,
    /// Whether this unit of work added revisions of definitions: those must not be remembered before it is committed.
    pub(crate) adds_revisions: AtomicBool,
    /// Kinds of work that this unit of work added.
    adds_work: Mutex<Vec<WorkKind>>,
}

/// A unit of work inside one organisation: lookups and changes, of which all or none happen.
pub struct Transaction(Read);

impl Store {
    /// Opens the database that `url` names; `max_connections` is for PostgreSQL.
    ///
    /// - `sqlite://path/to/file.db` (made when missing, with its directory) or `sqlite::memory:`: readers beside one
    ///   writer, write-ahead log, every commit flushed to disk.
    /// - `postgres://user:password@host/database`: refused when the role escapes row-level security.
    ///
    /// # Errors
    /// See [`ConnectError`].
    pub async fn connect(url: &str, max_connections: u32) -> Result<Self, ConnectError> {
        let database = connect::open(url, max_connections).await?;
        let (known, revisions) = (Known::default(), Revisions::default());
        Ok(Self(Arc::new(Inner { database, known, revisions, wakers: Wakers::default(), url: url.to_owned() })))
    }

    /// Applies the migrations that are missing. Several processes may try at once: one does it, the others wait.
    ///
    /// # Errors
    /// A refused migration is `Internal`; nothing of it is left behind.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        match &self.0.database {
            Database::Sqlite { writer, .. } => {
                let transaction = begin_immediate(writer).await?;
                chancery_migrations::up(&transaction).await?;
                transaction.commit().await?;
            }
            Database::Postgres { .. } => {
                let connection = connect::postgres_for_migrations(&self.0.url).await?;
                let migrated = chancery_migrations::up(&connection).await;
                // Also gives back the lock that keeps other processes waiting.
                connection.close().await?;
                migrated?;
            }
        }
        Ok(())
    }

    /// Whether every migration this program knows of has been applied.
    ///
    /// # Errors
    /// `Unavailable` when the database does not answer.
    pub async fn schema_is_current(&self) -> Result<bool, StoreError> {
        let reader = self.0.database.reader();
        let applied: Result<Vec<String>, StoreError> = applied_migrations(reader).await;
        match applied {
            Ok(applied) => Ok(chancery_migrations::names().iter().all(|name| applied.contains(name))),
            // The table of the history is missing, so nothing was applied.
            Err(StoreError::Internal(_) | StoreError::Corrupt { .. }) => Ok(false),
            Err(StoreError::Unavailable(cause)) => Err(StoreError::Unavailable(cause)),
        }
    }

    pub(crate) fn database(&self) -> &Database {
        &self.0.database
    }

    /// Asks the database for an answer.
    ///
    /// # Errors
    /// `Unavailable` when there is none.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.0.database.reader().ping().await.map_err(|error| StoreError::Unavailable(anyhow::anyhow!("{error}")))
    }

    /// The organisations.
    pub fn directory(&self) -> Directory<'_> {
        Directory::new(&self.0)
    }

    /// The queue of background work, across organisations.
    pub fn work(&self) -> Work<'_> {
        Work::new(&self.0)
    }

    /// Lookups inside `organisation`. Those that find everything in memory need no connection.
    ///
    /// # Errors
    /// None so far: a connection is taken by the first statement.
    pub async fn read(&self, organisation: &Organisation) -> Result<Read, StoreError> {
        Ok(Read::new(Scope::new(self.0.database.read(organisation.id), organisation.id), &self.0))
    }

    /// Does `work` inside `organisation`: all of it when it answers `Ok`, nothing of it when it answers `Err` or is
    /// cancelled. When this returns `Ok`, the work is on disk.
    ///
    /// No network call belongs into `work`: it holds a connection, and on SQLite everybody else's turn to write.
    ///
    /// # Errors
    /// Those of `work`, and those of the database; `Internal` when `work` answers `Ok` although a statement of it
    /// failed. After `Unavailable` from the commit itself the work may or may not
    /// have happened.
    pub async fn write<T, E: From<StoreError>>(
        &self,
        organisation: &Organisation,
        work: impl AsyncFnOnce(&Transaction) -> Result<T, E>,
    ) -> Result<T, E> {
        let connection = self.0.database.write(organisation.id, Durability::Full).await;
        self.transact(organisation, connection, work).await
    }

    /// Like [`Store::write`], for work that is one conditional step with the rows that hang on it
    /// ([`Transaction::spend_code`], [`Transaction::begin_exchange`], [`Transaction::replace_refresh_token`],
    /// [`Transaction::record_issuance`]) and nothing else: on PostgreSQL it begins and commits by itself, in one round trip.
    ///
    /// # Errors
    /// As for [`Store::write`]; `Internal` for any other statement on PostgreSQL. After `Unavailable` the step may or may
    /// not have happened.
    pub async fn write_step<T, E: From<StoreError>>(
        &self,
        organisation: &Organisation,
        step: impl AsyncFnOnce(&Transaction) -> Result<T, E>,
    ) -> Result<T, E> {
        let connection = self.0.database.step(organisation.id).await;
        self.transact(organisation, connection, step).await
    }

    /// Like [`Store::write`], for work whose loss in a crash harms nobody: it does not wait for the disk (PostgreSQL).
    ///
    /// # Errors
    /// As for [`Store::write`].
    pub async fn write_relaxed<T, E: From<StoreError>>(
        &self,
        organisation: &Organisation,
        work: impl AsyncFnOnce(&Transaction) -> Result<T, E>,
    ) -> Result<T, E> {
        let connection = self.0.database.write(organisation.id, Durability::Relaxed).await;
        self.transact(organisation, connection, work).await
    }

    async fn transact<T, E: From<StoreError>>(
        &self,
        organisation: &Organisation,
        connection: Result<Connection, DbErr>,
        work: impl AsyncFnOnce(&Transaction) -> Result<T, E>,
    ) -> Result<T, E> {
        let scope = Scope::new(connection.map_err(StoreError::from)?, organisation.id);
        let transaction = Transaction(Read::new(scope, &self.0));
        let outcome = work(&transaction).await;
        let Read { scope, adds_work, .. } = transaction.0;
        let connection = scope.into_connection();
        match outcome {
            Ok(value) => {
                connection.commit().await.map_err(StoreError::from)?;
                for kind in adds_work.into_inner().unwrap_or_else(PoisonError::into_inner) {
                    self.0.wakers.wake(kind);
                }
                Ok(value)
            }
            Err(error) => {
                // When this fails the connection is gone, and with it the transaction.
                if let Err(cause) = connection.rollback().await {
                    tracing::debug!(%cause, "a rollback was not confirmed");
                }
                Err(error)
            }
        }
    }
}

impl Read {
    fn new(scope: Scope, store: &Arc<Inner>) -> Self {
        let adds_work = Mutex::default();
        Self { scope, store: Arc::clone(store), adds_revisions: AtomicBool::new(false), adds_work }
    }
}

impl Transaction {
    /// Workers of this process look for work of this kind after the commit.
    pub(crate) fn wakes(&self, kind: WorkKind) {
        self.adds_work.lock().unwrap_or_else(PoisonError::into_inner).push(kind);
    }
}

async fn applied_migrations(connection: &DatabaseConnection) -> Result<Vec<String>, StoreError> {
    let statement = Statement::from_string(connection.get_database_backend(), "SELECT version FROM seaql_migrations");
    let rows = connection.query_all_raw(statement).await?;
    Ok(rows.iter().map(|row| row.try_get("", "version")).collect::<Result<_, _>>()?)
}

impl Deref for Transaction {
    type Target = Read;
    fn deref(&self) -> &Read {
        &self.0
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match &self.0.database {
            Database::Sqlite { .. } => "SQLite",
            Database::Postgres { .. } => "PostgreSQL",
        };
        write!(f, "Store({kind})")
    }
}

impl fmt::Debug for Read {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Read(of {})", self.scope.organisation())
    }
}

impl fmt::Debug for Transaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Transaction(of {})", self.scope.organisation())
    }
}
