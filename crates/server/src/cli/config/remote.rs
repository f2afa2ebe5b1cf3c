//! What an organisation has on a server.

use anyhow::Context as _;
use serde_json::Value;

use super::super::management::{CallError, Management};

pub(super) const POLICY: &str = "/v2/config/digital-wallet/openid/policy";
pub(super) const RETENTION: &str = "/v2/config/digital-wallet/openid/retention";
pub(super) const GLOBAL: &str = "/v2/config/digital-wallet/openid/global-configuration";
pub(super) const PROVIDER: &str = "/v2/config/digital-wallet/openid/identity-provider";
pub(super) const ACCESS: &str = "/v2/config/admin/access-provider";
pub(super) const DEFINITION: &str = "/v2/config/digital-wallet/openid/sdjwt/credential-definition";
pub(super) const WEBHOOK: &str = "/v2/config/webhook";
const ORGANISATION: &str = "/v2/config/organisation";
const KEYS: &str = "/v2/config/digital-wallet/openid/key-management";
const GLOBALS: &str = "/v2/config/digital-wallet/openid/global-configurations";
const DEFINITIONS: &str = "/v2/config/digital-wallet/openid/sdjwt/credential-definitions";
const WEBHOOKS: &str = "/v2/config/webhooks";

/// Members that the server makes, or that say how things go: no configuration.
pub(super) const GLOBAL_MADE: &[&str] =
    &["globalConfigurationId", "revision", "createdAt", "updatedAt", "credentialRequestEncryptionRequired"];
pub(super) const PROVIDER_MADE: &[&str] = &["clientSecretSet", "redirectUri", "createdAt", "updatedAt"];
pub(super) const ACCESS_MADE: &[&str] = &["organisationId", "revision", "createdAt", "updatedAt"];
pub(super) const DEFINITION_MADE: &[&str] = &["credentialDefinitionId", "revision", "createdAt", "updatedAt"];
pub(super) const WEBHOOK_MADE: &[&str] = &[
    "id",
    "orgId",
    "sandboxOrgId",
    "disabledReason",
    "disabledTimestamp",
    "failingSinceTimestamp",
    "secretKey",
    "skipSslVerification",
    "timestamp",
    "isLastDeliverySuccess",
];

/// Everything that can be configured, as answers show it.
#[derive(Debug)]
pub(super) struct Remote {
    /// Slug of the organisation.
    pub(super) slug: String,
    /// Its issuer identifier.
    pub(super) issuer: String,
    pub(super) keys: Vec<Value>,
    pub(super) policy: Value,
    pub(super) retention: Value,
    pub(super) global_configuration: Option<Value>,
    pub(super) identity_provider: Option<Value>,
    pub(super) access_provider: Option<Value>,
    pub(super) definitions: Vec<Value>,
    pub(super) webhooks: Vec<Value>,
}

impl Remote {
    /// Reads it.
    pub(super) async fn load(api: &Management) -> anyhow::Result<Self> {
        let organisation = member(api.read(ORGANISATION).await?, "organisation");
        Ok(Self {
            slug: text(&organisation, "slug").to_owned(),
            issuer: Some(text(&organisation, "issuer").to_owned())
                .filter(|issuer| !issuer.is_empty())
                .context("the answer about the organisation has no issuer identifier")?,
            keys: all(api, KEYS, "keys").await?,
            policy: member(api.read(POLICY).await?, "policy"),
            retention: member(api.read(RETENTION).await?, "retention"),
            global_configuration: all(api, GLOBALS, "globalConfigurations").await?.into_iter().next(),
            identity_provider: if_there(api, PROVIDER, "identityProvider").await?,
            access_provider: if_there(api, ACCESS, "accessProvider").await?,
            definitions: all(api, DEFINITIONS, "credentialDefinitions").await?,
            webhooks: all(api, WEBHOOKS, "webhooks").await?,
        })
    }
}

/// What an organisation has once or not at all; `None` when it has none.
async fn if_there(api: &Management, path: &str, name: &str) -> Result<Option<Value>, CallError> {
    match api.read(path).await {
        Ok(answer) => Ok(Some(member(answer, name))),
        Err(CallError::Refused { status: 404, .. }) => Ok(None),
        Err(error @ (CallError::Refused { .. } | CallError::Unreachable { .. })) => Err(error),
    }
}

/// The picture that a definition has, as bytes.
pub(super) async fn picture(api: &Management, definition: &str, kind: &str) -> Result<Option<Vec<u8>>, CallError> {
    let request = api.request(reqwest::Method::GET, &picture_path(definition, kind));
    match api.bytes(request).await {
        Ok(bytes) => Ok(Some(bytes)),
        Err(CallError::Refused { status: 404, .. }) => Ok(None),
        Err(error @ (CallError::Refused { .. } | CallError::Unreachable { .. })) => Err(error),
    }
}

/// Where the picture `logoImage` or `coverImage` of a definition is.
pub(super) fn picture_path(definition: &str, kind: &str) -> String {
    format!("{DEFINITION}/{definition}/{}", kind.to_ascii_lowercase())
}

/// The member of an object, `null` when it is not there.
pub(super) fn member(mut value: Value, name: &str) -> Value {
    value.get_mut(name).map(Value::take).unwrap_or_default()
}

/// The text that a member holds, empty when it holds none.
pub(super) fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// `value` without the members `made`.
pub(super) fn without(value: &Value, made: &[&str]) -> Value {
    let mut value = value.clone();
    if let Some(members) = value.as_object_mut() {
        members.retain(|name, _| !made.contains(&name.as_str()));
    }
    value
}

/// The entries of a definition.
pub(super) fn entries(definition: &Value) -> &[Value] {
    definition.get("credentialDefinitions").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// Every page of a list, oldest first.
async fn all(api: &Management, path: &str, name: &str) -> anyhow::Result<Vec<Value>> {
    let mut items = Vec::new();
    loop {
        let page = api.read(&format!("{path}?limit=100&sortOrder=asc&offset={}", items.len())).await?;
        let more = page.pointer("/pagination/hasNext").and_then(Value::as_bool).unwrap_or_default();
        let found = page.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
        if found.is_empty() || !more {
            items.extend(found);
            return Ok(items);
        }
        items.extend(found);
    }
}
