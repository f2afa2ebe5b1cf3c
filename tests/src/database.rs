//! A database for one test.

use std::path::PathBuf;
use std::time::Duration;

use sea_orm::{ConnectOptions, ConnectionTrait, DatabaseConnection, QueryResult, Statement};
use tokio::sync::OnceCell;
use url::Url;

use crate::key::random;

/// What the product keeps its data in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Backend {
    /// A SQLite file, and claims of use in the process: what a newcomer starts with.
    Embedded,
    /// PostgreSQL and Redis.
    Networked,
}

/// A database with the current schema and nothing in it.
#[derive(Debug)]
pub struct Database {
    url: String,
    place: Place,
}

#[derive(Debug)]
enum Place {
    /// Directory that holds the file and its companions.
    Directory(PathBuf),
    /// Name on the test server.
    Postgres(String),
}

impl Database {
    /// An empty database of that kind. `migrate` brings the schema of the database at a URL up to date.
    ///
    /// On PostgreSQL the schema is made once per process and copied from then on.
    ///
    /// # Panics
    /// When PostgreSQL is asked for and there is none.
    pub async fn create(backend: Backend, migrate: impl AsyncFn(&str)) -> Self {
        match backend {
            Backend::Embedded => Self::in_file(migrate).await,
            Backend::Networked => Self::from_template(migrate).await,
        }
    }

    async fn in_file(migrate: impl AsyncFn(&str)) -> Self {
        let directory = std::env::temp_dir().join(format!("chancery-test-{}", random(12)));
        std::fs::create_dir(&directory).expect("a new directory");
        let url = format!("sqlite://{}", directory.join("chancery.db").display());
        migrate(&url).await;
        Self { url, place: Place::Directory(directory) }
    }

    async fn from_template(migrate: impl AsyncFn(&str)) -> Self {
        static TEMPLATE: OnceCell<String> = OnceCell::const_new();
        let template = TEMPLATE
            .get_or_init(async || {
                let name = new_name("template");
                run(&postgres_url(), &format!("CREATE DATABASE {name}")).await;
                migrate(&with_database(&postgres_url(), &name)).await;
                // A database that somebody is connected to cannot be copied.
                let leave =
                    format!("SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = '{name}'");
                run(&postgres_url(), &leave).await;
                name
            })
            .await;
        let name = new_name("test");
        run(&postgres_url(), &format!("CREATE DATABASE {name} TEMPLATE {template}")).await;
        Self { url: with_database(&postgres_url(), &name), place: Place::Postgres(name) }
    }

    /// Its URL, under the role that the product runs as.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Its URL under a role that row-level security does not bind; on SQLite there is but one.
    pub fn admin_url(&self) -> String {
        match &self.place {
            Place::Directory(_) => self.url.clone(),
            Place::Postgres(name) => with_database(&postgres_admin_url(), name),
        }
    }

    /// Takes the database away.
    pub async fn remove(self) {
        if let Place::Postgres(name) = &self.place {
            // As the superuser, because a test may just have looked past row-level security.
            run(&postgres_admin_url(), &format!("DROP DATABASE {name} WITH (FORCE)")).await;
        }
    }

    /// Runs a query past row-level security and answers the texts in the first column of its rows.
    pub async fn texts(&self, sql: &str) -> Vec<String> {
        let rows = query(&self.admin_url(), sql).await;
        rows.iter().map(|row| row.try_get_by_index(0).unwrap_or_else(|error| panic!("{sql}: {error}"))).collect()
    }

    /// Does to the database what no program of ours does, past row-level security.
    pub async fn tamper(&self, sql: &str) {
        run(&self.admin_url(), sql).await;
    }

