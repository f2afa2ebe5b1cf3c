//! Webhooks, as the receiver and the organisation see them.

use std::time::Duration;

use chancery_tests::{Backend, Environment, Impostor, Operator, Options, Receiver, World, on_every_backend, samples};
use serde_json::{Value, json};

mod cuts;
mod faults;

const WEBHOOK: &str = "/v2/config/webhook";
const WEBHOOKS: &str = "/v2/config/webhooks";
const UNKNOWN: &str = "018f0000-0000-7000-8000-00000000dead";

const STEPS: [&str; 5] = ["offer_sent", "offer_received", "token_issued", "credential_issued", "credential_acked"];

fn body(url: &str, steps: &[&str]) -> Value {
    let events: Vec<String> = steps.iter().map(|step| format!("openid.credential.{step}")).collect();
    json!({ "webhook": {
        "payloadUrl": url,
        "contentType": "application/json",
        "subscribedEvents": { "digitalWalletWebhook": events },
    } })
}

/// An organisation with a webhook for the steps; the webhook as it was answered.
async fn subscribed(world: &World, receiver: &Receiver, steps: &[&str]) -> (Operator, Value) {
    let operator = world.organisation().await;
    let webhook = operator.post(WEBHOOK, body(&receiver.url(), steps)).await.ok()["webhook"].clone();
    (operator, webhook)
}

fn id(value: &Value) -> &str {
    value["id"].as_str().expect("an id")
}

async fn deliveries(operator: &Operator, webhook: &Value, query: &str) -> Vec<Value> {
    let list = operator.get(&format!("{WEBHOOKS}/{}/deliveries?limit=100&{query}", id(webhook))).await.ok();
    list["webhookDeliveries"].as_array().expect("deliveries").clone()
}

async fn offer(operator: &Operator) -> chancery_tests::Offer {
    let definition = operator.define(&samples::staff_badge()).await;
    operator.offer(&definition, &samples::staff_claims()).await
}

