//! The authorization code flow (OpenID4VCI §5): PKCE, pushed requests, the way through the browser, and what comes back.

use std::collections::HashMap;
use std::fmt;

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::dpop::Space;
use crate::error::{Refusal, Step, Violation, WalletError};
use crate::issuer::Issuer;
use crate::json;
use crate::keys::random_text;
use crate::metadata::AuthorizationServer;
use crate::options::{Options, Pushing};
use crate::token::{self, Token};
use crate::transport::{FORM, Request};
use crate::wallet::Wallet;

const STEP: Step = Step::Authorization;
/// RFC 9126 leaves it open; FAPI 2.0 §5.3.2.2 wants less than this.
const LONGEST_PUSHED_SECONDS: u64 = 600;

/// An authorization request that is on its way.
#[derive(Clone)]
pub struct Authorization {
    /// Where the browser has to go.
    pub url: String,
    /// Where it will come back to.
    pub redirect_uri: String,
    /// Whether the request was pushed.
    pub pushed: bool,
    state: String,
    verifier: String,
    by_details: bool,
}

impl fmt::Debug for Authorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authorization")
            .field("redirect_uri", &self.redirect_uri)
            .field("pushed", &self.pushed)
            .finish_non_exhaustive()
    }
}

type Parameters = Vec<(&'static str, String)>;

impl Wallet {
    /// The whole way: request, browser, code, token. `issuer_state` comes from an offer.
    ///
    /// # Errors
    /// See [`Wallet::authorize`] and [`Wallet::redeem`]; [`WalletError::Input`] without a front channel.
    pub async fn authorized(
        &self,
        issuer: &Issuer,
        configuration_ids: &[String],
        issuer_state: Option<&str>,
        options: &Options,
    ) -> Result<Token, WalletError> {
        let Some(front_channel) = &options.front_channel else {
            return Err(WalletError::Input("the authorization code flow needs a way to a browser".into()));
        };
        let authorization = self.authorize(issuer, configuration_ids, issuer_state, options).await?;
        let answer = front_channel.visit(authorization.url.clone()).await?;
        self.redeem(issuer, &authorization, &answer, options).await
    }

    /// Makes an authorization request and pushes it where that is possible.
    ///
    /// # Errors
    /// [`WalletError::Input`] without front channel or `client_id`; [`WalletError::Refused`] with the error of the server;
    /// [`WalletError::Violation`] for a wrong answer.
    pub async fn authorize(
        &self,
        issuer: &Issuer,
        configuration_ids: &[String],
        issuer_state: Option<&str>,
        options: &Options,
    ) -> Result<Authorization, WalletError> {
        let server = &issuer.authorization_server;
        let Some(endpoint) = &server.authorization_endpoint else {
            let expected = "an authorization_endpoint";
            let what = "the authorization code flow is not possible";
            return Violation::err(Step::AuthorizationServerMetadata, "RFC 8414 §2", what, expected, "none");
        };
        let Some(client_id) = options.client() else {
            let what =
                "the authorization code flow needs a client_id (RFC 6749 §4.1.1), or a wallet provider that gives one";
            return Err(WalletError::Input(what.into()));
        };
        let Some(redirect_uri) = options.front_channel.as_ref().map(|channel| channel.redirect_uri.clone()) else {
            return Err(WalletError::Input("the authorization code flow needs a redirect URI".into()));
        };
        let (state, verifier) = (random_text::<16>()?, random_text::<32>()?);
        let challenge = URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, verifier.as_bytes()));
        let mut parameters: Parameters = vec![
            ("response_type", "code".into()),
            ("client_id", client_id.to_owned()),
            ("redirect_uri", redirect_uri.clone()),
            ("state", state.clone()),
            ("code_challenge", challenge),
            ("code_challenge_method", "S256".into()),
        ];
        let by_details = self.name_wanted(&mut parameters, issuer, configuration_ids, options)?;
        if let Some(issuer_state) = issuer_state {
            parameters.push(("issuer_state", issuer_state.to_owned()));
        }
        if !issuer.metadata.authorization_servers.is_empty() {
            parameters.push(("resource", issuer.metadata.credential_issuer.clone()));
        }
        if self.uses_dpop(issuer, options) {
            // RFC 9449 §10: the code is good for the holder of this key only.
            parameters.push(("dpop_jkt", self.dpop_key().thumbprint().to_owned()));
        }
        let pushed = self.push(issuer, &parameters, options).await?;
        let is_pushed = pushed.is_some();
        let visible = match pushed {
            Some(request_uri) => vec![("client_id", client_id.to_owned()), ("request_uri", request_uri)],
            None => parameters,
        };
        let joint = if endpoint.contains('?') { '&' } else { '?' };
        let url = format!("{endpoint}{joint}{}", encoded(&visible));
        Ok(Authorization { url, redirect_uri, pushed: is_pushed, state, verifier, by_details })
    }

    /// Checks the answer that the browser brought and redeems its code.
    ///
    /// # Errors
    /// [`WalletError::Violation`] for an answer that is not the server's to this request; [`WalletError::Refused`] with the
    /// error of the server.
    pub async fn redeem(
        &self,
        issuer: &Issuer,
        authorization: &Authorization,
        answer: &str,
        options: &Options,
    ) -> Result<Token, WalletError> {
        let code = code(&issuer.authorization_server, authorization, answer)?;
        let mut form = vec![
            ("grant_type", "authorization_code".to_owned()),
            ("code", code),
            ("redirect_uri", authorization.redirect_uri.clone()),
            ("code_verifier", authorization.verifier.clone()),
        ];
        if !issuer.metadata.authorization_servers.is_empty() {
            form.push(("resource", issuer.metadata.credential_issuer.clone()));
        }
        self.token_request(issuer, form, authorization.by_details, options).await
    }

    /// By `scope` where every configuration has one (HAIP §4.2 wants that), else by `authorization_details`.
    fn name_wanted(
        &self,
        parameters: &mut Parameters,
        issuer: &Issuer,
        configuration_ids: &[String],
        options: &Options,
    ) -> Result<bool, WalletError> {
        let known = &issuer.metadata.configurations;
        let scopes: Option<Vec<&str>> =
            configuration_ids.iter().map(|id| known.get(id).and_then(|known| known.scope.as_deref())).collect();
        if let Some(scopes) = scopes.filter(|_| !options.authorization_details) {
            parameters.push(("scope", scopes.join(" ")));
            return Ok(false);
        }
        let types = &issuer.authorization_server.authorization_details_types;
        if !types.iter().any(|listed| listed == "openid_credential") {
            return Violation::err(
                Step::AuthorizationServerMetadata,
                "OpenID4VCI §12.2.4",
                "there is no way to name the credential: no scope, no authorization_details",
                "a scope in each configuration, or openid_credential in authorization_details_types_supported",
                if types.is_empty() { "nothing".to_owned() } else { types.join(", ") },
            );
        }
        let details: Vec<_> = configuration_ids.iter().map(|id| token::detail(issuer, id)).collect();
        parameters.push(("authorization_details", json!(details).to_string()));
        Ok(true)
    }

    /// RFC 9126 §2; gives the `request_uri`, or nothing when the request is not pushed.
    async fn push(
        &self,
        issuer: &Issuer,
        parameters: &Parameters,
        options: &Options,
    ) -> Result<Option<String>, WalletError> {
        let server = &issuer.authorization_server;
        let url = match (&server.pushed_authorization_request_endpoint, options.pushing) {
            (Some(_), Pushing::Never) | (None, Pushing::Auto | Pushing::Never) => return Ok(None),
            (None, Pushing::Always) => {
                return Err(WalletError::Unsupported("a server without pushed authorization requests".into()));
            }
            (Some(url), Pushing::Auto | Pushing::Always) => url,
        };
        self.prepare_challenge(issuer, options).await?;
        let step = Step::PushedAuthorization;
        let clause = "RFC 9126 §2.2";
        let request = Request::post(step, url, Some(FORM), encoded(parameters).into_bytes());
        let reply = if self.uses_dpop(issuer, options) {
            self.send_with_proof(request, None, Space::AuthorizationServer, &server.issuer, options).await?
        } else {
            self.send_attested(request, &server.issuer, options).await?
        };
        let answer = reply.object(&[201], clause)?;
        reply.demand_no_store(clause)?;
        match answer.get("expires_in").and_then(Value::as_u64) {
            Some(1..LONGEST_PUSHED_SECONDS) => {}
            _ => {
                let got = answer.get("expires_in").map_or("nothing".to_owned(), Value::to_string);
                let clause = "RFC 9126 §2.2, FAPI 2.0 §5.3.2.2";
                return Violation::err(step, clause, "expires_in is wrong", "1 to 599 seconds", got);
            }
        }
        match answer.get("request_uri") {
            Some(Value::String(uri)) if !uri.is_empty() => Ok(Some(uri.clone())),
            other => {
                Violation::err(step, clause, "request_uri is wrong", "a non-empty string", json::kind_or_absent(other))
            }
        }
    }
}

