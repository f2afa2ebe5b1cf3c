use std::fmt;

use thiserror::Error;
use url::{Host, Url};

use crate::excerpt;

/// Longest redirect URI, in bytes.
const LENGTH_LIMIT: usize = 2048;

/// Schemes that do something else than hand a URL to a program.
const FORBIDDEN_SCHEMES: [&str; 12] = [
    "about",
    "blob",
    "data",
    "file",
    "filesystem",
    "ftp",
    "intent",
    "javascript",
    "vbscript",
    "view-source",
    "ws",
    "wss",
];

/// Where an authorization response goes: an `https` URL, an `http` URL on a loopback host, or a URI with a scheme of an
/// app (RFC 6749 §3.1.2, RFC 8252 §7). Kept byte for byte.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RedirectUri(String);

/// Why a text is no redirect URI, or not one of the client's.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RedirectUriError {
    /// Longer than 2048 bytes.
    #[error("the redirect URI has {got} bytes, at most {LENGTH_LIMIT} are read")]
    TooLong {
        /// Bytes received.
        got: usize,
    },
    /// Not an absolute URI, or with characters that no URI has.
    #[error("`{got}` is not an absolute URI")]
    NotAUri {
        /// What came.
        got: String,
    },
    /// A fragment, user information, or no host.
    #[error("`{got}` has {part}")]
    Forbidden {
        /// What is wrong with it.
        part: &'static str,
        /// What came.
        got: String,
    },
    /// A scheme that is not for this.
    #[error("the scheme is `{got}`, expected `https`, one of an app, or `http` on a loopback host")]
    Scheme {
        /// The scheme.
        got: String,
    },
    /// Not registered for the client.
    #[error("`{got}` is not registered for the client")]
    NotRegistered {
        /// What came.
        got: String,
    },
}

impl RedirectUriError {
    /// What the wallet's developer should change.
    pub(crate) fn help(&self) -> &'static str {
        match self {
            Self::TooLong { .. } => "use a shorter redirect URI",
            Self::NotAUri { .. } | Self::Forbidden { .. } | Self::Scheme { .. } => {
                "use an `https` URL, or a scheme of your app, without fragment and user information"
            }
            Self::NotRegistered { .. } => {
                "send a redirect URI exactly as it is registered, query included; only the port of a loopback address may \
                 differ"
            }
        }
    }
}

