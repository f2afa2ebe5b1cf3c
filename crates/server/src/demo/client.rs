//! The demo organisation, spoken to over its management API like anybody would.

use std::path::Path;

use anyhow::Context as _;
use chancery_keys::CertificateChain;
use chancery_model::{Env, TrustAnchors};
use chancery_wallet::Root;
use reqwest::{Client, Method};
use serde_json::{Value, json};

use super::definitions::{
    IDENTITY, RESIDENT_CARD, STAFF_BADGE, identity, identity_claims, resident_card, staff_badge, staff_badge_claims,
};
use super::provider::{CLIENT_ID, Provider};
use super::secrets::write_private;

pub(super) const NAME: &str = "Demo organisation";
const SLUG: &str = "demo";
const OPENID: &str = "/v2/config/digital-wallet/openid";

/// The demo organisation.
pub(super) struct Organisation {
    pub(super) api_key: String,
    pub(super) issuer: String,
    api: Api,
}

struct Api {
    client: Client,
    base: String,
    key: String,
}

/// The demo organisation behind `management_url`; made, with a certified signing key and two definitions, when it is not
/// there.
pub(super) async fn open(management_url: &str, platform_key: &str, data: &Path) -> anyhow::Result<Organisation> {
    let client = Client::builder().no_proxy().build()?;
    let platform = Api { client, base: management_url.to_owned(), key: platform_key.to_owned() };
    let key_file = data.join("demo-api.key");
    let existing = platform.call(Method::GET, &format!("/v2/platform/organisations?search={SLUG}"), None).await?;
    let existing =
        members_of(&existing, "organisations").find(|known| text_at(known, "/slug").is_ok_and(|slug| slug == SLUG));
    let organisation = match existing {
        Some(known) => {
            let api_key = std::fs::read_to_string(&key_file).with_context(|| {
                format!("the demo organisation exists, but its API key cannot be read from {}", key_file.display())
            })?;
            Organisation::new(platform, api_key.trim().to_owned(), text_at(known, "/issuer")?)
        }
        None => {
            let body = json!({"slug": SLUG, "name": NAME});
            let created = platform.call(Method::POST, "/v2/platform/organisations", Some(body)).await?;
            let api_key = text_at(&created, "/apiKey/apiKey")?;
            write_private(&key_file, &api_key)?;
            let organisation = Organisation::new(platform, api_key, text_at(&created, "/organisation/issuer")?);
            let api = &organisation.api;
            api.call(Method::POST, &format!("{OPENID}/key-management"), Some(json!({"algorithm": "ES256"}))).await?;
            for definition in [identity(), staff_badge()] {
                api.call(Method::POST, &format!("{OPENID}/sdjwt/credential-definition"), Some(definition)).await?;
            }
            organisation
        }
    };
    organisation.certify(&data.join("demo-authority.pem")).await?;
    Ok(organisation)
}

impl Organisation {
    fn new(platform: Api, api_key: String, issuer: String) -> Self {
        let api = Api { key: api_key.clone(), ..platform };
        Self { api_key, issuer, api }
    }

    /// Has the signing key certified by an authority that is made for this and thrown away, unless it is for a while still.
    /// `anchor` is where its certificate goes, for those who want to trust it.
    async fn certify(&self, anchor: &Path) -> anyhow::Result<()> {
        let keys = self.api.call(Method::GET, &format!("{OPENID}/key-management?limit=100"), None).await?;
        let active = members_of(&keys, "keys").find(|key| text_at(key, "/state").is_ok_and(|state| state == "active"));
        let Some(key) = active else { return Ok(()) };
        let now = Env::system().now();
        let chain = CertificateChain::from_pem(&text_at(key, "/certificateChain")?)?;
        if chain.not_after().is_some_and(|end| end > now.plus_seconds(TrustAnchors::NOTICE).seconds()) {
            return Ok(());
        }
        let path = format!("{OPENID}/key-management/{}", text_at(key, "/id")?);
        let request = self.api.call(Method::POST, &format!("{path}/csr"), Some(json!({}))).await?;
        let root = Root::generate("Demo authority, trusted by nobody", now.seconds())?;
        let chain = json!({"certificateChain": root.certify(&text_at(&request, "/csr")?)?});
        self.api.call(Method::PUT, &format!("{path}/certificate-chain"), Some(chain)).await?;
        std::fs::write(anchor, root.certificate_pem()).with_context(|| format!("cannot write {}", anchor.display()))
    }

