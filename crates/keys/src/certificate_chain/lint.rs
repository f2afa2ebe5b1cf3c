use thiserror::Error;

use super::certificate::{Certificate, Instant};
use super::{CertificateChain, ChainError};

/// Something about a chain that makes verifiers refuse it. `position` counts from 1, the leaf.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ChainFinding {
    /// The leaf vouches for itself.
    #[error("the leaf certificate {subject:?} is self-signed; HAIP 1.0 §6.1.1 wants one that an authority issued")]
    SelfSignedLeaf {
        /// Its subject.
        subject: String,
    },
    /// The leaf may issue certificates, which path validation refuses in that place.
    #[error("the first certificate {subject:?} is that of a certificate authority; the leaf must come first")]
    AuthorityLeaf {
        /// Its subject.
        subject: String,
    },
    /// A certificate is not followed by that of its issuer (RFC 7515 §4.1.6).
    #[error(
        "certificate {position} was issued by {expected:?}, but the next one is for {got:?}; each must be followed by its issuer's"
    )]
    Order {
        /// The earlier of the two.
        position: usize,
        /// Its issuer.
        expected: String,
        /// The subject of the next.
        got: String,
    },
    /// A certificate is followed by one of the right name whose key did not sign it.
    #[error("certificate {position} {subject:?} was not signed with the key of certificate {}", .position + 1)]
    Signature {
        /// The earlier of the two.
        position: usize,
        /// Its subject.
        subject: String,
    },
    /// A certificate after the leaf is self-signed: a trust anchor, which verifiers have already.
    #[error("certificate {position} {subject:?} is a trust anchor; HAIP 1.0 §6.1.1 wants it left out")]
    AnchorInside {
        /// Which.
        position: usize,
        /// Its subject.
        subject: String,
    },
    /// A certificate has expired.
    #[error("certificate {position} {subject:?} expired on {}", Instant(*.not_after))]
    Expired {
        /// Which.
        position: usize,
        /// Its subject.
        subject: String,
        /// Last second of its validity (Unix time).
        not_after: i64,
    },
    /// A certificate is not valid yet.
    #[error("certificate {position} {subject:?} is not valid before {}", Instant(*.not_before))]
    NotYetValid {
        /// Which.
        position: usize,
        /// Its subject.
        subject: String,
        /// First second of its validity (Unix time).
        not_before: i64,
    },
    /// The leaf is for a key that cannot sign here.
    #[error("{0}")]
    LeafKey(ChainError),
}

impl CertificateChain {
    /// What a verifier would dislike at `now`, in the order of the certificates. An empty chain has no findings, and no
    /// findings do not make a chain trusted.
    #[must_use]
    pub fn lint(&self, now_unix_seconds: i64) -> Vec<ChainFinding> {
        let mut findings = Vec::new();
        if let Some(leaf) = self.certificates.first() {
            lint_leaf(leaf, self, &mut findings);
        }
        for (index, certificate) in self.certificates.iter().enumerate() {
            let position = index + 1;
            let subject = || certificate.subject_text.clone();
            if index > 0 && certificate.is_self_issued() {
                findings.push(ChainFinding::AnchorInside { position, subject: subject() });
            }
            findings.extend(lapse(certificate, position, now_unix_seconds));
            if let Some(next) = self.certificates.get(index + 1) {
                if !certificate.names_as_issuer(next) {
                    let (expected, got) = (certificate.issuer_text.clone(), next.subject_text.clone());
                    findings.push(ChainFinding::Order { position, expected, got });
                } else if !certificate.is_signed_by(next) {
                    findings.push(ChainFinding::Signature { position, subject: subject() });
                }
            }
        }
        findings
    }

    /// The first certificate that is not valid at `now`: what of [`CertificateChain::lint`] the clock changes.
    #[must_use]
    pub fn lapse(&self, now_unix_seconds: i64) -> Option<ChainFinding> {
        let mut positions = self.certificates.iter().zip(1..);
        positions.find_map(|(certificate, position)| lapse(certificate, position, now_unix_seconds))
    }
}

impl ChainFinding {
    /// Whether the clock decides: such a finding comes or goes without another chain.
    #[must_use]
    pub fn is_of_time(&self) -> bool {
        match self {
            Self::Expired { .. } | Self::NotYetValid { .. } => true,
            Self::SelfSignedLeaf { .. }
            | Self::AuthorityLeaf { .. }
            | Self::Order { .. }
            | Self::Signature { .. }
            | Self::AnchorInside { .. }
            | Self::LeafKey(_) => false,
        }
    }
}

fn lapse(certificate: &Certificate, position: usize, now: i64) -> Option<ChainFinding> {
    let subject = || certificate.subject_text.clone();
    let Certificate { not_before, not_after, .. } = *certificate;
    if now > not_after {
        return Some(ChainFinding::Expired { position, subject: subject(), not_after });
    }
    (now < not_before).then(|| ChainFinding::NotYetValid { position, subject: subject(), not_before })
}

fn lint_leaf(leaf: &Certificate, chain: &CertificateChain, findings: &mut Vec<ChainFinding>) {
    let subject = || leaf.subject_text.clone();
    if leaf.is_self_issued() {
        findings.push(ChainFinding::SelfSignedLeaf { subject: subject() });
    } else if leaf.is_authority {
        findings.push(ChainFinding::AuthorityLeaf { subject: subject() });
    }
    if let Err(error) = chain.leaf_public_jwk() {
        findings.push(ChainFinding::LeafKey(error));
    }
}
