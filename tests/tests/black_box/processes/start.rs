//! What a server refuses to start with. Every refusal names the setting, and shows no secret.

use chancery_tests::database::postgres_admin_url;
use chancery_tests::{Database, Env, Environment, Settings};

use super::*;

const SEALING_KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

fn environment(changes: &[(&str, &str)]) -> Environment {
    let mut environment = Environment::from(
        [
            ("CHANCERY_SERVER_PUBLIC_URL", "http://127.0.0.1:8080"),
            ("CHANCERY_SERVER_WALLET_LISTEN", "127.0.0.1:0"),
            ("CHANCERY_SERVER_MANAGEMENT_LISTEN", "127.0.0.1:0"),
            ("CHANCERY_SECRETS_SEALING_KEY", SEALING_KEY),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned())),
    );
    environment.extend(changes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    environment
}

/// The refusal of settings, in the words that `chancery config check` and `chancery serve` print.
fn refusal(changes: &[(&str, &str)]) -> String {
    match Settings::load(None, &environment(changes)) {
        Ok(_) => panic!("{changes:?} was accepted"),
        Err(error) => error.to_string(),
    }
}

async fn start(url: &str) -> Result<Server, String> {
    let changes = [("CHANCERY_DATABASE_URL", url), ("CHANCERY_REPLAY_STORE", "in-process")];
    let settings = Settings::load(None, &environment(&changes)).expect("usable settings");
    Server::start(settings, Env::system()).await.map_err(|error| format!("{error:#}"))
}

#[test]
fn a_wrong_setting_is_named_by_its_key_and_its_source() {
    for (variable, value, key) in [
        ("CHANCERY_SERVER_API", "both", "server.api"),
        ("CHANCERY_SERVER_PUBLIC_URL", "http://issuer.example", "server.public_url"),
        ("CHANCERY_SERVER_PUBLIC_URL", "https://issuer.example/", "server.public_url"),
        ("CHANCERY_SERVER_PUBLIC_URL", "https://issuer.example?a=b", "server.public_url"),
        ("CHANCERY_SERVER_WALLET_LISTEN", "8080", "server.wallet_listen"),
        ("CHANCERY_SERVER_SHUTDOWN_GRACE", "-1", "server.shutdown_grace"),
        ("CHANCERY_DATABASE_URL", "mysql://localhost/x", "database.url"),
        ("CHANCERY_DATABASE_MAX_CONNECTIONS", "0", "database.max_connections"),
        ("CHANCERY_REDIS_URL", "http://localhost", "redis.url"),
        ("CHANCERY_REPLAY_STORE", "memory", "replay.store"),
        ("CHANCERY_SECRETS_SEALING_KEY", "c2hvcnQ=", "secrets.sealing_key"),
        ("CHANCERY_SECRETS_PLATFORM_KEY", "short", "secrets.platform_key"),
        ("CHANCERY_LOG_FORMAT", "xml", "log.format"),
    ] {
        let refusal = refusal(&[(variable, value)]);
        assert!(refusal.contains(key) && refusal.contains(variable), "{refusal}");
    }
    let both = refusal(&[("CHANCERY_LOG_FORMAT", "xml"), ("CHANCERY_SERVER_API", "both")]);
    assert!(both.contains("log.format") && both.contains("server.api"), "all at once: {both}");
}

#[test]
fn a_variable_that_means_nothing_is_refused() {
    let refusal = refusal(&[("CHANCERY_DATABSE_URL", "sqlite://data/x.db")]);
    assert!(refusal.contains("CHANCERY_DATABSE_URL"), "{refusal}");
}

#[test]
fn without_a_sealing_key_there_is_no_start() {
    let refusal = refusal(&[("CHANCERY_SECRETS_SEALING_KEY", "")]);
    assert!(refusal.contains("secrets.sealing_key"), "{refusal}");
}

#[test]
fn a_refusal_shows_no_secret() {
    let secrets = [
        ("CHANCERY_SECRETS_SEALING_KEY", "c2VjcmV0LW9uZQ=="),
        ("CHANCERY_SECRETS_PLATFORM_KEY", "secret-two"),
        ("CHANCERY_DATABASE_URL", "mysql://user:secret-three@localhost/x"),
        ("CHANCERY_REDIS_URL", "http://:secret-four@localhost"),
    ];
    let refusal = refusal(&secrets);
    for secret in ["c2VjcmV0LW9uZQ", "secret-two", "secret-three", "secret-four"] {
        assert!(!refusal.contains(secret), "{refusal}");
    }
}

/// Row-level security does not bind a superuser, so the second lock would be open.
#[test]
fn a_database_role_that_row_level_security_does_not_bind_is_refused() {
    block_on(async {
        let error = start(&postgres_admin_url()).await.expect_err("a refusal");
        assert!(error.contains("database.url") && error.contains("postgres"), "{error}");
        assert!(error.to_lowercase().contains("superuser") || error.contains("BYPASSRLS"), "{error}");
        let password =
            url::Url::parse(&postgres_admin_url()).expect("a URL").password().expect("a password").to_owned();
        assert!(!error.contains(&password), "{error}");
    });
}

on_every_backend! {
    /// A server never changes the schema on its own: with several processes nobody would know which one did.
    async fn a_database_without_the_current_schema_is_refused(backend: Backend) {
        let database = Database::create(backend, async |_| {}).await;
        // A database whose template was migrated by an earlier test of this process has a schema.
        let url = match backend {
            Backend::Embedded => format!("{}?mode=rwc", database.url()),
            Backend::Networked => chancery_tests::database::postgres_url(),
        };
        let error = start(&url).await.expect_err("a refusal");
        assert!(error.contains("chancery migrate"), "{error}");
        database.remove().await;
    }
}

#[test]
fn a_database_or_redis_that_does_not_answer_is_named() {
    block_on(async {
        let nobody = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("its address");
        let error = start(&format!("postgres://u:secret-five@{nobody}/x")).await.expect_err("a refusal");
        assert!(error.contains("database.url") && !error.contains("secret-five"), "{error}");
        let directory = std::env::temp_dir().join(format!("chancery-start-{}", chancery_tests::key::random(9)));
        let changes = [
            ("CHANCERY_DATABASE_URL", format!("sqlite://{}/x.db", directory.display())),
            ("CHANCERY_REDIS_URL", format!("redis://:secret-six@{nobody}/0")),
        ];
        let changes: Vec<(&str, &str)> = changes.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let settings = Settings::load(None, &environment(&changes)).expect("usable settings");
        let error = Server::start(settings, Env::system()).await.map_err(|error| format!("{error:#}"));
        let error = error.expect_err("a refusal");
        assert!(error.contains("redis.url") && !error.contains("secret-six"), "{error}");
        drop(std::fs::remove_dir_all(directory));
    });
}
