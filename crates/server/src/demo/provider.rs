//! A small OpenID Provider with three invented people, for the demo only: whoever asks may be any of them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Context as _;
use axum::extract::{Form, Query, State};
use axum::http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chancery_keys::{Algorithm, CertificateChain, Signer, SoftwareKey, jws, random_bytes, sha256};
use chancery_model::{Env, Timestamp};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use url::Url;

use super::definitions::people;
use crate::listener::Listener;

/// What the demo organisation is called here.
pub(super) const CLIENT_ID: &str = "chancery-demo";

/// Lifetime of a request and of a code, in seconds.
const LIFETIME: u32 = 600;

/// Requests and codes kept at most.
const CAPACITY: usize = 1000;

/// The running provider.
pub(super) struct Provider {
    pub(super) issuer: String,
    pub(super) client_secret: String,
    listener: Listener,
}

struct Inner {
    issuer: String,
    client_secret: String,
    redirect_uri: String,
    signer: Signer,
    env: Env,
    /// By an unguessable name: requests that wait for a choice, codes, and access tokens.
    open: Mutex<HashMap<String, Open>>,
}

#[derive(Clone)]
struct Open {
    nonce: Option<String>,
    state: Option<String>,
    code_challenge: String,
    person: Option<Value>,
    expires_at: Timestamp,
}

type Shared = State<Arc<Inner>>;

impl Provider {
    /// Starts on a free loopback port, for one client with this redirect URI.
    pub(super) async fn start(redirect_uri: String) -> anyhow::Result<Self> {
        let key = SoftwareKey::generate(Algorithm::Es256)?;
        let kid = key.public_jwk().thumbprint();
        let signer = key.into_signer(kid, CertificateChain::default());
        let client_secret = unguessable();
        // The address is in the documents, so it is found before they are served.
        let probe = Listener::start(([127, 0, 0, 1], 0).into(), Router::new()).await?;
        let address = probe.address();
        probe.drain(std::time::Duration::ZERO).await;
        let issuer = format!("http://{address}");
        let inner = Arc::new(Inner {
            issuer: issuer.clone(),
            client_secret: client_secret.clone(),
            redirect_uri,
            signer,
            env: Env::system(),
            open: Mutex::default(),
        });
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(metadata))
            .route("/jwks", get(jwks))
            .route("/authorize", get(choose).post(chosen))
            .route("/token", post(token))
            .route("/userinfo", get(user_info))
            .with_state(inner);
        let listener = Listener::start(address, router).await.context("the demo's identity provider cannot listen")?;
        Ok(Self { issuer, client_secret, listener })
    }

    pub(super) async fn stop(self) {
        self.listener.drain(std::time::Duration::ZERO).await;
    }
}

impl Inner {
    fn open(&self) -> MutexGuard<'_, HashMap<String, Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps something under a new name; `None` when too much is kept already.
    fn keep(&self, open: Open) -> Option<String> {
        let now = self.env.now();
        let mut kept = self.open();
        kept.retain(|_, open| now < open.expires_at);
        let name = unguessable();
        (kept.len() < CAPACITY).then(|| kept.insert(name.clone(), open))?;
        Some(name)
    }

    /// Takes something out; it is good for once.
    fn take(&self, name: &str) -> Option<Open> {
        let now = self.env.now();
        self.open().remove(name).filter(|open| now < open.expires_at)
    }
}

async fn metadata(State(inner): Shared) -> Json<Value> {
    let issuer = &inner.issuer;
    Json(json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "userinfo_endpoint": format!("{issuer}/userinfo"),
        "jwks_uri": format!("{issuer}/jwks"),
        "scopes_supported": ["openid", "profile"],
        "response_types_supported": ["code"],
        "grant_types_supported": ["authorization_code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic"],
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": true,
    }))
}

async fn jwks(State(inner): Shared) -> Json<Value> {
    let mut key = inner.signer.public_jwk().to_json();
    key.insert("kid".to_owned(), inner.signer.key_id().into());
    key.insert("use".to_owned(), "sig".into());
    key.insert("alg".to_owned(), "ES256".into());
    Json(json!({ "keys": [key] }))
}

#[derive(Deserialize)]
struct AuthenticationRequest {
    client_id: String,
    redirect_uri: String,
    response_type: String,
    code_challenge: String,
    code_challenge_method: String,
    nonce: Option<String>,
    state: Option<String>,
}

async fn choose(State(inner): Shared, Query(asked): Query<AuthenticationRequest>) -> Response {
    let is_ours = asked.client_id == CLIENT_ID && asked.redirect_uri == inner.redirect_uri;
    if !is_ours || asked.response_type != "code" || asked.code_challenge_method != "S256" {
        return (StatusCode::BAD_REQUEST, "this is not a request of the demo organisation").into_response();
    }
    let kept = inner.keep(Open {
        nonce: asked.nonce,
        state: asked.state,
        code_challenge: asked.code_challenge,
        person: None,
        expires_at: inner.env.now().plus_seconds(LIFETIME),
    });
    let Some(request) = kept else { return StatusCode::SERVICE_UNAVAILABLE.into_response() };
    let nonce = unguessable();
    let mut buttons = String::new();
    for (position, person) in people().iter().enumerate() {
        let text = |name: &str| person.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (name, born) = (format!("{} {}", text("given_name"), text("family_name")), text("birthdate"));
        buttons.push_str(&format!("<button name=person value={position}>{name}<small>born {born}</small></button>"));
    }
    let page = format!(
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content=\"width=device-width\">\
         <title>Demo sign-in</title><style nonce={nonce}>{STYLE}</style><main><p class=brand>Demo sign-in</p>\
         <h1>Who are you today?</h1><p>These people are invented. Nobody is asked for a password.</p>\
         <form method=post action=authorize><input type=hidden name=request value={request}>{buttons}\
         <button class=no name=person value=nobody>Cancel</button></form></main></html>"
    );
    let origin = Url::parse(&inner.redirect_uri).map(|url| url.origin().ascii_serialization()).unwrap_or_default();
    let policy = format!(
        "default-src 'none'; style-src 'nonce-{nonce}'; form-action 'self' {origin}; frame-ancestors 'none'; base-uri 'none'"
    );
    let headers = [
        (CONTENT_SECURITY_POLICY, policy),
        (CACHE_CONTROL, "no-store".to_owned()),
        (REFERRER_POLICY, "no-referrer".to_owned()),
    ];
    (headers, Html(page)).into_response()
}

