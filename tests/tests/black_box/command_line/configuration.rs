//! `chancery config export|plan|apply`, against a server. What was done is read from the server, why not from the report.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use chancery_tests::platform::{API_KEYS, definition_path, history_path, issue_body};
use chancery_tests::samples::PNG;
use chancery_tests::{Operator, Rewriter, World, on_every_backend, samples};
use serde_json::{Value, json};

use super::*;

const POLICY: &str = "/v2/config/digital-wallet/openid/policy";
const RETENTION: &str = "/v2/config/digital-wallet/openid/retention";
const GLOBAL: &str = "/v2/config/digital-wallet/openid/global-configuration";
const PROVIDER: &str = "/v2/config/digital-wallet/openid/identity-provider";
const ACCESS: &str = "/v2/config/admin/access-provider";
const SANDBOX: &str = "/v2/config/sandbox-org";
const DEFINITIONS: &str = "/v2/config/digital-wallet/openid/sdjwt/credential-definitions";
const KEYS: &str = "/v2/config/digital-wallet/openid/key-management";
const WEBHOOK: &str = "/v2/config/webhook";
const WEBHOOKS: &str = "/v2/config/webhooks";
const AUDIT: &str = "/v2/config/audit";

const HOOK: &str = "http://127.0.0.1:9/hook";
const HOOK_SECRET: &str = "a-secret-of-some-length-for-the-hook";
const CLIENT_SECRET: &str = "c5VbdhEcaFl8Q2Z7jQyqPw";
/// Where an export says that the secrets are.
const SECRETS: [(&str, &str); 2] =
    [("127_0_0_1_9_HOOK_SECRET", HOOK_SECRET), ("IDENTITY_PROVIDER_CLIENT_SECRET", CLIENT_SECRET)];

const CHANGES: u8 = 2;

/// Somebody who keeps the configuration of an organisation in a file.
struct Desk {
    directory: Directory,
    url: String,
    key: String,
    environment: BTreeMap<String, String>,
}

impl Desk {
    fn new(world: &World, operator: &Operator) -> Self {
        let environment = SECRETS.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let directory = Directory::new();
        Self { directory, url: world.management_url(), key: operator.key().to_owned(), environment }
    }

    /// One command; flags come after those that every command has.
    async fn config(&self, verb: &str, flags: &[&str]) -> ExitCode {
        let key = self.directory.write("key", &format!("{}\n", self.key));
        let always = ["config", verb, "--url", &self.url, "--api-key-file", &key];
        let words: Vec<String> = always.iter().chain(flags).map(|word| (*word).to_owned()).collect();
        let environment = self.environment.clone();
        let run = move || {
            let environment: Vec<(&str, &str)> =
                environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            run(&words.iter().map(String::as_str).collect::<Vec<_>>(), &environment)
        };
        tokio::task::spawn_blocking(run).await.expect("an exit code")
    }

    fn path(&self, name: &str) -> String {
        self.directory.0.join(name).display().to_string()
    }

    /// The text and the value of an export.
    async fn export(&self, name: &str) -> (String, Value) {
        assert_eq!(self.config("export", &["--output", &self.path(name)]).await, ExitCode::SUCCESS);
        let text = std::fs::read_to_string(self.path(name)).expect("the export");
        let value = serde_json::from_str(&text).expect("JSON");
        (text, value)
    }

    /// Exit code and report of a command with this file.
    async fn with(&self, verb: &str, file: &Value, flags: &[&str]) -> (ExitCode, Value) {
        let path = self.directory.write("acme.json", &format!("{file:#}"));
        let report = self.path("report.json");
        drop(std::fs::remove_file(&report));
        let always: &[&str] = if verb == "apply" { &["--yes"] } else { &[] };
        let flags = [&[path.as_str(), "--report", &report][..], always, flags].concat();
        let code = self.config(verb, &flags).await;
        let report = std::fs::read(&report).map(|bytes| serde_json::from_slice(&bytes).expect("JSON"));
        (code, report.unwrap_or_default())
    }

    async fn plan(&self, file: &Value) -> (ExitCode, Value) {
        self.with("plan", file, &[]).await
    }

