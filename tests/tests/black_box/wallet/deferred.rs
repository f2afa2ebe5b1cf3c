//! Deferred issuance (OpenID4VCI §9): what was not ready is asked for again.

use std::time::Duration;

use chancery_tests::jwe::{Jwe, ResponseKey};
use chancery_tests::key::random;
use chancery_tests::platform::{history_path, issue_body};
use chancery_tests::sd_jwt::parts;
use chancery_tests::{Answer, Backend, Call, Key, Place, block_on, on_every_backend};
use tokio::task::JoinSet;

use super::*;

/// An organisation that offered a badge without its claims, a wallet that asked for it, and the transaction.
struct Pending {
    scene: Scene,
    token: Token,
    transaction: String,
}

impl Pending {
    async fn new(world: &World) -> Self {
        Self::under(world, json!({}), 1).await
    }

    async fn under(world: &World, policy: Value, keys: usize) -> Self {
        Self::offered(world, policy, json!({}), keys).await
    }

    /// With further members in the issue call.
    async fn offered(world: &World, policy: Value, further: Value, keys: usize) -> Self {
        let operator = world.platform().organisation(json!({ "policy": policy })).await;
        let definition = operator.define(&samples::staff_badge()).await;
        let mut body = issue_body(&definition, &json!({}));
        body["issuanceMode"] = "Deferred".into();
        body["credential"].as_object_mut().unwrap().shift_remove("claims");
        body.as_object_mut().unwrap().extend(further.as_object().unwrap().clone());
        let offer = operator.offer_of(body).await;
        let wallet = world.wallet();
        let opened = wallet.open(&offer.link).await;
        let scene = Scene { operator, definition, offer, wallet, opened };
        let token = scene.redeem().await;
        let nonce = scene.wallet.nonce(&scene.opened).await;
        let mut call = scene.wallet.credential_call(&token, &nonce);
        for _ in 1..keys {
            let mut wallet = scene.wallet.clone();
            wallet.holder_key = Key::p256();
            call.proofs.push(wallet.proof(&scene.opened, &nonce));
        }
        let answer = scene.wallet.send(call).await;
        let body = answer.expect(202);
        assert_eq!(body["interval"], 5);
        assert_eq!(body.as_object().unwrap().len(), 2, "{body}");
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let transaction = body["transaction_id"].as_str().unwrap().to_owned();
        Self { scene, token, transaction }
    }

    fn call(&self) -> Call {
        self.scene.wallet.deferred_call(&self.token, &self.transaction)
    }

    async fn poll(&self) -> Answer {
        self.scene.wallet.send(self.call()).await
    }

    /// The access token that the refresh token gives.
    async fn refreshed(&self) -> Token {
        let Scene { wallet, operator, opened, .. } = &self.scene;
        let refresh = self.token.response["refresh_token"].as_str().unwrap();
        let response = wallet.send(wallet.refresh_call(operator.issuer(), refresh)).await.ok();
        Token { response, opened: opened.clone() }
    }

    /// The poll, encrypted, for an answer that this key can read.
    fn encrypted(&self, key: &ResponseKey) -> Call {
        let wanted = json!({"jwk": key.jwk(), "enc": "A128GCM"});
        let body = json!({"transaction_id": self.transaction, "credential_response_encryption": wanted});
        let recipient = &self.scene.opened.issuer["credential_request_encryption"]["jwks"]["keys"][0];
        let jwe = Jwe::new(recipient, body.to_string().as_bytes());
        self.call().with_bytes(jwe.compact()).with_content_type("application/jwt")
    }

    async fn supply(&self) {
        let id = &self.scene.definition["credentialDefinitions"][0]["id"];
        let body = json!({"credential": {"id": id, "claims": samples::staff_claims()}});
        self.scene.operator.put(&history_path(&self.scene.offer.id), body).await.ok();
    }

    async fn deny(&self) {
        let path = format!("{}/deny", history_path(&self.scene.offer.id));
        self.scene.operator.post(&path, json!({"reason": "Not on the payroll."})).await.ok();
    }

