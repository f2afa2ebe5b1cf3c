//! Who is asking: API keys of organisations, people who signed in at an organisation's access provider, and the platform
//! key.

mod bearer;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use chancery_keys::jws::Opened;
use chancery_model::{
    Actor, ActorKind, ApiKey, ApiKeyId, ApiKeySecret, IssuingActor, Organisation, OrganisationId, OrganisationStatus,
    Role, SecretHash, Timestamp,
};
use moka::future::Cache;
use subtle::ConstantTimeEq as _;

use super::sandboxes;
use crate::{Context, Failure};

/// The scheme of the `Authorization` header for API keys.
pub const SCHEME: &str = "ApiKey";

/// The scheme for access tokens (RFC 6750 §2.1).
pub const BEARER: &str = "Bearer";

/// What a request says about who asks.
#[derive(Clone, Copy, Default)]
pub struct Presented<'r> {
    /// The `Authorization` header.
    pub authorization: Option<&'r str>,
    /// Id of the organisation that is meant: for access tokens whose audience does not say it. Keys say it themselves.
    pub organisation: Option<&'r str>,
    /// Id of the sandbox organisation that a person acts for; keys are bound to theirs.
    pub sandbox: Option<&'r str>,
}

/// Not the values: the first is a secret.
impl fmt::Debug for Presented<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Presented")
    }
}

/// Somebody who may act for an organisation.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The organisation.
    pub organisation: Arc<Organisation>,
    /// What they may do.
    pub role: Role,
    /// Who they are.
    pub identity: Identity,
    /// The organisation that key or token belong to.
    home: OrganisationId,
    /// What they were let in for.
    evidence: Evidence,
}

/// What can be examined again.
#[derive(Clone)]
enum Evidence {
    /// Finds an API key again.
    Key(SecretHash),
    /// An access token whose signature has been verified.
    Token(Arc<Opened>),
}

/// Not the claims of a token, which are personal.
impl fmt::Debug for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Evidence")
    }
}

/// Who a caller is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    /// The holder of an API key.
    ApiKey(ApiKeyId),
    /// A person, as [`Actor::person`] names them.
    Person(String),
}

impl Caller {
    /// The caller as records of exchanges name it.
    pub fn issuing(&self) -> IssuingActor {
        match &self.identity {
            Identity::ApiKey(key) => IssuingActor::ApiKey(*key),
            Identity::Person(name) => IssuingActor::Person(name.clone()),
        }
    }

    /// The caller as changes of status name it.
    pub(crate) fn label(&self) -> String {
        match &self.identity {
            Identity::ApiKey(key) => format!("apikey:{key}"),
            Identity::Person(name) => format!("person:{name}"),
        }
    }
}

/// Somebody who is known to an organisation, let in or not.
#[derive(Clone, Debug)]
pub struct Identified {
    /// In whose log it belongs.
    pub organisation: Arc<Organisation>,
    /// The organisation that key or token belong to: the parent of `organisation` when they act for a sandbox.
    pub home: Arc<Organisation>,
    /// The caller as the audit log names it.
    pub actor: Actor,
    /// The caller, or why it is not let in.
    pub standing: Result<Caller, AccessRejection>,
}

/// Why a caller is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessRejection {
    /// There is no `Authorization` header.
    Missing,
    /// The header is neither `ApiKey <key>` nor `Bearer <token>`.
    Malformed,
    /// No such key, or not one for this operation.
    Unknown,
    /// The key has expired.
    Expired,
    /// The key was revoked.
    Revoked,
    /// Key or token are good, the organisation is suspended.
    Suspended,
    /// The access token is not to be believed.
    Token(TokenRejection),
    /// The access token is good, and gives no role.
    NoRole,
    /// The sandbox organisation that the key is bound to is gone.
    Unbound,
    /// The person names a sandbox organisation that is not there for them: unknown, foreign or not deployed.
    Sandbox,
}

/// Why an access token is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenRejection {
    /// It is no signed JWT, or longer than we read.
    Malformed,
    /// Neither the caller nor its audience says which organisation is meant.
    NoOrganisation,
    /// The organisation that is meant has no access provider, another one, or does not exist.
    Foreign,
    /// It is for another audience.
    Audience,
    /// It is no access token by its `typ`.
    Type,
    /// It is bound to a key (`cnf`), so holding it proves nothing.
    Bound,
    /// `alg` is none that we take.
    Algorithm,
    /// The signature is none of the provider's.
    Signature,
    /// It has expired.
    Expired,
    /// It comes from the future.
    NotYet,
    /// A claim is missing, or of the wrong form.
    Claims,
}

