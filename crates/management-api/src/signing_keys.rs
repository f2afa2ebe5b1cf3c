//! Keys that sign credentials.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use chancery_issuance::Context;
use chancery_issuance::management::signing_keys::{self, ChangeRejection, CreateRejection, ReadRejection};
use chancery_model::{SigningKeyId, SigningKeyState, Timestamp};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::access::{Organisational, never};
use crate::list::{Pagination, WindowQuery};
use crate::precondition::{IfMatch, IfMatchHeader, tagged};
use crate::problem::{Kind, Problem};
use crate::request::{Body, Id, OptionalBody, Parameters};
use crate::routes;

/// Generate a signing key.
#[utoipa::path(
    post, path = routes::KEYS, tag = "Signing keys", operation_id = "createSigningKey",
    request_body(content = Option<NewSigningKeySchema>, example = json!({ "algorithm": "ES256", "state": "active" })),
    responses((status = 201, description = "The key", body = SigningKeyAnswer)),
)]
pub(crate) async fn create(
    Organisational(caller): Organisational,
    State(ctx): State<Context>,
    OptionalBody(body): OptionalBody,
) -> Result<(StatusCode, Response), Problem> {
    let key = signing_keys::create(&ctx, &caller.organisation, &body).await;
    let key = key.map_err(|failure| Problem::of(failure, refuse_new))?;
    Ok((StatusCode::CREATED, answer(&key)))
}

/// List signing keys in every state.
#[utoipa::path(
    get, path = routes::KEYS, tag = "Signing keys", operation_id = "listSigningKeys",
    params(WindowQuery),
    responses((status = 200, description = "One page of keys", body = SigningKeyList)),
)]
pub(crate) async fn list(
    Organisational(caller): Organisational,
    State(ctx): State<Context>,
    mut query: Parameters,
) -> Result<Json<SigningKeyList>, Problem> {
    let window = query.window();
    query.finish()?;
    let page = signing_keys::list(&ctx, &caller.organisation, window).await.map_err(never)?;
    Ok(Json(SigningKeyList {
        keys: page.items.iter().map(SigningKey::from).collect(),
        pagination: page.pagination.into(),
    }))
}

/// Put another key in place of the one that signs.
///
/// The oldest `next` key of the algorithm becomes active, or a new one is made; the keys that signed so far
/// stay published as `verify-only`, so that earlier credentials keep verifying.
#[utoipa::path(
    post, path = routes::KEYS_ROTATE, tag = "Signing keys", operation_id = "rotateSigningKey",
    request_body(content = Option<RotationSchema>, example = json!({ "algorithm": "ES256" })),
    responses((status = 200, description = "The key that signs from now on", body = SigningKeyAnswer)),
)]
pub(crate) async fn rotate(
    Organisational(caller): Organisational,
    State(ctx): State<Context>,
    OptionalBody(body): OptionalBody,
) -> Result<Response, Problem> {
    let key = signing_keys::rotate(&ctx, &caller.organisation, &body).await;
    key.map(|key| answer(&key)).map_err(|failure| Problem::of(failure, refuse_new))
}

/// Read a signing key.
#[utoipa::path(
    get, path = routes::KEY, tag = "Signing keys", operation_id = "readSigningKey",
    params(("signingKeyId" = String, Path, description = "Id of the key", format = Uuid)),
    responses((status = 200, description = "The key", body = SigningKeyAnswer)),
)]
pub(crate) async fn read(
    Organisational(caller): Organisational,
    State(ctx): State<Context>,
    Id(id): Id<SigningKeyId>,
) -> Result<Response, Problem> {
    let key = signing_keys::read(&ctx, &caller.organisation, id).await;
    key.map(|key| answer(&key)).map_err(|failure| {
        Problem::of(failure, |rejection| match rejection {
            ReadRejection::NotFound => Problem::not_found("signing key"),
        })
    })
}

/// Move a signing key along its life.
///
/// `next` (published, not signing) to `active` (signs) to `verify-only` (published) to `retired` (gone from
/// the JWKS).
#[utoipa::path(
    put, path = routes::KEY_STATE, tag = "Signing keys", operation_id = "setSigningKeyState",
    params(("signingKeyId" = String, Path, description = "Id of the key", format = Uuid), IfMatchHeader),
    request_body(content = SigningKeyStateBody, example = json!({ "state": "verify-only" })),
    responses(
        (status = 200, description = "The key", body = SigningKeyAnswer),
        (status = 412, description = "Problem `precondition-failed`"),
        (status = 409, description = "Problem `key-state`"),
    ),
)]
pub(crate) async fn set_state(
    Organisational(caller): Organisational,
    State(ctx): State<Context>,
    Id(id): Id<SigningKeyId>,
    IfMatch(seen): IfMatch<Timestamp>,
    body: Body,
) -> Result<Response, Problem> {
    let key = signing_keys::set_state(&ctx, &caller.organisation, id, seen, &body.members).await;
    key.map(|key| answer(&key)).map_err(|failure| Problem::of(failure, refuse_change))
}

