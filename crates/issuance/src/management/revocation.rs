//! Withdrawing what was issued: revoke, suspend, reactivate.

mod filter;
mod many;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chancery_formats::status_list::Bits;
use chancery_model::{
    CredentialId, ExchangeId, Organisation, RevocationStatus, StatusChange, StatusHolder, StatusListId, Timestamp,
};
use chancery_storage::{Read, StatusMove, StoreError, Transaction};
use serde_json::{Map, Value, json};

use super::access::Caller;
use super::audit::{self, Attempt, End};
use super::body::{Fault, Faults, Members};
use super::history::{self, History};
use crate::recording::Recording;
use crate::{Context, Failure};

pub use many::{ManyRejection, Outcome, Touched, change_many};

const STATUSES: &[(&str, RevocationStatus)] = &[
    ("Operational", RevocationStatus::Operational),
    ("Revoked", RevocationStatus::Revoked),
    ("Suspended", RevocationStatus::Suspended),
];

/// Longest reason, in characters.
const LONGEST_REASON: usize = 500;

/// Why the former credential is revoked when a wallet fetches a fresh copy.
const REPLACED: &str = "replaced by a fresh copy";

/// Why no status was changed.
#[derive(Debug)]
pub enum Rejection {
    /// The organisation has no such exchange, or the exchange no such credential.
    NotFound,
    /// The body breaks rules.
    Invalid(Vec<Fault>),
    /// The definition has no `supportRevocation`.
    NotSupported,
    /// Nothing was issued yet.
    NothingIssued,
    /// The definition has no `supportSuspension`.
    NotSuspendable,
    /// What was revoked stays revoked.
    Final {
        /// What was asked for.
        to: RevocationStatus,
    },
}

/// Gives what an exchange has issued another status. Body: `revocationStatus`, and optionally `reason` and
/// `credentialId`, which leaves the other credentials of the exchange as they are. A status that is there already is
/// not changed again. What is done is written into the audit log, with all changes before and after as `shown` shows them.
/// Answers the record.
///
/// # Errors
/// See [`Rejection`].
pub async fn change(
    ctx: &Context,
    caller: &Caller,
    id: ExchangeId,
    body: &Map<String, Value>,
    attempt: Attempt,
    shown: impl Fn(&[StatusChange]) -> Value,
) -> Result<History, Failure<Rejection>> {
    let organisation = &*caller.organisation;
    let now = ctx.env().now();
    let mut faults = Faults::default();
    let members = Members::of_body(body);
    members.refuse_others(&[&["revocationStatus", "reason", "credentialId"]], &mut faults);
    let order = Order::read(&members, caller, now, &mut faults);
    let only = members.text("credentialId", 64, &mut faults).map(CredentialId::parse);
    let order = faults.none_or(order);
    let work = async |tx: &Transaction| -> Result<_, Failure<Rejection>> {
        let held = tx.hold_exchange(id).await?;
        let mut exchange = held.ok_or(Failure::Rejected(Rejection::NotFound))?;
        let order = order.map_err(|faults| Failure::Rejected(Rejection::Invalid(faults)))?;
        let definition = tx.definition_at(exchange.definition_id, exchange.definition_revision).await?;
        let mut entries = definition.iter().flat_map(|definition| &definition.content.entries);
        if !entries.any(|entry| entry.support_revocation && exchange.entries.contains(&entry.id)) {
            return Err(Failure::Rejected(Rejection::NotSupported));
        }
        let narrow = match order.to {
            RevocationStatus::Suspended => narrow_lists(tx).await?,
            RevocationStatus::Operational | RevocationStatus::Revoked => BTreeSet::new(),
        };
        let holders = tx.status_holders_of(&[id]).await?;
        let meant = |holder: &&StatusHolder| only.is_none_or(|only| Some(holder.credential) == only);
        let meant: Vec<StatusHolder> = holders.iter().filter(meant).copied().collect();
        let moved = order.movable(&meant, &narrow, only.is_some()).map_err(Failure::Rejected)?;
        let mut changes = tx.status_changes_of(id).await?;
        let attempt = Attempt { before: Some(shown(&changes)), ..attempt };
        let records = order.records(&moved, &holders);
        order.move_statuses(ctx, tx, &moved, &records).await?;
        if let Some(status) = records.into_keys().next() {
            (exchange.revocation_status, exchange.updated_at) = (status, now);
        }
        let record = history::assemble(ctx, organisation, tx, exchange).await?;
        let (lists, made) = order.publish(tx, &moved).await?;
        changes.extend(made);
        let end = End { status: 200, problem: None, after: Some(shown(&changes)) };
        audit::add(ctx, tx, attempt, end).await?;
        Ok((record, lists))
    };
    let (record, lists) = ctx.store().write(organisation, work).await?;
    ctx.note_status_changes(organisation, lists).await;
    Ok(record)
}

