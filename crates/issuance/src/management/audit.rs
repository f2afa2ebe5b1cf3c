//! The audit log: every change on the management face and every refused attempt, in a chain per organisation.
//!
//! A change is written down before it is made ([`begin`]) and completed with its outcome ([`finish`]): whatever breaks off
//! in between leaves an entry that says so. A change of a status is written down in the unit of work that makes it. Completed
//! entries are chained in the order of their completion. Issuances write nothing here: the record of each says who began it.

mod verification;

use std::convert::Infallible;
use std::time::Duration;

use chancery_model::{Actor, AuditEntry, AuditEntryId, AuditLink, AuditOutcome, Organisation};
use chancery_storage::{StoreError, Transaction};
use serde_json::{Value, json};

use super::page::{Page, Window};
use crate::{Context, Failure};

pub use chancery_storage::AuditFilter;
pub use verification::{Anchor, Broken, Verdict, verify};

/// Until an entry without outcome counts as broken off. No request takes so long.
const BROKEN_OFF: Duration = Duration::from_secs(3600);

/// Entries that broke off and are chained along with another one.
const MOST_ALONG: u64 = 20;

/// Longest text of a resource that an entry holds, in bytes. Of longer ones it holds length and hash.
const LONGEST: usize = 64 * 1024;

/// Members of answers that hold a secret, wherever they stand.
const SECRETS: [&str; 6] = ["apiKey", "secretKey", "previousSecretKey", "clientSecret", "secret", "userPin"];

/// What somebody is about to do.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// Who.
    pub actor: Actor,
    /// From where; empty when it is not known.
    pub address: String,
    /// Name of the operation.
    pub action: String,
    /// Path of what is to be changed.
    pub target: String,
    /// Id of the request.
    pub request_id: String,
    /// What the API shows of it.
    pub before: Option<Value>,
}

/// How it ended.
#[derive(Clone, Debug)]
pub struct End {
    /// HTTP status of the answer.
    pub status: u16,
    /// Name of the problem, if there was one.
    pub problem: Option<&'static str>,
    /// What the API shows of it now.
    pub after: Option<Value>,
}

/// An entry that waits for its end.
#[derive(Debug)]
pub struct Begun(AuditEntry);

/// Writes down what is about to be done. When this fails, do not do it.
///
/// # Errors
/// Those of the database.
pub async fn begin(ctx: &Context, organisation: &Organisation, attempt: Attempt) -> Result<Begun, Failure<Infallible>> {
    let entry = entry(ctx, attempt);
    ctx.store().write(organisation, async |tx: &Transaction| tx.add_audit_entry(&entry).await).await?;
    Ok(Begun(entry))
}

/// Completes an entry and chains it.
///
/// # Errors
/// Those of the database; the entry then stays unfinished.
pub async fn finish(
    ctx: &Context,
    organisation: &Organisation,
    Begun(mut entry): Begun,
    end: End,
) -> Result<(), Failure<Infallible>> {
    conclude(&mut entry, end);
    let broken_off = ctx.env().now().minus(BROKEN_OFF);
    let work = async |tx: &Transaction| -> Result<(), StoreError> {
        let mut head = tx.hold_audit_head().await?;
        for unfinished in tx.audit_entries_unfinished_before(broken_off, MOST_ALONG).await? {
            if unfinished.id != entry.id {
                head = chain(ctx, tx, &unfinished, head).await?;
            }
        }
        let head = chain(ctx, tx, &entry, head).await?;
        tx.move_audit_head(&head).await
    };
    ctx.store().write(organisation, work).await?;
    Ok(())
}

/// Writes down what was refused before it began.
///
/// # Errors
/// Those of the database.
pub async fn record(
    ctx: &Context,
    organisation: &Organisation,
    attempt: Attempt,
    end: End,
) -> Result<(), Failure<Infallible>> {
    let work = async |tx: &Transaction| add(ctx, tx, attempt, end).await;
    ctx.store().write(organisation, work).await?;
    Ok(())
}

