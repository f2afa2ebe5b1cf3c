//! Configuration: the embedded defaults, then a file, then the environment; all of it validated before anything starts.

mod check;
mod smtp;
mod sources;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::path::Path;

use chancery_issuance::rate_limits::RateLimits;
use chancery_issuance::{Addresses, Smtp};
use chancery_keys::SealingKey;
use chancery_model::SecretHash;
use url::Url;

pub use sources::{Environment, Source};

/// The embedded defaults, as a commented TOML file.
pub const DEFAULTS: &str = include_str!("config.default.toml");

/// Settings of a process, parsed and checked.
#[derive(Clone)]
pub struct Settings {
    /// Faces this process serves.
    pub api: Api,
    /// Base URL of the wallet face as wallets see it, without a trailing slash.
    pub public_url: Url,
    /// Where the wallet face listens.
    pub wallet_listen: SocketAddr,
    /// Where the management face listens.
    pub management_listen: SocketAddr,
    /// Reverse proxies in front of the wallet face, each of which appends to `X-Forwarded-For`.
    pub trusted_proxies: usize,
    /// Seconds that running requests get to finish after a signal.
    pub shutdown_grace: u32,
    /// Whether this process does background work.
    pub workers: bool,
    /// Database URL; may hold a password.
    pub database_url: String,
    /// Connections kept at most.
    pub max_connections: u32,
    /// Where claims of use are remembered.
    pub replay: ReplayStore,
    /// Seals stored values.
    pub sealing_key: SealingKey,
    /// Hash of the platform key.
    pub platform_key: Option<SecretHash>,
    /// Addresses that requests to servers of organisations may go to.
    pub outbound: Addresses,
    /// The server that takes mail to individuals; `None` when none is sent.
    pub smtp: Option<Smtp>,
    /// What wallets may ask.
    pub rate_limits: RateLimits,
    /// Filter of the log.
    pub log_filter: String,
    /// Form of the log.
    pub log_format: LogFormat,
}

/// Faces of the product.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Api {
    /// The wallet-facing protocol endpoints.
    Wallet,
    /// The organisation-facing management API.
    Management,
    /// Both, on separate ports.
    All,
}

impl Api {
    /// Whether the wallet face is served.
    pub fn wallet(self) -> bool {
        matches!(self, Self::Wallet | Self::All)
    }

    /// Whether the management face is served.
    pub fn management(self) -> bool {
        matches!(self, Self::Management | Self::All)
    }
}

/// Where claims of use are remembered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReplayStore {
    /// In this process, at most so many.
    InProcess {
        /// Claims remembered at most.
        capacity: usize,
    },
    /// In Redis.
    Redis {
        /// Connection URL; may hold a password.
        url: String,
    },
}

/// Form of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
}

/// Every wrong setting at once.
#[derive(Debug, thiserror::Error)]
#[error("the configuration is not usable:\n{}", .0.iter().map(|problem| format!("  - {problem}")).collect::<Vec<_>>().join("\n"))]
pub struct ConfigError(pub Vec<Problem>);

/// One wrong setting.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key} ({source_name}): {reason}")]
pub struct Problem {
    /// Such as `database.url`.
    pub key: String,
    /// Where the value came from: `default`, a file name or a variable name.
    pub source_name: String,
    /// What is wrong with it. Never the value of a secret.
    pub reason: String,
}

impl Settings {
    /// Reads defaults, then `file` when given, then `environment`, and checks every value.
    pub fn load(file: Option<&Path>, environment: &Environment) -> Result<Self, ConfigError> {
        check::settings(sources::merge(file, environment)?)
    }
}