/// Checks an authorization response (RFC 6749 §4.1.2, RFC 9207 §2.4) and takes the code out of it.
fn code(server: &AuthorizationServer, authorization: &Authorization, answer: &str) -> Result<String, WalletError> {
    let wrong = |clause: &'static str, what: &str, expected: &str, got: &str| {
        Err(WalletError::from(Violation::new(STEP, clause, what, expected, got)))
    };
    let own = &authorization.redirect_uri;
    let rest = answer.strip_prefix(own.as_str()).filter(|rest| rest.is_empty() || rest.starts_with(['?', '&']));
    let Some(query) = rest.map(|rest| rest.trim_start_matches(['?', '&'])) else {
        return wrong("RFC 6749 §3.1.2", "the browser was sent elsewhere", own, without_query(answer));
    };
    let query = query.split('#').next().unwrap_or("");
    let mut parameters = HashMap::new();
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()).into_owned() {
        if parameters.insert(name, value).is_some() {
            return wrong("RFC 6749 §3.1", "a parameter of the answer is repeated", "each once", "one twice");
        }
    }
    let text = |name: &str| parameters.get(name).map(String::as_str).filter(|text| !text.is_empty());
    if text("state") != Some(authorization.state.as_str()) {
        let got = if text("state").is_some() { "another value" } else { "no state" };
        return wrong("RFC 6749 §4.1.2, §10.12", "the answer is not to this request", "the state that was sent", got);
    }
    match text("iss") {
        Some(iss) if iss == server.issuer => {}
        // A server that an attacker chose would answer in the name of another one: mix-up.
        Some(iss) => return wrong("RFC 9207 §2.4", "another server answered", &server.issuer, iss),
        None if server.response_names_issuer => {
            let what = "the answer does not name its server, though the metadata promises it";
            return wrong("RFC 9207 §2.4", what, "iss", "no iss");
        }
        None => {}
    }
    if let Some(error) = text("error") {
        return Err(WalletError::Refused(Box::new(Refusal {
            step: STEP,
            url: without_query(&authorization.url).to_owned(),
            status: 303,
            error: Some(error.to_owned()),
            description: text("error_description").map(str::to_owned),
            www_authenticate: None,
            dpop_nonce: None,
            retry_after: None,
            body: String::new(),
        })));
    }
    match text("code") {
        Some(code) => Ok(code.to_owned()),
        None => wrong("RFC 6749 §4.1.2", "the answer has neither code nor error", "one of them", "none"),
    }
}

pub(crate) fn encoded(parameters: &[(&'static str, String)]) -> String {
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in parameters {
        form.append_pair(name, value);
    }
    form.finish()
}

fn without_query(url: &str) -> &str {
    url.split(['?', '#']).next().unwrap_or(url)
}
