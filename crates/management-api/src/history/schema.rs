//! The record of an exchange on the wire: every member of the original contract, in its order.

mod delivery;
#[cfg(test)]
mod tests;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chancery_issuance::Verified;
use chancery_issuance::management::history::{Addressed, Delivered, History};
use chancery_model::{
    CredentialStatus, Definition, Entry, Exchange, ExchangeStatus, GrantKind, IssuanceMode, RevocationStatus,
    Submission,
};
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use self::delivery::DeliverySchema;
use crate::definitions::claim_path;

/// How far an exchange has come.
#[derive(ToSchema)]
#[schema(as = ExchangeStatus, rename_all = "snake_case")]
#[expect(dead_code, reason = "only describes the model's status")]
pub(crate) enum StatusSchema {
    OfferSent,
    OfferReceived,
    TokenIssued,
    CredentialIssued,
    CredentialAcked,
    CredentialAccepted,
    CredentialDeleted,
    IssuanceDenied,
}

/// The record of an exchange. Members without a value have the empty value of their type.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CredentialHistory {
    /// Id of the exchange.
    #[serde(rename = "CredentialExchangeId")]
    #[schema(format = Uuid)]
    exchange_id_capital: String,
    /// The same id.
    #[schema(format = Uuid)]
    credential_exchange_id: String,
    /// The same id.
    #[schema(format = Uuid)]
    id: String,
    /// `InTime` or `Deferred`.
    #[schema(value_type = String, example = "InTime")]
    issuance_mode: IssuanceMode,
    /// Whether the offer has a pre-authorized code.
    #[schema(example = true)]
    is_pre_authorised: bool,
    /// The offer link for the wallet; empty for auditors, because whoever can fetch the offer can redeem it.
    #[schema(
        example = "openid-credential-offer://?credential_offer_uri=https%3A%2F%2Fissuer.example%2Fo%2Facme%2Fcredential-offers%2FQNW9R9t-kFLl3dd720LpYA"
    )]
    credential_offer: String,
    /// `pending` or `ready`: whether the claims are there.
    #[schema(value_type = String, example = "ready")]
    credential_status: CredentialStatus,
    /// How far the exchange has come.
    #[schema(value_type = StatusSchema)]
    status: ExchangeStatus,
    /// `client_id` of the wallet, once it named one.
    client_id: String,
    /// Always empty: transaction codes are not shown again.
    user_pin: &'static str,
    /// Unix seconds.
    created_at: i64,
    /// Unix seconds.
    updated_at: i64,
    /// What was asked for; the first of `credentials`.
    credential: Value,
    /// Parallel to the claims: which of them the holder can withhold.
    disclosure_mapping: Value,
    presentation_definition_id: &'static str,
    presentation_exchange_id: &'static str,
    /// What is known of the wallet.
    holder: Holder,
    /// Format of the credential.
    #[schema(example = "dc+sd-jwt")]
    credential_format: &'static str,
    support_revocation: bool,
    /// `Operational`, `Revoked` or `Suspended`.
    #[schema(value_type = String, example = "Operational")]
    revocation_status: RevocationStatus,
    /// Assertion by which the client authenticated: header and claims, without its signature.
    client_assertion: String,
    /// Type of that assertion.
    client_assertion_type: String,
    /// Whether there was one that was good; `false` also when the transcript was erased.
    client_assertion_verified: bool,
    /// Attestation of the wallet: header and claims, without its signature.
    wallet_unit_attestation: String,
    /// Proof of possession that came with it: header and claims, without its signature; empty when the DPoP proof was by
    /// the attested key.
    #[serde(rename = "walletUnitAttestationPoP")]
    wallet_unit_attestation_pop: String,
    /// Whether there was an attestation that was good; `false` also when the transcript was erased.
    wallet_unit_attestation_verified: bool,
    /// The signed credential as delivered; the last one when there are several.
    credential_token: String,
    /// Confirmation claim: the holder's public key as `jwk`.
    cnf: Map<String, Value>,
    /// Id of the issued credential.
    jti: String,
    /// Key proof of the credential request: header and claims, without its signature.
    proof: String,
    /// Type of that proof.
    proof_type: &'static str,
    /// Whether that proof was good.
    proof_verified: bool,
    /// That attestation as `header` and `claims`.
    #[schema(value_type = Object)]
    decoded_wallet_unit_attestation: Map<String, Value>,
    /// ID token of the provider where the person signed in, without its signature and without claims about the person.
    id_token: String,
    /// The same as `header` and `claims`.
    #[schema(value_type = Object)]
    id_token_decoded: Map<String, Value>,
    /// Whether there was one that was good; `false` also when the transcript was erased.
    id_token_verified: bool,
    /// Why it was denied.
    issuance_denied_reason: String,
    expired_credential_tokens: Vec<String>,
    #[schema(value_type = Vec<Object>)]
    expired_credentials: Vec<Value>,
    /// How the wallet asked for the last credential to be encrypted: `jwk`, `enc`, `zip`; empty when it did not.
    #[schema(value_type = Object)]
    credential_response_encryption: Map<String, Value>,
    /// Id of the individual whom it was made for.
    individual_id: String,
    /// `externalId` of that individual; empty once the person was erased.
    mapper_id: String,
    /// The definition.
    #[schema(format = Uuid)]
    credential_definition_id: String,
    /// Version of the definition that the exchange was started with.
    credential_definition_revision: u32,
    /// Label of the definition.
    #[schema(example = "Staff badge")]
    credential_label: String,
    /// Configurations on offer.
    #[schema(example = json!(["staff-badge"]))]
    credential_configuration_ids: Vec<String>,
    /// What was asked for, per entry on offer.
    credentials: Vec<Value>,
    /// Whether key proofs must carry a key attestation.
    require_key_attestation: bool,
    /// From this instant on the offer cannot be redeemed, in Unix seconds.
    expires_at: i64,
    /// Until this instant missing claims are awaited, in Unix seconds; 0 when none were missing.
    claims_due_at: i64,
    /// Id of the API key that called for it; empty when a wallet began it, or a file of rows.
    issued_by: String,
    /// Network address of that caller; empty when it is not known.
    issued_from: String,
    /// Wallet endpoint that the issue call named; empty for auditors.
    credential_offer_endpoint: String,
    /// How the offer's link gets to whom it was made for.
    offer_delivery: DeliverySchema,
    /// How the transaction code gets there.
    pin_delivery: DeliverySchema,
    /// Every credential that was issued, oldest first.
    issued_credentials: Vec<IssuedCredential>,
}

