//! Budgets in Redis that any number of processes draw on.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use redis::Script;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};

/// How long a request waits for Redis before it goes on without.
const RESPONSE_TIMEOUT: Duration = Duration::from_millis(250);
const CONNECTION_TIMEOUT: Duration = Duration::from_millis(250);
/// Attempts to get a connection back before those that wait for it go on without; a later draw tries again.
const RECONNECTIONS: usize = 1;
/// Longest pause between them.
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// Takes `ARGV[1]` out of the budget `KEYS[1]` whose depth is `ARGV[2]`, at `ARGV[3]`, all in microseconds: 0, or how much
/// is missing. What is stored is when the budget will be full again; one that is full is not stored. It is kept for a
/// while longer than needed, because clocks differ.
const DRAW: &str = r"
local cost, depth, now = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local full_at = math.max(tonumber(redis.call('GET', KEYS[1]) or now), now)
local missing = full_at + cost - now - depth
if missing > 0 then
  return missing
end
local rest = math.ceil((full_at + cost - now) / 1000) + 60000
redis.call('SET', KEYS[1], string.format('%.0f', full_at + cost), 'PX', string.format('%.0f', rest))
return 0";

/// Budgets that refill steadily (the generic cell rate algorithm), in Redis. Clones share one connection.
#[derive(Clone)]
pub struct SharedBudgets {
    connection: ConnectionManager,
    script: Arc<Script>,
}

/// What a process wants out of a budget, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Draw {
    /// Time in which the budget refills by as much as is wanted; positive.
    pub cost: i64,
    /// Time in which it fills when it is empty; at least `cost`.
    pub depth: i64,
    /// The present, since 1970.
    pub now: i64,
}

/// Whether a budget had enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Drawn {
    /// It had, and has that much less now.
    Granted,
    /// It had not, and nothing was taken. There is enough after this many microseconds.
    Missing(i64),
}

/// Redis does not answer, or not in time. The draw may have been made all the same.
#[derive(Debug, thiserror::Error)]
#[error("Redis is unavailable")]
pub struct BudgetsUnavailable(#[source] anyhow::Error);

impl SharedBudgets {
    /// Budgets in the Redis that `url` names, as for [`crate::Replay::redis`].
    ///
    /// # Errors
    /// When it cannot be reached.
    pub async fn connect(url: &str) -> Result<Self, BudgetsUnavailable> {
        let client = redis::Client::open(url).map_err(unavailable)?;
        let config = ConnectionManagerConfig::new()
            .set_response_timeout(Some(RESPONSE_TIMEOUT))
            .set_connection_timeout(Some(CONNECTION_TIMEOUT))
            .set_number_of_retries(RECONNECTIONS)
            .set_max_delay(LONGEST_PAUSE);
        let connection = ConnectionManager::new_with_config(client, config).await.map_err(unavailable)?;
        Ok(Self { connection, script: Arc::new(Script::new(DRAW)) })
    }

    /// Takes all that is wanted, or nothing. The key names organisation and purpose; only its hash is kept.
    ///
    /// # Errors
    /// When it cannot be told.
    pub async fn draw(&self, key: &[u8], draw: Draw) -> Result<Drawn, BudgetsUnavailable> {
        let mut name = b"chancery:budget:".to_vec();
        name.extend_from_slice(&chancery_keys::sha256(key));
        let mut call = self.script.key(name);
        call.arg(draw.cost).arg(draw.depth).arg(draw.now);
        match call.invoke_async(&mut self.connection.clone()).await.map_err(unavailable)? {
            missing if missing > 0 => Ok(Drawn::Missing(missing)),
            _ => Ok(Drawn::Granted),
        }
    }
}

impl fmt::Debug for SharedBudgets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedBudgets")
    }
}

fn unavailable(error: redis::RedisError) -> BudgetsUnavailable {
    BudgetsUnavailable(anyhow::Error::new(error))
}
