//! The OpenID Provider at which the people of an organisation sign in.

use std::sync::Arc;
use std::time::Duration;

use chancery_model::{IdentityProvider, Organisation, OrganisationId, ProviderAuthentication, Timestamp};
use moka::future::Cache;
use serde_json::{Map, Value};
use url::Url;

use super::body::{Fault, Faults, Members};
use crate::provider::redirect_uri_of;
use crate::sealed::Place;
use crate::{Context, Failure};

/// A connected provider, as the organisation may see it.
#[derive(Clone, Debug)]
pub struct Connection {
    /// The provider; its secret is sealed.
    pub provider: IdentityProvider,
    /// The redirect URI to register there.
    pub redirect_uri: String,
}

/// There is no provider.
#[derive(Debug)]
pub enum Rejection {
    /// None is connected.
    NotFound,
    /// It is not the version that the caller knows.
    Stale,
}

/// Why a provider was not connected.
#[derive(Debug)]
pub enum ConnectRejection {
    /// The body breaks rules.
    Invalid(Vec<Fault>),
    /// It is not the version that the caller knows.
    Stale,
}

/// Longest URL, client id or secret, in characters.
const LONGEST: usize = 2048;

const AUTHENTICATION: &[(&str, ProviderAuthentication)] = &[
    ("client_secret_basic", ProviderAuthentication::ClientSecretBasic),
    ("client_secret_post", ProviderAuthentication::ClientSecretPost),
    ("private_key_jwt", ProviderAuthentication::PrivateKeyJwt),
    ("none", ProviderAuthentication::None),
];

/// Connects a provider, or changes the connection. A secret that is left out stays, as long as issuer and client id do: a
/// secret never goes to somebody else than it was given for. `seen` is when the version was made that the caller knows.
///
/// # Errors
/// Every fault of the body, or that somebody else was faster.
pub async fn connect(
    ctx: &Context,
    organisation: &Organisation,
    seen: Option<Timestamp>,
    body: &Map<String, Value>,
) -> Result<Connection, Failure<ConnectRejection>> {
    let now = ctx.env().now();
    let invalid = |faults| Failure::Rejected(ConnectRejection::Invalid(faults));
    let previous = ctx.store().read(organisation).await?.identity_provider().await?;
    let draft = Draft::read(ctx, body).map_err(invalid)?;
    let sealed_secret = match (&draft.secret, draft.authentication.has_secret()) {
        (_, false) => None,
        (Some(secret), true) => {
            Some(ctx.seal(organisation, Place::IdentityProviderSecret, organisation.id.as_uuid(), secret)?)
        }
        (None, true) => {
            let same = |known: &&IdentityProvider| known.issuer == draft.issuer && known.client_id == draft.client_id;
            let kept = previous.as_ref().filter(same).and_then(|known| known.sealed_secret.clone());
            let detail = "a secret is needed; one that was given stays only with the same issuer and clientId";
            let fault = || vec![Fault { pointer: "/clientSecret".to_owned(), detail: detail.to_owned() }];
            Some(kept.ok_or_else(|| invalid(fault()))?)
        }
    };
    let provider = IdentityProvider {
        issuer: draft.issuer,
        client_id: draft.client_id,
        authentication: draft.authentication,
        sealed_secret,
        scopes: draft.scopes,
        created_at: previous.map_or(now, |known| known.created_at),
        updated_at: now,
    };
    let put = ctx.store().write(organisation, async |tx| tx.put_identity_provider(&provider, seen).await).await;
    forget(ctx, organisation).await;
    let provider = put.map_err(Failure::<ConnectRejection>::from)?;
    let provider = provider.ok_or(Failure::Rejected(ConnectRejection::Stale))?;
    Ok(Connection { provider, redirect_uri: redirect_uri_of(organisation) })
}

/// The connected provider.
///
/// # Errors
/// When there is none.
pub async fn read(ctx: &Context, organisation: &Organisation) -> Result<Connection, Failure<Rejection>> {
    let found = ctx.store().read(organisation).await?.identity_provider().await?;
    let provider = found.ok_or(Failure::Rejected(Rejection::NotFound))?;
    Ok(Connection { provider, redirect_uri: redirect_uri_of(organisation) })
}

/// Disconnects the provider. People who are on their way through it cannot go on.
///
/// # Errors
/// When there is none, or another one than was `seen`.
pub async fn disconnect(
    ctx: &Context,
    organisation: &Organisation,
    seen: Option<Timestamp>,
) -> Result<(), Failure<Rejection>> {
    let removed = ctx.store().write(organisation, async |tx| tx.remove_identity_provider(seen).await).await;
    forget(ctx, organisation).await;
    if removed.map_err(Failure::<Rejection>::from)? {
        return Ok(());
    }
    read(ctx, organisation).await?;
    Err(Failure::Rejected(Rejection::Stale))
}

