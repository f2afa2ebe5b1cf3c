//! How the transcript of an exchange begins. All of it follows from what the exchange keeps, so nothing is stored for it.

use chancery_model::{Definition, Exchange, GrantKind, Organisation, Passage};
use serde_json::json;

use crate::management::history::offer_uri;
use crate::recording::Recording;

/// OpenID4VCI §4.1.1.
const PRE_AUTHORIZED: &str = "urn:ietf:params:oauth:grant-type:pre-authorized_code";

/// What the issue call did. The transaction code appears by its shape only: it has so few values that even a short digest
/// would give it away.
pub(super) fn beginning(organisation: &Organisation, definition: &Definition, exchange: &Exchange) -> Passage {
    let configuration_ids: Vec<&str> = exchange
        .configurations()
        .filter_map(|id| definition.entry(id))
        .map(|entry| entry.configuration_id.as_str())
        .collect();
    let hidden = json!({ "sha256_prefix": exchange.code_hash.prefix() });
    let shape = exchange
        .transaction_code
        .map(|code| json!({ "input_mode": if code.numeric { "numeric" } else { "text" }, "length": code.length }));
    let grants = match (exchange.grant_kind, &shape) {
        (GrantKind::AuthorizationCode, _) => json!({ "authorization_code": { "issuer_state": hidden } }),
        (GrantKind::PreAuthorizedCode, None) => json!({ PRE_AUTHORIZED: { "pre-authorized_code": hidden } }),
        (GrantKind::PreAuthorizedCode, Some(shape)) => {
            json!({ PRE_AUTHORIZED: { "pre-authorized_code": hidden, "tx_code": shape } })
        }
    };
    let mut recording = Recording::at("management");
    recording.info(
        "offer.create_requested",
        json!({
            "credential_configuration_ids": configuration_ids,
            "issuance_mode": exchange.issuance_mode,
            "claims_present": exchange.claims_at_start,
            "grant_type": exchange.grant_kind,
            "tx_code": shape,
            "require_key_attestation": exchange.require_key_attestation,
            "require_wallet_attestation": definition.content.enforce_wua,
            "url_scheme": exchange.url_scheme,
        }),
    );
    recording.debug(
        "offer.code_created",
        json!({
            "code": hidden,
            "credential_configuration_ids": configuration_ids,
            "tx_code_present": exchange.transaction_code.is_some(),
        }),
    );
    recording.info(
        "offer.built",
        json!({
            "offer_id": exchange.offer_id,
            "credential_offer_uri": offer_uri(organisation, &exchange.offer_id),
            "grant_type": exchange.grant_kind,
            "credential_offer": {
                "credential_issuer": organisation.issuer.as_str(),
                "credential_configuration_ids": configuration_ids,
                "grants": grants,
            },
        }),
    );
    recording.event("offer_created", json!({ "credential_configuration_ids": configuration_ids }));
    recording.finish_as(exchange.id.as_uuid().into(), exchange.created_at)
}
