//! Public documents of an organisation: credential issuer metadata (OpenID4VCI §12.2), authorization server metadata
//! (RFC 8414), JWT VC issuer metadata and type metadata (SD-JWT VC §4, §5), and the JWK set.
//!
//! They are made together, kept for a moment and served as the same bytes.

mod documents;
mod issuer;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chancery_model::{Organisation, OrganisationId, Policy};
use moka::future::Cache;
use serde::Serialize;

use crate::{Context, Failure};

pub use issuer::{Chosen, IssuerDocument};

/// The documents of one organisation.
#[derive(Debug)]
pub struct Published {
    /// `openid-credential-issuer`.
    pub credential_issuer: IssuerDocument,
    /// `oauth-authorization-server` and `openid-configuration`.
    pub authorization_server: Document,
    /// `jwt-vc-issuer`.
    pub jwt_vc_issuer: Document,
    /// JWK set.
    pub jwks: Document,
    /// Type metadata by `vct`, for types below the issuer identifier.
    pub types: HashMap<String, Document>,
    /// Keys of `credential_configurations_supported`.
    pub(super) configurations: HashSet<String>,
}

/// A JSON document, ready to be sent.
#[derive(Clone, Debug)]
pub struct Document {
    /// UTF-8.
    pub body: Arc<[u8]>,
    /// Entity tag, quoted; weak where bytes differ and say the same.
    pub etag: String,
}

impl Document {
    pub(super) fn of<R>(value: &impl Serialize) -> Result<Self, Failure<R>> {
        let body = serde_json::to_vec(value).map_err(|error| Failure::Internal(error.into()))?;
        let etag = format!("\"{}\"", URL_SAFE_NO_PAD.encode(chancery_keys::sha256(&body)));
        Ok(Self { body: body.into(), etag })
    }
}

/// The documents of `organisation`.
///
/// # Errors
/// Those of the database, and of a stored key that does not open.
pub async fn published<R>(context: &Context, organisation: &Organisation) -> Result<Arc<Published>, Failure<R>> {
    let cache = &context.publications().0;
    let kept = cache.get(&organisation.id).await;
    if let Some(kept) = kept.filter(|kept| kept.name == organisation.name && kept.policy == organisation.policy) {
        return Ok(Arc::clone(&kept.published));
    }
    let published = Arc::new(documents::publish(context, organisation).await?);
    let kept = Kept {
        name: organisation.name.clone(),
        policy: organisation.policy.clone(),
        published: Arc::clone(&published),
    };
    cache.insert(organisation.id, Arc::new(kept)).await;
    Ok(published)
}

/// Documents by organisation. A definition or key changed in another process is seen within
/// [`Publications::LIFETIME`].
pub(crate) struct Publications(Cache<OrganisationId, Arc<Kept>>);

/// Documents, with what they were made for.
struct Kept {
    name: String,
    policy: Policy,
    published: Arc<Published>,
}

impl Default for Publications {
    fn default() -> Self {
        Self(Cache::builder().max_capacity(10_000).time_to_live(Self::LIFETIME).build())
    }
}

impl Publications {
    const LIFETIME: Duration = Duration::from_secs(5);

    /// Forgets what is kept of one organisation, after its definitions or keys changed.
    pub(crate) async fn forget(&self, organisation: &Organisation) {
        self.0.invalidate(&organisation.id).await;
    }
}
