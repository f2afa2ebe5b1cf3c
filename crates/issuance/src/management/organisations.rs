//! Organisations, for the holder of the platform key.

mod draft;
mod policy;

use std::convert::Infallible;

use chancery_model::{
    Organisation, OrganisationId, OrganisationRecord, OrganisationStatus, Quotas, Role, Slug, Timestamp,
};
use chancery_protocol::IssuerIdentifier;
use chancery_storage::OrganisationConflict;
use serde_json::{Map, Value};

use super::api_keys::{self, NewApiKey};
use super::body::Fault;
use super::page::{Page, Window};
use crate::{Context, Failure};

pub(super) use draft::read_name;
pub use draft::{Changes, NewOrganisation};

/// Name and life (in days) of the key that a new organisation begins with.
const FIRST_KEY: (&str, u32) = ("First administrator", 365);

/// A new organisation and the key of its first administrator.
#[derive(Debug)]
pub struct Created {
    /// The organisation.
    pub organisation: Organisation,
    /// The key, whose text is known only now.
    pub api_key: NewApiKey,
}

/// Why no organisation was created.
#[derive(Debug)]
pub enum CreateRejection {
    /// The body breaks rules.
    Invalid(Vec<Fault>),
    /// Another organisation has this slug.
    SlugTaken,
    /// Another organisation has this issuer identifier.
    IssuerTaken,
}

/// There is no such organisation.
#[derive(Debug)]
pub enum Rejection {
    /// There is no such organisation.
    NotFound,
}

/// Why an organisation was not deleted.
#[derive(Debug)]
pub enum DeleteRejection {
    /// There is no such organisation.
    NotFound,
    /// It is not the version that the caller knows.
    Stale,
}

/// Why an organisation was not changed.
#[derive(Debug)]
pub enum UpdateRejection {
    /// There is no such organisation.
    NotFound,
    /// The body breaks rules.
    Invalid(Vec<Fault>),
    /// It is not the version that the caller knows.
    Stale,
}

/// Creates an organisation. Without an issuer identifier of its own it gets `{public_url}/o/{slug}`.
pub async fn create(ctx: &Context, new: NewOrganisation) -> Result<Created, Failure<CreateRejection>> {
    let env = ctx.env();
    let now = env.now();
    let issuer = match new.issuer {
        Some(issuer) => issuer,
        None => default_issuer(ctx, &new.slug)?,
    };
    let record = OrganisationRecord {
        id: OrganisationId::from(env.uuid(now)),
        parent: None,
        logo: None,
        cover: None,
        slug: new.slug,
        name: new.name,
        issuer,
        status: OrganisationStatus::Active,
        policy: new.policy,
        quotas: Quotas::default(),
        created_at: now,
        updated_at: now,
    };
    let (name, days) = FIRST_KEY;
    let api_key = api_keys::make(env, now, record.id, name.to_owned(), Role::Admin, days);
    match ctx.store().directory().create(&record, &api_key.key).await? {
        Ok(()) => Ok(Created { organisation: record.into(), api_key }),
        Err(OrganisationConflict::Slug) => Err(Failure::Rejected(CreateRejection::SlugTaken)),
        Err(OrganisationConflict::Issuer) => Err(Failure::Rejected(CreateRejection::IssuerTaken)),
    }
}

/// `{public_url}/o/{slug}`.
pub(super) fn default_issuer<R>(ctx: &Context, slug: &Slug) -> Result<IssuerIdentifier, Failure<R>> {
    let base = ctx.settings().public_url.as_str().trim_end_matches('/');
    IssuerIdentifier::parse(&format!("{base}/o/{slug}"))
        .map_err(|error| Failure::Internal(anyhow::Error::new(error).context("the public URL")))
}

/// Organisations; `search` is part of the slug or name.
pub async fn list<R>(ctx: &Context, search: &str, window: Window) -> Result<Page<Organisation>, Failure<R>> {
    let listed = ctx.store().directory().organisations(search, &window.into()).await?;
    Ok(Page::listed(listed, window))
}

