//! From proven keys to the credentials of one answer: what the credential and the deferred credential endpoint share.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chancery_model::{
    Credential, Definition, Entry, Exchange, ExchangeStatus, Organisation, Passage, ProvenKey, SecretHash,
    StatusListId, Submission, Timestamp,
};
use chancery_protocol::credential_response::{CredentialResponse, IssuedCredential};
use chancery_storage::{StoreError, Transaction};
use serde_json::json;

use super::super::redaction;
use super::super::trail::Trail;
use super::reissuance::{Refused, Terms};
use super::signing::{Purpose, Signing};
use crate::announcement::Announcement;
use crate::quotas::Taken;
use crate::sealed::Place;
use crate::{Context, Failure};

/// What the organisation supplied for one dataset of `entry`; `None` while it has not.
pub(in super::super) fn submission<R>(
    context: &Context,
    organisation: &Organisation,
    exchange: &Exchange,
    entry: &Entry,
    dataset: u16,
) -> Result<Option<Submission>, Failure<R>> {
    let submissions = submissions(context, organisation, exchange)?;
    Ok(submissions.into_iter().filter(|submission| submission.entry == entry.id).nth(usize::from(dataset)))
}

/// Everything that was supplied for an exchange, or is to be fetched.
pub(in super::super) fn submissions<R>(
    context: &Context,
    organisation: &Organisation,
    exchange: &Exchange,
) -> Result<Vec<Submission>, Failure<R>> {
    match exchange.sealed_submissions.as_deref() {
        Some(sealed) => context.open(organisation, Place::ExchangeSubmissions, exchange.id.as_uuid(), sealed),
        None => Ok(Vec::new()),
    }
}

/// Who is told that the exchange issued; ask before [`Batch::record`].
pub(in super::super) async fn announce(
    context: &Context,
    organisation: &Organisation,
    exchange: &Exchange,
    now: Timestamp,
) -> Result<Announcement, StoreError> {
    context.announce(organisation, exchange.id, &[ExchangeStatus::CredentialIssued], now).await
}

/// One credential for each of so many keys, out of the quota of those that live; ask before they are signed.
pub(in super::super) async fn take(
    context: &Context,
    organisation: &Organisation,
    keys: usize,
    now: Timestamp,
) -> Result<Taken, Failure<Refused>> {
    let taken = context.take_credentials(organisation, keys, now).await?;
    taken.map_err(|used_up| Failure::Rejected(Refused::QuotaUsedUp(used_up)))
}

/// The signed credentials of one answer, one for each key, and the name that notifications give them.
pub(in super::super) struct Batch {
    pub(in super::super) credentials: Vec<Credential>,
    pub(in super::super) notification_id: String,
    tokens: Vec<String>,
}

impl Batch {
    /// Signs `submission` for each of `keys`, outside any transaction: with salts and a status of its own, and with
    /// rounded times that the copies of a period share.
    pub(in super::super) async fn sign(
        context: &Context,
        organisation: &Organisation,
        now: Timestamp,
        (definition, entry): (&Definition, &Entry),
        purpose: Purpose,
        submission: &Submission,
        keys: &[ProvenKey],
    ) -> Result<Self, Failure<Refused>> {
        let signing = Signing::prepare(context, organisation, now, definition, entry).await?;
        let notification_id = URL_SAFE_NO_PAD.encode(context.env().random::<16>());
        let mut credentials = Vec::with_capacity(keys.len());
        let mut tokens = Vec::with_capacity(keys.len());
        let mut places = match entry.status_bits() {
            Some(bits) => context.draw_status_places(organisation, bits, keys.len(), now).await?,
            None => Vec::new(),
        };
        for key in keys {
            let signed = signing.sign(purpose, submission.claims.clone(), key.clone(), places.pop()).await?;
            let (credential, token) = signed;
            credentials.push(credential);
            tokens.push(token);
        }
        if let Some(first) = credentials.first_mut() {
            first.notification_hash = Some(SecretHash::of(&notification_id));
        }
        Ok(Self { credentials, notification_id, tokens })
    }

    /// Puts the issuance into the trail.
    pub(in super::super) fn note(&self, entry: &Entry, trail: &mut Trail) {
        let count = self.credentials.len();
        trail.recording.info(
            "credential.issued",
            json!({
                "config_id": entry.configuration_id,
                "format": entry.format.name(),
                "count": count,
                "notification_id": redaction::secret(&self.notification_id),
            }),
        );
        let details = json!({ "credential_configuration_id": entry.configuration_id, "count": count });
        trail.recording.event("credential_issued", details);
    }

    /// Writes the credentials down, and that the exchange issued them, and revokes what they take the place of; `None` when
    /// it may not issue any more, or not under these terms. Nothing leaves before this is committed; the lists that it
    /// answers are then to be published.
    pub(in super::super) async fn record(
        &self,
        context: &Context,
        tx: &Transaction,
        exchange: &Exchange,
        terms: &Terms,
        (passage, announcement): (&Passage, &Announcement),
        now: Timestamp,
    ) -> Result<Option<BTreeSet<StatusListId>>, StoreError> {
        let credentials = (self.credentials.as_slice(), passage);
        if !tx.record_issuance(exchange.id, terms.conditions(), credentials, now).await? {
            return Ok(None);
        }
        announcement.record(tx).await?;
        terms.carry_out(context, tx, exchange.id, now).await.map(Some)
    }

    /// The answer for the wallet (OpenID4VCI §8.3).
    pub(in super::super) fn into_answer(self) -> CredentialResponse {
        let issued = |credential| IssuedCredential { credential };
        CredentialResponse::Issued {
            credentials: self.tokens.into_iter().map(issued).collect(),
            notification_id: Some(self.notification_id),
        }
    }
}
