//! Claims in Redis.

use std::time::Duration;

use chancery_model::Timestamp;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{ExistenceCheck, RedisResult, SetExpiry, SetOptions};

use super::{Claim, ReplayUnavailable};

/// How long a wallet's request waits for Redis before it is answered 503.
const RESPONSE_TIMEOUT: Duration = Duration::from_millis(500);
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(1);
/// Attempts to get a connection back before those that wait for it are refused; the next request tries again.
const RECONNECTIONS: usize = 1;
/// Longest pause between them.
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// One connection that all requests share; lost, it is made again.
#[derive(Clone)]
pub(super) struct Claims(ConnectionManager);

impl Claims {
    pub(super) async fn connect(url: &str) -> Result<Self, ReplayUnavailable> {
        let client = redis::Client::open(url).map_err(unavailable)?;
        let config = ConnectionManagerConfig::new()
            .set_response_timeout(Some(RESPONSE_TIMEOUT))
            .set_connection_timeout(Some(CONNECTION_TIMEOUT))
            .set_number_of_retries(RECONNECTIONS)
            .set_max_delay(LONGEST_PAUSE);
        ConnectionManager::new_with_config(client, config).await.map(Self).map_err(unavailable)
    }

    /// The connection, for what travels beside the claims.
    pub(super) fn connection(&self) -> ConnectionManager {
        self.0.clone()
    }

    /// `SET key mark NX PX rest`: Redis decides who is first.
    ///
    /// When the connection is lost, once more over a new one. The first command may have been carried out, and would
    /// make the second look like a replay; the mark, which is of this very claim, tells.
    pub(super) async fn claim(
        &self,
        key: [u8; 32],
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Result<Claim, ReplayUnavailable> {
        let rest = expires_at.millis().saturating_sub(now.millis());
        let rest = u64::try_from(rest).unwrap_or_default().max(1);
        let mut name = b"chancery:claim:".to_vec();
        name.extend_from_slice(&key);
        let mark = chancery_keys::random_bytes::<16>();
        match self.set(&name, &mark, rest).await {
            Err(error) if is_lost(&error) => self.set_again(&name, &mark, rest).await,
            outcome => outcome,
        }
        .map_err(unavailable)
    }

    async fn set(&self, name: &[u8], mark: &[u8], rest: u64) -> RedisResult<Claim> {
        let options = SetOptions::default().conditional_set(ExistenceCheck::NX).with_expiration(SetExpiry::PX(rest));
        let mut command = redis::cmd("SET");
        command.arg(name).arg(mark).arg(options);
        let answer: Option<String> = command.query_async(&mut self.0.clone()).await?;
        Ok(if answer.is_some() { Claim::Fresh } else { Claim::Replayed })
    }

    async fn set_again(&self, name: &[u8], mark: &[u8], rest: u64) -> RedisResult<Claim> {
        if self.set(name, mark, rest).await? == Claim::Fresh {
            return Ok(Claim::Fresh);
        }
        let there: Option<Vec<u8>> = redis::cmd("GET").arg(name).query_async(&mut self.0.clone()).await?;
        Ok(if there.as_deref() == Some(mark) { Claim::Fresh } else { Claim::Replayed })
    }
}

/// Whether the connection broke: over a new one the command may succeed.
pub(super) fn is_lost(error: &redis::RedisError) -> bool {
    error.is_unrecoverable_error() || (error.is_io_error() && !error.is_timeout())
}

pub(super) fn unavailable(error: redis::RedisError) -> ReplayUnavailable {
    ReplayUnavailable::Redis(anyhow::Error::new(error))
}