/// One organisation.
pub async fn read(ctx: &Context, id: OrganisationId) -> Result<Organisation, Failure<Rejection>> {
    find(ctx, id).await?.ok_or(Failure::Rejected(Rejection::NotFound))
}

/// What goes wrong without a change, now or soon, for people: certificates that end, those that are trusted and the
/// organisation's own, and under HAIP a signing key whose certificates will not do.
pub async fn warnings(ctx: &Context, organisation: &Organisation) -> Vec<String> {
    let now = ctx.env().now();
    let expiring = organisation.policy.trust_anchors.expiring(now);
    let mut warnings: Vec<String> = expiring.iter().map(ToString::to_string).collect();
    match ctx.keyring::<Infallible>(organisation).await {
        Ok(keyring) => warnings.extend(keyring.warnings(&organisation.policy, now)),
        Err(failure) => {
            tracing::warn!(organisation = organisation.slug.as_str(), ?failure, "no warnings about signing keys");
            warnings.push("the signing keys cannot be read at the moment".to_owned());
        }
    }
    warnings
}

/// Changes name or policy; what the changes leave out stays. `seen` is when the version was made that the caller knows.
pub async fn update(
    ctx: &Context,
    id: OrganisationId,
    seen: Option<Timestamp>,
    changes: Changes,
) -> Result<Organisation, Failure<UpdateRejection>> {
    if find::<UpdateRejection>(ctx, id).await?.is_none() {
        return Err(Failure::Rejected(UpdateRejection::NotFound));
    }
    let Changes { name, policy } = changes;
    let now = ctx.env().now();
    let updated = ctx.store().directory().update(id, name.as_deref(), policy.as_ref(), seen, now).await?;
    updated.ok_or(Failure::Rejected(match seen {
        Some(_) => UpdateRejection::Stale,
        None => UpdateRejection::NotFound,
    }))
}

/// Replaces the policy of the caller's organisation. `body` is the policy; switches that it leaves out have the values of
/// its profile. `seen` is when the version of the organisation was made that the caller knows.
pub async fn set_policy(
    ctx: &Context,
    organisation: &Organisation,
    seen: Option<Timestamp>,
    body: &Map<String, Value>,
) -> Result<Organisation, Failure<UpdateRejection>> {
    let policy = policy::read_body(body).map_err(|faults| Failure::Rejected(UpdateRejection::Invalid(faults)))?;
    update(ctx, organisation.id, seen, Changes { name: None, policy: Some(policy) }).await
}

/// Suspends an organisation, and its sandboxes with it: wallets get 404 and its own keys 403. Nothing is lost.
pub async fn suspend(ctx: &Context, id: OrganisationId) -> Result<Organisation, Failure<Rejection>> {
    set_status(ctx, id, OrganisationStatus::Suspended).await
}

/// Lets a suspended organisation act again; a sandbox when its parent may.
pub async fn resume(ctx: &Context, id: OrganisationId) -> Result<Organisation, Failure<Rejection>> {
    set_status(ctx, id, OrganisationStatus::Active).await
}

/// Deletes an organisation, its sandboxes and everything they own, for good. `seen` is when the version was made that the
/// caller knows.
pub async fn delete(
    ctx: &Context,
    id: OrganisationId,
    seen: Option<Timestamp>,
) -> Result<(), Failure<DeleteRejection>> {
    if find::<DeleteRejection>(ctx, id).await?.is_none() {
        return Err(Failure::Rejected(DeleteRejection::NotFound));
    }
    let deleted = ctx.store().directory().delete(id, seen).await?;
    let refused = if seen.is_some() { DeleteRejection::Stale } else { DeleteRejection::NotFound };
    if deleted { Ok(()) } else { Err(Failure::Rejected(refused)) }
}

async fn set_status(
    ctx: &Context,
    id: OrganisationId,
    status: OrganisationStatus,
) -> Result<Organisation, Failure<Rejection>> {
    ctx.store().directory().set_status(id, status, ctx.env().now()).await?;
    read(ctx, id).await
}

async fn find<R>(ctx: &Context, id: OrganisationId) -> Result<Option<Organisation>, Failure<R>> {
    Ok(ctx.store().directory().organisation(id).await?.map(|found| Organisation::clone(&found)))
}
