//! Levels of key attestations in request bodies.

use crate::management::body::{Faults, Members};

/// Most levels of one kind, and the longest, in characters: what is published is matched for each request.
const MOST_LEVELS: usize = 16;
const LONGEST_LEVEL: usize = 255;

/// A list of attack potential resistance levels (OpenID4VCI Appendix D.2): any collision-resistant names.
pub(super) fn read_levels(members: &Members<'_>, name: &str, faults: &mut Faults) -> Vec<String> {
    let mut levels: Vec<String> = Vec::new();
    for (pointer, value) in members.array(name, MOST_LEVELS, faults).unwrap_or_default() {
        match value
            .as_str()
            .filter(|level| (1..=LONGEST_LEVEL).contains(&level.chars().count()) && !level.contains('\0'))
        {
            Some(level) if levels.iter().any(|earlier| earlier == level) => {}
            Some(level) => levels.push(level.to_owned()),
            None => faults.add(pointer, "the name of a level is expected, for example iso_18045_high"),
        }
    }
    levels
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_level_has_up_to_255_characters_of_any_script() {
        let body = json!({ "keyStorage": ["é".repeat(255), "é".repeat(256), "", "é".repeat(255)] });
        let mut faults = Faults::default();
        let levels = read_levels(&Members::of_body(body.as_object().unwrap()), "keyStorage", &mut faults);
        assert_eq!(levels, ["é".repeat(255)]);
        let faults = faults.none_or(Some(())).unwrap_err();
        assert_eq!(
            faults.iter().map(|fault| fault.pointer.as_str()).collect::<Vec<_>>(),
            ["/keyStorage/1", "/keyStorage/2"]
        );
    }
}
