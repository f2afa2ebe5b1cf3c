//! Whom an offer is made for: on the issue call, on the record, in filters, and when the person is erased.

use super::*;

async fn found(operator: &Operator, query: &str) -> Vec<String> {
    let list = operator.get(&format!("{HISTORY}?{query}")).await.ok();
    let records = list["credentialHistory"].as_array().expect("records").clone();
    assert_eq!(list["pagination"]["totalItems"], records.len(), "{query}");
    records.iter().map(|record| record["id"].as_str().expect("an id").to_owned()).collect()
}

on_every_backend! {
    async fn an_offer_is_made_for_an_individual_by_id_or_by_external_id(world: &World) {
        let (operator, definition, ada) = person(world, json!({"externalId": "P-1", "name": "Ada"})).await;
        let grace = register(&operator, json!({"externalId": "P-2"})).await;
        let by_id = offer_to(&operator, &definition, &ada, "").await;
        let by_external = operator.offer_of(body(&definition, json!({"mapperId": "P-1"}))).await;
        let other = offer_to(&operator, &definition, &grace, "").await;
        let nobody = operator.offer(&definition, &samples::staff_claims()).await;
        for offer in [&by_id, &by_external] {
            let record = operator.history(&offer.id).await;
            assert_eq!(record, offer.history);
            assert_eq!((&record["individualId"], &record["mapperId"]), (&json!(ada), &json!("P-1")));
            assert_eq!((&record["offerDelivery"]["channel"], &record["offerDelivery"]["state"]), (&json!("none"), &json!("unsent")));
        }
        let record = &nobody.history;
        assert_eq!((&record["individualId"], &record["mapperId"]), (&json!(""), &json!("")));
        assert_eq!((&record["offerDelivery"]["state"], &record["pinDelivery"]["state"]), (&json!(""), &json!("")));

        let both = vec![by_external.id.clone(), by_id.id.clone()];
        for (query, expected) in [
            (format!("individualId={ada}"), both.clone()),
            ("mapperId=P-1".to_owned(), both.clone()),
            (format!("mapperId=P-1&individualId={ada}&status=offer_sent"), both.clone()),
            (format!("individualId={ada}&sortOrder=asc"), both.iter().rev().cloned().collect()),
            (format!("individualId={grace}"), vec![other.id.clone()]),
            (format!("mapperId=P-1&individualId={grace}"), vec![]),
            (format!("individualId={ada}&status=token_issued"), vec![]),
            (format!("individualId={UNKNOWN}"), vec![]),
            ("individualId=x".to_owned(), vec![]),
            ("mapperId=P-3".to_owned(), vec![]),
        ] {
            assert_eq!(found(&operator, &query).await, expected, "{query}");
        }
        let stranger = world.organisation().await;
        assert!(found(&stranger, &format!("individualId={ada}")).await.is_empty());
        assert!(found(&stranger, "mapperId=P-1").await.is_empty());
        let export = operator.get(&format!("{HISTORY}/export?mapperId=P-1")).await.text();
        assert_eq!(export.lines().count(), 3, "{export}");
        // Pages go on by cursor.
        let first = operator.get(&format!("{HISTORY}?individualId={ada}&limit=1")).await.ok();
        let cursor = first["nextCursor"].as_str().expect("a cursor");
        let second = operator.get(&format!("{HISTORY}?individualId={ada}&limit=1&cursor={cursor}")).await.ok();
        assert_eq!(second["credentialHistory"][0]["id"], by_id.id);
    }

    async fn nobody_is_addressed_who_is_not_known(world: &World) {
        let (operator, definition, ada) = person(world, json!({"externalId": "P-1"})).await;
        let before = world.database.census().await;
        for (members, pointer) in [
            (json!({"individualId": UNKNOWN}), "/individualId"),
            (json!({"individualId": "x"}), "/individualId"),
            (json!({"individualId": 7}), "/individualId"),
            (json!({"mapperId": "P-2"}), "/mapperId"),
            (json!({"individualId": ada, "mapperId": "P-1"}), "/mapperId"),
            (json!({"credentialOfferEndpoint": "wallet"}), "/credentialOfferEndpoint"),
            (json!({"credentialOfferEndpoint": "ftp://wallet.example/"}), "/credentialOfferEndpoint"),
            (json!({"credentialOfferEndpoint": "https://a:b@wallet.example/"}), "/credentialOfferEndpoint"),
        ] {
            operator.issue(body(&definition, members)).await.problem_at(400, pointer);
        }
        let stranger = world.organisation().await;
        let own = stranger.define(&samples::staff_badge()).await;
        stranger.issue(body(&own, json!({"individualId": ada}))).await.problem_at(400, "/individualId");
        stranger.issue(body(&own, json!({"mapperId": "P-1"}))).await.problem_at(400, "/mapperId");
        let exchanges = |census: &[(String, i64)]| census.iter().find(|(table, _)| table == "exchange").cloned();
        assert_eq!(exchanges(&world.database.census().await), exchanges(&before));
    }

    /// Private addresses are not called (the world of other tests lets them through).
    async fn an_offer_is_pushed_to_public_addresses_only(backend: Backend) {
        let environment = [("CHANCERY_OUTBOUND_ADDRESSES".to_owned(), "public".to_owned())].into_iter().collect();
        let options = chancery_tests::Options { environment, ..chancery_tests::Options::default() };
        World::run_with(backend, options, async |world: &World| {
            let operator = world.organisation().await;
            let definition = operator.define(&samples::staff_badge()).await;
            for inside in ["https://127.0.0.1/", "https://169.254.169.254/", "https://[::1]/", "http://wallet.example/"] {
                let refused = operator.issue(body(&definition, json!({"credentialOfferEndpoint": inside}))).await;
                refused.problem_at(400, "/credentialOfferEndpoint");
                let person = json!({"individual": {"walletEndpoint": inside}});
                operator.post(INDIVIDUAL, person).await.problem_at(400, "/individual/walletEndpoint");
            }
            // A name is looked at when it is resolved.
            let offer = operator.offer_of(body(&definition, json!({"credentialOfferEndpoint": "https://localhost:1/"}))).await;
            world.work().await;
            let delivery = operator.history(&offer.id).await["offerDelivery"].clone();
            assert_eq!((&delivery["state"], &delivery["failure"]), (&json!("pending"), &json!("the address is not public")));
        })
        .await;
    }

    /// Records are erased by individual as by holder; a dry run counts.
    async fn the_records_of_an_individual_are_erased(world: &World) {
        let (operator, definition, ada) = person(world, json!({"externalId": "P-1"})).await;
        let offers = [offer_to(&operator, &definition, &ada, "").await, offer_to(&operator, &definition, &ada, "").await];
        world.wallet().accept(&offers[0].link).await;
        let kept = operator.offer(&definition, &samples::staff_claims()).await;
        let erase = |dry_run: bool| format!("{HISTORY}?individualId={ada}&dryRun={dry_run}");
        let stranger = world.organisation().await;
        assert_eq!(stranger.delete(&erase(false)).await.ok()["deleted"], 0);
        assert_eq!(operator.delete(&erase(true)).await.ok()["deleted"], 2);
        // The person may be gone before.
        operator.delete(&format!("{INDIVIDUAL}/{ada}")).await.ok();
        let record = operator.history(&offers[0].id).await;
        assert_eq!((&record["individualId"], &record["mapperId"]), (&json!(ada), &json!("")));
        assert_eq!(operator.delete(&erase(false)).await.ok()["deleted"], 2);
        assert_eq!(operator.delete(&erase(false)).await.ok()["deleted"], 0);
        assert_eq!(operator.history(&kept.id).await["status"], "offer_sent");
        assert_eq!(world.database.number("SELECT count(*) FROM offer_delivery").await, 0);
        operator.delete(&format!("{HISTORY}?individualId={ada}&holderDid=w")).await.problem(400);
        assert_eq!(operator.delete(&format!("{HISTORY}?individualId=x")).await.ok()["deleted"], 0);
    }

    /// Nothing of an erased person is left in the database: not the address, not the sealed row, not the hash.
    async fn nothing_of_an_erased_person_is_left(backend: Backend) {
        MailServer::run(backend, async |world, mails| {
            let person_known = json!({
                "name": "Xanthippe", "email": "xanthippe@example.org", "externalId": "Z-99417", "deliveryChannel": "email"
            });
            let (operator, definition, id) = person(world, person_known).await;
            let endpoint = "http://127.0.0.1:9/xanthippe";
            let pushed = json!({"individualId": id, "credentialOfferEndpoint": endpoint});
            let sent = offer_to(&operator, &definition, &id, "").await;
            world.work().await;
            assert_eq!(mails.take().len(), 1);
            let waiting = operator.offer_of(body(&definition, pushed)).await;
            world.work().await;
            assert_eq!(state(&operator, &waiting).await, "pending");
            let rows = "SELECT (SELECT count(*) FROM individual) + (SELECT count(*) FROM offer_delivery WHERE sealed_endpoint IS NOT NULL)";
            assert_eq!(world.database.number(rows).await, 2);
            operator.delete(&format!("{INDIVIDUAL}/{id}")).await.ok();
            assert_eq!(world.database.number(rows).await, 0);
            for mark in ["xanthippe@example.org", "Xanthippe", "Z-99417", endpoint] {
                assert!(!world.gives_away(mark).await, "{mark}");
            }
            let delivery = operator.history(&waiting.id).await["offerDelivery"].clone();
            assert_eq!((&delivery["state"], &delivery["failure"]), (&json!("cancelled"), &json!("the person was erased")));
            world.advance(Duration::from_secs(600));
            world.work().await;
            // Asked for again, it says why it goes nowhere.
            ask(&operator, &sent, "resend").await;
            world.work().await;
            assert!(mails.take().is_empty());
            assert_eq!(state(&operator, &sent).await, "failed");
        })
        .await;
    }
}
