//! Authorization requests, pushed or not, their answers, and the grants that follow (OpenID4VCI §5, §6; RFC 6749 §4.1,
//! RFC 7636, RFC 9126, RFC 9207, RFC 9449 §10).
//!
//! A request is read in two steps. [`ReturnAddress`] says who asks and where the answer goes; while that is in doubt, an
//! error is shown and never sent (AUT-14). Everything after it, [`AuthorizationRequest`] included, is answered there.

mod error;
mod grant;
mod pkce;
mod pushed;
mod redirect_uri;
mod request_object;
mod response;

use chancery_keys::jws;
use serde_json::{Map, Value};
use url::form_urlencoded;

use crate::authorization_details::AuthorizationDetail;
use crate::explanation::excerpt;
use crate::form::Form;

pub use error::AuthorizationError;
pub use grant::{AUTHORIZATION_CODE_GRANT, AuthorizationCodeRequest, GrantError, REFRESH_TOKEN_GRANT, RefreshRequest};
pub use pkce::{CodeChallenge, PkceError};
pub use pushed::{PushedAuthorizationResponse, REQUEST_URI_PREFIX, pushed_reference, request_uri_of};
pub use redirect_uri::{RedirectUri, RedirectUriError};
pub use request_object::{RequestObjectExpected, verify_request_object};
pub use response::{AuthorizationErrorCode, AuthorizationResponse, Outcome};

/// Longest value of a parameter, in bytes.
const VALUE_LIMIT: usize = 2048;

/// Most values in `scope`.
const SCOPE_COUNT_LIMIT: usize = 64;

/// Characters of a base64url SHA-256: a thumbprint or a code challenge.
const HASH_CHARACTERS: usize = 43;

/// Who asks, and where the answer goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReturnAddress {
    /// The client.
    pub client_id: String,
    /// Where to send the browser; must be one of the client's. `None` when absent, which only a client with one
    /// registered URI may do (RFC 6749 §3.1.2.3), and nobody in a pushed request (PAR-6).
    pub redirect_uri: Option<RedirectUri>,
    /// What the client wants back, unchanged.
    pub state: Option<String>,
}

/// An authorization request whose parameters are all here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorizationRequest {
    /// Who asks, and where the answer goes.
    pub return_address: ReturnAddress,
    /// The scope values, each once; unknown ones are to be ignored (AUT-8).
    pub scope: Vec<String>,
    /// The configurations asked for; `None` when the parameter is absent, never empty.
    pub authorization_details: Option<Vec<AuthorizationDetail>>,
    /// Finds the context of an offer, and proves nothing (AUT-11).
    pub issuer_state: Option<String>,
    /// Resource indicators (RFC 8707); a foreign one is `invalid_target`.
    pub resource: Vec<String>,
    /// What the code verifier at the token endpoint must hash to.
    pub code_challenge: Option<CodeChallenge>,
    /// Thumbprint of the DPoP key that the code is to be bound to (RFC 9449 §10).
    pub dpop_jkt: Option<String>,
}

/// What came to the authorization endpoint or to the pushed authorization request endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incoming {
    /// The parameters themselves.
    Parameters(Box<AuthorizationRequest>),
    /// A reference to a pushed request (RFC 9126 §4). Other parameters are not looked at.
    Reference {
        /// The client, which must be the one that pushed.
        client_id: String,
        /// The reference; see [`pushed_reference`].
        request_uri: String,
    },
    /// A request object (RFC 9101), unverified, in compact form; see [`request_object_parameters`].
    Object {
        /// The client, which must have signed it.
        client_id: String,
        /// The object.
        request: String,
    },
}

impl ReturnAddress {
    /// Reads `client_id`, `redirect_uri` and `state`. Show an error to the person, and send it nowhere.
    pub fn parse(form: &Form) -> Result<Self, AuthorizationError> {
        let redirect_uri = form.get("redirect_uri").map(RedirectUri::parse).transpose();
        Ok(Self {
            client_id: client_id(form)?,
            redirect_uri: redirect_uri.map_err(AuthorizationError::RedirectUri)?,
            state: optional(form, "state")?,
        })
    }
}

impl Incoming {
    /// Reads the query of an authorization request.
    pub fn parse(form: &Form) -> Result<Self, AuthorizationError> {
        let Some(request_uri) = optional(form, "request_uri")? else { return Self::parse_pushed(form) };
        if form.get("request").is_some() {
            return Err(AuthorizationError::RequestAndRequestUri);
        }
        Ok(Self::Reference { client_id: client_id(form)?, request_uri })
    }

    /// Reads the body of a pushed authorization request, in which `request_uri` is refused (RFC 9126 §2.1).
    pub fn parse_pushed(form: &Form) -> Result<Self, AuthorizationError> {
        if form.get("request_uri").is_some() {
            return Err(AuthorizationError::RequestUriPushed);
        }
        match form.get("request") {
            Some(request) if request.len() > jws::MAX_BYTES => {
                Err(AuthorizationError::TooLong { name: "request", limit: jws::MAX_BYTES, got: request.len() })
            }
            Some(request) => Ok(Self::Object { client_id: client_id(form)?, request: request.to_owned() }),
            None => Ok(Self::Parameters(Box::new(AuthorizationRequest::parse(form)?))),
        }
    }
}

