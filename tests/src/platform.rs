//! Those who speak to the management face: the platform, and the administrators of organisations.

use chancery_model::Timestamp;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::certificates::{Authority, pem};
use crate::http::{Answer, Http};
use crate::jwt::object;
use crate::key::random;
use crate::samples::PNG;

/// Base path of the issuer's configuration and issuance.
pub const OPENID: &str = "/v2/config/digital-wallet/openid";

/// Path of the issue call.
pub const ISSUE: &str = "/v2/config/digital-wallet/openid/sdjwt/credential/issue";

/// Path under which signing keys are made.
pub const SIGNING_KEYS: &str = "/v2/config/digital-wallet/openid/key-management";

/// Path under which the platform makes organisations.
pub const ORGANISATIONS: &str = "/v2/platform/organisations";
/// Path under which an organisation makes API keys.
pub const API_KEYS: &str = "/v2/config/admin/apikey";

/// The holder of the platform key, who creates organisations.
#[derive(Clone, Debug)]
pub struct Platform {
    api: Api,
}

/// A program of an organisation, with an API key of it.
#[derive(Clone, Debug)]
pub struct Operator {
    api: Api,
    /// The organisation as it was when it was created.
    pub organisation: Value,
}

/// An offer that was made, and the exchange behind it.
#[derive(Clone, Debug)]
pub struct Offer {
    /// Id of the exchange.
    pub id: String,
    /// The offer link for the wallet.
    pub link: String,
    /// The whole `credentialHistory` of the answer.
    pub history: Value,
}

#[derive(Clone, Debug)]
struct Api {
    http: Http,
    base: String,
    key: String,
    /// Of the `Authorization` header.
    scheme: &'static str,
    headers: Vec<(String, String)>,
}

impl Platform {
    /// Speaks to the management face at `base`, a URL without a trailing slash, under the platform key.
    pub fn new(http: Http, base: String, key: String) -> Self {
        Self { api: Api { http, base, key, scheme: "ApiKey", headers: Vec::new() } }
    }

    /// A new organisation with a name of its own and a signing key, and an administrator of it.
    pub async fn new_organisation(&self) -> Operator {
        let slug = format!("org-{}", random(9).to_ascii_lowercase().replace(['-', '_'], "x"));
        self.organisation(json!({"slug": slug, "name": "Test organisation"})).await
    }

    /// A new organisation with a signing key, and an administrator of it. `description` is the body of the request;
    /// `slug` and `name` may be left out.
    pub async fn organisation(&self, description: Value) -> Operator {
        let slug = format!("org-{}", random(9).to_ascii_lowercase().replace(['-', '_'], "x"));
        let mut whole = object(json!({"slug": slug, "name": "Test organisation"}));
        whole.extend(object(description));
        let description = Value::Object(whole);
        let created = self.post(ORGANISATIONS, description).await.expect(201);
        let key = created["apiKey"]["apiKey"].as_str().expect("an API key").to_owned();
        let api = Api { key, ..self.api.clone() };
        let operator = Operator { api, organisation: created["organisation"].clone() };
        operator.post(&format!("{OPENID}/key-management"), json!({"algorithm": "ES256"})).await.expect(201);
        operator
    }

    /// Suspends an organisation.
    pub async fn suspend(&self, operator: &Operator) {
        self.act(operator, "suspend").await;
    }

    /// Lets a suspended organisation act again.
    pub async fn resume(&self, operator: &Operator) {
        self.act(operator, "resume").await;
    }

    async fn act(&self, operator: &Operator, verb: &str) {
        self.post(&format!("{ORGANISATIONS}/{}/{verb}", operator.organisation_id()), json!({})).await.ok();
    }

    /// `GET path`.
    pub async fn get(&self, path: &str) -> Answer {
        self.api.send(Method::GET, path, None).await
    }

    /// `POST path`.
    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.api.send(Method::POST, path, Some(body)).await
    }

    /// `PUT path`.
    pub async fn put(&self, path: &str, body: Value) -> Answer {
        self.api.send(Method::PUT, path, Some(body)).await
    }

    /// `DELETE path`.
    pub async fn delete(&self, path: &str) -> Answer {
        self.api.send(Method::DELETE, path, None).await
    }
}

impl Operator {
    /// Id of the organisation.
    pub fn organisation_id(&self) -> &str {
        self.organisation["id"].as_str().expect("an id")
    }

