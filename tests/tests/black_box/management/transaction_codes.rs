//! `userPin` decides the grant (management API contract); every row is read off the offer that a wallet fetches.

use chancery_tests::on_every_backend;
use chancery_tests::platform::issue_body;
use chancery_tests::wallet::PRE_AUTHORIZED_CODE;

use super::*;

/// A badge of which the identity provider says a claim, too.
async fn mapped_badge(world: &World) -> (Operator, Value) {
    let operator = world.organisation().await;
    let mut badge = samples::staff_badge();
    badge["credentialDefinitions"][0]["identityMapping"] = json!([{"claim": ["employee_id"], "from": ["staff_id"]}]);
    let definition = operator.define(&badge).await;
    (operator, definition)
}

/// An issue request with this `userPin`, or without one.
fn body(definition: &Value, pin: Option<Value>) -> Value {
    let mut body = issue_body(definition, &samples::staff_claims());
    match pin {
        Some(pin) => body["userPin"] = pin,
        None => drop(body.as_object_mut().expect("members").shift_remove("userPin")),
    }
    body
}

on_every_backend! {
    /// AUT-11: claims that nothing binds to a person would go to whoever has the link and can sign in.
    async fn an_offer_that_is_for_nobody_in_particular_is_refused(world: &World) {
        let (operator, definition) = badge(world).await;
        let before = world.database.census().await;
        for pin in [None, Some(Value::Null)] {
            operator.issue(body(&definition, pin)).await.problem_at(400, "/userPin");
        }
        assert_eq!(world.database.census().await, before);
        for pin in ["", "4711"] {
            operator.offer_of(body(&definition, Some(pin.into()))).await;
        }
        // The claims that are given must be among those that are mapped.
        let (operator, definition) = mapped_badge(world).await;
        let mut other = body(&definition, None);
        other["credential"]["claims"].as_object_mut().expect("claims").shift_remove("employee_id");
        operator.issue(other.clone()).await.problem_at(400, "/userPin");
        for (iam_id, status) in [("", 400), ("person-1", 200)] {
            let individual = json!({"individual": {"externalId": format!("P-{status}"), "iamId": iam_id}});
            let individual = operator.post("/v2/config/individual", individual).await.ok();
            other["individualId"] = individual["individual"]["id"].clone();
            assert_eq!(operator.issue(other.clone()).await.status, status, "{iam_id}");
        }
    }

    /// Absent: an authorization code grant with `issuer_state`.
    async fn without_a_user_pin_the_offer_has_an_authorization_code_grant(world: &World) {
        let (operator, definition) = mapped_badge(world).await;
        for pin in [None, Some(Value::Null)] {
            let offer = operator.offer_of(body(&definition, pin)).await;
            assert_eq!(offer.history["isPreAuthorised"], false);
            let opened = world.wallet().open(&offer.link).await;
            let grants = opened.offer["grants"].as_object().expect("grants");
            assert_eq!(grants.keys().collect::<Vec<_>>(), ["authorization_code"]);
            let state = grants["authorization_code"]["issuer_state"].as_str().expect("issuer_state");
            assert_eq!(state.len(), 43);
            assert!(!world.gives_away(state).await);
        }
    }

    /// Empty: a pre-authorized code, and nothing to type.
    async fn with_an_empty_user_pin_the_code_alone_is_enough(world: &World) {
        let (operator, definition) = badge(world).await;
        let offer = operator.offer_of(body(&definition, Some(json!("")))).await;
        assert_eq!(offer.history["isPreAuthorised"], true);
        let wallet = world.wallet();
        let opened = wallet.open(&offer.link).await;
        let grants = opened.offer["grants"].as_object().expect("grants");
        assert_eq!(grants.keys().collect::<Vec<_>>(), [PRE_AUTHORIZED_CODE]);
        assert_eq!(grants[PRE_AUTHORIZED_CODE].get("tx_code"), None);
        wallet.collect(&wallet.redeem(&opened).await).await;
    }

    /// 4 to 12 characters: a pre-authorized code with a transaction code, whose shape the offer tells (M8: digits only
    /// gives `numeric`).
    async fn a_user_pin_becomes_a_transaction_code(world: &World) {
        let (operator, definition) = badge(world).await;
        for (pin, mode, length) in [
            ("1234", "numeric", 4),
            ("000000", "numeric", 6),
            ("123456789012", "numeric", 12),
            ("12a4", "text", 4),
            ("pass word", "text", 9),
            ("-1234", "text", 5),
            ("1.50", "text", 4),
            ("zażółć", "text", 6),
            ("١٢٣٤", "text", 4),
        ] {
            let offer = operator.offer_of(body(&definition, Some(json!(pin)))).await;
            assert_eq!(offer.history["isPreAuthorised"], true);
            assert_eq!(offer.history["userPin"], "", "a PIN is not echoed");
            let mut wallet = world.wallet();
            let opened = wallet.open(&offer.link).await;
            let described = &opened.offer["grants"][PRE_AUTHORIZED_CODE]["tx_code"];
            assert_eq!(described["input_mode"].as_str().unwrap_or("numeric"), mode, "{pin}");
            assert_eq!(described["length"], length, "{pin}");
            wallet.send(wallet.token_call(&opened)).await.refused(400, "invalid_request");
            wallet.transaction_code = Some("9876".to_owned());
            wallet.send(wallet.token_call(&opened)).await.refused(400, "invalid_grant");
            wallet.transaction_code = Some(pin.to_owned());
            wallet.redeem(&opened).await;
        }
    }

    async fn a_user_pin_of_another_length_or_kind_is_refused(world: &World) {
        let (operator, definition) = badge(world).await;
        let before = world.database.census().await;
        for pin in [
            json!("1"),
            json!("123"),
            json!("zaż"),
            json!("1234567890123"),
            json!("p".repeat(10_000)),
            json!(1234),
            json!(true),
            json!(["1234"]),
            json!({}),
            json!("12\n34"),
            json!("12\u{0}34"),
        ] {
            let answer = operator.issue(body(&definition, Some(pin))).await;
            answer.problem_at(400, "/userPin");
            assert!(!answer.mentions("1234567890123"), "{answer}");
        }
        assert_eq!(world.database.census().await, before);
    }

    /// The PIN is nowhere: not in an answer, a transcript, a log, or the database.
    async fn a_user_pin_is_shown_nowhere(world: &World) {
        let (operator, definition) = badge(world).await;
        let pin = "7hQ-49Xw2kBv";
        let request = operator.request(reqwest::Method::POST, chancery_tests::platform::ISSUE);
        let request = request.header("idempotency-key", "pin").json(&body(&definition, Some(json!(pin))));
        let issued = operator.send(request).await;
        let id = issued.ok()["credentialHistory"]["id"].as_str().expect("an id").to_owned();
        let mut wallet = world.wallet();
        let link = issued.json()["credentialHistory"]["credentialOffer"].as_str().expect("a link").to_owned();
        let opened = wallet.open(&link).await;
        for typed in ["7hQ-49Xw2kBw", pin] {
            wallet.transaction_code = Some(typed.to_owned());
            wallet.send(wallet.token_call(&opened)).await;
        }
        let path = chancery_tests::platform::history_path(&id);
        for answer in [
            issued,
            operator.get(&path).await,
            operator.get(&format!("{path}/transcript")).await,
            operator.get(HISTORY).await,
        ] {
            assert!(!answer.mentions(pin) && !answer.mentions("7hQ-49Xw2kBw"), "{answer}");
        }
        assert_eq!(operator.status(&id).await, "token_issued");
        assert!(!world.gives_away(pin).await);
    }
}
