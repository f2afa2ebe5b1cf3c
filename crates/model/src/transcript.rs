//! What happened in an exchange, for the organisation to read.
//!
//! Everything here is redacted before it arrives: codes, tokens and transaction codes appear as the first 8
//! hexadecimal digits of their SHA-256, claims as names, JWTs decoded without their signature.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{ExchangeId, Timestamp, TranscriptPartId};

/// What one request (of a wallet or of the organisation) wrote.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Passage {
    /// Time-ordered id; orders passages of one instant.
    pub id: TranscriptPartId,
    /// When the request was handled.
    pub at: Timestamp,
    /// Log records, oldest first.
    pub records: Vec<Record>,
    /// Events, oldest first.
    pub events: Vec<Event>,
}

impl Passage {
    /// As a part of the transcript of `exchange`; `support_code` when the request was refused.
    pub fn of(self, exchange: ExchangeId, support_code: Option<String>) -> TranscriptPart {
        let Self { id, at, records, events } = self;
        TranscriptPart { id, exchange_id: exchange, at, support_code, records, events }
    }

    /// As what is left of a refused request that belongs to no exchange: there is nobody for events.
    pub fn of_none(self, support_code: String) -> RefusedRequest {
        let Self { id, at, records, events: _ } = self;
        RefusedRequest { id, at, support_code, records }
    }
}

/// A passage in the transcript of its exchange.
#[derive(Clone, Debug)]
pub struct TranscriptPart {
    /// Time-ordered id; orders parts of one instant.
    pub id: TranscriptPartId,
    /// The exchange.
    pub exchange_id: ExchangeId,
    /// When the request was handled.
    pub at: Timestamp,
    /// Support code from the answer, when it was a refusal.
    pub support_code: Option<String>,
    /// Log records, oldest first.
    pub records: Vec<Record>,
    /// Events, oldest first.
    pub events: Vec<Event>,
}

/// A refused request of a wallet that belongs to no exchange.
#[derive(Clone, Debug, PartialEq)]
pub struct RefusedRequest {
    /// Time-ordered id.
    pub id: TranscriptPartId,
    /// When the request was handled.
    pub at: Timestamp,
    /// Support code from the answer.
    pub support_code: String,
    /// Log records, oldest first.
    pub records: Vec<Record>,
}

/// A log record: diagnosis for developers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// How much it matters.
    pub level: Level,
    /// Wallet-facing path suffix such as `/token`, or `management`.
    pub endpoint: String,
    /// Key from the catalogue in `docs/transcript.md`, such as `token.issued`.
    pub message: String,
    /// Redacted details; an error record always has `reason`, `help` and `spec_ref`.
    pub data: Map<String, Value>,
}

/// A step of the exchange: for people.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Such as `token_exchanged`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Redacted details.
    pub details: Map<String, Value>,
}

/// Weight of a log record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Detail of a check that passed.
    Debug,
    /// Step.
    Info,
    /// Passed, but worth a look.
    Warning,
    /// Refusal.
    Error,
}
