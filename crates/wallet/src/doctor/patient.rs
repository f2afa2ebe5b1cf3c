//! The issuer under examination.

use reqwest::Method;

use super::finding::Kind;
use super::report::{Check, Finding, Report};
use crate::error::{Step, WalletError};
use crate::options::Options;
use crate::transport::{Reply, Request};
use crate::wallet::Wallet;

/// The origin that a wallet in a browser would have.
pub(super) const ORIGIN: &str = "https://wallet.example";

pub(super) struct Patient<'a> {
    pub(super) wallet: &'a Wallet,
    pub(super) identifier: &'a str,
    pub(super) options: &'a Options,
    pub(super) report: Report,
    /// Whether wallets of the HAIP profile are meant.
    pub(super) haip: bool,
}

impl<'a> Patient<'a> {
    pub(super) fn new(wallet: &'a Wallet, identifier: &'a str, options: &'a Options) -> Self {
        let report = Report { issuer: identifier.to_owned(), checks: Vec::new() };
        Self { wallet, identifier, options, report, haip: false }
    }

    /// Begins with a new subject; findings that follow belong to it.
    pub(super) fn look_at(&mut self, subject: impl Into<String>) {
        self.report.checks.push(Check { subject: subject.into(), findings: Vec::new(), skipped: None });
    }

    pub(super) fn skip(&mut self, subject: impl Into<String>, reason: impl Into<String>) {
        self.look_at(subject);
        if let Some(check) = self.report.checks.last_mut() {
            check.skipped = Some(reason.into());
        }
    }

    /// Adds a finding to the present subject.
    pub(super) fn find(&mut self, kind: Kind, what: impl Into<String>) {
        self.find_by(kind, None, what);
    }

    /// Adds a violation as a finding of `kind`, under its own clause.
    pub(super) fn find_error(&mut self, kind: Kind, error: &WalletError) {
        match error {
            WalletError::Violation(broken) => {
                let what = format!("{} (expected {}, got {})", broken.what, broken.expected, broken.got);
                self.find_by(kind, Some(broken.clause), what);
            }
            WalletError::Refused(_)
            | WalletError::Transport { .. }
            | WalletError::Input(_)
            | WalletError::Unsupported(_)
            | WalletError::Key(_) => self.find(kind, error.to_string()),
        }
    }

    /// Adds a finding under this clause.
    pub(super) fn find_by(&mut self, kind: Kind, clause: Option<&'static str>, what: impl Into<String>) {
        if let Some(check) = self.report.checks.last_mut() {
            check.findings.push(Finding { kind, what: what.into(), clause });
        }
    }

    /// Sends a request; no answer is a finding.
    pub(super) async fn send(&mut self, request: Request) -> Option<Reply> {
        match self.wallet.http.send(&request, &self.options.resolve).await {
            Ok(reply) => Some(reply),
            Err(error @ WalletError::Violation(_)) => {
                self.find_error(Kind::HTTP_ENDPOINT, &error);
                None
            }
            Err(error) => {
                self.find_error(Kind::UNREACHABLE, &error);
                None
            }
        }
    }

    pub(super) async fn get(&mut self, step: Step, url: &str) -> Option<Reply> {
        self.send(Request::get(step, url)).await
    }

    pub(super) async fn post(
        &mut self,
        step: Step,
        url: &str,
        content_type: Option<&'static str>,
        body: &str,
    ) -> Option<Reply> {
        let mut request = Request::post(step, url, content_type, body.as_bytes().to_vec());
        request.headers.push(("origin", ORIGIN.to_owned()));
        self.send(request).await
    }

    /// What a browser asks before it lets a script send `headers` with `method`.
    pub(super) async fn preflight(&mut self, url: &str, method: &str, headers: &str) -> Option<Reply> {
        let mut request = Request::get(Step::IssuerMetadata, url);
        request.method = Method::OPTIONS;
        request.headers = vec![
            ("origin", ORIGIN.to_owned()),
            ("access-control-request-method", method.to_owned()),
            ("access-control-request-headers", headers.to_owned()),
        ];
        self.send(request).await
    }

    pub(super) fn now(&self) -> i64 {
        self.wallet.now()
    }
}
