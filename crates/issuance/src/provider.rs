//! Signing a person in at an organisation's OpenID Provider (OpenID Connect Core 1.0): the one home of `openidconnect`.
//!
//! The way there is [`depart`], the way back is [`arrive`]. In between the browser is elsewhere, and what must be known
//! again is in [`Departure`].

pub(crate) mod access_token;
mod error;
mod key;

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chancery_keys::jws;
use chancery_model::{IdentityProvider, Organisation, ProviderAuthentication, Timestamp};
use chancery_protocol::excerpt;
use chrono::{DateTime, TimeDelta, Utc};
use moka::future::Cache;
use openidconnect::core::{
    CoreAuthDisplay, CoreAuthenticationFlow, CoreClaimName, CoreClaimType, CoreClient, CoreClientAuthMethod,
    CoreGenderClaim, CoreGrantType, CoreIdToken, CoreJsonWebKey, CoreJsonWebKeySet, CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm, CoreJwsSigningAlgorithm, CoreResponseMode, CoreResponseType,
    CoreSubjectIdentifierType,
};
use openidconnect::{
    AccessToken, AdditionalClaims, AdditionalProviderMetadata, AsyncHttpClient, AuthType, AuthorizationCode,
    ClaimsVerificationError, ClientId, ClientSecret, CsrfToken, IdTokenVerifier, IssuerUrl, LanguageTag, Nonce,
    OAuth2TokenResponse as _, PkceCodeChallenge, PkceCodeVerifier, ProviderMetadata, RedirectUrl, Scope,
    SignatureVerificationError, SubjectIdentifier, TokenResponse as _,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use subtle::ConstantTimeEq as _;
use url::Url;

pub(crate) use self::error::ProviderError;
use crate::outbound::{Outbound, OutboundError};
use crate::sealed::Place;
use crate::wallet::redaction;
use crate::{Context, Failure};

/// Signature algorithms of ID tokens. Neither `none` nor any with a shared secret.
const ALGORITHMS: [CoreJwsSigningAlgorithm; 5] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
];

/// How far ahead the clock of a provider may be.
const CLOCK_AHEAD: TimeDelta = TimeDelta::seconds(60);

/// How old an ID token may be that was fetched a moment ago.
const OLDEST: TimeDelta = TimeDelta::minutes(10);

/// Lifetime of a client assertion, in seconds.
const ASSERTION_LIFETIME: u32 = 60;

/// Secrets of one sign-in, to be known again when the browser comes back.
pub(crate) struct Departure {
    /// What the ID token has to repeat.
    pub(crate) nonce: String,
    /// RFC 7636 §4.1.
    pub(crate) code_verifier: String,
}

/// What the browser came back with.
pub(crate) struct Return<'r> {
    /// The authorization code.
    pub(crate) code: &'r str,
    /// `iss` of the answer (RFC 9207), when there is one.
    pub(crate) issuer: Option<&'r str>,
}

/// Who signed in.
pub(crate) struct Person {
    /// What the provider says about the person.
    pub(crate) claims: Map<String, Value>,
    /// The ID token as a transcript may show it.
    pub(crate) id_token: Value,
}

/// Metadata of providers by issuer identifier, with their keys.
pub(crate) struct Providers {
    known: Cache<String, Arc<Metadata>>,
    /// What was fetched a moment ago for the sake of a key: unknown keys in the tokens of strangers ask a provider no more
    /// often than this forgets.
    renewed: Cache<String, Arc<Metadata>>,
}

impl Default for Providers {
    fn default() -> Self {
        let kept = |lifetime| Cache::builder().max_capacity(1000).time_to_live(lifetime).build();
        Self { known: kept(Self::LIFETIME), renewed: kept(Self::PAUSE) }
    }
}

impl Providers {
    const LIFETIME: Duration = Duration::from_secs(600);
    const PAUSE: Duration = Duration::from_secs(10);
}

type Metadata = ProviderMetadata<
    Rfc9207,
    CoreAuthDisplay,
    CoreClientAuthMethod,
    CoreClaimName,
    CoreClaimType,
    CoreGrantType,
    CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm,
    CoreJsonWebKey,
    CoreResponseMode,
    CoreResponseType,
    CoreSubjectIdentifierType,
>;

/// The metadata member of RFC 9207 §3.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Rfc9207 {
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

impl AdditionalProviderMetadata for Rfc9207 {}

/// Claims that OpenID Connect does not define.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct OtherClaims(Map<String, Value>);

impl AdditionalClaims for OtherClaims {}

