//! An issuer as the wallet knows it: its metadata, its authorization server, and its verification keys.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

use crate::error::{Step, Violation, WalletError};
use crate::jose::PublicKey;
use crate::json::{self, Object};
use crate::metadata::{AuthorizationServer, IssuerMetadata, check_identifier};
use crate::offer::Offer;
use crate::options::Options;
use crate::sd_jwt::SdJwt;
use crate::signed_metadata;
use crate::transport::{Http, Request, secure_url, well_known};
use crate::verify::{self, Expected, KeySource, VerifiedCredential};
use crate::x509;

/// Issuers of credentials whose keys are remembered with one credential issuer.
const MOST_KEY_SETS: usize = 16;

/// The checked metadata of a credential issuer. Keep it (in an `Arc`) and give it back in
/// [`Options::issuer`](crate::Options::issuer), and nothing is fetched twice.
#[derive(Debug)]
pub struct Issuer {
    /// Credential issuer metadata.
    pub metadata: IssuerMetadata,
    /// Metadata of the authorization server that the offer names, or of the only one.
    pub authorization_server: AuthorizationServer,
    key_sets: Mutex<HashMap<String, Arc<Vec<Object>>>>,
}

impl Issuer {
    /// Fetches and checks both documents at their inserted well-known URLs (OpenID4VCI §12.2.2, RFC 8414 §3.1).
    pub(crate) async fn fetch(
        http: &Http,
        identifier: &str,
        server: Option<&str>,
        now: i64,
        options: &Options,
    ) -> Result<Self, WalletError> {
        check_identifier(Step::IssuerMetadata, identifier)?;
        let url = well_known(identifier, "openid-credential-issuer");
        let object = if options.signed_metadata {
            signed_metadata::fetch(http, &url, identifier, now, options).await?
        } else {
            let reply = http.send(&Request::get(Step::IssuerMetadata, url), &options.resolve).await?;
            reply.object(&[200], "OpenID4VCI §12.2.2")?
        };
        let metadata = IssuerMetadata::from_object(&object, identifier)?;
        let server = match (server, metadata.authorization_servers.as_slice()) {
            (None, []) => identifier,
            (None, [first, ..]) => first,
            (Some(server), servers) => {
                // §4.1.1: the hint is only for issuers that list several.
                if servers.len() < 2 || !servers.iter().any(|listed| listed == server) {
                    return Violation::err(
                        Step::Offer,
                        "OpenID4VCI §4.1.1",
                        "the grant's authorization_server does not fit the metadata",
                        "one of several authorization_servers, or no member",
                        format!("{server:?} with {} published", servers.len()),
                    );
                }
                server
            }
        };
        let url = well_known(server, "oauth-authorization-server");
        let request = Request::get(Step::AuthorizationServerMetadata, url);
        let reply = http.send(&request, &options.resolve).await?;
        let object = reply.object(&[200], "RFC 8414 §3.2")?;
        Ok(Self {
            authorization_server: AuthorizationServer::from_object(&object, server)?,
            metadata,
            key_sets: Mutex::default(),
        })
    }

    /// The configurations of `offer` that the caller wants, each of which must be published.
    pub(crate) fn wanted<'a>(&self, offer: &'a Offer, options: &'a Options) -> Result<&'a [String], WalletError> {
        for id in &offer.configuration_ids {
            if !self.metadata.configurations.contains_key(id) {
                return Violation::err(
                    Step::Offer,
                    "OpenID4VCI §4.1.1",
                    "an offered configuration is not published",
                    "a key of credential_configurations_supported",
                    format!("{id:?}"),
                );
            }
        }
        for id in &options.configuration_ids {
            if !offer.configuration_ids.contains(id) {
                return Err(WalletError::Input(format!("the configuration {id:?} is not offered")));
            }
        }
        Ok(if options.configuration_ids.is_empty() { &offer.configuration_ids } else { &options.configuration_ids })
    }

    /// Verifies a credential, with its `x5c` chain or with the keys at `/.well-known/jwt-vc-issuer` of its `iss`.
    pub(crate) async fn verify(
        &self,
        http: &Http,
        compact: &str,
        expected: &Expected,
        options: &Options,
    ) -> Result<VerifiedCredential, WalletError> {
        let credential = SdJwt::parse(compact)?;
        verify::check_header(&credential, expected)?;
        let check_haip = |leaf: Option<&x509::Leaf>| match options.haip {
            true => x509::check_haip(leaf, Step::Verification, "HAIP §6.1.1"),
            false => Ok(()),
        };
        if let Some(x5c) = credential.jws().header().get("x5c") {
            let leaf = x509::read(x5c, expected.now, &options.trust_anchors).map_err(|error| {
                let expected = "a consistent chain of valid certificates, leaf first";
                Violation::new(Step::Verification, "SD-JWT VC §2.5, RFC 7515 §4.1.6", "x5c is wrong", expected, error)
            })?;
            check_haip(Some(&leaf))?;
            let source = KeySource::X5c {
                subject: leaf.subject.clone(),
                certificates: leaf.certificates,
                anchored: leaf.anchored,
            };
            let mut verified = verify::check(credential, compact, &leaf.key, source, expected)?;
            verified.notes.extend(notes(&leaf, &verified));
            return Ok(verified);
        }
        check_haip(None)?;
        let (url, key) = self.published_key(http, &credential, options).await?;
        let kid = credential.jws().header_text("kid").map(str::to_owned);
        let source = KeySource::IssuerMetadata { url, kid };
        Ok(verify::check(credential, compact, &key, source, expected)?)
    }

