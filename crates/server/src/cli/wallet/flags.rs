//! What a person can choose about a wallet, on the command line.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use chancery_wallet::{
    Algorithm, Authority, Dpop, Encoding, Encryption, FrontChannel, Grant, KeyAttestation, KeyAttester, KeyReference,
    Options, Pushing, Wallet, WalletProvider, certificates_from_pem,
};
use clap::{Args, ValueEnum};

/// Largest file that is read, in bytes.
const LARGEST_FILE: u64 = 1 << 20;

#[derive(Args)]
pub(in crate::cli) struct Flags {
    /// Fetch only this configuration; may be repeated. Without it, everything that is offered.
    #[arg(long = "configuration", value_name = "ID")]
    configurations: Vec<String>,
    /// How many copies of each credential, each bound to a key of its own.
    #[arg(long, default_value_t = 1, value_name = "N")]
    copies: usize,
    /// client_id to name; without it, the one of the wallet attestation, or anonymous access.
    #[arg(long)]
    client_id: Option<String>,
    /// Which grant of an offer with several.
    #[arg(long, value_enum, default_value_t = GrantFlag::Auto)]
    grant: GrantFlag,
    /// Command that opens the authorization page: it gets the address as its last argument, for example xdg-open.
    #[arg(long, value_name = "COMMAND")]
    open_with: Option<String>,
    /// Whether the authorization request is pushed.
    #[arg(long, value_enum, default_value_t = PushingFlag::Auto)]
    par: PushingFlag,
    /// Name the credential by authorization_details instead of scope.
    #[arg(long)]
    authorization_details: bool,
    /// Show wallet attestations, signed with this file of `chancery wallet authority`.
    #[arg(long, value_name = "FILE")]
    wallet_provider: Option<PathBuf>,
    /// Show key attestations, signed with this file of `chancery wallet authority`.
    #[arg(long, value_name = "FILE")]
    key_attester: Option<PathBuf>,
    /// Send the key attestation alone (proof type `attestation`) instead of in each `jwt` proof.
    #[arg(long, requires = "key_attester")]
    attestation_alone: bool,
    /// Level that the key attestation claims for key storage and user authentication.
    #[arg(long, default_value = "iso_18045_high", value_name = "LEVEL")]
    key_level: String,
    /// How key proofs name the holder key.
    #[arg(long, value_enum, default_value_t = ReferenceFlag::Jwk)]
    key_reference: ReferenceFlag,
    /// The kind of holder keys.
    #[arg(long, value_enum, default_value_t = AlgorithmFlag::Es256)]
    key_algorithm: AlgorithmFlag,
    /// Use a Bearer token instead of DPoP.
    #[arg(long)]
    bearer: bool,
    /// Whether credential requests and answers are encrypted.
    #[arg(long, value_enum, default_value_t = EncryptionFlag::WhereRequired)]
    encrypt: EncryptionFlag,
    /// Content encryption, both ways.
    #[arg(long, value_enum, default_value_t = EncodingFlag::A128gcm)]
    enc: EncodingFlag,
    /// Compress what is encrypted, both ways.
    #[arg(long)]
    zip: bool,
    /// Ask for signed issuer metadata and verify them.
    #[arg(long)]
    signed_metadata: bool,
    /// PEM file of certificates that x5c chains of the issuer must end at.
    #[arg(long, value_name = "FILE")]
    trust: Option<PathBuf>,
    /// Refuse credentials and signed metadata without x5c, or with certificates that HAIP does not want.
    #[arg(long)]
    haip: bool,
    /// Do not tell the issuer what became of the credentials.
    #[arg(long)]
    no_notify: bool,
    /// Seconds to wait for the browser, and for deferred credentials.
    #[arg(long, default_value_t = 600, value_name = "SECONDS")]
    pub(super) patience: u64,
    /// At the end, refresh the token and fetch the credentials again.
    #[arg(long)]
    pub(super) refresh: bool,
    /// Print the compact credentials, too.
    #[arg(long)]
    pub(super) compact: bool,
    /// Send what is meant for one base URL to another one, as in `https://issuer.example=http://127.0.0.1:8080`.
    #[arg(long, value_name = "PUBLIC=ACTUAL", value_parser = pair)]
    resolve: Vec<(String, String)>,
}

impl Flags {
    pub(super) fn wallet(&self) -> anyhow::Result<Wallet> {
        Ok(Wallet::new()?)
    }

