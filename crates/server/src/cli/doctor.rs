//! `chancery doctor`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use chancery_wallet::{Options, Severity, Wallet};
use clap::Args;

use super::wallet::flags;
use crate::config::{Environment, Settings};

/// Exit codes: 0 nothing worse than notes, 1 findings, 2 could not run.
const FINDINGS: u8 = 1;
const COULD_NOT_RUN: u8 = 2;

#[derive(Args)]
pub(super) struct DoctorArguments {
    /// The organisation: its issuer identifier (a URL), or its slug.
    #[arg(long, value_name = "ISSUER OR SLUG")]
    organisation: String,
    /// Public base URL that a slug belongs to; default: server.public_url of the configuration.
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// A throw-away offer to accept on the way, with a pre-authorized code. It is used up.
    #[arg(long, value_name = "LINK")]
    offer: Option<String>,
    /// Transaction code of that offer.
    #[arg(long, requires = "offer")]
    tx_code: Option<String>,
    /// Show wallet attestations for that offer, signed with this file of `chancery wallet authority`.
    #[arg(long, requires = "offer", value_name = "FILE")]
    wallet_provider: Option<PathBuf>,
    /// client_id for that offer; without it, the one of the wallet attestation, or anonymous access.
    #[arg(long, requires = "offer")]
    client_id: Option<String>,
    /// PEM file of certificates that x5c chains of the issuer must end at.
    #[arg(long, value_name = "FILE")]
    trust: Option<PathBuf>,
    /// Look for what wallets of the HAIP profile want also where the metadata do not say that they are meant.
    #[arg(long)]
    haip: bool,
    /// Send what is meant for the public base URL to another one, as in `https://issuer.example=http://127.0.0.1:8080`.
    #[arg(long, value_name = "PUBLIC=ACTUAL", value_parser = super::wallet::pair)]
    resolve: Vec<(String, String)>,
    /// Count warnings as healthy; errors still are not.
    #[arg(long)]
    errors_only: bool,
    /// Print a JSON document for programs.
    #[arg(long)]
    json: bool,
}

pub(super) async fn execute(arguments: DoctorArguments, config: Option<&Path>, environment: &Environment) -> ExitCode {
    match examine(arguments, config, environment).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("chancery: {error:#}");
            ExitCode::from(COULD_NOT_RUN)
        }
    }
}

async fn examine(
    arguments: DoctorArguments,
    config: Option<&Path>,
    environment: &Environment,
) -> anyhow::Result<ExitCode> {
    let identifier = identifier(&arguments, config, environment)?;
    let client_id = arguments.client_id;
    let wallet_provider = match &arguments.wallet_provider {
        None => None,
        Some(path) => Some(flags::provider(path, client_id.as_deref())?),
    };
    let options = Options {
        tx_code: arguments.tx_code,
        wallet_provider,
        client_id,
        trust_anchors: flags::anchors(arguments.trust.as_deref())?,
        haip: arguments.haip,
        resolve: arguments.resolve,
        ..Options::default()
    };
    let report = Wallet::new()?.examine(&identifier, arguments.offer.as_deref(), &options).await?;
    if arguments.json {
        println!("{:#}", report.to_json());
    } else {
        print!("{}", report.render(super::wallet::style()));
    }
    let least = if arguments.errors_only { Severity::Error } else { Severity::Warning };
    Ok(if report.count(least) == 0 { ExitCode::SUCCESS } else { ExitCode::from(FINDINGS) })
}

/// A URL is an identifier as it is; a slug has the default one.
fn identifier(arguments: &DoctorArguments, config: Option<&Path>, environment: &Environment) -> anyhow::Result<String> {
    let organisation = arguments.organisation.as_str();
    if organisation.contains("://") {
        return Ok(organisation.to_owned());
    }
    let base = match &arguments.url {
        Some(url) => url.clone(),
        None => Settings::load(config, environment)?.public_url.as_str().to_owned(),
    };
    Ok(format!("{}/o/{organisation}", base.trim_end_matches('/')))
}
