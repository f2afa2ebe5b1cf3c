//! Claims of use: "this nonce, this `jti` was seen".

mod in_process;
mod redis;
mod values;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use chancery_model::Timestamp;

pub use self::values::SharedValues;

/// Remembers what was used. Clones share it.
///
/// Whenever it cannot tell, it answers [`ReplayUnavailable`], and the request must be refused: a proof that might be a
/// replay is one.
#[derive(Clone)]
pub struct Replay(Kind);

#[derive(Clone)]
enum Kind {
    InProcess(Arc<in_process::Claims>),
    Redis(redis::Claims),
}

/// Whether a claim was the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Claim {
    /// Nobody has used it before.
    Fresh,
    /// Somebody has.
    Replayed,
}

/// It cannot be told whether something was used.
#[derive(Debug, thiserror::Error)]
pub enum ReplayUnavailable {
    /// As many unexpired claims are held in this process as it may hold.
    #[error("the replay store is full")]
    Full,
    /// Redis does not answer, or not in time. The claim may have been recorded all the same.
    #[error("Redis is unavailable")]
    Redis(#[source] anyhow::Error),
}

/// A claim is held for this long at least, so that one made at the very end of its validity cannot be repeated while
/// its request is still being handled.
const SHORTEST: Duration = Duration::from_secs(1);

impl Replay {
    /// Claims in the memory of this process, at most `capacity` of them (about 100 bytes each). Right for one process;
    /// several that share a database would not see each other's claims.
    pub fn in_process(capacity: usize) -> Self {
        Self(Kind::InProcess(Arc::new(in_process::Claims::new(capacity))))
    }

    /// Claims in the Redis that `url` names (`redis://`, `rediss://`, `redis+unix://`), for any number of processes. Redis must be set
    /// to `noeviction`: a claim that was evicted is a replay that succeeds.
    ///
    /// # Errors
    /// `Redis` when it cannot be reached.
    pub async fn redis(url: &str) -> Result<Self, ReplayUnavailable> {
        Ok(Self(Kind::Redis(redis::Claims::connect(url).await?)))
    }

    /// What the processes that share these claims keep for each other; `None` where one process is alone.
    pub fn shared_values(&self) -> Option<SharedValues> {
        match &self.0 {
            Kind::InProcess(_) => None,
            Kind::Redis(claims) => Some(SharedValues(claims.connection())),
        }
    }

    /// Claims `key` until `expires_at`: [`Claim::Fresh`] for exactly one caller. The key names organisation and
    /// purpose, so that equal values of different ones do not meet; only its hash is kept.
    ///
    /// # Errors
    /// When it cannot be told; refuse the request.
    pub async fn claim(&self, key: &str, expires_at: Timestamp, now: Timestamp) -> Result<Claim, ReplayUnavailable> {
        let key = chancery_keys::sha256(key.as_bytes());
        let expires_at = expires_at.max(now.plus(SHORTEST));
        match &self.0 {
            Kind::InProcess(claims) => claims.claim(key, expires_at, now),
            Kind::Redis(claims) => claims.claim(key, expires_at, now).await,
        }
    }
}

impl fmt::Debug for Replay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.0 {
            Kind::InProcess(_) => "Replay(in process)",
            Kind::Redis(_) => "Replay(Redis)",
        })
    }
}