    pub(super) async fn options(&self) -> anyhow::Result<Options> {
        let patience = Duration::from_secs(self.patience);
        let open_with = self.open_with.clone();
        let front_channel = FrontChannel::loopback(patience, move |url| open(open_with.as_deref(), url)).await?;
        let wallet_provider = match &self.wallet_provider {
            None => None,
            Some(path) => Some(provider(path, self.client_id.as_deref())?),
        };
        let key_attester = match &self.key_attester {
            None => None,
            Some(path) => {
                let mut attester = KeyAttester::new(authority(path)?);
                attester.key_storage = vec![self.key_level.clone()];
                attester.user_authentication = vec![self.key_level.clone()];
                Some(Arc::new(attester))
            }
        };
        let trust_anchors = anchors(self.trust.as_deref())?;
        Ok(Options {
            configuration_ids: self.configurations.clone(),
            proofs: self.copies,
            client_id: self.client_id.clone(),
            grant: self.grant.into(),
            front_channel: Some(front_channel),
            pushing: self.par.into(),
            authorization_details: self.authorization_details,
            wallet_provider,
            key_attester,
            key_attestation: if self.attestation_alone { KeyAttestation::Alone } else { KeyAttestation::InProof },
            key_reference: self.key_reference.into(),
            algorithm: self.key_algorithm.into(),
            dpop: if self.bearer { Dpop::Never } else { Dpop::Auto },
            encryption: self.encrypt.into(),
            encoding: self.enc.into(),
            compression: self.zip,
            signed_metadata: self.signed_metadata,
            haip: self.haip,
            trust_anchors,
            notify: !self.no_notify,
            resolve: self.resolve.clone(),
            ..Options::default()
        })
    }
}

/// The wallet that attestations speak of when nobody names another.
const DEFAULT_CLIENT: &str = "chancery-wallet";

fn open(command: Option<&str>, url: &str) {
    eprintln!("Open this address in a browser:\n\n  {url}\n");
    let Some(command) = command else { return };
    let mut words = command.split_whitespace();
    let Some(program) = words.next() else { return };
    let started = Command::new(program).args(words).arg(url).stdin(Stdio::null()).stdout(Stdio::null()).spawn();
    if let Err(error) = started {
        eprintln!("{program} cannot be started ({error}); open the address yourself.");
    }
}

/// The provider of the wallet `client_id` in a file of `chancery wallet authority`.
pub(in crate::cli) fn provider(path: &Path, client_id: Option<&str>) -> anyhow::Result<Arc<WalletProvider>> {
    Ok(Arc::new(WalletProvider::new(authority(path)?, client_id.unwrap_or(DEFAULT_CLIENT))?))
}

/// The certificates of a PEM file; none when there is no file.
pub(in crate::cli) fn anchors(path: Option<&Path>) -> anyhow::Result<Vec<Vec<u8>>> {
    let Some(path) = path else { return Ok(Vec::new()) };
    certificates_from_pem(&read(path)?).with_context(|| path.display().to_string())
}

fn authority(path: &Path) -> anyhow::Result<Authority> {
    Authority::from_pem(&read(path)?).with_context(|| format!("cannot use {}", path.display()))
}

fn read(path: &Path) -> anyhow::Result<String> {
    let read = || {
        use std::io::Read as _;
        let mut text = String::new();
        std::fs::File::open(path)?.take(LARGEST_FILE).read_to_string(&mut text)?;
        Ok::<_, std::io::Error>(text)
    };
    read().with_context(|| format!("cannot read {}", path.display()))
}

/// Reads two addresses with `=` between them.
pub(crate) fn pair(text: &str) -> Result<(String, String), String> {
    let (public, actual) = text.split_once('=').ok_or("two addresses with `=` between them")?;
    Ok((public.to_owned(), actual.to_owned()))
}

/// A flag whose values are the variants of a type of the wallet.
macro_rules! flag {
    ($(#[$doc:meta])* $flag:ident => $kind:ident { $($(#[$variant_doc:meta])* $variant:ident => $value:ident),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, ValueEnum)]
        enum $flag { $($(#[$variant_doc])* $variant),+ }

        impl From<$flag> for $kind {
            fn from(flag: $flag) -> Self {
                match flag { $($flag::$variant => Self::$value),+ }
            }
        }
    };
}

flag! {
    GrantFlag => Grant {
        /// The pre-authorized code when there is one, else the authorization code.
        Auto => Auto,
        /// The pre-authorized code.
        PreAuthorizedCode => PreAuthorizedCode,
        /// The authorization code, through a browser.
        AuthorizationCode => AuthorizationCode,
    }
}

flag! {
    PushingFlag => Pushing {
        /// When the server has an endpoint for it.
        Auto => Auto,
        /// Always.
        Always => Always,
        /// Never.
        Never => Never,
    }
}

flag! {
    ReferenceFlag => KeyReference {
        /// The public key itself.
        Jwk => Jwk,
        /// A did:key URL.
        DidKey => DidKey,
        /// A did:jwk URL.
        DidJwk => DidJwk,
    }
}

flag! {
    AlgorithmFlag => Algorithm {
        /// ECDSA with P-256.
        Es256 => Es256,
        /// Ed25519.
        Ed25519 => Ed25519,
    }
}

flag! {
    EncryptionFlag => Encryption {
        /// Where the issuer requires it.
        WhereRequired => WhereRequired,
        /// Both ways.
        Always => Always,
        /// Never.
        Never => Never,
    }
}

flag! {
    EncodingFlag => Encoding {
        /// AES-GCM with 128 bits.
        A128gcm => A128Gcm,
        /// AES-GCM with 256 bits.
        A256gcm => A256Gcm,
    }
}
