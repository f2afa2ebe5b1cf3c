//! Colours of a card. Definitions may name any CSS colour; here only hexadecimal ones are taken, because they stand in a
//! style sheet, and a text that could not be read against its ground gets another colour.

type Rgb = [u8; 3];

const GROUND: Rgb = [0x2f, 0x3e, 0x53];
const WHITE: Rgb = [0xff; 3];
const BLACK: Rgb = [0x10, 0x14, 0x1a];

/// Least contrast of text (WCAG 2.2, 1.4.3).
const LEAST_CONTRAST: f64 = 4.5;

/// Background and text as CSS colours.
pub(super) fn pair(background: Option<&str>, text: Option<&str>) -> (String, String) {
    let background = background.and_then(parse).unwrap_or(GROUND);
    let wanted = text.and_then(parse).filter(|text| contrast(*text, background) >= LEAST_CONTRAST);
    let best = if contrast(WHITE, background) >= contrast(BLACK, background) { WHITE } else { BLACK };
    (css(background), css(wanted.unwrap_or(best)))
}

/// `#rgb` or `#rrggbb`.
fn parse(text: &str) -> Option<Rgb> {
    let digits: Vec<u8> = text
        .strip_prefix('#')?
        .chars()
        .map(|digit| digit.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
        .collect::<Option<_>>()?;
    match digits.as_slice() {
        [r, g, b] => Some([r * 17, g * 17, b * 17]),
        [r, s, g, h, b, c] => Some([r * 16 + s, g * 16 + h, b * 16 + c]),
        _ => None,
    }
}

fn css([r, g, b]: Rgb) -> String {
    format!("#{r:02x}{g:02x}{b:02x}")
}

fn contrast(one: Rgb, other: Rgb) -> f64 {
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

/// Relative luminance (WCAG 2.2).
fn luminance(colour: Rgb) -> f64 {
    let [r, g, b] = colour.map(|channel| {
        let share = f64::from(channel) / 255.0;
        if share <= 0.04045 { share / 12.92 } else { ((share + 0.055) / 1.055).powf(2.4) }
    });
    0.2126 * r + 0.7152 * g + 0.0722 * b
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_of_the_definition_are_taken_when_they_can_be_read() {
        assert_eq!(pair(Some("#12355b"), Some("#fff")), ("#12355b".to_owned(), "#ffffff".to_owned()));
        assert_eq!(pair(Some("#ffff00"), Some("#ffffff")).1, css(BLACK));
        assert_eq!(pair(None, None), (css(GROUND), css(WHITE)));
    }

    #[test]
    fn nothing_but_a_colour_reaches_the_style_sheet() {
        for hostile in ["red;} body{display:none", "#12345", "#12345g", "url(https://evil.example)", "#é12"] {
            assert_eq!(pair(Some(hostile), Some(hostile)), (css(GROUND), css(WHITE)), "{hostile}");
        }
    }
}
