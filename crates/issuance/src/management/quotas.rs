//! Quotas of an organisation: set by the platform, shown to both.

use chancery_model::{MOST_QUOTA, Organisation, OrganisationId, Quotas, Timestamp};
use serde_json::{Map, Value};

use super::body::{Fault, Faults, Members};
use super::organisations;
use crate::{Context, Failure};

pub use crate::quotas::{Usage, Use, UsedUp, usage};

/// Why quotas were not set.
#[derive(Debug)]
pub enum Rejection {
    /// There is no such organisation.
    NotFound,
    /// The body breaks rules.
    Invalid(Vec<Fault>),
    /// The organisation is not the version that the caller knows.
    Stale,
}

/// Sets the quotas as a whole: what is left out, or `null`, is no limit. Other processes follow within five seconds. `seen` is
/// when the version of the organisation was made that the caller knows.
///
/// # Errors
/// See [`Rejection`].
pub async fn set(
    ctx: &Context,
    id: OrganisationId,
    seen: Option<Timestamp>,
    body: &Map<String, Value>,
) -> Result<Organisation, Failure<Rejection>> {
    let quotas = read_body(body).map_err(|faults| Failure::Rejected(Rejection::Invalid(faults)))?;
    organisations::read(ctx, id).await.map_err(|failure| {
        failure.map_rejection(|rejection| match rejection {
            organisations::Rejection::NotFound => Rejection::NotFound,
        })
    })?;
    let set = ctx.store().directory().set_quotas(id, &quotas, seen, ctx.env().now()).await?;
    let refused = if seen.is_some() { Rejection::Stale } else { Rejection::NotFound };
    set.ok_or(Failure::Rejected(refused))
}

fn read_body(body: &Map<String, Value>) -> Result<Quotas, Vec<Fault>> {
    let mut faults = Faults::default();
    let members = Members::of_body(body);
    members.refuse_others(&[&["exchangesPerDay", "liveCredentials", "requestsPerMinute"]], &mut faults);
    let [exchanges_per_day, live_credentials, requests_per_minute] =
        // An organisation that may ask nothing could not even see why.
        [("exchangesPerDay", 0), ("liveCredentials", 0), ("requestsPerMinute", 1)]
            .map(|(name, least)| members.integer(name, least..=MOST_QUOTA, &mut faults));
    faults.none_or(Some(Quotas { exchanges_per_day, live_credentials, requests_per_minute }))
}
