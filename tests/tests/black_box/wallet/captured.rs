//! Requests that real wallets sent to a public test issuer, byte for byte, at their instants and under its identifiers.
//!
//! Wallet A is an iOS wallet: anonymous, DPoP, its key in the header of the proof. Wallet B is a Dart wallet:
//! `client_id`, Bearer token, `authorization_details`, and a key proof whose `kid` is a did:key of `jwk_jcs-pub`. Their
//! signatures are as recorded, so whatever is changed here is changed around them: the clock, the store, the token, the
//! policy.

use chancery_tests::key::from_base64url;
use chancery_tests::{Answer, Backend, Call, Options, Timestamp};
use reqwest::Method;

use super::*;

mod wallet_a;
mod wallet_b;

const HOUR: i64 = 3600;

fn options(now: i64, nonces: &[&str]) -> Options {
    Options {
        now: Some(Timestamp::from_seconds(now)),
        recorded_nonces: nonces.iter().map(|&nonce| nonce.to_owned()).collect(),
        ..Options::default()
    }
}

/// Makes the server draw this value next, where it draws one of that length.
fn script(world: &World, value: &str) {
    world.env.script(from_base64url(value));
}

/// An organisation under the recorded identifier, with an offer whose code is the recorded one.
struct Stage {
    operator: Operator,
    exchange: String,
}

async fn stage(world: &World, mut organisation: Value, definition: Value, code: &str, key_attestation: bool) -> Stage {
    if key_attestation {
        let attester = json!({"jwks": {"keys": [chancery_tests::Key::p256().jwk()]}});
        organisation["policy"]["trustAnchors"] = json!({"keyAttesters": attester});
    }
    let operator = world.platform().organisation(organisation).await;
    let definition = operator.define(&definition).await;
    let mut body = chancery_tests::platform::issue_body(&definition, &samples::staff_claims());
    body["requireKeyAttestation"] = key_attestation.into();
    script(world, code);
    let offer = operator.offer_of(body).await;
    Stage { operator, exchange: offer.id }
}

fn definition(configuration: &str, methods: &[&str]) -> Value {
    let mut definition = samples::staff_badge();
    let entry = &mut definition["credentialDefinitions"][0];
    entry["credentialConfigurationId"] = configuration.into();
    entry["credentialBindingMethods"] = json!(methods);
    definition
}

async fn send(world: &World, call: Call) -> Answer {
    world.wallet().send(call).await
}

/// A recorded body with members changed; `null` takes one out.
fn changed(body: &str, changes: Value) -> Vec<u8> {
    let mut members: Value = serde_json::from_str(body).expect("a JSON body");
    let members = members.as_object_mut().expect("an object");
    for (name, value) in changes.as_object().expect("an object") {
        match value {
            Value::Null => members.shift_remove(name),
            Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => {
                members.insert(name.clone(), value.clone())
            }
        };
    }
    Value::Object(members.clone()).to_string().into_bytes()
}

/// The proof of a recorded body with one character of its signature or payload changed.
fn with_damaged_proof(body: &str, segment: usize) -> Vec<u8> {
    let members: Value = serde_json::from_str(body).expect("a JSON body");
    let proof = members["proofs"]["jwt"][0].as_str().expect("a proof");
    changed(body, json!({"proofs": {"jwt": [damaged(proof, segment)]}}))
}

fn damaged(jwt: &str, segment: usize) -> String {
    let mut segments: Vec<String> = jwt.split('.').map(str::to_owned).collect();
    let changed = if segments[segment].as_bytes()[10] == b'A' { "B" } else { "A" };
    segments[segment].replace_range(10..11, changed);
    segments.join(".")
}

/// Nothing was issued: the status is that of the token, and no credential was recorded.
async fn assert_nothing_issued(world: &World, stage: &Stage) {
    assert_eq!(stage.operator.status(&stage.exchange).await, "token_issued");
    let census = world.database.census().await;
    assert!(census.iter().any(|(table, rows)| table == "credential" && *rows == 0), "{census:?}");
}

/// No recorded secret and no claim is readable in the transcript, the database or the log.
async fn assert_silence(world: &World, stage: &Stage, secrets: &[&str]) {
    let transcript =
        json!([stage.operator.records(&stage.exchange).await, stage.operator.events(&stage.exchange).await])
            .to_string();
    for secret in secrets.iter().chain(&["Vanderstraete", "E-40417"]) {
        assert!(!transcript.contains(secret), "the transcript gives {secret} away");
        assert!(!world.gives_away(secret).await, "{secret} is given away");
    }
}

fn record<'r>(records: &'r [Value], message: &str) -> &'r Value {
    records.iter().find(|record| record["message"] == message).unwrap_or_else(|| panic!("no {message} in {records:#?}"))
}
