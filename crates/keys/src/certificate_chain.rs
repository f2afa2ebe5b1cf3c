use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls_pki_types::pem::{PemObject as _, SectionKind};
use rustls_pki_types::{CertificateDer, UnixTime};
use serde_json::Value;
use thiserror::Error;
use webpki::{EndEntityCert, ExtendedKeyUsageValidator, KeyPurposeIdIter};

use crate::PublicJwk;

mod certificate;
mod lint;

use certificate::{Certificate, Instant};
pub use lint::ChainFinding;

/// Certificates a chain may have.
const MAX_CERTIFICATES: usize = 10;
/// Bytes of one certificate (DER).
const MAX_CERTIFICATE_BYTES: usize = 16 * 1024;
/// What somebody may paste along with the certificates.
const PRIVATE_KEYS: [SectionKind; 3] = [SectionKind::PrivateKey, SectionKind::EcPrivateKey, SectionKind::RsaPrivateKey];

/// X.509 certificates, leaf first, as in `x5c` (RFC 7515 §4.1.6). Parsed, and not trusted before
/// [`CertificateChain::verify`]. May be empty: a key without certificates. Cloning shares it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct CertificateChain {
    certificates: Arc<[Certificate]>,
}

/// Why certificates cannot be read or trusted. `position` counts from 1, the leaf. Names are cut to 128 characters.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ChainError {
    /// There is no certificate where one is needed.
    #[error("there is no certificate")]
    Empty,
    /// More certificates than any real chain has.
    #[error("{got} certificates, at most {MAX_CERTIFICATES} are read")]
    TooMany {
        /// Certificates found.
        got: usize,
    },
    /// A certificate with more bytes than any real one has.
    #[error("certificate {position} has more than {MAX_CERTIFICATE_BYTES} bytes")]
    TooLong {
        /// Which.
        position: usize,
    },
    /// The text is not PEM (RFC 7468).
    #[error("the text is not PEM")]
    NotPem,
    /// The PEM text holds a private key. It is not kept.
    #[error("the PEM text holds a private key; give certificates only")]
    PrivateKey,
    /// The PEM text holds something that is neither a certificate nor a private key.
    #[error("PEM section {position} is not a certificate")]
    NotACertificateSection {
        /// Which section, from 1.
        position: usize,
    },
    /// A member of `x5c` is not a string of base64 with padding (RFC 7515 §4.1.6; not base64url).
    #[error("member {position} of x5c is not base64")]
    NotBase64 {
        /// Which.
        position: usize,
    },
    /// The bytes are not one X.509 certificate (RFC 5280 §4.1; DER).
    #[error("certificate {position} is not an X.509 certificate in DER")]
    NotDer {
        /// Which.
        position: usize,
    },
    /// The key of the leaf is not on P-256, P-384 or Ed25519.
    #[error("the key of the leaf certificate is not on P-256, P-384 or Ed25519")]
    LeafKey,
    /// A trust anchor cannot be read.
    #[error("trust anchor {position} cannot be read")]
    Anchor {
        /// Which, from 1.
        position: usize,
    },
    /// No way leads from the leaf to a trust anchor.
    #[error("no trust anchor is reached; the last certificate was issued by {issuer:?}")]
    UnknownIssuer {
        /// Issuer of the last certificate.
        issuer: String,
    },
    /// A certificate on the way has expired.
    #[error("a certificate expired on {}", Instant(*.not_after))]
    Expired {
        /// Last second of its validity (Unix time).
        not_after: i64,
    },
    /// A certificate on the way is not valid yet.
    #[error("a certificate is not valid before {}", Instant(*.not_before))]
    NotYetValid {
        /// First second of its validity (Unix time).
        not_before: i64,
    },
    /// The leaf is the certificate of an authority, which includes most self-signed certificates.
    #[error("the leaf certificate is that of a certificate authority")]
    AuthorityLeaf,
    /// Another rule of RFC 5280 §6 is broken.
    #[error("the chain is not valid: {reason}")]
    Path {
        /// As the path validation names it.
        reason: String,
    },
}

