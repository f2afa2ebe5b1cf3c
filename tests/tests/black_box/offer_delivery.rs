//! Offers that are made for somebody, and how they get there.

use std::time::Duration;

use chancery_tests::platform::{history_path, issue_body};
use chancery_tests::wallet::offer_uri;
use chancery_tests::{Backend, MailServer, Offer, Operator, Receiver, World, on_every_backend, samples};
use serde_json::{Value, json};

mod addressing;
mod faults;
mod mail;
mod wallet_endpoint;
mod webhook;

const INDIVIDUAL: &str = "/v2/config/individual";
const HISTORY: &str = "/v2/config/digital-wallet/openid/sdjwt/credential/history";
const UNKNOWN: &str = "018f0000-0000-7000-8000-00000000dead";
const PIN: &str = "493027";

/// An organisation with a staff badge, and a person whom it knows.
async fn person(world: &World, individual: Value) -> (Operator, Value, String) {
    let operator = world.organisation().await;
    let definition = operator.define(&samples::staff_badge()).await;
    let id = register(&operator, individual).await;
    (operator, definition, id)
}

async fn register(operator: &Operator, individual: Value) -> String {
    let answer = operator.post(INDIVIDUAL, json!({"individual": individual})).await.ok();
    answer["individual"]["id"].as_str().expect("an id").to_owned()
}

/// The body of an issue call with other members.
fn body(definition: &Value, members: Value) -> Value {
    let mut body = issue_body(definition, &samples::staff_claims());
    for (name, value) in members.as_object().expect("members") {
        body[name] = value.clone();
    }
    body
}

async fn offer_to(operator: &Operator, definition: &Value, individual: &str, pin: &str) -> Offer {
    operator.offer_of(body(definition, json!({"individualId": individual, "userPin": pin}))).await
}

/// `state` of the link's delivery.
async fn state(operator: &Operator, offer: &Offer) -> String {
    operator.history(&offer.id).await["offerDelivery"]["state"].as_str().expect("a state").to_owned()
}

async fn ask(operator: &Operator, offer: &Offer, verb: &str) -> Value {
    operator.post(&format!("{}/{verb}", history_path(&offer.id)), json!({})).await.ok()
}

async fn hook(operator: &Operator, receiver: &Receiver, events: &[&str]) -> Value {
    let hook = json!({ "webhook": {
        "payloadUrl": receiver.url(),
        "contentType": "application/json",
        "subscribedEvents": { "digitalWalletWebhook": events },
    } });
    operator.post("/v2/config/webhook", hook).await.ok()["webhook"].clone()
}
