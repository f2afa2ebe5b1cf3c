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
use chancery_model::{Definition, Organisation, OrganisationId, Policy};
use moka::future::Cache;
use serde::Serialize;

use crate::management::organisations;
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
    /// Whether wallets are told where to get challenges for attestations.
    pub(super) takes_attestations: bool,
    /// The definitions that the documents describe.
    pub(super) definitions: Vec<Arc<Definition>>,
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
    let cache = &context.publications().documents;
    let kept = cache.get(&organisation.id).await;
    if let Some(kept) = kept.filter(|kept| kept.name == organisation.name && kept.policy == organisation.policy) {
        return Ok(Arc::clone(&kept.published));
    }
    let published = Arc::new(documents::publish(context, organisation).await?);
    context.publications().warn(organisation, organisations::warnings(context, organisation).await).await;
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
pub(crate) struct Publications {
    documents: Cache<OrganisationId, Arc<Kept>>,
    /// Organisations that were warned of certificates.
    warned: Cache<OrganisationId, ()>,
}

/// Documents, with what they were made for.
struct Kept {
    name: String,
    policy: Policy,
    published: Arc<Published>,
}

impl Default for Publications {
    fn default() -> Self {
        let documents = Cache::builder().max_capacity(10_000).time_to_live(Self::LIFETIME).build();
        Self { documents, warned: Cache::builder().max_capacity(10_000).time_to_live(Self::WARNED).build() }
    }
}

impl Publications {
    const LIFETIME: Duration = Duration::from_secs(5);

    /// How long a process is silent after it warned of an organisation's certificates.
    const WARNED: Duration = Duration::from_secs(6 * 3600);

    /// Warns of trusted certificates that end, for from then on every attestation of that party is refused, and of the
    /// organisation's own.
    async fn warn(&self, organisation: &Organisation, warnings: Vec<String>) {
        if warnings.is_empty() || self.warned.contains_key(&organisation.id) {
            return;
        }
        self.warned.insert(organisation.id, ()).await;
        for warning in warnings {
            tracing::warn!(organisation = organisation.slug.as_str(), "{warning}");
        }
    }

    /// Forgets what is kept of one organisation, after its definitions or keys changed.
    pub(crate) async fn forget(&self, organisation: &Organisation) {
        self.documents.invalidate(&organisation.id).await;
    }
}
