//! A token request whose answer was lost is sent again, and reaches another process than the first time.

use std::time::Duration;

use chancery_tests::{Offer, Opened, Operator, Place, Token, Wallet};

use super::*;

/// An organisation and its offer.
async fn offered(world: &World) -> (Operator, Offer) {
    let operator = world.organisation().await;
    let definition = operator.define(&samples::staff_badge()).await;
    let offer = operator.offer(&definition, &samples::staff_claims()).await;
    (operator, offer)
}

async fn redeem(wallet: &Wallet, opened: &Opened) -> Answer {
    wallet.send(wallet.token_call(opened)).await
}

/// Redeems at one process, and again at another one, which may have fetched the offer before and know it as new.
#[test]
fn a_repeated_token_request_gets_the_same_token_at_any_process() {
    networked(async |world| {
        let (first, second) = (world.another_server().await, world.another_server().await);
        for fetched_at in [&first, &second] {
            point_to(world, fetched_at);
            let wallet = world.wallet();
            let opened = wallet.open(&offered(world).await.1.link).await;
            point_to(world, &first);
            let given = redeem(&wallet, &opened).await.ok();
            let grants = world.database.number("SELECT count(*) FROM exchange_grant").await;
            point_to(world, &second);
            world.advance(Duration::from_secs(9));
            let call = wallet.token_call(&opened);
            assert_eq!(wallet.send(call.clone()).await.ok(), given);
            wallet.send(call).await.refused(400, "invalid_dpop_proof");
            assert_eq!(world.database.number("SELECT count(*) FROM exchange_grant").await, grants);
            let thief = wallet.with_fresh_dpop_key();
            redeem(&thief, &opened).await.refused(400, "invalid_grant");
            let changed = wallet.token_call(&opened).with_field("client_id", "another");
            wallet.send(changed).await.refused(400, "invalid_grant");
            wallet.send(wallet.token_call(&opened).without_dpop()).await.refused(400, "invalid_grant");
            world.advance(Duration::from_secs(1));
            redeem(&wallet, &opened).await.refused(400, "invalid_grant");
            wallet.collect(&Token { response: given, opened }).await;
        }
        first.stop().await;
        second.stop().await;
    });
}

/// What was left by a request that was not carried out is not given, and what the next one got takes its place.
#[test]
fn an_answer_that_never_became_good_is_given_nowhere() {
    networked(async |world| {
        let first = world.another_server().await;
        point_to(world, &first);
        let (wallet, (operator, offer)) = (world.wallet(), offered(world).await);
        let opened = wallet.open(&offer.link).await;
        world.postgres().cut_at(b"token_issued", Place::Before);
        redeem(&wallet, &opened).await.refused(503, "temporarily_unavailable");
        world.postgres().sprung().await;
        world.postgres().restore();
        assert_eq!(operator.status(&offer.id).await, "offer_received");
        assert_eq!(world.database.number("SELECT count(*) FROM exchange_grant").await, 0);
        let given = redeem(&wallet, &opened).await.ok();
        let second = world.another_server().await;
        point_to(world, &second);
        assert_eq!(redeem(&wallet, &opened).await.ok(), given);
        wallet.collect(&Token { response: given, opened }).await;
        first.stop().await;
        second.stop().await;
    });
}

/// Redis goes away at the moment at which it is told the answer: the wallet gets its token all the same, and who asks again
/// is answered where the answer was given, and nowhere else.
#[test]
fn an_answer_that_the_other_processes_do_not_hear_of_is_given_by_its_own() {
    networked(async |world| {
        let (first, second) = (world.another_server().await, world.another_server().await);
        point_to(world, &first);
        let wallet = world.wallet();
        let opened = wallet.open(&offered(world).await.1.link).await;
        world.redis().cut_at(b"chancery:value:", Place::Before);
        let given = redeem(&wallet, &opened).await.ok();
        world.redis().sprung().await;
        world.redis().restore();
        point_to(world, &second);
        redeem(&wallet, &opened).await.refused(400, "invalid_grant");
        point_to(world, &first);
        assert_eq!(redeem(&wallet, &opened).await.ok(), given);
        first.stop().await;
        second.stop().await;
    });
}
