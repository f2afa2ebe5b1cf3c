//! Parts of long lists.

use sea_orm::sea_query::LikeExpr;

/// Which part of a list, and from which end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// Items to leave out at the beginning.
    pub offset: u64,
    /// Items to return at most.
    pub limit: u64,
    /// Which end is the beginning.
    pub order: Order,
}

impl Default for Page {
    fn default() -> Self {
        Self { offset: 0, limit: 10, order: Order::NewestFirst }
    }
}

/// Order of a list by time of creation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Newest first.
    NewestFirst,
    /// Oldest first.
    OldestFirst,
}

impl From<Order> for sea_orm::Order {
    fn from(order: Order) -> Self {
        match order {
            Order::NewestFirst => Self::Desc,
            Order::OldestFirst => Self::Asc,
        }
    }
}

/// A `LIKE` pattern for texts in lower case that contain `search`, whatever its case.
pub(crate) fn containing(search: &str) -> LikeExpr {
    let mut pattern = String::with_capacity(search.len() + 2);
    pattern.push('%');
    for character in search.chars().flat_map(char::to_lowercase) {
        if matches!(character, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern.push('%');
    LikeExpr::new(pattern).escape('\\')
}

/// Part of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed<T> {
    /// The items of the page.
    pub items: Vec<T>,
    /// Length of the whole list, on all pages.
    pub total: u64,
}

impl<T> Listed<T> {
    /// The same page with its items turned into something else.
    pub fn map<U>(self, change: impl FnMut(T) -> U) -> Listed<U> {
        Listed { items: self.items.into_iter().map(change).collect(), total: self.total }
    }
}
