//! Who asks too often is told to wait, and nobody else notices.

use std::time::Duration;

use chancery_tests::{Answer, Backend, Options, on_every_backend};
use reqwest::Method;

use super::*;

/// Runs a behaviour under limits in requests per minute: a sixth of each may come at once.
async fn limited(backend: Backend, limits: &[(&str, &str)], behaviour: impl AsyncFnOnce(&World)) {
    let mut options = Options::default();
    options.environment.extend(limits.iter().map(|(name, value)| (format!("CHANCERY_{name}"), (*value).to_owned())));
    World::run_with(backend, options, behaviour).await;
}

#[track_caller]
fn assert_told_to_wait(answer: &Answer) {
    answer.refused(429, "temporarily_unavailable");
    assert!(
        answer.header("retry-after").is_some_and(|seconds| seconds.parse::<u32>().is_ok_and(|it| it > 0)),
        "{answer}"
    );
}

/// Asks for nonces until one is refused, and answers how many came.
async fn exhaust(scene: &Scene) -> usize {
    for asked in 0..1000 {
        let call = chancery_tests::Call::new(Method::POST, &format!("{}/nonce", scene.operator.issuer()));
        let answer = scene.wallet.send(call).await;
        if answer.status != 200 {
            assert_told_to_wait(&answer);
            return asked;
        }
    }
    panic!("no limit")
}