on_every_backend! {
    /// Each step once, in order, thin, and signed in both ways.
    async fn every_step_of_an_exchange_arrives_once_in_order_and_signed(world: &World) {
        let receiver = Receiver::listen().await;
        let (operator, webhook) = subscribed(world, &receiver, &STEPS).await;
        let secret = webhook["secretKey"].as_str().expect("a secret");
        assert!(secret.starts_with("whsec_"));
        let offer = offer(&operator).await;
        let received = world.wallet().keep(&offer.link).await;
        let nonce = world.wallet().nonce(&received.token.opened).await;
        assert!(!nonce.is_empty());
        assert!(receiver.take().is_empty(), "no request of a wallet waits for a receiver");
        world.work().await;

        let calls = receiver.take();
        assert_eq!(calls.iter().map(|call| call.status()).collect::<Vec<_>>(), STEPS);
        for call in &calls {
            let event = call.event();
            assert_eq!(event["type"], format!("openid.credential.{}", call.status()));
            assert_eq!(event["webhookID"], webhook["id"]);
            assert_eq!(event["deliveryID"], call.header("webhook-id"));
            assert_eq!(event["data"]["organisationId"], operator.organisation_id());
            assert_eq!(event["data"]["credential"]["CredentialExchangeId"], offer.id.as_str());
            assert!(call.is_signed_with(secret) && call.is_signed_the_old_way_with(secret));
            assert!(!call.is_signed_with("whsec_AAAA"));
            for claim in ["Ilse", "Vanderstraete", "E-40417"] {
                assert!(!call.payload().contains(claim), "{call:?}");
            }
        }
        world.work().await;
        assert!(receiver.take().is_empty());
        let log = deliveries(&operator, &webhook, "sortOrder=asc").await;
        assert_eq!(log.len(), 5);
        assert!(log.iter().all(|entry| entry["status"] == "completed" && entry["responseStatusCode"] == 200));
        assert!(log.iter().all(|entry| entry["responseExcerpt"] == "thanks" && entry["attempts"] == 1));
        let one = operator.get(&format!("{WEBHOOKS}/{}/delivery/{}", id(&webhook), id(&log[0]))).await.ok();
        assert_eq!(one, log[0]);
        assert!(!world.gives_away(secret).await, "the secret is sealed");
        let shown = operator.get(&format!("{WEBHOOK}/{}", id(&webhook))).await.ok()["webhook"].clone();
        assert_eq!(shown["secretKey"], "");
    }

    /// What fails is tried again, ever later, and the steps after it wait.
    async fn a_failed_delivery_is_repeated_and_keeps_the_order(world: &World) {
        let receiver = Receiver::listen().await;
        let (operator, webhook) = subscribed(world, &receiver, &STEPS).await;
        receiver.answer(&["200 OK", "500 Oops", "302 Found"]);
        let offer = offer(&operator).await;
        world.wallet().keep(&offer.link).await;
        world.work().await;
        let first = receiver.take();
        assert_eq!(first.iter().map(|call| call.status()).collect::<Vec<_>>(), ["offer_sent", "offer_received"]);
        world.work().await;
        assert!(receiver.take().is_empty(), "not before its time");
        let waiting = deliveries(&operator, &webhook, "status=pending").await;
        assert_eq!(waiting.len(), 4);
        assert_eq!(operator.get(WEBHOOKS).await.ok()["webhooks"][0]["isLastDeliverySuccess"], false);
        world.advance(Duration::from_secs(10));
        world.work().await;
        let second = receiver.take();
        assert_eq!(second.iter().map(|call| call.status()).collect::<Vec<_>>(), ["offer_received"]);
        assert_eq!(second[0].header("webhook-id"), first[1].header("webhook-id"));
        assert_eq!(second[0].body, first[1].body);
        world.advance(Duration::from_secs(60));
        world.work().await;
        assert_eq!(receiver.statuses(), STEPS[1..]);
        assert_eq!(operator.get(WEBHOOKS).await.ok()["webhooks"][0]["isLastDeliverySuccess"], true);
    }

    /// After twelve attempts a delivery is given up, the next one passes, and a replay brings the first one back.
    async fn what_nobody_takes_is_given_up_and_can_be_replayed(world: &World) {
        let receiver = Receiver::listen().await;
        let (operator, webhook) = subscribed(world, &receiver, &["offer_sent"]).await;
        receiver.always(Some("503 Busy"));
        offer(&operator).await;
        for pause in [10, 60, 200, 900, 4500, 21_600, 57_600, 57_600, 57_600, 57_600, 57_600, 57_600] {
            world.work().await;
            world.advance(Duration::from_secs(pause));
        }
        world.work().await;
        assert_eq!(receiver.take().len(), 12);
        let dead = deliveries(&operator, &webhook, "status=failed").await;
        assert_eq!((dead.len(), &dead[0]["attempts"]), (1, &json!(12)));

        // A webhook that failed for five days is disabled, with a reason.
        let path = format!("{WEBHOOK}/{}", id(&webhook));
        assert_eq!(operator.get(&path).await.ok()["webhook"]["disabled"], false);
        world.advance(Duration::from_secs(2 * 24 * 3600));
        offer(&operator).await;
        world.work().await;
        assert_eq!(receiver.take().len(), 1);
        let shown = operator.get(&path).await.ok()["webhook"].clone();
        assert_eq!(shown["disabled"], true);
        assert!(shown["disabledReason"].as_str().is_some_and(|reason| reason.contains("five days")), "{shown}");
        world.advance(Duration::from_secs(3600));
        world.work().await;
        assert_eq!(deliveries(&operator, &webhook, "status=failed").await.len(), 2);
        assert!(receiver.take().is_empty());

        let replay = format!("{WEBHOOKS}/{}/delivery/{}/replay", id(&webhook), id(&dead[0]));
        operator.post(&replay, json!({})).await.problem(409);
        let all = format!("{WEBHOOKS}/{}/replay", id(&webhook));
        operator.post(&all, json!({"since": "2026-01-01T00:00:00Z"})).await.problem(409);
        operator.put(&path, body(&receiver.url(), &["offer_sent"])).await.ok();
        receiver.always(None);
        assert_eq!(operator.post(&replay, json!({})).await.ok()["status"], "pending");
        world.work().await;
        let calls = receiver.take();
        assert_eq!(calls.len(), 1);
        assert_eq!(calls[0].header("webhook-id"), id(&dead[0]));

        // All since an instant; those that did not arrive only.
        assert_eq!(operator.post(&all, json!({"since": "2026-01-01T00:00:00Z"})).await.ok()["replayed"], 2);
        world.work().await;
        assert_eq!(receiver.statuses(), ["offer_sent", "offer_sent"]);
        let failed = json!({"since": "2026-01-01T00:00:00Z", "failedOnly": true});
        assert_eq!(operator.post(&all, failed).await.ok()["replayed"], 0);
        assert_eq!(operator.post(&all, json!({"since": "2027-01-01T00:00:00Z"})).await.ok()["replayed"], 0);
        operator.post(&all, json!({"since": "yesterday"})).await.problem_at(400, "/since");
        operator.post(&all, json!({})).await.problem_at(400, "/since");
    }

    /// Two secrets sign while the receiver changes over.
    async fn a_secret_is_rotated_without_a_gap(world: &World) {
        let receiver = Receiver::listen().await;
        let (operator, webhook) = subscribed(world, &receiver, &["offer_sent"]).await;
        let old = webhook["secretKey"].as_str().expect("a secret");
        let new = "another secret of the organisation";
        let mut changed = body(&receiver.url(), &["offer_sent"]);
        changed["webhook"]["secretKey"] = new.into();
        operator.put(&format!("{WEBHOOK}/{}", id(&webhook)), changed).await.ok();
        offer(&operator).await;
        world.work().await;
        let call = receiver.take().remove(0);
        assert!(call.is_signed_with(old) && call.is_signed_with(new) && call.is_signed_the_old_way_with(new));
        world.advance(Duration::from_secs(24 * 3600 + 1));
        offer(&operator).await;
        world.work().await;
        let call = receiver.take().remove(0);
        assert!(!call.is_signed_with(old) && call.is_signed_with(new));
    }

    /// The form carries the JSON in `payload`; the signatures cover the JSON.
    async fn a_form_is_signed_like_the_json_in_it(world: &World) {
        let receiver = Receiver::listen().await;
        let operator = world.organisation().await;
        let mut described = body(&receiver.url(), &["offer_sent"]);
        described["webhook"]["contentType"] = "application/x-www-form-urlencoded".into();
        described["webhook"]["secretKey"] = "a secret of sixteen or more".into();
        let answer = operator.post(WEBHOOK, described).await.ok();
        assert_eq!(answer["webhook"]["secretKey"], "", "a secret that was given is not repeated");
        offer(&operator).await;
        world.work().await;
        let call = receiver.take().remove(0);
        assert!(call.is_signed_with("a secret of sixteen or more"));
        assert!(call.is_signed_the_old_way_with("a secret of sixteen or more"));
    }

    /// A test call is signed, is no delivery, and tells what came of it.
    async fn a_ping_tells_what_came_of_it(world: &World) {
        let receiver = Receiver::listen().await;
        let (operator, webhook) = subscribed(world, &receiver, &["offer_sent"]).await;
        let path = format!("{WEBHOOK}/{}/ping", id(&webhook));
        receiver.answer(&["204 No Content", "404 Not Found"]);
        let good = operator.post(&path, json!({})).await.ok();
        assert_eq!((&good["status"], &good["responseStatusCode"]), (&json!("completed"), &json!(204)));
        let bad = operator.post(&path, json!({})).await.ok();
        assert_eq!((&bad["status"], &bad["responseStatusStr"]), (&json!("failed"), &json!("404 Not Found")));
        let calls = receiver.take();
        assert_eq!(calls[0].event()["type"], "webhook.ping");
        assert!(calls[0].is_signed_with(webhook["secretKey"].as_str().expect("a secret")));
        drop(receiver);
        let gone = operator.post(&path, json!({})).await.ok();
        assert_eq!((&gone["status"], &gone["responseStatusCode"]), (&json!("failed"), &json!(0)));
        assert!(deliveries(&operator, &webhook, "").await.is_empty());
    }

    /// 410 is the receiver's word that it is gone for good.
    async fn a_receiver_that_is_gone_is_not_called_again(world: &World) {
        let receiver = Receiver::listen().await;
        let (operator, webhook) = subscribed(world, &receiver, &STEPS).await;
        receiver.answer(&["410 Gone"]);
        let offer = offer(&operator).await;
        world.wallet().keep(&offer.link).await;
        world.work().await;
        assert_eq!(receiver.take().len(), 1);
        let shown = operator.get(&format!("{WEBHOOK}/{}", id(&webhook))).await.ok()["webhook"].clone();
        assert_eq!(shown["disabled"], true);
        world.advance(Duration::from_secs(3600));
        world.work().await;
        assert!(receiver.take().is_empty());
        assert_eq!(deliveries(&operator, &webhook, "status=failed").await.len(), 5);
    }

    /// Neither another organisation's key nor another webhook's id reaches a webhook or its deliveries; roles hold.
    async fn a_webhook_is_its_organisations_and_its_administrators(world: &World) {
        let receiver = Receiver::listen().await;
        let (operator, webhook) = subscribed(world, &receiver, &["offer_sent"]).await;
        offer(&operator).await;
        world.work().await;
        let delivery = deliveries(&operator, &webhook, "").await.remove(0);
        let other = world.organisation().await;
        let paths = [
            format!("{WEBHOOK}/{}", id(&webhook)),
            format!("{WEBHOOKS}/{}/deliveries", id(&webhook)),
            format!("{WEBHOOKS}/{}/delivery/{}", id(&webhook), id(&delivery)),
        ];
        for path in &paths {
            other.get(path).await.problem(404);
            operator.get(path).await.ok();
        }
        operator.get(&format!("{WEBHOOKS}/{UNKNOWN}/delivery/{}", id(&delivery))).await.problem(404);
        other.post(&format!("{}/ping", paths[0]), json!({})).await.problem(404);
        other.post(&format!("{}/replay", paths[2]), json!({})).await.problem(404);
        other.put(&paths[0], body(&receiver.url(), &["offer_sent"])).await.problem(404);
        other.delete(&paths[0]).await.problem(404);
        let auditor = operator.with_role("auditor").await;
        auditor.get(&paths[0]).await.ok();
        auditor.post(WEBHOOK, body("http://127.0.0.1:1/", &["offer_sent"])).await.problem(403);
        auditor.delete(&paths[0]).await.problem(403);
        operator.post(WEBHOOK, body(&receiver.url(), &["offer_sent"])).await.problem(409);
        operator.post(WEBHOOK, body(&receiver.url(), &["nothing"])).await.problem(400);
        operator.delete(&paths[0]).await.ok();
        operator.get(&paths[0]).await.problem(404);
        offer(&operator).await;
        world.work().await;
        assert_eq!(receiver.take().len(), 1, "only what came before the deletion");
        for list in ["event-types", "payload/content-types"] {
            operator.get(&format!("{WEBHOOKS}/{list}")).await.ok();
        }
    }

    /// An organisation cannot make the server call what only the server can reach.
    async fn addresses_inside_are_refused(backend: Backend) {
        let environment = Environment::from([("CHANCERY_OUTBOUND_ADDRESSES".to_owned(), "public".to_owned())]);
        World::run_with(backend, Options { environment, ..Options::default() }, async |world| {
            let operator = world.organisation().await;
            for url in [
                "http://hooks.example/", "https://127.0.0.1/", "https://[::1]/", "https://10.0.0.1/", "https://169.254.169.254/",
                "https://0x7f000001/", "https://[::ffff:192.168.0.1]/", "https://user:pass@hooks.example/", "file:///etc/passwd",
            ] {
                operator.post(WEBHOOK, body(url, &["offer_sent"])).await.problem_at(400, "/webhook/payloadUrl");
            }
            // A name is looked at when it is called.
            let webhook = operator.post(WEBHOOK, body("https://localhost:1/", &["offer_sent"])).await.ok()["webhook"].clone();
            let ping = operator.post(&format!("{WEBHOOK}/{}/ping", id(&webhook)), json!({})).await.ok();
            assert_eq!(ping["status"], "failed");
            assert!(ping["statusDescription"].as_str().is_some_and(|text| text.contains("not public")), "{ping}");
        })
        .await;
    }

    /// With workers of its own a server needs no prompting.
    async fn a_server_with_workers_delivers_by_itself(backend: Backend) {
        let environment = Environment::from([("CHANCERY_SERVER_WORKERS".to_owned(), "on".to_owned())]);
        World::run_with(backend, Options { environment, ..Options::default() }, async |world| {
            let receiver = Receiver::listen().await;
            let (operator, webhook) = subscribed(world, &receiver, &["offer_sent"]).await;
            offer(&operator).await;
            let arrived = async {
                while deliveries(&operator, &webhook, "status=completed").await.is_empty() {
                    tokio::task::yield_now().await;
                }
            };
            tokio::time::timeout(Duration::from_secs(20), arrived).await.expect("a delivery");
            assert_eq!(receiver.statuses(), ["offer_sent"]);
        })
        .await;
    }

    /// Whoever still listens is told when the server stops calling somebody, and told again until it was heard.
    async fn the_other_webhooks_hear_that_one_was_disabled(world: &World) {
        let (gone, listening) = (Receiver::listen().await, Receiver::listen().await);
        let (operator, webhook) = subscribed(world, &gone, &["offer_sent"]).await;
        let other = operator.post(WEBHOOK, body(&listening.url(), &["credential_acked"])).await.ok()["webhook"].clone();
        let stranger = Receiver::listen().await;
        subscribed(world, &stranger, &["offer_sent"]).await;
        gone.answer(&["410 Gone"]);
        listening.answer(&["500 Oops"]);
        offer(&operator).await;
        world.work().await;
        let first = listening.take();
        assert_eq!(first.len(), 1, "{first:?}");
        world.advance(Duration::from_secs(1200));
        world.work().await;
        let again = listening.take();
        assert_eq!((again.len(), &again[0].body), (1, &first[0].body));
        let event = again[0].event();
        assert_eq!((&event["type"], &event["webhookID"]), (&json!("webhook.disabled"), &other["id"]));
        let told = &event["data"]["webhooks"];
        assert_eq!((&told[0]["id"], &told[0]["payloadUrl"]), (&webhook["id"], &webhook["payloadUrl"]));
        assert_eq!(told[0]["disabledReason"], "the receiver answered 410 Gone");
        assert_eq!(event["data"]["organisationId"], operator.organisation_id());
        assert!(again[0].is_signed_with(other["secretKey"].as_str().expect("a secret")));
        assert_eq!(again[0].header("webhook-id"), event["deliveryID"]);
        world.advance(Duration::from_secs(1200));
        world.work().await;
        assert!(listening.take().is_empty() && stranger.take().is_empty(), "once it was heard it is over");
        assert!(deliveries(&operator, &other, "").await.is_empty(), "it is no delivery of an event");
    }

    /// SEC-11: who has taken the receiver's place hears nothing, and the log of deliveries says why.
    async fn a_receiver_whose_certificate_nobody_vouches_for_gets_no_event(world: &World) {
        let impostor = Impostor::listen().await;
        let operator = world.organisation().await;
        let webhook = operator.post(WEBHOOK, body(&impostor.url(), &["offer_sent"])).await.ok()["webhook"].clone();
        offer(&operator).await;
        world.work().await;
        let refused = "the certificate of the server is not accepted: it is signed by nobody whom this server trusts";
        let log = deliveries(&operator, &webhook, "").await;
        assert_eq!((&log[0]["status"], &log[0]["statusDescription"]), (&json!("pending"), &json!(refused)));
        let ping = operator.post(&format!("{WEBHOOK}/{}/ping", id(&webhook)), json!({})).await.ok();
        assert_eq!((&ping["status"], &ping["statusDescription"]), (&json!("failed"), &json!(refused)));
        assert!(impostor.was_seen_through());
    }
}
