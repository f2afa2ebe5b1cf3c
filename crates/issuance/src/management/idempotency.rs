//! The same request twice, answered once: the `Idempotency-Key` header.

use std::convert::Infallible;
use std::time::Duration;

use chancery_model::{Organisation, OrganisationId, SecretHash, Timestamp};
use chancery_storage::{IdempotentResponse, Transaction};
use moka::future::Cache;

use crate::sealed::Place;
use crate::{Context, Failure};

/// How long an answer is kept for replay.
pub const LIFETIME: Duration = Duration::from_secs(24 * 3600);

/// Longest key, in characters.
pub const LONGEST_KEY: usize = 255;

/// A request that its sender may send again.
#[derive(Clone, Debug)]
pub struct Idempotency {
    key: String,
    request_hash: SecretHash,
}

/// The key was used with another request.
#[derive(Debug)]
pub(super) struct Reused;

impl Idempotency {
    /// A request to `path` with these bytes, under the client's key: 1 to 255 printable ASCII characters,
    /// else `None`.
    pub fn new(key: &str, path: &str, body: &[u8]) -> Option<Self> {
        let printable = key.bytes().all(|c| c.is_ascii_graphic() || c == b' ');
        if !printable || key.trim().is_empty() || key.len() > LONGEST_KEY {
            return None;
        }
        let mut request = Vec::with_capacity(path.len() + 1 + body.len());
        request.extend_from_slice(path.as_bytes());
        request.push(0);
        request.extend_from_slice(body);
        let request_hash = SecretHash::from_bytes(&chancery_keys::sha256(&request))?;
        Some(Self { key: key.to_owned(), request_hash })
    }

    /// The answer that was given to this request before.
    pub(super) async fn earlier_answer<R>(
        &self,
        ctx: &Context,
        organisation: &Organisation,
        now: Timestamp,
    ) -> Result<Option<Result<Vec<u8>, Reused>>, Failure<R>> {
        let reader = ctx.store().read(organisation).await?;
        let Some(kept) = reader.idempotent_response(&self.key, now).await? else { return Ok(None) };
        if kept.request_hash != self.request_hash {
            return Ok(Some(Err(Reused)));
        }
        let answer = ctx.open_bytes(organisation, Place::IdempotentResponse, kept.id, &kept.sealed_response)?;
        Ok(Some(Ok(answer.to_vec())))
    }

    /// What to keep beside the change itself, so that the answer can be given again.
    pub(super) fn keep<R>(
        &self,
        ctx: &Context,
        organisation: &Organisation,
        now: Timestamp,
        answer: &[u8],
    ) -> Result<IdempotentResponse, Failure<R>> {
        let id = ctx.env().uuid(now);
        Ok(IdempotentResponse {
            id,
            key: self.key.clone(),
            request_hash: self.request_hash,
            sealed_response: ctx.seal_bytes(organisation, Place::IdempotentResponse, id, answer)?,
            expires_at: now.plus(LIFETIME),
        })
    }
}

/// How a request under a key goes on.
#[derive(Debug)]
pub enum Course {
    /// It is new; tell with [`settle`] or [`release`] what became of it.
    New(Claimed),
    /// It was answered before, with this.
    Answered(Vec<u8>),
    /// The same request is being answered, or broke off in the middle.
    Unfinished,
    /// The key was used with another request.
    Reused,
}

/// A key that is claimed for one request.
#[derive(Debug)]
pub struct Claimed(IdempotentResponse);

