//! `chancery key`.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use chancery_issuance::management::Window;
use chancery_issuance::management::signing_keys::{self, ChangeRejection, CreateRejection};
use chancery_issuance::{Context, Failure};
use chancery_model::{Organisation, SigningKey, SigningKeyId, Slug};
use clap::Subcommand;
use serde_json::{Map, json};

use super::audited::with_keys;
use super::organisation::faults_in_words;
use super::{members, say};

#[derive(Subcommand)]
pub(super) enum KeyCommand {
    /// Generates a signing key that signs from now on, or is published first with --next.
    Generate {
        #[command(flatten)]
        of: Of,
        /// ES256, ES384 or EdDSA.
        #[arg(long, default_value = "ES256")]
        algorithm: String,
        /// Publish it now, sign with it later.
        #[arg(long)]
        next: bool,
    },
    /// Lists the signing keys.
    List {
        #[command(flatten)]
        of: Of,
    },
    /// Makes another key the signing one; credentials signed earlier keep verifying.
    Rotate {
        #[command(flatten)]
        of: Of,
    },
    /// Moves a key to a state: next, active, verify-only or retired.
    State {
        #[command(flatten)]
        of: Of,
        /// Id of the key.
        key: String,
        /// The state.
        state: String,
    },
    /// Prints a certificate signing request (PEM) for a key.
    Csr {
        #[command(flatten)]
        of: Of,
        /// Id of the key.
        key: String,
    },
    /// Keeps a certificate chain for a key: a PEM file, leaf first, without the trust anchor.
    Certify {
        #[command(flatten)]
        of: Of,
        /// Id of the key.
        key: String,
        /// The PEM file.
        chain: PathBuf,
    },
}

#[derive(clap::Args)]
pub(super) struct Of {
    /// Slug of the organisation.
    #[arg(long, value_name = "SLUG")]
    organisation: String,
}

pub(super) async fn execute(command: KeyCommand, context: &Context) -> anyhow::Result<()> {
    match command {
        KeyCommand::Generate { of, algorithm, next } => {
            let state = if next { "next" } else { "active" };
            let body = members(json!({"algorithm": algorithm, "state": state}));
            let organisation = of.find(context).await?;
            let change = signing_keys::create(context, &organisation, &body);
            let made = with_keys(context, &organisation, "createSigningKey", change).await;
            show(&made.map_err(not_created)?);
        }
        KeyCommand::List { of } => {
            let window = Window { limit: 100, ..Window::default() };
            let organisation = of.find(context).await?;
            let keys = signing_keys::list::<std::convert::Infallible>(context, &organisation, window)
                .await
                .map_err(|failure| say(failure, |never| match never {}))?;
            keys.items.iter().for_each(show);
        }
        KeyCommand::Rotate { of } => {
            let organisation = of.find(context).await?;
            let body = Map::new();
            let change = signing_keys::rotate(context, &organisation, &body);
            let signing = with_keys(context, &organisation, "rotateSigningKey", change).await;
            show(&signing.map_err(not_created)?);
        }
        KeyCommand::State { of, key, state } => {
            let body = members(json!({"state": state}));
            let organisation = of.find(context).await?;
            let change = signing_keys::set_state(context, &organisation, id(&key)?, None, &body);
            let changed = with_keys(context, &organisation, "setSigningKeyState", change).await;
            show(&changed.map_err(not_changed)?);
        }
        KeyCommand::Csr { of, key } => {
            let organisation = of.find(context).await?;
            let request = signing_keys::request_certificate(context, &organisation, id(&key)?, &Map::new()).await;
            print!("{}", request.map_err(not_changed)?);
        }
        KeyCommand::Certify { of, key, chain } => {
            let pem = std::fs::read_to_string(&chain).with_context(|| format!("cannot read {}", chain.display()))?;
            let body = members(json!({"certificateChain": pem}));
            let organisation = of.find(context).await?;
            let change = signing_keys::certify(context, &organisation, id(&key)?, None, &body);
            let certified = with_keys(context, &organisation, "uploadCertificateChain", change).await;
            let certified = certified.map_err(not_changed)?;
            show(&certified.key);
            for warning in certified.warnings {
                println!("  warning: {warning}");
            }
        }
    }
    Ok(())
}

impl Of {
    pub(super) async fn find(&self, context: &Context) -> anyhow::Result<Arc<Organisation>> {
        let slug = Slug::parse(&self.organisation)?;
        let found = context.store().directory().organisation_by_slug(&slug).await?;
        found.with_context(|| format!("there is no organisation {slug}; `chancery organisation list` lists all"))
    }
}

fn id(text: &str) -> anyhow::Result<SigningKeyId> {
    SigningKeyId::parse(text).with_context(|| format!("{text:?} is not a key id; `chancery key list` lists them"))
}

fn show(key: &SigningKey) {
    let chain = if key.certificate_chain.is_empty() { "no certificates" } else { "with certificates" };
    println!("{}  {:<5}  {:?}  kid {}  {chain}", key.id, key.algorithm.name(), key.state, key.kid);
}

fn not_created(failure: Failure<CreateRejection>) -> anyhow::Error {
    say(failure, |rejection| match rejection {
        CreateRejection::Invalid(faults) => faults_in_words(&faults),
    })
}

fn not_changed(failure: Failure<ChangeRejection>) -> anyhow::Error {
    say(failure, |rejection| match rejection {
        ChangeRejection::NotFound => "the organisation has no such key".to_owned(),
        ChangeRejection::Invalid(faults) => faults_in_words(&faults),
        ChangeRejection::Stale => "somebody else changed the key at the same time".to_owned(),
        ChangeRejection::State { from, to } => format!("a key that is {from:?} cannot become {to:?}"),
    })
}
