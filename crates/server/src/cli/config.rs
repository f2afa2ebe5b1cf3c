//! `chancery config`: the settings of the server, and the configuration of an organisation as a file.

mod apply;
mod difference;
mod document;
mod export;
mod places;
mod plan;
mod remote;
mod secret;
mod show;

use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Subcommand;

use self::apply::Outcome;
use self::document::Document;
use self::plan::{Plan, Wishes};
use self::remote::Remote;
use super::management::{Management, ServerArguments};
use crate::config::{DEFAULTS, Environment, Settings};

/// Exit code of a plan with changes.
const CHANGES: u8 = 2;

#[derive(Subcommand)]
pub(super) enum ConfigCommand {
    /// Checks every setting of the server and says which ones are wrong.
    Check,
    /// Prints every setting of the server with its default, as a commented file to begin with.
    Show,
    /// Writes the configuration of an organisation to a file.
    ///
    /// Definitions, policy, retention, defaults, identity provider, access provider, webhooks; no secrets, and nothing that
    /// belongs to this server or organisation alone.
    Export(ExportArguments),
    /// Says what has to change so that an organisation has what a file says.
    ///
    /// Changes nothing. The exit code is 0 when nothing has to change, 2 when something has to, 1 when there is no plan that
    /// could be applied.
    Plan(PlanArguments),
    /// Makes an organisation have what a file says.
    ///
    /// Shows the plan and asks first. A second run changes nothing; a run that was stopped is continued by another one.
    Apply(ApplyArguments),
}

#[derive(clap::Args)]
pub(super) struct ExportArguments {
    #[command(flatten)]
    server: ServerArguments,
    /// The file; standard output, without pictures, when absent.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Replace files that are there.
    #[arg(long, requires = "output")]
    force: bool,
}

