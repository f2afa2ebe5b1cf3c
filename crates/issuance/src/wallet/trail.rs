//! What a wallet's request leaves in the transcript, whether it succeeds or is refused.

use chancery_model::{ExchangeId, Organisation, Passage, Timestamp};
use chancery_protocol::Explanation;
use chancery_storage::{StoreError, Transaction};
use serde_json::{Value, json};

use super::Refusal;
use crate::recording::{Recording, support_code};
use crate::{Context, Failure};

/// Parts of a transcript, above which nothing is added for requests that change nothing and can be repeated without end:
/// refusals, repetitions, polls. What changes the exchange is always written down.
pub(super) const MOST_PARTS: u64 = 500;

/// Refused requests of no exchange that an organisation keeps; the oldest make room for new ones.
const MOST_REFUSED_REQUESTS: u64 = 1000;

/// The transcript part of one request, in the making. It can be written as soon as the exchange is known.
pub(super) struct Trail {
    pub(super) recording: Recording,
    endpoint: &'static str,
    exchange: Option<ExchangeId>,
    now: Timestamp,
}

impl Trail {
    /// Begins at `endpoint`, a path suffix such as `/token`.
    pub(super) fn at(endpoint: &'static str, now: Timestamp) -> Self {
        Self { recording: Recording::at(endpoint), endpoint, exchange: None, now }
    }

    /// From here on the exchange is known.
    pub(super) fn belongs_to(&mut self, exchange: ExchangeId) {
        self.exchange = Some(exchange);
    }

    /// There is no exchange yet, and the request makes none: only a refusal is worth writing down.
    pub(super) fn belongs_to_none(&mut self) {
        self.recording.stop();
    }

    /// What a request that succeeded wrote. What is left behind can still account for a refusal.
    pub(super) fn finish(&mut self, context: &Context) -> Passage {
        let empty = Recording::at(self.endpoint);
        std::mem::replace(&mut self.recording, empty).finish(context.env(), self.now)
    }
}

/// A rejection that can be accounted for. Implemented by the closed list of each use case.
pub(super) trait Accountable {
    /// What the transcript says about it.
    fn account(&self) -> Account;
}

/// What the transcript says about a rejection.
pub(super) struct Account {
    /// Key from `docs/transcript.md`, such as `token.code_expired`.
    pub(super) message: &'static str,
    pub(super) explanation: Explanation,
    /// Further members of the record.
    pub(super) data: Value,
    /// The event, when people should see the refusal.
    pub(super) event: Option<Setback>,
    /// Whether it is part of a proper dialogue: a demand for a nonce or a challenge.
    pub(super) is_dialogue: bool,
}

/// A refusal as an event.
pub(super) struct Setback {
    /// Such as `credential_failed`.
    pub(super) kind: &'static str,
    /// Error code of the protocol.
    pub(super) error: &'static str,
    /// Our name for the cause.
    pub(super) code: &'static str,
}

impl Context {
    /// Writes down why a request was refused and hands the refusal on with its support code. Failures of ours pass
    /// through: their cause is for the log, not for the transcript.
    pub(super) async fn conclude<R: Accountable>(
        &self,
        organisation: &Organisation,
        trail: Trail,
        failure: Failure<R>,
    ) -> Failure<Refusal<R>> {
        let rejection = match failure {
            Failure::Rejected(rejection) => rejection,
            Failure::Unavailable(cause) => return Failure::Unavailable(cause),
            Failure::Internal(cause) => return Failure::Internal(cause),
        };
        let Account { message, explanation, data, event, is_dialogue } = rejection.account();
        let Trail { mut recording, exchange, now, .. } = trail;
        // Of no exchange, a proper dialogue is worth nothing and would be most of what is kept.
        if exchange.is_none() && is_dialogue {
            return Failure::Rejected(Refusal { rejection, support_code: None });
        }
        recording.error(message, &explanation, data);
        if let Some(Setback { kind, error, code }) = event {
            recording.event(kind, json!({ "error": error, "code": code, "spec_ref": explanation.spec_ref }));
        }
        let code = support_code(self.env());
        let passage = recording.finish(self.env(), now);
        let written = self.keep_refusal(organisation, exchange, passage, code.clone()).await;
        let support_code = match written {
            Ok(true) => Some(code),
            Ok(false) => {
                tracing::debug!(
                    message,
                    reason = explanation.reason,
                    "a refusal is not written down: there are too many"
                );
                None
            }
            // The wallet gets its answer in any case; a code that leads nowhere would only mislead.
            Err(error) => {
                tracing::warn!(%error, message, "a refusal could not be written to the transcript");
                None
            }
        };
        Failure::Rejected(Refusal { rejection, support_code })
    }

    /// Writes down what a refused request left; `false` when there is no room for it. That takes as long for a code or token
    /// that nobody was given as for one that is over (SEC-19).
    async fn keep_refusal(
        &self,
        organisation: &Organisation,
        exchange: Option<ExchangeId>,
        passage: Passage,
        code: String,
    ) -> Result<bool, StoreError> {
        let Some(exchange) = exchange else {
            let has_room = self.budgets().admits_refusal(organisation.id, passage.at);
            let refused = passage.of_none(code);
            let add = async |tx: &Transaction| match has_room {
                true => tx.add_refused_request(&refused, MOST_REFUSED_REQUESTS).await,
                false => Ok(()),
            };
            return self.store().write_relaxed(organisation, add).await.map(|()| has_room);
        };
        let part = passage.of(exchange, Some(code));
        let add = async |tx: &Transaction| tx.add_transcript_part_below(&part, MOST_PARTS).await;
        self.store().write_relaxed(organisation, add).await
    }
}