/// A credential that was issued.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct IssuedCredential {
    /// Id of the credential.
    #[schema(format = Uuid)]
    id: String,
    /// Configuration it was issued under.
    credential_configuration_id: String,
    /// When it was signed, in Unix seconds.
    issued_at: i64,
    /// Its `exp`, in Unix seconds.
    expires_at: i64,
    /// `Operational`, `Revoked` or `Suspended`.
    #[schema(value_type = String, example = "Operational")]
    revocation_status: RevocationStatus,
    /// Its `status.status_list` claim, `idx` and `uri`; empty when it cannot be revoked.
    #[schema(value_type = Object)]
    status_list: Map<String, Value>,
}

/// What is known of the wallet.
#[derive(Serialize, ToSchema)]
pub(crate) struct Holder {
    /// Its `client_id`.
    name: String,
    location: &'static str,
    logo: &'static str,
}

impl From<&History> for CredentialHistory {
    fn from(history: &History) -> Self {
        let History { exchange, definition, submissions, credential_offer, credentials: delivered, checked, addressed } =
            history;
        let nobody = Addressed::default();
        let to = addressed.as_ref().unwrap_or(&nobody);
        let entries: Vec<&Entry> = exchange.entries.iter().filter_map(|id| definition.entry(*id)).collect();
        let first = entries.first();
        let asked = entries.iter().enumerate().map(|(position, entry)| {
            let dataset = entries.iter().take(position).filter(|earlier| earlier.id == entry.id).count();
            asked_for(entry, dataset, submissions)
        });
        let asked: Vec<Value> = asked.collect();
        let last = delivered.last();
        let replaced = replaced(delivered, definition);
        let id = exchange.id.to_string();
        let client_id = exchange.client_id.clone().unwrap_or_default();
        Self {
            exchange_id_capital: id.clone(),
            credential_exchange_id: id.clone(),
            id,
            issuance_mode: exchange.issuance_mode,
            is_pre_authorised: exchange.grant_kind == GrantKind::PreAuthorizedCode,
            credential_offer: credential_offer.clone(),
            credential_status: exchange.credential_status,
            status: exchange.status,
            client_id: client_id.clone(),
            user_pin: "",
            created_at: exchange.created_at.seconds(),
            updated_at: exchange.updated_at.seconds(),
            credential: asked.first().cloned().unwrap_or_else(|| json!({})),
            disclosure_mapping: first.map(|entry| disclosure_mapping(entry)).unwrap_or_else(|| json!({})),
            presentation_definition_id: "",
            presentation_exchange_id: "",
            holder: Holder { name: client_id, location: "", logo: "" },
            credential_format: first.map_or("", |entry| entry.format.name()),
            support_revocation: entries.iter().any(|entry| entry.support_revocation),
            revocation_status: exchange.revocation_status,
            client_assertion: checked.client_assertion.as_ref().map(without_signature).unwrap_or_default(),
            client_assertion_type: checked.client_assertion_type.clone(),
            client_assertion_verified: checked.client_assertion.is_some(),
            wallet_unit_attestation: checked.attestation.as_ref().map(without_signature).unwrap_or_default(),
            wallet_unit_attestation_pop: checked.possession.as_ref().map(without_signature).unwrap_or_default(),
            wallet_unit_attestation_verified: checked.attestation.is_some(),
            credential_token: last.map(|it| it.token.clone()).unwrap_or_default(),
            cnf: last.map(confirmation).unwrap_or_default(),
            jti: last.map(|it| it.credential.id.to_string()).unwrap_or_default(),
            proof: last.map(|it| without_signature(&proof_of(it))).unwrap_or_default(),
            proof_type: if last.is_some() { "jwt" } else { "" },
            proof_verified: last.is_some(),
            decoded_wallet_unit_attestation: checked.attestation.as_ref().map(decoded).unwrap_or_default(),
            id_token: checked.id_token.as_ref().map(without_signature).unwrap_or_default(),
            id_token_decoded: checked.id_token.as_ref().map(decoded).unwrap_or_default(),
            id_token_verified: checked.id_token.is_some(),
            issuance_denied_reason: exchange.denied_reason.clone().unwrap_or_default(),
            expired_credential_tokens: replaced.iter().map(|it| it.token.clone()).collect(),
            expired_credentials: replaced.iter().map(|it| signed_claims(&it.token)).collect(),
            credential_response_encryption: checked.response_encryption.clone(),
            individual_id: to.individual.map(|id| id.to_string()).unwrap_or_default(),
            mapper_id: to.mapper_id.clone(),
            credential_definition_id: exchange.definition_id.to_string(),
            credential_definition_revision: exchange.definition_revision,
            credential_label: definition.content.label.clone(),
            credential_configuration_ids: configuration_ids(exchange, definition),
            credentials: asked,
            require_key_attestation: exchange.require_key_attestation,
            expires_at: exchange.expires_at.seconds(),
            claims_due_at: exchange.claims_due_at.map(|at| at.seconds()).unwrap_or_default(),
            issued_by: exchange.issued_by.as_ref().map(|by| by.actor.to_string()).unwrap_or_default(),
            issued_from: exchange.issued_by.as_ref().map(|by| by.address.clone()).unwrap_or_default(),
            credential_offer_endpoint: to.endpoint.clone(),
            offer_delivery: DeliverySchema::from(to.link.as_ref()),
            pin_delivery: DeliverySchema::from(to.pin.as_ref()),
            issued_credentials: delivered.iter().map(|it| issued(it, definition)).collect(),
        }
    }
}

