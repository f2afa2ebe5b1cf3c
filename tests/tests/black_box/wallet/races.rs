//! Forty requests at once for what happens once.

use chancery_tests::{Answer, Backend, Call, block_on, on_every_backend};
use tokio::task::JoinSet;

use super::*;

const CROWD: usize = 40;

/// Sends all calls at once.
async fn at_once(wallet: &Wallet, calls: Vec<Call>) -> Vec<Answer> {
    let mut crowd = JoinSet::new();
    for call in calls {
        let wallet = wallet.clone();
        crowd.spawn(async move { wallet.send(call).await });
    }
    crowd.join_all().await
}

/// Exactly one succeeded, and every other was refused in this way.
fn assert_one_winner(answers: &[Answer], error: &str) {
    let (won, lost): (Vec<&Answer>, Vec<&Answer>) = answers.iter().partition(|answer| answer.status == 200);
    assert_eq!(won.len(), 1, "{:?}", answers.iter().map(|answer| answer.status).collect::<Vec<_>>());
    for answer in lost {
        answer.refused(400, error);
    }
}

/// Rows of a table.
async fn rows(world: &World, table: &str) -> i64 {
    world.database.number(&format!("SELECT count(*) FROM \"{table}\"")).await
}

on_every_backend! {
    /// OFR-6: one code, forty wallets with proofs of their own: one token.
    async fn one_of_forty_redemptions_of_a_code_wins(world: &World) {
        let scene = Scene::new(world).await;
        let calls = (0..CROWD).map(|_| {
            let wallet = scene.wallet.with_fresh_dpop_key();
            wallet.token_call(&scene.opened)
        });
        let calls = calls.collect();
        assert_one_winner(&at_once(&scene.wallet, calls).await, "invalid_grant");
        assert_eq!(rows(world, "exchange_grant").await, 1);
        assert_eq!(scene.operator.status(&scene.offer.id).await, "token_issued");
    }

    /// DPP-7: forty codes, one DPoP proof: one token.
    async fn one_of_forty_uses_of_a_dpop_proof_wins(world: &World) {
        let scene = Scene::new(world).await;
        let proof = scene.wallet.token_call(&scene.opened).dpop.unwrap();
        let mut calls = Vec::new();
        for _ in 0..CROWD {
            let (_, opened) = scene.another_offer().await;
            let mut call = scene.wallet.token_call(&opened);
            call.dpop = Some(proof.clone());
            calls.push(call);
        }
        assert_one_winner(&at_once(&scene.wallet, calls).await, "invalid_dpop_proof");
    }

    /// PRF-6, SEC-6: one nonce, forty credential requests with keys of their own: one credential.
    async fn one_of_forty_uses_of_a_nonce_wins(world: &World) {
        let mut scene = Scene::new(world).await;
        let token = scene.redeem().await;
        let nonce = scene.wallet.nonce(&scene.opened).await;
        let mut calls = Vec::new();
        for _ in 0..CROWD {
            scene.wallet.holder_key = chancery_tests::Key::p256();
            calls.push(scene.wallet.credential_call(&token, &nonce));
        }
        assert_one_winner(&at_once(&scene.wallet, calls).await, "invalid_nonce");
        assert_eq!(rows(world, "credential").await, 1);
        scene.collect(&token).await;
    }

    /// CRE-14: a token is good for many requests, also at once: each nonce gives a credential, and none is lost.
    async fn forty_requests_with_nonces_of_their_own_all_win(world: &World) {
        let scene = Scene::new(world).await;
        let token = scene.redeem().await;
        let mut calls = Vec::new();
        for _ in 0..CROWD {
            calls.push(scene.wallet.credential_call(&token, &scene.wallet.nonce(&scene.opened).await));
        }
        for answer in at_once(&scene.wallet, calls).await {
            answer.ok();
        }
        assert_eq!(rows(world, "credential").await, i64::try_from(CROWD).unwrap());
    }

    /// SEC-2: guesses that come at once are counted as well: forty of them lock the offer, and no more than five were
    /// judged.
    async fn guesses_of_a_transaction_code_do_not_slip_through_together(world: &World) {
        let mut scene = Scene::with_pin(world, "493027").await;
        let mut calls = Vec::new();
        for guess in 0..CROWD {
            scene.wallet.transaction_code = Some(format!("0000{guess:02}"));
            calls.push(scene.wallet.token_call(&scene.opened));
        }
        for answer in at_once(&scene.wallet, calls).await {
            match answer.status {
                429 => answer.refused(429, "temporarily_unavailable"),
                _ => answer.refused(400, "invalid_grant"),
            };
        }
        let judged = world.database.number("SELECT max(failed_attempts) FROM exchange").await;
        assert!((3..=5).contains(&judged), "{judged}");
    }

    /// Fetching an offer is not a race at all.
    async fn forty_fetches_of_an_offer_all_succeed(world: &World) {
        let scene = Scene::new(world).await;
        let uri = chancery_tests::wallet::offer_uri(&scene.offer.link);
        let calls = (0..CROWD).map(|_| Call::new(reqwest::Method::GET, &uri)).collect();
        for answer in at_once(&scene.wallet, calls).await {
            assert_eq!(answer.ok(), scene.opened.offer);
        }
        assert_eq!(scene.operator.status(&scene.offer.id).await, "offer_received");
    }
}

/// OFR-6, DPP-7: two servers side by side on one PostgreSQL and one Redis do not each let one through.
#[test]
fn one_of_forty_redemptions_at_two_servers_wins() {
    block_on(World::run(Backend::Networked, async |world| {
        let scene = Scene::new(world).await;
        let second = world.another_server().await;
        let first = world.wallet_front.address();
        let wallet_face = second.wallet_address().expect("a wallet face");
        let calls = (0..CROWD)
            .map(|number| {
                let wallet = scene.wallet.with_fresh_dpop_key();
                let mut call = wallet.token_call(&scene.opened);
                if number % 2 == 0 {
                    call.url = call.url.replacen(&first.to_string(), &wallet_face.to_string(), 1);
                }
                call
            })
            .collect();
        assert_one_winner(&at_once(&scene.wallet, calls).await, "invalid_grant");

        let (_, opened) = scene.another_offer().await;
        let token = scene.wallet.redeem(&opened).await;
        let nonce = scene.wallet.nonce(&opened).await;
        let calls = (0..CROWD)
            .map(|number| {
                let mut call = scene.wallet.credential_call(&token, &nonce);
                if number % 2 == 0 {
                    call.url = call.url.replacen(&first.to_string(), &wallet_face.to_string(), 1);
                }
                call
            })
            .collect();
        assert_one_winner(&at_once(&scene.wallet, calls).await, "invalid_nonce");
        second.stop().await;
    }));
}
