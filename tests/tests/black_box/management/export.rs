//! Pages by cursor, times, and the export.

use std::time::Duration;

use chancery_tests::on_every_backend;

use super::*;

const EXPORT: &str = "/v2/config/digital-wallet/openid/sdjwt/credential/history/export";

on_every_backend! {
    /// A walk by cursor meets each record once while others are added in front of it, in both orders.
    async fn a_cursor_walks_without_gaps_and_repeats(world: &World) {
        let (operator, definition) = badge(world).await;
        let mut made = Vec::new();
        for number in 0..7 {
            if number % 3 == 2 {
                world.advance(Duration::from_secs(1));
            }
            made.push(operator.offer(&definition, &samples::staff_claims()).await.id);
        }
        let until = world.env.now().seconds() + 1;
        for order in ["asc", "desc"] {
            let (mut seen, mut cursor) = (Vec::new(), String::new());
            loop {
                let query = format!("limit=2&sortOrder={order}&createdUntil={until}&cursor={cursor}");
                let page = operator.get(&format!("{HISTORY}?{query}")).await.ok();
                for record in page["credentialHistory"].as_array().expect("records") {
                    seen.push(record["id"].as_str().expect("an id").to_owned());
                }
                cursor = page["nextCursor"].as_str().expect("a cursor").to_owned();
                if cursor.is_empty() {
                    break;
                }
                world.advance(Duration::from_secs(5));
                operator.offer(&definition, &samples::staff_claims()).await;
            }
            let mut expected = made.clone();
            if order == "desc" {
                expected.reverse();
            }
            assert_eq!(seen, expected, "{order}");
        }
        for wrong in ["cursor=x", "cursor=1.x", "cursor=-1.018f0000-0000-7000-8000-00000000dead", "createdFrom=now"] {
            let refusal = operator.get(&format!("{HISTORY}?{wrong}")).await;
            assert_problem(&refusal, 400, "invalid-query");
        }
        let both = format!("{HISTORY}?offset=1&cursor=1.018f0000-0000-7000-8000-00000000dead");
        operator.get(&both).await.problem_at(400, "/offset");
    }

    /// From an instant on, and before an instant.
    async fn records_are_found_by_the_time_of_their_creation(world: &World) {
        let (operator, definition) = badge(world).await;
        let mut ids = Vec::new();
        for _ in 0..3 {
            ids.push(operator.offer(&definition, &samples::staff_claims()).await.id);
            world.advance(Duration::from_secs(10));
        }
        for (query, expected) in [
            (format!("createdFrom={}", START + 10), vec![&ids[2], &ids[1]]),
            (format!("createdUntil={}", START + 10), vec![&ids[0]]),
            (format!("createdFrom={}&createdUntil={}", START + 1, START + 20), vec![&ids[1]]),
            (format!("createdFrom={}", START + 21), vec![]),
        ] {
            let list = operator.get(&format!("{HISTORY}?{query}")).await.ok();
            let found: Vec<&str> =
                list["credentialHistory"].as_array().expect("records").iter().filter_map(|it| it["id"].as_str()).collect();
            assert_eq!(found, expected, "{query}");
            assert_eq!(list["pagination"]["totalItems"], expected.len(), "{query}");
        }
    }

    /// Both formats hold what the list holds, whatever its length; roles see what they see elsewhere.
    async fn the_history_is_exported(world: &World) {
        let (operator, definition) = badge(world).await;
        let mut offers = Vec::new();
        for _ in 0..103 {
            offers.push(operator.offer(&definition, &samples::staff_claims()).await);
        }
        world.wallet().accept(&offers[1].link).await;
        let deny = format!("{}/deny", chancery_tests::platform::history_path(&offers[2].id));
        operator.post(&deny, json!({"reason": "=cmd|' /C calc'!A0, \"no\""})).await.ok();

        let answer = operator.get(&format!("{EXPORT}?format=jsonl&sortOrder=asc")).await;
        answer.assert_media_type("application/jsonl");
        let text = answer.text();
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        let ids: Vec<&str> = lines.iter().filter_map(|line| line["id"].as_str()).collect();
        assert_eq!(ids, offers.iter().map(|offer| offer.id.as_str()).collect::<Vec<_>>());
        assert_eq!(lines[1], operator.history(&offers[1].id).await);

        let answer = operator.get(&format!("{EXPORT}?sortOrder=asc")).await;
        answer.assert_media_type("text/csv");
        assert!(answer.header("content-disposition").is_some_and(|it| it.contains("history.csv")), "{answer}");
        let text = answer.text();
        assert_eq!(text.lines().count(), 104);
        assert!(text.starts_with("CredentialExchangeId,status,") && text.ends_with("\r\n"), "{text}");
        assert!(!text.contains(",\"=cmd") && text.contains("\"'=cmd|' /C calc'!A0, \"\"no\"\"\""), "{text}");
        assert!(!text.contains("Quirinius") && !text.contains("given_name"), "no claims");

        let denied = operator.get(&format!("{EXPORT}?denied=true")).await.text();
        assert_eq!(denied.lines().count(), 2, "{denied}");
        assert_eq!(operator.get(&format!("{EXPORT}?individualId=x")).await.text().lines().count(), 1);
        assert_problem(&operator.get(&format!("{EXPORT}?format=xls")).await, 400, "invalid-query");

        let auditor = operator.with_role("auditor").await;
        let seen = auditor.get(&format!("{EXPORT}?format=jsonl&limit=1")).await.text();
        assert!(seen.contains(&offers[0].id) && !seen.contains("openid-credential-offer"), "{seen}");
        let stranger = world.organisation().await;
        assert_eq!(stranger.get(&format!("{EXPORT}?format=jsonl")).await.text(), "");
    }
}
