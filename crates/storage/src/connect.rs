//! Opening a database the way this product needs it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sea_orm::sqlx::Connection as _;
use sea_orm::sqlx::postgres::PgConnectOptions;
use sea_orm::sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous};
use sea_orm::{ConnectOptions, ConnectionTrait, DatabaseConnection, DbBackend, Statement};

use crate::StoreError;
use crate::connection::{Database, Doubt, Pool, TRUSTED_IDLE};

/// How long a request waits for a free connection (on SQLite: for its turn to write) before it is answered 503.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long one statement may take on PostgreSQL.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long SQLite waits for another process that writes to the same file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Readers beside the one writer on SQLite; each is a thread.
const SQLITE_READERS: u32 = 4;
/// Connections for what concerns no single organisation: background work, the directory.
const MOST_ACROSS_ORGANISATIONS: u32 = 4;
/// What PostgreSQL lists the connections under.
const APPLICATION: &str = "chancery";
/// Key of the advisory lock held while migrating; any constant does.
const MIGRATION_LOCK: i64 = 0x6368_616e_6365_7279;

/// Why a database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The URL names neither SQLite nor PostgreSQL.
    #[error("the database URL must start with sqlite: or postgres://")]
    Url,
    /// The directory of the SQLite file can neither be used nor made.
    #[error("the directory of the database file cannot be made")]
    Directory(#[source] std::io::Error),
    /// The role would see the rows of every organisation.
    #[error(
        "the PostgreSQL role {role} is a superuser or has BYPASSRLS, which switches row-level security off; \
         use a role with NOSUPERUSER NOBYPASSRLS"
    )]
    Privileged {
        /// The role.
        role: String,
    },
    /// The database does not answer, or refuses this login.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<sea_orm::DbErr> for ConnectError {
    fn from(error: sea_orm::DbErr) -> Self {
        Self::Store(error.into())
    }
}

pub(crate) async fn open(url: &str, max_connections: u32) -> Result<Database, ConnectError> {
    if url.starts_with("sqlite:") {
        return open_sqlite(url).await;
    }
    if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        return open_postgres(url, max_connections).await;
    }
    Err(ConnectError::Url)
}

async fn open_sqlite(url: &str) -> Result<Database, ConnectError> {
    if url.contains(":memory:") || url.contains("mode=memory") {
        // Each connection would have a memory of its own.
        let only = sea_orm::Database::connect(sqlite_options(url, 1, false)).await?;
        return Ok(Database::Sqlite { readers: only.clone(), writer: only });
    }
    make_directory_of(url).map_err(ConnectError::Directory)?;
    let writer = sea_orm::Database::connect(sqlite_options(url, 1, false)).await?;
    let readers = sea_orm::Database::connect(sqlite_options(url, SQLITE_READERS, true)).await?;
    Ok(Database::Sqlite { readers, writer })
}

fn sqlite_options(url: &str, connections: u32, query_only: bool) -> ConnectOptions {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(connections)
        .min_connections(1)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        // A closed connection to a database in memory takes the database with it.
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .sqlx_logging(false)
        .record_stmt_in_spans(false)
        .map_sqlx_sqlite_opts(move |sqlite| {
            sqlite
                .create_if_missing(!query_only)
                .journal_mode(SqliteJournalMode::Wal)
                .synchronous(SqliteSynchronous::Full)
                .foreign_keys(true)
                .busy_timeout(BUSY_TIMEOUT)
                // What is erased is overwritten.
                .pragma("secure_delete", "ON")
                .pragma("query_only", if query_only { "ON" } else { "OFF" })
        });
    options
}

/// What the database holds is nobody else's business, so a new directory is for its owner alone.
fn make_directory_of(url: &str) -> std::io::Result<()> {
    let path = url.trim_start_matches("sqlite:").trim_start_matches("//");
    let path = Path::new(path.split('?').next().unwrap_or_default());
    let Some(directory) = path.parent().filter(|directory| !directory.as_os_str().is_empty()) else {
        return Ok(());
    };
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory)
}

async fn open_postgres(url: &str, max_connections: u32) -> Result<Database, ConnectError> {
    let across_organisations = (max_connections / 4).clamp(1, MOST_ACROSS_ORGANISATIONS);
    let mut options = postgres_options(url, across_organisations);
    options.map_sqlx_postgres_opts(with_time_limits);
    let doubt = Arc::new(Doubt::default());
    let raised = Arc::clone(&doubt);
    options.map_sqlx_postgres_before_acquire(move |connection, last_use| {
        let is_doubtful = raised.concerns(last_use.idle_for);
        Box::pin(async move {
            if is_doubtful {
                connection.ping().await?;
            }
            Ok(true)
        })
    });
    let across = sea_orm::Database::connect(options).await?;
    refuse_privileged_role(&across).await?;
    let of_units = url.parse::<PgConnectOptions>().map_err(|_| ConnectError::Url)?.application_name(APPLICATION);
    let size = max_connections.saturating_sub(across_organisations).max(1);
    let size = usize::try_from(size).unwrap_or(1);
    let units = Pool::new(with_time_limits(of_units), size, ACQUIRE_TIMEOUT, doubt)?;
    Ok(Database::Postgres { across, units })
}

fn with_time_limits(options: PgConnectOptions) -> PgConnectOptions {
    let millis = STATEMENT_TIMEOUT.as_millis().to_string();
    options.options([
        ("statement_timeout", millis.as_str()),
        ("lock_timeout", millis.as_str()),
        ("idle_in_transaction_session_timeout", millis.as_str()),
    ])
}

/// One connection without time limits that holds the migration lock until it is closed.
pub(crate) async fn postgres_for_migrations(url: &str) -> Result<DatabaseConnection, StoreError> {
    let connection = sea_orm::Database::connect(postgres_options(url, 1)).await?;
    connection.execute_unprepared(&format!("SELECT pg_advisory_lock({MIGRATION_LOCK})")).await?;
    Ok(connection)
}

fn postgres_options(url: &str, max_connections: u32) -> ConnectOptions {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(max_connections.max(1))
        .min_connections(1)
        .connect_timeout(ACQUIRE_TIMEOUT)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .test_before_acquire(false)
        .test_before_acquire_if_idle_for(TRUSTED_IDLE)
        .sqlx_logging(false)
        .record_stmt_in_spans(false)
        .set_application_name(APPLICATION);
    options
}

/// The second lock must hold: no start with a role that row-level security does not bind.
async fn refuse_privileged_role(pool: &DatabaseConnection) -> Result<(), ConnectError> {
    let sql = "SELECT rolname::text AS role, rolsuper OR rolbypassrls AS privileged \
               FROM pg_roles WHERE rolname = current_user";
    let row = pool.query_one_raw(Statement::from_string(DbBackend::Postgres, sql)).await?;
    let (role, privileged) = match row {
        Some(row) => (row.try_get("", "role")?, row.try_get("", "privileged")?),
        None => (String::from("(unknown)"), true),
    };
    if privileged { Err(ConnectError::Privileged { role }) } else { Ok(()) }
}
