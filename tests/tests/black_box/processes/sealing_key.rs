//! The sealing key is replaced while the servers run: what was sealed with the old one stays readable.

use chancery_server::Settings;
use chancery_tests::platform::issue_body;
use chancery_tests::{Environment, Options};

use super::*;

const OLD: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const NEW: &str = "Hx4dHBsaGRgXFhUUExIREA8ODQwLCgkIBwYFBAMCAQA=";

/// A server of this world that seals with one key and also opens what others sealed.
async fn server(world: &World, sealing_key: &str, previous: &str) -> Server {
    let variables = [("SEALING_KEY", sealing_key), ("PREVIOUS_SEALING_KEYS", previous)];
    let variables = variables.map(|(name, value)| (format!("CHANCERY_SECRETS_{name}"), value.to_owned()));
    let keys = Settings::load(None, &Environment::from_iter(variables)).expect("usable settings").sealing_key;
    let settings = Settings { sealing_key: keys, ..world.settings() };
    Server::start(settings, world.env.clone()).await.expect("a server")
}

fn on_both(behaviour: impl AsyncFn(&World)) {
    for backend in [Backend::Embedded, Backend::Networked] {
        let environment = Environment::from([("CHANCERY_SECRETS_SEALING_KEY".to_owned(), OLD.to_owned())]);
        let options = Options { environment, ..Options::default() };
        block_on(World::run_with(backend, options, async |world| behaviour(world).await));
    }
}

/// The order of docs/guides/rotate-a-key.md: first every process opens both, then every process seals with the new one.
#[test]
fn the_sealing_key_is_replaced_one_process_after_the_other() {
    on_both(async |world| {
        let operator = world.organisation().await;
        let mut badge = samples::staff_badge();
        badge["credentialDefinitions"][0]["supportRevocation"] = json!(true);
        let definition = operator.define(&badge).await;
        let claims = samples::staff_claims();
        let before = operator.offer(&definition, &claims).await;
        let person = json!({"individual": {"name": "Ilse", "externalId": "P-1"}});
        let person = operator.post("/v2/config/individual", person).await.ok()["individual"]["id"].clone();

        let (prepared, switched) = (server(world, OLD, NEW).await, server(world, NEW, OLD).await);
        point_to(world, &switched);
        let after = operator.offer(&definition, &claims).await;
        point_to(world, &prepared);
        for offer in [&before, &after] {
            assert_eq!(operator.history(&offer.id).await["credential"]["claims"]["given_name"], claims["given_name"]);
        }
        world.wallet().accept(&after.link).await;
        point_to(world, &switched);
        world.wallet().accept(&before.link).await;
        let found = operator.get("/v2/config/individuals?externalIndividualId=P-1").await.ok();
        assert_eq!(found["individuals"][0]["id"], person);
        assert_eq!(operator.status(&before.id).await, "credential_issued");
        prepared.stop().await;
        switched.stop().await;

        // Taken away too early, the old key is missed: an error, and nothing that is made up.
        let alone = server(world, NEW, "").await;
        point_to(world, &alone);
        operator.get(&chancery_tests::platform::history_path(&before.id)).await.problem(500);
        operator.issue(issue_body(&definition, &claims)).await.problem(500);
        alone.stop().await;
        world.restart().await;
    });
}
