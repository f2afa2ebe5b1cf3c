//! A credential request that has to wait (OpenID4VCI §8.3, §9).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chancery_model::{
    CredentialStatus, DeferredTransaction, Entry, Exchange, Grant, Organisation, ProvenKey, SecretHash, Timestamp,
    TransactionId,
};
use chancery_protocol::credential_response::CredentialResponse;
use chancery_storage::StoreError;
use serde_json::json;

use super::super::redaction;
use super::super::trail::Trail;
use crate::{Context, Failure};

/// Seconds for which a transaction waits, at most.
pub(in super::super) const LIFETIME: u32 = 30 * 24 * 60 * 60;

/// Transactions that wait for one dataset. A wallet that lost an answer asks again and gets another one.
const MOST_WAITING: u64 = 8;

/// Keeps the proven keys until the claims are there, and tells the wallet where to ask for its credentials, in `interval` seconds. A token that
/// is bound to a key lives as long as the transaction does (TOK-14); others never live long (TOK-12).
#[expect(clippy::too_many_arguments, reason = "each of them is one part of the transaction")]
pub(super) async fn begin<R>(
    context: &Context,
    organisation: &Organisation,
    now: Timestamp,
    exchange: &Exchange,
    grant: &Grant,
    (entry, dataset): (&Entry, u16),
    (keys, interval): (Vec<ProvenKey>, u32),
    trail: &mut Trail,
) -> Result<CredentialResponse, Failure<R>> {
    let transaction_id = URL_SAFE_NO_PAD.encode(context.env().random::<16>());
    let transaction = DeferredTransaction {
        id: TransactionId::from(context.env().uuid(now)),
        exchange_id: exchange.id,
        grant_id: grant.id,
        id_hash: SecretHash::of(&transaction_id),
        entry: entry.id,
        dataset,
        keys,
        interval,
        polls: 0,
        polled_at: now,
        issued_at: None,
        sealed_answer: None,
        expires_at: now.plus_seconds(LIFETIME),
        created_at: now,
    };
    let shown = redaction::secret(&transaction_id);
    trail.recording.info(
        "credential.deferred",
        json!({ "config_id": entry.configuration_id, "transaction_id": shown, "interval": interval }),
    );
    trail.recording.event(
        "credential_deferred",
        json!({
            "credential_configuration_id": entry.configuration_id,
            "transaction_id": shown,
            "interval": interval,
        }),
    );
    let part = trail.finish(context).of(exchange.id, None);
    context
        .store()
        .write(organisation, async |tx| -> Result<(), StoreError> {
            tx.add_deferred_transaction(&transaction, MOST_WAITING).await?;
            // Claims that were to be fetched at once, and are not there yet.
            if exchange.claims_due_at.is_none() && exchange.credential_status == CredentialStatus::Pending {
                tx.await_claims(exchange.id, transaction.expires_at).await?;
            }
            if grant.dpop_thumbprint.is_some() {
                tx.extend_access_token(grant, transaction.expires_at).await?;
            }
            tx.add_transcript_part_below(&part, super::super::trail::MOST_PARTS).await?;
            Ok(())
        })
        .await?;
    Ok(CredentialResponse::Deferred { transaction_id, interval })
}
