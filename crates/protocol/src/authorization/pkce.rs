use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chancery_keys::sha256;
use subtle::ConstantTimeEq as _;
use thiserror::Error;

use super::is_hash;
use crate::{Explanation, excerpt};

/// The only method.
const METHOD: &str = "S256";

/// A code challenge of method `S256` (RFC 7636): 43 characters of base64url.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodeChallenge(String);

/// Why a code challenge or a code verifier is refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PkceError {
    /// A method came without a challenge.
    #[error("`code_challenge_method` is there, but `code_challenge` is missing")]
    ChallengeMissing,
    /// Another method than `S256`. Absent means `plain`, which protects nobody.
    #[error("`code_challenge_method` is `{got}`, expected `{METHOD}`")]
    Method {
        /// What came; `plain` when absent.
        got: String,
    },
    /// The challenge is no SHA-256.
    #[error("`code_challenge` is `{got}`, expected 43 characters of base64url")]
    Challenge {
        /// What came.
        got: String,
    },
    /// The verifier is absent, too short, too long, or has other characters.
    #[error("`code_verifier` is {got}, expected 43 to 128 characters of `A-Z a-z 0-9 - . _ ~`")]
    Verifier {
        /// What came, without quoting it.
        got: &'static str,
    },
    /// The verifier does not fit the challenge.
    #[error("`code_verifier` does not hash to the `code_challenge` of the authorization request")]
    Mismatch,
}

impl PkceError {
    /// What the wallet's developer should change.
    pub(crate) fn help(&self) -> &'static str {
        match self {
            Self::ChallengeMissing | Self::Method { .. } | Self::Challenge { .. } => {
                "send `code_challenge`, base64url without padding of the SHA-256 of the ASCII code verifier, and \
                 `code_challenge_method=S256`"
            }
            Self::Verifier { .. } => "send the random `code_verifier` that the challenge was computed from",
            Self::Mismatch => {
                "send the `code_verifier` of this authorization request; hash its ASCII text, not decoded bytes"
            }
        }
    }

    /// The same for the wallet's developer.
    pub fn explain(&self) -> Explanation {
        Explanation::new(self, self.help(), "RFC 7636 §4")
    }

    /// The code at the token endpoint: `invalid_grant` for a verifier that does not fit (RFC 7636 §4.6).
    pub fn token_code(&self) -> &'static str {
        match self {
            Self::Mismatch => "invalid_grant",
            Self::ChallengeMissing | Self::Method { .. } | Self::Challenge { .. } | Self::Verifier { .. } => {
                "invalid_request"
            }
        }
    }
}

impl CodeChallenge {
    /// Reads both parameters; `None` when both are absent.
    pub fn parse(challenge: Option<&str>, method: Option<&str>) -> Result<Option<Self>, PkceError> {
        match (challenge, method) {
            (None, None) => Ok(None),
            (None, Some(_)) => Err(PkceError::ChallengeMissing),
            (Some(challenge), Some(METHOD)) => match is_hash(challenge) {
                true => Ok(Some(Self(challenge.to_owned()))),
                false => Err(PkceError::Challenge { got: excerpt(challenge) }),
            },
            (Some(_), method) => Err(PkceError::Method { got: excerpt(method.unwrap_or("plain")) }),
        }
    }

    /// A challenge that was kept: what [`fmt::Display`] writes.
    pub fn from_stored(challenge: &str) -> Result<Self, PkceError> {
        Self::parse(Some(challenge), Some(METHOD))?.ok_or(PkceError::ChallengeMissing)
    }

    /// Checks the verifier that came to the token endpoint (RFC 7636 §4.6).
    pub fn verify(&self, verifier: Option<&str>) -> Result<(), PkceError> {
        let verifier = verifier.ok_or(PkceError::Verifier { got: "missing" })?;
        if !(43..=128).contains(&verifier.len()) {
            return Err(PkceError::Verifier { got: "of another length" });
        }
        let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
        if !verifier.bytes().all(unreserved) {
            return Err(PkceError::Verifier { got: "of other characters" });
        }
        let hash = URL_SAFE_NO_PAD.encode(sha256(verifier.as_bytes()));
        if bool::from(hash.as_bytes().ct_eq(self.0.as_bytes())) { Ok(()) } else { Err(PkceError::Mismatch) }
    }
}

impl fmt::Display for CodeChallenge {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// RFC 7636 Appendix B.
    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    fn challenge() -> CodeChallenge {
        CodeChallenge::from_stored(CHALLENGE).unwrap()
    }

    #[test]
    fn the_example_of_rfc_7636_appendix_b_verifies() {
        assert_eq!(challenge().verify(Some(VERIFIER)), Ok(()));
        assert_eq!(challenge().to_string(), CHALLENGE);
    }

    #[test]
    fn plain_and_absent_methods_are_refused_by_aut_12() {
        for (method, got) in [(Some("plain"), "plain"), (None, "plain"), (Some("s256"), "s256")] {
            let error = CodeChallenge::parse(Some(CHALLENGE), method);
            assert_eq!(error, Err(PkceError::Method { got: got.to_owned() }));
        }
        assert_eq!(CodeChallenge::parse(None, None), Ok(None));
        assert_eq!(CodeChallenge::parse(None, Some("S256")), Err(PkceError::ChallengeMissing));
        for text in ["short", &format!("{CHALLENGE}="), &CHALLENGE.replace('-', "+")] {
            assert_eq!(CodeChallenge::from_stored(text), Err(PkceError::Challenge { got: text.to_owned() }));
        }
    }

    #[test]
    fn another_verifier_is_an_invalid_grant_by_aut_12() {
        let other = VERIFIER.replace('d', "e");
        let error = challenge().verify(Some(&other)).unwrap_err();
        assert_eq!((&error, error.token_code()), (&PkceError::Mismatch, "invalid_grant"));
        for verifier in [None, Some("short"), Some(CHALLENGE.repeat(3).as_str()), Some(&VERIFIER.replace('-', "+"))] {
            let error = challenge().verify(verifier).unwrap_err();
            assert!(matches!(error, PkceError::Verifier { .. }) && error.token_code() == "invalid_request");
        }
    }

    proptest! {
        #[test]
        fn a_verifier_fits_its_own_challenge_only(verifier in "[A-Za-z0-9._~-]{43,128}") {
            let own = CodeChallenge::from_stored(&URL_SAFE_NO_PAD.encode(sha256(verifier.as_bytes()))).unwrap();
            prop_assert_eq!(own.verify(Some(&verifier)), Ok(()));
            prop_assert_eq!(challenge().verify(Some(&verifier)), Err(PkceError::Mismatch));
        }
    }
}
