//! Lists in pages: `offset`, `limit`, and the pagination object of the answer.

/// Longest page that is handed out.
pub const MOST_PER_PAGE: u32 = 100;

/// Which part of a list is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Items to pass over.
    pub offset: u64,
    /// Items to hand out, 1 to [`MOST_PER_PAGE`].
    pub limit: u32,
    /// Which end comes first.
    pub order: Order,
}

impl Default for Window {
    fn default() -> Self {
        Self { offset: 0, limit: 10, order: Order::NewestFirst }
    }
}

impl From<Window> for chancery_storage::Page {
    fn from(window: Window) -> Self {
        Self { offset: window.offset, limit: u64::from(window.limit), order: window.order.into() }
    }
}

impl From<Order> for chancery_storage::Order {
    fn from(order: Order) -> Self {
        match order {
            Order::NewestFirst => Self::NewestFirst,
            Order::OldestFirst => Self::OldestFirst,
        }
    }
}

/// Which end of a list comes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// `desc`.
    #[default]
    NewestFirst,
    /// `asc`.
    OldestFirst,
}

/// One page of a list.
#[derive(Clone, Debug)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// Where the page stands in the list.
    pub pagination: Pagination,
}

impl<T> Page<T> {
    /// The page that `window` cuts from a list of `total` items.
    pub(crate) fn new(items: Vec<T>, total: u64, window: Window) -> Self {
        Self { items, pagination: Pagination::new(total, window.offset, window.limit) }
    }

    /// The page that the database cut.
    pub(crate) fn listed(listed: chancery_storage::Listed<T>, window: Window) -> Self {
        Self::new(listed.items, listed.total, window)
    }

    /// The page that `window` cuts from a whole list, which is newest first. For short lists only.
    pub(crate) fn cut(mut all: Vec<T>, window: Window) -> Self {
        let total = u64::try_from(all.len()).unwrap_or(u64::MAX);
        if window.order == Order::OldestFirst {
            all.reverse();
        }
        let offset = usize::try_from(window.offset).unwrap_or(usize::MAX);
        let limit = usize::try_from(window.limit).unwrap_or(usize::MAX);
        Self::new(all.into_iter().skip(offset).take(limit).collect(), total, window)
    }
}

/// The pagination object of a list answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pagination {
    /// `offset / limit + 1`.
    pub current_page: u64,
    /// Items in the whole list.
    pub total_items: u64,
    /// Pages in the whole list.
    pub total_pages: u64,
    /// Page length asked for.
    pub limit: u32,
    /// Whether something comes before.
    pub has_previous: bool,
    /// Whether something comes after.
    pub has_next: bool,
}

impl Pagination {
    /// Where `offset` and `limit` stand in a list of `total` items. A `limit` of 0 is taken as 1.
    pub fn new(total: u64, offset: u64, limit: u32) -> Self {
        let length = u64::from(limit.max(1));
        Self {
            current_page: offset / length + 1,
            total_items: total,
            total_pages: total.div_ceil(length),
            limit,
            has_previous: offset > 0 && total > 0,
            has_next: offset.saturating_add(length) < total,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_add_up_around_the_page_length() {
        // (items, pages, whether a second page follows the first)
        for (total, pages, has_next) in [(0, 0, false), (1, 1, false), (10, 1, false), (11, 2, true)] {
            let first = Pagination::new(total, 0, 10);
            assert_eq!((first.total_items, first.total_pages, first.has_next), (total, pages, has_next));
            assert_eq!((first.current_page, first.has_previous), (1, false));
        }
    }

    #[test]
    fn a_page_is_cut_from_either_end() {
        let cut = |offset, order| Page::cut(vec![3, 2, 1], Window { offset, limit: 2, order }).items;
        assert_eq!(cut(0, Order::NewestFirst), [3, 2]);
        assert_eq!(cut(2, Order::NewestFirst), [1]);
        assert_eq!(cut(0, Order::OldestFirst), [1, 2]);
        assert!(cut(9, Order::NewestFirst).is_empty());
    }

    #[test]
    fn the_last_page_has_no_next() {
        let last = Pagination::new(11, 10, 10);
        assert_eq!((last.current_page, last.has_previous, last.has_next), (2, true, false));
    }

    #[test]
    fn an_offset_far_behind_the_end_does_not_overflow() {
        let page = Pagination::new(3, u64::MAX, 10);
        assert_eq!((page.has_previous, page.has_next), (true, false));
    }
}
