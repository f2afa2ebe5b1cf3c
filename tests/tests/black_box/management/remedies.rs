//! Help for a holder who cannot redeem an offer: unlock it, give it another transaction code, or offer again under another
//! link.

use std::time::Duration;

use chancery_tests::platform::{history_path, issue_body};
use chancery_tests::wallet::{PRE_AUTHORIZED_CODE, offer_uri};
use chancery_tests::{Offer, on_every_backend};
use tokio::task::JoinSet;

use super::*;

const PIN: &str = "493027";

async fn offer(operator: &Operator, definition: &Value) -> Offer {
    operator.offer_with_pin(definition, &samples::staff_claims(), PIN).await
}

async fn ask(operator: &Operator, offer: &Offer, verb: &str, body: Value) -> Answer {
    operator.post(&format!("{}/{verb}", history_path(&offer.id)), body).await
}

/// Sends wrong transaction codes until the offer is locked, waiting as long as it is told to.
async fn lock(world: &World, link: &str) -> chancery_tests::Opened {
    let mut wallet = world.wallet();
    wallet.transaction_code = Some("000000".to_owned());
    let opened = wallet.open(link).await;
    for _ in 0..5 {
        wallet.send(wallet.token_call(&opened)).await.refused(400, "invalid_grant");
        world.advance(Duration::from_secs(128));
    }
    opened
}

