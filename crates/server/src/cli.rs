//! The command line.

mod audit;
mod audited;
mod config;
mod doctor;
mod issue;
mod key;
mod management;
mod organisation;
mod wallet;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use chancery_issuance::{Context, Failure};
use chancery_model::Env;
use clap::{Parser, Subcommand};
use serde_json::{Map, Value};

use crate::config::{Api, Environment, Settings};
use crate::server::{Server, open_context};
use crate::{demo, openapi, telemetry};

pub(crate) use wallet::style as wallet_style;

/// Issues digital credentials over OpenID4VCI for many organisations.
#[derive(Parser)]
#[command(name = "chancery", version, max_term_width = 100)]
struct Arguments {
    /// Configuration file; `chancery config show` prints one with every setting.
    #[arg(long, global = true, env = "CHANCERY_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serves the wallet face, the management face, or both on separate ports.
    Serve {
        /// Faces to serve; overrides server.api.
        #[arg(long, value_enum)]
        api: Option<Api>,
    },
    /// Brings the database schema up to date.
    Migrate,
    /// Writes the OpenAPI descriptions management.json and wallet.json.
    Openapi {
        /// Directory to write to.
        #[arg(default_value = "openapi")]
        directory: PathBuf,
    },
    /// Checks the settings of the server; keeps the configuration of an organisation in a file.
    #[command(subcommand)]
    Config(config::ConfigCommand),
    /// Creates and lists organisations.
    #[command(subcommand)]
    Organisation(organisation::OrganisationCommand),
    /// Manages the signing keys of an organisation.
    #[command(subcommand)]
    Key(key::KeyCommand),
    /// Looks at the audit log of an organisation.
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// Issues credentials over the management API of a running server.
    #[command(subcommand)]
    Issue(issue::IssueCommand),
    /// Plays a wallet.
    #[command(subcommand)]
    Wallet(wallet::WalletCommand),
    /// Does to a running organisation what wallets will do, and says what they would not like.
    ///
    /// It looks at everything through the public URL and changes nothing. The exit code is 0 when nothing worse than notes
    /// was found, 1 with findings, 2 when it could not run.
    Doctor(doctor::DoctorArguments),
    /// Starts with a demo organisation, issues one credential, shows it, and keeps serving.
    Demo {
        /// Directory for the database and the generated secrets.
        #[arg(long, default_value = "data")]
        data: PathBuf,
    },
}

/// Runs the command line; the exit code is 0 on success, 1 on failure and 2 on wrong usage.
pub fn run(arguments: impl IntoIterator<Item = OsString>, environment: Environment) -> ExitCode {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            // Also where --help and --version end up; clap knows their exit codes.
            let code = u8::try_from(error.exit_code()).unwrap_or(2);
            return if error.print().is_ok() { ExitCode::from(code) } else { ExitCode::FAILURE };
        }
    };
    // Fails only when a provider is installed already, which then serves as well.
    let _already = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let outcome = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("the runtime cannot start")
        .and_then(|runtime| runtime.block_on(execute(arguments, environment)));
    match outcome {
        Ok(code) => code,
        Err(error) => {
            eprintln!("chancery: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn execute(arguments: Arguments, environment: Environment) -> anyhow::Result<ExitCode> {
    let config = arguments.config.as_deref();
    let load = || Settings::load(config, &environment);
    match arguments.command {
        Command::Serve { api } => {
            let mut settings = load()?;
            settings.api = api.unwrap_or(settings.api);
            serve(settings).await?;
        }
        Command::Migrate => {
            let context = open(&load()?).await?;
            context.store().migrate().await?;
            println!("The database schema is current.");
        }
        Command::Openapi { directory } => openapi::write(&directory)?,
        // Says more than success and failure, as does the doctor.
        Command::Config(command) => return config::execute(command, config, &environment).await,
        Command::Organisation(command) => organisation::execute(command, &open(&load()?).await?).await?,
        Command::Key(command) => key::execute(command, &open(&load()?).await?).await?,
        Command::Audit(command) => audit::execute(command, &open(&load()?).await?).await?,
        Command::Issue(command) => issue::execute(command, &environment).await?,
        Command::Wallet(command) => wallet::execute(command).await?,
        Command::Doctor(doctor) => return Ok(doctor::execute(doctor, config, &environment).await),
        Command::Demo { data } => demo::run(config, environment, &data).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn serve(settings: Settings) -> anyhow::Result<()> {
    telemetry::start(&settings);
    let server = Server::start(settings, Env::system()).await?;
    for (face, address) in [("wallet", server.wallet_address()), ("management", server.management_address())] {
        if let Some(address) = address {
            tracing::info!(%address, "the {face} face is listening");
        }
    }
    stopped().await?;
    tracing::info!("stopping: running requests are being finished");
    server.stop().await;
    Ok(())
}

/// Waits for SIGTERM or SIGINT.
pub(crate) async fn stopped() -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

async fn open(settings: &Settings) -> anyhow::Result<Context> {
    telemetry::start(settings);
    open_context(settings, Env::system()).await
}

/// A failed use case in words for a terminal.
fn say<R>(failure: Failure<R>, words: impl FnOnce(R) -> String) -> anyhow::Error {
    match failure {
        Failure::Rejected(rejection) => anyhow::anyhow!(words(rejection)),
        Failure::Unavailable(cause) => cause.context("something that Chancery depends on is away"),
        Failure::Internal(cause) => cause.context("an error inside Chancery"),
    }
}

/// The members of a JSON object.
fn members(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => Map::new(),
    }
}