impl CertificateChain {
    /// Reads PEM text (RFC 7468), leaf first. Blank text is an empty chain.
    pub fn from_pem(pem: &str) -> Result<Self, ChainError> {
        let mut certificates = Vec::new();
        for (index, section) in <(SectionKind, Vec<u8>)>::pem_slice_iter(pem.as_bytes()).enumerate() {
            let (kind, der) = section.map_err(|_| ChainError::NotPem)?;
            if kind == SectionKind::Certificate {
                certificates.push(der);
            } else if PRIVATE_KEYS.contains(&kind) {
                return Err(ChainError::PrivateKey);
            } else {
                return Err(ChainError::NotACertificateSection { position: index + 1 });
            }
        }
        if certificates.is_empty() && !pem.trim().is_empty() {
            return Err(ChainError::NotPem);
        }
        Self::from_der(certificates)
    }

    /// Reads DER certificates, leaf first.
    pub fn from_der(certificates: Vec<Vec<u8>>) -> Result<Self, ChainError> {
        if certificates.len() > MAX_CERTIFICATES {
            return Err(ChainError::TooMany { got: certificates.len() });
        }
        let parse = |(index, der): (usize, Vec<u8>)| {
            let position = index + 1;
            if der.len() > MAX_CERTIFICATE_BYTES {
                return Err(ChainError::TooLong { position });
            }
            Certificate::parse(der).ok_or(ChainError::NotDer { position })
        };
        let certificates = certificates.into_iter().enumerate().map(parse).collect::<Result<_, _>>()?;
        Ok(Self { certificates })
    }

    /// Reads the `x5c` header parameter, which has at least one member (RFC 7515 §4.1.6).
    pub fn from_x5c(x5c: &[Value]) -> Result<Self, ChainError> {
        if x5c.is_empty() {
            return Err(ChainError::Empty);
        }
        if x5c.len() > MAX_CERTIFICATES {
            return Err(ChainError::TooMany { got: x5c.len() });
        }
        let decode = |(index, member): (usize, &Value)| {
            let position = index + 1;
            let text = member.as_str().ok_or(ChainError::NotBase64 { position })?;
            if text.len() > MAX_CERTIFICATE_BYTES.div_ceil(3) * 4 {
                return Err(ChainError::TooLong { position });
            }
            STANDARD.decode(text).map_err(|_| ChainError::NotBase64 { position })
        };
        Self::from_der(x5c.iter().enumerate().map(decode).collect::<Result<_, _>>()?)
    }

