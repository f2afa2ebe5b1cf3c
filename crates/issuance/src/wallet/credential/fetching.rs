//! Claims that are fetched at the moment a credential is issued, from the claims endpoint of its definition.
//!
//! What was fetched is kept with the exchange, as if the issue call had brought it: further copies under the same access
//! token have the same claims, and retention and erasure find them where claims are. A refreshed token has them fetched
//! anew, because that is what a fresh copy is for.

mod rejection;

use chancery_model::{
    ClaimsEndpoint, CredentialStatus, Definition, Entry, EntryId, Exchange, ExchangeStatus, Fetch, GrantId,
    Organisation, ProvenKey, Submission, Timestamp, WhenUnavailable,
};
use chancery_storage::{ExchangeFilter, Order, Supplied};
use serde_json::{Map, Value, json};

pub use rejection::NotFetched;

use super::super::trail::Trail;
use super::batch::submissions;
use crate::claims_endpoint::{Outage, Question, Reply, ask};
use crate::management::body::below;
use crate::management::decisions;
use crate::management::history::{Addressed, addressed_of};
use crate::management::offers::claims::unfit;
use crate::sealed::Place;
use crate::{Context, Failure};

/// How often claims are put together again when others were faster.
const ATTEMPTS: u32 = 4;

/// Exchanges of a person in which claims that were fetched are looked for, the newest.
const MOST_EARLIER: u64 = 8;

/// A credential whose claims may have to be fetched.
pub(in super::super) struct Case<'c> {
    pub(in super::super) exchange: &'c Exchange,
    pub(in super::super) definition: &'c Definition,
    pub(in super::super) entry: &'c Entry,
    pub(in super::super) dataset: u16,
    pub(in super::super) grant: GrantId,
    pub(in super::super) keys: &'c [ProvenKey],
    /// Claims that were fetched before this instant are fetched anew; `None` when any will do.
    pub(in super::super) fresh_since: Option<Timestamp>,
    /// Whether a transaction waits for them already.
    pub(in super::super) waits: bool,
}

/// Violations that a transcript names.
const MOST_NAMED: usize = 20;

/// What came of it.
pub(in super::super) enum Fetched {
    /// Claims that fit the definition.
    Ready(Box<Submission>),
    /// Nothing yet: the wallet is to ask again after so many seconds.
    Later(u32),
}

