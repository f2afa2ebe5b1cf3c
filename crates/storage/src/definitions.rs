//! Definitions in their revisions.

mod changes;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use chancery_model::{Definition, DefinitionId, OrganisationId};
use moka::future::Cache;
use sea_orm::sea_query::{Expr, ExprTrait, Func, SelectStatement};
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, JoinType, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait,
    RelationDef, Select,
};

use crate::entity::definition_revision::{Column, Entity, Model};
use crate::entity::{configuration, definition};
use crate::row::{Row, instant};
use crate::{Listed, Page, Read, StoreError, page};

pub use changes::{DefinitionChange, DefinitionDeletion};

/// Which definitions a list shows; the default shows all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DefinitionFilter {
    /// Those with an entry of this type.
    pub vct: Option<String>,
    /// Those whose label, or the configuration id or type of an entry, contains this, whatever its case.
    pub search: Option<String>,
}

/// Revisions that were read lately. They never change, so they are kept until there is no room, by size.
pub(crate) struct Revisions(Cache<(OrganisationId, DefinitionId, u32), Revision>);

#[derive(Clone)]
struct Revision {
    definition: Arc<Definition>,
    size: u32,
}

impl Read {
    /// A definition in its newest revision; `None` when it was deleted.
    ///
    /// # Errors
    /// Those of the database, as for every lookup.
    pub async fn definition(&self, id: DefinitionId) -> Result<Option<Definition>, StoreError> {
        let found = self.newest().filter(Column::DefinitionId.eq(id.as_uuid())).one(self.scope.connection()).await?;
        found.map(from_row).transpose()
    }

    /// A definition in the given revision, also when it was revised or deleted since. Mostly from memory.
    pub async fn definition_at(&self, id: DefinitionId, revision: u32) -> Result<Option<Arc<Definition>>, StoreError> {
        let key = (self.scope.organisation(), id, revision);
        let cache = &self.store.revisions.0;
        if let Some(known) = cache.get(&key).await {
            return Ok(Some(known.definition));
        }
        let find = self.scope.find::<Entity>().filter(Column::DefinitionId.eq(id.as_uuid()));
        let found = find.filter(Column::Revision.eq(i64::from(revision))).one(self.scope.connection()).await?;
        let Some(model) = found else { return Ok(None) };
        let size = u32::try_from(model.content.len()).unwrap_or(u32::MAX);
        let definition = Arc::new(from_row(model)?);
        if !self.adds_revisions.load(Ordering::Relaxed) {
            cache.insert(key, Revision { definition: Arc::clone(&definition), size }).await;
        }
        Ok(Some(definition))
    }

    /// Every definition in its newest revision, oldest definition first: what the issuer metadata publishes.
    pub async fn all_definitions(&self) -> Result<Vec<Definition>, StoreError> {
        let find = self.newest().order_by_asc(Column::DefinitionCreatedAt).order_by_asc(Column::DefinitionId);
        find.all(self.scope.connection()).await?.into_iter().map(from_row).collect()
    }

    /// A page of the definitions that `filter` admits, by time of creation.
    pub async fn definitions(&self, filter: &DefinitionFilter, page: &Page) -> Result<Listed<Definition>, StoreError> {
        let find = self.newest().filter(self.admitted(filter));
        let total = find.clone().count(self.scope.connection()).await?;
        let find = find
            .order_by(Column::DefinitionCreatedAt, page.order.into())
            .order_by(Column::DefinitionId, page.order.into())
            .offset(page.offset)
            .limit(page.limit);
        let rows = find.all(self.scope.connection()).await?;
        let items = rows.into_iter().map(from_row).collect::<Result<_, _>>()?;
        Ok(Listed { items, total })
    }

    fn newest(&self) -> Select<Entity> {
        self.scope.find::<Entity>().join(JoinType::InnerJoin, current())
    }

    fn admitted(&self, filter: &DefinitionFilter) -> Condition {
        let mut admitted = Condition::all();
        if let Some(vct) = &filter.vct {
            let of_type = self.publishing(Condition::all().add(configuration::Column::Vct.eq(vct)));
            admitted = admitted.add(Column::DefinitionId.in_subquery(of_type));
        }
        if let Some(search) = &filter.search {
            let pattern = page::containing(search);
            let lower = |column| Expr::expr(Func::lower(Expr::col(column)));
            let in_entry = self.publishing(
                Condition::any()
                    .add(lower(configuration::Column::ConfigurationId).like(pattern.clone()))
                    .add(lower(configuration::Column::Vct).like(pattern.clone())),
            );
            admitted = admitted.add(
                Condition::any()
                    .add(Expr::col((Entity, Column::SearchLabel)).like(pattern))
                    .add(Column::DefinitionId.in_subquery(in_entry)),
            );
        }
        admitted
    }

    /// Ids of the definitions with an entry like this.
    fn publishing(&self, condition: Condition) -> SelectStatement {
        let find = self.scope.find::<configuration::Entity>().filter(condition);
        find.select_only().column(configuration::Column::DefinitionId).into_query()
    }
}

impl Revisions {
    /// Bytes of JSON, about a third of what the values take in memory.
    const CAPACITY: u64 = 8 << 20;
}

impl Default for Revisions {
    fn default() -> Self {
        let by_size = |_: &_, revision: &Revision| revision.size;
        Self(Cache::builder().max_capacity(Self::CAPACITY).weigher(by_size).build())
    }
}

/// From a revision to the definition whose newest one it is.
fn current() -> RelationDef {
    use definition::Column as Definition;
    Entity::belongs_to(definition::Entity)
        .from((Column::OrganisationId, Column::DefinitionId, Column::Revision))
        .to((Definition::OrganisationId, Definition::Id, Definition::Revision))
        .into()
}

fn from_row(model: Model) -> Result<Definition, StoreError> {
    let row = Row { table: "definition_revision", id: model.definition_id };
    Ok(Definition {
        id: model.definition_id.into(),
        revision: row.number(model.revision)?,
        content: row.json(&model.content)?,
        created_at: instant(model.definition_created_at),
        updated_at: instant(model.created_at),
    })
}