/// Revokes credentials of an exchange that the unit of work holds, because fresh copies took their place. Answers the lists
/// that changed.
pub(crate) async fn revoke_replaced(
    ctx: &Context,
    tx: &Transaction,
    exchange: ExchangeId,
    replaced: &[CredentialId],
    now: Timestamp,
) -> Result<BTreeSet<StatusListId>, StoreError> {
    let to = RevocationStatus::Revoked;
    let holders = tx.status_holders_of(&[exchange]).await?;
    let meant = |holder: &&StatusHolder| replaced.contains(&holder.credential) && holder.status.may_become(to);
    let moved: Vec<StatusHolder> = holders.iter().filter(meant).copied().collect();
    let order = Order { to, reason: REPLACED.to_owned(), actor: "wallet".to_owned(), now };
    order.apply(ctx, tx, &moved, &holders).await
}

/// What was changed in an exchange, oldest change first.
///
/// # Errors
/// [`Rejection::NotFound`].
pub async fn changes(
    ctx: &Context,
    organisation: &Organisation,
    id: ExchangeId,
) -> Result<Vec<StatusChange>, Failure<Rejection>> {
    let reader = ctx.store().read(organisation).await?;
    if reader.exchange(id).await?.is_none() {
        return Err(Failure::Rejected(Rejection::NotFound));
    }
    Ok(reader.status_changes_of(id).await?)
}

/// Lists without room for suspension.
async fn narrow_lists(reader: &Read) -> Result<BTreeSet<StatusListId>, StoreError> {
    let lists = reader.status_lists().await?;
    Ok(lists.into_iter().filter(|list| list.bits == Bits::One).map(|list| list.id).collect())
}

/// Who wants which status, why and when.
struct Order {
    to: RevocationStatus,
    reason: String,
    actor: String,
    now: Timestamp,
}

impl Order {
    fn read(members: &Members<'_>, caller: &Caller, now: Timestamp, faults: &mut Faults) -> Option<Self> {
        members.require_text("revocationStatus", faults);
        let to = members.choice("revocationStatus", STATUSES, faults);
        let reason = members.text("reason", LONGEST_REASON, faults).unwrap_or_default().to_owned();
        Some(Self { to: to?, reason, actor: caller.label(), now })
    }

    /// Which of the credentials that are meant change; none when they are there already.
    fn movable(
        &self,
        meant: &[StatusHolder],
        narrow: &BTreeSet<StatusListId>,
        one_was_named: bool,
    ) -> Result<Vec<StatusHolder>, Rejection> {
        if meant.is_empty() {
            return Err(if one_was_named { Rejection::NotFound } else { Rejection::NothingIssued });
        }
        let moved: Vec<_> = meant.iter().filter(|holder| holder.status.may_become(self.to)).copied().collect();
        let is_there = meant.iter().any(|holder| holder.status == self.to);
        if moved.is_empty() && !is_there {
            return Err(Rejection::Final { to: self.to });
        }
        let suspends = self.to == RevocationStatus::Suspended;
        if suspends && moved.iter().any(|holder| narrow.contains(&holder.place.list)) {
            return Err(Rejection::NotSuspendable);
        }
        Ok(moved)
    }

