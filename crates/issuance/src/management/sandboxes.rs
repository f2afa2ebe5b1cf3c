//! Sandbox organisations: organisations below another one, whose administrators make them.
//!
//! Technically each is an organisation like others, with an issuer identifier, keys, definitions and records of its own. It
//! has no way in of its own at first: API keys of its parent are bound to it, and people of its parent name it.

use std::sync::Arc;

use chancery_model::{
    ImagePurpose, Organisation, OrganisationId, OrganisationRecord, OrganisationStatus, Quotas, Slug, Timestamp,
};
use chancery_storage::SandboxConflict;
use serde_json::{Map, Value};

use super::body::{Fault, Faults, Members};
use super::images::{self, PictureFault};
use super::organisations::{default_issuer, read_name};
use super::page::{Page, Window};
use crate::{Context, Failure};

/// Most sandbox organisations of one organisation.
pub const MOST_SANDBOXES: u64 = 100;

/// Why a sandbox organisation was not made, shown or changed.
#[derive(Debug)]
pub enum Rejection {
    /// The organisation has no such sandbox organisation.
    NotFound,
    /// The body breaks rules.
    Invalid(Vec<Fault>),
    /// It is not the version that the caller knows.
    Stale,
    /// The caller acts for a sandbox organisation, which owns none.
    Nested,
    /// There are [`MOST_SANDBOXES`].
    TooMany,
    /// The picture is too large.
    TooLarge,
    /// The file is neither PNG nor JPEG.
    NotAPicture,
}

/// What an answer shows may be sent back.
const ANSWERED: &[&str] = &[
    "sandboxOrgId",
    "slug",
    "status",
    "issuer",
    "agentServiceEndpoint",
    "credentialIssuerMetadata",
    "authorizationServerMetadata",
    "notificationEndpoint",
    "jwksEndpoint",
    "logoImageUrl",
    "coverImageUrl",
    "createdAt",
    "updatedAt",
];

/// Longest beginning of a slug that is taken from the parent's: with what follows, 63 characters.
const SLUG_BEGINNING: usize = 46;

/// Creates a sandbox organisation. It begins with the policy of its parent, and under
/// `{public_url}/o/{slug of the parent}-sandbox-{random}`: an address that nobody takes for the real one.
///
/// # Errors
/// See [`Rejection`].
pub async fn create(
    ctx: &Context,
    parent: &Organisation,
    body: &Map<String, Value>,
) -> Result<Organisation, Failure<Rejection>> {
    if parent.parent.is_some() {
        return Err(Failure::Rejected(Rejection::Nested));
    }
    let name = read_body(body).map_err(|faults| Failure::Rejected(Rejection::Invalid(faults)))?;
    let env = ctx.env();
    let now = env.now();
    let slug = slug(parent, env.random::<4>())?;
    let record = OrganisationRecord {
        id: OrganisationId::from(env.uuid(now)),
        parent: Some(parent.id),
        issuer: default_issuer(ctx, &slug)?,
        slug,
        name,
        logo: None,
        cover: None,
        status: OrganisationStatus::Active,
        policy: parent.policy.clone(),
        quotas: Quotas::default(),
        created_at: now,
        updated_at: now,
    };
    match ctx.store().directory().create_sandbox(&record, MOST_SANDBOXES).await? {
        Ok(()) => Ok(record.into()),
        Err(SandboxConflict::Parent) => Err(Failure::Rejected(Rejection::Nested)),
        Err(SandboxConflict::TooMany) => Err(Failure::Rejected(Rejection::TooMany)),
        // One in four thousand million: the same request will go well.
        Err(SandboxConflict::Taken(_)) => Err(Failure::Unavailable(anyhow::anyhow!("the random slug is taken"))),
    }
}

/// Sandbox organisations of this organisation.
///
/// # Errors
/// Those of the database.
pub async fn list<R>(ctx: &Context, parent: &Organisation, window: Window) -> Result<Page<Organisation>, Failure<R>> {
    let listed = ctx.store().directory().sandboxes(parent.id, &window.into()).await?;
    Ok(Page::listed(listed, window))
}

