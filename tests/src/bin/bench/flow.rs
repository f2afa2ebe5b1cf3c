//! One issuance, as lean as a driver can be: prepared keys, kept connections, metadata known.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, ensure};
use chancery_tests::key::{Key, base64url, random, sha256};
use chancery_tests::samples;
use chancery_tests::{Jwt, sd_jwt};
use reqwest::{Client, Response};
use serde_json::{Value, json};

use crate::server::{PLATFORM_KEY, ServerProcess};

const PRE_AUTHORIZED_CODE: &str = "urn:ietf:params:oauth:grant-type:pre-authorized_code";
const OPENID: &str = "/v2/config/digital-wallet/openid";
const KEYS: usize = 256;

/// What is measured: one complete issuance.
pub(crate) trait Flow: Clone + Send + Sync + 'static {
    /// All of it.
    fn whole(&self) -> impl Future<Output = anyhow::Result<()>> + Send;
}

/// Makes flows of the pre-authorized code against one organisation. Clones share connections and keys.
#[derive(Clone)]
pub(crate) struct Flows(Arc<Inner>);

struct Inner {
    client: Client,
    issue_url: String,
    authorization: String,
    issue_body: Value,
    issuer: String,
    token_url: String,
    nonce_url: String,
    credential_url: String,
    configuration_id: String,
    credentials: Credentials,
    keys: Vec<(Key, Key)>,
    next_key: AtomicUsize,
}

/// An offer that a wallet has fetched.
pub(crate) struct Offer {
    code: String,
}

impl Flows {
    /// A new organisation with one definition, and keys for the wallets.
    pub(crate) async fn prepare(server: &ServerProcess) -> anyhow::Result<Self> {
        Self::prepare_for(server, "bench", samples::pid()).await
    }

    /// A new organisation `slug` that issues PIDs under this definition.
    pub(crate) async fn prepare_for(server: &ServerProcess, slug: &str, definition: Value) -> anyhow::Result<Self> {
        let client = Client::builder().no_proxy().build()?;
        let management = &server.management_url;
        let created = call(
            &client,
            PLATFORM_KEY,
            &format!("{management}/v2/platform/organisations"),
            json!({"slug": slug, "name": "Bench"}),
        )
        .await?;
        let api_key = text(&created["apiKey"]["apiKey"])?;
        call(&client, &api_key, &format!("{management}{OPENID}/key-management"), json!({"algorithm": "ES256"})).await?;
        let definition =
            call(&client, &api_key, &format!("{management}{OPENID}/sdjwt/credential-definition"), definition).await?;
        let definition = &definition["credentialDefinition"];
        let issuer = text(&created["organisation"]["issuer"])?;
        let metadata = client.get(format!("{issuer}/.well-known/openid-credential-issuer")).send().await?;
        let metadata: Value = metadata.error_for_status()?.json().await?;
        let authorization_server =
            client.get(format!("{issuer}/.well-known/oauth-authorization-server")).send().await?;
        let authorization_server: Value = authorization_server.error_for_status()?.json().await?;
        let jwks: Value =
            client.get(text(&authorization_server["jwks_uri"])?).send().await?.error_for_status()?.json().await?;
        let configurations =
            metadata["credential_configurations_supported"].as_object().context("no configurations")?;
        Ok(Self(Arc::new(Inner {
            issue_url: format!("{management}{OPENID}/sdjwt/credential/issue"),
            authorization: format!("ApiKey {api_key}"),
            issue_body: chancery_tests::platform::issue_body(definition, &samples::pid_claims()),
            token_url: text(&authorization_server["token_endpoint"])?,
            nonce_url: text(&metadata["nonce_endpoint"])?,
            credential_url: text(&metadata["credential_endpoint"])?,
            configuration_id: configurations.keys().next().context("no configuration")?.clone(),
            credentials: Credentials::of(jwks["keys"][0].clone()),
            keys: (0..KEYS).map(|_| (Key::p256(), Key::p256())).collect(),
            next_key: AtomicUsize::new(0),
            client,
            issuer,
        })))
    }

    /// Sends a JSON body to a path below the wallet routes of the management face.
    pub(crate) async fn manage(&self, method: reqwest::Method, path: &str, body: &Value) -> anyhow::Result<Value> {
        let url = self.0.issue_url.replace("/sdjwt/credential/issue", path);
        let request = self.0.client.request(method, url).header("authorization", &self.0.authorization);
        answer(request.json(body).send().await?).await
    }

    /// The management face without a body.
    pub(crate) async fn look(&self, path: &str) -> anyhow::Result<Value> {
        let url = self.0.issue_url.replace("/sdjwt/credential/issue", path);
        answer(self.0.client.get(url).header("authorization", &self.0.authorization).send().await?).await
    }

    /// The client underneath, and the issuer identifier.
    pub(crate) fn verifier(&self) -> (Client, String) {
        (self.0.client.clone(), self.0.issuer.clone())
    }

