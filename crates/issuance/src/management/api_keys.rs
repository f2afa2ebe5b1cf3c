//! API keys of an organisation.

use std::time::Duration;

use chancery_model::{ApiKey, ApiKeyId, ApiKeySecret, Binding, Env, Organisation, OrganisationId, Role, Timestamp};
use serde_json::{Map, Value};

use super::body::{Fault, Faults, Members};
use super::organisations::read_name;
use super::page::{Page, Window};
use super::sandboxes;
use crate::{Context, Failure};

/// Days after which a key expires when nobody says otherwise.
pub const DEFAULT_DAYS: u32 = 30;

/// Longest life of a key, in days.
const MOST_DAYS: u32 = 3650;

const DAY: Duration = Duration::from_secs(86_400);

/// A key that was just made.
#[derive(Debug)]
pub struct NewApiKey {
    /// The key as stored.
    pub key: ApiKey,
    /// Its text, known only now.
    pub secret: ApiKeySecret,
}

/// Why no key was made.
#[derive(Debug)]
pub enum CreateRejection {
    /// The body breaks rules.
    Invalid(Vec<Fault>),
}

/// Why a key was not shown.
#[derive(Debug)]
pub enum ReadRejection {
    /// The organisation has no such key, or it was revoked.
    NotFound,
}

/// Why a key was not bound.
#[derive(Debug)]
pub enum BindRejection {
    /// The organisation has no such key.
    NotFound,
    /// It is bound otherwise than the caller knows.
    Stale,
    /// The body breaks rules, or names no sandbox organisation of the caller.
    Invalid(Vec<Fault>),
}

/// Why a key was not revoked.
#[derive(Debug)]
pub enum RevokeRejection {
    /// The organisation has no such key.
    NotFound,
}

/// Makes a key from a body with `name`, `role` and `expiryInDays`. Zero or negative days become the default,
/// as in the original contract.
pub async fn create(
    ctx: &Context,
    organisation: &Organisation,
    body: &Map<String, Value>,
) -> Result<NewApiKey, Failure<CreateRejection>> {
    let (name, role, days) = read_body(body).map_err(|faults| Failure::Rejected(CreateRejection::Invalid(faults)))?;
    let made = make(ctx.env(), ctx.env().now(), organisation.id, name, role, days);
    ctx.store().write(organisation, async |tx| tx.add_api_key(&made.key).await).await?;
    Ok(made)
}

/// Keys, newest first, the revoked ones among them.
pub async fn list<R>(ctx: &Context, organisation: &Organisation, window: Window) -> Result<Page<ApiKey>, Failure<R>> {
    let mut keys = ctx.store().read(organisation).await?.api_keys().await?;
    keys.reverse();
    Ok(Page::cut(keys, window))
}

/// One key, unless it was revoked: those are listed only.
pub async fn read(ctx: &Context, organisation: &Organisation, id: ApiKeyId) -> Result<ApiKey, Failure<ReadRejection>> {
    let found = ctx.store().read(organisation).await?.api_key(id).await?;
    let found = found.filter(|key| key.revoked_at.is_none());
    found.ok_or(Failure::Rejected(ReadRejection::NotFound))
}

/// Binds a key to the sandbox organisation in `sandboxOrgId`, for which it acts from then on; without one it acts for the
/// organisation it belongs to again. Its text stays. `seen` is what the caller knows it to be bound to.
pub async fn bind(
    ctx: &Context,
    organisation: &Organisation,
    id: ApiKeyId,
    seen: Option<Binding>,
    body: &Map<String, Value>,
) -> Result<ApiKey, Failure<BindRejection>> {
    let not_found = || Failure::Rejected(BindRejection::NotFound);
    let key = ctx.store().read(organisation).await?.api_key(id).await?.ok_or_else(not_found)?;
    let mut faults = Faults::default();
    let members = Members::of_body(body);
    members.refuse_others(&[&["sandboxOrgId"]], &mut faults);
    let sandbox = match members.text("sandboxOrgId", 64, &mut faults) {
        None => None,
        Some(text) => {
            let found = match OrganisationId::parse(text) {
                Some(id) => sandboxes::find(ctx, organisation, id).await?,
                None => None,
            };
            if found.is_none() {
                faults.add(members.at("sandboxOrgId"), "there is no such sandbox organisation");
            }
            found.map(|found| found.id)
        }
    };
    faults.none_or(Some(())).map_err(|faults| Failure::Rejected(BindRejection::Invalid(faults)))?;
    let bound = ctx.store().write(organisation, async |tx| tx.bind_api_key(id, sandbox, seen).await).await?;
    ctx.api_keys().forget(organisation.id, &key).await;
    match (bound, seen) {
        (true, _) => Ok(ApiKey { sandbox, ..key }),
        (false, Some(_)) => Err(Failure::Rejected(BindRejection::Stale)),
        (false, None) => Err(not_found()),
    }
}

