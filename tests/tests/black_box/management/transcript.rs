//! The transcript of an exchange (session events digest).

use std::time::Duration;

use chancery_tests::on_every_backend;
use chancery_tests::platform::history_path;
use chancery_tests::wallet::PRE_AUTHORIZED_CODE;

use super::*;

fn path(id: &str, query: &str) -> String {
    format!("{}/transcript?{query}", history_path(id))
}

fn texts<'v>(list: &'v Value, member: &str) -> Vec<&'v str> {
    let all = list.as_array().expect("a list");
    all.iter().map(|item| item[member].as_str().unwrap_or_else(|| panic!("no {member}: {item}"))).collect()
}

on_every_backend! {
    /// Both chronicles tell a complete exchange, newest first (docs/transcript.md).
    async fn a_complete_exchange_is_told_newest_first(world: &World) {
        let (operator, definition) = badge(world).await;
        let offer = operator.offer(&definition, &samples::staff_claims()).await;
        let wallet = world.wallet();
        world.advance(Duration::from_secs(4));
        let opened = wallet.open(&offer.link).await;
        world.advance(Duration::from_secs(4));
        let token = wallet.redeem(&opened).await;
        world.advance(Duration::from_secs(1));
        wallet.collect(&token).await;

        let transcript = operator.transcript(&offer.id).await;
        let mut events = texts(&transcript["events"], "type");
        events.retain(|event| *event != "credential_requested");
        assert_eq!(events, ["credential_issued", "token_exchanged", "offer_retrieved", "offer_created"]);
        let times = texts(&transcript["events"], "timestamp");
        assert!(times.iter().rev().is_sorted(), "{times:?}");
        assert_eq!((times[0], *times.last().expect("an event")), ("2026-01-15T12:00:09Z", "2026-01-15T12:00:00Z"));
        let configuration = &opened.offer["credential_configuration_ids"];
        let details = |kind: &str| {
            let all = transcript["events"].as_array().expect("events");
            all.iter().find(|event| event["type"] == kind).expect("the event")["details"].clone()
        };
        assert_eq!(details("offer_created"), json!({"credential_configuration_ids": configuration}));
        assert_eq!(details("token_exchanged"), json!({"grant_type": "pre-authorized_code"}));
        assert_eq!(details("credential_issued")["credential_configuration_id"], configuration[0]);
        assert_eq!(details("credential_issued")["count"], 1);

        let logs = &transcript["logs"];
        let times = texts(logs, "timestamp");
        assert!(times.iter().rev().is_sorted(), "{times:?}");
        let mut messages = texts(logs, "message");
        messages.reverse();
        let order: Vec<usize> = [
            "offer.create_requested",
            "offer.code_created",
            "offer.built",
            "offer.retrieved",
            "token.request_received",
            "token.params",
            "token.dpop_validated",
            "token.issued",
            "credential.request_received",
            "credential.config_resolved",
            "credential.proof_validated",
            "credential.issued",
        ]
        .iter()
        .map(|key| messages.iter().position(|message| message == key).unwrap_or_else(|| panic!("no {key}: {messages:?}")))
        .collect();
        assert!(order.is_sorted(), "{messages:?}");
        for record in logs.as_array().expect("records") {
            assert!(["debug", "info", "warning", "error"].contains(&record["level"].as_str().expect("a level")));
            assert_eq!((kind(&record["endpoint"]), kind(&record["data"])), ("string", "object"));
            assert_ne!(record["level"], "error", "{record}");
        }
    }

    /// Digest 8, check 1: the order is the same at every reading, although many records are of one instant.
    async fn the_order_is_stable_for_records_of_one_instant(world: &World) {
        let (operator, definition) = badge(world).await;
        let offer = operator.offer(&definition, &samples::staff_claims()).await;
        world.wallet().accept(&offer.link).await;
        let whole = operator.transcript(&offer.id).await;
        world.restart().await;
        let again = operator.transcript(&offer.id).await;
        assert_eq!(again["logs"], whole["logs"]);
        assert_eq!(again["events"], whole["events"]);
        // The same walked one by one.
        let count = whole["logs"].as_array().expect("records").len();
        let mut walked = Vec::new();
        for page in 1..=count {
            let answer = operator.get(&path(&offer.id, &format!("limit=1&logs_page={page}"))).await.ok();
            walked.push(answer["logs"][0].clone());
        }
        assert_eq!(json!(walked), whole["logs"]);
    }

    /// Digest 8, check 8.
    async fn the_chronicles_are_paged_independently(world: &World) {
        let (operator, definition) = badge(world).await;
        let offer = operator.offer(&definition, &samples::staff_claims()).await;
        world.wallet().accept(&offer.link).await;
        let whole = operator.transcript(&offer.id).await;
        let (events, logs) = (whole["events"].as_array().expect("events"), whole["logs"].as_array().expect("records"));
        for (events_page, logs_page) in [(1, 1), (2, 1), (1, 3), (2, 2), (9, 1), (1, 99)] {
            let query = format!("limit=2&events_page={events_page}&logs_page={logs_page}");
            let answer = operator.get(&path(&offer.id, &query)).await.ok();
            for (name, all, page) in [("events", events, events_page), ("logs", logs, logs_page)] {
                let skipped = (page - 1) * 2;
                let expected: Vec<&Value> = all.iter().skip(skipped).take(2).collect();
                assert_eq!(answer[name], json!(expected), "{query}");
                let pagination = json!({
                    "currentPage": page,
                    "totalItems": all.len(),
                    "totalPages": all.len().div_ceil(2),
                    "limit": 2,
                    "hasPrevious": page > 1,
                    "hasNext": skipped + 2 < all.len(),
                });
                assert_eq!(answer[format!("{name}Pagination")], pagination, "{query}");
            }
        }
        for (parameter, query) in [
            ("limit", "limit=0"),
            ("limit", "limit=101"),
            ("events_page", "events_page=0"),
            ("events_page", "events_page=-1"),
            ("logs_page", "logs_page=last"),
        ] {
            operator.get(&path(&offer.id, query)).await.problem_at(400, &format!("/{parameter}"));
        }
    }

    /// Digest 7: no code, token, PIN, nonce signature or claim value in clear.
    async fn nothing_secret_is_in_a_transcript(world: &World) {
        let (operator, definition) = badge(world).await;
        let claims = json!({"given_name": "Xanthippe", "family_name": "Quirinius", "employee_id": "Z-99417"});
        let offer = operator.offer_with_pin(&definition, &claims, "81-Kestrel").await;
        let mut wallet = world.wallet();
        let opened = wallet.open(&offer.link).await;
        wallet.transaction_code = Some("wrong-one".to_owned());
        wallet.send(wallet.token_call(&opened)).await.refused(400, "invalid_grant");
        wallet.transaction_code = Some("81-Kestrel".to_owned());
        let call = wallet
            .token_call(&opened)
            .with_header("x-forwarded-for", "203.0.113.77")
            .with_header("x-forwarded-client-cert", "Hash=abcdef")
            .with_header("cf-connecting-ip", "203.0.113.78")
            .with_header("cookie", "session=abcdef")
            .with_header("user-agent", "ReferenceWallet/3.1");
        let token_proof = call.dpop.as_ref().expect("a proof").compact();
        let token = chancery_tests::Token { response: wallet.send(call).await.ok(), opened };
        let nonce = wallet.nonce(&token.opened).await;
        let call = wallet.credential_call(&token, &nonce);
        let key_proof = call.proofs[0].compact();
        let response = wallet.send(call).await.ok();
        let credential = response["credentials"][0]["credential"].as_str().expect("a credential");

        let text = operator.get(&path(&offer.id, "limit=100")).await.text();
        let code = token.opened.offer["grants"][PRE_AUTHORIZED_CODE]["pre-authorized_code"].as_str().expect("a code");
        let signature = |jwt: &str| jwt.rsplit_once('.').expect("a signature").1.to_owned();
        let (token_signature, key_signature) = (signature(&token_proof), signature(&key_proof));
        for secret in [
            code,
            token.value(),
            "81-Kestrel",
            "wrong-one",
            "Xanthippe",
            "Quirinius",
            "Z-99417",
            "203.0.113",
            "Hash=abcdef",
            "session=abcdef",
            operator.key(),
            credential,
            &token_signature,
            &key_signature,
        ] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
        // What serves diagnosis stays: names, the wallet's version, and the proofs decoded.
        for kept in ["ReferenceWallet/3.1", "openid4vci-proof+jwt", "dpop+jwt"] {
            assert!(text.contains(kept), "{kept} is not in {text}");
        }
    }

    /// Digest 3.4: an error record says what was wrong, what to do about it, and where that is written.
    async fn an_error_record_explains_itself(world: &World) {
        let (operator, definition) = badge(world).await;
        let offer = operator.offer_with_pin(&definition, &samples::staff_claims(), "4711").await;
        let mut wallet = world.wallet();
        let opened = wallet.open(&offer.link).await;
        wallet.send(wallet.token_call(&opened)).await.refused(400, "invalid_request");
        wallet.transaction_code = Some("0000".to_owned());
        wallet.send(wallet.token_call(&opened)).await.refused(400, "invalid_grant");
        wallet.transaction_code = Some("4711".to_owned());
        wallet.send(wallet.token_call(&opened).without_dpop().with_header("dpop", "x")).await;
        let token = wallet.redeem(&opened).await;
        let nonce = wallet.nonce(&opened).await;
        let call = wallet.credential_call(&token, &nonce);
        wallet.send(call.with_proof(|proof| proof.with_claim("aud", "https://elsewhere.example"))).await;
        let nonce = wallet.nonce(&opened).await;
        let call = wallet.credential_call(&token, &nonce).with_member("credential_configuration_id", Value::Null);
        wallet.send(call).await;

        let records = operator.records(&offer.id).await;
        let errors: Vec<&Value> = records.iter().filter(|record| record["level"] == "error").collect();
        assert!(errors.len() >= 5, "{errors:#?}");
        for record in errors {
            for member in ["reason", "help", "spec_ref"] {
                let text = record["data"][member].as_str().unwrap_or_default();
                assert!(!text.is_empty(), "no {member}: {record:#}");
            }
            assert_ne!(record["supportCode"], "", "{record:#}");
        }
        // The gap of the playground closed: a failed credential request is an event too.
        let events = operator.events(&offer.id).await;
        assert!(events.iter().any(|event| event["type"] == "credential_failed"), "{events:#?}");
        assert_eq!(operator.status(&offer.id).await, "token_issued");
        wallet.collect(&token).await;
    }

    /// Digest 8, check 10.
    async fn a_transcript_of_another_organisation_is_not_found(world: &World) {
        let (operator, definition) = badge(world).await;
        let offer = operator.offer(&definition, &samples::staff_claims()).await;
        let stranger = world.organisation().await;
        for id in [offer.id.as_str(), UNKNOWN, "nothing"] {
            assert_problem(&stranger.get(&path(id, "")).await, 404, "not-found");
        }
    }
}
