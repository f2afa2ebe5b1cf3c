//! What a single definition demands of wallets, whatever the policy of its organisation says.

use chancery_tests::jwe::{Jwe, ResponseKey};
use chancery_tests::on_every_backend;

use super::encryption::{encrypted, payload, published};
use super::*;

const DEFINITION: &str = "/v2/config/digital-wallet/openid/sdjwt/credential-definition";

/// An organisation with two badges, of which one makes this demand; offers of both.
async fn scenes(world: &World, policy: Value, demand: &str) -> (Scene, Scene) {
    let strict = Scene::demanding(world, policy, demand).await;
    let lenient = strict.operator.define(&samples::staff_badge()).await;
    assert_eq!((&strict.definition[demand], &lenient[demand]), (&json!(true), &json!(false)));
    let lenient = Scene::of(world, strict.operator.clone(), lenient).await;
    (strict, lenient)
}

impl Scene {
    async fn demanding(world: &World, policy: Value, demand: &str) -> Self {
        let operator = world.platform().organisation(json!({ "policy": policy })).await;
        let mut badge = samples::staff_badge();
        badge["label"] = "Guarded badge".into();
        badge[demand] = true.into();
        let definition = operator.define(&badge).await;
        Self::of(world, operator, definition).await
    }
}

on_every_backend! {
    /// HAI-2.
    async fn a_definition_may_demand_tokens_that_are_bound_to_a_key(world: &World) {
        let (strict, lenient) = scenes(world, json!({}), "enforceDPoP").await;
        let call = strict.wallet.token_call(&strict.opened).without_dpop();
        strict.wallet.send(call).await.refused(400, "invalid_dpop_proof");
        assert_eq!(strict.cause().await.message, "token.dpop_invalid");
        let token = strict.redeem().await;
        strict.collect(&token).await;
        let call = lenient.wallet.token_call(&lenient.opened).without_dpop();
        assert_eq!(lenient.wallet.send(call).await.ok()["token_type"], "Bearer");
    }

    /// TOK-5.
    async fn a_definition_may_demand_that_wallets_name_themselves(world: &World) {
        let (mut strict, lenient) = scenes(world, json!({}), "enforceClientId").await;
        strict.wallet.send(strict.wallet.token_call(&strict.opened)).await.refused(400, "invalid_client");
        assert_eq!(strict.cause().await.message, "token.client_auth_failed");
        strict.wallet.client_id = Some("wallet-dev".to_owned());
        let token = strict.redeem().await;
        strict.collect(&token).await;
        lenient.redeem().await;
    }

    /// ENC-7, ENC-8.
    async fn a_definition_may_demand_encryption(world: &World) {
        let (strict, lenient) = scenes(world, json!({"encryption": "allowed"}), "enforceEncryption").await;
        let token = strict.redeem().await;
        let nonce = strict.wallet.nonce(&strict.opened).await;
        let call = || strict.wallet.credential_call(&token, &nonce);
        strict.wallet.send(call()).await.refused(400, "invalid_encryption_parameters");
        let key = published(&strict.opened);
        let silent = Jwe::new(&key, &payload(&call(), &json!({})));
        strict.wallet.send(encrypted(call(), &silent)).await.refused(400, "invalid_encryption_parameters");
        assert_eq!(strict.cause().await.message, "credential.encryption_invalid");
        let recipient = ResponseKey::new();
        let wanted = json!({"credential_response_encryption": {"jwk": recipient.jwk(), "enc": "A256GCM"}});
        let jwe = Jwe::new(&key, &payload(&call(), &wanted));
        let answer = strict.wallet.send(encrypted(call(), &jwe)).await;
        assert_eq!(answer.status, 200, "{answer}");
        recipient.decrypt(&answer.text());
        let token = lenient.redeem().await;
        lenient.collect(&token).await;
    }

    /// What the organisation does not offer cannot be demanded.
    async fn encryption_that_is_off_is_not_demanded(world: &World) {
        let operator = world.organisation().await;
        let mut badge = samples::staff_badge();
        badge["enforceEncryption"] = true.into();
        operator.post(DEFINITION, badge.clone()).await.problem_at(400, "/enforceEncryption");
        let policy = json!({"encryption": "allowed"});
        operator.put("/v2/config/digital-wallet/openid/policy", policy).await.ok();
        operator.post(DEFINITION, badge.clone()).await.ok();
        for demand in ["enforceDPoP", "enforcePAR", "enforceEncryption", "enforceClientId"] {
            let mut wrong = badge.clone();
            wrong[demand] = "yes".into();
            operator.post(DEFINITION, wrong).await.problem_at(400, &format!("/{demand}"));
        }
    }
}
