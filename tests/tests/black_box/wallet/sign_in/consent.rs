//! What codes are worth when a person decides more than once about the same request.

use std::time::Duration;

use tokio::task::JoinSet;

use super::*;

/// The form of the token request.
fn redemption(code: &str) -> [(&'static str, String); 5] {
    [
        ("grant_type", "authorization_code".to_owned()),
        ("code", code.to_owned()),
        ("client_id", "wallet-dev".to_owned()),
        ("redirect_uri", REDIRECT.to_owned()),
        ("code_verifier", "v".repeat(43)),
    ]
}

impl Desk<'_> {
    async fn redeem(&self, code: &str) -> Answer {
        let request = self.world.http().request(Method::POST, &self.url("/token"));
        self.world.http().send(request.form(&redemption(code))).await
    }

    async fn code(&self, browser: &mut Browser, page: &Answer) -> String {
        to_wallet(&self.decide(browser, page, "continue").await)["code"].clone()
    }

    /// Whether an access token opens the credential endpoint, which then misses everything else.
    async fn is_good(&self, token: &str) -> bool {
        let request = self.world.http().request(Method::POST, &self.url("/credential"));
        let request = request.header("authorization", format!("Bearer {token}"));
        let answer = self.world.http().send(request.header("content-type", "application/json").body("{}")).await;
        assert!(matches!(answer.status, 400 | 401), "{answer}");
        answer.status == 400
    }
}

on_every_backend! {
    /// AUT-15: when the way to the wallet was lost, the person goes back and continues again. One of the codes works, and
    /// the other one does no harm.
    async fn of_several_codes_of_one_consent_page_one_is_redeemed(backend: Backend) {
        with_private_addresses(backend, async |world| {
            let desk = Desk::open(world).await;
            let mut browser = Browser::default();
            let page = desk.arrive(&mut browser, &[]).await;
            let lost = desk.code(&mut browser, &page).await;
            world.advance(Duration::from_secs(1));
            let code = desk.code(&mut browser, &page).await;
            assert_ne!(lost, code);
            let token = desk.redeem(&code).await.ok()["access_token"].as_str().expect("a token").to_owned();
            world.advance(Duration::from_secs(20));
            desk.redeem(&lost).await.refused(400, "invalid_grant");
            assert!(desk.is_good(&token).await, "the other code says nothing about this one");
            for decision in ["continue", "cancel"] {
                assert_page(&desk.decide(&mut browser, &page, decision).await, DECIDED);
            }
            desk.redeem(&code).await.refused(400, "invalid_grant");
            assert!(!desk.is_good(&token).await, "the code was used twice");
        })
        .await;
    }

    /// Forty requests with two codes of one person at the same moment: one token.
    async fn codes_of_one_person_at_the_same_moment_make_one_token(backend: Backend) {
        with_private_addresses(backend, async |world| {
            let desk = Desk::open(world).await;
            let mut browser = Browser::default();
            let page = desk.arrive(&mut browser, &[]).await;
            let one = desk.code(&mut browser, &page).await;
            world.advance(Duration::from_secs(1));
            let other = desk.code(&mut browser, &page).await;
            let mut redemptions = JoinSet::new();
            for number in 0..40 {
                let (http, url) = (world.http().clone(), desk.url("/token"));
                let form = redemption(if number % 2 == 0 { &one } else { &other });
                redemptions.spawn(async move { http.send(http.request(Method::POST, &url).form(&form)).await });
            }
            let answers = redemptions.join_all().await;
            let tokens = answers.iter().filter(|answer| answer.status == 200).count();
            assert_eq!(tokens, 1);
            assert!(answers.iter().all(|answer| answer.status == 200 || answer.json()["error"] == "invalid_grant"));
        })
        .await;
    }

    /// AUT-14: a person who continued and then cancelled has cancelled, and the transcript tells the wallet's developer.
    async fn cancelling_makes_the_code_worthless(backend: Backend) {
        with_private_addresses(backend, async |world| {
            let desk = Desk::open(world).await;
            let (exchange, state) = desk.offer(None).await;
            let mut browser = Browser::default();
            let page = desk.arrive(&mut browser, &[("issuer_state", &state)]).await;
            let code = desk.code(&mut browser, &page).await;
            assert_eq!(to_wallet(&desk.decide(&mut browser, &page, "cancel").await)["error"], "access_denied");
            desk.redeem(&code).await.refused(400, "invalid_grant");
            assert_page(&desk.decide(&mut browser, &page, "continue").await, DECIDED);
            let records = desk.operator.records(&exchange).await;
            let told = "the person consented, and cancelled before the code was redeemed";
            assert!(records.iter().any(|record| record["data"]["reason"] == told), "{records:?}");
        })
        .await;
    }

    /// AUT-15: every bit of a code counts, and so does the organisation that it is of.
    async fn an_altered_code_and_one_of_another_organisation_are_unknown(backend: Backend) {
        with_private_addresses(backend, async |world| {
            let (desk, elsewhere) = (Desk::open(world).await, Desk::open(world).await);
            let mut browser = Browser::default();
            let page = desk.arrive(&mut browser, &[]).await;
            let code = desk.code(&mut browser, &page).await;
            elsewhere.redeem(&code).await.refused(400, "invalid_grant");
            // Of the request, the end and the proof.
            for place in [0, 15, 22, 27, 32, 50, 73] {
                let mut altered = code.clone().into_bytes();
                altered[place] = if altered[place] == b'A' { b'B' } else { b'A' };
                let altered = String::from_utf8(altered).expect("text");
                desk.redeem(&altered).await.refused(400, "invalid_grant");
            }
            for damaged in [&code[..74], &code[..32], &format!("{code}AAAA"), ""] {
                assert_eq!(desk.redeem(damaged).await.status, 400, "{damaged}");
            }
            desk.redeem(&code).await.ok();
        })
        .await;
    }
}
