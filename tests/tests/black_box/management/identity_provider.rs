//! Connecting an identity provider.

use chancery_tests::{Options, on_every_backend};

use super::*;

const PROVIDER: &str = "/v2/config/digital-wallet/openid/identity-provider";

fn connection() -> Value {
    json!({
        "issuer": "https://login.example/realms/staff",
        "clientId": "chancery",
        "clientSecret": "Pa55-Zymurgy-9c1",
        "scopes": ["email", "openid"],
    })
}

on_every_backend! {
    async fn a_provider_is_connected_changed_and_disconnected(world: &World) {
        let operator = world.organisation().await;
        assert_problem(&operator.get(PROVIDER).await, 404, "not-found");
        let connected = operator.put(PROVIDER, connection()).await.ok();
        let provider = &connected["identityProvider"];
        assert_eq!(provider["issuer"], "https://login.example/realms/staff");
        assert_eq!(provider["clientAuthentication"], "client_secret_basic");
        assert_eq!(provider["clientSecretSet"], true);
        assert_eq!(provider["scopes"], json!(["openid", "email"]));
        assert_eq!(provider["redirectUri"], format!("{}/sign-in/callback", operator.issuer()));
        assert_eq!(operator.get(PROVIDER).await.ok(), connected);

        let mut changed = connection();
        changed["clientAuthentication"] = "private_key_jwt".into();
        changed.as_object_mut().expect("an object").remove("clientSecret");
        let answer = operator.put(PROVIDER, changed).await.ok();
        assert_eq!(answer["identityProvider"]["clientSecretSet"], false);

        assert_eq!(operator.delete(PROVIDER).await.status, 204);
        assert_problem(&operator.delete(PROVIDER).await, 404, "not-found");
    }

    /// The secret is written and never read; it goes to nobody else than it was given for.
    async fn the_client_secret_stays_secret(world: &World) {
        let operator = world.organisation().await;
        let answer = operator.put(PROVIDER, connection()).await;
        assert!(!answer.mentions("Zymurgy"));
        assert!(!operator.get(PROVIDER).await.mentions("Zymurgy"));
        assert!(!world.gives_away("Pa55-Zymurgy-9c1").await);

        // What an answer shows may be sent back, and keeps the secret.
        let shown = answer.ok()["identityProvider"].clone();
        let kept = operator.put(PROVIDER, shown).await.ok();
        assert_eq!(kept["identityProvider"]["clientSecretSet"], true);
        for (member, value) in [("issuer", "https://evil.example"), ("clientId", "another")] {
            let mut moved = connection();
            moved[member] = value.into();
            moved.as_object_mut().expect("an object").remove("clientSecret");
            operator.put(PROVIDER, moved).await.problem_at(400, "/clientSecret");
        }
    }

    /// SSRF: what only this machine can reach is not a provider.
    async fn a_provider_at_a_private_address_is_refused(backend: Backend) {
        let environment = [("CHANCERY_OUTBOUND_ADDRESSES".to_owned(), "public".to_owned())].into();
        World::run_with(backend, Options { environment, ..Options::default() }, async |world| {
            let operator = world.organisation().await;
            for issuer in [
                "http://login.example", "https://127.0.0.1", "https://127.1:8443", "https://[::1]", "https://10.0.0.8",
                "https://192.168.1.1", "https://172.16.0.1", "https://169.254.169.254", "https://[fd00::1]",
                "https://[::ffff:10.0.0.1]", "https://2130706433", "https://user@login.example",
                "https://login.example/?a=b", "https://login.example/#a", "ftp://login.example", "login.example", "",
            ] {
                let mut body = connection();
                body["issuer"] = issuer.into();
                operator.put(PROVIDER, body).await.problem_at(400, "/issuer");
            }
            assert_problem(&operator.get(PROVIDER).await, 404, "not-found");
        })
        .await;
    }

    async fn a_connection_that_cannot_work_is_refused_member_by_member(world: &World) {
        let operator = world.organisation().await;
        for (pointer, member, value) in [
            ("/clientId", "clientId", json!("")),
            ("/clientAuthentication", "clientAuthentication", json!("tls_client_auth")),
            ("/scopes/0", "scopes", json!(["a b"])),
            ("/scopes", "scopes", json!("openid")),
            ("/colour", "colour", json!("red")),
        ] {
            let mut body = connection();
            body[member] = value;
            operator.put(PROVIDER, body).await.problem_at(400, pointer);
        }
        let mut body = connection();
        body["clientAuthentication"] = "none".into();
        operator.put(PROVIDER, body).await.problem_at(400, "/clientSecret");
    }

    /// Which claims come from the provider is part of the definition.
    async fn an_identity_mapping_is_kept_with_the_entry(world: &World) {
        let operator = world.organisation().await;
        let mut badge = samples::staff_badge();
        let mapping = json!([{"claim": ["given_name"], "from": ["given_name"]}]);
        badge["credentialDefinitions"][0]["identityMapping"] = mapping.clone();
        let definition = operator.define(&badge).await;
        assert_eq!(definition["credentialDefinitions"][0]["identityMapping"], mapping);
        badge["credentialDefinitions"][0]["identityMapping"] = json!([{"claim": ["nothing"], "from": ["sub"]}]);
        let path = "/v2/config/digital-wallet/openid/sdjwt/credential-definition";
        operator.post(path, badge).await.problem_at(400, "/credentialDefinitions/0/identityMapping/0/claim");
    }

    async fn another_organisation_has_another_provider(world: &World) {
        let (operator, stranger) = (world.organisation().await, world.organisation().await);
        operator.put(PROVIDER, connection()).await.ok();
        assert_problem(&stranger.get(PROVIDER).await, 404, "not-found");
        assert_problem(&stranger.delete(PROVIDER).await, 404, "not-found");
        operator.get(PROVIDER).await.ok();
    }
}