    async fn apply(&self, file: &Value) -> (ExitCode, Value) {
        self.with("apply", file, &[]).await
    }
}

/// An organisation with one of everything.
async fn furnished(world: &World) -> Operator {
    let operator = world.organisation().await;
    operator.put(POLICY, json!({"profile": "mixed", "batchSize": 3})).await.ok();
    operator.put(RETENTION, json!({"claimsDays": 7})).await.ok();
    operator.post(GLOBAL, json!({"credentialBranding": {"name": "Registry"}})).await.ok();
    let provider = json!({
        "issuer": "https://login.example", "clientId": "chancery", "clientSecret": CLIENT_SECRET, "scopes": ["email"],
    });
    operator.put(PROVIDER, provider).await.ok();
    let roles = json!([{"claim": ["groups"], "values": ["owners"], "role": "admin"}]);
    operator.put(ACCESS, json!({"issuer": "https://staff.example", "roles": roles})).await.ok();
    let mut badge = samples::staff_badge();
    badge["credentialDefinitions"][0]["vct"] = format!("{}/types/staff", operator.issuer()).into();
    badge["credentialDefinitions"][0]["display"]["logo"] =
        json!({"uri": "https://a.example/l.png", "altText": "A badge"});
    let badge = operator.define(&badge).await;
    operator.show_logo(&badge).await;
    operator.define(&samples::pid()).await;
    operator.post(WEBHOOK, webhook(HOOK)).await.ok();
    operator
}

fn webhook(url: &str) -> Value {
    json!({"webhook": {
        "payloadUrl": url, "contentType": "application/json", "secretKey": HOOK_SECRET,
        "subscribedEvents": {"digitalWalletWebhook": ["openid.credential.offer_sent"]},
    }})
}

/// How many changes and refusals the organisation has seen.
async fn history_length(operator: &Operator) -> i64 {
    operator.get(AUDIT).await.ok()["pagination"]["totalItems"].as_i64().expect("a number")
}

async fn definitions(operator: &Operator) -> Vec<Value> {
    operator.get(&format!("{DEFINITIONS}?sortOrder=asc")).await.ok()["credentialDefinitions"]
        .as_array()
        .expect("a list")
        .clone()
}

/// The element of an export for the staff badge, which stands behind the PID.
fn badge_of(file: &mut Value) -> &mut Value {
    &mut file["credentialDefinitions"][1]
}

fn names(report: &Value) -> Vec<String> {
    let changes = report["changes"].as_array().expect("changes").iter();
    changes.map(|it| format!("{} {}", it["action"].as_str().unwrap(), it["name"].as_str().unwrap())).collect()
}

