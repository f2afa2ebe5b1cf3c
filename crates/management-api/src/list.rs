//! What all lists have in common.

use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

/// Where a page stands in its list.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "currentPage": 1, "totalItems": 42, "totalPages": 5, "limit": 10, "hasPrevious": false, "hasNext": true
}))]
pub(crate) struct Pagination {
    /// `offset / limit + 1`.
    current_page: u64,
    /// Items in the whole list.
    total_items: u64,
    /// Pages in the whole list.
    total_pages: u64,
    /// Page length asked for.
    limit: u32,
    /// Whether something comes before.
    has_previous: bool,
    /// Whether something comes after.
    has_next: bool,
}

impl From<chancery_issuance::management::Pagination> for Pagination {
    fn from(pagination: chancery_issuance::management::Pagination) -> Self {
        let chancery_issuance::management::Pagination {
            current_page,
            total_items,
            total_pages,
            limit,
            has_previous,
            has_next,
        } = pagination;
        Self { current_page, total_items, total_pages, limit, has_previous, has_next }
    }
}

/// The part of a list that is asked for.
#[derive(IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
#[expect(dead_code, reason = "only describes the query, which `request.rs` reads")]
pub(crate) struct WindowQuery {
    /// Items to pass over.
    #[param(default = 0, maximum = 4_294_967_295_u32)]
    offset: Option<u32>,
    /// Items to answer.
    #[param(default = 10, minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// Newest (`desc`) or oldest (`asc`) first.
    #[param(inline, default = "desc")]
    sort_order: Option<SortOrder>,
}

/// Newest (`desc`) or oldest (`asc`) first.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "only describes the query, which `request.rs` reads")]
pub(crate) enum SortOrder {
    Desc,
    Asc,
}

/// A deed is done.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Done {
    /// Always `true`.
    #[schema(example = true)]
    success: bool,
}

impl Done {
    pub(crate) const DONE: Self = Self { success: true };
}
