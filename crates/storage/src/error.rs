//! What can go wrong below the use cases.

use sea_orm::{DbErr, RuntimeErr, SqlErr};

/// Why the database did not answer.
///
/// Messages name statements' problems, never their values.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database is away, overloaded or restarting; the same call may succeed later.
    #[error("the database is unavailable")]
    Unavailable(#[source] anyhow::Error),
    /// A row holds something that this version of the program cannot mean.
    #[error("row {row} of table {table} cannot be read")]
    Corrupt {
        /// The table.
        table: &'static str,
        /// The row's id.
        row: String,
    },
    /// The statement is wrong: our fault.
    #[error("the database refused a statement")]
    Internal(#[source] anyhow::Error),
}

impl From<DbErr> for StoreError {
    fn from(error: DbErr) -> Self {
        // Only the text is kept: the driver's error object carries the values of a violated key.
        let cause = anyhow::anyhow!("{error}");
        if is_unavailable(&error) { Self::Unavailable(cause) } else { Self::Internal(cause) }
    }
}

pub(crate) fn is_unique_violation(error: &DbErr) -> bool {
    matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_)))
}

pub(crate) fn is_unavailable(error: &DbErr) -> bool {
    if let DbErr::ConnectionAcquire(_) = error {
        return true;
    }
    let (DbErr::Conn(RuntimeErr::SqlxError(cause))
    | DbErr::Exec(RuntimeErr::SqlxError(cause))
    | DbErr::Query(RuntimeErr::SqlxError(cause))) = error
    else {
        return false;
    };
    is_driver_unavailable(cause)
}

/// Tells "the database is away" from "the statement is wrong".
pub(crate) fn is_driver_unavailable(error: &sqlx::Error) -> bool {
    use sqlx::Error;
    if let Error::Database(refusal) = error {
        return refusal.code().is_some_and(|code| is_transient(&code));
    }
    matches!(
        error,
        Error::Io(_)
            | Error::Tls(_)
            | Error::Protocol(_)
            | Error::PoolTimedOut
            | Error::PoolClosed
            | Error::WorkerCrashed
            | Error::BeginFailed
    )
}

/// Codes of a refusal that is not the statement's fault. SQLSTATE has five characters; SQLite's codes are numbers whose
/// low byte is the primary code.
fn is_transient(code: &str) -> bool {
    if code.len() == 5 {
        // Connection, resources, operator intervention (a statement time-out among them), serialization, lock
        // time-out, and a primary that has become a standby.
        let class = code.get(..2).unwrap_or_default();
        return matches!(class, "08" | "40" | "53" | "57" | "58") || matches!(code, "55P03" | "25006");
    }
    // BUSY, LOCKED, IOERR, FULL, CANTOPEN, PROTOCOL.
    code.parse::<u32>().is_ok_and(|code| matches!(code & 0xff, 5 | 6 | 10 | 13 | 14 | 15))
}

#[cfg(test)]
mod tests {
    use super::is_transient;

    #[test]
    fn a_restart_is_told_from_a_wrong_statement() {
        for transient in ["57P01", "08006", "53300", "40P01", "25006", "5", "517", "6", "10", "13"] {
            assert!(is_transient(transient), "{transient}");
        }
        for ours in ["42601", "23505", "42P01", "22P02", "1", "787", "2067"] {
            assert!(!is_transient(ours), "{ours}");
        }
    }
}
