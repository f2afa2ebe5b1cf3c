//! The wallet face (OpenID4VCI 1.0), as wallets see it.

use chancery_tests::{Offer, Opened, Operator, Received, Token, Wallet, World, samples};
use serde_json::{Value, json};

mod authorization_code;
mod batch;
mod captured;
mod certificates;
mod checked;
mod client_authentication;
mod credential;
mod datasets;
mod deferred;
mod definition_demands;
mod discovery;
mod dpop;
mod encryption;
mod fault_causes;
mod faults;
mod fetched_claims;
mod holder_keys;
mod independent;
mod key_attestation;
mod leaks;
mod nonce;
mod notification;
mod offer;
mod outside_provider;
mod policies;
mod proofs;
mod pushed_authorization;
mod races;
mod rate_limits;
mod refresh;
mod refused_requests;
mod reissuance;
mod repeated;
mod security;
mod sign_in;
mod token;
mod token_policy;
mod waiting;

/// An organisation that offers a staff badge, and a wallet that has opened the offer.
struct Scene {
    operator: Operator,
    definition: Value,
    offer: Offer,
    wallet: Wallet,
    opened: Opened,
}

impl Scene {
    /// Under the default policy.
    async fn new(world: &World) -> Self {
        Self::under(world, json!({})).await
    }

    /// Under a policy of which these switches are set.
    async fn under(world: &World, policy: Value) -> Self {
        let operator = world.platform().organisation(json!({ "policy": policy })).await;
        Self::at(world, operator).await
    }

    /// With an issuer identifier of its own.
    async fn under_issuer(world: &World, issuer: &str) -> Self {
        let operator = world.platform().organisation(json!({ "issuer": issuer })).await;
        Self::at(world, operator).await
    }

    async fn at(world: &World, operator: Operator) -> Self {
        let definition = operator.define(&samples::staff_badge()).await;
        Self::of(world, operator, definition).await
    }

    /// With a definition whose first entry takes the claims of a staff badge.
    async fn of(world: &World, operator: Operator, definition: Value) -> Self {
        let offer = operator.offer(&definition, &samples::staff_claims()).await;
        let wallet = world.wallet();
        let opened = wallet.open(&offer.link).await;
        Self { operator, definition, offer, wallet, opened }
    }

    /// The offer demands this transaction code; the wallet does not know it yet.
    async fn with_pin(world: &World, pin: &str) -> Self {
        let mut scene = Self::new(world).await;
        scene.offer = scene.operator.offer_with_pin(&scene.definition, &samples::staff_claims(), pin).await;
        scene.opened = scene.wallet.open(&scene.offer.link).await;
        scene
    }

    /// Another offer of the same badge, opened.
    async fn another_offer(&self) -> (Offer, Opened) {
        let offer = self.operator.offer(&self.definition, &samples::staff_claims()).await;
        let opened = self.wallet.open(&offer.link).await;
        (offer, opened)
    }

    async fn redeem(&self) -> Token {
        self.wallet.redeem(&self.opened).await
    }

    async fn collect(&self, token: &Token) -> Received {
        self.wallet.collect(token).await
    }

    /// What the transcript says of the latest refusal.
    async fn cause(&self) -> Cause {
        cause(&self.operator, &self.offer.id).await
    }
}

/// An error record of a transcript.
#[derive(Debug)]
struct Cause {
    message: String,
    reason: String,
    data: Value,
}

/// The latest error record of an exchange, which must explain itself: what was wrong, what the wallet's developer
/// should change, and the clause.
async fn cause(operator: &Operator, exchange: &str) -> Cause {
    let records = operator.records(exchange).await;
    let record = records
        .iter()
        .rfind(|record| record["level"] == "error")
        .unwrap_or_else(|| panic!("no error record in {records:#?}"));
    let text = |member: &str| {
        let text = record["data"][member].as_str().unwrap_or_default();
        assert!(!text.is_empty(), "no {member} in {record:#}");
        text.to_owned()
    };
    text("help");
    let clause = text("spec_ref");
    assert!(clause.contains('§') || clause.contains("Appendix"), "{clause} names no clause");
    Cause {
        message: record["message"].as_str().expect("a message").to_owned(),
        reason: text("reason"),
        data: record["data"].clone(),
    }
}

/// The configuration id of a definition's entry, as published.
fn configuration_id(opened: &Opened) -> &str {
    opened.offer["credential_configuration_ids"][0].as_str().expect("a configuration id")
}
