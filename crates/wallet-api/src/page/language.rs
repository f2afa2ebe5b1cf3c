use axum::http::HeaderMap;
use axum::http::header::ACCEPT_LANGUAGE;
use chancery_protocol::negotiation::Preferences;

/// Most languages that are looked at.
const MOST: usize = 8;

/// The tags of `Accept-Language`, best first (RFC 9110 §12.5.4).
pub(super) fn accepted(headers: &HeaderMap) -> Vec<String> {
    let header = headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    let wanted = Preferences::parse(header).ranked().into_iter().filter(|range| is_tag(range));
    wanted.take(MOST).map(str::to_owned).collect()
}

fn is_tag(range: &str) -> bool {
    range.len() <= 35 && range.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages_are_ranked_by_their_weight() {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT_LANGUAGE, "en;q=0.5, de-CH, fr;q=0.9, *;q=0.1, xx;q=0, b<d;q=1, it;q=2".parse().unwrap());
        assert_eq!(accepted(&headers), ["de-CH", "fr", "en"]);
        assert!(accepted(&HeaderMap::new()).is_empty());
    }
}
