//! Measures complete issuances against a release server in a process of its own.
//!
//! One flow is what one wallet causes: an offer made over the management API, the offer fetched, token with DPoP, nonce,
//! credential with DPoP and one key proof, and the credential's signature and digests verified. The flow of HAIP is in [`haip`].
//! Run by `make bench`.

mod counters;
mod flow;
mod haip;
mod history;
mod load;
mod server;
mod status;

use std::time::{Duration, Instant};

use anyhow::Context as _;
use chancery_tests::Jwt;
use chancery_tests::key::Key;
use chancery_wallet::{Jws, PublicKey};
use serde_json::json;

use crate::counters::Counters;
use crate::flow::{Flow, Flows};
use crate::haip::HaipFlows;
use crate::load::{Load, Outcome};
use crate::server::{Backend, ServerProcess};

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> anyhow::Result<()> {
    let quick = std::env::args().any(|argument| argument == "--quick");
    let (seconds, rounds) = if quick { (3, 5) } else { (10, 9) };
    chancery_wallet::install_crypto_provider();
    describe_machine();
    let has = |flag: &str| std::env::args().any(|argument| argument == flag);
    if has("--history") {
        return history::measure(quick).await.context("histories");
    }
    for backend in [Backend::Sqlite, Backend::PostgresAndRedis] {
        if has("--networked") && backend == Backend::Sqlite {
            continue;
        }
        let span = Duration::from_secs(seconds);
        if !has("--status") && !has("--haip") {
            measure(backend, span, rounds).await.with_context(|| format!("on {backend}"))?;
        }
        if !has("--status") {
            measure_haip(backend, span, rounds).await.with_context(|| format!("HAIP on {backend}"))?;
        }
        if !has("--haip") {
            status::measure(backend, quick).await.with_context(|| format!("statuses on {backend}"))?;
        }
    }
    if !has("--status") && !has("--networked") && !has("--haip") {
        history::measure(quick).await.context("histories")?;
    }
    Ok(())
}

async fn measure(backend: Backend, span: Duration, rounds: usize) -> anyhow::Result<()> {
    let server = ServerProcess::start(backend).await?;
    let flows = Flows::prepare(&server).await?;
    let idle = server.memory()?;
    println!("\n## {backend}\n");
    println!("idle memory {:.1} MB\n", idle.resident_mb);

    server.count_statements(true).await?;
    warm_up(&server, &flows).await?;
    print_statements(&server, &flows).await?;
    server.count_statements(false).await?;
    print_parts(&server, &flows, rounds).await?;

    let loads = [
        Load::Closed { wallets: 1 },
        Load::Closed { wallets: 8 },
        Load::Closed { wallets: 16 },
        Load::Closed { wallets: 32 },
        Load::Open { arrivals_per_second: 100 },
        Load::Open { arrivals_per_second: 200 },
    ];
    print_loads(&server, &flows, &loads, span).await?;
    let memory = server.memory()?;
    println!("\npeak memory {:.1} MB, load average {}", memory.peak_mb, load_average());
    server.stop().await
}

/// The flow of HAIP: see [`haip`].
async fn measure_haip(backend: Backend, span: Duration, rounds: usize) -> anyhow::Result<()> {
    let server = ServerProcess::start(backend).await?;
    let flows = HaipFlows::prepare(&server).await?;
    println!("\n## HAIP: {backend}\n");
    server.count_statements(true).await?;
    warm_up(&server, &flows).await?;
    print_statements(&server, &flows).await?;
    server.count_statements(false).await?;
    print_cost(&server, &flows, rounds).await?;
    print_loads(&server, &flows, &[Load::Closed { wallets: 1 }, Load::Closed { wallets: 8 }], span).await?;
    server.stop().await
}

/// Fills caches and pools before anything is counted, and gives the planner the statistics that autovacuum collects
/// within a minute in the life of a database.
async fn warm_up<F: Flow>(server: &ServerProcess, flows: &F) -> anyhow::Result<()> {
    load::run(flows, Load::Closed { wallets: 8 }, Duration::from_secs(3)).await?;
    server.collect_statistics().await?;
    load::run(flows, Load::Closed { wallets: 8 }, Duration::from_secs(1)).await?;
    Ok(())
}

