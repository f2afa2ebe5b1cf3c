//! Configuring the provider at which administrators sign in.

use chancery_tests::{Options, on_every_backend};
use reqwest::Method;

use super::*;

const PROVIDER: &str = "/v2/config/admin/access-provider";

fn provider() -> Value {
    json!({
        "issuer": "https://login.example/realms/staff",
        "roles": [{"claim": ["realm_access", "roles"], "values": ["owner"], "role": "admin"}],
        "requiredClaims": [{"claim": ["acr"], "values": ["mfa", "hwk"]}],
    })
}

on_every_backend! {
    async fn an_access_provider_is_configured_changed_and_removed(world: &World) {
        let operator = world.organisation().await;
        assert_problem(&operator.get(PROVIDER).await, 404, "not-found");
        let answer = operator.put(PROVIDER, provider()).await;
        let configured = answer.ok()["accessProvider"].clone();
        assert_eq!(answer.header("etag"), Some("\"1\""));
        assert_eq!(configured["issuer"], "https://login.example/realms/staff");
        assert_eq!(configured["audience"], operator.issuer());
        assert_eq!(configured["organisationId"], operator.organisation_id());
        assert_eq!(configured["plainJwt"], false);
        assert_eq!(configured["roles"], provider()["roles"]);
        assert_eq!(configured["requiredClaims"], provider()["requiredClaims"]);
        assert_eq!(operator.get(PROVIDER).await.ok()["accessProvider"], configured);

        // What an answer shows may be sent back.
        let mut changed = configured.clone();
        changed["audience"] = "api://registry".into();
        let answer = operator.put(PROVIDER, changed).await.ok();
        assert_eq!((&answer["accessProvider"]["audience"], &answer["accessProvider"]["revision"]), (&json!("api://registry"), &json!(2)));

        assert_eq!(operator.delete(PROVIDER).await.status, 204);
        assert_problem(&operator.delete(PROVIDER).await, 404, "not-found");
        assert_problem(&operator.get(PROVIDER).await, 404, "not-found");
        let log = operator.get("/v2/config/audit?action=configureAccessProvider&sortOrder=asc").await.ok();
        assert_eq!(log["auditEntries"][1]["before"]["accessProvider"]["audience"], operator.issuer());
        assert_eq!(log["auditEntries"][1]["after"]["accessProvider"]["audience"], "api://registry");
    }

    async fn two_people_do_not_overwrite_each_other(world: &World) {
        let operator = world.organisation().await;
        let put = async |tag: &str| {
            operator.send(operator.request(Method::PUT, PROVIDER).header("if-match", tag).json(&provider())).await
        };
        assert_problem(&put("\"1\"").await, 412, "precondition-failed");
        operator.put(PROVIDER, provider()).await.ok();
        put("\"1\"").await.ok();
        assert_problem(&put("\"1\"").await, 412, "precondition-failed");
        let remove = operator.request(Method::DELETE, PROVIDER).header("if-match", "\"1\"");
        assert_problem(&operator.send(remove).await, 412, "precondition-failed");
        assert_eq!(operator.get(PROVIDER).await.ok()["accessProvider"]["revision"], 2);
    }

    async fn what_cannot_work_is_refused_member_by_member(world: &World) {
        let operator = world.organisation().await;
        let before = world.database.census().await;
        let long = "x".repeat(256);
        for (pointer, member, value) in [
            ("/issuer", "issuer", json!("")),
            ("/issuer", "issuer", json!("login.example")),
            ("/issuer", "issuer", json!("https://login.example/?a=b")),
            ("/audience", "audience", json!(7)),
            ("/plainJwt", "plainJwt", json!("yes")),
            ("/roles", "roles", json!([])),
            ("/roles", "roles", json!(null)),
            ("/roles", "roles", json!(vec![json!({}); 51])),
            ("/roles/0", "roles", json!(["admin"])),
            ("/roles/0/role", "roles", json!([{"claim": ["a"], "values": ["b"]}])),
            ("/roles/0/role", "roles", json!([{"claim": ["a"], "values": ["b"], "role": "owner"}])),
            ("/roles/0/claim", "roles", json!([{"values": ["b"], "role": "admin"}])),
            ("/roles/0/claim", "roles", json!([{"claim": [], "values": ["b"], "role": "admin"}])),
            ("/roles/0/claim", "roles", json!([{"claim": "a", "values": ["b"], "role": "admin"}])),
            ("/roles/0/claim/1", "roles", json!([{"claim": ["a", 0], "values": ["b"], "role": "admin"}])),
            ("/roles/0/values", "roles", json!([{"claim": ["a"], "role": "admin"}])),
            ("/roles/0/values/0", "roles", json!([{"claim": ["a"], "values": [""], "role": "admin"}])),
            ("/roles/0/values/0", "roles", json!([{"claim": ["a"], "values": [long], "role": "admin"}])),
            ("/roles/0/values/0", "roles", json!([{"claim": ["a"], "values": ["a\u{0}"], "role": "admin"}])),
            ("/roles/0/colour", "roles", json!([{"claim": ["a"], "values": ["b"], "role": "admin", "colour": 1}])),
            ("/requiredClaims/0/role", "requiredClaims", json!([{"claim": ["a"], "values": ["b"], "role": "admin"}])),
            ("/requiredClaims/0/values", "requiredClaims", json!([{"claim": ["a"]}])),
            ("/clientId", "clientId", json!("console")),
        ] {
            let mut body = provider();
            body[member] = value;
            operator.put(PROVIDER, body).await.problem_at(400, pointer);
        }
        assert_problem(&operator.get(PROVIDER).await, 404, "not-found");
        assert_eq!(world.database.census().await, before);
    }

    /// SSRF: what only this machine can reach is not a provider.
    async fn an_access_provider_at_a_private_address_is_refused(backend: Backend) {
        let environment = [("CHANCERY_OUTBOUND_ADDRESSES".to_owned(), "public".to_owned())].into();
        World::run_with(backend, Options { environment, ..Options::default() }, async |world| {
            let operator = world.organisation().await;
            for issuer in ["http://login.example", "https://127.0.0.1", "https://[::1]", "https://169.254.169.254"] {
                let mut body = provider();
                body["issuer"] = issuer.into();
                operator.put(PROVIDER, body).await.problem_at(400, "/issuer");
            }
        })
        .await;
    }

    async fn another_organisation_has_another_access_provider(world: &World) {
        let (operator, stranger) = (world.organisation().await, world.organisation().await);
        operator.put(PROVIDER, provider()).await.ok();
        assert_problem(&stranger.get(PROVIDER).await, 404, "not-found");
        assert_problem(&stranger.delete(PROVIDER).await, 404, "not-found");
        stranger.put(PROVIDER, provider()).await.ok();
        assert_eq!(operator.get(PROVIDER).await.ok()["accessProvider"]["revision"], 1);
    }
}
