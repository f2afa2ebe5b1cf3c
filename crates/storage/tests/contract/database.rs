//! A database of its own for every test.

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;

use chancery_model::Env;
use chancery_storage::Store;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, QueryResult, Statement};

/// Runs one behaviour on each database.
macro_rules! on_every_database {
    ($($behaviour:ident),* $(,)?) => {
        mod sqlite { $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $behaviour() {
                crate::database::with(crate::database::TestDatabase::sqlite().await, super::$behaviour).await;
            }
        )* }
        mod postgres { $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $behaviour() {
                crate::database::with(crate::database::TestDatabase::postgres().await, super::$behaviour).await;
            }
        )* }
    };
}
pub(crate) use on_every_database;

/// A migrated, empty database.
pub(crate) struct TestDatabase {
    pub(crate) store: Store,
    pub(crate) env: Env,
    pub(crate) url: String,
    home: Home,
}

enum Home {
    Directory(PathBuf),
    Server { name: String },
}

impl TestDatabase {
    pub(crate) async fn sqlite() -> Self {
        let directory = std::env::temp_dir().join(format!("chancery-storage-{}", unique_name()));
        let url = format!("sqlite://{}/chancery.db", directory.display());
        Self::migrated(url, Home::Directory(directory)).await
    }

    pub(crate) async fn postgres() -> Self {
        let server = backend("CHANCERY_TEST_POSTGRES_URL");
        let name = unique_name();
        run(&server, &format!("CREATE DATABASE {name}")).await;
        let url = database_on(&server, &name);
        Self::migrated(url, Home::Server { name }).await
    }

    async fn migrated(url: String, home: Home) -> Self {
        let store = Store::connect(&url, 8).await.unwrap();
        store.migrate().await.unwrap();
        Self { store, env: Env::system(), url, home }
    }

    /// Empties the database, down to the tables; for stores that are connected afterwards.
    pub(crate) async fn without_tables(&self) -> String {
        match &self.home {
            Home::Directory(directory) => format!("sqlite://{}/empty.db", directory.display()),
            Home::Server { .. } => {
                run(&self.url, "DROP SCHEMA public CASCADE; CREATE SCHEMA public").await;
                self.url.clone()
            }
        }
    }

    /// A connection that knows nothing of the storage crate's rules.
    pub(crate) async fn raw(&self) -> DatabaseConnection {
        let mut options = sea_orm::ConnectOptions::new(&self.url);
        options.max_connections(1).sqlx_logging(false);
        sea_orm::Database::connect(options).await.unwrap()
    }

    async fn discard(&self) {
        match &self.home {
            Home::Directory(directory) => std::fs::remove_dir_all(directory).unwrap(),
            // As the superuser, because a worker of the server may be vacuuming there.
            Home::Server { name } => {
                let admin = backend("CHANCERY_TEST_POSTGRES_ADMIN_URL");
                run(&admin, &format!("DROP DATABASE {name} WITH (FORCE)")).await;
            }
        }
    }
}

/// Runs `behaviour`, then discards the database, whether it failed or not. The task is spawned, as those of a server
/// are, so what it does can move between threads.
pub(crate) async fn with<F: Future<Output = ()> + Send + 'static>(
    database: TestDatabase,
    behaviour: impl FnOnce(Arc<TestDatabase>) -> F,
) {
    let database = Arc::new(database);
    let outcome = tokio::spawn(behaviour(Arc::clone(&database))).await;
    database.discard().await;
    if let Err(failure) = outcome {
        std::panic::resume_unwind(failure.into_panic());
    }
}

pub(crate) async fn all(connection: &DatabaseConnection, backend: DbBackend, sql: &str) -> Vec<QueryResult> {
    connection.query_all_raw(Statement::from_string(backend, sql)).await.unwrap()
}

/// The URL of a backend that `make test` has started.
pub(crate) fn backend(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| panic!("{variable} is not set: run `make test`"))
}

/// The same server, another database.
pub(crate) fn database_on(server: &str, name: &str) -> String {
    let (before, _) = server.rsplit_once('/').unwrap();
    format!("{before}/{name}")
}

async fn run(url: &str, sql: &str) {
    let connection = sea_orm::Database::connect(url).await.unwrap();
    connection.execute_unprepared(sql).await.unwrap();
    connection.close().await.unwrap();
}

fn unique_name() -> String {
    let env = Env::system();
    format!("test_{}", env.uuid(env.now()).simple())
}