/// Where to send the browser. `state` comes back with it.
pub(crate) async fn depart(
    ctx: &Context,
    organisation: &Organisation,
    provider: &IdentityProvider,
    departure: &Departure,
    state: String,
    locales: &[String],
) -> Result<Url, ProviderError> {
    let metadata = ctx.provider_metadata(&provider.issuer).await?;
    let verifier = PkceCodeVerifier::new(departure.code_verifier.clone());
    let challenge = PkceCodeChallenge::from_code_verifier_sha256(&verifier);
    ctx.outbound().check(metadata.authorization_endpoint().url())?;
    let client = CoreClient::new(
        ClientId::new(provider.client_id.clone()),
        metadata.issuer().clone(),
        CoreJsonWebKeySet::default(),
    )
    .set_auth_uri(metadata.authorization_endpoint().clone())
    .set_redirect_uri(redirect_uri(organisation)?);
    let flow = CoreAuthenticationFlow::AuthorizationCode;
    let nonce = departure.nonce.clone();
    let mut request = client
        .authorize_url(flow, || CsrfToken::new(state), move || Nonce::new(nonce))
        .set_pkce_challenge(challenge)
        .add_scopes(provider.scopes.iter().filter(|scope| *scope != "openid").cloned().map(Scope::new));
    for locale in locales {
        request = request.add_ui_locale(LanguageTag::new(locale.clone()));
    }
    let (url, _state, _nonce) = request.url();
    Ok(url)
}

/// Turns the code into the claims of the person: those of the ID token, and those of the userinfo response when
/// `suffices` is not content with the former. The ID token, which is signed, wins where both have a claim.
pub(crate) async fn arrive(
    ctx: &Context,
    organisation: &Organisation,
    provider: &IdentityProvider,
    departure: Departure,
    returned: Return<'_>,
    now: Timestamp,
    suffices: impl Fn(&Map<String, Value>) -> bool,
) -> Result<Person, ProviderError> {
    let metadata = ctx.provider_metadata(&provider.issuer).await?;
    let promised = metadata.additional_metadata().authorization_response_iss_parameter_supported;
    match returned.issuer {
        None if promised => return Err(ProviderError::ResponseIssuer),
        Some(issuer) if issuer != provider.issuer => return Err(ProviderError::ResponseIssuer),
        None | Some(_) => {}
    }
    let token_endpoint = metadata.token_endpoint().ok_or(ProviderError::NoTokenEndpoint)?;
    let secret = secret(ctx, organisation, provider)?;
    let mut client =
        CoreClient::new(ClientId::new(provider.client_id.clone()), metadata.issuer().clone(), metadata.jwks().clone())
            .set_token_uri(token_endpoint.clone())
            .set_redirect_uri(redirect_uri(organisation)?);
    if let Some(secret) = secret {
        client = client.set_client_secret(ClientSecret::new(secret));
    }
    client = client.set_auth_type(match provider.authentication {
        ProviderAuthentication::ClientSecretBasic => AuthType::BasicAuth,
        ProviderAuthentication::ClientSecretPost
        | ProviderAuthentication::PrivateKeyJwt
        | ProviderAuthentication::None => AuthType::RequestBody,
    });
    let mut request = client
        .exchange_code(AuthorizationCode::new(returned.code.to_owned()))
        .set_pkce_verifier(PkceCodeVerifier::new(departure.code_verifier));
    if provider.authentication == ProviderAuthentication::PrivateKeyJwt {
        let assertion = client_assertion(ctx, organisation, provider, token_endpoint.as_str(), now).await?;
        request = request.add_extra_param("client_assertion_type", CLIENT_ASSERTION_TYPE);
        request = request.add_extra_param("client_assertion", assertion);
    }
    let answer = request.request_async(ctx.outbound()).await?;
    let id_token = answer.id_token().ok_or(ProviderError::NoIdToken)?;
    let expected = Expected { client_id: &provider.client_id, issuer: metadata.issuer(), nonce: &departure.nonce, now };
    let mut claims = match verify(id_token, metadata.jwks(), &expected) {
        // The keys may have been rotated since they were fetched.
        Err(ClaimsVerificationError::SignatureVerification(SignatureVerificationError::NoMatchingKey)) => {
            ctx.providers().known.invalidate(&provider.issuer).await;
            let renewed = ctx.provider_metadata(&provider.issuer).await?;
            verify(id_token, renewed.jwks(), &expected)?
        }
        verified => verified?,
    };
    // Two requirements of OpenID Connect Core 1.0 §3.1.3.7 that the library leaves out.
    if claims.get("azp").is_some_and(|party| party.as_str() != Some(provider.client_id.as_str())) {
        return Err(ProviderError::IdToken("azp names another client"));
    }
    let subject = claims.get("sub").and_then(Value::as_str).filter(|subject| !subject.is_empty());
    let subject = subject.ok_or(ProviderError::IdToken("sub is missing"))?.to_owned();
    let id_token = without_person(&id_token.to_string(), &claims);
    if !suffices(&claims)
        && let Some(endpoint) = metadata.userinfo_endpoint()
    {
        let client = client.set_user_info_url(endpoint.clone());
        let more = user_info(ctx, &client_access(answer.access_token()), subject, |token, subject| {
            client.user_info(token, Some(subject))
        })
        .await?;
        for (name, value) in more {
            claims.entry(name).or_insert(value);
        }
    }
    Ok(Person { claims, id_token })
}