/// Upload the certificate chain of a signing key.
///
/// PEM, leaf first, without the trust anchor. It must be for this key, in order and valid now; `warnings`
/// tells what only some verifiers mind. An empty text takes the chain away.
#[utoipa::path(
    put, path = routes::KEY_CHAIN, tag = "Signing keys", operation_id = "uploadCertificateChain",
    params(("signingKeyId" = String, Path, description = "Id of the key", format = Uuid), IfMatchHeader),
    request_body(
        content = CertificateChainBody,
        example = json!({ "certificateChain": "-----BEGIN CERTIFICATE-----\nMIIB…\n-----END CERTIFICATE-----\n" }),
    ),
    responses(
        (status = 200, description = "The key with its chain", body = CertifiedKey),
        (status = 412, description = "Problem `precondition-failed`"),
    ),
)]
pub(crate) async fn certify(
    Organisational(caller): Organisational,
    State(ctx): State<Context>,
    Id(id): Id<SigningKeyId>,
    IfMatch(seen): IfMatch<Timestamp>,
    body: Body,
) -> Result<Response, Problem> {
    let certified = signing_keys::certify(&ctx, &caller.organisation, id, seen, &body.members).await;
    let certified = certified.map_err(|failure| Problem::of(failure, refuse_change))?;
    let answer = CertifiedKey { key: SigningKey::from(&certified.key), warnings: certified.warnings };
    Ok(tagged(certified.key.updated_at, Json(answer)))
}

/// Make a certificate signing request for a signing key.
#[utoipa::path(
    post, path = routes::KEY_CSR, tag = "Signing keys", operation_id = "createCertificateSigningRequest",
    params(("signingKeyId" = String, Path, description = "Id of the key", format = Uuid)),
    request_body(
        content = Option<CertificateRequestBody>,
        example = json!({ "commonName": "Acme Registry", "names": ["issuer.example"] }),
    ),
    responses((status = 200, description = "The request in PEM (PKCS#10)", body = CertificateRequest)),
)]
pub(crate) async fn request_certificate(
    Organisational(caller): Organisational,
    State(ctx): State<Context>,
    Id(id): Id<SigningKeyId>,
    OptionalBody(body): OptionalBody,
) -> Result<Json<CertificateRequest>, Problem> {
    let csr = signing_keys::request_certificate(&ctx, &caller.organisation, id, &body).await;
    let csr = csr.map_err(|failure| Problem::of(failure, refuse_change))?;
    Ok(Json(CertificateRequest { csr }))
}

fn refuse_new(rejection: CreateRejection) -> Problem {
    match rejection {
        CreateRejection::Invalid(faults) => Problem::invalid(faults),
    }
}

fn refuse_change(rejection: ChangeRejection) -> Problem {
    match rejection {
        ChangeRejection::NotFound => Problem::not_found("signing key"),
        ChangeRejection::Invalid(faults) => Problem::invalid(faults),
        ChangeRejection::Stale => Problem::stale(),
        ChangeRejection::State { from, to } => {
            let detail = format!("a key that is {} cannot become {}", state_name(from), state_name(to));
            Problem::new(Kind::KeyState, detail)
        }
    }
}

fn state_name(state: SigningKeyState) -> &'static str {
    match state {
        SigningKeyState::Next => "next",
        SigningKeyState::Active => "active",
        SigningKeyState::VerifyOnly => "verify-only",
        SigningKeyState::Retired => "retired",
    }
}

fn answer(key: &chancery_model::SigningKey) -> Response {
    tagged(key.updated_at, Json(SigningKeyAnswer { key: SigningKey::from(key) }))
}

/// What a new key is to be.
#[derive(ToSchema)]
#[schema(as = NewSigningKey, rename_all = "camelCase")]
#[expect(dead_code, reason = "only describes the body, which the use case reads")]
pub(crate) struct NewSigningKeySchema {
    /// `ES256` (default), `ES384` or `EdDSA`.
    algorithm: Option<AlgorithmSchema>,
    /// `active` (default) signs from now on, `next` is published first.
    state: Option<FirstStateSchema>,
}

