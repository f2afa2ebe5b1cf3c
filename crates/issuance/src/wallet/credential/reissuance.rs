//! Fresh copies: whether what was issued before is issued again, and what becomes of the former credentials.
//!
//! An access token is good for many requests (OpenID4VCI §8), and all of them give credentials, unless the definition says
//! otherwise. `enforceCredentialUniqueness` lets one answer live at a time; `supportCredentialReissuance` lets whoever comes
//! back with a refresh token have a fresh copy (OpenID4VCI §14.3), which takes the place of the former one.

use std::collections::BTreeSet;

use chancery_model::{
    Credential, CredentialId, Entry, ExchangeId, GrantId, Organisation, RevocationStatus, StatusListId, Timestamp,
};
use chancery_protocol::Explanation;
use chancery_storage::{StoreError, Transaction};

use crate::management::revocation;
use crate::quotas::UsedUp;
use crate::{Context, Failure, SigningObstacle};

/// Why there is no further copy, or no credential at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The access token came from a refresh token, the credential was issued before, and the definition does not support
    /// re-issuance.
    NotSupported,
    /// A credential lives, and the definition admits one at a time.
    Lives,
    /// A credential lives that the definition would replace, and it cannot be revoked.
    CannotBeReplaced,
    /// As many credentials of the organisation live as may.
    QuotaUsedUp(UsedUp),
    /// No key of the organisation can sign it.
    CannotSign(SigningObstacle),
}

impl From<SigningObstacle> for Refused {
    fn from(obstacle: SigningObstacle) -> Self {
        Self::CannotSign(obstacle)
    }
}

impl Refused {
    /// For the wallet's developer.
    pub fn description(&self) -> &'static str {
        match self {
            Self::NotSupported => "the credential was issued before and is not issued again",
            Self::Lives | Self::CannotBeReplaced => "a valid credential exists already",
            Self::QuotaUsedUp(_) | Self::CannotSign(_) => "the issuer cannot issue now, try again later",
        }
    }

    /// Whether the same request may succeed later.
    pub(in super::super) fn is_passing(&self) -> bool {
        match self {
            Self::QuotaUsedUp(_) | Self::CannotSign(_) => true,
            Self::NotSupported | Self::Lives | Self::CannotBeReplaced => false,
        }
    }

    /// Our name for the cause, in the transcript's event.
    pub(in super::super) fn code(&self) -> &'static str {
        match self {
            Self::NotSupported => "reissuance_off",
            Self::Lives | Self::CannotBeReplaced => "credential_exists",
            Self::QuotaUsedUp(_) => "quota_used_up",
            Self::CannotSign(obstacle) => obstacle.code(),
        }
    }

    /// For the transcript.
    pub(in super::super) fn explain(&self) -> Explanation {
        let (reason, help) = match self {
            Self::QuotaUsedUp(UsedUp { limit, .. }) => {
                return Explanation {
                    reason: format!("the organisation may have {limit} credentials that live, and has"),
                    help:
                        "ask again when credentials have expired or were revoked; the access token stays good until it \
                           expires"
                            .into(),
                    spec_ref: "OpenID4VCI 1.0 §8.3.1",
                };
            }
            Self::CannotSign(obstacle) => return obstacle.explain(),
            Self::NotSupported => (
                "the access token came from a refresh token, the credential was issued before, and the definition has no \
                 supportCredentialReissuance",
                "keep the credential, or ask the organisation for a new offer",
            ),
            Self::Lives => (
                "a credential of this offer is valid, and the definition has enforceCredentialUniqueness without \
                 supportCredentialReissuance",
                "use the credential; a further copy needs a new offer",
            ),
            Self::CannotBeReplaced => (
                "a credential of this offer is valid, the definition has enforceCredentialUniqueness, and the credential \
                 has no status by which it could be revoked",
                "ask again when the credential has expired",
            ),
        };
        Explanation { reason: reason.to_owned(), help: help.into(), spec_ref: "OpenID4VCI 1.0 §8.3.1.2, §14.3" }
    }
}

/// Under which a request may issue.
#[derive(Debug, Default)]
pub(in super::super) struct Terms {
    /// How many answers the exchange had given when that was decided; `None` when it does not matter.
    answers: Option<u32>,
    /// Credentials that the new ones take the place of.
    replaced: Vec<CredentialId>,
    /// The grant whose access token must be worth something still.
    grant: Option<GrantId>,
}

/// Looks what was issued for a dataset before. `refreshed` says that the access token came from a refresh token. Costs
/// nothing where neither that nor the definition makes a difference.
pub(in super::super) async fn terms(
    context: &Context,
    organisation: &Organisation,
    now: Timestamp,
    exchange: ExchangeId,
    (entry, dataset): (&Entry, u16),
    refreshed: bool,
) -> Result<Terms, Failure<Refused>> {
    if !refreshed && !entry.enforce_credential_uniqueness {
        return Ok(Terms::default());
    }
    let read = context.store().read(organisation).await?;
    // First the count: what is issued from here on is seen below, or makes the count wrong.
    let answers = read.answers_of(exchange).await?.unwrap_or_default();
    let mut former = read.credentials_of(exchange).await?;
    former.retain(|credential| credential.entry == entry.id && credential.dataset == dataset);
    let replaced = judge(entry, refreshed, &former, now).map_err(Failure::Rejected)?;
    Ok(Terms { answers: entry.enforce_credential_uniqueness.then_some(answers), replaced, grant: None })
}

