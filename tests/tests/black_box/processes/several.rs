//! Servers side by side on one PostgreSQL and one Redis share everything.

use chancery_server::Api;
use chancery_tests::Body;
use chancery_tests::jwe::{Jwe, ResponseKey};
use chancery_tests::platform::{API_KEYS, ISSUE, issue_body};
use reqwest::Method;

use super::*;

/// Each step of an issuance may be answered by another process.
#[test]
fn an_issuance_goes_on_at_any_process() {
    networked(async |world| {
        let (first, second) = (world.another_server().await, world.another_server().await);
        point_to(world, &first);
        let operator = world.organisation().await;
        let definition = operator.define(&samples::staff_badge()).await;
        let offer = operator.offer(&definition, &samples::staff_claims()).await;
        let wallet = world.wallet();
        let opened = wallet.open(&offer.link).await;
        point_to(world, &second);
        let token = wallet.redeem(&opened).await;
        point_to(world, &first);
        let nonce = wallet.nonce(&opened).await;
        point_to(world, &second);
        assert_eq!(operator.status(&offer.id).await, "token_issued");
        wallet.send(wallet.credential_call(&token, &nonce)).await.ok();
        point_to(world, &first);
        assert_eq!(operator.status(&offer.id).await, "credential_issued");
        first.stop().await;
        second.stop().await;
    });
}

/// Once is once, wherever it happened (NON-6, DPP-8, OFR-6).
#[test]
fn what_was_used_at_one_process_is_used_at_all() {
    networked(async |world| {
        let (first, second) = (world.another_server().await, world.another_server().await);
        point_to(world, &first);
        let operator = world.organisation().await;
        let definition = operator.define(&samples::staff_badge()).await;
        let offer = operator.offer(&definition, &samples::staff_claims()).await;
        let wallet = world.wallet();
        let opened = wallet.open(&offer.link).await;
        let another = wallet.open(&operator.offer(&definition, &samples::staff_claims()).await.link).await;
        let call = wallet.token_call(&opened);
        let proof = call.dpop.clone().expect("a proof");
        let token = chancery_tests::Token { response: wallet.send(call).await.ok(), opened: opened.clone() };
        let nonce = wallet.nonce(&opened).await;
        let request = wallet.credential_call(&token, &nonce);
        wallet.send(request.clone()).await.ok();

        point_to(world, &second);
        let replayed = wallet.token_call(&another).with_dpop(|_| proof);
        wallet.send(replayed).await.refused(400, "invalid_dpop_proof");
        let other = wallet.with_fresh_dpop_key();
        other.send(other.token_call(&opened)).await.refused(400, "invalid_grant");
        wallet.send(request).await.refused(401, "invalid_dpop_proof");
        wallet.send(wallet.credential_call(&token, &nonce)).await.refused(400, "invalid_nonce");
        first.stop().await;
        second.stop().await;
    });
}

/// What an administrator changes at one process holds at the others: at once where they have not looked before.
#[test]
fn administration_at_one_process_holds_at_all() {
    networked(async |world| {
        let (first, second) = (world.another_server().await, world.another_server().await);
        point_to(world, &first);
        let operator = world.organisation().await;
        let definition = operator.define(&samples::staff_badge()).await;
        let key = operator.post(API_KEYS, json!({"name": "k", "role": "admin"})).await.ok()["apiKey"].clone();
        let program = operator.with_key(key["apiKey"].as_str().expect("a key"));
        program.get("/v2/config/admin/apikeys").await.ok();
        operator.delete(&format!("{API_KEYS}/{}", key["id"].as_str().expect("an id"))).await;
        let body = issue_body(&definition, &samples::staff_claims());
        let keyed = async || {
            let request = operator.request(Method::POST, ISSUE).header("idempotency-key", "k").json(&body);
            operator.send(request).await.ok()
        };
        let answer = keyed().await;

        point_to(world, &second);
        program.get("/v2/config/admin/apikeys").await.problem(401);
        assert_eq!(keyed().await, answer);
        world.platform().suspend(&operator).await;
        operator.get("/v2/config/admin/apikeys").await.problem(403);
        world.platform().resume(&operator).await;
        first.stop().await;
        second.stop().await;
    });
}