/// The organisation's provider, if it has one; from the cache when it was read lately.
pub(crate) async fn recent<R>(
    ctx: &Context,
    organisation: &Organisation,
) -> Result<Arc<Option<IdentityProvider>>, Failure<R>> {
    let cache = &ctx.identity_providers().0;
    if let Some(provider) = cache.get(&organisation.id).await {
        return Ok(provider);
    }
    let found = Arc::new(ctx.store().read(organisation).await?.identity_provider().await?);
    cache.insert(organisation.id, Arc::clone(&found)).await;
    Ok(found)
}

async fn forget(ctx: &Context, organisation: &Organisation) {
    ctx.identity_providers().0.invalidate(&organisation.id).await;
}

/// Providers that were asked for lately.
pub(crate) struct Connected(Cache<OrganisationId, Arc<Option<IdentityProvider>>>);

impl Default for Connected {
    fn default() -> Self {
        Self(Cache::builder().max_capacity(10_000).time_to_live(Self::LIFETIME).build())
    }
}

impl Connected {
    /// How long another process may go on with an earlier provider.
    const LIFETIME: Duration = Duration::from_secs(5);
}

struct Draft {
    issuer: String,
    client_id: String,
    authentication: ProviderAuthentication,
    secret: Option<String>,
    scopes: Vec<String>,
}

impl Draft {
    fn read(ctx: &Context, body: &Map<String, Value>) -> Result<Self, Vec<Fault>> {
        const KNOWN: &[&str] = &["issuer", "clientId", "clientAuthentication", "clientSecret", "scopes"];
        // What an answer shows may be sent back.
        const SHOWN: &[&str] = &["clientSecretSet", "redirectUri", "createdAt", "updatedAt"];

        let mut faults = Faults::default();
        let members = Members::of_body(body);
        members.refuse_others(&[KNOWN, SHOWN], &mut faults);
        for name in ["issuer", "clientId"] {
            if members.filled(name).is_none() {
                faults.add(members.at(name), "this member is mandatory");
            }
        }
        let issuer = members.text("issuer", LONGEST, &mut faults).map(str::to_owned);
        if let Some(issuer) = &issuer
            && let Err(reason) = check_issuer(ctx, issuer)
        {
            faults.add(members.at("issuer"), reason);
        }
        let client_id = members.text("clientId", LONGEST, &mut faults).map(str::to_owned);
        let authentication = members.choice("clientAuthentication", AUTHENTICATION, &mut faults);
        let authentication = authentication.unwrap_or(ProviderAuthentication::ClientSecretBasic);
        let secret = members.text("clientSecret", LONGEST, &mut faults).map(str::to_owned);
        if secret.is_some() && !authentication.has_secret() {
            faults.add(members.at("clientSecret"), "this clientAuthentication takes no secret");
        }
        let scopes = read_scopes(&members, &mut faults);
        let draft =
            issuer.zip(client_id).map(|(issuer, client_id)| Self { issuer, client_id, authentication, secret, scopes });
        faults.none_or(draft)
    }
}

/// OpenID Connect Discovery 1.0 §3: a URL without query and fragment. What its name leads to is looked at when it is
/// asked.
pub(super) fn check_issuer(ctx: &Context, issuer: &str) -> Result<(), String> {
    let url = Url::parse(issuer).map_err(|_| "a URL is expected".to_owned())?;
    if url.query().is_some() || url.fragment().is_some() {
        return Err("the URL has neither query nor fragment".to_owned());
    }
    ctx.outbound().check(&url).map_err(|error| error.to_string())
}

fn read_scopes(members: &Members<'_>, faults: &mut Faults) -> Vec<String> {
    let mut scopes = vec!["openid".to_owned()];
    let Some(given) = members.array("scopes", 32, faults) else {
        scopes.push("profile".to_owned());
        return scopes;
    };
    for (pointer, value) in given {
        let well_formed = |scope: &&str| {
            (1..=128).contains(&scope.len())
                && scope.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e))
        };
        match value.as_str().filter(well_formed) {
            Some(scope) if scopes.iter().any(|known| known == scope) => {}
            Some(scope) => scopes.push(scope.to_owned()),
            None => faults.add(pointer, "a scope has 1 to 128 printable ASCII characters (RFC 6749 §3.3)"),
        }
    }
    scopes
}
