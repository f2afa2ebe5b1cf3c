//! `chancery audit`.

use anyhow::Context as _;
use chancery_issuance::management::audit::{self, Anchor, Broken, Verdict, hex};
use chancery_issuance::{Context, Failure};
use clap::Subcommand;

use super::key::Of;
use super::say;

#[derive(Subcommand)]
pub(super) enum AuditCommand {
    /// Proves that no entry of the audit log of an organisation was changed, removed or slipped in, and names the first broken
    /// link otherwise.
    ///
    /// The exit code is 0 when the chain holds and 1 when it is broken.
    Verify {
        #[command(flatten)]
        of: Of,
        /// A link that was noted elsewhere, SEQUENCE:MAC as this command prints it. Without one, entries that were cut off the end
        /// together with the note of where it ends are not missed.
        #[arg(long, value_name = "SEQUENCE:MAC")]
        anchor: Option<String>,
    },
}

pub(super) async fn execute(command: AuditCommand, context: &Context) -> anyhow::Result<()> {
    let AuditCommand::Verify { of, anchor } = command;
    let read = |text: String| Anchor::parse(&text).with_context(|| format!("{text:?} is not SEQUENCE:MAC"));
    let anchor = anchor.map(read).transpose()?;
    let organisation = of.find(context).await?;
    let verdict = audit::verify(context, &organisation, anchor).await.map_err(unable)?;
    let Verdict { proven, broken, unfinished } = verdict;
    if unfinished > 0 {
        println!("{unfinished} requests broke off and are not in the chain yet; the next change takes them in.");
    }
    if let Some(broken) = broken {
        println!("The chain holds up to entry {}.", proven.sequence);
        anyhow::bail!("{}", in_words(broken));
    }
    println!("The chain holds: {} entries, anchor {}:{}", proven.sequence, proven.sequence, hex(&proven.mac));
    Ok(())
}

fn in_words(broken: Broken) -> String {
    match broken {
        Broken::Missing(place) => format!("broken at {place}: the entry is missing, and others follow"),
        Broken::Altered(place, Some(id)) => format!("broken at {place}: entry {id} was changed, or moved here"),
        Broken::Altered(place, None) => format!("broken at {place}: the entry was changed beyond reading"),
        Broken::CutOff(place) => format!("broken at {place}: the chain ends before, and did not always"),
        Broken::Unknown(place) => format!("broken behind {place}: the note of where the chain ends has another MAC"),
        Broken::OtherHistory(place) => format!("broken at {place}: its MAC is not the one in the anchor"),
    }
}

fn unable(failure: Failure<std::convert::Infallible>) -> anyhow::Error {
    say(failure, |never| match never {})
}
