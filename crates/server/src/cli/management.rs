//! The management API of a running server, as commands use it.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use reqwest::redirect::Policy;
use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::Value;
use thiserror::Error;

use crate::config::Environment;

/// How long an answer may take that does not stream.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long a connection may take.
const CONNECTING: Duration = Duration::from_secs(10);

/// Which server, and on whose behalf.
#[derive(Args)]
pub(super) struct ServerArguments {
    /// Base URL of the management face.
    #[arg(long)]
    url: String,
    /// File with an API key of the organisation.
    #[arg(long, value_name = "FILE", required_unless_present = "api_key_env")]
    api_key_file: Option<PathBuf>,
    /// Environment variable with the API key, instead of a file.
    #[arg(long, value_name = "NAME", conflicts_with = "api_key_file")]
    api_key_env: Option<String>,
}

impl ServerArguments {
    /// The API under the key.
    pub(super) fn open(&self, environment: &Environment) -> anyhow::Result<Management> {
        let key = match (&self.api_key_file, &self.api_key_env) {
            (Some(file), _) => {
                std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?
            }
            (None, Some(name)) => environment
                .get(name)
                .with_context(|| format!("the environment variable {name} with the API key is not set"))?
                .clone(),
            (None, None) => anyhow::bail!("an API key is needed: --api-key-file or --api-key-env"),
        };
        // Whoever answers elsewhere is not who the key is meant for.
        let client = Client::builder().connect_timeout(CONNECTING).redirect(Policy::none()).build()?;
        let base = self.url.trim_end_matches('/').to_owned();
        Ok(Management { client, base, key: key.trim().to_owned() })
    }
}

/// The management API under one API key.
pub(super) struct Management {
    client: Client,
    base: String,
    key: String,
}

/// Why there is no answer to work with.
#[derive(Debug, Error)]
pub(super) enum CallError {
    /// No complete answer came.
    #[error("{base} does not answer: {cause}")]
    Unreachable {
        /// Base URL.
        base: String,
        /// The innermost reason.
        cause: String,
    },
    /// The server refused, or failed.
    #[error("the server answered {status}: {detail}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// In words.
        detail: String,
        /// Places in the request body, and what is wrong there.
        places: Vec<(String, String)>,
    },
}

impl CallError {
    /// The status of a refusal.
    pub(super) fn status(&self) -> Option<u16> {
        match self {
            Self::Unreachable { .. } => None,
            Self::Refused { status, .. } => Some(*status),
        }
    }
}

impl Management {
    /// A request to a path, to be completed and sent with [`Management::send`].
    pub(super) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.client.request(method, format!("{}{path}", self.base));
        request.header("authorization", format!("ApiKey {}", self.key))
    }

    /// Sends a request; anything but 2xx is an error.
    pub(super) async fn send(&self, request: RequestBuilder) -> Result<Response, CallError> {
        let answer = request.send().await.map_err(|error| self.unreachable(&error))?;
        if answer.status().is_success() {
            return Ok(answer);
        }
        let status = answer.status().as_u16();
        let problem: Value = answer.json().await.unwrap_or_default();
        let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let detail = Some(text(&problem, "detail")).filter(|detail| !detail.is_empty());
        let places = problem.get("errors").and_then(Value::as_array).into_iter().flatten();
        let places = places.map(|place| (text(place, "pointer"), text(place, "detail"))).collect();
        Err(CallError::Refused { status, detail: detail.unwrap_or_else(|| "no reason was given".to_owned()), places })
    }

    /// `GET path`.
    pub(super) async fn read(&self, path: &str) -> Result<Value, CallError> {
        self.answer(self.request(Method::GET, path)).await
    }

    /// Sends a request and reads the JSON of the answer, `null` for an empty one.
    pub(super) async fn answer(&self, request: RequestBuilder) -> Result<Value, CallError> {
        let bytes = self.bytes(request).await?;
        if bytes.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&bytes).map_err(|_| CallError::Unreachable {
            base: self.base.clone(),
            cause: "what answers there is not Chancery's management face".to_owned(),
        })
    }

    /// Sends a request and reads the whole answer.
    pub(super) async fn bytes(&self, request: RequestBuilder) -> Result<Vec<u8>, CallError> {
        let answer = self.send(request.timeout(PATIENCE)).await?;
        let bytes = answer.bytes().await.map_err(|error| self.unreachable(&error))?;
        Ok(bytes.to_vec())
    }

    fn unreachable(&self, error: &reqwest::Error) -> CallError {
        let mut cause: &dyn std::error::Error = error;
        while let Some(inner) = cause.source() {
            cause = inner;
        }
        CallError::Unreachable { base: self.base.clone(), cause: cause.to_string() }
    }
}
