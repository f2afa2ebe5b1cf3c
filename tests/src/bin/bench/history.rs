//! Histories: how fast pages of a million records are answered.
//!
//! One record is made by a real issuance and multiplied in the database, spread over a hundred days, with the statuses
//! that a history has. Claims are left out, as after their retention; nothing else about a record is cheaper than real.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use chancery_tests::samples;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement};

use crate::flow::{Flow as _, Flows};
use crate::server::{Backend, ServerProcess};

/// The organisation whose history it is; others were measured on the same database before.
const SLUG: &str = "history";

/// Measures PostgreSQL, on which histories get long.
pub(crate) async fn measure(quick: bool) -> anyhow::Result<()> {
    let records: u32 = if quick { 100_000 } else { 1_000_000 };
    let server = ServerProcess::start(Backend::PostgresAndRedis).await?;
    let flows = Flows::prepare_for(&server, SLUG, samples::pid()).await?;
    flows.whole().await?;
    let database = server.database.as_ref().context("no database")?;
    println!("\n## History of {records} records: {}\n", Backend::PostgresAndRedis);

    let started = Instant::now();
    generate(database, records).await?;
    println!("- generated in {:.0} s", started.elapsed().as_secs_f64());
    let cold = timed(&flows, "limit=10").await?;
    println!("- page 1 before anything is counted: {:.1} ms", cold.as_secs_f64() * 1000.0);
    wait_until_counted(database, records).await?;
    println!("- counted in the background: {:.0} s after the start", started.elapsed().as_secs_f64());

    let last = records / 10 - 1;
    let page = last.min(9_999);
    println!("\n| query | p50 ms | p95 ms |\n| --- | ---: | ---: |");
    for query in [
        "limit=10".to_owned(),
        format!("limit=10&offset={}", page * 10),
        format!("limit=10&offset={}", records / 2),
        format!("limit=100&offset={}", (page * 100).min(records - 100)),
        format!("limit=10&offset={}&sortOrder=asc", page * 10),
        "limit=10&status=credential_acked".to_owned(),
        format!("limit=10&status=credential_acked&offset={}", records / 4),
        "limit=10&denied=true".to_owned(),
        format!("limit=10&denied=true&offset={}", records / 200),
        "limit=10&revoked=true".to_owned(),
        "limit=10&inProgress=true&accepted=true".to_owned(),
        "limit=10&search=person".to_owned(),
        "limit=10&holderDid=wallet-77".to_owned(),
        format!("limit=10&createdFrom={}", now() - 40 * 86_400),
    ] {
        let mut times = Vec::new();
        for _ in 0..20 {
            times.push(timed(&flows, &query).await?);
        }
        times.sort_unstable();
        let at = |place: usize| times.get(place).map_or(f64::NAN, |time| time.as_secs_f64() * 1000.0);
        println!("| {query} | {:.1} | {:.1} |", at(10), at(19));
    }
    server.stop().await
}

async fn timed(flows: &Flows, query: &str) -> anyhow::Result<Duration> {
    let started = Instant::now();
    let list = flows.look(&format!("/sdjwt/credential/history?{query}")).await?;
    let took = started.elapsed();
    let items = list["credentialHistory"].as_array().map_or(0, Vec::len);
    ensure!(items > 0, "{query} finds nothing: {}", list["pagination"]);
    Ok(took)
}

/// The columns of an exchange that copies have of their own.
async fn generate(database: &DatabaseConnection, records: u32) -> anyhow::Result<()> {
    let own = [
        (
            "id",
            "(lpad(to_hex(at), 12, '0') || '7' || substr(md5(i::text), 1, 3) || 'a' || substr(md5(i::text), 4, 15))::uuid",
        ),
        (
            "status",
            "CASE WHEN i % 100 = 0 THEN 'issuance_denied' WHEN i % 10 = 1 THEN 'offer_sent' \
             WHEN i % 10 = 2 THEN 'credential_accepted' ELSE 'credential_acked' END",
        ),
        ("revocation_status", "CASE WHEN i % 250 = 7 THEN 'Revoked' ELSE 'Operational' END"),
        ("offer_id", "md5('offer' || i)"),
        ("code_hash", "sha256(convert_to('code' || i, 'UTF8'))"),
        ("client_id", "'wallet-' || (i % 10000)"),
        ("sealed_submissions", "NULL::bytea"),
        ("created_at", "at"),
        ("updated_at", "at + 30000"),
        ("expires_at", "at + 600000"),
    ];
    let sql = "SELECT column_name::text AS name FROM information_schema.columns \
               WHERE table_schema = 'public' AND table_name = 'exchange' ORDER BY ordinal_position";
    let rows = database.query_all_raw(Statement::from_string(DbBackend::Postgres, sql)).await?;
    let mut columns = Vec::new();
    let mut values = Vec::new();
    for row in rows {
        let column: String = row.try_get("", "name")?;
        let value =
            own.iter().find(|(name, _)| *name == column).map_or(format!("e.{column}"), |(_, sql)| (*sql).to_owned());
        columns.push(column);
        values.push(value);
    }
    let insert = format!(
        "INSERT INTO exchange ({}) SELECT {} FROM \
         (SELECT i, {}::bigint - ({records} - i) * (8640000000::bigint / {records}) - 60000 AS at \
          FROM generate_series(1, {records}) AS i) AS s, (SELECT * FROM exchange WHERE {} LIMIT 1) AS e",
        columns.join(", "),
        values.join(", "),
        now() * 1000,
        of_the_organisation(),
    );
    database.execute_unprepared(&insert).await?;
    let grants = format!(
        "INSERT INTO exchange_grant (organisation_id, exchange_id, id, client_id, dpop_thumbprint, credentials, \
         by_identifier, access_token_hash, access_token_expires_at, created_at) \
         SELECT e.organisation_id, e.id, e.id, e.client_id, g.dpop_thumbprint, g.credentials, g.by_identifier, \
         sha256(e.code_hash), g.access_token_expires_at, e.created_at \
         FROM exchange e, (SELECT * FROM exchange_grant WHERE {0} LIMIT 1) AS g \
         WHERE e.client_id LIKE 'wallet-%' AND e.{0}",
        of_the_organisation(),
    );
    database.execute_unprepared(&grants).await?;
    // What autovacuum does by itself once a table has grown.
    database.execute_unprepared("VACUUM ANALYZE exchange").await?;
    database.execute_unprepared("VACUUM ANALYZE exchange_grant").await?;
    Ok(())
}

fn of_the_organisation() -> String {
    format!("organisation_id = (SELECT id FROM organisation WHERE slug = '{SLUG}')")
}

async fn wait_until_counted(database: &DatabaseConnection, records: u32) -> anyhow::Result<()> {
    let wanted = i64::from(records / 2000 - 1);
    for _ in 0..1200 {
        let of_it = of_the_organisation();
        let sql = format!("SELECT count(*) AS n FROM history_segment WHERE counts IS NOT NULL AND {of_it}");
        let row = database.query_one_raw(Statement::from_string(DbBackend::Postgres, sql)).await?.context("no row")?;
        let counted: i64 = row.try_get("", "n")?;
        if counted >= wanted {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    anyhow::bail!("the history was not counted within two minutes")
}

fn now() -> i64 {
    let since = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or_default()
}
