//! Fresh copies of what was issued before: `supportCredentialReissuance` and `enforceCredentialUniqueness` (management API
//! contract, OpenID4VCI §14.3).

use std::time::Duration;

use chancery_tests::platform::{history_path, issue_body};
use chancery_tests::sd_jwt::parts;
use chancery_tests::{Answer, Key, on_every_backend};
use tokio::task::JoinSet;

use super::*;

/// A scene under refresh tokens whose badge has these switches.
async fn scene(world: &World, switches: Value) -> Scene {
    scene_under(world, json!({"refreshTokens": true}), switches).await
}

async fn scene_under(world: &World, policy: Value, switches: Value) -> Scene {
    let operator = world.platform().organisation(json!({ "policy": policy })).await;
    let mut badge = samples::staff_badge();
    let entry = badge["credentialDefinitions"][0].as_object_mut().unwrap();
    entry.extend(switches.as_object().unwrap().clone());
    let definition = operator.define(&badge).await;
    Scene::of(world, operator, definition).await
}

/// The access token that a refresh token gives.
async fn refreshed(scene: &Scene, token: &Token) -> Token {
    let refresh = token.response["refresh_token"].as_str().unwrap();
    let call = scene.wallet.refresh_call(scene.operator.issuer(), refresh);
    Token { response: scene.wallet.send(call).await.ok(), opened: scene.opened.clone() }
}

async fn ask(scene: &Scene, token: &Token) -> Answer {
    let nonce = scene.wallet.nonce(&scene.opened).await;
    scene.wallet.send(scene.wallet.credential_call(token, &nonce)).await
}

/// The statuses of what was issued, oldest first.
async fn statuses(scene: &Scene) -> Vec<String> {
    let record = scene.operator.history(&scene.offer.id).await;
    let issued = record["issuedCredentials"].as_array().unwrap().clone();
    issued.iter().map(|it| it["revocationStatus"].as_str().unwrap().to_owned()).collect()
}

const UNIQUE: &str = "enforceCredentialUniqueness";
const AGAIN: &str = "supportCredentialReissuance";

