//! Statuses of credentials (Token Status List): which credential has which place, and what is published about it.

mod allocation;
mod publication;

use std::io::Write as _;
use std::sync::Arc;

use chancery_formats::status_list::Reference;
use chancery_model::{Organisation, StatusListId, StatusPlace};
use flate2::Compression;
use flate2::write::GzEncoder;
use tokio::sync::OnceCell;

pub use publication::Encoding;
pub(crate) use publication::{Past, TTL, VISIBLE_WITHIN};

/// What this process knows of status lists.
#[derive(Default)]
pub(crate) struct StatusLists {
    leases: allocation::Leases,
    shelf: publication::Shelf,
}

/// A signed token, ready to be sent.
#[derive(Debug)]
pub struct Token {
    /// Compact JWS in ASCII, or the bytes of a CWT.
    pub body: Arc<[u8]>,
    /// Weak entity tag, quoted: processes sign the same state each for itself.
    pub etag: String,
    gzipped: OnceCell<Arc<[u8]>>,
}

impl Token {
    fn new(body: Vec<u8>, etag: String) -> Self {
        Self { body: body.into(), etag, gzipped: OnceCell::new() }
    }

    /// The body in GZIP format (RFC 1952); compressed once.
    ///
    /// # Errors
    /// What the compressor answers; compressing from memory to memory does not fail.
    pub async fn gzipped(&self) -> std::io::Result<Arc<[u8]>> {
        let compress = async || {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(&self.body)?;
            Ok(encoder.finish()?.into())
        };
        self.gzipped.get_or_try_init(compress).await.cloned()
    }
}

/// Where a list is published; also the `sub` of its token.
pub(crate) fn uri(organisation: &Organisation, list: StatusListId) -> String {
    organisation.issuer.endpoint(&format!("status-lists/{list}"))
}

/// Where all lists of an organisation are named (§9).
pub(crate) fn aggregation_uri(organisation: &Organisation) -> String {
    organisation.issuer.endpoint("status-lists")
}

/// What a credential says about its place.
pub(crate) fn reference(organisation: &Organisation, place: StatusPlace) -> Reference {
    Reference { idx: place.index, uri: uri(organisation, place.list) }
}
