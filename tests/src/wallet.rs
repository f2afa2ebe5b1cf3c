//! A wallet in hand-written JSON and JWTs: each step as a request that a test may change before it is sent.

use std::collections::HashMap;

use chancery_model::Env;
use reqwest::Method;
use serde_json::{Map, Value, json};

use crate::call::{Body, Call};
use crate::http::{Answer, Http};
use crate::jwt::Jwt;
use crate::key::{Key, base64url, random, sha256};

/// `grant_type` of a pre-authorized code (OpenID4VCI §6.1).
pub const PRE_AUTHORIZED_CODE: &str = "urn:ietf:params:oauth:grant-type:pre-authorized_code";

/// A wallet with keys of its own. It is a value: clone it and change what should differ.
#[derive(Clone, Debug)]
pub struct Wallet {
    http: Http,
    env: Env,
    /// Key that credentials are bound to.
    pub holder_key: Key,
    /// Key that access tokens are bound to; `None` asks for Bearer tokens.
    pub dpop_key: Option<Key>,
    /// Named in the token request when there is one.
    pub client_id: Option<String>,
    /// Typed by the holder.
    pub transaction_code: Option<String>,
    /// Vouches for this wallet at the PAR and token endpoints, when there is one.
    pub provider: Option<Provider>,
}

/// A wallet provider that vouches for one instance of a wallet (OpenID4VCI Appendix E).
#[derive(Clone, Debug)]
pub struct Provider {
    /// Signs attestations; trusted by key.
    pub key: Key,
    /// The key of the wallet instance.
    pub instance_key: Key,
    /// `sub` of attestations.
    pub client_id: String,
}

impl Provider {
    /// One with fresh keys.
    pub fn new(client_id: &str) -> Self {
        Self { key: Key::p256(), instance_key: Key::p256(), client_id: client_id.to_owned() }
    }

    /// What an organisation that trusts it writes into `policy.trustAnchors`.
    pub fn trust_anchors(&self) -> Value {
        json!({ "walletProviders": { "jwks": { "keys": [self.key.jwk()] } } })
    }

    /// The attestation, valid for an hour.
    pub fn attestation(&self, env: &Env) -> Jwt {
        let claims = json!({
            "sub": self.client_id,
            "exp": env.now().seconds() + 3600,
            "cnf": { "jwk": self.instance_key.jwk() },
            "wallet_name": "Test wallet",
        });
        Jwt::new(&self.key, json!({ "typ": "oauth-client-attestation+jwt" }), claims)
    }

    /// The proof of possession beside it, for an authorization server.
    pub fn proof(&self, env: &Env, audience: &str, challenge: Option<&str>) -> Jwt {
        let mut claims = json!({
            "iss": self.client_id,
            "aud": audience,
            "jti": random(16),
            "iat": env.now().seconds(),
        });
        if let Some(challenge) = challenge {
            claims["challenge"] = challenge.into();
        }
        Jwt::new(&self.instance_key, json!({ "typ": "oauth-client-attestation-pop+jwt" }), claims)
    }
}

/// An offer that was fetched, with the metadata of its issuer.
#[derive(Clone, Debug)]
pub struct Opened {
    /// The credential offer (OpenID4VCI §4.1.1).
    pub offer: Value,
    /// Credential issuer metadata (OpenID4VCI §12.2).
    pub issuer: Value,
    /// Authorization server metadata (RFC 8414).
    pub authorization_server: Value,
}

/// An access token.
#[derive(Clone, Debug)]
pub struct Token {
    /// The token response (OpenID4VCI §6.2).
    pub response: Value,
    /// Where it is used.
    pub opened: Opened,
}

/// What a wallet ends with.
#[derive(Clone, Debug)]
pub struct Received {
    /// The access token, still usable.
    pub token: Token,
    /// The credential response (OpenID4VCI §8.3).
    pub response: Value,
    /// The first credential, in its compact form.
    pub credential: String,
}

impl Wallet {
    /// A wallet with fresh P-256 keys that uses DPoP and has no `client_id`. Its clock is that of `env`.
    pub fn new(http: Http, env: Env) -> Self {
        Self {
            http,
            env,
            holder_key: Key::p256(),
            dpop_key: Some(Key::p256()),
            client_id: None,
            transaction_code: None,
            provider: None,
        }
    }

