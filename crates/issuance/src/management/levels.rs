//! Levels of key attestations in request bodies.

use crate::management::body::{Faults, Members};

/// Most levels of one kind, and the longest, in characters: what is published is matched for each request.
const MOST_LEVELS: usize = 16;
const LONGEST_LEVEL: usize = 255;

/// A list of attack potential resistance levels (OpenID4VCI Appendix D.2): any collision-resistant names.
pub(super) fn read_levels(members: &Members<'_>, name: &str, faults: &mut Faults) -> Vec<String> {
    let mut levels: Vec<String> = Vec::new();
    for (pointer, value) in members.array(name, MOST_LEVELS, faults).unwrap_or_default() {
        match value.as_str().filter(|level| (1..=LONGEST_LEVEL).contains(&level.len()) && !level.contains('\0')) {
            Some(level) if levels.iter().any(|earlier| earlier == level) => {}
            Some(level) => levels.push(level.to_owned()),
            None => faults.add(pointer, "the name of a level is expected, for example iso_18045_high"),
        }
    }
    levels
}
