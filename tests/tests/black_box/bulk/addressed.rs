//! Rows that name a person: the offer goes where that person is reached.

use chancery_tests::Receiver;
use chancery_tests::platform::history_path;

use super::*;

const INDIVIDUAL: &str = "/v2/config/individual";
const UNKNOWN: &str = "018f0000-0000-7000-8000-00000000dead";

/// A person with a wallet.
async fn register(operator: &Operator, external_id: &str, wallet: &Receiver) -> String {
    let endpoint = format!("{}?user={external_id}", wallet.url());
    let person = json!({"externalId": external_id, "deliveryChannel": "walletEndpoint", "walletEndpoint": endpoint});
    let answer = operator.post(INDIVIDUAL, json!({"individual": person})).await.ok();
    answer["individual"]["id"].as_str().expect("an id").to_owned()
}

fn users(wallet: &Receiver) -> BTreeSet<String> {
    let calls = wallet.take();
    let user =
        |target: &str| target.split("user=").nth(1).map(|rest| rest.split('&').next().unwrap_or(rest).to_owned());
    let found: BTreeSet<String> = calls.iter().filter_map(|call| user(&call.target)).collect();
    assert_eq!(found.len(), calls.len(), "each offer is pushed once");
    found
}

on_every_backend! {
    async fn an_offer_goes_to_the_person_whom_its_row_names(world: &World) {
        let scene = Scene::new(world).await;
        let wallet = Receiver::listen().await;
        let by_id = register(&scene.operator, "P-1", &wallet).await;
        register(&scene.operator, "P-2", &wallet).await;
        let csv = format!(
            "given_name,family_name,employee_id,row:individualId,row:mapperId\n\
             Ilse,Vander,E-1,{by_id},\nAda,Lovelace,E-2,,P-2\nGrace,Hopper,E-3,,\n"
        );
        let bulk = scene.upload(csv).await;
        assert_eq!((&bulk["rows"], &bulk["invalid"]), (&json!(3), &json!(0)));
        world.work().await;
        assert!(wallet.take().is_empty(), "nothing is delivered before the confirmation");
        scene.act(&bulk, "confirm").await.ok();
        world.work().await;
        assert_eq!(users(&wallet), BTreeSet::from(["P-1".to_owned(), "P-2".to_owned()]));
        let result = scene.result(&bulk).await;
        let mut records = Vec::new();
        for line in &result {
            records.push(scene.operator.history(line["CredentialExchangeId"].as_str().expect("an id")).await);
        }
        assert_eq!((&records[0]["individualId"], &records[0]["mapperId"]), (&json!(by_id), &json!("P-1")));
        assert_eq!(records[1]["mapperId"], "P-2");
        assert_eq!((&records[2]["individualId"], &records[2]["mapperId"]), (&json!(""), &json!("")));
        let states: Vec<_> = records[..2].iter().map(|record| record["offerDelivery"]["state"].as_str().unwrap()).collect();
        assert_eq!(states, ["delivered", "delivered"]);
        // A restart delivers nothing twice of what was written down as delivered.
        world.restart().await;
        world.work().await;
        assert!(wallet.take().is_empty());
    }

    async fn rows_whose_person_is_unknown_are_reported_by_row_and_column(world: &World) {
        let scene = Scene::new(world).await;
        let wallet = Receiver::listen().await;
        let stranger = register(&world.organisation().await, "P-9", &wallet).await;
        let own = register(&scene.operator, "P-1", &wallet).await;
        let csv = format!(
            "given_name,family_name,employee_id,row:individualId,row:mapperId\n\
             A,B,E-1,{UNKNOWN},\nA,B,E-2,not-an-id,\nA,B,E-3,{stranger},\nA,B,E-4,,P-9\nA,B,E-5,{own},P-1\nA,B,,{own},\nA,B,E-7,{own},\n"
        );
        let bulk = scene.upload(csv).await;
        assert_eq!((&bulk["rows"], &bulk["invalid"]), (&json!(7), &json!(6)));
        let report = scene.operator.get(&path(&bulk, "/rows?sortOrder=asc")).await.ok();
        let faults: Vec<_> = report["rows"].as_array().expect("rows").iter()
            .map(|row| (row["row"].as_u64().unwrap(), row["errors"][0]["pointer"].as_str().unwrap(), row["errors"][0]["column"].as_str().unwrap()))
            .collect();
        assert_eq!(faults, [
            (1, "/individualId", "row:individualId"),
            (2, "/individualId", "row:individualId"),
            (3, "/individualId", "row:individualId"),
            (4, "/mapperId", "row:mapperId"),
            (5, "/mapperId", "row:mapperId"),
            (6, "/claims/employee_id", "employee_id"),
        ]);
        assert!(!world.gives_away("P-1").await, "names of people are sealed");
        scene.operator.post(&path(&bulk, "/confirm"), json!({"skipInvalid": true})).await.ok();
        world.work().await;
        assert_eq!(users(&wallet), BTreeSet::from(["P-1".to_owned()]));
    }

    /// In JSON Lines; and between the check and the issuance somebody is erased.
    async fn a_person_who_was_erased_meanwhile_is_offered_nothing(world: &World) {
        let scene = Scene::new(world).await;
        let wallet = Receiver::listen().await;
        let gone = register(&scene.operator, "P-1", &wallet).await;
        register(&scene.operator, "P-2", &wallet).await;
        let claims = samples::staff_claims();
        let lines = format!(
            "{}\n{}\n",
            json!({"claims": claims, "individualId": gone}),
            json!({"claims": claims, "mapperId": "P-2", "userPin": "493027"})
        );
        let bulk = scene.send("", "application/jsonl", lines).await.expect(201)["bulk"].clone();
        scene.operator.delete(&format!("{INDIVIDUAL}/{gone}")).await.ok();
        scene.act(&bulk, "confirm").await.ok();
        world.work().await;
        let result = scene.result(&bulk).await;
        assert_eq!((&result[0]["status"], &result[0]["error"]), (&json!("failed"), &json!("the individual was erased")));
        assert_eq!(scene.exchanges().await, 1);
        assert_eq!(users(&wallet), BTreeSet::from(["P-2".to_owned()]));
        let record = scene.operator.get(&history_path(result[1]["CredentialExchangeId"].as_str().unwrap())).await.ok();
        assert_eq!(record["credentialHistory"]["pinDelivery"]["state"], "unsent");
    }
}

/// A part begins its exchanges and notes its deliveries in one unit of work: a crash before the commit has done neither,
/// and after it each offer is pushed.
#[test]
fn a_crash_neither_loses_nor_invents_a_delivery() {
    block_on(World::run(Backend::Networked, async |world| {
        let scene = Scene::new(world).await;
        let wallet = Receiver::listen().await;
        let mut csv = "given_name,family_name,employee_id,row:mapperId,row:reference\n".to_owned();
        for person in 1..=20 {
            register(&scene.operator, &format!("P-{person}"), &wallet).await;
            csv.push_str(&format!("A,B,E-{person},P-{person},R-{person}\n"));
        }
        let bulk = scene.upload(csv).await;
        scene.act(&bulk, "confirm").await.ok();
        world.postgres().cut_at(b"COMMIT", Place::Before);
        drop(world.try_work().await);
        world.postgres().restore();
        world.restart().await;
        assert_eq!((scene.exchanges().await, wallet.take().len()), (0, 0));
        world.advance(std::time::Duration::from_secs(600));
        world.work().await;
        assert_eq!(users(&wallet).len(), 20);
        scene.assert_issued_once(&bulk, 20).await;
    }));
}
