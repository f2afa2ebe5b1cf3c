//! Organisations and the platform key.

use chancery_tests::platform::{ORGANISATIONS, Platform};
use chancery_tests::wallet::{offer_uri, well_known};
use chancery_tests::{Environment, Options, on_every_backend};

use super::*;

fn path(operator: &Operator) -> String {
    format!("{ORGANISATIONS}/{}", operator.organisation_id())
}

on_every_backend! {
    /// Creation answers the organisation and the key of its first administrator, which works at once.
    async fn a_new_organisation_has_an_administrator_and_a_default_issuer(world: &World) {
        let body = json!({"slug": "registry-of-ghent", "name": "Registry of Ghent"});
        let created = world.platform().post(ORGANISATIONS, body).await.expect(201);
        let organisation = &created["organisation"];
        assert_eq!(organisation["slug"], "registry-of-ghent");
        assert_eq!(organisation["name"], "Registry of Ghent");
        assert_eq!(organisation["status"], "active");
        assert_eq!(organisation["issuer"], format!("{}/o/registry-of-ghent", world.public_url()));
        assert_eq!((&organisation["createdAt"], &organisation["updatedAt"]), (&json!(START), &json!(START)));
        assert_eq!(kind(&organisation["policy"]), "object");
        assert_eq!(created["apiKey"]["role"], "admin");
        let key = created["apiKey"]["apiKey"].as_str().expect("a key");
        let administrator = world.organisation().await.with_key(key);
        assert_eq!(administrator.get(DEFINITIONS).await.ok()["credentialDefinitions"], json!([]));

        let id = organisation["id"].as_str().expect("an id");
        let read = world.platform().get(&format!("{ORGANISATIONS}/{id}")).await;
        assert_eq!(read.ok(), json!({"organisation": organisation, "warnings": []}));
        assert!(!read.mentions(key));
    }

    /// Programs with an API key learn whom it is of, and what its URLs begin with.
    async fn a_key_tells_its_organisation(world: &World) {
        let (operator, other) = (world.organisation().await, world.organisation().await);
        let read = operator.get("/v2/config/organisation").await.ok();
        assert_eq!(read, world.platform().get(&path(&operator)).await.ok());
        assert_ne!(read, other.get("/v2/config/organisation").await.ok());
        assert_problem(&operator.with_key("nobody's").get("/v2/config/organisation").await, 401, "unauthorized");
        assert_problem(&world.platform().get("/v2/config/organisation").await, 401, "unauthorized");
        world.platform().suspend(&operator).await;
        assert_problem(&operator.get("/v2/config/organisation").await, 403, "organisation-suspended");
    }

    /// An organisation keeps the identifier that its wallets know, with host and path of its own.
    async fn an_organisation_may_have_an_issuer_identifier_of_its_own(world: &World) {
        let issuer = "https://api.example/igrantio/issuer-backend";
        let operator = world.platform().organisation(json!({"issuer": issuer})).await;
        assert_eq!(operator.issuer(), issuer);
        let metadata = world.http().get(&well_known(issuer, "openid-credential-issuer")).await.ok();
        assert_eq!(metadata["credential_issuer"], issuer);
        let definition = operator.define(&samples::staff_badge()).await;
        let offer = operator.offer(&definition, &samples::staff_claims()).await;
        assert!(offer_uri(&offer.link).starts_with(&format!("{issuer}/")), "{}", offer.link);
        world.wallet().accept(&offer.link).await;
    }

    /// Two organisations share neither slug nor issuer identifier, given or default.
    async fn slugs_and_issuer_identifiers_are_unique(world: &World) {
        let platform = world.platform();
        let create = async |body: Value| platform.post(ORGANISATIONS, body).await;
        let issuer = "https://issuer.example/tenant";
        create(json!({"slug": "first", "name": "First", "issuer": issuer})).await.expect(201);
        assert_problem(&create(json!({"slug": "first", "name": "Other"})).await, 409, "slug-taken");
        let same = json!({"slug": "second", "name": "Other", "issuer": issuer});
        assert_problem(&create(same).await, 409, "issuer-taken");
        let default = format!("{}/o/third", world.public_url());
        create(json!({"slug": "fourth", "name": "Fourth", "issuer": default})).await.expect(201);
        assert_problem(&create(json!({"slug": "third", "name": "Third"})).await, 409, "issuer-taken");
        assert_eq!(platform.get(ORGANISATIONS).await.ok()["pagination"]["totalItems"], 2);
    }

    /// Suspension closes both faces and loses nothing.
    async fn a_suspended_organisation_is_closed_until_it_is_resumed(world: &World) {
        let (operator, definition) = badge(world).await;
        let offer = operator.offer(&definition, &samples::staff_claims()).await;
        let wallet = world.wallet();
        let opened = wallet.open(&offer.link).await;

        let suspended = world.platform().post(&format!("{}/suspend", path(&operator)), json!({})).await.ok();
        assert_eq!(suspended["organisation"]["status"], "suspended");
        assert_problem(&operator.get(DEFINITIONS).await, 403, "organisation-suspended");
        let body = chancery_tests::platform::issue_body(&definition, &samples::staff_claims());
        assert_problem(&operator.issue(body).await, 403, "organisation-suspended");
        for url in [offer_uri(&offer.link), well_known(operator.issuer(), "openid-credential-issuer")] {
            world.http().get(&url).await.refused(404, "not_found");
        }
        wallet.send(wallet.token_call(&opened)).await.refused(404, "not_found");
        let read = world.platform().get(&path(&operator)).await.ok();
        assert_eq!(read["organisation"]["status"], "suspended");

        let resumed = world.platform().post(&format!("{}/resume", path(&operator)), json!({})).await.ok();
        assert_eq!(resumed["organisation"]["status"], "active");
        wallet.accept(&offer.link).await;
        operator.history(&offer.id).await;
    }

    /// Deletion takes everything: definitions, keys, exchanges, grants, credentials, transcripts, kept answers.
    async fn a_deleted_organisation_leaves_nothing_behind(world: &World) {
        let other = world.organisation().await;
        let before = world.database.census().await;
        let (operator, definition) = badge(world).await;
        let offer = operator.offer(&definition, &samples::staff_claims()).await;
        world.wallet().accept(&offer.link).await;
        let body = chancery_tests::platform::issue_body(&definition, &samples::staff_claims());
        let request = operator.request(reqwest::Method::POST, chancery_tests::platform::ISSUE);
        operator.send(request.header("idempotency-key", "once").json(&body)).await.ok();
        operator.with_role("auditor").await;

        let gone = world.platform().delete(&path(&operator)).await;
        assert_eq!((gone.status, gone.body.len()), (204, 0), "{gone}");
        assert_eq!(world.database.census().await, before);
        operator.get(DEFINITIONS).await.problem(401);
        world.http().get(&offer_uri(&offer.link)).await.refused(404, "not_found");
        assert_problem(&world.platform().get(&path(&operator)).await, 404, "not-found");
        assert_problem(&world.platform().delete(&path(&operator)).await, 404, "not-found");
        other.get(DEFINITIONS).await.ok();

        // The name is free again, and the newcomer inherits nothing.
        let slug = operator.organisation["slug"].clone();
        let heir = world.platform().organisation(json!({"slug": slug})).await;
        assert_eq!(heir.issuer(), operator.issuer());
        assert_eq!(heir.get(HISTORY).await.ok()["pagination"]["totalItems"], 0);
        world.http().get(&offer_uri(&offer.link)).await.refused(404, "not_found");
    }

    /// Name and policy change and stay; slug and issuer identifier are what wallets rely on.
    async fn an_update_changes_name_and_policy_only(world: &World) {
        let operator = world.organisation().await;
        let put = async |body: Value| world.platform().put(&path(&operator), body).await;
        world.advance(std::time::Duration::from_secs(60));
        let changed = put(json!({"name": "New name", "policy": {"nonceLifetime": 60}})).await.ok();
        assert_eq!(changed["organisation"]["name"], "New name");
        assert_eq!(changed["organisation"]["policy"]["nonceLifetime"], 60);
        assert_eq!(changed["organisation"]["updatedAt"], START + 60);
        assert_eq!(changed["organisation"]["createdAt"], START);
        world.restart().await;
        assert_eq!(world.platform().get(&path(&operator)).await.ok(), changed);

        put(json!({"slug": "other"})).await.problem_at(400, "/slug");
        put(json!({"issuer": "https://other.example"})).await.problem_at(400, "/issuer");
        put(json!({"policy": {"nonceLifetime": 1}})).await.problem_at(400, "/policy/nonceLifetime");
        put(json!({"colour": "red"})).await.problem_at(400, "/colour");
        assert_eq!(world.platform().get(&path(&operator)).await.ok(), changed);
    }

    /// Every fault of a description is named by its place.
    async fn a_wrong_description_is_refused_by_its_place(world: &World) {
        let before = world.database.census().await;
        for (pointer, changes) in [
            ("/slug", json!({"slug": null})),
            ("/slug", json!({"slug": ""})),
            ("/slug", json!({"slug": "Ghent"})),
            ("/slug", json!({"slug": "a/b"})),
            ("/slug", json!({"slug": "-a"})),
            ("/slug", json!({"slug": "a".repeat(64)})),
            ("/name", json!({"name": ""})),
            ("/name", json!({"name": 7})),
            ("/name", json!({"name": "n".repeat(256)})),
            ("/issuer", json!({"issuer": "http://issuer.example"})),
            ("/issuer", json!({"issuer": "https://issuer.example/?tenant=1"})),
            ("/issuer", json!({"issuer": "https://issuer.example/tenant/"})),
            ("/issuer", json!({"issuer": "https://issuer.example/#x"})),
            ("/issuer", json!({"issuer": "not a URL"})),
            ("/policy/bindingMethods", json!({"policy": {"bindingMethods": []}})),
            ("/policy/typo", json!({"policy": {"typo": true}})),
            ("/policy", json!({"policy": "strict"})),
            ("/plan", json!({"plan": "gold"})),
        ] {
            let mut body = json!({"slug": "tenant", "name": "Tenant"});
            for (name, value) in changes.as_object().expect("members") {
                body[name] = value.clone();
            }
            world.platform().post(ORGANISATIONS, body).await.problem_at(400, pointer);
        }
        assert_eq!(world.database.census().await, before);
    }

    async fn organisations_are_listed_in_pages_and_found_by_a_part_of_their_name(world: &World) {
        let platform = world.platform();
        let list = async |query: &str| platform.get(&format!("{ORGANISATIONS}?{query}")).await;
        check_pages(list, "organisations", "id", 0, 3).await;
        for number in 1..=4_usize {
            let body = json!({"slug": format!("tenant-{number}"), "name": format!("Number {number}")});
            platform.post(ORGANISATIONS, body).await.expect(201);
            world.advance(std::time::Duration::from_secs(1));
            if number != 2 {
                check_pages(list, "organisations", "id", number, 3).await;
            }
        }
        for (search, expected) in [("tenant-3", 1), ("NUMBER", 4), ("nobody", 0)] {
            let found = list(&format!("search={search}")).await.ok();
            assert_eq!(found["pagination"]["totalItems"], expected, "{search}");
        }
    }

    /// The platform key opens platform operations, and nothing else opens them.
    async fn the_platform_key_is_for_the_platform_only(world: &World) {
        let operator = world.organisation().await;
        let wrong = Platform::new(world.http().clone(), world.management_url(), "x".repeat(43));
        let tenant = Platform::new(world.http().clone(), world.management_url(), operator.key().to_owned());
        for stranger in [wrong, tenant] {
            for answer in [
                stranger.get(ORGANISATIONS).await,
                stranger.get(&path(&operator)).await,
                stranger.delete(&path(&operator)).await,
                stranger.post(&format!("{}/suspend", path(&operator)), json!({})).await,
                stranger.post(ORGANISATIONS, json!({"slug": "a", "name": "A"})).await,
            ] {
                assert_problem(&answer, 401, "unauthorized");
                assert!(!answer.mentions(operator.organisation["slug"].as_str().expect("a slug")), "{answer}");
            }
        }
        let nobody = world.http().get(&format!("{}{ORGANISATIONS}", world.management_url())).await;
        assert_problem(&nobody, 401, "unauthorized");
        assert!(nobody.header("www-authenticate").is_some_and(|value| value.starts_with("ApiKey")), "{nobody}");
        let platform = world.platform();
        for path in [DEFINITIONS, HISTORY, KEYS, API_KEY_LIST] {
            assert_problem(&platform.get(path).await, 401, "unauthorized");
        }
        operator.get(DEFINITIONS).await.ok();
    }

    /// Without a platform key in the configuration nobody is the platform.
    async fn without_a_platform_key_the_operations_are_closed(backend: Backend) {
        let environment = Environment::from([("CHANCERY_SECRETS_PLATFORM_KEY".to_owned(), String::new())]);
        let options = Options { environment, ..Options::default() };
        World::run_with(backend, options, async |world| {
            for key in ["", "x", &"x".repeat(43)] {
                let stranger = Platform::new(world.http().clone(), world.management_url(), key.to_owned());
                stranger.get(ORGANISATIONS).await.problem(401);
                stranger.post(ORGANISATIONS, json!({"slug": "a", "name": "A"})).await.problem(401);
            }
            world.platform().get(ORGANISATIONS).await.problem(401);
        })
        .await;
    }
}
