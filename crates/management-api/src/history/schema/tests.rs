//! The record against the contract.

use std::sync::Arc;

use chancery_model::{DefinitionContent, SecretHash, Timestamp, TransactionCode};
use uuid::Uuid;

use super::*;

/// Members of the original contract, in its order, with the additional spellings of the id.
const CONTRACT: [&str; 42] = [
    "CredentialExchangeId",
    "credentialExchangeId",
    "id",
    "issuanceMode",
    "isPreAuthorised",
    "credentialOffer",
    "credentialStatus",
    "status",
    "clientId",
    "userPin",
    "createdAt",
    "updatedAt",
    "credential",
    "disclosureMapping",
    "presentationDefinitionId",
    "presentationExchangeId",
    "holder",
    "credentialFormat",
    "supportRevocation",
    "revocationStatus",
    "clientAssertion",
    "clientAssertionType",
    "clientAssertionVerified",
    "walletUnitAttestation",
    "walletUnitAttestationPoP",
    "walletUnitAttestationVerified",
    "credentialToken",
    "cnf",
    "jti",
    "proof",
    "proofType",
    "proofVerified",
    "decodedWalletUnitAttestation",
    "idToken",
    "idTokenDecoded",
    "idTokenVerified",
    "issuanceDeniedReason",
    "expiredCredentialTokens",
    "expiredCredentials",
    "credentialResponseEncryption",
    "individualId",
    "mapperId",
];

fn begun() -> History {
    let entry: Entry = serde_json::from_value(json!({
        "id": Uuid::from_u128(7), "configuration_id": "badge", "format": "dc+sd-jwt", "vct": "badge",
        "claims": [
            { "path": ["address"], "mandatory": true, "limit_disclosure": false, "display": [] },
            { "path": ["address", "city"], "mandatory": true, "limit_disclosure": true, "display": [] },
            { "path": ["roles", null], "mandatory": true, "limit_disclosure": true, "display": [] },
        ],
        "expiration_in_days": 30, "support_revocation": false, "revocation_method": "status_list",
        "enforce_credential_uniqueness": false, "support_credential_reissuance": false, "binding_methods": [],
        "require_key_attestation": false, "authorization_request_type": "authorization_details", "scope": "",
        "response_interval": 5, "display": null
    }))
    .unwrap();
    let content: DefinitionContent = serde_json::from_value(json!({
        "label": "Badge", "version": "version_01", "trust_anchor": "did:key", "kid": "", "enforce_wua": false,
        "support_interactive_authorisation_endpoint": false, "display": null, "entries": [entry]
    }))
    .unwrap();
    let at = Timestamp::from_seconds(1_768_478_400);
    let definition = Definition { id: Uuid::from_u128(1).into(), revision: 1, content, created_at: at, updated_at: at };
    let exchange = Exchange {
        id: Uuid::from_u128(2).into(),
        definition_id: definition.id,
        definition_revision: 1,
        entries: vec![entry.id],
        issuance_mode: IssuanceMode::InTime,
        claims_at_start: true,
        grant_kind: GrantKind::PreAuthorizedCode,
        status: ExchangeStatus::OfferSent,
        credential_status: CredentialStatus::Ready,
        revocation_status: RevocationStatus::Operational,
        offer_id: "offer".to_owned(),
        url_scheme: "openid-credential-offer://".to_owned(),
        code_hash: SecretHash::of("code"),
        fetches: 0,
        code_spent_at: None,
        transaction_code: Some(TransactionCode { numeric: true, length: 4 }),
        failed_attempts: 0,
        require_key_attestation: false,
        client_id: None,
        denied_reason: None,
        issued_by: None,
        sealed_secrets: Vec::new(),
        sealed_submissions: None,
        expires_at: at,
        claims_due_at: None,
        created_at: at,
        updated_at: at,
    };
    let submissions = vec![Submission::given(entry.id, Map::new(), Map::new())];
    History {
        exchange,
        definition: Arc::new(definition),
        submissions,
        credential_offer: "openid-credential-offer://?credential_offer_uri=x".to_owned(),
        credentials: Vec::new(),
        checked: chancery_issuance::Checked::default(),
        addressed: None,
    }
}

#[test]
fn every_member_of_the_contract_is_there_and_none_is_null() {
    let record = serde_json::to_value(CredentialHistory::from(&begun())).unwrap();
    let record = record.as_object().unwrap();
    let names: Vec<&str> = record.keys().map(String::as_str).take(CONTRACT.len()).collect();
    assert_eq!(names, CONTRACT);
    assert!(record.values().all(|value| !value.is_null()));
    assert_eq!(record["CredentialExchangeId"], record["id"]);
    assert_eq!(record["userPin"], "");
}

#[test]
fn the_disclosure_mapping_is_parallel_to_the_claims() {
    let record = serde_json::to_value(CredentialHistory::from(&begun())).unwrap();
    assert_eq!(
        record["disclosureMapping"],
        json!({
            "address": { "limitDisclosure": false, "city": { "limitDisclosure": true } },
            "roles": { "*": { "limitDisclosure": true } }
        })
    );
}
