//! Credential issuer metadata (OpenID4VCI §12.2) and authorization server metadata (RFC 8414, §12.3), checked strictly.

mod authorization_server;
mod encryption;
mod reader;

use std::collections::BTreeMap;

use serde_json::Value;

use crate::error::{Step, Violation, WalletError};
use crate::json::{self, Object};
use crate::sd_jwt::PathElement;
use crate::transport::secure_url;

pub use authorization_server::AuthorizationServer;
pub(crate) use authorization_server::{ATTESTED, AUTHORIZATION_CODE};
pub use encryption::{RequestEncryption, ResponseEncryption};
use reader::{EMPTY, Reader};

const ISSUER: Step = Step::IssuerMetadata;
const CLAUSE: &str = "OpenID4VCI §12.2.4";

/// What a credential issuer publishes about itself.
#[derive(Debug, Clone, PartialEq)]
pub struct IssuerMetadata {
    /// The Credential Issuer Identifier.
    pub credential_issuer: String,
    /// Authorization servers; empty when the issuer is its own.
    pub authorization_servers: Vec<String>,
    /// Where credentials are requested.
    pub credential_endpoint: String,
    /// Where nonces come from.
    pub nonce_endpoint: Option<String>,
    /// Where deferred credentials are fetched.
    pub deferred_credential_endpoint: Option<String>,
    /// Where the wallet reports what became of a credential.
    pub notification_endpoint: Option<String>,
    /// Largest number of proofs in one request, at least 2; `None` means one.
    pub batch_size: Option<u64>,
    /// How credential requests can be encrypted.
    pub request_encryption: Option<RequestEncryption>,
    /// How credential answers can be encrypted.
    pub response_encryption: Option<ResponseEncryption>,
    /// The published configurations.
    pub configurations: BTreeMap<String, CredentialConfiguration>,
}

/// One member of `credential_configurations_supported`.
#[derive(Debug, Clone, PartialEq)]
pub struct CredentialConfiguration {
    /// Format identifier.
    pub format: String,
    /// `vct`, always present for `dc+sd-jwt`.
    pub vct: Option<String>,
    /// OAuth scope.
    pub scope: Option<String>,
    /// JOSE names of the algorithms the credential may be signed with; empty when not published.
    pub signing_algorithms: Vec<String>,
    /// `jwk`, `cose_key`, `did:…`; empty when the credential is not bound to a key.
    pub binding_methods: Vec<String>,
    /// Accepted proof types by name; empty when no proof is needed.
    pub proof_types: BTreeMap<String, ProofType>,
    /// Described claims, in display order.
    pub claims: Vec<ClaimDescription>,
    /// Name for the user, from the first `display` entry.
    pub display_name: Option<String>,
}

/// One member of `proof_types_supported`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProofType {
    /// JOSE names of the accepted algorithms.
    pub signing_algorithms: Vec<String>,
    /// Whether a key attestation is needed.
    pub key_attestations_required: bool,
}

/// One described claim (App. B.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimDescription {
    /// Claims path pointer; `None` stands for every element of an array (`null`).
    pub path: Vec<Option<PathElement>>,
    /// Whether the issuer always includes the claim.
    pub mandatory: bool,
}

/// Checks a Credential Issuer Identifier (OpenID4VCI §12.2.1).
pub(crate) fn check_identifier(step: Step, identifier: &str) -> Result<(), WalletError> {
    let url = secure_url(step, "the credential issuer identifier", identifier)?;
    if url.query().is_some() || url.fragment().is_some() {
        return Violation::err(
            step,
            "OpenID4VCI §12.2.1",
            "the credential issuer identifier is wrong",
            "a URL without query and fragment",
            identifier,
        );
    }
    Ok(())
}

impl IssuerMetadata {
    /// Checks the metadata of `identifier`.
    pub(crate) fn from_object(object: &Object, identifier: &str) -> Result<Self, WalletError> {
        let reader = Reader { step: ISSUER, clause: CLAUSE, object, at: String::new() };
        let credential_issuer = reader.required_text("credential_issuer")?;
        if credential_issuer != identifier {
            return reader.wrong("credential_issuer", "differs from the identifier", identifier, &credential_issuer);
        }
        let authorization_servers = reader.texts("authorization_servers")?;
        for server in &authorization_servers {
            secure_url(ISSUER, "an authorization server identifier", server)?;
        }
        let listed = reader.object("credential_configurations_supported")?.unwrap_or(&*EMPTY);
        if !object.contains_key("credential_configurations_supported") {
            return reader.wrong("credential_configurations_supported", "is missing", "an object", "nothing");
        }
        let configurations = listed
            .iter()
            .map(|(id, value)| Ok((id.clone(), CredentialConfiguration::from_value(id, value)?)))
            .collect::<Result<_, WalletError>>()?;
        reader.displays("display", false)?;
        let (request_encryption, response_encryption) = encryption::read(&reader)?;
        Ok(Self {
            credential_issuer,
            authorization_servers,
            credential_endpoint: reader.required_endpoint("credential_endpoint")?,
            nonce_endpoint: reader.endpoint("nonce_endpoint")?,
            deferred_credential_endpoint: reader.endpoint("deferred_credential_endpoint")?,
            notification_endpoint: reader.endpoint("notification_endpoint")?,
            batch_size: batch_size(&reader)?,
            request_encryption,
            response_encryption,
            configurations,
        })
    }
}

