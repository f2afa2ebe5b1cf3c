//! QR codes as pictures for mail.

use std::io::Write as _;

use fast_qr::{ECL, QRBuilder};
use flate2::write::ZlibEncoder;
use flate2::{Compression, Crc};

/// Light modules around the code that readers need.
const QUIET_ZONE: usize = 4;

/// Pixels of a module's side.
const SCALE: usize = 6;

/// `text` as a black and white PNG; `None` when it is too long for a QR code.
pub(super) fn png(text: &str) -> Option<Vec<u8>> {
    let code = QRBuilder::new(text).ecl(ECL::M).build().ok()?;
    let is_dark = |row: usize, column: usize| {
        let inside = |position: usize| position.checked_sub(QUIET_ZONE).filter(|inner| *inner < code.size);
        let module = inside(row).zip(inside(column)).and_then(|(row, column)| code.data.get(row * code.size + column));
        module.is_some_and(|module| module.value())
    };
    let modules = code.size + 2 * QUIET_ZONE;
    let side = modules * SCALE;
    let mut lines = Vec::with_capacity(side * (side.div_ceil(8) + 1));
    for row in 0..side {
        // Filter type 0: the line as it is. One bit a pixel, 1 is white.
        lines.push(0);
        for byte in 0..side.div_ceil(8) {
            let bits = (0..8).map(|bit| (byte * 8 + bit) / SCALE);
            lines.push(bits.fold(0, |byte, column| byte << 1 | u8::from(!is_dark(row / SCALE, column))));
        }
    }
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&lines).ok()?;
    let pixels = encoder.finish().ok()?;

    let mut header = Vec::with_capacity(13);
    let side = u32::try_from(side).ok()?.to_be_bytes();
    header.extend(side);
    header.extend(side);
    // Bit depth 1, greyscale, and the only methods that there are.
    header.extend([1, 0, 0, 0, 0]);
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    for (kind, data) in [(b"IHDR", header), (b"IDAT", pixels), (b"IEND", Vec::new())] {
        png.extend(u32::try_from(data.len()).ok()?.to_be_bytes());
        let mut crc = Crc::new();
        crc.update(kind);
        crc.update(&data);
        png.extend(kind);
        png.extend(data);
        png.extend(crc.sum().to_be_bytes());
    }
    Some(png)
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use flate2::read::ZlibDecoder;

    use super::*;

    #[test]
    fn the_picture_is_square_with_a_quiet_zone_and_a_dark_corner() {
        let png = png("openid-credential-offer://?credential_offer_uri=https%3A%2F%2Fissuer.example%2Fo").unwrap();
        assert_eq!(&png[..8], b"\x89PNG\r\n\x1a\n");
        let number = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().unwrap()) as usize;
        let (width, height) = (number(16), number(20));
        assert_eq!(width, height);
        let length = number(33);
        let mut lines = Vec::new();
        ZlibDecoder::new(&png[41..41 + length]).read_to_end(&mut lines).unwrap();
        let line = width.div_ceil(8) + 1;
        assert_eq!(lines.len(), line * height);
        assert!(lines[1..width / 8].iter().all(|byte| *byte == 0xff), "the quiet zone is light");
        let corner = QUIET_ZONE * SCALE;
        let byte = lines[corner * line + 1 + corner / 8];
        assert_eq!(byte >> (7 - corner % 8) & 1, 0, "the finder pattern begins dark");
        assert!(super::png(&"x".repeat(10_000)).is_none());
    }
}