/// One sandbox organisation of this organisation.
///
/// # Errors
/// When there is none.
pub async fn read(
    ctx: &Context,
    parent: &Organisation,
    id: OrganisationId,
) -> Result<Arc<Organisation>, Failure<Rejection>> {
    find(ctx, parent, id).await?.ok_or(Failure::Rejected(Rejection::NotFound))
}

/// Gives a sandbox organisation another name. `seen` is when the version was made that the caller knows.
///
/// # Errors
/// See [`Rejection`].
pub async fn rename(
    ctx: &Context,
    parent: &Organisation,
    id: OrganisationId,
    seen: Option<Timestamp>,
    body: &Map<String, Value>,
) -> Result<Organisation, Failure<Rejection>> {
    let sandbox = read(ctx, parent, id).await?;
    let name = read_body(body).map_err(|faults| Failure::Rejected(Rejection::Invalid(faults)))?;
    let renamed = ctx.store().directory().update(id, Some(&name), None, seen, ctx.env().now()).await?;
    ctx.publications().forget(&sandbox).await;
    renamed.ok_or_else(|| changed_or_gone(seen))
}

/// Stores the logo or cover of a sandbox organisation: PNG or JPEG. Its issuer metadata show the logo. `seen` is when the
/// version was made that the caller knows.
///
/// # Errors
/// See [`Rejection`].
pub async fn put_image(
    ctx: &Context,
    parent: &Organisation,
    id: OrganisationId,
    seen: Option<Timestamp>,
    (purpose, bytes): (ImagePurpose, Vec<u8>),
) -> Result<Arc<Organisation>, Failure<Rejection>> {
    let sandbox = read(ctx, parent, id).await?;
    let image = images::picture(bytes, None, purpose, ctx.env().now()).map_err(|fault| {
        Failure::Rejected(match fault {
            PictureFault::TooLarge => Rejection::TooLarge,
            PictureFault::NotAPicture => Rejection::NotAPicture,
        })
    })?;
    let stored = ctx.store().directory().put_image(id, &image, seen).await?;
    ctx.publications().forget(&sandbox).await;
    if stored { read(ctx, parent, id).await } else { Err(changed_or_gone(seen)) }
}

/// Deletes a sandbox organisation and everything it owns. API keys that are bound to it open nothing any more. `seen` is when
/// the version was made that the caller knows.
///
/// # Errors
/// When there is none, or another version of it.
pub async fn delete(
    ctx: &Context,
    parent: &Organisation,
    id: OrganisationId,
    seen: Option<Timestamp>,
) -> Result<(), Failure<Rejection>> {
    read(ctx, parent, id).await?;
    let deleted = ctx.store().directory().delete(id, seen).await?;
    if deleted { Ok(()) } else { Err(changed_or_gone(seen)) }
}

/// The sandbox organisation with this id, if it is one of `parent`.
pub(crate) async fn find<R>(
    ctx: &Context,
    parent: &Organisation,
    id: OrganisationId,
) -> Result<Option<Arc<Organisation>>, Failure<R>> {
    let found = ctx.store().directory().organisation(id).await?;
    Ok(found.filter(|found| found.parent == Some(parent.id)))
}

/// Why nothing was done to a sandbox organisation that was there a moment ago.
fn changed_or_gone(seen: Option<Timestamp>) -> Failure<Rejection> {
    Failure::Rejected(match seen {
        Some(_) => Rejection::Stale,
        None => Rejection::NotFound,
    })
}

fn slug(parent: &Organisation, random: [u8; 4]) -> Result<Slug, Failure<Rejection>> {
    let beginning: String = parent.slug.as_str().chars().take(SLUG_BEGINNING).collect();
    let text = format!("{beginning}-sandbox-{:08x}", u32::from_be_bytes(random));
    Slug::parse(&text).map_err(|error| Failure::Internal(error.into()))
}

fn read_body(body: &Map<String, Value>) -> Result<String, Vec<Fault>> {
    let mut faults = Faults::default();
    let members = Members::of_body(body);
    members.refuse_others(&[&["name"], ANSWERED], &mut faults);
    members.require("name", &mut faults);
    let name = read_name(&members, &mut faults);
    faults.none_or(name)
}
