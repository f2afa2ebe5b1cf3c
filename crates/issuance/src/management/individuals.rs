//! People whom an organisation knows: registered subjects, and how offers reach them.

mod reading;

use std::collections::HashMap;

use chancery_model::{Contact, Individual, IndividualId, Organisation};
use chancery_storage::{IndividualChange, StoreError, Transaction};
use serde_json::{Map, Value};

use super::body::Fault;
use super::page::{Page, Window};
use crate::sealed::Place;
use crate::{Context, Failure};

/// A person whom the organisation knows, opened.
#[derive(Debug)]
pub struct Shown {
    /// The row.
    pub individual: Individual,
    /// What is known.
    pub contact: Contact,
}

/// Why nobody was registered, changed or erased.
#[derive(Debug)]
pub enum Rejection {
    /// The organisation knows no such person.
    NotFound,
    /// The body breaks rules.
    Invalid(Vec<Fault>),
    /// Another person of the organisation has the external id.
    ExternalIdTaken,
    /// It is not the version that the caller knows.
    Stale,
    /// Somebody else changed it at the same time.
    Concurrent,
}

/// Registers a person.
pub async fn create(
    ctx: &Context,
    organisation: &Organisation,
    body: &Map<String, Value>,
) -> Result<Shown, Failure<Rejection>> {
    let contact = reading::read(ctx, body).map_err(invalid)?;
    let now = ctx.env().now();
    let id = IndividualId::from(ctx.env().uuid(now));
    check_external_id(ctx, organisation, &contact, id).await?;
    let individual = Individual {
        id,
        revision: 1,
        external_id_hash: hash(ctx, organisation, &contact.external_id),
        sealed_contact: ctx.seal(organisation, Place::IndividualContact, id.as_uuid(), &contact)?,
        created_at: now,
        updated_at: now,
    };
    let add = async |tx: &Transaction| settled(tx.add_individual(&individual).await?);
    ctx.store().write(organisation, add).await?;
    Ok(Shown { individual, contact })
}

/// One person.
pub async fn read(ctx: &Context, organisation: &Organisation, id: IndividualId) -> Result<Shown, Failure<Rejection>> {
    let found = ctx.store().read(organisation).await?.individual(id).await?;
    let individual = found.ok_or(Failure::Rejected(Rejection::NotFound))?;
    opened(ctx, organisation, individual)
}

/// A page of people, newest first unless the window says otherwise; `external_id` leaves the one who has it.
pub async fn list<R>(
    ctx: &Context,
    organisation: &Organisation,
    external_id: &str,
    window: Window,
) -> Result<Page<Shown>, Failure<R>> {
    let page = match external_id.is_empty() {
        true => Page::listed(ctx.store().read(organisation).await?.individuals(&window.into()).await?, window),
        false => Page::cut(by_external_id(ctx, organisation, external_id).await?.into_iter().collect(), window),
    };
    let items = page.items.into_iter().map(|individual| opened(ctx, organisation, individual));
    Ok(Page { items: items.collect::<Result<_, _>>()?, pagination: page.pagination })
}

/// Replaces everything that is known of a person. `expected` is the revision that the caller knows. Offers that wait go
/// where the person is reached from now on.
pub async fn update(
    ctx: &Context,
    organisation: &Organisation,
    id: IndividualId,
    expected: Option<u32>,
    body: &Map<String, Value>,
) -> Result<Shown, Failure<Rejection>> {
    let Shown { individual: current, .. } = read(ctx, organisation, id).await?;
    if expected.is_some_and(|expected| expected != current.revision) {
        return Err(Failure::Rejected(Rejection::Stale));
    }
    let contact = reading::read(ctx, body).map_err(invalid)?;
    check_external_id(ctx, organisation, &contact, id).await?;
    let individual = Individual {
        revision: current.revision.saturating_add(1),
        external_id_hash: hash(ctx, organisation, &contact.external_id),
        sealed_contact: ctx.seal(organisation, Place::IndividualContact, id.as_uuid(), &contact)?,
        updated_at: ctx.env().now(),
        ..current
    };
    let revise = async |tx: &Transaction| settled(tx.revise_individual(&individual).await?);
    match ctx.store().write(organisation, revise).await {
        Ok(()) => Ok(Shown { individual, contact }),
        Err(Failure::Rejected(Rejection::Stale)) if expected.is_none() => Err(Failure::Rejected(Rejection::Concurrent)),
        Err(failure) => Err(failure),
    }
}

