//! One state of a list, signed for those who ask.

use std::num::NonZeroU32;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chancery_formats::sd_jwt::KeyReference;
use chancery_formats::status_list::{self as format, Claim, Level};
use chancery_keys::Signer;
use chancery_model::{Organisation, StatusList, Timestamp};
use chancery_storage::ListVersion;
use tokio::sync::OnceCell;

use super::super::{Token, aggregation_uri, uri};
use crate::{Context, Failure};

/// For how many seconds a consumer may use its copy (§13.7): what is revoked is refused everywhere that much later.
pub(crate) const TTL: NonZeroU32 = NonZeroU32::new(300).unwrap();

/// Seconds after which a list is signed again although nothing changed.
const PERIOD: i64 = 12 * 60 * 60;

/// Seconds from `iat` to `exp`: two periods, so that what is handed out is good for one more.
const LIFETIME: i64 = 2 * PERIOD;

/// The two representations (§5.1, §5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// `application/statuslist+jwt`.
    Jwt,
    /// `application/statuslist+cwt`.
    Cwt,
}

/// The key of the organisation, and how tokens name it.
pub(super) struct Signing {
    signer: Signer,
    key_reference: KeyReference,
    /// `exp` goes no further.
    certificate_end: Option<i64>,
}

impl Signing {
    /// The key that signs lists, named by its certificates as long as those are valid (§10, HAIP §6.1).
    pub(super) async fn prepare<R>(
        context: &Context,
        organisation: &Organisation,
        now: Timestamp,
    ) -> Result<Self, Failure<R>> {
        let keyring = context.keyring(organisation).await?;
        let (key, key_reference) = keyring.for_documents(&organisation.policy, now).ok_or_else(|| {
            Failure::Internal(anyhow::anyhow!("organisation {} has no active signing key", organisation.slug))
        })?;
        let signer = key.signer.clone();
        let certificate_end = match key_reference {
            KeyReference::X5c => signer.certificate_chain().not_after(),
            KeyReference::Kid => None,
        };
        Ok(Self { signer, key_reference, certificate_end })
    }
}

/// One state of a list.
pub(super) struct Edition {
    version: u64,
    token: format::Token,
    signing: Signing,
    /// Unix seconds from which on it is to be signed again.
    ends: i64,
    jwt: OnceCell<Arc<Token>>,
    cwt: OnceCell<Arc<Token>>,
}

impl Edition {
    /// Compresses `values`. All processes give the same times to the same state.
    pub(super) async fn make<R>(
        organisation: &Organisation,
        list: &StatusList,
        values: &format::StatusList,
        version: ListVersion,
        signing: Signing,
        now: Timestamp,
    ) -> Result<Self, Failure<R>> {
        let period = now.seconds() - now.seconds().rem_euclid(PERIOD);
        let issued_at = version.changed_at.seconds().max(period).min(now.seconds());
        let times = (issued_at, issued_at.saturating_add(LIFETIME));
        Self::covering(organisation, list, values, version.version, signing, times, period.saturating_add(PERIOD)).await
    }

    /// An edition with these `iat` and `exp`.
    pub(super) async fn covering<R>(
        organisation: &Organisation,
        list: &StatusList,
        values: &format::StatusList,
        version: u64,
        signing: Signing,
        (issued_at, expires_at): (i64, i64),
        ends: i64,
    ) -> Result<Self, Failure<R>> {
        let values = values.clone();
        // A few milliseconds of arithmetic, beside the requests.
        let compressed = tokio::task::spawn_blocking(move || values.compress(Level::Quick)).await;
        let claim = compressed.map_err(|error| Failure::Internal(error.into()))?;
        let claim = claim.map_err(|error| Failure::Internal(error.into()))?;
        let expires_at = signing.certificate_end.map_or(expires_at, |end| expires_at.min(end));
        let token = format::Token {
            uri: uri(organisation, list.id),
            issued_at,
            expires_at: Some(expires_at),
            ttl: Some(TTL),
            status_list: Claim { aggregation_uri: Some(aggregation_uri(organisation)), ..claim },
        };
        let (jwt, cwt) = (OnceCell::new(), OnceCell::new());
        Ok(Self { version, token, signing, ends: ends.min(expires_at), jwt, cwt })
    }

    /// Whether it may still be handed out.
    pub(super) fn is_current(&self, now: Timestamp) -> bool {
        now.seconds() < self.ends
    }

    /// Whether another one would be the same.
    pub(super) fn is(&self, version: u64, signing: &Signing, now: Timestamp) -> bool {
        self.version == version
            && self.is_current(now)
            && self.signing.signer.key_id() == signing.signer.key_id()
            && self.signing.key_reference == signing.key_reference
            && self.signing.certificate_end == signing.certificate_end
    }

    /// The token, signed when it is first asked for.
    pub(super) async fn token<R>(&self, encoding: Encoding) -> Result<Arc<Token>, Failure<R>> {
        let Signing { signer, key_reference, .. } = &self.signing;
        let (cell, name) = match encoding {
            Encoding::Jwt => (&self.jwt, "jwt"),
            Encoding::Cwt => (&self.cwt, "cwt"),
        };
        let sign = async || {
            let body = match encoding {
                Encoding::Jwt => self.token.sign_jwt(signer, *key_reference).await.map(String::into_bytes),
                Encoding::Cwt => self.token.sign_cwt(signer, *key_reference).await,
            };
            let body = body.map_err(|error| Failure::Internal(error.into()))?;
            Ok(Arc::new(Token::new(body, self.etag(name))))
        };
        cell.get_or_try_init(sign).await.cloned()
    }

    /// The same for the same state, whoever signed it.
    fn etag(&self, encoding: &str) -> String {
        let format::Token { uri, issued_at, expires_at, .. } = &self.token;
        let (version, key) = (self.version, self.signing.signer.key_id());
        let reference = self.signing.key_reference;
        let state = format!("{encoding} {uri} {version} {issued_at} {expires_at:?} {key} {reference:?}");
        let digest = chancery_keys::sha256(state.as_bytes());
        format!("W/\"{}\"", URL_SAFE_NO_PAD.encode(digest.get(..18).unwrap_or_default()))
    }
}
