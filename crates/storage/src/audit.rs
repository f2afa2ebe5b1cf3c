//! The audit log. Entries are written once when a request comes in, completed once when it is answered, and never touched
//! again: completing an entry puts it into the chain of its organisation.

use chancery_model::{Actor, AuditEntry, AuditEntryId, AuditLink, AuditOutcome, Timestamp};
use sea_orm::sea_query::{Expr, LockType, OnConflict};
use sea_orm::{ColumnTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, Select, Set, UpdateMany};
use uuid::Uuid;

use crate::entity::audit_entry::{ActiveModel, Column, Entity, Model};
use crate::entity::audit_head;
use crate::row::{Row, instant};
use crate::{Listed, Page, Read, StoreError, Transaction};

/// Which entries are looked for; what is `None` does not matter.
#[derive(Clone, Debug, Default)]
pub struct AuditFilter {
    /// Name of the operation.
    pub action: Option<String>,
    /// How it ended.
    pub outcome: Option<AuditOutcome>,
    /// The key that was shown.
    pub actor: Option<Uuid>,
    /// Name of the key or person, as [`Actor::name`].
    pub actor_name: Option<String>,
    /// Path of what was to be changed.
    pub target: Option<String>,
    /// From this instant on.
    pub since: Option<Timestamp>,
    /// Before this instant.
    pub until: Option<Timestamp>,
}

impl Read {
    /// Entries in the order in which requests came in.
    ///
    /// # Errors
    /// Those of the database, as for every lookup.
    pub async fn audit_entries(&self, filter: &AuditFilter, page: &Page) -> Result<Listed<AuditEntry>, StoreError> {
        let find = self.audit_where(filter);
        let total = find.clone().count(self.scope.connection()).await?;
        // Ids are in the order of time.
        let find = find.order_by(Column::Id, page.order.into()).offset(page.offset).limit(page.limit);
        let rows = find.all(self.scope.connection()).await?;
        Ok(Listed { items: rows.into_iter().map(from_row).collect::<Result<_, _>>()?, total })
    }

    /// Entries of the chain behind this place, in order, each with its place; `None` for one that makes no sense, because
    /// somebody changed it.
    pub async fn audit_chain(&self, after: u64, limit: u64) -> Result<Vec<(u64, Option<AuditEntry>)>, StoreError> {
        let find = self.scope.find::<Entity>().filter(Column::Sequence.gt(signed(after)));
        let rows = find.order_by_asc(Column::Sequence).limit(limit).all(self.scope.connection()).await?;
        let place = |row: &Model| row.sequence.and_then(|sequence| u64::try_from(sequence).ok()).unwrap_or_default();
        Ok(rows.into_iter().map(|row| (place(&row), from_row(row).ok())).collect())
    }

    /// Where the chain ends; `None` before the first entry.
    pub async fn audit_head(&self) -> Result<Option<AuditLink>, StoreError> {
        let head = self.scope.find::<audit_head::Entity>().one(self.scope.connection()).await?;
        head.map(head_from_row).transpose()
    }

    /// How many entries came in before this instant and are not in the chain.
    pub async fn audit_unfinished(&self, before: Timestamp) -> Result<u64, StoreError> {
        let find = self.scope.find::<Entity>().filter(Column::Sequence.is_null());
        Ok(find.filter(Column::At.lt(before.millis())).count(self.scope.connection()).await?)
    }

    fn audit_where(&self, filter: &AuditFilter) -> Select<Entity> {
        let mut find = self.scope.find::<Entity>();
        let AuditFilter { action, outcome, actor, actor_name, target, since, until } = filter;
        if let Some(action) = action {
            find = find.filter(Column::Action.eq(action));
        }
        if let Some(outcome) = outcome {
            find = find.filter(Column::Outcome.eq(outcome.name()));
        }
        if let Some(actor) = actor {
            find = find.filter(Column::ActorId.eq(*actor));
        }
        if let Some(name) = actor_name {
            find = find.filter(Column::ActorName.eq(name));
        }
        if let Some(target) = target {
            find = find.filter(Column::Target.eq(target));
        }
        if let Some(since) = since {
            find = find.filter(Column::At.gte(since.millis()));
        }
        if let Some(until) = until {
            find = find.filter(Column::At.lt(until.millis()));
        }
        find
    }
}

impl Transaction {
    /// Adds an entry that is not in the chain.
    pub async fn add_audit_entry(&self, entry: &AuditEntry) -> Result<(), StoreError> {
        Ok(self.scope.insert::<Entity>(to_row(entry)).await?)
    }

    /// Adds an entry whose place is `link`, and moves the end of the chain there, which this unit of work holds.
    pub async fn chain_audit_entry(&self, entry: &AuditEntry, link: &AuditLink) -> Result<(), StoreError> {
        let rows = self.scope.rows::<Entity>([to_row(entry)]);
        match self.scope.happened_with(self.moving_audit_head(link), [rows]).await? {
            true => Ok(()),
            false => Err(StoreError::Internal(anyhow::anyhow!("an audit chain without an end"))),
        }
    }

