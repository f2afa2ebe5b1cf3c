//! Cookies as browsers send them (RFC 6265 §5.4).

/// The pairs of a `Cookie` header, by name and value, in the order in which they came. A pair that is not text is left out:
/// it is another application's at this host, and costs nobody the sign-in.
pub(crate) fn pairs(header: &[u8]) -> impl Iterator<Item = (&str, &str)> {
    let pairs = header.split(|byte| *byte == b';').filter_map(|pair| std::str::from_utf8(pair).ok());
    pairs.filter_map(|pair| pair.trim().split_once('='))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_has_many_cookies() {
        let read: Vec<_> = pairs(b"a=1; __Host-b=c=d;e=;nothing; ;=f").collect();
        assert_eq!(read, [("a", "1"), ("__Host-b", "c=d"), ("e", ""), ("", "f")]);
        assert_eq!(pairs(b"").count(), 0);
    }

    #[test]
    fn a_cookie_of_another_application_hides_none_of_ours() {
        let read: Vec<_> = pairs(b"theirs=\xff; city=Z\xc3\xbcrich; sign-in-1=secret").collect();
        assert_eq!(read, [("city", "Zürich"), ("sign-in-1", "secret")]);
    }
}
