//! What a stretch of load used, from the kernel's and the database's own counters.

use std::collections::HashMap;

use anyhow::Context as _;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement};

use crate::server::{Backend, ServerProcess};

/// Counters at one instant, or their growth between two.
#[derive(Clone, Debug)]
pub(crate) struct Counters {
    pub(crate) server_cpu_ms: f64,
    /// With all its processes.
    pub(crate) postgres_cpu_ms: f64,
    pub(crate) redis_cpu_ms: f64,
    pub(crate) database: Option<DatabaseCounters>,
}

/// Counters of PostgreSQL.
#[derive(Clone, Debug)]
pub(crate) struct DatabaseCounters {
    /// SELECT, INSERT, UPDATE and DELETE on tables.
    pub(crate) data_statements: i64,
    /// `SET LOCAL app.organisation`, for row-level security.
    pub(crate) settings: i64,
    /// BEGIN.
    pub(crate) transactions: i64,
    /// COMMIT, and statements that commit by themselves, that wait for the disk.
    pub(crate) durable_commits: i64,
}

impl Counters {
    /// Reads all counters now.
    pub(crate) async fn read(server: &ServerProcess) -> anyhow::Result<Self> {
        let database = match &server.database {
            Some(connection) => Some(DatabaseCounters::read(connection).await?),
            None => None,
        };
        let (postgres_cpu_ms, redis_cpu_ms) = match server.backend {
            Backend::Sqlite => (0.0, 0.0),
            Backend::PostgresAndRedis => {
                (family_cpu_ms("CHANCERY_TEST_POSTGRES_PID")?, family_cpu_ms("CHANCERY_TEST_REDIS_PID")?)
            }
        };
        Ok(Self { server_cpu_ms: process(server.pid()?)?.own_ms, postgres_cpu_ms, redis_cpu_ms, database })
    }

    /// Growth since `earlier`.
    pub(crate) fn since(&self, earlier: &Self) -> Self {
        let database = self.database.as_ref().zip(earlier.database.as_ref()).map(|(now, then)| DatabaseCounters {
            data_statements: now.data_statements - then.data_statements,
            settings: now.settings - then.settings,
            transactions: now.transactions - then.transactions,
            durable_commits: now.durable_commits - then.durable_commits,
        });
        Self {
            server_cpu_ms: self.server_cpu_ms - earlier.server_cpu_ms,
            postgres_cpu_ms: self.postgres_cpu_ms - earlier.postgres_cpu_ms,
            redis_cpu_ms: self.redis_cpu_ms - earlier.redis_cpu_ms,
            database,
        }
    }
}

/// What PostgreSQL ran for the server and how often, by statement. Empty without PostgreSQL.
pub(crate) async fn statements(server: &ServerProcess) -> anyhow::Result<HashMap<String, i64>> {
    let Some(connection) = &server.database else { return Ok(HashMap::new()) };
    let sql = "SELECT s.query, sum(calls)::bigint FROM pg_stat_statements s JOIN pg_roles r ON r.oid = s.userid \
               WHERE r.rolname = 'chancery' GROUP BY s.query";
    let rows = connection.query_all_raw(Statement::from_string(DbBackend::Postgres, sql)).await?;
    rows.iter().map(|row| Ok((row.try_get_by_index(0)?, row.try_get_by_index(1)?))).collect()
}

impl DatabaseCounters {
    async fn read(connection: &DatabaseConnection) -> anyhow::Result<Self> {
        let matching = |pattern: &str| {
            format!(
                "SELECT coalesce(sum(calls), 0)::bigint FROM pg_stat_statements s JOIN pg_roles r ON r.oid = s.userid \
                 WHERE r.rolname = 'chancery' AND s.query ~* '{pattern}'"
            )
        };
        Ok(Self {
            data_statements: number(connection, &matching("^\\s*(select|insert|update|delete|with)")).await?,
            settings: number(connection, &matching("app\\.organisation\\s*=")).await?,
            transactions: number(connection, &matching("^\\s*begin")).await?,
            durable_commits: number(connection, &matching("^\\s*commit")).await?
                - number(connection, &matching("synchronous_commit\\s*=\\s*off")).await?
                + number(connection, &matching("set_config.*from \"changed\"")).await?,
        })
    }
}

async fn number(connection: &DatabaseConnection, sql: &str) -> anyhow::Result<i64> {
    let row = connection.query_one_raw(Statement::from_string(DbBackend::Postgres, sql)).await?;
    Ok(row.context("no row")?.try_get_by_index(0)?)
}

struct ProcessTimes {
    own_ms: f64,
    ended_children_ms: f64,
    parent: u32,
}

/// CPU of a process, of its live children, and of those that have ended.
fn family_cpu_ms(variable: &str) -> anyhow::Result<f64> {
    let pid: u32 =
        std::env::var(variable).with_context(|| format!("{variable} is not set; run `make bench`"))?.parse()?;
    let head = process(pid)?;
    let mut total = head.own_ms + head.ended_children_ms;
    for entry in std::fs::read_dir("/proc")? {
        let Some(child) = entry?.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        // A process that ended meanwhile is among the ended children at the next reading.
        if let Ok(times) = process(child)
            && times.parent == pid
        {
            total += times.own_ms;
        }
    }
    Ok(total)
}

fn process(pid: u32) -> anyhow::Result<ProcessTimes> {
    // 100 on every Linux that Rust supports.
    const TICKS_PER_SECOND: f64 = 100.0;
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name in brackets may hold blanks; what follows it does not.
    let (_, rest) = stat.rsplit_once(')').context("unexpected /proc stat")?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    let millis = |index: usize| {
        let ticks: f64 = fields.get(index).context("short /proc stat")?.parse()?;
        anyhow::Ok(ticks * 1000.0 / TICKS_PER_SECOND)
    };
    let parent = fields.get(1).context("short /proc stat")?.parse()?;
    Ok(ProcessTimes { own_ms: millis(11)? + millis(12)?, ended_children_ms: millis(13)? + millis(14)?, parent })
}