    /// An offer is made over the management API and fetched by the wallet.
    pub(crate) fn offer(&self) -> impl Future<Output = anyhow::Result<Offer>> + Send + 'static {
        let flows = self.clone();
        async move {
            let inner = &flows.0;
            let request = inner.client.post(&inner.issue_url).header("authorization", &inner.authorization);
            let issued = answer(request.json(&inner.issue_body).send().await?).await?;
            let link = text(&issued["credentialHistory"]["credentialOffer"])?;
            let offer = answer(inner.client.get(chancery_tests::wallet::offer_uri(&link)).send().await?).await?;
            Ok(Offer { code: text(&offer["grants"][PRE_AUTHORIZED_CODE]["pre-authorized_code"])? })
        }
    }

    /// The wallet redeems the offer and verifies what it gets.
    pub(crate) fn accept(&self, offer: Offer) -> impl Future<Output = anyhow::Result<()>> + Send + 'static {
        let flows = self.clone();
        async move {
            let inner = &flows.0;
            let (holder, dpop) = &inner.keys[inner.next_key.fetch_add(1, Ordering::Relaxed) % KEYS];
            let form = [("grant_type", PRE_AUTHORIZED_CODE), ("pre-authorized_code", &offer.code)];
            let request = inner.client.post(&inner.token_url).header("dpop", self::dpop(dpop, &inner.token_url, None));
            let token = text(&answer(request.form(&form).send().await?).await?["access_token"])?;

            let nonce = text(&answer(inner.client.post(&inner.nonce_url).send().await?).await?["c_nonce"])?;

            let claims = json!({"aud": inner.issuer, "iat": now(), "nonce": nonce});
            let proof = Jwt::new(holder, json!({"typ": "openid4vci-proof+jwt", "jwk": holder.jwk()}), claims).compact();
            let request = inner
                .client
                .post(&inner.credential_url)
                .header("authorization", format!("DPoP {token}"))
                .header("dpop", self::dpop(dpop, &inner.credential_url, Some(&token)))
                .json(&json!({"credential_configuration_id": inner.configuration_id, "proofs": {"jwt": [proof]}}));
            let issued = answer(request.send().await?).await?;
            inner.credentials.verify(&text(&issued["credentials"][0]["credential"])?, holder)
        }
    }
}

impl Flow for Flows {
    async fn whole(&self) -> anyhow::Result<()> {
        let offer = self.offer().await?;
        self.accept(offer).await
    }
}

/// What the driver expects of credentials.
pub(crate) struct Credentials {
    issuer_key: Value,
}

impl Credentials {
    /// Signed by the key of this JWK.
    pub(crate) fn of(issuer_key: Value) -> Self {
        Self { issuer_key }
    }

    /// The issuer's signature, the holder key, and that every disclosure has its digest.
    pub(crate) fn verify(&self, credential: &str, holder: &Key) -> anyhow::Result<()> {
        let jwt = credential.split('~').next().unwrap_or_default();
        let decoded = chancery_wallet::Jws::decode(jwt).map_err(anyhow::Error::msg)?;
        let key = self.issuer_key.as_object().context("no issuer key")?;
        let key = chancery_wallet::PublicKey::from_jwk(key).map_err(anyhow::Error::msg)?;
        decoded.verify(&key).map_err(anyhow::Error::msg)?;
        let parts = sd_jwt::parts(credential);
        ensure!(parts.signed["cnf"]["jwk"]["x"] == holder.jwk()["x"], "bound to another key");
        ensure!(parts.disclosed["nationalities"] == samples::pid_claims()["nationalities"], "claims are missing");
        Ok(())
    }
}

/// A DPoP proof for `POST url` (RFC 9449 §4.2).
pub(crate) fn dpop(key: &Key, url: &str, access_token: Option<&str>) -> String {
    let mut claims = json!({"jti": random(16), "htm": "POST", "htu": url, "iat": now()});
    if let Some(token) = access_token {
        claims["ath"] = base64url(&sha256(token.as_bytes())).into();
    }
    Jwt::new(key, json!({"typ": "dpop+jwt", "jwk": key.jwk()}), claims).compact()
}

async fn call(client: &Client, key: &str, url: &str, body: Value) -> anyhow::Result<Value> {
    answer(client.post(url).header("authorization", format!("ApiKey {key}")).json(&body).send().await?).await
}

/// The JSON of a successful answer.
pub(crate) async fn answer(response: Response) -> anyhow::Result<Value> {
    let (status, url) = (response.status(), response.url().clone());
    let body = response.bytes().await?;
    ensure!(status.is_success(), "{url}: {status} {}", String::from_utf8_lossy(&body));
    Ok(serde_json::from_slice(&body)?)
}

/// A JSON string.
pub(crate) fn text(value: &Value) -> anyhow::Result<String> {
    Ok(value.as_str().with_context(|| format!("a text was expected, not {value}"))?.to_owned())
}

#[expect(clippy::disallowed_methods, reason = "the driver keeps the server's clock, which is the system's")]
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