async fn print_loads<F: Flow>(server: &ServerProcess, flows: &F, loads: &[Load], span: Duration) -> anyhow::Result<()> {
    println!(
        "| load | flows/s | p50 ms | p95 ms | p99 ms | failed | server CPU-ms | PostgreSQL CPU-ms | Redis CPU-ms | together |"
    );
    println!("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
    for load in loads {
        let before = Counters::read(server).await?;
        let outcome = load::run(flows, *load, span).await?;
        let used = Counters::read(server).await?.since(&before);
        print_row(*load, &outcome, &used);
    }
    Ok(())
}

fn print_row(load: Load, outcome: &Outcome, used: &Counters) {
    let cost = Cost::per_flow(used, outcome.done.max(1));
    println!(
        "| {load} | {:.0} | {:.1} | {:.1} | {:.1} | {} | {:.2} | {:.2} | {:.2} | {:.2} |",
        outcome.rate(),
        outcome.percentile(50.0),
        outcome.percentile(95.0),
        outcome.percentile(99.0),
        outcome.failed,
        cost.server,
        cost.postgres,
        cost.redis,
        cost.together()
    );
}

/// Statements and commits of single flows, from the database's own counters: one wallet, so that group commit hides
/// nothing.
async fn print_statements<F: Flow>(server: &ServerProcess, flows: &F) -> anyhow::Result<()> {
    const FLOWS: u32 = 200;
    let (before, known) = (Counters::read(server).await?, counters::statements(server).await?);
    for _ in 0..FLOWS {
        flows.whole().await?;
    }
    let used = Counters::read(server).await?.since(&before);
    if std::env::args().any(|argument| argument == "--statements") {
        let mut all: Vec<_> = counters::statements(server).await?.into_iter().collect();
        all.sort();
        for (statement, calls) in all {
            let each = (calls - known.get(&statement).copied().unwrap_or(0)) as f64 / f64::from(FLOWS);
            if each >= 0.1 {
                println!("{each:6.2}  {}", statement.chars().take(240).collect::<String>());
            }
        }
    }
    let Some(database) = used.database else { return Ok(()) };
    let per_flow = |count: i64| count as f64 / f64::from(FLOWS);
    println!(
        "per flow, counted by PostgreSQL over {FLOWS} flows of one wallet: {:.2} SELECT/INSERT/UPDATE/DELETE on tables, \
         {:.2} settings of the organisation, {:.2} transactions, {:.2} commits that wait for the disk\n",
        per_flow(database.data_statements),
        per_flow(database.settings),
        per_flow(database.transactions),
        per_flow(database.durable_commits),
    );
    Ok(())
}

/// CPU of the offer's part (made and fetched) and of the wallet's part (token, nonce, credential), apart.
///
/// A neighbour on the same machine only ever adds to what a flow costs, by half and more and for minutes: several rounds
/// are run, and the cheapest is nearest to the cost of the code. The median tells how much was added.
async fn print_parts(server: &ServerProcess, flows: &Flows, rounds: usize) -> anyhow::Result<()> {
    const FLOWS: usize = 1000;
    let mut parts: [Vec<Cost>; 3] = Default::default();
    for _ in 0..rounds {
        let start = Counters::read(server).await?;
        let offers = load::in_parallel(FLOWS, 8, || flows.offer()).await?;
        let offered = Counters::read(server).await?;
        load::each_in_parallel(offers, 8, |offer| flows.accept(offer)).await?;
        let accepted = Counters::read(server).await?;
        let used = [offered.since(&start), accepted.since(&offered), accepted.since(&start)];
        for (costs, used) in parts.iter_mut().zip(used) {
            costs.push(Cost::per_flow(&used, FLOWS as u64));
        }
    }
    println!(
        "| part | server CPU-ms | PostgreSQL CPU-ms | Redis CPU-ms | together | together, median of {rounds} rounds |"
    );
    println!("| --- | ---: | ---: | ---: | ---: | ---: |");
    for (part, mut costs) in ["offer made and fetched", "token, nonce, credential", "whole flow"].into_iter().zip(parts)
    {
        costs.sort_by(|one, other| one.together().total_cmp(&other.together()));
        let (Some(least), Some(median)) = (costs.first(), costs.get(rounds / 2)) else { continue };
        println!(
            "| {part} | {:.2} | {:.2} | {:.2} | {:.2} | {:.2} |",
            least.server,
            least.postgres,
            least.redis,
            least.together(),
            median.together()
        );
    }
    println!();
    Ok(())
}

/// CPU of whole flows, as [`print_parts`] has it: the cheapest of several rounds, and the median.
async fn print_cost<F: Flow>(server: &ServerProcess, flows: &F, rounds: usize) -> anyhow::Result<()> {
    const FLOWS: usize = 250;
    let mut costs = Vec::new();
    for _ in 0..rounds {
        let start = Counters::read(server).await?;
        load::in_parallel(FLOWS, 8, || {
            let flows = flows.clone();
            async move { flows.whole().await }
        })
        .await?;
        costs.push(Cost::per_flow(&Counters::read(server).await?.since(&start), FLOWS as u64));
    }
    costs.sort_by(|one, other| one.together().total_cmp(&other.together()));
    let (Some(least), Some(median)) = (costs.first(), costs.get(rounds / 2)) else { return Ok(()) };
    println!("{:.3} ms for one ES256 verification in the driver right now", verification()?.as_secs_f64() * 1000.0);
    println!(
        "whole flow: {:.2} CPU-ms of the server and {:.2} of PostgreSQL, which is {:.2}; {:.2} of Redis; {:.2} together, \
         median of {rounds} rounds {:.2}\n",
        least.server,
        least.postgres,
        least.server + least.postgres,
        least.redis,
        least.together(),
        median.together()
    );
    Ok(())
}

/// How long a verification takes: what CPU times are to be compared with, as the machine is not always as fast.
fn verification() -> anyhow::Result<Duration> {
    const TIMES: u32 = 2000;
    let key = Key::p256();
    let jwt = Jwt::new(&key, json!({}), json!({})).compact();
    let jwk = key.jwk();
    let key = PublicKey::from_jwk(jwk.as_object().context("no key")?).map_err(anyhow::Error::msg)?;
    let jws = Jws::decode(&jwt).map_err(anyhow::Error::msg)?;
    let begun = Instant::now();
    for _ in 0..TIMES {
        jws.verify(&key).map_err(anyhow::Error::msg)?;
    }
    Ok(begun.elapsed() / TIMES)
}

/// CPU-ms of one flow.
struct Cost {
    server: f64,
    postgres: f64,
    redis: f64,
}

impl Cost {
    fn per_flow(used: &Counters, flows: u64) -> Self {
        let each = |millis: f64| millis / flows as f64;
        Self { server: each(used.server_cpu_ms), postgres: each(used.postgres_cpu_ms), redis: each(used.redis_cpu_ms) }
    }

    fn together(&self) -> f64 {
        self.server + self.postgres + self.redis
    }
}

fn describe_machine() {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let model = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = model.lines().find_map(|line| line.strip_prefix("model name\t: ")).unwrap_or("unknown processor");
    println!("{cores} cores ({model}), shared by server, database and driver; load average {}", load_average());
}

fn load_average() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or_default().to_owned()
}
