//! API keys of an organisation (management API contract).

use std::time::Duration;

use chancery_tests::on_every_backend;
use chancery_tests::platform::API_KEYS;
use reqwest::Method;

use super::*;

const DAY: Duration = Duration::from_secs(86_400);

async fn create(operator: &Operator, body: Value) -> Value {
    operator.post(API_KEYS, body).await.ok()["apiKey"].clone()
}

fn text(key: &Value) -> &str {
    key["apiKey"].as_str().expect("a key")
}

/// The listed key with this id.
async fn listed(operator: &Operator, id: &Value) -> Value {
    let list = operator.get(&format!("{API_KEY_LIST}?limit=100")).await.ok();
    let keys = list["apiKeys"].as_array().expect("keys");
    keys.iter().find(|key| key["id"] == *id).unwrap_or_else(|| panic!("no {id} in {list}")).clone()
}

on_every_backend! {
    /// M13: the secret is in the answer to its creation and nowhere else, not even in the database.
    async fn a_key_is_shown_once_and_never_again(world: &World) {
        let operator = world.organisation().await;
        let key = create(&operator, json!({"name": "issuing service", "role": "issuer", "expiryInDays": 90})).await;
        let secret = text(&key);
        // 256 random bits are 43 characters of base64url.
        assert!(secret.len() >= 43, "{}", secret.len());
        assert_eq!((&key["name"], &key["role"]), (&json!("issuing service"), &json!("issuer")));
        assert_eq!(key["expiryInDays"], 90);
        assert_eq!(key["timestamp"], "2026-01-15T12:00:00Z");
        assert_eq!(key["expiryTimestamp"], "2026-04-15T12:00:00Z");
        assert_eq!((&key["revoked"], &key["lastUsedTimestamp"]), (&json!(false), &json!("")));
        operator.with_key(secret).get(DEFINITIONS).await.ok();

        let list = operator.get(API_KEY_LIST).await;
        assert!(!list.mentions(secret) && !list.mentions(operator.key()), "{list}");
        assert_eq!(listed(&operator, &key["id"]).await["apiKey"], "");
        for secret in [secret, operator.key()] {
            assert!(!world.gives_away(secret).await);
            let tail = &secret[secret.len() - 43..];
            assert!(!world.gives_away(tail).await);
        }
    }

    async fn a_key_expires_to_the_second(world: &World) {
        let operator = world.organisation().await;
        let key = create(&operator, json!({"name": "short", "role": "issuer", "expiryInDays": 1})).await;
        let program = operator.with_key(text(&key));
        world.advance(DAY - Duration::from_secs(1));
        program.get(DEFINITIONS).await.ok();
        world.advance(Duration::from_secs(1));
        assert_problem(&program.get(DEFINITIONS).await, 401, "unauthorized");
        operator.get(DEFINITIONS).await.ok();
    }

    /// As in the original contract: zero and negative days become 30.
    async fn a_key_lives_thirty_days_unless_told_otherwise(world: &World) {
        let operator = world.organisation().await;
        for body in [
            json!({"name": "k", "role": "auditor"}),
            json!({"name": "k", "role": "auditor", "expiryInDays": 0}),
            json!({"name": "k", "role": "auditor", "expiryInDays": -7}),
        ] {
            let key = create(&operator, body).await;
            assert_eq!((&key["expiryInDays"], &key["expiryTimestamp"]), (&json!(30), &json!("2026-02-14T12:00:00Z")));
        }
    }

    async fn a_revoked_key_opens_nothing_from_that_moment_on(world: &World) {
        let operator = world.organisation().await;
        let key = create(&operator, json!({"name": "leaked", "role": "admin"})).await;
        let program = operator.with_key(text(&key));
        program.get(DEFINITIONS).await.ok();
        let path = format!("{API_KEYS}/{}", key["id"].as_str().expect("an id"));
        assert_eq!(operator.delete(&path).await.status, 204);
        assert_problem(&program.get(DEFINITIONS).await, 401, "unauthorized");
        let revoked = listed(&operator, &key["id"]).await;
        assert_eq!(revoked["revoked"], true);
        assert_eq!(revoked["revokedTimestamp"], "2026-01-15T12:00:00Z");
        // Revoking again changes nothing, and neither does a restart.
        world.advance(Duration::from_secs(5));
        operator.delete(&path).await;
        assert_eq!(listed(&operator, &key["id"]).await["revokedTimestamp"], revoked["revokedTimestamp"]);
        world.restart().await;
        program.get(DEFINITIONS).await.problem(401);
        operator.get(DEFINITIONS).await.ok();
        assert_problem(&operator.delete(&format!("{API_KEYS}/{UNKNOWN}")).await, 404, "not-found");
    }

    /// The last use is noted to the minute.
    async fn the_last_use_of_a_key_is_noted(world: &World) {
        let operator = world.organisation().await;
        let key = create(&operator, json!({"name": "watched", "role": "auditor"})).await;
        let program = operator.with_key(text(&key));
        for expected in ["2026-01-15T12:05:00Z", "2026-01-15T12:10:00Z"] {
            world.advance(Duration::from_secs(300));
            program.get(DEFINITIONS).await.ok();
            // Noted in the background: the answer to the program does not wait for it.
            let mut noted = Value::Null;
            for _ in 0..500 {
                noted = listed(&operator, &key["id"]).await["lastUsedTimestamp"].clone();
                if noted == expected {
                    break;
                }
            }
            assert_eq!(noted, expected);
        }
    }

    async fn only_an_authorization_header_of_the_documented_form_is_read(world: &World) {
        let operator = world.organisation().await;
        let key = operator.key();
        let with = async |values: &[String]| {
            let url = format!("{}{DEFINITIONS}", world.management_url());
            let mut request = world.http().request(Method::GET, &url);
            for value in values {
                request = request.header("authorization", value);
            }
            world.http().send(request).await
        };
        with(&[format!("apikey {key}")]).await.ok();
        let flipped = format!("{}{}", &key[..key.len() - 1], if key.ends_with('A') { 'B' } else { 'A' });
        for wrong in [
            vec![],
            vec![String::new()],
            vec![key.to_owned()],
            vec![format!("Bearer {key}")],
            vec![format!("Basic {key}")],
            vec!["ApiKey".to_owned()],
            vec![format!("ApiKey {key} {key}")],
            vec![format!("ApiKey {key}x")],
            vec![format!("ApiKey {}", &key[1..])],
            vec![format!("ApiKey {flipped}")],
            vec![format!("ApiKey {}", key.to_uppercase())],
            vec![format!("ApiKey {}", "k".repeat(4000))],
            vec![format!("ApiKey {key}"), format!("ApiKey {key}")],
        ] {
            let answer = with(&wrong).await;
            assert_problem(&answer, 401, "unauthorized");
            assert_eq!(answer.header("www-authenticate"), Some("ApiKey realm=\"chancery\""), "{answer}");
            assert!(!answer.mentions(key), "{answer}");
        }
        // Neither the query nor a cookie is a place for keys.
        let url = format!("{}{DEFINITIONS}?apiKey={key}&api_key={key}", world.management_url());
        world.http().get(&url).await.problem(401);
    }

    async fn a_wrong_description_of_a_key_is_refused_by_its_place(world: &World) {
        let operator = world.organisation().await;
        let before = world.database.census().await;
        for (pointer, body) in [
            ("/name", json!({"role": "admin"})),
            ("/name", json!({"name": " ", "role": "admin"})),
            ("/name", json!({"name": "n".repeat(256), "role": "admin"})),
            ("/role", json!({"name": "k"})),
            ("/role", json!({"name": "k", "role": "owner"})),
            ("/role", json!({"name": "k", "role": ["admin"]})),
            ("/expiryInDays", json!({"name": "k", "role": "admin", "expiryInDays": "30"})),
            ("/expiryInDays", json!({"name": "k", "role": "admin", "expiryInDays": 1.5})),
            ("/expiryInDays", json!({"name": "k", "role": "admin", "expiryInDays": 100_000})),
            ("/apiKey", json!({"name": "k", "role": "admin", "apiKey": "chosen by the caller"})),
        ] {
            operator.post(API_KEYS, body).await.problem_at(400, pointer);
        }
        assert_eq!(world.database.census().await, before);
    }

    async fn keys_are_listed_in_pages(world: &World) {
        let operator = world.organisation().await;
        let list = async |query: &str| operator.get(&format!("{API_KEY_LIST}?{query}")).await;
        check_pages(list, "apiKeys", "id", 1, 2).await;
        for total in 2..=3 {
            world.advance(Duration::from_secs(1));
            create(&operator, json!({"name": "another", "role": "auditor"})).await;
            check_pages(list, "apiKeys", "id", total, 2).await;
        }
    }
}