    async fn published_key(
        &self,
        http: &Http,
        credential: &SdJwt,
        options: &Options,
    ) -> Result<(String, PublicKey), WalletError> {
        let iss = credential.jws().payload().get("iss").and_then(Value::as_str);
        let Some(iss) = iss.filter(|iss| secure_url(Step::Verification, "iss", iss).is_ok()) else {
            return Violation::err(
                Step::Verification,
                "SD-JWT VC §2.5, §4",
                "the credential does not say where its key is",
                "an x5c header, or an https URL in iss",
                "neither",
            );
        };
        let kid = credential.jws().header_text("kid");
        let url = well_known(iss, "jwt-vc-issuer");
        let remembered = self.lock().get(iss).cloned();
        // A rotated key is not in a remembered set: read the set again before giving up.
        if let Some(keys) = remembered
            && let Ok(key) = choose(&keys, kid)
        {
            return Ok((url, key));
        }
        let keys = Arc::new(key_set(http, iss, &url, options).await?);
        let mut sets = self.lock();
        if sets.len() >= MOST_KEY_SETS {
            sets.clear();
        }
        sets.insert(iss.to_owned(), keys.clone());
        drop(sets);
        let key = choose(&keys, kid).map_err(|error| {
            let expected = format!("exactly one key for kid {kid:?} at {url}");
            Violation::new(
                Step::Verification,
                "SD-JWT VC §4.3",
                "the verification key is not published",
                expected,
                error,
            )
        })?;
        Ok((url, key))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<Vec<Object>>>> {
        self.key_sets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads JWT VC issuer metadata and its keys (SD-JWT VC §4).
pub(crate) async fn key_set(http: &Http, iss: &str, url: &str, options: &Options) -> Result<Vec<Object>, WalletError> {
    let clause = "SD-JWT VC §4.2, §4.3";
    let wrong = |what: &str, expected: &str, got: &str| {
        Violation::new(Step::Verification, clause, format!("{what} ({url})"), expected, got)
    };
    let reply = http.send(&Request::get(Step::Verification, url), &options.resolve).await?;
    let metadata = reply.object(&[200], clause)?;
    let issuer = metadata.get("issuer").and_then(Value::as_str).unwrap_or("");
    if issuer != iss {
        return Err(wrong("issuer differs from iss", iss, issuer).into());
    }
    let set = match (metadata.get("jwks"), metadata.get("jwks_uri")) {
        (Some(Value::Object(set)), None) => set.clone(),
        (None, Some(Value::String(uri))) => {
            secure_url(Step::Verification, "jwks_uri", uri)?;
            let mut request = Request::get(Step::Verification, uri);
            request.headers = vec![("accept", "application/jwk-set+json, application/json".into())];
            let reply = http.send(&request, &options.resolve).await?;
            reply.key_set(clause)?
        }
        (jwks, uri) => {
            let got = format!("jwks: {}, jwks_uri: {}", json::kind_or_absent(jwks), json::kind_or_absent(uri));
            return Err(wrong("the keys are missing", "exactly one of jwks and jwks_uri", &got).into());
        }
    };
    let Some(Value::Array(keys)) = set.get("keys") else {
        let got = json::kind_or_absent(set.get("keys"));
        return Err(wrong("the key set is wrong", "an array `keys`", got).into());
    };
    Ok(keys.iter().filter_map(|key| key.as_object().cloned()).collect())
}

pub(crate) fn choose(keys: &[Object], kid: Option<&str>) -> Result<PublicKey, String> {
    let mut fitting =
        keys.iter().filter(|key| kid.is_none_or(|kid| key.get("kid").and_then(Value::as_str) == Some(kid)));
    match (fitting.next(), fitting.next()) {
        (Some(key), None) => PublicKey::from_jwk(key),
        (None, _) => Err(format!("none of {} keys", keys.len())),
        (Some(_), Some(_)) => Err("several keys".into()),
    }
}

fn notes(leaf: &x509::Leaf, verified: &VerifiedCredential) -> Vec<String> {
    let mut notes = Vec::new();
    if leaf.self_signed {
        notes.push("the signing certificate is self-signed (HAIP §6.1.1 forbids it)".into());
    }
    if !leaf.anchored {
        notes.push("the certificate chain was not held against a trust anchor".into());
    }
    let iss = verified.claims.get("iss").and_then(Value::as_str);
    if let Some(iss) = iss
        && let Ok(url) = url::Url::parse(iss)
        && !leaf.names.iter().any(|name| name == iss || Some(name.as_str()) == url.host_str())
    {
        notes.push("iss is not a name of the signing certificate".into());
    }
    notes
}