    /// Changes these credentials, of exchanges that are held and whose credentials are `all`. Answers the lists that
    /// changed.
    async fn apply(
        &self,
        ctx: &Context,
        tx: &Transaction,
        moved: &[StatusHolder],
        all: &[StatusHolder],
    ) -> Result<BTreeSet<StatusListId>, StoreError> {
        self.move_statuses(ctx, tx, moved, &self.records(moved, all)).await?;
        Ok(self.publish(tx, moved).await?.0)
    }

    /// Gives credentials and the records of their exchanges their statuses.
    async fn move_statuses(
        &self,
        ctx: &Context,
        tx: &Transaction,
        moved: &[StatusHolder],
        records: &BTreeMap<RevocationStatus, Vec<ExchangeId>>,
    ) -> Result<(), StoreError> {
        let parts = self.transcript(ctx, moved);
        tx.move_statuses(&StatusMove { credentials: moved, to: self.to, records, parts: &parts, at: self.now }).await
    }

    /// Changes the lists that verifiers see. Answers them, and the changes.
    async fn publish(
        &self,
        tx: &Transaction,
        moved: &[StatusHolder],
    ) -> Result<(BTreeSet<StatusListId>, Vec<StatusChange>), StoreError> {
        let lists: BTreeSet<StatusListId> = moved.iter().map(|holder| holder.place.list).collect();
        // Late, because from here on others wait for these lists; in order, so that nobody waits for each other.
        let mut changes = Vec::with_capacity(moved.len());
        for list in &lists {
            let version = tx.advance_status_list(*list, self.now).await?;
            let version = version.ok_or_else(|| StoreError::Internal(anyhow::anyhow!("status list {list} is gone")))?;
            let of_list = moved.iter().filter(|holder| holder.place.list == *list);
            changes.extend(of_list.map(|holder| StatusChange {
                place: holder.place,
                version: version.version,
                credential: holder.credential,
                exchange: holder.exchange,
                from: holder.status,
                to: self.to,
                actor: self.actor.clone(),
                reason: self.reason.clone(),
                at: version.changed_at,
            }));
        }
        tx.add_status_changes(&changes).await?;
        Ok((lists, changes))
    }

    /// The exchanges by the status that their record has afterwards.
    fn records(&self, moved: &[StatusHolder], all: &[StatusHolder]) -> BTreeMap<RevocationStatus, Vec<ExchangeId>> {
        let changed: BTreeSet<CredentialId> = moved.iter().map(|holder| holder.credential).collect();
        let touched: BTreeSet<ExchangeId> = moved.iter().map(|holder| holder.exchange).collect();
        let mut afterwards: HashMap<ExchangeId, Vec<RevocationStatus>> = HashMap::new();
        for holder in all.iter().filter(|holder| touched.contains(&holder.exchange)) {
            let status = if changed.contains(&holder.credential) { self.to } else { holder.status };
            afterwards.entry(holder.exchange).or_default().push(status);
        }
        let mut records: BTreeMap<RevocationStatus, Vec<ExchangeId>> = BTreeMap::new();
        for (exchange, statuses) in afterwards {
            records.entry(RevocationStatus::of_record(statuses)).or_default().push(exchange);
        }
        records
    }

    fn transcript(&self, ctx: &Context, moved: &[StatusHolder]) -> Vec<chancery_model::TranscriptPart> {
        let mut counts: BTreeMap<ExchangeId, usize> = BTreeMap::new();
        for holder in moved {
            *counts.entry(holder.exchange).or_default() += 1;
        }
        let part = |(exchange, count): (ExchangeId, usize)| {
            let mut recording = Recording::at("/revocation-status");
            recording
                .event("credential_status_changed", json!({ "revocation_status": self.to.name(), "count": count }));
            recording.finish(ctx.env(), self.now).of(exchange, None)
        };
        counts.into_iter().map(part).collect()
    }
}
