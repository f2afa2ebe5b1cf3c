//! The network address that a request comes from: rate limits count by it.

use std::net::IpAddr;

/// The address that the outermost trusted proxy saw, or that of the connection where there is no proxy. Only public
/// addresses count: any other is that of a proxy or of one's own network.
///
/// `forwarded_for` are the values of `X-Forwarded-For`, in the order in which they came. What the client wrote there stands
/// before what the proxies appended, in the same value perhaps, and need not be text.
pub(crate) fn seen<'h>(
    forwarded_for: impl Iterator<Item = &'h [u8]>,
    peer: Option<IpAddr>,
    trusted_proxies: usize,
) -> Option<IpAddr> {
    let address = match trusted_proxies.checked_sub(1) {
        None => peer,
        Some(skipped) => {
            let mut addresses: Vec<&[u8]> = forwarded_for.flat_map(|value| value.split(|byte| *byte == b',')).collect();
            addresses.reverse();
            addresses.get(skipped).and_then(|address| std::str::from_utf8(address.trim_ascii()).ok()?.parse().ok())
        }
    };
    address.filter(|address| is_public(*address))
}

fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            let [a, b, ..] = address.octets();
            let shared = a == 100 && (64..128).contains(&b);
            !(address.is_private()
                || address.is_loopback()
                || address.is_link_local()
                || address.is_unspecified()
                || shared)
        }
        IpAddr::V6(address) => {
            !(address.is_loopback()
                || address.is_unique_local()
                || address.is_unicast_link_local()
                || address.is_unspecified())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    fn behind(values: &[&[u8]], trusted_proxies: usize) -> Option<IpAddr> {
        seen(values.iter().copied(), ip("10.0.0.2"), trusted_proxies)
    }

    #[test]
    fn without_trusted_proxies_the_connection_counts_and_no_header() {
        let of_connection = |peer| seen([b"198.51.100.1".as_slice()].into_iter(), ip(peer), 0);
        assert_eq!(of_connection("203.0.113.7"), ip("203.0.113.7"));
        assert_eq!(of_connection("10.0.0.2"), None);
        assert_eq!(of_connection("::ffff:127.0.0.1"), None);
    }

    #[test]
    fn only_what_trusted_proxies_appended_counts() {
        let values: &[&[u8]] = &[b"1.1.1.1, 198.51.100.1", b"203.0.113.7"];
        assert_eq!(behind(values, 1), ip("203.0.113.7"));
        assert_eq!(behind(values, 2), ip("198.51.100.1"));
        assert_eq!(behind(values, 4), None);
    }

    #[test]
    fn nothing_that_a_client_writes_hides_its_address() {
        for written in [b"".as_slice(), b",,", b"unknown", b"\xc3\xa9", b"\xff\xfe", b"[::1]:4", b"\""] {
            let value = [written, b", 203.0.113.7"].concat();
            assert_eq!(behind(&[value.as_slice()], 1), ip("203.0.113.7"), "{written:?}");
        }
    }
}
