//! Adding, revising and deleting definitions.

use std::collections::HashSet;

use std::sync::atomic::Ordering;

use chancery_model::{Definition, DefinitionId, ExchangeStatus, Timestamp};
use sea_orm::sea_query::{Expr, LockType, SelectStatement};
use sea_orm::{ColumnTrait, Condition, PaginatorTrait, QueryFilter, QuerySelect, QueryTrait, Set};

use crate::entity::{configuration, definition, definition_revision, exchange, exchange_grant};
use crate::error::is_unique_violation;
use crate::row::to_json;
use crate::{StoreError, Transaction};

/// What became of a change to a definition. Nothing was written unless it says `Saved`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum DefinitionChange {
    /// It is stored.
    Saved,
    /// Somebody else has revised the definition since it was read.
    Stale,
    /// There is no such definition, or it was deleted.
    NotFound,
    /// Another definition, or another entry of this one, publishes this configuration id.
    ConfigurationIdTaken(String),
}

/// What became of the wish to delete a definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum DefinitionDeletion {
    /// It is gone; its revisions stay for the history of its exchanges.
    Deleted,
    /// An exchange can still lead to a first credential.
    InUse,
    /// There is no such definition.
    NotFound,
    /// It has another revision than was expected.
    Stale,
}

impl Transaction {
    /// Adds a definition in its first revision.
    pub async fn add_definition(&self, definition: &Definition) -> Result<DefinitionChange, StoreError> {
        if let Some(taken) = self.taken_configuration(definition).await? {
            return Ok(DefinitionChange::ConfigurationIdTaken(taken));
        }
        self.add_revision(definition).await?;
        let row = definition::ActiveModel {
            id: Set(definition.id.as_uuid()),
            revision: Set(i64::from(definition.revision)),
            created_at: Set(definition.created_at.millis()),
            ..Default::default()
        };
        self.scope.insert::<definition::Entity>(row).await?;
        self.add_configurations(definition).await?;
        Ok(DefinitionChange::Saved)
    }

    /// Adds the next revision: `definition.revision` is one more than that of the revision it was made from.
    pub async fn revise_definition(&self, definition: &Definition) -> Result<DefinitionChange, StoreError> {
        let made_from = i64::from(definition.revision).saturating_sub(1);
        // The lock lets running issue calls pass, which only refer to the definition's key.
        match self.lock_definition(definition.id, LockType::NoKeyUpdate).await? {
            None => return Ok(DefinitionChange::NotFound),
            Some(current) if current.revision != made_from => return Ok(DefinitionChange::Stale),
            Some(_) => {}
        }
        if let Some(taken) = self.taken_configuration(definition).await? {
            return Ok(DefinitionChange::ConfigurationIdTaken(taken));
        }
        self.add_revision(definition).await?;
        let advance = self
            .scope
            .update::<definition::Entity>()
            .col_expr(definition::Column::Revision, Expr::value(i64::from(definition.revision)))
            .filter(definition::Column::Id.eq(definition.id.as_uuid()))
            .filter(definition::Column::Revision.eq(made_from));
        if !self.scope.happened(advance).await? {
            return Err(contended());
        }
        let outdated = configuration::Column::DefinitionId.eq(definition.id.as_uuid());
        self.scope.delete::<configuration::Entity>().filter(outdated).exec(self.scope.connection()).await?;
        self.add_configurations(definition).await?;
        Ok(DefinitionChange::Saved)
    }

    /// Deletes a definition unless an exchange is open: an unexpired offer, or an access token that can still fetch a
    /// first credential. `expected` is the revision that the caller knows.
    pub async fn delete_definition(
        &self,
        id: DefinitionId,
        expected: Option<u32>,
        now: Timestamp,
    ) -> Result<DefinitionDeletion, StoreError> {
        // Adding an exchange needs the row that this locks, so none can appear until we are done.
        match self.lock_definition(id, LockType::Update).await? {
            None => return Ok(DefinitionDeletion::NotFound),
            Some(current) if expected.is_some_and(|expected| i64::from(expected) != current.revision) => {
                return Ok(DefinitionDeletion::Stale);
            }
            Some(_) => {}
        }
        let its_exchange = exchange::Column::DefinitionId.eq(id.as_uuid());
        let open = self.scope.find::<exchange::Entity>().filter(its_exchange).filter(self.can_issue(now));
        if open.count(self.scope.connection()).await? > 0 {
            return Ok(DefinitionDeletion::InUse);
        }
        let delete = self.scope.delete::<definition::Entity>().filter(definition::Column::Id.eq(id.as_uuid()));
        delete.exec(self.scope.connection()).await?;
        Ok(DefinitionDeletion::Deleted)
    }

