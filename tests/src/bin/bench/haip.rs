//! One issuance under HAIP 1.0, from the pushed authorization request to the verified credential.
//!
//! The wallet begins by itself: PAR with wallet attestation and DPoP, the person's browser with sign-in and consent, token with
//! attestation and DPoP, nonce, and a credential request that is encrypted, as its answer is. The identity provider runs in
//! the driver's process, so its work does not count.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context as _, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chancery_tests::jwe::{Jwe, ResponseKey};
use chancery_tests::key::{Key, base64url, sha256};
use chancery_tests::platform::{OPENID, Platform};
use chancery_tests::{Env, Http, IdentityProvider, Jwt, Wallet, certificates, samples};
use chancery_wallet::{Authority, WalletProvider};
use reqwest::header::{AUTHORIZATION, COOKIE, LOCATION, SET_COOKIE};
use reqwest::{RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use url::Url;

use crate::flow::{Credentials, Flow, answer, dpop, now, text};
use crate::server::{PLATFORM_KEY, ServerProcess};

const CLIENT: &str = "https://wallet.example";
const WALLETS: usize = 64;

/// Makes flows against one organisation. Clones share connections and keys.
#[derive(Clone)]
pub(crate) struct HaipFlows(Arc<Inner>);

struct Inner {
    /// Follows no redirects.
    client: reqwest::Client,
    identity: IdentityProvider,
    issuer: String,
    server: Value,
    metadata: Value,
    configuration_id: String,
    scope: String,
    credentials: Credentials,
    wallets: Vec<Instance>,
    next: AtomicUsize,
}

/// One wallet on one phone. Its attestation is used again, as long as it lives.
struct Instance {
    provider: WalletProvider,
    attestation: String,
    dpop: Key,
    holder: Key,
}

impl HaipFlows {
    /// A new organisation under HAIP that demands encryption, its identity provider, and wallets that are vouched for.
    pub(crate) async fn prepare(server: &ServerProcess) -> anyhow::Result<Self> {
        let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build()?;
        let started = i64::try_from(now())?;
        let authority = Authority::generate("Bench wallets", started)?;
        let certificates = [STANDARD.encode(authority.anchor())];
        let policy = json!({
            "profile": "haip",
            "encryption": "required",
            "trustAnchors": {"walletProviders": {"certificates": certificates}},
        });
        // The wallet face is asked at its own address.
        let http = Http::new(([127, 0, 0, 1], 0).into());
        let platform = Platform::new(http, server.management_url.clone(), PLATFORM_KEY.to_owned());
        let operator = platform.organisation(json!({"slug": "bench-haip", "name": "Bench", "policy": policy})).await;
        operator.certify(&certificates::Authority::new(Env::system().now())).await;
        operator.define(&definition()).await;
        let identity = IdentityProvider::start(&Env::system()).await;
        let mut person = samples::pid_claims();
        person["sub"] = "person-1".into();
        identity.set_person(person);
        let connection = json!({"issuer": identity.issuer(), "clientId": "chancery", "clientSecret": "s3cret"});
        operator.put(&format!("{OPENID}/identity-provider"), connection).await.ok();

        let issuer = operator.issuer().to_owned();
        let read = async |url: String| answer(client.get(url).send().await?).await;
        let metadata = read(format!("{issuer}/.well-known/openid-credential-issuer")).await?;
        let authorization_server = read(format!("{issuer}/.well-known/oauth-authorization-server")).await?;
        let jwks = read(text(&authorization_server["jwks_uri"])?).await?;
        let configurations = metadata["credential_configurations_supported"].as_object();
        let (id, configuration) = configurations.and_then(|all| all.iter().next()).context("no configuration")?;
        let pem = authority.to_pem();
        let wallets = (0..WALLETS).map(|_| Instance::new(&pem, started)).collect::<anyhow::Result<_>>()?;
        Ok(Self(Arc::new(Inner {
            configuration_id: id.clone(),
            scope: text(&configuration["scope"])?,
            credentials: Credentials::of(jwks["keys"][0].clone()),
            server: authorization_server,
            next: AtomicUsize::new(0),
            client,
            identity,
            issuer,
            metadata,
            wallets,
        })))
    }
}

impl Flow for HaipFlows {
    async fn whole(&self) -> anyhow::Result<()> {
        let inner = &self.0;
        let wallet = &inner.wallets[inner.next.fetch_add(1, Ordering::Relaxed) % WALLETS];
        let request_uri = inner.push(wallet).await?;
        let code = inner.authorize(&request_uri).await?;
        let token = inner.redeem(wallet, &code).await?;
        let credential = inner.collect(wallet, &token).await?;
        inner.credentials.verify(&credential, &wallet.holder)
    }
}

impl Instance {
    fn new(authority: &str, now: i64) -> anyhow::Result<Self> {
        let mut provider = WalletProvider::new(Authority::from_pem(authority)?, CLIENT)?;
        // Longer than any measurement.
        provider.lifetime = 86_400;
        Ok(Self { attestation: provider.attestation(now)?, provider, dpop: Key::p256(), holder: Key::p256() })
    }
}

impl Inner {
    /// The request, pushed; answers its `request_uri`.
    async fn push(&self, wallet: &Instance) -> anyhow::Result<String> {
        let challenge = base64url(&sha256(Wallet::CODE_VERIFIER.as_bytes()));
        let form = [
            ("response_type", "code"),
            ("client_id", CLIENT),
            ("redirect_uri", Wallet::REDIRECT_URI),
            ("state", "x1"),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
            ("scope", &self.scope),
        ];
        let pushed = self.attested(wallet, "pushed_authorization_request_endpoint")?.form(&form).send().await?;
        text(&answer(pushed).await?["request_uri"])
    }

    /// The person's browser: to the provider, back, consent, and to the wallet with a code.
    async fn authorize(&self, request_uri: &str) -> anyhow::Result<String> {
        let mut url = Url::parse(&text(&self.server["authorization_endpoint"])?)?;
        url.query_pairs_mut().append_pair("client_id", CLIENT).append_pair("request_uri", request_uri);
        let begun = self.client.get(url).send().await?;
        let cookie = begun.headers().get(SET_COOKIE).context("no cookie")?.to_str()?;
        let cookie = cookie.split(';').next().unwrap_or_default().to_owned();
        let back = self.identity.sign_in(&location(&begun)?);
        let signed_in = self.client.get(back).header(COOKIE, &cookie).send().await?;
        let consent = signed_in.url().join(&location(&signed_in)?)?;
        let page = self.client.get(consent.clone()).header(COOKIE, &cookie).send().await?.error_for_status()?;
        let page = page.text().await?;
        let form =
            [("request", hidden(&page, "request")?), ("proof", hidden(&page, "proof")?), ("decision", "continue")];
        let mut target = consent;
        target.set_query(None);
        let decided = self.client.post(target).header(COOKIE, &cookie).form(&form).send().await?;
        let back = Url::parse(&location(&decided)?)?;
        let answer: HashMap<String, String> = back.query_pairs().into_owned().collect();
        answer.get("code").cloned().with_context(|| format!("no code: {answer:?}"))
    }

    /// The code for an access token.
    async fn redeem(&self, wallet: &Instance, code: &str) -> anyhow::Result<String> {
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("client_id", CLIENT),
            ("redirect_uri", Wallet::REDIRECT_URI),
            ("code_verifier", Wallet::CODE_VERIFIER),
        ];
        text(&answer(self.attested(wallet, "token_endpoint")?.form(&form).send().await?).await?["access_token"])
    }

    /// Nonce, encrypted request, and the credential out of the encrypted answer.
    async fn collect(&self, wallet: &Instance, token: &str) -> anyhow::Result<String> {
        let nonce = self.client.post(text(&self.metadata["nonce_endpoint"])?).send().await?;
        let nonce = text(&answer(nonce).await?["c_nonce"])?;
        let claims = json!({"aud": self.issuer, "iss": CLIENT, "iat": now(), "nonce": nonce});
        let header = json!({"typ": "openid4vci-proof+jwt", "jwk": wallet.holder.jwk()});
        let proof = Jwt::new(&wallet.holder, header, claims).compact();
        let response_key = ResponseKey::new();
        let body = json!({
            "credential_configuration_id": self.configuration_id,
            "proofs": {"jwt": [proof]},
            "credential_response_encryption": {"jwk": response_key.jwk(), "enc": "A256GCM"},
        });
        let recipient = &self.metadata["credential_request_encryption"]["jwks"]["keys"][0];
        let url = text(&self.metadata["credential_endpoint"])?;
        let request = self
            .client
            .post(&url)
            .header(AUTHORIZATION, format!("DPoP {token}"))
            .header("dpop", dpop(&wallet.dpop, &url, Some(token)))
            .header("content-type", "application/jwt")
            .body(Jwe::new(recipient, body.to_string().as_bytes()).compact());
        let issued = request.send().await?;
        let status = issued.status();
        let body = issued.text().await?;
        ensure!(status == StatusCode::OK, "{url}: {status} {body}");
        let (_, plain) = response_key.decrypt(&body);
        text(&serde_json::from_slice::<Value>(&plain)?["credentials"][0]["credential"])
    }

    /// A request to an endpoint of the authorization server, with attestation, its proof and a DPoP proof.
    fn attested(&self, wallet: &Instance, endpoint: &str) -> anyhow::Result<RequestBuilder> {
        let url = text(&self.server[endpoint])?;
        let proof = wallet.provider.proof(&self.issuer, None, i64::try_from(now())?)?;
        let request = self.client.post(&url).header("dpop", dpop(&wallet.dpop, &url, None));
        let request = request.header("oauth-client-attestation", &wallet.attestation);
        Ok(request.header("oauth-client-attestation-pop", proof))
    }
}

/// A PID whose claims all come from the provider.
fn definition() -> Value {
    let mut definition = samples::pid();
    let claims = samples::pid_claims();
    let mapped = claims.as_object().into_iter().flat_map(|claims| claims.keys());
    let rules: Vec<Value> = mapped.map(|name| json!({"claim": [name], "from": [name]})).collect();
    let entry = &mut definition["credentialDefinitions"][0];
    entry["identityMapping"] = rules.into();
    entry["credentialBindingMethods"] = json!(["jwk"]);
    definition
}

fn location(response: &Response) -> anyhow::Result<String> {
    let status = response.status();
    let location = response.headers().get(LOCATION).with_context(|| format!("{status} without a location"))?;
    Ok(location.to_str()?.to_owned())
}

/// The value of a hidden field.
fn hidden<'p>(page: &'p str, name: &str) -> anyhow::Result<&'p str> {
    let (_, rest) = page.split_once(&format!("name=\"{name}\" value=\"")).with_context(|| format!("no {name}"))?;
    rest.split('"').next().context("no end")
}
