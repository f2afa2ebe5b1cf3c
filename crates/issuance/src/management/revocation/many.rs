//! One status for many credentials.

use std::collections::{BTreeMap, BTreeSet};

use chancery_model::{CredentialId, ExchangeId, Organisation, RevocationStatus, StatusHolder, StatusListId, Timestamp};
use chancery_storage::StoreError;
use serde_json::{Map, Value};

use super::{Order, filter, narrow_lists};
use crate::management::access::Caller;
use crate::management::body::{Fault, Faults, Members};
use crate::status_lists::{TTL, VISIBLE_WITHIN, uri};
use crate::{Context, Failure};

/// Credentials that one call changes.
const MOST: usize = 10_000;

/// Credentials of one unit of work: others wait no longer than it takes.
const AT_ONCE: usize = 500;

/// Why nothing was changed.
#[derive(Debug)]
pub enum ManyRejection {
    /// The body breaks rules.
    Invalid(Vec<Fault>),
    /// Not as many credentials would change as the caller expected.
    Unexpected {
        /// By the caller.
        expected: u32,
        /// By us.
        got: u64,
    },
}

/// What was done, or would be.
#[derive(Debug)]
pub struct Outcome {
    /// Nothing was changed: the caller only asked what would be.
    pub dry_run: bool,
    /// What was asked for.
    pub to: RevocationStatus,
    /// Credentials that the filter admits, by status before the call.
    pub matched: Vec<(RevocationStatus, u64)>,
    /// Credentials that this call changes.
    pub changed: u64,
    /// Credentials that more calls like this one would change.
    pub remaining: u64,
    /// The lists in which the change shows.
    pub lists: Vec<Touched>,
    /// From when on every process publishes it.
    pub visible_at: Timestamp,
    /// From when on no consumer uses an older copy.
    pub everywhere_at: Timestamp,
}

/// A list that changes.
#[derive(Debug, PartialEq, Eq)]
pub struct Touched {
    /// Its URL.
    pub uri: String,
    /// Entries that change.
    pub changed: u64,
}

/// Gives the credentials that `filter` admits another status, at most 10,000 at a time, oldest exchange first. Body:
/// `revocationStatus`, `filter`, and optionally `reason`, `dryRun` (default `true`: only tell) and `expected` (how many
/// the dry run said). Cut off in the middle, it has changed some of them, and goes on when it is asked again.
///
/// # Errors
/// See [`ManyRejection`].
pub async fn change_many(
    ctx: &Context,
    caller: &Caller,
    body: &Map<String, Value>,
) -> Result<Outcome, Failure<ManyRejection>> {
    let organisation = &*caller.organisation;
    let now = ctx.env().now();
    let mut faults = Faults::default();
    let members = Members::of_body(body);
    members.refuse_others(&[&["revocationStatus", "reason", "filter", "dryRun", "expected"]], &mut faults);
    let order = Order::read(&members, caller, now, &mut faults);
    let filter = filter::read(&members, MOST, &mut faults);
    let dry_run = members.boolean("dryRun", true, &mut faults);
    let expected = members.integer("expected", 0..=u32::MAX, &mut faults);
    let asked = order.zip(filter);
    let (order, mut filter) =
        faults.none_or(asked).map_err(|faults| Failure::Rejected(ManyRejection::Invalid(faults)))?;

    let from: Vec<_> = RevocationStatus::ALL.into_iter().filter(|status| status.may_become(order.to)).collect();
    let reader = ctx.store().read(organisation).await?;
    if order.to == RevocationStatus::Suspended {
        filter.not_in_lists = Some(narrow_lists(&reader).await?.into_iter().collect());
    }
    let found = reader.status_holders(&filter, &from, MOST as u64).await?;
    drop(reader);
    let total = found.by_status.iter().filter(|(status, _)| from.contains(status)).map(|(_, count)| count).sum();
    if let Some(expected) = expected.filter(|expected| u64::from(*expected) != total) {
        return Err(Failure::Rejected(ManyRejection::Unexpected { expected, got: total }));
    }
    let moved = if dry_run { found.first } else { carry_out(ctx, organisation, &order, &found.first).await? };
    let changed = u64::try_from(moved.len()).unwrap_or(u64::MAX);
    let visible_at = now.plus(VISIBLE_WITHIN);
    Ok(Outcome {
        dry_run,
        to: order.to,
        matched: found.by_status,
        changed,
        remaining: total.saturating_sub(changed),
        lists: touched(organisation, &moved),
        visible_at,
        everywhere_at: visible_at.plus_seconds(TTL.get()),
    })
}

/// Changes the credentials that still can be changed; which they were.
async fn carry_out(
    ctx: &Context,
    organisation: &Organisation,
    order: &Order,
    meant: &[StatusHolder],
) -> Result<Vec<StatusHolder>, Failure<ManyRejection>> {
    let mut moved = Vec::with_capacity(meant.len());
    for chunk in meant.chunks(AT_ONCE) {
        let exchanges: BTreeSet<ExchangeId> = chunk.iter().map(|holder| holder.exchange).collect();
        let exchanges: Vec<ExchangeId> = exchanges.into_iter().collect();
        let wanted: BTreeSet<CredentialId> = chunk.iter().map(|holder| holder.credential).collect();
        let work = ctx.store().write(organisation, async |tx| -> Result<_, StoreError> {
            let held = tx.hold_exchanges(&exchanges).await?;
            let all = tx.status_holders_of(&held).await?;
            let may =
                |holder: &&StatusHolder| wanted.contains(&holder.credential) && holder.status.may_become(order.to);
            let chosen: Vec<StatusHolder> = all.iter().filter(may).copied().collect();
            let lists = order.apply(ctx, tx, &chosen, &all).await?;
            Ok((chosen, lists))
        });
        let (chosen, lists) = work.await?;
        moved.extend(chosen);
        ctx.note_status_changes(organisation, lists).await;
    }
    Ok(moved)
}

fn touched(organisation: &Organisation, moved: &[StatusHolder]) -> Vec<Touched> {
    let mut counts: BTreeMap<StatusListId, u64> = BTreeMap::new();
    for holder in moved {
        *counts.entry(holder.place.list).or_default() += 1;
    }
    counts.into_iter().map(|(list, changed)| Touched { uri: uri(organisation, list), changed }).collect()
}
