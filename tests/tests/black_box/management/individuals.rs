//! Individuals: registered, read, replaced, listed and erased.

use chancery_tests::{MailServer, on_every_backend};
use reqwest::Method;

use super::*;

const INDIVIDUAL: &str = "/v2/config/individual";
const INDIVIDUALS: &str = "/v2/config/individuals";

fn ada() -> Value {
    json!({ "individual": {
        "name": "Ada Lovelace",
        "email": "ada.lovelace@example.org",
        "phone": "+32 2 123 45 67",
        "externalId": "P-4711",
        "externalIdType": "payroll",
        "identityProviderId": "idp-1",
        "iamId": "iam-1",
        "deviceType": "phone",
        "deliveryChannel": "walletEndpoint",
        "walletEndpoint": "https://wallet.example/offers",
        "pinChannel": "webhook",
    } })
}

async fn register(operator: &Operator, body: Value) -> (String, Value) {
    let individual = operator.post(INDIVIDUAL, body).await.ok()["individual"].clone();
    (format!("{INDIVIDUAL}/{}", individual["id"].as_str().expect("an id")), individual)
}

on_every_backend! {
    async fn an_individual_is_registered_read_replaced_and_erased(world: &World) {
        let operator = world.organisation().await;
        let (path, individual) = register(&operator, ada()).await;
        for (name, value) in ada()["individual"].as_object().expect("members") {
            assert_eq!(&individual[name], value, "{name}");
        }
        assert_eq!((&individual["mapperId"], &individual["revision"]), (&json!("P-4711"), &json!(1)));
        assert_eq!(individual["createdAt"], START);
        let read = operator.get(&path).await;
        assert_eq!((&read.ok()["individual"], read.header("etag")), (&individual, Some("\"1\"")));
        // What was read can be sent back.
        let replaced = operator.put(&path, json!({"individual": individual})).await.ok()["individual"].clone();
        assert_eq!((&replaced["revision"], &replaced["email"]), (&json!(2), &individual["email"]));
        let emptied = operator.put(&path, json!({"individual": {"name": "Ada King"}})).await.ok()["individual"].clone();
        assert_eq!((&emptied["name"], &emptied["email"]), (&json!("Ada King"), &json!("")));
        assert_eq!((&emptied["deliveryChannel"], &emptied["externalId"]), (&json!("none"), &json!("")));
        assert_eq!(operator.delete(&path).await.ok()["success"], true);
        for answer in [
            operator.get(&path).await,
            operator.delete(&path).await,
            operator.put(&path, ada()).await,
            operator.get(&format!("{INDIVIDUAL}/{UNKNOWN}")).await,
            operator.get(&format!("{INDIVIDUAL}/x")).await,
        ] {
            assert_problem(&answer, 404, "not-found");
        }
        operator.post(INDIVIDUAL, json!({"individual": {}})).await.ok();
    }

    async fn what_is_wrong_with_an_individual_is_named(world: &World) {
        let operator = world.organisation().await;
        let before = world.database.census().await;
        for (member, value) in [
            ("email", json!("ada")),
            ("email", json!("ada@example.org\r\nBcc: eve@example.org")),
            ("phone", json!("call me")),
            ("name", json!("x".repeat(256))),
            ("externalId", json!(4711)),
            ("mapperId", json!("P-4712")),
            ("walletEndpoint", json!("wallet")),
            ("walletEndpoint", json!("https://user:secret@wallet.example/")),
            ("deliveryChannel", json!("pigeon")),
            ("pinChannel", json!("walletEndpoint")),
            ("typo", json!(1)),
        ] {
            let mut body = ada();
            body["individual"][member] = value;
            operator.post(INDIVIDUAL, body).await.problem_at(400, &format!("/individual/{member}"));
        }
        for (changes, pointer) in [
            (json!({"deliveryChannel": "walletEndpoint", "walletEndpoint": ""}), "/individual/walletEndpoint"),
            (json!({"deliveryChannel": "email", "email": ""}), "/individual/email"),
            // The server of this world has nobody to hand mail to.
            (json!({"deliveryChannel": "email"}), "/individual/deliveryChannel"),
            (json!({"deliveryChannel": "webhook", "pinChannel": "webhook"}), "/individual/pinChannel"),
        ] {
            let mut body = ada();
            for (name, value) in changes.as_object().expect("members") {
                body["individual"][name] = value.clone();
            }
            operator.post(INDIVIDUAL, body).await.problem_at(400, pointer);
        }
        operator.post(INDIVIDUAL, json!({})).await.problem_at(400, "/individual");
        operator.post(INDIVIDUAL, json!({"individual": "Ada"})).await.problem_at(400, "/individual");
        let mut after = world.database.census().await;
        after.retain(|(table, _)| !table.starts_with("audit"));
        let mut before = before;
        before.retain(|(table, _)| !table.starts_with("audit"));
        assert_eq!(after, before);
    }

    /// In one organisation; another one may know the same person.
    async fn an_external_id_is_unique_in_its_organisation(world: &World) {
        let operator = world.organisation().await;
        register(&operator, ada()).await;
        assert_problem(&operator.post(INDIVIDUAL, ada()).await, 409, "external-id-taken");
        let (other, _) = register(&operator, json!({"individual": {"externalId": "P-2"}})).await;
        assert_problem(&operator.put(&other, ada()).await, 409, "external-id-taken");
        operator.put(&other, json!({"individual": {"externalId": "P-2", "name": "Grace"}})).await.ok();
        register(&world.organisation().await, ada()).await;
        // None at all is not unique.
        register(&operator, json!({"individual": {}})).await;
        register(&operator, json!({"individual": {}})).await;
    }

    async fn of_parallel_registrations_of_one_external_id_one_succeeds(world: &World) {
        let operator = world.organisation().await;
        let calls: Vec<_> = (0..8)
            .map(|_| {
                let operator = operator.clone();
                tokio::spawn(async move { operator.post(INDIVIDUAL, ada()).await })
            })
            .collect();
        let mut registered = 0;
        for call in calls {
            let answer = call.await.expect("an answer");
            match answer.status {
                200 => registered += 1,
                _ => assert_problem(&answer, 409, "external-id-taken"),
            }
        }
        assert_eq!(registered, 1);
        assert_eq!(operator.get(INDIVIDUALS).await.ok()["pagination"]["totalItems"], 1);
    }

    /// RFC 9110 §13.1.1.
    async fn a_change_for_another_version_is_refused(world: &World) {
        let operator = world.organisation().await;
        let (path, _) = register(&operator, ada()).await;
        let put = async |tag: &str| {
            operator.send(operator.request(Method::PUT, &path).header("if-match", tag).json(&ada())).await
        };
        assert_eq!(put("\"1\"").await.header("etag"), Some("\"2\""));
        assert_problem(&put("\"1\"").await, 412, "precondition-failed");
        put("*").await.ok();
        let delete = async |tag: &str| operator.send(operator.request(Method::DELETE, &path).header("if-match", tag)).await;
        assert_problem(&delete("\"1\"").await, 412, "precondition-failed");
        let changes = [put("\"3\""), put("\"3\""), put("\"3\"")];
        let [one, two, three] = changes;
        let (one, two, three) = tokio::join!(one, two, three);
        let done = [&one, &two, &three].into_iter().filter(|answer| answer.status == 200).count();
        assert_eq!(done, 1);
        delete("\"4\"").await.ok();
    }

    async fn individuals_are_listed_in_pages_and_found_by_external_id(world: &World) {
        let operator = world.organisation().await;
        check_pages(async |query| operator.get(&format!("{INDIVIDUALS}?{query}")).await, "individuals", "id", 0, 3).await;
        for number in 0..7 {
            register(&operator, json!({"individual": {"externalId": format!("P {number}/ä")}})).await;
        }
        check_pages(async |query| operator.get(&format!("{INDIVIDUALS}?{query}")).await, "individuals", "id", 7, 3).await;
        let found = operator.get(&format!("{INDIVIDUALS}?externalIndividualId=P%203/%C3%A4")).await.ok();
        assert_eq!(found["individuals"][0]["externalId"], "P 3/ä");
        assert_eq!(found["pagination"]["totalItems"], 1);
        for nobody in ["P%203", "p%203/%C3%A4", "x"] {
            let found = operator.get(&format!("{INDIVIDUALS}?externalIndividualId={nobody}")).await.ok();
            assert_eq!(found["individuals"], json!([]), "{nobody}");
        }
        assert_problem(&operator.get(&format!("{INDIVIDUALS}?limit=0")).await, 400, "invalid-query");
    }

    /// What is known of a person is neither in the audit log nor in clear in the database.
    async fn what_is_known_of_a_person_is_sealed_and_not_in_the_audit_log(world: &World) {
        let operator = world.organisation().await;
        let (path, _) = register(&operator, ada()).await;
        operator.put(&path, ada()).await.ok();
        operator.delete(&path).await.ok();
        let log = operator.get("/v2/config/audit?limit=100").await;
        let actions: Vec<_> = log.ok()["audit"].as_array().into_iter().flatten().map(|entry| entry["action"].clone()).collect();
        for action in ["createIndividual", "updateIndividual", "eraseIndividual"] {
            assert!(log.text().contains(action), "{action} in {actions:?}");
        }
        for secret in ["ada.lovelace@example.org", "Lovelace", "P-4711", "123 45 67", "wallet.example/offers"] {
            assert!(!log.mentions(secret), "{secret}");
            assert!(!world.gives_away(secret).await, "{secret}");
        }
    }

    async fn the_same_registration_under_one_key_registers_once(world: &World) {
        let operator = world.organisation().await;
        let post = async || {
            let request = operator.request(Method::POST, INDIVIDUAL).header("idempotency-key", "one").json(&ada());
            operator.send(request).await.ok()
        };
        assert_eq!(post().await, post().await);
        assert_eq!(operator.get(INDIVIDUALS).await.ok()["pagination"]["totalItems"], 1);
    }

    async fn with_a_mail_server_individuals_are_reached_by_mail(backend: Backend) {
        MailServer::run(backend, async |world, _| {
            let operator = world.organisation().await;
            let mut body = ada();
            body["individual"]["deliveryChannel"] = "email".into();
            register(&operator, body.clone()).await;
            body["individual"]["pinChannel"] = "email".into();
            operator.post(INDIVIDUAL, body).await.problem_at(400, "/individual/pinChannel");
        })
        .await;
    }
}
