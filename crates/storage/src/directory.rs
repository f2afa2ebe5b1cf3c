//! Organisations: where each [`Organisation`] value comes from.

mod sandboxes;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use chancery_model::{
    ApiKey, Organisation, OrganisationId, OrganisationRecord, OrganisationStatus, Policy, Quotas, Slug, Timestamp,
};
use moka::future::Cache;
use sea_orm::prelude::Uuid;
use sea_orm::sea_query::{Expr, ExprTrait, Func, Query};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, FromQueryResult, Insert, Iterable, PaginatorTrait,
    QueryFilter, QueryOrder, QuerySelect, QueryTrait, Set,
};

pub use sandboxes::SandboxConflict;

use crate::connection::Durability;
use crate::entity::api_key;
use crate::entity::organisation::{ActiveModel, Column, Entity, Model};
use crate::error::is_unique_violation;
use crate::row::{Row, instant, to_json, to_name};
use crate::scope::{Scope, later};
use crate::store::Inner;
use crate::{Listed, Page, StoreError, api_keys, page};

/// The organisations of the deployment.
///
/// Lookups by id, slug, issuer identifier and path are remembered for five seconds; a change made through another process
/// is seen after that time, one made here at once.
#[derive(Clone, Copy)]
pub struct Directory<'s> {
    store: &'s Inner,
}

/// What another organisation has already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrganisationConflict {
    /// The slug.
    Slug,
    /// The issuer identifier.
    Issuer,
}

/// Answers kept for a moment, "nobody" among them: a flood of wrong paths should not reach the database either.
pub(crate) struct Known {
    by_id: Cache<OrganisationId, Option<Arc<Organisation>>>,
    by_slug: Cache<Slug, Option<Arc<Organisation>>>,
    by_issuer: Cache<String, Option<Arc<Organisation>>>,
    by_path: Cache<String, Arc<[Arc<Organisation>]>>,
    by_host: Cache<String, Arc<[Arc<Organisation>]>>,
}

impl<'s> Directory<'s> {
    /// Most organisations that are looked at for one host. Whoever asks wants to know whether there is just one.
    const SAME_HOST: u64 = 16;

    pub(crate) fn new(store: &'s Inner) -> Self {
        Self { store }
    }

    /// The organisation with this id, active or suspended.
    ///
    /// # Errors
    /// Those of the database, as for every method here.
    pub async fn organisation(&self, id: OrganisationId) -> Result<Option<Arc<Organisation>>, StoreError> {
        let cache = &self.store.known.by_id;
        if let Some(known) = cache.get(&id).await {
            return Ok(known);
        }
        let found = self.one(Condition::all().add(Column::Id.eq(id.as_uuid()))).await?;
        cache.insert(id, found.clone()).await;
        Ok(found)
    }

    /// The organisation with this slug, active or suspended.
    pub async fn organisation_by_slug(&self, slug: &Slug) -> Result<Option<Arc<Organisation>>, StoreError> {
        let cache = &self.store.known.by_slug;
        if let Some(known) = cache.get(slug).await {
            return Ok(known);
        }
        let found = self.one(Condition::all().add(Column::Slug.eq(slug.as_str()))).await?;
        cache.insert(slug.clone(), found.clone()).await;
        Ok(found)
    }

    /// The organisation with exactly this issuer identifier, active or suspended.
    pub async fn organisation_by_issuer(&self, issuer: &str) -> Result<Option<Arc<Organisation>>, StoreError> {
        let cache = &self.store.known.by_issuer;
        if let Some(known) = cache.get(issuer).await {
            return Ok(known);
        }
        let found = self.one(Condition::all().add(Column::Issuer.eq(issuer))).await?;
        cache.insert(issuer.to_owned(), found.clone()).await;
        Ok(found)
    }

