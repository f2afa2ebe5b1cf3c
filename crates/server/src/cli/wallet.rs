//! `chancery wallet`.

use std::io::{IsTerminal, Read};

use chancery_wallet::{Dpop, KeyReference, Options, Style, Wallet};
use clap::{Subcommand, ValueEnum};

#[derive(Subcommand)]
pub(super) enum WalletCommand {
    /// Accepts a credential offer, verifies what comes and prints it with its disclosures.
    Accept {
        /// The offer link, beginning with openid-credential-offer://.
        offer: String,
        /// Transaction code, when the offer asks for one.
        #[arg(long)]
        tx_code: Option<String>,
        /// client_id to name; without it the access is anonymous.
        #[arg(long)]
        client_id: Option<String>,
        /// How key proofs name the holder key.
        #[arg(long, value_enum, default_value_t = Reference::Jwk)]
        key_reference: Reference,
        /// Use a Bearer token instead of DPoP.
        #[arg(long)]
        bearer: bool,
        /// Print the compact credentials, too.
        #[arg(long)]
        compact: bool,
    },
    /// Decodes an SD-JWT VC without trusting it.
    Inspect {
        /// The compact form; read from standard input when absent.
        credential: Option<String>,
    },
}

/// How key proofs name the holder key.
#[derive(Clone, Copy, ValueEnum)]
pub(super) enum Reference {
    /// The public key itself.
    Jwk,
    /// A did:key URL.
    DidKey,
    /// A did:jwk URL.
    DidJwk,
}

impl From<Reference> for KeyReference {
    fn from(reference: Reference) -> Self {
        match reference {
            Reference::Jwk => Self::Jwk,
            Reference::DidKey => Self::DidKey,
            Reference::DidJwk => Self::DidJwk,
        }
    }
}

pub(super) async fn execute(command: WalletCommand) -> anyhow::Result<()> {
    match command {
        WalletCommand::Accept { offer, tx_code, client_id, key_reference, bearer, compact } => {
            let options = Options {
                tx_code,
                client_id,
                key_reference: key_reference.into(),
                dpop: if bearer { Dpop::Never } else { Dpop::Auto },
                ..Options::default()
            };
            let accepted = Wallet::new()?.accept(&offer, &options).await?;
            println!("{}", accepted.render(style()));
            if compact {
                accepted.credentials.iter().for_each(|credential| println!("{}", credential.compact));
            }
        }
        WalletCommand::Inspect { credential } => {
            let credential = match credential {
                Some(credential) => credential,
                None => read_standard_input()?,
            };
            println!("{}", chancery_wallet::inspect(credential.trim())?.render(style()));
        }
    }
    Ok(())
}

/// Colours for people, characters for pipes.
pub(crate) fn style() -> Style {
    if std::io::stdout().is_terminal() { Style::Ansi } else { Style::Plain }
}

fn read_standard_input() -> anyhow::Result<String> {
    const MOST: u64 = 4 * 1024 * 1024;
    let mut text = String::new();
    std::io::stdin().take(MOST).read_to_string(&mut text)?;
    Ok(text)
}
