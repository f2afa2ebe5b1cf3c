use std::fmt;

use serde::{Deserialize, Serialize};

/// A signature algorithm, by its JOSE name (RFC 7518 §3.1, RFC 8037 §3.1). Each goes with exactly one curve.
///
/// There is no `none` and no symmetric algorithm: what cannot be named cannot be accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Algorithm {
    /// ECDSA on P-256 with SHA-256.
    #[serde(rename = "ES256")]
    Es256,
    /// ECDSA on P-384 with SHA-384.
    #[serde(rename = "ES384")]
    Es384,
    /// EdDSA on Ed25519.
    #[serde(rename = "EdDSA")]
    EdDsa,
}

impl Algorithm {
    /// Every algorithm, in the order in which metadata lists them.
    pub const ALL: [Self; 3] = [Self::Es256, Self::Es384, Self::EdDsa];

    /// The JOSE name: `ES256`, `ES384` or `EdDSA`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::EdDsa => "EdDSA",
        }
    }

    /// The algorithm with this JOSE name. Names are case-sensitive (RFC 7515 §4.1.1).
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == name)
    }

    /// The curve of its keys: the `crv` member of a JWK.
    #[must_use]
    pub const fn curve(self) -> &'static str {
        match self {
            Self::Es256 => "P-256",
            Self::Es384 => "P-384",
            Self::EdDsa => "Ed25519",
        }
    }

    /// The key type of its keys: the `kty` member of a JWK.
    #[must_use]
    pub const fn key_type(self) -> &'static str {
        match self {
            Self::Es256 | Self::Es384 => "EC",
            Self::EdDsa => "OKP",
        }
    }

    /// Bytes of one coordinate of a public key.
    pub(crate) const fn coordinate_len(self) -> usize {
        match self {
            Self::Es256 | Self::EdDsa => 32,
            Self::Es384 => 48,
        }
    }

    /// Bytes of a signature: `r || s`, or `R || S`.
    pub(crate) const fn signature_len(self) -> usize {
        2 * self.coordinate_len()
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_parses_to_the_algorithm_it_names() {
        for algorithm in Algorithm::ALL {
            assert_eq!(Algorithm::parse(algorithm.name()), Some(algorithm));
        }
    }

    #[test]
    fn names_of_no_signature_are_unknown() {
        for name in ["none", "NONE", "HS256", "RS256", "es256", "ES256 ", "ES256K", ""] {
            assert_eq!(Algorithm::parse(name), None, "{name}");
        }
    }
}
