use std::{fmt, io};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use flate2::Compression;
use serde_json::{Map, Value};

use super::{Bits, MAX_ENTRIES, StatusList, zlib};

/// The `status_list` claim of a token: a compressed list (§4.2, §4.3). Compressing is nearly all the work of
/// publishing, so one claim serves both the JWT and the CWT.
#[derive(Clone, PartialEq, Eq)]
pub struct Claim {
    /// The bits of an entry.
    pub bits: Bits,
    /// The list in ZLIB format, without base64url.
    pub lst: Vec<u8>,
    /// Where the other lists of the issuer are named, see [`super::Aggregation`].
    pub aggregation_uri: Option<String>,
}

/// How hard to compress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// For a change that should be seen at once. A list of a million bits takes a few milliseconds.
    Quick,
    /// The highest level there is, which the draft recommends (§4.1): ten times the time, for a list that is mostly a
    /// tenth smaller. Of a dense list it can be a little larger, so keep the smaller of the two.
    Best,
}

/// Why JSON is not a `status_list` claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClaimError {
    /// Not a JSON object.
    #[error("the status list is not an object")]
    NotAnObject,
    /// `bits` is absent, or not 1, 2, 4 or 8.
    #[error("bits is not 1, 2, 4 or 8")]
    Bits,
    /// `lst` is absent, or not base64url without padding.
    #[error("lst is not base64url without padding")]
    Lst,
    /// `aggregation_uri` is not a string.
    #[error("aggregation_uri is not a string")]
    AggregationUri,
}

/// Why `lst` is not a list that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InflateError {
    /// Not exactly one whole stream in ZLIB format.
    #[error("lst is not one ZLIB stream (RFC 1950)")]
    NotZlib,
    /// More than was asked for.
    #[error("lst holds more than {limit} bytes")]
    TooLarge {
        /// The bytes that would have been read.
        limit: usize,
    },
}

impl StatusList {
    /// The list as a claim, without `aggregation_uri`.
    ///
    /// # Errors
    /// What the compressor answers; compressing from memory to memory does not fail.
    pub fn compress(&self, level: Level) -> io::Result<Claim> {
        let level = match level {
            Level::Quick => Compression::new(6),
            Level::Best => Compression::best(),
        };
        Ok(Claim { bits: self.bits, lst: zlib::deflate(&self.bytes, level)?, aggregation_uri: None })
    }
}

impl Claim {
    /// Reads the claim of a JWT. Other members are ignored.
    ///
    /// # Errors
    /// See [`ClaimError`].
    pub fn from_json(claim: &Value) -> Result<Self, ClaimError> {
        let members = claim.as_object().ok_or(ClaimError::NotAnObject)?;
        let bits = members.get("bits").and_then(Value::as_u64).ok_or(ClaimError::Bits)?;
        let lst = members.get("lst").and_then(Value::as_str).ok_or(ClaimError::Lst)?;
        let aggregation_uri = match members.get("aggregation_uri") {
            None => None,
            Some(Value::String(uri)) => Some(uri.clone()),
            Some(_) => return Err(ClaimError::AggregationUri),
        };
        Ok(Self {
            bits: Bits::try_from(bits).map_err(|_| ClaimError::Bits)?,
            lst: URL_SAFE_NO_PAD.decode(lst).map_err(|_| ClaimError::Lst)?,
            aggregation_uri,
        })
    }

    /// The claim of a JWT (§4.2).
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut members = Map::with_capacity(3);
        members.insert("bits".to_owned(), u8::from(self.bits).into());
        members.insert("lst".to_owned(), URL_SAFE_NO_PAD.encode(&self.lst).into());
        if let Some(uri) = &self.aggregation_uri {
            members.insert("aggregation_uri".to_owned(), uri.as_str().into());
        }
        Value::Object(members)
    }

    /// The claim of a CWT (§4.3).
    pub(super) fn to_cbor(&self) -> ciborium::Value {
        let mut entries =
            vec![("bits".into(), u8::from(self.bits).into()), ("lst".into(), ciborium::Value::Bytes(self.lst.clone()))];
        if let Some(uri) = &self.aggregation_uri {
            entries.push(("aggregation_uri".into(), uri.as_str().into()));
        }
        ciborium::Value::Map(entries)
    }

    /// The list, if it has at most `max_entries` entries (filled up to whole bytes) and [`MAX_ENTRIES`]. A few
    /// kilobytes of `lst` can stand for a gigabyte; what is too long is not unpacked.
    ///
    /// # Errors
    /// See [`InflateError`].
    pub fn inflate(&self, max_entries: u32) -> Result<StatusList, InflateError> {
        let limit = self.bits.bytes_for(max_entries.min(MAX_ENTRIES));
        let bytes = zlib::inflate(&self.lst, limit)?;
        Ok(StatusList { bits: self.bits, bytes })
    }
}

/// The size only: the values fill pages.
impl fmt::Debug for Claim {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Claim")
            .field("bits", &self.bits)
            .field("lst_len", &self.lst.len())
            .field("aggregation_uri", &self.aggregation_uri)
            .finish()
    }
}
