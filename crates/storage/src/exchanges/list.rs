//! The history of an organisation's exchanges.

use std::collections::HashSet;

use chancery_model::{DefinitionId, Exchange, ExchangeStatus, IndividualId, RevocationStatus, Timestamp};
use sea_orm::sea_query::{Asterisk, Expr, ExprTrait, Func, Query, SelectStatement};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait, Select,
};
use uuid::Uuid;

use super::from_row;
use super::segments::{Count, Position, Segment, Stretch, earlier_than, later_than};
use crate::entity::exchange::{Column, Entity};
use crate::entity::{definition_revision, exchange_grant, transcript_part};
use crate::{Listed, Order, Page, Read, StoreError, page};

/// Which exchanges a list shows; the default shows all.
///
/// The four switches are groups: those set to `true` are shown, all of them together; those set to `false` are left
/// out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExchangeFilter {
    /// Those with this status.
    pub status: Option<ExchangeStatus>,
    /// Those of this definition, in any revision.
    pub definition_id: Option<DefinitionId>,
    /// Those that this wallet has redeemed.
    pub client_id: Option<String>,
    /// Those that were addressed to this individual.
    pub individual_id: Option<IndividualId>,
    /// Those whose credential was picked up or accepted.
    pub accepted: Option<bool>,
    /// Those that have not come to an end.
    pub in_progress: Option<bool>,
    /// Those whose credentials were revoked or suspended.
    pub revoked: Option<bool>,
    /// Those that were denied.
    pub denied: Option<bool>,
    /// Those with this id or support code; when there is none, those whose definition's label contains this, whatever
    /// its case.
    pub search: Option<String>,
    /// Those created at this instant or later.
    pub created_from: Option<Timestamp>,
    /// Those created before this instant.
    pub created_before: Option<Timestamp>,
}

/// A part of the history that `ExchangeFilter` admits.
struct Part {
    stretch: Stretch,
    count: u64,
}

/// What a filter comes to.
enum Sought {
    /// Nothing is like that.
    Nothing,
    /// These and no others, which an index finds.
    Few(Condition),
    /// Those of the history with this condition; of definitions only these revisions, if any are named.
    Many(Condition, Option<HashSet<(Uuid, i64)>>),
}

impl Read {
    /// A page of the exchanges that `filter` admits, by time of creation.
    ///
    /// Exchanges of one wallet or individual are counted up to [`ExchangeFilter::MOST_OF_WALLET`].
    pub async fn exchanges(&self, filter: &ExchangeFilter, page: &Page) -> Result<Listed<Exchange>, StoreError> {
        match self.sought(filter).await? {
            Sought::Nothing => Ok(Listed { items: Vec::new(), total: 0 }),
            Sought::Few(condition) => {
                let items = self.rows(condition.clone(), page.offset, page.limit, page.order).await?;
                Ok(Listed { items, total: self.count_few(condition).await? })
            }
            Sought::Many(condition, labelled) => {
                let mut parts = self.parts(filter, &condition, labelled.as_ref()).await?;
                let total = parts.iter().map(|part| part.count).sum();
                if page.order == Order::NewestFirst {
                    parts.reverse();
                }
                let items = self.items_in(&parts, &condition, page).await?;
                Ok(Listed { items, total })
            }
        }
    }

    /// Up to `limit` of the exchanges that `filter` admits, from `after` on (or from the beginning), in `order`. Walking
    /// on from the last one of each answer meets each exchange once, whatever is added or removed meanwhile.
    pub async fn exchanges_after(
        &self,
        filter: &ExchangeFilter,
        after: Option<Position>,
        limit: u64,
        order: Order,
    ) -> Result<Vec<Exchange>, StoreError> {
        let beyond = after.map(|position| match order {
            Order::NewestFirst => earlier_than(position),
            Order::OldestFirst => later_than(position),
        });
        match self.sought(filter).await? {
            Sought::Nothing => Ok(Vec::new()),
            Sought::Few(condition) => self.rows(condition.add_option(beyond), 0, limit, order).await,
            Sought::Many(condition, _) => {
                let condition = condition.add_option(beyond);
                let mut stretches: Vec<Stretch> = self
                    .segments()
                    .await?
                    .into_iter()
                    .map(|segment| segment.stretch)
                    .filter(|stretch| after.is_none_or(|after| stretch.goes_beyond(after, order)))
                    .collect();
                if order == Order::NewestFirst {
                    stretches.reverse();
                }
                let mut items = Vec::new();
                for stretch in stretches {
                    let missing = limit.saturating_sub(length(&items));
                    if missing == 0 {
                        break;
                    }
                    let there = condition.clone().add(stretch.condition());
                    items.extend(self.rows(there, 0, missing, order).await?);
                }
                Ok(items)
            }
        }
    }

    /// Walks over the parts, whose counts may be a little old.
    async fn items_in(&self, parts: &[Part], condition: &Condition, page: &Page) -> Result<Vec<Exchange>, StoreError> {
        let mut skip = page.offset;
        let mut items = Vec::new();
        for part in parts {
            if skip >= part.count {
                skip -= part.count;
                continue;
            }
            let missing = page.limit.saturating_sub(length(&items));
            let there = condition.clone().add(part.stretch.condition());
            items.extend(self.rows(there, skip, missing, page.order).await?);
            skip = 0;
            if length(&items) >= page.limit {
                break;
            }
        }
        Ok(items)
    }

