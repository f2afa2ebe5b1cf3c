//! What is published about statuses. Each process keeps the lists it is asked for in memory, looks at most once a second
//! whether their version moved, reads the changes it has not seen, and signs the new state once for all who ask.

mod edition;
mod past;
mod shelf;

use std::sync::Arc;
use std::time::Duration;

use chancery_formats::status_list::{StatusList, StatusListError};
use chancery_model::{Organisation, StatusListId, Timestamp};
use chancery_storage::{ListVersion, Read};

use self::edition::{Edition, Signing};
use self::shelf::{Kept, Memory};
use super::Token;
use crate::{Context, Failure};

pub use self::edition::Encoding;
pub(crate) use self::edition::TTL;
pub(crate) use self::past::Past;
pub(super) use self::shelf::Shelf;

/// Within which time every process publishes a change.
pub(crate) const VISIBLE_WITHIN: Duration = Duration::from_secs(5);

/// Changes that are read at a time when a list is brought up to date.
const CHANGES_AT_ONCE: u64 = 20_000;

impl Context {
    /// The token of a list as it is now; `None` when there is no such list.
    pub(crate) async fn status_list_token<R>(
        &self,
        organisation: &Organisation,
        id: StatusListId,
        encoding: Encoding,
        now: Timestamp,
    ) -> Result<Option<Arc<Token>>, Failure<R>> {
        match self.edition(organisation, id, now).await? {
            Some(edition) => edition.token(encoding).await.map(Some),
            None => Ok(None),
        }
    }

    /// Has the next request look for changes of these lists, which were just made by this process.
    pub(crate) async fn note_status_changes(
        &self,
        organisation: &Organisation,
        lists: impl IntoIterator<Item = StatusListId>,
    ) {
        for id in lists {
            if let Some(kept) = self.shelf().kept.get(&(organisation.id, id)).await {
                kept.doubt();
            }
        }
    }

    fn shelf(&self) -> &Shelf {
        &self.status_lists().shelf
    }

    async fn edition<R>(
        &self,
        organisation: &Organisation,
        id: StatusListId,
        now: Timestamp,
    ) -> Result<Option<Arc<Edition>>, Failure<R>> {
        let Some(kept) = self.kept(organisation, id).await? else { return Ok(None) };
        if let Some(edition) = kept.fresh(now) {
            return Ok(Some(edition));
        }
        // One request looks; the others take what there is, unless it is too old.
        let mut memory = match kept.memory.try_lock() {
            Ok(memory) => memory,
            Err(_) => match kept.recent(now) {
                Some(edition) => return Ok(Some(edition)),
                None => kept.memory.lock().await,
            },
        };
        if let Some(edition) = kept.fresh(now).or_else(|| memory.is_resting().then(|| kept.recent(now)).flatten()) {
            return Ok(Some(edition));
        }
        match self.renew(organisation, &kept, &mut memory, now).await {
            Ok(edition) => Ok(edition),
            Err(Failure::Unavailable(cause)) => match kept.within_promise(now) {
                Some(edition) => {
                    tracing::warn!(cause = format!("{cause:#}"), list = %id, "a status list is published from memory");
                    Ok(Some(edition))
                }
                None => Err(Failure::Unavailable(cause)),
            },
            Err(failure @ (Failure::Rejected(_) | Failure::Internal(_))) => Err(failure),
        }
    }

    /// The list on the shelf, put there when it was not asked for lately.
    async fn kept<R>(&self, organisation: &Organisation, id: StatusListId) -> Result<Option<Arc<Kept>>, Failure<R>> {
        let key = (organisation.id, id);
        if let Some(kept) = self.shelf().kept.get(&key).await {
            return Ok(Some(kept));
        }
        let Some(list) = self.store().read(organisation).await?.status_list(id).await? else { return Ok(None) };
        let values = StatusList::new(list.bits, list.capacity).map_err(|error| Failure::Internal(error.into()))?;
        // Of several that come at once, all keep the same.
        let kept = self.shelf().kept.get_with(key, async { Arc::new(Kept::new(list, values)) }).await;
        Ok(Some(kept))
    }

    /// Looks for a newer version, and for a reason to sign again.
    async fn renew<R>(
        &self,
        organisation: &Organisation,
        kept: &Kept,
        memory: &mut Memory,
        now: Timestamp,
    ) -> Result<Option<Arc<Edition>>, Failure<R>> {
        let noticed = kept.begin_check();
        let signing = Signing::prepare(self, organisation, now).await?;
        let reader = self.store().read(organisation).await?;
        let Some(version) = reader.status_list_version(kept.list.id).await? else { return Ok(None) };
        if let Some(edition) = kept.current().filter(|edition| edition.is(version.version, &signing, now)) {
            kept.checked(noticed);
            return Ok(Some(edition));
        }
        let started = std::time::Instant::now();
        let version = memory.catch_up(&reader, kept.list.id, version).await?;
        drop(reader);
        let edition = Arc::new(Edition::make(organisation, &kept.list, &memory.values, version, signing, now).await?);
        kept.publish(Arc::clone(&edition), noticed);
        memory.built(started);
        Ok(Some(edition))
    }
}

impl Memory {
    /// Applies what was changed since. Changes that come in meanwhile may be applied too; the answer says how far.
    async fn catch_up<R>(
        &mut self,
        reader: &Read,
        id: StatusListId,
        version: ListVersion,
    ) -> Result<ListVersion, Failure<R>> {
        let mut reached = version;
        if self.version < version.version {
            let mut after = (self.version, u32::MAX);
            // What was applied stays applied when the database goes away in between: reading on from there, or from
            // the start of the same version, ends in the same state.
            loop {
                let changes = reader.status_changes_after(id, after, CHANGES_AT_ONCE).await?;
                let Some(last) = changes.last().copied() else { break };
                for change in &changes {
                    set(&mut self.values, change.index, change.to.value())?;
                }
                self.version = last.version.saturating_sub(1);
                after = (last.version, last.index);
                if last.version > reached.version {
                    reached = ListVersion { version: last.version, changed_at: last.at };
                }
                if changes.len() < usize::try_from(CHANGES_AT_ONCE).unwrap_or(usize::MAX) {
                    break;
                }
            }
            self.version = reached.version;
        }
        Ok(reached)
    }
}

fn set<R>(values: &mut StatusList, index: u32, value: u8) -> Result<(), Failure<R>> {
    let wrong = |error: StatusListError| Failure::Internal(error.into());
    values.set(index, value).map(drop).map_err(wrong)
}

/// The state of a list after its first `version` changes, from nothing.
async fn state_at<R>(reader: &Read, list: &chancery_model::StatusList, version: u64) -> Result<StatusList, Failure<R>> {
    let mut values = StatusList::new(list.bits, list.capacity).map_err(|error| Failure::Internal(error.into()))?;
    let mut after = (0, u32::MAX);
    loop {
        let changes = reader.status_changes_after(list.id, after, CHANGES_AT_ONCE).await?;
        for change in changes.iter().filter(|change| change.version <= version) {
            set(&mut values, change.index, change.to.value())?;
        }
        match changes.last() {
            Some(last) if last.version <= version => after = (last.version, last.index),
            Some(_) | None => return Ok(values),
        }
    }
}
