//! Access tokens in the `Authorization` header (RFC 6750 §2.1, RFC 9449 §7.1).

use std::fmt;

/// Authorization scheme of an access token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// `DPoP` (RFC 9449 §7.1).
    Dpop,
    /// `Bearer` (RFC 6750 §2.1).
    Bearer,
}

impl Scheme {
    /// The scheme as it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Dpop => "DPoP",
            Self::Bearer => "Bearer",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        [Self::Dpop, Self::Bearer].into_iter().find(|scheme| name.eq_ignore_ascii_case(scheme.name()))
    }
}

/// A token in its scheme. The token is a secret and does not show in `Debug`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PresentedToken<'h> {
    /// How it is presented.
    pub scheme: Scheme,
    /// The token; nothing has looked at it yet, and it may be empty.
    pub text: &'h str,
}

impl fmt::Debug for PresentedToken<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PresentedToken").field("scheme", &self.scheme).finish_non_exhaustive()
    }
}

impl<'h> PresentedToken<'h> {
    /// Reads the value of an `Authorization` header; `None` when its scheme is another one, such as Basic: then it holds no
    /// access token at all (RFC 6750 §3.1).
    pub fn parse(header: &'h str) -> Option<Self> {
        let (scheme, text) = header.split_once(' ').unwrap_or((header, ""));
        Some(Self { scheme: Scheme::parse(scheme)?, text: text.trim_matches(' ') })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_in_both_schemes_whatever_their_case_by_cre_4() {
        for (value, scheme) in [("DPoP abc", Scheme::Dpop), ("dpop abc", Scheme::Dpop), ("Bearer  abc", Scheme::Bearer)]
        {
            assert_eq!(PresentedToken::parse(value), Some(PresentedToken { scheme, text: "abc" }), "{value}");
        }
        assert_eq!(PresentedToken::parse("Bearer"), Some(PresentedToken { scheme: Scheme::Bearer, text: "" }));
    }

    #[test]
    fn another_scheme_holds_no_access_token() {
        for value in ["", "Basic YTpi", "abc", "Bearer\tabc", " Bearer abc", "Bearerabc"] {
            assert_eq!(PresentedToken::parse(value), None, "{value}");
        }
    }

    #[test]
    fn a_token_does_not_show_in_debug() {
        let shown = format!("{:?}", PresentedToken::parse("Bearer secret"));
        assert!(!shown.contains("secret"), "{shown}");
    }
}