    /// The organisation's Credential Issuer Identifier.
    pub fn issuer(&self) -> &str {
        self.organisation["issuer"].as_str().expect("an issuer identifier")
    }

    /// The API key in use.
    pub fn key(&self) -> &str {
        &self.api.key
    }

    /// Waits until the first use of its key is written down, which happens in the background, with a COMMIT that tests which
    /// count those would meet.
    ///
    /// # Panics
    /// When it is not.
    pub async fn settled(&self) {
        for _ in 0..500 {
            let keys = self.get(&format!("{API_KEYS}s")).await.ok();
            if keys["apiKeys"][0]["lastUsedTimestamp"] != "" {
                return;
            }
        }
        panic!("the use of the key is never noted");
    }

    /// The same organisation under another API key.
    pub fn with_key(&self, key: &str) -> Self {
        Self { api: Api { key: key.to_owned(), ..self.api.clone() }, organisation: self.organisation.clone() }
    }

    /// The same program, which calls another process of the server: `base` is a URL without a trailing slash.
    pub fn at(&self, base: &str) -> Self {
        Self { api: Api { base: base.to_owned(), ..self.api.clone() }, organisation: self.organisation.clone() }
    }

    /// The same organisation under an access token instead of a key.
    pub fn with_token(&self, token: &str) -> Self {
        let api = Api { key: token.to_owned(), scheme: "Bearer", ..self.api.clone() };
        Self { api, organisation: self.organisation.clone() }
    }

    /// The same with one more header in every request.
    pub fn with_header(&self, name: &str, value: &str) -> Self {
        let mut operator = self.clone();
        operator.api.headers.push((name.to_owned(), value.to_owned()));
        operator
    }

    /// The same organisation under a new API key of that role: `admin`, `issuer` or `auditor`.
    pub async fn with_role(&self, role: &str) -> Self {
        let created = self.post(API_KEYS, json!({"name": role, "role": role})).await.expect(200);
        self.with_key(created["apiKey"]["apiKey"].as_str().expect("an API key"))
    }

    /// Gives a definition a logo and answers it as it is then.
    pub async fn show_logo(&self, definition: &Value) -> Value {
        let id = definition["credentialDefinitionId"].as_str().expect("an id");
        let request = self.request(Method::PUT, &format!("{}/logoimage", definition_path(id)));
        let request = request.header("content-type", "image/png").body(PNG);
        self.send(request).await.ok()["credentialDefinition"].clone()
    }

    /// The path of its newest signing key.
    pub async fn signing_key(&self) -> String {
        let keys = self.get(SIGNING_KEYS).await.ok();
        format!("{SIGNING_KEYS}/{}", keys["keys"][0]["id"].as_str().expect("an id"))
    }

    /// The signing request of its newest signing key, in PEM. `body` may name `commonName` and `names`.
    pub async fn signing_request(&self, body: Value) -> String {
        let answer = self.post(&format!("{}/csr", self.signing_key().await), body).await.ok();
        answer["csr"].as_str().expect("a request").to_owned()
    }

    /// Uploads certificates (DER, leaf first) of its newest signing key.
    pub async fn upload_chain(&self, certificates: &[&[u8]]) -> Answer {
        let path = format!("{}/certificate-chain", self.signing_key().await);
        self.put(&path, json!({"certificateChain": pem(certificates)})).await
    }

    /// Has its newest signing key certified, as HAIP wants it; answers the certificate (DER).
    pub async fn certify(&self, authority: &Authority) -> Vec<u8> {
        let leaf = authority.certify_request(&self.signing_request(json!({})).await);
        assert_eq!(self.upload_chain(&[&leaf]).await.ok()["warnings"], json!([]));
        leaf
    }

    /// The same, with a certificate that ends at an instant of a test's choice.
    pub async fn certify_until(&self, authority: &Authority, end: Timestamp) -> Vec<u8> {
        let leaf = authority.certify_request_until(&self.signing_request(json!({})).await, end);
        self.upload_chain(&[&leaf]).await.ok();
        leaf
    }

    /// Creates a definition and answers it with the ids it was given.
    pub async fn define(&self, definition: &Value) -> Value {
        let path = format!("{OPENID}/sdjwt/credential-definition");
        self.post(&path, definition.clone()).await.ok()["credentialDefinition"].clone()
    }