    /// Organisations whose issuer identifier has one of these paths (`""` or `/a/b`) on any host, longest path first.
    /// Hand in all prefixes of a request's path.
    pub async fn organisations_by_path(&self, paths: &[&str]) -> Result<Vec<Arc<Organisation>>, StoreError> {
        let cache = &self.store.known.by_path;
        let mut found = Vec::new();
        let mut missing = Vec::new();
        for path in paths {
            match cache.get(*path).await {
                Some(known) => found.extend(known.iter().cloned()),
                None => missing.push(*path),
            }
        }
        if !missing.is_empty() {
            let wanted = Column::IssuerPath.is_in(missing.iter().copied());
            let rows = Entity::find().filter(wanted).all(self.store.database.reader()).await;
            let fresh = self.of_rows(self.store.database.noting(rows)?).await?;
            for path in missing {
                let there: Arc<[_]> = fresh.iter().filter(|it| it.issuer.path() == path).cloned().collect();
                cache.insert(path.to_owned(), there).await;
            }
            found.extend(fresh);
        }
        // Ids break ties, so that the order does not depend on what was cached.
        found.sort_by_key(|it| (std::cmp::Reverse(it.issuer.path().len()), it.id));
        Ok(found)
    }

    /// Organisations whose issuer identifier has this host (as `IssuerIdentifier::host` gives it), whatever its path.
    pub async fn organisations_by_host(&self, host: &str) -> Result<Arc<[Arc<Organisation>]>, StoreError> {
        let cache = &self.store.known.by_host;
        if let Some(known) = cache.get(host).await {
            return Ok(known);
        }
        let find = Entity::find().filter(Column::IssuerHost.eq(host)).order_by_asc(Column::Id).limit(Self::SAME_HOST);
        let rows = find.all(self.store.database.reader()).await;
        let found: Arc<[_]> = self.of_rows(self.store.database.noting(rows)?).await?.into();
        cache.insert(host.to_owned(), Arc::clone(&found)).await;
        Ok(found)
    }

    /// Organisations whose slug or name contains `search`; all when it is empty.
    pub async fn organisations(&self, search: &str, page: &Page) -> Result<Listed<Organisation>, StoreError> {
        let database = self.store.database.reader();
        let mut find = Entity::find();
        if !search.is_empty() {
            let pattern = page::containing(search);
            let name = Expr::expr(Func::lower(Expr::col(Column::Name))).like(pattern.clone());
            find = find.filter(Condition::any().add(Expr::col(Column::Slug).like(pattern)).add(name));
        }
        let total = find.clone().count(database).await?;
        let rows = find
            .order_by(Column::CreatedAt, page.order.into())
            .order_by(Column::Id, page.order.into())
            .offset(page.offset)
            .limit(page.limit)
            .all(database)
            .await?;
        let items = self.of_rows(rows).await?.into_iter().map(Arc::unwrap_or_clone).collect();
        Ok(Listed { items, total })
    }

    /// Creates an organisation together with its first API key.
    ///
    /// # Errors
    /// The inner one says what is taken.
    pub async fn create(
        &self,
        record: &OrganisationRecord,
        first_key: &ApiKey,
    ) -> Result<Result<(), OrganisationConflict>, StoreError> {
        let (row, key) = (to_row(record)?, api_keys::to_row(first_key)?);
        let connection = self.store.database.write(record.id, Durability::Full).await?;
        let scope = Scope::new(connection, record.id);
        let inserted = Insert::one(row).exec_without_returning(scope.connection()).await;
        match inserted {
            Ok(_) => {}
            Err(error) if is_unique_violation(&error) => {
                scope.into_connection().rollback().await?;
                return Ok(Err(self.conflict_of(record).await?));
            }
            Err(error) => return Err(error.into()),
        }
        scope.insert::<api_key::Entity>(key).await?;
        scope.into_connection().commit().await?;
        self.forget();
        Ok(Ok(()))
    }

