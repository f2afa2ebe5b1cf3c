//! Quotas of an organisation: set by the platform, shown to both.

use chancery_model::{MOST_QUOTA, Organisation, OrganisationId, Quotas};
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
}

/// Sets the quotas as a whole: what is left out, or `null`, is no limit. Other processes follow within five seconds.
///
/// # Errors
/// See [`Rejection`].
pub async fn set(
    ctx: &Context,
    id: OrganisationId,
    body: &Map<String, Value>,
) -> Result<Organisation, Failure<Rejection>> {
    let quotas = read_body(body).map_err(|faults| Failure::Rejected(Rejection::Invalid(faults)))?;
    if !ctx.store().directory().set_quotas(id, &quotas, ctx.env().now()).await? {
        return Err(Failure::Rejected(Rejection::NotFound));
    }
    organisations::read(ctx, id).await.map_err(|failure| {
        failure.map_rejection(|rejection| match rejection {
            organisations::Rejection::NotFound => Rejection::NotFound,
        })
    })
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
