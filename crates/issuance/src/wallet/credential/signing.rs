//! From a submission and a holder key to a signed credential.

use chancery_formats::ClaimPath;
use chancery_formats::sd_jwt::{Content, KeyReference, Prepared};
use chancery_model::{
    Credential, CredentialId, Definition, Entry, ExchangeId, Format, GrantId, Organisation, ProvenKey, Reported,
    RevocationStatus, StatusPlace, Timestamp,
};
use serde_json::{Map, Value};

use super::reissuance::Refused;
use super::validity::{Validity, validity};
use crate::keyring::ReadyKey;
use crate::sealed::Place;
use crate::status_lists::reference;
use crate::{Context, Failure};

/// Everything that the credentials of one request share.
pub(super) struct Signing<'c> {
    context: &'c Context,
    organisation: &'c Organisation,
    entry: &'c Entry,
    now: Timestamp,
    key: ReadyKey,
    key_reference: KeyReference,
    validity: Validity,
}

/// What a credential is signed for.
#[derive(Clone, Copy)]
pub(in super::super) struct Purpose {
    pub(in super::super) exchange: ExchangeId,
    pub(in super::super) grant: GrantId,
    /// Which dataset of the entry.
    pub(in super::super) dataset: u16,
}

impl<'c> Signing<'c> {
    /// Finds the key and fixes the times.
    pub(super) async fn prepare(
        context: &'c Context,
        organisation: &'c Organisation,
        now: Timestamp,
        definition: &Definition,
        entry: &'c Entry,
    ) -> Result<Self, Failure<Refused>> {
        let keyring = context.keyring(organisation).await?;
        let found = keyring.for_credentials(&organisation.policy, definition, now);
        let (key, key_reference) = found.map_err(|obstacle| Failure::Rejected(Refused::CannotSign(obstacle)))?;
        let certificate_end = match key_reference {
            KeyReference::X5c => key.signer.certificate_chain().not_after(),
            KeyReference::Kid => None,
        };
        let rounding = organisation.policy.time_rounding;
        let validity = validity(now.seconds(), entry.expiration_in_days, rounding, certificate_end);
        let key = key.clone();
        Ok(Self { context, organisation, entry, now, key, key_reference, validity })
    }

    /// Signs one credential, outside any transaction. Answers what is stored of it, and what the wallet gets.
    /// `status_place` is where its status is published.
    pub(super) async fn sign<R>(
        &self,
        purpose: Purpose,
        claims: Map<String, Value>,
        proven: ProvenKey,
        status_place: Option<StatusPlace>,
    ) -> Result<(Credential, String), Failure<R>> {
        let Self { context, organisation, entry, .. } = self;
        let content = Content {
            vct: entry.vct.clone(),
            issuer: Some(organisation.issuer.as_str().to_owned()),
            claims: complete(entry, claims)?,
            disclosable: disclosable(entry),
            holder_key: Some(proven.key.clone()),
            issued_at: Some(self.validity.issued_at),
            not_before: Some(self.validity.issued_at),
            expires_at: Some(self.validity.expires_at),
            status: status_place.map(|place| reference(organisation, place).to_status()),
            decoys: organisation.policy.decoys,
        };
        let prepared = match entry.format {
            Format::DcSdJwt => Prepared::new(content, &mut |bytes| context.env().fill(bytes)),
        };
        let prepared = prepared.map_err(|error| Failure::Internal(error.into()))?;
        let issued = prepared.sign(&self.key.signer, self.key_reference).await?;
        let id = CredentialId::from(context.env().uuid(self.now));
        let sealed =
            context.seal_bytes(organisation, Place::CredentialToken, id.as_uuid(), issued.compact.as_bytes())?;
        let credential = Credential {
            id,
            exchange_id: purpose.exchange,
            grant_id: purpose.grant,
            entry: entry.id,
            dataset: purpose.dataset,
            format: entry.format,
            holder_key: proven.key,
            signing_key_id: self.key.id,
            proof: proven.proof,
            sealed_token: sealed,
            issued_at: self.now,
            expires_at: Timestamp::from_seconds(self.validity.expires_at),
            status_place,
            revocation_status: RevocationStatus::Operational,
            notification_hash: None,
            reported: Reported::default(),
        };
        Ok((credential, issued.compact))
    }
}

/// The claims, once more against the definition: whatever reached the database, nothing incomplete is signed.
fn complete<R>(entry: &Entry, claims: Map<String, Value>) -> Result<Map<String, Value>, Failure<R>> {
    let claims = Value::Object(claims);
    let missing = |path: &ClaimPath| path.select(&claims).is_empty();
    if let Some(claim) = entry.claims.iter().find(|claim| claim.mandatory && missing(&claim.path)) {
        let pointer = claim.path.pointer();
        return Err(Failure::Internal(anyhow::anyhow!("the stored claims lack the mandatory claim {pointer}")));
    }
    match claims {
        Value::Object(claims) => Ok(claims),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => Ok(Map::new()),
    }
}

fn disclosable(entry: &Entry) -> Vec<ClaimPath> {
    entry.claims.iter().filter(|claim| claim.limit_disclosure).map(|claim| claim.path.clone()).collect()
}
