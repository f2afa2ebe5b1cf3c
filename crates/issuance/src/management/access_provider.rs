//! The OpenID Provider at which the administrators of an organisation sign in.

use std::sync::Arc;
use std::time::Duration;

use chancery_model::{AccessProvider, AccessTerms, ClaimRule, Organisation, OrganisationId, Role, RoleRule};
use chancery_storage::Transaction;
use moka::future::Cache;
use serde_json::{Map, Value};

use super::api_keys::ROLES;
use super::body::{Fault, Faults, Members};
use super::identity_provider::check_issuer;
use crate::{Context, Failure};

/// Why the access provider was not changed or shown.
#[derive(Debug)]
pub enum Rejection {
    /// None is configured.
    NotFound,
    /// The body breaks rules.
    Invalid(Vec<Fault>),
    /// It is not the version that the caller knows.
    Stale,
    /// Somebody else changed it at the same time.
    Concurrent,
}

/// Longest URL, in characters.
const LONGEST_URL: usize = 2048;
/// Longest name of a claim, and longest value, in characters.
const LONGEST_NAME: usize = 255;
/// Most rules of each kind.
const MOST_RULES: usize = 50;
/// Most values of a rule.
const MOST_VALUES: usize = 100;
/// Most names on the way to a claim.
const DEEPEST: usize = 8;

const MEMBERS: &[&str] = &["issuer", "audience", "plainJwt", "roles", "requiredClaims"];
/// What an answer shows may be sent back.
const ANSWERED: &[&str] = &["organisationId", "revision", "createdAt", "updatedAt"];

/// Configures the access provider, or changes it as a whole. `expected` is the revision that the caller knows.
///
/// # Errors
/// See [`Rejection`].
pub async fn configure(
    ctx: &Context,
    organisation: &Organisation,
    expected: Option<u32>,
    body: &Map<String, Value>,
) -> Result<AccessProvider, Failure<Rejection>> {
    let now = ctx.env().now();
    let current = ctx.store().read(organisation).await?.access_provider().await?;
    if expected.is_some() && expected != current.as_ref().map(|current| current.revision) {
        return Err(Failure::Rejected(Rejection::Stale));
    }
    let terms = read_terms(ctx, organisation, body).map_err(|faults| Failure::Rejected(Rejection::Invalid(faults)))?;
    let is_first = current.is_none();
    let provider = AccessProvider {
        revision: current.as_ref().map_or(1, |current| current.revision.saturating_add(1)),
        terms,
        created_at: current.map_or(now, |current| current.created_at),
        updated_at: now,
    };
    let save = async |tx: &Transaction| match is_first {
        true => tx.add_access_provider(&provider).await,
        false => tx.revise_access_provider(&provider).await,
    };
    let saved = ctx.store().write(organisation, save).await?;
    forget(ctx, organisation).await;
    match (saved, expected) {
        (true, _) => Ok(provider),
        (false, Some(_)) => Err(Failure::Rejected(Rejection::Stale)),
        (false, None) => Err(Failure::Rejected(Rejection::Concurrent)),
    }
}

/// The configured access provider.
///
/// # Errors
/// When there is none.
pub async fn read(ctx: &Context, organisation: &Organisation) -> Result<AccessProvider, Failure<Rejection>> {
    let found = ctx.store().read(organisation).await?.access_provider().await?;
    found.ok_or(Failure::Rejected(Rejection::NotFound))
}

/// Removes the access provider: its tokens open nothing any more.
///
/// # Errors
/// When there is none, or another revision than `expected`.
pub async fn remove(
    ctx: &Context,
    organisation: &Organisation,
    expected: Option<u32>,
) -> Result<(), Failure<Rejection>> {
    let remove = async |tx: &Transaction| tx.remove_access_provider(expected).await;
    let removed = ctx.store().write(organisation, remove).await?;
    forget(ctx, organisation).await;
    if removed {
        return Ok(());
    }
    read(ctx, organisation).await?;
    Err(Failure::Rejected(Rejection::Stale))
}

