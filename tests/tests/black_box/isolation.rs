//! The isolation walk (SEC-14): every operation of both descriptions, called with the ids of one organisation by another.
//!
//! The answer is never a success, never holds anything of the owner, and is the same as for an id of nothing. An
//! operation that the descriptions add has to be added here, or the walk fails.

use chancery_tests::{Answer, Offer, Operator, Received, World, on_every_backend, samples};
use serde_json::{Value, json};

mod management;
mod wallet;

/// An id of nothing.
const UNKNOWN: &str = "018f0000-0000-7000-8000-00000000dead";

/// An organisation with one of everything, under names that occur nowhere else.
struct Owner {
    operator: Operator,
    definition: Value,
    signing_key: Value,
    webhook: Value,
    individual: Value,
    bulk: Value,
    delivery: Value,
    api_key: Value,
    sandbox: Value,
    global_configuration: Value,
    /// Open, and fetched by nobody.
    open: Offer,
    /// Gone all the way.
    finished: Offer,
    received: Received,
}

impl Owner {
    async fn new(world: &World) -> Self {
        let described = json!({"name": "Ministry of Xylophones"});
        let operator = world.platform().organisation(described).await;
        let mut body = samples::staff_badge();
        body["label"] = "Zymurgy licence".into();
        body["credentialDefinitions"][0]["vct"] = format!("{}/types/zymurgy", operator.issuer()).into();
        body["credentialDefinitions"][0]["supportRevocation"] = true.into();
        let definition = operator.define(&body).await;
        let definition = operator.show_logo(&definition).await;
        let keys = "/v2/config/digital-wallet/openid/key-management";
        let signing_key = operator.post(keys, json!({"state": "next"})).await.expect(201)["key"].clone();
        let new_key = json!({"name": "Zymurgist", "role": "issuer"});
        let api_key = operator.post(chancery_tests::platform::API_KEYS, new_key).await.ok()["apiKey"].clone();
        let below = json!({"name": "Zymurgical rehearsal"});
        let sandbox = operator.post("/v2/config/sandbox-org", below).await.expect(201)["sandboxOrganisation"].clone();
        let defaults = "/v2/config/digital-wallet/openid/global-configuration";
        let branding = json!({"credentialBranding": {"name": "Zymurgical council"}});
        let global_configuration = operator.post(defaults, branding).await.ok()["globalConfiguration"].clone();
        let claims = json!({"given_name": "Xanthippe", "family_name": "Quirinius", "employee_id": "Z-99417"});
        let hook = json!({"webhook": {
            "payloadUrl": "http://127.0.0.1:9/zymurgy",
            "contentType": "application/json",
            "subscribedEvents": {"digitalWalletWebhook": ["openid.credential.offer_sent"]},
        }});
        let webhook = operator.post("/v2/config/webhook", hook).await.ok()["webhook"].clone();
        let person =
            json!({"individual": {"name": "Xanthippe", "externalId": "Z-99417", "email": "zymurgist@example.org"}});
        let individual = operator.post("/v2/config/individual", person).await.ok()["individual"].clone();
        let open = operator.offer(&definition, &claims).await;
        let finished = operator.offer(&definition, &claims).await;
        let received = world.wallet().accept(&finished.link).await;
        world.work().await;
        let path = format!("/v2/config/webhooks/{}/deliveries", webhook["id"].as_str().expect("an id"));
        let delivery = operator.get(&path).await.ok()["webhookDeliveries"][0].clone();
        let place = "/v2/config/digital-wallet/openid/sdjwt/credential/issue/bulk?credentialDefinitionId=";
        let place = format!("{place}{}", definition["credentialDefinitionId"].as_str().expect("an id"));
        let rows = "given_name,family_name,employee_id,row:reference\nXanthippe,Quirinius,Z-99417,Zymurgist\n";
        let upload = operator.request(reqwest::Method::POST, &place).header("content-type", "text/csv").body(rows);
        let bulk = operator.send(upload).await.expect(201)["bulk"].clone();
        Self {
            operator,
            definition,
            signing_key,
            webhook,
            individual,
            bulk,
            delivery,
            api_key,
            sandbox,
            global_configuration,
            open,
            finished,
            received,
        }
    }