/// Erases a person: everything that is known, and where offers went. Records of what was issued stay, under the id of
/// somebody who is not known any more.
pub async fn erase(
    ctx: &Context,
    organisation: &Organisation,
    id: IndividualId,
    expected: Option<u32>,
) -> Result<(), Failure<Rejection>> {
    let erase = async |tx: &Transaction| -> Result<bool, StoreError> { tx.erase_individual(id, expected).await };
    if !ctx.store().write(organisation, erase).await? {
        read(ctx, organisation, id).await?;
        return Err(Failure::Rejected(Rejection::Stale));
    }
    ctx.store().settle_erasure().await?;
    Ok(())
}

/// The person with this external id.
pub(super) async fn by_external_id(
    ctx: &Context,
    organisation: &Organisation,
    external_id: &str,
) -> Result<Option<Individual>, StoreError> {
    let message = hashed(organisation, external_id);
    let hashes: Vec<[u8; 32]> = ctx.individual_keys().iter().map(|key| key.mac(&message)).collect();
    ctx.store().read(organisation).await?.individual_by_external_id(&hashes).await
}

/// Ids of the people with these external ids; those that nobody has are left out.
pub(super) async fn by_external_ids(
    ctx: &Context,
    organisation: &Organisation,
    external_ids: &[&str],
) -> Result<HashMap<String, IndividualId>, StoreError> {
    let mut hashes: HashMap<[u8; 32], &str> = HashMap::new();
    for external_id in external_ids {
        let message = hashed(organisation, external_id);
        hashes.extend(ctx.individual_keys().iter().map(|key| (key.mac(&message), *external_id)));
    }
    let wanted: Vec<[u8; 32]> = hashes.keys().copied().collect();
    let found = ctx.store().read(organisation).await?.individuals_by_external_id(&wanted).await?;
    let named = found.into_iter().filter_map(|individual| {
        let external_id = individual.external_id_hash.and_then(|hash| hashes.get(&hash).copied())?;
        Some((external_id.to_owned(), individual.id))
    });
    Ok(named.collect())
}

/// Opens what is known of a person.
pub(crate) fn open<R>(
    ctx: &Context,
    organisation: &Organisation,
    individual: &Individual,
) -> Result<Contact, Failure<R>> {
    ctx.open(organisation, Place::IndividualContact, individual.id.as_uuid(), &individual.sealed_contact)
}

fn opened<R>(ctx: &Context, organisation: &Organisation, individual: Individual) -> Result<Shown, Failure<R>> {
    let contact = open(ctx, organisation, &individual)?;
    Ok(Shown { individual, contact })
}

/// Says before the unique index does who has an external id, also under a hash of an earlier key.
async fn check_external_id(
    ctx: &Context,
    organisation: &Organisation,
    contact: &Contact,
    id: IndividualId,
) -> Result<(), Failure<Rejection>> {
    if contact.external_id.is_empty() {
        return Ok(());
    }
    let holder = by_external_id(ctx, organisation, &contact.external_id).await?;
    match holder.is_some_and(|holder| holder.id != id) {
        true => Err(Failure::Rejected(Rejection::ExternalIdTaken)),
        false => Ok(()),
    }
}

/// Keyed hash of an external id; `None` for the empty text. The key keeps whoever reads the database from trying ids out.
fn hash(ctx: &Context, organisation: &Organisation, external_id: &str) -> Option<[u8; 32]> {
    let message = hashed(organisation, external_id);
    (!external_id.is_empty()).then(|| ctx.individual_keys().current().mac(&message))
}

fn hashed(organisation: &Organisation, external_id: &str) -> Vec<u8> {
    [organisation.id.as_uuid().as_bytes(), external_id.as_bytes()].concat()
}

fn settled(change: IndividualChange) -> Result<(), Failure<Rejection>> {
    match change {
        IndividualChange::Done => Ok(()),
        IndividualChange::Stale => Err(Failure::Rejected(Rejection::Stale)),
        IndividualChange::ExternalIdTaken => Err(Failure::Rejected(Rejection::ExternalIdTaken)),
    }
}

fn invalid(faults: Vec<Fault>) -> Failure<Rejection> {
    Failure::Rejected(Rejection::Invalid(faults))
}
