//! Refresh tokens (RFC 6749 §6).

use std::time::Duration;

use chancery_tests::{Key, Provider, on_every_backend};

use super::*;

fn refresh_token(response: &Value) -> String {
    response["refresh_token"].as_str().unwrap().to_owned()
}

on_every_backend! {
    /// TOK-13: a refresh token gives an access token beside the first one, and another refresh token; the old one works for
    /// 30 seconds more.
    async fn a_refresh_token_is_replaced_and_works_for_half_a_minute_more(world: &World) {
        let scene = Scene::under(world, json!({"refreshTokens": true})).await;
        assert!(scene.opened.authorization_server["grant_types_supported"].to_string().contains("refresh_token"));
        let first = scene.redeem().await;
        let old = refresh_token(&first.response);
        let issuer = scene.operator.issuer().to_owned();
        let second = scene.wallet.send(scene.wallet.refresh_call(&issuer, &old)).await.ok();
        assert_ne!(second["access_token"], first.response["access_token"]);
        assert_ne!(refresh_token(&second), old);
        scene.collect(&Token { response: second.clone(), opened: scene.opened.clone() }).await;
        scene.collect(&first).await;
        world.advance(Duration::from_secs(29));
        scene.wallet.send(scene.wallet.refresh_call(&issuer, &old)).await.ok();
        world.advance(Duration::from_secs(1));
        scene.wallet.send(scene.wallet.refresh_call(&issuer, &old)).await.refused(400, "invalid_grant");
        scene.wallet.send(scene.wallet.refresh_call(&issuer, &refresh_token(&second))).await.ok();
        assert!(!world.gives_away(&refresh_token(&second)).await);
    }

    /// TOK-13: it is bound to the DPoP key, narrower scope is allowed, wider is refused, another issuer knows nothing of it.
    async fn a_refresh_token_is_refused_to_others_and_for_more(world: &World) {
        let scene = Scene::under(world, json!({"refreshTokens": true})).await;
        let issuer = scene.operator.issuer().to_owned();
        let token = refresh_token(&scene.redeem().await.response);
        let thief = scene.wallet.with_fresh_dpop_key();
        thief.send(thief.refresh_call(&issuer, &token)).await.refused(400, "invalid_grant");
        scene.wallet.send(scene.wallet.refresh_call(&issuer, &token).without_dpop()).await.refused(400, "invalid_grant");
        let wider = scene.wallet.refresh_call(&issuer, &token).with_field("scope", "everything");
        scene.wallet.send(wider).await.refused(400, "invalid_scope");
        let details = json!([{"type": "openid_credential", "credential_configuration_id": "other"}]).to_string();
        let wider = scene.wallet.refresh_call(&issuer, &token).with_field("authorization_details", &details);
        scene.wallet.send(wider).await.refused(400, "invalid_authorization_details");
        let other = world.organisation().await;
        scene.wallet.send(scene.wallet.refresh_call(other.issuer(), &token)).await.refused(400, "unsupported_grant_type");
        scene.wallet.send(scene.wallet.refresh_call(&issuer, "made-up")).await.refused(400, "invalid_grant");
        world.advance(Duration::from_secs(2_592_000));
        scene.wallet.send(scene.wallet.refresh_call(&issuer, &token)).await.refused(400, "invalid_grant");
    }

    /// Without a policy there is none, and without a key to bind it to there is none either.
    async fn no_refresh_token_without_a_policy_or_a_key(world: &World) {
        let scene = Scene::new(world).await;
        assert!(scene.redeem().await.response.get("refresh_token").is_none());
        let mut scene = Scene::under(world, json!({"refreshTokens": true})).await;
        scene.wallet.dpop_key = None;
        assert!(scene.redeem().await.response.get("refresh_token").is_none());
    }

    /// ABCA draft-07 §10.3: with an attestation it is bound to the wallet instance key, and the DPoP key may change.
    async fn an_attested_wallet_refreshes_with_its_instance_key(world: &World) {
        let provider = Provider::new("https://wallet.example");
        let policy = json!({"refreshTokens": true, "walletAttestation": "enforce", "trustAnchors": provider.trust_anchors()});
        let mut scene = Scene::under(world, policy).await;
        scene.wallet.provider = Some(provider.clone());
        scene.wallet.client_id = Some(provider.client_id.clone());
        let issuer = scene.operator.issuer().to_owned();
        let token = refresh_token(&scene.redeem().await.response);
        let mut thief = scene.wallet.clone();
        thief.provider = Some(Provider { instance_key: Key::p256(), ..provider });
        thief.send(thief.refresh_call(&issuer, &token)).await.refused(400, "invalid_grant");
        scene.wallet.dpop_key = Some(Key::p256());
        scene.wallet.send(scene.wallet.refresh_call(&issuer, &token)).await.ok();
    }
}
