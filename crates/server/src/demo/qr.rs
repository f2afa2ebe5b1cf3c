//! QR codes for terminals.

use std::io::IsTerminal;

use fast_qr::{ECL, QRBuilder, QRCode};

/// Light modules around the code that readers need.
const QUIET_ZONE: usize = 4;

/// `text` as a QR code made of half blocks, two rows of modules to a line. Light modules are the printed ones; on a
/// terminal the colours are set, so that the code is light on dark whatever the theme.
pub(super) fn draw(text: &str) -> anyhow::Result<String> {
    let code = QRBuilder::new(text).ecl(ECL::L).build().map_err(|error| anyhow::anyhow!("no QR code: {error}"))?;
    let side = code.size + 2 * QUIET_ZONE;
    let (begin, end) = if std::io::stdout().is_terminal() { ("\u{1b}[97;40m", "\u{1b}[0m") } else { ("", "") };
    let mut lines = Vec::with_capacity(side.div_ceil(2));
    for row in (0..side).step_by(2) {
        let line: String = (0..side).map(|column| block(&code, row, column)).collect();
        lines.push(format!("{begin}{line}{end}"));
    }
    Ok(lines.join("\n"))
}

fn block(code: &QRCode, row: usize, column: usize) -> char {
    match (is_light(code, row, column), is_light(code, row + 1, column)) {
        (true, true) => '█',
        (true, false) => '▀',
        (false, true) => '▄',
        (false, false) => ' ',
    }
}

/// Everything outside the code is light.
fn is_light(code: &QRCode, row: usize, column: usize) -> bool {
    let inside = |position: usize| position.checked_sub(QUIET_ZONE).filter(|inner| *inner < code.size);
    let module = inside(row).zip(inside(column)).and_then(|(row, column)| code.data.get(row * code.size + column));
    module.is_none_or(|module| !module.value())
}

#[cfg(test)]
mod tests {
    use super::{QUIET_ZONE, draw};

    #[test]
    fn a_code_is_square_and_has_its_quiet_zone() {
        let drawn =
            draw("openid-credential-offer://?credential_offer_uri=https%3A%2F%2Fissuer.example%2Fo%2Facme").unwrap();
        let lines: Vec<Vec<char>> = drawn.lines().map(|line| line.chars().collect()).collect();
        assert_eq!(lines.len(), lines[0].len().div_ceil(2));
        for line in &lines[..QUIET_ZONE / 2] {
            assert!(line.iter().all(|block| *block == '█'), "{drawn}");
        }
        // The finder pattern begins dark in its corner.
        assert_eq!(lines[QUIET_ZONE / 2][QUIET_ZONE], ' ');
    }
}