impl Case<'_> {
    /// Whether claims are to be fetched, given what is `kept` of them. Costs nothing where the definition has no claims
    /// endpoint.
    pub(in super::super) fn is_due(&self, kept: Option<&Submission>) -> bool {
        if self.definition.content.claims_endpoint.is_none() {
            return false;
        }
        match kept {
            Some(Submission { fetch: Some(fetch), .. }) => self.is_stale(fetch),
            Some(Submission { fetch: None, .. }) => false,
            // Either nothing came so far, or what came was erased.
            None => match self.exchange.credential_status {
                CredentialStatus::Pending => true,
                CredentialStatus::Ready => self.fresh_since.is_some() && !self.exchange.claims_at_start,
            },
        }
    }

    fn is_stale(&self, fetch: &Fetch) -> bool {
        fetch.at.is_none_or(|at| self.fresh_since.is_some_and(|since| at < since))
    }

    /// Asks the claims endpoint, and keeps what it says.
    pub(in super::super) async fn fetch(
        &self,
        context: &Context,
        organisation: &Organisation,
        now: Timestamp,
        kept: Option<Submission>,
        trail: &mut Trail,
    ) -> Result<Fetched, Failure<NotFetched>> {
        // `is_due` looked for it.
        let Some(endpoint) = &self.definition.content.claims_endpoint else { return Ok(self.later(None)) };
        let kept = kept.unwrap_or_else(|| Submission::awaited(self.entry.id, Map::new()));
        let read = context.store().read(organisation).await?;
        let addressed = addressed_of(context, organisation, &read, &[self.exchange.id]).await?;
        drop(read);
        let addressed = addressed.into_values().next().unwrap_or_default();
        let known = known(&kept);
        let config_id = &self.entry.configuration_id;
        trail.recording.info("claims.requested", json!({ "config_id": config_id, "renewal": self.is_renewal(&kept) }));
        let said = ask(context, organisation, &self.question(&kept, &known, &addressed), now).await?;
        match said {
            Ok(Reply::Claims(claims)) => {
                let claims = self.check(claims, &known).map_err(Failure::Rejected)?;
                trail.recording.info("claims.fetched", json!({ "config_id": config_id }));
                trail.recording.event("claims_fetched", json!({ "credential_configuration_id": config_id }));
                self.keep(context, organisation, now, filled(kept, claims, known, now)).await
            }
            Ok(Reply::Defer { retry }) => {
                trail.recording.info("claims.deferred", json!({ "config_id": config_id, "retry": retry }));
                Ok(self.later(retry))
            }
            Ok(Reply::Deny { reason }) => {
                let (id, cause) = (self.exchange.id, "claims_endpoint");
                decisions::deny_because(context, organisation, id, &reason, cause, now).await?;
                Err(Failure::Rejected(NotFetched::Denied))
            }
            Err(outage) => {
                let details = json!({
                    "config_id": config_id, "reason": outage.to_string(), "policy": endpoint.when_unavailable.name(),
                });
                trail.recording.info("claims.unavailable", details);
                self.make_do(context, organisation, now, endpoint, (kept, known), &addressed, outage, trail).await
            }
        }
    }

    fn is_renewal(&self, kept: &Submission) -> bool {
        self.fresh_since.is_some() && kept.fetch.as_ref().is_some_and(|fetch| fetch.at.is_some())
    }

    fn question<'q>(
        &'q self,
        kept: &'q Submission,
        known: &'q Map<String, Value>,
        addressed: &'q Addressed,
    ) -> Question<'q> {
        Question {
            exchange: self.exchange.id,
            definition: self.definition.id,
            grant: self.grant,
            entry: self.entry,
            dataset: self.dataset,
            individual: addressed.individual,
            mapper_id: &addressed.mapper_id,
            subject: kept.fetch.as_ref().and_then(|fetch| fetch.subject.as_deref()),
            known,
            metadata: &kept.metadata,
            holder_keys: self.keys.iter().map(|proven| proven.key.thumbprint()).collect(),
            is_renewal: self.is_renewal(kept),
        }
    }

    fn later(&self, retry: Option<u32>) -> Fetched {
        Fetched::Later(retry.unwrap_or(self.entry.response_interval).max(1))
    }

    /// Claims as they are to be issued: those that were fetched with those that were known, which must not contradict each
    /// other. Violations name claims, never values.
    fn check(&self, fetched: Map<String, Value>, known: &Map<String, Value>) -> Result<Map<String, Value>, NotFetched> {
        let mut claims = fetched;
        let mut contradicted = Vec::new();
        join(&mut claims, known, "", &mut contradicted);
        contradicted.truncate(MOST_NAMED);
        if !contradicted.is_empty() {
            return Err(NotFetched::Unfit { claims: contradicted, is_contradiction: true });
        }
        let mut violations = unfit(self.entry, &claims);
        violations.truncate(MOST_NAMED);
        match violations.is_empty() {
            true => Ok(claims),
            false => Err(NotFetched::Unfit { claims: violations, is_contradiction: false }),
        }
    }

    /// What the definition says for an outage.
    #[expect(clippy::too_many_arguments, reason = "each of them is one part of the case")]
    async fn make_do(
        &self,
        context: &Context,
        organisation: &Organisation,
        now: Timestamp,
        endpoint: &ClaimsEndpoint,
        (kept, known): (Submission, Map<String, Value>),
        addressed: &Addressed,
        outage: Outage,
        trail: &mut Trail,
    ) -> Result<Fetched, Failure<NotFetched>> {
        let refused = || Failure::Rejected(NotFetched::Unavailable { reason: outage.to_string() });
        match endpoint.when_unavailable {
            // A wallet that waits goes on waiting.
            WhenUnavailable::Refuse | WhenUnavailable::Defer if self.waits => Ok(self.later(None)),
            WhenUnavailable::Refuse => Err(refused()),
            WhenUnavailable::Defer => Ok(self.later(None)),
            WhenUnavailable::LastKnown => {
                let since = now.minus(std::time::Duration::from_secs(u64::from(endpoint.last_known_for)));
                let found = self.last_known(context, organisation, since, &kept, addressed).await?;
                let Some((claims, at)) = found else {
                    return if self.waits { Ok(self.later(None)) } else { Err(refused()) };
                };
                let claims = self.check(claims, &known).map_err(Failure::Rejected)?;
                trail.recording.info(
                    "claims.last_known",
                    json!({ "config_id": self.entry.configuration_id, "fetched_at": at.seconds() }),
                );
                if kept.is_awaited() {
                    self.keep(context, organisation, now, filled(kept, claims, known, at)).await
                } else {
                    Ok(Fetched::Ready(Box::new(Submission { claims, ..kept })))
                }
            }
        }
    }

    /// Claims that were fetched since then for this credential, or else for another exchange of the same person.
    async fn last_known(
        &self,
        context: &Context,
        organisation: &Organisation,
        since: Timestamp,
        kept: &Submission,
        addressed: &Addressed,
    ) -> Result<Option<(Map<String, Value>, Timestamp)>, Failure<NotFetched>> {
        if let Some(own) = fetched_since(kept, since) {
            return Ok(Some(own));
        }
        let Some(individual) = addressed.individual else { return Ok(None) };
        let theirs = ExchangeFilter {
            definition_id: Some(self.definition.id),
            individual_id: Some(individual),
            ..ExchangeFilter::default()
        };
        let read = context.store().read(organisation).await?;
        let earlier = read.exchanges_after(&theirs, None, MOST_EARLIER, Order::NewestFirst).await?;
        drop(read);
        let mut newest: Option<(Map<String, Value>, Timestamp)> = None;
        for exchange in earlier {
            let submissions = submissions(context, organisation, &exchange)?;
            let mut own = submissions.iter().filter(|it| it.entry == self.entry.id);
            let found = own.nth(usize::from(self.dataset)).and_then(|submission| fetched_since(submission, since));
            if let Some(found) = found
                && newest.as_ref().is_none_or(|(_, at)| *at < found.1)
            {
                newest = Some(found);
            }
        }
        Ok(newest)
    }

    /// Keeps `new` with the exchange. When a request beside this one was faster, its claims are the ones.
    async fn keep(
        &self,
        context: &Context,
        organisation: &Organisation,
        now: Timestamp,
        new: Submission,
    ) -> Result<Fetched, Failure<NotFetched>> {
        let mut exchange = self.exchange.clone();
        for _ in 0..ATTEMPTS {
            let mut all = with_every_dataset(&exchange, submissions(context, organisation, &exchange)?);
            let mut own = all.iter_mut().filter(|it| it.entry == self.entry.id);
            // An entry that the exchange does not have has no grant either.
            let Some(place) = own.nth(usize::from(self.dataset)) else { return Ok(Fetched::Ready(Box::new(new))) };
            if place.fetch.as_ref().is_none_or(|fetch| !self.is_stale(fetch)) {
                return Ok(Fetched::Ready(Box::new(place.clone())));
            }
            place.clone_from(&new);
            let complete = !all.iter().any(Submission::is_awaited);
            let sealed = context.seal(organisation, Place::ExchangeSubmissions, exchange.id.as_uuid(), &all)?;
            let supplied = Supplied { before: exchange.sealed_submissions.as_deref(), sealed: &sealed, complete };
            let write = context
                .store()
                .write(organisation, async |tx| tx.keep_fetched_claims(exchange.id, supplied, now).await);
            if write.await? {
                return Ok(Fetched::Ready(Box::new(new)));
            }
            let found = context.store().read(organisation).await?.exchange(exchange.id).await?;
            exchange = found.ok_or(Failure::Rejected(NotFetched::Denied))?;
            if exchange.status == ExchangeStatus::IssuanceDenied {
                return Err(Failure::Rejected(NotFetched::Denied));
            }
        }
        Err(Failure::Unavailable(anyhow::anyhow!("the claims of exchange {} change all the time", exchange.id)))
    }
}

