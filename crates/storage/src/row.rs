//! Between columns and the model. A column that the model cannot mean is an error that names table and row.

use std::fmt::Display;

use chancery_model::{SecretHash, Timestamp};
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::StoreError;

/// The row that is being read.
#[derive(Clone, Copy)]
pub(crate) struct Row<I> {
    pub(crate) table: &'static str,
    pub(crate) id: I,
}

impl<I: Display> Row<I> {
    pub(crate) fn corrupt(&self) -> StoreError {
        StoreError::Corrupt { table: self.table, row: self.id.to_string() }
    }

    /// `value`, unless it is missing.
    pub(crate) fn expect<T>(&self, value: Option<T>) -> Result<T, StoreError> {
        value.ok_or_else(|| self.corrupt())
    }

    /// JSON text.
    pub(crate) fn json<T: DeserializeOwned>(&self, text: &str) -> Result<T, StoreError> {
        serde_json::from_str(text).map_err(|_| self.corrupt())
    }

    /// The name of a variant, as JSON has it.
    pub(crate) fn name<T: DeserializeOwned>(&self, name: String) -> Result<T, StoreError> {
        serde_json::from_value(serde_json::Value::String(name)).map_err(|_| self.corrupt())
    }

    pub(crate) fn hash(&self, bytes: &[u8]) -> Result<SecretHash, StoreError> {
        self.expect(SecretHash::from_bytes(bytes))
    }

    /// A number in the range of the model's type.
    pub(crate) fn number<T: TryFrom<i64>>(&self, number: i64) -> Result<T, StoreError> {
        self.expect(T::try_from(number).ok())
    }
}

pub(crate) fn instant(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

pub(crate) fn maybe_instant(millis: Option<i64>) -> Option<Timestamp> {
    millis.map(Timestamp::from_millis)
}

/// Below this are the ids that were made until `then` (UUIDv7, RFC 9562 §5.7).
pub(crate) fn first_id_after(then: Timestamp) -> Uuid {
    let millis = u64::try_from(then.millis()).unwrap_or_default().saturating_add(1);
    uuid::Builder::from_unix_timestamp_millis(millis, &[0; 10]).into_uuid()
}

pub(crate) fn hash_bytes(hash: &SecretHash) -> Vec<u8> {
    hash.as_bytes().to_vec()
}

/// JSON text of a value of the model.
pub(crate) fn to_json(value: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(unwritable)
}

/// The name of a variant, as JSON has it.
pub(crate) fn to_name(variant: &impl Serialize) -> Result<String, StoreError> {
    let value = serde_json::to_value(variant).map_err(unwritable)?;
    let name = value.as_str().ok_or_else(|| StoreError::Internal(anyhow::anyhow!("a variant without a name")))?;
    Ok(name.to_owned())
}

/// The parser's message is left out: it could quote a value.
fn unwritable(_: serde_json::Error) -> StoreError {
    StoreError::Internal(anyhow::anyhow!("a value cannot be written as JSON"))
}
