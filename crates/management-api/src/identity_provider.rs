//! The OpenID Provider at which the people of an organisation sign in.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use chancery_issuance::Context;
use chancery_issuance::management::identity_provider::{self, ConnectRejection, Connection, Rejection};
use chancery_model::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::access::Organisational;
use crate::precondition::{IfMatch, IfMatchHeader, tagged};
use crate::problem::Problem;
use crate::request::Body;
use crate::routes;

/// Connect an identity provider.
///
/// People sign in there when a wallet asks for a credential with the authorization code flow. An organisation has one
/// provider; what is sent replaces the connection as a whole. A `clientSecret` that is left out stays as long as `issuer`
/// and `clientId` do. Register the answer's `redirectUri` at the provider.
#[utoipa::path(
    put, path = routes::IDENTITY_PROVIDER, tag = "Identity provider", operation_id = "connectIdentityProvider",
    params(IfMatchHeader),
    request_body(content = IdentityProviderSchema, example = json!({
        "issuer": "https://login.example/realms/staff",
        "clientId": "chancery",
        "clientAuthentication": "client_secret_basic",
        "clientSecret": "c5VbdhEcaFl8Q2Z7jQyqPw",
        "scopes": ["openid", "profile", "email"]
    })),
    responses(
        (status = 200, description = "The connection", body = IdentityProviderAnswer),
        (status = 412, description = "Problem `precondition-failed`"),
    ),
)]
pub(crate) async fn connect(
    Organisational(caller): Organisational,
    State(ctx): State<Context>,
    IfMatch(seen): IfMatch<Timestamp>,
    body: Body,
) -> Result<Response, Problem> {
    let connected = identity_provider::connect(&ctx, &caller.organisation, seen, &body.members).await;
    connected.map(answer).map_err(|failure| {
        Problem::of(failure, |rejection| match rejection {
            ConnectRejection::Invalid(faults) => Problem::invalid(faults),
            ConnectRejection::Stale => Problem::stale(),
        })
    })
}

/// Read the identity provider.
///
/// The client secret is never shown.
#[utoipa::path(
    get, path = routes::IDENTITY_PROVIDER, tag = "Identity provider", operation_id = "readIdentityProvider",
    responses(
        (status = 200, description = "The connection", body = IdentityProviderAnswer),
        (status = 404, description = "None is connected: problem `not-found`"),
    ),
)]
pub(crate) async fn read(
    Organisational(caller): Organisational,
    State(ctx): State<Context>,
) -> Result<Response, Problem> {
    let found = identity_provider::read(&ctx, &caller.organisation).await;
    found.map(answer).map_err(|failure| Problem::of(failure, refuse))
}

/// Disconnect the identity provider.
///
/// The authorization code flow then ends at this server; people who are on their way through the provider cannot go on.
#[utoipa::path(
    delete, path = routes::IDENTITY_PROVIDER, tag = "Identity provider", operation_id = "disconnectIdentityProvider",
    params(IfMatchHeader),
    responses(
        (status = 204, description = "The provider is disconnected"),
        (status = 404, description = "None is connected: problem `not-found`"),
        (status = 412, description = "Problem `precondition-failed`"),
    ),
)]
pub(crate) async fn disconnect(
    Organisational(caller): Organisational,
    State(ctx): State<Context>,
    IfMatch(seen): IfMatch<Timestamp>,
) -> Result<StatusCode, Problem> {
    let gone = identity_provider::disconnect(&ctx, &caller.organisation, seen).await;
    gone.map(|()| StatusCode::NO_CONTENT).map_err(|failure| Problem::of(failure, refuse))
}

fn refuse(rejection: Rejection) -> Problem {
    match rejection {
        Rejection::NotFound => Problem::not_found("identity provider"),
        Rejection::Stale => Problem::stale(),
    }
}

fn answer(connection: Connection) -> Response {
    let Connection { provider, redirect_uri } = connection;
    let version = provider.updated_at;
    let answer = IdentityProviderAnswer {
        identity_provider: IdentityProvider {
            issuer: provider.issuer,
            client_id: provider.client_id,
            client_authentication: provider.authentication,
            client_secret_set: provider.sealed_secret.is_some(),
            scopes: provider.scopes,
            redirect_uri,
            created_at: provider.created_at.seconds(),
            updated_at: provider.updated_at.seconds(),
        },
    };
    tagged(version, Json(answer))
}

/// A connection to an OpenID Provider.
#[derive(ToSchema)]
#[schema(as = NewIdentityProvider, rename_all = "camelCase")]
#[expect(dead_code, reason = "only describes the body, which the use case reads")]
pub(crate) struct IdentityProviderSchema {
    /// Issuer identifier: an `https` URL with a public address, unless the deployment allows others.
    #[schema(min_length = 1, max_length = 2048, format = "uri")]
    issuer: String,
    /// What this server is called there.
    #[schema(min_length = 1, max_length = 2048)]
    client_id: String,
    /// `client_secret_basic` (default), `client_secret_post`, `private_key_jwt` (with the organisation's active signing
    /// key, which its JWK set publishes) or `none`.
    client_authentication: Option<ClientAuthenticationSchema>,
    /// Shown never again.
    #[schema(max_length = 2048)]
    client_secret: Option<String>,
    /// Scopes to ask for. `openid` is always among them; default: `openid` and `profile`.
    #[schema(value_type = Option<Vec<ScopeName>>, max_items = 32)]
    scopes: Option<Vec<String>>,
}

/// A scope (RFC 6749 §3.3).
#[derive(ToSchema)]
#[schema(pattern = r##"^[!#-\[\]-~]{1,128}$"##)]
#[expect(dead_code, reason = "only describes the scopes, which the use case reads")]
pub(crate) struct ScopeName(String);

/// How this server authenticates at a provider.
#[derive(ToSchema)]
#[schema(as = ClientAuthentication, rename_all = "snake_case")]
#[expect(dead_code, reason = "only describes the model's authentication")]
pub(crate) enum ClientAuthenticationSchema {
    ClientSecretBasic,
    ClientSecretPost,
    PrivateKeyJwt,
    None,
}

/// A connection to an OpenID Provider.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct IdentityProvider {
    /// Issuer identifier.
    #[schema(example = "https://login.example/realms/staff")]
    issuer: String,
    /// What this server is called there.
    #[schema(example = "chancery")]
    client_id: String,
    /// How this server authenticates there.
    #[schema(value_type = ClientAuthenticationSchema)]
    client_authentication: chancery_model::ProviderAuthentication,
    /// Whether a client secret is kept.
    #[schema(example = true)]
    client_secret_set: bool,
    /// Scopes to ask for.
    #[schema(example = json!(["openid", "profile", "email"]))]
    scopes: Vec<String>,
    /// To be registered at the provider.
    #[schema(example = "https://issuer.example/o/acme/sign-in/callback")]
    redirect_uri: String,
    /// Unix seconds.
    created_at: i64,
    /// Unix seconds.
    updated_at: i64,
}

/// A connection to an OpenID Provider.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct IdentityProviderAnswer {
    identity_provider: IdentityProvider,
}