    /// Runs a query past row-level security and answers the one number that it yields.
    pub async fn number(&self, sql: &str) -> i64 {
        let rows = query(&self.admin_url(), sql).await;
        let row = rows.first().unwrap_or_else(|| panic!("{sql}: no row"));
        row.try_get_by_index(0).unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// Names of all tables, in order.
    pub async fn tables(&self) -> Vec<String> {
        let sql = match &self.place {
            Place::Directory(_) => "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name",
            Place::Postgres(_) => {
                "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename"
            }
        };
        self.texts(sql).await
    }

    /// The number of rows of every table: equal before and after what must leave no trace. The audit log is left out: a
    /// refusal is what it is there for.
    pub async fn census(&self) -> Vec<(String, i64)> {
        let mut census = Vec::new();
        for table in self.tables().await.into_iter().filter(|table| !table.starts_with("audit_")) {
            let rows = self.number(&format!("SELECT count(*) FROM \"{table}\"")).await;
            census.push((table, rows));
        }
        census
    }

    /// Whether a text is stored anywhere in clear.
    pub async fn holds(&self, text: &str) -> bool {
        match &self.place {
            Place::Directory(directory) => {
                let files = std::fs::read_dir(directory).expect("the directory");
                files.filter_map(Result::ok).any(|file| {
                    let bytes = std::fs::read(file.path()).unwrap_or_default();
                    bytes.windows(text.len()).any(|window| window == text.as_bytes())
                })
            }
            Place::Postgres(_) => {
                // Binary columns are written in hexadecimal.
                let hex: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
                for table in self.tables().await {
                    let rows = self.texts(&format!("SELECT row_to_json(t)::text FROM \"{table}\" t")).await;
                    if rows.iter().any(|row| row.contains(text) || row.contains(&hex)) {
                        return true;
                    }
                }
                false
            }
        }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if let Place::Directory(directory) = &self.place {
            // The directory of a test that failed is of no more use than that of one that passed.
            drop(std::fs::remove_dir_all(directory));
        }
    }
}

/// URL of the PostgreSQL of this run, under the role that the product runs as.
pub fn postgres_url() -> String {
    backend_url("CHANCERY_TEST_POSTGRES_URL")
}

/// URL of the PostgreSQL of this run, under its superuser.
pub fn postgres_admin_url() -> String {
    backend_url("CHANCERY_TEST_POSTGRES_ADMIN_URL")
}

/// URL of the Redis of this run.
pub fn redis_url() -> String {
    backend_url("CHANCERY_TEST_REDIS_URL")
}

fn backend_url(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| {
        panic!(
            "{variable} is not set. `make test` starts the backends and runs every test; \
             `tests/scripts/with-backends cargo test …` runs some."
        )
    })
}

/// A URL with another database in its path.
fn with_database(url: &str, name: &str) -> String {
    let mut url = Url::parse(url).expect("a database URL");
    url.set_path(name);
    url.into()
}

fn new_name(kind: &str) -> String {
    let unique: String = random(12).bytes().map(|byte| format!("{byte:02x}")).collect();
    format!("{kind}_{unique}")
}

async fn run(url: &str, sql: &str) {
    let connection = connect(url).await;
    let outcome = connection.execute_unprepared(sql).await;
    connection.close().await.expect("the connection closes");
    outcome.unwrap_or_else(|error| panic!("{sql}: {error}"));
}

async fn query(url: &str, sql: &str) -> Vec<QueryResult> {
    let connection = connect(url).await;
    let rows = connection.query_all_raw(Statement::from_string(connection.get_database_backend(), sql)).await;
    connection.close().await.expect("the connection closes");
    rows.unwrap_or_else(|error| panic!("{sql}: {error}"))
}

async fn connect(url: &str) -> DatabaseConnection {
    let mut options = ConnectOptions::new(url);
    options.max_connections(1).sqlx_logging(false).acquire_timeout(Duration::from_secs(30));
    sea_orm::Database::connect(options).await.unwrap_or_else(|error| panic!("the test database: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn one_table(url: &str) {
        run(&url.replace(".db", ".db?mode=rwc"), "CREATE TABLE thing (name TEXT)").await;
    }

    async fn each_test_has_a_database_of_its_own(backend: Backend) {
        let first = Database::create(backend, one_table).await;
        let second = Database::create(backend, one_table).await;
        run(first.url(), "INSERT INTO thing VALUES ('found-me')").await;
        assert_eq!(first.census().await, [("thing".to_owned(), 1)]);
        assert_eq!(second.census().await, [("thing".to_owned(), 0)]);
        assert!(first.holds("found-me").await);
        assert!(!second.holds("found-me").await);
        first.remove().await;
        second.remove().await;
    }

    #[tokio::test]
    async fn each_test_has_a_file_of_its_own() {
        each_test_has_a_database_of_its_own(Backend::Embedded).await;
    }

    #[tokio::test]
    async fn each_test_has_a_copy_of_the_template() {
        each_test_has_a_database_of_its_own(Backend::Networked).await;
    }
}
