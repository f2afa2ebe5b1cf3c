//! Pushed requests of attested wallets wait where all processes see them, and become rows when somebody has signed in.

use chancery_tests::{Backend, Browser, Place, Provider, block_on};

use super::authorization_code::{Desk, point_to, with_private_addresses};
use super::*;

/// A desk where wallets are attested, and this wallet is.
async fn attested(world: &World) -> Desk {
    let provider = Provider::new("https://wallet.example");
    let policy = json!({"walletAttestation": "enforce", "trustAnchors": provider.trust_anchors()});
    let mut desk = Desk::open(world, policy).await;
    desk.wallet.client_id = Some(provider.client_id.clone());
    desk.wallet.provider = Some(provider);
    desk
}

/// Pushes the request; answers the URL that the wallet opens.
async fn push(desk: &Desk) -> String {
    let pushed = desk.wallet.send(desk.par()).await;
    assert_eq!(pushed.status, 201, "{pushed}");
    let request_uri = pushed.json()["request_uri"].as_str().expect("a request_uri").to_owned();
    let mut url = url::Url::parse(&format!("{}/authorize", desk.operator.issuer())).expect("a URL");
    let client_id = desk.wallet.client_id.as_deref().expect("a client_id");
    url.query_pairs_mut().append_pair("client_id", client_id).append_pair("request_uri", &request_uri);
    url.into()
}

async fn rows(world: &World, desk: &Desk) -> i64 {
    let slug = desk.operator.organisation["slug"].as_str().expect("a slug");
    let count = format!(
        "SELECT count(*) FROM authorization_request WHERE organisation_id = (SELECT id FROM organisation WHERE slug = '{slug}')"
    );
    world.database.number(&count).await
}

/// PAR-4, HAI-2: each step at another process than the one before.
#[test]
fn a_request_that_waits_goes_on_at_any_process() {
    block_on(with_private_addresses(Backend::Networked, async |world| {
        let (first, second) = (world.another_server().await, world.another_server().await);
        point_to(world, &first);
        let desk = attested(world).await;
        let url = push(&desk).await;
        assert_eq!(rows(world, &desk).await, 0);
        point_to(world, &second);
        let browser = Browser::new(world.http().clone());
        let away = browser.follow(&url, &desk.provider.issuer()).await;
        point_to(world, &first);
        let back = browser.follow(&desk.provider.sign_in(&away), Wallet::REDIRECT_URI).await;
        assert_eq!(rows(world, &desk).await, 1);
        // Somebody has signed in: what waits begins nothing any more.
        point_to(world, &second);
        assert_eq!(world.http().get(&url).await.status, 400);
        let back = url::Url::parse(&back).expect("a URL");
        let code = back.query_pairs().find(|(name, _)| name == "code").expect("a code").1.into_owned();
        desk.wallet.send(desk.redeem(&code)).await.ok();
        first.stop().await;
        second.stop().await;
    }));
}

/// PAR-4: a sign-in that failed ends the request at every process, though it never was a row.
#[test]
fn a_request_that_waits_ends_with_a_failed_sign_in() {
    block_on(with_private_addresses(Backend::Networked, async |world| {
        let second = world.another_server().await;
        let desk = attested(world).await;
        let url = push(&desk).await;
        let browser = Browser::new(world.http().clone());
        let away = browser.follow(&url, &desk.provider.issuer()).await;
        let back = browser.follow(&desk.provider.refuse(&away, "access_denied"), Wallet::REDIRECT_URI).await;
        assert!(back.contains("error=access_denied"), "{back}");
        assert_eq!(world.http().get(&url).await.status, 400);
        point_to(world, &second);
        assert_eq!(world.http().get(&url).await.status, 400);
        second.stop().await;
    }));
}

/// A request that cannot wait is a row from the beginning.
#[test]
fn a_request_becomes_a_row_when_it_cannot_wait() {
    block_on(with_private_addresses(Backend::Networked, async |world| {
        let second = world.another_server().await;
        let desk = attested(world).await;
        world.redis().cut_once_at(b"chancery:value:", Place::Before);
        let url = push(&desk).await;
        assert_eq!(rows(world, &desk).await, 1);
        point_to(world, &second);
        Browser::new(world.http().clone()).follow(&url, &desk.provider.issuer()).await;
        second.stop().await;
    }));
}

/// A stranger's request never waits in the memory that everybody shares.
#[test]
fn a_request_of_a_wallet_without_attestation_is_a_row() {
    block_on(with_private_addresses(Backend::Networked, async |world| {
        let desk = Desk::open(world, json!({})).await;
        push(&desk).await;
        assert_eq!(rows(world, &desk).await, 1);
    }));
}
