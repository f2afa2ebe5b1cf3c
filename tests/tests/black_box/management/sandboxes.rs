//! Sandbox organisations: made below an organisation, reached by bound keys and by people, and kept apart like any others.

use chancery_tests::identity_provider::IdentityProvider;
use chancery_tests::platform::{API_KEYS, OPENID, ORGANISATIONS, definition_path, history_path};
use chancery_tests::samples::PNG;
use chancery_tests::{Stream, on_every_backend};
use reqwest::Method;

use super::*;

const SANDBOX: &str = "/v2/config/sandbox-org";
const SANDBOXES: &str = "/v2/config/sandbox-orgs";
const PROVIDER: &str = "/v2/config/admin/access-provider";
const EVENTS: &str = "/v2/config/digital-wallet/openid/sdjwt/credential/history/events";

async fn sandbox(operator: &Operator, name: &str) -> Value {
    operator.post(SANDBOX, json!({"name": name})).await.expect(201)["sandboxOrganisation"].clone()
}

fn id(sandbox: &Value) -> &str {
    sandbox["sandboxOrgId"].as_str().expect("an id")
}

fn place(sandbox: &Value) -> String {
    format!("{SANDBOX}/{}", id(sandbox))
}

async fn bind(operator: &Operator, key: &Value, to: &str) -> Answer {
    let path = format!("{API_KEYS}/{}/sandbox-org", key["id"].as_str().expect("an id"));
    operator.put(&path, json!({"sandboxOrgId": to})).await
}

async fn new_key(operator: &Operator, role: &str) -> Value {
    operator.post(API_KEYS, json!({"name": role, "role": role})).await.ok()["apiKey"].clone()
}

/// With a new key of that role, bound to the sandbox organisation.
async fn bound(operator: &Operator, sandbox: &Value, role: &str) -> Operator {
    let key = new_key(operator, role).await;
    bind(operator, &key, id(sandbox)).await.ok();
    operator.with_key(key["apiKey"].as_str().expect("a key"))
}

/// An administrator who signed in at the organisation's provider.
async fn person(world: &World, operator: &Operator) -> (Operator, IdentityProvider) {
    let provider = IdentityProvider::start(&world.env).await;
    let rules = json!([{"claim": ["groups"], "values": ["owners"], "role": "admin"}]);
    operator.put(PROVIDER, json!({"issuer": provider.issuer(), "roles": rules})).await.ok();
    let token = provider.access_token(operator.issuer(), json!({"groups": ["owners"]}));
    (operator.with_token(&token.compact()), provider)
}

async fn with_a_badge(operator: &Operator) -> Value {
    operator.post(KEYS, json!({"algorithm": "ES256"})).await.expect(201);
    operator.define(&samples::staff_badge()).await
}