/// The credentials to replace, or why there is no further one.
fn judge(entry: &Entry, refreshed: bool, former: &[Credential], now: Timestamp) -> Result<Vec<CredentialId>, Refused> {
    if refreshed && !former.is_empty() && !entry.support_credential_reissuance {
        return Err(Refused::NotSupported);
    }
    if !entry.enforce_credential_uniqueness {
        return Ok(Vec::new());
    }
    let lives = |credential: &&Credential| {
        now < credential.expires_at && credential.revocation_status != RevocationStatus::Revoked
    };
    let living: Vec<&Credential> = former.iter().filter(lives).collect();
    if living.is_empty() {
        Ok(Vec::new())
    } else if !entry.support_credential_reissuance {
        Err(Refused::Lives)
    } else if living.iter().any(|credential| credential.status_place.is_none()) {
        Err(Refused::CannotBeReplaced)
    } else {
        Ok(living.into_iter().map(|credential| credential.id).collect())
    }
}

impl Terms {
    /// What has to hold when the issuance is recorded: the count of answers, and the access token of which grant is good.
    pub(super) fn conditions(&self) -> (Option<u32>, Option<GrantId>) {
        (self.answers, self.grant)
    }

    /// Whether what was issued before stays as it is.
    pub(super) fn replace_nothing(&self) -> bool {
        self.replaced.is_empty()
    }

    /// Lets nothing leave once the access token of `grant` was made worthless, by whichever process.
    pub(super) fn only_under(self, grant: GrantId) -> Self {
        Self { grant: Some(grant), ..self }
    }

    /// Whether another request can have made them wrong.
    pub(in super::super) fn are_contested(&self) -> bool {
        self.answers.is_some()
    }

    /// Revokes what is replaced. Comes last in a unit of work that holds the exchange; answers the lists that changed.
    pub(super) async fn carry_out(
        &self,
        context: &Context,
        tx: &Transaction,
        exchange: ExchangeId,
        now: Timestamp,
    ) -> Result<BTreeSet<StatusListId>, StoreError> {
        if self.replace_nothing() {
            return Ok(BTreeSet::new());
        }
        revocation::revoke_replaced(context, tx, exchange, &self.replaced, now).await
    }
}

#[cfg(test)]
mod tests {
    use chancery_keys::PublicJwk;
    use chancery_model::{Format, Reported, StatusPlace};
    use serde_json::{Map, json};
    use uuid::Uuid;

    use super::*;

    const NOW: i64 = 1_768_478_400;

    fn entry(unique: bool, again: bool) -> Entry {
        serde_json::from_value(json!({
            "id": Uuid::from_u128(7), "configuration_id": "badge", "format": "dc+sd-jwt", "vct": "badge", "claims": [],
            "expiration_in_days": 30, "support_revocation": true, "revocation_method": "status_list",
            "enforce_credential_uniqueness": unique, "support_credential_reissuance": again, "binding_methods": [],
            "require_key_attestation": false, "authorization_request_type": "authorization_details", "scope": "",
            "response_interval": 5, "display": null
        }))
        .unwrap()
    }

    fn credential(has_status: bool, status: RevocationStatus, lives_for: i64) -> Credential {
        let jwk = json!({
            "kty": "EC", "crv": "P-256",
            "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4", "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
        });
        Credential {
            id: Uuid::from_u128(3).into(),
            exchange_id: Uuid::from_u128(2).into(),
            grant_id: Uuid::from_u128(4).into(),
            entry: Uuid::from_u128(7).into(),
            dataset: 0,
            format: Format::DcSdJwt,
            holder_key: PublicJwk::from_json(jwk.as_object().unwrap()).unwrap(),
            signing_key_id: Uuid::from_u128(5).into(),
            proof: Map::new(),
            sealed_token: Vec::new(),
            issued_at: Timestamp::from_seconds(NOW - 10),
            expires_at: Timestamp::from_seconds(NOW + lives_for),
            status_place: has_status.then(|| StatusPlace { list: Uuid::from_u128(6).into(), index: 1 }),
            revocation_status: status,
            notification_hash: None,
            reported: Reported::default(),
        }
    }

    fn judged(unique: bool, again: bool, refreshed: bool, former: &[Credential]) -> Result<usize, Refused> {
        let replaced = judge(&entry(unique, again), refreshed, former, Timestamp::from_seconds(NOW));
        replaced.map(|replaced| replaced.len())
    }

    #[test]
    fn a_first_credential_is_issued_whatever_the_definition_says() {
        for (unique, again, refreshed) in [(false, false, true), (true, false, false), (true, true, true)] {
            assert_eq!(judged(unique, again, refreshed, &[]), Ok(0));
        }
    }

    #[test]
    fn a_refreshed_token_gets_a_further_copy_only_where_that_is_supported() {
        let former = [credential(true, RevocationStatus::Operational, 100)];
        assert_eq!(judged(false, false, true, &former), Err(Refused::NotSupported));
        assert_eq!(judged(false, true, true, &former), Ok(0));
        assert_eq!(judged(false, false, false, &former), Ok(0));
    }

    #[test]
    fn where_one_credential_lives_at_a_time_a_further_one_replaces_it_or_is_refused() {
        let operational = [credential(true, RevocationStatus::Operational, 100)];
        let suspended = [credential(true, RevocationStatus::Suspended, 100)];
        let without_status = [credential(false, RevocationStatus::Operational, 100)];
        assert_eq!(judged(true, false, false, &operational), Err(Refused::Lives));
        assert_eq!(judged(true, true, false, &operational), Ok(1));
        assert_eq!(judged(true, true, true, &suspended), Ok(1));
        assert_eq!(judged(true, true, true, &without_status), Err(Refused::CannotBeReplaced));
    }

    #[test]
    fn what_expired_or_was_revoked_does_not_live() {
        for former in
            [credential(false, RevocationStatus::Operational, 0), credential(true, RevocationStatus::Revoked, 100)]
        {
            assert_eq!(judged(true, false, false, &[former]), Ok(0));
        }
    }
}
