//! What can go wrong, told so that the issuer's developer can act on it.

use std::fmt;

use thiserror::Error;

use crate::render::printable;

/// Why the wallet stopped.
#[derive(Debug, Error)]
pub enum WalletError {
    /// The issuer (or its authorization server) broke a rule of a specification.
    #[error(transparent)]
    Violation(#[from] Violation),
    /// The issuer answered with an error of its own.
    #[error(transparent)]
    Refused(#[from] Box<Refusal>),
    /// The request did not get an answer.
    #[error("{step}: no answer from {url}: {cause}")]
    Transport {
        /// Which step was under way.
        step: Step,
        /// The public URL that was asked.
        url: String,
        /// What the HTTP client reported.
        cause: String,
    },
    /// The caller has to give something else: an option, a transaction code, a key.
    #[error("{0}")]
    Input(String),
    /// The issuer asked for something correct that this wallet cannot do.
    #[error("not supported by this wallet: {0}")]
    Unsupported(String),
    /// A local operation with a key failed.
    #[error("key operation failed: {0}")]
    Key(&'static str),
}

/// The step of the flow in which something happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    /// Reading the offer link, fetching the offer.
    Offer,
    /// Issuer metadata.
    IssuerMetadata,
    /// Authorization server metadata.
    AuthorizationServerMetadata,
    /// Challenge for wallet attestations.
    Challenge,
    /// Pushed authorization request.
    PushedAuthorization,
    /// The way through the browser.
    Authorization,
    /// Token request.
    Token,
    /// Nonce request.
    Nonce,
    /// Credential request.
    Credential,
    /// Deferred credential request.
    Deferred,
    /// Notification.
    Notification,
    /// Verification of a credential.
    Verification,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Offer => "credential offer",
            Self::IssuerMetadata => "issuer metadata",
            Self::AuthorizationServerMetadata => "authorization server metadata",
            Self::Challenge => "challenge request",
            Self::PushedAuthorization => "pushed authorization request",
            Self::Authorization => "authorization",
            Self::Token => "token request",
            Self::Nonce => "nonce request",
            Self::Credential => "credential request",
            Self::Deferred => "deferred credential request",
            Self::Notification => "notification",
            Self::Verification => "credential verification",
        })
    }
}

/// A rule that the other side broke.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "{step}: {} (expected {}, got {}; {clause})",
    printable(.what),
    printable(.expected),
    printable(.got)
)]
pub struct Violation {
    /// Where it happened.
    pub step: Step,
    /// Document and clause, for example `OpenID4VCI §12.2.4`.
    pub clause: &'static str,
    /// What is wrong, in words.
    pub what: String,
    /// What the clause asks for.
    pub expected: String,
    /// What came instead. Never a secret or a claim value.
    pub got: String,
}

impl Violation {
    /// A broken rule of `clause`.
    pub(crate) fn new(
        step: Step,
        clause: &'static str,
        what: impl Into<String>,
        expected: impl Into<String>,
        got: impl Into<String>,
    ) -> Self {
        Self {
            step,
            clause,
            what: shortened(what.into()),
            expected: shortened(expected.into()),
            got: shortened(got.into()),
        }
    }

    pub(crate) fn err<T>(
        step: Step,
        clause: &'static str,
        what: impl Into<String>,
        expected: impl Into<String>,
        got: impl Into<String>,
    ) -> Result<T, WalletError> {
        Err(Self::new(step, clause, what, expected, got).into())
    }
}

/// Text of strangers gets into these fields, and it may be long.
fn shortened(text: String) -> String {
    const LONGEST: usize = 400;
    match text.char_indices().nth(LONGEST) {
        None => text,
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or("")),
    }
}

/// An error answer of the issuer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Which request was refused.
    pub step: Step,
    /// The public URL that was asked.
    pub url: String,
    /// HTTP status.
    pub status: u16,
    /// `error` of the body, or of `WWW-Authenticate` when the body has none.
    pub error: Option<String>,
    /// `error_description` of the body, when there is one.
    pub description: Option<String>,
    /// The `WWW-Authenticate` header.
    pub www_authenticate: Option<String>,
    /// The `DPoP-Nonce` header.
    pub dpop_nonce: Option<String>,
    /// The `Retry-After` header.
    pub retry_after: Option<String>,
    /// The body as far as it is text, at most 2,000 characters.
    pub body: String,
}

impl std::error::Error for Refusal {}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} refused: HTTP {}", self.step, self.status)?;
        if let Some(error) = &self.error {
            write!(f, ", {}", printable(error))?;
        }
        if let Some(description) = &self.description {
            write!(f, ": {}", printable(description))?;
        }
        write!(f, " (from {})", printable(&self.url))
    }
}
