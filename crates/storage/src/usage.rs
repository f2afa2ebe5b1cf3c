//! How much an organisation has done, counted as it is.

use chancery_model::{RevocationStatus, Timestamp};
use sea_orm::{ColumnTrait, Condition, PaginatorTrait, QueryFilter};

use crate::entity::{credential, exchange};
use crate::{Read, StoreError};

impl Read {
    /// Exchanges that were created at this instant or later. Reads as much of an index.
    ///
    /// # Errors
    /// Those of the database, as for every lookup.
    pub async fn exchanges_since(&self, since: Timestamp) -> Result<u64, StoreError> {
        let find = self.scope.find::<exchange::Entity>().filter(exchange::Column::CreatedAt.gte(since.millis()));
        Ok(find.count(self.scope.connection()).await?)
    }

    /// Credentials that are neither expired nor revoked; those that are suspended live. Reads all credentials of the
    /// organisation: an index would cost every issuance more than it saves here.
    pub async fn live_credentials(&self, now: Timestamp) -> Result<u64, StoreError> {
        use credential::Column;
        let is_valid = Column::Status.ne(RevocationStatus::Revoked.name());
        let stands = Condition::any().add(Column::Status.is_null()).add(is_valid);
        let find = self.scope.find::<credential::Entity>().filter(Column::ExpiresAt.gt(now.millis())).filter(stands);
        Ok(find.count(self.scope.connection()).await?)
    }
}
