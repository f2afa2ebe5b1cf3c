//! URLs of servers that organisations want to be called.

use url::Url;

use super::body::{Faults, Members};
use crate::outbound::Outbound;

/// Longest URL, in characters.
const LONGEST: usize = 2048;

/// A URL that may be called, as far as can be seen without resolving its name. The empty string counts as absent.
pub(super) fn read(outbound: &Outbound, members: &Members<'_>, name: &str, faults: &mut Faults) -> Option<String> {
    let text = members.text(name, LONGEST, faults)?;
    let at = members.at(name);
    let Ok(url) = Url::parse(text) else {
        faults.add(at, "an absolute URL is expected");
        return None;
    };
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        faults.add(at, "neither a user name, a password nor a fragment is accepted");
        return None;
    }
    if let Err(error) = outbound.check(&url) {
        faults.add(at, format!("this address is not called: {error}"));
        return None;
    }
    Some(url.into())
}