/// The organisation's access provider, if it has one; from the cache when it was read lately.
pub(crate) async fn recent<R>(
    ctx: &Context,
    organisation: &Organisation,
) -> Result<Arc<Option<AccessProvider>>, Failure<R>> {
    let cache = &ctx.access_providers().0;
    if let Some(provider) = cache.get(&organisation.id).await {
        return Ok(provider);
    }
    let found = Arc::new(ctx.store().read(organisation).await?.access_provider().await?);
    cache.insert(organisation.id, Arc::clone(&found)).await;
    Ok(found)
}

async fn forget(ctx: &Context, organisation: &Organisation) {
    ctx.access_providers().0.invalidate(&organisation.id).await;
}

/// Access providers that were asked for lately.
pub(crate) struct Configured(Cache<OrganisationId, Arc<Option<AccessProvider>>>);

impl Default for Configured {
    fn default() -> Self {
        Self(Cache::builder().max_capacity(10_000).time_to_live(Self::LIFETIME).build())
    }
}

impl Configured {
    /// How long another process may go on with an earlier provider.
    const LIFETIME: Duration = Duration::from_secs(5);
}

fn read_terms(
    ctx: &Context,
    organisation: &Organisation,
    body: &Map<String, Value>,
) -> Result<AccessTerms, Vec<Fault>> {
    let mut faults = Faults::default();
    let members = Members::of_body(body);
    members.refuse_others(&[MEMBERS, ANSWERED], &mut faults);
    for name in ["issuer", "roles"] {
        if members.filled(name).is_none() {
            faults.add(members.at(name), "this member is mandatory");
        }
    }
    let issuer = members.text("issuer", LONGEST_URL, &mut faults);
    if let Some(issuer) = issuer
        && let Err(reason) = check_issuer(ctx, issuer)
    {
        faults.add(members.at("issuer"), reason);
    }
    let audience = members.text("audience", LONGEST_URL, &mut faults).unwrap_or(organisation.issuer.as_str());
    let terms = AccessTerms {
        issuer: issuer.unwrap_or_default().to_owned(),
        audience: audience.to_owned(),
        plain_jwt: members.boolean("plainJwt", false, &mut faults),
        role_rules: read_role_rules(&members, &mut faults),
        required_claims: read_claim_rules(&members, &mut faults),
    };
    faults.none_or(Some(terms))
}

fn read_role_rules(members: &Members<'_>, faults: &mut Faults) -> Vec<RoleRule> {
    let mut rules = Vec::new();
    for (pointer, value) in members.array("roles", MOST_RULES, faults).unwrap_or_default() {
        let Some(members) = Members::of(value, pointer, faults) else { continue };
        members.refuse_others(&[&["claim", "values", "role"]], faults);
        members.require("role", faults);
        let role: Option<Role> = members.choice("role", ROLES, faults);
        let rule = read_rule(&members, faults);
        rules.extend(role.map(|role| RoleRule { rule, role }));
    }
    rules
}

fn read_claim_rules(members: &Members<'_>, faults: &mut Faults) -> Vec<ClaimRule> {
    let mut rules = Vec::new();
    for (pointer, value) in members.array("requiredClaims", MOST_RULES, faults).unwrap_or_default() {
        let Some(members) = Members::of(value, pointer, faults) else { continue };
        members.refuse_others(&[&["claim", "values"]], faults);
        rules.push(read_rule(&members, faults));
    }
    rules
}

fn read_rule(members: &Members<'_>, faults: &mut Faults) -> ClaimRule {
    ClaimRule {
        claim: read_texts(members, "claim", DEEPEST, faults),
        values: read_texts(members, "values", MOST_VALUES, faults),
    }
}

/// A list of texts with at least one.
fn read_texts(members: &Members<'_>, name: &str, most: usize, faults: &mut Faults) -> Vec<String> {
    members.require(name, faults);
    let elements = members.array(name, most, faults);
    if elements.as_ref().is_some_and(Vec::is_empty) {
        faults.add(members.at(name), "at least one element is expected");
    }
    let mut texts = Vec::new();
    for (pointer, value) in elements.unwrap_or_default() {
        match value.as_str().filter(|text| (1..=LONGEST_NAME).contains(&text.chars().count())) {
            // PostgreSQL stores no NUL, and no token has one in a name that means something.
            Some(text) if !text.contains('\0') => texts.push(text.to_owned()),
            Some(_) | None => faults.add(pointer, format!("a text of 1 to {LONGEST_NAME} characters is expected")),
        }
    }
    texts
}
