//! Turns merged values into [`Settings`], collecting every problem on the way.

use std::net::SocketAddr;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chancery_issuance::Addresses;
use chancery_issuance::rate_limits::RateLimits;
use chancery_keys::SealingKey;
use chancery_model::SecretHash;
use url::{Host, Url};

use super::sources::{Source, Values, problem};
use super::{Api, ConfigError, LogFormat, Problem, ReplayStore, Settings};

pub(super) fn settings(values: Values) -> Result<Settings, ConfigError> {
    let mut checker = Checker { values, problems: Vec::new() };
    let api = checker.parse("server.api", |text| match text {
        "wallet" => Ok(Api::Wallet),
        "management" => Ok(Api::Management),
        "all" => Ok(Api::All),
        other => Err(format!("must be wallet, management or all, not {other:?}")),
    });
    let public_url = checker.parse("server.public_url", public_url);
    let wallet_listen = checker.parse("server.wallet_listen", listen);
    let management_listen = checker.parse("server.management_listen", listen);
    let trusted_proxies = checker.number("server.trusted_proxies", 0, 10);
    let shutdown_grace = checker.number("server.shutdown_grace", 0, 3600);
    let workers = checker.parse("server.workers", |text| match text {
        "on" => Ok(true),
        "off" => Ok(false),
        other => Err(format!("must be on or off, not {other:?}")),
    });
    let database_url = checker.parse("database.url", database_url);
    let max_connections = checker.number("database.max_connections", 2, 1000);
    let redis_url = checker.parse("redis.url", redis_url);
    let replay_store = checker.parse("replay.store", |text| Ok(text.to_owned()));
    let capacity = checker.number("replay.capacity", 1000, 100_000_000);
    let sealing_key = checker.parse("secrets.sealing_key", sealing_key);
    let previous = checker.parse("secrets.previous_sealing_keys", previous_sealing_keys);
    let platform_key = checker.parse("secrets.platform_key", platform_key);
    let outbound = checker.parse("outbound.addresses", |text| match text {
        "public" => Ok(Addresses::Public),
        "any" => Ok(Addresses::Any),
        other => Err(format!("must be public or any, not {other:?}")),
    });
    let smtp = checker.smtp();
    let rate_limits = checker.rate_limits();
    let log_filter = checker.parse("log.filter", |text| {
        text.parse::<tracing_subscriber::EnvFilter>().map(|_| text.to_owned()).map_err(|error| error.to_string())
    });
    let log_format = checker.parse("log.format", |text| match text {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        other => Err(format!("must be text or json, not {other:?}")),
    });
    let replay = checker.replay(replay_store, redis_url, capacity, database_url.as_deref());
    checker.different_ports(api, wallet_listen, management_listen);

    let complete = || {
        Some(Settings {
            api: api?,
            public_url: public_url?,
            wallet_listen: wallet_listen?,
            management_listen: management_listen?,
            trusted_proxies: usize::try_from(trusted_proxies?).ok()?,
            shutdown_grace: shutdown_grace?,
            workers: workers?,
            database_url: database_url?,
            max_connections: max_connections?,
            replay: replay?,
            sealing_key: previous?.into_iter().fold(sealing_key?, SealingKey::with_previous),
            platform_key: platform_key?,
            outbound: outbound?,
            smtp: smtp?,
            rate_limits: rate_limits?,
            log_filter: log_filter?,
            log_format: log_format?,
        })
    };
    match complete() {
        Some(settings) if checker.problems.is_empty() => Ok(settings),
        Some(_) | None => Err(ConfigError(checker.problems)),
    }
}

pub(super) struct Checker {
    pub(super) values: Values,
    pub(super) problems: Vec<Problem>,
}

impl Checker {
    pub(super) fn parse<T>(&mut self, key: &str, read: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        let (value, source) = self.values.get(key)?;
        let outcome = match value.as_str() {
            Some(text) => read(text),
            None => Err("must be a text in quotes".to_owned()),
        };
        outcome.map_err(|reason| self.problems.push(problem(key, source, reason))).ok()
    }

    pub(super) fn number(&mut self, key: &str, least: u32, most: u32) -> Option<u32> {
        let (value, source) = self.values.get(key)?;
        let number = match value {
            toml::Value::Integer(number) => u32::try_from(*number).ok(),
            toml::Value::String(text) => text.parse().ok(),
            toml::Value::Float(_)
            | toml::Value::Boolean(_)
            | toml::Value::Datetime(_)
            | toml::Value::Array(_)
            | toml::Value::Table(_) => None,
        };
        let number = number.filter(|number| (least..=most).contains(number));
        if number.is_none() {
            self.problems.push(problem(key, source, format!("must be a whole number from {least} to {most}")));
        }
        number
    }

