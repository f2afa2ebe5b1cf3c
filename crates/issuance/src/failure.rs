//! Rejections are data, failures are logs.

use chancery_keys::{KeyError, SealError};
use chancery_storage::StoreError;

/// Why a use case did not answer. `R` is the closed list of reasons for which it refuses its caller.
#[derive(Debug)]
pub enum Failure<R> {
    /// The caller's doing.
    Rejected(R),
    /// Something we depend on is away; the same request may succeed later.
    Unavailable(anyhow::Error),
    /// Our fault.
    Internal(anyhow::Error),
}

impl<R> Failure<R> {
    /// The same failure with its rejection turned into another list's.
    pub fn map_rejection<S>(self, change: impl FnOnce(R) -> S) -> Failure<S> {
        match self {
            Self::Rejected(rejection) => Failure::Rejected(change(rejection)),
            Self::Unavailable(cause) => Failure::Unavailable(cause),
            Self::Internal(cause) => Failure::Internal(cause),
        }
    }
}

impl<R: Copy> Failure<R> {
    /// The same failure once more, for somebody else who wants to know; causes become texts.
    pub fn again(&self) -> Self {
        match self {
            Self::Rejected(rejection) => Self::Rejected(*rejection),
            Self::Unavailable(cause) => Self::Unavailable(anyhow::anyhow!("{cause:#}")),
            Self::Internal(cause) => Self::Internal(anyhow::anyhow!("{cause:#}")),
        }
    }
}

impl<R> From<StoreError> for Failure<R> {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(_) => Self::Unavailable(error.into()),
            StoreError::Corrupt { .. } | StoreError::Internal(_) => Self::Internal(error.into()),
        }
    }
}

impl<R> From<KeyError> for Failure<R> {
    fn from(error: KeyError) -> Self {
        Self::Internal(error.into())
    }
}

impl<R> From<SealError> for Failure<R> {
    fn from(error: SealError) -> Self {
        Self::Internal(error.into())
    }
}
