//! Background work, piece by piece.
//!
//! A use case asks for work with [`chancery_storage::Transaction::enqueue`], in the unit of work that makes it necessary.
//! A new kind of work is a variant of [`WorkKind`] and an arm of `attend`.

use std::convert::Infallible;
use std::time::Duration;

use chancery_model::{Organisation, OrganisationStatus, Timestamp, WorkKind};
use chancery_storage::{StoreError, WorkItem};
use futures::future::join_all;

use crate::management::{bulk, decisions, history, offer_delivery, retention, webhooks};
use crate::{Context, Failure};

/// Pieces that one process does side by side.
const AT_ONCE: u64 = 16;

/// How long a piece belongs to whoever took it.
const LEASE: Duration = Duration::from_secs(120);

/// Time for one piece; less than the lease, so that nobody else can have begun with it.
const TIME_LIMIT: Duration = Duration::from_secs(90);

/// What becomes of a piece of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// It is done.
    Done,
    /// It is to be done again at this instant.
    At(Timestamp),
}

/// Takes some work of that kind that is due and does it; how many pieces that were. 0 when nothing is due.
///
/// # Errors
/// Those of the queue. Failures of the work itself are logged, and it is tried again later.
pub async fn run_due(ctx: &Context, kind: WorkKind) -> Result<usize, StoreError> {
    let now = ctx.env().now();
    let taken = ctx.store().work().take(kind, AT_ONCE, ctx.env().uuid(now), now, now.plus(LEASE)).await?;
    for settled in join_all(taken.iter().map(|item| settle(ctx, item, now))).await {
        settled?;
    }
    Ok(taken.len())
}

/// Does one piece and says what becomes of it.
async fn settle(ctx: &Context, item: &WorkItem, now: Timestamp) -> Result<(), StoreError> {
    let queue = ctx.store().work();
    let Some(organisation) = ctx.store().directory().organisation(item.organisation_id).await? else {
        return queue.finish(item).await;
    };
    match organisation.status {
        OrganisationStatus::Active => {}
        OrganisationStatus::Suspended => return queue.postpone(item, now.plus(Duration::from_secs(600)), 0).await,
    }
    match tokio::time::timeout(TIME_LIMIT, attend(ctx, &organisation, item, now)).await {
        Ok(Ok(Next::Done)) => queue.finish(item).await,
        Ok(Ok(Next::At(due))) => queue.postpone(item, due, 0).await,
        Ok(Err(failure)) => {
            let cause = match failure {
                Failure::Rejected(never) => match never {},
                Failure::Unavailable(cause) | Failure::Internal(cause) => cause,
            };
            tracing::warn!(
                cause = format!("{cause:#}"),
                kind = item.kind.name(),
                organisation = organisation.slug.as_str(),
                attempts = item.attempts,
                "background work failed and is tried again"
            );
            queue.postpone(item, now.plus(pause(item.attempts)), item.attempts).await
        }
        Err(_elapsed) => {
            tracing::warn!(kind = item.kind.name(), "background work took longer than {TIME_LIMIT:?}");
            queue.postpone(item, now.plus(pause(item.attempts)), item.attempts).await
        }
    }
}

async fn attend(
    ctx: &Context,
    organisation: &Organisation,
    item: &WorkItem,
    now: Timestamp,
) -> Result<Next, Failure<Infallible>> {
    match item.kind {
        WorkKind::Webhooks => webhooks::deliver(ctx, organisation, item.subject_id.into(), now).await,
        WorkKind::WebhookNotice => webhooks::tell_of_disabled(ctx, organisation, item.subject_id.into(), now).await,
        WorkKind::OfferDelivery => offer_delivery::deliver(ctx, organisation, item.subject_id.into(), now).await,
        WorkKind::History => history::tend(ctx, organisation, now).await,
        WorkKind::Retention => retention::enforce(ctx, organisation, now).await,
        WorkKind::Claims => decisions::deny_overdue(ctx, organisation, item.subject_id.into(), now).await,
        WorkKind::BulkIssuance => bulk::issue_part(ctx, organisation, item.subject_id.into(), now).await,
        WorkKind::BulkErasure => bulk::erase(ctx, organisation, item.subject_id.into(), now).await,
    }
}

/// Time until a failed piece is tried again: a second, doubled with every attempt, at most five minutes.
fn pause(attempts: u32) -> Duration {
    Duration::from_secs(1 << attempts.saturating_sub(1).min(8)).min(Duration::from_secs(300))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_tried_again_ever_later_and_at_least_every_five_minutes() {
        let seconds: Vec<u64> = [0, 1, 2, 5, 9, 10, u32::MAX].map(|attempts| pause(attempts).as_secs()).to_vec();
        assert_eq!(seconds, [1, 1, 2, 16, 256, 256, 256]);
    }
}
