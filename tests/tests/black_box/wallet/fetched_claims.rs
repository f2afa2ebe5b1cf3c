//! Claims that the organisation's own server gives at the moment a wallet asks for the credential.

use std::time::Duration;

use chancery_tests::platform::{definition_path, history_path};
use chancery_tests::sd_jwt::parts;
use chancery_tests::{Answer, Options, Receiver, on_every_backend};
use tokio::task::JoinSet;

use super::*;

mod outages;

const INDIVIDUAL: &str = "/v2/config/individual";

/// An organisation with a badge whose claims come from its own server.
struct Desk {
    operator: Operator,
    receiver: Receiver,
    definition: Value,
    wallet: Wallet,
}

/// An offer whose token the wallet has.
struct Redeemed {
    offer: Offer,
    token: Token,
}

impl Desk {
    /// With further members of the claims endpoint, and of the badge's entry.
    async fn open(world: &World, endpoint: Value, switches: Value) -> Self {
        let receiver = Receiver::listen().await;
        receiver.say(json!({"claims": samples::staff_claims()}).to_string());
        let policy = json!({"policy": {"refreshTokens": true}});
        let operator = world.platform().organisation(policy).await;
        let mut badge = samples::staff_badge();
        badge["claimsEndpoint"] = json!({"url": receiver.url()});
        badge["claimsEndpoint"].as_object_mut().unwrap().extend(endpoint.as_object().unwrap().clone());
        badge["credentialDefinitions"][0].as_object_mut().unwrap().extend(switches.as_object().unwrap().clone());
        let definition = operator.define(&badge).await;
        Self { operator, receiver, definition, wallet: world.wallet() }
    }

    async fn under(world: &World, rule: &str) -> Self {
        Self::open(world, json!({"whenUnavailable": rule}), json!({})).await
    }

    fn secret(&self) -> &str {
        self.definition["claimsEndpoint"]["secretKey"].as_str().unwrap()
    }

    /// An issue call without claims.
    fn body(&self, further: Value) -> Value {
        let definition = &self.definition["credentialDefinitionId"];
        let mut body = json!({"issuanceMode": "InTime", "userPin": "", "credentialDefinitionId": definition});
        body.as_object_mut().unwrap().extend(further.as_object().unwrap().clone());
        body
    }

    async fn redeem(&self, further: Value) -> Redeemed {
        let offer = self.operator.offer_of(self.body(further)).await;
        let token = self.wallet.redeem(&self.wallet.open(&offer.link).await).await;
        Redeemed { offer, token }
    }

    async fn ask(&self, token: &Token) -> Answer {
        let nonce = self.wallet.nonce(&token.opened).await;
        self.wallet.send(self.wallet.credential_call(token, &nonce)).await
    }

    /// A new offer, asked for.
    async fn ask_anew(&self) -> (Redeemed, Answer) {
        let redeemed = self.redeem(json!({})).await;
        let answer = self.ask(&redeemed.token).await;
        (redeemed, answer)
    }

    async fn poll(&self, token: &Token, deferred: &Value) -> Answer {
        let transaction = deferred["transaction_id"].as_str().unwrap();
        self.wallet.send(self.wallet.deferred_call(token, transaction)).await
    }

    async fn refreshed(&self, token: &Token) -> Token {
        let refresh = token.response["refresh_token"].as_str().unwrap();
        let call = self.wallet.refresh_call(self.operator.issuer(), refresh);
        Token { response: self.wallet.send(call).await.ok(), opened: token.opened.clone() }
    }

    async fn person(&self) -> String {
        let person = json!({"individual": {"name": "Ilse", "externalId": "HR-40417", "deliveryChannel": "none"}});
        let answer = self.operator.post(INDIVIDUAL, person).await.ok();
        answer["individual"]["id"].as_str().unwrap().to_owned()
    }

    async fn messages(&self, offer: &Offer) -> Vec<String> {
        let records = self.operator.records(&offer.id).await;
        records.iter().map(|record| record["message"].as_str().unwrap().to_owned()).collect()
    }
}

fn disclosed(answer: &Answer) -> Value {
    parts(answer.ok()["credentials"][0]["credential"].as_str().unwrap()).disclosed
}