/// Twenty identical requests that reach two processes begin one exchange.
#[test]
fn an_idempotency_key_holds_across_processes() {
    networked(async |world| {
        let (first, second) = (world.another_server().await, world.another_server().await);
        let operator = world.organisation().await;
        let definition = operator.define(&samples::staff_badge()).await;
        let body = issue_body(&definition, &samples::staff_claims());
        let addresses = [first.management_address(), second.management_address()].map(|at| at.expect("an address"));
        let requests: Vec<_> = (0..20)
            .map(|number| {
                let url = format!("http://{}{ISSUE}", addresses[number % 2]);
                let request = world.http().request(Method::POST, &url);
                let request = request.header("authorization", format!("ApiKey {}", operator.key()));
                let request = request.header("idempotency-key", "k").json(&body);
                let http = world.http().clone();
                tokio::spawn(async move { http.send(request).await })
            })
            .collect();
        let mut answers = Vec::new();
        for request in requests {
            answers.push(request.await.expect("no panic").ok()["credentialHistory"]["id"].clone());
        }
        assert!(answers.iter().all(|id| *id == answers[0]), "{answers:?}");
        let list = operator.get("/v2/config/digital-wallet/openid/sdjwt/credential/history").await.ok();
        assert_eq!(list["pagination"]["totalItems"], 1);
        first.stop().await;
        second.stop().await;
    });
}

/// A request encrypted for the key that one process made is read by another, which publishes the same key.
#[test]
fn an_encrypted_request_is_read_at_any_process() {
    networked(async |world| {
        let (first, second) = (world.another_server().await, world.another_server().await);
        point_to(world, &first);
        let operator = world.platform().organisation(json!({"policy": {"encryption": "required"}})).await;
        let definition = operator.define(&samples::staff_badge()).await;
        let offer = operator.offer(&definition, &samples::staff_claims()).await;
        let wallet = world.wallet();
        let opened = wallet.open(&offer.link).await;
        let token = wallet.redeem(&opened).await;
        let nonce = wallet.nonce(&opened).await;
        point_to(world, &second);
        let key = &opened.issuer["credential_request_encryption"]["jwks"]["keys"][0];
        let recipient = ResponseKey::new();
        let mut call = wallet.credential_call(&token, &nonce);
        let Body::Json(mut body) = call.body.clone() else { panic!("the body is not JSON") };
        body.insert("proofs".to_owned(), json!({"jwt": [call.proofs.remove(0).compact()]}));
        let wanted = json!({"jwk": recipient.jwk(), "enc": "A256GCM"});
        body.insert("credential_response_encryption".to_owned(), wanted);
        let jwe = Jwe::new(key, Value::Object(body).to_string().as_bytes());
        let answer = wallet.send(call.with_bytes(jwe.compact()).with_content_type("application/jwt")).await;
        assert_eq!(answer.status, 200, "{answer}");
        recipient.decrypt(&answer.text());
        let there = wallet.open(&operator.offer(&definition, &samples::staff_claims()).await.link).await;
        assert_eq!(there.issuer["credential_request_encryption"], opened.issuer["credential_request_encryption"]);
        first.stop().await;
        second.stop().await;
    });
}

/// A process for wallets and a process for organisations, each without the other's routes.
#[test]
fn the_two_faces_run_in_processes_of_their_own() {
    networked(async |world| {
        let start = async |api: Api| {
            let mut settings = world.settings();
            settings.api = api;
            Server::start(settings, world.env.clone()).await.expect("a server")
        };
        let (wallets, management) = (start(Api::Wallet).await, start(Api::Management).await);
        assert_eq!((wallets.management_address(), management.wallet_address()), (None, None));
        point_to(world, &wallets);
        point_to(world, &management);
        let operator = world.organisation().await;
        let definition = operator.define(&samples::staff_badge()).await;
        let offer = operator.offer(&definition, &samples::staff_claims()).await;
        world.wallet().accept(&offer.link).await;
        assert_eq!(operator.status(&offer.id).await, "credential_issued");

        let list = "/v2/config/digital-wallet/openid/sdjwt/credential-definitions";
        let at_wallets = world.http().request(Method::GET, &format!("{}{list}", world.public_url()));
        let at_wallets = at_wallets.header("authorization", format!("ApiKey {}", operator.key()));
        world.http().send(at_wallets).await.refused(404, "not_found");
        let path = operator.issuer().strip_prefix(&world.public_url()).expect("a default issuer");
        let at_management = format!("{}{path}/.well-known/openid-credential-issuer", world.management_url());
        world.http().get(&at_management).await.problem(404);
        wallets.stop().await;
        management.stop().await;
    });
}
