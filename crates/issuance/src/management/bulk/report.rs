//! What became of the rows of a bulk.

use std::collections::BTreeMap;

use chancery_model::{BulkId, ExchangeId, Organisation};
use chancery_storage::Transaction;
use serde::{Deserialize, Serialize};

use super::Rejection;
use crate::sealed::Place;
use crate::{Context, Failure};

/// Transaction codes by row.
pub(super) type Pins = BTreeMap<u32, String>;

/// What became of one row.
#[derive(Clone, Serialize, Deserialize)]
pub struct Outcome {
    /// The row, from 1.
    pub row: u32,
    /// The caller's name for it; empty when there is none.
    pub reference: String,
    /// The exchange that it began, if it did.
    pub exchange: Option<ExchangeId>,
    /// The offer link for the wallet.
    pub offer: String,
    /// The transaction code, for whoever fetches the result first.
    #[serde(skip)]
    pub pin: String,
    /// Why no exchange began.
    pub error: String,
    /// Whether it broke rules from the start.
    #[serde(skip)]
    pub invalid: bool,
}

impl std::fmt::Debug for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Outcome(of row {})", self.row)
    }
}

impl Outcome {
    pub(super) fn of(row: u32, reference: &str) -> Self {
        let (reference, text) = (reference.to_owned(), String::new);
        Self { row, reference, exchange: None, offer: text(), pin: text(), error: text(), invalid: false }
    }
}

/// What became of the rows of one part, in the order of the file; `None` behind the last part. Parts count from 0. Rows
/// that were cancelled are not among them.
pub async fn result_part(
    ctx: &Context,
    organisation: &Organisation,
    id: BulkId,
    ordinal: u32,
) -> Result<Option<Vec<Outcome>>, Failure<Rejection>> {
    let Some(part) = ctx.store().read(organisation).await?.bulk_part_at(id, ordinal).await? else { return Ok(None) };
    let row = part.id.as_uuid();
    let mut outcomes: Vec<Outcome> = match &part.sealed_result {
        Some(sealed) => ctx.open(organisation, Place::BulkResult, row, sealed)?,
        None => Vec::new(),
    };
    let mut pins: Pins = match &part.sealed_pins {
        Some(sealed) => ctx.open(organisation, Place::BulkPins, row, sealed)?,
        None => Pins::new(),
    };
    for outcome in &mut outcomes {
        outcome.pin = pins.remove(&outcome.row).unwrap_or_default();
    }
    for wrong in &part.faults {
        let mut outcome = Outcome::of(wrong.row, "");
        outcome.invalid = true;
        if let Some(fault) = wrong.faults.first() {
            outcome.error = format!("{}: {}", fault.pointer, fault.detail);
        }
        outcomes.push(outcome);
    }
    outcomes.sort_by_key(|outcome| outcome.row);
    Ok(Some(outcomes))
}

/// The result was handed out to its end: its transaction codes are erased, and no later result shows them.
pub async fn fetched<R>(ctx: &Context, organisation: &Organisation, id: BulkId) -> Result<(), Failure<R>> {
    let now = ctx.env().now();
    ctx.store().write(organisation, async |tx: &Transaction| tx.forget_bulk_pins(id, now).await).await?;
    Ok(())
}
