//! Issuing from a file, from the upload to the result.

use std::collections::BTreeSet;

use chancery_tests::{Answer, Backend, Operator, Place, World, block_on, on_every_backend, samples};
use reqwest::Method;
use serde_json::{Value, json};

mod addressed;
mod cuts;
mod refusals;
mod workers;

const BULKS: &str = "/v2/config/digital-wallet/openid/sdjwt/credential/issue/bulk";

/// An organisation with a staff badge.
struct Scene {
    operator: Operator,
    definition: Value,
}

impl Scene {
    async fn new(world: &World) -> Self {
        let operator = world.organisation().await;
        let definition = operator.define(&samples::staff_badge()).await;
        Self { operator, definition }
    }

    fn definition_id(&self) -> &str {
        self.definition["credentialDefinitionId"].as_str().expect("an id")
    }

    async fn send(&self, more: &str, media_type: &str, body: impl Into<reqwest::Body>) -> Answer {
        let path = format!("{BULKS}?credentialDefinitionId={}{more}", self.definition_id());
        let request = self.operator.request(Method::POST, &path).header("content-type", media_type);
        self.operator.send(request.body(body)).await
    }

    /// Uploads CSV and answers the bulk.
    async fn upload(&self, csv: String) -> Value {
        self.send("", "text/csv", csv).await.expect(201)["bulk"].clone()
    }

    async fn act(&self, bulk: &Value, verb: &str) -> Answer {
        self.operator.post(&path(bulk, &format!("/{verb}")), json!({})).await
    }

    async fn read(&self, bulk: &Value) -> Value {
        self.operator.get(&path(bulk, "")).await.ok()["bulk"].clone()
    }

    /// Every line of the result.
    async fn result(&self, bulk: &Value) -> Vec<Value> {
        let answer = self.operator.get(&path(bulk, "/result?format=jsonl")).await;
        assert_eq!(answer.status, 200, "{answer}");
        answer.text().lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }

    /// How many exchanges the organisation has.
    async fn exchanges(&self) -> u64 {
        let list = self.operator.get("/v2/config/digital-wallet/openid/sdjwt/credential/history").await.ok();
        list["pagination"]["totalItems"].as_u64().expect("a number")
    }

    /// Asserts that each of so many rows was issued once.
    async fn assert_issued_once(&self, bulk: &Value, rows: usize) {
        let shown = self.read(bulk).await;
        assert_eq!((&shown["state"], &shown["done"], &shown["remaining"]), (&json!("done"), &json!(rows), &json!(0)));
        let result = self.result(bulk).await;
        assert_eq!(result.len(), rows);
        for member in ["row", "reference", "CredentialExchangeId", "credentialOffer"] {
            let different: BTreeSet<String> = result.iter().map(|line| line[member].to_string()).collect();
            assert_eq!(different.len(), rows, "{member}");
        }
        assert_eq!(self.exchanges().await, rows as u64);
    }
}

fn path(bulk: &Value, rest: &str) -> String {
    format!("{BULKS}/{}{rest}", bulk["id"].as_str().expect("an id"))
}

/// So many rows of staff.
fn staff(rows: usize) -> String {
    let mut csv = "given_name,family_name,employee_id,row:reference\n".to_owned();
    for row in 1..=rows {
        csv.push_str(&format!("Ilse,\"Vander, {row}\",E-{row},P-{row}\n"));
    }
    csv
}

