//! Why nothing can be signed.

use chancery_keys::ChainFinding;
use chancery_protocol::Explanation;
use thiserror::Error;

/// Why no credential of a definition can be signed. The text is for the organisation: what is wrong, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SigningObstacle {
    /// The organisation has no active key, or the one that the definition names is not active.
    #[error("the definition's signing key is not active; create or activate one")]
    NoKey,
    /// HAIP wants certificates, and the key has none.
    #[error(
        "signing key {kid} has no certificate chain, which the profile haip wants (HAIP 1.0 §6.1.1); have an authority \
         certify its signing request, and upload the chain, leaf first and without the trust anchor"
    )]
    Uncertified {
        /// The key.
        kid: String,
    },
    /// Verifiers would refuse the certificates of the key.
    #[error("certificate chain of signing key {kid}: {finding}; {}", remedy(.finding))]
    Chain {
        /// The key.
        kid: String,
        /// What is wrong.
        finding: ChainFinding,
    },
}

fn remedy(finding: &ChainFinding) -> &'static str {
    match finding {
        ChainFinding::SelfSignedLeaf { .. } => {
            "have an authority certify the key's signing request, and upload that chain"
        }
        ChainFinding::AnchorInside { .. } => "upload the chain without it",
        ChainFinding::AuthorityLeaf { .. }
        | ChainFinding::Order { .. }
        | ChainFinding::Signature { .. }
        | ChainFinding::LeafKey(_) => "upload the key's own certificate first, then each one's issuer",
        ChainFinding::Expired { .. } => "upload a renewed chain",
        ChainFinding::NotYetValid { .. } => "wait for that, or upload another chain",
    }
}

impl SigningObstacle {
    /// Our name for the cause, in transcripts.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::NoKey => "no_signing_key",
            Self::Uncertified { .. } => "signing_key_uncertified",
            Self::Chain { finding: ChainFinding::Expired { .. }, .. } => "signing_certificate_expired",
            Self::Chain { .. } => "signing_certificate_unfit",
        }
    }

    /// For transcripts.
    pub(crate) fn explain(&self) -> Explanation {
        Explanation {
            reason: self.to_string(),
            help: "nothing is used up: ask again when the organisation has seen to its key and certificates".into(),
            spec_ref: self.spec_ref(),
        }
    }

    /// The clause that decides.
    fn spec_ref(&self) -> &'static str {
        match self {
            Self::NoKey => "OpenID4VCI 1.0 §8.3.1",
            Self::Chain { finding: ChainFinding::Expired { .. } | ChainFinding::NotYetValid { .. }, .. } => {
                "RFC 5280 §4.1.2.5"
            }
            Self::Uncertified { .. } | Self::Chain { .. } => "HAIP 1.0 §6.1.1",
        }
    }
}
