//! Who is asking: API keys of organisations, and the platform key.

use std::sync::Arc;
use std::time::Duration;

use chancery_model::{
    Actor, ActorKind, ApiKey, ApiKeyId, ApiKeySecret, Organisation, OrganisationId, OrganisationStatus, Role,
    SecretHash, Timestamp,
};
use moka::future::Cache;
use subtle::ConstantTimeEq as _;

use crate::{Context, Failure};

/// The scheme of the `Authorization` header.
pub const SCHEME: &str = "ApiKey";

/// Somebody with an API key of an organisation.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The organisation the key belongs to.
    pub organisation: Arc<Organisation>,
    /// What the key may do.
    pub role: Role,
    /// The key.
    pub key: ApiKeyId,
    /// Name of the key.
    pub name: String,
    /// Finds the key again.
    hash: SecretHash,
}

impl Caller {
    /// The caller as the audit log names it.
    pub fn actor(&self) -> Actor {
        let role = match self.role {
            Role::Admin => "admin",
            Role::Issuer => "issuer",
            Role::Auditor => "auditor",
        };
        Actor { kind: ActorKind::ApiKey, id: Some(self.key.as_uuid()), name: self.name.clone(), role: role.to_owned() }
    }
}

/// Somebody who has, or had, an API key of an organisation.
#[derive(Clone, Debug)]
pub struct Identified {
    /// Who it is.
    pub caller: Caller,
    /// Why it is not let in, if so.
    pub standing: Result<(), AccessRejection>,
}

/// Why a caller is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessRejection {
    /// There is no `Authorization` header.
    Missing,
    /// The header is not `ApiKey <key>`.
    Malformed,
    /// No such key, or not one for this operation.
    Unknown,
    /// The key has expired.
    Expired,
    /// The key was revoked.
    Revoked,
    /// The key is good, its organisation is suspended.
    Suspended,
}

/// Lets in the holder of an API key. A key revoked by another process is refused after five seconds at the
/// latest.
pub async fn authenticate(ctx: &Context, authorization: Option<&str>) -> Result<Caller, Failure<AccessRejection>> {
    let Identified { caller, standing } = identify(ctx, authorization).await?;
    standing.map_err(Failure::Rejected)?;
    note_use(ctx, &caller.organisation, caller.key, ctx.env().now()).await;
    Ok(caller)
}

/// Says whose API key this is, also when it opens nothing any more. Who shows no key that was ever given out is nobody.
pub async fn identify(ctx: &Context, authorization: Option<&str>) -> Result<Identified, Failure<AccessRejection>> {
    let reject = |rejection| Err(Failure::Rejected(rejection));
    let text = match key_text(authorization) {
        Ok(text) => text,
        Err(rejection) => return reject(rejection),
    };
    let Some(secret) = ApiKeySecret::parse(text) else { return reject(AccessRejection::Unknown) };
    let Some(organisation) = ctx.store().directory().organisation(secret.organisation()).await? else {
        return reject(AccessRejection::Unknown);
    };
    let now = ctx.env().now();
    let Some(key) = find_key(ctx, &organisation, secret.hash()).await? else {
        return reject(AccessRejection::Unknown);
    };
    let standing = standing(&key, &organisation, now);
    let caller = Caller { organisation, role: key.role, key: key.id, name: key.name.clone(), hash: key.hash };
    Ok(Identified { caller, standing })
}

/// Whether a caller would still be let in, for what goes on after the answer has begun. Believes what
/// [`authenticate`] believes.
pub(crate) async fn recheck<R>(ctx: &Context, caller: &Caller) -> Result<Result<(), AccessRejection>, Failure<R>> {
    let now = ctx.env().now();
    let Some(organisation) = ctx.store().directory().organisation(caller.organisation.id).await? else {
        return Ok(Err(AccessRejection::Unknown));
    };
    let found = find_key(ctx, &organisation, caller.hash).await?;
    Ok(found.map_or(Err(AccessRejection::Unknown), |key| standing(&key, &organisation, now)))
}

