//! Where the wallet's time comes from.

use std::sync::Arc;
use std::time::UNIX_EPOCH;

/// A source of unix seconds.
#[derive(Clone)]
pub(crate) struct Clock(Arc<dyn Fn() -> i64 + Send + Sync>);

impl Clock {
    pub(crate) fn system() -> Self {
        Self::from_fn(|| {
            let elapsed = UNIX_EPOCH.elapsed().unwrap_or_default();
            i64::try_from(elapsed.as_secs()).unwrap_or(i64::MAX)
        })
    }

    pub(crate) fn from_fn(now: impl Fn() -> i64 + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    pub(crate) fn now(&self) -> i64 {
        (self.0)()
    }
}
