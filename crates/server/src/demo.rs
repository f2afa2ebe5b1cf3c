//! `chancery demo`: a server with an organisation to try things out on, and a first credential.

mod client;
mod definitions;
mod provider;
mod qr;
mod secrets;

use std::path::Path;

use anyhow::Context as _;
use chancery_model::Env;
use chancery_wallet::{Options, Wallet, WalletError};

use crate::cli::{stopped, wallet_style};
use crate::config::{Environment, Settings};
use crate::server::{Server, open_context};
use crate::telemetry;
use client::Organisation;
use provider::Provider;

/// Starts the demo in `data` and serves until a signal comes. What is there already is kept and used.
pub(crate) async fn run(config: Option<&Path>, mut environment: Environment, data: &Path) -> anyhow::Result<()> {
    let platform_key = secrets::complete(&mut environment, data)?;
    let settings = Settings::load(config, &environment)?;
    telemetry::start(&settings);
    let public_url = settings.public_url.as_str().trim_end_matches('/').to_owned();
    let context = open_context(&settings, Env::system()).await?;
    context.store().migrate().await?;
    let server = Server::start_with(settings, context).await?;
    let management = server.management_address().context("the demo needs both faces: leave server.api at \"all\"")?;
    anyhow::ensure!(server.wallet_address().is_some(), "the demo needs both faces: leave server.api at \"all\"");
    let management_url = format!("http://{management}");

    let organisation = client::open(&management_url, &platform_key, data).await?;
    introduce(&organisation).await?;
    let offer = organisation.offer_staff_badge().await?;
    let provider = Provider::start(format!("{}/sign-in/callback", organisation.issuer)).await?;
    organisation.connect(&provider).await?;
    let offer_with_sign_in = organisation.offer_resident_card().await?;

    println!("Chancery is serving. Stop it with Ctrl-C; starting it again keeps everything.\n");
    println!("  Management API     {management_url}");
    println!("  API key            {}", organisation.api_key);
    println!("  API documentation  {management_url}/docs/");
    println!("  Wallet face        {public_url}");
    println!("  Issuer identifier  {}\n", organisation.issuer);
    println!("A fresh offer of a staff badge, for a wallet on this machine:\n\n  {offer}\n");
    println!("{}\n", qr::draw(&offer)?);
    println!("or, in another terminal:\n\n  target/debug/chancery wallet accept '{offer}'");
    println!("\nAn offer of a resident card, for which the person signs in in a browser (authorization code flow):\n");
    println!("  {offer_with_sign_in}\n");
    println!("The demo's own identity provider, with three invented people, is {}.", provider.issuer);
    stopped().await?;
    println!("\nStopping.");
    provider.stop().await;
    server.stop().await;
    Ok(())
}

/// Issues one credential and lets the built-in wallet accept it.
///
/// The organisation keeps its policy, and that may have come to ask for what a bare wallet does not have: then the reason is
/// shown, and the demo goes on.
async fn introduce(organisation: &Organisation) -> anyhow::Result<()> {
    println!("Organisation \"{}\" issues a person identification credential …", client::NAME);
    let offer = organisation.offer_identity().await?;
    println!("… offered as  {offer}\n… and the built-in wallet accepts it:\n");
    match Wallet::new()?.accept(&offer, &Options::default()).await {
        Ok(accepted) => println!("{}\n", accepted.render(wallet_style())),
        Err(reason @ (WalletError::Refused(_) | WalletError::Input(_))) => println!("It does not get it: {reason}\n"),
        Err(error) => return Err(error.into()),
    }
    Ok(())
}
