//! What the doctor found, for people and for programs.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::finding::{Kind, Severity};
use crate::render::{Style, printable};

/// One thing that was looked at.
#[derive(Debug, Clone)]
pub struct Check {
    /// What was looked at, in words.
    pub subject: String,
    /// What is wrong with it; empty when nothing is.
    pub findings: Vec<Finding>,
    /// Why it could not be looked at.
    pub skipped: Option<String>,
}

/// One thing that is wrong.
#[derive(Debug, Clone)]
pub struct Finding {
    /// What kind of thing.
    pub kind: Kind,
    /// What is wrong, in words, with expected and got.
    pub what: String,
    /// The clause that decides, when it is more exact than the one of the kind.
    pub clause: Option<&'static str>,
}

/// The outcome of an examination.
#[derive(Debug, Clone)]
pub struct Report {
    /// The Credential Issuer Identifier.
    pub issuer: String,
    /// Everything that was looked at, in order.
    pub checks: Vec<Check>,
}

impl Report {
    /// Every finding, in order.
    pub fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.checks.iter().flat_map(|check| &check.findings)
    }

    /// How many findings are at least so bad.
    #[must_use]
    pub fn count(&self, severity: Severity) -> usize {
        self.findings().filter(|finding| finding.kind.severity >= severity).count()
    }

    /// Whether nothing worse than a note was found.
    #[must_use]
    pub fn healthy(&self) -> bool {
        self.count(Severity::Warning) == 0
    }

    /// For programs: `issuer`, `healthy`, and `checks` with their `findings`.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let checks: Vec<Value> = self.checks.iter().map(Check::to_json).collect();
        json!({"issuer": self.issuer, "healthy": self.healthy(), "checks": checks})
    }

    /// For a terminal.
    #[must_use]
    pub fn render(&self, style: Style) -> String {
        let mut out = format!("{} {}\n\n", style.strong("Examined"), printable(&self.issuer));
        for check in &self.checks {
            check.render(&mut out, style);
        }
        let passed = self.checks.iter().filter(|check| check.findings.is_empty() && check.skipped.is_none()).count();
        let skipped = self.checks.iter().filter(|check| check.skipped.is_some()).count();
        let errors = self.count(Severity::Error);
        let warnings = self.count(Severity::Warning) - errors;
        let summary = format!("{passed} passed, {errors} errors, {warnings} warnings, {skipped} not looked at");
        let verdict = match (errors, warnings) {
            (0, 0) => style.good("Healthy."),
            (0, _) => style.warn("Some wallets will stop."),
            _ => style.bad("Wallets will stop."),
        };
        // Writing to a String cannot fail.
        let _ = writeln!(out, "\n{verdict} {summary}");
        out
    }
}

impl Check {
    fn to_json(&self) -> Value {
        let findings: Vec<Value> = self.findings.iter().map(Finding::to_json).collect();
        json!({"subject": self.subject, "skipped": self.skipped, "findings": findings})
    }

    fn render(&self, out: &mut String, style: Style) {
        let worst = self.findings.iter().map(|finding| finding.kind.severity).max();
        let mark = match (worst, &self.skipped) {
            (Some(Severity::Error), _) => style.bad("✗"),
            (Some(Severity::Warning), _) => style.warn("!"),
            (Some(Severity::Note), _) => style.faint("i"),
            (None, Some(_)) => style.faint("–"),
            (None, None) => style.good("✓"),
        };
        let _ = write!(out, "  {mark} {}", printable(&self.subject));
        if let Some(reason) = self.skipped.as_ref().filter(|_| self.findings.is_empty()) {
            let _ = write!(out, "  {}", style.faint(&format!("({})", printable(reason))));
        }
        out.push('\n');
        for finding in &self.findings {
            finding.render(out, style);
        }
    }
}

impl Finding {
    /// The clause that decides.
    #[must_use]
    pub fn clause(&self) -> &'static str {
        self.clause.unwrap_or(self.kind.clause)
    }

    fn to_json(&self) -> Value {
        json!({
            "code": self.kind.code,
            "severity": self.kind.severity.name(),
            "what": printable(&self.what),
            "clause": self.clause(),
            "refusedBy": self.kind.refused_by,
            "fix": self.kind.fix,
        })
    }

    fn render(&self, out: &mut String, style: Style) {
        let name = match self.kind.severity {
            Severity::Error => style.bad(self.kind.code),
            Severity::Warning => style.warn(self.kind.code),
            Severity::Note => style.faint(self.kind.code),
        };
        let _ = writeln!(out, "      {name}  {}", printable(&self.what));
        for (label, text) in
            [("clause", self.clause()), ("refused by", self.kind.refused_by), ("change", self.kind.fix)]
        {
            let _ = writeln!(out, "        {} {text}", style.faint(&format!("{label:<11}")));
        }
    }
}