/// Claims the key of a request before anything is done. A claim whose request was never settled or released stays for
/// [`LIFETIME`]: whether that request had an effect is not known.
///
/// # Errors
/// Those of the database.
pub async fn claim(
    ctx: &Context,
    organisation: &Organisation,
    once: &Idempotency,
) -> Result<Course, Failure<Infallible>> {
    let now = ctx.env().now();
    let mut claimed = once.keep::<Infallible>(ctx, organisation, now, &[])?;
    claimed.sealed_response.clear();
    let fresh =
        ctx.store().write(organisation, async |tx: &Transaction| tx.remember_response(&claimed, now).await).await?;
    if fresh {
        sweep(ctx, organisation, now).await;
        return Ok(Course::New(Claimed(claimed)));
    }
    let kept = ctx.store().read(organisation).await?.idempotent_response(&once.key, now).await?;
    // Released between the two looks: the client may try again as after any conflict.
    let Some(kept) = kept else { return Ok(Course::Unfinished) };
    if kept.request_hash != once.request_hash {
        return Ok(Course::Reused);
    }
    if kept.sealed_response.is_empty() {
        return Ok(Course::Unfinished);
    }
    let answer = ctx.open_bytes(organisation, Place::IdempotentResponse, kept.id, &kept.sealed_response)?;
    Ok(Course::Answered(answer.to_vec()))
}

/// Keeps the answer to a request, to be given again.
///
/// # Errors
/// Those of the database; the key then stays claimed.
pub async fn settle(
    ctx: &Context,
    organisation: &Organisation,
    Claimed(mut claimed): Claimed,
    answer: &[u8],
) -> Result<(), Failure<Infallible>> {
    claimed.sealed_response = ctx.seal_bytes(organisation, Place::IdempotentResponse, claimed.id, answer)?;
    ctx.store().write(organisation, async |tx: &Transaction| tx.settle_response(&claimed).await).await?;
    Ok(())
}

/// Frees the key of a request that was refused and changed nothing.
///
/// # Errors
/// Those of the database; the key then stays claimed.
pub async fn release(
    ctx: &Context,
    organisation: &Organisation,
    Claimed(claimed): Claimed,
) -> Result<(), Failure<Infallible>> {
    ctx.store().write(organisation, async |tx: &Transaction| tx.forget_response(&claimed).await).await?;
    Ok(())
}

/// Organisations whose expired answers, and whose expired authorization requests, were deleted lately.
pub(crate) struct Sweeps {
    answers: Cache<OrganisationId, ()>,
    authorizations: Cache<OrganisationId, ()>,
}

impl Default for Sweeps {
    fn default() -> Self {
        let lately = || Cache::builder().max_capacity(10_000).time_to_live(Self::INTERVAL).build();
        Self { answers: lately(), authorizations: lately() }
    }
}

impl Sweeps {
    /// Least time between two sweeps of one organisation.
    const INTERVAL: Duration = Duration::from_secs(3600);

    /// Whether expired authorization requests should be deleted; `true` for one caller an hour.
    pub(crate) async fn is_due(&self, organisation: &Organisation) -> bool {
        let entry = self.authorizations.entry(organisation.id).or_insert(()).await;
        entry.is_fresh()
    }
}

/// Deletes expired answers now and then, in the background: whoever keeps answers also clears them away.
pub(super) async fn sweep(ctx: &Context, organisation: &Organisation, now: Timestamp) {
    let swept = &ctx.sweeps().answers;
    if swept.contains_key(&organisation.id) {
        return;
    }
    swept.insert(organisation.id, ()).await;
    let (ctx, organisation) = (ctx.clone(), organisation.clone());
    tokio::spawn(async move {
        let work = async |tx: &Transaction| tx.forget_expired_responses(now).await;
        if let Err(error) = ctx.store().write_relaxed(&organisation, work).await {
            tracing::debug!(%error, "expired answers were not deleted");
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_short_printable_ascii() {
        assert!(Idempotency::new("order 42/a", "/p", b"{}").is_some());
        for wrong in ["", "  ", "a\nb", "ключ", &"k".repeat(256)] {
            assert!(Idempotency::new(wrong, "/p", b"{}").is_none(), "{wrong:?}");
        }
    }

    #[test]
    fn another_path_or_body_is_another_request() {
        let hash = |path, body| Idempotency::new("k", path, body).map(|it| it.request_hash);
        assert_eq!(hash("/p", b"{}"), hash("/p", b"{}"));
        assert_ne!(hash("/p", b"{}"), hash("/p", b"{ }"));
        assert_ne!(hash("/p", b"{}"), hash("/q", b"{}"));
    }
}
