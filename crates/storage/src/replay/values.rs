//! What one process of a deployment knows for a moment, and another may have to know.

use std::fmt;
use std::time::Duration;

use redis::aio::ConnectionManager;
use redis::{ExistenceCheck, SetExpiry, SetOptions};

use super::ReplayUnavailable;
use super::redis::{is_lost, unavailable};

/// Keeps small values in Redis for a moment, on the connection of the claims of use. Clones share it.
///
/// A value may be lost at any moment, and callers bear that. They seal what they keep.
#[derive(Clone)]
pub struct SharedValues(pub(super) ConnectionManager);

impl SharedValues {
    /// Keeps `value` under `key`, unless something is kept there: whether it is kept now.
    ///
    /// # Errors
    /// When Redis does not answer in time.
    pub async fn keep_first(&self, key: &[u8], value: &[u8], life: Duration) -> Result<bool, ReplayUnavailable> {
        self.set(key, value, options(life).conditional_set(ExistenceCheck::NX)).await
    }

    /// Keeps `value` under `key`, in the place of what is kept there.
    ///
    /// # Errors
    /// When Redis does not answer in time.
    pub async fn keep(&self, key: &[u8], value: &[u8], life: Duration) -> Result<(), ReplayUnavailable> {
        self.set(key, value, options(life)).await.map(drop)
    }

    /// What is kept under `key`. When the connection is lost, it is asked for once more over a new one.
    ///
    /// # Errors
    /// When Redis does not answer in time.
    pub async fn kept(&self, key: &[u8]) -> Result<Option<Vec<u8>>, ReplayUnavailable> {
        let mut command = redis::cmd("GET");
        command.arg(name(key));
        match command.query_async(&mut self.0.clone()).await {
            Err(error) if is_lost(&error) => command.query_async(&mut self.0.clone()).await,
            outcome => outcome,
        }
        .map_err(unavailable)
    }

    async fn set(&self, key: &[u8], value: &[u8], options: SetOptions) -> Result<bool, ReplayUnavailable> {
        let mut command = redis::cmd("SET");
        command.arg(name(key)).arg(value).arg(options);
        let answer: Option<String> = command.query_async(&mut self.0.clone()).await.map_err(unavailable)?;
        Ok(answer.is_some())
    }
}

impl fmt::Debug for SharedValues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedValues")
    }
}

fn options(life: Duration) -> SetOptions {
    let life = u64::try_from(life.as_millis()).unwrap_or(u64::MAX).max(1);
    SetOptions::default().with_expiration(SetExpiry::PX(life))
}

/// Only a hash of the key is kept.
fn name(key: &[u8]) -> Vec<u8> {
    [b"chancery:value:".as_slice(), &chancery_keys::sha256(key)].concat()
}