impl CredentialHistory {
    /// The same record for those who may not redeem the offer.
    pub(crate) fn without_offer(self) -> Self {
        Self { credential_offer: String::new(), credential_offer_endpoint: String::new(), ..self }
    }
}

/// What was issued before the newest copies, where the definition supports re-issuance.
fn replaced<'h>(delivered: &'h [Delivered], definition: &Definition) -> Vec<&'h Delivered> {
    let is_renewed = |former: &&Delivered| {
        let former = &former.credential;
        let entry = definition.entry(former.entry);
        let is_newer = |other: &Delivered| {
            let other = &other.credential;
            (other.entry, other.dataset) == (former.entry, former.dataset) && other.issued_at > former.issued_at
        };
        entry.is_some_and(|entry| entry.support_credential_reissuance) && delivered.iter().any(is_newer)
    };
    delivered.iter().filter(is_renewed).collect()
}

/// The claims in the signed part of a credential; empty when its token was erased.
fn signed_claims(token: &str) -> Value {
    let payload = token.split('~').next().and_then(|jwt| jwt.split('.').nth(1)).unwrap_or_default();
    let decoded = URL_SAFE_NO_PAD.decode(payload).ok();
    decoded.and_then(|json| serde_json::from_slice(&json).ok()).unwrap_or_else(|| json!({}))
}

