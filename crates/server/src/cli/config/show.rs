//! A plan for people, and for programs.

use std::fmt::Write as _;

use chancery_issuance::management::Fault;
use chancery_wallet::Style;
use serde_json::{Value, json};

use super::apply::Outcome;
use super::difference::Difference;
use super::document::Document;
use super::plan::{Action, Change, Plan};
use super::remote::Remote;

/// Longest value that is shown in full, in characters; pictures in `data:` URIs are longer.
const LONGEST: usize = 100;

/// A plan in words.
pub(super) fn in_words(plan: &Plan, remote: &Remote, document: &Document, style: Style) -> String {
    let mut text = format!("{} ({})\n", style.strong(&remote.slug), remote.issuer);
    for change in &plan.changes {
        text.push('\n');
        write_change(change, style, &mut text);
    }
    if !plan.obstacles.is_empty() {
        let _infallible = writeln!(text, "\n{}", style.bad("This cannot be done:"));
        for line in document.in_words(&plan.obstacles).lines() {
            let _infallible = writeln!(text, "  {}", printable(line));
        }
    }
    text.push('\n');
    text.push_str(&summary(plan));
    text.push('\n');
    text
}

/// The last line of a plan.
pub(super) fn summary(plan: &Plan) -> String {
    let count = |action| plan.count(action);
    let kept = count(Action::Keep);
    let mut text = match plan.pending().count() {
        0 => "No changes.".to_owned(),
        _ => format!(
            "{} to create, {} to change, {} to delete.",
            count(Action::Create),
            count(Action::Change),
            count(Action::Delete)
        ),
    };
    if kept > 0 {
        let _infallible = write!(text, " Of {kept} the file does not have all: that stays.");
    }
    text
}

fn write_change(change: &Change, style: Style, text: &mut String) {
    let name = printable(&change.name);
    let (mark, tail) = match change.action {
        Action::Create => (style.good("+"), ""),
        Action::Change => (style.warn("~"), ""),
        Action::Delete => (style.bad("-"), ""),
        Action::Keep if change.place.is_empty() => (" ".to_owned(), "  not in the file; stays, --delete deletes it"),
        Action::Keep => (" ".to_owned(), ""),
    };
    let tail = if tail.is_empty() { String::new() } else { style.faint(tail) };
    let _infallible = writeln!(text, "{mark} {}{tail}", style.strong(&name));
    for difference in &change.differences {
        let _infallible = writeln!(text, "    {}", one(difference, change.action, style));
    }
    for note in &change.notes {
        let _infallible = writeln!(text, "    {}", style.faint(&printable(note)));
    }
}

fn one(difference: &Difference, action: Action, style: Style) -> String {
    let path = printable(&difference.path);
    let value = |value: &Value| shortened(value);
    match (&difference.old, &difference.new) {
        (Some(old), Some(new)) => format!("{path}: {} -> {}", style.bad(&value(old)), style.good(&value(new))),
        (None, Some(new)) if action == Action::Create => format!("{path}: {}", value(new)),
        (None, Some(new)) => style.good(&format!("+ {path}: {}", value(new))),
        (Some(old), None) => style.bad(&format!("- {path}: {}", value(old))),
        (None, None) => path,
    }
}

fn shortened(value: &Value) -> String {
    let text = printable(&value.to_string());
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}… ({} characters)", text.get(..end).unwrap_or_default(), text.chars().count()),
        None => text,
    }
}

/// Without what a terminal would act upon: texts of the server and the file are shown, never obeyed.
pub(super) fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        let turns = matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if c.is_control() || turns {
            shown.extend(c.escape_unicode());
        } else {
            shown.push(c);
        }
    }
    shown
}

/// A plan as JSON, and what came of it.
pub(super) fn as_json(plan: &Plan, remote: &Remote, document: &Document, outcome: Option<&Outcome>) -> Value {
    let changes = plan.changes.iter().map(|change| {
        let differences = change.differences.iter().map(|difference| {
            let mut members = json!({ "path": difference.path });
            for (name, value) in [("old", &difference.old), ("new", &difference.new)] {
                if let (Some(members), Some(value)) = (members.as_object_mut(), value) {
                    members.insert(name.to_owned(), value.clone());
                }
            }
            members
        });
        json!({
            "action": match change.action {
                Action::Create => "create",
                Action::Change => "change",
                Action::Delete => "delete",
                Action::Keep => "keep",
            },
            "name": change.name,
            "pointer": change.place,
            "differences": differences.collect::<Vec<_>>(),
            "notes": change.notes,
        })
    });
    let places = |faults: &[Fault]| -> Vec<Value> {
        let place = |fault: &Fault| json!({ "pointer": fault.pointer, "line": document.line(&fault.pointer), "detail": fault.detail });
        faults.iter().map(place).collect()
    };
    let failure = outcome
        .and_then(|outcome| outcome.failure.as_ref())
        .map(|failed| json!({ "name": failed.name, "reason": failed.reason, "places": places(&failed.faults) }));
    json!({
        "organisation": remote.slug,
        "issuer": remote.issuer,
        "changes": changes.collect::<Vec<_>>(),
        "obstacles": places(&plan.obstacles),
        "done": outcome.map(|outcome| outcome.done.as_slice()).unwrap_or_default(),
        "failure": failure,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_shows_texts_and_does_not_obey_them() {
        assert_eq!(printable("a\u{1b}[2Jb\u{9b}c\u{202e}d"), "a\\u{1b}[2Jb\\u{9b}c\\u{202e}d");
        assert_eq!(shortened(&json!("\u{7f}")), "\"\\u{7f}\"");
        assert!(shortened(&json!("é".repeat(200))).ends_with("… (202 characters)"));
    }
}
