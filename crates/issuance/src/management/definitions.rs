//! Credential definitions: what an organisation offers.

pub(crate) mod claims_endpoint;
mod preview;
pub(super) mod reading;

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Duration;

use chancery_model::{Definition, DefinitionId, EncryptionRule, Entry, Organisation, OrganisationId, SigningKeyState};
use chancery_storage::{DefinitionChange, DefinitionDeletion, DefinitionFilter, StoreError, Transaction};
use moka::future::Cache;
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use self::claims_endpoint::Secrets;
pub use self::preview::{Preview, PreviewRejection, preview};
use self::reading::{Draft, ENCRYPTION};
use super::body::Fault;
use super::global_configurations;
use super::page::{Page, Window};
use crate::{Context, Failure};

/// A definition as it was saved.
pub struct Saved {
    /// The new version.
    pub definition: Definition,
    /// What requests to its claims endpoint are signed with, when it was made in this very call.
    pub new_secret: Option<Zeroizing<String>>,
}

impl std::fmt::Debug for Saved {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Saved({}, revision {})", self.definition.id, self.definition.revision)
    }
}

/// Why no definition was created.
#[derive(Debug)]
pub enum CreateRejection {
    /// The body breaks rules.
    Invalid(Vec<Fault>),
    /// A configuration id is used by another definition of the organisation.
    ConfigurationTaken(Fault),
    /// A scope stands for credentials of another definition of the organisation.
    ScopeTaken(Fault),
}

/// Why a definition was not updated.
#[derive(Debug)]
pub enum UpdateRejection {
    /// The organisation has no such definition.
    NotFound,
    /// The body breaks rules.
    Invalid(Vec<Fault>),
    /// A configuration id is used by another definition of the organisation.
    ConfigurationTaken(Fault),
    /// A scope stands for credentials of another definition of the organisation.
    ScopeTaken(Fault),
    /// It is not the version that the caller knows.
    Stale,
    /// Somebody else updated it at the same time.
    Concurrent,
}

/// There is no such definition.
#[derive(Debug)]
pub enum ReadRejection {
    /// The organisation has no such definition.
    NotFound,
}

/// Why a definition was not deleted.
#[derive(Debug)]
pub enum DeleteRejection {
    /// The organisation has no such definition.
    NotFound,
    /// Exchanges of it are still open.
    InUse,
    /// It is not the version that the caller knows.
    Stale,
}

/// Which definitions a list holds; an empty filter lets everything pass.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Exactly this `vct`.
    pub vct: String,
    /// Exactly this `doctype`: none in this release.
    pub doctype: String,
    /// Exactly this `type`: none in this release.
    pub kind: String,
    /// Part of label, configuration id or `vct`, without case.
    pub search: String,
}

/// Creates a definition from a body in either documented shape.
pub async fn create(
    ctx: &Context,
    organisation: &Organisation,
    body: &Map<String, Value>,
) -> Result<Saved, Failure<CreateRejection>> {
    let env = ctx.env();
    let now = env.now();
    let defaults = global_configurations::recent(ctx, organisation).await?;
    let draft = reading::read(body, None, (&defaults, ctx.outbound()), || env.uuid(now).into()).map_err(invalid_new)?;
    let draft = check_against_organisation(ctx, organisation, draft, None).await?.map_err(|refusal| match refusal {
        Refusal::Invalid(fault) => invalid_new(vec![fault]),
        Refusal::ConfigurationTaken(fault) => Failure::Rejected(CreateRejection::ConfigurationTaken(fault)),
        Refusal::ScopeTaken(fault) => Failure::Rejected(CreateRejection::ScopeTaken(fault)),
    })?;
    let definition = Definition {
        id: DefinitionId::from(env.uuid(now)),
        revision: 1,
        content: draft.content,
        created_at: now,
        updated_at: now,
    };
    let described = (definition.id, &definition.content);
    let secrets = Secrets::prepare(ctx, organisation, described, draft.secret, None, now)?;
    let work = async |tx: &Transaction| -> Result<DefinitionChange, StoreError> {
        let change = tx.add_definition(&definition).await?;
        if change == DefinitionChange::Saved {
            secrets.record(tx, definition.id, now).await?;
        }
        Ok(change)
    };
    let change = ctx.store().write(organisation, work).await?;
    forget(ctx, organisation, definition.id).await;
    match change {
        DefinitionChange::Saved => Ok(Saved { definition, new_secret: secrets.made }),
        DefinitionChange::ConfigurationIdTaken(_) | DefinitionChange::Stale | DefinitionChange::NotFound => {
            Err(Failure::Rejected(CreateRejection::ConfigurationTaken(raced())))
        }
    }
}

