//! Leaving a server alone that does not answer, so that wallets and the server itself need not wait for it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chancery_model::{DefinitionId, Organisation, OrganisationId, Timestamp};
use moka::sync::Cache;

/// Outages in a row after which a server is left alone.
const MOST_OUTAGES: u32 = 5;

/// How long it is left alone before one request tries it again.
const PAUSE: Duration = Duration::from_secs(30);

type Key = (OrganisationId, DefinitionId, String);

/// Breakers of the servers that this process asked lately.
pub(crate) struct Breakers(Cache<Key, Arc<Breaker>>);

impl Default for Breakers {
    fn default() -> Self {
        Self(Cache::builder().max_capacity(10_000).time_to_idle(Duration::from_secs(3600)).build())
    }
}

impl Breakers {
    /// The breaker of a definition's claims endpoint; one at another URL begins anew.
    pub(super) fn of(&self, organisation: &Organisation, definition: DefinitionId, url: &str) -> Arc<Breaker> {
        self.0.get_with((organisation.id, definition, url.to_owned()), Arc::default)
    }
}

/// Counts the outages of one server.
#[derive(Debug, Default)]
pub(super) struct Breaker(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// In a row.
    outages: u32,
    /// While there are too many of them: nothing is asked before this instant.
    left_alone_until: Option<Timestamp>,
}

impl Breaker {
    /// Whether the server may be asked. After a pause exactly one request may, until that has ended or another pause has
    /// passed.
    pub(super) fn lets_through(&self, now: Timestamp) -> bool {
        self.with(|state| match state.left_alone_until {
            None => true,
            Some(until) if now < until => false,
            Some(_) => {
                state.left_alone_until = Some(now.plus(PAUSE));
                true
            }
        })
    }

    pub(super) fn succeeded(&self) {
        self.with(|state| *state = State::default());
    }

    pub(super) fn failed(&self, now: Timestamp) {
        self.with(|state| {
            state.outages = state.outages.saturating_add(1);
            if state.outages >= MOST_OUTAGES {
                state.left_alone_until = Some(now.plus(PAUSE));
            }
        });
    }

    fn with<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        // Nothing above can panic half-way, so a poisoned lock guards sound data.
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    fn tripped() -> Breaker {
        let breaker = Breaker::default();
        for _ in 0..MOST_OUTAGES {
            assert!(breaker.lets_through(at(0)));
            breaker.failed(at(0));
        }
        breaker
    }

    #[test]
    fn five_outages_in_a_row_trip_it_and_one_request_tries_again_after_a_pause() {
        let breaker = tripped();
        assert!(!breaker.lets_through(at(29)));
        assert!(breaker.lets_through(at(30)));
        assert!(!breaker.lets_through(at(30)), "one at a time");
        breaker.failed(at(31));
        assert!(!breaker.lets_through(at(60)));
        assert!(breaker.lets_through(at(61)));
        breaker.succeeded();
        assert!(breaker.lets_through(at(61)));
    }

    #[test]
    fn a_trial_that_never_ends_does_not_keep_it_tripped_for_ever() {
        let breaker = tripped();
        assert!(breaker.lets_through(at(30)));
        assert!(breaker.lets_through(at(60)));
    }

    #[test]
    fn a_success_in_between_begins_the_count_anew() {
        let breaker = Breaker::default();
        for _ in 0..3 {
            for _ in 1..MOST_OUTAGES {
                breaker.failed(at(0));
            }
            breaker.succeeded();
        }
        assert!(breaker.lets_through(at(0)));
    }
}
