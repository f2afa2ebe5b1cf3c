//! What `Accept`, `Accept-Encoding` and `Accept-Language` prefer (RFC 9110 §12.4.2, §12.5).

/// Most ranges of a header that are read.
const MOST_RANGES: usize = 32;

/// Weight of what is named without one, in thousandths.
const FULL: u16 = 1000;

/// The ranges of a header with their weights in thousandths, in the order in which they came.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Preferences<'h>(Vec<(&'h str, u16)>);

impl<'h> Preferences<'h> {
    /// Reads the values of a header, which may come several times. What has a weight that is none counts as unwanted.
    pub fn parse(values: impl IntoIterator<Item = &'h str>) -> Self {
        Self(values.into_iter().flat_map(|value| value.split(',')).filter_map(range).take(MOST_RANGES).collect())
    }

    /// What is wanted, the most wanted first; of equals, the first stays first.
    pub fn ranked(&self) -> Vec<&'h str> {
        let mut wanted: Vec<&(&str, u16)> = self.0.iter().filter(|(_, weight)| *weight > 0).collect();
        wanted.sort_by_key(|(_, weight)| std::cmp::Reverse(*weight));
        wanted.into_iter().map(|(range, _)| *range).collect()
    }

    /// The weight of exactly this range; `None` when it is not there.
    pub fn of_range(&self, name: &str) -> Option<u16> {
        self.0.iter().find(|(range, _)| range.eq_ignore_ascii_case(name)).map(|(_, weight)| *weight)
    }

    /// The weight of a media type or coding: that of the most specific range for it (RFC 9110 §12.5.1).
    pub fn weight(&self, name: &str) -> u16 {
        let kind = name.split_once('/').and_then(|(kind, _)| self.of_range(&format!("{kind}/*")));
        let found = self.of_range(name).or(kind).or_else(|| self.of_range("*/*")).or_else(|| self.of_range("*"));
        found.unwrap_or_default()
    }

    /// What `find` knows of the most wanted language, cut shorter and shorter until it knows it (RFC 4647 §3.4).
    pub fn lookup<T>(&self, find: impl Fn(&str) -> Option<T>) -> Option<T> {
        self.ranked().into_iter().find_map(|range| {
            let mut wanted = range;
            loop {
                if let Some(found) = find(wanted) {
                    return Some(found);
                }
                wanted = wanted.rsplit_once('-')?.0;
            }
        })
    }
}

fn range(text: &str) -> Option<(&str, u16)> {
    let mut parts = text.split(';').map(str::trim);
    let range = parts.next().filter(|range| !range.is_empty())?;
    let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
    Some((range, weight.map_or(FULL, thousandths)))
}

/// `0.5` is 500; what is no weight is 0.
fn thousandths(weight: &str) -> u16 {
    let (whole, fraction) = weight.split_once('.').unwrap_or((weight, ""));
    if fraction.len() > 3 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return 0;
    }
    let fraction = format!("{fraction:0<3}").parse().unwrap_or_default();
    match (whole, fraction) {
        ("1", 0) => FULL,
        ("0", fraction) => fraction,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_ranked_by_their_weight() {
        let preferences = Preferences::parse(["en;q=0.5, de-CH, fr;q=0.9", "it, xx;q=0,, ;q=1"]);
        assert_eq!(preferences.ranked(), ["de-CH", "it", "fr", "en"]);
        assert!(Preferences::parse([]).ranked().is_empty());
    }

    #[test]
    fn a_weight_has_at_most_three_digits_behind_the_point() {
        for (text, weight) in
            [("0", 0), ("0.", 0), ("0.5", 500), ("0.05", 50), ("0.123", 123), ("1", 1000), ("1.000", 1000)]
        {
            assert_eq!(thousandths(text), weight, "{text}");
        }
        for wrong in ["", "2", "1.001", "1.7", "0.1234", "0.+5", "-0", "1e0", "NaN", "inf", "0,5", "½"] {
            assert_eq!(thousandths(wrong), 0, "{wrong}");
        }
    }

    #[test]
    fn the_most_specific_range_decides_by_tsl_8() {
        let preferences = Preferences::parse(["*/*;q=0.1, text/*;q=0.5, Text/HTML;q=0"]);
        assert_eq!(preferences.weight("text/html"), 0);
        assert_eq!(preferences.weight("text/plain"), 500);
        assert_eq!(preferences.weight("image/png"), 100);
        assert_eq!(Preferences::parse(["gzip;q=0, *"]).weight("gzip"), 0);
        assert_eq!(Preferences::parse(["br, *"]).weight("gzip"), 1000);
    }

    #[test]
    fn a_language_is_looked_up_by_its_shorter_forms_too() {
        let known = |tag: &str| ["en", "de-AT"].into_iter().find(|known| known.eq_ignore_ascii_case(tag));
        assert_eq!(Preferences::parse(["fr, en-GB;q=0.8"]).lookup(known), Some("en"));
        assert_eq!(Preferences::parse(["en;q=0.5, de-at-1996"]).lookup(known), Some("de-AT"));
        assert_eq!(Preferences::parse(["de, *, -"]).lookup(known), None);
    }

    #[test]
    fn only_so_many_ranges_are_read() {
        let many = "de,".repeat(MOST_RANGES) + "en";
        assert_eq!(Preferences::parse([many.as_str()]).ranked().len(), MOST_RANGES);
    }
}
