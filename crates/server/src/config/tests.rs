use std::path::PathBuf;

use super::{Api, Environment, ReplayStore, Settings};

const KEY: (&str, &str) = ("CHANCERY_SECRETS_SEALING_KEY", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=");

fn environment(variables: &[(&str, &str)]) -> Environment {
    variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn refusal(variables: &[(&str, &str)]) -> String {
    match Settings::load(None, &environment(variables)) {
        Ok(_) => panic!("accepted: {variables:?}"),
        Err(error) => error.to_string(),
    }
}

struct TemporaryFile(PathBuf);

impl TemporaryFile {
    fn with(name: &str, content: &str) -> Self {
        let path = std::env::temp_dir().join(format!("chancery-config-{}-{name}", std::process::id()));
        std::fs::write(&path, content).unwrap();
        Self(path)
    }
}

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        drop(std::fs::remove_file(&self.0));
    }
}

#[test]
fn the_defaults_need_only_a_sealing_key() {
    let settings = Settings::load(None, &environment(&[KEY])).unwrap();
    assert_eq!(settings.api, Api::All);
    assert_eq!(settings.database_url, "sqlite://data/chancery.db");
    assert_eq!(settings.replay, ReplayStore::InProcess { capacity: 1_000_000 });
    assert!(settings.platform_key.is_none());
}

#[test]
fn without_a_sealing_key_there_is_no_start() {
    let refusal = refusal(&[]);
    assert!(refusal.contains("secrets.sealing_key (default): is missing"), "{refusal}");
}

#[test]
fn every_wrong_setting_is_named_at_once_with_its_source() {
    let refusal = refusal(&[
        KEY,
        ("CHANCERY_SERVER_PUBLIC_URL", "http://issuer.example"),
        ("CHANCERY_DATABASE_URL", "mysql://x"),
        ("CHANCERY_DATABASE_MAX_CONNECTIONS", "many"),
    ]);
    for expected in [
        "server.public_url (CHANCERY_SERVER_PUBLIC_URL): must be https",
        "database.url (CHANCERY_DATABASE_URL): must begin with sqlite:// or postgres://",
        "database.max_connections (CHANCERY_DATABASE_MAX_CONNECTIONS): must be a whole number from 2 to 1000",
    ] {
        assert!(refusal.contains(expected), "{expected}\nnot in\n{refusal}");
    }
}

#[test]
fn an_unknown_variable_is_refused_because_it_may_be_a_misspelt_one() {
    let refusal = refusal(&[KEY, ("CHANCERY_DATABSE_URL", "sqlite://x")]);
    assert!(refusal.contains("databse.url (CHANCERY_DATABSE_URL): there is no such setting"), "{refusal}");
}

#[test]
fn the_environment_wins_over_the_file_and_the_file_over_the_defaults() {
    let file = TemporaryFile::with("wins.toml", "[server]\napi = \"wallet\"\nshutdown_grace = 3\n");
    let variables = environment(&[KEY, ("CHANCERY_SERVER_API", "management")]);
    let settings = Settings::load(Some(&file.0), &variables).unwrap();
    assert_eq!((settings.api, settings.shutdown_grace), (Api::Management, 3));
}

#[test]
fn a_secret_can_come_from_a_file() {
    let secret = TemporaryFile::with("secret", &format!("{}\n", KEY.1));
    let variables = [("CHANCERY_SECRETS_SEALING_KEY_FILE", secret.0.to_str().unwrap())];
    assert!(Settings::load(None, &environment(&variables)).is_ok());
}

#[test]
fn a_wrong_secret_is_named_but_not_repeated() {
    let refusal = refusal(&[("CHANCERY_SECRETS_SEALING_KEY", "hunter2hunter2")]);
    assert!(refusal.contains("secrets.sealing_key"), "{refusal}");
    assert!(!refusal.contains("hunter2"), "{refusal}");
}

#[test]
fn postgresql_without_redis_must_be_chosen_on_purpose() {
    let postgres = ("CHANCERY_DATABASE_URL", "postgres://chancery@localhost/chancery");
    assert!(refusal(&[KEY, postgres]).contains("replay.store = \"in-process\""));
    let chosen = environment(&[KEY, postgres, ("CHANCERY_REPLAY_STORE", "in-process")]);
    assert!(Settings::load(None, &chosen).is_ok());
    let redis = environment(&[KEY, postgres, ("CHANCERY_REDIS_URL", "redis://localhost")]);
    let settings = Settings::load(None, &redis).unwrap();
    assert_eq!(settings.replay, ReplayStore::Redis { url: "redis://localhost".to_owned() });
}