/// State of a new signing key.
#[derive(ToSchema)]
#[schema(as = FirstSigningKeyState, rename_all = "lowercase")]
#[expect(dead_code, reason = "only describes the model's state")]
pub(crate) enum FirstStateSchema {
    Active,
    Next,
}

/// What a rotation is to bring.
#[derive(ToSchema)]
#[schema(as = Rotation, rename_all = "camelCase")]
#[expect(dead_code, reason = "only describes the body, which the use case reads")]
pub(crate) struct RotationSchema {
    /// Default: the algorithm of the key that signs now.
    algorithm: Option<AlgorithmSchema>,
}

/// Signature algorithm by its JOSE name.
#[derive(ToSchema)]
#[schema(as = Algorithm)]
#[expect(dead_code, reason = "only describes the algorithm names")]
pub(crate) enum AlgorithmSchema {
    #[schema(rename = "ES256")]
    Es256,
    #[schema(rename = "ES384")]
    Es384,
    #[schema(rename = "EdDSA")]
    EdDsa,
}

/// Life of a signing key.
#[derive(ToSchema)]
#[schema(as = SigningKeyState, rename_all = "kebab-case")]
#[expect(dead_code, reason = "only describes the model's state")]
pub(crate) enum SigningKeyStateSchema {
    Next,
    Active,
    VerifyOnly,
    Retired,
}

/// The state a key is to take.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only describes the body, which the use case reads")]
pub(crate) struct SigningKeyStateBody {
    state: SigningKeyStateSchema,
}

/// A certificate chain.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "only describes the body, which the use case reads")]
pub(crate) struct CertificateChainBody {
    /// PEM, leaf first; empty to take the chain away.
    #[schema(max_length = 262_144)]
    certificate_chain: String,
}

/// What a certificate signing request is to say.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "only describes the body, which the use case reads")]
pub(crate) struct CertificateRequestBody {
    /// Without control characters. Default: the organisation's name.
    #[schema(max_length = 64, pattern = r"^[^\x00-\x1f\x7f-\x9f]*$")]
    common_name: Option<String>,
    /// DNS names and URIs. Default: host and issuer identifier of the organisation.
    #[schema(value_type = Option<Vec<CertificateName>>, max_items = 20)]
    names: Option<Vec<String>>,
}

/// A DNS name or URI in a certificate.
#[derive(ToSchema)]
#[schema(
    max_length = 255,
    pattern = r"^([A-Za-z][A-Za-z0-9+.-]*:[!-~]+|(\*\.)?[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*)$"
)]
#[expect(dead_code, reason = "only describes the names, which the use case reads")]
pub(crate) struct CertificateName(String);

/// A signing key; the private part never leaves the server.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SigningKey {
    /// Id.
    #[schema(format = Uuid)]
    id: String,
    /// `kid` in the JWKS and in credential headers: the RFC 7638 thumbprint.
    #[schema(example = "fyije3PRVy4yZi-M8dezeFOY5PGfRKBr7HoBG1KU7XA")]
    kid: String,
    /// Signature algorithm.
    #[schema(value_type = AlgorithmSchema)]
    algorithm: String,
    /// Where it stands in its life.
    #[schema(value_type = SigningKeyStateSchema)]
    state: SigningKeyState,
    /// Public part as a JWK.
    #[schema(value_type = Object)]
    public_jwk: Map<String, Value>,
    /// Certificate chain in PEM, leaf first; empty when there is none.
    certificate_chain: String,
    /// Unix seconds.
    created_at: i64,
    /// Unix seconds.
    updated_at: i64,
}

impl From<&chancery_model::SigningKey> for SigningKey {
    fn from(key: &chancery_model::SigningKey) -> Self {
        Self {
            id: key.id.to_string(),
            kid: key.kid.clone(),
            algorithm: key.algorithm.name().to_owned(),
            state: key.state,
            public_jwk: key.public_jwk.to_json(),
            certificate_chain: key.certificate_chain.clone(),
            created_at: key.created_at.seconds(),
            updated_at: key.updated_at.seconds(),
        }
    }
}

/// A signing key.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SigningKeyAnswer {
    key: SigningKey,
}

/// One page of signing keys.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SigningKeyList {
    keys: Vec<SigningKey>,
    pagination: Pagination,
}

/// A key whose chain was just uploaded.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CertifiedKey {
    key: SigningKey,
    /// What only some verifiers mind.
    warnings: Vec<String>,
}

/// A certificate signing request.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CertificateRequest {
    /// PKCS#10 in PEM.
    csr: String,
}