impl AuthorizationRequest {
    /// Reads the parameters. Unknown ones are ignored (RFC 6749 §3.1).
    pub fn parse(form: &Form) -> Result<Self, AuthorizationError> {
        use AuthorizationError as Error;

        let return_address = ReturnAddress::parse(form)?;
        match form.get("response_type") {
            Some("code") => {}
            None => return Err(Error::Missing { name: "response_type" }),
            Some(got) => return Err(Error::ResponseType { got: excerpt(got) }),
        }
        if let Some(got) = form.get("response_mode").filter(|mode| *mode != "query") {
            return Err(Error::ResponseMode { got: excerpt(got) });
        }
        let challenge = CodeChallenge::parse(form.get("code_challenge"), form.get("code_challenge_method"));
        let dpop_jkt = form.get("dpop_jkt");
        if let Some(got) = dpop_jkt.filter(|thumbprint| !is_hash(thumbprint)) {
            return Err(Error::DpopKeyMalformed { got: excerpt(got) });
        }
        let details = form.get("authorization_details").map(AuthorizationDetail::parse_list);
        Ok(Self {
            return_address,
            scope: form.get("scope").map_or(Ok(Vec::new()), scope)?,
            authorization_details: details.transpose()?,
            issuer_state: optional(form, "issuer_state")?,
            resource: form.all("resource").into_iter().map(str::to_owned).collect(),
            code_challenge: challenge.map_err(Error::CodeChallenge)?,
            dpop_jkt: dpop_jkt.map(str::to_owned),
        })
    }

    /// The code challenge, where one is demanded (AUT-12).
    pub fn required_code_challenge(&self) -> Result<&CodeChallenge, AuthorizationError> {
        self.code_challenge.as_ref().ok_or(AuthorizationError::Missing { name: "code_challenge" })
    }

    /// The key that the code is to be bound to: `dpop_jkt`, or the thumbprint of the key that signed a `DPoP` header of
    /// a pushed request. When both are there they must agree (RFC 9449 §10.1).
    pub fn dpop_key(&self, proof_thumbprint: Option<&str>) -> Result<Option<String>, AuthorizationError> {
        match (self.dpop_jkt.as_deref(), proof_thumbprint) {
            (Some(named), Some(proven)) if named != proven => {
                Err(AuthorizationError::DpopKeyMismatch { expected: excerpt(proven), got: excerpt(named) })
            }
            (named, proven) => Ok(proven.or(named).map(str::to_owned)),
        }
    }
}

/// The claims of a request object as parameters (RFC 9101 §4), once its signature is verified. Objects and arrays become
/// their JSON text, and an array in `resource` becomes several parameters. A request object inside a request object is
/// refused, and so is another client than the one outside.
pub fn request_object_parameters(claims: &Map<String, Value>, client_id: &str) -> Result<Form, AuthorizationError> {
    if claims.contains_key("request") || claims.contains_key("request_uri") {
        return Err(AuthorizationError::NestedRequestObject);
    }
    let got = claims.get("client_id").and_then(Value::as_str).unwrap_or_default();
    if got != client_id {
        return Err(AuthorizationError::RequestObjectClient { expected: excerpt(client_id), got: excerpt(got) });
    }
    let mut encoded = form_urlencoded::Serializer::new(String::new());
    for (name, value) in claims {
        match value {
            Value::String(text) => encoded.append_pair(name, text),
            Value::Array(items) if name == "resource" => {
                encoded.extend_pairs(items.iter().filter_map(Value::as_str).map(|item| (name, item)))
            }
            Value::Null => &mut encoded,
            Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                encoded.append_pair(name, &value.to_string())
            }
        };
    }
    Form::parse(encoded.finish().as_bytes()).map_err(AuthorizationError::RequestObjectForm)
}

fn client_id(form: &Form) -> Result<String, AuthorizationError> {
    optional(form, "client_id")?.ok_or(AuthorizationError::Missing { name: "client_id" })
}

fn optional(form: &Form, name: &'static str) -> Result<Option<String>, AuthorizationError> {
    match form.get(name) {
        Some(value) if value.len() > VALUE_LIMIT => {
            Err(AuthorizationError::TooLong { name, limit: VALUE_LIMIT, got: value.len() })
        }
        value => Ok(value.map(str::to_owned)),
    }
}

/// The values of a `scope` parameter (RFC 6749 §3.3), each once, in order.
fn scope(text: &str) -> Result<Vec<String>, AuthorizationError> {
    let malformed = || AuthorizationError::Scope { got: excerpt(text) };
    let mut values: Vec<String> = Vec::new();
    for value in text.split(' ').filter(|value| !value.is_empty()) {
        let well_formed = value.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e));
        if !well_formed || text.len() > VALUE_LIMIT || values.len() == SCOPE_COUNT_LIMIT {
            return Err(malformed());
        }
        if !values.iter().any(|known| known == value) {
            values.push(value.to_owned());
        }
    }
    Ok(values)
}

fn is_hash(text: &str) -> bool {
    text.len() == HASH_CHARACTERS && is_base64url(text)
}

fn is_base64url(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

#[cfg(test)]
mod tests;