    /// Replaces name and policy, each where it is given, and answers the organisation as it is then; `None` when there is
    /// none, or when it was changed since `seen`. Slug and issuer identifier never change: credentials and wallets refer to
    /// them.
    pub async fn update(
        &self,
        id: OrganisationId,
        name: Option<&str>,
        policy: Option<&Policy>,
        seen: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Option<Organisation>, StoreError> {
        let policy = policy.map(to_json).transpose()?;
        let name = name.map(|name| (Column::Name, Expr::value(name)));
        let set = name.into_iter().chain(policy.map(|policy| (Column::Policy, Expr::value(policy))));
        self.change(id, set, seen, now).await
    }

    /// Replaces the quotas and nothing else, and answers the organisation as it is then; `None` when there is none, or when
    /// it was changed since `seen`.
    pub async fn set_quotas(
        &self,
        id: OrganisationId,
        quotas: &Quotas,
        seen: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Option<Organisation>, StoreError> {
        let set = [(Column::Quotas, Expr::value(to_json(quotas)?))];
        self.change(id, set, seen, now).await
    }

    /// Suspends an organisation or lets it act again; `false` when there is no such organisation.
    pub async fn set_status(
        &self,
        id: OrganisationId,
        status: OrganisationStatus,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let set = [(Column::Status, Expr::value(to_name(&status)?))];
        Ok(self.change(id, set, None, now).await?.is_some())
    }

    /// Deletes an organisation, its sandboxes and everything they own; `false` when there is none, or when it was changed
    /// since `seen`.
    pub async fn delete(&self, id: OrganisationId, seen: Option<Timestamp>) -> Result<bool, StoreError> {
        let connection = self.store.database.write(id, Durability::Full).await?;
        let delete = Entity::delete_many().filter(version(id, seen));
        let deleted = delete.exec(&connection).await?.rows_affected == 1;
        connection.commit().await?;
        self.forget();
        Ok(deleted)
    }

    async fn change(
        &self,
        id: OrganisationId,
        set: impl IntoIterator<Item = (Column, Expr)>,
        seen: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Option<Organisation>, StoreError> {
        let mut update = Entity::update_many().filter(version(id, seen));
        for (column, value) in set {
            update = update.col_expr(column, value);
        }
        let mut update = update.col_expr(Column::UpdatedAt, later(Column::UpdatedAt, now)).into_query();
        update.returning(Query::returning().columns(Column::iter()));
        let changed = self.store.database.writer().query_one(&update).await?;
        self.forget();
        let rows = changed.map(|row| Model::from_query_result(&row, "")).transpose()?.into_iter().collect();
        Ok(self.of_rows(rows).await?.pop().map(Arc::unwrap_or_clone))
    }

    async fn one(&self, condition: Condition) -> Result<Option<Arc<Organisation>>, StoreError> {
        let found = Entity::find().filter(condition).one(self.store.database.reader()).await;
        let rows = self.store.database.noting(found)?.into_iter().collect();
        Ok(self.of_rows(rows).await?.pop())
    }

    /// Sandbox organisations are suspended with their parent, and have its quotas where they have none: it is looked up
    /// where there is one.
    async fn of_rows(&self, rows: Vec<Model>) -> Result<Vec<Arc<Organisation>>, StoreError> {
        let mut organisations = Vec::new();
        for row in rows {
            organisations.push(Organisation::from(from_row(row)?));
        }
        let ids: BTreeSet<Uuid> =
            organisations.iter().filter_map(|it| it.parent).map(OrganisationId::as_uuid).collect();
        if !ids.is_empty() {
            let find = Entity::find().filter(Column::Id.is_in(ids)).all(self.store.database.reader());
            let parents = self.store.database.noting(find.await)?;
            let parents = parents.into_iter().map(from_row).collect::<Result<Vec<_>, _>>()?;
            for organisation in &mut organisations {
                if let Some(parent) = parents.iter().find(|it| Some(it.id) == organisation.parent) {
                    follow(organisation, parent);
                }
            }
        }
        Ok(organisations.into_iter().map(Arc::new).collect())
    }

    async fn conflict_of(&self, record: &OrganisationRecord) -> Result<OrganisationConflict, DbErr> {
        let same_slug = Entity::find().filter(Column::Slug.eq(record.slug.as_str()));
        let slug_is_taken = same_slug.count(self.store.database.reader()).await? > 0;
        Ok(if slug_is_taken { OrganisationConflict::Slug } else { OrganisationConflict::Issuer })
    }

    /// Changes are rare: everything is read again.
    fn forget(&self) {
        self.store.known.by_id.invalidate_all();
        self.store.known.by_slug.invalidate_all();
        self.store.known.by_issuer.invalidate_all();
        self.store.known.by_path.invalidate_all();
        self.store.known.by_host.invalidate_all();
    }
}

impl Known {
    const LIFETIME: Duration = Duration::from_secs(5);
    const CAPACITY: u64 = 10_000;
}

impl Default for Known {
    fn default() -> Self {
        Self {
            by_id: Cache::builder().max_capacity(Self::CAPACITY).time_to_live(Self::LIFETIME).build(),
            by_slug: Cache::builder().max_capacity(Self::CAPACITY).time_to_live(Self::LIFETIME).build(),
            by_issuer: Cache::builder().max_capacity(Self::CAPACITY).time_to_live(Self::LIFETIME).build(),
            by_path: Cache::builder().max_capacity(Self::CAPACITY).time_to_live(Self::LIFETIME).build(),
            by_host: Cache::builder().max_capacity(Self::CAPACITY).time_to_live(Self::LIFETIME).build(),
        }
    }
}

impl std::fmt::Debug for Directory<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Directory")
    }
}

/// The organisation, as it was at `seen` where that is given.
fn version(id: OrganisationId, seen: Option<Timestamp>) -> Condition {
    let is_seen = seen.map(|seen| Column::UpdatedAt.eq(seen.millis()));
    Condition::all().add(Column::Id.eq(id.as_uuid())).add_option(is_seen)
}

fn follow(sandbox: &mut Organisation, parent: &OrganisationRecord) {
    if parent.status == OrganisationStatus::Suspended {
        sandbox.status = OrganisationStatus::Suspended;
    }
    sandbox.quotas = sandbox.quotas.or(parent.quotas);
}

fn to_row(record: &OrganisationRecord) -> Result<ActiveModel, StoreError> {
    Ok(ActiveModel {
        id: Set(record.id.as_uuid()),
        slug: Set(record.slug.as_str().to_owned()),
        name: Set(record.name.clone()),
        issuer: Set(record.issuer.as_str().to_owned()),
        issuer_host: Set(record.issuer.host().to_owned()),
        issuer_path: Set(record.issuer.path().to_owned()),
        status: Set(to_name(&record.status)?),
        policy: Set(to_json(&record.policy)?),
        quotas: Set(to_json(&record.quotas)?),
        created_at: Set(record.created_at.millis()),
        updated_at: Set(record.updated_at.millis()),
        parent_id: Set(record.parent.map(OrganisationId::as_uuid)),
        logo: Set(record.logo.clone()),
        cover: Set(record.cover.clone()),
    })
}

fn from_row(model: Model) -> Result<OrganisationRecord, StoreError> {
    let row = Row { table: "organisation", id: model.id };
    Ok(OrganisationRecord {
        id: model.id.into(),
        parent: model.parent_id.map(OrganisationId::from),
        logo: model.logo,
        cover: model.cover,
        slug: row.expect(Slug::parse(&model.slug).ok())?,
        name: model.name,
        issuer: row.name(model.issuer)?,
        status: row.name(model.status)?,
        policy: row.json(&model.policy)?,
        quotas: row.json(&model.quotas)?,
        created_at: instant(model.created_at),
        updated_at: instant(model.updated_at),
    })
}