on_every_backend! {
    async fn a_sandbox_organisation_is_made_shown_changed_and_deleted(world: &World) {
        let operator = world.organisation().await;
        let before = world.database.census().await;
        let made = sandbox(&operator, "Rehearsal").await;
        assert_eq!((&made["name"], &made["status"]), (&json!("Rehearsal"), &json!(2)));
        let slug = made["slug"].as_str().expect("a slug");
        let parent = operator.organisation["slug"].as_str().expect("a slug");
        assert!(slug.starts_with(&format!("{parent}-sandbox-")), "{slug}");
        let issuer = format!("{}/o/{slug}", world.public_url());
        assert_eq!((&made["issuer"], &made["agentServiceEndpoint"]), (&json!(issuer), &json!(issuer)));
        assert_eq!(made["notificationEndpoint"], format!("{issuer}/notification"));
        for member in ["credentialIssuerMetadata", "authorizationServerMetadata", "jwksEndpoint"] {
            world.http().get(made[member].as_str().expect("a URL")).await.ok();
        }
        assert_eq!(operator.get(&place(&made)).await.ok()["sandboxOrganisation"], made);

        let put = async |path: String, body: Value| operator.put(&path, body).await.ok()["sandboxOrganisation"]["name"].clone();
        assert_eq!(put(place(&made), json!({"name": "Dress rehearsal"})).await, "Dress rehearsal");
        assert_eq!(put(format!("{}/name", place(&made)), json!({"name": "Try-out"})).await, "Try-out");
        let metadata = world.http().get(made["credentialIssuerMetadata"].as_str().expect("a URL")).await.ok();
        assert_eq!(metadata["display"][0]["name"], "Try-out");

        assert_eq!(operator.delete(&place(&made)).await.status, 204);
        for answer in [operator.get(&place(&made)).await, operator.delete(&place(&made)).await] {
            assert_problem(&answer, 404, "not-found");
        }
        world.http().get(made["credentialIssuerMetadata"].as_str().expect("a URL")).await.expect(404);
        assert_eq!(world.database.census().await, before);
        let log = operator.get("/v2/config/audit?action=deleteSandboxOrganisation").await.ok();
        assert_eq!(log["auditEntries"][1]["before"]["sandboxOrganisation"]["name"], "Try-out");
    }

    async fn logo_and_cover_of_a_sandbox_organisation_are_shown(world: &World) {
        let operator = world.organisation().await;
        let made = sandbox(&operator, "Rehearsal").await;
        assert_eq!((&made["logoImageUrl"], &made["coverImageUrl"]), (&json!(""), &json!("")));
        let put = async |what: &str, bytes: &'static [u8]| {
            let request = operator.request(Method::PUT, &format!("{}/{what}", place(&made)));
            operator.send(request.header("content-type", "image/png").body(bytes)).await
        };
        for (what, member) in [("logoimage", "logoImageUrl"), ("coverimage", "coverImageUrl")] {
            let shown = put(what, PNG).await.ok()["sandboxOrganisation"][member].clone();
            let picture = world.http().get(shown.as_str().expect("a URL")).await;
            assert_eq!((picture.status, picture.body.as_slice()), (200, PNG));
            assert_problem(&put(what, b"<svg/>").await, 415, "unsupported-picture");
        }
        let metadata = world.http().get(made["credentialIssuerMetadata"].as_str().expect("a URL")).await.ok();
        let read = operator.get(&place(&made)).await.ok();
        assert_eq!(metadata["display"][0]["logo"]["uri"], read["sandboxOrganisation"]["logoImageUrl"]);
        static LARGE: [u8; 600_000] = [0; 600_000];
        assert_problem(&put("logoimage", &LARGE).await, 413, "payload-too-large");
    }

    async fn a_wrong_description_is_refused_by_its_place(world: &World) {
        let operator = world.organisation().await;
        let made = sandbox(&operator, "Rehearsal").await;
        let before = world.database.census().await;
        for (pointer, body) in [
            ("/name", json!({})),
            ("/name", json!({"name": " "})),
            ("/name", json!({"name": "n".repeat(256)})),
            ("/policy", json!({"name": "x", "policy": {}})),
        ] {
            operator.post(SANDBOX, body.clone()).await.problem_at(400, pointer);
            operator.put(&place(&made), body.clone()).await.problem_at(400, pointer);
            operator.put(&format!("{}/name", place(&made)), body).await.problem_at(400, pointer);
        }
        // What an answer shows may be sent back.
        operator.put(&place(&made), made.clone()).await.ok();
        assert_eq!(world.database.census().await, before);
    }

    async fn sandbox_organisations_are_listed_in_pages(world: &World) {
        let operator = world.organisation().await;
        let list = async |query: &str| operator.get(&format!("{SANDBOXES}?{query}")).await;
        for total in 0..=3 {
            check_pages(list, "sandboxOrganisations", "sandboxOrgId", total, 2).await;
            world.advance(std::time::Duration::from_secs(1));
            sandbox(&operator, "one more").await;
        }
        let other = world.organisation().await;
        assert_eq!(other.get(SANDBOXES).await.ok()["pagination"]["totalItems"], 0);
    }

    async fn an_organisation_has_a_hundred_of_them_at_most(world: &World) {
        let operator = world.organisation().await;
        for _ in 0..99 {
            sandbox(&operator, "one more").await;
        }
        let post = async || operator.post(SANDBOX, json!({"name": "at once"})).await.status;
        let (a, b, c) = tokio::join!(post(), post(), post());
        let mut statuses = [a, b, c];
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 409, 409]);
        assert_problem(&operator.post(SANDBOX, json!({"name": "too many"})).await, 409, "sandbox-limit");
        assert_eq!(operator.get(SANDBOXES).await.ok()["pagination"]["totalItems"], 100);
    }

    /// A bound key acts for the sandbox organisation with its role, from definition to credential.
    async fn a_bound_key_issues_for_its_sandbox_and_nobody_else(world: &World) {
        let operator = world.organisation().await;
        let own = operator.define(&samples::staff_badge()).await;
        let (first, second) = (sandbox(&operator, "First").await, sandbox(&operator, "Second").await);
        let (in_first, in_second) = (bound(&operator, &first, "admin").await, bound(&operator, &second, "admin").await);
        let definition = with_a_badge(&in_first).await;
        let offer = in_first.offer(&definition, &samples::staff_claims()).await;
        let received = world.wallet().accept(&offer.link).await;
        let signed = chancery_tests::sd_jwt::parts(&received.credential).signed;
        assert_eq!(signed["iss"], first["issuer"]);
        assert_eq!(in_first.history(&offer.id).await["credentialToken"], received.credential);

        // Neither the parent nor the sibling sees any of it, nor the sandbox anything of theirs.
        let definition = definition_path(definition["credentialDefinitionId"].as_str().expect("an id"));
        for stranger in [&operator, &in_second] {
            assert_problem(&stranger.get(&definition).await, 404, "not-found");
            assert_problem(&stranger.get(&history_path(&offer.id)).await, 404, "not-found");
            assert_eq!(stranger.get(HISTORY).await.ok()["pagination"]["totalItems"], 0);
        }
        let own = definition_path(own["credentialDefinitionId"].as_str().expect("an id"));
        for stranger in [&in_first, &in_second] {
            assert_problem(&stranger.get(&own).await, 404, "not-found");
            assert_problem(&stranger.get(&place(&second)).await, 404, "not-found");
            assert_problem(&stranger.get(&place(&first)).await, 404, "not-found");
            assert_eq!(stranger.get(SANDBOXES).await.ok()["pagination"]["totalItems"], 0);
            assert_eq!(stranger.get(API_KEY_LIST).await.ok()["pagination"]["totalItems"], 0);
            assert_problem(&stranger.post(SANDBOX, json!({"name": "nested"})).await, 403, "forbidden");
        }
        // Each has a log of its own.
        assert!(in_first.get("/v2/config/audit").await.mentions("createCredentialDefinition"));
        assert!(!in_second.get("/v2/config/audit").await.mentions("createCredentialDefinition"));
        // Headers change nothing about keys.
        let misled = in_first.with_header("x-sandboxorgid", id(&second)).with_header("x-subwalletid", "nonsense");
        misled.get(&definition).await.ok();
        operator.with_header("x-sandboxorgid", id(&first)).get(&own).await.ok();
        let auditor = bound(&operator, &first, "auditor").await;
        auditor.get(&definition).await.ok();
        assert_problem(&auditor.delete(&definition).await, 403, "forbidden");
    }

    async fn a_key_is_bound_and_set_free_by_its_owner_only(world: &World) {
        let operator = world.organisation().await;
        let (made, other) = (sandbox(&operator, "Rehearsal").await, world.organisation().await);
        let foreign = sandbox(&other, "Foreign").await;
        let key = new_key(&operator, "admin").await;
        let program = operator.with_key(key["apiKey"].as_str().expect("a key"));
        program.get(&place(&made)).await.ok();
        let answer = bind(&operator, &key, id(&made)).await.ok();
        assert_eq!((&answer["apiKey"]["sandboxOrgId"], &answer["apiKey"]["apiKey"]), (&made["sandboxOrgId"], &json!("")));
        assert_eq!(operator.get(API_KEY_LIST).await.ok()["apiKeys"][0]["sandboxOrgId"], made["sandboxOrgId"]);
        assert_problem(&program.get(&place(&made)).await, 404, "not-found");
        // It cannot free itself.
        assert_problem(&bind(&program, &key, "").await, 404, "not-found");
        for wrong in [id(&foreign), UNKNOWN, "x", operator.organisation_id()] {
            bind(&operator, &key, wrong).await.problem_at(400, "/sandboxOrgId");
        }
        operator.put(&format!("{API_KEYS}/{UNKNOWN}/sandbox-org"), json!({"sandboxOrgId": ""})).await.problem(404);
        let strangers = bind(&other, &key, id(&foreign)).await;
        assert_problem(&strangers, 404, "not-found");
        bind(&operator, &key, "").await.ok();
        program.get(&place(&made)).await.ok();
        let log = operator.get("/v2/config/audit?action=bindApiKey&outcome=done").await.ok();
        assert_eq!(log["pagination"]["totalItems"], 2);
    }

    /// It must not fall back to the organisation: it would open more than it was given for.
    async fn a_key_opens_nothing_once_its_sandbox_is_gone(world: &World) {
        let operator = world.organisation().await;
        let made = sandbox(&operator, "Rehearsal").await;
        let program = bound(&operator, &made, "admin").await;
        program.get(DEFINITIONS).await.ok();
        assert_eq!(operator.delete(&place(&made)).await.status, 204);
        assert_problem(&program.get(DEFINITIONS).await, 401, "unauthorized");
        world.restart().await;
        assert_problem(&program.get(DEFINITIONS).await, 401, "unauthorized");
    }

    async fn a_stream_ends_when_its_key_is_bound_elsewhere_or_its_sandbox_is_gone(world: &World) {
        let operator = world.organisation().await;
        let made = sandbox(&operator, "Rehearsal").await;
        let key = new_key(&operator, "auditor").await;
        let program = operator.with_key(key["apiKey"].as_str().expect("a key"));
        let (admin, _provider) = person(world, &operator).await;
        let open = async |caller: &Operator| Stream::open(caller.request(Method::GET, EVENTS)).await.expect("a stream");
        let mut free = open(&program).await;
        bind(&operator, &key, id(&made)).await.ok();
        assert_eq!(free.event("end").await.text("reason"), "refused");
        let mut bound = open(&program).await;
        let mut of_person = open(&admin.with_header("x-sandboxorgid", id(&made))).await;
        let mut at_home = open(&admin).await;
        assert_eq!(operator.delete(&place(&made)).await.status, 204);
        assert_eq!(bound.event("end").await.text("reason"), "refused");
        assert_eq!(of_person.event("end").await.text("reason"), "refused");
        // What happens to a sandbox does not reach its organisation.
        world.advance(std::time::Duration::from_secs(30));
        at_home.event("ready").await;
    }

    async fn the_quotas_of_an_organisation_hold_for_each_sandbox_that_has_none(world: &World) {
        let operator = world.organisation().await;
        let made = sandbox(&operator, "Rehearsal").await;
        let program = bound(&operator, &made, "auditor").await;
        let limits = async || program.get("/v2/config/quotas").await.ok()["quotas"].clone();
        let set = async |id: &str, quotas: Value| {
            world.platform().put(&format!("{ORGANISATIONS}/{id}/quotas"), quotas).await.ok();
        };
        set(operator.organisation_id(), json!({"exchangesPerDay": 5, "liveCredentials": 7})).await;
        let both = limits().await;
        assert_eq!((&both["exchangesPerDay"]["limit"], &both["liveCredentials"]["limit"]), (&json!(5), &json!(7)));
        set(id(&made), json!({"exchangesPerDay": 9})).await;
        let both = limits().await;
        assert_eq!((&both["exchangesPerDay"]["limit"], &both["liveCredentials"]["limit"]), (&json!(9), &json!(7)));
        let own = operator.get("/v2/config/quotas").await.ok();
        assert_eq!(own["quotas"]["exchangesPerDay"]["limit"], 5);
    }

    async fn a_person_names_the_sandbox_in_a_header(world: &World) {
        let operator = world.organisation().await;
        let made = sandbox(&operator, "Rehearsal").await;
        let (admin, provider) = person(world, &operator).await;
        let inside = admin.with_header("x-sandboxorgid", id(&made));
        let definition = with_a_badge(&inside).await;
        let definition = definition_path(definition["credentialDefinitionId"].as_str().expect("an id"));
        inside.get(&definition).await.ok();
        assert_problem(&admin.get(&definition).await, 404, "not-found");
        admin.with_header("x-subwalletid", id(&made)).get(&definition).await.ok();
        // The new spelling wins; an empty one is none.
        admin.with_header("x-subwalletid", "nonsense").with_header("x-sandboxorgid", id(&made)).get(&definition).await.ok();
        admin.with_header("x-subwalletid", id(&made)).with_header("x-sandboxorgid", "").get(&definition).await.ok();

        let log = inside.get("/v2/config/audit?action=createCredentialDefinition").await.ok();
        assert_eq!(log["auditEntries"][0]["actor"]["name"], format!("{}#person-1", provider.issuer()));
        assert!(log["auditEntries"][0]["after"]["credentialDefinition"].is_object());
        // A sandbox owns none.
        assert_problem(&inside.post(SANDBOX, json!({"name": "nested"})).await, 403, "forbidden");
    }

    async fn a_sandbox_that_is_not_there_for_the_person_is_400(world: &World) {
        let (operator, other) = (world.organisation().await, world.organisation().await);
        let (made, foreign) = (sandbox(&operator, "Rehearsal").await, sandbox(&other, "Foreign").await);
        let (admin, provider) = person(world, &operator).await;
        for wrong in [id(&foreign), other.organisation_id(), operator.organisation_id(), UNKNOWN, "x"] {
            let answer = admin.with_header("x-sandboxorgid", wrong).get(DEFINITIONS).await;
            assert_problem(&answer, 400, "unknown-sandbox");
        }
        let twice = admin.with_header("x-sandboxorgid", id(&made)).with_header("x-sandboxorgid", id(&made));
        assert_problem(&twice.get(DEFINITIONS).await, 400, "unknown-sandbox");
        // Who is not let in at all is not told about sandboxes.
        let nobody = operator.with_token(&provider.access_token(operator.issuer(), json!({})).compact());
        assert_problem(&nobody.with_header("x-sandboxorgid", UNKNOWN).get(DEFINITIONS).await, 403, "forbidden");

        let suspend = format!("{ORGANISATIONS}/{}/suspend", id(&made));
        world.platform().post(&suspend, json!({})).await.ok();
        assert_problem(&admin.with_header("x-sandboxorgid", id(&made)).get(DEFINITIONS).await, 400, "unknown-sandbox");
        assert_eq!(operator.get(&place(&made)).await.ok()["sandboxOrganisation"]["status"], 0);
    }

    async fn sandboxes_are_suspended_and_deleted_with_their_organisation(world: &World) {
        let before = world.database.census().await;
        let operator = world.organisation().await;
        let made = sandbox(&operator, "Rehearsal").await;
        let program = bound(&operator, &made, "admin").await;
        let definition = with_a_badge(&program).await;
        let offer = program.offer(&definition, &samples::staff_claims()).await;
        let metadata = made["credentialIssuerMetadata"].as_str().expect("a URL");
        world.platform().suspend(&operator).await;
        assert_problem(&program.get(DEFINITIONS).await, 403, "organisation-suspended");
        world.http().get(metadata).await.expect(404);
        world.http().get(&chancery_tests::wallet::offer_uri(&offer.link)).await.expect(404);
        let shown = world.platform().get(&format!("{ORGANISATIONS}/{}", id(&made))).await.ok();
        assert_eq!((&shown["organisation"]["parentId"], &shown["organisation"]["status"]), (&json!(operator.organisation_id()), &json!("suspended")));
        // Resuming the sandbox alone does not help it.
        let resumed = world.platform().post(&format!("{ORGANISATIONS}/{}/resume", id(&made)), json!({})).await.ok();
        assert_eq!(resumed["organisation"]["status"], "suspended");
        world.platform().resume(&operator).await;
        program.get(DEFINITIONS).await.ok();
        world.http().get(metadata).await.ok();

        assert_eq!(world.platform().delete(&format!("{ORGANISATIONS}/{}", operator.organisation_id())).await.status, 204);
        assert_problem(&program.get(DEFINITIONS).await, 401, "unauthorized");
        world.http().get(metadata).await.expect(404);
        // Work that is due finds nothing to do.
        world.advance(std::time::Duration::from_secs(40 * 86_400));
        world.work().await;
        assert_eq!(world.database.census().await, before);
    }

    async fn what_is_not_ones_own_is_answered_like_nothing(world: &World) {
        let (owner, stranger) = (world.organisation().await, world.organisation().await);
        let made = sandbox(&owner, "Rehearsal").await;
        let ids = [id(&made).to_owned(), stranger.organisation_id().to_owned(), owner.organisation_id().to_owned(), UNKNOWN.to_owned()];
        for id in ids {
            for (method, rest) in [("GET", ""), ("PUT", ""), ("DELETE", ""), ("PUT", "/name")] {
                let request = stranger.request(method.parse().expect("a method"), &format!("{SANDBOX}/{id}{rest}"));
                let answer = stranger.send(request.json(&json!({"name": "Taken over"}))).await;
                assert_eq!(assert_nothing(&answer), "there is no such organisation", "{method} {id}");
            }
        }
        assert_eq!(owner.get(&place(&made)).await.ok()["sandboxOrganisation"], made);
    }

    /// A sandbox begins with what its organisation asks of wallets, and goes its own way from there.
    async fn a_sandbox_has_a_policy_of_its_own(world: &World) {
        let operator = world.platform().organisation(json!({"policy": {"decoys": 3}})).await;
        let made = sandbox(&operator, "Rehearsal").await;
        let program = bound(&operator, &made, "admin").await;
        let policy = format!("{OPENID}/policy");
        assert_eq!(program.get(&policy).await.ok()["policy"]["decoys"], 3);
        program.put(&policy, json!({"decoys": 5})).await.ok();
        assert_eq!(operator.get(&policy).await.ok()["policy"]["decoys"], 3);
    }
}

/// The detail of a 404.
#[track_caller]
fn assert_nothing(answer: &Answer) -> String {
    assert_problem(answer, 404, "not-found");
    answer.json()["detail"].as_str().expect("a detail").to_owned()
}