    /// The history in parts of which each is counted, oldest first.
    async fn parts(
        &self,
        filter: &ExchangeFilter,
        condition: &Condition,
        labelled: Option<&HashSet<(Uuid, i64)>>,
    ) -> Result<Vec<Part>, StoreError> {
        let mut parts = Vec::new();
        let mut uncounted: Option<Stretch> = None;
        for Segment { stretch, counts } in self.segments().await? {
            if !filter.touches(stretch) {
                continue;
            }
            match counts.filter(|_| filter.spans(stretch)) {
                Some(counts) => {
                    if let Some(before) = uncounted.take() {
                        parts.push(self.counted(before, condition).await?);
                    }
                    let admitted = counts.iter().filter(|count| filter.admits(count, labelled));
                    parts.push(Part { stretch, count: admitted.map(|count| count.4).sum() });
                }
                None => {
                    let after = uncounted.map_or(stretch.after, |before| before.after);
                    uncounted = Some(Stretch { after, last: stretch.last });
                }
            }
        }
        if let Some(rest) = uncounted {
            parts.push(self.counted(rest, condition).await?);
        }
        Ok(parts)
    }

    async fn counted(&self, stretch: Stretch, condition: &Condition) -> Result<Part, StoreError> {
        let there = self.scope.find::<Entity>().filter(condition.clone()).filter(stretch.condition());
        Ok(Part { stretch, count: there.select_only().column(Column::Id).count(self.scope.connection()).await? })
    }

    async fn count_few(&self, condition: Condition) -> Result<u64, StoreError> {
        let few = self.scope.find::<Entity>().filter(condition).select_only().column(Column::Id);
        let few = few.limit(ExchangeFilter::MOST_OF_WALLET).into_query();
        let mut count = Query::select();
        count.expr_as(Func::count(Expr::col(Asterisk)), "count").from_subquery(few, "few");
        let row = self.scope.connection().query_one(&count).await?;
        let count: i64 = row.map(|row| row.try_get("", "count")).transpose()?.unwrap_or_default();
        Ok(u64::try_from(count).unwrap_or_default())
    }

    async fn rows(
        &self,
        condition: Condition,
        offset: u64,
        limit: u64,
        order: Order,
    ) -> Result<Vec<Exchange>, StoreError> {
        let ordered =
            |find: Select<Entity>| find.order_by(Column::CreatedAt, order.into()).order_by(Column::Id, order.into());
        // What is passed over is passed over in the index; rows, with all they hold, are read for this page only.
        let on_page = ordered(self.scope.find::<Entity>().filter(condition)).select_only().column(Column::Id);
        let ids: Vec<Uuid> = on_page.offset(offset).limit(limit).into_tuple().all(self.scope.connection()).await?;
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let find = ordered(self.scope.find::<Entity>().filter(Column::Id.is_in(ids)));
        find.all(self.scope.connection()).await?.into_iter().map(from_row).collect()
    }

    async fn sought(&self, filter: &ExchangeFilter) -> Result<Sought, StoreError> {
        let mut condition = filter.condition();
        let mut labelled = None;
        if let Some(search) = &filter.search {
            let search = search.trim();
            let ids = self.direct_hits(search).await?;
            if !ids.is_empty() {
                return Ok(Sought::Few(condition.add(Column::Id.is_in(ids))));
            }
            let revisions = self.labelled(search).await?;
            if revisions.is_empty() {
                return Ok(Sought::Nothing);
            }
            let column = |column: Column| Expr::col((Entity, column));
            let mut any = Condition::any();
            for (definition, revision) in &revisions {
                let is_of = column(Column::DefinitionId).eq(*definition);
                any = any.add(is_of.and(column(Column::DefinitionRevision).eq(*revision)));
            }
            condition = condition.add(any);
            labelled = Some(revisions);
        }
        if let Some(client_id) = &filter.client_id {
            let redeemed = Column::Id.in_subquery(self.redeemed_by(client_id));
            condition = condition.add(redeemed).add(Column::ClientId.eq(client_id));
        }
        if let Some(individual) = filter.individual_id {
            condition = condition.add(Column::Id.in_subquery(self.addressed_to(individual)));
        }
        if filter.client_id.is_some() || filter.individual_id.is_some() {
            return Ok(Sought::Few(condition));
        }
        Ok(Sought::Many(condition, labelled))
    }

    /// The exchange with that id or support code. Support codes are read out: case does not matter.
    async fn direct_hits(&self, search: &str) -> Result<Vec<Uuid>, StoreError> {
        let wanted = transcript_part::Column::SupportCode.eq(search.to_ascii_uppercase());
        let parts = self.scope.find::<transcript_part::Entity>().filter(wanted);
        let parts = parts.select_only().column(transcript_part::Column::ExchangeId);
        let mut ids: Vec<Uuid> = parts.into_tuple().all(self.scope.connection()).await?;
        ids.extend(Uuid::try_parse(search).ok());
        Ok(ids)
    }

