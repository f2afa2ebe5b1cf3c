//! Status lists, as whoever verifies a credential fetches them (Token Status List §8, §9).

use std::convert::Infallible;
use std::sync::Arc;

use chancery_formats::status_list::Aggregation;
use chancery_model::{Organisation, StatusListId};

use super::metadata::Document;
use crate::status_lists::{self, Past};
use crate::{Context, Failure};

pub use crate::status_lists::{Encoding, Token};

/// Why there is no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// The organisation has no such list.
    NotFound,
    /// The list was not there at that time, or the time has not come (§8.4).
    TimeUnavailable,
}

/// The signed list as it is now, or as it was at `time` (unix seconds).
///
/// # Errors
/// See [`Rejection`].
pub async fn read(
    context: &Context,
    organisation: &Organisation,
    list: &str,
    encoding: Encoding,
    time: Option<i64>,
) -> Result<Arc<Token>, Failure<Rejection>> {
    let now = context.env().now();
    let not_found = Failure::Rejected(Rejection::NotFound);
    let Some(id) = StatusListId::parse(list) else { return Err(not_found) };
    match time {
        None => context.status_list_token(organisation, id, encoding, now).await?.ok_or(not_found),
        Some(time) => match context.past_status_list_token(organisation, id, encoding, time, now).await? {
            Past::State(token) => Ok(token),
            Past::NoList => Err(not_found),
            Past::NoState => Err(Failure::Rejected(Rejection::TimeUnavailable)),
        },
    }
}

/// The document that names every list (§9.3).
///
/// # Errors
/// Those of the database.
pub async fn aggregation(context: &Context, organisation: &Organisation) -> Result<Document, Failure<Infallible>> {
    let lists = context.store().read(organisation).await?.status_lists().await?;
    let status_lists = lists.iter().map(|list| status_lists::uri(organisation, list.id)).collect();
    Document::of(&Aggregation { status_lists })
}
