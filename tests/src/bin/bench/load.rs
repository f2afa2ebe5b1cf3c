//! Closed and open load.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::flow::Flow;

/// Who sends how much.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Load {
    /// So many wallets, each starting its next flow when the last one is done.
    Closed { wallets: usize },
    /// Flows that start at fixed instants, whether or not earlier ones are done.
    Open { arrivals_per_second: u32 },
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed { wallets: 1 } => f.write_str("1 wallet"),
            Self::Closed { wallets } => write!(f, "{wallets} wallets"),
            Self::Open { arrivals_per_second } => write!(f, "{arrivals_per_second} arrivals/s"),
        }
    }
}

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) done: u64,
    pub(crate) failed: u64,
    latencies_ms: Vec<f64>,
    seconds: f64,
}

impl Outcome {
    /// Complete flows per second.
    pub(crate) fn rate(&self) -> f64 {
        self.done as f64 / self.seconds
    }

    /// Latency in milliseconds that `percent` of the flows did not exceed. In open load it counts from the instant at
    /// which the flow was due.
    pub(crate) fn percentile(&self, percent: f64) -> f64 {
        let rank = (percent / 100.0 * self.latencies_ms.len() as f64).ceil() as usize;
        self.latencies_ms.get(rank.saturating_sub(1)).copied().unwrap_or(f64::NAN)
    }

    fn of(results: Vec<(Result<(), anyhow::Error>, Duration)>, seconds: f64) -> Self {
        let mut outcome = Self { seconds, ..Self::default() };
        for (result, latency) in results {
            match result {
                Ok(()) => {
                    outcome.done += 1;
                    outcome.latencies_ms.push(latency.as_secs_f64() * 1000.0);
                }
                Err(error) => {
                    outcome.failed += 1;
                    eprintln!("a flow failed: {error:#}");
                }
            }
        }
        outcome.latencies_ms.sort_by(f64::total_cmp);
        outcome
    }
}

/// Runs `load` for `span`, then waits until the last flow is done.
pub(crate) async fn run<F: Flow>(flows: &F, load: Load, span: Duration) -> anyhow::Result<Outcome> {
    let start = Instant::now();
    let results = match load {
        Load::Closed { wallets } => closed(flows, wallets, start + span).await?,
        Load::Open { arrivals_per_second } => open(flows, arrivals_per_second, start, span).await?,
    };
    Ok(Outcome::of(results, start.elapsed().as_secs_f64()))
}

type Results = Vec<(Result<(), anyhow::Error>, Duration)>;

async fn closed<F: Flow>(flows: &F, wallets: usize, end: Instant) -> anyhow::Result<Results> {
    let mut tasks = JoinSet::new();
    for _ in 0..wallets {
        let flows = flows.clone();
        tasks.spawn(async move {
            let mut results = Vec::new();
            while Instant::now() < end {
                let begun = Instant::now();
                let result = flows.whole().await;
                results.push((result, begun.elapsed()));
            }
            results
        });
    }
    let mut all = Vec::new();
    while let Some(results) = tasks.join_next().await {
        all.extend(results?);
    }
    Ok(all)
}

async fn open<F: Flow>(flows: &F, arrivals_per_second: u32, start: Instant, span: Duration) -> anyhow::Result<Results> {
    let gap = Duration::from_secs(1) / arrivals_per_second;
    let arrivals = u32::try_from(span.as_nanos() / gap.as_nanos())?;
    let mut tasks = JoinSet::new();
    for arrival in 0..arrivals {
        let due = start + gap * arrival;
        tokio::time::sleep_until(due.into()).await;
        let flows = flows.clone();
        tasks.spawn(async move { (flows.whole().await, due.elapsed()) });
    }
    let mut all = Vec::new();
    while let Some(result) = tasks.join_next().await {
        all.push(result?);
    }
    Ok(all)
}

/// Runs `work` `times` times, at most `width` at once; the first failure ends it.
pub(crate) async fn in_parallel<T, F>(times: usize, width: usize, work: impl Fn() -> F) -> anyhow::Result<Vec<T>>
where
    F: Future<Output = anyhow::Result<T>> + Send + 'static,
    T: Send + 'static,
{
    each_in_parallel((0..times).collect(), width, |_| work()).await
}

/// Runs `work` for each item, at most `width` at once; the first failure ends it.
pub(crate) async fn each_in_parallel<I, T, F>(
    items: Vec<I>,
    width: usize,
    work: impl Fn(I) -> F,
) -> anyhow::Result<Vec<T>>
where
    F: Future<Output = anyhow::Result<T>> + Send + 'static,
    T: Send + 'static,
{
    let places = Arc::new(Semaphore::new(width));
    let mut tasks = JoinSet::new();
    for item in items {
        let place = Arc::clone(&places).acquire_owned().await?;
        let work = work(item);
        tasks.spawn(async move {
            let result = work.await;
            drop(place);
            result
        });
    }
    let mut results = Vec::new();
    while let Some(result) = tasks.join_next().await {
        results.push(result??);
    }
    Ok(results)
}
