//! After a failure, connections are tried before they are used.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// When a connection to PostgreSQL last failed.
///
/// Those that have been idle since before are probably dead as well: the server was restarted, or the network parted.
/// Trying each of them once costs a round trip each, and saves as many requests a 503.
#[derive(Debug, Default)]
pub(crate) struct Doubt(Mutex<Option<Instant>>);

impl Doubt {
    /// A connection failed just now.
    pub(crate) fn raise(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// Whether a connection that has been idle for so long was last used before the failure.
    pub(crate) fn concerns(&self, idle_for: Duration) -> bool {
        let raised = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        raised.is_some_and(|raised| raised.elapsed() <= idle_for)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_concerns_connections_that_were_idle_before_it() {
        let doubt = Doubt::default();
        assert!(!doubt.concerns(Duration::from_secs(3600)));
        doubt.raise();
        assert!(doubt.concerns(Duration::from_secs(3600)));
        assert!(!doubt.concerns(Duration::ZERO));
    }
}