on_every_backend! {
    /// Export, plan, change, plan, apply, plan, apply again.
    async fn a_file_is_applied_once_and_changes_nothing_after_that(world: &World) {
        let operator = furnished(world).await;
        let desk = Desk::new(world, &operator);
        let (text, mut file) = desk.export("acme.json").await;
        let badge = definitions(&operator).await[0].clone();
        for private in [HOOK_SECRET, CLIENT_SECRET, operator.key(), operator.issuer(), operator.organisation_id(),
            badge["credentialDefinitionId"].as_str().unwrap(), badge["credentialDefinitions"][0]["id"].as_str().unwrap()]
        {
            assert!(!text.contains(private), "{private} in {text}");
        }
        let before = history_length(&operator).await;
        assert_eq!(desk.plan(&file).await.0, ExitCode::SUCCESS);
        assert_eq!(desk.apply(&file).await.0, ExitCode::SUCCESS);
        assert_eq!(history_length(&operator).await, before);

        file["policy"]["batchSize"] = json!(7);
        file["retention"]["claimsDays"] = Value::Null;
        file["globalConfiguration"]["credentialExpirationInDays"] = json!(365);
        file["identityProvider"]["scopes"] = json!(["profile", "openid"]);
        assert_eq!(file["accessProvider"]["audience"], "${issuer}");
        file["accessProvider"]["requiredClaims"] = json!([{"claim": ["acr"], "values": ["mfa"]}]);
        badge_of(&mut file)["label"] = json!("Staff pass");
        badge_of(&mut file)["credentialDefinitions"][0]["expirationInDays"] = json!(90);
        let claims = &mut badge_of(&mut file)["credentialDefinitions"][0]["claims"]["claims"];
        claims.as_array_mut().unwrap().push(json!({"path": ["building"], "mandatory": false}));
        let mut hook = file["webhooks"][0].clone();
        hook["payloadUrl"] = json!("http://127.0.0.1:9/other");
        file["webhooks"].as_array_mut().unwrap().push(hook);
        file["webhooks"][0]["disabled"] = json!(true);
        let (code, report) = desk.plan(&file).await;
        assert_eq!(code, ExitCode::from(CHANGES));
        assert_eq!(names(&report), [
            "change policy",
            "change retention",
            "change global configuration",
            "change identity provider",
            "change access provider",
            "change definition staff-badge \"Staff badge\"",
            "change webhook http://127.0.0.1:9/hook",
            "create webhook http://127.0.0.1:9/other",
        ]);
        assert_eq!(report["changes"][5]["differences"], json!([
            {"path": "label", "old": "Staff badge", "new": "Staff pass"},
            {"path": "credentialDefinitions[staff-badge].claims.claims[building]", "new": {"path": ["building"], "mandatory": false}},
            {"path": "credentialDefinitions[staff-badge].expirationInDays", "old": 30, "new": 90},
        ]));
        assert_eq!(history_length(&operator).await, before, "a plan changes nothing");

        assert_eq!(desk.apply(&file).await.0, ExitCode::SUCCESS);
        assert_eq!(operator.get(POLICY).await.ok()["policy"]["batchSize"], 7);
        assert_eq!(operator.get(POLICY).await.ok()["policy"]["walletAttestation"], "observe", "what was not changed stays");
        assert_eq!(operator.get(RETENTION).await.ok()["retention"]["claimsDays"], Value::Null);
        let changed = definitions(&operator).await[0].clone();
        assert_eq!((&changed["label"], &changed["credentialDefinitionId"]), (&json!("Staff pass"), &badge["credentialDefinitionId"]));
        let (old, new) = (&badge["credentialDefinitions"][0], &changed["credentialDefinitions"][0]);
        assert_eq!((&new["id"], &new["expirationInDays"]), (&old["id"], &json!(90)));
        assert_eq!(new["display"]["logo"], old["display"]["logo"], "the picture is still there");
        let after = history_length(&operator).await;
        assert_eq!(operator.get(ACCESS).await.ok()["accessProvider"]["requiredClaims"][0]["values"], json!(["mfa"]));
        assert_eq!(after - before, 8);
        assert_eq!(desk.plan(&file).await.0, ExitCode::SUCCESS);
        assert_eq!(desk.apply(&file).await.0, ExitCode::SUCCESS);
        assert_eq!(history_length(&operator).await, after);
        for secret in [HOOK_SECRET, CLIENT_SECRET] {
            assert!(!world.gives_away(secret).await);
        }
    }

    /// From staging to production: what comes out of the second organisation is what went in, byte for byte.
    async fn an_export_furnishes_an_empty_organisation(world: &World) {
        let (first, second) = (furnished(world).await, world.organisation().await);
        let staging = Desk::new(world, &first);
        let production = Desk::new(world, &second);
        let (text, file) = staging.export("acme.json").await;
        let picture = staging.path("acme.pictures/staff-badge.logo.png");
        std::fs::create_dir(production.path("acme.pictures")).expect("a directory");
        std::fs::copy(picture, production.path("acme.pictures/staff-badge.logo.png")).expect("the picture");
        assert_eq!(production.apply(&file).await.0, ExitCode::SUCCESS);
        assert_eq!(production.plan(&file).await.0, ExitCode::SUCCESS);
        let (copy, _) = production.export("copy.json").await;
        assert_eq!(copy.replace("copy.pictures", "acme.pictures"), text);

        let badge = definitions(&second).await.into_iter().find(|it| it["label"] == "Staff badge").expect("the badge");
        assert_eq!(badge["credentialDefinitions"][0]["vct"], format!("{}/types/staff", second.issuer()));
        let logo = format!("{}/logoimage", definition_path(badge["credentialDefinitionId"].as_str().unwrap()));
        assert_eq!(second.get(&logo).await.body, PNG);
        // Its wallets get what was described.
        let offer = second.offer(&badge, &samples::staff_claims()).await;
        world.wallet().accept(&offer.link).await;
        assert_eq!(second.status(&offer.id).await, "credential_issued");
    }

    /// `If-Match` for what has a revision, one more look for what has none.
    async fn what_somebody_else_changed_meanwhile_is_not_overwritten(world: &World) {
        let operator = furnished(world).await;
        let mut desk = Desk::new(world, &operator);
        let (_, file) = desk.export("acme.json").await;
        let mut wanted = file.clone();
        badge_of(&mut wanted)["label"] = json!("Staff pass");
        let stale = Rewriter::before(world.management_front.address(), |answer| {
            if answer.is_for("/credential-definitions") {
                answer.json(|body| body["credentialDefinitions"].as_array_mut().unwrap().iter_mut().for_each(|it| it["revision"] = json!(1)));
            }
        })
        .await;
        let direct = std::mem::replace(&mut desk.url, stale.url());
        let (code, report) = desk.apply(&wanted).await;
        assert_eq!(code, ExitCode::FAILURE);
        assert!(report["failure"]["reason"].as_str().unwrap().starts_with("somebody else changed it"), "{report}");
        assert_eq!(definitions(&operator).await[0]["label"], "Staff badge");

        let asked = AtomicBool::new(false);
        let earlier = Rewriter::before(world.management_front.address(), move |answer| {
            if answer.is_for("/policy") && !asked.swap(true, Ordering::Relaxed) {
                answer.json(|body| body["policy"]["decoys"] = json!(9));
            }
        })
        .await;
        desk.url = earlier.url();
        let mut wanted = file.clone();
        wanted["policy"]["batchSize"] = json!(50);
        let (code, report) = desk.apply(&wanted).await;
        assert_eq!(code, ExitCode::FAILURE);
        assert!(report["failure"]["reason"].as_str().unwrap().starts_with("somebody else changed it"), "{report}");
        assert_eq!(operator.get(POLICY).await.ok()["policy"]["batchSize"], 3);
        desk.url = direct;
        assert_eq!(desk.apply(&wanted).await.0, ExitCode::SUCCESS);
    }

    /// The server says where the body is wrong; the command says where the file is. Then the rest is done.
    async fn a_refusal_points_into_the_file_and_the_next_run_goes_on(world: &World) {
        let operator = furnished(world).await;
        let desk = Desk::new(world, &operator);
        let (_, mut file) = desk.export("acme.json").await;
        file["retention"]["claimsDays"] = json!(30);
        let path = badge_of(&mut file)["credentialDefinitions"][0]["claims"]["claims"][2]["path"].take();
        badge_of(&mut file)["credentialDefinitions"][0]["claims"]["claims"][2]["path"] = json!(["iss"]);
        file["webhooks"][0]["contentType"] = json!("application/x-www-form-urlencoded");
        let (code, report) = desk.apply(&file).await;
        assert_eq!((code, &report["done"]), (ExitCode::FAILURE, &json!(["retention"])));
        let place = &report["failure"]["places"][0];
        assert_eq!(place["pointer"], "/credentialDefinitions/1/credentialDefinitions/0/claims/claims/2/path");
        let text = std::fs::read_to_string(desk.path("acme.json")).expect("the file");
        let line = usize::try_from(place["line"].as_u64().unwrap()).unwrap();
        assert_eq!(text.lines().nth(line - 1).unwrap().trim(), "\"path\": [");
        assert_eq!(text.lines().nth(line).unwrap().trim(), "\"iss\"");
        assert_eq!(operator.get(WEBHOOKS).await.ok()["webhooks"][0]["contentType"], "application/json");

        badge_of(&mut file)["credentialDefinitions"][0]["claims"]["claims"][2]["path"] = path;
        let (code, report) = desk.apply(&file).await;
        assert_eq!((code, &report["done"]), (ExitCode::SUCCESS, &json!([format!("webhook {HOOK}")])));
    }

    async fn what_cannot_change_is_told_by_the_plan_and_nothing_is_done(world: &World) {
        let operator = furnished(world).await;
        let desk = Desk::new(world, &operator);
        let (_, mut file) = desk.export("acme.json").await;
        let before = history_length(&operator).await;
        file["retention"]["claimsDays"] = json!(30);
        badge_of(&mut file)["trustAnchor"] = json!("x509");
        for verb in ["plan", "apply"] {
            let (code, report) = desk.with(verb, &file, &[]).await;
            assert_eq!(code, ExitCode::FAILURE);
            assert_eq!(report["obstacles"][0]["pointer"], "/credentialDefinitions/1/trustAnchor");
        }
        // Other things that only the organisation or this machine can tell.
        let mut hook = file["webhooks"][0].clone();
        hook["payloadUrl"] = json!("http://127.0.0.1:9/other");
        hook["secretKey"] = json!({"environment": "NOT_SET"});
        file["webhooks"].as_array_mut().unwrap().push(hook);
        badge_of(&mut file)["trustAnchor"] = json!("did:key");
        badge_of(&mut file)["signingKey"] = json!("main");
        badge_of(&mut file)["coverImage"] = json!({"file": "none.png"});
        let (code, report) = desk.apply(&file).await;
        assert_eq!(code, ExitCode::FAILURE);
        let pointers: Vec<_> = report["obstacles"].as_array().unwrap().iter().map(|it| it["pointer"].as_str().unwrap()).collect();
        assert_eq!(pointers, ["/credentialDefinitions/1/coverImage/file", "/credentialDefinitions/1/signingKey", "/webhooks/1/secretKey"]);
        assert_eq!(history_length(&operator).await, before);
    }

    async fn nothing_is_deleted_unless_it_is_asked_for(world: &World) {
        let operator = furnished(world).await;
        let desk = Desk::new(world, &operator);
        let (_, mut file) = desk.export("acme.json").await;
        let badge = definitions(&operator).await[0].clone();
        let mut two = badge.clone();
        let mut second = badge["credentialDefinitions"][0].clone();
        second.as_object_mut().unwrap().retain(|name, _| !["id", "credentialConfigurationId"].contains(&name.as_str()));
        second["credentialConfigurationId"] = json!("visitor-badge");
        two["credentialDefinitions"].as_array_mut().unwrap().push(second);
        let path = definition_path(badge["credentialDefinitionId"].as_str().unwrap());
        operator.put(&path, two).await.ok();
        file["credentialDefinitions"].as_array_mut().unwrap().remove(0);
        for name in ["globalConfiguration", "identityProvider", "accessProvider"] {
            file[name] = Value::Null;
        }
        file["webhooks"] = json!([]);
        let before = history_length(&operator).await;
        let (code, report) = desk.apply(&file).await;
        assert_eq!(code, ExitCode::SUCCESS);
        assert_eq!(names(&report), [
            "keep global configuration",
            "keep identity provider",
            "keep access provider",
            "keep definition staff-badge, visitor-badge \"Staff badge\"",
            "keep definition person-identification-data \"Person identification data\"",
            "keep webhook http://127.0.0.1:9/hook",
        ]);
        assert_eq!(history_length(&operator).await, before);

        // An open offer keeps its definition; what came before it is gone, the rest follows when it has ended.
        let pid = definitions(&operator).await[1].clone();
        let offer = operator.offer_of(issue_body(&pid, &samples::pid_claims())).await;
        let (code, report) = desk.with("apply", &file, &["--delete"]).await;
        assert_eq!(code, ExitCode::FAILURE);
        assert_eq!(report["done"], json!(["definition staff-badge, visitor-badge \"Staff badge\"", format!("webhook {HOOK}")]));
        operator.delete(&history_path(&offer.id)).await.ok();
        let (code, _) = desk.with("apply", &file, &["--delete"]).await;
        assert_eq!(code, ExitCode::SUCCESS);
        let left = definitions(&operator).await;
        assert_eq!((left.len(), left[0]["credentialDefinitions"].as_array().unwrap().len()), (1, 1));
        operator.get(PROVIDER).await.problem(404);
        operator.get(ACCESS).await.problem(404);
        assert_eq!(desk.with("plan", &file, &["--delete"]).await.0, ExitCode::SUCCESS);
    }

    /// A sandbox is an organisation: its file comes from a key that is bound to it, and fits the real one.
    async fn a_sandbox_has_a_file_of_its_own(world: &World) {
        let operator = furnished(world).await;
        let made = operator.post(SANDBOX, json!({"name": "Rehearsal"})).await.expect(201)["sandboxOrganisation"].clone();
        let key = operator.post(API_KEYS, json!({"name": "rehearsal", "role": "admin"})).await.ok()["apiKey"].clone();
        let path = format!("{API_KEYS}/{}/sandbox-org", key["id"].as_str().expect("an id"));
        operator.put(&path, json!({"sandboxOrgId": made["sandboxOrgId"]})).await.ok();
        let rehearsal = operator.with_key(key["apiKey"].as_str().expect("a key"));
        rehearsal.post(KEYS, json!({})).await.expect(201);
        let mut desk = Desk::new(world, &operator);
        let (_, file) = desk.export("acme.json").await;
        desk.key = rehearsal.key().to_owned();
        let (_, empty) = desk.export("empty.json").await;
        assert_eq!((&empty["credentialDefinitions"], &empty["accessProvider"]), (&json!([]), &Value::Null));
        let before = history_length(&operator).await;
        assert_eq!(desk.apply(&file).await.0, ExitCode::SUCCESS);
        assert_eq!(desk.plan(&file).await.0, ExitCode::SUCCESS);
        assert_eq!(history_length(&operator).await, before, "nothing happens in the real one");
        assert_eq!(definitions(&rehearsal).await.len(), 2);
        let (_, copy) = desk.export("copy.json").await;
        assert_eq!(copy["accessProvider"], file["accessProvider"]);
        desk.key = operator.key().to_owned();
        assert_eq!(desk.plan(&copy).await.0, ExitCode::SUCCESS, "what was rehearsed is what the real one has");
    }

    /// What a file does not mention is none of its business.
    async fn sections_and_members_that_are_left_out_stay(world: &World) {
        let operator = furnished(world).await;
        let desk = Desk::new(world, &operator);
        let file = json!({"format": "chancery-configuration/1", "credentialDefinitions": [
            {"label": "Staff badge", "credentialDefinitions": [{"credentialConfigurationId": "badge", "vct": format!("{}/types/staff", operator.issuer())}]},
            {"credentialDefinitions": [{"credentialConfigurationId": "person-identification-data", "expirationInDays": 90}]},
        ]});
        let before = definitions(&operator).await[0].clone();
        let (code, report) = desk.with("apply", &file, &["--delete"]).await;
        assert_eq!(code, ExitCode::SUCCESS);
        // The same entry under another configuration id, found by label and type.
        assert_eq!(names(&report), ["change definition staff-badge \"Staff badge\""]);
        let after = definitions(&operator).await[0].clone();
        let (before, after) = (&before["credentialDefinitions"][0], &after["credentialDefinitions"][0]);
        assert_eq!((&after["id"], &after["claims"]), (&before["id"], &before["claims"]));
        assert_eq!(after["credentialConfigurationId"], "badge");
    }

    /// A profile sets what the file leaves out; everything else is laid over what is there.
    async fn another_profile_takes_its_own_switches(world: &World) {
        let operator = furnished(world).await;
        let desk = Desk::new(world, &operator);
        let file = json!({"format": "chancery-configuration/1", "policy": {"profile": "open", "decoys": 2}});
        assert_eq!(desk.apply(&file).await.0, ExitCode::SUCCESS);
        let policy = operator.get(POLICY).await.ok()["policy"].clone();
        assert_eq!((&policy["batchSize"], &policy["decoys"], &policy["walletAttestation"]), (&json!(1), &json!(2), &json!("off")));
        assert_eq!(desk.plan(&file).await.0, ExitCode::SUCCESS);
    }

    /// Secrets go out when something new needs them, and again only when that is asked for.
    async fn secrets_are_sent_again_only_when_asked_for(world: &World) {
        let operator = furnished(world).await;
        let mut desk = Desk::new(world, &operator);
        let (_, file) = desk.export("acme.json").await;
        let sends = ["--send-secrets"];
        let (code, report) = desk.with("plan", &file, &sends).await;
        assert_eq!(code, ExitCode::from(CHANGES));
        assert_eq!(names(&report), ["change identity provider".to_owned(), format!("change webhook {HOOK}")]);
        desk.environment.clear();
        assert_eq!(desk.plan(&file).await.0, ExitCode::SUCCESS, "secrets that stay are not asked for");
        assert_eq!(desk.with("apply", &file, &sends).await.0, ExitCode::FAILURE);
        let replaced = "another-secret-of-some-length";
        desk.environment = SECRETS.map(|(name, _)| (name.to_owned(), replaced.to_owned())).into();
        let before = history_length(&operator).await;
        assert_eq!(desk.with("apply", &file, &sends).await.0, ExitCode::SUCCESS);
        assert_eq!(history_length(&operator).await, before + 2);
        assert!(!world.gives_away(replaced).await);
    }

    async fn a_key_goes_by_a_name_that_each_organisation_fills(world: &World) {
        let (first, second) = (world.organisation().await, world.organisation().await);
        let kid = async |operator: &Operator| operator.get(KEYS).await.ok()["keys"][0]["kid"].as_str().unwrap().to_owned();
        let mut badge = samples::staff_badge();
        badge["kid"] = kid(&first).await.into();
        first.define(&badge).await;
        let (text, file) = Desk::new(world, &first).export("acme.json").await;
        assert_eq!(file["signingKeys"], json!({"key-1": kid(&first).await}));
        assert_eq!(text.matches(&kid(&first).await).count(), 1);
        let production = Desk::new(world, &second);
        assert_eq!(production.apply(&file).await.0, ExitCode::FAILURE);
        let mapping = format!("key-1={}", kid(&second).await);
        assert_eq!(production.with("apply", &file, &["--key", &mapping]).await.0, ExitCode::SUCCESS);
        assert_eq!(definitions(&second).await[0]["kid"], kid(&second).await);
        assert_eq!(production.with("plan", &file, &["--key", &mapping]).await.0, ExitCode::SUCCESS);
    }

    async fn without_the_right_key_or_a_server_nothing_happens(world: &World) {
        let operator = furnished(world).await;
        let auditor = operator.with_role("auditor").await;
        let mut desk = Desk::new(world, &auditor);
        let (_, mut file) = desk.export("acme.json").await;
        // What is there is not replaced by accident.
        assert_eq!(desk.config("export", &["--output", &desk.path("acme.json")]).await, ExitCode::FAILURE);
        assert_eq!(desk.config("export", &["--output", &desk.path("acme.json"), "--force"]).await, ExitCode::SUCCESS);
        file["retention"]["claimsDays"] = json!(30);
        assert_eq!(desk.plan(&file).await.0, ExitCode::from(CHANGES));
        let (code, report) = desk.apply(&file).await;
        assert_eq!((code, &report["done"]), (ExitCode::FAILURE, &json!([])));
        desk.key = "not-a-key".to_owned();
        assert_eq!(desk.apply(&file).await.0, ExitCode::FAILURE);
        desk.key = operator.key().to_owned();
        let there = std::mem::replace(&mut desk.url, "http://127.0.0.1:9".to_owned());
        assert_eq!(desk.plan(&file).await.0, ExitCode::FAILURE);
        desk.url = there;
        assert_eq!(desk.apply(&json!({"format": "chancery-configuration/1", "typo": {}})).await.0, ExitCode::FAILURE);
        assert_eq!(operator.get(RETENTION).await.ok()["retention"]["claimsDays"], 7);
    }
}
