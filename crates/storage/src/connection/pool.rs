//! Connections to PostgreSQL for units of work.
//!
//! A connection comes back without a word to the server: whoever gives it back knows that nothing is under way on it.

use std::sync::Arc;
use std::time::Duration;

use deadpool::Runtime;
use deadpool::managed::{self, Metrics, Object, PoolConfig, QueueMode, RecycleError, RecycleResult, Timeouts};
use sea_orm::sqlx::postgres::PgConnectOptions;
use sea_orm::sqlx::{ConnectOptions as _, Connection as _, PgConnection};
use sea_orm::{DbErr, RuntimeErr};

use super::Doubt;

/// Connections that were not used for longer are tried first: the server may have restarted.
pub(crate) const TRUSTED_IDLE: Duration = Duration::from_secs(5);
/// Connections that were not used for longer are closed.
const IDLE_LIFETIME: Duration = Duration::from_secs(600);
/// How often that is looked after.
const TIDYING: Duration = Duration::from_secs(60);

pub(crate) type Pooled = Object<Connector>;

/// Connections of one process. Clones share them.
#[derive(Clone)]
pub(crate) struct Pool {
    connections: managed::Pool<Connector>,
    doubt: Arc<Doubt>,
}

pub(crate) struct Connector {
    options: PgConnectOptions,
    doubt: Arc<Doubt>,
}

impl Pool {
    /// At most `size` connections; `patience` is how long a unit of work waits for one.
    pub(crate) fn new(
        options: PgConnectOptions,
        size: usize,
        patience: Duration,
        doubt: Arc<Doubt>,
    ) -> Result<Self, DbErr> {
        let connector = Connector { options: options.disable_statement_logging(), doubt: Arc::clone(&doubt) };
        let mut config = PoolConfig::new(size);
        config.timeouts = Timeouts { wait: Some(patience), create: Some(patience), recycle: Some(patience) };
        // The last one used has its statements and the server's caches at hand, and those at the end may go.
        config.queue_mode = QueueMode::Lifo;
        let connections = managed::Pool::builder(connector).config(config).runtime(Runtime::Tokio1).build();
        let connections = connections.map_err(|error| DbErr::Custom(error.to_string()))?;
        tokio::spawn(tidy(connections.weak()));
        Ok(Self { connections, doubt })
    }

    pub(super) async fn get(&self) -> Result<Pooled, DbErr> {
        self.connections.get().await.map_err(|error| {
            let error = match error {
                managed::PoolError::Backend(error) => error,
                managed::PoolError::Timeout(_) => sea_orm::sqlx::Error::PoolTimedOut,
                managed::PoolError::Closed
                | managed::PoolError::NoRuntimeSpecified
                | managed::PoolError::PostCreateHook(_) => sea_orm::sqlx::Error::PoolClosed,
            };
            DbErr::Conn(RuntimeErr::SqlxError(Arc::new(error)))
        })
    }

    pub(super) fn doubt(&self) -> &Arc<Doubt> {
        &self.doubt
    }
}

impl managed::Manager for Connector {
    type Type = PgConnection;
    type Error = sea_orm::sqlx::Error;

    async fn create(&self) -> Result<PgConnection, Self::Error> {
        self.options.connect().await
    }

    async fn recycle(&self, connection: &mut PgConnection, metrics: &Metrics) -> RecycleResult<Self::Error> {
        // Since it was taken the last time, which is a little longer than it has been idle.
        let unused = metrics.last_used();
        if unused >= TRUSTED_IDLE || self.doubt.concerns(unused) {
            connection.ping().await.map_err(RecycleError::Backend)?;
        }
        Ok(())
    }
}

/// Closes connections that nobody needs any more, as long as there is a pool.
async fn tidy(connections: managed::WeakPool<Connector>) {
    let mut interval = tokio::time::interval(TIDYING);
    loop {
        interval.tick().await;
        let Some(connections) = connections.upgrade() else { return };
        connections.retain(|_, metrics| metrics.last_used() < IDLE_LIFETIME);
    }
}
