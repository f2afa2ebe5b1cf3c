//! Defaults of an organisation: what definitions and offers take that do not say otherwise.

use std::sync::Arc;
use std::time::Duration;

use chancery_model::{
    Definition, GlobalConfiguration, GlobalConfigurationId, GlobalDefaults, Organisation, OrganisationId,
};
use chancery_protocol::encryption::Rule as EncryptionRule;
use moka::future::Cache;
use serde_json::{Map, Value};

use super::body::{Fault, Faults, Members};
use super::definitions::reading::entry::read_binding_methods;
use super::definitions::reading::read_display_at;
use crate::{Context, Failure};

/// Why the defaults were not changed or shown.
#[derive(Debug)]
pub enum Rejection {
    /// The organisation has no such defaults.
    NotFound,
    /// The body breaks rules, or there are defaults already.
    Invalid(Vec<Fault>),
    /// They are not the version that the caller knows.
    Stale,
    /// Somebody else changed them at the same time.
    Concurrent,
}

const MEMBERS: &[&str] = &[
    "credentialExpirationInDays",
    "credentialBranding",
    "credentialRequestEncryptionRequired",
    "authorizationRequestExpiry",
    "credentialBindingMethods",
    "credentialResponseInterval",
];
/// Members that only answers have; a client that sends back what it read is not refused.
const ANSWERED: &[&str] = &["globalConfigurationId", "revision", "createdAt", "updatedAt"];

/// Sets the defaults for the first time.
pub async fn create(
    ctx: &Context,
    organisation: &Organisation,
    body: &Map<String, Value>,
) -> Result<GlobalConfiguration, Failure<Rejection>> {
    let content = read_body(organisation, body).map_err(invalid)?;
    let now = ctx.env().now();
    let id = GlobalConfigurationId::from(ctx.env().uuid(now));
    let configuration = GlobalConfiguration { id, revision: 1, content, created_at: now, updated_at: now };
    let added = ctx.store().write(organisation, async |tx| tx.add_global_configuration(&configuration).await).await?;
    if !added {
        let detail = "the organisation has a global configuration; update it".to_owned();
        return Err(invalid(vec![Fault { pointer: String::new(), detail }]));
    }
    forget(ctx, organisation).await;
    Ok(configuration)
}

/// The defaults with this id.
pub async fn read(
    ctx: &Context,
    organisation: &Organisation,
    id: GlobalConfigurationId,
) -> Result<GlobalConfiguration, Failure<Rejection>> {
    let found = ctx.store().read(organisation).await?.global_configuration().await?;
    found.filter(|found| found.id == id).ok_or(Failure::Rejected(Rejection::NotFound))
}

/// The defaults, if there are any.
pub async fn list<R>(ctx: &Context, organisation: &Organisation) -> Result<Vec<GlobalConfiguration>, Failure<R>> {
    Ok(ctx.store().read(organisation).await?.global_configuration().await?.into_iter().collect())
}

/// Sets all defaults anew: what the body leaves out falls to the built-in default. `expected` is the revision that the
/// caller knows.
pub async fn update(
    ctx: &Context,
    organisation: &Organisation,
    id: GlobalConfigurationId,
    expected: Option<u32>,
    body: &Map<String, Value>,
) -> Result<GlobalConfiguration, Failure<Rejection>> {
    let current = read(ctx, organisation, id).await?;
    if expected.is_some_and(|expected| expected != current.revision) {
        return Err(Failure::Rejected(Rejection::Stale));
    }
    let content = read_body(organisation, body).map_err(invalid)?;
    let revision = current.revision.saturating_add(1);
    let configuration = GlobalConfiguration { revision, content, updated_at: ctx.env().now(), ..current };
    let revise = async |tx: &chancery_storage::Transaction| tx.revise_global_configuration(&configuration).await;
    let revised = ctx.store().write(organisation, revise).await?;
    forget(ctx, organisation).await;
    match (revised, expected) {
        (true, _) => Ok(configuration),
        (false, Some(_)) => Err(Failure::Rejected(Rejection::Stale)),
        (false, None) => Err(Failure::Rejected(Rejection::Concurrent)),
    }
}

