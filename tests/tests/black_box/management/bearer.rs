//! Access tokens of an organisation's access provider (RFC 6750, RFC 9068).

use std::time::Duration;

use chancery_tests::identity_provider::{Fault, IdentityProvider};
use chancery_tests::jwt::{Damage, Jwt};
use chancery_tests::key::Key;
use chancery_tests::platform::{API_KEYS, ISSUE, issue_body};
use chancery_tests::{Stream, on_every_backend};
use reqwest::Method;

use super::*;

const PROVIDER: &str = "/v2/config/admin/access-provider";
const EVENTS: &str = "/v2/config/digital-wallet/openid/sdjwt/credential/history/events";

fn rules() -> Value {
    json!([
        {"claim": ["groups"], "values": ["owners"], "role": "admin"},
        {"claim": ["groups"], "values": ["desk"], "role": "issuer"},
        {"claim": ["realm", "roles"], "values": ["reader"], "role": "auditor"},
    ])
}

/// An organisation and the provider at which its administrators sign in.
async fn signed_in(world: &World) -> (Operator, IdentityProvider) {
    let operator = world.organisation().await;
    let provider = IdentityProvider::start(&world.env).await;
    trust(&operator, &provider, json!({})).await;
    (operator, provider)
}

async fn trust(operator: &Operator, provider: &IdentityProvider, more: Value) {
    let mut body = json!({"issuer": provider.issuer(), "roles": rules()});
    for (name, value) in more.as_object().expect("an object") {
        body[name] = value.clone();
    }
    operator.put(PROVIDER, body).await.ok();
}

fn owners() -> Value {
    json!({"groups": ["owners"]})
}

/// With an access token of the provider, for the organisation.
fn person(operator: &Operator, provider: &IdentityProvider, claims: Value) -> Operator {
    operator.with_token(&provider.access_token(operator.issuer(), claims).compact())
}

/// Asserts a refused token (RFC 6750 §3).
#[track_caller]
fn assert_refused(answer: &Answer, status: u16, slug: &str, error: &str) {
    assert_problem(answer, status, slug);
    let challenges: Vec<_> =
        answer.headers.get_all("www-authenticate").iter().map(|it| it.to_str().expect("ASCII")).collect();
    let expected = format!("Bearer realm=\"chancery\", error=\"{error}\", error_description=\"");
    assert!(challenges.iter().any(|challenge| challenge.starts_with(&expected)), "{challenges:?} {answer}");
}