impl RedirectUri {
    /// Reads a redirect URI; nothing is normalised.
    pub fn parse(text: &str) -> Result<Self, RedirectUriError> {
        use RedirectUriError as Error;

        if text.len() > LENGTH_LIMIT {
            return Err(Error::TooLong { got: text.len() });
        }
        let not_a_uri = || Error::NotAUri { got: excerpt(text) };
        let forbidden = |part| Error::Forbidden { part, got: excerpt(text) };
        // RFC 3986 §2, so that no two parsers disagree about what they see, and nothing ends a header line.
        if !text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&byte)) {
            return Err(not_a_uri());
        }
        let url = Url::parse(text).map_err(|_| not_a_uri())?;
        if text.contains('#') {
            return Err(forbidden("a fragment"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(forbidden("user information"));
        }
        let scheme = url.scheme();
        let web = matches!(scheme, "https" | "http");
        // The parser also takes `https:host` and `https:///host`.
        let after = text.get(scheme.len()..).and_then(|rest| rest.strip_prefix("://"));
        if web && after.is_none_or(|rest| rest.starts_with(['/', '?'])) {
            return Err(forbidden("no host"));
        }
        if FORBIDDEN_SCHEMES.contains(&scheme) || (scheme == "http" && !is_loopback(&url)) {
            return Err(Error::Scheme { got: excerpt(scheme) });
        }
        Ok(Self(text.to_owned()))
    }

    /// The URI, byte for byte as it came.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Checks that this is one of the registered URIs: byte for byte, query included (RFC 9700 §2.1). Only for the
    /// loopback addresses any port will do, because an app on a desktop cannot choose one (RFC 8252 §7.3).
    pub fn check_registered<R: AsRef<str>>(
        &self,
        registered: impl IntoIterator<Item = R>,
    ) -> Result<(), RedirectUriError> {
        let own = self.without_loopback_port();
        let known = |registered: &str| {
            registered == self.0
                || own.is_some() && Self::parse(registered).is_ok_and(|uri| uri.without_loopback_port() == own)
        };
        if registered.into_iter().any(|uri| known(uri.as_ref())) {
            return Ok(());
        }
        Err(RedirectUriError::NotRegistered { got: excerpt(&self.0) })
    }

    /// What is left of an `http` URI with a loopback address when its port is taken out; `None` for others.
    fn without_loopback_port(&self) -> Option<(&'static str, &str)> {
        ["http://127.0.0.1", "http://[::1]"].into_iter().find_map(|origin| {
            let rest = self.0.strip_prefix(origin)?;
            let rest = match rest.strip_prefix(':') {
                Some(port) => port.trim_start_matches(|digit: char| digit.is_ascii_digit()),
                None => rest,
            };
            (rest.is_empty() || rest.starts_with(['/', '?'])).then_some((origin, rest))
        })
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

impl fmt::Display for RedirectUri {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Debug for RedirectUri {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "RedirectUri({})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn registered(uri: &str, list: &[&str]) -> bool {
        RedirectUri::parse(uri).unwrap().check_registered(list).is_ok()
    }

    #[test]
    fn https_app_schemes_and_loopback_are_redirect_uris_by_aut_16() {
        for text in [
            "https://wallet.example/cb",
            "https://wallet.example",
            "https://wallet.example/cb?x=1&y=%20",
            "eu.example.wallet://authorize",
            "com.example.app:/oauth2redirect",
            "openid4vci://callback",
            "http://127.0.0.1:49152/cb",
            "http://[::1]/cb",
            "http://localhost:3000/cb",
        ] {
            assert_eq!(RedirectUri::parse(text).unwrap().as_str(), text);
        }
    }

    #[test]
    fn other_schemes_and_shapes_are_refused_by_aut_16() {
        for text in [
            "",
            "/cb",
            "wallet.example/cb",
            "http://wallet.example/cb",
            "http://127.0.0.1.example/cb",
            "http://10.0.0.1/cb",
            "javascript:alert(1)",
            "JavaScript:alert(1)",
            "data:text/html,x",
            "file:///etc/passwd",
            "https://wallet.example/cb#",
            "https://wallet.example/cb#f",
            "https://u@wallet.example/cb",
            "https://u:p@wallet.example/cb",
            "https://wallet.example\\@evil.example",
            "https:wallet.example",
            "https:///wallet.example",
            "https://",
            "https://wallet.example/a b",
            "https://wallet.example/\r\nSet-Cookie:x",
            "https://wället.example/cb",
        ] {
            assert!(RedirectUri::parse(text).is_err(), "{text}");
        }
        let long = format!("https://wallet.example/{}", "x".repeat(LENGTH_LIMIT));
        assert_eq!(RedirectUri::parse(&long), Err(RedirectUriError::TooLong { got: long.len() }));
    }

    #[test]
    fn a_uri_is_registered_byte_for_byte_with_its_query_by_aut_16() {
        let list = ["https://wallet.example/cb?tenant=a", "eu.example.wallet://authorize"];
        for uri in list {
            assert!(registered(uri, &list));
        }
        for uri in [
            "https://wallet.example/cb",
            "https://wallet.example/cb?tenant=b",
            "https://wallet.example/cb?tenant=a&x=1",
            "https://wallet.example/cb/?tenant=a",
            "https://WALLET.example/cb?tenant=a",
            "https://wallet.example:443/cb?tenant=a",
            "https://wallet.example/%63b?tenant=a",
            "https://wallet.example/x/../cb?tenant=a",
            "eu.example.wallet://authorize/",
        ] {
            assert!(!registered(uri, &list), "{uri}");
        }
        assert!(!registered("https://wallet.example/cb", &[]));
    }

    #[test]
    fn only_the_port_of_a_loopback_address_may_differ_by_aut_16() {
        let list = ["http://127.0.0.1/cb", "http://[::1]:8080/cb", "http://localhost:8080/cb", "https://127.0.0.1/x"];
        for uri in ["http://127.0.0.1:1234/cb", "http://127.0.0.1/cb", "http://[::1]/cb", "http://[::1]:9/cb"] {
            assert!(registered(uri, &list), "{uri}");
        }
        for uri in [
            "http://127.0.0.1:1234/other",
            "http://127.0.0.1:1234/cb?x",
            "http://127.0.0.2/cb",
            "http://localhost:8081/cb",
            "https://127.0.0.1:1/x",
        ] {
            assert!(!registered(uri, &list), "{uri}");
        }
    }

    proptest! {
        #[test]
        fn what_is_accepted_can_stand_in_a_header_and_has_no_fragment(text in "\\PC{0,60}") {
            for candidate in [text.clone(), format!("https://a.example/{text}"), format!("app:{text}")] {
                if let Ok(uri) = RedirectUri::parse(&candidate) {
                    prop_assert!(uri.as_str().bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#'));
                }
            }
        }
    }
}