    async fn lock_definition(&self, id: DefinitionId, lock: LockType) -> Result<Option<definition::Model>, StoreError> {
        let find = self.scope.find::<definition::Entity>().filter(definition::Column::Id.eq(id.as_uuid()));
        Ok(find.lock(lock).one(self.scope.connection()).await?)
    }

    /// Exchanges whose code can still be redeemed or whose token can still be used.
    fn can_issue(&self, now: Timestamp) -> Condition {
        let with_token = Condition::all()
            .add(exchange::Column::Status.eq(ExchangeStatus::TokenIssued.name()))
            .add(exchange::Column::Id.in_subquery(self.with_live_token(now)));
        Condition::all()
            .add(exchange::Column::Status.is_in(ExchangeStatus::OPEN.map(ExchangeStatus::name)))
            .add(Condition::any().add(exchange::Column::ExpiresAt.gt(now.millis())).add(with_token))
    }

    fn with_live_token(&self, now: Timestamp) -> SelectStatement {
        use exchange_grant::Column;
        let live = self.scope.find::<exchange_grant::Entity>().filter(Column::AccessTokenExpiresAt.gt(now.millis()));
        live.select_only().column(Column::ExchangeId).into_query()
    }

    /// A configuration id of `definition` that is used twice.
    async fn taken_configuration(&self, definition: &Definition) -> Result<Option<String>, StoreError> {
        use configuration::Column;
        let ids: Vec<&str> = definition.content.entries.iter().map(|entry| entry.configuration_id.as_str()).collect();
        let mut seen = HashSet::new();
        if let Some(twice) = ids.iter().find(|id| !seen.insert(**id)) {
            return Ok(Some((*twice).to_owned()));
        }
        let others = self
            .scope
            .find::<configuration::Entity>()
            .filter(Column::ConfigurationId.is_in(ids))
            .filter(Column::DefinitionId.ne(definition.id.as_uuid()));
        Ok(others.one(self.scope.connection()).await?.map(|taken| taken.configuration_id))
    }

    async fn add_revision(&self, definition: &Definition) -> Result<(), StoreError> {
        self.adds_revisions.store(true, Ordering::Relaxed);
        let row = definition_revision::ActiveModel {
            definition_id: Set(definition.id.as_uuid()),
            revision: Set(i64::from(definition.revision)),
            content: Set(to_json(&definition.content)?),
            search_label: Set(definition.content.label.to_lowercase()),
            definition_created_at: Set(definition.created_at.millis()),
            created_at: Set(definition.updated_at.millis()),
            ..Default::default()
        };
        Ok(self.scope.insert::<definition_revision::Entity>(row).await?)
    }

    async fn add_configurations(&self, definition: &Definition) -> Result<(), StoreError> {
        let row = |entry: &chancery_model::Entry| configuration::ActiveModel {
            configuration_id: Set(entry.configuration_id.clone()),
            definition_id: Set(definition.id.as_uuid()),
            vct: Set(entry.vct.clone()),
            ..Default::default()
        };
        let rows = definition.content.entries.iter().map(row).collect();
        match self.scope.insert_all::<configuration::Entity>(rows).await {
            Err(error) if is_unique_violation(&error) => Err(contended()),
            other => Ok(other?),
        }
    }
}

/// Two changes met between check and write. The database has kept them apart; trying again gives the plain answer.
fn contended() -> StoreError {
    StoreError::Unavailable(anyhow::anyhow!("a definition was changed at the same moment"))
}
