//! Quotas: how much an organisation may do, as the platform has set it.
//!
//! Nothing that an issuance writes is counted up: such a row would hold all issuances of an organisation to the speed of one
//! disk. Each process counts what there is, and may then do a sixteenth of what is left before it counts again. Far from
//! the limit that is hardly ever; near it a count goes with each issuance. Organisations without a quota pay nothing.
//!
//! One process lets through exactly what the quota says. Of up to sixteen processes, all but one may each go beyond it by what
//! they do at once: a single exchange, the credentials of one request, or the rows of one part of a bulk.

mod meter;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use chancery_model::{Organisation, Timestamp};

use self::meter::Meters;
pub(crate) use self::meter::Taken;
use crate::{Context, Failure};

/// Seconds of a day.
const DAY: i64 = 86_400;

/// When a quota without an end of its own is worth trying again, in seconds.
const TRY_AGAIN: u32 = 600;

/// A quota is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UsedUp {
    /// The quota.
    pub limit: u32,
    /// Seconds until it is worth trying again; at least 1.
    pub retry_after: u32,
}

/// A limit and what has been used of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Use {
    /// The quota.
    pub limit: u32,
    /// What counts against it now.
    pub used: u64,
}

/// Quotas of an organisation with their use; `None` is no limit.
#[derive(Clone, Copy, Debug)]
pub struct Usage {
    /// Exchanges that began today.
    pub exchanges_per_day: Option<Use>,
    /// When today ends.
    pub day_ends_at: Timestamp,
    /// Credentials that are neither expired nor revoked.
    pub live_credentials: Option<Use>,
    /// Requests of the organisation's own programs; how many there were is not remembered.
    pub requests_per_minute: Option<u32>,
}

/// What this process knows of the use of quotas.
#[derive(Debug, Default)]
pub(crate) struct QuotaMeters {
    exchanges: Arc<Meters>,
    credentials: Arc<Meters>,
}

/// The quotas of an organisation, and what is used of them now.
///
/// # Errors
/// Those of the database.
pub async fn usage(ctx: &Context, organisation: &Organisation) -> Result<Usage, Failure<Infallible>> {
    let now = ctx.env().now();
    let quotas = organisation.quotas;
    let read = ctx.store().read(organisation).await?;
    let exchanges_per_day = match quotas.exchanges_per_day {
        Some(limit) => Some(Use { limit, used: read.exchanges_since(midnight(now)).await? }),
        None => None,
    };
    let live_credentials = match quotas.live_credentials {
        Some(limit) => Some(Use { limit, used: read.live_credentials(now).await? }),
        None => None,
    };
    let requests_per_minute = quotas.requests_per_minute;
    Ok(Usage { exchanges_per_day, day_ends_at: day_end(now), live_credentials, requests_per_minute })
}

impl Context {
    /// Takes exchanges out of the day's quota; they go back unless [`Taken::spend`] says that they began.
    pub(crate) async fn take_exchanges<R>(
        &self,
        organisation: &Organisation,
        count: usize,
        now: Timestamp,
    ) -> Result<Result<Taken, UsedUp>, Failure<R>> {
        let Some(limit) = organisation.quotas.exchanges_per_day else { return Ok(Ok(Taken::nothing())) };
        let day = now.seconds().div_euclid(DAY);
        let counted = || async move {
            let read = self.store().read(organisation).await?;
            Ok::<_, Failure<R>>(read.exchanges_since(midnight(now)).await?)
        };
        let meters = &self.quota_meters().exchanges;
        let taken = meters.take(organisation.id, Some(day), limit, count, now, counted).await?;
        let until_midnight = u32::try_from(day_end(now).seconds().saturating_sub(now.seconds())).unwrap_or(1).max(1);
        Ok(taken.map_err(|soon| UsedUp { limit, retry_after: soon.unwrap_or(until_midnight) }))
    }

    /// Takes credentials out of the quota of those that live; they go back unless [`Taken::spend`] says that they were
    /// issued.
    pub(crate) async fn take_credentials<R>(
        &self,
        organisation: &Organisation,
        count: usize,
        now: Timestamp,
    ) -> Result<Result<Taken, UsedUp>, Failure<R>> {
        let Some(limit) = organisation.quotas.live_credentials else { return Ok(Ok(Taken::nothing())) };
        let counted = || async move {
            let read = self.store().read(organisation).await?;
            Ok::<_, Failure<R>>(read.live_credentials(now).await?)
        };
        let taken = self.quota_meters().credentials.take(organisation.id, None, limit, count, now, counted).await?;
        Ok(taken.map_err(|soon| UsedUp { limit, retry_after: soon.unwrap_or(TRY_AGAIN) }))
    }
}

/// When the day of this instant began.
fn midnight(now: Timestamp) -> Timestamp {
    Timestamp::from_seconds(now.seconds().div_euclid(DAY).saturating_mul(DAY))
}

/// When the day of this instant ends.
pub(crate) fn day_end(now: Timestamp) -> Timestamp {
    midnight(now).plus(Duration::from_secs(DAY.unsigned_abs()))
}
