//! What is not taken, and from whom.

use super::*;

on_every_backend! {
    async fn a_file_that_cannot_be_read_is_refused_and_leaves_nothing(world: &World) {
        let scene = Scene::new(world).await;
        let before = world.database.census().await;
        let header = "given_name,family_name,employee_id";
        let utf16: Vec<u8> = [0xff, 0xfe].into_iter().chain(header.encode_utf16().flat_map(u16::to_le_bytes)).collect();
        for (what, status, file) in [
            ("empty", 400, Vec::new()),
            ("header only", 400, header.as_bytes().to_vec()),
            ("unknown column", 400, b"given_name,surname\nA,B\n".to_vec()),
            ("column twice", 400, b"given_name,given_name\nA,B\n".to_vec()),
            ("UTF-16", 400, utf16),
            ("endless row", 413, format!("{header}\n\"{}", "x".repeat(1_100_000)).into_bytes()),
            ("too many columns", 413, ",".repeat(600).into_bytes()),
        ] {
            let answer = scene.send("", "text/csv", file).await;
            assert_eq!(answer.status, status, "{what}: {answer}");
            answer.problem(status);
        }
        scene.send("", "text/csv", "surname\nB\n").await.problem_at(400, "/header/0");
        for media_type in ["application/json", "application/vnd.ms-excel", "text/plain"] {
            scene.send("", media_type, staff(1)).await.problem(415);
        }
        scene.send("&userPin=always", "text/csv", staff(1)).await.problem_at(400, "/userPin");
        scene.send("&urlScheme=http://", "text/csv", staff(1)).await.problem_at(400, "/urlScheme");
        let other = scene.operator.request(Method::POST, BULKS).header("content-type", "text/csv").body(staff(1));
        scene.operator.send(other).await.problem_at(400, "/credentialDefinitionId");
        assert_eq!(without_work(world).await, without(before));
    }

    async fn more_rows_than_a_file_may_have_are_refused(world: &World) {
        let scene = Scene::new(world).await;
        // Rows that break rules are not stored, which makes them fast.
        let file = format!("given_name\n{}", "A\n".repeat(100_001));
        scene.send("", "text/csv", file).await.problem(413);
        assert_eq!(world.database.number("SELECT count(*) FROM bulk").await, 0);
    }

    async fn an_idempotency_key_makes_one_bulk(world: &World) {
        let scene = Scene::new(world).await;
        let keyed = async |csv: String| {
            let path = format!("{BULKS}?credentialDefinitionId={}", scene.definition_id());
            let request = scene.operator.request(Method::POST, &path).header("content-type", "text/csv");
            scene.operator.send(request.header("idempotency-key", "monday").body(csv)).await
        };
        let first = keyed(staff(3)).await.expect(201);
        assert_eq!(keyed(staff(3)).await.expect(201), first);
        keyed(staff(4)).await.problem(422);
        assert_eq!(world.database.number("SELECT count(*) FROM bulk").await, 1);
    }

    async fn another_organisation_sees_nothing_and_definitions_are_its_own(world: &World) {
        let scene = Scene::new(world).await;
        let bulk = scene.upload(staff(2)).await;
        let stranger = Scene::new(world).await;
        for rest in ["", "/rows", "/result", "/events"] {
            stranger.operator.get(&path(&bulk, rest)).await.problem(404);
        }
        for verb in ["confirm", "pause", "resume", "cancel"] {
            stranger.act(&bulk, verb).await.problem(404);
        }
        let foreign = Scene { operator: stranger.operator.clone(), definition: scene.definition.clone() };
        foreign.send("", "text/csv", staff(1)).await.problem_at(400, "/credentialDefinitionId");
        assert_eq!(stranger.operator.get(BULKS).await.ok()["bulks"], json!([]));
        assert_eq!(scene.operator.get(BULKS).await.ok()["bulks"][0]["id"], bulk["id"]);
    }

    async fn an_auditor_sees_neither_offers_nor_codes_and_changes_nothing(world: &World) {
        let scene = Scene::new(world).await;
        let auditor = Scene {
            operator: scene.operator.with_role("auditor").await,
            definition: scene.definition.clone(),
        };
        auditor.send("", "text/csv", staff(1)).await.problem(403);
        let lines = json!({"claims": samples::staff_claims(), "userPin": "4711"}).to_string();
        let bulk = scene.send("", "application/jsonl", lines).await.expect(201)["bulk"].clone();
        auditor.act(&bulk, "confirm").await.problem(403);
        scene.act(&bulk, "confirm").await.ok();
        world.work().await;
        let seen = auditor.result(&bulk).await;
        assert_eq!((&seen[0]["credentialOffer"], &seen[0]["userPin"]), (&json!(""), &json!("")));
        assert_eq!(scene.result(&bulk).await[0]["userPin"], "4711", "the auditor was not the first to fetch it");
    }

    async fn what_nobody_confirms_or_fetches_is_erased_after_a_week(world: &World) {
        let scene = Scene::new(world).await;
        let (issued, idle) = (scene.upload(staff(2)).await, scene.upload(staff(2)).await);
        scene.act(&issued, "confirm").await.ok();
        world.work().await;
        // Looks come late when the last one was early: a day more.
        for _ in 0..9 {
            world.advance(std::time::Duration::from_secs(86_400));
            world.work().await;
        }
        scene.operator.get(&path(&issued, "/result")).await.problem(409);
        assert_eq!(scene.read(&idle).await["state"], "cancelled");
        let kept = "SELECT count(*) FROM bulk_part WHERE sealed_rows IS NOT NULL OR sealed_result IS NOT NULL";
        assert_eq!(world.database.number(kept).await, 0);
    }
}

/// The looks for uploads that broke off stay until they are due.
async fn without_work(world: &World) -> Vec<(String, i64)> {
    without(world.database.census().await)
}

fn without(census: Vec<(String, i64)>) -> Vec<(String, i64)> {
    census.into_iter().filter(|(table, _)| table != "work").collect()
}