on_every_backend! {
    async fn a_thousand_rows_are_checked_confirmed_and_issued(world: &World) {
        let scene = Scene::new(world).await;
        let bulk = scene.upload(staff(1000)).await;
        assert_eq!((&bulk["state"], &bulk["rows"], &bulk["invalid"]), (&json!("ready"), &json!(1000), &json!(0)));
        world.work().await;
        assert_eq!(scene.exchanges().await, 0, "nothing is issued before the confirmation");
        assert!(!world.gives_away("Vander, 500").await, "rows are sealed");

        let running = scene.act(&bulk, "confirm").await.ok()["bulk"].clone();
        assert_eq!((&running["state"], &running["remaining"]), (&json!("running"), &json!(1000)));
        scene.act(&bulk, "confirm").await.ok();
        world.advance(std::time::Duration::from_secs(10));
        world.work().await;
        let done = scene.read(&bulk).await;
        assert_eq!(done["rowsPerSecond"], 100.0);
        scene.assert_issued_once(&bulk, 1000).await;
        let rows_left = "SELECT count(*) FROM bulk_part WHERE sealed_rows IS NOT NULL";
        assert_eq!(world.database.number(rows_left).await, 0);

        let last = scene.result(&bulk).await.pop().expect("a line");
        assert_eq!((&last["row"], &last["reference"], &last["status"]), (&json!(1000), &json!("P-1000"), &json!("issued")));
        let history = scene.operator.history(last["CredentialExchangeId"].as_str().expect("an id")).await;
        assert_eq!(history["credential"]["claims"]["family_name"], "Vander, 1000", "{history}");
        world.wallet().accept(last["credentialOffer"].as_str().expect("a link")).await;
    }

    async fn transaction_codes_are_given_or_generated_and_shown_once(world: &World) {
        let scene = Scene::new(world).await;
        let claims = samples::staff_claims();
        let lines = format!("{}\n\n{}\n", json!({"claims": claims, "userPin": "K4-711-zXq"}), json!({"claims": claims}));
        for (parameter, second) in [("", 0), ("&userPin=generated", 6)] {
            let bulk = scene.send(parameter, "application/x-ndjson", lines.clone()).await.expect(201)["bulk"].clone();
            scene.act(&bulk, "confirm").await.ok();
            world.work().await;
            let result = scene.result(&bulk).await;
            assert_eq!(result[0]["userPin"], "K4-711-zXq");
            let pin = result[1]["userPin"].as_str().expect("a text").to_owned();
            assert_eq!(pin.len(), second);
            assert!(!world.database.holds("K4-711-zXq").await);
            let again = scene.result(&bulk).await;
            assert_eq!((&again[0]["userPin"], &again[1]["userPin"]), (&json!(""), &json!("")));
            assert_eq!(again[1]["credentialOffer"], result[1]["credentialOffer"]);
            if second > 0 {
                let wallet = world.wallet();
                let opened = wallet.open(result[1]["credentialOffer"].as_str().expect("a link")).await;
                let code = &opened.offer["grants"]["urn:ietf:params:oauth:grant-type:pre-authorized_code"]["tx_code"];
                assert_eq!((&code["input_mode"], &code["length"]), (&json!("numeric"), &json!(6)));
            }
        }
    }

    async fn rows_that_break_rules_are_reported_and_left_out_only_on_demand(world: &World) {
        let scene = Scene::new(world).await;
        let mut file = b"given_name,family_name,employee_id,row:userPin\nA,B,E-1,\nA,,E-2,12\nA,B\nA,\xff,E-4,\n".to_vec();
        file.extend_from_slice(b"A,B,E-5,\n");
        let bulk = scene.send("", "text/csv", file).await.expect(201)["bulk"].clone();
        assert_eq!((&bulk["rows"], &bulk["invalid"]), (&json!(5), &json!(3)));
        let report = scene.operator.get(&path(&bulk, "/rows?sortOrder=asc")).await.ok();
        assert_eq!(report["pagination"]["totalItems"], 3);
        let rows: Vec<_> = report["rows"].as_array().expect("rows").iter().map(|row| row["row"].clone()).collect();
        assert_eq!(rows, [2, 3, 4]);
        assert_eq!(report["rows"][0]["errors"][0]["pointer"], "/userPin");
        assert_eq!(report["rows"][0]["errors"][0]["column"], "row:userPin");
        let detail = report["rows"][2]["errors"][0]["detail"].as_str().expect("a text");
        assert!(detail.contains("UTF-8"), "{detail}");

        let refused = scene.act(&bulk, "confirm").await;
        assert!(refused.problem(409)["type"].as_str().expect("a type").ends_with("bulk-state"));
        world.work().await;
        assert_eq!(scene.exchanges().await, 0);
        scene.operator.post(&path(&bulk, "/confirm"), json!({"skipInvalid": true})).await.ok();
        world.work().await;
        let result = scene.result(&bulk).await;
        let states: Vec<_> = result.iter().map(|line| line["status"].as_str().expect("a text")).collect();
        assert_eq!(states, ["issued", "invalid", "invalid", "invalid", "issued"]);
        assert_eq!(scene.exchanges().await, 2);
    }

    async fn a_mandatory_claim_that_is_missing_is_found_by_its_pointer(world: &World) {
        let scene = Scene::new(world).await;
        let bulk = scene.upload("given_name,family_name,employee_id\nA,,E-1\n".to_owned()).await;
        let report = scene.operator.get(&path(&bulk, "/rows")).await.ok();
        let error = &report["rows"][0]["errors"][0];
        assert_eq!((&error["pointer"], &error["column"]), (&json!("/claims/family_name"), &json!("family_name")));
        scene.act(&bulk, "confirm").await.problem(409);
    }

    async fn the_result_holds_no_formula(world: &World) {
        let scene = Scene::new(world).await;
        let csv = "given_name,family_name,employee_id,row:reference\nA,B,E,=HYPERLINK(\"x\")\nA,B,E,@SUM(1)\n";
        let bulk = scene.upload(csv.to_owned()).await;
        scene.act(&bulk, "confirm").await.ok();
        world.work().await;
        let answer = scene.operator.get(&path(&bulk, "/result")).await;
        answer.assert_media_type("text/csv");
        let text = answer.text();
        assert!(text.contains("\"'=HYPERLINK(\"\"x\"\")\"") || text.contains("'=HYPERLINK(x)"), "{text}");
        assert!(text.contains(",'@SUM(1),"), "{text}");
        assert!(!text.contains(",=") && !text.contains(",@"), "{text}");
    }

    async fn progress_is_told_until_the_end(world: &World) {
        let scene = Scene::new(world).await;
        let bulk = scene.upload(staff(600)).await;
        scene.act(&bulk, "confirm").await.ok();
        let watching = {
            let (operator, path) = (scene.operator.clone(), path(&bulk, "/events"));
            tokio::spawn(async move { operator.get(&path).await })
        };
        world.work().await;
        let answer = watching.await.expect("no panic");
        answer.assert_media_type("text/event-stream");
        let told: Vec<Value> = answer
            .text()
            .lines()
            .filter_map(|line| line.strip_prefix("data: "))
            .map(|data| serde_json::from_str(data).expect("JSON"))
            .collect();
        let last = &told.last().expect("an event")["bulk"];
        assert_eq!((&last["state"], &last["done"]), (&json!("done"), &json!(600)));
        let after = scene.operator.get(&path(&bulk, "/events")).await.text();
        assert_eq!(after.matches("event: progress").count(), 1);
    }

    async fn a_cancelled_bulk_issues_nothing_more_and_forgets_its_rows(world: &World) {
        let scene = Scene::new(world).await;
        let bulk = scene.upload(staff(300)).await;
        scene.act(&bulk, "confirm").await.ok();
        scene.act(&bulk, "pause").await.ok();
        world.work().await;
        assert_eq!(scene.exchanges().await, 0, "paused");
        scene.operator.get(&path(&bulk, "/result")).await.problem(409);
        scene.act(&bulk, "resume").await.ok();
        scene.act(&bulk, "cancel").await.ok();
        world.work().await;
        assert_eq!(scene.exchanges().await, 0);
        assert_eq!(scene.result(&bulk).await.len(), 0);
        let kept = "SELECT count(*) FROM bulk_part WHERE sealed_rows IS NOT NULL";
        assert_eq!(world.database.number(kept).await, 0);
        for verb in ["confirm", "pause", "resume"] {
            scene.act(&bulk, verb).await.problem(409);
        }
        scene.act(&bulk, "cancel").await.ok();
    }

    async fn a_paused_bulk_goes_on_where_it_was(world: &World) {
        let scene = Scene::new(world).await;
        let bulk = scene.upload(staff(300)).await;
        scene.act(&bulk, "confirm").await.ok();
        scene.act(&bulk, "pause").await.ok();
        world.work().await;
        scene.act(&bulk, "resume").await.ok();
        world.work().await;
        scene.assert_issued_once(&bulk, 300).await;
    }
}
