//! A token request that is sent again because the answer was lost.

use std::time::Duration;

use chancery_tests::on_every_backend;

use super::*;

on_every_backend! {
    /// The same request of the same DPoP key is answered the same for ten seconds, and no longer.
    async fn the_same_request_of_the_same_key_gets_the_same_token(world: &World) {
        let scene = Scene::new(world).await;
        let first = scene.wallet.send(scene.wallet.token_call(&scene.opened)).await.ok();
        world.advance(Duration::from_secs(9));
        let again = scene.wallet.send(scene.wallet.token_call(&scene.opened)).await.ok();
        assert_eq!(again, first);
        assert_eq!(world.database.number("SELECT count(*) FROM exchange_grant").await, 1);
        world.advance(Duration::from_secs(1));
        scene.wallet.send(scene.wallet.token_call(&scene.opened)).await.refused(400, "invalid_grant");
        scene.collect(&Token { response: first, opened: scene.opened.clone() }).await;
    }

    /// Another key, another body, no key, and the very same proof are not the same request.
    async fn another_wallet_or_another_request_gets_nothing(world: &World) {
        let scene = Scene::new(world).await;
        let call = scene.wallet.token_call(&scene.opened);
        scene.wallet.send(call.clone()).await.ok();
        scene.wallet.send(call).await.refused(400, "invalid_dpop_proof");
        let other = scene.wallet.with_fresh_dpop_key();
        other.send(other.token_call(&scene.opened)).await.refused(400, "invalid_grant");
        let changed = scene.wallet.token_call(&scene.opened).with_field("client_id", "another");
        scene.wallet.send(changed).await.refused(400, "invalid_grant");
        scene.wallet.send(scene.wallet.token_call(&scene.opened).without_dpop()).await.refused(400, "invalid_grant");
    }
}