    fn rate_limits(&mut self) -> Option<RateLimits> {
        let [organisation, client, offer, address] = ["organisation", "client", "offer", "address"]
            .map(|name| self.number(&format!("limits.{name}"), 0, 60_000_000));
        Some(RateLimits { organisation: organisation?, client: client?, offer: offer?, address: address? })
    }

    fn replay(
        &mut self,
        store: Option<String>,
        redis_url: Option<String>,
        capacity: Option<u32>,
        database_url: Option<&str>,
    ) -> Option<ReplayStore> {
        let (store, url, capacity) = (store?, redis_url?, usize::try_from(capacity?).ok()?);
        let on_postgres = database_url?.starts_with("postgres");
        let refusal = match store.as_str() {
            "auto" if !url.is_empty() => return Some(ReplayStore::Redis { url }),
            "auto" if on_postgres => {
                "PostgreSQL is meant for several processes, which need redis.url to see each other's claims; \
                 for a single process say replay.store = \"in-process\""
            }
            "auto" | "in-process" => return Some(ReplayStore::InProcess { capacity }),
            "redis" if !url.is_empty() => return Some(ReplayStore::Redis { url }),
            "redis" => "redis.url is empty",
            _ => "must be auto, in-process or redis",
        };
        let source = self.values.get("replay.store").map_or(Source::Default, |(_, source)| source.clone());
        self.problems.push(problem("replay.store", &source, refusal.to_owned()));
        None
    }

    fn different_ports(&mut self, api: Option<Api>, wallet: Option<SocketAddr>, management: Option<SocketAddr>) {
        let (Some(Api::All), Some(wallet), Some(management)) = (api, wallet, management) else { return };
        if wallet == management && wallet.port() != 0 {
            let source =
                self.values.get("server.management_listen").map_or(Source::Default, |(_, source)| source.clone());
            let reason = "is the same address as server.wallet_listen".to_owned();
            self.problems.push(problem("server.management_listen", &source, reason));
        }
    }
}

fn public_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("not a URL: {error}"))?;
    let loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => return Err("has no host".to_owned()),
    };
    if url.scheme() != "https" && !(url.scheme() == "http" && loopback) {
        return Err("must be https (http only on a loopback address)".to_owned());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("must have neither query nor fragment".to_owned());
    }
    if text.ends_with('/') {
        return Err("must not end with a slash".to_owned());
    }
    Ok(url)
}

fn listen(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| format!("must be an address and port such as 127.0.0.1:8080, not {text:?}"))
}

fn database_url(text: &str) -> Result<String, String> {
    let known = ["sqlite:", "postgres://", "postgresql://"].iter().any(|scheme| text.starts_with(scheme));
    if known { Ok(text.to_owned()) } else { Err("must begin with sqlite:// or postgres://".to_owned()) }
}

fn redis_url(text: &str) -> Result<String, String> {
    let known =
        text.is_empty() || ["redis://", "rediss://", "redis+unix://"].iter().any(|scheme| text.starts_with(scheme));
    if known { Ok(text.to_owned()) } else { Err("must begin with redis://, rediss:// or redis+unix://".to_owned()) }
}

fn sealing_key(text: &str) -> Result<SealingKey, String> {
    if text.is_empty() {
        return Err("is missing; make one with `openssl rand -base64 32` and give it as CHANCERY_SECRETS_SEALING_KEY \
                    or CHANCERY_SECRETS_SEALING_KEY_FILE"
            .to_owned());
    }
    key_bytes(text).map(SealingKey::from_bytes)
}

fn previous_sealing_keys(text: &str) -> Result<Vec<[u8; 32]>, String> {
    let keys = text.split(|c: char| c == ',' || c.is_whitespace()).filter(|key| !key.is_empty());
    keys.map(|key| key_bytes(key).map_err(|reason| format!("each {reason}, separated by commas"))).collect()
}

fn key_bytes(text: &str) -> Result<[u8; 32], String> {
    let bytes = STANDARD.decode(text).or_else(|_| URL_SAFE_NO_PAD.decode(text)).ok();
    bytes.and_then(|bytes| bytes.try_into().ok()).ok_or_else(|| "must be 32 bytes in base64".to_owned())
}

fn platform_key(text: &str) -> Result<Option<SecretHash>, String> {
    match text.len() {
        0 => Ok(None),
        1..32 => Err("must have at least 32 characters".to_owned()),
        _ => Ok(Some(SecretHash::of(text))),
    }
}