    /// The code verifier that this wallet always uses, and its challenge by `S256` (RFC 7636 Appendix B).
    pub const CODE_VERIFIER: &'static str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

    /// Its redirect URI.
    pub const REDIRECT_URI: &'static str = "https://wallet.example/cb";

    /// A pushed authorization request at an issuer for one configuration, by `authorization_details` (RFC 9126).
    pub fn par_call(&self, issuer: &str, configuration: &str) -> Call {
        let details = json!([{ "type": "openid_credential", "credential_configuration_id": configuration }]);
        let endpoint = format!("{issuer}/par");
        let mut call = Call::new(Method::POST, &endpoint);
        call.body = Body::Form(Vec::new());
        call = call
            .with_field("response_type", "code")
            .with_field("client_id", self.client_id.as_deref().unwrap_or("wallet-dev"))
            .with_field("redirect_uri", Self::REDIRECT_URI)
            .with_field("state", "x1")
            .with_field("code_challenge", &base64url(&sha256(Self::CODE_VERIFIER.as_bytes())))
            .with_field("code_challenge_method", "S256")
            .with_field("authorization_details", &details.to_string());
        call.dpop = self.dpop(&call.method, &endpoint, None);
        self.attested(call, issuer)
    }

    /// A token request of grant type `refresh_token`.
    pub fn refresh_call(&self, issuer: &str, refresh_token: &str) -> Call {
        let endpoint = format!("{issuer}/token");
        let mut call = Call::new(Method::POST, &endpoint);
        call.body = Body::Form(Vec::new());
        call = call.with_field("grant_type", "refresh_token").with_field("refresh_token", refresh_token);
        if let Some(client_id) = &self.client_id {
            call = call.with_field("client_id", client_id);
        }
        call.dpop = self.dpop(&call.method, &endpoint, None);
        self.attested(call, issuer)
    }

    /// The call with this wallet's attestation and a fresh proof, when a provider vouches for it.
    pub fn attested(&self, call: Call, issuer: &str) -> Call {
        match &self.provider {
            Some(provider) => call
                .with_header("oauth-client-attestation", &provider.attestation(&self.env).compact())
                .with_header("oauth-client-attestation-pop", &provider.proof(&self.env, issuer, None).compact()),
            None => call,
        }
    }

    /// The same wallet with another DPoP key.
    #[must_use]
    pub fn with_fresh_dpop_key(&self) -> Self {
        Self { dpop_key: Some(Key::p256()), ..self.clone() }
    }

    /// The clock of this wallet.
    pub fn env(&self) -> &Env {
        &self.env
    }

    /// Takes an offer link all the way and answers the credential.
    ///
    /// # Panics
    /// When any step is refused.
    pub async fn accept(&self, link: &str) -> Received {
        let opened = self.open(link).await;
        let token = self.redeem(&opened).await;
        self.collect(&token).await
    }

    /// The same, and tells the issuer that the holder took the credential (OpenID4VCI §11).
    ///
    /// # Panics
    /// When any step is refused.
    pub async fn keep(&self, link: &str) -> Received {
        let received = self.accept(link).await;
        let id = received.response["notification_id"].as_str().expect("notification_id");
        let call = self.notification_call(&received.token, id, "credential_accepted");
        let answer = self.send_with_nonce(call).await;
        assert_eq!(answer.status, 204, "{answer}");
        received
    }

    /// Fetches the offer behind a link, and the metadata of its issuer.
    pub async fn open(&self, link: &str) -> Opened {
        let offer = self.http.get(&offer_uri(link)).await.ok();
        let issuer = offer["credential_issuer"].as_str().expect("credential_issuer").to_owned();
        let metadata = self.http.get(&well_known(&issuer, "openid-credential-issuer")).await.ok();
        let server = self.http.get(&well_known(&issuer, "oauth-authorization-server")).await.ok();
        Opened { offer, issuer: metadata, authorization_server: server }
    }