    /// Issues the person identification credential; answers the offer link.
    pub(super) async fn offer_identity(&self) -> anyhow::Result<String> {
        self.offer(IDENTITY, identity_claims()).await
    }

    /// Issues the staff badge; answers the offer link.
    pub(super) async fn offer_staff_badge(&self) -> anyhow::Result<String> {
        self.offer(STAFF_BADGE, staff_badge_claims()).await
    }

    /// Lets people sign in at `provider`.
    pub(super) async fn connect(&self, provider: &Provider) -> anyhow::Result<()> {
        let connection = json!({
            "issuer": provider.issuer,
            "clientId": CLIENT_ID,
            "clientSecret": provider.client_secret,
            "scopes": ["openid", "profile"],
        });
        self.api.call(Method::PUT, &format!("{OPENID}/identity-provider"), Some(connection)).await?;
        Ok(())
    }

    /// Offers the resident card, whose claims come with the sign-in; answers the offer link.
    pub(super) async fn offer_resident_card(&self) -> anyhow::Result<String> {
        if self.definition(RESIDENT_CARD).await?.is_none() {
            let path = format!("{OPENID}/sdjwt/credential-definition");
            self.api.call(Method::POST, &path, Some(resident_card())).await?;
        }
        let definition = self.definition(RESIDENT_CARD).await?.context("the resident card was just defined")?;
        let body = json!({
            "issuanceMode": "InTime",
            "credentialDefinitionId": text_at(&definition, "/credentialDefinitionId")?,
            "credential": {"vct": text_at(&definition, "/credentialDefinitions/0/vct")?},
        });
        let issued = self.api.call(Method::POST, &format!("{OPENID}/sdjwt/credential/issue"), Some(body)).await?;
        text_at(&issued, "/credentialHistory/credentialOffer")
    }

    async fn definition(&self, label: &str) -> anyhow::Result<Option<Value>> {
        let path = format!("{OPENID}/sdjwt/credential-definitions?limit=100");
        let listed = self.api.call(Method::GET, &path, None).await?;
        let found = members_of(&listed, "credentialDefinitions")
            .find(|definition| text_at(definition, "/label").is_ok_and(|found| found == label));
        Ok(found.cloned())
    }

    async fn offer(&self, label: &str, claims: Value) -> anyhow::Result<String> {
        let definition = self
            .definition(label)
            .await?
            .with_context(|| format!("the demo organisation has no definition \"{label}\" any more"))?;
        let body = json!({
            "issuanceMode": "InTime",
            "userPin": "",
            "credentialDefinitionId": text_at(&definition, "/credentialDefinitionId")?,
            "credential": {"vct": text_at(&definition, "/credentialDefinitions/0/vct")?, "claims": claims},
        });
        let issued = self.api.call(Method::POST, &format!("{OPENID}/sdjwt/credential/issue"), Some(body)).await?;
        text_at(&issued, "/credentialHistory/credentialOffer")
    }
}

impl Api {
    async fn call(&self, method: Method, path: &str, body: Option<Value>) -> anyhow::Result<Value> {
        let request = self.client.request(method.clone(), format!("{}{path}", self.base));
        let mut request = request.header("authorization", format!("ApiKey {}", self.key));
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.with_context(|| format!("{method} {path}"))?;
        let status = response.status();
        let answer = response.text().await?;
        anyhow::ensure!(status.is_success(), "{method} {path}: {status} {answer}");
        serde_json::from_str(&answer).with_context(|| format!("{method} {path} answered no JSON"))
    }
}

/// The elements of the list that an answer has under `name`.
fn members_of<'v>(answer: &'v Value, name: &str) -> impl Iterator<Item = &'v Value> {
    answer.get(name).and_then(Value::as_array).into_iter().flatten()
}

/// The text at a JSON Pointer.
fn text_at(value: &Value, pointer: &str) -> anyhow::Result<String> {
    let text = value.pointer(pointer).and_then(Value::as_str);
    Ok(text.with_context(|| format!("the answer has no text at {pointer}"))?.to_owned())
}