    fn definition_id(&self) -> &str {
        self.definition["credentialDefinitionId"].as_str().expect("an id")
    }

    /// URL of the list with the status of the finished credential.
    fn status_list(&self) -> String {
        let signed = chancery_tests::sd_jwt::parts(&self.received.credential).signed;
        signed["status"]["status_list"]["uri"].as_str().expect("a status list").to_owned()
    }

    /// Asserts that an answer holds nothing of this organisation.
    #[track_caller]
    fn assert_unmentioned(&self, answer: &Answer) {
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        // The path of the request is repeated in problems, and the caller knew it.
        let mut body = answer.text();
        if let Some(instance) =
            serde_json::from_str::<Value>(&body).ok().and_then(|body| body["instance"].as_str().map(str::to_owned))
        {
            body = body.replace(&instance, "");
        }
        for mine in [
            "Xylophones".to_owned(),
            "Zymurg".to_owned(),
            "zymurg".to_owned(),
            "Xanthippe".to_owned(),
            "Quirinius".to_owned(),
            "Z-99417".to_owned(),
            text(&self.operator.organisation["slug"]),
            self.operator.organisation_id().to_owned(),
            self.definition_id().to_owned(),
            text(&self.definition["credentialDefinitions"][0]["id"]),
            text(&self.signing_key["id"]),
            text(&self.signing_key["kid"]),
            text(&self.api_key["id"]),
            text(&self.sandbox["sandboxOrgId"]),
            text(&self.webhook["id"]),
            text(&self.individual["id"]),
            text(&self.bulk["id"]),
            text(&self.delivery["id"]),
            self.open.id.clone(),
            self.finished.id.clone(),
            self.received.credential.clone(),
        ] {
            assert!(!body.contains(&mine), "{mine} in {answer}");
        }
    }

    /// Asserts that everything is as it was.
    async fn assert_unharmed(&self, world: &World) {
        let operator = &self.operator;
        let read = operator.get(&chancery_tests::platform::definition_path(self.definition_id())).await.ok();
        assert_eq!(read["credentialDefinition"], self.definition);
        assert_eq!(operator.history(&self.open.id).await, self.open.history);
        assert_eq!(operator.history(&self.finished.id).await["credentialToken"], self.received.credential);
        let person =
            operator.get(&format!("/v2/config/individual/{}", self.individual["id"].as_str().expect("an id"))).await;
        assert_eq!(person.ok()["individual"], self.individual);
        operator.with_key(self.api_key["apiKey"].as_str().expect("a key")).get("/v2/config/admin/apikeys").await.ok();
        world.wallet().accept(&self.open.link).await;
    }
}

/// Operations of a served description: path, method.
async fn operations(world: &World, document: &str) -> Vec<(String, String)> {
    let document = world.http().get(&format!("{}/openapi/{document}", world.management_url())).await.ok();
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for method in item.as_object().expect("operations").keys().filter(|name| *name != "parameters") {
            operations.push((path.clone(), method.to_uppercase()));
        }
    }
    assert!(operations.len() >= 10, "{operations:?}");
    operations
}

/// Asserts two refusals that a caller cannot tell apart, whatever ids they were about.
#[track_caller]
fn assert_alike(foreign: &Answer, unknown: &Answer) {
    let body = |answer: &Answer| {
        let mut body: Value = answer.json();
        if let Some(members) = body.as_object_mut() {
            members.shift_remove("instance");
        }
        // Each refusal has a support code of its own.
        if let (said, Some(_)) = chancery_tests::split_support_code(&body) {
            body["error_description"] = said.to_owned().into();
        }
        body
    };
    assert!(foreign.status >= 400, "{foreign}");
    assert_eq!(foreign.status, unknown.status, "{foreign} against {unknown}");
    assert_eq!(body(foreign), body(unknown));
    let names =
        |answer: &Answer| answer.headers.keys().map(ToString::to_string).collect::<std::collections::BTreeSet<_>>();
    assert_eq!(names(foreign), names(unknown));
}