    async fn status(&self) -> String {
        self.scene.operator.status(&self.scene.offer.id).await
    }
}

async fn credentials(world: &World) -> i64 {
    world.database.number("SELECT count(*) FROM credential").await
}

on_every_backend! {
    /// DEF-1, DEF-2, DEF-3, DEF-4: pending, then ready; the credential is bound to the key of the first request.
    async fn a_credential_that_was_not_ready_is_collected_later(world: &World) {
        let pending = Pending::new(world).await;
        let issuer = pending.scene.operator.issuer();
        assert_eq!(pending.scene.opened.issuer["deferred_credential_endpoint"], format!("{issuer}/deferred-credential"));
        assert_eq!(pending.status().await, "token_issued");
        world.advance(Duration::from_secs(5));
        let body = pending.poll().await.expect(202);
        assert_eq!(body, json!({"transaction_id": pending.transaction, "interval": 5}));
        pending.supply().await;
        world.advance(Duration::from_secs(5));
        let answer = pending.poll().await;
        let body = answer.ok();
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        for absent in ["transaction_id", "interval"] {
            assert_eq!(body.get(absent), None, "{absent}");
        }
        let credential = parts(body["credentials"][0]["credential"].as_str().unwrap());
        assert_eq!(credential.signed["cnf"]["jwk"], pending.scene.wallet.holder_key.jwk());
        assert_eq!(credential.disclosed["given_name"], "Ilse");
        assert_eq!(pending.status().await, "credential_issued");

        let kinds: Vec<String> = pending.scene.operator.events(&pending.scene.offer.id).await
            .iter().map(|event| event["type"].as_str().unwrap().to_owned()).collect();
        let tail: Vec<&str> = kinds.iter().map(String::as_str).skip_while(|kind| *kind != "token_exchanged").collect();
        assert_eq!(tail, ["token_exchanged", "credential_deferred", "claims_supplied", "credential_issued"]);
        let transcript = pending.scene.operator.records(&pending.scene.offer.id).await;
        for message in ["credential.deferred", "deferred.request_received", "deferred.context", "deferred.pending",
            "deferred.claims_lookup", "credential.issued"] {
            assert!(transcript.iter().any(|record| record["message"] == message), "{message}");
        }
        assert!(!json!(transcript).to_string().contains(&pending.transaction));
        assert!(!world.gives_away(&pending.transaction).await);
    }

    /// DEF-5: a wallet whose connection broke gets the same answer again, until it says that it has it.
    async fn the_answer_can_be_fetched_again_until_the_wallet_says_that_it_has_it(world: &World) {
        let pending = Pending::new(world).await;
        pending.supply().await;
        let first = pending.poll().await.ok();
        assert_eq!(pending.poll().await.ok(), first);
        world.restart().await;
        assert_eq!(pending.poll().await.ok(), first);
        assert_eq!(credentials(world).await, 1);
        let id = first["notification_id"].as_str().unwrap();
        let notify = pending.scene.wallet.notification_call(&pending.token, id, "credential_accepted");
        assert_eq!(pending.scene.wallet.send(notify).await.status, 204);
        pending.poll().await.refused(400, "invalid_transaction_id");
        assert!(pending.scene.cause().await.reason.contains("has them"));
        assert_eq!(pending.status().await, "credential_accepted");
    }

    /// DEF-5: a wallet that never says anything is taken to have it after a day.
    async fn the_answer_cannot_be_fetched_for_ever(world: &World) {
        let pending = Pending::new(world).await;
        pending.supply().await;
        pending.poll().await.ok();
        world.advance(Duration::from_secs(86_399));
        pending.poll().await.ok();
        world.advance(Duration::from_secs(1));
        pending.poll().await.refused(400, "invalid_transaction_id");
    }

    /// ENC-9: the poll says how its answer is encrypted, whatever the first request said; also when it is not ready.
    async fn the_encryption_parameters_of_the_poll_decide(world: &World) {
        let pending = Pending::under(world, json!({"encryption": "allowed"}), 1).await;
        let (first, second) = (ResponseKey::new(), ResponseKey::new());
        let answer = pending.scene.wallet.send(pending.encrypted(&first)).await;
        assert_eq!(answer.status, 202, "{answer}");
        answer.assert_media_type("application/jwt");
        let (_, text) = first.decrypt(&answer.text());
        let body: Value = serde_json::from_slice(&text).unwrap();
        assert_eq!(body["transaction_id"], pending.transaction);
        pending.supply().await;
        let answer = pending.scene.wallet.send(pending.encrypted(&second)).await;
        answer.assert_media_type("application/jwt");
        let (_, text) = second.decrypt(&answer.text());
        let encrypted: Value = serde_json::from_slice(&text).unwrap();
        assert_eq!(pending.poll().await.ok(), encrypted, "the same answer, in the clear");
    }

    /// ENC-9: a poll without a key gets a plain answer, although the first request asked for an encrypted one.
    async fn a_poll_without_a_key_gets_a_plain_answer(world: &World) {
        let pending = Pending::under(world, json!({"encryption": "allowed"}), 1).await;
        let Pending { scene, token, .. } = &pending;
        let key = ResponseKey::new();
        let nonce = scene.wallet.nonce(&scene.opened).await;
        let call = scene.wallet.credential_call(token, &nonce);
        let wanted = json!({"credential_response_encryption": {"jwk": key.jwk(), "enc": "A128GCM"}});
        let jwe = Jwe::new(&encryption::published(&scene.opened), &encryption::payload(&call, &wanted));
        let first = scene.wallet.send(encryption::encrypted(call, &jwe)).await;
        assert_eq!(first.status, 202, "{first}");
        let (_, text) = key.decrypt(&first.text());
        let body: Value = serde_json::from_slice(&text).unwrap();
        let transaction = body["transaction_id"].as_str().unwrap();
        let poll = async |call: Call| scene.wallet.send(call).await;
        let plain = || scene.wallet.deferred_call(token, transaction);
        let waiting = poll(plain()).await;
        waiting.assert_media_type("application/json");
        assert_eq!(waiting.expect(202)["transaction_id"], transaction);
        pending.supply().await;
        // Encrypted itself, and without a key for the answer.
        let request = json!({"transaction_id": transaction}).to_string();
        let silent = Jwe::new(&encryption::published(&scene.opened), request.as_bytes());
        for call in [plain(), encryption::encrypted(plain(), &silent)] {
            let ready = poll(call).await;
            ready.assert_media_type("application/json");
            assert!(ready.ok()["credentials"][0]["credential"].is_string());
        }
    }

    /// ENC-9: where encryption is required, a plain poll and a poll for a plain answer are refused, and use nothing up.
    async fn plain_polls_are_refused_where_encryption_is_required(world: &World) {
        let pending = Pending::under(world, json!({"encryption": "allowed"}), 1).await;
        let policy = "/v2/config/digital-wallet/openid/policy";
        pending.scene.operator.put(policy, json!({"encryption": "required"})).await.ok();
        pending.supply().await;
        pending.poll().await.refused(400, "invalid_encryption_parameters");
        assert_eq!(pending.scene.cause().await.message, "deferred.encryption_invalid");
        let key = ResponseKey::new();
        let answer = pending.scene.wallet.send(pending.encrypted(&key)).await;
        assert_eq!(answer.status, 200, "{answer}");
        key.decrypt(&answer.text());
    }

    /// DEF-6: a transaction ends after 30 days, or when the claims are no longer awaited.
    async fn a_transaction_that_waited_for_too_long_is_over(world: &World) {
        let policy = json!({"refreshTokens": true, "refreshTokenLifetime": 31_536_000});
        let long = Pending::offered(world, policy, json!({"claimsDueInSeconds": 300 * 86_400}), 1).await;
        let short = Pending::offered(world, json!({}), json!({"claimsDueInSeconds": 600}), 1).await;
        world.advance(Duration::from_secs(599));
        short.poll().await.expect(202);
        world.advance(Duration::from_secs(1));
        short.poll().await.refused(400, "credential_request_denied");
        assert_eq!(short.scene.cause().await.message, "deferred.expired");
        world.advance(Duration::from_secs(30 * 86_400 - 601));
        long.poll().await.expect(202);
        world.advance(Duration::from_secs(1));
        long.poll().await.refused(401, "invalid_token");
        let token = long.refreshed().await;
        let poll = long.scene.wallet.deferred_call(&token, &long.transaction);
        long.scene.wallet.send(poll).await.refused(400, "credential_request_denied");
        assert_eq!(long.scene.cause().await.message, "deferred.expired");
        // The exchange still awaits its claims: the wallet may begin another transaction.
        let nonce = long.scene.wallet.nonce(&long.scene.opened).await;
        long.scene.wallet.send(long.scene.wallet.credential_call(&token, &nonce)).await.expect(202);
    }

    /// TOK-14: a token that was refreshed while the transaction lives collects as well, and both get one answer.
    async fn a_refreshed_token_collects_what_waits(world: &World) {
        let pending = Pending::under(world, json!({"refreshTokens": true}), 1).await;
        world.advance(Duration::from_secs(5 * 86_400));
        let token = pending.refreshed().await;
        let poll = || pending.scene.wallet.deferred_call(&token, &pending.transaction);
        pending.scene.wallet.send(poll()).await.expect(202);
        pending.supply().await;
        let answer = pending.scene.wallet.send(poll()).await.ok();
        assert_eq!(pending.poll().await.ok(), answer);
        assert_eq!(credentials(world).await, 1);
    }

    /// DEF-1: a token that was narrowed to one credential of an exchange does not collect another one that waits.
    async fn a_narrowed_token_collects_nothing_else(world: &World) {
        let operator = world.platform().organisation(json!({"policy": {"refreshTokens": true}})).await;
        let mut badge = samples::staff_badge();
        let mut pass = badge["credentialDefinitions"][0].clone();
        pass["vct"] = "https://types.example/pass/1".into();
        for (entry, id) in [(&mut pass, "pass"), (&mut badge["credentialDefinitions"][0], "badge")] {
            entry["credentialConfigurationId"] = id.into();
        }
        badge["credentialDefinitions"].as_array_mut().unwrap().push(pass);
        let definition = operator.define(&badge).await;
        let entries: Vec<Value> = definition["credentialDefinitions"].as_array().unwrap().iter()
            .map(|entry| json!({"id": entry["id"], "vct": entry["vct"]})).collect();
        let body = json!({
            "issuanceMode": "Deferred", "userPin": "", "credentials": entries,
            "credentialDefinitionId": definition["credentialDefinitionId"],
        });
        let offer = operator.offer_of(body).await;
        let wallet = world.wallet();
        let opened = wallet.open(&offer.link).await;
        let scene = Scene { operator, definition, offer, wallet, opened };
        let token = scene.redeem().await;
        let nonce = scene.wallet.nonce(&scene.opened).await;
        let call = scene.wallet.credential_call(&token, &nonce).with_member("credential_identifier", Value::Null);
        let waiting = scene.wallet.send(call.with_member("credential_configuration_id", "badge")).await.expect(202);
        let transaction = waiting["transaction_id"].as_str().unwrap();

        let narrowed = async |refresh: &Value, configuration: &str| {
            let details = json!([{"type": "openid_credential", "credential_configuration_id": configuration}]);
            let refresh = scene.wallet.refresh_call(scene.operator.issuer(), refresh.as_str().unwrap());
            let response = scene.wallet.send(refresh.with_field("authorization_details", &details.to_string())).await.ok();
            Token { response, opened: scene.opened.clone() }
        };
        let pass = narrowed(&token.response["refresh_token"], "pass").await;
        scene.wallet.send(scene.wallet.deferred_call(&pass, transaction)).await.refused(400, "invalid_transaction_id");
        assert!(scene.cause().await.reason.contains("narrowed"));
        let badge = narrowed(&pass.response["refresh_token"], "badge").await;
        for token in [&badge, &token] {
            scene.wallet.send(scene.wallet.deferred_call(token, transaction)).await.expect(202);
        }
    }

    /// A Bearer token would end before the claims come: whoever has to wait proves a key, and nothing is used up before.
    async fn a_token_that_ends_before_the_claims_come_is_refused(world: &World) {
        let operator = world.organisation().await;
        let definition = operator.define(&samples::staff_badge()).await;
        let mut body = issue_body(&definition, &json!({}));
        body["issuanceMode"] = "Deferred".into();
        body["credential"].as_object_mut().unwrap().shift_remove("claims");
        let offer = operator.offer_of(body).await;
        let wallet = world.wallet();
        let opened = wallet.open(&offer.link).await;
        wallet.send(wallet.token_call(&opened).without_dpop()).await.refused(400, "invalid_dpop_proof");
        let id = &definition["credentialDefinitions"][0]["id"];
        let claims = json!({"credential": {"id": id, "claims": samples::staff_claims()}});
        operator.put(&history_path(&offer.id), claims).await.ok();
        let mut bearer = wallet.clone();
        bearer.dpop_key = None;
        bearer.collect(&bearer.redeem(&opened).await).await;
    }

    /// DEF-6: a denial beside polls: each is told to wait or that it is over, and nothing is issued.
    async fn a_denial_while_the_wallet_polls_ends_the_transaction(world: &World) {
        let pending = Pending::new(world).await;
        let mut crowd = JoinSet::new();
        for _ in 0..8 {
            let (wallet, call) = (pending.scene.wallet.clone(), pending.call());
            crowd.spawn(async move { wallet.send(call).await });
        }
        let (answers, ()) = tokio::join!(crowd.join_all(), pending.deny());
        for answer in answers {
            match answer.status {
                202 => {}
                _ => drop(answer.refused(400, "credential_request_denied")),
            }
        }
        pending.poll().await.refused(400, "credential_request_denied");
        assert_eq!((pending.status().await.as_str(), credentials(world).await), ("issuance_denied", 0));
    }

    /// DEF-6: of a poll that could collect and a denial, one comes first.
    async fn a_transaction_is_either_collected_or_denied(world: &World) {
        for _ in 0..5 {
            let pending = Pending::new(world).await;
            pending.supply().await;
            let path = format!("{}/deny", history_path(&pending.scene.offer.id));
            let before = credentials(world).await;
            let (poll, denial) = tokio::join!(
                pending.poll(),
                pending.scene.operator.post(&path, json!({"reason": "Not on the payroll."})),
            );
            if denial.status == 200 {
                poll.refused(400, "credential_request_denied");
                assert_eq!(credentials(world).await, before);
            } else {
                denial.problem(409);
                poll.ok();
            }
        }
    }

    /// DEF-6: a denied transaction gives nothing, ever.
    async fn a_denied_transaction_gives_nothing(world: &World) {
        let denied = Pending::new(world).await;
        denied.deny().await;
        denied.poll().await.refused(400, "credential_request_denied");
        assert_eq!(denied.scene.cause().await.message, "deferred.rejected");
        assert_eq!(credentials(world).await, 0);
    }

    /// DEF-5, NOT-4: unknown and foreign transactions, malformed requests.
    async fn bad_deferred_requests_are_refused(world: &World) {
        let pending = Pending::new(world).await;
        let other = Pending::new(world).await;
        for id in [random(16), "x".to_owned(), other.transaction.clone()] {
            let call = pending.scene.wallet.deferred_call(&pending.token, &id);
            pending.scene.wallet.send(call).await.refused(400, "invalid_transaction_id");
        }
        for call in [
            pending.call().with_member("transaction_id", Value::Null),
            pending.call().with_member("transaction_id", 7),
            pending.call().with_bytes(""),
            pending.call().with_content_type("text/plain"),
        ] {
            pending.scene.wallet.send(call).await.refused(400, "invalid_credential_request");
            assert_eq!(pending.scene.cause().await.message, "deferred.request_invalid");
        }
        pending.scene.wallet.send(pending.call().with_member("x", 1)).await.expect(202);
    }

    /// TOK-14, RFC 9449 §7.2: the token lives as long as the transaction, and only with its key.
    async fn the_token_outlives_its_time_while_a_transaction_waits(world: &World) {
        let pending = Pending::new(world).await;
        world.advance(Duration::from_secs(3 * 86_400));
        pending.poll().await.expect(202);
        let bearer = format!("Bearer {}", pending.token.value());
        let downgraded = pending.call().without_dpop().without_header("authorization").with_header("authorization", &bearer);
        pending.scene.wallet.send(downgraded).await.refused(401, "invalid_token");
        pending.scene.wallet.send(pending.call().without_dpop()).await.refused(401, "invalid_dpop_proof");
        let mut thief = pending.scene.wallet.clone();
        thief.dpop_key = Some(Key::p256());
        let stolen = thief.deferred_call(&pending.token, &pending.transaction);
        pending.scene.wallet.send(stolen).await.refused(401, "invalid_token");
        pending.supply().await;
        pending.poll().await.ok();
    }

    /// A wallet that does not wait is told to wait longer; a credential that is ready is not kept from it.
    async fn a_wallet_that_asks_too_early_is_told_to_wait_longer(world: &World) {
        let pending = Pending::new(world).await;
        for interval in [10, 15, 20] {
            assert_eq!(pending.poll().await.expect(202)["interval"], interval);
        }
        world.advance(Duration::from_secs(20));
        assert_eq!(pending.poll().await.expect(202)["interval"], 20);
        for _ in 0..60 {
            pending.poll().await.expect(202);
        }
        let records = pending.scene.operator.records(&pending.scene.offer.id).await;
        let told = records.iter().filter(|record| record["message"] == "deferred.pending").count();
        assert_eq!(told, 7, "1, 2, 4, 8, 16, 32, 64");
        pending.supply().await;
        pending.poll().await.ok();
    }

    /// DEF-3, CRE-11: a batch that waits gives a credential for each of its keys; two polls at once give the same ones.
    async fn parallel_polls_of_a_ready_batch_get_one_set_of_credentials(world: &World) {
        let pending = Pending::under(world, json!({"batchSize": 4}), 4).await;
        pending.supply().await;
        let mut crowd = JoinSet::new();
        for _ in 0..8 {
            let (wallet, call) = (pending.scene.wallet.clone(), pending.call());
            crowd.spawn(async move { wallet.send(call).await.ok() });
        }
        let answers = crowd.join_all().await;
        assert!(answers.iter().all(|answer| *answer == answers[0]));
        assert_eq!(answers[0]["credentials"].as_array().unwrap().len(), 4);
        assert_eq!(credentials(world).await, 4);
        let events = pending.scene.operator.events(&pending.scene.offer.id).await;
        assert_eq!(events.iter().filter(|event| event["type"] == "credential_issued").count(), 1);
    }

    /// A wallet that asks for the same credential again and again does not fill the database.
    async fn only_the_newest_transactions_of_a_credential_wait(world: &World) {
        let pending = Pending::new(world).await;
        for _ in 0..10 {
            let nonce = pending.scene.wallet.nonce(&pending.scene.opened).await;
            let call = pending.scene.wallet.credential_call(&pending.token, &nonce);
            pending.scene.wallet.send(call).await.expect(202);
        }
        assert_eq!(world.database.number("SELECT count(*) FROM exchange_transaction").await, 8);
        pending.poll().await.refused(400, "invalid_transaction_id");
    }
}

/// The wire breaks at COMMIT, before or after it: the wallet asks again and has one credential.
#[test]
fn a_deferred_issuance_cut_at_commit_is_collected_by_the_next_poll() {
    block_on(World::run(Backend::Networked, async |world| {
        for place in [Place::Before, Place::After] {
            let pending = Pending::new(world).await;
            pending.supply().await;
            let before = credentials(world).await;
            world.postgres().cut_at(b"COMMIT", place);
            pending.poll().await.refused(503, "temporarily_unavailable");
            world.postgres().sprung().await;
            world.postgres().restore();
            let answer = pending.poll().await.ok();
            assert_eq!(pending.poll().await.ok(), answer);
            assert_eq!(credentials(world).await, before + 1);
            assert_eq!(pending.status().await, "credential_issued");
        }
    }));
}
