//! The instant that a status list is asked for (Token Status List §8.4).

/// Most digits of a `time`: enough for 30,000 years.
const MOST_DIGITS: usize = 12;

/// The one `time` of a query, in unix seconds. Other parameters pass by.
pub(crate) fn parse(query: &str) -> Result<Option<i64>, ()> {
    let mut values = query.split('&').filter_map(|pair| pair.strip_prefix("time="));
    let Some(value) = values.next() else { return Ok(None) };
    let is_number = (1..=MOST_DIGITS).contains(&value.len()) && value.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number || values.next().is_some() {
        return Err(());
    }
    value.parse().map(Some).map_err(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_one_number_by_tsl_12() {
        assert_eq!(parse("time=1768478400"), Ok(Some(1_768_478_400)));
        assert_eq!(parse("a=b&time=0&c"), Ok(Some(0)));
        for none in ["", "other=1", "sometime=1"] {
            assert_eq!(parse(none), Ok(None), "{none}");
        }
        for wrong in ["time=", "time=-1", "time=1e9", "time=1&time=1", "time=9999999999999"] {
            assert_eq!(parse(wrong), Err(()), "{wrong}");
        }
    }
}
