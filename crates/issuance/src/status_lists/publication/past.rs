//! Lists as they were (§8.4).

use std::sync::Arc;

use chancery_model::{Organisation, StatusListId, Timestamp};

use super::super::Token;
use super::edition::{Edition, Encoding, Signing, TTL};
use super::state_at;
use crate::{Context, Failure};

/// A list at a time.
pub(crate) enum Past {
    /// There is no such list.
    NoList,
    /// The list was not there yet, or the time has not come.
    NoState,
    /// What was published then, signed today.
    State(Arc<Token>),
}

impl Context {
    /// The list as it was at `time` (unix seconds), with everything that was changed in that second. `iat` and `exp` of
    /// the token are the ends of the time in which it was so (§8.4); for the present state, `exp` is soon.
    pub(crate) async fn past_status_list_token<R>(
        &self,
        organisation: &Organisation,
        id: StatusListId,
        encoding: Encoding,
        time: i64,
        now: Timestamp,
    ) -> Result<Past, Failure<R>> {
        let reader = self.store().read(organisation).await?;
        let Some(list) = reader.status_list(id).await? else { return Ok(Past::NoList) };
        if time < list.created_at.seconds() || time > now.seconds() {
            return Ok(Past::NoState);
        }
        let end_of_second = Timestamp::from_millis(Timestamp::from_seconds(time).millis().saturating_add(999));
        let (last, next) = reader.status_list_at(id, end_of_second).await?;
        drop(reader);
        let version = last.map_or(0, |last| last.version);
        let begins = last.map_or(list.created_at, |last| last.changed_at).seconds();
        let key = (organisation.id, id, version, encoding);
        let past = &self.shelf().past;
        if let Some(token) = past.get(&key).await {
            return Ok(Past::State(token));
        }
        let busy = |_| Failure::Internal(anyhow::anyhow!("past status lists are no longer made"));
        let _turn = self.shelf().past_at_once.acquire().await.map_err(busy)?;
        let reader = self.store().read(organisation).await?;
        let values = state_at(&reader, &list, version).await?;
        drop(reader);
        let signing = Signing::prepare(self, organisation, now).await?;
        let ends = next.map_or(now.seconds().saturating_add(TTL.get().into()), Timestamp::seconds);
        let times = (begins, ends);
        let edition = Edition::covering(organisation, &list, &values, version, signing, times, ends).await?;
        let token = edition.token(encoding).await?;
        past.insert(key, Arc::clone(&token)).await;
        Ok(Past::State(token))
    }
}
