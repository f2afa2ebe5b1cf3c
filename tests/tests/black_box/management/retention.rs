//! What is kept no longer, and what a person wants to be gone.

use std::time::Duration;

use chancery_tests::on_every_backend;
use chancery_tests::platform::history_path;

use super::*;

const RETENTION: &str = "/v2/config/digital-wallet/openid/retention";
const DAY: Duration = Duration::from_secs(86_400);

/// A number per table, without those that background work changes by itself.
async fn census(world: &World) -> Vec<(String, i64)> {
    let mut census = world.database.census().await;
    census.retain(|(table, _)| !["work", "retention"].contains(&table.as_str()));
    census
}

async fn count(world: &World, sql: &str) -> i64 {
    world.database.number(sql).await
}

on_every_backend! {
    async fn rules_are_set_as_a_whole(world: &World) {
        let operator = world.organisation().await;
        let none = json!({"claimsDays": null, "tokensDays": null, "transcriptsDays": null, "exchangesDays": null});
        assert_eq!(operator.get(RETENTION).await.ok()["retention"], none);
        let some = json!({"claimsDays": 7, "tokensDays": 90, "transcriptsDays": 0, "exchangesDays": 730});
        assert_eq!(operator.put(RETENTION, some.clone()).await.ok()["retention"], some);
        assert_eq!(operator.get(RETENTION).await.ok()["retention"], some);
        let few = json!({"tokensDays": 1});
        assert_eq!(operator.put(RETENTION, few).await.ok()["retention"]["claimsDays"], Value::Null);
        for (wrong, pointer) in [
            (json!({"claimsDays": -1}), "/claimsDays"),
            (json!({"tokensDays": 36_501}), "/tokensDays"),
            (json!({"exchangesDays": "7"}), "/exchangesDays"),
            (json!({"days": 7}), "/days"),
        ] {
            operator.put(RETENTION, wrong).await.problem_at(400, pointer);
        }
        let stranger = world.organisation().await;
        assert_eq!(stranger.get(RETENTION).await.ok()["retention"], none);
    }

    /// Each part goes when its days have passed, the others stay; what can still lead to a credential is left alone.
    async fn each_part_is_erased_on_schedule(world: &World) {
        let (operator, definition) = badge(world).await;
        let offer = operator.offer(&definition, &samples::staff_claims()).await;
        let received = world.wallet().accept(&offer.link).await;
        let (bystander, other) = badge(world).await;
        let kept = bystander.offer(&other, &samples::staff_claims()).await;
        world.wallet().accept(&kept.link).await;
        let rules = json!({"claimsDays": 2, "tokensDays": 4, "transcriptsDays": 6, "exchangesDays": 8});
        operator.put(RETENTION, rules).await.ok();
        world.work().await;
        let before = operator.history(&offer.id).await;
        assert_eq!(before["credentialToken"], received.credential);

        world.advance(2 * DAY + Duration::from_secs(1));
        world.work().await;
        let record = operator.history(&offer.id).await;
        assert_eq!(record["credentialToken"], received.credential);
        assert!(!record.to_string().contains("employee_id\":\""), "{record}");
        assert_eq!(record["status"], "credential_issued");
        assert_eq!(count(world, "SELECT count(*) FROM exchange WHERE sealed_submissions IS NULL").await, 1);

        world.advance(2 * DAY);
        world.work().await;
        let record = operator.history(&offer.id).await;
        assert_eq!((&record["credentialToken"], &record["status"]), (&json!(""), &json!("credential_issued")));
        assert_eq!(count(world, "SELECT count(*) FROM exchange_grant").await, 1);
        assert!(!operator.events(&offer.id).await.is_empty());

        world.advance(2 * DAY);
        world.work().await;
        let carried = "SELECT (SELECT count(*) FROM exchange WHERE fetch_part IS NOT NULL) \
                       + (SELECT count(*) FROM credential WHERE transcript_part IS NOT NULL)";
        assert_eq!(count(world, carried).await, 2, "those of the bystander");
        let told = operator.events(&offer.id).await;
        assert!(!told.iter().any(|event| event["type"] == "offer_retrieved"), "{told:?}");

        let open = operator.offer(&definition, &samples::staff_claims()).await;
        world.advance(2 * DAY);
        world.work().await;
        assert_problem(&operator.get(&history_path(&offer.id)).await, 404, "not-found");
        assert_eq!(operator.history(&open.id).await["status"], "offer_sent");
        assert_eq!(bystander.history(&kept.id).await["status"], "credential_issued");
        assert_ne!(bystander.history(&kept.id).await["credentialToken"], "");
    }

    /// Nothing of a deleted exchange is left in the database: not in a row, not in a page, not in the log.
    async fn nothing_of_an_erased_person_is_left(world: &World) {
        let (operator, definition) = badge(world).await;
        let before = census(world).await;
        let mut wallet = world.wallet();
        wallet.client_id = Some("wallet-of-xanthippe".to_owned());
        let mut marks = vec!["wallet-of-xanthippe".to_owned()];
        for _ in 0..3 {
            let offer = operator.offer(&definition, &samples::staff_claims()).await;
            wallet.accept(&offer.link).await;
            marks.push(offer.id.clone());
        }
        let stayed = operator.offer(&definition, &samples::staff_claims()).await;
        world.wallet().accept(&stayed.link).await;
        marks.truncate(1);
        let sql = "SELECT holder_key FROM credential c JOIN exchange e ON e.id = c.exchange_id WHERE e.client_id IS NOT NULL";
        for key in world.database.texts(sql).await {
            let key: Value = serde_json::from_str(&key).expect("a JWK");
            marks.push(key["x"].as_str().expect("a coordinate").to_owned());
        }
        let offers = "SELECT offer_id FROM exchange WHERE client_id IS NOT NULL";
        marks.extend(world.database.texts(offers).await);
        assert_eq!(marks.len(), 7);
        for mark in &marks {
            assert!(world.database.holds(mark).await, "{mark} is looked for in the wrong place");
        }

        let erase = |dry_run: bool| format!("{HISTORY}?holderDid=wallet-of-xanthippe&dryRun={dry_run}");
        let stranger = world.organisation().await;
        assert_eq!(stranger.delete(&erase(false)).await.ok()["deleted"], 0);
        let told = operator.delete(&erase(true)).await.ok();
        assert_eq!(told, json!({"success": true, "deleted": 3, "dryRun": true}));
        assert_eq!(operator.delete(&erase(false)).await.ok()["deleted"], 3);
        assert_eq!(operator.delete(&erase(false)).await.ok()["deleted"], 0);
        operator.delete(HISTORY).await.problem_at(400, "/holderDid");
        for mark in &marks {
            assert!(!world.database.holds(mark).await, "{mark} is still there");
        }
        assert_eq!(operator.history(&stayed.id).await["status"], "credential_issued");
        operator.delete(&history_path(&stayed.id)).await.ok();
        let after = census(world).await;
        let without = |census: &[(String, i64)]| -> Vec<(String, i64)> {
            census.iter().filter(|(table, _)| !["organisation", "api_key", "signing_key"].contains(&table.as_str())).cloned().collect()
        };
        assert_eq!(without(&after), without(&before));
    }
}