/// One submission for each credential of the exchange, in its order; those that are missing are awaited.
fn with_every_dataset(exchange: &Exchange, mut given: Vec<Submission>) -> Vec<Submission> {
    let take = |entry: &EntryId| {
        let found = given.iter().position(|submission| submission.entry == *entry);
        found.map_or_else(|| Submission::awaited(*entry, Map::new()), |position| given.remove(position))
    };
    exchange.entries.iter().map(take).collect()
}

/// What was known before the claims endpoint was first asked.
fn known(kept: &Submission) -> Map<String, Value> {
    match &kept.fetch {
        Some(Fetch { at: Some(_), known, .. }) => known.clone(),
        Some(Fetch { at: None, .. }) | None => kept.claims.clone(),
    }
}

fn filled(kept: Submission, claims: Map<String, Value>, known: Map<String, Value>, at: Timestamp) -> Submission {
    let Submission { entry, metadata, fetch, .. } = kept;
    let subject = fetch.and_then(|fetch| fetch.subject);
    Submission { entry, claims, metadata, fetch: Some(Fetch { known, subject, at: Some(at) }) }
}

fn fetched_since(submission: &Submission, since: Timestamp) -> Option<(Map<String, Value>, Timestamp)> {
    let at = submission.fetch.as_ref()?.at?;
    (at >= since).then(|| (submission.claims.clone(), at))
}