/// Claims of an ID token that say how and when somebody signed in, not who.
const IMPERSONAL: [&str; 8] = ["iss", "aud", "azp", "iat", "exp", "auth_time", "acr", "amr"];

/// Header and claims of a verified ID token; claims about the person are only named.
fn without_person(id_token: &str, claims: &Map<String, Value>) -> Value {
    let impersonal = |name: &str| IMPERSONAL.contains(&name);
    let named: Vec<String> = claims.keys().filter(|name| !impersonal(name)).map(|name| excerpt(name)).collect();
    let claims: Map<String, Value> = IMPERSONAL
        .iter()
        .filter_map(|name| claims.get(*name).map(|value| ((*name).to_owned(), value.clone())))
        .collect();
    let header = redaction::jwt_header(id_token);
    let claims = Value::Object(claims);
    redaction::object([("header", header), ("claims", claims), ("other_claims", Value::from(named))])
}

fn client_access(token: &AccessToken) -> AccessToken {
    AccessToken::new(token.secret().clone())
}

type UserInfoRequest<'r> = openidconnect::UserInfoRequest<'r, CoreJweContentEncryptionAlgorithm, CoreJsonWebKey>;

/// The userinfo response, which must be about the same person (OpenID Connect Core 1.0 §5.3.2).
async fn user_info<'r>(
    ctx: &Context,
    token: &AccessToken,
    subject: String,
    request: impl FnOnce(AccessToken, SubjectIdentifier) -> UserInfoRequest<'r>,
) -> Result<Map<String, Value>, ProviderError> {
    let request = request(client_access(token), SubjectIdentifier::new(subject));
    let info: openidconnect::UserInfoClaims<OtherClaims, CoreGenderClaim> =
        request.request_async(ctx.outbound()).await?;
    match serde_json::to_value(&info) {
        Ok(Value::Object(claims)) => Ok(claims),
        Ok(_) | Err(_) => Err(ProviderError::UserInfo("it cannot be read")),
    }
}

/// What an ID token must say.
struct Expected<'e> {
    client_id: &'e str,
    issuer: &'e IssuerUrl,
    nonce: &'e str,
    now: Timestamp,
}

fn verify(
    id_token: &CoreIdToken,
    keys: &CoreJsonWebKeySet,
    expected: &Expected<'_>,
) -> Result<Map<String, Value>, ClaimsVerificationError> {
    let now = DateTime::<Utc>::from_timestamp_millis(expected.now.millis()).unwrap_or_default();
    let client_id = ClientId::new(expected.client_id.to_owned());
    let verifier = IdTokenVerifier::new_public_client(client_id, expected.issuer.clone(), key::keys(keys))
        .set_allowed_algs(ALGORITHMS)
        .set_time_fn(move || now)
        .set_issue_time_verifier_fn(move |issued| {
            if issued > now + CLOCK_AHEAD {
                Err("iat is in the future".to_owned())
            } else if issued < now - OLDEST {
                Err("iat is long ago".to_owned())
            } else {
                Ok(())
            }
        });
    id_token.claims(&verifier, |nonce: Option<&Nonce>| {
        let got = nonce.map(|nonce| nonce.secret().as_str()).unwrap_or_default();
        let equal = bool::from(got.as_bytes().ct_eq(expected.nonce.as_bytes()));
        if equal { Ok(()) } else { Err("nonce".to_owned()) }
    })?;
    // The same bytes as those verified, with the claims that the library's types leave out.
    let compact = id_token.to_string();
    let payload = compact.split('.').nth(1).and_then(|payload| URL_SAFE_NO_PAD.decode(payload).ok());
    let claims = payload.and_then(|payload| serde_json::from_slice(&payload).ok());
    claims.ok_or_else(|| ClaimsVerificationError::Other("payload".to_owned()))
}