    fn redeemed_by(&self, client_id: &str) -> SelectStatement {
        use exchange_grant::Column;
        let grants = self.scope.find::<exchange_grant::Entity>().filter(Column::ClientId.eq(client_id));
        grants.select_only().column(Column::ExchangeId).into_query()
    }

    /// Revisions by the label they had.
    async fn labelled(&self, search: &str) -> Result<HashSet<(Uuid, i64)>, StoreError> {
        use definition_revision::{Column, Entity};
        let alike = Expr::col(Column::SearchLabel).like(page::containing(search));
        let revisions = self.scope.find::<Entity>().filter(alike).select_only();
        let revisions = revisions.column(Column::DefinitionId).column(Column::Revision).limit(MOST_LABELLED);
        let revisions: Vec<(Uuid, i64)> = revisions.into_tuple().all(self.scope.connection()).await?;
        Ok(revisions.into_iter().collect())
    }
}

impl Stretch {
    /// Whether something in it may come after `position` in that order.
    fn goes_beyond(self, position: Position, order: Order) -> bool {
        match order {
            Order::OldestFirst => self.last.is_none_or(|last| last > position),
            Order::NewestFirst => self.after.is_none_or(|after| after < position),
        }
    }
}

impl ExchangeFilter {
    /// As far as exchanges of one wallet or individual are counted.
    pub const MOST_OF_WALLET: u64 = 10_000;

    fn condition(&self) -> Condition {
        let mut admitted = Condition::all()
            .add_option(self.status.map(|status| Column::Status.eq(status.name())))
            .add_option(self.definition_id.map(|id| Column::DefinitionId.eq(id.as_uuid())))
            .add_option(self.created_from.map(|from| Column::CreatedAt.gte(from.millis())))
            .add_option(self.created_before.map(|before| Column::CreatedAt.lt(before.millis())));
        let groups = [
            (self.accepted, Column::Status.is_in(ACCEPTED.map(ExchangeStatus::name))),
            (self.in_progress, Column::Status.is_in(IN_PROGRESS.map(ExchangeStatus::name))),
            (self.revoked, Column::RevocationStatus.ne(RevocationStatus::Operational.name())),
            (self.denied, Column::Status.eq(ExchangeStatus::IssuanceDenied.name())),
        ];
        let mut shown = Condition::any();
        for (switch, group) in groups {
            match switch {
                Some(true) => shown = shown.add(group),
                Some(false) => admitted = admitted.add(group.not()),
                None => {}
            }
        }
        if shown.is_empty() { admitted } else { admitted.add(shown) }
    }

    /// Says of a counted kind what [`Self::condition`] says of a row, but for the time of creation.
    fn admits(&self, count: &Count, labelled: Option<&HashSet<(Uuid, i64)>>) -> bool {
        let Count(definition, revision, status, revocation, _) = count;
        let groups = [
            (self.accepted, ACCEPTED.contains(status)),
            (self.in_progress, IN_PROGRESS.contains(status)),
            (self.revoked, *revocation != RevocationStatus::Operational),
            (self.denied, *status == ExchangeStatus::IssuanceDenied),
        ];
        let is_left_out = groups.iter().any(|(switch, belongs)| *switch == Some(false) && *belongs);
        let mut wanted = groups.iter().filter(|(switch, _)| *switch == Some(true)).peekable();
        let is_shown = wanted.peek().is_none() || wanted.any(|(_, belongs)| *belongs);
        self.status.is_none_or(|wanted| wanted == *status)
            && self.definition_id.is_none_or(|wanted| wanted.as_uuid() == *definition)
            && labelled.is_none_or(|revisions| revisions.contains(&(*definition, *revision)))
            && !is_left_out
            && is_shown
    }

    /// Whether something in the stretch may have been created in the wanted time.
    fn touches(&self, stretch: Stretch) -> bool {
        self.created_from.is_none_or(|from| stretch.last.is_none_or(|last| last.created_at >= from))
            && self.created_before.is_none_or(|before| stretch.after.is_none_or(|after| after.created_at < before))
    }

    /// Whether everything in the stretch was created in the wanted time.
    fn spans(&self, stretch: Stretch) -> bool {
        self.created_from.is_none_or(|from| stretch.after.is_some_and(|after| after.created_at >= from))
            && self.created_before.is_none_or(|before| stretch.last.is_some_and(|last| last.created_at < before))
    }
}

fn length(items: &[Exchange]) -> u64 {
    u64::try_from(items.len()).unwrap_or(u64::MAX)
}

/// Revisions that a search by label looks at.
const MOST_LABELLED: u64 = 500;

const ACCEPTED: [ExchangeStatus; 2] = [ExchangeStatus::CredentialAcked, ExchangeStatus::CredentialAccepted];

const IN_PROGRESS: [ExchangeStatus; 4] = [
    ExchangeStatus::OfferSent,
    ExchangeStatus::OfferReceived,
    ExchangeStatus::TokenIssued,
    ExchangeStatus::CredentialIssued,
];