    /// Whether there is no certificate.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.certificates.is_empty()
    }

    /// How many certificates there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.certificates.len()
    }

    /// The certificates in DER, leaf first.
    pub fn der(&self) -> impl Iterator<Item = &[u8]> {
        self.certificates.iter().map(|certificate| certificate.der.as_slice())
    }

    /// The members of `x5c`: base64 with padding, leaf first.
    #[must_use]
    pub fn to_x5c(&self) -> Vec<String> {
        self.der().map(|der| STANDARD.encode(der)).collect()
    }

    /// The key that the leaf certifies.
    pub fn leaf_public_jwk(&self) -> Result<PublicJwk, ChainError> {
        self.leaf().ok_or(ChainError::Empty)?.public_jwk().ok_or(ChainError::LeafKey)
    }

    /// The last second of the leaf's validity (Unix time); `None` when the chain is empty.
    #[must_use]
    pub fn leaf_not_after(&self) -> Option<i64> {
        self.leaf().map(|leaf| leaf.not_after)
    }

    /// The last second at which all certificates are valid (Unix time); `None` when the chain is empty.
    #[must_use]
    pub fn not_after(&self) -> Option<i64> {
        self.certificates.iter().map(|certificate| certificate.not_after).min()
    }

    /// The subject of the leaf as text, for people; `None` when the chain is empty.
    #[must_use]
    pub fn leaf_subject(&self) -> Option<&str> {
        self.leaf().map(|leaf| leaf.subject_text.as_str())
    }

    /// DNS names among the leaf's alternative names, as they are written there.
    #[must_use]
    pub fn leaf_dns_names(&self) -> Vec<String> {
        self.leaf().map(|leaf| leaf.alternative_names().0).unwrap_or_default()
    }

    /// URIs among the leaf's alternative names, as they are written there.
    #[must_use]
    pub fn leaf_uris(&self) -> Vec<String> {
        self.leaf().map(|leaf| leaf.alternative_names().1).unwrap_or_default()
    }

    /// Whether the leaf names itself as its issuer. Such a certificate vouches for nothing (HAIP 1.0 §4.5.1).
    #[must_use]
    pub fn is_leaf_self_signed(&self) -> bool {
        self.leaf().is_some_and(Certificate::is_self_issued)
    }

    /// Checks that the chain leads from its leaf to one of `anchors` (DER certificates) at `now` (RFC 5280 §6).
    ///
    /// Order does not matter here, nor whether the anchor is inside. Any extended key usage is accepted. A self-signed
    /// leaf is accepted when it is itself an anchor; where that is not wanted, ask
    /// [`CertificateChain::is_leaf_self_signed`] too. Revocation is not asked for.
    pub fn verify(&self, anchors: &[Vec<u8>], now_unix_seconds: i64) -> Result<(), ChainError> {
        let mut certificates = self.der().map(CertificateDer::from);
        let leaf = certificates.next().ok_or(ChainError::Empty)?;
        let others: Vec<_> = certificates.collect();
        let leaf = EndEntityCert::try_from(&leaf).map_err(|error| ChainError::Path { reason: error.to_string() })?;
        let anchor_certificates: Vec<_> = anchors.iter().map(|der| CertificateDer::from(der.as_slice())).collect();
        let anchors = anchor_certificates
            .iter()
            .enumerate()
            .map(|(index, der)| {
                webpki::anchor_from_trusted_cert(der).map_err(|_| ChainError::Anchor { position: index + 1 })
            })
            .collect::<Result<Vec<_>, _>>()?;
        let now = UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(now_unix_seconds).unwrap_or(0)));
        leaf.verify_for_usage(webpki::ALL_VERIFICATION_ALGS, &anchors, &others, now, AnyUsage, None, None)
            .map(drop)
            .map_err(|error| self.explain(&error))
    }

    fn leaf(&self) -> Option<&Certificate> {
        self.certificates.first()
    }

    fn explain(&self, error: &webpki::Error) -> ChainError {
        if let webpki::Error::CertExpired { not_after, .. } = error {
            return ChainError::Expired { not_after: seconds(*not_after) };
        }
        if let webpki::Error::CertNotValidYet { not_before, .. } = error {
            return ChainError::NotYetValid { not_before: seconds(*not_before) };
        }
        if *error == webpki::Error::UnknownIssuer {
            let issuer = self.certificates.last().map(|last| last.issuer_text.clone()).unwrap_or_default();
            return ChainError::UnknownIssuer { issuer };
        }
        if *error == webpki::Error::CaUsedAsEndEntity {
            return ChainError::AuthorityLeaf;
        }
        ChainError::Path { reason: error.to_string() }
    }
}

impl fmt::Debug for CertificateChain {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(self.certificates.iter().map(|certificate| &certificate.subject_text)).finish()
    }
}

/// Credential signers and wallets have key purposes of their own, or none.
struct AnyUsage;

impl ExtendedKeyUsageValidator for AnyUsage {
    fn validate(&self, mut purposes: KeyPurposeIdIter<'_, '_>) -> Result<(), webpki::Error> {
        purposes.try_for_each(|purpose| purpose.map(drop))
    }
}

fn seconds(time: UnixTime) -> i64 {
    i64::try_from(time.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
