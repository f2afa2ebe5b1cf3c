//! An OpenID Provider, written by hand, that misbehaves when told to.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use chancery_model::Env;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use url::Url;

use crate::jwt::{Damage, Jwt, object};
use crate::key::{Key, base64url, random, sha256};

/// A provider on a free loopback port: discovery, keys, token and userinfo endpoints. Its authorization endpoint is
/// [`IdentityProvider::sign_in`], which the test plays. Dropping it stops it.
#[derive(Debug)]
pub struct IdentityProvider {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    serving: JoinHandle<()>,
}

#[derive(Debug)]
struct State {
    env: Env,
    key: Key,
    issuer: String,
    person: Value,
    user_info: Value,
    fault: Fault,
    requests: Vec<String>,
    codes: HashMap<String, Begun>,
}

/// What a code stands for.
#[derive(Clone, Debug)]
struct Begun {
    client_id: String,
    redirect_uri: String,
    nonce: String,
    code_challenge: String,
}

/// How a provider misbehaves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Fault {
    /// Not at all.
    #[default]
    None,
    /// Claims of the ID token are others; `null` takes one out.
    Claim(&'static str, Value),
    /// The ID token is damaged.
    Damaged(Damage),
    /// `alg` in its header is this.
    Algorithm(&'static str),
    /// It is signed with a key that is published nowhere, under the `kid` of the published one.
    ForeignKey,
    /// The token endpoint answers this status and body.
    Token(u16, Value),
    /// The userinfo response is about another person.
    OtherSubject,
    /// Every document is this long.
    Huge(usize),
    /// Every request is answered with a redirect to there.
    Redirect(String),
    /// Connections are accepted, and nothing is answered.
    Silent,
    /// Discovery names another issuer.
    OtherIssuer,
}

impl IdentityProvider {
    /// Listens; `env` is the clock of the world.
    pub async fn start(env: &Env) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("its address");
        let state = Arc::new(Mutex::new(State {
            env: env.clone(),
            key: Key::p256(),
            issuer: format!("http://{address}"),
            person: json!({"sub": "person-1", "given_name": "Oyelaran", "family_name": "Brightwater"}),
            user_info: json!({"sub": "person-1"}),
            fault: Fault::None,
            requests: Vec::new(),
            codes: HashMap::new(),
        }));
        let serving = tokio::spawn(accept(listener, Arc::clone(&state)));
        Self { address, state, serving }
    }

    /// Its issuer identifier.
    pub fn issuer(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The claims of ID tokens, `sub` among them.
    pub fn set_person(&self, claims: Value) {
        self.state().person = claims;
    }

    /// The userinfo response.
    pub fn set_user_info(&self, claims: Value) {
        self.state().user_info = claims;
    }

    /// From now on it misbehaves like this.
    pub fn misbehave(&self, fault: Fault) {
        self.state().fault = fault;
    }

    /// Signs with a new key from now on, and publishes only that.
    pub fn rotate_key(&self) {
        self.state().key = Key::p256();
    }

    /// Signs with this key from now on, and publishes only that.
    pub fn set_key(&self, key: Key) {
        self.state().key = key;
    }

    /// An access token (RFC 9068) for five minutes, to be changed or sent; `claims` are added, or take the place of others.
    pub fn access_token(&self, audience: &str, claims: Value) -> Jwt {
        let state = self.state();
        let now = state.env.now().seconds();
        let mut all = json!({
            "iss": state.issuer, "aud": audience, "sub": "person-1", "client_id": "console", "jti": random(16),
            "iat": now, "exp": now + 300,
        });
        for (name, value) in object(claims) {
            all[name] = value;
        }
        Jwt::new(&state.key, json!({"typ": "at+jwt", "kid": state.key.thumbprint()}), all)
    }

    /// Paths that were asked for so far, oldest first.
    pub fn requests(&self) -> Vec<String> {
        self.state().requests.clone()
    }

    /// The person signs in: takes the URL that the browser was sent to, and answers the one it is sent back to.
    ///
    /// # Panics
    /// When the request breaks the rules for one.
    pub fn sign_in(&self, location: &str) -> String {
        let (begun, state) = self.begun(location);
        let code = random(16);
        let back = back(&begun.redirect_uri, &[("code", &code), ("state", &state), ("iss", &self.issuer())]);
        self.state().codes.insert(code, begun);
        back
    }

    /// The provider answers an error instead.
    pub fn refuse(&self, location: &str, error: &str) -> String {
        let (begun, state) = self.begun(location);
        back(&begun.redirect_uri, &[("error", error), ("state", &state), ("iss", &self.issuer())])
    }

    fn begun(&self, location: &str) -> (Begun, String) {
        let url = Url::parse(location).expect("a URL");
        assert_eq!(format!("{}{}", self.issuer(), url.path()), format!("{}/authorize", self.issuer()));
        let query: HashMap<String, String> = url.query_pairs().into_owned().collect();
        assert_eq!(query["response_type"], "code");
        assert_eq!(query["code_challenge_method"], "S256");
        assert!(query["scope"].split(' ').any(|scope| scope == "openid"));
        let begun = Begun {
            client_id: query["client_id"].clone(),
            redirect_uri: query["redirect_uri"].clone(),
            nonce: query["nonce"].clone(),
            code_challenge: query["code_challenge"].clone(),
        };
        (begun, query["state"].clone())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("the lock")
    }
}

impl Drop for IdentityProvider {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

fn back(redirect_uri: &str, members: &[(&str, &str)]) -> String {
    let mut url = Url::parse(redirect_uri).expect("a redirect URI");
    url.query_pairs_mut().extend_pairs(members);
    url.into()
}

async fn accept(listener: TcpListener, state: Arc<Mutex<State>>) {
    // Ended with this task, so that nothing is answered once the provider is dropped.
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let state = Arc::clone(&state);
        connections.spawn(async move {
            let mut stream = BufReader::new(stream);
            // A client that goes away is not this provider's trouble.
            while let Ok(true) = serve(&mut stream, &state).await {}
        });
        while connections.try_join_next().is_some() {}
    }
}

/// Answers one request; whether another one may follow on the connection.
async fn serve(stream: &mut BufReader<TcpStream>, state: &Mutex<State>) -> std::io::Result<bool> {
    let mut line = String::new();
    if stream.read_line(&mut line).await? == 0 {
        return Ok(false);
    }
    let target = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let (mut length, mut authorization) = (0, String::new());
    loop {
        let mut header = String::new();
        stream.read_line(&mut header).await?;
        let Some((name, value)) = header.trim().split_once(':') else { break };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse().unwrap_or_default(),
            "authorization" => authorization = value.trim().to_owned(),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    let form: HashMap<String, String> = url::form_urlencoded::parse(&body).into_owned().collect();
    let fault = {
        let mut state = state.lock().expect("the lock");
        state.requests.push(target.clone());
        state.fault.clone()
    };
    let answer = match fault {
        Fault::Silent => {
            // Until the other side gives up.
            let mut rest = [0; 1];
            return stream.read(&mut rest).await.map(|_| false);
        }
        Fault::Redirect(location) => {
            format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n")
        }
        Fault::Huge(size) => response(200, &json!({"padding": "x".repeat(size)})),
        Fault::None
        | Fault::Claim(..)
        | Fault::Damaged(_)
        | Fault::Algorithm(_)
        | Fault::ForeignKey
        | Fault::Token(..)
        | Fault::OtherSubject
        | Fault::OtherIssuer => {
            let mut state = state.lock().expect("the lock");
            match target.as_str() {
                "/.well-known/openid-configuration" => response(200, &state.metadata()),
                "/jwks" => response(200, &state.jwks()),
                "/token" => state.token(&form, &authorization),
                "/userinfo" => response(200, &state.user_info(&authorization)),
                _ => response(404, &json!({})),
            }
        }
    };
    stream.write_all(answer.as_bytes()).await?;
    Ok(true)
}

impl State {
    fn metadata(&self) -> Value {
        let issuer = &self.issuer;
        let named = if self.fault == Fault::OtherIssuer { "https://another.example" } else { issuer };
        json!({
            "issuer": named,
            "authorization_endpoint": format!("{issuer}/authorize"),
            "token_endpoint": format!("{issuer}/token"),
            "userinfo_endpoint": format!("{issuer}/userinfo"),
            "jwks_uri": format!("{issuer}/jwks"),
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256", "HS256", "none"],
            "authorization_response_iss_parameter_supported": true,
        })
    }

    fn jwks(&self) -> Value {
        let mut key = self.key.jwk();
        key["kid"] = self.key.thumbprint().into();
        key["use"] = "sig".into();
        key["alg"] = self.key.algorithm().into();
        json!({"keys": [key]})
    }

    fn token(&mut self, form: &HashMap<String, String>, authorization: &str) -> String {
        if let Fault::Token(status, body) = &self.fault {
            return response(*status, body);
        }
        let grant = form.get("grant_type").map(String::as_str);
        let Some(begun) = form.get("code").and_then(|code| self.codes.remove(code)) else {
            return response(400, &json!({"error": "invalid_grant"}));
        };
        let verifier = form.get("code_verifier").map(String::as_str).unwrap_or_default();
        let proven = base64url(&sha256(verifier.as_bytes())) == begun.code_challenge;
        let authenticated = authorization.starts_with("Basic ")
            || form.contains_key("client_secret")
            || form.contains_key("client_assertion");
        if grant != Some("authorization_code") || !proven || !authenticated {
            return response(400, &json!({"error": "invalid_grant"}));
        }
        let token = self.id_token(&begun);
        response(200, &json!({"access_token": "at-1", "token_type": "Bearer", "id_token": token}))
    }

    fn id_token(&self, begun: &Begun) -> String {
        let now = self.env.now().seconds();
        let mut claims = self.person.clone();
        claims["iss"] = self.issuer.as_str().into();
        claims["aud"] = begun.client_id.as_str().into();
        claims["nonce"] = begun.nonce.as_str().into();
        claims["iat"] = now.into();
        claims["exp"] = (now + 300).into();
        let header = json!({"kid": self.key.thumbprint()});
        let key = if self.fault == Fault::ForeignKey { Key::p256() } else { self.key.clone() };
        let token = Jwt::new(&key, header, claims);
        match &self.fault {
            Fault::Claim(name, value) => token.with_claim(name, value.clone()),
            Fault::Damaged(damage) => token.with_damage(damage.clone()),
            Fault::Algorithm(name) => token.with_header("alg", *name),
            Fault::None
            | Fault::ForeignKey
            | Fault::Token(..)
            | Fault::OtherSubject
            | Fault::Huge(_)
            | Fault::Redirect(_)
            | Fault::Silent
            | Fault::OtherIssuer => token,
        }
        .compact()
    }

    fn user_info(&self, authorization: &str) -> Value {
        let mut claims = self.user_info.clone();
        if self.fault == Fault::OtherSubject || authorization != "Bearer at-1" {
            claims["sub"] = "somebody-else".into();
        }
        claims
    }
}

fn response(status: u16, body: &Value) -> String {
    let body = body.to_string();
    format!(
        "HTTP/1.1 {status} Status\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}
