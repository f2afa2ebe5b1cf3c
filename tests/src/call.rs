//! One request of a wallet, complete and correct until a test changes it.

use reqwest::{Method, RequestBuilder};
use serde_json::{Map, Value, json};

use crate::http::Http;
use crate::jwt::{Jwt, put};

/// A request as a wallet would send it. Every part is open to be changed before it goes out.
#[derive(Clone, Debug)]
pub struct Call {
    /// Method; the DPoP proof does not follow when it is changed.
    pub method: Method,
    /// Public URL; the DPoP proof does not follow when it is changed.
    pub url: String,
    /// Headers besides `Content-Type` and `DPoP`, sent as often as they are listed.
    pub headers: Vec<(String, String)>,
    /// Overrides the content type of the body; empty for none at all.
    pub content_type: Option<String>,
    /// Body.
    pub body: Body,
    /// Goes into the `DPoP` header.
    pub dpop: Option<Jwt>,
    /// Go into `proofs.jwt` of a JSON body that has no `proofs` of its own.
    pub proofs: Vec<Jwt>,
}

/// Body of a [`Call`].
#[derive(Clone, Debug)]
pub enum Body {
    /// None.
    Empty,
    /// `application/x-www-form-urlencoded`; a name may occur twice.
    Form(Vec<(String, String)>),
    /// `application/json`.
    Json(Map<String, Value>),
    /// Anything.
    Bytes(Vec<u8>),
}

impl Call {
    /// A request with nothing in it.
    pub fn new(method: Method, url: &str) -> Self {
        Self {
            method,
            url: url.to_owned(),
            headers: Vec::new(),
            content_type: None,
            body: Body::Empty,
            dpop: None,
            proofs: Vec::new(),
        }
    }

    /// Sets a form parameter, in place of any of that name.
    #[must_use]
    pub fn with_field(mut self, name: &str, value: &str) -> Self {
        self = self.without_field(name);
        self.form_mut().push((name.to_owned(), value.to_owned()));
        self
    }

    /// Adds a form parameter, also when there is one of that name.
    #[must_use]
    pub fn with_another_field(mut self, name: &str, value: &str) -> Self {
        self.form_mut().push((name.to_owned(), value.to_owned()));
        self
    }

    /// Takes a form parameter out.
    #[must_use]
    pub fn without_field(mut self, name: &str) -> Self {
        self.form_mut().retain(|(known, _)| known != name);
        self
    }

    /// Sets a member of the JSON body; `null` takes it out.
    #[must_use]
    pub fn with_member(mut self, name: &str, value: impl Into<Value>) -> Self {
        match &mut self.body {
            Body::Json(members) => put(members, name, value.into()),
            Body::Empty | Body::Form(_) | Body::Bytes(_) => panic!("the body is not JSON"),
        }
        self
    }

    /// Adds a header.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Takes a header out.
    #[must_use]
    pub fn without_header(mut self, name: &str) -> Self {
        self.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self
    }

    /// With these bytes as the body; the content type stays what it was.
    #[must_use]
    pub fn with_bytes(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.content_type = Some(self.content_type().unwrap_or_default());
        self.body = Body::Bytes(bytes.into());
        self
    }

    /// With another content type; empty for none.
    #[must_use]
    pub fn with_content_type(mut self, content_type: &str) -> Self {
        self.content_type = Some(content_type.to_owned());
        self
    }

    /// With the DPoP proof changed.
    #[must_use]
    pub fn with_dpop(mut self, change: impl FnOnce(Jwt) -> Jwt) -> Self {
        self.dpop = Some(change(self.dpop.take().expect("a DPoP proof to change")));
        self
    }

    /// Without a DPoP proof.
    #[must_use]
    pub fn without_dpop(mut self) -> Self {
        self.dpop = None;
        self
    }

    /// With the first key proof changed.
    #[must_use]
    pub fn with_proof(mut self, change: impl FnOnce(Jwt) -> Jwt) -> Self {
        let proof = self.proofs.remove(0);
        self.proofs.insert(0, change(proof));
        self
    }

    pub(crate) fn request(&self, http: &Http) -> RequestBuilder {
        let mut request = http.request(self.method.clone(), &self.url);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        if let Some(content_type) = self.content_type().filter(|value| !value.is_empty()) {
            request = request.header("content-type", content_type);
        }
        if let Some(dpop) = &self.dpop {
            request = request.header("dpop", dpop.compact());
        }
        match &self.body {
            Body::Empty => request,
            Body::Form(fields) => request.body(form(fields)),
            Body::Json(members) => request.body(self.json(members).to_string()),
            Body::Bytes(bytes) => request.body(bytes.clone()),
        }
    }

    fn content_type(&self) -> Option<String> {
        if self.content_type.is_some() {
            return self.content_type.clone();
        }
        match &self.body {
            Body::Form(_) => Some("application/x-www-form-urlencoded".to_owned()),
            Body::Json(_) => Some("application/json".to_owned()),
            Body::Empty | Body::Bytes(_) => None,
        }
    }

    fn json(&self, members: &Map<String, Value>) -> Value {
        let mut members = members.clone();
        if !self.proofs.is_empty() && !members.contains_key("proofs") {
            let proofs: Vec<String> = self.proofs.iter().map(Jwt::compact).collect();
            members.insert("proofs".to_owned(), json!({ "jwt": proofs }));
        }
        Value::Object(members)
    }

    fn form_mut(&mut self) -> &mut Vec<(String, String)> {
        match &mut self.body {
            Body::Form(fields) => fields,
            Body::Empty | Body::Json(_) | Body::Bytes(_) => panic!("the body is not a form"),
        }
    }
}

/// Fields as `application/x-www-form-urlencoded`.
pub fn form(fields: &[(String, String)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}