on_every_backend! {
    /// Where it is supported, a refresh token leads to a fresh copy, days later, and the record shows the former one.
    async fn a_refresh_token_leads_to_a_fresh_copy(world: &World) {
        let scene = scene(world, json!({AGAIN: true})).await;
        assert_eq!(scene.definition["credentialDefinitions"][0][AGAIN], true);
        let token = scene.redeem().await;
        let first = scene.collect(&token).await.credential;
        assert_eq!(scene.operator.history(&scene.offer.id).await["expiredCredentialTokens"], json!([]));
        world.advance(Duration::from_secs(20 * 86_400));
        let second = scene.collect(&refreshed(&scene, &token).await).await.credential;
        let expiry = |credential: &str| parts(credential).signed["exp"].as_i64().unwrap();
        assert_eq!(expiry(&second) - expiry(&first), 20 * 86_400);
        let record = scene.operator.history(&scene.offer.id).await;
        assert_eq!(record["credentialToken"], second);
        assert_eq!(record["expiredCredentialTokens"], json!([first]));
        assert_eq!(record["expiredCredentials"], json!([parts(&first).signed]));
    }

    /// Where it is not, a refreshed token still gives what was not issued yet, and nothing twice.
    async fn without_support_a_refresh_token_leads_to_no_copy(world: &World) {
        let scene = scene(world, json!({})).await;
        let token = scene.redeem().await;
        let token = refreshed(&scene, &token).await;
        scene.collect(&token).await;
        ask(&scene, &token).await.refused(400, "credential_request_denied");
        let cause = scene.cause().await;
        assert_eq!(cause.message, "credential.denied");
        assert!(cause.reason.contains("supportCredentialReissuance"), "{}", cause.reason);
        let events = scene.operator.events(&scene.offer.id).await;
        assert_eq!(events.last().unwrap()["details"]["code"], "reissuance_off");
        assert_eq!(statuses(&scene).await.len(), 1);
    }

    /// A unique credential is issued once: neither the first token nor a refreshed one gives another while it lives.
    async fn a_second_living_credential_is_denied(world: &World) {
        let scene = scene(world, json!({UNIQUE: true})).await;
        let token = scene.redeem().await;
        scene.collect(&token).await;
        ask(&scene, &token).await.refused(400, "credential_request_denied");
        assert!(scene.cause().await.reason.contains("is valid"));
        ask(&scene, &refreshed(&scene, &token).await).await.refused(400, "credential_request_denied");
        assert_eq!(statuses(&scene).await, ["Operational"]);
    }

    /// A fresh copy takes the place of the former one, which the status list says too.
    async fn a_fresh_copy_of_a_unique_credential_revokes_the_former_one(world: &World) {
        let scene = scene(world, json!({UNIQUE: true, AGAIN: true, "supportRevocation": true})).await;
        let token = scene.redeem().await;
        scene.collect(&token).await;
        world.advance(Duration::from_secs(86_400));
        let fresh = refreshed(&scene, &token).await;
        scene.collect(&fresh).await;
        scene.collect(&fresh).await;
        assert_eq!(statuses(&scene).await, ["Revoked", "Revoked", "Operational"]);
        let record = scene.operator.history(&scene.offer.id).await;
        assert_eq!(record["revocationStatus"], "Operational");
        let changes = scene.operator.get(&format!("{}/revocation-status", history_path(&scene.offer.id))).await;
        assert!(changes.mentions("replaced by a fresh copy"), "{changes}");
    }

    /// Without a status nothing can be withdrawn: the former one has to expire first.
    async fn a_unique_credential_without_a_status_has_to_expire_first(world: &World) {
        let policy = json!({"refreshTokens": true, "refreshTokenLifetime": 31_536_000});
        let scene = scene_under(world, policy, json!({UNIQUE: true, AGAIN: true})).await;
        let token = scene.redeem().await;
        let first = scene.collect(&token).await.credential;
        let fresh = refreshed(&scene, &token).await;
        ask(&scene, &fresh).await.refused(400, "credential_request_denied");
        assert!(scene.cause().await.reason.contains("no status"));
        let ends = parts(&first).signed["exp"].as_i64().unwrap() - world.env.now().seconds();
        world.advance(Duration::from_secs(u64::try_from(ends).unwrap()));
        scene.collect(&refreshed(&scene, &fresh).await).await;
        assert_eq!(statuses(&scene).await.len(), 2);
    }

    /// Copies of one answer are one credential: a batch is no second one.
    async fn the_copies_of_one_answer_are_unique_together(world: &World) {
        let policy = json!({"refreshTokens": true, "batchSize": 3});
        let scene = scene_under(world, policy, json!({UNIQUE: true, AGAIN: true, "supportRevocation": true})).await;
        let token = scene.redeem().await;
        for round in 1..=2 {
            let nonce = scene.wallet.nonce(&scene.opened).await;
            let mut call = scene.wallet.credential_call(&token, &nonce);
            for _ in 0..2 {
                let mut wallet = scene.wallet.clone();
                wallet.holder_key = Key::p256();
                call.proofs.push(wallet.proof(&scene.opened, &nonce));
            }
            assert_eq!(scene.wallet.send(call).await.ok()["credentials"].as_array().unwrap().len(), 3);
            let living = statuses(&scene).await.iter().filter(|status| *status == "Operational").count();
            assert_eq!(living, 3, "round {round}");
        }
    }

    /// Of ten requests at once, one gets a credential that is issued once.
    async fn of_ten_requests_for_a_unique_credential_one_wins(world: &World) {
        let scene = scene(world, json!({UNIQUE: true})).await;
        let token = scene.redeem().await;
        let answers = at_once(&scene, &token, 10).await;
        assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
        for answer in answers.iter().filter(|answer| answer.status != 200) {
            answer.refused(400, "credential_request_denied");
        }
        assert_eq!(statuses(&scene).await, ["Operational"]);
    }

    /// Where copies are replaced, of ten requests at once whoever wins, one credential lives in the end.
    async fn of_ten_fresh_copies_one_lives(world: &World) {
        let scene = scene(world, json!({UNIQUE: true, AGAIN: true, "supportRevocation": true})).await;
        let token = scene.redeem().await;
        let answers = at_once(&scene, &token, 10).await;
        let won = answers.iter().filter(|answer| answer.status == 200).count();
        assert!(won >= 1);
        for answer in answers.iter().filter(|answer| answer.status != 200) {
            answer.refused(400, "credential_request_denied");
        }
        let statuses = statuses(&scene).await;
        assert_eq!((statuses.len(), statuses.iter().filter(|status| *status == "Operational").count()), (won, 1));
    }

    /// Uniqueness holds for what is collected later, too.
    async fn two_transactions_of_a_unique_credential_end_in_one(world: &World) {
        let scene = scene(world, json!({UNIQUE: true})).await;
        let mut body = issue_body(&scene.definition, &json!({}));
        body["issuanceMode"] = "Deferred".into();
        body["credential"].as_object_mut().unwrap().shift_remove("claims");
        let offer = scene.operator.offer_of(body).await;
        let opened = scene.wallet.open(&offer.link).await;
        let token = scene.wallet.redeem(&opened).await;
        let mut transactions = Vec::new();
        for _ in 0..2 {
            let deferred = ask(&scene, &token).await.expect(202);
            transactions.push(deferred["transaction_id"].as_str().unwrap().to_owned());
        }
        let id = &scene.definition["credentialDefinitions"][0]["id"];
        let claims = json!({"credential": {"id": id, "claims": samples::staff_claims()}});
        scene.operator.put(&history_path(&offer.id), claims).await.ok();
        scene.wallet.send(scene.wallet.deferred_call(&token, &transactions[0])).await.ok();
        let second = scene.wallet.send(scene.wallet.deferred_call(&token, &transactions[1])).await;
        second.refused(400, "credential_request_denied");
        scene.wallet.send(scene.wallet.deferred_call(&token, &transactions[0])).await.ok();
    }
}

async fn at_once(scene: &Scene, token: &Token, count: usize) -> Vec<Answer> {
    let mut crowd = JoinSet::new();
    for _ in 0..count {
        let nonce = scene.wallet.nonce(&scene.opened).await;
        let (wallet, call) = (scene.wallet.clone(), scene.wallet.credential_call(token, &nonce));
        crowd.spawn(async move { wallet.send(call).await });
    }
    crowd.join_all().await
}