fn issued(delivered: &Delivered, definition: &Definition) -> IssuedCredential {
    let Delivered { credential, status_list: uri, .. } = delivered;
    let reference = credential
        .status_place
        .map(|place| Map::from_iter([("idx".to_owned(), place.index.into()), ("uri".to_owned(), uri.as_str().into())]));
    IssuedCredential {
        id: credential.id.to_string(),
        credential_configuration_id: definition
            .entry(credential.entry)
            .map(|entry| entry.configuration_id.clone())
            .unwrap_or_default(),
        issued_at: credential.issued_at.seconds(),
        expires_at: credential.expires_at.seconds(),
        revocation_status: credential.revocation_status,
        status_list: reference.unwrap_or_default(),
    }
}

fn configuration_ids(exchange: &Exchange, definition: &Definition) -> Vec<String> {
    let entries = exchange.configurations().filter_map(|id| definition.entry(id));
    entries.map(|entry| entry.configuration_id.clone()).collect()
}

/// What the organisation asked for. A pending credential has no claims yet, but the id that the deferred
/// update repeats.
fn asked_for(entry: &Entry, dataset: usize, submissions: &[Submission]) -> Value {
    let submission = submissions.iter().filter(|submission| submission.entry == entry.id).nth(dataset);
    json!({
        "id": entry.id,
        "vct": entry.vct,
        "claims": submission.map(|it| it.claims.clone()).unwrap_or_default(),
        "credentialMetadata": submission.map(|it| it.metadata.clone()).unwrap_or_default(),
    })
}

/// An object whose nesting follows the claims; every element of an array stands under `*`.
fn disclosure_mapping(entry: &Entry) -> Value {
    let mut mapping = Map::new();
    for claim in &entry.claims {
        let Value::Array(path) = claim_path(claim) else { continue };
        let mut here = &mut mapping;
        for segment in &path {
            let name = match segment {
                Value::String(name) => name.clone(),
                Value::Number(index) => index.to_string(),
                Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => "*".to_owned(),
            };
            let below = here.entry(name).or_insert_with(|| json!({}));
            match below {
                Value::Object(members) => here = members,
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                    // A claim called `limitDisclosure` meets the flag of the claim around it: the flag stays.
                    return Value::Object(mapping);
                }
            }
        }
        here.insert("limitDisclosure".to_owned(), Value::Bool(claim.limit_disclosure));
    }
    Value::Object(mapping)
}

fn confirmation(delivered: &Delivered) -> Map<String, Value> {
    let jwk = Value::Object(delivered.credential.holder_key.to_json());
    [("jwk".to_owned(), jwk)].into_iter().collect()
}

fn proof_of(delivered: &Delivered) -> Verified {
    let part = |name| delivered.credential.proof.get(name).and_then(Value::as_object).cloned().unwrap_or_default();
    Verified { header: part("header"), claims: part("claims") }
}

/// `header.claims.` in base64url: readable like a JWT, useless as one.
fn without_signature(verified: &Verified) -> String {
    let part = |part: &Map<String, Value>| URL_SAFE_NO_PAD.encode(Value::Object(part.clone()).to_string());
    format!("{}.{}.", part(&verified.header), part(&verified.claims))
}

fn decoded(verified: &Verified) -> Map<String, Value> {
    let parts = [("header", &verified.header), ("claims", &verified.claims)];
    parts.into_iter().map(|(name, part)| (name.to_owned(), Value::Object(part.clone()))).collect()
}
