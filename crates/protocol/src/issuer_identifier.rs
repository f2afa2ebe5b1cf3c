use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use url::{Host, Url};

use crate::excerpt;

/// Longest identifier, in bytes.
const LENGTH_LIMIT: usize = 512;

/// A Credential Issuer Identifier, which is also the issuer identifier of the authorization server (OpenID4VCI
/// §12.2.1, RFC 8414 §2).
///
/// An `https` URL (or `http` on a loopback host, for trials) with a host, an optional port and an optional path, without
/// query, fragment, user information or trailing slash. It must already be in normal form, because everyone compares it
/// byte for byte (OpenID4VCI §12.2.4).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct IssuerIdentifier {
    text: String,
    /// Bytes up to the end of the authority: where a well-known path is inserted.
    origin_length: usize,
}

/// Why a text cannot be an issuer identifier.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum IssuerIdentifierError {
    /// Longer than 512 bytes.
    #[error("the issuer identifier has {got} bytes, at most {LENGTH_LIMIT} are allowed")]
    TooLong {
        /// Bytes received.
        got: usize,
    },
    /// Not an absolute URL with a host.
    #[error("`{got}` is not an absolute URL with a host")]
    NotAUrl {
        /// What came.
        got: String,
    },
    /// Neither `https`, nor `http` on a loopback host.
    #[error("the scheme is `{got}`, expected `https` (or `http` on a loopback host)")]
    Scheme {
        /// The scheme that came.
        got: String,
    },
    /// Has a query, a fragment or user information.
    #[error("an issuer identifier has no {part}")]
    Forbidden {
        /// The offending part.
        part: &'static str,
    },
    /// Ends with a slash.
    #[error("`{got}` ends with a slash")]
    TrailingSlash {
        /// What came.
        got: String,
    },
    /// Has another spelling in normal form.
    #[error("`{got}` is not in normal form, expected `{expected}`")]
    NotNormal {
        /// The normal form.
        expected: String,
        /// What came.
        got: String,
    },
}

impl IssuerIdentifier {
    /// Reads an identifier exactly as configured; nothing is normalised silently.
    pub fn parse(text: &str) -> Result<Self, IssuerIdentifierError> {
        use IssuerIdentifierError as Error;

        if text.len() > LENGTH_LIMIT {
            return Err(Error::TooLong { got: text.len() });
        }
        let not_a_url = || Error::NotAUrl { got: excerpt(text) };
        let url = Url::parse(text).map_err(|_| not_a_url())?;
        let host = url.host().ok_or_else(not_a_url)?;
        if url.scheme() != "https" && !(url.scheme() == "http" && is_loopback(&host)) {
            return Err(Error::Scheme { got: excerpt(url.scheme()) });
        }
        for (present, part) in [
            (url.query().is_some(), "query"),
            (url.fragment().is_some(), "fragment"),
            (!url.username().is_empty() || url.password().is_some(), "user information"),
            (url.path().contains("//"), "empty path segment"),
        ] {
            if present {
                return Err(Error::Forbidden { part });
            }
        }
        if text.ends_with('/') {
            return Err(Error::TrailingSlash { got: excerpt(text) });
        }
        let normal = url.as_str().trim_end_matches('/');
        if normal != text {
            return Err(Error::NotNormal { expected: excerpt(normal), got: excerpt(text) });
        }
        let path_length = url.path().trim_end_matches('/').len();
        Ok(Self { text: text.to_owned(), origin_length: text.len() - path_length })
    }

    /// The identifier, byte for byte as configured.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Scheme and authority: `https://issuer.example:8443`.
    pub fn origin(&self) -> &str {
        self.text.get(..self.origin_length).unwrap_or_default()
    }

    /// Host and, unless it is the default of the scheme, `:port`; what a `Host` header would hold.
    pub fn authority(&self) -> &str {
        self.origin().split_once("://").map_or("", |(_, authority)| authority)
    }

    /// The host without port, in lower case; an IPv6 address is in brackets.
    pub fn host(&self) -> &str {
        let authority = self.authority();
        if authority.ends_with(']') {
            return authority;
        }
        authority.rsplit_once(':').map_or(authority, |(host, _)| host)
    }

    /// The path, empty or with a leading slash and without a trailing one: `/t/acme`.
    pub fn path(&self) -> &str {
        self.text.get(self.origin_length..).unwrap_or_default()
    }

    /// The URL of a well-known document, inserted between host and path (OpenID4VCI §12.2.2, RFC 8414 §3).
    ///
    /// `name` is the registered suffix, such as `openid-credential-issuer`.
    pub fn well_known(&self, name: &str) -> String {
        format!("{}/.well-known/{name}{}", self.origin(), self.path())
    }

