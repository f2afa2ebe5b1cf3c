//! The server under measurement: the release executable, as an operator would start it.

use std::fmt;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context as _;
use sea_orm::{ConnectionTrait, Database, DatabaseConnection};
use tokio::process::{Child, Command};

/// Key of the platform operations of this run.
pub(crate) const PLATFORM_KEY: &str = "bench-platform-key-0123456789abcdef";

/// What the server stores in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Backend {
    Sqlite,
    PostgresAndRedis,
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sqlite => "SQLite, claims of use in process",
            Self::PostgresAndRedis => "PostgreSQL and Redis",
        })
    }
}

/// A running server.
pub(crate) struct ServerProcess {
    pub(crate) backend: Backend,
    pub(crate) management_url: String,
    pub(crate) database: Option<DatabaseConnection>,
    child: Child,
    directory: PathBuf,
}

/// Memory of the server.
pub(crate) struct Memory {
    pub(crate) resident_mb: f64,
    pub(crate) peak_mb: f64,
}

impl ServerProcess {
    /// Migrates the database, which on PostgreSQL has what was measured before, and starts the server on free ports.
    pub(crate) async fn start(backend: Backend) -> anyhow::Result<Self> {
        let directory = std::env::temp_dir().join(format!("chancery-bench-{}-{backend:?}", std::process::id()));
        std::fs::create_dir_all(&directory)?;
        let (wallet, management) = (free_port()?, free_port()?);
        let mut environment = vec![
            ("CHANCERY_SERVER_PUBLIC_URL", format!("http://127.0.0.1:{wallet}")),
            ("CHANCERY_SERVER_WALLET_LISTEN", format!("127.0.0.1:{wallet}")),
            ("CHANCERY_SERVER_MANAGEMENT_LISTEN", format!("127.0.0.1:{management}")),
            ("CHANCERY_SECRETS_SEALING_KEY", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=".to_owned()),
            ("CHANCERY_SECRETS_PLATFORM_KEY", PLATFORM_KEY.to_owned()),
            ("CHANCERY_LOG_FILTER", "warn".to_owned()),
            // The identity provider is in the driver's process.
            ("CHANCERY_OUTBOUND_ADDRESSES", "any".to_owned()),
            // One organisation gets the load of hundreds, of few clients.
            ("CHANCERY_LIMITS_ORGANISATION", "6000000".to_owned()),
            ("CHANCERY_LIMITS_CLIENT", "6000000".to_owned()),
            ("CHANCERY_LIMITS_OFFER", "6000000".to_owned()),
        ];
        let mut database = None;
        match backend {
            Backend::Sqlite => {
                environment.push(("CHANCERY_DATABASE_URL", format!("sqlite://{}/chancery.db", directory.display())));
            }
            Backend::PostgresAndRedis => {
                environment.push(("CHANCERY_DATABASE_URL", variable("CHANCERY_TEST_POSTGRES_SOCKET_URL")?));
                environment.push(("CHANCERY_REDIS_URL", variable("CHANCERY_TEST_REDIS_SOCKET_URL")?));
                database = Some(statistics().await?);
            }
        }
        let executable = executable()?;
        let migrated =
            Command::new(&executable).arg("migrate").envs(environment.clone()).stdout(Stdio::null()).status();
        anyhow::ensure!(migrated.await?.success(), "chancery migrate failed");
        let child = Command::new(&executable).arg("serve").envs(environment).kill_on_drop(true).spawn()?;
        let management_url = format!("http://127.0.0.1:{management}");
        let server = Self { backend, management_url, database, child, directory };
        server.wait_until_ready(management).await?;
        Ok(server)
    }

    /// Process id.
    pub(crate) fn pid(&self) -> anyhow::Result<u32> {
        self.child.id().context("the server has ended")
    }

    /// Lets PostgreSQL count statements, or no longer: counting costs CPU, and nobody counts in operation.
    pub(crate) async fn count_statements(&self, on: bool) -> anyhow::Result<()> {
        if let Some(database) = &self.database {
            let which = if on { "top" } else { "none" };
            database.execute_unprepared(&format!("ALTER SYSTEM SET pg_stat_statements.track = '{which}'")).await?;
            database.execute_unprepared("SELECT pg_reload_conf()").await?;
        }
        Ok(())
    }

    /// What autovacuum does by itself once a table has grown.
    pub(crate) async fn collect_statistics(&self) -> anyhow::Result<()> {
        if let Some(database) = &self.database {
            database.execute_unprepared("ANALYZE").await?;
        }
        Ok(())
    }

    /// Memory now and at its highest.
    pub(crate) fn memory(&self) -> anyhow::Result<Memory> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid()?))?;
        let megabytes = |name: &str| {
            let line =
                status.lines().find_map(|line| line.strip_prefix(name)).context("no such line in /proc status")?;
            let kilobytes: f64 = line.trim().trim_end_matches(" kB").parse()?;
            anyhow::Ok(kilobytes / 1024.0)
        };
        Ok(Memory { resident_mb: megabytes("VmRSS:")?, peak_mb: megabytes("VmHWM:")? })
    }

    /// Stops the server and removes its files.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        self.child.kill().await?;
        Ok(std::fs::remove_dir_all(&self.directory)?)
    }

    async fn wait_until_ready(&self, port: u16) -> anyhow::Result<()> {
        for _ in 0..200 {
            if tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        anyhow::bail!("the server did not begin to listen within 10 s")
    }
}

fn executable() -> anyhow::Result<PathBuf> {
    let directory = std::env::current_exe()?;
    let beside = directory.parent().context("no directory")?.join("chancery");
    anyhow::ensure!(beside.exists(), "{} is missing; run `make bench`", beside.display());
    Ok(beside)
}

/// Connects as the superuser, who may read all statistics.
async fn statistics() -> anyhow::Result<DatabaseConnection> {
    let mut url = url::Url::parse(&variable("CHANCERY_TEST_POSTGRES_ADMIN_URL")?)?;
    let database = url::Url::parse(&variable("CHANCERY_TEST_POSTGRES_URL")?)?;
    url.set_path(database.path());
    let connection = Database::connect(url.as_str()).await?;
    connection.execute_unprepared("CREATE EXTENSION IF NOT EXISTS pg_stat_statements").await?;
    Ok(connection)
}

fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

fn variable(name: &str) -> anyhow::Result<String> {
    std::env::var(name).with_context(|| format!("{name} is not set; run `make bench`"))
}