on_every_backend! {
    async fn claims_give_a_role_and_the_role_says_what_is_allowed(world: &World) {
        let (operator, provider) = signed_in(world).await;
        let definition = operator.define(&samples::staff_badge()).await;
        let body = || issue_body(&definition, &samples::staff_claims());
        let key = json!({"name": "made by a person", "role": "auditor"});

        let admin = person(&operator, &provider, json!({"groups": ["x", "owners"], "realm": {"roles": ["reader"]}}));
        admin.get(DEFINITIONS).await.ok();
        admin.issue(body()).await.ok();
        let made = admin.post(API_KEYS, key.clone()).await.ok();
        operator.with_key(made["apiKey"]["apiKey"].as_str().expect("a key")).get(DEFINITIONS).await.ok();

        let issuer = person(&operator, &provider, json!({"groups": "desk"}));
        issuer.issue(body()).await.ok();
        assert_refused(&issuer.post(API_KEYS, key.clone()).await, 403, "forbidden", "insufficient_scope");

        let auditor = person(&operator, &provider, json!({"realm": {"roles": ["reader"]}}));
        let list = auditor.get(HISTORY).await.ok();
        assert_eq!(list["credentialHistory"][0]["credentialOffer"], "");
        assert_refused(&auditor.issue(body()).await, 403, "forbidden", "insufficient_scope");

        for claims in [json!({}), json!({"groups": ["owner"]}), json!({"realm": ["reader"]})] {
            let nobody = person(&operator, &provider, claims);
            assert_refused(&nobody.get(DEFINITIONS).await, 403, "forbidden", "insufficient_scope");
        }
    }

    async fn a_required_claim_is_required_of_every_role(world: &World) {
        let (operator, provider) = signed_in(world).await;
        trust(&operator, &provider, json!({"requiredClaims": [{"claim": ["acr"], "values": ["mfa"]}]})).await;
        assert_problem(&person(&operator, &provider, owners()).get(DEFINITIONS).await, 403, "forbidden");
        person(&operator, &provider, json!({"groups": ["owners"], "acr": "mfa"})).get(DEFINITIONS).await.ok();
    }

    async fn tokens_are_verified_with_every_algorithm_that_providers_use(world: &World) {
        let (operator, provider) = signed_in(world).await;
        for key in [Key::p256(), Key::p384(), Key::ed25519(), Key::rsa()] {
            provider.set_key(key.clone());
            // What is known of a provider is kept for some minutes; a restart forgets it.
            world.restart().await;
            person(&operator, &provider, owners()).get(DEFINITIONS).await.ok();
            let token = provider.access_token(operator.issuer(), owners()).with_damage(Damage::Signature);
            let damaged = operator.with_token(&token.compact()).get(DEFINITIONS).await;
            assert_refused(&damaged, 401, "unauthorized", "invalid_token");
        }
    }

    async fn a_token_that_is_not_to_be_believed_opens_nothing(world: &World) {
        let (operator, provider) = signed_in(world).await;
        let now = world.env.now().seconds();
        let good = || provider.access_token(operator.issuer(), owners());
        let mut forged = good();
        forged.key = Key::p256();
        let wrong: Vec<(&str, Jwt)> = vec![
            ("iss", good().with_claim("iss", "https://login.example")),
            ("no iss", good().with_claim("iss", Value::Null)),
            ("aud", good().with_claim("aud", "https://other.example")),
            ("no aud", good().with_claim("aud", Value::Null)),
            ("exp", good().with_claim("exp", now - 60)),
            ("no exp", good().with_claim("exp", Value::Null)),
            ("nbf", good().with_claim("nbf", now + 61)),
            ("iat", good().with_claim("iat", now + 61)),
            ("no sub", good().with_claim("sub", Value::Null)),
            ("hostile sub", good().with_claim("sub", "a\u{0}b")),
            ("cnf", good().with_claim("cnf", json!({"jkt": "x"}))),
            ("JWT", good().with_header("typ", "JWT")),
            ("no typ", good().with_header("typ", Value::Null)),
            ("none", good().with_header("alg", "none").with_damage(Damage::Unsigned)),
            ("none, signed", good().with_header("alg", "none")),
            ("HS256", good().with_header("alg", "HS256")),
            ("ES384", good().with_header("alg", "ES384")),
            ("crit", good().with_header("crit", json!(["exp"]))),
            ("another key", forged),
            ("another kid", good().with_header("kid", "another")),
            ("damaged", good().with_damage(Damage::Signature)),
            ("unsigned", good().with_damage(Damage::Unsigned)),
            ("two parts", good().with_damage(Damage::TwoSegments)),
            ("long", good().with_claim("padding", "x".repeat(16_384))),
            ("no JWT", good().with_damage(Damage::Replaced("abc".to_owned()))),
        ];
        let before = world.database.census().await;
        for (what, token) in wrong {
            let answer = operator.with_token(&token.compact()).post(API_KEYS, json!({"name": "k", "role": "admin"})).await;
            assert_problem(&answer, 401, "unauthorized");
            // One that is too long is none.
            if what != "long" {
                assert_refused(&answer, 401, "unauthorized", "invalid_token");
            }
            assert!(!answer.mentions("person-1"), "{what}: {answer}");
        }
        assert_eq!(world.database.census().await, before);
        // A minute is forgiven.
        operator.with_token(&good().with_claim("exp", now - 59).compact()).get(DEFINITIONS).await.ok();
        operator.with_token(&good().with_claim("nbf", now + 60).compact()).get(DEFINITIONS).await.ok();
    }

    async fn a_request_that_shows_nothing_is_told_both_ways_in(world: &World) {
        let url = format!("{}{DEFINITIONS}", world.management_url());
        let answer = world.http().get(&url).await;
        assert_problem(&answer, 401, "unauthorized");
        let challenges: Vec<_> = answer.headers.get_all("www-authenticate").iter().collect();
        assert_eq!(challenges, ["ApiKey realm=\"chancery\"", "Bearer realm=\"chancery\""]);
    }

    /// Providers that do not know RFC 9068 call their tokens `JWT`; an ID token is none of them.
    async fn a_plain_jwt_is_taken_only_where_the_organisation_says_so(world: &World) {
        let (operator, provider) = signed_in(world).await;
        let plain = provider.access_token(operator.issuer(), owners()).with_header("typ", "JWT");
        let plain_person = operator.with_token(&plain.compact());
        assert_refused(&plain_person.get(DEFINITIONS).await, 401, "unauthorized", "invalid_token");
        trust(&operator, &provider, json!({"plainJwt": true})).await;
        plain_person.get(DEFINITIONS).await.ok();
        person(&operator, &provider, owners()).get(DEFINITIONS).await.ok();
        let id_token = operator.with_token(&plain.with_claim("nonce", "n-1").compact());
        assert_refused(&id_token.get(DEFINITIONS).await, 401, "unauthorized", "invalid_token");
    }

    async fn the_keys_of_a_provider_may_be_rotated_at_any_time(world: &World) {
        let (operator, provider) = signed_in(world).await;
        person(&operator, &provider, owners()).get(DEFINITIONS).await.ok();
        provider.rotate_key();
        person(&operator, &provider, owners()).get(DEFINITIONS).await.ok();
    }

    /// Whoever makes up keys does not make this server ask the provider again and again.
    async fn unknown_keys_do_not_flood_the_provider(world: &World) {
        let (operator, provider) = signed_in(world).await;
        person(&operator, &provider, owners()).get(DEFINITIONS).await.ok();
        for n in 0..20 {
            let token = provider.access_token(operator.issuer(), owners()).with_header("kid", format!("k-{n}"));
            let answer = operator.with_token(&token.compact()).get(DEFINITIONS).await;
            assert_refused(&answer, 401, "unauthorized", "invalid_token");
        }
        // Discovery and keys: at first, and once more.
        assert_eq!(provider.requests().len(), 4, "{:?}", provider.requests());
    }

    /// Nothing is known about the token then: the client must not throw it away.
    async fn a_provider_that_does_not_answer_is_503_and_never_401(world: &World) {
        let (operator, provider) = signed_in(world).await;
        let somebody = person(&operator, &provider, owners());
        provider.misbehave(Fault::OtherIssuer);
        assert_problem(&somebody.get(DEFINITIONS).await, 503, "unavailable");
        provider.misbehave(Fault::Redirect("http://127.0.0.1:9/".to_owned()));
        assert_problem(&somebody.get(DEFINITIONS).await, 503, "unavailable");
        provider.misbehave(Fault::None);
        somebody.get(DEFINITIONS).await.ok();
        // A signature that was found good is believed for a while; another one has to be checked.
        let later = person(&operator, &provider, owners());
        drop(provider);
        somebody.get(DEFINITIONS).await.ok();
        later.get(DEFINITIONS).await.ok();
        world.restart().await;
        let answer = later.post(API_KEYS, json!({"name": "k", "role": "admin"})).await;
        assert_problem(&answer, 503, "unavailable");
        assert!(answer.header("retry-after").is_some(), "{answer}");
        operator.get(DEFINITIONS).await.ok();
    }

    async fn the_audit_log_and_records_name_the_person(world: &World) {
        let (operator, provider) = signed_in(world).await;
        let definition = operator.define(&samples::staff_badge()).await;
        let name = format!("{}#person-1", provider.issuer());
        let admin = person(&operator, &provider, owners());
        admin.post(API_KEYS, json!({"name": "k", "role": "auditor"})).await.ok();
        let actor = json!({"kind": "person", "id": "", "name": name, "role": "admin"});
        let by_name = async |name: &str| {
            let query = reqwest::Url::parse_with_params("http://x/", [("actorName", name)]).expect("a URL");
            operator.get(&format!("/v2/config/audit?{}", query.query().expect("a query"))).await.ok()
        };
        let log = by_name(&name).await;
        assert_eq!(log["pagination"]["totalItems"], 1, "{log}");
        assert_eq!((&log["auditEntries"][0]["action"], &log["auditEntries"][0]["actor"]), (&json!("createApiKey"), &actor));

        let history = admin.issue(issue_body(&definition, &samples::staff_claims())).await.ok()["credentialHistory"].clone();
        assert_eq!(history["issuedBy"], name);
        let id = history["id"].as_str().expect("an id");
        assert_eq!(operator.history(id).await["issuedBy"], name);

        // Refused attempts of people who are known, in whose log they belong.
        person(&operator, &provider, json!({})).get(DEFINITIONS).await.problem(403);
        let expired = provider.access_token(operator.issuer(), owners()).with_claim("exp", 7);
        operator.with_token(&expired.compact()).get(DEFINITIONS).await.problem(401);
        let log = by_name(&name).await;
        let told: Vec<_> = log["auditEntries"].as_array().expect("entries").iter().map(|it| (&it["problem"], &it["actor"]["role"])).collect();
        assert_eq!(told[..2], [(&json!("unauthorized"), &json!("admin")), (&json!("forbidden"), &json!(""))]);
        let forged = provider.access_token(operator.issuer(), owners()).with_damage(Damage::Signature);
        operator.with_token(&forged.compact()).get(DEFINITIONS).await.problem(401);
        assert_eq!(by_name(&name).await["pagination"]["totalItems"], 3);
        let slug = operator.organisation["slug"].as_str().expect("a slug");
        assert!(world.command(&["audit", "verify", "--organisation", slug]).await);
    }

    async fn a_change_of_status_names_the_person(world: &World) {
        let (operator, provider) = signed_in(world).await;
        let mut badge = samples::staff_badge();
        badge["credentialDefinitions"][0]["supportRevocation"] = true.into();
        let definition = operator.define(&badge).await;
        let offer = operator.offer(&definition, &samples::staff_claims()).await;
        world.wallet().accept(&offer.link).await;
        let path = format!("{}/revocation-status", chancery_tests::platform::history_path(&offer.id));
        person(&operator, &provider, json!({"groups": "desk"})).put(&path, json!({"revocationStatus": "Revoked"})).await.ok();
        assert!(operator.get(&path).await.mentions(&format!("person:{}#person-1", provider.issuer())));
    }

    async fn a_person_may_repeat_a_request(world: &World) {
        let (operator, provider) = signed_in(world).await;
        let admin = person(&operator, &provider, owners());
        let post = async |operator: &Operator| {
            let request = operator.request(Method::POST, API_KEYS).header("idempotency-key", "k1");
            operator.send(request.json(&json!({"name": "k", "role": "auditor"}))).await
        };
        let first = post(&admin).await;
        first.ok();
        assert_eq!(post(&admin).await.text(), first.text());
        // The key belongs to the organisation, whoever shows it; a role that may not do it is refused all the same.
        assert_eq!(post(&operator).await.text(), first.text());
        assert_problem(&post(&person(&operator, &provider, json!({"groups": "desk"}))).await, 403, "forbidden");
    }

    async fn tokens_are_kept_nowhere(world: &World) {
        let (operator, provider) = signed_in(world).await;
        let token = provider.access_token(operator.issuer(), owners()).compact();
        operator.with_token(&token).post(API_KEYS, json!({"name": "k", "role": "auditor"})).await.ok();
        operator.with_token(&format!("{token}x")).get(DEFINITIONS).await.problem(401);
        for part in token.split('.') {
            assert!(!world.gives_away(part).await);
        }
    }

    async fn another_audience_needs_the_organisation_to_be_named(world: &World) {
        let (operator, provider) = signed_in(world).await;
        trust(&operator, &provider, json!({"audience": "api://registry"})).await;
        let token = provider.access_token("api://registry", owners()).compact();
        let somebody = operator.with_token(&token);
        assert_refused(&somebody.get(DEFINITIONS).await, 401, "unauthorized", "invalid_token");
        let named = somebody.with_header("x-organisationid", operator.organisation_id());
        named.get(DEFINITIONS).await.ok();
        // The log shows what there was before and after, which takes the same headers.
        named.put("/v2/config/digital-wallet/openid/retention", json!({"claimsDays": 7})).await.ok();
        let log = operator.get("/v2/config/audit?action=setRetention").await.ok();
        assert_eq!(log["auditEntries"][0]["after"]["retention"]["claimsDays"], 7);

        let other = world.organisation().await;
        for id in [other.organisation_id(), UNKNOWN, "not-an-id"] {
            let answer = somebody.with_header("x-organisationid", id).get(DEFINITIONS).await;
            assert_refused(&answer, 401, "unauthorized", "invalid_token");
        }
        let twice = named.with_header("x-organisationid", operator.organisation_id());
        assert_problem(&twice.get(DEFINITIONS).await, 401, "unauthorized");
        // API keys say themselves whose they are.
        operator.with_header("x-organisationid", other.organisation_id()).get(PROVIDER).await.ok();
    }

    /// An organisation that names the provider and audience of another one takes nothing from it: neither its tokens, nor
    /// its way in.
    async fn no_organisation_gets_hold_of_the_tokens_of_another(world: &World) {
        let (victim, provider) = signed_in(world).await;
        let definition = victim.define(&samples::staff_badge()).await;
        let id = definition["credentialDefinitionId"].as_str().expect("an id");
        let attacker = world.organisation().await;
        trust(&attacker, &provider, json!({"audience": victim.issuer()})).await;
        // The victim's people go on meeting the victim, and nobody else.
        let somebody = person(&victim, &provider, owners());
        let path = chancery_tests::platform::definition_path(id);
        somebody.get(&path).await.ok();
        assert_eq!(somebody.get(PROVIDER).await.ok()["accessProvider"]["organisationId"], victim.organisation_id());
        // Who names the attacker meets the attacker only.
        let misled = somebody.with_header("x-organisationid", attacker.organisation_id());
        assert_problem(&misled.get(&path).await, 404, "not-found");

        // A provider of the attacker's own opens the attacker's organisation, whatever its tokens say.
        let own = IdentityProvider::start(&world.env).await;
        trust(&attacker, &own, json!({"audience": victim.issuer()})).await;
        let forged = [
            own.access_token(victim.issuer(), owners()),
            own.access_token(victim.issuer(), owners()).with_claim("iss", provider.issuer()),
        ];
        for token in forged {
            let intruder = attacker.with_token(&token.compact());
            assert_refused(&intruder.get(&path).await, 401, "unauthorized", "invalid_token");
            let named = intruder.with_header("x-organisationid", victim.organisation_id());
            assert_refused(&named.get(&path).await, 401, "unauthorized", "invalid_token");
        }
        // A token for both leaves open who is meant.
        let both = provider.access_token(victim.issuer(), owners()).with_claim("aud", json!([victim.issuer(), attacker.issuer()]));
        assert_refused(&victim.with_token(&both.compact()).get(&path).await, 401, "unauthorized", "invalid_token");
    }

    async fn a_suspended_organisation_lets_nobody_in(world: &World) {
        let (operator, provider) = signed_in(world).await;
        let somebody = person(&operator, &provider, owners());
        world.platform().suspend(&operator).await;
        assert_problem(&somebody.get(DEFINITIONS).await, 403, "organisation-suspended");
        world.platform().resume(&operator).await;
        somebody.get(DEFINITIONS).await.ok();
    }

    /// Not before the token does, and not because of what gives others a role.
    async fn a_stream_of_a_person_ends_with_what_gave_the_role(world: &World) {
        let (operator, provider) = signed_in(world).await;
        let open = async |claims| {
            let request = person(&operator, &provider, claims).request(Method::GET, EVENTS);
            Stream::open(request).await.expect("a stream")
        };
        let mut of_reader = open(json!({"realm": {"roles": ["reader"]}})).await;
        let mut of_owner = open(owners()).await;
        let only_owners = json!([{"claim": ["groups"], "values": ["owners"], "role": "admin"}]);
        trust(&operator, &provider, json!({"roles": only_owners})).await;
        assert_eq!(of_reader.event("end").await.text("reason"), "refused");
        world.advance(Duration::from_secs(300));
        of_owner.event("ready").await;
        world.advance(Duration::from_secs(61));
        assert_eq!(of_owner.event("end").await.text("reason"), "refused");

        let mut again = open(owners()).await;
        again.event("ready").await;
        trust(&operator, &provider, json!({"roles": [{"claim": ["groups"], "values": ["owners"], "role": "issuer"}]})).await;
        assert_eq!(again.event("end").await.text("reason"), "refused", "under another role one is another caller");
        let mut last = open(owners()).await;
        last.event("ready").await;
        assert_eq!(operator.delete(PROVIDER).await.status, 204);
        assert_eq!(last.event("end").await.text("reason"), "refused");
        assert_eq!(last.block().await, None);
    }

    async fn requests_of_people_count_against_the_quota(world: &World) {
        let (operator, provider) = signed_in(world).await;
        let path = format!("/v2/platform/organisations/{}/quotas", operator.organisation_id());
        world.platform().put(&path, json!({"requestsPerMinute": 60})).await.ok();
        let somebody = person(&operator, &provider, owners());
        for _ in 0..10 {
            somebody.get(DEFINITIONS).await.ok();
        }
        assert_problem(&somebody.get(DEFINITIONS).await, 429, "too-many-requests");
        assert_problem(&operator.get(DEFINITIONS).await, 429, "too-many-requests");
    }

    async fn tokens_open_nothing_without_the_access_provider(world: &World) {
        let (operator, provider) = signed_in(world).await;
        let somebody = person(&operator, &provider, owners());
        somebody.get(DEFINITIONS).await.ok();
        let other = IdentityProvider::start(&world.env).await;
        trust(&operator, &other, json!({})).await;
        assert_refused(&somebody.get(DEFINITIONS).await, 401, "unauthorized", "invalid_token");
        assert_eq!(operator.delete(PROVIDER).await.status, 204);
        assert_refused(&person(&operator, &other, owners()).get(DEFINITIONS).await, 401, "unauthorized", "invalid_token");
        // People at the platform's door are strangers.
        let platform = somebody.get("/v2/platform/organisations").await;
        assert_problem(&platform, 401, "unauthorized");
        let keyless = somebody.request(Method::GET, ISSUE);
        somebody.send(keyless).await.problem(405);
    }
}