#[test]
fn a_file_that_is_not_toml_is_refused_without_showing_its_content() {
    let file = TemporaryFile::with("broken.toml", "[secrets]\nsealing_key = s3cr3t-without-quotes\n");
    let Err(error) = Settings::load(Some(&file.0), &environment(&[])) else { panic!("accepted") };
    assert!(error.to_string().contains("not TOML"), "{error}");
    assert!(!error.to_string().contains("s3cr3t"), "{error}");
}

#[test]
fn mail_needs_a_sender_and_both_halves_of_its_credentials() {
    let host = ("CHANCERY_SMTP_HOST", "mail.example.org");
    let from = ("CHANCERY_SMTP_FROM", "Registry <registry@example.org>");
    assert!(Settings::load(None, &environment(&[KEY])).unwrap().smtp.is_none());
    let smtp = Settings::load(None, &environment(&[KEY, host, from])).unwrap().smtp.unwrap();
    assert_eq!((smtp.port, smtp.tls), (587, chancery_issuance::MailTls::StartTls));
    assert!(refusal(&[KEY, host]).contains("smtp.from (default): must be an e-mail address"));
    for (name, value, expected) in [
        ("CHANCERY_SMTP_USERNAME", "registry", "smtp.password (default): is empty"),
        ("CHANCERY_SMTP_PASSWORD", "hunter2", "smtp.username (default): is empty"),
        ("CHANCERY_SMTP_TLS", "ssl", "smtp.tls (CHANCERY_SMTP_TLS): must be starttls, implicit or none"),
        ("CHANCERY_SMTP_PORT", "0", "smtp.port (CHANCERY_SMTP_PORT): must be a whole number from 1 to 65535"),
        ("CHANCERY_SMTP_HOST", "smtp://mail", "smtp.host (CHANCERY_SMTP_HOST): must be a host name"),
    ] {
        let refusal = refusal(&[KEY, host, from, (name, value)]);
        assert!(refusal.contains(expected) && !refusal.contains("hunter2"), "{refusal}");
    }
    let both = [("CHANCERY_SMTP_USERNAME", "registry"), ("CHANCERY_SMTP_PASSWORD", "hunter2")];
    let clear = ("CHANCERY_SMTP_TLS", "none");
    assert!(refusal(&[KEY, host, from, both[0], both[1], clear]).contains("sent in clear"));
}

#[test]
fn the_password_of_the_mail_server_can_come_from_a_file() {
    let secret = TemporaryFile::with("smtp", "hunter2\n");
    let variables = [
        KEY,
        ("CHANCERY_SMTP_HOST", "mail.example.org"),
        ("CHANCERY_SMTP_FROM", "registry@example.org"),
        ("CHANCERY_SMTP_USERNAME", "registry"),
        ("CHANCERY_SMTP_PASSWORD_FILE", secret.0.to_str().unwrap()),
    ];
    let smtp = Settings::load(None, &environment(&variables)).unwrap().smtp.unwrap();
    assert_eq!(smtp.credentials.unwrap().1.as_str(), "hunter2");
}

#[test]
fn previous_sealing_keys_are_a_list_of_keys() {
    let other = "Hx4dHBsaGRgXFhUUExIREA8ODQwLCgkIBwYFBAMCAQA=";
    let list = format!("{other},\n{}", KEY.1);
    let settings =
        Settings::load(None, &environment(&[KEY, ("CHANCERY_SECRETS_PREVIOUS_SEALING_KEYS", &list)])).unwrap();
    let sealed = Settings::load(None, &environment(&[("CHANCERY_SECRETS_SEALING_KEY", other)])).unwrap().sealing_key;
    let sealed = sealed.seal(b"place", b"text").unwrap();
    assert_eq!(settings.sealing_key.open(b"place", &sealed).unwrap().as_slice(), b"text");
    let refusal = refusal(&[KEY, ("CHANCERY_SECRETS_PREVIOUS_SEALING_KEYS", "hunter2")]);
    assert!(refusal.contains("each must be 32 bytes in base64, separated by commas"), "{refusal}");
    assert!(!refusal.contains("hunter2"), "{refusal}");
}
