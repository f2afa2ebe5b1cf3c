//! Status lists: what a change costs, what publishing it costs, and how fast verifiers are answered.
//!
//! Lists have 1,048,576 entries. A revocation is timed as the caller sees it; rebuilding and signing as the verifier
//! sees it who asks first after a change; the rate of 304s by the processor time of the server, because the driver shares
//! the machine.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use chancery_tests::samples;
use reqwest::header::{ETAG, IF_NONE_MATCH};
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};

use crate::counters::Counters;
use crate::flow::Flows;
use crate::load::{self, Load};
use crate::server::{Backend, ServerProcess};

/// Measures one backend.
pub(crate) async fn measure(backend: Backend, quick: bool) -> anyhow::Result<()> {
    let server = ServerProcess::start(backend).await?;
    let plain = Flows::prepare_for(&server, "plain", samples::pid()).await?;
    let mut definition = samples::pid();
    definition["credentialDefinitions"][0]["supportRevocation"] = true.into();
    let flows = Flows::prepare_for(&server, "revocable", definition).await?;
    println!("\n## Statuses: {backend}\n");

    load::run(&plain, Load::Closed { wallets: 8 }, Duration::from_secs(2)).await?;
    for (name, flows) in [("without a status", &plain), ("with a status", &flows)] {
        let before = Counters::read(&server).await?;
        let outcome = load::run(flows, Load::Closed { wallets: 8 }, Duration::from_secs(3)).await?;
        let used = Counters::read(&server).await?.since(&before);
        let each = (used.server_cpu_ms + used.postgres_cpu_ms + used.redis_cpu_ms) / outcome.done.max(1) as f64;
        println!("- issuance {name}: {:.0}/s, {each:.2} CPU-ms, {} failed", outcome.rate(), outcome.failed);
    }
    let wanted = if quick { 1_000 } else { 10_200 };
    while count(&flows).await? < wanted {
        load::run(&flows, Load::Closed { wallets: 16 }, Duration::from_secs(3)).await?;
    }
    server.collect_statistics().await?;

    let (client, issuer) = flows.verifier();
    let lists: Value = client.get(format!("{issuer}/status-lists")).send().await?.error_for_status()?.json().await?;
    let list = lists["status_lists"][0].as_str().context("no list")?.to_owned();
    changes_and_rebuilds(&flows, &client, &list).await?;
    not_modified(&server, &client, &list).await?;
    many(&flows, wanted.min(10_000)).await?;
    server.stop().await
}

async fn count(flows: &Flows) -> anyhow::Result<u64> {
    let body = json!({"revocationStatus": "Revoked", "filter": {"issuedFrom": 0}});
    let told = flows.manage(Method::POST, "/sdjwt/credential/revocation-status", &body).await?;
    Ok(told["changed"].as_u64().unwrap_or_default() + told["remaining"].as_u64().unwrap_or_default())
}

/// Suspends one credential after another, and asks for the list each time until it has changed.
async fn changes_and_rebuilds(flows: &Flows, client: &Client, list: &str) -> anyhow::Result<()> {
    const CHANGES: usize = 100;
    let (mut changes, mut rebuilds) = (Vec::new(), Vec::new());
    for page in 0..CHANGES.div_ceil(100) {
        let path = format!("/sdjwt/credential/history?status=credential_issued&limit=100&offset={}", page * 100);
        let records = flows.look(&path).await?;
        for record in records["credentialHistory"].as_array().context("no records")? {
            let id = record["id"].as_str().context("no id")?;
            let before = etag(client, list).await?.0;
            let started = Instant::now();
            let path = format!("/sdjwt/credential/history/{id}/revocation-status");
            flows.manage(Method::PUT, &path, &json!({"revocationStatus": "Suspended"})).await?;
            changes.push(started.elapsed());
            let visible = Instant::now();
            loop {
                let (now, took) = etag(client, list).await?;
                if now != before {
                    rebuilds.push(took);
                    break;
                }
                ensure!(visible.elapsed() < Duration::from_secs(5), "the change is not visible within 5 s");
            }
        }
    }
    println!("- one change: {}", spread(&mut changes));
    println!("- rebuilding and signing 1,048,576 entries, with the request: {}", spread(&mut rebuilds));
    Ok(())
}

async fn etag(client: &Client, list: &str) -> anyhow::Result<(Vec<u8>, Duration)> {
    let started = Instant::now();
    let response = client.get(list).send().await?.error_for_status()?;
    let tag = response.headers().get(ETAG).context("no ETag")?.as_bytes().to_vec();
    response.bytes().await?;
    Ok((tag, started.elapsed()))
}

/// Conditional requests that are answered with 304.
async fn not_modified(server: &ServerProcess, client: &Client, list: &str) -> anyhow::Result<()> {
    const REQUESTS: usize = 20_000;
    let tag = etag(client, list).await?.0;
    let before = Counters::read(server).await?;
    let started = Instant::now();
    load::in_parallel(REQUESTS, 16, || {
        let request = client.get(list).header(IF_NONE_MATCH, tag.clone());
        async move {
            let status = request.send().await?.status();
            ensure!(status == StatusCode::NOT_MODIFIED, "{status} instead of 304");
            Ok(())
        }
    })
    .await?;
    let seconds = started.elapsed().as_secs_f64();
    let used = Counters::read(server).await?.since(&before);
    println!(
        "- 304s: {:.0}/s with the driver on the same cores; {:.0} per second of server CPU",
        REQUESTS as f64 / seconds,
        REQUESTS as f64 / (used.server_cpu_ms / 1000.0),
    );
    Ok(())
}

/// Revokes by filter, in one call.
async fn many(flows: &Flows, wanted: u64) -> anyhow::Result<()> {
    let body = json!({"revocationStatus": "Revoked", "filter": {"issuedFrom": 0}, "dryRun": false});
    let started = Instant::now();
    let done = flows.manage(Method::POST, "/sdjwt/credential/revocation-status", &body).await?;
    let changed = done["changed"].as_u64().unwrap_or_default();
    ensure!(changed >= wanted, "{changed} revocations instead of {wanted}");
    println!("- {changed} revocations in one call: {:.2} s", started.elapsed().as_secs_f64());
    Ok(())
}

fn spread(times: &mut [Duration]) -> String {
    times.sort_unstable();
    let at = |percent: usize| {
        let time = times.get((times.len() * percent / 100).min(times.len().saturating_sub(1)));
        time.map_or(f64::NAN, |time| time.as_secs_f64() * 1000.0)
    };
    format!("p50 {:.1} ms, p95 {:.1} ms, {} times", at(50), at(95), times.len())
}
