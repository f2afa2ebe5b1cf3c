//! Pushed requests that wait for a browser.
//!
//! Most requests are opened within seconds, and a row that is written first and changed at once costs as much as two. Where
//! processes share values, the request of an attested wallet waits there, and the first sign-in makes the row. Requests of others
//! are rows from the beginning: strangers must not fill the memory in which everybody's proofs are remembered.

use std::time::Duration;

use chancery_model::{Authorization, AuthorizationId, Organisation};
use chancery_storage::SharedValues;

use super::front_channel;
use super::pushed_authorization::LIFETIME;
use crate::sealed::Place;
use crate::{Context, Failure};

/// Largest request that waits outside the database, in bytes.
const LARGEST: usize = 8 * 1024;

/// From the push until nobody can come back from the identity provider any more.
const LONGEST: Duration = Duration::from_secs((LIFETIME + front_channel::TIME) as u64);

/// A request that may wait outside the database, sealed.
pub(super) struct Waiting {
    values: SharedValues,
    key: Vec<u8>,
    sealed: Vec<u8>,
}

impl Waiting {
    /// Whether it waits there now; otherwise it has to become a row.
    pub(super) async fn keep(self) -> bool {
        let kept = self.values.keep(&self.key, &self.sealed, LONGEST).await;
        kept.inspect_err(|error| tracing::debug!(%error, "a pushed request becomes a row")).is_ok()
    }
}

impl Context {
    /// The request as it waits outside the database, if it may.
    pub(super) fn to_wait<R>(
        &self,
        organisation: &Organisation,
        pushed: &Authorization,
    ) -> Result<Option<Waiting>, Failure<R>> {
        if pushed.instance_thumbprint.is_none() || pushed.exchange_id.is_some() {
            return Ok(None);
        }
        let Some(values) = self.replay().shared_values() else { return Ok(None) };
        let sealed = self.seal(organisation, Place::AuthorizationPushed, pushed.id.as_uuid(), pushed)?;
        let is_small = sealed.len() <= LARGEST;
        Ok(is_small.then(|| Waiting { values, key: key(organisation, pushed.id), sealed }))
    }

    /// The request that waits outside the database, if there is one. Whether it went on meanwhile its row tells.
    pub(super) async fn waiting<R>(
        &self,
        organisation: &Organisation,
        id: AuthorizationId,
    ) -> Result<Option<Authorization>, Failure<R>> {
        let Some(values) = self.replay().shared_values() else { return Ok(None) };
        let kept = values.kept(&key(organisation, id)).await.map_err(|error| Failure::Unavailable(error.into()))?;
        let open = |sealed: Vec<u8>| self.open(organisation, Place::AuthorizationPushed, id.as_uuid(), &sealed);
        kept.map(open).transpose()
    }
}

fn key(organisation: &Organisation, id: AuthorizationId) -> Vec<u8> {
    [b"authorization".as_slice(), organisation.id.as_uuid().as_bytes(), id.as_uuid().as_bytes()].concat()
}
