//! Pictures that organisations show in wallets.

use crate::{DefinitionId, Timestamp};

/// A picture of a definition, or of an organisation itself.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredImage {
    /// The definition it belongs to; `None` when it is the organisation's own.
    pub definition_id: Option<DefinitionId>,
    /// What it is for.
    pub purpose: ImagePurpose,
    /// What it is.
    pub media_type: ImageType,
    /// Last segment of its public URL: base64url of the first 16 bytes of the SHA-256 of `bytes`.
    pub name: String,
    /// The file.
    pub bytes: Vec<u8>,
    /// When it was stored.
    pub created_at: Timestamp,
}

impl std::fmt::Debug for StoredImage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "StoredImage({}, {} bytes)", self.purpose.name(), self.bytes.len())
    }
}

/// What a picture is for. A definition has at most one for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ImagePurpose {
    /// The logo on the card.
    Logo,
    /// The background of the card.
    Cover,
}

impl ImagePurpose {
    /// Name in the database.
    pub fn name(self) -> &'static str {
        match self {
            Self::Logo => "logo",
            Self::Cover => "cover",
        }
    }

    /// Reads [`ImagePurpose::name`].
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Logo, Self::Cover].into_iter().find(|purpose| purpose.name() == name)
    }
}

/// What a picture is. SVG is not among them: it can carry scripts, and would be served from the issuer's own origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ImageType {
    /// PNG.
    Png,
    /// JPEG.
    Jpeg,
}

impl ImageType {
    /// The media type, which is also the name in the database.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Jpeg => "image/jpeg",
        }
    }

    /// Reads [`ImageType::media_type`].
    pub fn parse(media_type: &str) -> Option<Self> {
        [Self::Png, Self::Jpeg].into_iter().find(|known| known.media_type() == media_type)
    }

    /// What the first bytes of a file say it is, whatever it was called.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        if bytes.starts_with(b"\x89PNG\r\n\x1a\n") && bytes.get(12..16) == Some(b"IHDR") {
            Some(Self::Png)
        } else if bytes.starts_with(b"\xff\xd8\xff") {
            Some(Self::Jpeg)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_what_its_first_bytes_say() {
        assert_eq!(ImageType::of(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR...."), Some(ImageType::Png));
        assert_eq!(ImageType::of(b"\xff\xd8\xff\xe0...."), Some(ImageType::Jpeg));
        for other in [&b"<svg xmlns='http://www.w3.org/2000/svg'/>"[..], b"GIF89a", b"\x89PNG", b"", b"<html>"] {
            assert_eq!(ImageType::of(other), None);
        }
    }
}