/// Deletes the defaults. What took them keeps them.
pub async fn delete(
    ctx: &Context,
    organisation: &Organisation,
    id: GlobalConfigurationId,
    expected: Option<u32>,
) -> Result<(), Failure<Rejection>> {
    let delete = async |tx: &chancery_storage::Transaction| tx.delete_global_configuration(id, expected).await;
    let deleted = ctx.store().write(organisation, delete).await?;
    forget(ctx, organisation).await;
    if deleted {
        return Ok(());
    }
    read(ctx, organisation, id).await?;
    Err(Failure::Rejected(Rejection::Stale))
}

/// Defaults that were asked for lately.
pub(crate) struct Defaults(Cache<OrganisationId, Arc<GlobalDefaults>>);

impl Default for Defaults {
    fn default() -> Self {
        Self(Cache::builder().max_capacity(10_000).time_to_live(Self::LIFETIME).build())
    }
}

impl Defaults {
    /// How long another process may go on with earlier defaults.
    const LIFETIME: Duration = Duration::from_secs(5);
}

async fn forget(ctx: &Context, organisation: &Organisation) {
    ctx.defaults().0.invalidate(&organisation.id).await;
    ctx.publications().forget(organisation).await;
}

/// The organisation's defaults, those that are built in where it has none; from the cache when they were read lately.
pub(crate) async fn recent<R>(ctx: &Context, organisation: &Organisation) -> Result<Arc<GlobalDefaults>, Failure<R>> {
    let cache = &ctx.defaults().0;
    if let Some(defaults) = cache.get(&organisation.id).await {
        return Ok(defaults);
    }
    let found = ctx.store().read(organisation).await?.global_configuration().await?;
    let defaults = Arc::new(found.map(|found| found.content).unwrap_or_default());
    cache.insert(organisation.id, Arc::clone(&defaults)).await;
    Ok(defaults)
}

/// Display for definitions that are published without one.
pub(crate) fn brand(definition: &mut Definition, defaults: &GlobalDefaults) {
    if definition.content.display.is_none() {
        definition.content.display.clone_from(&defaults.branding);
    }
}

fn read_body(organisation: &Organisation, body: &Map<String, Value>) -> Result<GlobalDefaults, Vec<Fault>> {
    let mut faults = Faults::default();
    let members = Members::of_body(body);
    members.refuse_others(&[MEMBERS, ANSWERED], &mut faults);
    members.require("credentialBranding", &mut faults);
    let encryption_required = members.boolean("credentialRequestEncryptionRequired", false, &mut faults);
    if encryption_required && organisation.policy.encryption != EncryptionRule::Required {
        let how = "encryption is a switch of the organisation's policy, which does not require it";
        faults.add(members.at("credentialRequestEncryptionRequired"), how);
    }
    // What an answer shows for "as the policy says" may be sent back.
    let as_policy_says = members.value("authorizationRequestExpiry").and_then(Value::as_u64) == Some(0);
    let offer_lifetime = match as_policy_says {
        true => None,
        false => members.integer("authorizationRequestExpiry", 60..=31_536_000, &mut faults),
    };
    let content = GlobalDefaults {
        expiration_in_days: members.integer("credentialExpirationInDays", 1..=36_500, &mut faults),
        branding: read_display_at(&members, "credentialBranding", &mut faults),
        offer_lifetime,
        binding_methods: read_binding_methods(&members, &mut faults),
        response_interval: members.integer("credentialResponseInterval", 1..=86_400, &mut faults),
    };
    faults.none_or(Some(content))
}

fn invalid(faults: Vec<Fault>) -> Failure<Rejection> {
    Failure::Rejected(Rejection::Invalid(faults))
}