fn standing(key: &ApiKey, organisation: &Organisation, now: Timestamp) -> Result<(), AccessRejection> {
    if key.revoked_at.is_some() {
        return Err(AccessRejection::Revoked);
    }
    if !key.is_valid(now) {
        return Err(AccessRejection::Expired);
    }
    match organisation.status {
        OrganisationStatus::Active => Ok(()),
        OrganisationStatus::Suspended => Err(AccessRejection::Suspended),
    }
}

/// Lets in the holder of the platform key.
pub fn authenticate_platform(ctx: &Context, authorization: Option<&str>) -> Result<(), AccessRejection> {
    let text = key_text(authorization)?;
    let given = SecretHash::of(text);
    let known = ctx.settings().platform_key.ok_or(AccessRejection::Unknown)?;
    let equal = bool::from(given.as_bytes().ct_eq(known.as_bytes()));
    if equal { Ok(()) } else { Err(AccessRejection::Unknown) }
}

/// RFC 9110 §11.1: the scheme is compared without case.
fn key_text(authorization: Option<&str>) -> Result<&str, AccessRejection> {
    let header = authorization.ok_or(AccessRejection::Missing)?;
    let (scheme, key) = header.trim().split_once(' ').ok_or(AccessRejection::Malformed)?;
    let key = key.trim_start();
    if !scheme.eq_ignore_ascii_case(SCHEME) || key.is_empty() || key.len() > 512 || key.contains(' ') {
        return Err(AccessRejection::Malformed);
    }
    Ok(key)
}

async fn find_key<R>(
    ctx: &Context,
    organisation: &Organisation,
    hash: SecretHash,
) -> Result<Option<Arc<ApiKey>>, Failure<R>> {
    let keys = &ctx.api_keys().by_hash;
    if let Some(key) = keys.get(&(organisation.id, *hash.as_bytes())).await {
        return Ok(Some(key));
    }
    // Only keys that exist are kept: guesses cannot push them out.
    let found = ctx.store().read(organisation).await?.api_key_by_hash(&hash).await?.map(Arc::new);
    if let Some(key) = &found {
        keys.insert((organisation.id, *hash.as_bytes()), Arc::clone(key)).await;
    }
    Ok(found)
}

/// Remembers the use to the minute, in the background and without waiting for the disk: it may be lost in a
/// crash.
async fn note_use(ctx: &Context, organisation: &Arc<Organisation>, key: ApiKeyId, now: Timestamp) {
    let minute = now.millis().div_euclid(60_000);
    let noted = &ctx.api_keys().noted_minute;
    if noted.get(&key).await == Some(minute) {
        return;
    }
    noted.insert(key, minute).await;
    let (ctx, organisation) = (ctx.clone(), Arc::clone(organisation));
    tokio::spawn(async move {
        let noted = ctx.store().write_relaxed(&organisation, async |tx| tx.note_api_key_use(key, now).await);
        if let Err(error) = noted.await {
            tracing::debug!(%error, "the last use of an API key was not noted");
        }
    });
}

/// API keys that were used lately.
pub(crate) struct Keys {
    by_hash: Cache<(OrganisationId, [u8; 32]), Arc<ApiKey>>,
    noted_minute: Cache<ApiKeyId, i64>,
}

impl Default for Keys {
    fn default() -> Self {
        Self {
            by_hash: Cache::builder().max_capacity(10_000).time_to_live(Self::LIFETIME).build(),
            noted_minute: Cache::builder().max_capacity(10_000).time_to_live(Duration::from_secs(120)).build(),
        }
    }
}

impl Keys {
    /// How long a key is believed without asking the database.
    const LIFETIME: Duration = Duration::from_secs(5);

    /// Forgets a key that was revoked.
    pub(crate) async fn forget(&self, organisation: OrganisationId, key: &ApiKey) {
        self.by_hash.invalidate(&(organisation, *key.hash.as_bytes())).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_documented_authorization_form_is_read() {
        assert_eq!(key_text(Some("ApiKey abc")), Ok("abc"));
        assert_eq!(key_text(Some("apikey  abc")), Ok("abc"));
        assert_eq!(key_text(None), Err(AccessRejection::Missing));
        for wrong in ["", "ApiKey", "ApiKey ", "Bearer abc", "ApiKey a b", &format!("ApiKey {}", "a".repeat(513))] {
            assert_eq!(key_text(Some(wrong)), Err(AccessRejection::Malformed), "{wrong}");
        }
    }
}
