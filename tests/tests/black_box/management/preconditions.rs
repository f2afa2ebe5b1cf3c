//! `ETag` and `If-Match` on what two people can edit (RFC 9110 §13.1.1).

use std::time::Duration;

use chancery_tests::on_every_backend;
use chancery_tests::platform::{API_KEYS, ORGANISATIONS, definition_path};
use chancery_tests::samples::PNG;
use reqwest::Method;

use super::*;

const POLICY: &str = "/v2/config/digital-wallet/openid/policy";
const PROVIDER: &str = "/v2/config/digital-wallet/openid/identity-provider";
const RETENTION: &str = "/v2/config/digital-wallet/openid/retention";
const SANDBOX: &str = "/v2/config/sandbox-org";
const WEBHOOK: &str = "/v2/config/webhook";

/// Somebody who may change a resource: the organisation, or the platform.
struct Editor<'w> {
    world: &'w World,
    key: String,
}

impl Editor<'_> {
    async fn send(&self, method: Method, path: &str, tag: Option<&str>, body: Option<&Value>) -> Answer {
        let url = format!("{}{path}", self.world.management_url());
        let mut request =
            self.world.http().request(method, &url).header("authorization", format!("ApiKey {}", self.key));
        if let Some(tag) = tag {
            request = request.header("if-match", tag);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        self.world.http().send(request).await
    }

    async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None, None).await
    }

    async fn delete(&self, path: &str, tag: &str) -> Answer {
        self.send(Method::DELETE, path, Some(tag), None).await
    }

    async fn put_picture(&self, path: &str, tag: &str) -> Answer {
        let url = format!("{}{path}", self.world.management_url());
        let request =
            self.world.http().request(Method::PUT, &url).header("authorization", format!("ApiKey {}", self.key));
        let request = request.header("if-match", tag).header("content-type", "image/png").body(PNG.to_vec());
        self.world.http().send(request).await
    }

    async fn put(&self, path: &str, tag: &str, body: &Value) -> Answer {
        self.send(Method::PUT, path, Some(tag), Some(body)).await
    }
}

fn tag(answer: &Answer) -> String {
    answer.ok();
    answer.header("etag").unwrap_or_else(|| panic!("no ETag: {answer}")).to_owned()
}

/// What is read at `shown` and changed at `path`, now to one thing and now to the other: the clock stands still, and every
/// version is told from the others all the same.
async fn check(editor: &Editor<'_>, shown: &str, path: &str, [one, other]: [&Value; 2]) {
    let first = tag(&editor.get(shown).await);
    let second = tag(&editor.put(path, &first, one).await);
    assert_ne!(first, second, "{path}");
    assert_eq!(tag(&editor.get(shown).await), second, "{path}");
    let before = editor.get(shown).await.json();
    for stale in [first.as_str(), "\"9\"", "\"x\"", "W/\"1\""] {
        assert_problem(&editor.put(path, stale, other).await, 412, "precondition-failed");
        assert_eq!(editor.get(shown).await.json(), before, "{path} with {stale}");
    }
    let third = tag(&editor.put(path, "*", other).await);
    let fourth = tag(&editor.send(Method::PUT, path, None, Some(one)).await);
    assert!(![&first, &second, &third].contains(&&fourth) && third != second, "{path}");
    // Of several with one version in mind, one gets through.
    let again = || editor.put(path, &fourth, other);
    let (a, b, c, d) = tokio::join!(again(), again(), again(), again());
    let answers = [a, b, c, d];
    let through = answers.iter().filter(|answer| answer.status == 200).count();
    assert_eq!(through, 1, "{path}: {answers:?}");
    let refused = answers.iter().filter(|answer| answer.status == 412).count();
    assert_eq!(refused, answers.len() - 1, "{path}: {answers:?}");
}