/// Puts `known` into `claims`. Where both say something they must say the same; where they do not, `contradicted` says so.
fn join(claims: &mut Map<String, Value>, known: &Map<String, Value>, pointer: &str, contradicted: &mut Vec<String>) {
    for (name, value) in known.iter().filter(|(_, value)| !value.is_null()) {
        let place = below(pointer, name);
        let there = claims.entry(name.clone()).or_insert(Value::Null);
        match (&mut *there, value) {
            (Value::Null, _) => there.clone_from(value),
            (Value::Object(inside), Value::Object(known)) => join(inside, known, &place, contradicted),
            (there, value) if *there == *value => {}
            (_, _) => contradicted.push(place),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(claims: &Value, known: &Value) -> Result<Value, Vec<String>> {
        let mut claims = claims.as_object().unwrap().clone();
        let mut contradicted = Vec::new();
        join(&mut claims, known.as_object().unwrap(), "", &mut contradicted);
        if contradicted.is_empty() { Ok(Value::Object(claims)) } else { Err(contradicted) }
    }

    #[test]
    fn known_claims_fill_gaps_and_must_not_be_contradicted() {
        assert_eq!(joined(&json!({ "a": 1 }), &json!({ "b": 2 })), Ok(json!({ "a": 1, "b": 2 })));
        assert_eq!(joined(&json!({ "a": null }), &json!({ "a": 2, "c": null })), Ok(json!({ "a": 2 })));
        assert_eq!(
            joined(&json!({ "a": { "x": 1 } }), &json!({ "a": { "x": 1, "y": 2 } })),
            Ok(json!({ "a": { "x": 1, "y": 2 } }))
        );
        assert_eq!(
            joined(&json!({ "a": { "x": 1 }, "b": [1] }), &json!({ "a": { "x": 2 }, "b": [2] })),
            Err(vec!["/a/x".to_owned(), "/b".to_owned()])
        );
    }

    #[test]
    fn what_was_known_is_told_from_what_was_fetched() {
        let claims = |value: Value| value.as_object().unwrap().clone();
        let mut kept = Submission::awaited(uuid::Uuid::from_u128(1).into(), Map::new());
        kept.claims = claims(json!({ "name": "Ada" }));
        let at = Timestamp::from_seconds(5);
        let filled = filled(kept.clone(), claims(json!({ "name": "Ada", "desk": 1 })), known(&kept), at);
        assert!(kept.is_awaited() && !filled.is_awaited());
        assert_eq!(known(&filled), claims(json!({ "name": "Ada" })));
        assert_eq!(fetched_since(&filled, at).map(|(claims, _)| claims.len()), Some(2));
        assert_eq!(fetched_since(&filled, at.plus_seconds(1)), None);
    }
}