/// Writes down, and chains, what the unit of work does: either both happen or neither. Last in the unit, because whoever has
/// something to write into this log waits from here on.
///
/// # Errors
/// Those of the database.
pub(crate) async fn add(ctx: &Context, tx: &Transaction, attempt: Attempt, end: End) -> Result<(), StoreError> {
    let mut entry = entry(ctx, attempt);
    conclude(&mut entry, end);
    let head = tx.hold_audit_head().await?;
    let link = next(ctx, &entry, &head);
    tx.chain_audit_entry(&AuditEntry { link: Some(link), ..entry }, &link).await
}

/// Entries, newest first unless the window says otherwise.
///
/// # Errors
/// Those of the database.
pub async fn list<R>(
    ctx: &Context,
    organisation: &Organisation,
    filter: &AuditFilter,
    window: Window,
) -> Result<(Page<AuditEntry>, AuditLink), Failure<R>> {
    let reader = ctx.store().read(organisation).await?;
    let listed = reader.audit_entries(filter, &window.into()).await?;
    let head = reader.audit_head().await?.unwrap_or(AuditLink::START);
    Ok((Page::listed(listed, window), head))
}

fn entry(ctx: &Context, attempt: Attempt) -> AuditEntry {
    let now = ctx.env().now();
    let Attempt { actor, address, action, target, request_id, before } = attempt;
    AuditEntry {
        id: AuditEntryId::from(ctx.env().uuid(now)),
        at: now,
        actor,
        address,
        action,
        target,
        request_id,
        outcome: AuditOutcome::Unfinished,
        status: 0,
        problem: None,
        before: before.map(told),
        after: None,
        link: None,
    }
}

fn conclude(entry: &mut AuditEntry, end: End) {
    entry.outcome = AuditOutcome::of_status(end.status);
    entry.status = end.status;
    entry.problem = end.problem.map(str::to_owned);
    entry.after = end.after.map(told);
}

/// Completes `entry` behind `head`; where the chain ends then.
async fn chain(ctx: &Context, tx: &Transaction, entry: &AuditEntry, head: AuditLink) -> Result<AuditLink, StoreError> {
    let link = next(ctx, entry, &head);
    // Somebody else counted it as broken off: it stays as it was chained.
    let completed = tx.complete_audit_entry(entry, &link).await?;
    Ok(if completed { link } else { head })
}

fn next(ctx: &Context, entry: &AuditEntry, head: &AuditLink) -> AuditLink {
    let text = entry.text_after(head);
    AuditLink { sequence: head.sequence.saturating_add(1), mac: ctx.audit_keys().current().mac(&text) }
}

/// The text of what the API shows, without secrets.
fn told(mut shown: Value) -> String {
    blank(&mut shown);
    let text = shown.to_string();
    if text.len() <= LONGEST {
        return text;
    }
    let hash = hex(&chancery_keys::sha256(text.as_bytes()));
    json!({ "leftOut": { "bytes": text.len(), "sha256": hash } }).to_string()
}

fn blank(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                if let Value::String(text) = member
                    && SECRETS.contains(&name.as_str())
                {
                    text.clear();
                } else {
                    blank(member);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(blank),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Bytes as pairs of hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        text.push_str(&format!("{byte:02x}"));
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_blanked_wherever_they_stand() {
        let answer = json!({"apiKey": {"name": "ci", "apiKey": "chy_1"}, "webhooks": [{"secretKey": "whsec_1"}]});
        let text = told(answer);
        assert!(text.contains("ci") && !text.contains("chy_1") && !text.contains("whsec_1"), "{text}");
    }

    #[test]
    fn of_what_is_too_long_the_hash_remains() {
        let text = told(json!({ "label": "x".repeat(LONGEST) }));
        assert!(text.len() < 200 && text.contains("sha256"), "{text}");
    }

    #[test]
    fn bytes_become_hexadecimal_digits() {
        assert_eq!(hex(&[0, 0x1f, 0xff]), "001fff");
    }
}