on_every_backend! {
    async fn two_administrators_do_not_overwrite_each_others_settings(world: &World) {
        let operator = world.organisation().await;
        let editor = Editor { world, key: operator.key().to_owned() };
        let policies = [&json!({"profile": "open"}), &json!({"profile": "mixed"})];
        check(&editor, POLICY, POLICY, policies).await;
        check(&editor, RETENTION, RETENTION, [&json!({"claimsDays": 7}), &json!({"claimsDays": 8})]).await;
        let provider = |name: &str| json!({"issuer": "https://login.example", "clientId": name, "clientSecret": "s3cret"});
        operator.put(PROVIDER, provider("first")).await.ok();
        check(&editor, PROVIDER, PROVIDER, [&provider("one"), &provider("other")]).await;
        let hook = |name: &str| json!({"webhook": {
            "payloadUrl": format!("http://127.0.0.1:9/{name}"),
            "contentType": "application/json",
            "subscribedEvents": {"digitalWalletWebhook": ["openid.credential.offer_sent"]},
        }});
        let made = operator.post(WEBHOOK, hook("first")).await;
        let path = format!("{WEBHOOK}/{}", made.ok()["webhook"]["id"].as_str().expect("an id"));
        assert_eq!(tag(&made), tag(&editor.get(&path).await));
        check(&editor, &path, &path, [&hook("one"), &hook("other")]).await;
        let sandbox = operator.post(SANDBOX, json!({"name": "First"})).await.expect(201);
        let path = format!("{SANDBOX}/{}", sandbox["sandboxOrganisation"]["sandboxOrgId"].as_str().expect("an id"));
        for changed in [path.clone(), format!("{path}/name")] {
            check(&editor, &path, &changed, [&json!({"name": "One"}), &json!({"name": "Other"})]).await;
        }
    }

    async fn two_holders_of_the_platform_key_do_not_overwrite_each_others_changes(world: &World) {
        let operator = world.organisation().await;
        let editor = Editor { world, key: world.platform_key().to_owned() };
        let path = format!("{ORGANISATIONS}/{}", operator.organisation_id());
        check(&editor, &path, &path, [&json!({"name": "One"}), &json!({"name": "Other"})]).await;
        // What the organisation changed itself is a change, too.
        let known = tag(&editor.get(&path).await);
        operator.put(POLICY, json!({"profile": "mixed"})).await.ok();
        assert_problem(&editor.put(&path, &known, &json!({"name": "Late"})).await, 412, "precondition-failed");
        // A change of the name leaves a policy alone that was set a moment ago.
        editor.put(&path, "*", &json!({"name": "Named"})).await.ok();
        assert_eq!(operator.get(POLICY).await.ok()["policy"]["profile"], "mixed");
        let quotas = format!("{path}/quotas");
        check(&editor, &quotas, &quotas, [&json!({"exchangesPerDay": 7}), &json!({"exchangesPerDay": 8})]).await;
        let known = tag(&editor.get(&path).await);
        editor.put(&quotas, &known, &json!({})).await.ok();
        assert_problem(&editor.delete(&path, &known).await, 412, "precondition-failed");
        assert_eq!(editor.delete(&path, &tag(&editor.get(&quotas).await)).await.status, 204);
        assert_problem(&editor.delete(&path, &known).await, 404, "not-found");
    }

    async fn a_picture_takes_the_place_of_the_one_that_the_caller_knows(world: &World) {
        let operator = world.organisation().await;
        let editor = Editor { world, key: operator.key().to_owned() };
        let sandbox = operator.post(SANDBOX, json!({"name": "First"})).await.expect(201);
        let path = format!("{SANDBOX}/{}", sandbox["sandboxOrganisation"]["sandboxOrgId"].as_str().expect("an id"));
        for picture in ["logo", "cover"] {
            let image = format!("{path}/{picture}image");
            let first = tag(&editor.get(&path).await);
            let second = tag(&editor.put_picture(&image, &first).await);
            assert_ne!(first, second);
            let before = editor.get(&path).await.json();
            assert_problem(&editor.put_picture(&image, &first).await, 412, "precondition-failed");
            assert_eq!(editor.get(&path).await.json(), before);
            tag(&editor.put_picture(&image, "*").await);
        }
        assert_problem(&editor.delete(&path, "\"0\"").await, 412, "precondition-failed");
        assert_eq!(editor.delete(&path, &tag(&editor.get(&path).await)).await.status, 204);
        assert_problem(&editor.put_picture(&format!("{path}/logoimage"), "\"0\"").await, 404, "not-found");
    }

    async fn a_key_is_bound_by_those_who_know_what_it_is_bound_to(world: &World) {
        let operator = world.organisation().await;
        let editor = Editor { world, key: operator.key().to_owned() };
        let key = operator.post(API_KEYS, json!({"name": "desk", "role": "issuer"})).await.ok()["apiKey"].clone();
        let shown = format!("{API_KEYS}/{}", key["id"].as_str().expect("an id"));
        let path = format!("{shown}/sandbox-org");
        let mut bindings = Vec::new();
        for name in ["One", "Other"] {
            let made = operator.post(SANDBOX, json!({"name": name})).await.expect(201);
            bindings.push(json!({"sandboxOrgId": made["sandboxOrganisation"]["sandboxOrgId"]}));
        }
        let free = tag(&editor.get(&shown).await);
        let again = |binding| editor.put(&path, &free, binding);
        let (a, b, c, d) = tokio::join!(again(&bindings[0]), again(&bindings[1]), again(&bindings[0]), again(&bindings[1]));
        let through: Vec<Answer> = [a, b, c, d].into_iter().filter(|answer| answer.status == 200).collect();
        let [bound] = through.as_slice() else { panic!("{through:?}") };
        assert_eq!(tag(&editor.get(&shown).await), tag(bound));
        assert_eq!(editor.get(&shown).await.json()["apiKey"]["sandboxOrgId"], bound.json()["apiKey"]["sandboxOrgId"]);
        for stale in [free.as_str(), "\"1\"", "\"x\""] {
            assert_problem(&editor.put(&path, stale, &json!({})).await, 412, "precondition-failed");
        }
        assert_eq!(tag(&editor.put(&path, &tag(bound), &json!({})).await), free);
        assert_eq!(editor.get(&shown).await.json()["apiKey"]["apiKey"], "");
        assert_eq!(operator.delete(&shown).await.status, 204);
        assert_problem(&editor.get(&shown).await, 404, "not-found");
    }

    async fn a_signing_key_is_moved_and_certified_by_those_who_know_it_as_it_is(world: &World) {
        let operator = world.organisation().await;
        let editor = Editor { world, key: operator.key().to_owned() };
        let key = operator.post(KEYS, json!({"state": "next"})).await.expect(201)["key"].clone();
        let path = format!("{KEYS}/{}", key["id"].as_str().expect("an id"));
        let (state, chain) = (format!("{path}/state"), format!("{path}/certificate-chain"));
        let first = tag(&editor.get(&path).await);
        let moved = tag(&editor.put(&state, &first, &json!({"state": "active"})).await);
        assert_problem(&editor.put(&state, &first, &json!({"state": "verify-only"})).await, 412, "precondition-failed");
        assert_problem(&editor.put(&chain, &first, &json!({"certificateChain": ""})).await, 412, "precondition-failed");
        let certified = tag(&editor.put(&chain, &moved, &json!({"certificateChain": ""})).await);
        assert_eq!(tag(&editor.get(&path).await), certified);
        assert_ne!(moved, certified);
        editor.put(&state, &certified, &json!({"state": "verify-only"})).await.ok();
    }

    async fn what_is_deleted_is_what_the_caller_knows(world: &World) {
        let operator = world.organisation().await;
        let editor = Editor { world, key: operator.key().to_owned() };
        let provider = json!({"issuer": "https://login.example", "clientId": "c", "clientSecret": "s3cret"});
        assert_problem(&editor.put(PROVIDER, "\"0\"", &provider).await, 412, "precondition-failed");
        operator.put(PROVIDER, provider.clone()).await.ok();
        let known = tag(&editor.get(PROVIDER).await);
        world.advance(Duration::from_secs(1));
        operator.put(PROVIDER, provider).await.ok();
        assert_problem(&editor.delete(PROVIDER, &known).await, 412, "precondition-failed");
        assert_eq!(editor.delete(PROVIDER, &tag(&editor.get(PROVIDER).await)).await.status, 204);
        assert_problem(&editor.delete(PROVIDER, &known).await, 404, "not-found");
        let hook = json!({"webhook": {
            "payloadUrl": "http://127.0.0.1:9/hook", "contentType": "application/json",
            "subscribedEvents": {"digitalWalletWebhook": ["openid.credential.offer_sent"]},
        }});
        let made = operator.post(WEBHOOK, hook.clone()).await;
        let path = format!("{WEBHOOK}/{}", made.ok()["webhook"]["id"].as_str().expect("an id"));
        operator.put(&path, hook).await.ok();
        assert_problem(&editor.delete(&path, &tag(&made)).await, 412, "precondition-failed");
        editor.delete(&path, &tag(&editor.get(&path).await)).await.ok();
        assert_problem(&editor.delete(&path, "\"1\"").await, 404, "not-found");
        operator.post(KEYS, json!({})).await.expect(201);
        let badge = operator.define(&samples::staff_badge()).await;
        let path = definition_path(badge["credentialDefinitionId"].as_str().expect("an id"));
        let known = tag(&editor.get(&path).await);
        operator.put(&path, samples::staff_badge()).await.ok();
        assert_problem(&editor.delete(&path, &known).await, 412, "precondition-failed");
        editor.delete(&path, &tag(&editor.get(&path).await)).await.ok();
        assert_problem(&editor.delete(&path, &known).await, 404, "not-found");
    }

    /// Rules that were never set have a version as well.
    async fn the_first_rules_are_set_by_one_of_two(world: &World) {
        let operator = world.organisation().await;
        let editor = Editor { world, key: operator.key().to_owned() };
        let never = tag(&editor.get(RETENTION).await);
        editor.put(RETENTION, &never, &json!({"claimsDays": 1})).await.ok();
        assert_problem(&editor.put(RETENTION, &never, &json!({"claimsDays": 2})).await, 412, "precondition-failed");
        assert_eq!(operator.get(RETENTION).await.ok()["retention"]["claimsDays"], 1);
    }
}