#[derive(clap::Args)]
pub(super) struct Common {
    /// The file.
    file: PathBuf,
    #[command(flatten)]
    server: ServerArguments,
    /// Which key of this organisation stands behind a name of the file.
    #[arg(long, value_name = "NAME=KID", value_parser = super::wallet::pair)]
    key: Vec<(String, String)>,
    /// Delete what is not in the file.
    #[arg(long)]
    delete: bool,
    /// Send secrets again that the server has already, after they were replaced where the file says they are.
    #[arg(long)]
    send_secrets: bool,
    /// Also write the plan, and what came of it, to a file, as JSON.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

#[derive(clap::Args)]
pub(super) struct PlanArguments {
    #[command(flatten)]
    common: Common,
    /// Print the plan as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args)]
pub(super) struct ApplyArguments {
    #[command(flatten)]
    common: Common,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
}

pub(super) async fn execute(
    command: ConfigCommand,
    config: Option<&Path>,
    environment: &Environment,
) -> anyhow::Result<ExitCode> {
    match command {
        ConfigCommand::Check => {
            Settings::load(config, environment)?;
            println!("The configuration is usable.");
            Ok(ExitCode::SUCCESS)
        }
        ConfigCommand::Show => {
            print!("{DEFAULTS}");
            Ok(ExitCode::SUCCESS)
        }
        ConfigCommand::Export(arguments) => export(&arguments, environment).await,
        ConfigCommand::Plan(arguments) => plan(&arguments, environment).await,
        ConfigCommand::Apply(arguments) => apply(&arguments, environment).await,
    }
}

async fn export(arguments: &ExportArguments, environment: &Environment) -> anyhow::Result<ExitCode> {
    let api = arguments.server.open(environment)?;
    let remote = Remote::load(&api).await?;
    let Some(path) = &arguments.output else {
        let (text, _) = export::export(&api, &remote, None).await?;
        print!("{text}");
        return Ok(ExitCode::SUCCESS);
    };
    let pictures = PathBuf::from(path.file_stem().unwrap_or_default()).with_extension("pictures");
    let (text, pictures) = export::export(&api, &remote, Some(&pictures)).await?;
    export::write(path, &text, &pictures, arguments.force)?;
    let (definitions, webhooks) = (remote.definitions.len(), remote.webhooks.len());
    eprintln!("{}: definitions {definitions}, webhooks {webhooks}, pictures {}", path.display(), pictures.len());
    Ok(ExitCode::SUCCESS)
}

async fn plan(arguments: &PlanArguments, environment: &Environment) -> anyhow::Result<ExitCode> {
    let (_, prepared) = arguments.common.prepare(environment).await?;
    let Prepared { document, remote, plan } = &prepared;
    if arguments.json {
        println!("{:#}", show::as_json(plan, remote, document, None));
    } else {
        print!("{}", show::in_words(plan, remote, document, super::wallet_style()));
    }
    Ok(match (plan.obstacles.is_empty(), plan.pending().next()) {
        (false, _) => ExitCode::FAILURE,
        (true, None) => ExitCode::SUCCESS,
        (true, Some(_)) => ExitCode::from(CHANGES),
    })
}

async fn apply(arguments: &ApplyArguments, environment: &Environment) -> anyhow::Result<ExitCode> {
    let (api, prepared) = arguments.common.prepare(environment).await?;
    let Prepared { document, remote, plan } = &prepared;
    print!("{}", show::in_words(plan, remote, document, super::wallet_style()));
    anyhow::ensure!(plan.obstacles.is_empty(), "nothing was changed: see what cannot be done");
    if plan.pending().next().is_none() {
        return Ok(ExitCode::SUCCESS);
    }
    if !arguments.yes {
        anyhow::ensure!(
            std::io::stdin().is_terminal(),
            "nobody can be asked here: give --yes, or run it in a terminal"
        );
        anyhow::ensure!(confirmed()?, "nothing was changed");
    }
    println!();
    let outcome = apply::apply(&api, plan, document, environment).await;
    arguments.common.report(&prepared, Some(&outcome))?;
    finished(&outcome, document)?;
    settle(&arguments.common, &api, document, environment).await
}

fn finished(outcome: &Outcome, document: &Document) -> anyhow::Result<()> {
    match &outcome.failure {
        None => Ok(()),
        Some(failed) => anyhow::bail!("{}", failed.in_words(document)),
    }
}

/// Looks again. What an upload of pictures changed besides is put right once; what the server writes otherwise than the
/// file is told, because every further run would change it again.
async fn settle(
    common: &Common,
    api: &Management,
    document: &Document,
    environment: &Environment,
) -> anyhow::Result<ExitCode> {
    // Secrets were sent just now.
    let wishes = Wishes { send_secrets: false, ..common.wishes() };
    for round in [1, 2] {
        let remote = Remote::load(api).await?;
        let plan = Plan::make(api, &remote, document, &wishes, environment).await?;
        if plan.obstacles.is_empty() && plan.pending().next().is_none() {
            println!("\nThe organisation has what the file says.");
            return Ok(ExitCode::SUCCESS);
        }
        if round == 2 {
            print!("{}", show::in_words(&plan, &remote, document, super::wallet_style()));
            break;
        }
        finished(&apply::apply(api, &plan, document, environment).await, document)?;
    }
    anyhow::bail!("the server writes this otherwise than the file; write it in the file as the server does")
}

fn confirmed() -> anyhow::Result<bool> {
    print!("\nApply this? Only \"yes\" is taken for one: ");
    std::io::stdout().flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(answer.trim() == "yes")
}

/// A file, what the server has, and what lies between them.
struct Prepared {
    document: Document,
    remote: Remote,
    plan: Plan,
}

impl Common {
    fn wishes(&self) -> Wishes {
        let Self { delete, send_secrets, .. } = *self;
        Wishes { delete, send_secrets, keys: self.key.iter().cloned().collect() }
    }

    async fn prepare(&self, environment: &Environment) -> anyhow::Result<(Management, Prepared)> {
        let document = Document::read(&self.file)?;
        let api = self.server.open(environment)?;
        let remote = Remote::load(&api).await?;
        let plan = Plan::make(&api, &remote, &document, &self.wishes(), environment).await?;
        let prepared = Prepared { document, remote, plan };
        self.report(&prepared, None)?;
        Ok((api, prepared))
    }

    /// Writes the report, if one is wanted.
    fn report(&self, prepared: &Prepared, outcome: Option<&Outcome>) -> anyhow::Result<()> {
        let Some(path) = &self.report else { return Ok(()) };
        let Prepared { document, remote, plan } = prepared;
        let report = show::as_json(plan, remote, document, outcome);
        std::fs::write(path, format!("{report:#}\n")).with_context(|| format!("cannot write {}", path.display()))
    }
}
