//! Claims in Redis.

use std::time::Duration;

use chancery_model::Timestamp;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{ExistenceCheck, SetExpiry, SetOptions};

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

    /// `SET key 1 NX PX rest`: Redis decides who is first. A command that fails is not sent again: it may have been
    /// carried out, and then the second one would call a first use a replay.
    pub(super) async fn claim(
        &self,
        key: [u8; 32],
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Result<Claim, ReplayUnavailable> {
        let rest = expires_at.millis().saturating_sub(now.millis());
        let rest = u64::try_from(rest).unwrap_or_default().max(1);
        let options = SetOptions::default().conditional_set(ExistenceCheck::NX).with_expiration(SetExpiry::PX(rest));
        let mut name = b"chancery:claim:".to_vec();
        name.extend_from_slice(&key);
        let mut connection = self.0.clone();
        let mut command = redis::cmd("SET");
        let answer: Option<String> =
            command.arg(name).arg(1).arg(options).query_async(&mut connection).await.map_err(unavailable)?;
        Ok(if answer.is_some() { Claim::Fresh } else { Claim::Replayed })
    }
}

fn unavailable(error: redis::RedisError) -> ReplayUnavailable {
    ReplayUnavailable::Redis(anyhow::Error::new(error))
}