/// One definition in its newest version.
pub async fn read(
    ctx: &Context,
    organisation: &Organisation,
    id: DefinitionId,
) -> Result<Definition, Failure<ReadRejection>> {
    let found = ctx.store().read(organisation).await?.definition(id).await?;
    found.ok_or(Failure::Rejected(ReadRejection::NotFound))
}

/// Makes a new version. Exchanges that run keep the version they started with. `expected` is the revision that the caller
/// knows.
pub async fn update(
    ctx: &Context,
    organisation: &Organisation,
    id: DefinitionId,
    expected: Option<u32>,
    body: &Map<String, Value>,
) -> Result<Saved, Failure<UpdateRejection>> {
    let env = ctx.env();
    let now = env.now();
    let read = ctx.store().read(organisation).await?;
    let Some(current) = read.definition(id).await? else {
        return Err(Failure::Rejected(UpdateRejection::NotFound));
    };
    let known_secrets = read.claims_endpoint_secrets(id).await?;
    drop(read);
    let invalid = |faults| Failure::Rejected(UpdateRejection::Invalid(faults));
    if expected.is_some_and(|expected| expected != current.revision) {
        return Err(Failure::Rejected(UpdateRejection::Stale));
    }
    let defaults = global_configurations::recent(ctx, organisation).await?;
    let draft =
        reading::read(body, Some(&current), (&defaults, ctx.outbound()), || env.uuid(now).into()).map_err(invalid)?;
    let draft =
        check_against_organisation(ctx, organisation, draft, Some(id)).await?.map_err(|refusal| match refusal {
            Refusal::Invalid(fault) => invalid(vec![fault]),
            Refusal::ConfigurationTaken(fault) => Failure::Rejected(UpdateRejection::ConfigurationTaken(fault)),
            Refusal::ScopeTaken(fault) => Failure::Rejected(UpdateRejection::ScopeTaken(fault)),
        })?;
    let definition = Definition {
        id,
        revision: current.revision.saturating_add(1),
        content: draft.content,
        created_at: current.created_at,
        updated_at: now,
    };
    let described = (id, &definition.content);
    let secrets = Secrets::prepare(ctx, organisation, described, draft.secret, known_secrets, now)?;
    let work = async |tx: &Transaction| -> Result<DefinitionChange, StoreError> {
        let change = tx.revise_definition(&definition).await?;
        if change == DefinitionChange::Saved {
            secrets.record(tx, id, now).await?;
        }
        Ok(change)
    };
    let change = ctx.store().write(organisation, work).await?;
    forget(ctx, organisation, id).await;
    match change {
        DefinitionChange::Saved => Ok(Saved { definition, new_secret: secrets.made }),
        DefinitionChange::Stale if expected.is_some() => Err(Failure::Rejected(UpdateRejection::Stale)),
        DefinitionChange::Stale => Err(Failure::Rejected(UpdateRejection::Concurrent)),
        DefinitionChange::NotFound => Err(Failure::Rejected(UpdateRejection::NotFound)),
        DefinitionChange::ConfigurationIdTaken(_) => {
            Err(Failure::Rejected(UpdateRejection::ConfigurationTaken(raced())))
        }
    }
}

/// Deletes a definition that no open exchange needs. Records of finished exchanges stay readable. `expected` is the revision
/// that the caller knows.
pub async fn delete(
    ctx: &Context,
    organisation: &Organisation,
    id: DefinitionId,
    expected: Option<u32>,
) -> Result<(), Failure<DeleteRejection>> {
    let now = ctx.env().now();
    let outcome = ctx.store().write(organisation, async |tx| tx.delete_definition(id, expected, now).await).await?;
    forget(ctx, organisation, id).await;
    match outcome {
        DefinitionDeletion::Deleted => Ok(()),
        DefinitionDeletion::InUse => Err(Failure::Rejected(DeleteRejection::InUse)),
        DefinitionDeletion::NotFound => Err(Failure::Rejected(DeleteRejection::NotFound)),
        DefinitionDeletion::Stale => Err(Failure::Rejected(DeleteRejection::Stale)),
    }
}

