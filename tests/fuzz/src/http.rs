//! Heads of requests: paths, queries and headers, before any message of a protocol is read.
//!
//! The modules of the wallet face that are mounted here use the standard library alone; the face itself would bring a web
//! server and two databases along.

#[path = "../../../crates/wallet-api/src/client_address.rs"]
mod client_address;
#[path = "../../../crates/wallet-api/src/cookies.rs"]
mod cookies;
#[path = "../../../crates/wallet-api/src/path.rs"]
mod path;
#[path = "../../../crates/wallet-api/src/status_list/time.rs"]
mod time;

use std::net::IpAddr;

use chancery_protocol::access_token::PresentedToken;
use chancery_protocol::negotiation::Preferences;

use self::path::{Endpoint, Target};

/// The `Authorization` header.
pub(crate) fn authorization(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Some(token) = PresentedToken::parse(text) else { return };
    assert!(!token.text.starts_with(' ') && !token.text.ends_with(' '), "{:?}", token.text);
    let written = format!("{} {}", token.scheme.name(), token.text);
    assert_eq!(PresentedToken::parse(&written), Some(token), "{text:?}");
}

/// Values of `Accept`, `Accept-Encoding` or `Accept-Language`, one a line.
pub(crate) fn negotiation(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let preferences = Preferences::parse(text.lines());
    let ranked = preferences.ranked();
    for range in &ranked {
        assert!(!range.is_empty() && !range.contains([',', ';']), "{range:?}");
        assert!(preferences.of_range(range).is_some_and(|weight| weight <= 1000), "{range:?}");
    }
    for name in ["application/statuslist+jwt", "application/statuslist+cwt", "gzip"] {
        let weight = preferences.weight(name);
        assert!(weight <= 1000);
        if let Some(exactly) = preferences.of_range(name) {
            assert_eq!(weight, exactly, "the range for {name} alone decides");
        }
        if weight > 0 {
            assert!(!ranked.is_empty(), "what nobody wants has weight {weight}");
        }
    }
    let found = preferences.lookup(|tag| (tag.len() < 9).then(|| tag.to_owned()));
    assert!(found.is_none_or(|found| ranked.iter().any(|range| range.starts_with(&found))));
}

/// A `Cookie` header. Whatever a browser holds besides, our own cookie is read as it was set.
pub(crate) fn cookie(data: &[u8]) {
    const OURS: (&str, &str) = ("__Host-sign-in-0198f6a16a0e7c509f0e2b6f4d8f0c11", "l9HcTqk0T3bB5mQ0.de-CH");
    for (name, value) in cookies::pairs(data) {
        assert!(!name.contains([';', '=']) && !value.contains(';'), "{name:?} {value:?}");
        assert!(!name.starts_with(' ') && !value.ends_with(' '), "{name:?} {value:?}");
    }
    let others = cookies::pairs(data).count();
    let ours = format!("{}={}", OURS.0, OURS.1);
    let first = [ours.as_bytes(), b"; ", data].concat();
    assert_eq!(cookies::pairs(&first).next(), Some(OURS));
    let last = [data, b"; ", ours.as_bytes()].concat();
    assert_eq!(cookies::pairs(&last).last(), Some(OURS));
    assert_eq!(cookies::pairs(&last).count(), others + 1);
}

/// Values of `X-Forwarded-For`, one a line, that a client wrote: what the proxies append counts, and nothing of it.
pub(crate) fn forwarded_for(data: &[u8]) {
    const CLIENT: &str = "203.0.113.7";
    let values: Vec<&[u8]> = data.split(|byte| *byte == b'\n').collect();
    let peer: Option<IpAddr> = "10.0.0.2".parse().ok();
    let client: Option<IpAddr> = CLIENT.parse().ok();
    let seen = |values: &[&[u8]], proxies| client_address::seen(values.iter().copied(), peer, proxies);
    assert_eq!(seen(&values, 0), None, "the peer is none of the public");
    for proxies in 1..4 {
        if let Some(address) = seen(&values, proxies) {
            assert!(!address.is_loopback() && !address.is_unspecified(), "{address}");
        }
    }
    let (last, before) = values.split_last().expect("a text has a line");
    let appended = [last, b", 203.0.113.7".as_slice()].concat();
    let in_one_value = [before, &[appended.as_slice()]].concat();
    assert_eq!(seen(&in_one_value, 1), client);
    let own_value = [&values[..], &[CLIENT.as_bytes()]].concat();
    assert_eq!(seen(&own_value, 1), client);
    let two_proxies = [&own_value[..], &[b"10.0.0.1".as_slice()]].concat();
    assert_eq!(seen(&two_proxies, 2), client);
    assert_eq!(seen(&two_proxies, 1), None, "the inner proxy is none of the public");
}

/// A path. Whatever is taken off it, what is left is the organisation's, and both together are the path.
pub(crate) fn request_path(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Target { organisation, endpoint } = path::split(text);
    match endpoint {
        Endpoint::Fixed(name) => {
            let inserted = text.strip_prefix(name).map(|rest| rest.trim_end_matches('/'));
            assert!(text == format!("{organisation}{name}") || inserted == Some(organisation), "{text:?}");
        }
        Endpoint::Offer(id) | Endpoint::StatusList(id) => {
            assert!(!id.contains('/'), "{text:?}");
            let folder =
                text.strip_prefix(organisation).and_then(|rest| rest.strip_suffix(id)).expect("both are in it");
            assert!(["/credential-offers/", "/credential_offers/", "/status-lists/"].contains(&folder), "{text:?}");
        }
        Endpoint::Other => assert_eq!(organisation, text),
    }
    // A browser's cookie, a DPoP nonce and a challenge for attestations are for different requests.
    let kinds = [endpoint.is_front_channel(), endpoint.hands_out_dpop_nonces(), endpoint.hands_out_challenges()];
    assert!(!kinds[0] || kinds == [true, false, false], "{text:?}");
    assert!(endpoint.is_limited() || !(kinds[0] || kinds[2]), "{text:?}: what costs something is counted");

    let prefixes: Vec<_> = path::prefixes(text).collect();
    assert!(prefixes.iter().all(|(prefix, rest)| format!("{prefix}{rest}") == text), "{text:?}");
    assert!(prefixes.windows(2).all(|pair| pair[1].0.len() < pair[0].0.len()), "{text:?}");
    assert_eq!(prefixes.last(), Some(&("", text)));
}

/// The query of a status list.
pub(crate) fn status_list_time(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(Some(time)) = time::parse(text) {
        assert!((0..1_000_000_000_000).contains(&time), "{time}");
        assert_eq!(time::parse(&format!("time={time}")), Ok(Some(time)));
        assert_eq!(time::parse(&format!("{text}&time={time}")), Err(()), "there are two of them");
    }
    if time::parse(text) == Ok(None) {
        assert_eq!(time::parse(&format!("{text}&time=7")), Ok(Some(7)), "others pass by");
    }
}