    /// The URL of a well-known document appended to the path, as OpenID Connect and OpenID4VCI drafts up to 15 have it.
    pub fn well_known_appended(&self, name: &str) -> String {
        format!("{}/.well-known/{name}", self.text)
    }

    /// The URL of an endpoint below the identifier. `suffix` may have a leading slash.
    pub fn endpoint(&self, suffix: &str) -> String {
        format!("{}/{}", self.text, suffix.trim_start_matches('/'))
    }
}

fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => *name == "localhost" || name.ends_with(".localhost"),
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}

impl fmt::Display for IssuerIdentifier {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl fmt::Debug for IssuerIdentifier {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "IssuerIdentifier({})", self.text)
    }
}

impl AsRef<str> for IssuerIdentifier {
    fn as_ref(&self) -> &str {
        &self.text
    }
}

impl From<IssuerIdentifier> for String {
    fn from(identifier: IssuerIdentifier) -> Self {
        identifier.text
    }
}

impl TryFrom<String> for IssuerIdentifier {
    type Error = IssuerIdentifierError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_takes_well_known_documents_in_front_of_it_as_met_2_says() {
        let issuer = IssuerIdentifier::parse("https://issuer.example/t/acme").unwrap();
        assert_eq!(
            issuer.well_known("openid-credential-issuer"),
            "https://issuer.example/.well-known/openid-credential-issuer/t/acme"
        );
        assert_eq!(
            issuer.well_known_appended("openid-credential-issuer"),
            "https://issuer.example/t/acme/.well-known/openid-credential-issuer"
        );
        assert_eq!(issuer.endpoint("token"), "https://issuer.example/t/acme/token");
        assert_eq!((issuer.host(), issuer.path()), ("issuer.example", "/t/acme"));
    }

    #[test]
    fn an_identifier_without_path_inserts_and_appends_alike() {
        let issuer = IssuerIdentifier::parse("https://issuer.example:8443").unwrap();
        assert_eq!(issuer.well_known("x"), "https://issuer.example:8443/.well-known/x");
        assert_eq!(issuer.well_known("x"), issuer.well_known_appended("x"));
        assert_eq!((issuer.authority(), issuer.host(), issuer.path()), ("issuer.example:8443", "issuer.example", ""));
        assert_eq!(issuer.endpoint("/nonce"), "https://issuer.example:8443/nonce");
    }

    #[test]
    fn http_is_for_loopback_hosts_only() {
        for text in ["http://localhost:8080/o/demo", "http://127.0.0.1:1", "http://[::1]:8080/a", "http://a.localhost"]
        {
            assert_eq!(IssuerIdentifier::parse(text).unwrap().as_str(), text);
        }
        assert_eq!(IssuerIdentifier::parse("http://[::1]:8080/a").unwrap().host(), "[::1]");
        for text in ["http://issuer.example", "http://127.0.0.1.example", "http://10.0.0.1", "ftp://localhost"] {
            assert!(matches!(IssuerIdentifier::parse(text), Err(IssuerIdentifierError::Scheme { .. })), "{text}");
        }
    }

    #[test]
    fn query_fragment_user_slash_and_odd_spellings_are_refused_by_met_1() {
        for text in [
            "https://issuer.example/?a",
            "https://issuer.example/#f",
            "https://u@issuer.example/t",
            "https://issuer.example/",
            "https://issuer.example/t/",
            "https://issuer.example//t",
            "https://Issuer.example/t",
            "HTTPS://issuer.example/t",
            "https://issuer.example:443/t",
            "https://issuer.example/a/../t",
            "https://issuer.example/a b",
            " https://issuer.example",
            "https:issuer.example",
            "https://",
            "issuer.example",
            "did:web:issuer.example",
            "",
        ] {
            assert!(IssuerIdentifier::parse(text).is_err(), "{text}");
        }
        assert!(IssuerIdentifier::parse(&format!("https://a.example/{}", "x".repeat(512))).is_err());
    }

    #[test]
    fn the_path_keeps_its_case_as_met_1_says() {
        assert_eq!(IssuerIdentifier::parse("https://issuer.example/T/Acme").unwrap().path(), "/T/Acme");
    }

    #[test]
    fn serde_reads_what_it_wrote_and_refuses_the_rest() {
        let issuer = IssuerIdentifier::parse("https://api.example/igrantio/issuer-backend").unwrap();
        let json = serde_json::to_string(&issuer).unwrap();
        assert_eq!(serde_json::from_str::<IssuerIdentifier>(&json).unwrap(), issuer);
        assert!(serde_json::from_str::<IssuerIdentifier>("\"http://a.example\"").is_err());
    }
}