    /// Redeems the pre-authorized code, with one more try when a DPoP nonce is demanded (RFC 9449 §8).
    ///
    /// # Panics
    /// When it is refused.
    pub async fn redeem(&self, opened: &Opened) -> Token {
        let answer = self.send_with_nonce(self.token_call(opened)).await;
        Token { response: answer.ok(), opened: opened.clone() }
    }

    /// Asks for the first credential of the token, with one more try when a DPoP nonce is demanded (RFC 9449 §9).
    ///
    /// # Panics
    /// When it is refused or deferred.
    pub async fn collect(&self, token: &Token) -> Received {
        let nonce = self.nonce(&token.opened).await;
        let answer = self.send_with_nonce(self.credential_call(token, &nonce)).await;
        let response = answer.ok();
        let credential = response["credentials"][0]["credential"].as_str().expect("a credential").to_owned();
        Received { token: token.clone(), response, credential }
    }

    /// A fresh `c_nonce` (OpenID4VCI §7).
    pub async fn nonce(&self, opened: &Opened) -> String {
        let endpoint = opened.issuer["nonce_endpoint"].as_str().expect("nonce_endpoint");
        let answer = self.send(Call::new(Method::POST, endpoint)).await;
        answer.ok()["c_nonce"].as_str().expect("c_nonce").to_owned()
    }

    /// The token request for an offer's pre-authorized code (OpenID4VCI §6.1).
    pub fn token_call(&self, opened: &Opened) -> Call {
        let endpoint = opened.authorization_server["token_endpoint"].as_str().expect("token_endpoint");
        let code = &opened.offer["grants"][PRE_AUTHORIZED_CODE]["pre-authorized_code"];
        let mut call = Call::new(Method::POST, endpoint);
        call.body = Body::Form(Vec::new());
        call = call
            .with_field("grant_type", PRE_AUTHORIZED_CODE)
            .with_field("pre-authorized_code", code.as_str().expect("a pre-authorized code"));
        if let Some(transaction_code) = &self.transaction_code {
            call = call.with_field("tx_code", transaction_code);
        }
        if let Some(client_id) = &self.client_id {
            call = call.with_field("client_id", client_id);
        }
        call.dpop = self.dpop(&call.method, endpoint, None);
        self.attested(call, opened.issuer_identifier())
    }

    /// The credential request for what the token allows first: its first `credential_identifiers` member, or the first
    /// configuration of the offer (OpenID4VCI §8.2). One key proof over `nonce`.
    pub fn credential_call(&self, token: &Token, nonce: &str) -> Call {
        let endpoint = token.opened.issuer["credential_endpoint"].as_str().expect("credential_endpoint");
        let mut call = Call::new(Method::POST, endpoint);
        let selector = match token.response["authorization_details"][0]["credential_identifiers"][0].as_str() {
            Some(identifier) => ("credential_identifier", identifier),
            None => {
                let configuration = &token.opened.offer["credential_configuration_ids"][0];
                ("credential_configuration_id", configuration.as_str().expect("a configuration id"))
            }
        };
        let body = Map::from_iter([(selector.0.to_owned(), selector.1.into())]);
        call.body = Body::Json(body);
        call.proofs = vec![self.proof(&token.opened, nonce)];
        self.authorized(call, token)
    }

    /// The request for what a transaction has become (OpenID4VCI §9.1).
    pub fn deferred_call(&self, token: &Token, transaction_id: &str) -> Call {
        let body = json!({ "transaction_id": transaction_id });
        self.message(token, "deferred_credential_endpoint", body)
    }

    /// The notification of `event` about the credentials of an answer (OpenID4VCI §11.1).
    pub fn notification_call(&self, token: &Token, notification_id: &str, event: &str) -> Call {
        let body = json!({ "notification_id": notification_id, "event": event });
        self.message(token, "notification_endpoint", body)
    }

    fn message(&self, token: &Token, endpoint: &str, body: Value) -> Call {
        let url = token.opened.issuer[endpoint].as_str().unwrap_or_else(|| panic!("no {endpoint}"));
        let mut call = Call::new(Method::POST, url);
        call.body = Body::Json(crate::jwt::object(body));
        self.authorized(call, token)
    }