fn claims_of(name: &str) -> String {
    let mut claims = samples::staff_claims();
    claims["given_name"] = name.into();
    json!({"claims": claims}).to_string()
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

on_every_backend! {
    /// One signed request, with what the organisation needs to find the person and nothing secret; what it answers is
    /// issued, shown on the record, and not asked for again.
    async fn claims_are_fetched_with_a_signed_request_when_the_wallet_asks(world: &World) {
        let desk = Desk::open(world, json!({}), json!({})).await;
        let person = desk.person().await;
        let entry = &desk.definition["credentialDefinitions"][0];
        let further = json!({
            "individualId": person,
            "credential": {"id": entry["id"], "credentialMetadata": {"case": "c-7"}},
        });
        let Redeemed { offer, token } = desk.redeem(further).await;
        assert_eq!(offer.history["credentialStatus"], "pending");
        assert!(desk.receiver.take().is_empty());
        let answer = desk.ask(&token).await;
        assert_eq!(disclosed(&answer)["given_name"], "Ilse");

        let calls = desk.receiver.take();
        assert_eq!(calls.len(), 1);
        let call = &calls[0];
        assert!(call.is_signed_with(desk.secret()) && !call.is_signed_with("whsec_AAAA"));
        let event = call.event();
        assert_eq!(event["type"], "openid.credential.claims_requested");
        assert_eq!(event["requestId"], call.header("webhook-id"));
        let thumbprint = desk.wallet.holder_key.thumbprint();
        assert_eq!(event["data"], json!({
            "organisationId": desk.operator.organisation_id(),
            "credentialExchangeId": offer.id,
            "credentialDefinitionId": desk.definition["credentialDefinitionId"],
            "individualId": person,
            "mapperId": "HR-40417",
            "subject": "",
            "renewal": false,
            "holderKeyThumbprints": [thumbprint],
            "credential": {
                "id": entry["id"],
                "credentialConfigurationId": entry["credentialConfigurationId"],
                "vct": entry["vct"],
                "dataset": 0,
                "claims": {},
                "credentialMetadata": {"case": "c-7"},
            },
        }));
        let access_token = token.value();
        assert!(!call.payload().contains(access_token));

        let record = desk.operator.history(&offer.id).await;
        assert_eq!((&record["credentialStatus"], &record["status"]), (&json!("ready"), &json!("credential_issued")));
        assert_eq!(record["credential"]["claims"], samples::staff_claims());
        assert_eq!(record["credential"]["credentialMetadata"], json!({"case": "c-7"}));
        disclosed(&desk.ask(&token).await);
        assert!(desk.receiver.take().is_empty(), "what was fetched is kept");
        let messages = desk.messages(&offer).await;
        for message in ["claims.requested", "claims.fetched", "credential.issued"] {
            assert!(messages.iter().any(|it| it == message), "{message} in {messages:?}");
        }
        let told = desk.operator.events(&offer.id).await;
        assert!(told.iter().any(|event| event["type"] == "claims_fetched"), "{told:?}");
        for secret in ["Vanderstraete", desk.secret()] {
            assert!(!world.gives_away(secret).await, "{secret}");
        }
    }

    /// A secret is shown once; another one signs beside it for a day; a definition without the member asks nobody.
    async fn a_definition_shows_its_claims_endpoint_and_never_the_secret_again(world: &World) {
        let desk = Desk::open(world, json!({"deadlineInSeconds": 7, "whenUnavailable": "lastKnown"}), json!({})).await;
        assert!(desk.secret().starts_with("whsec_"));
        let path = definition_path(desk.definition["credentialDefinitionId"].as_str().unwrap());
        let shown = desk.operator.get(&path).await.ok()["credentialDefinition"].clone();
        assert_eq!(shown["claimsEndpoint"], json!({
            "url": desk.receiver.url(), "deadlineInSeconds": 7, "whenUnavailable": "lastKnown",
            "lastKnownForInSeconds": 2_592_000, "secretKey": "",
        }));
        let log = desk.operator.get("/v2/config/audit?limit=100").await.ok();
        assert!(log.to_string().contains("createCredentialDefinition") && !log.to_string().contains(desk.secret()));

        let mut changed = shown.clone();
        assert_eq!(desk.operator.put(&path, changed.clone()).await.ok()["credentialDefinition"]["claimsEndpoint"]["secretKey"], "");
        changed["claimsEndpoint"]["secretKey"] = "a secret of my own".into();
        let answer = desk.operator.put(&path, changed.clone()).await.ok();
        assert_eq!(answer["credentialDefinition"]["claimsEndpoint"]["secretKey"], "");
        let signed_with = async |old: bool, new: bool| {
            disclosed(&desk.ask_anew().await.1);
            let calls = desk.receiver.take();
            assert_eq!(calls.len(), 1);
            assert_eq!((calls[0].is_signed_with(desk.secret()), calls[0].is_signed_with("a secret of my own")), (old, new));
        };
        signed_with(true, true).await;
        world.advance(seconds(86_401));
        signed_with(false, true).await;

        changed["claimsEndpoint"] = json!({"url": "", "secretKey": ""});
        let answer = desk.operator.put(&path, changed.clone()).await.ok();
        assert_eq!(answer["credentialDefinition"]["claimsEndpoint"]["url"], "");
        assert_eq!(world.database.number("SELECT count(*) FROM claims_endpoint").await, 0);
        desk.operator.issue(desk.body(json!({}))).await.problem_at(400, "/credential");
        changed["claimsEndpoint"] = json!({"url": desk.receiver.url()});
        let answer = desk.operator.put(&path, changed).await.ok();
        let again = answer["credentialDefinition"]["claimsEndpoint"]["secretKey"].as_str().unwrap().to_owned();
        assert!(again.starts_with("whsec_") && again != desk.secret());
        desk.operator.delete(&path).await.ok();
        assert_eq!(world.database.number("SELECT count(*) FROM claims_endpoint").await, 0);
    }

    /// Where claims are given they are not fetched, and without a claims endpoint they have to be.
    async fn claims_that_are_given_are_not_fetched(world: &World) {
        let desk = Desk::open(world, json!({}), json!({})).await;
        let offer = desk.operator.offer(&desk.definition, &samples::staff_claims()).await;
        assert_eq!(offer.history["credentialStatus"], "ready");
        desk.wallet.accept(&offer.link).await;
        let incomplete = json!({"credential": {"claims": {"given_name": "Ilse"}}});
        desk.operator.issue(desk.body(incomplete)).await.problem_at(400, "/credential/claims/family_name");

        let later = desk.operator.offer_of(desk.body(json!({"issuanceMode": "Deferred"}))).await;
        assert_ne!(later.history["claimsDueAt"], 0);
        let id = &desk.definition["credentialDefinitions"][0]["id"];
        let supplied = json!({"credential": {"id": id, "claims": samples::staff_claims()}});
        let record = desk.operator.put(&history_path(&later.id), supplied.clone()).await.ok()["credentialHistory"].clone();
        assert_eq!(record["credentialStatus"], "ready");
        assert_eq!(desk.operator.put(&history_path(&later.id), supplied).await.status, 409);
        desk.wallet.accept(&later.link).await;
        assert!(desk.receiver.take().is_empty());

        let plain = desk.operator.define(&samples::staff_badge()).await;
        assert_eq!(plain["claimsEndpoint"]["url"], "");
        let body = json!({"issuanceMode": "InTime", "userPin": "", "credentialDefinitionId": plain["credentialDefinitionId"]});
        desk.operator.issue(body).await.problem_at(400, "/credential");
    }

    /// The server says when the wallet is to ask again, and is not asked before.
    async fn the_server_can_have_the_wallet_wait(world: &World) {
        let desk = Desk::open(world, json!({}), json!({})).await;
        desk.receiver.say(json!({"defer": {"retryInSeconds": 60}}).to_string());
        let Redeemed { offer, token } = desk.redeem(json!({})).await;
        let deferred = desk.ask(&token).await.expect(202);
        assert_eq!(deferred["interval"], 60);
        let first = desk.receiver.take();
        assert_eq!(first.len(), 1);
        desk.poll(&token, &deferred).await.expect(202);
        assert!(desk.receiver.take().is_empty(), "the wallet came too early");
        world.advance(seconds(70));
        desk.receiver.say(json!({"defer": {"retryInSeconds": 600}}).to_string());
        assert_eq!(desk.poll(&token, &deferred).await.expect(202)["interval"], 600);
        let second = desk.receiver.take();
        assert_eq!(second[0].header("webhook-id"), first[0].header("webhook-id"));
        desk.receiver.say(json!({"claims": samples::staff_claims()}).to_string());
        world.advance(seconds(600));
        let answer = desk.poll(&token, &deferred).await;
        assert_eq!(disclosed(&answer)["given_name"], "Ilse");
        assert_eq!(desk.poll(&token, &deferred).await.ok(), answer.ok());
        assert_eq!(desk.receiver.take().len(), 1);
        let record = desk.operator.history(&offer.id).await;
        assert_eq!((&record["credentialStatus"], &record["status"]), (&json!("ready"), &json!("credential_issued")));
        assert!(desk.messages(&offer).await.iter().any(|message| message == "claims.deferred"));
    }

    /// Claims that never come are awaited as long as those of a deferred issuance.
    async fn an_issuance_that_is_deferred_for_ever_ends(world: &World) {
        let desk = Desk::open(world, json!({}), json!({})).await;
        desk.receiver.say(json!({"defer": {}}).to_string());
        let Redeemed { offer, token } = desk.redeem(json!({})).await;
        assert_eq!(offer.history["claimsDueAt"], 0);
        let deferred = desk.ask(&token).await.expect(202);
        assert_eq!(deferred["interval"], 5);
        let created = desk.operator.history(&offer.id).await["createdAt"].as_i64().unwrap();
        assert_eq!(desk.operator.history(&offer.id).await["claimsDueAt"], created + 30 * 86_400);
        world.advance(seconds(30 * 86_400));
        world.work().await;
        assert_eq!(desk.operator.status(&offer.id).await, "issuance_denied");
        assert_eq!(desk.receiver.take().len(), 1);
    }

    /// A denial ends the exchange; its reason is on the record.
    async fn the_server_can_deny_the_issuance(world: &World) {
        let desk = Desk::open(world, json!({}), json!({})).await;
        desk.receiver.say(json!({"deny": {"reason": "Not on the payroll any more."}}).to_string());
        let (Redeemed { offer, token }, answer) = desk.ask_anew().await;
        assert_eq!(answer.expect(400)["error"], "credential_request_denied");
        let record = desk.operator.history(&offer.id).await;
        assert_eq!(record["status"], "issuance_denied");
        assert_eq!(record["issuanceDeniedReason"], "Not on the payroll any more.");
        assert_eq!(desk.receiver.take().len(), 1);
        assert_eq!(desk.ask(&token).await.expect(400)["error"], "credential_request_denied");
        assert!(desk.receiver.take().is_empty());
        let told = desk.operator.events(&offer.id).await;
        assert!(told.iter().any(|it| it["type"] == "issuance_denied" && it.to_string().contains("claims_endpoint")), "{told:?}");
    }

    /// Claims are checked like those of an issue call. What is wrong is named in the transcript, without values; the wallet
    /// may ask again once it is put right.
    async fn claims_that_do_not_fit_are_refused_by_name(world: &World) {
        let desk = Desk::open(world, json!({"whenUnavailable": "defer"}), json!({})).await;
        let mut claims = samples::staff_claims();
        claims.as_object_mut().unwrap().shift_remove("employee_id");
        claims["salary"] = "98765 doubloons".into();
        claims["iss"] = "https://evil.example".into();
        desk.receiver.say(json!({ "claims": claims }).to_string());
        let (Redeemed { offer, token }, answer) = desk.ask_anew().await;
        assert_eq!(answer.expect(400)["error"], "credential_request_denied");
        let cause = cause(&desk.operator, &offer.id).await;
        assert_eq!(cause.message, "credential.claims_unfit");
        let mut named: Vec<&str> = cause.data["claims"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        named.sort_unstable();
        assert_eq!(named, ["/employee_id", "/iss", "/salary"]);
        for value in ["doubloons", "evil.example"] {
            assert!(!world.gives_away(value).await, "{value}");
        }
        desk.receiver.say(claims_of("Ilse"));
        disclosed(&desk.ask(&token).await);
    }

    /// Many requests at once all lead to a credential with the same claims, and to requests that can be told to be the same.
    async fn requests_at_the_same_moment_agree_on_the_claims(world: &World) {
        let desk = Desk::open(world, json!({}), json!({})).await;
        let Redeemed { offer, token } = desk.redeem(json!({})).await;
        let mut asking = JoinSet::new();
        for _ in 0..6 {
            let nonce = desk.wallet.nonce(&token.opened).await;
            let (wallet, call) = (desk.wallet.clone(), desk.wallet.credential_call(&token, &nonce));
            asking.spawn(async move { wallet.send(call).await });
        }
        let answers = asking.join_all().await;
        assert!(answers.iter().all(|answer| disclosed(answer)["given_name"] == "Ilse"));
        let calls = desk.receiver.take();
        assert!((1..=6).contains(&calls.len()));
        assert!(calls.iter().all(|call| call.header("webhook-id") == calls[0].header("webhook-id")));
        let record = desk.operator.history(&offer.id).await;
        assert_eq!(record["issuedCredentials"].as_array().unwrap().len(), 6);
        assert_eq!(record["credential"]["claims"], samples::staff_claims());
    }

    /// A fresh copy has fresh claims: that is what it is for.
    async fn a_refreshed_token_has_the_claims_fetched_anew(world: &World) {
        let desk = Desk::open(world, json!({}), json!({"supportCredentialReissuance": true})).await;
        let Redeemed { offer, token } = desk.redeem(json!({})).await;
        disclosed(&desk.ask(&token).await);
        let first = desk.receiver.take();
        world.advance(seconds(20 * 86_400));
        desk.receiver.say(claims_of("Ilse-Marie"));
        let token = desk.refreshed(&token).await;
        assert_eq!(disclosed(&desk.ask(&token).await)["given_name"], "Ilse-Marie");
        let second = desk.receiver.take();
        assert_eq!(second.len(), 1);
        assert_eq!((&first[0].event()["data"]["renewal"], &second[0].event()["data"]["renewal"]), (&json!(false), &json!(true)));
        assert_ne!(first[0].header("webhook-id"), second[0].header("webhook-id"));
        assert_eq!(second[0].event()["data"]["credential"]["claims"], json!({}));
        assert_eq!(desk.operator.history(&offer.id).await["credential"]["claims"]["given_name"], "Ilse-Marie");
    }

    /// Each credential of an offer is asked for by itself.
    async fn every_credential_of_an_offer_is_asked_for_by_itself(world: &World) {
        let desk = Desk::open(world, json!({}), json!({})).await;
        let id = &desk.definition["credentialDefinitions"][0]["id"];
        let credential = |case: &str| json!({"id": id, "credentialMetadata": {"case": case}});
        let Redeemed { offer, token } = desk.redeem(json!({"credentials": [credential("one"), credential("two")]})).await;
        let identifiers = token.response["authorization_details"][0]["credential_identifiers"].as_array().unwrap().clone();
        for (position, case) in ["one", "two"].into_iter().enumerate() {
            desk.receiver.say(claims_of(case));
            let nonce = desk.wallet.nonce(&token.opened).await;
            let call = desk.wallet.credential_call(&token, &nonce);
            let call = call.with_member("credential_identifier", identifiers[position].clone());
            assert_eq!(disclosed(&desk.wallet.send(call).await)["given_name"], case);
            let asked = desk.receiver.take()[0].event()["data"]["credential"].clone();
            assert_eq!((&asked["dataset"], &asked["credentialMetadata"]["case"]), (&json!(position), &json!(case)));
            let status = desk.operator.history(&offer.id).await["credentialStatus"].clone();
            assert_eq!(status, ["pending", "ready"][position]);
        }
    }

    /// SSRF: what only this machine can reach is not asked.
    async fn a_claims_endpoint_at_a_private_address_is_refused(backend: Backend) {
        let environment = [("CHANCERY_OUTBOUND_ADDRESSES".to_owned(), "public".to_owned())].into();
        World::run_with(backend, Options { environment, ..Options::default() }, async |world| {
            let operator = world.organisation().await;
            for url in ["http://claims.example/", "https://127.0.0.1/", "https://[::1]/", "https://169.254.169.254/", "claims"] {
                let mut badge = samples::staff_badge();
                badge["claimsEndpoint"] = json!({ "url": url });
                let path = definition_path("").trim_end_matches('/').to_owned();
                operator.post(&path, badge).await.problem_at(400, "/claimsEndpoint/url");
            }
            // A name is looked at when it is called.
            let mut badge = samples::staff_badge();
            badge["claimsEndpoint"] = json!({"url": "https://localhost:1/"});
            let definition = operator.define(&badge).await;
            let id = &definition["credentialDefinitionId"];
            let body = json!({"issuanceMode": "InTime", "userPin": "", "credentialDefinitionId": id});
            let offer = operator.offer_of(body).await;
            let wallet = world.wallet();
            let token = wallet.redeem(&wallet.open(&offer.link).await).await;
            let nonce = wallet.nonce(&token.opened).await;
            assert_eq!(wallet.send(wallet.credential_call(&token, &nonce)).await.status, 503);
            let cause = cause(&operator, &offer.id).await;
            assert_eq!((cause.message.as_str(), cause.reason.as_str()), ("credential.claims_unavailable", "the address is not public"));
        })
        .await;
    }
}