/// What the `Authorization` header shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shown<'h> {
    Key(&'h str),
    Token(&'h str),
}

/// Says who this is, also when they are not let in any more. Who shows nothing that was ever given out is nobody. A key that
/// another process revoked, and an access provider that it changed, are believed for five more seconds at most.
pub async fn identify(ctx: &Context, presented: &Presented<'_>) -> Result<Identified, Failure<AccessRejection>> {
    match shown(presented.authorization).map_err(Failure::Rejected)? {
        Shown::Key(text) => identify_key(ctx, text).await,
        Shown::Token(text) => bearer::identify(ctx, text, presented).await,
    }
}

/// Lets somebody in who was identified, if they are to be, and notes the use of a key.
pub async fn admit(ctx: &Context, identified: &Identified) -> Result<Caller, AccessRejection> {
    let caller = identified.standing.clone()?;
    if let Identity::ApiKey(key) = caller.identity {
        note_use(ctx, &identified.home, key, ctx.env().now()).await;
    }
    Ok(caller)
}

async fn identify_key(ctx: &Context, text: &str) -> Result<Identified, Failure<AccessRejection>> {
    let unknown = || Failure::Rejected(AccessRejection::Unknown);
    let secret = ApiKeySecret::parse(text).ok_or_else(unknown)?;
    let home = ctx.store().directory().organisation(secret.organisation()).await?.ok_or_else(unknown)?;
    let now = ctx.env().now();
    let key = find_key(ctx, &home, secret.hash()).await?.ok_or_else(unknown)?;
    let actor = Actor {
        kind: ActorKind::ApiKey,
        id: Some(key.id.as_uuid()),
        name: key.name.clone(),
        role: key.role.name().to_owned(),
    };
    let organisation = bound_to(ctx, &home, &key).await?;
    let standing = standing(&key, organisation.clone(), now).map(|organisation| Caller {
        organisation,
        role: key.role,
        identity: Identity::ApiKey(key.id),
        home: home.id,
        evidence: Evidence::Key(key.hash),
    });
    let organisation = organisation.unwrap_or_else(|| Arc::clone(&home));
    Ok(Identified { organisation, home, actor, standing })
}

/// Whether a caller would still be let in, for what goes on after the answer has begun. Believes what
/// [`identify`] believes.
pub(crate) async fn recheck<R>(ctx: &Context, caller: &Caller) -> Result<Result<(), AccessRejection>, Failure<R>> {
    let Some(home) = ctx.store().directory().organisation(caller.home).await? else {
        return Ok(Err(AccessRejection::Unknown));
    };
    let hash = match &caller.evidence {
        Evidence::Key(hash) => *hash,
        Evidence::Token(token) => return bearer::recheck(ctx, &home, caller, token).await,
    };
    let Some(key) = find_key(ctx, &home, hash).await? else { return Ok(Err(AccessRejection::Unknown)) };
    let bound_to = bound_to(ctx, &home, &key).await?.filter(|found| found.id == caller.organisation.id);
    Ok(standing(&key, bound_to, ctx.env().now()).map(|_| ()))
}

/// The organisation that a key acts for; `None` when it is bound to a sandbox that is gone.
async fn bound_to<R>(
    ctx: &Context,
    home: &Arc<Organisation>,
    key: &ApiKey,
) -> Result<Option<Arc<Organisation>>, Failure<R>> {
    match key.sandbox {
        None => Ok(Some(Arc::clone(home))),
        Some(id) => sandboxes::find(ctx, home, id).await,
    }
}

/// The organisation that a key may act for now, of the one that it is bound to.
fn standing(
    key: &ApiKey,
    bound_to: Option<Arc<Organisation>>,
    now: Timestamp,
) -> Result<Arc<Organisation>, AccessRejection> {
    if key.revoked_at.is_some() {
        return Err(AccessRejection::Revoked);
    }
    if !key.is_valid(now) {
        return Err(AccessRejection::Expired);
    }
    let organisation = bound_to.ok_or(AccessRejection::Unbound)?;
    match organisation.status {
        OrganisationStatus::Active => Ok(organisation),
        OrganisationStatus::Suspended => Err(AccessRejection::Suspended),
    }
}

/// Lets in the holder of the platform key.
pub fn authenticate_platform(ctx: &Context, presented: &Presented<'_>) -> Result<(), AccessRejection> {
    let text = match shown(presented.authorization)? {
        Shown::Key(text) => text,
        Shown::Token(_) => return Err(AccessRejection::Unknown),
    };
    let given = SecretHash::of(text);
    let known = ctx.settings().platform_key.ok_or(AccessRejection::Unknown)?;
    let equal = bool::from(given.as_bytes().ct_eq(known.as_bytes()));
    if equal { Ok(()) } else { Err(AccessRejection::Unknown) }
}

/// RFC 9110 §11.1: the scheme is compared without case.
fn shown(authorization: Option<&str>) -> Result<Shown<'_>, AccessRejection> {
    let header = authorization.ok_or(AccessRejection::Missing)?;
    let (scheme, text) = header.trim().split_once(' ').ok_or(AccessRejection::Malformed)?;
    let text = text.trim_start();
    let is_one_of_at_most = |longest| !text.is_empty() && text.len() <= longest && !text.contains(' ');
    if scheme.eq_ignore_ascii_case(SCHEME) && is_one_of_at_most(512) {
        Ok(Shown::Key(text))
    } else if scheme.eq_ignore_ascii_case(BEARER) && is_one_of_at_most(bearer::LONGEST) {
        Ok(Shown::Token(text))
    } else {
        Err(AccessRejection::Malformed)
    }
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
    fn only_the_documented_authorization_forms_are_read() {
        assert_eq!(shown(Some("ApiKey abc")), Ok(Shown::Key("abc")));
        assert_eq!(shown(Some("apikey  abc")), Ok(Shown::Key("abc")));
        assert_eq!(shown(Some("Bearer a.b.c")), Ok(Shown::Token("a.b.c")));
        assert_eq!(shown(Some("bearer a.b.c")), Ok(Shown::Token("a.b.c")));
        assert_eq!(shown(None), Err(AccessRejection::Missing));
        let (long_key, long_token) = (format!("ApiKey {}", "a".repeat(513)), format!("Bearer {}", "a".repeat(16_385)));
        for wrong in
            ["", "ApiKey", "ApiKey ", "Bearer", "Basic abc", "ApiKey a b", "Bearer a b", &long_key, &long_token]
        {
            assert_eq!(shown(Some(wrong)), Err(AccessRejection::Malformed), "{wrong}");
        }
    }
}
