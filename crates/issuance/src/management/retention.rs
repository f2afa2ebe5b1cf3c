//! How long an organisation keeps claims, tokens, transcripts and whole exchanges, and erasing what is kept no longer.

use std::convert::Infallible;
use std::time::Duration;

use chancery_model::{MOST_RETENTION_DAYS, Organisation, Retained, Retention, Timestamp, WorkKind};
use chancery_storage::{RetentionProgress, StoreError, Transaction};
use serde_json::{Map, Value};

use super::body::{Fault, Faults, Members};
use crate::work::Next;
use crate::{Context, Failure};

/// Time between two looks for what is due.
const INTERVAL: Duration = Duration::from_secs(3000);

/// Exchanges of one unit of work.
const PER_UNIT: u64 = 200;

/// Why rules were not set.
#[derive(Debug)]
pub enum Rejection {
    /// The body breaks rules.
    Invalid(Vec<Fault>),
    /// They are not the version that the caller knows.
    Stale,
}

/// The rules, and when they were set.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// How long things are kept.
    pub retention: Retention,
    /// When that was set; 0 when it never was.
    pub updated_at: Timestamp,
}

impl Default for Rules {
    /// Everything is kept.
    fn default() -> Self {
        Self { retention: Retention::default(), updated_at: Timestamp::from_millis(0) }
    }
}

impl From<RetentionProgress> for Rules {
    fn from(RetentionProgress { retention, updated_at, .. }: RetentionProgress) -> Self {
        Self { retention, updated_at }
    }
}

/// Sets the rules as a whole: what is left out, or `null`, is kept. `seen` is when those were set that the caller knows.
///
/// # Errors
/// Every fault of the body, or that somebody else was faster.
pub async fn set(
    ctx: &Context,
    organisation: &Organisation,
    seen: Option<Timestamp>,
    body: &Map<String, Value>,
) -> Result<Rules, Failure<Rejection>> {
    let now = ctx.env().now();
    let retention = read_body(body).map_err(|faults| Failure::Rejected(Rejection::Invalid(faults)))?;
    let set = async |tx: &Transaction| -> Result<Option<RetentionProgress>, StoreError> {
        let set = tx.set_retention(&retention, seen, now).await?;
        if set.is_some() {
            tx.enqueue(WorkKind::Retention, organisation.id.as_uuid(), now).await?;
        }
        Ok(set)
    };
    let set = ctx.store().write(organisation, set).await?;
    set.map(Rules::from).ok_or(Failure::Rejected(Rejection::Stale))
}

/// The rules; the default keeps everything.
///
/// # Errors
/// Those of the database.
pub async fn read<R>(ctx: &Context, organisation: &Organisation) -> Result<Rules, Failure<R>> {
    let set = ctx.store().read(organisation).await?.retention().await?;
    Ok(set.map(Rules::from).unwrap_or_default())
}

/// Erases what is due, and looks again within the hour. An exchange that can still lead to a credential is left alone
/// until it cannot any more.
pub(crate) async fn enforce(
    ctx: &Context,
    organisation: &Organisation,
    now: Timestamp,
) -> Result<Next, Failure<Infallible>> {
    let Some(rules) = ctx.store().read(organisation).await?.retention().await? else { return Ok(Next::Done) };
    let mut erased = 0;
    for part in Retained::ALL {
        if let Some(before) = rules.retention.due_before(part, now) {
            erased += erase_before(ctx, organisation, &rules, part, before, now).await?;
        }
    }
    if let Some(before) = rules.retention.due_before(Retained::Transcripts, now) {
        let forget = async |tx: &Transaction| tx.forget_refused_requests(before).await;
        erased += ctx.store().write(organisation, forget).await?;
    }
    if erased > 0 {
        ctx.store().settle_erasure().await?;
        tracing::info!(organisation = organisation.slug.as_str(), erased, "what is kept no longer was erased");
    }
    let has_rules = Retained::ALL.into_iter().any(|part| rules.retention.days(part).is_some());
    Ok(if has_rules { Next::At(now.plus(INTERVAL)) } else { Next::Done })
}

async fn erase_before(
    ctx: &Context,
    organisation: &Organisation,
    rules: &RetentionProgress,
    part: Retained,
    before: Timestamp,
    now: Timestamp,
) -> Result<u64, StoreError> {
    let from = rules.done(part);
    let (mut after, mut unfinished, mut erased) = (None, None, 0);
    loop {
        let reader = ctx.store().read(organisation).await?;
        let due = reader.exchanges_due(from, before, after, PER_UNIT, now).await?;
        drop(reader);
        unfinished = unfinished.or(due.first_unfinished);
        let reached = due.last.map_or(before, |last| last.created_at);
        let done = unfinished.map_or(reached, |unfinished: Timestamp| unfinished.min(reached));
        let erase = async |tx: &Transaction| -> Result<(), StoreError> {
            tx.erase(part, &due.exchanges).await?;
            tx.note_erased(part, done).await
        };
        if due.last.is_some() || from < done {
            ctx.store().write(organisation, erase).await?;
        }
        erased += u64::try_from(due.exchanges.len()).unwrap_or_default();
        if due.last.is_none() {
            return Ok(erased);
        }
        after = due.last;
    }
}

fn read_body(body: &Map<String, Value>) -> Result<Retention, Vec<Fault>> {
    const KNOWN: [&str; 4] = ["claimsDays", "tokensDays", "transcriptsDays", "exchangesDays"];
    let mut faults = Faults::default();
    let members = Members::of_body(body);
    members.refuse_others(&[&KNOWN], &mut faults);
    let [claims, tokens, transcripts, exchanges] =
        KNOWN.map(|name| members.integer(name, 0..=MOST_RETENTION_DAYS, &mut faults));
    faults.none_or(Some(Retention { claims, tokens, transcripts, exchanges }))
}
