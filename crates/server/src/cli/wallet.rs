//! `chancery wallet`.

pub(super) mod flags;

use std::io::{IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use chancery_model::Env;
use chancery_wallet::{Accepted, Authority, Options, Style, Wallet};
use clap::Subcommand;

use flags::Flags;
pub(super) use flags::pair;

#[derive(Subcommand)]
pub(super) enum WalletCommand {
    /// Accepts a credential offer, verifies what comes and prints it with its disclosures.
    ///
    /// The offer's grant decides the flow. For an authorization code the wallet listens on a free port of this machine and
    /// shows the address to open in a browser.
    Accept {
        /// The offer link, beginning with openid-credential-offer:// or haip-vci://.
        offer: String,
        /// Transaction code, when the offer asks for one.
        #[arg(long)]
        tx_code: Option<String>,
        #[command(flatten)]
        flags: Box<Flags>,
    },
    /// Asks an issuer for a credential without an offer, by the authorization code flow.
    Request {
        /// The Credential Issuer Identifier.
        #[arg(long, value_name = "URL")]
        issuer: String,
        #[command(flatten)]
        flags: Box<Flags>,
    },
    /// Decodes an SD-JWT VC without trusting it.
    Inspect {
        /// The compact form; read from standard input when absent.
        credential: Option<String>,
    },
    /// Makes a wallet provider or a key attester: a key, its certificate and a root.
    ///
    /// The file is for --wallet-provider and --key-attester of the other commands. What is printed is the root certificate,
    /// which the organisation has to trust.
    Authority {
        /// The file to write, readable by its owner only. It must not exist yet.
        file: PathBuf,
        /// Common name of the certificate.
        #[arg(long, default_value = "Chancery test wallet provider")]
        name: String,
    },
}

pub(super) async fn execute(command: WalletCommand) -> anyhow::Result<()> {
    match command {
        WalletCommand::Accept { offer, tx_code, flags } => {
            let options = Options { tx_code, ..flags.options().await? };
            let wallet = flags.wallet()?;
            let accepted = wallet.accept(&offer, &options).await?;
            finish(&wallet, accepted, &options, &flags).await
        }
        WalletCommand::Request { issuer, flags } => {
            let options = flags.options().await?;
            let wallet = flags.wallet()?;
            let accepted = wallet.request(&issuer, &options).await?;
            finish(&wallet, accepted, &options, &flags).await
        }
        WalletCommand::Inspect { credential } => {
            let credential = match credential {
                Some(credential) => credential,
                None => read_standard_input()?,
            };
            println!("{}", chancery_wallet::inspect(credential.trim())?.render(style()));
            Ok(())
        }
        WalletCommand::Authority { file, name } => {
            let authority = Authority::generate(&name, Env::system().now().seconds())?;
            write_secret(&file, &authority.to_pem()).with_context(|| format!("cannot write {}", file.display()))?;
            print!("{}", authority.anchor_pem());
            Ok(())
        }
    }
}

/// Shows what came, waits for what was deferred, and fetches fresh copies when that is wanted.
async fn finish(wallet: &Wallet, mut accepted: Accepted, options: &Options, flags: &Flags) -> anyhow::Result<()> {
    let mut waited = 0;
    show(&accepted, 0, flags);
    while let Some(interval) = accepted.pending.iter().map(|pending| pending.interval_seconds).max() {
        let count = accepted.pending.len();
        waited += interval;
        if waited > flags.patience {
            anyhow::bail!("{count} credential(s) not ready after {} seconds (see --patience)", flags.patience);
        }
        eprintln!("{count} credential(s) deferred; asking again in {interval} s …");
        tokio::time::sleep(Duration::from_secs(interval)).await;
        let shown = accepted.credentials.len();
        wallet.poll(&mut accepted, options).await?;
        show(&accepted, shown, flags);
    }
    if flags.refresh {
        eprintln!("refreshing the token and fetching the credentials again …");
        show(&wallet.reissue(&accepted, options).await?, 0, flags);
    }
    Ok(())
}

fn show(accepted: &Accepted, from: usize, flags: &Flags) {
    for credential in accepted.credentials.iter().skip(from) {
        println!("{}", credential.render(style()));
        if flags.compact {
            println!("{}", credential.compact);
        }
    }
}

/// Colours for people, characters for pipes.
pub(crate) fn style() -> Style {
    if std::io::stdout().is_terminal() { Style::Ansi } else { Style::Plain }
}

fn write_secret(path: &Path, text: &str) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())
}

fn read_standard_input() -> anyhow::Result<String> {
    const MOST: u64 = 4 * 1024 * 1024;
    let mut text = String::new();
    std::io::stdin().take(MOST).read_to_string(&mut text)?;
    Ok(text)
}
