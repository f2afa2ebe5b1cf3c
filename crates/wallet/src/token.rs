//! Token requests (OpenID4VCI §6) of the pre-authorized code, and refreshing (RFC 6749 §6).

use std::fmt;

use serde_json::{Value, json};

use crate::authorization::encoded;
use crate::dpop::Space;
use crate::error::{Step, Violation, WalletError};
use crate::issuer::Issuer;
use crate::json::{self, Object};
use crate::keys::object;
use crate::offer::{Offer, PRE_AUTHORIZED_CODE};
use crate::options::{Dpop, Options};
use crate::transport::{FORM, Request};
use crate::wallet::Wallet;

const STEP: Step = Step::Token;
/// OpenID4VCI §13.10: a token that lives longer must be sender-constrained.
const LONGEST_BEARER_SECONDS: u64 = 300;

/// An access token.
#[derive(Clone)]
pub struct Token {
    /// The token; a secret.
    pub access_token: String,
    /// Whether it is bound to the wallet's DPoP key.
    pub dpop: bool,
    /// Seconds it lives, when the server says so.
    pub expires_in: Option<u64>,
    /// The refresh token; a secret.
    pub refresh_token: Option<String>,
    /// The `openid_credential` entries of `authorization_details`.
    pub authorization_details: Vec<AuthorizedDetail>,
}

/// What the token allows for one configuration (OpenID4VCI §6.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorizedDetail {
    /// The configuration.
    pub configuration_id: String,
    /// One identifier for each credential dataset.
    pub credential_identifiers: Vec<String>,
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token")
            .field("dpop", &self.dpop)
            .field("expires_in", &self.expires_in)
            .field("authorization_details", &self.authorization_details)
            .finish_non_exhaustive()
    }
}

impl Wallet {
    /// Redeems the pre-authorized code of `offer`. What `options` hold is sent as it is: a missing or wrong transaction code is
    /// for the server to refuse.
    ///
    /// # Errors
    /// [`WalletError::Refused`] with the server's error; [`WalletError::Violation`] for a wrong answer;
    /// [`WalletError::Unsupported`] for an offer without pre-authorized code.
    pub async fn token(&self, issuer: &Issuer, offer: &Offer, options: &Options) -> Result<Token, WalletError> {
        let form = form(issuer, offer, options)?;
        self.token_request(issuer, form, options.authorization_details, options).await
    }

    /// Trades the refresh token for a new access token (RFC 6749 §6). When the answer has no refresh token, the old one is
    /// kept; what was authorized stays so.
    ///
    /// # Errors
    /// [`WalletError::Input`] without refresh token; [`WalletError::Refused`] or [`WalletError::Violation`].
    pub async fn refresh(&self, issuer: &Issuer, token: &Token, options: &Options) -> Result<Token, WalletError> {
        let Some(refresh_token) = &token.refresh_token else {
            return Err(WalletError::Input("the issuer gave no refresh token".into()));
        };
        let form = vec![("grant_type", "refresh_token".to_owned()), ("refresh_token", refresh_token.clone())];
        let mut fresh = self.token_request(issuer, form, false, options).await?;
        fresh.refresh_token = fresh.refresh_token.or_else(|| token.refresh_token.clone());
        if fresh.authorization_details.is_empty() {
            fresh.authorization_details.clone_from(&token.authorization_details);
        }
        Ok(fresh)
    }