const STYLE: &str = "*{box-sizing:border-box}body{margin:0;min-height:100vh;display:grid;place-items:start center;\
background:#26313f;color:#17202c;font:100%/1.5 system-ui,sans-serif}main{background:#fff;max-width:26rem;width:100%;\
min-height:100vh;padding:2rem 1.5rem}h1{font-size:1.5rem;line-height:1.25;margin:.25rem 0 .5rem}.brand{margin:0;color:#516073;\
font-weight:600}button{display:block;width:100%;text-align:left;font:inherit;font-weight:600;padding:.875rem 1.125rem;\
margin:.625rem 0;border:1px solid #8b99ab;border-radius:.625rem;background:#fff;color:#17202c;cursor:pointer}\
button:hover{background:#f2f7fc;border-color:#0b5cad}button:focus-visible{outline:3px solid #f0a000;outline-offset:2px}\
small{display:block;font-size:.875rem;font-weight:400;color:#516073}.no{text-align:center;border-color:transparent;\
color:#0b5cad}@media(min-width:30rem){main{min-height:0;margin:4rem 0;\
border-radius:1rem}}";

#[derive(Deserialize)]
struct Choice {
    request: String,
    person: String,
}

async fn chosen(State(inner): Shared, Form(choice): Form<Choice>) -> Response {
    let Some(open) = inner.take(&choice.request) else {
        return (StatusCode::BAD_REQUEST, "this page was used or has expired; begin again in the wallet")
            .into_response();
    };
    let Ok(mut back) = Url::parse(&inner.redirect_uri) else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let person = choice.person.parse().ok().and_then(|position: usize| people().into_iter().nth(position));
    let state = open.state.clone();
    let code = person.and_then(|person| inner.keep(Open { person: Some(person), ..open }));
    {
        let mut query = back.query_pairs_mut();
        match &code {
            Some(code) => query.append_pair("code", code),
            None => query.append_pair("error", "access_denied"),
        };
        if let Some(state) = &state {
            query.append_pair("state", state);
        }
        query.append_pair("iss", &inner.issuer);
    }
    Redirect::to(back.as_str()).into_response()
}

#[derive(Deserialize)]
struct TokenRequest {
    grant_type: String,
    code: String,
    redirect_uri: String,
    code_verifier: String,
}

async fn token(State(inner): Shared, headers: HeaderMap, Form(asked): Form<TokenRequest>) -> Response {
    let refuse = |status, error| (status, Json(json!({ "error": error }))).into_response();
    let expected = format!("Basic {}", STANDARD.encode(format!("{CLIENT_ID}:{}", inner.client_secret)));
    if headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()) != Some(expected.as_str()) {
        return refuse(StatusCode::UNAUTHORIZED, "invalid_client");
    }
    let challenge = URL_SAFE_NO_PAD.encode(sha256(asked.code_verifier.as_bytes()));
    let open = inner.take(&asked.code).filter(|open| {
        open.code_challenge == challenge
            && asked.redirect_uri == inner.redirect_uri
            && asked.grant_type == "authorization_code"
    });
    let Some((open, person)) = open.and_then(|open| open.person.clone().map(|person| (open, person))) else {
        return refuse(StatusCode::BAD_REQUEST, "invalid_grant");
    };
    let now = inner.env.now();
    let mut claims: Map<String, Value> = ["sub", "given_name", "family_name"]
        .into_iter()
        .filter_map(|name| Some((name.to_owned(), person.get(name)?.clone())))
        .collect();
    claims.insert("iss".to_owned(), inner.issuer.as_str().into());
    claims.insert("aud".to_owned(), CLIENT_ID.into());
    claims.insert("iat".to_owned(), now.seconds().into());
    claims.insert("exp".to_owned(), now.plus_seconds(LIFETIME).seconds().into());
    if let Some(nonce) = &open.nonce {
        claims.insert("nonce".to_owned(), nonce.as_str().into());
    }
    let mut header = Map::new();
    header.insert("kid".to_owned(), inner.signer.key_id().into());
    let id_token = jws::sign(header, Value::Object(claims).to_string().as_bytes(), &inner.signer).await;
    match (id_token, inner.keep(open)) {
        (Ok(id_token), Some(access_token)) => {
            let answer = json!({
                "access_token": access_token, "token_type": "Bearer", "expires_in": LIFETIME, "id_token": id_token
            });
            ([(CACHE_CONTROL, "no-store")], Json(answer)).into_response()
        }
        (Err(_), _) | (_, None) => refuse(StatusCode::INTERNAL_SERVER_ERROR, "server_error"),
    }
}

async fn user_info(State(inner): Shared, headers: HeaderMap) -> Response {
    let token = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    match token.and_then(|token| inner.take(token)).and_then(|open| open.person) {
        Some(person) => Json(person).into_response(),
        None => StatusCode::UNAUTHORIZED.into_response(),
    }
}

fn unguessable() -> String {
    URL_SAFE_NO_PAD.encode(random_bytes::<32>())
}