    /// Offers the one entry of a definition with these claims, with a pre-authorized code and no transaction code.
    pub async fn offer(&self, definition: &Value, claims: &Value) -> Offer {
        self.offer_of(issue_body(definition, claims)).await
    }

    /// The same, under a transaction code.
    pub async fn offer_with_pin(&self, definition: &Value, claims: &Value, pin: &str) -> Offer {
        let mut body = issue_body(definition, claims);
        body["userPin"] = pin.into();
        self.offer_of(body).await
    }

    /// Makes the offer that this issue request describes.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn offer_of(&self, body: Value) -> Offer {
        let history = self.issue(body).await.ok()["credentialHistory"].clone();
        let text = |member: &str| history[member].as_str().expect("a text").to_owned();
        Offer { id: text("CredentialExchangeId"), link: text("credentialOffer"), history: history.clone() }
    }

    /// Sends an issue request.
    pub async fn issue(&self, body: Value) -> Answer {
        self.post(ISSUE, body).await
    }

    /// The record of an exchange.
    pub async fn history(&self, id: &str) -> Value {
        self.get(&history_path(id)).await.ok()["credentialHistory"].clone()
    }

    /// The status of an exchange.
    pub async fn status(&self, id: &str) -> String {
        self.history(id).await["status"].as_str().expect("a status").to_owned()
    }

    /// What happened in an exchange: the first page of both chronicles, newest first.
    pub async fn transcript(&self, id: &str) -> Value {
        self.get(&format!("{}/transcript", history_path(id))).await.ok()
    }

    /// All events of an exchange, oldest first.
    pub async fn events(&self, id: &str) -> Vec<Value> {
        self.chronicle(id, "events").await
    }

    /// All log records of an exchange, oldest first.
    pub async fn records(&self, id: &str) -> Vec<Value> {
        self.chronicle(id, "logs").await
    }

    async fn chronicle(&self, id: &str, name: &str) -> Vec<Value> {
        let mut all = Vec::new();
        for page in 1.. {
            let path = format!("{}/transcript?limit=100&{name}_page={page}", history_path(id));
            let mut answer = self.get(&path).await.ok();
            let Value::Array(items) = answer[name].take() else { panic!("no {name}: {answer}") };
            all.extend(items);
            if answer[format!("{name}Pagination")]["hasNext"] != true {
                break;
            }
        }
        all.reverse();
        all
    }

    /// `GET path`.
    pub async fn get(&self, path: &str) -> Answer {
        self.api.send(Method::GET, path, None).await
    }

    /// `POST path`.
    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.api.send(Method::POST, path, Some(body)).await
    }

    /// `PUT path`.
    pub async fn put(&self, path: &str, body: Value) -> Answer {
        self.api.send(Method::PUT, path, Some(body)).await
    }

    /// `DELETE path`.
    pub async fn delete(&self, path: &str) -> Answer {
        self.api.send(Method::DELETE, path, None).await
    }

    /// A request with the API key in it, to be completed and sent with [`Operator::send`].
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.api.request(method, path)
    }

    /// Sends a request.
    pub async fn send(&self, request: RequestBuilder) -> Answer {
        self.api.http.send(request).await
    }
}

/// Path of the record of an exchange.
pub fn history_path(id: &str) -> String {
    format!("{OPENID}/sdjwt/credential/history/{id}")
}

/// Path of a definition.
pub fn definition_path(id: &str) -> String {
    format!("{OPENID}/sdjwt/credential-definition/{id}")
}

/// An issue request for the first entry of a definition, with a pre-authorized code and no transaction code.
pub fn issue_body(definition: &Value, claims: &Value) -> Value {
    let entry = &definition["credentialDefinitions"][0];
    json!({
        "issuanceMode": "InTime",
        "userPin": "",
        "credentialDefinitionId": definition["credentialDefinitionId"],
        "credential": {"id": entry["id"], "vct": entry["vct"], "claims": claims},
    })
}

impl Api {
    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let mut request = self.http.request(method, &format!("{}{path}", self.base));
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        request.header("authorization", format!("{} {}", self.scheme, self.key))
    }

    async fn send(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let request = self.request(method, path);
        let request = match body {
            Some(body) => request.json(&body),
            None => request,
        };
        self.http.send(request).await
    }
}