/// Definitions, newest first unless the window says otherwise. Without `counted`, the totals are 0.
pub async fn list<R>(
    ctx: &Context,
    organisation: &Organisation,
    filter: &Filter,
    window: Window,
    counted: bool,
) -> Result<Page<Definition>, Failure<R>> {
    // No entry has a doctype or a type yet, so a list by one of them is empty.
    if !filter.doctype.is_empty() || !filter.kind.is_empty() {
        return Ok(Page::new(Vec::new(), 0, window));
    }
    let given = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
    let wanted = DefinitionFilter { vct: given(&filter.vct), search: given(&filter.search) };
    let listed = ctx.store().read(organisation).await?.definitions(&wanted, &window.into()).await?;
    let mut page = Page::listed(listed, window);
    if !counted {
        page.pagination.total_items = 0;
        page.pagination.total_pages = 0;
    }
    Ok(page)
}

/// Scopes by which wallets can ask for credentials, in alphabetical order: those that the metadata have.
pub async fn scopes<R>(ctx: &Context, organisation: &Organisation) -> Result<Vec<String>, Failure<R>> {
    let all = ctx.store().read(organisation).await?.all_definitions().await?;
    let entries = all.iter().flat_map(|definition| &definition.content.entries);
    let scopes: BTreeSet<&str> = entries.filter_map(|entry| organisation.policy.scope_for(entry)).collect();
    Ok(scopes.into_iter().map(str::to_owned).collect())
}

/// Definitions that were issued from lately, so that an issue call need not read them again.
pub(crate) struct Definitions(Cache<(OrganisationId, DefinitionId), Arc<Definition>>);

impl Default for Definitions {
    fn default() -> Self {
        Self(Cache::builder().max_capacity(10_000).time_to_live(Self::LIFETIME).build())
    }
}

impl Definitions {
    /// How long another process may go on with the version before the newest.
    const LIFETIME: Duration = Duration::from_secs(5);
}

/// What is kept of the definition, and of the metadata that publishes it.
pub(super) async fn forget(ctx: &Context, organisation: &Organisation, id: DefinitionId) {
    ctx.definitions().0.invalidate(&(organisation.id, id)).await;
    ctx.publications().forget(organisation).await;
}

/// The newest version, from the cache when it was read lately.
pub(crate) async fn recent<R>(
    ctx: &Context,
    organisation: &Organisation,
    id: DefinitionId,
) -> Result<Option<Arc<Definition>>, Failure<R>> {
    let cache = &ctx.definitions().0;
    if let Some(definition) = cache.get(&(organisation.id, id)).await {
        return Ok(Some(definition));
    }
    let found = ctx.store().read(organisation).await?.definition(id).await?.map(Arc::new);
    if let Some(definition) = &found {
        cache.insert((organisation.id, id), Arc::clone(definition)).await;
    }
    Ok(found)
}

enum Refusal {
    Invalid(Fault),
    ConfigurationTaken(Fault),
    ScopeTaken(Fault),
}

