//! Comparison of `htu` with the URL of a request (RFC 9449 §4.3 check 9).

use url::Url;

/// Longest `htu`, in bytes.
const LENGTH_LIMIT: usize = 2048;

/// Whether two URLs are the same target after the normalisation of RFC 3986 §6.2.2 and §6.2.3: case of scheme and
/// host, default port, dot segments, percent-encoding. Query and fragment are ignored.
pub(super) fn same(given: &str, configured: &str) -> bool {
    // Most wallets write it as they were told it. What was configured is in order.
    given == configured || matches!((normal(given), normal(configured)), (Some(left), Some(right)) if left == right)
}

/// Scheme, authority and path in normal form; `None` for what is not a plain http(s) URL.
fn normal(text: &str) -> Option<String> {
    // The parser follows the WHATWG, which forgives backslashes, blanks and missing slashes; a proof has no need for that.
    let plain = text.len() <= LENGTH_LIMIT && text.bytes().all(is_uri_byte);
    let (scheme, _) = text.split_once("://").filter(|_| plain)?;
    if !["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
        return None;
    }
    let url = Url::parse(text).ok()?;
    if !url.username().is_empty() || url.password().is_some() {
        return None;
    }
    let port = url.port_or_known_default()?;
    Some(format!("{}://{}:{port}{}", url.scheme(), url.host_str()?, normal_escapes(url.path())?))
}

/// Whether a byte may occur in a URI (RFC 3986 §2).
fn is_uri_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&byte)
}

/// Writes escapes of unreserved characters as the characters and all others in upper case (RFC 3986 §6.2.2.1, §6.2.2.2).
fn normal_escapes(path: &str) -> Option<String> {
    let mut parts = path.split('%');
    let mut out = parts.next()?.to_owned();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2)?;
        let byte = u8::from_str_radix(digits, 16).ok().filter(|_| !digits.starts_with('+'))?;
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push_str(&digits.to_ascii_uppercase());
        }
        out.push_str(rest);
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIGURED: &str = "https://issuer.example/t/acme/token";

    #[test]
    fn equivalent_spellings_are_the_same_target_by_dpp_1() {
        for given in [
            "https://issuer.example/t/acme/token",
            "https://issuer.example:443/t/acme/token",
            "HTTPS://Issuer.EXAMPLE/t/acme/token",
            "https://issuer.example/t/%61cme/token",
            "https://issuer.example/x/../t/acme/./token",
            "https://issuer.example/t/acme/token?x=1",
            "https://issuer.example/t/acme/token#f",
        ] {
            assert!(same(given, CONFIGURED), "{given}");
        }
        assert!(same("https://issuer.example/a%c3%a9", "https://issuer.example/a%C3%A9"));
        assert!(same("https://issuer.example", "https://issuer.example/"));
    }

    #[test]
    fn other_targets_and_sloppy_urls_are_not_the_same() {
        for given in [
            "http://issuer.example/t/acme/token",
            "https://issuer.example:8443/t/acme/token",
            "https://issuer.example/t/acme/token/",
            "https://issuer.example/t/ACME/token",
            "https://issuer.example/t/acme/credential",
            "https://issuer.example/t%2Facme/token",
            "https://evil.example/t/acme/token",
            "https://user@issuer.example/t/acme/token",
            "https:issuer.example/t/acme/token",
            "https:\\\\issuer.example/t/acme/token",
            "https://issuer.example/t/acme/token ",
            "https://issuer.example/t/ac\nme/token",
            "https://issuer.example/t/acme/%zz",
            "/t/acme/token",
            "",
        ] {
            assert!(!same(given, CONFIGURED), "{given}");
        }
    }
}