on_every_backend! {
    /// An organisation that spends its budget is refused before anything else is done, and another one issues as if it
    /// were alone.
    async fn a_noisy_organisation_does_not_slow_another(backend: Backend) {
        limited(backend, &[("LIMITS_ORGANISATION", "300")], async |world| {
            let (noisy, quiet) = (Scene::new(world).await, Scene::new(world).await);
            assert!(exhaust(&noisy).await <= 50);
            let call = noisy.wallet.token_call(&noisy.opened);
            assert_told_to_wait(&noisy.wallet.send(call).await);
            quiet.wallet.accept(&quiet.offer.link).await;
            // Documents for everybody are not counted, and the budget refills.
            noisy.wallet.http().get(&chancery_tests::wallet::well_known(noisy.operator.issuer(), "openid-credential-issuer")).await.ok();
            world.advance(Duration::from_secs(10));
            noisy.wallet.accept(&noisy.offer.link).await;
        })
        .await;
    }

    /// A person is told on a page, in their language.
    async fn a_person_is_told_on_a_page(backend: Backend) {
        limited(backend, &[("LIMITS_ORGANISATION", "60")], async |world| {
            let operator = world.organisation().await;
            let url = format!("{}/authorize", operator.issuer());
            let open = async || world.http().send(world.http().request(Method::GET, &url).header("accept-language", "de")).await;
            for _ in 0..10 {
                assert_eq!(open().await.status, 400);
            }
            let answer = open().await;
            assert_eq!(answer.status, 429, "{answer}");
            assert!(matches!(answer.header("retry-after"), Some("1" | "2")), "{answer}");
            assert!(answer.text().contains("<h1>Es gibt eine Warteschlange</h1>"), "{answer}");
        })
        .await;
    }

    /// One client that runs wild is stopped, and the next one at the same organisation is served.
    async fn a_wild_client_is_stopped_alone(backend: Backend) {
        limited(backend, &[("LIMITS_CLIENT", "60")], async |world| {
            let scene = Scene::new(world).await;
            let mut refused = 0;
            for _ in 0..30 {
                let call = scene.wallet.token_call(&scene.opened).with_field("pre-authorized_code", "guess");
                let answer = scene.wallet.send(call).await;
                refused += usize::from(answer.status == 429);
            }
            assert_eq!(refused, 20);
            world.wallet().accept(&scene.offer.link).await;
        })
        .await;
    }

    /// PAR-5: who pushes too much is told to wait (RFC 9126 §2.3), and the next client pushes as if it were alone.
    async fn who_pushes_too_often_is_told_to_wait(backend: Backend) {
        limited(backend, &[("LIMITS_CLIENT", "60")], async |world| {
            let scene = Scene::new(world).await;
            let push = async |wallet: &Wallet| {
                let call = wallet.par_call(scene.operator.issuer(), configuration_id(&scene.opened));
                wallet.send(call).await
            };
            for _ in 0..10 {
                assert_eq!(push(&scene.wallet).await.status, 201);
            }
            assert_told_to_wait(&push(&scene.wallet).await);
            assert_eq!(push(&world.wallet()).await.status, 201);
        })
        .await;
    }

    /// An offer that is fetched again and again is closed for a while, and the next offer is open.
    async fn an_offer_has_a_budget_of_its_own(backend: Backend) {
        limited(backend, &[("LIMITS_OFFER", "60")], async |world| {
            let scene = Scene::new(world).await;
            let uri = chancery_tests::wallet::offer_uri(&scene.offer.link);
            for _ in 0..9 {
                world.http().get(&uri).await.ok();
            }
            assert_told_to_wait(&world.http().get(&uri).await);
            let (next, _) = scene.another_offer().await;
            scene.wallet.accept(&next.link).await;
        })
        .await;
    }

    /// Guesses about one offer spend its budget, whoever makes them, and the next offer is redeemed as if there were none.
    async fn whoever_asks_about_an_offer_spends_its_budget(backend: Backend) {
        limited(backend, &[("LIMITS_OFFER", "60")], async |world| {
            let scene = Scene::new(world).await;
            let ask = async || {
                let stranger = world.wallet();
                let call = stranger.token_call(&scene.opened).with_field("resource", "https://other.example");
                stranger.send(call).await
            };
            for _ in 0..10 {
                ask().await.refused(400, "invalid_target");
            }
            assert_told_to_wait(&ask().await);
            let (_, next) = scene.another_offer().await;
            scene.wallet.redeem(&next).await;

            let definition = &scene.definition["credentialDefinitionId"];
            let body = json!({"issuanceMode": "Deferred", "credentialDefinitionId": definition});
            let offer = scene.operator.offer_of(body).await;
            let opened = world.wallet().open(&offer.link).await;
            let state = opened.offer["grants"]["authorization_code"]["issuer_state"].as_str().expect("a state");
            let push = async || {
                let stranger = world.wallet();
                let call = stranger.par_call(scene.operator.issuer(), configuration_id(&opened));
                stranger.send(call.with_field("issuer_state", state)).await
            };
            for _ in 0..10 {
                assert_eq!(push().await.status, 201);
            }
            assert_told_to_wait(&push().await);
            let url = format!("{}/authorize?client_id=x&issuer_state={state}", scene.operator.issuer());
            let answer = world.http().send(world.http().request(Method::GET, &url)).await;
            assert_eq!((answer.status, answer.header("retry-after").is_some()), (429, true), "{answer}");
        })
        .await;
    }

    /// Behind a proxy the address that the proxy saw counts, and what the client wrote into the header does not.
    async fn an_address_has_a_budget_behind_a_trusted_proxy(backend: Backend) {
        let limits = [("LIMITS_ADDRESS", "60"), ("SERVER_TRUSTED_PROXIES", "1")];
        limited(backend, &limits, async |world| {
            let scene = Scene::new(world).await;
            let from = async |forwarded: String| {
                let url = format!("{}/nonce", scene.operator.issuer());
                let call = chancery_tests::Call::new(Method::POST, &url);
                scene.wallet.send(call.with_header("x-forwarded-for", &forwarded)).await
            };
            for number in 0..10 {
                from(format!("198.51.100.{number}, 203.0.113.7")).await.ok();
            }
            assert_told_to_wait(&from("192.0.2.1, 203.0.113.7".to_owned()).await);
            from("203.0.113.8".to_owned()).await.ok();
            from("10.0.0.1".to_owned()).await.ok();
        })
        .await;
    }

    /// The defaults leave a wallet alone that collects ten times in the same second.
    async fn the_defaults_do_not_notice_a_busy_wallet(backend: Backend) {
        let defaults = [
            ("LIMITS_ORGANISATION", "60000"),
            ("LIMITS_CLIENT", "300"),
            ("LIMITS_OFFER", "300"),
            ("LIMITS_ADDRESS", "6000"),
        ];
        limited(backend, &defaults, async |world| {
            let scene = Scene::new(world).await;
            let token = scene.redeem().await;
            for _ in 0..10 {
                scene.collect(&token).await;
            }
        })
        .await;
    }
}
