use axum::http::HeaderMap;
use axum::http::header::ACCEPT_LANGUAGE;

/// Most languages that are looked at.
const MOST: usize = 8;

/// The tags of `Accept-Language`, best first (RFC 9110 §12.5.4).
pub(super) fn accepted(headers: &HeaderMap) -> Vec<String> {
    let header = headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut ranked: Vec<(u16, &str)> = header.split(',').take(32).filter_map(ranked).collect();
    // Stable: of equals, the first stays first.
    ranked.sort_by_key(|(weight, _)| std::cmp::Reverse(*weight));
    ranked.into_iter().take(MOST).map(|(_, tag)| tag.to_owned()).collect()
}

/// Weight in thousandths, and the tag.
fn ranked(item: &str) -> Option<(u16, &str)> {
    let mut parts = item.split(';').map(str::trim);
    let tag = parts.next()?;
    let is_tag = (1..=35).contains(&tag.len()) && tag.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let weight = match parts.find_map(|part| part.strip_prefix("q=")) {
        None => 1000,
        Some(weight) => weight.parse::<f64>().ok().filter(|weight| (0.0..=1.0).contains(weight)).map(thousandths)?,
    };
    (is_tag && weight > 0).then_some((weight, tag))
}

/// `share` is 0 to 1.
fn thousandths(share: f64) -> u16 {
    format!("{:.0}", share * 1000.0).parse().unwrap_or_default()
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
