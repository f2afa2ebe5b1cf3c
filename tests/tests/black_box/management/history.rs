//! Records: status walk, list, filters, pages, search, deletion.

use std::time::Duration;

use chancery_tests::on_every_backend;
use chancery_tests::platform::history_path;
use chancery_tests::wallet::offer_uri;

use super::*;

/// Ids of the records that a query finds, which must be as many as it counts.
async fn found(operator: &Operator, query: &str) -> Vec<String> {
    let list = operator.get(&format!("{HISTORY}?{query}")).await.ok();
    let records = list["credentialHistory"].as_array().expect("records");
    let ids: Vec<String> = records.iter().map(|record| record["id"].as_str().expect("an id").to_owned()).collect();
    assert_eq!(list["pagination"]["totalItems"], ids.len(), "{query}");
    ids
}

on_every_backend! {
    /// Each status is entered once, in order, and never left backwards (management API contract).
    async fn a_record_walks_from_offer_to_credential(world: &World) {
        let (operator, definition) = badge(world).await;
        let offer = operator.offer(&definition, &samples::staff_claims()).await;
        let updated = async |status: &str| {
            let record = operator.history(&offer.id).await;
            assert_eq!(record["status"], status);
            record["updatedAt"].as_i64().expect("seconds") - START
        };
        assert_eq!(updated("offer_sent").await, 0);
        let wallet = world.wallet();
        world.advance(Duration::from_secs(10));
        let opened = wallet.open(&offer.link).await;
        assert_eq!(updated("offer_received").await, 10);
        world.advance(Duration::from_secs(10));
        let token = wallet.redeem(&opened).await;
        assert_eq!(updated("token_issued").await, 20);
        world.advance(Duration::from_secs(10));
        let received = wallet.collect(&token).await;
        assert_eq!(updated("credential_issued").await, 30);
        wallet.open(&offer.link).await;
        updated("credential_issued").await;
        world.advance(Duration::from_secs(10));
        let notification = received.response["notification_id"].as_str().expect("an id");
        let call = wallet.notification_call(&token, notification, "credential_accepted");
        assert_eq!(wallet.send(call).await.status, 204);
        assert_eq!(updated("credential_accepted").await, 40);

        let events: Vec<Value> = operator.events(&offer.id).await.iter().map(|event| event["type"].clone()).collect();
        let steps = ["offer_created", "offer_retrieved", "token_exchanged", "credential_issued"];
        let order: Vec<usize> = steps
            .iter()
            .map(|step| events.iter().position(|event| event == step).unwrap_or_else(|| panic!("no {step}: {events:?}")))
            .collect();
        assert!(order.is_sorted(), "{events:?}");
    }

    /// Filters narrow each other. Buckets as in the contract: those that are true are shown together, those that are
    /// false are left out.
    async fn records_are_found_by_their_filters(world: &World) {
        let operator = world.organisation().await;
        let first = operator.define(&samples::staff_badge()).await;
        let second = operator.define(&samples::pid()).await;
        let sent = operator.offer(&first, &samples::staff_claims()).await.id;
        world.advance(Duration::from_secs(1));
        let received = operator.offer(&second, &samples::pid_claims()).await;
        world.advance(Duration::from_secs(1));
        let redeemed = operator.offer(&first, &samples::staff_claims()).await;
        world.advance(Duration::from_secs(1));
        let acked = operator.offer(&second, &samples::pid_claims()).await;
        let mut wallet = world.wallet();
        wallet.open(&received.link).await;
        wallet.client_id = Some("wallet-seven".to_owned());
        wallet.redeem(&wallet.open(&redeemed.link).await).await;
        wallet.client_id = Some("https://wallet.example/8".to_owned());
        let taken = wallet.accept(&acked.link).await;
        let notification = taken.response["notification_id"].as_str().expect("an id");
        let call = wallet.notification_call(&taken.token, notification, "credential_failure");
        assert_eq!(wallet.send(call).await.status, 204);

        let (received, redeemed, acked) = (received.id, redeemed.id, acked.id);
        let id = |definition: &Value| definition["credentialDefinitionId"].as_str().expect("an id").to_owned();
        let (first, second) = (id(&first), id(&second));
        for (query, expected) in [
            (String::new(), vec![&acked, &redeemed, &received, &sent]),
            ("sortOrder=asc".to_owned(), vec![&sent, &received, &redeemed, &acked]),
            ("status=offer_sent".to_owned(), vec![&sent]),
            ("status=offer_received".to_owned(), vec![&received]),
            ("status=token_issued".to_owned(), vec![&redeemed]),
            ("status=credential_acked".to_owned(), vec![&acked]),
            ("status=credential_issued".to_owned(), vec![]),
            ("status=credential_accepted".to_owned(), vec![]),
            ("status=credential_deleted".to_owned(), vec![]),
            ("status=issuance_denied".to_owned(), vec![]),
            (format!("credentialDefinitionId={first}"), vec![&redeemed, &sent]),
            (format!("credentialDefinitionId={second}&status=offer_received"), vec![&received]),
            (format!("credentialDefinitionId={UNKNOWN}"), vec![]),
            ("credentialDefinitionId=badge".to_owned(), vec![]),
            ("holderDid=wallet-seven".to_owned(), vec![&redeemed]),
            ("holderDid=wallet".to_owned(), vec![]),
            ("accepted=true".to_owned(), vec![&acked]),
            ("accepted=false".to_owned(), vec![&redeemed, &received, &sent]),
            ("denied=false&revoked=false".to_owned(), vec![&acked, &redeemed, &received, &sent]),
            ("inProgress=true&status=token_issued".to_owned(), vec![&redeemed]),
            ("revoked=true".to_owned(), vec![]),
            ("denied=true".to_owned(), vec![]),
            ("denied=true&accepted=true".to_owned(), vec![&acked]),
            (format!("search={redeemed}"), vec![&redeemed]),
            ("search=person%20IDENT".to_owned(), vec![&acked, &received]),
            ("search=nobody".to_owned(), vec![]),
            ("search='%20OR%201=1--".to_owned(), vec![]),
            ("individualId=x".to_owned(), vec![]),
            ("mapperId=x".to_owned(), vec![]),
            ("dataAgreementId=x".to_owned(), vec![]),
        ] {
            assert_eq!(found(&operator, &query).await.iter().collect::<Vec<_>>(), expected, "{query}");
        }
        assert!(found(&operator, "inProgress=true").await.contains(&sent));
        let stranger = world.organisation().await;
        for query in [String::new(), format!("search={acked}"), format!("credentialDefinitionId={first}")] {
            assert_eq!(found(&stranger, &query).await, [""; 0]);
        }
    }

    /// At 0, 1, limit and limit + 1 records, also when all are of the same instant.
    async fn records_are_listed_in_pages(world: &World) {
        let (operator, definition) = badge(world).await;
        let list = async |query: &str| operator.get(&format!("{HISTORY}?{query}")).await;
        check_pages(list, "credentialHistory", "id", 0, 3).await;
        for total in 1..=4 {
            operator.offer(&definition, &samples::staff_claims()).await;
            if total != 2 {
                check_pages(list, "credentialHistory", "id", total, 3).await;
            }
        }
    }

    /// The code that a wallet's user reads out finds the exchange, for its organisation.
    async fn a_support_code_finds_its_exchange(world: &World) {
        let (operator, definition) = badge(world).await;
        operator.offer(&definition, &samples::staff_claims()).await;
        let offer = operator.offer_with_pin(&definition, &samples::staff_claims(), "4711").await;
        let mut wallet = world.wallet();
        let opened = wallet.open(&offer.link).await;
        wallet.transaction_code = Some("0000".to_owned());
        let refusal = wallet.send(wallet.token_call(&opened)).await.refused(400, "invalid_grant");
        let code = chancery_tests::split_support_code(&refusal).1.expect("a support code");
        assert_eq!(code.len(), 9, "{refusal}");
        assert_eq!(found(&operator, &format!("search={code}")).await, std::slice::from_ref(&offer.id));
        assert_eq!(found(&world.organisation().await, &format!("search={code}")).await, [""; 0]);
        let records = operator.records(&offer.id).await;
        assert!(records.iter().any(|record| record["supportCode"] == code), "{records:?}");
    }

    /// Deleting the record withdraws what it stands for: the offer, the code, the token.
    async fn a_deleted_record_takes_offer_and_token_with_it(world: &World) {
        let (operator, definition) = badge(world).await;
        let wallet = world.wallet();
        let offer = operator.offer(&definition, &samples::staff_claims()).await;
        let opened = wallet.open(&offer.link).await;
        let answer = operator.delete(&history_path(&offer.id)).await.ok();
        assert_eq!(answer, json!({"success": true}));
        world.http().get(&offer_uri(&offer.link)).await.refused(404, "not_found");
        wallet.send(wallet.token_call(&opened)).await.refused(400, "invalid_grant");
        for answer in [
            operator.get(&history_path(&offer.id)).await,
            operator.get(&format!("{}/transcript", history_path(&offer.id))).await,
            operator.delete(&history_path(&offer.id)).await,
        ] {
            assert_problem(&answer, 404, "not-found");
        }

        let offer = operator.offer(&definition, &samples::staff_claims()).await;
        let token = wallet.redeem(&wallet.open(&offer.link).await).await;
        let nonce = wallet.nonce(&token.opened).await;
        operator.delete(&history_path(&offer.id)).await.ok();
        wallet.send(wallet.credential_call(&token, &nonce)).await.refused(401, "invalid_token");
        assert_eq!(found(&operator, "").await, [""; 0]);
    }

    /// Nothing of a deleted record stays in any table.
    async fn a_deleted_record_leaves_no_rows(world: &World) {
        let (operator, definition) = badge(world).await;
        let before = world.database.census().await;
        let offer = operator.offer(&definition, &samples::staff_claims()).await;
        world.wallet().accept(&offer.link).await;
        assert_ne!(world.database.census().await, before);
        operator.delete(&history_path(&offer.id)).await.ok();
        assert_eq!(world.database.census().await, before);
    }
}
