use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Where the status of a credential is found: the content of `status.status_list` (§6.2). The same members, with the
/// same text keys, stand in a credential in CBOR (§6.3).
///
/// Index and list together name one credential for ever: neither is given to a second one (§13.3).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Reference {
    /// The index in the list.
    pub idx: u32,
    /// The URL of the list, equal to the `sub` of its token.
    pub uri: String,
}

/// Why the `status` claim of a credential does not lead to a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// There is no `status_list` in it; another mechanism may be.
    #[error("the status claim names no status list")]
    Absent,
    /// `idx` is not an integer from 0, or larger than any list, or `uri` is not a string.
    #[error("the reference to the status list is malformed")]
    Malformed,
}

impl Reference {
    /// The `status` claim of a credential.
    #[must_use]
    pub fn to_status(&self) -> Value {
        let reference =
            Map::from_iter([("idx".to_owned(), self.idx.into()), ("uri".to_owned(), self.uri.as_str().into())]);
        Map::from_iter([("status_list".to_owned(), reference.into())]).into()
    }

    /// Reads the `status` claim of a credential. Other mechanisms in it are ignored.
    ///
    /// # Errors
    /// See [`ReferenceError`].
    pub fn from_status(status: &Value) -> Result<Self, ReferenceError> {
        let reference = status.get("status_list").ok_or(ReferenceError::Absent)?;
        Self::deserialize(reference).map_err(|_| ReferenceError::Malformed)
    }
}

/// The document at the aggregation endpoint, `application/json` (§9.3).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Aggregation {
    /// The URLs of lists.
    pub status_lists: Vec<String>,
}
