//! Proves the chain of an organisation from its first entry to its head.

use std::convert::Infallible;

use chancery_keys::MacKeys;
use chancery_model::{AuditEntry, AuditEntryId, AuditLink, Organisation};

use super::BROKEN_OFF;
use crate::{Context, Failure};

/// Entries that are looked at together.
const PER_LOOK: u64 = 500;

/// A link that somebody wrote down elsewhere, and that must be in the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Anchor(pub AuditLink);

impl Anchor {
    /// Reads `{sequence}:{mac in hexadecimal digits}`.
    pub fn parse(text: &str) -> Option<Self> {
        let (sequence, mac) = text.split_once(':')?;
        let pairs = mac.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).ok());
        let bytes: Option<Vec<u8>> = pairs.map(|pair| u8::from_str_radix(pair?, 16).ok()).collect();
        let mac = <[u8; 32]>::try_from(bytes?).ok()?;
        Some(Self(AuditLink { sequence: sequence.parse().ok()?, mac }))
    }
}

/// What was found.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// The last link that is proven.
    pub proven: AuditLink,
    /// What is wrong behind it.
    pub broken: Option<Broken>,
    /// Entries that broke off long ago and wait to be chained along with another one.
    pub unfinished: u64,
}

/// Where and how a chain is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// No entry has this place, although the chain goes on.
    Missing(u64),
    /// The entry at this place was changed, or holds what no entry holds.
    Altered(u64, Option<AuditEntryId>),
    /// The chain ends before the place that was noted as its end.
    CutOff(u64),
    /// Entries follow the one that was noted as the last.
    Unknown(u64),
    /// The link that was written down elsewhere is not the one at its place.
    OtherHistory(u64),
}

/// Proves every link, in order, until one is broken.
///
/// # Errors
/// Those of the database.
pub async fn verify(
    ctx: &Context,
    organisation: &Organisation,
    anchor: Option<Anchor>,
) -> Result<Verdict, Failure<Infallible>> {
    let reader = ctx.store().read(organisation).await?;
    // Before the entries: those that come meanwhile are behind it.
    let head = reader.audit_head().await?.unwrap_or(AuditLink::START);
    let unfinished = reader.audit_unfinished(ctx.env().now().minus(BROKEN_OFF)).await?;
    drop(reader);
    let verdict = |proven, broken| Ok(Verdict { proven, broken, unfinished });
    let mut proven = AuditLink::START;
    while proven.sequence < head.sequence {
        let entries = ctx.store().read(organisation).await?.audit_chain(proven.sequence, PER_LOOK).await?;
        if entries.is_empty() {
            return verdict(proven, Some(Broken::CutOff(proven.sequence.saturating_add(1))));
        }
        for (place, entry) in entries {
            match follow(ctx.audit_keys(), &proven, place, entry.as_ref()) {
                Ok(link) => proven = link,
                Err(broken) => return verdict(proven, Some(broken)),
            }
            if let Some(Anchor(noted)) = anchor
                && noted.sequence == proven.sequence
                && noted.mac != proven.mac
            {
                return verdict(proven, Some(Broken::OtherHistory(noted.sequence)));
            }
            if proven.sequence == head.sequence {
                break;
            }
        }
    }
    if proven.mac != head.mac {
        return verdict(proven, Some(Broken::Unknown(proven.sequence)));
    }
    if let Some(Anchor(noted)) = anchor
        && noted.sequence > proven.sequence
    {
        return verdict(proven, Some(Broken::CutOff(proven.sequence.saturating_add(1))));
    }
    verdict(proven, None)
}

/// The link of the entry at `place` when it follows `previous`.
fn follow(keys: &MacKeys, previous: &AuditLink, place: u64, entry: Option<&AuditEntry>) -> Result<AuditLink, Broken> {
    let expected = previous.sequence.saturating_add(1);
    if place != expected {
        return Err(Broken::Missing(expected));
    }
    let Some((entry, link)) = entry.and_then(|entry| entry.link.map(|link| (entry, link))) else {
        return Err(Broken::Altered(expected, None));
    };
    let text = entry.text_after(previous);
    let is_ours = keys.iter().any(|key| key.verify(&text, &link.mac).is_ok());
    if is_ours { Ok(link) } else { Err(Broken::Altered(expected, Some(entry.id))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_anchor_is_a_place_and_a_mac() {
        let anchor = Anchor::parse(&format!("12:{}", "0a".repeat(32)));
        assert_eq!(anchor, Some(Anchor(AuditLink { sequence: 12, mac: [10; 32] })));
        for wrong in
            ["12", "12:", "x:00", "12:0", &format!("12:{}", "zz".repeat(32)), &format!("12:{}", "0a".repeat(33))]
        {
            assert_eq!(Anchor::parse(wrong), None, "{wrong}");
        }
    }
}