fn batch_size(reader: &Reader<'_>) -> Result<Option<u64>, WalletError> {
    let Some(batch) = reader.object("batch_credential_issuance")? else {
        return Ok(None);
    };
    match batch.get("batch_size").and_then(Value::as_u64) {
        Some(size) if size >= 2 => Ok(Some(size)),
        _ => {
            let got = batch.get("batch_size").map_or("nothing".to_owned(), Value::to_string);
            reader.wrong("batch_credential_issuance.batch_size", "is wrong", "an integer of at least 2", &got)
        }
    }
}

impl CredentialConfiguration {
    fn from_value(id: &str, value: &Value) -> Result<Self, WalletError> {
        let at = format!("credential_configurations_supported.{id}.");
        let Value::Object(object) = value else {
            let what = format!("{at} is wrong");
            return Violation::err(ISSUER, CLAUSE, what, "an object", json::kind(value));
        };
        let reader = Reader { step: ISSUER, clause: CLAUSE, object, at };
        let format = reader.required_text("format")?;
        let vct = reader.text("vct")?;
        // COSE formats list integers here, which this wallet has no use for.
        let signing_algorithms = if format == "dc+sd-jwt" {
            if vct.as_deref().unwrap_or("").is_empty() {
                let reader = reader.citing("OpenID4VCI App. A.3.2");
                return reader.wrong("vct", "is missing", "a non-empty string for dc+sd-jwt", "nothing");
            }
            reader.texts("credential_signing_alg_values_supported")?
        } else {
            Vec::new()
        };
        let binding_methods = reader.texts("cryptographic_binding_methods_supported")?;
        let proof_types = proof_types(&reader)?;
        if binding_methods.is_empty() != proof_types.is_empty() {
            return reader.wrong(
                "cryptographic_binding_methods_supported",
                "and proof_types_supported do not go together",
                "both or neither",
                if proof_types.is_empty() { "only the binding methods" } else { "only the proof types" },
            );
        }
        let metadata = reader.object("credential_metadata")?.unwrap_or(&*EMPTY);
        let metadata = Reader { object: metadata, at: format!("{}credential_metadata.", reader.at), ..reader };
        Ok(Self {
            format,
            vct,
            scope: reader.text("scope")?,
            signing_algorithms,
            binding_methods,
            proof_types,
            display_name: metadata.displays("display", true)?,
            claims: claims(&metadata)?,
        })
    }
}

fn proof_types(reader: &Reader<'_>) -> Result<BTreeMap<String, ProofType>, WalletError> {
    let Some(types) = reader.object("proof_types_supported")? else {
        return Ok(BTreeMap::new());
    };
    let mut found = BTreeMap::new();
    for (name, value) in types {
        let member = format!("proof_types_supported.{name}");
        let Value::Object(object) = value else {
            return reader.wrong(&member, "is wrong", "an object", json::kind(value));
        };
        let inner = Reader { object, at: format!("{}{member}.", reader.at), ..*reader };
        let algorithms = inner.texts("proof_signing_alg_values_supported")?;
        if algorithms.is_empty() {
            return inner.wrong("proof_signing_alg_values_supported", "is missing", "a non-empty array", "nothing");
        }
        found.insert(
            name.clone(),
            ProofType {
                signing_algorithms: algorithms,
                key_attestations_required: inner.object("key_attestations_required")?.is_some(),
            },
        );
    }
    if found.is_empty() {
        return reader.wrong("proof_types_supported", "is empty", "at least one proof type", "none");
    }
    Ok(found)
}

fn claims(reader: &Reader<'_>) -> Result<Vec<ClaimDescription>, WalletError> {
    let mut described = Vec::new();
    for value in reader.elements("claims")? {
        let path = value.get("path").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let path: Option<Vec<Option<PathElement>>> = path
            .iter()
            .map(|element| match element {
                Value::Null => Some(None),
                Value::String(name) => Some(Some(PathElement::Name(name.clone()))),
                Value::Number(number) => {
                    let index = usize::try_from(number.as_u64()?).ok()?;
                    Some(Some(PathElement::Index(index)))
                }
                Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
            })
            .collect();
        let Some(path) = path.filter(|path| !path.is_empty()) else {
            let reader = reader.citing("OpenID4VCI App. B.2, C");
            let expected = "a non-empty array of strings, non-negative integers and null";
            return reader.wrong("claims[].path", "is wrong", expected, json::kind_or_absent(value.get("path")));
        };
        let mandatory = match value.get("mandatory") {
            None => false,
            Some(Value::Bool(mandatory)) => *mandatory,
            Some(other) => return reader.wrong("claims[].mandatory", "is wrong", "a boolean", json::kind(other)),
        };
        if described.iter().any(|other: &ClaimDescription| other.path == path) {
            let reader = reader.citing("OpenID4VCI App. B.3");
            return reader.wrong("claims", "describes one claim twice", "every path once", "a repeated path");
        }
        if let Value::Object(object) = value {
            let inner = Reader { object, at: format!("{}claims[].", reader.at), ..*reader };
            inner.displays("display", false)?;
        }
        described.push(ClaimDescription { path, mandatory });
    }
    Ok(described)
}

#[cfg(test)]
mod tests;