    /// Where the chain ends; it stays there until this unit of work ends: whoever goes on with it waits.
    pub async fn hold_audit_head(&self) -> Result<AuditLink, StoreError> {
        let first = audit_head::ActiveModel {
            sequence: Set(signed(AuditLink::START.sequence)),
            mac: Set(AuditLink::START.mac.to_vec()),
            ..Default::default()
        };
        let find = || self.scope.find::<audit_head::Entity>().lock(LockType::Update).one(self.scope.connection());
        if let Some(head) = find().await? {
            return head_from_row(head);
        }
        let leave = OnConflict::column(audit_head::Column::OrganisationId).do_nothing().to_owned();
        self.scope.insert_or::<audit_head::Entity>(first, leave).await?;
        find().await?.map_or(Ok(AuditLink::START), head_from_row)
    }

    /// Entries that came in before this instant and are not in the chain, oldest first.
    pub async fn audit_entries_unfinished_before(
        &self,
        before: Timestamp,
        limit: u64,
    ) -> Result<Vec<AuditEntry>, StoreError> {
        let find = self.scope.find::<Entity>().filter(Column::Sequence.is_null());
        let find = find.filter(Column::At.lt(before.millis())).order_by_asc(Column::Id).limit(limit);
        find.all(self.scope.connection()).await?.into_iter().map(from_row).collect()
    }

    /// Completes an entry and puts it at `link`; `false` when it is in the chain already, or unknown.
    pub async fn complete_audit_entry(&self, entry: &AuditEntry, link: &AuditLink) -> Result<bool, StoreError> {
        let complete = self
            .scope
            .update::<Entity>()
            .col_expr(Column::Outcome, Expr::value(entry.outcome.name()))
            .col_expr(Column::Status, Expr::value(i64::from(entry.status)))
            .col_expr(Column::Problem, Expr::value(entry.problem.clone()))
            .col_expr(Column::After, Expr::value(entry.after.clone()))
            .col_expr(Column::Sequence, Expr::value(signed(link.sequence)))
            .col_expr(Column::Mac, Expr::value(link.mac.to_vec()))
            .filter(Column::Id.eq(entry.id.as_uuid()))
            .filter(Column::Sequence.is_null());
        Ok(self.scope.happened(complete).await?)
    }

    /// Moves the end of the chain, which this unit of work holds.
    pub async fn move_audit_head(&self, link: &AuditLink) -> Result<(), StoreError> {
        self.moving_audit_head(link).exec(self.scope.connection()).await?;
        Ok(())
    }

    fn moving_audit_head(&self, link: &AuditLink) -> UpdateMany<audit_head::Entity> {
        self.scope
            .update::<audit_head::Entity>()
            .col_expr(audit_head::Column::Sequence, Expr::value(signed(link.sequence)))
            .col_expr(audit_head::Column::Mac, Expr::value(link.mac.to_vec()))
    }
}

/// Places are counted from 1 and never get near the end of the range.
fn signed(sequence: u64) -> i64 {
    i64::try_from(sequence).unwrap_or(i64::MAX)
}

fn to_row(entry: &AuditEntry) -> ActiveModel {
    ActiveModel {
        id: Set(entry.id.as_uuid()),
        at: Set(entry.at.millis()),
        actor_kind: Set(entry.actor.kind.name().to_owned()),
        actor_id: Set(entry.actor.id),
        actor_name: Set(entry.actor.name.clone()),
        actor_role: Set(entry.actor.role.clone()),
        address: Set(entry.address.clone()),
        action: Set(entry.action.clone()),
        target: Set(entry.target.clone()),
        outcome: Set(entry.outcome.name().to_owned()),
        status: Set(i64::from(entry.status)),
        problem: Set(entry.problem.clone()),
        request_id: Set(entry.request_id.clone()),
        before: Set(entry.before.clone()),
        after: Set(entry.after.clone()),
        sequence: Set(entry.link.map(|link| signed(link.sequence))),
        mac: Set(entry.link.map(|link| link.mac.to_vec())),
        ..Default::default()
    }
}

fn from_row(model: Model) -> Result<AuditEntry, StoreError> {
    let row = Row { table: "audit_entry", id: model.id };
    let link = match (model.sequence, model.mac) {
        (Some(sequence), Some(mac)) => {
            Some(AuditLink { sequence: row.number(sequence)?, mac: row.expect(mac.try_into().ok())? })
        }
        (None, None) => None,
        (Some(_), None) | (None, Some(_)) => return Err(row.corrupt()),
    };
    Ok(AuditEntry {
        id: AuditEntryId::from(model.id),
        at: instant(model.at),
        actor: Actor {
            kind: row.name(model.actor_kind)?,
            id: model.actor_id,
            name: model.actor_name,
            role: model.actor_role,
        },
        address: model.address,
        action: model.action,
        target: model.target,
        request_id: model.request_id,
        outcome: row.expect(AuditOutcome::parse(&model.outcome))?,
        status: row.number(model.status)?,
        problem: model.problem,
        before: model.before,
        after: model.after,
        link,
    })
}

fn head_from_row(model: audit_head::Model) -> Result<AuditLink, StoreError> {
    let row = Row { table: "audit_head", id: model.organisation_id };
    Ok(AuditLink { sequence: row.number(model.sequence)?, mac: row.expect(model.mac.try_into().ok())? })
}