/// Revokes a key. Revoking again changes nothing.
pub async fn revoke(ctx: &Context, organisation: &Organisation, id: ApiKeyId) -> Result<(), Failure<RevokeRejection>> {
    let now = ctx.env().now();
    let Some(key) = ctx.store().read(organisation).await?.api_key(id).await? else {
        return Err(Failure::Rejected(RevokeRejection::NotFound));
    };
    ctx.store().write(organisation, async |tx| tx.revoke_api_key(id, now).await).await?;
    ctx.api_keys().forget(organisation.id, &key).await;
    Ok(())
}

pub(crate) fn make(
    env: &Env,
    now: Timestamp,
    organisation: OrganisationId,
    name: String,
    role: Role,
    days: u32,
) -> NewApiKey {
    let secret = ApiKeySecret::generate(organisation, env);
    let key = ApiKey {
        id: env.uuid(now).into(),
        name,
        role,
        hash: secret.hash(),
        created_at: now,
        expires_at: now.plus(DAY * days),
        revoked_at: None,
        sandbox: None,
        last_used_at: None,
    };
    NewApiKey { key, secret }
}

pub(super) const ROLES: &[(&str, Role)] =
    &[("admin", Role::Admin), ("issuer", Role::Issuer), ("auditor", Role::Auditor)];

fn read_body(body: &Map<String, Value>) -> Result<(String, Role, u32), Vec<Fault>> {
    let mut faults = Faults::default();
    let members = Members::of_body(body);
    members.refuse_others(&[&["name", "role", "expiryInDays"]], &mut faults);
    members.require("name", &mut faults);
    members.require_text("role", &mut faults);
    let name = read_name(&members, &mut faults);
    let role = members.choice("role", ROLES, &mut faults);
    let days = members.value("expiryInDays").and_then(Value::as_f64);
    let is_unset = days.is_some_and(|days| days.fract() == 0.0 && (f64::from(i32::MIN)..=0.0).contains(&days));
    let days = if is_unset { None } else { members.integer("expiryInDays", 1..=MOST_DAYS, &mut faults) };
    let read = name.zip(role).map(|(name, role)| (name, role, days.unwrap_or(DEFAULT_DAYS)));
    faults.none_or(read)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn days_that_are_absent_zero_or_negative_become_thirty() {
        for days in [json!(null), json!(0), json!(-5)] {
            let body = json!({ "name": "ci", "role": "issuer", "expiryInDays": days });
            assert_eq!(read_body(body.as_object().unwrap()).unwrap().2, 30);
        }
    }

    #[test]
    fn days_that_no_number_of_days_is_are_refused() {
        for days in [json!(-0.5), json!(1.5), json!(-3_000_000_000_i64), json!("30")] {
            let body = json!({ "name": "ci", "role": "issuer", "expiryInDays": days });
            let faults = read_body(body.as_object().unwrap()).unwrap_err();
            assert_eq!(faults.iter().map(|fault| fault.pointer.as_str()).collect::<Vec<_>>(), ["/expiryInDays"]);
        }
    }

    #[test]
    fn name_and_role_are_mandatory_and_the_role_is_closed() {
        let faults = read_body(json!({ "role": "owner", "scopes": ["config"] }).as_object().unwrap()).unwrap_err();
        let pointers: Vec<_> = faults.iter().map(|fault| fault.pointer.as_str()).collect();
        assert_eq!(pointers, ["/scopes", "/name", "/role"]);
    }

    #[test]
    fn a_key_opens_nothing_from_its_expiry_on() {
        let (env, now) = (Env::system(), Timestamp::from_seconds(1_000));
        let made = make(&env, now, OrganisationId::from(env.uuid(now)), "k".to_owned(), Role::Admin, 1);
        assert!(made.key.is_valid(now.plus_seconds(86_399)));
        assert!(!made.key.is_valid(now.plus_seconds(86_400)));
    }
}
