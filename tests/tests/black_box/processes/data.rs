//! What outlives a process.

use chancery_tests::sd_jwt::parts;

use super::*;

on_every_backend! {
    /// A restart in the middle of an issuance is noticed by nobody.
    async fn an_issuance_goes_on_after_a_restart(world: &World) {
        let operator = world.organisation().await;
        let definition = operator.define(&samples::staff_badge()).await;
        let offer = operator.offer_with_pin(&definition, &samples::staff_claims(), "4711").await;
        let mut wallet = world.wallet();
        wallet.transaction_code = Some("4711".to_owned());
        world.restart().await;
        let opened = wallet.open(&offer.link).await;
        world.restart().await;
        let token = wallet.redeem(&opened).await;
        let nonce = wallet.nonce(&opened).await;
        world.restart().await;
        let answer = wallet.send(wallet.credential_call(&token, &nonce)).await.ok();
        let credential = answer["credentials"][0]["credential"].as_str().expect("a credential");
        assert_eq!(parts(credential).disclosed["family_name"], "Vanderstraete");
        let before = (operator.history(&offer.id).await, operator.transcript(&offer.id).await);
        world.restart().await;
        assert_eq!((operator.history(&offer.id).await, operator.transcript(&offer.id).await), before);
        let other = wallet.with_fresh_dpop_key();
        other.send(other.token_call(&opened)).await.refused(400, "invalid_grant");
    }

    /// Wrong transaction codes are counted through restarts (OpenID4VCI §13.6.1).
    async fn attempts_are_counted_through_restarts(world: &World) {
        let operator = world.organisation().await;
        let definition = operator.define(&samples::staff_badge()).await;
        let offer = operator.offer_with_pin(&definition, &samples::staff_claims(), "4711").await;
        let mut wallet = world.wallet();
        let opened = wallet.open(&offer.link).await;
        for attempt in 0..5 {
            wallet.transaction_code = Some(format!("000{attempt}"));
            wallet.send(wallet.token_call(&opened)).await.refused(400, "invalid_grant");
            world.restart().await;
            world.advance(std::time::Duration::from_secs(10));
        }
        wallet.transaction_code = Some("4711".to_owned());
        wallet.send(wallet.token_call(&opened)).await.refused(400, "invalid_grant");
    }
}