    /// Sends `form` with the `client_id` to the token endpoint. `by_details`: `authorization_details` were asked for.
    pub(crate) async fn token_request(
        &self,
        issuer: &Issuer,
        mut form: Vec<(&'static str, String)>,
        by_details: bool,
        options: &Options,
    ) -> Result<Token, WalletError> {
        let server = &issuer.authorization_server;
        let dpop = self.uses_dpop(issuer, options);
        if let Some(client_id) = options.client() {
            form.push(("client_id", client_id.to_owned()));
        }
        self.prepare_challenge(issuer, options).await?;
        let request = Request::post(STEP, &server.token_endpoint, Some(FORM), encoded(&form).into_bytes());
        let reply = if dpop {
            self.send_with_proof(request, None, Space::AuthorizationServer, &server.issuer, options).await?
        } else {
            self.send_attested(request, &server.issuer, options).await?
        };
        let answer = reply.object(&[200], "RFC 6749 §5.1")?;
        reply.demand_no_store("RFC 6749 §5.1")?;
        read(&answer, dpop, by_details)
    }

    pub(crate) fn uses_dpop(&self, issuer: &Issuer, options: &Options) -> bool {
        let listed = &issuer.authorization_server.dpop_algorithms;
        let own = self.dpop_key().algorithm().names();
        match options.dpop {
            Dpop::Always => true,
            Dpop::Never => false,
            Dpop::Auto => own.iter().any(|name| listed.iter().any(|listed| listed == name)),
        }
    }
}

fn form(issuer: &Issuer, offer: &Offer, options: &Options) -> Result<Vec<(&'static str, String)>, WalletError> {
    let Some(grant) = &offer.pre_authorized else {
        return Err(WalletError::Unsupported("an offer without pre-authorized code".into()));
    };
    let mut form = vec![("grant_type", PRE_AUTHORIZED_CODE.to_owned()), ("pre-authorized_code", grant.code.clone())];
    if let Some(tx_code) = &options.tx_code {
        form.push(("tx_code", tx_code.clone()));
    }
    if options.authorization_details {
        let wanted = issuer.wanted(offer, options)?;
        let details: Vec<Object> = wanted.iter().map(|id| detail(issuer, id)).collect();
        form.push(("authorization_details", json!(details).to_string()));
    }
    Ok(form)
}

pub(crate) fn detail(issuer: &Issuer, configuration_id: &str) -> Object {
    let mut detail =
        object([("type", json!("openid_credential")), ("credential_configuration_id", json!(configuration_id))]);
    // §5.1.1: with authorization_servers in the metadata, `locations` says which issuer is meant.
    if !issuer.metadata.authorization_servers.is_empty() {
        detail.insert("locations".into(), json!([issuer.metadata.credential_issuer]));
    }
    detail
}

fn read(answer: &Object, dpop: bool, by_details: bool) -> Result<Token, WalletError> {
    let wrong = |clause: &'static str, what: &str, expected: &str, got: String| {
        Violation::err(STEP, clause, what, expected, got)
    };
    let text = |name: &str| answer.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let Some(access_token) = text("access_token") else {
        let got = json::kind_or_absent(answer.get("access_token")).to_owned();
        return wrong("RFC 6749 §5.1", "access_token is wrong", "a non-empty string", got);
    };
    let token_type = text("token_type").unwrap_or("");
    let expected_type = if dpop { "DPoP" } else { "Bearer" };
    if !token_type.eq_ignore_ascii_case(expected_type) {
        let got = format!("{token_type:?}");
        return wrong("RFC 6749 §5.1, RFC 9449 §5", "token_type is wrong", expected_type, got);
    }
    let expires_in = match answer.get("expires_in") {
        None => None,
        Some(value) => match value.as_u64().filter(|seconds| *seconds > 0) {
            Some(seconds) => Some(seconds),
            None => return wrong("RFC 6749 §5.1", "expires_in is wrong", "a positive integer", value.to_string()),
        },
    };
    if let Some(seconds) = expires_in.filter(|seconds| !dpop && *seconds > LONGEST_BEARER_SECONDS) {
        let what = "a bearer token lives too long";
        return wrong("OpenID4VCI §13.10", what, "at most 300 seconds", seconds.to_string());
    }
    let authorization_details = details(answer.get("authorization_details"))?;
    if by_details && authorization_details.is_empty() {
        let what = "authorization_details are missing";
        let got = json::kind_or_absent(answer.get("authorization_details")).to_owned();
        return wrong("OpenID4VCI §6.2", what, "an openid_credential entry, as it was asked for", got);
    }
    Ok(Token {
        access_token: access_token.to_owned(),
        dpop,
        expires_in,
        refresh_token: text("refresh_token").map(str::to_owned),
        authorization_details,
    })
}

fn details(value: Option<&Value>) -> Result<Vec<AuthorizedDetail>, WalletError> {
    let clause = "OpenID4VCI §6.2";
    let entries = match value {
        None => return Ok(Vec::new()),
        Some(Value::Array(entries)) if !entries.is_empty() => entries,
        Some(other) => {
            let what = "authorization_details is wrong";
            return Violation::err(STEP, clause, what, "a non-empty array", json::kind(other));
        }
    };
    let mut found = Vec::new();
    for entry in entries {
        if entry.get("type").and_then(Value::as_str) != Some("openid_credential") {
            continue;
        }
        let identifiers: Option<Vec<String>> = entry
            .get("credential_identifiers")
            .and_then(Value::as_array)
            .and_then(|list| list.iter().map(|id| id.as_str().map(str::to_owned)).collect());
        let configuration_id = entry.get("credential_configuration_id").and_then(Value::as_str);
        match (configuration_id, identifiers.filter(|list| !list.is_empty())) {
            (Some(configuration_id), Some(credential_identifiers)) => {
                found.push(AuthorizedDetail { configuration_id: configuration_id.to_owned(), credential_identifiers })
            }
            (configuration_id, _) => {
                return Violation::err(
                    STEP,
                    clause,
                    "an openid_credential entry is incomplete",
                    "credential_configuration_id and a non-empty array of strings credential_identifiers",
                    if configuration_id.is_some() { "no such identifiers" } else { "no configuration" },
                );
            }
        }
    }
    Ok(found)
}
