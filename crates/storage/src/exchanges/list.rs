//! The history of an organisation's exchanges.

use chancery_model::{DefinitionId, Exchange, ExchangeStatus, RevocationStatus};
use sea_orm::sea_query::{Expr, ExprTrait, SelectStatement};
use sea_orm::{ColumnTrait, Condition, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait};
use uuid::Uuid;

use super::from_row;
use crate::entity::exchange::{Column, Entity};
use crate::entity::{definition_revision, transcript_part};
use crate::row::to_name;
use crate::{Listed, Page, Read, StoreError, page};

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
    /// Those of this wallet.
    pub client_id: Option<String>,
    /// Those whose credential was picked up or accepted.
    pub accepted: Option<bool>,
    /// Those that have not come to an end.
    pub in_progress: Option<bool>,
    /// Those whose credentials were revoked or suspended.
    pub revoked: Option<bool>,
    /// Those that were denied.
    pub denied: Option<bool>,
    /// Those with this id or support code, or whose definition's label contains this, whatever its case.
    pub search: Option<String>,
}

impl Read {
    /// A page of the exchanges that `filter` admits, by time of creation.
    pub async fn exchanges(&self, filter: &ExchangeFilter, page: &Page) -> Result<Listed<Exchange>, StoreError> {
        let admitted = self.scope.find::<Entity>().filter(self.admitted_exchanges(filter)?);
        let total = admitted.clone().select_only().column(Column::Id).count(self.scope.connection()).await?;
        // The pages before this one are skipped in the index; rows, with all they hold, are read for this page only.
        let on_page = admitted
            .select_only()
            .column(Column::Id)
            .order_by(Column::CreatedAt, page.order.into())
            .order_by(Column::Id, page.order.into())
            .offset(page.offset)
            .limit(page.limit)
            .into_query();
        let find = self
            .scope
            .find::<Entity>()
            .filter(Column::Id.in_subquery(on_page))
            .order_by(Column::CreatedAt, page.order.into())
            .order_by(Column::Id, page.order.into());
        let rows = find.all(self.scope.connection()).await?;
        let items = rows.into_iter().map(from_row).collect::<Result<_, _>>()?;
        Ok(Listed { items, total })
    }

    fn admitted_exchanges(&self, filter: &ExchangeFilter) -> Result<Condition, StoreError> {
        let ExchangeFilter { status, definition_id, client_id, accepted, in_progress, revoked, denied, search } =
            filter;
        let mut admitted = Condition::all();
        if let Some(status) = status {
            admitted = admitted.add(Column::Status.eq(status.name()));
        }
        if let Some(id) = definition_id {
            admitted = admitted.add(Column::DefinitionId.eq(id.as_uuid()));
        }
        if let Some(client_id) = client_id {
            admitted = admitted.add(Column::ClientId.eq(client_id));
        }
        if let Some(search) = search {
            admitted = admitted.add(self.found_by(search));
        }
        let is_operational = to_name(&RevocationStatus::Operational)?;
        let groups = [
            (accepted, Column::Status.is_in(ACCEPTED.map(ExchangeStatus::name))),
            (in_progress, Column::Status.is_in(IN_PROGRESS.map(ExchangeStatus::name))),
            (revoked, Column::RevocationStatus.ne(is_operational)),
            (denied, Column::Status.eq(ExchangeStatus::IssuanceDenied.name())),
        ];
        let mut shown = Condition::any();
        for (switch, group) in groups {
            match switch {
                Some(true) => shown = shown.add(group),
                Some(false) => admitted = admitted.add(group.not()),
                None => {}
            }
        }
        Ok(if shown.is_empty() { admitted } else { admitted.add(shown) })
    }

    fn found_by(&self, search: &str) -> Condition {
        let search = search.trim();
        let mut found = Condition::any().add(Column::Id.in_subquery(self.with_support_code(search))).add(
            Expr::tuple([Expr::col((Entity, Column::DefinitionId)), Expr::col((Entity, Column::DefinitionRevision))])
                .in_subquery(self.labelled(search)),
        );
        if let Ok(id) = Uuid::try_parse(search) {
            found = found.add(Column::Id.eq(id));
        }
        found
    }

    /// Support codes are read out: case does not matter.
    fn with_support_code(&self, code: &str) -> SelectStatement {
        let wanted = transcript_part::Column::SupportCode.eq(code.to_ascii_uppercase());
        let parts = self.scope.find::<transcript_part::Entity>().filter(wanted);
        parts.select_only().column(transcript_part::Column::ExchangeId).into_query()
    }

    /// Revisions by the label they had.
    fn labelled(&self, search: &str) -> SelectStatement {
        use definition_revision::{Column, Entity};
        let alike = Expr::col(Column::SearchLabel).like(page::containing(search));
        let revisions = self.scope.find::<Entity>().filter(alike).select_only();
        revisions.column(Column::DefinitionId).column(Column::Revision).into_query()
    }
}

const ACCEPTED: [ExchangeStatus; 2] = [ExchangeStatus::CredentialAcked, ExchangeStatus::CredentialAccepted];

const IN_PROGRESS: [ExchangeStatus; 4] = [
    ExchangeStatus::OfferSent,
    ExchangeStatus::OfferReceived,
    ExchangeStatus::TokenIssued,
    ExchangeStatus::CredentialIssued,
];