on_every_backend! {
    /// SEC-2: five wrong transaction codes lock the offer also for the right one, until the organisation unlocks it.
    async fn a_locked_offer_is_redeemed_after_it_was_unlocked(world: &World) {
        let (operator, definition) = badge(world).await;
        let offer = offer(&operator, &definition).await;
        let opened = lock(world, &offer.link).await;
        let mut wallet = world.wallet();
        wallet.transaction_code = Some(PIN.to_owned());
        wallet.send(wallet.token_call(&opened)).await.refused(400, "invalid_grant");
        let answer = ask(&operator, &offer, "unlock", json!({})).await.ok();
        assert_eq!((&answer["success"], &answer["credentialHistory"]["status"]), (&json!(true), &json!("offer_received")));
        assert_eq!(answer["credentialHistory"]["credentialOffer"], offer.link);
        wallet.redeem(&opened).await;
        assert!(operator.events(&offer.id).await.iter().any(|event| event["type"] == "offer_unlocked"));
    }

    /// SEC-2: so does the pause after some wrong ones end at once.
    async fn unlocking_ends_the_pause_after_wrong_transaction_codes(world: &World) {
        let (operator, definition) = badge(world).await;
        let offer = offer(&operator, &definition).await;
        let mut wallet = world.wallet();
        wallet.transaction_code = Some("000000".to_owned());
        let opened = wallet.open(&offer.link).await;
        for _ in 0..3 {
            wallet.send(wallet.token_call(&opened)).await.refused(400, "invalid_grant");
        }
        wallet.transaction_code = Some(PIN.to_owned());
        wallet.send(wallet.token_call(&opened)).await.refused(429, "temporarily_unavailable");
        ask(&operator, &offer, "unlock", json!({})).await.ok();
        wallet.redeem(&opened).await;
    }

    /// A transaction code that the organisation names takes the place of the earlier one, and is not repeated.
    async fn a_new_transaction_code_replaces_the_earlier_one(world: &World) {
        let (operator, definition) = badge(world).await;
        let offer = offer(&operator, &definition).await;
        let earlier = lock(world, &offer.link).await;
        let answer = ask(&operator, &offer, "new-pin", json!({"userPin": "8hX-2Qw"})).await;
        assert_eq!((answer.ok()["userPin"].as_str(), answer.mentions("8hX-2Qw")), (Some(""), false));
        let mut wallet = world.wallet();
        let opened = wallet.open(&offer.link).await;
        assert_eq!(opened.offer["grants"][PRE_AUTHORIZED_CODE]["tx_code"], json!({"input_mode": "text", "length": 7}));
        wallet.transaction_code = Some(PIN.to_owned());
        wallet.send(wallet.token_call(&earlier)).await.refused(400, "invalid_grant");
        wallet.transaction_code = Some("8hX-2Qw".to_owned());
        wallet.redeem(&opened).await;
        assert!(!world.gives_away("8hX-2Qw").await);
    }

    /// One that is drawn is shown once, and nowhere else.
    async fn a_drawn_transaction_code_is_shown_once(world: &World) {
        let (operator, definition) = badge(world).await;
        let offer = offer(&operator, &definition).await;
        let answer = ask(&operator, &offer, "new-pin", json!({})).await.ok();
        let pin = answer["userPin"].as_str().expect("a PIN").to_owned();
        assert!(pin.len() == PIN.len() && pin.bytes().all(|c| c.is_ascii_digit()), "{pin}");
        assert_eq!(answer["credentialHistory"]["userPin"], "");
        let path = history_path(&offer.id);
        for answer in [operator.get(&path).await, operator.get(&format!("{path}/transcript")).await] {
            assert!(!answer.json().to_string().contains(&format!("\"{pin}\"")), "{answer}");
        }
        let mut wallet = world.wallet();
        wallet.transaction_code = Some(pin);
        wallet.redeem(&wallet.open(&offer.link).await).await;
        assert!(operator.events(&offer.id).await.iter().any(|event| event["type"] == "tx_code_replaced"));
    }

    /// The earlier link and code are worthless; the transaction code stays; the record is the same.
    async fn an_exchange_is_offered_again_under_another_link(world: &World) {
        let (operator, definition) = badge(world).await;
        let offer = offer(&operator, &definition).await;
        let earlier = lock(world, &offer.link).await;
        world.advance(Duration::from_secs(3600));
        let answer = ask(&operator, &offer, "reoffer", json!({})).await.ok();
        let link = answer["credentialHistory"]["credentialOffer"].as_str().expect("a link").to_owned();
        assert_ne!(link, offer.link);
        assert_eq!(answer["credentialHistory"]["id"], offer.id);
        assert_eq!(world.http().get(&offer_uri(&offer.link)).await.status, 404);
        let mut wallet = world.wallet();
        wallet.transaction_code = Some(PIN.to_owned());
        wallet.send(wallet.token_call(&earlier)).await.refused(400, "invalid_grant");
        let received = wallet.accept(&link).await;
        assert_eq!(operator.history(&offer.id).await["credentialToken"], received.credential);
        assert!(operator.events(&offer.id).await.iter().any(|event| event["type"] == "offer_replaced"));
    }

    /// What this process remembers of an offer does not let the earlier code through.
    async fn a_code_that_was_fetched_before_the_new_offer_is_not_redeemed(world: &World) {
        let (operator, definition) = badge(world).await;
        let offer = operator.offer(&definition, &samples::staff_claims()).await;
        let wallet = world.wallet();
        let opened = wallet.open(&offer.link).await;
        ask(&operator, &offer, "reoffer", json!({})).await.ok();
        wallet.send(wallet.token_call(&opened)).await.refused(400, "invalid_grant");
        assert_eq!(operator.status(&offer.id).await, "offer_received");
    }

    /// Of two wallets, one with the earlier and one with the new link, and an organisation in between, one at most gets a
    /// token, and the earlier one only if it came before the new offer.
    async fn of_an_earlier_and_a_new_offer_one_is_redeemed(world: &World) {
        let (operator, definition) = badge(world).await;
        for _ in 0..5 {
            let offer = operator.offer(&definition, &samples::staff_claims()).await;
            let first = world.wallet();
            let opened = first.open(&offer.link).await;
            let (early, again) = tokio::join!(
                first.send_with_nonce(first.token_call(&opened)),
                ask(&operator, &offer, "reoffer", json!({})),
            );
            if again.status == 200 {
                early.refused(400, "invalid_grant");
                let link = again.json()["credentialHistory"]["credentialOffer"].as_str().expect("a link").to_owned();
                world.wallet().accept(&link).await;
            } else {
                assert_problem(&again, 409, "exchange-state");
                early.ok();
            }
            assert_eq!(world.database.number("SELECT count(*) FROM exchange_grant WHERE exchange_id IS NULL").await, 0);
        }
    }

    /// A redemption with the earlier transaction code and a new one at the same moment: whoever is told of the new one can
    /// rely on it.
    async fn of_an_earlier_and_a_new_transaction_code_one_redeems(world: &World) {
        let (operator, definition) = badge(world).await;
        for _ in 0..5 {
            let offer = offer(&operator, &definition).await;
            let mut wallet = world.wallet();
            wallet.transaction_code = Some(PIN.to_owned());
            let opened = wallet.open(&offer.link).await;
            let (early, replaced) = tokio::join!(
                wallet.send_with_nonce(wallet.token_call(&opened)),
                ask(&operator, &offer, "new-pin", json!({"userPin": "771204"})),
            );
            if replaced.status == 200 {
                early.refused(400, "invalid_grant");
                wallet.transaction_code = Some("771204".to_owned());
                wallet.redeem(&opened).await;
            } else {
                assert_problem(&replaced, 409, "exchange-state");
                early.ok();
            }
        }
    }

    /// Unlocking beside a crowd that guesses gives nobody the token, and unlocking beside a redemption harms neither.
    async fn unlocking_races_with_guesses_and_redemptions(world: &World) {
        let (operator, definition) = badge(world).await;
        let offer = offer(&operator, &definition).await;
        let mut wallet = world.wallet();
        let opened = wallet.open(&offer.link).await;
        let mut guesses = JoinSet::new();
        for guess in 0..20 {
            let mut wallet = wallet.clone();
            wallet.transaction_code = Some(format!("0000{guess:02}"));
            let call = wallet.token_call(&opened);
            guesses.spawn(async move { wallet.send(call).await });
        }
        let mut unlocks = JoinSet::new();
        for _ in 0..5 {
            let (operator, path) = (operator.clone(), format!("{}/unlock", history_path(&offer.id)));
            unlocks.spawn(async move { operator.post(&path, json!({})).await });
        }
        let (guesses, unlocks) = tokio::join!(guesses.join_all(), unlocks.join_all());
        assert!(guesses.iter().all(|answer| matches!(answer.status, 400 | 429)));
        assert!(unlocks.iter().all(|answer| answer.status == 200));
        ask(&operator, &offer, "unlock", json!({})).await.ok();
        wallet.transaction_code = Some(PIN.to_owned());
        let (token, unlocked) =
            tokio::join!(wallet.send_with_nonce(wallet.token_call(&opened)), ask(&operator, &offer, "unlock", json!({})));
        token.ok();
        assert!(matches!(unlocked.status, 200 | 409), "{unlocked}");
        assert_problem(&ask(&operator, &offer, "unlock", json!({})).await, 409, "exchange-state");
    }

    async fn help_that_does_not_fit_the_offer_is_refused(world: &World) {
        let (operator, definition) = badge(world).await;
        let plain = operator.offer(&definition, &samples::staff_claims()).await;
        for verb in ["unlock", "new-pin"] {
            assert_problem(&ask(&operator, &plain, verb, json!({})).await, 409, "exchange-state");
        }
        let mut body = issue_body(&definition, &json!({}));
        body["issuanceMode"] = "Deferred".into();
        for member in ["userPin", "credential"] {
            body.as_object_mut().expect("members").shift_remove(member);
        }
        let signing_in = operator.offer_of(body).await;
        for verb in ["unlock", "new-pin", "reoffer"] {
            assert_problem(&ask(&operator, &signing_in, verb, json!({})).await, 409, "exchange-state");
        }
        let offer = offer(&operator, &definition).await;
        for wrong in ["", "123", "1234567890123", "12\n34"] {
            ask(&operator, &offer, "new-pin", json!({"userPin": wrong})).await.problem_at(400, "/userPin");
        }
        for verb in ["unlock", "new-pin", "reoffer"] {
            ask(&operator, &offer, verb, json!({"code": "x"})).await.problem_at(400, "/code");
        }
        let auditor = operator.with_role("auditor").await;
        for verb in ["unlock", "new-pin", "reoffer"] {
            assert_problem(&ask(&auditor, &offer, verb, json!({})).await, 403, "forbidden");
        }
        let mut wallet = world.wallet();
        wallet.transaction_code = Some(PIN.to_owned());
        wallet.accept(&offer.link).await;
        for verb in ["unlock", "new-pin", "reoffer"] {
            assert_problem(&ask(&operator, &offer, verb, json!({})).await, 409, "exchange-state");
        }
    }
}