/// What only the organisation's other data can tell: the signing key exists, configuration ids are unique, attestations
/// that are demanded can be had, and a scope stands for credentials of one definition, because a request by it begins one
/// exchange (AUT-8).
async fn check_against_organisation<R>(
    ctx: &Context,
    organisation: &Organisation,
    mut draft: Draft,
    own: Option<DefinitionId>,
) -> Result<Result<Draft, Refusal>, Failure<R>> {
    let reader = ctx.store().read(organisation).await?;
    if !draft.content.kid.is_empty() {
        let keys = reader.signing_keys().await?;
        let usable = |state| matches!(state, SigningKeyState::Next | SigningKeyState::Active);
        if !keys.iter().any(|key| key.kid == draft.content.kid && usable(key.state)) {
            let detail = "the organisation has no such signing key that is active or next".to_owned();
            return Ok(Err(Refusal::Invalid(Fault { pointer: "/kid".to_owned(), detail })));
        }
    }
    if let Some(fault) = impossible_demand(organisation, &draft) {
        return Ok(Err(Refusal::Invalid(fault)));
    }
    let others = reader.all_definitions().await?.into_iter().filter(|definition| Some(definition.id) != own);
    let others: Vec<Entry> = others.flat_map(|definition| definition.content.entries).collect();
    let mut taken: HashSet<String> = others.iter().map(|entry| entry.configuration_id.clone()).collect();
    for (entry, pointers) in draft.content.entries.iter_mut().zip(&draft.pointers) {
        if taken.contains(&entry.configuration_id) {
            if let Some(pointer) = &pointers.configuration_id {
                let detail = "another definition of the organisation has this configuration id".to_owned();
                return Ok(Err(Refusal::ConfigurationTaken(Fault { pointer: pointer.clone(), detail })));
            }
            entry.configuration_id = first_free(&entry.configuration_id, &taken);
        }
        taken.insert(entry.configuration_id.clone());
    }
    match taken_scope(organisation, &draft, &others) {
        Some(fault) => Ok(Err(Refusal::ScopeTaken(fault))),
        None => Ok(Ok(draft)),
    }
}

/// An attestation that is demanded and that nobody may make, or encryption that is off: what nobody can fulfil is a mistake
/// of whoever writes it.
fn impossible_demand(organisation: &Organisation, draft: &Draft) -> Option<Fault> {
    let anchors = &organisation.policy.trust_anchors;
    if draft.content.enforce_wua && anchors.wallet_providers.is_empty() {
        let detail = "to enforce attestations, name walletProviders in trustAnchors of the policy".to_owned();
        return Some(Fault { pointer: "/enforceWUA".to_owned(), detail });
    }
    if draft.content.demands.encryption && organisation.policy.message_encryption().request == EncryptionRule::Off {
        let detail = "to enforce encryption, allow it in the policy".to_owned();
        return Some(Fault { pointer: format!("/{ENCRYPTION}"), detail });
    }
    let demanding = draft.content.entries.iter().zip(&draft.pointers).find(|(entry, _)| entry.require_key_attestation);
    let (_, pointers) = demanding.filter(|_| anchors.key_attesters.is_empty())?;
    Some(Fault { pointer: pointers.require_key_attestation.clone(), detail: NO_KEY_ATTESTERS.to_owned() })
}

/// Why no key attestation can be demanded.
pub(super) const NO_KEY_ATTESTERS: &str =
    "to require key attestations, name keyAttesters in trustAnchors of the policy";

/// The first scope that stands for an entry of another definition.
fn taken_scope(organisation: &Organisation, draft: &Draft, others: &[Entry]) -> Option<Fault> {
    let scopes: HashSet<&str> = others.iter().filter_map(|other| organisation.policy.scope_for(other)).collect();
    let is_taken = |entry: &Entry| organisation.policy.scope_for(entry).is_some_and(|scope| scopes.contains(scope));
    let (_, pointers) = draft.content.entries.iter().zip(&draft.pointers).find(|(entry, _)| is_taken(entry))?;
    let detail = "another definition of the organisation has this scope".to_owned();
    Some(Fault { pointer: pointers.scope.clone(), detail })
}

/// `badge` becomes `badge-2`, or the first number that is free.
fn first_free(id: &str, taken: &HashSet<String>) -> String {
    let numbered = |number: u32| format!("{id}-{number}");
    (2..).map(numbered).find(|candidate| !taken.contains(candidate)).unwrap_or_else(|| id.to_owned())
}

/// A configuration id that was free when it was looked at, and taken when it was written.
fn raced() -> Fault {
    Fault { pointer: String::new(), detail: "a configuration id was taken at the same moment; try again".to_owned() }
}

fn invalid_new(faults: Vec<Fault>) -> Failure<CreateRejection> {
    Failure::Rejected(CreateRejection::Invalid(faults))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_derived_configuration_id_steps_aside() {
        let taken = ["badge", "badge-2"].map(str::to_owned).into_iter().collect();
        assert_eq!(first_free("badge", &taken), "badge-3");
    }
}