    /// A key proof of the holder key (OpenID4VCI Appendix F.1).
    pub fn proof(&self, opened: &Opened, nonce: &str) -> Jwt {
        let mut claims = json!({
            "aud": opened.offer["credential_issuer"],
            "iat": self.env.now().seconds(),
            "nonce": nonce,
        });
        if let Some(client_id) = &self.client_id {
            claims["iss"] = client_id.as_str().into();
        }
        let header = json!({"typ": "openid4vci-proof+jwt", "jwk": self.holder_key.jwk()});
        Jwt::new(&self.holder_key, header, claims)
    }

    /// A call with the access token in it, under the scheme of its type, and with a DPoP proof when it is bound.
    pub fn authorized(&self, mut call: Call, token: &Token) -> Call {
        let value = token.value();
        let scheme = token.response["token_type"].as_str().expect("token_type");
        call.headers.push(("authorization".to_owned(), format!("{scheme} {value}")));
        if scheme == "DPoP" {
            call.dpop = self.dpop(&call.method, &call.url, Some(value));
        }
        call
    }

    /// A DPoP proof (RFC 9449 §4.2), when this wallet uses DPoP.
    pub fn dpop(&self, method: &Method, url: &str, access_token: Option<&str>) -> Option<Jwt> {
        let key = self.dpop_key.as_ref()?;
        let mut claims = json!({
            "jti": random(16),
            "htm": method.as_str(),
            "htu": url,
            "iat": self.env.now().seconds(),
        });
        if let Some(token) = access_token {
            claims["ath"] = base64url(&sha256(token.as_bytes())).into();
        }
        Some(Jwt::new(key, json!({"typ": "dpop+jwt", "jwk": key.jwk()}), claims))
    }

    /// Sends a call as it is.
    pub async fn send(&self, call: Call) -> Answer {
        self.http.send(call.request(&self.http)).await
    }

    /// Sends a call as it is, and says why when no answer came.
    pub async fn try_send(&self, call: Call) -> Result<Answer, reqwest::Error> {
        self.http.try_send(call.request(&self.http)).await
    }

    /// The client underneath.
    pub fn http(&self) -> &Http {
        &self.http
    }

    /// Sends a call; when the answer demands a DPoP nonce, once more with that nonce and a fresh `jti`.
    pub async fn send_with_nonce(&self, mut call: Call) -> Answer {
        let answer = self.send(call.clone()).await;
        let demanded = matches!(answer.status, 400 | 401) && answer.mentions("use_dpop_nonce");
        match (&mut call.dpop, answer.header("dpop-nonce")) {
            (Some(dpop), Some(nonce)) if demanded => {
                dpop.claims.insert("nonce".to_owned(), nonce.into());
                dpop.claims.insert("jti".to_owned(), random(16).into());
                self.send(call).await
            }
            _ => answer,
        }
    }
}

impl Token {
    /// The access token itself.
    pub fn value(&self) -> &str {
        self.response["access_token"].as_str().expect("access_token")
    }
}

impl Opened {
    /// The Credential Issuer Identifier.
    pub fn issuer_identifier(&self) -> &str {
        self.offer["credential_issuer"].as_str().expect("credential_issuer")
    }
}

/// The URL behind an offer link: its one parameter must be `credential_offer_uri` (OpenID4VCI §4.1).
pub fn offer_uri(link: &str) -> String {
    let (_, query) = link.split_once("://?").unwrap_or_else(|| panic!("not an offer link: {link}"));
    let mut parameters: HashMap<_, _> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    assert_eq!(parameters.len(), 1, "an offer link has one parameter: {link}");
    parameters.remove("credential_offer_uri").unwrap_or_else(|| panic!("no credential_offer_uri: {link}"))
}

/// The well-known URL of an identifier with a path: the name goes between host and path (RFC 8414 §3.1).
pub fn well_known(identifier: &str, name: &str) -> String {
    let start = identifier.find("://").expect("a URL") + 3;
    let path = identifier[start..].find('/').map_or(identifier.len(), |at| start + at);
    format!("{}/.well-known/{name}{}", &identifier[..path], identifier[path..].trim_end_matches('/'))
}