/// Where a provider sends people back to: registered there, once per organisation.
pub(crate) fn redirect_uri_of(organisation: &Organisation) -> String {
    organisation.issuer.endpoint("sign-in/callback")
}

fn redirect_uri(organisation: &Organisation) -> Result<RedirectUrl, ProviderError> {
    RedirectUrl::new(redirect_uri_of(organisation)).map_err(|_| ProviderError::NotAUrl)
}

fn secret(
    ctx: &Context,
    organisation: &Organisation,
    provider: &IdentityProvider,
) -> Result<Option<String>, ProviderError> {
    let Some(sealed) = provider.sealed_secret.as_deref().filter(|_| provider.authentication.has_secret()) else {
        return Ok(None);
    };
    let row = organisation.id.as_uuid();
    let opened: Result<String, Failure<std::convert::Infallible>> =
        ctx.open(organisation, Place::IdentityProviderSecret, row, sealed);
    opened.map(Some).map_err(|_| ProviderError::Secret)
}

const CLIENT_ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// RFC 7523 §3. The audience is the issuer identifier, or the token endpoint for providers that know only that; both are
/// named, as FAPI 2.0 servers accept either.
async fn client_assertion(
    ctx: &Context,
    organisation: &Organisation,
    provider: &IdentityProvider,
    token_endpoint: &str,
    now: Timestamp,
) -> Result<String, ProviderError> {
    let keyring: Result<_, Failure<std::convert::Infallible>> = ctx.keyring(organisation).await;
    let keyring = keyring.map_err(|_| ProviderError::NoSigningKey)?;
    let key = keyring.signing("").ok_or(ProviderError::NoSigningKey)?;
    let claims = json!({
        "iss": provider.client_id,
        "sub": provider.client_id,
        "aud": [provider.issuer, token_endpoint],
        "jti": URL_SAFE_NO_PAD.encode(ctx.env().random::<16>()),
        "iat": now.seconds(),
        "exp": now.plus_seconds(ASSERTION_LIFETIME).seconds(),
    });
    let mut header = Map::new();
    header.insert("typ".to_owned(), Value::from("JWT"));
    header.insert("kid".to_owned(), Value::from(key.kid.as_str()));
    let signed = jws::sign(header, claims.to_string().as_bytes(), &key.signer).await;
    signed.map_err(|_| ProviderError::NoSigningKey)
}

impl Context {
    /// What the provider says about itself, with its keys; fetched once at a time and kept for ten minutes.
    async fn provider_metadata(&self, issuer: &str) -> Result<Arc<Metadata>, ProviderError> {
        let fetched = self.providers().known.try_get_with(issuer.to_owned(), self.discover(issuer)).await;
        fetched.map_err(|error| ProviderError::clone(&error))
    }

    /// The same, fetched within the last ten seconds: for a key that is not among those known.
    async fn renewed_provider_metadata(&self, issuer: &str) -> Result<Arc<Metadata>, ProviderError> {
        let fetched = self.providers().renewed.try_get_with(issuer.to_owned(), self.discover(issuer)).await;
        let renewed = fetched.map_err(|error| ProviderError::clone(&error))?;
        self.providers().known.insert(issuer.to_owned(), Arc::clone(&renewed)).await;
        Ok(renewed)
    }

    async fn discover(&self, issuer: &str) -> Result<Arc<Metadata>, ProviderError> {
        let issuer = IssuerUrl::new(issuer.to_owned()).map_err(|_| ProviderError::NotAUrl)?;
        Ok(Arc::new(Metadata::discover_async(issuer, self.outbound()).await?))
    }
}

impl<'c> AsyncHttpClient<'c> for Outbound {
    type Error = OutboundError;
    type Future = Pin<Box<dyn Future<Output = Result<http::Response<Vec<u8>>, OutboundError>> + Send + 'c>>;

    fn call(&'c self, request: http::Request<Vec<u8>>) -> Self::Future {
        Box::pin(self.send(request))
    }
}

impl From<OutboundError> for ProviderError {
    fn from(error: OutboundError) -> Self {
        match error {
            OutboundError::TimedOut | OutboundError::Certificate(_) | OutboundError::Unreachable => {
                Self::Unreachable(error.to_string())
            }
            OutboundError::Refused(_) | OutboundError::TooLarge(_) | OutboundError::Client(_) => {
                Self::NotAsked(error.to_string())
            }
        }
    }
}
